"""Loops without a stock that SIMULTANEOUS solves: each is computed several times within a step, one guess after the other.

Vensim goes around such a loop until nothing changes any more. Here each second value of a loop is extrapolated from the two before it
(Aitken's rule, by which the steps of Steffensen's method are made): it converges faster, also where going around alone would not, and
ends at a value that the loop reproduces. Another value is nan, so that a run names the variable and the time. The first guess
is the value of the step before, and at the start the second argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from types import MappingProxyType

from sympy import Expr, Indexed, Integer, Symbol

from ..errors import Fault, ModelError
from .algebra import (
    Slice,
    VensimFunction,
    add,
    divide,
    make_reference,
    multiply,
    negate,
    references_in,
    split_reference,
    transform,
)
from .functions.logic import IF_THEN_ELSE
from .functions.memory import DELAY_FIXED
from .functions.solution import SIMULTANEOUS, SOLUTION
from .records import Element, Equation, Model

_ROUNDS = 8
"""Extrapolations in a step; each computes the loop twice."""


def solve_loops(model: Model) -> Model:
    """Return an expanded model without SIMULTANEOUS; hidden elements hold the guesses and what the loop makes of them.

    Raises
    ------
    ModelError
        If SIMULTANEOUS is a part of an expression.
    """
    calls = [
        (element, equation, part)
        for element in model
        for equation in element.equations
        for part in equation.calls
        if part.row is SIMULTANEOUS
    ]
    faults = [
        Fault(
            equation.parts.get(part, equation.place),
            "SIMULTANEOUS must be the whole right-hand side; give it a variable of its own",
        )
        for _, equation, part in calls
        if part is not equation.expression
    ]
    if faults:
        raise ModelError(faults)
    elements = dict(model.elements)
    for element in {element.key: element for element, _, _ in calls}.values():
        elements = _Loop(elements, element).unrolled()
    return replace(model, elements=MappingProxyType(elements)) if calls else model


def _is_solved(equation: Equation) -> bool:
    return isinstance(equation.expression, VensimFunction) and equation.expression.row is SIMULTANEOUS


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


def _renamed(expression: Expr, names: Mapping[str, str]) -> Expr:
    """An expression that reads other elements in the place of some."""

    def change(part: Expr) -> Expr | None:
        if isinstance(part, Slice):
            return Slice(_renamed(part.reference, names), *part.args[1:])
        name, indices = split_reference(part) if isinstance(part, Symbol | Indexed) else ("", ())
        return make_reference(names[name], *indices) if name in names else None

    return transform(expression, change) if names else expression


def _values(equation: Equation, names: Iterable[str]) -> Iterator[Expr]:
    return (make_reference(name, *equation.subscripts) for name in names)


def _extrapolated(equation: Equation, names: Iterable[str]) -> Expr:
    """The limit of three values whose differences shrink at the same rate; the last one where they do not change."""
    first, once, twice = _values(equation, names)
    change = add(once, negate(first))
    curve = add(twice, multiply(Integer(-2), once), first)
    return IF_THEN_ELSE.build(curve, add(first, negate(divide(multiply(change, change), curve))), twice)
