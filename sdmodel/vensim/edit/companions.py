"""The files next to a model that use its names, and how a renaming changes them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ...errors import Fault, ModelError
from ...files import decode, decode_text, read_bytes
from ...model import key
from ..files.data import TIME_HEADING
from ..read.segments import Span
from ..read.syntax import LINE_END
from .layout import Edit, apply_edits
from .names import Renaming, find_names, replace_names

_CELL = re.compile(r'(?P<cell>[ \t]*"(?:[^"]|"")*"[ \t]*|[^,\r\n]*)(?P<end>,|\r{0,2}\n|\r|\Z)')
_LINE = re.compile(r"[^\r\n]+")
_REMARK = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r{0,2}\n|\r|\Z)")
_TAB_CELL = re.compile(r"[^\t\r\n]+")
_QUOTABLE = frozenset('",')
"""Characters that make quotes around a cell necessary."""


def find_companions(model: str | os.PathLike[str]) -> list[Path]:
    """Find the files that belong to a model.

    These are the files of its name; if the folder has no other model, all files there and in its folders.
    """
    path = Path(model).resolve()
    beside = _entries(path.parent)
    if _count_models(beside) > 1:
        own = (file for file in beside if file.name.startswith(f"{path.stem}."))
        return [file for file in own if _rule(file) is not None]
    folders = [beside, *(_entries(entry) for entry in beside if entry.is_dir())]
    inside = (folder for folder in folders if folder is beside or not _count_models(folder))
    found = [entry for folder in inside for entry in folder if entry.is_file()]
    samples = {sample for file in found if file.suffix.lower() == ".vsc" for sample in _samples_file(file)}
    return [file for file in found if _rule(file) is not None or file in samples]


def _entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it may not be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _count_models(entries: Iterable[Path]) -> int:
    return sum(entry.suffix.lower() == ".mdl" for entry in entries)


def _samples_file(path: Path) -> Iterator[Path]:
    match LINE_END.split(decode_text(read_bytes(path, error=ModelError)), 1)[0].split(","):
        case [_, method, _, file, *_] if method.strip().upper().startswith("F"):
            yield path.parent / file.strip().strip('"')


def rename_in_file(path: Path, changes: Iterable[Renaming]) -> tuple[bytes, bytes]:
    """Return what a file holds before and after renamings in turn."""
    data = read_bytes(path, error=ModelError)
    text, encoding = decode(data)
    mark = "\ufeff" * text.startswith("\ufeff")
    new = text = text.removeprefix(mark)
    for change in changes:
        new = apply_edits(new, (_rule(path) or _in_heading)(new, change))[0]
    try:
        return data, (mark + new).encode(encoding) if new != text else data
    except UnicodeEncodeError as cause:
        what = f"the file's encoding, {encoding}, lacks '{(mark + new)[cause.start]}'; write the new name in other characters"
        raise ModelError([Fault(str(path), what)]) from cause


_Rule = Callable[[str, Renaming], Iterable[Edit]]


def _rule(path: Path) -> _Rule | None:
    """Return how files with this name use names."""
    name = path.name.lower()
    return next((rule for ending, rule in _ENDINGS.items() if name.endswith(ending)), None)


def _in_lines(text: str, change: Renaming) -> list[Edit]:
    """Names by themselves, with any characters, as in change files and lists."""
    return replace_names(find_names(text, plain=True), change)


def _in_sampling(text: str, change: Renaming) -> list[Edit]:
    """Names in a sensitivity file, after the first line, which has the settings."""
    first = LINE_END.search(text)
    start = first.end() if first else len(text)
    return replace_names(find_names(text[start:], start=start, plain=True), change)


def _in_terms(text: str, change: Renaming) -> list[Edit]:
    """Names in expressions, one per line."""
    lines = _LINE.finditer(text)
    return replace_names((name for line in lines for name in find_names(line[0], start=line.start())), change)


def _in_heading(text: str, change: Renaming) -> list[Edit]:
    """Names at the heads of the columns of a file of samples."""
    end = LINE_END.search(text)
    cells = _TAB_CELL.finditer(text, 0, end.start() if end else len(text))
    names = (name for cell in cells for name in find_names(cell[0], start=cell.start(), plain=True))
    return replace_names(names, change)


def _in_table(text: str, change: Renaming) -> list[Edit]:
    """Names at the heads of the columns of time series, in a table that begins with Time."""
    return _in_heading(text, change) if TIME_HEADING.match(text) else []


def _in_column(text: str, change: Renaming) -> Iterator[Edit]:
    """Formulas in the column `model` of a comma separated file; a cell that needed no quotes but had them keeps them."""
    rows = _rows(text)
    header = [key(_unquoted(cell["cell"])) for cell in next(rows, [])]
    if "model" not in header:
        return
    column = header.index("model")
    for row in rows:
        if column >= len(row):
            continue
        raw = row[column]["cell"]
        before = _unquoted(raw)
        after = apply_edits(before, replace_names(find_names(before), change))[0]
        if after != before:
            start = row[column].start("cell") + len(raw) - len(raw.lstrip())
            had_quotes = raw.strip().startswith('"') and _QUOTABLE.isdisjoint(before)
            new = after if _QUOTABLE.isdisjoint(after) and not had_quotes else '"' + after.replace('"', '""') + '"'
            yield Edit(Span(start, start + len(raw.strip())), new)


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


_ENDINGS: Mapping[str, _Rule] = MappingProxyType(
    dict.fromkeys((".cin", ".lst", ".voc", ".dat"), _in_lines)
    | {".vsc": _in_sampling, ".vpd": _in_terms}
    | dict.fromkeys((".series.csv", ".judgement.csv", ".figure.csv"), _in_column)
    | {".csv": _in_table, ".tab": _in_heading}
)
"""The files that can belong to a model, by the ending of their names, and how they use names."""
