"""One row per Vensim function: everything the program knows about the function, checked when the row is made.

Most pieces of a row are plain functions of the arguments' values: `evaluate` takes numbers, `arrays` takes NumPy arrays,
`emit` takes registers and writes code, `derivative` takes expressions. `kinds` lists the arguments that are not numbers.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar

from sympy import Expr

from ..algebra import Table, VensimFunction

Kind = Literal[
    "number", "finite", "condition", "branch", "table", "range", "terms", "site", "past", "vector", "series", "matrix", "array",
]  # fmt: skip
"""What a function receives for an argument.

A `number` that is not finite gives a result that is not finite by the arithmetic of the function itself (only a division by an
infinite number gives 0). Where that could hide it, as in a comparison, the argument is `finite`: every back end gives nan for a
number that is not. A `condition` is a
truth value (NumPy evaluation receives its number), and nan where what it tests is not finite. A `branch` is a number that
matters only if it is chosen; scalar evaluation computes it only when the function calls it. A `table` is the points of a lookup, a `range` the number of its labels.
`terms` run over subscript ranges marked with `!`: scalar evaluation receives the list of them; emitted code adds one term at a
time to the result so far. A `site` is where a random number is drawn. A `past` is a DELAY FIXED, of which the function reads the inputs
of all earlier steps.

The last four are whole arrays of finite numbers. A `vector` is the numbers of a variable along its last subscript: a list in
scalar evaluation, an `Array` in emitted code; a `series` is such a vector, or one number for all places, in a function that is
expanded. A `matrix` is those along its last two: a list of rows. An `array` is all numbers
of the variable, and with it comes the position of the one that the call names, as a pair; its numbers need not be finite.
"""

AXES: Mapping[Kind, int] = MappingProxyType({"vector": 1, "series": 1, "matrix": 2, "array": 0})
"""The number of subscripts that each kind of array runs over; 0 for all of them."""


def from_numpy(name: str) -> Callable[..., Any]:
    """Return NumPy's function of a name as a function that imports NumPy when it is called: reading a model needs none of it."""

    def call(*arguments: Any) -> Any:
        return getattr(importlib.import_module("numpy"), name)(*arguments)

    return call


@dataclass(frozen=True, slots=True)
class Absent:
    """A piece that a function does not have, and why; a call raises NotImplementedError with the reason."""

    reason: str

    def __call__(self, *_: Any) -> Any:
        """Refuse to be called."""
        raise NotImplementedError(self.reason)


_FORGOTTEN = Absent("")
NOTHING_DUE = -sys.float_info.max
"""The value of a delay that adds where no input is due: no number of a model, and finite, so that it can be compared."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The time at which an expression is evaluated, as functions of time see it.

    STEP, PULSE and RAMP see the time at which the step begins, so that they are constant over a step of Runge-Kutta. They compare
    it half a step late or early, so that rounding cannot decide (Vensim reference manual).
    """

    begun: float
    dt: float

    @property
    def late(self) -> float:
        """Half a time step after the step begins."""
        return self.begun + self.dt / 2

    @property
    def early(self) -> float:
        """Half a time step before the step begins."""
        return self.begun - self.dt / 2


R = TypeVar("R")
"""A register: what a back end has for a number."""


class Emitter(Protocol[R]):
    """What a back end offers to `emit`: each method writes an instruction and returns the register with its result.

    A back end that writes code names its registers by strings; one that computes at once has numbers instead. `begun`, `late`, `early`
    and `dt` are those of `Moment`.
    """

    begun: R
    late: R
    early: R
    dt: R

    def constant(self, value: float) -> R:
        """A number known when the code is written."""

    def binary(self, sign: str, left: R, right: R) -> R:
        """Arithmetic on two numbers: `+`, `-`, `*`, `/`, or `%`, the remainder with the sign of the dividend."""

    def compare(self, sign: str, left: R, right: R) -> R:
        """The truth value of a comparison of finite numbers: `=`, `<>`, `<`, `<=`, `>`, `>=`."""

    def logic(self, word: str, left: R, right: R) -> R:
        """The truth value of `and` or `or`."""

    def invert(self, truth: R) -> R:
        """The opposite of a truth value."""

    def choose(self, condition: R, then: R, otherwise: R) -> R:
        """One of two numbers, by a truth value."""

    def strict(self, value: R, *arguments: R) -> R:
        """The value, or nan where one of the arguments is not finite."""

    def call(self, name: str, *arguments: R) -> R:
        """A function of the C library: `exp`, `log`, `pow`, `floor`, `trunc`, `fabs`, `sin` ..."""

    def look_up(self, way: str, table: Table, x: R) -> R:
        """The value of a table at x, in one of the ways of `lookups.py`."""

    def draw(self, site: R, seed: R, stream: R, member: R) -> R:
        """A uniform number between 0 and 1, both excluded: that of a place in this time step."""

    def quantile(self, name: str, *arguments: R) -> R:
        """A number from a uniform one, by one of `QUANTILES` in `inversion.py`."""


class Array(Protocol):
    """The numbers of an array in emitted code: one number per place for each member."""

    rows: int
    columns: int


class ArrayEmitter(Emitter[R], Protocol[R]):
    """What a back end offers to `emit` of a function that takes arrays: loops, and numbers in memory.

    A place is a whole number known when the code is written, or the counter of a loop.
    """

    def get(self, array: Array, place: R | int, column: R | int = 0) -> R:
        """The number at a place of an array, for every member."""

    def put_at(self, array: Array, value: R, place: R | int, column: R | int = 0) -> None:
        """Change the number at a place of an array that `scratch` made."""

    def pick(self, array: Array, place: R) -> R:
        """The number at a place that each member computes, a whole number within the array."""

    def place(self, array: Array, value: R, place: R) -> None:
        """Change the number at a place that each member computes."""

    def scratch(self, rows: int, columns: int = 1) -> Array:
        """An array for results or in between; its numbers are not defined yet."""

    def loop(self, count: int, body: Callable[..., Sequence[R]], *state: R) -> tuple[R, ...]:
        """Do something `count` times, at least once: `body` makes the next state from the counter and the state so far."""

    def shifted(self, counter: R, by: int) -> R:
        """A place as many further on as the code is written for."""

    def real(self, counter: R) -> R:
        """The counter of a loop as a number."""

    def halfway(self, low: R, high: R) -> R:
        """The number in the middle between two, in the order of all numbers that a computer knows, which are finitely many."""


class PastEmitter(ArrayEmitter[R], Protocol[R]):
    """What a back end offers to `emit` of a function that reads the past."""

    steps: R

    def repeat(self, body: Callable[..., Sequence[R]], *state: R) -> tuple[R, ...]:
        """Do something at least once, and again as long as a member goes on; the state of each is that of its own last time.

        `body` makes from a counter, which begins with 1, and the state whether a member goes on, and its next state.
        """

    def past(self, series: R, ago: R) -> R:
        """The input of a delay some steps ago, which a counter says; any number before the start."""


class Expander(Protocol):
    """What `expand` may add to a model: hidden elements that serve one call of a function."""

    def order(self) -> tuple[Expr, tuple[int, ...]]:
        """The order of the delay in each cell, which the last argument of the call gives, and all different orders, sorted."""

    def stock(self, rate: Callable[[Expr], Expr], initial: Expr, *, held: bool = False) -> Expr:
        """A hidden stock; `rate` makes its rate from a reference to the stock itself; `held` as in `Memory`."""

    def draw(self, stream: Expr) -> Expr:
        """A uniform random number between 0 and 1 of a stream, another one for each call of this method."""

    def states(self, following: Callable[..., Sequence[Expr]], *initial: Expr) -> Sequence[Expr]:
        """Hidden values that change from step to step only; `following` makes the next ones from references to all of them."""

    def named(self, role: str, expression: Expr) -> Expr:
        """A hidden element of the variable that the call defines, which other equations find by its role; a lookup for a `table`."""

    def parts_of(self, variable: Expr, *roles: str) -> Sequence[Expr]:
        """The hidden elements with some roles of a variable that another equation names, in the cell that it names."""

    def size(self, *vectors: Expr) -> int:
        """The number of elements of vectors, which must have one length and be named by their first element or range."""

    def auxiliary(self, expression: Expr) -> Expr:
        """A hidden auxiliary, so that a value used twice is computed once; a plain reference or number stays as it is."""

    def is_constant(self, expression: Expr) -> bool:
        """Whether an expression is arithmetic on numbers and constants, so that it cannot change during a run."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a function carries from step to step, and which arguments its value reads when (by index).

    `kept` names the way the program keeps it: a `stock` is integrated, a `delay` has a history of inputs, a `passage` also one of
    the steps that each takes, a `sample` holds its last value, a `shift` moves stocks at the beginning of a step, `start` means computed once, `nothing` that only the initial value differs. Without arguments to read at a step the value is
    known before the step is computed. A `held` stock keeps its value within a time step, whatever the integrator. A passage that `adds`
    gives the sum of what is due at the same time, or `NOTHING_DUE`; another one gives the last input that has been due.
    """

    kept: Literal["stock", "delay", "passage", "sample", "shift", "start", "nothing"]
    reads_at_start: tuple[int, ...]
    reads_at_step: tuple[int, ...]
    held: bool = False
    adds: bool = False


@dataclass(frozen=True, eq=False)
class FunctionRow:
    """One Vensim function, in the pieces below.

    `evaluate`, `arrays`, `emit` and `derivative` are required; give `Absent(reason)` where a function has no such piece.
    A function that `spreads` returns an array: a list from `evaluate`, row by row, and an `Array` from `emit`.

    Raises
    ------
    ValueError
        If a piece is missing without a reason, or pieces do not fit each other.
    """

    signature: str  # name and arguments as in the Vensim manual: "LOG(x, base)"
    meaning: str  # what the function returns, as a phrase
    units: str  # "argument, argument -> result": `u`, `v` any units, `t` that of time, `1` dimensionless, `*` anything
    _: KW_ONLY
    evaluate: Callable[..., Any] = _FORGOTTEN  # from Python floats; with `reads_time`, a `Moment` comes first
    arrays: Callable[..., Any] = _FORGOTTEN  # from NumPy arrays
    emit: Callable[..., Any] = _FORGOTTEN  # writes code: from an `Emitter` and registers to the register of the result
    derivative: Callable[..., Sequence[Expr]] = _FORGOTTEN  # the partial derivatives, from the arguments as expressions
    kinds: tuple[Kind, ...] = ()  # what each argument is; numbers unless given
    latex: str = ""  # a format with {0}, {1} ... for the arguments; unless given, the name in upright letters
    algebra: Callable[..., Expr] | None = None  # makes the expression where SymPy has the function
    gives_truth: bool = False  # whether `emit` returns a truth value rather than a number
    stays_finite: bool = False  # whether it is finite where its arguments are
    reads_time: bool = False  # whether the value also depends on time
    draws: bool = False  # whether it draws random numbers
    added: int = 0  # the number of last arguments that a reader adds, which files do not have
    optional: int = 0  # the number of last written arguments that may be left out, which are then `:NA:`
    gives_missing: bool = False  # whether it can be `:NA:` where its arguments are not
    at_start: int | Callable[..., Expr] | None = (
        None  # its first value: an argument, or made of them; no `evaluate` then
    )
    memory: Memory | None = None  # for a function with a state of its own
    expand: Callable[..., Expr] | None = None  # from an `Expander` and the arguments to stocks and auxiliaries
    roles: frozenset[str] = frozenset()  # the hidden elements that it makes for other equations
    written_out: Callable[[Sequence[Expr]], Expr] = _FORGOTTEN  # for a function over `terms`: from all of them
    rewrite: Callable[..., Expr] | None = None  # the same in terms of other functions, which run in its place
    loops: bool = False  # whether it emits loops, as functions of arrays do
    picks: bool = False  # whether it is one number of its array, the first argument, at the place that the second gives
    spreads: int = 0  # the number of last subscripts over which it returns an array; 0 for a number
    scratch: Callable[[int], int] = lambda _: 0  # how many numbers `scratch` makes, from the rows of the first array
    name: str = field(init=False)
    arguments: tuple[str, ...] = field(init=False)
    build: Callable[..., Expr] = field(init=False)

    @cached_property
    def expands(self) -> bool:
        """Whether a call inside of an expression becomes an element of its own, or other expressions, before a model is computed."""
        return bool(self.memory or self.spreads or self.expand or "terms" in self.kinds)

    @cached_property
    def takes_arrays(self) -> bool:
        """Whether an argument is a whole array."""
        return not AXES.keys().isdisjoint(self.kinds)

    @property
    def has_routine(self) -> bool:
        """Whether its code is a routine of its own, which every call shares."""
        return self.takes_arrays or self.reads_past or self.loops

    @property
    def reads_past(self) -> bool:
        """Whether it reads what went into a delay at earlier steps."""
        return "past" in self.kinds

    def __post_init__(self) -> None:
        """Fill in what follows from the rest, and check that the row is complete."""
        make = object.__setattr__
        name, _, arguments = self.signature.removesuffix(")").partition("(")
        make(self, "name", name)
        make(self, "arguments", tuple(arguments.split(", ")) if arguments else ())
        make(self, "kinds", self.kinds or ("number",) * len(self.arguments))
        title = "".join(word.capitalize() for word in name.split())
        make(self, "build", self.algebra or type(title, (VensimFunction,), {"name": name, "row": self}))
        if self.at_start is not None and self.evaluate == _FORGOTTEN:
            make(self, "evaluate", Absent("computed by the run; at the start it follows from its arguments"))
        for problem in _problems(self):
            message = f"function {self.name or '(without a name)'}: {problem}"
            raise ValueError(message)

    @cached_property
    def written(self) -> tuple[str, ...]:
        """The arguments as they are written."""
        return self.arguments[: len(self.arguments) - self.added]

    def initial_value(self, arguments: Sequence[Expr]) -> Expr:
        """What the function equals at the start of a run, from its arguments."""
        if isinstance(self.at_start, int):
            return arguments[self.at_start]
        if self.at_start is None:
            message = f"function {self.name}: it has no value of its own at the start"
            raise TypeError(message)
        return self.at_start(*arguments)


def _problems(row: FunctionRow) -> list[str]:
    """What is wrong with a row, each with what to do."""
    count = len(row.arguments)
    takes, _, result = row.units.partition(" -> ")
    missing = [name for name in ("evaluate", "arrays", "emit", "derivative") if getattr(row, name) == _FORGOTTEN]
    found = [f"'{name}' is missing; give it, or Absent(reason)" for name in missing]
    if not (row.name and all(row.arguments) and row.meaning):
        found.append("a name, an argument or the meaning is empty; give it")
    if not result or (len(takes.split(",")) if takes else 0) != count:
        found.append(f"'units' is '{row.units}'; give one unit for each of {count} arguments, ' -> ' and a result")
    if len(row.kinds) != count:
        found.append(f"'kinds' has {len(row.kinds)} entries; give one for each of {count} arguments")
    if "terms" in row.kinds and row.written_out == _FORGOTTEN and row.rewrite is None:
        found.append("'written_out' is missing; a function over terms needs it")
    if (row.memory or row.expand) and row.at_start is None and not row.draws:
        found.append("'at_start' is missing; give the index of the argument that the function equals at the start")
    try:
        row.latex.format(*row.arguments)
    except (IndexError, KeyError, ValueError) as error:
        what = f"'latex' does not fit the arguments ({error!r})"
        found.append(f"{what}; use {{0}} to {{{count - 1}}}, double other braces")
    return found
