"""Expected outputs of the public test models, and their comparison with runs.

An output file is a table with one row per time and one column per cell, `name` or `name[label, label]`; an empty entry
is a missing value. Vensim prints six significant digits and computes most of these files in single precision.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sdmodel.model.names import key

MODELS = Path(__file__).resolve().parents[3] / "shared" / "test-models"
"""The public test models, beside the project."""

RELATIVE = 1e-4
"""Single precision over some hundred steps, and six printed digits: the allowed relative difference of two right answers."""

PRINTED = 1e-5
"""The rounding of six printed digits, relative to the largest number."""

NEAR_ZERO = 1e-6
"""The error of a zero difference of large numbers in single precision, relative to the column's largest number."""

ROUNDED = 4
"""A column printed with at least this many decimals counts as rounded; with fewer it may be exact."""

MISSING = -(2.0**109)
"""`:NA:`, which Vensim exports as an empty cell."""

_COLUMN = re.compile(r"(?P<name>.*?)\s*(?:\[(?P<labels>[^\[\]]*)\])?\s*", re.DOTALL)
_DELIMITERS = {".tab": "\t", ".csv": ","}
_NAMES = ("output.tab", "output.csv")
_OTHER_NAMES = {"model_to_generate_data.mdl": ("data.tab",)}


@dataclass(frozen=True, eq=False)
class Column:
    """One column: its title and its values (NaN where the file is empty).

    `rounding` is the largest error of a printed value, in the column's units.
    """

    title: str
    values: NDArray[np.float64]
    rounding: float

    @property
    def key_and_labels(self) -> tuple[str, tuple[str, ...]]:
        """The element's key and the keys of its labels."""
        text = self.title.strip()
        match = _COLUMN.fullmatch(text) if not _is_quoted_name(text) else None
        if match is None or match["labels"] is None:
            return key(text), ()
        return key(match["name"]), tuple(key(label) for label in match["labels"].split(","))


@dataclass(frozen=True, eq=False)
class Expected:
    """An output file: times in the model's unit of time, and columns."""

    path: Path
    times: NDArray[np.float64]
    columns: tuple[Column, ...]


def model_files() -> list[Path]:
    """Every public Vensim model, sorted by path; empty if the collection is missing."""
    return sorted(MODELS.rglob("*.mdl"))


def output_files(model: Path) -> list[Path]:
    """Vensim's outputs of a model: the plain output first, then those of named versions of Vensim."""
    folder = model.parent
    names = _OTHER_NAMES.get(model.name) or (*_NAMES, *sorted(path.name for path in folder.glob("output_vensim*.csv")))
    return [folder / name for name in names if (folder / name).exists()]


def read_expected(path: Path) -> Expected:
    """Read an output file with any line ends, in UTF-8 or Latin-1."""
    with path.open(encoding=_encoding(path), newline=None) as file:
        rows = [row for row in csv.reader(file, delimiter=_DELIMITERS[path.suffix]) if any(map(str.strip, row))]
    header, body = rows[0], rows[1:]
    cells = [row + [""] * (len(header) - len(row)) for row in body]
    times = np.array([float(row[0]) for row in cells])
    columns = tuple(
        _column(title, [row[place] for row in cells]) for place, title in enumerate(header) if place and title.strip()
    )
    return Expected(path, times, columns)


def differences(run: xr.Dataset, expected: Expected) -> list[str]:
    """One line per column in which a run and an output file disagree.

    The run must have exactly the times of the file, and all its columns.
    """
    times = run["time"].to_numpy().astype(float)
    if times.shape != expected.times.shape or np.abs(times - expected.times).max() > PRINTED * np.abs(times).max():
        spans = (f"{axis[0]:g} to {axis[-1]:g} in {axis.size} rows" for axis in (times, expected.times))
        return ["times {}, expected {}".format(*spans)]
    found = []
    for column in expected.columns:
        values = _values(run, *column.key_and_labels)
        worst = "not in the run" if values is None else _worst(column, times, values)
        if worst:
            found.append(f"{column.title}: {worst}")
    return found


def _worst(column: Column, times: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    """The largest difference of one column, if printing and single precision do not explain it."""
    expected = column.values
    if np.isfinite(expected[:1]).all() and np.isnan(expected[1:]).all():
        # Vensim prints a constant in the first row only
        expected = np.where(_is_missing(values), expected, expected[0])
    empty = np.isnan(expected)
    near_zero = NEAR_ZERO * np.nanmax(np.abs(expected), initial=0.0)
    tolerance = np.maximum(np.maximum(RELATIVE * np.abs(expected), column.rounding), near_zero)
    agrees = np.where(empty, _is_missing(values), np.abs(values - expected) <= tolerance)
    if agrees.all():
        return ""
    place = int(np.argmax(np.where(agrees, -1.0, np.nan_to_num(np.abs(values - expected), nan=np.inf))))
    return f"{values[place]:.10g} at {times[place]:g}, expected {expected[place]:.10g}"


def _is_missing(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where Vensim leaves the cell empty: `:NA:`, or its result in arithmetic or in another engine."""
    return np.isnan(values) | (values < MISSING / 4)


def _values(run: xr.Dataset, name: str, labels: Sequence[str]) -> NDArray[np.float64] | None:
    """The values over time of one cell of the run; None if the run lacks it."""
    variable = next((values for values in run.data_vars.values() if key(str(values.attrs["long_name"])) == name), None)
    if variable is None:
        return None
    ranges = [dim for dim in variable.dims if dim != "time"]
    if len(ranges) != len(labels):
        return None
    places: dict[object, int] = {}
    for dim, label in zip(ranges, labels, strict=True):
        own = [key(str(label)) for label in variable.coords[dim].to_numpy()]
        if label not in own:
            return None
        places[dim] = own.index(label)
    part = variable.isel(places)
    return np.broadcast_to(part.to_numpy().astype(float), run.sizes["time"])


def _column(title: str, cells: Sequence[str]) -> Column:
    texts = [cell.strip() for cell in cells]
    decimals = max((_decimals(text) for text in texts if text), default=0)
    rounding = 0.5 * 10.0**-decimals if decimals >= ROUNDED else 0.0
    return Column(title, np.array([float(text) if text else math.nan for text in texts]), rounding)


def _decimals(text: str) -> int:
    exponent = Decimal(text).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _is_quoted_name(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == '"'


def _encoding(path: Path) -> str:
    try:
        path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"
