"""Find what is wrong with a model that was read: every fault in one pass, each with its place."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from sympy import Expr, Indexed, Symbol

from ..errors import Fault, ModelError, Place, format_count
from ..extras import LazyModule
from .algebra import Numbers, Slice, Table, VensimFunction, is_reference, make_reference, split_reference
from .data.variables import reads_computed
from .frames import CellArray, UnequalError, labels_at, new_array, span
from .functions.reductions import is_reduction, reduction_ranges, unclaimed_ranges
from .functions.refused import unknown_function
from .functions.row import AXES
from .names import MARK, Suggestions, key
from .order import UnfinishedError, cell_name, plan
from .records import REQUIRED_SETTINGS, Element, Equation, Model
from .subscripts import (
    MOST_CELLS,
    TIME,
    Cell,
    SubscriptFault,
    bindings,
    count_cells,
    inner_bindings,
    labels_of,
    resolve,
    too_many_cells,
    unclaimed_message,
)
from .text import equation_text, quote_name

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")

_MANY = 64
"""From this number of cells on, arrays are quicker."""

_LOGIC = re.compile(r"(?:(.+)_)?(and|or|not)_(.+)")
_SIGN = re.compile(r"(.+?)_?(%|&&?)_?(.+)")
_TRUTH = {"true": "1", "false": "0"}

Role = Literal["number", "lookup", "range"]
Uses = dict[tuple[Expr, Role], None]
_ROLES: Mapping[str, Role] = {"table": "lookup", "range": "range"}


def find_faults(model: Model) -> tuple[Fault, ...]:
    """Return every fault of a model: in names, subscripts and definitions, and then cycles.

    Data variables without data, and incomplete equations, do not count: a model may have them while it is made.
    """
    search = _Search(model)
    faults = [*search.missing_settings(), *search.bad_ranges()]
    large = [*too_many_cells(model)]
    for element in model:
        faults += search.taken_name(element)
        faults += () if large else search.double_definitions(element)
        for equation in element.equations:
            faults += search.bad_left_side(element, equation)
            uses = _uses(equation.expression)
            faults += search.bad_references(equation, uses)
            faults += search.bad_marks(equation, uses)
            faults += search.bad_arrays(equation)
    faults += large
    if not faults:
        faults += search.undefined_cells()
    if not faults:
        try:
            plan(model)
        except UnfinishedError:
            pass
        except ModelError as error:
            faults += error.faults
    return tuple(faults)


def _uses(expression: Expr) -> Uses:
    """Return every reference in an expression with its role, and whatever stands in the place of a lookup or a range."""
    found: Uses = {}
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if is_reference(part):
            found[part, "number"] = None
        elif isinstance(part, Slice):
            found[part, "number"] = found[part.reference, "number"] = None
        elif isinstance(part, VensimFunction) and not _ROLES.keys().isdisjoint(part.row.kinds):
            kinds = (*part.row.kinds, *[""] * len(part.args))
            pairs = [(argument, _ROLES.get(kind, "number")) for argument, kind in zip(part.args, kinds, strict=False)]
            if reads_computed(part):
                pairs[0] = part.args[0], "number"
            found |= dict.fromkeys(pair for pair in pairs if pair[1] != "number")
            waiting += [argument for argument, role in reversed(pairs) if role == "number"]
        else:
            waiting += part.args[::-1]
    return found


def _as_written(equation: Equation, name: str) -> str:
    """Return an undefined name as written in the model, found by its key in the text of the equation."""
    text, keys = _searchable(equation.text)
    found = re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", keys)
    return text[slice(*found.span())] if found and len(keys) == len(text) else name.replace("_", " ")


@lru_cache(maxsize=1)  # an equation may have thousands of undefined names
def _searchable(text: str) -> tuple[str, str]:
    plain = " ".join(text.split())
    return plain, key(plain)


@dataclass(eq=False)
class _Search:
    """The search for faults; `defined` and `arrays` cache the cells of elements."""

    model: Model
    suggestions: Suggestions = field(default_factory=Suggestions)
    defined: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    arrays: dict[str, CellArray[int]] = field(default_factory=dict)

    @cached_property
    def ranges_and_labels(self) -> frozenset[str]:
        return frozenset((*self.model.subscripts, *self.model.labels))

    def missing_settings(self) -> Iterator[Fault]:
        for name in REQUIRED_SETTINGS:
            if name not in self.model:
                what = f"{name} is not defined; a model needs {', '.join(REQUIRED_SETTINGS)}"
                yield Fault(Place(self.model.path, 1), what)

    def bad_ranges(self) -> Iterator[Fault]:
        for name, own in self.model.subscripts.items():
            if name == TIME.key:
                yield Fault(own.place, f"{own.name} is the name of the time of a run; give the range another name")
            for mapping in own.mappings:
                target = self.model.subscripts.get(mapping.target)
                if target is not None and not mapping.labels and len(target.keys) != len(own.keys):
                    what = f"'{own.name}' has {format_count(len(own.keys), 'label')} and '{target.name}' {len(target.keys)}"
                    cure = "map ranges of the same length, or list which label maps to which"
                    yield Fault(own.place, f"{what}; {cure}")

    def taken_name(self, element: Element) -> Iterator[Fault]:
        """Report an element whose name already means something else."""
        if element.key == TIME.key:
            yield Fault(
                element.place, f"{element.name} is the name of the time of a run; give this element another name"
            )
        elif element.key in self.ranges_and_labels:
            what = "subscript range" if element.key in self.model.subscripts else "label"
            yield Fault(element.place, f"'{element.name}' is the name of a {what} too; give one of them another name")

    def double_definitions(self, element: Element) -> Iterator[Fault]:
        """Report the first cell of an equation that one before it defines; the cells of one equation differ."""
        if len(element.equations) == 1:
            return
        known = [own for own in element.equations if not self.unknown_names(own)]
        ranks = {len(own.subscripts) for own in known}
        if len(known) <= 1 or len(ranks) > 1:
            return
        subscripts = self.model.subscripts
        if any(count_cells(subscripts, own.subscripts) >= _MANY for own in known):
            twice = self._double_in_arrays(element, known)
        else:
            twice = self._double_one_by_one(known)
        for labels, first, equation in twice:
            name = cell_name(self.model, Cell(element.key, labels))
            what = f"'{name}' is defined a second time; first at line {first.place.line}; delete one"
            yield Fault(equation.place, what)

    def _double_one_by_one(self, equations: list[Equation]) -> Iterator[tuple[tuple[str, ...], Equation, Equation]]:
        seen: dict[tuple[str, ...], Equation] = {}
        for equation in equations:
            for labels, _ in bindings(self.model.subscripts, equation):
                if labels in seen:
                    yield labels, seen[labels], equation
                    break
                seen[labels] = equation

    def _double_in_arrays(
        self, element: Element, equations: list[Equation]
    ) -> Iterator[tuple[tuple[str, ...], Equation, Equation]]:
        owners = new_array(self.model.subscripts, replace(element, equations=tuple(equations)), -1)
        for number, equation in enumerate(equations):
            frame, columns = span(self.model.subscripts, equation)
            index = owners.index(columns, len(frame.lengths))
            before = np.broadcast_to(owners.values[index], frame.lengths)
            if (before >= 0).any():
                place = int((before >= 0).argmax())
                yield labels_at(frame, columns, place), equations[before.flat[place]], equation
            owners.values[index] = np.where(before < 0, number, before)

    def unknown_names(self, equation: Equation) -> list[str]:
        left_side = itertools.chain(equation.subscripts, *equation.exceptions)
        return [name for name in left_side if name not in self.ranges_and_labels]

    def bad_marks(self, equation: Equation, uses: Uses) -> Iterator[Fault]:
        """Report ranges marked with `!` outside of a reduction, and reductions without a range, or with an unclear one."""
        plain = all(isinstance(part, Symbol) for part, _ in uses)
        for name in () if plain else unclaimed_ranges(equation.expression):
            yield Fault(equation.places.get(name.removesuffix(MARK), equation.place), unclaimed_message(name))
        for part in filter(is_reduction, equation.calls):
            ranges = [name.removesuffix(MARK) for name in reduction_ranges(part)]
            if not ranges:
                what = f"{part.name} does not run over a range; mark one with !, as in {part.name}(x[range!])"
                yield Fault(equation.place, what)
            yield from (self.unclear_count(equation, name, part.name) for name in ranges if self.repeated(name))

    def repeated(self, name: str) -> str:
        return self.model.subscripts[name].repeated if name in self.model.subscripts else ""

    def unclear_count(self, equation: Equation, name: str, function: str) -> Fault:
        """Report a function that may or may not count a label twice."""
        what = f"the range '{self.model.subscripts[name].name}' lists '{self.repeated(name)}' twice"
        cure = f"{function} needs a range that lists each label once"
        return Fault(equation.places.get(name, equation.place), f"{what}; {cure}")

    def bad_left_side(self, element: Element, equation: Equation) -> Iterator[Fault]:
        unknown = self.unknown_names(equation)
        yield from (self.unknown_subscript(equation, name, equation.place) for name in unknown)
        count = len(element.equations[0].subscripts)
        if len(equation.subscripts) != count:
            what = f"'{element.name}' has {format_count(len(equation.subscripts), 'subscript')} here and {count} before; use {count}"
            yield Fault(equation.place, what)
        for exception in equation.exceptions:
            if len(exception) != len(equation.subscripts):
                what = ":EXCEPT: has another number of subscripts than the left-hand side; give the same number"
                yield Fault(equation.place, what)
        if isinstance(equation.expression, Numbers) and not unknown:
            cells = count_cells(self.model.subscripts, equation.subscripts)
            if equation.exceptions and cells <= MOST_CELLS:
                cells = span(self.model.subscripts, equation)[0].cells
            given = len(equation.expression.values)
            if given not in {1, cells}:
                what = f"'{element.name}' has {format_count(cells, 'element')} here but {format_count(given, 'number')}; give one for each element"
                yield Fault(equation.place, what)

    def unknown_subscript(self, equation: Equation, name: str, place: Place) -> Fault:
        ranges = (own.name for own in self.model.subscripts.values())
        close = self.suggestions.nearest(name, itertools.chain(ranges, self.model.labels.values()))
        cure = f"did you mean '{close}'?" if close else "define it"
        return Fault(place, f"'{_as_written(equation, name)}' is neither a subscript range nor a label; {cure}")

    def variable_subscript(self, equation: Equation, element: Element, index: str, *, called: bool) -> Fault:
        """The fault of a variable in brackets, which would choose an element during the run, as other languages allow."""
        name, variable = element.name, self.model.elements[index].name
        cure = "write a range or a label there"
        (dimension, *others) = element.dimensions or ("",)
        if dimension in self.model.subscripts and not others:
            shown, labels = self.model.subscripts[dimension].name, self.model.subscripts[dimension].labels
            cure = f"write VECTOR ELM MAP({name}[{labels[0]}], {variable} - 1)"
            if called and element.kind == "lookup":
                cure = f"write SUM(IF THEN ELSE({shown}! = {variable}, {name}[{shown}!](x), 0))"
            elif called:
                cure += f"; '{name}' is not a lookup and takes no argument in parentheses"
        place = equation.places.get(index, equation.place)
        return Fault(place, f"'{variable}' is a variable, and what is in brackets cannot change in a run; {cure}")

    def bad_references(self, equation: Equation, uses: Uses) -> Iterator[Fault]:
        for part, role in uses:
            fault = None
            if role == "range":
                name = split_reference(part)[0] if is_reference(part) else str(part)
                if not isinstance(part, Symbol) or name not in self.model.subscripts:
                    what = f"ELMCOUNT counts the labels of a range, and '{_as_written(equation, name)}' is not a range"
                    fault = Fault(equation.places.get(name, equation.place), f"{what}; name a range")
                elif self.repeated(name):
                    fault = self.unclear_count(equation, name, "ELMCOUNT")
            elif is_reference(part):
                fault = self.bad_reference(equation, part, called=role == "lookup")
            elif not isinstance(part, Table | Slice):
                cure = "this argument of the function must be the name of a lookup"
                fault = Fault(equation.place, f"'{part}' is not a lookup; {cure}")
            if fault:
                yield fault

    def bad_arrays(self, equation: Equation) -> Iterator[Fault]:
        """Report functions of whole arrays that do not get one, or get one of another shape than their result."""
        for call in equation.calls:
            if call.row.takes_arrays:
                what = self.bad_array(call) or self.bad_result(equation, call)
                if what:
                    yield Fault(equation.parts.get(call, equation.place), f"{call.name} {what}")

    def bad_array(self, call: VensimFunction) -> str:
        """What is wrong with the arguments of a function of whole arrays, or an empty text."""
        before = 0
        for argument, kind, name in zip(call.args, call.row.kinds, call.row.arguments, strict=True):
            if kind not in AXES:
                continue
            if kind == "series" and not isinstance(argument, Slice | Indexed):
                continue
            if not isinstance(argument, Slice):
                count = "two subscripts" if kind == "matrix" else "subscripts"
                return f"needs a variable with {count} as its '{name}'; make an expression a variable of its own"
            rows, *columns = (len(labels_of(self.model.subscripts, own)) for own in argument.ranges)
            if name.endswith(("profile", "profiles")) and [rows, *columns][-1] < 3:  # noqa: PLR2004
                return f"needs a type, a priority and a width in each of its '{name}'; give their range three labels or four"
            if name.endswith(("profiles", "priority")) and before != rows:
                return f"needs as many '{name}' as numbers before them, {before}; give them the same subscripts"
            if call.row.spreads > 1 and columns != [rows]:
                matrix = equation_text(self.model, argument)
                return f"needs as many rows as columns, and '{matrix}' has {rows} and {columns[0]}; give it ranges of one length"
            before = rows
        return "takes a whole array; leave out the '!'" if call.row.spreads and reduction_ranges(call) else ""

    def bad_result(self, equation: Equation, call: VensimFunction) -> str:
        """Why the array that a function returns does not fit the left-hand side, or an empty text."""
        count, subscripts = call.row.spreads, self.model.subscripts
        own = equation.subscripts[len(equation.subscripts) - count :] if count else ()
        if len(equation.subscripts) < count:
            return f"returns an array; give the left-hand side {'two subscripts' if count > 1 else 'a subscript'}"
        array = next(argument for argument in call.args if isinstance(argument, Slice))
        for name, along in zip(own, array.ranges[len(array.ranges) - len(own) :], strict=True):
            labels, others = labels_of(subscripts, name), labels_of(subscripts, along)
            if len(labels) != len(others) and not set(labels) <= set(others):
                shown = equation_text(self.model, make_reference(name))
                return f"returns {format_count(len(others), 'number')}, and '{shown}' on the left-hand side has {len(labels)}; give it as many"
        return ""

    def bad_reference(self, equation: Equation, part: Expr, *, called: bool) -> Fault | None:
        name, indices = split_reference(part)
        element = self.model.elements.get(name)
        if element and not (indices or element.equations[0].subscripts) and called is (element.kind == "lookup"):
            return None
        place = equation.places.get(name, equation.place)
        if element is None:
            is_number = name in self.model.subscripts and indices == (f"{name}!",)
            if indices and not is_number and (name == TIME.key or name in self.ranges_and_labels):
                return Fault(place, f"'{_as_written(equation, name)}' has no subscripts; leave them out")
            return self.undefined(equation, name, place, called=called)
        return self.bad_use(equation, element, indices, place, called=called)

    def bad_use(
        self, equation: Equation, element: Element, indices: tuple[str, ...], place: Place, *, called: bool
    ) -> Fault | None:
        """Report an element that is a lookup or not, or has other subscripts, than a reference to it needs."""
        for index in indices:
            if index in self.model.elements and index not in self.ranges_and_labels:
                return self.variable_subscript(equation, element, index, called=called)
        if called and element.kind != "lookup":
            return Fault(place, f"'{element.name}' is not a lookup; write * for a product")
        if element.kind == "lookup" and not called:
            return Fault(place, f"'{element.name}' is a lookup; give it an argument: {element.name}(x)")
        count = len(element.equations[0].subscripts)
        if len(indices) != count:
            return Fault(
                place, f"'{element.name}' has {format_count(count, 'subscript')} but {len(indices)} here; write {count}"
            )
        for index in indices:
            if index.removesuffix(MARK) not in self.model.subscripts and index not in self.model.labels:
                return self.unknown_subscript(equation, index, equation.places.get(index, place))
        return None

    def undefined(self, equation: Equation, name: str, place: Place, *, called: bool) -> Fault | None:
        """Report a name that is not an element, unless it is Time, or a range or label that stands for its number."""
        if called:
            return Fault(place, unknown_function(name, guess=self.suggestions.left > 0))
        if name == TIME.key or name in self.ranges_and_labels:
            return None
        close = self.suggestions.nearest(name, itertools.chain(["Time"], (element.name for element in self.model)))
        shown = _as_written(equation, name)
        cure = f"did you mean '{close}'?" if close else f"define it, or declare data with '{quote_name(shown)} ~~|'"
        if vensim := self.in_vensim(name):
            cure = f"write {vensim}"
        return Fault(place, f"'{shown}' is not defined; {cure}")

    def in_vensim(self, name: str) -> str:
        """What Vensim writes for a logical constant or operator of another language in an undefined name, or an empty text."""
        found = _LOGIC.fullmatch(name)
        if found and all(part in {None, TIME.key, *self.model.elements} for part in found.group(1, 3)):
            return f":{found[2].upper()}:"
        if sign := _SIGN.fullmatch(name):
            parts = [self.model.elements[own].name if own in self.model.elements else own for own in sign.group(1, 3)]
            if all(own in self.model.elements or own.isdigit() for own in sign.group(1, 3)):
                return f"MODULO({parts[0]}, {parts[1]})" if sign[2] == "%" else ":AND:"
        return _TRUTH.get(name, "")

    def undefined_cells(self) -> Iterator[Fault]:
        """Report references to cells without an equation, and ranges without a label."""
        if not self.model.subscripts:
            return
        for equation in (equation for element in self.model for equation in element.equations):
            for part in dict.fromkeys(part for part, role in _uses(equation.expression) if role != "range"):
                if isinstance(part, Slice):
                    part = make_reference(split_reference(part.reference)[0], *self.along(part))  # noqa: PLW2901
                name, indices = split_reference(part) if is_reference(part) else ("", ())
                place = equation.places.get(name, equation.place)
                try:
                    missing = self.missing_cell(equation, name, indices)
                except SubscriptFault as fault:
                    yield Fault(place, str(fault))
                    continue
                if missing is not None:
                    what = f"'{cell_name(self.model, missing)}' has no equation; define it or leave it out"
                    yield Fault(place, what)

    def along(self, part: Slice) -> Iterator[str]:
        """The subscripts of a slice, with each range along which it runs marked."""
        _, indices = split_reference(part.reference)
        yield from indices[: len(indices) - len(part.ranges)]
        yield from (own + MARK for own in part.ranges)

    def missing_cell(self, equation: Equation, name: str, indices: tuple[str, ...]) -> Cell | None:
        """Return the first cell without an equation that a reference reads."""
        subscripts = self.model.subscripts
        names = indices or ((name,) if name in subscripts else ())
        if not names or (indices and name in subscripts) or self.surely_defined(equation, name, indices):
            return None
        marks = tuple(dict.fromkeys(index for index in names if index.endswith(MARK)))
        if count_cells(subscripts, (*equation.subscripts, *marks)) >= _MANY:
            with suppress(UnequalError):
                return self._missing_in_array(equation, name, indices, marks)
        if indices and name not in self.defined:
            equations = self.model.elements[name].equations
            self.defined[name] = {labels for own in equations for labels, _ in bindings(subscripts, own)}
        for _, binding in bindings(subscripts, equation):
            for inner in inner_bindings(subscripts, marks, binding):
                labels = tuple(resolve(subscripts, index, inner) for index in names)
                if indices and labels not in self.defined[name]:
                    return Cell(name, labels)
        return None

    def _missing_in_array(
        self, equation: Equation, name: str, indices: tuple[str, ...], marks: tuple[str, ...]
    ) -> Cell | None:
        subscripts = self.model.subscripts
        frame = span(subscripts, equation)[0].inside(subscripts, marks)
        columns = [frame.column(subscripts, index) for index in indices or (name,)]
        if not indices:
            return None
        if name not in self.arrays:
            array = self.arrays[name] = new_array(subscripts, self.model.elements[name], -1)
            for own in self.model.elements[name].equations:
                inner, labels = span(subscripts, own)
                array.values[array.index(labels, len(inner.lengths))] = 1
        found = self.arrays[name].take(columns, len(frame.lengths))
        if (found >= 0).all():
            return None
        place = int(np.broadcast_to(found < 0, frame.lengths).argmax())
        return Cell(name, labels_at(frame, columns, place))

    def surely_defined(self, equation: Equation, name: str, indices: tuple[str, ...]) -> bool:
        """Whether a completely defined element has every label that a reference in an equation can mean."""
        element = self.model.elements.get(name)
        if element is None or len(element.equations) > 1 or element.equations[0].exceptions:
            return False
        subscripts = self.model.subscripts
        for index, own in zip(indices, element.equations[0].subscripts, strict=True):
            if index not in equation.subscripts and index not in self.model.labels and not index.endswith(MARK):
                return False
            if index != own:
                holds = subscripts[own].positions if own in subscripts else {own: 0}
                if any(label not in holds for label in labels_of(subscripts, index)):
                    return False
        return True
