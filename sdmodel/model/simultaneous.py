"""Loops without a stock that SIMULTANEOUS or FIND ZERO solves: each is computed several times within a step, one guess after the other.

Vensim goes around such a loop until nothing changes any more. Here each second value of a loop is extrapolated from the two before it
(Aitken's rule, by which the steps of Steffensen's method are made): it converges faster, also where going around alone would not, and
ends at a value that the loop reproduces. Another value is nan, so that a run names the variable and the time. The first guess
is the value of the step before, and at the start the second argument.

FIND ZERO solves for a vector. A copy of its loop has one more subscript, so that it is computed for several guesses at the same time:
for the last vector with each element changed a little, which gives the slopes of Newton's method, and for steps of several lengths
along the direction of that method, of which the best one is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from types import MappingProxyType

from sympy import Expr, Float, Indexed, Integer, S, Symbol

from ..errors import Fault, ModelError
from .algebra import (
    Numbers,
    Slice,
    VensimFunction,
    add,
    divide,
    is_reference,
    make_reference,
    multiply,
    negate,
    references_in,
    split_reference,
    transform,
)
from .functions.arithmetic import ABS, MAX, ZIDZ
from .functions.logic import GREATER, IF_THEN_ELSE, LESS_OR_EQUAL
from .functions.memory import DELAY_FIXED
from .functions.reductions import SUM, VMAX, VMIN
from .functions.solution import FIND_ZERO, IF_FINITE, SIMULTANEOUS, SOLUTION, ZERO_FOUND
from .functions.vectors import INVERSE, REORDER
from .names import MARK
from .records import Element, Equation, Kind, Model, Subscript
from .subscripts import labels_of

_ROUNDS = 8
"""Extrapolations in a step; each computes the loop twice."""
_NEWTON = 10
"""Steps of Newton's method in a time step."""
_LENGTHS = (1.0, 0.5, 0.125, 0.03125, 0.0078125)
"""The parts of a step of Newton's method that are tried."""
_NUDGE = 1e-7
"""The change of an element, in its size, that shows a slope."""
_FAR = 1e300
_CLOSE = 1e-9
"""The smallest tolerance that rounding allows."""


def solve_loops(model: Model) -> Model:
    """Return an expanded model without SIMULTANEOUS and FIND ZERO; hidden elements hold the guesses and what the loops make of them.

    Raises
    ------
    ModelError
        If one of them is a part of an expression, or what it solves is not a loop of the kind that it can.
    """
    calls = [
        (element, equation, part)
        for element in model
        for equation in element.equations
        for part in equation.calls
        if part.row in _SOLVERS
    ]
    if not calls:
        return model
    faults = [
        Fault(
            equation.parts.get(part, equation.place),
            f"{part.row.name} must be the whole right-hand side; give it a variable of its own",
        )
        for _, equation, part in calls
        if part is not equation.expression
    ]
    if faults:
        raise ModelError(faults)
    elements, subscripts = dict(model.elements), dict(model.subscripts)
    for element in {element.key: element for element, _, _ in calls}.values():
        if any(equation.expression.row is FIND_ZERO for equation in filter(_is_solved, element.equations)):
            elements = _Zero(elements, element, subscripts).unrolled()
        else:
            elements = _Loop(elements, element).unrolled()
    return replace(model, elements=MappingProxyType(elements), subscripts=MappingProxyType(subscripts))


_SOLVERS = (SIMULTANEOUS, FIND_ZERO)


def _is_solved(equation: Equation) -> bool:
    return isinstance(equation.expression, VensimFunction) and equation.expression.row in _SOLVERS


class _Loop:
    """The elements that a variable with SIMULTANEOUS depends on at the same time, and that depend on it."""

    def __init__(self, elements: Mapping[str, Element], solved: Element) -> None:
        self.elements, self.solved = dict(elements), solved
        around = self._around()
        self.exists, self.others = solved.key in around, [name for name in around if name != solved.key]

    def _around(self) -> list[str]:
        """The loop, in the order of the model; without the variable if there is none."""
        reads = {name: _read_at_once(element) for name, element in self.elements.items()}
        readers: dict[str, list[str]] = {}
        for name, others in reads.items():
            for other in others:
                readers.setdefault(other, []).append(name)
        both = [_reached(self.solved.key, arrows) for arrows in (reads, readers)]
        return [name for name in self.elements if name in both[0] and name in both[1]]

    def unrolled(self) -> dict[str, Element]:
        """All elements, with the loop computed for one guess after the other."""
        own = self.solved
        if not self.exists:
            plain = tuple(replace(part, expression=_plain(part.expression)) for part in own.equations)
            return self.elements | {own.key: replace(own, equations=plain)}

        self._refuse()

        def begin(equation: Equation) -> Expr:
            value = make_reference(own.key, *equation.subscripts)
            return DELAY_FIXED.build(value, Symbol("time_step"), equation.expression.args[1])

        guess = self._add(begin)
        for _ in range(_ROUNDS):
            once = self._around_once(guess)
            twice = self._around_once(once)
            guess = self._add(partial(_extrapolated, names=(guess, once, twice)))
        last = self._around_once(guess)
        final = tuple(
            replace(part, expression=SOLUTION.build(*_values(part, (guess, last)))) if _is_solved(part) else part
            for part in own.equations
        )
        return self.elements | {own.key: replace(own, equations=final)}

    def _refuse(self) -> None:
        """Raise an error for a loop that cannot be computed for one guess after the other."""
        for part in self.solved.equations:
            read = {split_reference(reference)[0] for reference in references_in(part.expression)}
            if not _is_solved(part) and not read.isdisjoint(self.others):
                what = f"this part of '{self.solved.name}' belongs to its loop too; write it with SIMULTANEOUS as well"
                raise ModelError([Fault(part.place, what)])
        for name in self.others:
            for part in self.elements[name].equations:
                call = part.expression
                if isinstance(call, VensimFunction) and call.row.memory and call.row.memory.kept == "sample":
                    what = (
                        f"the loop of '{self.solved.name}' goes through {call.row.name}, which keeps what it has seen"
                    )
                    raise ModelError(
                        [Fault(part.place, f"{what}; SIMULTANEOUS cannot solve it, put a stock into the loop")]
                    )

    def _around_once(self, guess: str) -> str:
        """The name of what the loop makes of a guess."""
        names = {self.solved.key: guess, **{name: self._name(name) for name in self.others}}
        for name in self.others:
            self._keep(names[name], self.elements[name], lambda equation: _renamed(_plain(equation.expression), names))
        return self._add(lambda equation: _renamed(equation.expression.args[0], names))

    def _name(self, name: str) -> str:
        return next(new for n in count(1) if (new := f"{name}#{n}") not in self.elements)

    def _add(self, make: Callable[[Equation], Expr]) -> str:
        """The name of another value of the variable, whose equations `make` gives; cells that are not solved read its own."""
        name = self._name(self.solved.key)
        own = {self.solved.key: name}
        self._keep(name, self.solved, lambda part: make(part) if _is_solved(part) else _renamed(part.expression, own))
        return name

    def _keep(self, name: str, element: Element, make: Callable[[Equation], Expr]) -> None:
        equations = tuple(replace(own, expression=make(own)) for own in element.equations)
        guess_of = element.guess_of or element.key
        self.elements[name] = replace(
            element, name=name, kind="auxiliary", equations=equations, hidden=True, guess_of=guess_of
        )


class _Zero(_Loop):
    """The loop of a vector that FIND ZERO solves for; `subscripts` are those of the model, which gain some."""

    def __init__(self, elements: Mapping[str, Element], solved: Element, subscripts: dict[str, Subscript]) -> None:
        super().__init__(elements, solved)
        self.subscripts = subscripts
        self.equation = next(filter(_is_solved, solved.equations))

    def unrolled(self) -> dict[str, Element]:
        """All elements, with the loop computed for one vector after the other."""
        self._check()
        own, equation, step = self.solved, self.equation, Symbol("time_step")
        *outer, along = equation.subscripts
        self.outer, self.along = tuple(outer), along
        size = len(labels_of(self.subscripts, along))
        scale, self.z, self.z_scale, initial, count, skip, tolerance, *_ = map(self._along, equation.expression.args)
        self.count, self.skip = add(count, Float(0.5)), add(skip, Float(0.5))
        self.nudged = self._range("nudged", size + 1)
        self.by = self._range("by", size, self.subscripts[self.nudged].labels[1:])
        self.tried = self._range("tried", len(_LENGTHS))
        self.place, self.by_place = (self._constant(range(1, size + 1), name) for name in (along, self.by))
        self.nudged_place = self._constant(range(size + 1), self.nudged)
        self.part = self._constant(_LENGTHS, self.tried)
        self.size = ZIDZ.build(S.One, ABS.build(scale))
        guess = self._vector(DELAY_FIXED.build(self._own(own.key), step, initial))
        for _ in range(_NEWTON):
            guess, largest = self._newton(guess)
        found = ZERO_FOUND.build(
            self._own(guess), make_reference(largest, *self.outer), MAX.build(tolerance, Float(_CLOSE)), S.Zero
        )
        self.elements[own.key] = replace(own, equations=(replace(equation, expression=found),))
        self._add_element(zero_of(own.key), "auxiliary", ZERO_FOUND.build(self.z, S.Zero, S.Zero, S.Zero), self._all())
        return self.elements

    def _check(self) -> None:
        """Raise an error for a loop that cannot be solved for a vector."""
        name, equation, (first, *others) = self.solved.name, self.equation, self.solved.equations
        what, place = "", equation.place
        if others:
            what = f"FIND ZERO must be the only equation of '{name}'; give what it solves for a variable of its own"
            place = next((part.place for part in self.solved.equations if not _is_solved(part)), first.place)
        elif not equation.subscripts or equation.subscripts[-1] not in self.subscripts or equation.exceptions:
            what = f"FIND ZERO solves for a vector; give '{name}' a subscript range, which may have a single label"
        elif not self.exists:
            what = (
                f"the second argument of FIND ZERO does not depend on '{name}'; let it be what is zero at the solution"
            )
        else:
            inner = next((key for key in self.others if any(map(_is_solved, self.elements[key].equations))), None)
            if inner is not None:
                other = self.elements[inner]
                place = other.place
                what = f"'{other.name}' is within the loop of '{name}', which FIND ZERO solves; make both one vector"
        if what:
            raise ModelError([Fault(place, what)])
        self._refuse()

    def _newton(self, guess: str) -> tuple[str, str]:
        """The names of a better guess and of its largest z; elements that are skipped stay as they are."""
        x, place = self._own(guess), self.place
        first, *_ = labels_of(self.subscripts, self.nudged)
        nudge = self._vector(multiply(Float(_NUDGE), MAX.build(ABS.build(x), self.size)))
        here = _same(self.nudged_place, place)
        change = IF_THEN_ELSE.build(here, self._own(nudge), S.Zero)
        z = self._zeros(self._vector(add(x, change), self.nudged), self.nudged)
        both = multiply(self._solved(place), self._solved(self.by_place))
        rise = add(self._own(z, self.by), negate(self._own(z, first)))
        slope = IF_THEN_ELSE.build(both, rise, _same(self.by_place, place))
        slopes = self._vector(slope, after=(self.by,))
        matrix = Slice(make_reference(slopes, *self._all(), self.by), Symbol(self.along), Symbol(self.by))
        inverse = self._name(self.solved.key)
        size = Integer(len(labels_of(self.subscripts, self.by)))
        self._add_element(inverse, "auxiliary", INVERSE.build(matrix, size), (*self.outer, self.by, self.along))
        error = self._vector(IF_THEN_ELSE.build(self._solved(place), self._own(z, first), S.Zero))
        marked = f"{self.along}{MARK}"
        terms = multiply(
            make_reference(inverse, *self.outer, self.by, marked), make_reference(error, *self.outer, marked)
        )
        nudges = self._name(self.solved.key)
        self._add_element(nudges, "auxiliary", negate(SUM.build(terms)), (*self.outer, self.by))
        vector = Slice(make_reference(nudges, *self.outer, labels_of(self.subscripts, self.by)[0]), Symbol(self.by))
        moved = multiply(REORDER.build(vector, add(place, S.NegativeOne)), self._own(nudge))
        direction = self._vector(IF_THEN_ELSE.build(self._solved(place), moved, S.Zero))
        tried = self._vector(add(x, multiply(self.part, self._own(direction))), self.tried)
        return self._best(tried, self._zeros(tried, self.tried))

    def _best(self, tried: str, z: str) -> tuple[str, str]:
        """The names of the vector with the smallest largest z, and of that."""
        size = IF_FINITE.build(ABS.build(multiply(self._own(z, self.tried), self.z_scale)), Float(_FAR))
        sizes = self._vector(IF_THEN_ELSE.build(self._solved(self.place), size, S.Zero), self.tried)
        largest, best = self._name(self.solved.key), ""
        widest = VMAX.build(make_reference(sizes, self.tried, *self.outer, f"{self.along}{MARK}"))
        self._add_element(largest, "auxiliary", widest, (self.tried, *self.outer))
        best = self._name(self.solved.key)
        smallest = VMIN.build(make_reference(largest, f"{self.tried}{MARK}", *self.outer))
        self._add_element(best, "auxiliary", smallest, self.outer)
        *labels, last = labels_of(self.subscripts, self.tried)
        chosen = self._own(tried, last)
        for label in reversed(labels):
            better = LESS_OR_EQUAL.build(make_reference(largest, label, *self.outer), make_reference(best, *self.outer))
            chosen = IF_THEN_ELSE.build(better, self._own(tried, label), chosen)
        return self._vector(chosen), best

    def _zeros(self, guesses: str, more: str) -> str:
        """The name of z for vectors along one more subscript."""
        names = {self.solved.key: guesses, **{name: self._name(name) for name in self.others}}
        for name in self.others:
            own = self.elements[name]
            equations = tuple(
                replace(
                    part,
                    expression=_renamed(part.expression, names, more),
                    subscripts=(more, *part.subscripts),
                    exceptions=tuple((more, *exception) for exception in part.exceptions),
                )
                for part in own.equations
            )
            dimensions = (more, *own.dimensions)
            self.elements[names[name]] = replace(
                own,
                name=names[name],
                kind="auxiliary",
                equations=equations,
                dimensions=dimensions,
                hidden=True,
                guess_of=name,
            )
        return self._vector(_renamed(self.z, names, more), more)

    def _own(self, name: str, *before: str) -> Expr:
        """A reference to the element of a vector."""
        return make_reference(name, *before, *self._all())

    def _all(self) -> tuple[str, ...]:
        return (*self.outer, self.along)

    def _solved(self, place: Expr) -> Expr:
        """1 for an element that is solved for, else 0."""
        return multiply(GREATER.build(place, self.skip), LESS_OR_EQUAL.build(place, self.count))

    def _vector(self, expression: Expr, *before: str, after: tuple[str, ...] = ()) -> str:
        """The name of a new hidden element with the subscripts of the vector and some before or after them."""
        name = self._name(self.solved.key)
        self._add_element(name, "auxiliary", expression, (*before, *self._all(), *after))
        return name

    def _add_element(self, name: str, kind: Kind, expression: Expr, subscripts: tuple[str, ...]) -> None:
        equation = replace(self.equation, expression=expression, subscripts=subscripts)
        key = self.solved.key
        self.elements[name] = Element(name, kind, (equation,), subscripts, hidden=True, guess_of=key)

    def _constant(self, values: Sequence[float], subscript: str) -> Expr:
        """A reference to a new hidden constant with a number for each label of a range."""
        name = self._name(self.solved.key)
        self._add_element(name, "constant", Numbers(values), (subscript,))
        return make_reference(name, subscript)

    def _range(self, name: str, size: int, labels: tuple[str, ...] = ()) -> str:
        """The name of a new subscript range."""
        name = f"{self.solved.key}#{name}"
        labels = labels or tuple(f"{name}{number}" for number in range(size))
        self.subscripts[name] = Subscript(name, labels)
        return name

    def _along(self, argument: Expr) -> Expr:
        """An argument that may name the vector by its first element."""
        if not isinstance(argument, Indexed):
            return argument
        name, (*before, last) = split_reference(argument)
        first = labels_of(self.subscripts, self.along)[0]
        return make_reference(name, *before, self.along) if last == first else argument


def _same(one: Expr, other: Expr) -> Expr:
    """1 where two places are the same, else 0."""
    return GREATER.build(Float(0.5), ABS.build(add(one, negate(other))))


def zero_of(name: str) -> str:
    """Return the name of the hidden element that holds what FIND ZERO makes zero."""
    return f"{name}#zero"


def _plain(expression: Expr) -> Expr:
    """What a variable equals, also one that SIMULTANEOUS solves."""
    return (
        expression.args[0] if isinstance(expression, VensimFunction) and expression.row is SIMULTANEOUS else expression
    )


def _read_at_once(element: Element) -> set[str]:
    """The elements that another one reads at the time at which it is computed."""
    return {
        split_reference(part)[0]
        for equation in element.equations
        for argument in _arguments_at_step(equation.expression)
        for part in references_in(argument)
    }


def _arguments_at_step(expression: Expr) -> Iterable[Expr]:
    if isinstance(expression, VensimFunction) and expression.row.memory:
        return [expression.args[index] for index in expression.row.memory.reads_at_step]
    return [_plain(expression)]


def _reached(start: str, arrows: Mapping[str, Iterable[str]]) -> set[str]:
    """What a walk along arrows reaches: the start only if it comes back to it."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = [name for name in arrows.get(waiting.pop(), ()) if name not in found]
        found.update(new)
        waiting += new
    return found


def _renamed(expression: Expr, names: Mapping[str, str], *more: str) -> Expr:
    """An expression that reads other elements in the place of some, with more subscripts before their own."""

    def change(part: Expr) -> Expr | None:
        if isinstance(part, Slice):
            return Slice(_renamed(part.reference, names, *more), *part.args[1:])
        name, indices = split_reference(part) if is_reference(part) else ("", ())
        return make_reference(names[name], *more, *indices) if name in names else None

    return transform(expression, change) if names else expression


def _values(equation: Equation, names: Iterable[str]) -> Iterator[Expr]:
    return (make_reference(name, *equation.subscripts) for name in names)


def _extrapolated(equation: Equation, names: Iterable[str]) -> Expr:
    """The limit of three values whose differences shrink at the same rate; the last one where they do not change."""
    first, once, twice = _values(equation, names)
    change = add(once, negate(first))
    curve = add(twice, multiply(Integer(-2), once), first)
    return IF_THEN_ELSE.build(curve, add(first, negate(divide(multiply(change, change), curve))), twice)
