"""The parts of a model as immutable records: what the file says, and little that is derived from it."""

from __future__ import annotations

import copyreg
import hashlib
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache, wraps
from html import escape
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, Self, TypeVar, get_args

from sympy import Expr

from ..errors import Fault, ModelError, Place
from .algebra import NA, Packed, Table, VensimFunction, walk
from .names import identifiers, key, nearest

Kind = Literal["stock", "flow", "auxiliary", "constant", "lookup"]
Integrator = Literal["euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"]
"""Euler's method; the same, with auxiliaries saved one saved time late; Runge-Kutta of second and fourth order, with steps of
TIME STEP or with automatic steps."""
INTEGRATORS: tuple[Integrator, ...] = get_args(Integrator)

NOWHERE = Place("", 1)
RUN_SETTINGS = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")
"""The elements that control a run."""
RUN_SETTING_KEYS = frozenset(map(key, RUN_SETTINGS))
"""Their keys."""
REQUIRED_SETTINGS = RUN_SETTINGS[:3]
"""The elements without which a model cannot run."""
RC_START_TIME = "RC START TIME"
"""The element that says when the courses of Reality Checks begin; no equation reads it."""
_TIME = "time"
_P = ParamSpec("_P")
_T = TypeVar("_T")


def _read_only(items: Mapping[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


# models are sent to other processes and copied, and their read-only tables with them
copyreg.pickle(MappingProxyType, lambda view: (_read_only, (dict(view),)))


class Unchanging:
    """What never changes is its own copy, also a deep one, so that what is known about it, such as its machine code, stays."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: Mapping[int, Any]) -> Self:
        return self


@dataclass(frozen=True)
class _Parcel:
    """A pickled model on its way to another process, known by the hash of its bytes."""

    sha256: str
    content: bytes = field(compare=False, repr=False)


_RECEIVED = 16
"""The number of models that a process keeps, to find them again when they arrive with the next task."""


@lru_cache(maxsize=_RECEIVED)
def _receive(parcel: _Parcel) -> Model:
    """Return the model in a parcel; the same one for the same parcel, so that a process compiles it once."""
    return Model(*pickle.loads(parcel.content))  # noqa: S301 - this is a part of unpickling


@dataclass(frozen=True, slots=True)
class Range:
    """The bounds and step of the units field, in the element's units; None where the model says `?` or nothing."""

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None


@dataclass(frozen=True, slots=True)
class SubscriptMapping:
    """A mapping from the labels of a range to those of another range; all are keys.

    `labels[i]` are the labels of the range `target` that the i-th label of the mapped range maps to. It is empty
    where the model gives no list, which maps position by position.
    """

    target: str
    labels: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Subscript:
    """A subscript range: an ordered list of labels, in the spelling of the model.

    `repeated` is a label that the model lists twice, so that several labels of another range map to it; `labels` has it once.
    """

    name: str
    labels: tuple[str, ...]
    mappings: tuple[SubscriptMapping, ...] = ()
    comment: str = ""
    place: Place = NOWHERE
    repeated: str = ""

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of the labels, in order."""
        return tuple(map(key, self.labels))

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """The position of each label in the range, from 0, by key."""
        return {label: position for position, label in enumerate(self.keys)}


@dataclass(frozen=True)
class Equation:
    """One equation of an element: for the whole element, or for the cells that its left-hand subscripts name.

    `subscripts` and `exceptions` hold keys of ranges or labels, one per dimension. `expression` is a SymPy expression in
    the form written in the model, never evaluated. `text` is the right-hand side in the file. `places` maps each name (a
    key) in the expression to its first place in the file, and `parts` each sum, product, power and call to its first place.
    """

    expression: Expr
    subscripts: tuple[str, ...] = ()
    exceptions: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    place: Place = NOWHERE
    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    parts: Mapping[Expr, Place] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)

    @cached_property
    def calls(self) -> tuple[VensimFunction, ...]:
        """Every call of a function of Vensim in the expression, outer ones first."""
        return tuple([part for part in walk(self.expression) if isinstance(part, VensimFunction)])

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the fields with expressions packed, so that a copy has them in the same form."""
        known: dict[Expr, Packed] = {}
        parts = {Packed(part, known): place for part, place in self.parts.items()}
        own = (self.subscripts, self.exceptions, self.text, self.place, self.places, MappingProxyType(parts))
        return Equation, (Packed(self.expression, known), *own)


@dataclass(frozen=True)
class Element:
    """A stock, flow, auxiliary, constant or lookup, with every equation that defines it.

    `dimensions` are keys of subscript ranges, one per left-hand subscript: the smallest declared range that holds
    every label that the equations name there. `fixed` marks a constant written with `==`, which nothing may change.
    `hidden` marks an element that is not in the model file, such as the level inside a SMOOTH. `guess_of` is the key of the
    element for which this one holds a guess, in a loop that SIMULTANEOUS or FIND ZERO solves.
    """

    name: str
    kind: Kind
    equations: tuple[Equation, ...]
    dimensions: tuple[str, ...] = ()
    units: str = ""
    range: Range | None = None
    comment: str = ""
    group: str = ""
    supplementary: bool = False
    fixed: bool = False
    hidden: bool = False
    guess_of: str = ""

    @cached_property
    def key(self) -> str:
        """The name in the form that Vensim compares."""
        return key(self.name)

    @property
    def place(self) -> Place:
        """The place where the first equation begins."""
        return self.equations[0].place if self.equations else NOWHERE


GIVEN_DATA = "(given from Python)"
"""The path of data that comes from no file."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that a model has data from: its path, relative to the folder of the model, and the SHA-256 hash of its bytes."""

    path: str
    sha256: str
    is_series: bool = False
    """Whether it is a file of time series that the user or the settings of the model name."""
    instead_of: str = ""
    """The file that the model names, where this one was read in its place: `.xlsx` for `.xls`."""
    remark: str = ""
    """What was odd about the first of its `odd_cells`: those that are read as 0, and those that are left out."""
    odd_cells: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the model file: its name without the leading dot, and its comment."""

    name: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class RealityCheck:
    """A statement of a Reality Check, which no run reads: `sdmodel check --reality` tests it.

    A constraint is `name :THE CONDITION: condition :IMPLIES: consequence`. A test input is `name :TEST INPUT: condition`,
    without a consequence. Both texts are on one line, without comments; `subscripts` are the keys after the name.
    """

    name: str
    kind: Literal["constraint", "test input"]
    condition: str
    consequence: str = ""
    subscripts: tuple[str, ...] = ()
    comment: str = ""
    place: Place = NOWHERE


_VIEW_NAME = re.compile(r"^\\\\\\---///.*\nV.*\n\*([^\r\n]*)", re.MULTILINE)
"""The name of a view in Vensim's text, in the line after the version of the sketch."""


@dataclass(frozen=True, eq=False, repr=False)
class Model(Unchanging):
    r"""A model as its file says it.

    A model is a collection of its elements: `model["name"]` finds one by its name in any spelling that Vensim accepts
    for it, `"name" in model` tests for it, iterating gives the elements in the order of the file, and `len` counts them.
    `read_model` makes a model from a file. A model never changes. It can be pickled, and a process that receives it with many
    tasks reads and compiles it once.

    Parameters
    ----------
    path : str
        The path of the file, as given when it was read.
    elements : Mapping[str, Element]
        The stocks, flows, auxiliaries, constants and lookups by key, in the order of the file.
    subscripts : Mapping[str, Subscript]
        The subscript ranges by key.
    groups : tuple[Group, ...]
        The groups of the file with their comments.
    synonyms : tuple[tuple[str, ...], ...]
        Names of units that mean the same, one tuple per list in the file.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}
        The integration method that the model's settings ask for.
    text : str
        The whole text of the file, so that a stored run can be repeated from its own record.
    sha256 : str
        The SHA-256 hash of the bytes of the file.
    sources : tuple[Source, ...]
        The files that its data, constants, lookups and labels come from.
    reality_checks : tuple[RealityCheck, ...]
        The constraints and test inputs of its Reality Checks, in the order of the file.
    encoding : str
        The encoding of the file, in which the text has its bytes again.
    texts : Mapping[str, str]
        The texts of its string variables (`name :IS: 'text'`) by key, as changed when it was read.
    allow_files : tuple[str, ...]
        The folders outside of the model's own that it may read data from.
    notes : tuple[str, ...]
        What was left out or changed to read a file in XMILE.
    unread_files : tuple[Fault, ...]
        What is wrong with files that it reads data from, if it was read `without_data`: its numbers are not known, and it does not run.

    Examples
    --------
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(-Stock/lifetime, 100)\nlifetime = 5")
    >>> model["LIFETIME"].kind
    'constant'
    >>> "stock" in model
    True
    >>> [element.name for element in model if element.kind == "stock"]
    ['Stock']
    """

    path: str
    elements: Mapping[str, Element]
    subscripts: Mapping[str, Subscript] = field(default_factory=lambda: MappingProxyType({}))
    groups: tuple[Group, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    integrator: Integrator = "euler"
    text: str = ""
    sha256: str = ""
    sources: tuple[Source, ...] = ()
    reality_checks: tuple[RealityCheck, ...] = ()
    encoding: str = "utf-8"
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    allow_files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread_files: tuple[Fault, ...] = ()

    def __repr__(self) -> str:
        return f"<Model {self.path}: {len(self)} elements>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive, (self._parcel,)

    @cached_property
    def _parcel(self) -> _Parcel:
        content = pickle.dumps(tuple(getattr(self, own.name) for own in fields(self)))
        return _Parcel(hashlib.sha256(content).hexdigest(), content)

    def _ipython_key_completions_(self) -> list[str]:
        """List the names of the elements, for completion of `model["`."""
        return self.names

    def _repr_html_(self) -> str:
        """A small table for notebooks: what the model holds, and over which times it runs."""
        shown = [element for element in self if not element.hidden]
        counts = Counter(element.kind for element in shown)
        settings = [self.elements[name] for name in map(key, RUN_SETTINGS) if name in self.elements]
        rows = {
            "variables": ", ".join(f"{counts[kind]} {kind}" for kind in get_args(Kind) if counts[kind]),
            "groups": ", ".join(group.name for group in self.groups),
            "views": ", ".join(_VIEW_NAME.findall(self.text)),
            "times": "; ".join(
                f"{element.name} {equation.text} {element.units}".strip()
                for element in settings
                for equation in element.equations
            ),
            "integrator": self.integrator,
            "SHA-256": self.sha256[:12],
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in rows.items()
            if text
        )
        return f"<table><caption><b>{escape(self.path)}</b></caption>{cells}</table>"

    @property
    def names(self) -> list[str]:
        """The names of the elements in the order of the file, without hidden ones."""
        return [element.name for element in self if not element.hidden]

    @property
    def time_units(self) -> str:
        """The units of time: those of INITIAL TIME; empty if the model says none."""
        return self["INITIAL TIME"].units if "INITIAL TIME" in self else ""

    def __getitem__(self, name: str) -> Element:
        """Return the element of that name in any spelling."""
        if (found := self.elements.get(key(name))) is None:
            close = nearest(name, self.names)
            message = f"'{name}' is not in the model" + (f"; did you mean '{close}'?" if close else "")
            raise KeyError(message)
        return found

    def owner_of(self, element: Element) -> Element:
        """The element that a hidden one was made for, `name#number`; the element itself if it is not hidden, or a macro's."""
        return self.elements.get(element.key.rpartition("#")[0], element) if element.hidden else element

    def __contains__(self, name: str) -> bool:
        return key(name) in self.elements

    def __iter__(self) -> Iterator[Element]:
        return iter(self.elements.values())

    def __len__(self) -> int:
        return len(self.elements)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The spelling of every label in the model, by key."""
        ranges = self.subscripts.values()
        return MappingProxyType(
            {own: label for found in ranges for own, label in zip(found.keys, found.labels, strict=True)}
        )

    @cached_property
    def mentions_missing(self) -> bool:
        """Whether an equation or a table contains `:NA:`, or a function that can give it."""
        return any(map(_can_be_missing, self._parts()))

    @cached_property
    def draws(self) -> bool:
        """Whether an equation draws random numbers."""
        return any(isinstance(part, VensimFunction) and part.row.draws for part in self._parts())

    def _parts(self) -> Iterator[Expr]:
        """Every part of every equation."""
        return (part for element in self for equation in element.equations for part in walk(equation.expression))

    @cached_property
    def range_identifiers(self) -> Mapping[str, str]:
        """The name of each subscript range's dimension in a dataset, by key; it differs from every variable's name."""
        names = identifiers((_TIME, *self.elements, *self.subscripts))
        return MappingProxyType({name: names[name] for name in self.subscripts})

    @cached_property
    def identifiers(self) -> Mapping[str, str]:
        """The name of each element's variable in a dataset, by key."""
        names = identifiers((_TIME, *self.elements))
        return MappingProxyType({name: names[name] for name in self.elements})


def _can_be_missing(part: Expr) -> bool:
    if isinstance(part, Table):
        return any(y == NA for _, y in part.points)
    return bool(part == NA) if part.is_Float else isinstance(part, VensimFunction) and part.row.gives_missing


def takes_model(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a function whose first argument is a model say so where something else is given."""

    @wraps(work)
    def checking(*args: _P.args, **options: _P.kwargs) -> _T:
        given = args[0] if args else options.get("model")
        if not isinstance(given, Model):
            raise ModelError([Fault(work.__name__, f"{type(given).__name__} is not a model; read one with read_model")])
        return work(*args, **options)

    return checking
