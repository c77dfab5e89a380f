"""Files beside a model that hold data which it lacks: a quick look at small files of its folder, for the cure of a fault."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ...errors import SdmodelError
from ...files import decode_text, is_plain_file
from ...model import Cell, Model, cell_name, data_variables, has_points, key, points_in
from .access import Access
from .series import cell_of
from .tables import TableProblemError, open_workbook

_SERIES = (".csv", ".dat", ".tab", ".txt", ".vdf", ".vdfx")
_WORKBOOKS = (".xls", ".xlsm", ".xlsx")
_MOST_FILES, _MOST_BYTES, _MOST_IN_ALL = 200, 2**21, 2**23
"""The most files that are looked at, and the most bytes of each and of all."""
_MOST_IN_WORKBOOK, _MOST_CELLS = 2**19, 100_000
_MOST_SETTINGS = 50_000
_BLANKS = re.compile(r"[\s_\"]+")


def lacking_data(model: Model) -> dict[Cell, str]:
    """Return the cells of the data variables of a model that lack data, each with its name."""
    return {
        cell: cell_name(model, cell)
        for _, points in data_variables(model)
        for cell, table in points_in(model, points).items()
        if not has_points(table)
    }


def data_beside(model: str | os.PathLike[str], cells: Collection[Cell]) -> dict[Path, set[Cell]]:
    """Return the files in the folder of a model that hold some of the cells, which no file before them holds; the fullest comes first.

    Files of time series come before workbooks, which are not read as such.
    """
    found = {path: held for path in _files(Path(model)) if (held := _held(path, cells))}
    offers: dict[Path, set[Cell]] = {}
    rest = set(cells)
    for endings in (_SERIES, _WORKBOOKS):
        own = {path: held for path, held in found.items() if path.suffix.lower() in endings}
        while any(held & rest for held in own.values()):
            best = max(own, key=lambda path: len(own[path] & rest))
            offers[best] = own.pop(best) & rest
            rest -= offers[best]
    return offers


def absent_series(model: Model) -> tuple[str, ...]:
    """Return the files of time series that the settings of a model name, if none of them is there."""
    access = Access.of_model(model.path, model.allow_files, model.text[-_MOST_SETTINGS:].splitlines(), {})
    return () if access.series_files() else access.series


def _files(model: Path) -> Iterator[Path]:
    """Yield the small data files in the folder of a model and in those in it, none of them through a link that leads elsewhere."""
    home, taken = model.parent.resolve(), 0
    every = (path for pattern in ("*", "*/*") for path in sorted(model.parent.glob(pattern)))
    for path in islice((path for path in every if path.suffix.lower() in _SERIES + _WORKBOOKS), _MOST_FILES):
        if is_plain_file(path) and path.resolve().is_relative_to(home):
            size = path.stat().st_size
            taken += size if size <= _MOST_BYTES else 0
            if size <= _MOST_BYTES and taken <= _MOST_IN_ALL:
                yield path


def _held(path: Path, cells: Collection[Cell]) -> set[Cell]:
    """Return those of the cells that a file holds; none if it cannot be read."""
    from ..files.data import read_data

    with suppress(SdmodelError, TableProblemError, OSError):
        content = path.read_bytes()
        if path.suffix.lower() in _WORKBOOKS:
            return set() if len(content) > _MOST_IN_WORKBOOK else _in_workbook(content, cells)
        if path.suffix.lower().startswith(".vdf") or _mentions(content, {cell.key for cell in cells}):
            return {cell_of(series) for series in read_data(path, content).values()} & set(cells)
    return set()


def _mentions(content: bytes, names: Collection[str]) -> bool:
    text = _BLANKS.sub("_", decode_text(content).lower())
    return any(_BLANKS.sub("_", name) in text for name in names)


def _in_workbook(content: bytes, cells: Collection[Cell]) -> set[Cell]:
    """Return the cells whose variable a text of a workbook names."""
    book = open_workbook(content, ",")
    every = (value for title in getattr(book, "titles", ()) for row in book.sheet(title).rows for value in row)
    texts = {key(value) for value in islice(every, _MOST_CELLS) if isinstance(value, str)}
    return {cell for cell in cells if cell.key in texts}
