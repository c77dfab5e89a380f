"""Designs: the sampled constants of an ensemble's members, from a `.vsc` file and a file of samples.

They are computed in slices that give the same numbers in any size.

Each cell of a constant has its own random stream: a counter (Philox: Salmon et al., SC11, 2011) keyed by the seed and the
cell. A value depends on the number of its member alone, and adding another constant to the design changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from ..errors import Fault, Place, ScenarioError, format_count, reports_memory
from ..extras import LazyModule
from ..model import (
    NOWHERE,
    Cell,
    Model,
    Table,
    cell_name,
    key,
    quoted_cell,
    split_name,
    suggest,
    takes_model,
)
from .changes import cell_values, constant_cells, course_text, with_tables
from .courses import DesignCourse, MemberCourse, read_member_courses
from .distributions import Distribution, Steps, distribution_fault
from .member_courses import course_times, points_names
from .records import Scenario

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

if TYPE_CHECKING:  # xarray takes too long to load for commands that only read a model
    import xarray

SamplingMethod = Literal["univariate", "multivariate", "latin hypercube", "grid", "file"]

DEFAULT_SIMULATIONS = 200
"""Vensim's number of simulations where a file gives none (manual, "Sensitivity Control")."""
DEFAULT_SEED = 1234
"""Vensim's seed where a file gives none."""
_MAX_MEMBERS = 10**10
_MAX_RANKS = 250_000_000
"""Ranks that a Latin hypercube holds in memory, four bytes each; a larger one computes those of a block by themselves."""
_MAX_RANKED = 10_000_000
"""The most members of a Latin hypercube that holds its ranks."""
_ROUNDS = 4
"""Rounds of a Feistel network, which four make look random (Luby and Rackoff, SIAM Journal on Computing 17, 1988)."""
_BELOW_ONE = math.nextafter(1, 0)
_REACHING_BOUNDS = frozenset({"RANDOM_UNIFORM", "RANDOM_TRIANGULAR", "RANDOM_LOOKUP"})
"""Distributions whose bounds are plausible values."""
_TAILS = (0.05, 0.95)
"""The quantiles that end the plausible range of other distributions."""
_VERSION = "1"
"""To be changed when the same `.vsc` file gives other numbers."""

Slice: TypeAlias = "Callable[[int, int], NDArray[np.float64]]"
"""Computes the members from the first up to but without the last, shape (cells, members)."""


@dataclass(frozen=True)
class Variation:
    """One line of a `.vsc` file: a constant, or cells of it, and the distribution or steps its values come from."""

    name: str
    subscripts: tuple[str, ...]
    distribution: Distribution | Steps
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, eq=False)
class Samples:
    """A file of samples: the names of its columns and their numbers, shape (samples, names), NaN for empty fields.

    `places` are the positions of the names in the file.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    path: str = ""
    places: tuple[Place, ...] = ()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Samples)
            and self.names == other.names
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Sampling:
    """A whole `.vsc` file: its first line, its variations, and the samples that the method "file" uses.

    `count` is the number of simulations (per constant if univariate; the number of divisions of each constant if a grid).
    `seed` 0 requests a fresh seed. `file` is the name of the file of samples as written, `rest` the remaining fields of the
    first line.
    """

    method: SamplingMethod
    count: int = DEFAULT_SIMULATIONS
    seed: int = DEFAULT_SEED
    variations: tuple[Variation, ...] = ()
    samples: Samples | None = None
    file: str = ""
    rest: tuple[str, ...] = ()
    path: str = field(default="", compare=False)
    text: str = field(default="", compare=False)


NOTHING = Sampling("multivariate")
"""The sampling of no constants: members differ by the numbers of random functions."""


@dataclass(frozen=True, slots=True)
class SampledCell:
    """One cell that a design varies: its distribution or steps, or else the column of the samples that it takes."""

    cell: Cell
    distribution: Distribution | Steps | None
    place: Place | str
    source: int = 0

    def quantile(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of the distribution at numbers from [0, 1)."""
        return cast("Distribution", self.distribution).quantile(shares)


def sampled_cells(model: Model, sampling: Sampling) -> tuple[SampledCell, ...]:
    """Return the cells that the lines of a `.vsc` file vary, in the order of the file.

    Raises ScenarioError with every line that the model does not allow, or if nothing is varied.
    """
    faults: list[Fault] = []
    found: list[SampledCell] = []
    varied = [variation for variation in sampling.variations if not is_noise_seed(model, variation.name)]
    for variation in varied:
        where: Place | str = variation.place if variation.place.path else "design"
        distribution = _with_points(model, variation.distribution, where, faults)
        wrong = distribution_fault(distribution)
        if wrong:
            faults.append(Fault(where, f"'{variation.name}': {wrong}"))
        cells = _cells(model, variation.name, variation.subscripts, where, faults)
        found += [SampledCell(cell, distribution, where) for cell in cells]
    if not varied:
        what = "nothing is varied; write a line such as 'constant = RANDOM_UNIFORM(min,max)'"
        faults.append(Fault(sampling.path or "design", what))
    return _checked(model, found, faults)


def plausible_ranges(model: Model, sampling: Sampling) -> dict[Cell, tuple[float, float]]:
    """Return the plausible range of every cell that the lines of a `.vsc` file vary, in its units.

    Its ends are the bounds where the distribution reaches them: uniform, triangular, a polygon, and steps. Others have their
    5 % and 95 % quantiles, since their bounds may be far out. A file of samples has no ranges.

    Raises
    ------
    ScenarioError
        With every line that the model does not allow.
    """
    if sampling.method == "file" or _is_noise_alone(model, sampling):
        return {}
    laws = ((sampled.cell, sampled.distribution) for sampled in sampled_cells(model, sampling))
    return {cell: _plausible_ends(law) for cell, law in laws if law is not None}


def _plausible_ends(law: Distribution | Steps) -> tuple[float, float]:
    if isinstance(law, Steps):
        return float(law.values[0]), float(law.values[-1])
    if law.name in _REACHING_BOUNDS:
        return law.minimum, law.maximum
    low, high = law.quantile(np.array(_TAILS))
    return float(low), float(high)


def cells_in_file(model: Model, sampling: Sampling) -> tuple[SampledCell, ...]:
    """Return the cells that the columns of a file of samples set, in the order of the file."""
    samples = sampling.samples
    if samples is None:
        what = "method F names no file of samples; write its name in the fourth place of the first line"
        raise ScenarioError([Fault(sampling.path or "design", what)])
    faults: list[Fault] = []
    found: list[SampledCell] = []
    for column, text in enumerate(samples.names):
        where: Place | str = samples.places[column] if samples.places else samples.path or "samples"
        if is_noise_seed(model, text):
            continue
        found += [
            SampledCell(cell, None, where, column)
            for cell in _cells(model, *split_name(text, model.elements), where, faults)
        ]
    if not found and not faults:
        faults.append(Fault(samples.path or "samples", "nothing is varied; write a column with the name of a constant"))
    return _checked(model, found, faults)


def is_noise_seed(model: Model, name: str) -> bool:
    """Whether a name is Vensim's seed of random functions, which the model lacks: it may be sampled, without effect."""
    return key(name) == "noise_seed" and name not in model


def _is_noise_alone(model: Model, sampling: Sampling) -> bool:
    """Whether no constant is sampled, which suits a model with random functions."""
    lines = sampling.variations
    return sampling.method != "file" and model.draws and all(is_noise_seed(model, line.name) for line in lines)


def _checked(model: Model, found: list[SampledCell], faults: list[Fault]) -> tuple[SampledCell, ...]:
    """The cells, once there are no faults and no cell occurs twice."""
    first: dict[Cell, SampledCell] = {}
    for sampled in found:
        known = first.setdefault(sampled.cell, sampled)
        if known is not sampled:
            what = f"'{cell_name(model, sampled.cell)}' is varied twice, first at {known.place}; keep one of the two"
            faults.append(Fault(sampled.place, what))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return tuple(found)


def _cells(model: Model, name: str, subscripts: Iterable[str], where: Place | str, faults: list[Fault]) -> list[Cell]:
    try:
        return constant_cells(model, name, subscripts, where=where)
    except ScenarioError as error:
        faults += error.faults
        return []


def _with_points(
    model: Model, distribution: Distribution | Steps, where: Place | str, faults: list[Fault]
) -> Distribution | Steps:
    if isinstance(distribution, Steps) or distribution.name != "RANDOM_LOOKUP" or distribution.points:
        return distribution
    element = model.elements.get(key(distribution.lookup))
    table = element.equations[0].expression if element and len(element.equations) == 1 else None
    if isinstance(table, Table) and element is not None and not element.dimensions:
        return replace(distribution, points=table.points)
    lookups = [other.name for other in model if other.kind == "lookup" and not other.dimensions]
    cure = suggest(distribution.lookup, lookups, "name one without subscripts")
    faults.append(Fault(where, f"'{distribution.lookup}' is not a lookup of the model; {cure}"))
    return distribution


@dataclass(frozen=True)
class Design:
    """The sampled constants of an ensemble's members: `cells`, their `names` in the model, and the `count` of members.

    `seed` starts the random streams, `text` is the `.vsc` file, and `digest` a hash of everything that decides the numbers:
    two designs with the same digest are the same. `courses` are the time courses that differ between members, whose points are
    the last cells.
    """

    cells: tuple[Cell, ...] = field(repr=False, compare=False)
    names: tuple[str, ...] = field(repr=False, compare=False)
    count: int
    seed: int
    method: SamplingMethod
    text: str = field(repr=False, compare=False)
    digest: str = field(repr=False)
    draw: Slice = field(repr=False, compare=False)
    courses: tuple[DesignCourse, ...] = field(default=(), repr=False, compare=False)

    def model(self, model: Model, *scenarios: Scenario) -> Model:
        """Return the model that has the cells of the design: with the points of time courses that differ between members.

        Raises ScenarioError if a scenario changes what has such a course.
        """
        changes = tuple(course.change for course in self.courses)
        names = {key(change.name) for change in changes}
        both = [change for scenario in scenarios for change in scenario.changes if key(change.name) in names]
        if both:
            what = f"'{both[0].name}' has a course of its own in each member of the design; leave out this change, or that course"
            raise ScenarioError([Fault(both[0].place, what)])
        return with_tables(model, Scenario("", changes))

    def values(self, first: int, last: int) -> NDArray[np.float64]:
        """Compute the constants of members `first` to `last` - 1, shape (cells, members), in their own units."""
        if not 0 <= first <= last <= self.count:
            message = f"members {first} to {last} are not among the {self.count} of the design"
            raise ValueError(message)
        return self.draw(first, last)

    def part(self, first: int, last: int) -> Design:
        """Return a design that knows members `first` to `last` - 1, and is small enough to be sent to another process."""
        if getattr(self.draw, "func", None) not in _HOLD_ALL:
            return self
        return replace(self, draw=partial(_draw_known, self.values(first, last), first))

    def constants(self, first: int = 0, last: int | None = None) -> dict[str, xarray.DataArray]:
        """Return the same values, and time courses, as arrays over `member` by name, which `simulate` accepts as constants."""
        import xarray

        members = np.arange(first, self.count if last is None else last)
        rows = self.values(first, first + len(members))
        sizes = [prod(course.shape) for course in self.courses]
        parts = np.split(rows, np.cumsum([len(rows) - sum(sizes), *sizes])[:-1])
        found = {
            name: xarray.DataArray(row, {"member": members}, "member")
            for name, row in zip(self.names, parts[0], strict=False)
        }
        for course, part in zip(self.courses, parts[1:], strict=True):
            found[course.name] = course.array(part, members)
        return found

    def dataset(self, first: int = 0, last: int | None = None) -> xarray.Dataset:
        """Return the same as a dataset over `member`, which `simulate` accepts too; time courses in it have the same times."""
        import xarray

        found, last = self.constants(first, last), self.count if last is None else last
        if len({course_times(course.change) for course in self.courses}) > 1:
            what = "the time courses have different times, which no dataset holds; take them from `constants()`"
            raise ScenarioError([Fault("design", what)])
        times = {"time": [*course_times(self.courses[0].change)]} if self.courses else {}
        variables = {name: array.variable for name, array in found.items()}
        return xarray.Dataset(variables, {"member": np.arange(first, last), **times})


@takes_model
@reports_memory
def make_design(
    model: Model,
    sampling: Sampling = NOTHING,
    *,
    count: int | None = None,
    seed: int | None = None,
    scenario: Scenario | None = None,
    courses: Mapping[str, Any] | None = None,
) -> Design:
    """Make the design of an ensemble: the constants of each member, as a `.vsc` file asks for them.

    A constant with subscripts is sampled cell by cell. In a univariate design all constants but one keep the value that they
    have in the model, or in `scenario`. A sampling of no constants suits a model with random functions: its members differ by
    their random numbers alone.

    Parameters
    ----------
    model : Model
        The model with the constants to vary.
    sampling : Sampling, optional
        The design to make, as `read_sampling` returns it; by default no constant is sampled.
    count : int, optional
        Number of simulations; overrides the file. Per constant if the method is univariate; divisions of each constant if
        it is a grid; the number of rows to use if the values come from a file of samples.
    seed : int, optional
        Seed of the random numbers; overrides the file. 0 chooses a fresh seed.
    scenario : Scenario, optional
        Changes to the constants that the design leaves alone.
    courses : mapping, optional
        Time courses that differ between members, by the name of a constant or a data variable: each an `xarray.DataArray` with the
        dimensions `time` and `member`, and those of subscript ranges, or a `pandas.DataFrame` with a row for each time and a column
        for each member, from 0. Those of constants are steps unless their `attrs` say `interpolation="linear"`. Without
        `count`, there is a member for each course.

    Returns
    -------
    Design
        `count` members. `dataset()` returns their constants, in the model's units, for `simulate`; `run_ensemble` takes the
        design itself.

    Raises
    ------
    ScenarioError
        If a constant is not in the model or is varied twice, a distribution has no values, or the number of members is below
        1 or above 10 billion.

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
    >>> noisy = tiny_model("demand = RANDOM UNIFORM(0, 10, 0)")
    >>> sd.make_design(noisy, count=100).count  # nothing but the random numbers differs
    100
    >>> import pandas as pd
    >>> paths = pd.DataFrame({0: [0.1, 0.2], 1: [0.1, 0.0]}, index=[0, 5])  # two members, from time 0 and from time 5 on
    >>> design = sd.make_design(model, courses={"rate": paths})
    >>> sd.simulate(model, {"rate": paths})["rate"].isel(time=-1).values.tolist(), design.count
    ([0.2, 0.0], 2)
    """
    seed = sampling.seed if seed is None else seed
    if not isinstance(seed, int | np.integer) or not isinstance(count, int | np.integer | None) or abs(seed) >= 2**63:
        what = f"count is {count!r}, seed is {seed!r}; give whole numbers, a seed below 2**63"
        raise ScenarioError([Fault("design", what)])
    seed = int(seed) or secrets.randbelow(2**31 - 1) + 1
    file = sampling.method == "file"
    given = read_member_courses(model, courses or {})
    columns: tuple[SampledCell, ...] = ()
    if not (_is_noise_alone(model, sampling) or (given and not sampling.variations and not file)):
        columns = cells_in_file(model, sampling) if file else sampled_cells(model, sampling)
    if count is None and not file:
        together = not columns or sampling.method in {"multivariate", "latin hypercube"}
        count = given[0].values.shape[-1] if given and together else sampling.count
    known = cell_values(model, (column.cell for column in columns), scenario)
    base = np.array([[known[column.cell]] for column in columns], dtype=float)
    setup = _Setup(sampling, columns, count, seed, base)
    if count is not None and count < 1:
        raise ScenarioError(setup.faults(f"the number of simulations is {count}; give at least 1"))
    method: SamplingMethod = (
        sampling.method if columns else "multivariate"
    )  # without constants, members differ by noise
    members, draw = _METHODS[method](setup)
    if not 1 <= members <= _MAX_MEMBERS:
        raise ScenarioError(setup.faults(f"the design has {members:,} members; it takes from 1 to {_MAX_MEMBERS:,}"))
    cells = tuple(column.cell for column in columns)
    names = tuple(quoted_cell(model, cell) for cell in cells)
    own = base.tolist() if method in {"univariate", "file"} else []
    rows = [[column.cell.key, column.cell.labels, repr(column.distribution)] for column in columns]
    digest = hashlib.sha256(json.dumps([_VERSION, method, members, count, seed, rows, own]).encode())
    if file:
        digest.update(np.ascontiguousarray(cast("Samples", sampling.samples).values[:members]).tobytes())
    design = Design(cells, names, members, seed, method, sampling.text, digest.hexdigest(), draw)
    return _with_courses(model, design, given) if given else design


def _with_courses(model: Model, design: Design, courses: Sequence[MemberCourse]) -> Design:
    """The design with the points of time courses among its cells."""
    whole = with_tables(model, Scenario("", tuple(course.change for course in courses)))
    made: list[DesignCourse] = []
    cells, names = [*design.cells], [*design.names]
    rows: list[NDArray[np.float64]] = []
    digest = hashlib.sha256(design.digest.encode())
    for course in courses:
        size, labels = course.values.shape[-1], range(design.count)
        order = np.arange(size) if course.members is None else course.members
        places = {label: place for place, label in enumerate(order.tolist())}
        absent = next((label for label in labels if label not in places), None)
        both = next((cell for cell in design.cells if cell.key == key(course.change.name)), None)
        wrong = ""
        if both is not None:
            wrong = "has time courses of its members and is sampled too; keep one of the two"
        elif size != design.count:
            wrong = f"is given courses of {format_count(size, 'member')}, and the design has {design.count:,}; make them equal"
        elif absent is not None:
            wrong = f"is given no course for member {absent}; label the members 0 to {design.count - 1}, or leave out the labels"
        if wrong:
            raise ScenarioError([Fault("courses", f"'{course.given}' {wrong}")])
        own = constant_cells(whole, points_names(model, course.change)[0])
        values = course.values[..., [places[label] for label in labels]].reshape(len(own), design.count)
        cells += own
        names += [quoted_cell(whole, cell) for cell in own]
        rows.append(values)
        dims = () if course.change.subscripts else whole[course.change.name].dimensions
        made.append(
            DesignCourse(course.change, tuple(model.range_identifiers[dim] for dim in dims), course.values.shape[:-1])
        )
        digest.update(json.dumps([course.change.name, course.change.subscripts, course_text(course.change)]).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    draw = partial(_draw_with_known, design.draw, np.concatenate(rows))
    return replace(
        design, cells=tuple(cells), names=tuple(names), digest=digest.hexdigest(), draw=draw, courses=tuple(made)
    )


@dataclass(frozen=True)
class _Setup:
    """The input of a sampling method; `base` are the cells' own values, shape (cells, 1), `count` the requested number."""

    sampling: Sampling
    columns: tuple[SampledCell, ...]
    count: int | None
    seed: int
    base: NDArray[np.float64]

    def faults(self, what: str) -> list[Fault]:
        """One fault of the whole design."""
        return [Fault(self.sampling.path or "design", what)]

    def bits(self, column: SampledCell, purpose: str, first: int, last: int) -> NDArray[np.uint64]:
        """Raw numbers of a cell's stream for some members, shape (members,); each step of the counter gives four."""
        text = json.dumps([self.seed, purpose, column.cell.key, column.cell.labels])
        stream = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
        skipped = first % 4
        return np.random.Philox(key=stream, counter=first // 4).random_raw(last - first + skipped)[skipped:]

    def keys(self, column: SampledCell) -> NDArray[np.uint64]:
        """The numbers that decide the order of a cell's strata, shape (rounds,)."""
        return self.bits(column, "order", 0, _ROUNDS)

    def uniform(self, column: SampledCell, first: int, last: int) -> NDArray[np.float64]:
        """Numbers from [0, 1) of a cell's stream, shape (members,)."""
        return (self.bits(column, "value", first, last) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def lengths(self) -> list[int]:
        """The number of values of each cell where cells are varied one by one or in a grid."""
        given = (column.distribution for column in self.columns)
        return [steps.count if isinstance(steps, Steps) else self.count or 0 for steps in given]

    def rows(self, row: Callable[[int, SampledCell], NDArray[np.float64]], members: int) -> NDArray[np.float64]:
        """One row per cell, shape (cells, members)."""
        values = np.empty((len(self.columns), members))
        for index, column in enumerate(self.columns):
            values[index] = row(index, column)
        return values


def _multivariate(setup: _Setup) -> tuple[int, Slice]:
    """All constants sampled together; if all of them have steps, all combinations of these."""
    if setup.columns and all(isinstance(column.distribution, Steps) for column in setup.columns):
        return _grid(setup)
    _refuse_steps(setup)
    return setup.count or 0, partial(_draw_independent, setup)


def _draw_independent(setup: _Setup, first: int, last: int) -> NDArray[np.float64]:
    return setup.rows(lambda _, column: column.quantile(setup.uniform(column, first, last)), last - first)


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
    if count > _MAX_RANKED or count * len(setup.columns) > _MAX_RANKS:
        return count, partial(_draw_permuted, setup, count)
    streams = (setup.bits(column, "rank", 0, count) for column in setup.columns)
    ranks = [np.argsort(stream, kind="stable").astype(np.uint32) for stream in streams]
    return count, partial(_draw_strata, setup, ranks, count)


def _draw_strata(
    setup: _Setup, ranks: Sequence[NDArray[np.uint32]], count: int, first: int, last: int
) -> NDArray[np.float64]:
    return _draw_within(setup, count, first, last, lambda index, _: ranks[index][first:last])


def _draw_permuted(setup: _Setup, count: int, first: int, last: int) -> NDArray[np.float64]:
    """Compute the ranks of some members alone, in any number of members."""
    members = np.arange(first, last, dtype=np.uint64)
    return _draw_within(setup, count, first, last, lambda _, column: _permuted(members, count, setup.keys(column)))


def _draw_within(
    setup: _Setup, count: int, first: int, last: int, ranks: Callable[[int, SampledCell], NDArray[Any]]
) -> NDArray[np.float64]:
    def row(index: int, column: SampledCell) -> NDArray[np.float64]:
        shares = (ranks(index, column) + setup.uniform(column, first, last)) / count
        return column.quantile(np.minimum(shares, _BELOW_ONE))

    return setup.rows(row, last - first)


def _permuted(members: NDArray[np.uint64], count: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the places of members in a random order of `count`, each computed by itself.

    A Feistel network orders the numbers below a power of four; what leaves the first `count` goes through it again until it is
    among them (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
    """
    half = np.uint64(max(1, (count - 1).bit_length() + 1 >> 1))
    mask = (np.uint64(1) << half) - np.uint64(1)
    places = members.copy()
    outside = np.arange(len(members))
    while outside.size:
        left, right = places[outside] >> half, places[outside] & mask
        for key_ in keys:
            left, right = right, left ^ (_mixed(right ^ key_) & mask)
        places[outside] = (left << half) | right
        outside = outside[places[outside] >= count]
    return places


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of numbers (the finalizer of SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))


def _grid(setup: _Setup) -> tuple[int, Slice]:
    """Every combination of the steps of constants, and of the middles of equally likely parts of distributions.

    This is Vensim's Latin grid (manual, "Legacy Sampling"); the last constant changes fastest.
    """
    sizes = setup.lengths()
    members = prod(sizes)
    if members > _MAX_MEMBERS:
        grid = f"a grid of {' x '.join(map(str, sizes))}"
        raise ScenarioError(setup.faults(f"{grid} has {members:,.0f} members; give fewer divisions or constants"))
    points = [
        column.distribution.values
        if isinstance(column.distribution, Steps)
        else column.quantile((np.arange(size) + 0.5) / size)
        for column, size in zip(setup.columns, sizes, strict=True)
    ]
    return members, partial(_draw_combinations, setup, points, sizes)


def _draw_combinations(
    setup: _Setup, points: Sequence[NDArray[np.float64]], sizes: Sequence[int], first: int, last: int
) -> NDArray[np.float64]:
    places = np.unravel_index(np.arange(first, last), sizes)
    return setup.rows(lambda index, _: points[index][places[index]], last - first)


def _univariate(setup: _Setup) -> tuple[int, Slice]:
    starts = np.concatenate(([0], np.cumsum(setup.lengths())))
    return int(starts[-1]), partial(_draw_one_by_one, setup, starts)


def _draw_one_by_one(setup: _Setup, starts: NDArray[np.int64], first: int, last: int) -> NDArray[np.float64]:
    values = np.repeat(setup.base, last - first, axis=1)
    for index, column in enumerate(setup.columns):
        start, stop = max(first, int(starts[index])), min(last, int(starts[index + 1]))
        if start < stop:
            own = start - int(starts[index]), stop - int(starts[index])
            values[index, start - first : stop - first] = (
                column.distribution.values[own[0] : own[1]]
                if isinstance(column.distribution, Steps)
                else column.quantile(setup.uniform(column, *own))
            )
    return values


def _from_file(setup: _Setup) -> tuple[int, Slice]:
    """The rows of a file of samples; an empty field repeats the number above (manual, "Sensitivity Control").

    In the first row an empty field is the constant's own value.
    """
    samples = cast("Samples", setup.sampling.samples).values
    rows = len(samples)
    count = rows if setup.count is None else setup.count
    if count > rows:
        raise ScenarioError(setup.faults(f"the file of samples has {rows:,} rows, not {count:,}; ask for no more"))
    values = samples[:count].T
    if np.isnan(values).any():
        values = values.copy()
        for column, base in zip(setup.columns, setup.base[:, 0], strict=True):
            if np.isnan(values[column.source, 0]):
                values[column.source, 0] = base
        known = np.where(np.isnan(values), 0, np.arange(count))
        values = np.take_along_axis(values, np.maximum.accumulate(known, axis=1), axis=1)
    sources = [column.source for column in setup.columns]
    return count, partial(_draw_rows, values, sources)


def _draw_rows(values: NDArray[np.float64], sources: Sequence[int], first: int, last: int) -> NDArray[np.float64]:
    return np.ascontiguousarray(values[sources, first:last])


def _draw_known(values: NDArray[np.float64], start: int, first: int, last: int) -> NDArray[np.float64]:
    """The constants of members from `start` on, which are known."""
    return values[:, first - start : last - start]


def _draw_with_known(draw: Slice, known: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """The constants that are drawn, and after them those that are known for every member."""
    return np.concatenate([draw(first, last), known[:, first:last]])


_HOLD_ALL = frozenset({_draw_strata, _draw_rows, _draw_with_known})
"""What holds numbers for all members; the rest computes any member from a few."""


_METHODS: dict[SamplingMethod, Callable[[_Setup], tuple[int, Slice]]] = {
    "univariate": _univariate,
    "multivariate": _multivariate,
    "latin hypercube": _hypercube,
    "grid": _grid,
    "file": _from_file,
}
