"""Designs: the values of constants over the members of an ensemble, made in slices that never depend on how it is cut.

Each cell of a constant has a random stream of its own: a counter (Philox: Salmon et al., SC11, 2011) keyed by the seed and the
cell, so that a value depends on its member's number alone, and another constant beside it changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import Fault, ScenarioError
from ..model import Cell, Model, spell
from .application import cell_values
from .columns import Column, columns_of, sampled_columns
from .distributions import Distribution, Steps
from .records import Scenario
from .sampling import Method, Sampling

_MOST = 10_000_000
"""Members of a design: more than anybody waits for."""
_RANKED = 250_000_000
"""Ranks that a Latin hypercube holds in memory, four bytes each."""
_LARGEST = float(np.nextafter(1, 0))
_VERSION = "1"
"""Changes when the same `.vsc` file gives other numbers."""

Draw = Callable[[int, int], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Design:
    """The values of constants over members: `cells` with their names as a model spells them, `count` members.

    `seed` is what the random streams began with, `text` the `.vsc` file it comes from, `digest` a hash of all that decides
    the numbers: two designs of the same digest are the same.
    """

    cells: tuple[Cell, ...]
    names: tuple[str, ...]
    count: int
    seed: int
    method: Method
    text: str
    digest: str
    draw: Draw = field(repr=False)

    def values(self, first: int, last: int) -> NDArray[np.float64]:
        """The constants of the members from `first` up to but without `last`, shape (cells, members), in their own units."""
        if not 0 <= first <= last <= self.count:
            message = f"members {first} to {last} are not among the {self.count} of the design"
            raise ValueError(message)
        return self.draw(first, last)

    def dataset(self, first: int = 0, last: int | None = None) -> xr.Dataset:
        """The same values as a dataset over `member`, by name, that `simulate` takes for its constants."""
        last = self.count if last is None else last
        rows = self.values(first, last)
        variables = {name: ("member", row) for name, row in zip(self.names, rows, strict=True)}
        return xr.Dataset(variables, {"member": np.arange(first, last)})


def make_design(
    model: Model,
    sampling: Sampling,
    *,
    count: int | None = None,
    seed: int | None = None,
    scenario: Scenario | None = None,
) -> Design:
    """The design that a `.vsc` file asks for; `count` and `seed` replace its own, seed 0 draws a fresh one.

    What a method leaves alone (univariate: all constants but one) keeps the value that it has in the model with `scenario`.
    A constant with subscripts is drawn cell by cell. `count` is read as the file's own is: for each constant if univariate,
    divisions of each if a grid; of a file of samples it is how many of its rows are taken.

    Raises
    ------
    ScenarioError
        If a constant is not the model's or is varied twice, a distribution has no values, or the design has no members
        or too many.
    """
    seed = sampling.seed if seed is None else seed
    seed = seed or secrets.randbelow(2**31 - 1) + 1
    file = sampling.method == "file"
    columns = sampled_columns(model, sampling) if file else columns_of(model, sampling)
    setup = _Setup(sampling, columns, _asked(sampling, count, file=file), seed, _base(model, columns, scenario))
    members, draw = _METHODS[sampling.method](setup)
    if not 1 <= members <= _MOST:
        what = f"the design has {members:,} members; it takes from 1 to {_MOST:,}"
        raise ScenarioError([Fault(sampling.path or "design", what)])
    cells = tuple(column.cell for column in columns)
    names = tuple(_named(model, cell) for cell in cells)
    return Design(cells, names, members, seed, sampling.method, sampling.text, _digest(setup, members), draw)


@dataclass(frozen=True)
class _Setup:
    """What a method makes members from; `count` is what the file or the caller asks for."""

    sampling: Sampling
    columns: tuple[Column, ...]
    count: int | None
    seed: int
    base: NDArray[np.float64]

    def refuse(self, what: str) -> ScenarioError:
        """The fault of a whole design."""
        return ScenarioError([Fault(self.sampling.path or "design", what)])


def _asked(sampling: Sampling, count: int | None, *, file: bool) -> int | None:
    """The number of simulations asked for; a file of samples has its own."""
    if count is None and file:
        return None
    asked = sampling.count if count is None else count
    if asked < 1:
        what = f"the number of simulations is {asked}; give at least 1"
        raise ScenarioError([Fault(sampling.path or "design", what)])
    return asked


def _base(model: Model, columns: Sequence[Column], scenario: Scenario | None) -> NDArray[np.float64]:
    """What each cell is when nothing varies it, shape (cells, 1)."""
    values = cell_values(model, (column.cell for column in columns), scenario)
    return np.array([[values[column.cell]] for column in columns], dtype=float)


def _named(model: Model, cell: Cell) -> str:
    """A cell as a user writes it, quoted where its name has marks of its own."""
    name, *labels = spell(model, Cell(cell.key)), *cell.labels
    if set(name) & set('[],"='):
        name = '"' + name.replace('"', '\\"') + '"'
    return f"{name}[{','.join(model.labels.get(label, label) for label in labels)}]" if labels else name


def _stream(setup: _Setup, column: Column, purpose: str, first: int, last: int) -> NDArray[np.uint64]:
    """The raw numbers of a cell's stream from one member to another, shape (members,); four of them to a count."""
    text = json.dumps([setup.seed, purpose, column.cell.key, column.cell.labels])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    skipped = first % 4
    return np.random.Philox(key=key, counter=first // 4).random_raw(last - first + skipped)[skipped:]


def _uniform(setup: _Setup, column: Column, purpose: str, first: int, last: int) -> NDArray[np.float64]:
    """Numbers from [0, 1) of a cell's stream, shape (members,)."""
    return (_stream(setup, column, purpose, first, last) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _filled(setup: _Setup, row: Callable[[int, Column], NDArray[np.float64]], members: int) -> NDArray[np.float64]:
    """One row for each cell, shape (cells, members)."""
    values = np.empty((len(setup.columns), members))
    for index, column in enumerate(setup.columns):
        values[index] = row(index, column)
    return values


def _drawn(column: Column, parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a cell's distribution makes of numbers from [0, 1)."""
    distribution = column.distribution
    if not isinstance(distribution, Distribution):
        message = "steps have no distribution"
        raise TypeError(message)
    return distribution.quantile(parts)


def _multivariate(setup: _Setup) -> tuple[int, Draw]:
    """All constants drawn together; of steps alone, all their combinations."""
    stepped = [column for column in setup.columns if isinstance(column.distribution, Steps)]
    if len(stepped) == len(setup.columns):
        return _grid(setup)
    _no_steps(setup, stepped)

    def draw(first: int, last: int) -> NDArray[np.float64]:
        return _filled(setup, lambda _, each: _drawn(each, _uniform(setup, each, "value", first, last)), last - first)

    return setup.count or 0, draw


def _no_steps(setup: _Setup, stepped: Sequence[Column]) -> None:
    """Steps have no place in a draw of all constants together."""
    if stepped:
        what = (
            f"VECTOR cannot stand beside random distributions in a {setup.sampling.method} design; write a RANDOM_UNIFORM, "
            "or choose method U or G"
        )
        raise ScenarioError([Fault(column.place, what) for column in stepped])


def _hypercube(setup: _Setup) -> tuple[int, Draw]:
    """One member in each of as many equally likely strata of every constant (McKay, Beckman and Conover, 1979)."""
    count = setup.count or 0
    _no_steps(setup, [column for column in setup.columns if isinstance(column.distribution, Steps)])
    if count > _MOST or count * len(setup.columns) > _RANKED:
        what = (
            f"a Latin hypercube of {count:,} members and {len(setup.columns)} constants is too large; choose method M"
        )
        raise setup.refuse(what)
    ranks = [
        np.argsort(_stream(setup, each, "rank", 0, count), kind="stable").astype(np.uint32) for each in setup.columns
    ]

    def row(index: int, column: Column, first: int, last: int) -> NDArray[np.float64]:
        parts = (ranks[index][first:last] + _uniform(setup, column, "value", first, last)) / count
        return _drawn(column, np.minimum(parts, _LARGEST))

    return count, lambda first, last: _filled(setup, lambda index, each: row(index, each, first, last), last - first)


def _grid(setup: _Setup) -> tuple[int, Draw]:
    """Every combination: of as many equally likely parts of each distribution, at the middle of each, and of all steps.

    Vensim's Latin grid (manual, "Legacy Sampling"); the last constant changes fastest.
    """
    shape = [each.distribution.count if isinstance(each.distribution, Steps) else setup.count for each in setup.columns]
    sizes = [size or 0 for size in shape]
    members = prod(sizes)
    if members > _MOST:
        what = f"a grid of {' x '.join(map(str, sizes))} has {members:,.0f} members; give fewer divisions or constants"
        raise setup.refuse(what)
    points = [_levels(each, size) for each, size in zip(setup.columns, sizes, strict=True)]

    def draw(first: int, last: int) -> NDArray[np.float64]:
        places = np.unravel_index(np.arange(first, last), sizes)
        return _filled(setup, lambda index, _: points[index][places[index]], last - first)

    return members, draw


def _levels(column: Column, size: int) -> NDArray[np.float64]:
    """The values of one constant in a grid."""
    distribution = column.distribution
    if isinstance(distribution, Steps):
        return distribution.values
    return _drawn(column, (np.arange(size) + 0.5) / size)


def _univariate(setup: _Setup) -> tuple[int, Draw]:
    """One constant after the other, the rest at their own values."""
    lengths = [
        each.distribution.count if isinstance(each.distribution, Steps) else setup.count or 0 for each in setup.columns
    ]
    starts = np.concatenate(([0], np.cumsum(lengths)))

    def draw(first: int, last: int) -> NDArray[np.float64]:
        values = np.repeat(setup.base, last - first, axis=1)
        for index, column in enumerate(setup.columns):
            start, stop = max(first, int(starts[index])), min(last, int(starts[index + 1]))
            if start < stop:
                own = start - int(starts[index]), stop - int(starts[index])
                values[index, start - first : stop - first] = _alone(setup, column, *own)
        return values

    return int(starts[-1]), draw


def _alone(setup: _Setup, column: Column, first: int, last: int) -> NDArray[np.float64]:
    if isinstance(column.distribution, Steps):
        return column.distribution.values[first:last]
    return _drawn(column, _uniform(setup, column, "value", first, last))


def _from_file(setup: _Setup) -> tuple[int, Draw]:
    """The rows of a file of samples; where nothing stands, what stood before (manual, "Sensitivity Control")."""
    samples = setup.sampling.samples
    if samples is None:
        what = "method F names no file of samples; write its name in the fourth place of the first line"
        raise setup.refuse(what)
    rows = len(samples.values)
    count = rows if setup.count is None else setup.count
    if count > rows:
        what = f"the file of samples has {rows:,} rows, not {count:,}; ask for no more"
        raise setup.refuse(what)
    sources = [column.source for column in setup.columns]
    values = samples.values[:count].T
    if np.isnan(values).any():
        values = _carried(values, setup)
    return count, lambda first, last: np.ascontiguousarray(values[sources, first:last])


def _carried(values: NDArray[np.float64], setup: _Setup) -> NDArray[np.float64]:
    """The columns of samples with the last number repeated where one is missing, the base value at first."""
    found = values.copy()
    for column, base in zip(setup.columns, setup.base[:, 0], strict=True):
        if np.isnan(found[column.source, 0]):
            found[column.source, 0] = base
    known = np.where(np.isnan(found), 0, np.arange(found.shape[1]))
    return np.take_along_axis(found, np.maximum.accumulate(known, axis=1), axis=1)


_METHODS: dict[Method, Callable[[_Setup], tuple[int, Draw]]] = {
    "univariate": _univariate,
    "multivariate": _multivariate,
    "latin hypercube": _hypercube,
    "grid": _grid,
    "file": _from_file,
}


def _digest(setup: _Setup, members: int) -> str:
    """A hash of everything that decides the numbers of a design."""
    parts = [[column.cell.key, column.cell.labels, repr(column.distribution)] for column in setup.columns]
    kept = setup.base.tolist() if setup.sampling.method in {"univariate", "file"} else []
    text = json.dumps([_VERSION, setup.sampling.method, members, setup.count, setup.seed, parts, kept])
    made = hashlib.sha256(text.encode())
    if setup.sampling.samples is not None and setup.sampling.method == "file":
        made.update(np.ascontiguousarray(setup.sampling.samples.values[:members]).tobytes())
    return made.hexdigest()
