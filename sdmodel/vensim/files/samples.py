"""Files of samples, one column for each constant and one row for each simulation (manual, "Sensitivity Control")."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import Fault, Place, ScenarioError
from ...model import digits
from ...scenario import Samples
from .changes import read_text
from .spelling import LINES, number_of

_FAULTS = 20
"""Rows that are told of; a file with more is not a file of samples."""


def read_samples(path: str | os.PathLike[str]) -> Samples:
    """The names in the first row of a tab-delimited file and the numbers below them; NaN for an empty place.

    Raises
    ------
    ScenarioError
        If there are no names or no rows, or with the rows that do not fit the names or hold what is no number.
    """
    name = os.fspath(path)
    lines = [(number, line) for number, line in enumerate(LINES.split(read_text(path)), 1) if line.strip()]
    if len(lines) < 2:  # noqa: PLR2004 - names and a sample
        what = "the file has no samples; write names in the first row and numbers below, with tabs between"
        raise ScenarioError([Fault(name, what)])
    number, header = lines[0]
    names = header.split("\t")
    starts = np.cumsum([1, *(len(each) + 1 for each in names)])
    places = tuple(Place(name, number, int(start)) for start in starts[: len(names)])
    faults = [
        Fault(place, "a column has no name; give it one, or remove it")
        for place, each in zip(places, names, strict=True)
        if not each.strip()
    ]
    values = np.empty((len(lines) - 1, len(names)))
    for row, (number, line) in enumerate(lines[1:]):
        found = _row(line, len(names), Place(name, number))
        if isinstance(found, Fault):
            faults.append(found)
            if len(faults) >= _FAULTS:
                break
        else:
            values[row] = found
    if faults:
        raise ScenarioError(faults)
    return Samples(tuple(each.strip() for each in names), values, name, places)


def _row(line: str, width: int, place: Place) -> list[float] | Fault:
    """The numbers of one row, or what is wrong with it at which column."""
    parts = line.split("\t")
    if len(parts) != width:
        return Fault(
            place, f"the row has {len(parts)} places, the first row {width} names; give one for each, with tabs between"
        )
    numbers, column = [], 1
    for part in parts:
        try:
            value = number_of(part) if part.strip() else math.nan
        except ValueError as error:
            return Fault(Place(place.path, place.line, column), f"{error}; give numbers, with a point for decimals")
        if math.isinf(value):
            return Fault(Place(place.path, place.line, column), "a number is too large; write at most 1e308")
        numbers.append(value)
        column += len(part) + 1
    return numbers


def samples_text(names: Sequence[str], values: NDArray[np.float64]) -> str:
    """A file of samples from names as a model spells them and values, shape (samples, names), that is read back the same.

    Raises
    ------
    ScenarioError
        If a sample has no number at all: a blank line, which readers pass over, could not be told from it.
    """
    empty = np.flatnonzero(np.isnan(values).all(axis=1))
    if empty.size:
        raise ScenarioError([Fault("samples", f"sample {empty[0] + 1} has no number at all; leave it out")])
    rows = ("\t".join("" if math.isnan(each) else digits(each) for each in row) for row in values.tolist())
    return "\n".join(["\t".join(names), *rows]) + "\n"
