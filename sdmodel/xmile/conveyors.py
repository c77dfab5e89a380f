"""Conveyors: stocks whose content leaves one transit time after it came in, less what leaks off on the way.

After isee's help, "Traditional Conveyor Computation". A conveyor has a slat for each time step of its transit time, at least one. In a
time step each slat loses what leaks, the last one is emptied into the outflow, all move on, and the first one takes the inflow.

- A linear leak takes the same in each step: of what came in on a slat, its fraction divided by the number of slats.
- An exponential leak takes its fraction, per unit of time, of what is left.
- Of leaks that together would take more than there is, each gets its share.
- The first content is what an inflow would have left that had always been the same.
- A transit time that changes counts for what comes in from then on.

Each leak gets a variable with its fraction, so that it can be varied, and a conveyor with linear leaks one with the mean of its
inflow over the transit time. All equations are in terms of Vensim's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from sympy import Expr, S

from ..errors import Place
from ..model import (
    Element,
    Equation,
    add,
    divide,
    key,
    make_reference,
    multiply,
    negate,
    number,
    power,
)
from .functions import TIMES, row
from .limits import what_varies
from .names import plain_name, quoted
from .scope import Scope, Variable
from .translation import flow_of, read_equation
from .tree import Node

if TYPE_CHECKING:
    from .declarations import Declarations

_OF_EQUATION = ("eqn", "element", "non_negative", "gf")
"""The parts of a leak that say its fraction."""
_FRACTION, _MEAN_INFLOW, _MEAN_LEAK, _CAPACITY, _MOST = _ROLES = (
    "leak fraction",
    "mean inflow",
    "mean leak",
    "capacity",
    "inflow limit",
)
"""The variables that are added, by what comes after the name of a leak or a conveyor."""
_LEAST = 1e-15
"""The least part of a slat that is left in a step, for its logarithm."""
_REFUSED: Mapping[str, str] = {
    "sample": "takes its transit time at all times",
    "arrest": "never stops",
}
"""What a conveyor does here instead of what an element of it asks for."""


@dataclass(slots=True, eq=False)
class Conveyor:
    """A conveyor: its stock, its flows by name, and the variables that its equations need besides, by their role.

    `time_varies` and `leaks_vary` are whether its transit time and the fractions of its leaks change during a run.
    """

    stock: Variable
    inflows: Sequence[str]
    outflow: str
    leaks: Sequence[str]
    is_exponential: bool
    added: dict[str, Variable] = field(default_factory=dict)
    time_varies: bool = False
    leaks_vary: bool = False

    @property
    def length(self) -> Node:
        """The part that says the transit time."""
        return next(part for node in self.stock.node.all("conveyor") for part in node.all("len"))

    def equations(self) -> Iterator[tuple[str, Callable[[Scope], Expr]]]:
        """Yield what has an equation that the file does not write, by key, and the expression of each."""
        yield key(self.outflow), lambda scope: _Belt(self, scope).outflow()
        for leak in self.leaks:
            yield key(leak), partial(self.leaking, leak)
        if _MEAN_INFLOW in self.added:
            yield self.added[_MEAN_INFLOW].key, lambda scope: _Belt(self, scope).mean_inflow()
        if _MEAN_LEAK in self.added:
            yield self.added[_MEAN_LEAK].key, lambda scope: _Belt(self, scope).mean_leak()

    def leaking(self, leak: str, scope: Scope) -> Expr:
        """Return the expression of one of its leaks."""
        return _Belt(self, scope).leak(leak)


class _Belt:
    """The quantities of a conveyor in the cells of an equation.

    `before` is the inflow before the start, and `asked` the part of a slat that leaks ask for: in one step of what is there if they are
    exponential, on the whole way of what came in otherwise.
    """

    def __init__(self, conveyor: Conveyor, scope: Scope) -> None:
        self.conveyor, self.scope = conveyor, scope
        self.time = read_equation(replace(scope, node=conveyor.length), conveyor.length)
        self.slats = row("MAX", S.One, row("INTEGER", add(divide(self.time, TIMES["dt"]), number(0.5))))
        self.length = multiply(self.slats, TIMES["dt"])
        self.inflow = add(*map(self.value, conveyor.inflows))
        fractions = add(*(self.value(f"{leak} {_FRACTION}") for leak in conveyor.leaks))
        self.asked = multiply(fractions, TIMES["dt"]) if conveyor.is_exponential else fractions
        self.lost = row("MIN", S.One, self.asked)
        content = self.value(conveyor.stock.name)
        mean = self.mean_content() if conveyor.leaks else None
        self.before = divide(content, self.length if mean is None else multiply(self.length, mean))

    def value(self, name: str) -> Expr:
        return flow_of(f".{quoted(name)}", self.scope)

    def delayed(self, inflow: Expr, before: Expr) -> Expr:
        if self.conveyor.time_varies:
            return row("DELAY MATERIAL", inflow, self.time, before, S.Zero)
        return row("DELAY FIXED", inflow, self.time, before)

    def kept(self) -> Expr:
        """Return what is left of a slat at the end, where the fractions of leaks do not change."""
        left = add(S.One, negate(self.lost))
        return power(left, self.slats) if self.conveyor.is_exponential else left

    def mean_content(self) -> Expr:
        """Return what is on a slat in equilibrium as a part of what came in, on average."""
        if self.conveyor.is_exponential:
            return row("XIDZ", add(S.One, negate(self.kept())), multiply(self.lost, self.slats), S.One)
        gone = divide(multiply(self.lost, add(self.slats, negate(S.One))), multiply(number(2), self.slats))
        return add(S.One, negate(gone))

    def outflow(self) -> Expr:
        if not self.conveyor.leaks:
            return self.delayed(self.inflow, self.before)
        if not self.conveyor.leaks_vary:
            return self.delayed(multiply(self.inflow, self.kept()), multiply(self.before, self.kept()))
        step = add(self.leaked(), negate(self.delayed(self.leaked(), self.leaked())))
        leaked = add(self.value(self.conveyor.added[_MEAN_LEAK].name), divide(step, self.slats))
        kept = add(S.One, negate(leaked))
        if self.conveyor.is_exponential:
            kept = row("EXP", negate(multiply(leaked, self.slats)))
        return multiply(self.delayed(self.inflow, self.before), kept)

    def leaked(self) -> Expr:
        """Return what leaks ask for now, in a form in which steps add up: of an exponential leak, the logarithm."""
        if self.conveyor.is_exponential:
            return negate(row("LN", row("MAX", number(_LEAST), add(S.One, negate(self.lost)))))
        return self.lost

    def mean_leak(self) -> Expr:
        """Return the mean of that over the steps of the transit time before this one."""
        step = add(self.leaked(), negate(self.delayed(self.leaked(), self.leaked())))
        return row("INTEG", divide(step, self.length), self.leaked())

    def mean_inflow(self) -> Expr:
        """Return the mean of the inflow over the transit time; what leaves counts as it came in."""
        own = divide(self.inflow, self.length)
        return row("INTEG", add(own, negate(self.delayed(own, divide(self.before, self.length)))), self.before)

    def leak(self, leak: str) -> Expr:
        fraction, belt = self.value(f"{leak} {_FRACTION}"), self.conveyor
        source = belt.stock if belt.is_exponential else belt.added[_MEAN_INFLOW]
        return divide(multiply(fraction, self.value(source.name)), row("MAX", S.One, self.asked))


def find_conveyors(found: Declarations) -> list[Conveyor]:
    """Return the conveyors that a file declares; declare what they need, and report what is not supported."""
    conveyors = []
    for stock in [*found.variables.values()]:
        if (node := stock.node.find("conveyor")) is None:
            continue
        if (problem := _problem(stock, node, found)) is not None:
            place, what = problem
            found.fault(place, f"'{stock.name}': {what}")
            continue
        conveyor = _conveyor(stock, node, found)
        _declare(conveyor, node, found)
        conveyors.append(conveyor)
    return conveyors


def _flows(stock: Variable, tag: str, found: Declarations) -> list[Variable]:
    keys = (key(stock.prefix + plain_name(part.text)) for part in stock.node.all(tag))
    return [found.variables[name] for name in keys if name in found.variables]


def _problem(stock: Variable, node: Node, found: Declarations) -> tuple[Place, str] | None:
    """Return the place of what is not supported in a conveyor, and what to do; or None."""
    model_it = "model it with stocks and DELAY"
    for part in node.all(*_REFUSED):
        if part.text.strip():
            return part.place, f"a conveyor with <{part.tag}> is not supported, it {_REFUSED[part.tag]}; {model_it}"
    if node.is_set("discrete"):
        what = 'a discrete conveyor is not supported; delete discrete="true" if its content may be any number'
        return node.place, what
    outflows = _flows(stock, "outflow", found)
    plain = [flow for flow in outflows if flow.node.find("leak") is None]
    if not node.text_of("len") or not plain:
        return node.place, "a conveyor needs a transit time and an outflow; write <len>, and name an <outflow>"
    if len(plain) > 1:
        return plain[
            1
        ].node.place, f"'{plain[1].name}' is a second outflow of a conveyor; mark it as a leak with <leak/>"
    problems = (*map(_problem_of_leak, outflows), *map(_problem_of_inflow, _flows(stock, "inflow", found)))
    return next(filter(None, problems), None)


def _problem_of_leak(flow: Variable) -> tuple[Place, str] | None:
    if flow.node.find("leak_integers") is not None:
        return flow.node.place, f"'{flow.name}' leaks whole units, which is not supported; delete <leak_integers/>"
    if flow.node.attribute("leak_start") not in ("", "0") or flow.node.attribute("leak_end") not in ("", "1"):
        cure = "make one conveyor of each part, one of them with the leak"
        return flow.node.place, f"'{flow.name}' leaks from a part of the conveyor, which is not supported; {cure}"
    return None


def _problem_of_inflow(flow: Variable) -> tuple[Place, str] | None:
    if flow.node.attribute("spreadflow") not in ("", "beginning"):
        cure = "delete isee:spreadflow to have it enter at the beginning"
        return flow.node.place, f"'{flow.name}' is spread over the conveyor, which is not supported; {cure}"
    return None


def _conveyor(stock: Variable, node: Node, found: Declarations) -> Conveyor:
    outflows = _flows(stock, "outflow", found)
    leaks = [flow.name for flow in outflows if flow.node.find("leak") is not None]
    (outflow,) = (flow.name for flow in outflows if flow.name not in leaks)
    inflows = [flow.name for flow in _flows(stock, "inflow", found)]
    return Conveyor(stock, inflows, outflow, leaks, node.is_set("exponential_leak"))


def _declare(conveyor: Conveyor, node: Node, found: Declarations) -> None:
    """Declare the variables that a conveyor adds to a file."""
    for leak in conveyor.leaks:
        flow = found.variables[key(leak)]
        parts = [part for part in flow.node.all(*_OF_EQUATION) if part.tag != "eqn" or part.text.strip()]
        parts += [replace(part, tag="eqn") for part in flow.node.all("leak") if part.text.strip()]
        _add(conveyor, _FRACTION, flow, parts, found)
    if conveyor.leaks and not conveyor.is_exponential:
        _add(conveyor, _MEAN_INFLOW, conveyor.stock, (), found)
    for tag, role in (("capacity", _CAPACITY), ("in_limit", _MOST)):
        part = node.find(tag)
        if part is not None and part.text.strip().lower() not in ("", "inf"):
            _add(conveyor, role, conveyor.stock, [replace(part, tag="eqn")], found)


def _add(conveyor: Conveyor, role: str, of: Variable, parts: Sequence[Node], found: Declarations) -> None:
    own = Variable(f"{of.name} {role}", Node("aux", {}, of.node.place, [*parts]), of.prefix, of.dimensions)
    own.tables = of.tables if role == _FRACTION else []
    if (other := found.variables.get(own.key)) is not None:
        found.fault(other.node.place, f"'{own.name}' is the name of a part of a conveyor; rename one")
    found.variables[own.key] = conveyor.added[role] = own


def settle_conveyors(
    conveyors: Sequence[Conveyor],
    elements: Mapping[str, Element],
    found: Declarations,
    read: Callable[[Conveyor], Mapping[str, Element]],
) -> dict[str, Element]:
    """Return elements that fit what varies, of which `read` makes the equations of a conveyor again, and what there is room for."""
    changed = dict(elements)
    conveyed = {name for conveyor in conveyors for name, _ in conveyor.equations()}
    for conveyor in conveyors:
        leaks = [make_reference(key(f"{leak} {_FRACTION}")) for leak in conveyor.leaks]
        conveyor.leaks_vary = any(what_varies(leak, elements) is not None for leak in leaks)
        delays = [call for own in elements[key(conveyor.outflow)].equations for call in own.calls if call.row.memory]
        changing = [name for call in delays if (name := what_varies(call.args[1], elements)) is not None]
        conveyor.time_varies = bool(changing)
        if conveyor.leaks_vary and changing:
            what = f"'{conveyor.stock.name}': the transit time changes with '{changing[0]}' while fractions of leaks change"
            found.fault(conveyor.stock.node.place, f"{what}, which is not supported; use constants for one of them")
        elif conveyor.leaks_vary or changing:
            if conveyor.leaks_vary:
                _add(conveyor, _MEAN_LEAK, conveyor.stock, (), found)
            changed |= read(conveyor)
        changed |= _limited(conveyor, changed, conveyed, found)
    return changed


def _limited(
    conveyor: Conveyor, elements: Mapping[str, Element], conveyed: Collection[str], found: Declarations
) -> dict[str, Element]:
    """Return the inflows of a conveyor that take no more than it has room for, the first one before the next."""
    stock, dt = conveyor.stock, TIMES["dt"]
    capacity, most = (conveyor.added.get(role) for role in (_CAPACITY, _MOST))
    changed: dict[str, Element] = {}
    for place, name in enumerate(conveyor.inflows if capacity or most else ()):
        flow = elements[key(name)]
        if flow.key in conveyed or flow.dimensions != stock.dimensions:
            what = f"'{flow.name}' cannot wait until the conveyor '{stock.name}' has room for it"
            found.fault(stock.node.place, f"{what}; delete its capacity and its inflow limit")
            continue

        def limit(equation: Equation, place: int = place) -> Equation:
            def value(own: str) -> Expr:
                return make_reference(key(own), *equation.subscripts)

            rooms = [value(most.name)] if most else []
            if capacity:
                left = divide(add(value(capacity.name), negate(value(stock.name))), dt)
                rooms.append(add(left, *map(value, (conveyor.outflow, *conveyor.leaks))))
            room = row("MIN", *rooms) if len(rooms) > 1 else rooms[0]
            room = row("MAX", S.Zero, add(room, *(negate(value(before)) for before in conveyor.inflows[:place])))
            return replace(equation, expression=row("MIN", equation.expression, room))

        changed[flow.key] = replace(flow, kind="flow", equations=tuple(map(limit, flow.equations)))
    return changed
