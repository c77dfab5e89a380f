"""The layout file beside a model: which variables of a run share a panel, and how the panel is scaled."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast, get_args

from ..dataset import decimal_year
from ..errors import Fault, LayoutError, Place, format_count
from ..files import read_text
from ..model import key, split_name, suggest

Scale = Literal["", "linear", "log"]

_COLUMNS = ("panel", "model", "label", "scale")
_EXTRAPOLATION = "extrapolation from"
"""In the place of a title: the line says from which time on runs are extrapolation."""

_Row = tuple[Place, dict[str, str]]


@dataclass(frozen=True)
class Panel:
    """One panel: the labels of its lines, which may be empty, by the name of the variable, and its scale if one is chosen."""

    title: str
    lines: Mapping[str, str]
    scale: Scale = ""


@dataclass(frozen=True)
class Layout:
    """The panels of a figure in order; `marks` are labels of constants that are times, marked in every panel.

    From the time `extrapolation` on, if there is one, runs are extrapolation and are drawn lighter.
    """

    panels: tuple[Panel, ...]
    marks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    extrapolation: float | None = None

    def scale_of(self, name: str) -> Scale:
        """The scale of the panels that show a variable, or one label of it; empty if none is chosen."""
        own = key(split_name(name)[0])
        shown = (panel.scale for panel in self.panels for line in panel.lines if key(split_name(line)[0]) == own)
        return next(filter(None, shown), "")


def find_layout(model_path: str | os.PathLike[str]) -> Path | None:
    """Return the layout file of a model, `MODEL.figure.csv` beside `MODEL.mdl`, or None if there is none."""
    path = Path(model_path).with_suffix(".figure.csv")
    return path if path.is_file() else None


def layout_beside(model_path: str | os.PathLike[str]) -> Layout:
    """Return the layout beside a model; without a file, one without panels."""
    path = find_layout(model_path)
    return read_layout(path) if path else Layout(())


def read_layout(path: str | os.PathLike[str]) -> Layout:
    """Read the layout of a figure from a comma-separated file.

    The first line names the columns. Each further line has the title of a `panel`, the name of a variable of the `model`,
    which may end in `[label]`, and optionally the `label` of its line and the `scale` of the panel, `linear` or `log`. Lines
    with the same title share a panel. A line without a title names a constant that is a time; it is marked in every panel. A
    line with `extrapolation from` in the place of the title has a time or a day in the place of the variable: later values are
    drawn lighter. Lines that begin with `#` are comments.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Layout
        The panels and the marked times.

    Raises
    ------
    LayoutError
        With every line that cannot be read, or contradicts one before it.
    """
    name = os.fspath(path)
    faults: list[Fault] = []
    panels: dict[str, list[_Row]] = {}
    for place, row in _rows(name, read_text(path, error=LayoutError, wanted="a .csv file"), faults):
        panels.setdefault(row["panel"], []).append((place, row))
    extrapolation = _extrapolation(panels.pop(_EXTRAPOLATION, []), faults)
    marks = {row["model"]: row["label"] or row["model"] for _, row in panels.pop("", [])}
    found = tuple(_panel(title, rows, faults) for title, rows in panels.items())
    if not found and not faults and extrapolation is None:
        faults.append(Fault(name, "describes no panel; write a line with panel and model for each line to plot"))
    if faults:
        raise LayoutError(faults)
    return Layout(found, MappingProxyType(marks), extrapolation)


def _extrapolation(rows: list[_Row], faults: list[Fault]) -> float | None:
    """Return the time that a layout gives, in the model's unit of time."""
    times = []
    for place, row in rows:
        text = row["model"]
        try:
            times.append(float(text))
        except ValueError:
            try:
                times.append(decimal_year(datetime.fromisoformat(text)))
            except ValueError:
                times.append(math.nan)
        if not math.isfinite(times[-1]):
            faults.append(
                Fault(place, f"'{text:.40}' is not a time; write a time of the model, or a day such as 2031-01-01")
            )
    if len(rows) > 1:
        faults.append(Fault(rows[1][0], f"'{_EXTRAPOLATION}' is in a line above already; keep one of them"))
    return times[0] if times else None


def _rows(name: str, text: str, faults: list[Fault]) -> Iterator[_Row]:
    lines = _entries(name, text, faults)
    place, names = next(lines, (Place(name, 1), []))
    header = list(map(key, names))
    lacking = [column for column in _COLUMNS[:2] if column not in header]
    if lacking:
        faults.append(Fault(place, f"there is no column '{lacking[0]}'; let the first line name {', '.join(_COLUMNS)}"))
        return
    for place, entries in lines:
        if len(entries) > len(header):
            problem = f"this line has {format_count(len(entries), 'entry')} but the header names {len(header)}"
            faults.append(Fault(place, f"{problem}; put an entry with commas in quotes"))
            continue
        row = dict.fromkeys((*_COLUMNS, *header), "") | dict(zip(header, entries, strict=False))
        if row["model"]:
            yield place, row
        else:
            faults.append(Fault(place, "the line names no variable; write one in the column 'model'"))


def _entries(name: str, text: str, faults: list[Fault]) -> Iterator[tuple[Place, list[str]]]:
    """Yield the entries of each line, without surrounding blanks, comments and empty lines."""
    reader = csv.reader(text.splitlines(keepends=True))
    try:
        for line in reader:
            entries = [entry.strip() for entry in line]
            if any(entries) and not entries[0].startswith("#"):
                yield Place(name, reader.line_num), entries
    except csv.Error as cause:
        place = Place(name, reader.line_num)
        faults.append(Fault(place, f"cannot be read ({cause}); write short entries with commas between"))


def _panel(title: str, rows: list[_Row], faults: list[Fault]) -> Panel:
    lines: dict[str, str] = {}
    scale = ""
    for place, row in rows:
        name, chosen = row["model"], row["scale"]
        if name in lines:
            faults.append(Fault(place, f"'{name}' is in the panel '{title}' already; keep one of the lines"))
        if chosen and chosen not in get_args(Scale):
            cure = suggest(chosen, ["linear", "log"], "write linear or log")
            faults.append(Fault(place, f"'{chosen:.40}' is not a scale; {cure}"))
        elif chosen and scale not in ("", chosen):
            faults.append(Fault(place, f"the panel '{title}' is {scale} in a line above; write the same"))
        else:
            scale = chosen or scale
        lines[name] = row["label"]
    return Panel(title, MappingProxyType(lines), cast("Scale", scale))
