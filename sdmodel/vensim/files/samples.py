"""Files of samples (`.tab`): one column per constant, one row per simulation (manual, "Sensitivity Control")."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import Fault, Place, ScenarioError
from ...model import number_text
from ...scenario import Samples
from ..read.tokens import parse_number
from .lines import content_lines, read_text

_FAULTS = 20
"""Maximum number of faults that are reported; a file with more is not a file of samples."""


def read_samples(path: str | os.PathLike[str]) -> Samples:
    """Return the names in the first row of a tab-delimited file and the numbers below them; an empty cell is NaN.

    Raises
    ------
    ScenarioError
        If there are no names or no rows, or with the rows that have too few or too many cells or other text.
    """
    name = os.fspath(path)
    lines = list(content_lines(read_text(path), name))
    if len(lines) < 2:  # noqa: PLR2004 - names and a sample
        what = "the file has no samples; write names in the first row and numbers below, separated by tabs"
        raise ScenarioError([Fault(name, what)])
    header, first = lines[0]
    names = header.split("\t")
    starts = np.cumsum([1, *(len(column) + 1 for column in names)])
    places = tuple(Place(name, first.line, int(start)) for start in starts[: len(names)])
    faults = [
        Fault(place, "a column has no name; give it one, or remove it")
        for place, column in zip(places, names, strict=True)
        if not column.strip()
    ]
    values = np.empty((len(lines) - 1, len(names)))
    for row, (line, place) in enumerate(lines[1:]):
        found = _row(line, len(names), Place(name, place.line))
        if isinstance(found, Fault):
            faults.append(found)
            if len(faults) >= _FAULTS:
                break
        else:
            values[row] = found
    if faults:
        raise ScenarioError(faults)
    return Samples(tuple(column.strip() for column in names), values, name, places)


def _row(line: str, width: int, place: Place) -> list[float] | Fault:
    """Return the numbers of one row, or what is wrong with it at which column."""
    parts = line.split("\t")
    if len(parts) != width:
        what = f"the number of cells, {len(parts)}, is not the number of names, {width}; write one cell per name"
        return Fault(place, what)
    numbers, column = [], 1
    for part in parts:
        try:
            value = parse_number(part) if part.strip() else math.nan
        except ValueError as error:
            return Fault(Place(place.path, place.line, column), f"{error}; write numbers with a decimal point")
        if math.isinf(value):
            return Fault(Place(place.path, place.line, column), "a number is too large; write at most 1e308")
        numbers.append(value)
        column += len(part) + 1
    return numbers


def samples_text(names: Sequence[str], values: NDArray[np.float64]) -> str:
    """Return a file of samples from names and values, shape (samples, names); reading it gives the same.

    Raises
    ------
    ScenarioError
        If a sample has no number at all: its line would be blank, and readers skip blank lines.
    """
    empty = np.flatnonzero(np.isnan(values).all(axis=1))
    if empty.size:
        raise ScenarioError([Fault("samples", f"sample {empty[0] + 1} has no numbers; leave it out")])
    rows = ("\t".join("" if math.isnan(value) else number_text(value) for value in row) for row in values.tolist())
    return "\n".join(["\t".join(names), *rows]) + "\n"
