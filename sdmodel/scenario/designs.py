"""Designs: the sampled constants of an ensemble's members, computed in slices that give the same numbers in any size.

Each cell of a constant has its own random stream: a counter (Philox: Salmon et al., SC11, 2011) keyed by the seed and the
cell. A value depends on the number of its member alone, and adding another constant to the design changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, ScenarioError
from ..model import Cell, Model, cell_name
from .changes import Scenario, cell_values
from .distributions import Distribution, Steps
from .sampling import SampledCell, Sampling, SamplingMethod, cells_in_file, sampled_cells

if TYPE_CHECKING:  # xarray takes too long to load for commands that only read a model
    import xarray

_MAX_MEMBERS = 10_000_000
_MAX_RANKS = 250_000_000
"""Ranks that a Latin hypercube holds in memory, four bytes each."""
_BELOW_ONE = float(np.nextafter(1, 0))
_VERSION = "1"
"""To be changed when the same `.vsc` file gives other numbers."""

Slice = Callable[[int, int], NDArray[np.float64]]
"""Computes the members from the first up to but without the last, shape (cells, members)."""


@dataclass(frozen=True, eq=False)
class Design:
    """The sampled constants of an ensemble's members: `cells`, their `names` in the model, and the `count` of members.

    `seed` starts the random streams, `text` is the `.vsc` file, and `digest` a hash of everything that decides the numbers:
    two designs with the same digest are the same.
    """

    cells: tuple[Cell, ...]
    names: tuple[str, ...]
    count: int
    seed: int
    method: SamplingMethod
    text: str
    digest: str
    draw: Slice = field(repr=False)

    def values(self, first: int, last: int) -> NDArray[np.float64]:
        """Compute the constants of members `first` to `last` - 1, shape (cells, members), in their own units."""
        if not 0 <= first <= last <= self.count:
            message = f"members {first} to {last} are not among the {self.count} of the design"
            raise ValueError(message)
        return self.draw(first, last)

    def dataset(self, first: int = 0, last: int | None = None) -> xarray.Dataset:
        """Return the same values as a dataset over `member`, which `simulate` accepts as constants."""
        import xarray

        last = self.count if last is None else last
        rows = self.values(first, last)
        variables = {name: ("member", row) for name, row in zip(self.names, rows, strict=True)}
        return xarray.Dataset(variables, {"member": np.arange(first, last)})


def make_design(
    model: Model,
    sampling: Sampling,
    *,
    count: int | None = None,
    seed: int | None = None,
    scenario: Scenario | None = None,
) -> Design:
    """Make the design of an ensemble: the constants of each member, as a `.vsc` file asks for them.

    A constant with subscripts is sampled cell by cell. In a univariate design all constants but one keep the value that they
    have in the model, or in `scenario`.

    Parameters
    ----------
    model : Model
        The model with the constants to vary.
    sampling : Sampling
        The design to make, as `read_sampling` returns it.
    count : int, optional
        Number of simulations; overrides the file. Per constant if the method is univariate; divisions of each constant if
        it is a grid; the number of rows to use if the values come from a file of samples.
    seed : int, optional
        Seed of the random numbers; overrides the file. 0 chooses a fresh seed.
    scenario : Scenario, optional
        Changes to the constants that the design leaves alone.

    Returns
    -------
    Design
        `count` members. `dataset()` returns their constants, in the model's units, for `simulate`; `run_ensemble` takes the
        design itself.

    Raises
    ------
    ScenarioError
        If a constant is not in the model or is varied twice, a distribution has no values, or the number of members is below
        1 or above 10 million.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.scenario import Distribution, Sampling, Variation
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("rate = 0.1")
    >>> rate = Variation("rate", (), Distribution("RANDOM_UNIFORM", (0.0, 0.2)))
    >>> design = sd.make_design(model, Sampling("latin hypercube", variations=(rate,)), count=4, seed=1)
    >>> design.count, design.names
    (4, ('rate',))
    >>> values = design.dataset()["rate"].values
    >>> sorted((values / 0.05).astype(int).tolist())  # one member in each quarter of the range
    [0, 1, 2, 3]
    """
    seed = sampling.seed if seed is None else seed
    seed = seed or secrets.randbelow(2**31 - 1) + 1
    file = sampling.method == "file"
    columns = cells_in_file(model, sampling) if file else sampled_cells(model, sampling)
    if count is None and not file:
        count = sampling.count
    if count is not None and count < 1:
        what = f"the number of simulations is {count}; give at least 1"
        raise ScenarioError([Fault(sampling.path or "design", what)])
    known = cell_values(model, (column.cell for column in columns), scenario)
    base = np.array([[known[column.cell]] for column in columns], dtype=float)
    setup = _Setup(sampling, columns, count, seed, base)
    members, draw = _METHODS[sampling.method](setup)
    if not 1 <= members <= _MAX_MEMBERS:
        what = f"the design has {members:,} members; it takes from 1 to {_MAX_MEMBERS:,}"
        raise ScenarioError([Fault(setup.where, what)])
    cells = tuple(column.cell for column in columns)
    names = tuple(_cell_name(model, cell) for cell in cells)
    return Design(cells, names, members, seed, sampling.method, sampling.text, _digest(setup, members), draw)


@dataclass(frozen=True)
class _Setup:
    """The input of a sampling method; `base` are the cells' own values, shape (cells, 1), `count` the requested number."""

    sampling: Sampling
    columns: tuple[SampledCell, ...]
    count: int | None
    seed: int
    base: NDArray[np.float64]

    @property
    def where(self) -> str:
        """What errors of the whole design name."""
        return self.sampling.path or "design"

    def bits(self, column: SampledCell, purpose: str, first: int, last: int) -> NDArray[np.uint64]:
        """Raw numbers of a cell's stream for some members, shape (members,); each step of the counter gives four."""
        text = json.dumps([self.seed, purpose, column.cell.key, column.cell.labels])
        key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
        skipped = first % 4
        return np.random.Philox(key=key, counter=first // 4).random_raw(last - first + skipped)[skipped:]

    def uniform(self, column: SampledCell, first: int, last: int) -> NDArray[np.float64]:
        """Numbers from [0, 1) of a cell's stream, shape (members,)."""
        return (self.bits(column, "value", first, last) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def lengths(self) -> list[int]:
        """The number of values of each cell where cells are varied one by one or in a grid."""
        return [
            column.distribution.count if isinstance(column.distribution, Steps) else self.count or 0
            for column in self.columns
        ]

    def rows(self, row: Callable[[int, SampledCell], NDArray[np.float64]], members: int) -> NDArray[np.float64]:
        """One row per cell, shape (cells, members)."""
        values = np.empty((len(self.columns), members))
        for index, column in enumerate(self.columns):
            values[index] = row(index, column)
        return values


def _quantile(column: SampledCell, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values of a cell's distribution at numbers from [0, 1)."""
    if not isinstance(column.distribution, Distribution):
        message = "steps have no distribution"
        raise TypeError(message)
    return column.distribution.quantile(shares)


def _multivariate(setup: _Setup) -> tuple[int, Slice]:
    """All constants sampled together; if all of them have steps, all combinations of these."""
    if all(isinstance(column.distribution, Steps) for column in setup.columns):
        return _grid(setup)
    _refuse_steps(setup)

    def draw(first: int, last: int) -> NDArray[np.float64]:
        return setup.rows(lambda _, column: _quantile(column, setup.uniform(column, first, last)), last - first)

    return setup.count or 0, draw


def _refuse_steps(setup: _Setup) -> None:
    """Steps cannot be sampled together with random distributions."""
    stepped = [column for column in setup.columns if isinstance(column.distribution, Steps)]
    if stepped:
        what = (
            f"VECTOR cannot be combined with random distributions in a {setup.sampling.method} design; "
            "write a RANDOM_UNIFORM, or choose method U or G"
        )
        raise ScenarioError([Fault(column.place, what) for column in stepped])


def _hypercube(setup: _Setup) -> tuple[int, Slice]:
    """One member in each of `count` equally likely strata of every constant (McKay, Beckman and Conover, 1979)."""
    count = setup.count or 0
    _refuse_steps(setup)
    if count > _MAX_MEMBERS or count * len(setup.columns) > _MAX_RANKS:
        size = f"{count:,} members and {len(setup.columns)} constants"
        what = f"a Latin hypercube of {size} is too large; choose method M"
        raise ScenarioError([Fault(setup.where, what)])
    ranks = [
        np.argsort(setup.bits(column, "rank", 0, count), kind="stable").astype(np.uint32) for column in setup.columns
    ]

    def draw(first: int, last: int) -> NDArray[np.float64]:
        def row(index: int, column: SampledCell) -> NDArray[np.float64]:
            shares = (ranks[index][first:last] + setup.uniform(column, first, last)) / count
            return _quantile(column, np.minimum(shares, _BELOW_ONE))

        return setup.rows(row, last - first)

    return count, draw


def _grid(setup: _Setup) -> tuple[int, Slice]:
    """Every combination of the steps of constants, and of the middles of equally likely parts of distributions.

    This is Vensim's Latin grid (manual, "Legacy Sampling"); the last constant changes fastest.
    """
    sizes = setup.lengths()
    members = prod(sizes)
    if members > _MAX_MEMBERS:
        what = f"a grid of {' x '.join(map(str, sizes))} has {members:,.0f} members; give fewer divisions or constants"
        raise ScenarioError([Fault(setup.where, what)])
    points = [
        column.distribution.values
        if isinstance(column.distribution, Steps)
        else _quantile(column, (np.arange(size) + 0.5) / size)
        for column, size in zip(setup.columns, sizes, strict=True)
    ]

    def draw(first: int, last: int) -> NDArray[np.float64]:
        places = np.unravel_index(np.arange(first, last), sizes)
        return setup.rows(lambda index, _: points[index][places[index]], last - first)

    return members, draw


def _univariate(setup: _Setup) -> tuple[int, Slice]:
    """One constant after the other, the rest at their own values."""
    starts = np.concatenate(([0], np.cumsum(setup.lengths())))

    def draw(first: int, last: int) -> NDArray[np.float64]:
        values = np.repeat(setup.base, last - first, axis=1)
        for index, column in enumerate(setup.columns):
            start, stop = max(first, int(starts[index])), min(last, int(starts[index + 1]))
            if start < stop:
                own = start - int(starts[index]), stop - int(starts[index])
                values[index, start - first : stop - first] = (
                    column.distribution.values[own[0] : own[1]]
                    if isinstance(column.distribution, Steps)
                    else _quantile(column, setup.uniform(column, *own))
                )
        return values

    return int(starts[-1]), draw


def _from_file(setup: _Setup) -> tuple[int, Slice]:
    """The rows of a file of samples; an empty field repeats the number above (manual, "Sensitivity Control")."""
    samples = setup.sampling.samples
    if samples is None:
        what = "method F names no file of samples; write its name in the fourth place of the first line"
        raise ScenarioError([Fault(setup.where, what)])
    rows = len(samples.values)
    count = rows if setup.count is None else setup.count
    if count > rows:
        what = f"the file of samples has {rows:,} rows, not {count:,}; ask for no more"
        raise ScenarioError([Fault(setup.where, what)])
    values = samples.values[:count].T
    if np.isnan(values).any():
        values = _filled(values, setup)
    sources = [column.source for column in setup.columns]
    return count, lambda first, last: np.ascontiguousarray(values[sources, first:last])


def _filled(values: NDArray[np.float64], setup: _Setup) -> NDArray[np.float64]:
    """The columns of samples with empty fields filled by the number before, or the base value in the first row."""
    found = values.copy()
    for column, base in zip(setup.columns, setup.base[:, 0], strict=True):
        if np.isnan(found[column.source, 0]):
            found[column.source, 0] = base
    known = np.where(np.isnan(found), 0, np.arange(found.shape[1]))
    return np.take_along_axis(found, np.maximum.accumulate(known, axis=1), axis=1)


_METHODS: dict[SamplingMethod, Callable[[_Setup], tuple[int, Slice]]] = {
    "univariate": _univariate,
    "multivariate": _multivariate,
    "latin hypercube": _hypercube,
    "grid": _grid,
    "file": _from_file,
}


def _cell_name(model: Model, cell: Cell) -> str:
    """The name of a cell as a user writes it, quoted where it contains brackets, commas or quotes."""
    name, *labels = cell_name(model, Cell(cell.key)), *cell.labels
    if set(name) & set('[],"='):
        name = '"' + name.replace('"', '\\"') + '"'
    return f"{name}[{','.join(model.labels.get(label, label) for label in labels)}]" if labels else name


def _digest(setup: _Setup, members: int) -> str:
    """A hash of everything that decides the numbers of a design."""
    columns = [[column.cell.key, column.cell.labels, repr(column.distribution)] for column in setup.columns]
    base = setup.base.tolist() if setup.sampling.method in {"univariate", "file"} else []
    text = json.dumps([_VERSION, setup.sampling.method, members, setup.count, setup.seed, columns, base])
    digest = hashlib.sha256(text.encode())
    if setup.sampling.samples is not None and setup.sampling.method == "file":
        digest.update(np.ascontiguousarray(setup.sampling.samples.values[:members]).tobytes())
    return digest.hexdigest()
