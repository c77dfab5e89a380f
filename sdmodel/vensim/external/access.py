"""Which files a model may read: those in its own folder, and in folders that the user allows. What was read is recorded."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import ModelError
from ...files import is_plain_file, read_bytes
from ...model import Cell, Source, Table, nearest
from .tables import TableProblemError, Workbook, open_workbook

_SERIES = (".dat", ".csv", ".tab", ".txt", ".vdf", ".vdfx")
_EXPORTS = (".vdfx", ".vdf", ".dat", ".csv", ".tab")
"""What may stand beside a run that is not there: newer and older formats of Vensim, and those that it exports to."""
_ABSOLUTE = re.compile(r"[A-Za-z]:/|/")
_MOST_BYTES = 2**28
"""Maximum size of a file."""


@dataclass
class Access:
    """The files that a model may read: where it is, the folders that are allowed too, and what its `?tags` stand for.

    `texts` are those of its string variables, by key. `read` collects what was read, by path; `series` are the files of time
    series that the settings name, and `runs` the points in those that GET VDF named.
    """

    folder: Path
    allowed: tuple[Path, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    read: dict[str, Source] = field(default_factory=dict)
    series: tuple[str, ...] = ()
    _contents: dict[Path, bytes] = field(default_factory=dict)
    _instead: dict[Path, str] = field(default_factory=dict)
    runs: dict[Path, Mapping[Cell, Table]] = field(default_factory=dict)
    _workbooks: dict[tuple[Path, str], Workbook] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_model(
        cls, path: str, allowed: Iterable[str | os.PathLike[str]], settings: Iterable[str], texts: Mapping[str, str]
    ) -> Access:
        """The access of the model at a path, with the settings of its file and the texts of its string variables."""
        tags: dict[str, str] = {}
        series: tuple[str, ...] = ()
        for line in settings:
            tag, _, name = line.partition(":")[2].partition("=")
            if line.startswith("30:") and name.strip():
                tags[tag.strip().lstrip("?").casefold()] = name.strip()
            if line.startswith("13:"):
                series = tuple(filter(None, map(str.strip, line[3:].split(","))))
        return cls(Path(path).parent, tuple(map(Path, allowed)), tags, texts, series=series)

    def series_files(self) -> list[Path]:
        """The files of time series that the settings of the model name, as far as they may and can be read."""
        found = []
        for given in self.series:
            for name in _with_ending(given):
                with contextlib.suppress(TableProblemError):  # often the place of a file on another computer
                    found.append(self.find(name.replace("\\", "/")))
        return found

    def run_file(self, given: str) -> Path:
        """The file of a run or data set, or its export as a table or list in another format beside it."""
        names = _with_ending(self.file_name(given))
        stem = names[0].rpartition(".")[0]
        for name in dict.fromkeys([*names, *(f"{stem}{ending}" for ending in _EXPORTS)]):
            with contextlib.suppress(TableProblemError):
                found = self.find(name)
                if name not in names:
                    self._instead[found] = given
                return found
        return self.find(names[0])

    def file_name(self, given: str) -> str:
        """The name of a file as written, with the file that its `?tag` stands for; raises TableProblemError for an unknown tag."""
        name = given.strip()
        if not name.startswith("?"):
            return name.replace("\\", "/")
        tag = name[1:].replace("\\", "/")
        meant = self.tags.get(name[1:].casefold(), "").replace("\\", "/")
        if is_plain_file(self.folder / tag) and not (
            meant and self._is_there(meant)
        ):  # a tag is often the path of its file
            if meant:
                self._instead[self.find(tag)] = meant
            return tag
        if meant:
            return meant
        known = nearest(name[1:], self.tags)
        cure = f"did you mean '?{known}'?" if known else "add a line 30:?tag=file to the settings of the model"
        message = f"the model's settings do not say which file this is; {cure}"
        raise TableProblemError(message)

    def _is_there(self, name: str) -> bool:
        """Whether a file is there and may be read."""
        try:
            self.find(name)
        except TableProblemError:
            return False
        return True

    def workbook(self, name: str, delimiter: str) -> Workbook:
        """The workbook or table in a file; raises TableProblemError if it may not or cannot be read."""
        path = self.find(name)
        if (path, delimiter) not in self._workbooks:
            self._workbooks[path, delimiter] = open_workbook(self.content(path), delimiter)
        return self._workbooks[path, delimiter]

    def find(self, name: str) -> Path:
        """The path of a file that the model may read; a path on another computer means the file here that ends most like it."""
        path = self.folder / name
        if _ABSOLUTE.match(name) and not is_plain_file(path):
            parts = [part for part in name.split("/") if part]
            ends = ["/".join(parts[place:]) for place in range(len(parts)) if ".." not in parts[place:]]
            places = (self.folder, *self.allowed)
            here = next(((own, end) for end in ends for own in places if is_plain_file(own / end)), None)
            if here is not None:
                folder, end = here
                found = self.find(end if folder == self.folder else str((folder / end).absolute()))
                self._instead[found] = name
                return found
        _check_name(name)
        try:
            whole = path.resolve()
            homes = [folder.resolve() for folder in (self.folder, *self.allowed)]
        except (OSError, ValueError, RuntimeError) as error:
            message = "this is not the path of a file; correct it"
            raise TableProblemError(message) from error
        if not any(whole.is_relative_to(home) for home in homes):
            message = (
                "the file is outside of the model's folder, so that it is not read; move it beside the model, "
                "or allow its folder with --allow-files FOLDER"
            )
            raise TableProblemError(message)
        if whole.is_dir():
            message = "this is a folder, not a file; name a file in it"
            raise TableProblemError(message)
        if not is_plain_file(whole):
            beside = sorted(own.name for own in path.parent.iterdir()) if path.parent.is_dir() else []
            same = next((own for own in beside if own != path.name and own.casefold() == path.name.casefold()), None)
            if same is not None and is_plain_file(path.with_name(same)):  # Vensim's systems do not tell case apart
                return self.find(str(Path(name).with_name(same)))
            newer = next((own for own in beside if own.casefold() == f"{path.name}x".casefold()), None)
            if newer is not None and path.suffix.lower() == ".xls":  # saved again in the newer format
                found = self.find(str(Path(name).with_name(newer)))
                self._instead[found] = name
                return found
            kind = path.suffix.lower()[:4]  # .xls, .xlsx and .xlsm are of one kind
            longer = next((own for own in beside if Path(own).stem == path.name), None) if not kind else None
            close = longer or nearest(path.name, [own for own in beside if Path(own).suffix.lower()[:4] == kind])
            cure = f"did you mean '{close}'?" if close else "put it beside the model"
            message = f"there is no such file; {cure}"
            raise TableProblemError(message)
        return path

    def content(self, path: Path) -> bytes:
        """The bytes of a file, which is recorded as read."""
        if path not in self._contents:
            if path.stat().st_size > _MOST_BYTES:
                message = f"the file is larger than {_MOST_BYTES >> 20} MiB; make it smaller"
                raise TableProblemError(message)
            try:
                self._contents[path] = read_bytes(path, error=ModelError)
            except ModelError as error:
                raise TableProblemError(error.faults[0].what) from error
            self.record(path, self._contents[path])
        return self._contents[path]

    def record(self, path: Path, content: bytes) -> None:
        """Record that a file was read, with its path relative to the model where it has one."""
        source = replace(source_of(path, content, self.folder), instead_of=self._instead.get(path, ""))
        self.read[source.path] = source

    def remark(self, name: str, text: str) -> None:
        """Record what is odd about a cell of a file that was read."""
        if name not in self._names:
            self._names[name] = _shown(self.find(name), self.folder)
        shown = self._names[name]
        source = self.read[shown]
        self.read[shown] = replace(source, remark=source.remark or text, odd_cells=source.odd_cells + 1)


def _with_ending(name: str) -> list[str]:
    """A file of time series by its name, of which older versions of Vensim leave out the ending of their own format."""
    return [name] if name.lower().endswith(_SERIES) else [f"{name}.vdf", f"{name}.vdfx"]


def _check_name(name: str) -> None:
    """Refuse the name of a file that is empty or an address on the internet."""
    if not name:
        message = "the name of the file is empty; name one"
        raise TableProblemError(message)
    if "://" in name:
        message = "this is an address on the internet, which a model does not read; download the file beside the model"
        raise TableProblemError(message)


def source_of(path: Path, content: bytes, folder: Path, *, is_series: bool = False) -> Source:
    """The record of a file that was read: its path relative to the folder of the model, if there is one, and its hash."""
    return Source(_shown(path, folder), hashlib.sha256(content).hexdigest(), is_series=is_series)


def _shown(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return str(path.resolve())
