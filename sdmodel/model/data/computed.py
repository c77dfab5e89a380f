"""Functions of data, such as GET DATA LAST TIME, of data that is computed from other data: its points become an array over their times.

What a data equation computes depends on constants, which change from run to run. Its points are therefore not known when a model is
read. Computed data has a point at every time at which some of the data that it reads has one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, pairwise
from types import MappingProxyType

from sympy import Expr

from ...errors import Fault, ModelError
from ..algebra import (
    NA,
    Numbers,
    Slice,
    Table,
    VensimFunction,
    add,
    divide,
    is_reference,
    make_reference,
    multiply,
    negate,
    number,
    references_in,
    split_reference,
    transform,
    walk,
)
from ..functions.data import AT_TIME, PRECISION, TOTALLED, TOTALS, time_slack
from ..functions.reductions import unclaimed_ranges
from ..functions.table import FUNCTIONS
from ..names import MARK
from ..records import Element, Equation, Model, Subscript
from ..subscripts import MOST_CELLS, count_cells
from .variables import NOW, data_keyword, has_points, reads_computed

_TIMES = "times#computed"
"""The hidden range of the times."""
_POINTS, _THERE = "#points", "#there"
"""What is added to the name of computed data for its values at these times, and for whether it has a point there: 1 or 0."""
_KEPT = "#read"
"""What is added, with a number, to the name of a variable that reads computed data, for a part of what it computes."""
_FAR = 1e300

_if, _sum, _and, _equal, _above, _reaches = (
    FUNCTIONS[name].build for name in ("IF THEN ELSE", "SUM", ":AND:", "=", ">", ">=")
)


def with_computed_points(model: Model) -> Model:
    """Return the model with expressions over arrays in place of the functions of data that read computed data.

    Raises ModelError if what they read depends on no data, or on more than data and constants.
    """
    calls = [call for element in model for equation in element.equations for call in equation.calls]
    roots = dict.fromkeys(split_reference(call.args[0])[0] for call in calls if reads_computed(call))
    if not roots:
        return model
    varying = _varying(model, roots)
    builder = _Builder(model, varying, _times(model, varying))
    elements = {name: builder.without_calls(element) for name, element in model.elements.items()}
    hidden = chain(builder.kept, *(builder.arrays(elements[name]) for name in varying))
    elements |= {element.key: element for element in hidden}
    labels = tuple(f"{_TIMES}{place}" for place, _ in enumerate(builder.times, 1))
    ranges = {**model.subscripts, _TIMES: Subscript(_TIMES, labels)}
    for name in varying:
        if count_cells(ranges, (*model.elements[name].dimensions, _TIMES)) > MOST_CELLS:
            raise _refused(model.elements[name], "has too many")
    return replace(model, elements=MappingProxyType(elements), subscripts=MappingProxyType(ranges))


def _varying(model: Model, roots: Iterable[str]) -> tuple[str, ...]:
    """The keys of what functions of data read, and of the variables that it depends on and that change in time."""
    readers, data, known = defaultdict[str, list[str]](list), list[str](), set[str]()
    waiting = [*roots]
    while waiting:
        name = waiting.pop()
        if name in known or name not in model.elements:
            continue
        known.add(name)
        for equation in model.elements[name].equations:
            if isinstance(equation.expression, VensimFunction) and equation.expression.name == "INITIAL":
                continue
            if wrong := next((call.name for call in equation.calls if _cannot_move(call)), ""):
                raise _refused(model.elements[name], f"has {wrong}")
            if any(_reads_data(model, call) for call in equation.calls):
                data.append(name)
            for read in {split_reference(part)[0] for part in references_in(equation.expression)}:
                readers[read].append(name)
                waiting.append(read)
    of_data = _reached(data, readers)
    for root in roots:
        if root not in of_data:
            raise _refused(model.elements[root], "depends on no data")
    return tuple(name for name in _reached([NOW.name, *data], readers) if name in model.elements)


def _reached(starts: Iterable[str], readers: Mapping[str, Sequence[str]]) -> dict[str, None]:
    """What reads some names, directly or through others, with these names."""
    found, waiting = dict.fromkeys(starts), [*starts]
    while waiting:
        new = [name for name in readers.get(waiting.pop(), ()) if name not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return found


def _reads_data(model: Model, expression: Expr) -> bool:
    """Whether an expression reads data at Time, or at Time and a number."""
    return data_keyword(model, expression) is not None and NOW in walk(expression.args[1])


def _cannot_move(call: VensimFunction) -> bool:
    """Whether a function has no value at a time of its own."""
    return bool(call.row.memory or call.row.expand or call.row.draws or reads_computed(call))


def _refused(element: Element, why: str) -> ModelError:
    what = f"functions of data read points that are known before the run, and '{element.name}' {why}"
    return ModelError([Fault(element.place, f"{what}; read data that depends on data and constants alone")])


def _times(model: Model, varying: Iterable[str]) -> tuple[float, ...]:
    """All times at which data that is read has a point, each once in single precision."""
    found: set[float] = set()
    for element in map(model.elements.__getitem__, varying):
        for part in chain.from_iterable(walk(own.expression) for own in element.equations):
            if not _reads_data(model, part):
                continue
            shift = part.args[1].subs(NOW, 0)
            if not shift.is_Number:
                raise _refused(element, "adds something else than a number to Time")
            points = model.elements[split_reference(part.args[0])[0]]
            total = TOTALS.get(part.name.split()[0], lambda table: table)
            for table in (own.expression for own in points.equations if has_points(own.expression)):
                found |= {time - float(shift) for time, _ in total(table).points}
    times = sorted(found) or [0.0]
    return tuple(late for early, late in pairwise([-math.inf, *times]) if late - early > time_slack(late))


@dataclass(frozen=True)
class _Builder:
    """Builds arrays over the `times` for the `varying` variables, and what reads them."""

    model: Model
    varying: Container[str]
    times: Sequence[float]
    kept: list[Element] = field(default_factory=list)

    def without_calls(self, element: Element) -> Element:
        """The element without calls that read computed data; what they compute on the way is added to what is `kept`."""
        if not any(reads_computed(call) for own in element.equations for call in own.calls):
            return element
        equations = (
            replace(own, expression=transform(own.expression, partial(self._replaced, element, own)))
            for own in element.equations
        )
        return replace(element, equations=tuple(equations))

    def _keep(self, element: Element, equation: Equation, expression: Expr) -> Expr:
        """A reference to a new hidden element, which computes an expression of an equation once."""
        name = f"{element.key}{_KEPT}{len(self.kept)}"
        own = replace(equation, expression=expression)
        self.kept.append(Element(name, "auxiliary", (own,), element.dimensions, hidden=True))
        return make_reference(name, *equation.subscripts)

    def time(self, mark: str = "") -> Expr:
        """The time of a label of the range."""
        place = make_reference(_TIMES, _TIMES + mark) if mark else make_reference(_TIMES)
        return FUNCTIONS["LOOKUP BACKWARD"].build(Table([*enumerate(self.times, 1)]), place)

    def arrays(self, element: Element) -> Iterator[Element]:
        """Yield the hidden arrays of a variable over the times: its values, and where it has points."""
        for role, build in ((_POINTS, self._values), (_THERE, self._is_there)):
            yield Element(
                f"{element.key}{role}",
                "auxiliary",
                tuple(
                    replace(
                        own,
                        expression=build(element, own),
                        subscripts=(*own.subscripts, _TIMES),
                        exceptions=tuple((*exception, _TIMES) for exception in own.exceptions),
                    )
                    for own in element.equations
                ),
                (*element.dimensions, _TIMES),
                hidden=True,
            )

    def _at_times(self, reference: Expr, role: str) -> Expr | None:
        """The values of a variable at the time of the label; None for what does not vary."""
        name, indices = split_reference(reference)
        return make_reference(f"{name}{role}", *indices, _TIMES) if name in self.varying else None

    def _values(self, element: Element, equation: Equation) -> Expr:
        def at_time(part: Expr) -> Expr | None:
            if isinstance(part, Slice) and split_reference(part.reference)[0] in self.varying:
                raise _refused(element, "has a function of whole arrays")
            if part == NOW:
                return self.time()
            return self._at_times(part, _POINTS) if is_reference(part) else None

        whole = equation.expression
        if isinstance(whole, Numbers) and len(whole.values) > 1:  # a single number serves every cell
            return Numbers([value for value in whole.values for _ in self.times])
        return transform(whole, at_time)

    def _is_there(self, element: Element, equation: Equation) -> Expr:
        """1 where some data has a point and the value is not :NA:; else 0."""
        found = dict[Expr, None]()
        for part in walk(equation.expression):
            if _reads_data(self.model, part):
                total = part.name.split()[0]
                read = TOTALLED[total, AT_TIME.name] if total in TOTALS else AT_TIME
                value = read.build(
                    part.args[0], transform(part.args[1], lambda own: self.time() if own == NOW else None)
                )
                found[_if(_equal(value, number(NA)), number(0), number(1))] = None
            elif is_reference(part) and (there := self._at_times(part, _THERE)) is not None:
                found[there] = None
        count = add(number(0), *(_sum(own) if unclaimed_ranges(own) else own for own in found))
        value = make_reference(f"{element.key}{_POINTS}", *equation.subscripts, _TIMES)
        return _if(_and(_above(count, number(0)), FUNCTIONS["<>"].build(value, number(NA))), number(1), number(0))

    def _replaced(self, element: Element, equation: Equation, call: Expr) -> Expr | None:
        """An expression over the arrays in place of a function of data that reads computed data."""
        if not reads_computed(call):
            return None
        name, indices = split_reference(call.args[0])
        value, there = (make_reference(f"{name}{role}", *indices, _TIMES + MARK) for role in (_POINTS, _THERE))
        found = _Found(value, _above(there, number(0)), self.time(MARK), partial(self._keep, element, equation))
        match call.name.removeprefix("GET DATA "), call.args[1:]:
            case "FIRST TIME", _:
                return found.if_any(found.there, found.extreme("MIN", found.there, found.time))
            case "LAST TIME", _:
                return found.if_any(found.there, found.extreme("MAX", found.there, found.time))
            case "AT TIME", (time,):
                return found.if_any(near := found.within(time, time), found.sum(near))
            case "BETWEEN TIMES", (time, mode):
                return found.between(time, mode)
            case "TOTAL POINTS", (start, end):
                return found.count(found.within(start, _if(_above(end, number(NA)), end, number(_FAR))))
            case "MIN" | "MAX" as least_or_most, (start, end):
                inside = found.within(start, end)
                return found.if_any(inside, found.extreme(least_or_most, inside, found.value))
            case "MEAN", (start, end):
                return found.if_any(inside := found.within(start, end), found.mean(inside, found.value))
            case "STDV", (start, end):
                inside = found.within(start, end)
                distance = add(found.value, negate(found.keep(found.mean(inside, found.value))))
                variance = found.mean(inside, multiply(distance, distance))
                return found.if_any(inside, FUNCTIONS["SQRT"].build(variance))
        what = f"{call.name} cannot read '{self.model.elements[name].name}', which is computed from other data"
        place = equation.parts.get(call, equation.place)
        raise ModelError([Fault(place, f"{what}; name data that is declared without an equation or reads a file")])


@dataclass(frozen=True)
class _Found:
    """The points of computed data along the range of times: the value, whether there is a point, and the time."""

    value: Expr
    there: Expr
    time: Expr
    keep: Callable[[Expr], Expr]

    def within(self, start: Expr, end: Expr) -> Expr:
        """Whether there is a point from one time to another, in single precision."""
        return _and(self.there, _and(_reaches(self.time, _moved(start, -1)), _reaches(_moved(end, 1), self.time)))

    def count(self, test: Expr) -> Expr:
        return _sum(_if(test, number(1), number(0)))

    def sum(self, test: Expr, of: Expr | None = None) -> Expr:
        return _sum(_if(test, of or self.value, number(0)))

    def mean(self, test: Expr, of: Expr) -> Expr:
        return divide(self.sum(test, of), FUNCTIONS["MAX"].build(self.count(test), number(1)))

    def extreme(self, name: str, test: Expr, of: Expr) -> Expr:
        """The smallest (MIN) or largest (MAX) of an expression at the points."""
        return FUNCTIONS[f"V{name}"].build(_if(test, of, number(_FAR if name == "MIN" else -_FAR)))

    def if_any(self, test: Expr, result: Expr) -> Expr:
        """A result where there is a point, and else :NA:."""
        return _if(_above(self.count(test), number(0)), result, number(NA))

    def between(self, time: Expr, mode: Expr) -> Expr:
        """The value at a time as GET DATA BETWEEN TIMES finds it."""
        before, after = self.within(number(-_FAR), time), self.within(time, number(_FAR))
        early, late = map(self.keep, (self.extreme("MAX", before, self.time), self.extreme("MIN", after, self.time)))
        first, last = (self.sum(_and(self.there, _equal(self.time, own))) for own in (early, late))
        along = divide(multiply(add(last, negate(first)), add(time, negate(early))), add(late, negate(early)))
        linear = _if(_above(late, early), add(first, along), first)
        chosen = _if(_reaches(mode, number(0.5)), last, _if(_reaches(mode, number(-0.5)), linear, first))
        return self.if_any(before, self.if_any(after, chosen))


def _moved(time: Expr, sign: int) -> Expr:
    """A time moved by less than single precision sees."""
    return add(time, multiply(number(sign * PRECISION), add(number(1), FUNCTIONS["ABS"].build(time))))
