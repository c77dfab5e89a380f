"""The file beside a model that says what a figure of its runs shows: which lines share a panel, and how it is scaled."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast, get_args

from ..errors import Fault, PageError, Place
from ..files import read_text
from ..model import key, nearest

Scale = Literal["", "linear", "log"]

_SUFFIX = ".figure.csv"
_COLUMNS = ("panel", "model", "label", "scale")


@dataclass(frozen=True)
class Panel:
    """One panel: the labels of its lines by the name of their variable, which may be empty; its scale where it is chosen."""

    title: str
    lines: Mapping[str, str]
    scale: Scale = ""


@dataclass(frozen=True)
class Page:
    """The panels of a figure in their order; `marks` are labels of constants, times that a line across every panel shows."""

    panels: tuple[Panel, ...]
    marks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the file."""

    panel: str
    model: str
    label: str
    scale: str
    place: Place


def page_beside(model_path: str | os.PathLike[str]) -> Path | None:
    """The file that says what figures of a model show, `MODEL.figure.csv` beside `MODEL.mdl`, if there is one."""
    path = Path(model_path).with_suffix(_SUFFIX)
    return path if path.is_file() else None


def read_page(path: str | os.PathLike[str]) -> Page:
    """The page that a comma separated file describes.

    A line has the title of a `panel`, the name of a variable of the `model`, which may end in `[label]`, and if wanted the
    `label` of its line and the `scale` of the panel, `linear` or `log`. Lines with one title share a panel. A line without a
    title names a constant that is a time and is marked in every panel. Lines that begin with `#` are comments.

    Raises
    ------
    PageError
        With every line that says nothing, or something else than those before it.
    """
    name = os.fspath(path)
    faults: list[Fault] = []
    rows = list(_rows(name, read_text(path, error=PageError, wanted="a .csv file"), faults))
    panels: dict[str, list[_Row]] = {}
    for row in rows:
        panels.setdefault(row.panel, []).append(row)
    marks = {row.model: row.label or row.model for row in panels.pop("", [])}
    found = tuple(_panel(title, each, faults) for title, each in panels.items())
    if not found and not faults:
        faults.append(Fault(name, "describes no panel; write a line with panel and model for each line to draw"))
    if faults:
        raise PageError(faults)
    return Page(found, MappingProxyType(marks))


def _rows(name: str, text: str, faults: list[Fault]) -> Iterator[_Row]:
    """The lines that say something, without comments; the header is the first of them."""
    lines = _entries(name, text, faults)
    place, names = next(lines, (Place(name, 1), []))
    header = [key(each) for each in names]
    lacking = [each for each in _COLUMNS[:2] if each not in header]
    if lacking:
        told = f"there is no column '{lacking[0]}'; let the first line name {', '.join(_COLUMNS)}"
        faults.append(Fault(place, told))
        return
    for place, entries in lines:
        if len(entries) > len(header):
            told = f"this line has {len(entries)} entries but the header names {len(header)}"
            faults.append(Fault(place, f"{told}; put an entry with commas in quotes"))
        else:
            row = dict.fromkeys(header, "") | dict(zip(header, entries, strict=False))
            found = _Row(row["panel"], row["model"], row.get("label", ""), row.get("scale", ""), place)
            if found.model:
                yield found
            else:
                faults.append(Fault(place, "the line names no variable; write one in the column 'model'"))


def _entries(name: str, text: str, faults: list[Fault]) -> Iterator[tuple[Place, list[str]]]:
    """The entries line by line, without blanks around them, comments and empty lines."""
    reader = csv.reader(text.splitlines(keepends=True))
    try:
        for cells in reader:
            entries = [each.strip() for each in cells]
            if any(entries) and not entries[0].startswith("#"):
                yield Place(name, reader.line_num), entries
    except csv.Error as cause:
        faults.append(
            Fault(Place(name, reader.line_num), f"cannot be read ({cause}); write short entries with commas between")
        )


def _panel(title: str, rows: list[_Row], faults: list[Fault]) -> Panel:
    """The panel that the lines with one title make."""
    lines: dict[str, str] = {}
    scale = ""
    for row in rows:
        if row.model in lines:
            faults.append(Fault(row.place, f"'{row.model}' is in the panel '{title}' already; keep one of the lines"))
        if row.scale and row.scale not in get_args(Scale):
            close = nearest(row.scale, ["linear", "log"])
            cure = f"did you mean '{close}'?" if close else "write linear or log"
            faults.append(Fault(row.place, f"'{row.scale:.40}' is no scale; {cure}"))
        elif row.scale and scale not in ("", row.scale):
            faults.append(Fault(row.place, f"the panel '{title}' is {scale} in a line above; write the same"))
        else:
            scale = row.scale or scale
        lines[row.model] = row.label
    return Panel(title, MappingProxyType(lines), cast("Scale", scale))
