"""The files next to a model that use its names, and how a renaming changes them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE
from types import MappingProxyType

from ...errors import Fault, ModelError, SdmodelError
from ...files import decode_text, read_bytes, write_file
from ...model import key
from ..read.segments import Span
from ..read.tokens import LINE_END
from .edits import Edit, apply_edits
from .names import Mention, find_names, replace_names
from .renaming import Renaming

_WRITABLE = 0o222
_MODEL = ".mdl"
_CELL = re.compile(r'(?P<cell>[ \t]*"(?:[^"]|"")*"[ \t]*|[^,\r\n]*)(?P<end>,|\r\n?|\n|\Z)')
_LINE = re.compile(r"[^\r\n]+")
_REMARK = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n|\Z)")
_TAB_CELL = re.compile(r"[^\t\r\n]+")
_HEADING = "model"
_SAMPLES = 4
"""The position, counted from 1, of the file of samples in the first line of a sensitivity file."""


def find_companions(model: str | os.PathLike[str]) -> list[Path]:
    """Find the files that belong to a model.

    These are the files of its name; if the folder has no other model, all files there and in its folders.
    """
    path = Path(model).resolve()
    folders = [path.parent, *(entry for entry in sorted(path.parent.iterdir()) if entry.is_dir())]
    if _count_models(path.parent) > 1:
        return sorted(file for file in path.parent.glob(f"{path.stem}.*") if _rule(file) is not None)
    inside = (folder for folder in folders if folder == path.parent or not _count_models(folder))
    found = [entry for folder in inside for entry in sorted(folder.iterdir()) if entry.is_file()]
    samples = {sample for file in found if file.suffix.lower() == ".vsc" for sample in _samples_file(file)}
    return [file for file in found if _rule(file) is not None or file in samples]


def _count_models(folder: Path) -> int:
    return sum(entry.suffix.lower() == _MODEL for entry in folder.iterdir())


def _samples_file(path: Path) -> Iterator[Path]:
    """Return the file of samples that a sensitivity file names."""
    first = decode_text(path.read_bytes()).partition("\n")[0].split(",")
    if len(first) >= _SAMPLES and first[1].strip().upper().startswith("F"):
        yield path.parent / first[_SAMPLES - 1].strip().strip('"')


def rename_in_file(path: Path, changes: Iterable[Renaming]) -> bytes | None:
    """Return what a file holds after renamings in turn; None if they do not change it."""
    data = read_bytes(path, error=ModelError)
    text = decode_text(data)
    new = text
    for change in changes:
        new = apply_edits(new, (_rule(path) or _in_heading)(new, change))[0]
    encoding = "utf-8" if text.encode("utf-8", "replace") == data else "latin-1"
    try:
        return new.encode(encoding) if new != text else None
    except UnicodeEncodeError as cause:
        what = f"the file's encoding, {encoding}, lacks '{new[cause.start]}'; write the new name in other characters"
        raise ModelError([Fault(str(path), what)]) from cause


def rewrite_together(contents: Mapping[Path, bytes]) -> None:
    """Write files that exist; if one cannot be written, those before it get their old bytes back."""
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
    """Give a file other bytes and keep its permissions."""
    mode = path.stat().st_mode
    if not mode & _WRITABLE:
        raise ModelError([Fault(str(path), "the file is read-only; allow writing, or name another file with -o")])
    write_file(path, content, force=True, error=SdmodelError)
    path.chmod(S_IMODE(mode))


_Rule = Callable[[str, Renaming], Iterator[Edit]]


def _rule(path: Path) -> _Rule | None:
    """Return how files with this name use names."""
    name = path.name.lower()
    return next((rule for ending, rule in _ENDINGS.items() if name.endswith(ending)), None)


def _edits(names: Iterable[Mention], change: Renaming) -> Iterator[Edit]:
    yield from replace_names(names, change.old, change.new, is_label=change.is_label)


def _in_lines(text: str, change: Renaming) -> Iterator[Edit]:
    """Names by themselves, with any characters, as in change files and lists."""
    yield from _edits(find_names(text, plain=True), change)


def _in_sampling(text: str, change: Renaming) -> Iterator[Edit]:
    """Names in a sensitivity file, whose first line has the settings."""
    first = LINE_END.search(text)
    start = first.end() if first else len(text)
    yield from _edits(find_names(text[start:], start=start, plain=True), change)


def _in_formulas(text: str, change: Renaming) -> Iterator[Edit]:
    yield from _edits(find_names(text), change)


def _in_terms(text: str, change: Renaming) -> Iterator[Edit]:
    """Names in expressions, one per line."""
    for line in _LINE.finditer(text):
        yield from _edits(find_names(line[0], start=line.start()), change)


def _in_column(text: str, change: Renaming) -> Iterator[Edit]:
    """Formulas in the column `model` of a comma separated file."""
    rows = _rows(text)
    header = [key(_unquoted(cell["cell"])) for cell in next(rows, [])]
    if _HEADING in header:
        column = header.index(_HEADING)
        for row in rows:
            if column < len(row):
                yield from _in_cell(row[column], change)


def _rows(text: str) -> Iterator[list[re.Match[str]]]:
    """Return the cells of each row; lines that begin with `#` are comments, and a quoted cell may hold line ends."""
    row: list[re.Match[str]] = []
    position = 0
    while position < len(text):
        comment = None if row else _REMARK.match(text, position)
        if comment:
            position = comment.end()
            continue
        found = _CELL.match(text, position)
        if found is None:  # text after a closing quote, which no reader accepts
            return
        row.append(found)
        position = found.end()
        if found["end"] != ",":
            yield row
            row = []
    if row:
        yield row


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _in_cell(found: re.Match[str], change: Renaming) -> Iterator[Edit]:
    """One cell, quoted afterwards if its author quoted it without need, or if it must be."""
    before = _unquoted(found["cell"])
    after = apply_edits(before, _in_formulas(before, change))[0]
    if after != before:
        raw = found["cell"]
        start = found.start("cell") + len(raw) - len(raw.lstrip())
        habit = raw.strip().startswith('"') and not _needs_quotes(before)
        new = '"' + after.replace('"', '""') + '"' if habit or _needs_quotes(after) else after
        yield Edit(Span(start, start + len(raw.strip())), new)


def _needs_quotes(cell: str) -> bool:
    return any(mark in cell for mark in '",')


def _in_heading(text: str, change: Renaming) -> Iterator[Edit]:
    """Names at the heads of the columns of a file of samples."""
    end = LINE_END.search(text)
    for cell in _TAB_CELL.finditer(text, 0, end.start() if end else len(text)):
        yield from _edits(find_names(cell.group(), start=cell.start(), plain=True), change)


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
"""The files that can belong to a model, by the ending of their names, and how they use names."""
