"""The files beside a model that mention its names, and what a renaming changes in them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE
from types import MappingProxyType

from ...errors import Fault, ModelError, SdmodelError
from ...files import decoded, read_bytes, write_file
from ...model import key
from ..read.segments import Span
from .edits import Edit, applied
from .mentions import mentions, respelt
from .renaming import Renaming

_WRITABLE = 0o222
_MODEL = ".mdl"
_CELL = re.compile(r'(?P<cell>[ \t]*"(?:[^"]|"")*"[ \t]*|[^,\r\n]*)(?P<end>,|\r\n?|\n|\Z)')
_LINE = re.compile(r"[^\r\n]+")
_LINE_END = re.compile(r"\r\n?|\n")
_REMARK = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n|\Z)")
_TAB = re.compile(r"[^\t\r\n]+")
_HEADING = "model"
_SAMPLES = 4
"""The place, from the first, of the file of samples in the first line of a sensitivity file."""


def beside(model: str | os.PathLike[str]) -> list[Path]:
    """The files that go with a model: those of its name, and in a folder without another model all of them, one deep."""
    path = Path(model).resolve()
    folders = [path.parent, *(each for each in sorted(path.parent.iterdir()) if each.is_dir())]
    if _models(path.parent) > 1:
        return sorted(each for each in path.parent.glob(f"{path.stem}.*") if _rules(each) is not None)
    inside = (folder for folder in folders if folder == path.parent or not _models(folder))
    found = [each for folder in inside for each in sorted(folder.iterdir()) if each.is_file()]
    sampled = {sample for each in found if each.suffix.lower() == ".vsc" for sample in _samples(each)}
    return [each for each in found if _rules(each) is not None or each in sampled]


def _models(folder: Path) -> int:
    return sum(each.suffix.lower() == _MODEL for each in folder.iterdir())


def _samples(path: Path) -> Iterator[Path]:
    """The file of samples that a sensitivity file names."""
    first = decoded(path.read_bytes()).partition("\n")[0].split(",")
    if len(first) >= _SAMPLES and first[1].strip().upper().startswith("F"):
        yield path.parent / first[_SAMPLES - 1].strip().strip('"')


def changed(path: Path, changes: Iterable[Renaming]) -> bytes | None:
    """What a file holds after one renaming and the next, or nothing if it stays as it is."""
    data = read_bytes(path, error=ModelError)
    text = decoded(data)
    new = text
    for change in changes:
        new = applied(new, (_rules(path) or _in_heading)(new, change))[0]
    encoding = "utf-8" if text.encode("utf-8", "replace") == data else "latin-1"
    try:
        return new.encode(encoding) if new != text else None
    except UnicodeEncodeError as cause:
        lacking = new[cause.start]
        what = f"the file's encoding, {encoding}, lacks '{lacking}'; write the new name in other characters"
        raise ModelError([Fault(str(path), what)]) from cause


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Writes files of which each is there already; if one cannot be written, those before get their old bytes back."""
    before: dict[Path, bytes] = {}
    try:
        for path, content in contents.items():
            old = read_bytes(path, error=ModelError)
            _rewrite(path, content)
            before[path] = old
    except SdmodelError as error:
        for path, content in before.items():
            with suppress(SdmodelError):
                _rewrite(path, content)
        raise error if isinstance(error, ModelError) else ModelError([Fault("", str(error))]) from error


def _rewrite(path: Path, content: bytes) -> None:
    """Gives a file other bytes and leaves it its rights."""
    mode = path.stat().st_mode
    if not mode & _WRITABLE:
        raise ModelError([Fault(str(path), "the file is read-only; allow writing, or name another with -o")])
    write_file(path, content, force=True, error=SdmodelError)
    path.chmod(S_IMODE(mode))


_Rule = Callable[[str, Renaming], Iterator[Edit]]


def _rules(path: Path) -> _Rule | None:
    """How a file of that name mentions names."""
    name = path.name.lower()
    return next((rule for ending, rule in _ENDINGS.items() if name.endswith(ending)), None)


def _in_lines(text: str, change: Renaming) -> Iterator[Edit]:
    """Names that stand by themselves, however odd, as in change files and lists."""
    yield from respelt(mentions(text, plain=True), change.old, change.new, is_label=change.is_label)


def _in_sampling(text: str, change: Renaming) -> Iterator[Edit]:
    """Names in a sensitivity file, whose first line says how to draw."""
    first = _LINE_END.search(text)
    start = first.end() if first else len(text)
    yield from respelt(
        mentions(text[start:], start=start, plain=True), change.old, change.new, is_label=change.is_label
    )


def _in_formulas(text: str, change: Renaming) -> Iterator[Edit]:
    """Names in expressions."""
    yield from respelt(mentions(text), change.old, change.new, is_label=change.is_label)


def _in_terms(text: str, change: Renaming) -> Iterator[Edit]:
    """Names in expressions, one a line."""
    for line in _LINE.finditer(text):
        named = mentions(line[0], start=line.start())
        yield from respelt(named, change.old, change.new, is_label=change.is_label)


def _in_column(text: str, change: Renaming) -> Iterator[Edit]:
    """Formulas in the column `model` of a comma separated file."""
    rows = _rows(text)
    header = [key(_plain(each["cell"])) for each in next(rows, [])]
    if _HEADING in header:
        column = header.index(_HEADING)
        for row in rows:
            if column < len(row):
                yield from _in_cell(row[column], change)


def _rows(text: str) -> Iterator[list[re.Match[str]]]:
    """The cells line by line; lines that begin with `#` are comments, and a cell in quotes may hold line ends."""
    row: list[re.Match[str]] = []
    position = 0
    while position < len(text):
        comment = None if row else _REMARK.match(text, position)
        if comment:
            position = comment.end()
            continue
        found = _CELL.match(text, position)
        if found is None:  # text behind a closing quote, which no reader takes
            return
        row.append(found)
        position = found.end()
        if found["end"] != ",":
            yield row
            row = []
    if row:
        yield row


def _plain(cell: str) -> str:
    cell = cell.strip()
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _in_cell(found: re.Match[str], change: Renaming) -> Iterator[Edit]:
    """One cell, in quotes afterwards if it was or must be."""
    before = _plain(found["cell"])
    after = applied(before, _in_formulas(before, change))[0]
    if after != before:
        raw = found["cell"]
        start = found.start("cell") + len(raw) - len(raw.lstrip())
        liked = raw.strip().startswith('"') and not _needs_quotes(before)
        new = '"' + after.replace('"', '""') + '"' if liked or _needs_quotes(after) else after
        yield Edit(Span(start, start + len(raw.strip())), new)


def _needs_quotes(cell: str) -> bool:
    return any(mark in cell for mark in '",')


def _in_heading(text: str, change: Renaming) -> Iterator[Edit]:
    """Names at the heads of the columns of a file of samples."""
    end = _LINE_END.search(text)
    for cell in _TAB.finditer(text, 0, end.start() if end else len(text)):
        named = mentions(cell.group(), start=cell.start(), plain=True)
        yield from respelt(named, change.old, change.new, is_label=change.is_label)


_ENDINGS: Mapping[str, _Rule] = MappingProxyType(
    {
        ".cin": _in_lines,
        ".lst": _in_lines,
        ".voc": _in_lines,
        ".vsc": _in_sampling,
        ".vpd": _in_terms,
        ".series.csv": _in_column,
        ".judgement.csv": _in_column,
        ".figure.csv": _in_column,
    }
)
"""What may stand beside a model, by the ending of its name, and how it mentions names."""
