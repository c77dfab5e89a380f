"""Gaps in data: which data variables lack data, whether equations need it, and `:NA:` in its place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sympy import Add, Expr, Mul, Pow, S

from ...errors import Fault
from ...extras import made_once
from ..algebra import NA, Numbers, Slice, Table, VensimFunction, is_reference, number, rebuild, split_reference, walk
from ..evaluation import evaluate
from ..functions.logic import IF_THEN_ELSE
from ..functions.memory import INTEG, SHIFT_IF_TRUE
from ..functions.table import FUNCTIONS, row_of
from ..names import key
from ..records import RUN_SETTINGS, Element, Model
from ..subscripts import Cell
from .variables import NOW, data_keyword, data_variables, has_points, points_in, with_points

_EQUAL, _UNEQUAL, _AND, _OR = (FUNCTIONS[name] for name in ("=", "<>", ":AND:", ":OR:"))
_PLAIN = (
    _EQUAL,
    _UNEQUAL,
    _AND,
    _OR,
    IF_THEN_ELSE,
    *(FUNCTIONS[name] for name in ("<", "<=", ">", ">=", ":NOT:", "MIN", "MAX")),
)


def missing_data(model: Model, changed: Mapping[str, float] = MappingProxyType({})) -> Iterator[Fault]:
    """Yield a fault for each data variable without any data that keeps the model from running, as equations need it.

    They do not need it where constants multiply it by 0 or choose something else, as switches between data and a model do; and
    what needs it may be missing too where some stock does not depend on it, as what compares a model with data. `changed`
    are constants by key that a run changes, nan if they differ between its members: what the model's own constants switch off
    must stay so. Before them come the files of a model that was read without them.
    """
    yield from model.unread_files
    yield from _faults(model, changed, needed=True)


def data_gaps(model: Model) -> Iterator[Fault]:
    """Yield a fault for each data variable that lacks data in some cells, or in all if a run does without; it has :NA: there."""
    yield from _faults(model, {}, needed=False)


def without_gaps(model: Model) -> Model:
    """Return a model that has :NA: as the data of each cell without data, and as the value of all that needs that data."""
    gaps = _gaps(model)
    if not gaps.lacking:
        return model
    missing = Table([(0.0, NA)])
    cells = (cell for found in gaps.lacking for cell in found.cells)
    filled = with_points(model, dict.fromkeys(cells, missing))
    names = {name for found in gaps.lacking for name in gaps.dependents(found)}
    elements = dict(filled.elements)
    for name in names:
        equations = tuple(
            replace(own, expression=_missing_value(own.expression)) if read & (names | gaps.missing) else own
            for own, read in zip(elements[name].equations, gaps.reads[name], strict=True)
        )
        elements[name] = replace(elements[name], equations=equations)
    return replace(filled, elements=MappingProxyType(elements)) if names else filled


def _missing_value(expression: Expr) -> Expr:
    """What stands for an equation whose value is missing at all times; a stock stays one."""
    missing = number(NA)
    if isinstance(expression, VensimFunction) and row_of(expression) is INTEG:
        return rebuild(expression, [S.Zero, missing])
    return FUNCTIONS["LOOKUP"].build(Table([(0.0, NA)]), NOW)


@dataclass(frozen=True, slots=True)
class _Lacking:
    """A data variable that lacks data: the cells that do; where all do, its names and those of what repeats its data."""

    element: Element
    cells: tuple[Cell, ...]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Gaps:
    """The data variables that lack data, and what the value of each equation depends on by the key of its element.

    Both are as far as can be seen; `switches` are the constants by key that it depends on. `readers` are the keys of the elements
    that depend on each name.
    """

    lacking: tuple[_Lacking, ...]
    reads: Mapping[str, tuple[frozenset[str], ...]]
    readers: Mapping[str, list[str]]
    switches: AbstractSet[str]

    @property
    def missing(self) -> frozenset[str]:
        """The names of all that is :NA: since no cell has data."""
        return frozenset().union(*(found.names for found in self.lacking))

    def dependents(self, lacking: _Lacking) -> set[str]:
        """The keys of all elements that depend on a data variable without any data, directly or through others."""
        found: set[str] = set()
        waiting = list(lacking.names)
        while waiting:
            for reader in self.readers.get(waiting.pop(), ()):
                if reader not in found:
                    found.add(reader)
                    waiting.append(reader)
        return found


@made_once
def _gaps(model: Model) -> _Gaps:
    """The gaps of a model with its own constants."""
    return _find_gaps(model, {})


def _find_gaps(model: Model, changed: Mapping[str, float]) -> _Gaps:
    lacking = tuple(_lacking(model))
    missing = frozenset().union(*(found.names for found in lacking))
    settled = _Settled(model, missing, dict(changed))
    reads = {
        other.key: tuple(frozenset(settled.reads(own.expression)) for own in other.equations)
        for other in model
        if missing and other.key not in missing
    }
    readers: dict[str, list[str]] = {}
    for reader, equations in reads.items():
        for name in frozenset().union(*equations):
            readers.setdefault(name, []).append(reader)
    return _Gaps(lacking, reads, readers, settled.known.keys())


def _lacking(model: Model) -> Iterator[_Lacking]:
    for element, points in data_variables(model):
        if model.unread_files and any(own.text for own in element.equations):
            continue  # a file of its own lacks, which is reported instead
        tables = points_in(model, points)
        cells = tuple(cell for cell, table in tables.items() if not has_points(table))
        names = set()
        if len(cells) == len(tables):
            names = {
                own.key for own in model if all(_repeats(model, one.expression, points.key) for one in own.equations)
            }
            names |= {element.key, points.key}
        if cells:
            yield _Lacking(element, cells, frozenset(names))


def _faults(model: Model, changed: Mapping[str, float], *, needed: bool) -> Iterator[Fault]:
    gaps = _gaps(model)
    dependents = {found.element.key: gaps.dependents(found) for found in gaps.lacking}
    if changed:
        again = _find_gaps(model, changed) if gaps.switches & changed.keys() else gaps
        stop = {own.element.key for own in again.lacking if again.dependents(own) - dependents[own.element.key]}
    else:
        stop = {name for name, keys in dependents.items() if keys} if _stops(model, dependents) else set()
    for found in gaps.lacking:
        if needed != (found.element.key in stop):
            continue
        labels = ", ".join(model.labels.get(label, label) for label in found.cells[0].labels)
        which = f"'{found.element.name}[{labels}]'" if labels else f"'{found.element.name}'"
        more = f" (and {len(found.cells) - 1} more of its cells)" if len(found.cells) > 1 else ""
        what = f"{which} is a data variable without data{more}"
        if not needed:
            what += f", and so :NA:{_also_missing(model, dependents[found.element.key])}"
        cure = "give a file that has it with --data FILE, or time courses in Python with data="
        yield Fault(found.element.place, f"{what}; {cure}")


def _stops(model: Model, dependents: Mapping[str, AbstractSet[str]]) -> bool:
    """Whether a model does not run without what depends on missing data: no stock is left, or a run cannot do without it."""
    names = {name for keys in dependents.values() for name in keys}
    if not names:
        return False
    if any(key(name) in names for name in RUN_SETTINGS):
        return True
    parts = (part for name in names for own in model.elements[name].equations for part in walk(own.expression))
    if any(isinstance(part, VensimFunction) and row_of(part) is SHIFT_IF_TRUE for part in parts):
        return True
    return not any(own.kind == "stock" and not own.hidden and own.key not in names for own in model)


def _also_missing(model: Model, names: AbstractSet[str]) -> str:
    owners = (model.owner_of(element) for element in model if element.key in names)
    shown = list(dict.fromkeys(owner.name for owner in owners if not owner.hidden))
    if not shown:
        return ""
    first = f"'{shown[0]}'"
    return f", as is {first}" if len(shown) == 1 else f", as are {first} and {len(shown) - 1} more that need it"


def _repeats(model: Model, expression: Expr, points: str) -> bool:
    return data_keyword(model, expression) is not None and split_reference(expression.args[0])[0] == points


@dataclass(slots=True)
class _Settled:
    """What any run of a model computes where some data is :NA:, as far as constants alone decide it."""

    model: Model
    missing: frozenset[str]
    known: dict[str, float] = field(default_factory=dict)

    def value(self, expression: Expr) -> float:
        """The value of an expression, or nan where it differs between times or runs."""
        if is_reference(expression):
            name, subscripts = split_reference(expression)
            return NA if name in self.missing else math.nan if subscripts else self._of(name)
        if expression.is_Number:
            return float(expression)
        if not isinstance(expression, Add | Mul | Pow):
            known = not isinstance(expression, Table | Numbers | Slice) and row_of(expression) in _PLAIN
            return self._logic(expression) if known else math.nan
        values = [self.value(part) for part in expression.args]
        if isinstance(expression, Mul) and 0 in values:
            return 0.0
        return self._computed(expression, values)

    def reads(self, expression: Expr) -> Iterator[str]:
        """The names that the value of an expression depends on, with data in place of :NA:, as far as can be seen."""
        if is_reference(expression):
            yield split_reference(expression)[0]
            return
        parts = expression.args
        if isinstance(expression, Mul) and self.value(expression) == 0:
            return
        if parts and not isinstance(expression, Add | Mul | Pow | Table | Numbers | Slice):
            row = row_of(expression)
            if row is IF_THEN_ELSE and not math.isnan(chosen := self.value(parts[0])):
                yield from self._known(parts[:1])
                parts = parts[1:2] if chosen else parts[2:]
            elif row in (_EQUAL, _UNEQUAL) and any(part.is_Number and float(part) == NA for part in parts):
                yield from self._known(parts)
                return
            elif row in (_AND, _OR):
                deciding = [
                    part for part in parts if not math.isnan(own := self.value(part)) and bool(own) is (row is _OR)
                ]
                parts = deciding[:1] or parts
        for part in parts:
            yield from self.reads(part)

    def _known(self, parts: Iterable[Expr]) -> Iterator[str]:
        """What parts read besides the data that is :NA: for sure."""
        return (name for part in parts for name in self.reads(part) if name not in self.missing)

    def _of(self, name: str) -> float:
        if name not in self.known:
            self.known[name] = math.nan  # for one that depends on itself
            element = self.model.elements.get(name)
            if element is not None and len(element.equations) == 1 and not element.dimensions:
                self.known[name] = self.value(element.equations[0].expression)
        return self.known[name]

    def _logic(self, expression: Expr) -> float:
        row, values = row_of(expression), [self.value(part) for part in expression.args]
        if row is IF_THEN_ELSE:
            return values[0] if math.isnan(values[0]) else values[1 if values[0] else 2]
        if row in (_EQUAL, _UNEQUAL) and NA in values and any(map(math.isnan, values)):
            return float(row is _UNEQUAL)  # what a model computes is not :NA:
        if row is _OR and any(value and not math.isnan(value) for value in values):
            return 1.0
        if row is _AND and 0 in values:
            return 0.0
        return self._computed(expression, values)

    def _computed(self, expression: Expr, values: list[float]) -> float:
        if any(map(math.isnan, values)):
            return math.nan
        return evaluate(
            self.model.subscripts, rebuild(expression, [number(value) for value in values]), {}, lambda _: math.nan
        )
