"""Conveyors: stocks whose content leaves one transit time after it came in, less what leaks off on the way.

After isee's help, "Traditional Conveyor Computation". A conveyor has a slat for each time step of its transit time, at least one. In a
time step each slat loses what leaks, the last one is emptied into the outflow, all move on, and the first one takes the inflow.

- A linear leak takes the same in each step: of what came in on a slat, its fraction divided by the number of slats.
- An exponential leak takes its fraction, per unit of time, of what is left.
- Of leaks that together would take more than there is, each gets its share.
- Leaks may be in a part of the length, of at least one slat; a slat is in it if its middle is.
- The first content is what an inflow would have left that had always been the same; or a list has what leaves in each unit of time,
  before leaks. A list is as long as it needs to be: its end is left out, or its last value counts again.
- Neither an inflow nor the fraction of a leak is negative.
- A transit time that changes counts for what comes in from then on.

All equations are in terms of Vensim's functions. What they need is in variables of their own, such as the fraction of each leak, which
can so be varied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, product

from sympy import Expr, S

from ..errors import Place
from ..model import (
    Element,
    Equation,
    Subscript,
    add,
    divide,
    key,
    make_reference,
    multiply,
    negate,
    number,
    power,
)
from .declarations import NUMBER, Declarations, labels_of_element
from .functions import TIMES, row
from .limits import what_varies
from .names import name_key, plain_name, quoted
from .scope import Scope, Variable
from .syntax import SyntaxProblemError, Term, parse_list
from .translation import CellsNeededError, flow_of, read_equation
from .tree import Node

_ROLES: Mapping[str, str] = {
    "leak fraction": "the fraction that leaks, per unit of time if the leak is exponential",
    "transit time": "the time from its beginning to its end; if it is sampled, at the last sample",
    "slats": "the number of time steps in the transit time",
    "first inflow": "the inflow before the start that has left the first content",
    "mean inflow": "the mean of what came in on the slats that leak",
    "mean leak": "the mean of what leaks in a time step while a slat leaks; of an exponential leak the logarithm",
    "capacity": "the most that is on it",
    "inflow limit": "the most that comes in per unit of time",
    "slats before leaks": "the number of slats at the beginning that do not leak",
    "slats after leaks": "the number of slats at the end that do not leak",
    "inflow to leaks": "what comes to the slats that leak",
    "outflow of leaks": "what leaves the slats that leak at their end",
    "content that leaks": "what is on the slats that leak",
    "first content": "what is on it at the start",
    "first outflow": "what leaves of the first content, before leaks",
    "steps": "the number of time steps since the start",
    "unit of time": "1, which gives the units of a list",
    "unit of content": "1, which gives numbers in a list their units",
    "leaked": "the sum of what has leaked in each time step of the first content; of an exponential leak the logarithm",
}
"""The variables that are added, by what comes after the name of a leak or a conveyor, and what each is."""
(
    _FRACTION, _TIME, _SLATS, _FIRST, _MEAN_INFLOW, _MEAN_LEAK, _CAPACITY, _MOST, _BEFORE, _AFTER, _ENTERING, _LEAVING, _CONTENT,
    _FIRST_CONTENT, _FIRST_OUTFLOW, _STEPS, _PERIOD, _ONE, _LEAKED,
) = _ROLES  # fmt: skip
_SHOWN = (_TIME, _CAPACITY, _MOST)
"""Those of a conveyor that mean something to a user of the model, as the fractions of leaks do; the others are hidden."""
_NEARLY_HALF = 0.5 - 1e-9
"""So that a slat leaks whose middle is just where leaks begin."""
_NEARLY_ONE = 1 - 1e-6
"""So that a slat that begins with a unit of time is in that unit."""
FirstContent = dict[tuple[str, ...], tuple[Node, tuple[Term, ...]]]
"""The equations of a first content that is listed, with their values, by the labels of their cell; without labels if it is of all."""
_LEAST = 1e-15
"""The least part of a slat that is left in a step, for its logarithm."""


@dataclass(slots=True, eq=False)
class Conveyor:
    """A conveyor: its stock, its flows by name, and the variables that its equations need besides, by their role.

    `zone` is where leaks begin and end, as parts of its length; `time_varies` and `leaks_vary` are whether its transit time and the
    fractions of its leaks change during a run. `first` is the first content by units of time; it is empty if there is one total.
    """

    stock: Variable
    node: Node
    inflows: Sequence[str]
    outflow: str
    leaks: Sequence[str]
    is_exponential: bool
    zone: tuple[float, float] = (0.0, 1.0)
    first: FirstContent = field(default_factory=dict)
    added: dict[str, Variable] = field(default_factory=dict)
    time_varies: bool = False
    leaks_vary: bool = False

    @property
    def is_partial(self) -> bool:
        """Whether only a part of it leaks."""
        return bool(self.leaks) and self.zone != (0.0, 1.0)

    def equations(self) -> Iterator[tuple[str, Callable[[Scope], Expr]]]:
        """Yield what has an equation that the file does not write, by key, and the expression of each."""
        yield key(self.outflow), self.reader(_Belt.outflow)
        for leak in self.leaks:
            yield key(leak), self.reader(_Belt.leak, leak)
        for role, write in _WRITTEN.items():
            if role in self.added and self.added[role].node.find("eqn") is None:
                yield self.added[role].key, self.reader(write)

    def reader(self, write: Callable[..., Expr], *arguments: str) -> Callable[[Scope], Expr]:
        """Return what makes an expression in the cells of an equation."""
        return lambda scope: write(_Belt(self, scope), *arguments)


class _Belt:
    """Writes the equations of a conveyor in the cells of one of them."""

    def __init__(self, conveyor: Conveyor, scope: Scope) -> None:
        self.conveyor, self.scope = conveyor, scope
        self.time = self.own(_TIME) if _TIME in conveyor.added else self.part("len")
        self.inflow = add(*map(self.value, conveyor.inflows))

    def value(self, name: str) -> Expr:
        return flow_of(f".{quoted(name)}", self.scope)

    def own(self, role: str = "") -> Expr:
        return self.value((self.conveyor.added[role] if role else self.conveyor.stock).name)

    def part(self, tag: str) -> Expr:
        """Write the expression in a part of the conveyor."""
        found = next(part for part in self.conveyor.node.all(tag))
        return read_equation(replace(self.scope, node=found), found)

    def sampled(self) -> Expr:
        return row("SAMPLE IF TRUE", self.part("sample"), self.part("len"), self.part("len"))

    def slats(self) -> Expr:
        return row("MAX", S.One, row("INTEGER", add(divide(self.time, TIMES["dt"]), number(0.5))))

    def slats_before(self) -> Expr:
        """Write the number of slats before those that leak, of which there is at least one."""
        return row("MIN", add(self.own(_SLATS), negate(S.One)), self.slats_until(self.conveyor.zone[0], _NEARLY_HALF))

    def slats_after(self) -> Expr:
        rest = add(self.own(_SLATS), negate(self.own(_BEFORE)), negate(S.One))
        return row("MIN", rest, add(self.own(_SLATS), negate(self.slats_until(self.conveyor.zone[1]))))

    def slats_until(self, part: float, half: float = 0.5) -> Expr:
        """Write the number of slats whose middle is not behind a part of the length."""
        return row("INTEGER", add(multiply(number(part), self.own(_SLATS)), number(half)))

    def leaking_slats(self) -> Expr:
        slats = self.own(_SLATS) if self.conveyor.leaks else self.slats()
        if self.conveyor.is_partial:
            return add(slats, negate(self.own(_BEFORE)), negate(self.own(_AFTER)))
        return slats

    def length(self) -> Expr:
        """Write the time that it takes to pass what leaks, in whole time steps."""
        return multiply(self.leaking_slats(), TIMES["dt"])

    def delayed(self, inflow: Expr, before: Expr) -> Expr:
        """Write an inflow when it has passed what leaks."""
        if self.conveyor.time_varies:
            return row("DELAY MATERIAL", inflow, self.time, before, S.Zero)
        return row("DELAY FIXED", inflow, self.length() if self.conveyor.is_partial else self.time, before)

    def carried(self, inflow: Expr, slats: Expr, before: Expr) -> Expr:
        """Write an inflow when it has passed some slats that do not leak, or none."""
        late = row("DELAY FIXED", inflow, multiply(slats, TIMES["dt"]), before)
        return row("IF THEN ELSE", row(">", slats, S.Zero), late, inflow)

    def fraction(self) -> Expr:
        """Write the sum of the fractions of all leaks."""
        return add(*(self.value(f"{leak} {_FRACTION}") for leak in self.conveyor.leaks))

    def asked(self) -> Expr:
        """Write the part that leaks ask for: in a step of what is there if they are exponential, else on the whole way of what came in."""
        own = self.own(_FRACTION)
        return multiply(own, TIMES["dt"]) if self.conveyor.is_exponential else own

    def lost(self) -> Expr:
        return row("MIN", S.One, self.asked())

    def kept(self) -> Expr:
        """Write what is left of a slat at the end, where the fractions of leaks do not change."""
        left = add(S.One, negate(self.lost()))
        return power(left, self.leaking_slats()) if self.conveyor.is_exponential else left

    def mean_kept(self) -> Expr:
        """Write what is on a slat that leaks in equilibrium, as a part of what came in."""
        slats = self.leaking_slats()
        if self.conveyor.is_exponential:
            return row("XIDZ", add(S.One, negate(self.kept())), multiply(self.lost(), slats), S.One)
        gone = divide(multiply(self.lost(), add(slats, negate(S.One))), multiply(number(2), slats))
        return add(S.One, negate(gone))

    def first_inflow(self) -> Expr:
        """Write the inflow before the start that has left the first content."""
        full = multiply(self.length(), self.mean_kept())
        if self.conveyor.is_partial:
            others = add(self.own(_BEFORE), multiply(self.own(_AFTER), self.kept()))
            full = add(full, multiply(others, TIMES["dt"]))
        return row("INITIAL", divide(self.own(), full))

    def listed(self) -> list[Expr]:
        """Write the amounts that leave of the first content in each unit of time."""
        cells = self.conveyor.first
        if () not in cells and not self.scope.is_cell:
            raise CellsNeededError
        equation, terms = cells[() if () in cells else self.scope.subscripts]
        values = [read_equation(self.scope, equation, value) for term in terms for value in self.unrolled(term)]
        return [multiply(value, self.own(_ONE)) if value.is_number else row("INITIAL", value) for value in values]

    def unrolled(self, term: Term) -> Iterator[Term]:
        """Yield a value of a list, or all those of a slice of an array."""
        names, found = self.scope.names, self.scope.find(term.text) if term.subscripts else None
        if found is None:
            yield term
            return
        pairs = zip(names.variables[found].dimensions, term.subscripts or (), strict=False)
        for cell in product(*(_cells_of(own, dimension, names.subscripts) for dimension, own in pairs)):
            yield replace(term, subscripts=cell)

    def steps(self) -> Expr:
        return row("INTEGER", add(divide(add(TIMES["time"], negate(TIMES["starttime"])), TIMES["dt"]), number(0.5)))

    def first_slats(self, units: int) -> Expr:
        """Write the number of slats, at the start, that leave within the first units of time."""
        slats = add(divide(multiply(number(units), self.own(_PERIOD)), TIMES["dt"]), number(_NEARLY_ONE))
        return row("MIN", row("INITIAL", self.slats()), row("INTEGER", slats))

    def first_content(self) -> Expr:
        """Write the sum of a first content that is listed."""
        values = self.listed()
        ends = [S.Zero, *map(self.first_slats, range(1, len(values))), row("INITIAL", self.slats())]
        lengths = (add(end, negate(start)) for start, end in pairwise(ends))
        return multiply(divide(TIMES["dt"], self.own(_PERIOD)), add(*map(multiply, values, lengths)))

    def first_outflow(self) -> Expr:
        """Write what leaves of a first content that is listed, by bisection of the list."""
        values, steps = self.listed(), self.own(_STEPS)

        def chosen(start: int, end: int) -> Expr:
            if end - start == 1:
                return values[start]
            middle = (start + end) // 2
            is_before = row("<", steps, self.first_slats(middle))
            return row("IF THEN ELSE", is_before, chosen(start, middle), chosen(middle, end))

        is_first = row("<", steps, row("INITIAL", self.slats()))
        return row("IF THEN ELSE", is_first, divide(chosen(0, len(values)), self.own(_PERIOD)), S.Zero)

    def leaked(self) -> Expr:
        return row("INTEG", divide(self.leaking(), TIMES["dt"]), S.Zero)

    def left(self) -> Expr:
        """Write the part that is left of the first content after the leaks of this step."""
        leaked = add(self.own(_LEAKED), self.leaking())
        if self.conveyor.is_exponential:
            return row("EXP", negate(leaked))
        return add(S.One, negate(divide(leaked, self.own(_SLATS))))

    def entering(self) -> Expr:
        return self.carried(self.inflow, self.own(_BEFORE), self.own(_FIRST))

    def outflow(self) -> Expr:
        if self.conveyor.first and not self.conveyor.leaks:
            return add(self.delayed(self.inflow, S.Zero), self.own(_FIRST_OUTFLOW))
        if self.conveyor.first:
            return add(self.leaving(), multiply(self.own(_FIRST_OUTFLOW), self.left()))
        if not self.conveyor.leaks:
            return self.delayed(self.inflow, divide(self.own(), self.length()))
        if self.conveyor.is_partial:
            return self.carried(self.own(_LEAVING), self.own(_AFTER), multiply(self.own(_FIRST), self.kept()))
        return self.leaving()

    def to_leaks(self) -> Expr:
        return self.own(_ENTERING) if self.conveyor.is_partial else self.inflow

    def leaving(self) -> Expr:
        """Write what comes out of the slats that leak."""
        before = S.Zero if self.conveyor.first else self.own(_FIRST)
        if not self.conveyor.leaks_vary:
            left = S.Zero if self.conveyor.first else multiply(before, self.kept())
            return self.delayed(multiply(self.to_leaks(), self.kept()), left)
        leaked = add(self.own(_MEAN_LEAK), divide(self.newly_leaking(), self.leaking_slats()))
        kept = add(S.One, negate(leaked))
        if self.conveyor.is_exponential:
            kept = row("EXP", negate(multiply(leaked, self.leaking_slats())))
        return multiply(self.delayed(self.to_leaks(), before), kept)

    def leaking(self) -> Expr:
        """Write what leaks in this step in a form that adds up over steps: of an exponential leak the logarithm."""
        if not self.conveyor.is_exponential:
            return self.lost()
        return negate(row("LN", row("MAX", number(_LEAST), add(S.One, negate(self.lost())))))

    def newly_leaking(self) -> Expr:
        return add(self.leaking(), negate(self.delayed(self.leaking(), self.leaking())))

    def mean_leak(self) -> Expr:
        """Write the mean of what leaks in a step, in that form, over the steps before this one in which a slat leaks."""
        return row("INTEG", divide(self.newly_leaking(), self.length()), self.leaking())

    def mean_inflow(self) -> Expr:
        """Write the mean of what came in on the slats that leak."""
        own, length = divide(self.to_leaks(), self.length()), self.length()
        if self.conveyor.first:
            gone = add(self.delayed(own, S.Zero), divide(self.own(_FIRST_OUTFLOW), length))
            return row("INTEG", add(own, negate(gone)), divide(self.own(_FIRST_CONTENT), length))
        gone = self.delayed(own, divide(self.own(_FIRST), length))
        return row("INTEG", add(own, negate(gone)), self.own(_FIRST))

    def content(self) -> Expr:
        """Write what is on the slats that leak."""
        leaks = (negate(self.value(leak)) for leak in self.conveyor.leaks)
        net = add(self.own(_ENTERING), negate(self.own(_LEAVING)), *leaks)
        return row("INTEG", net, multiply(self.own(_FIRST), self.length(), self.mean_kept()))

    def leak(self, leak: str) -> Expr:
        role = _MEAN_INFLOW
        if self.conveyor.is_exponential:
            role = _CONTENT if self.conveyor.is_partial else ""
        return divide(multiply(self.value(f"{leak} {_FRACTION}"), self.own(role)), row("MAX", S.One, self.asked()))


def _cells_of(term: Term, dimension: str, ranges: Mapping[str, Subscript]) -> list[Term]:
    """Return a subscript, or what `*` or `*:range` runs over."""
    if term.kind != "all":
        return [term]
    inner = name_key(term.parts[0].text) if term.parts else dimension
    return [Term("name", term.at, quoted(label)) for label in ranges[inner].keys] if inner in ranges else [term]


_WRITTEN: Mapping[str, Callable[[_Belt], Expr]] = {
    _TIME: _Belt.sampled,
    _SLATS: _Belt.slats,
    _FRACTION: _Belt.fraction,
    _BEFORE: _Belt.slats_before,
    _AFTER: _Belt.slats_after,
    _FIRST: _Belt.first_inflow,
    _ENTERING: _Belt.entering,
    _LEAVING: _Belt.leaving,
    _CONTENT: _Belt.content,
    _MEAN_INFLOW: _Belt.mean_inflow,
    _MEAN_LEAK: _Belt.mean_leak,
    _FIRST_CONTENT: _Belt.first_content,
    _FIRST_OUTFLOW: _Belt.first_outflow,
    _STEPS: _Belt.steps,
    _PERIOD: lambda _: S.One,
    _ONE: lambda _: S.One,
    _LEAKED: _Belt.leaked,
}


def find_conveyors(found: Declarations) -> list[Conveyor]:
    """Return the conveyors that a file declares; declare what they need, and report what is not supported."""
    conveyors = []
    for stock in [*found.variables.values()]:
        if (node := stock.node.find("conveyor")) is None:
            continue
        if any(name not in found.variables for name in stock.outflows):
            continue  # reported by the stock
        if (problem := _problem(stock, node, found)) is not None:
            place, what = problem
            found.fault(place, f"'{stock.name}': {what}")
            if _first_content(stock, found):  # the list is not a second fault
                _set_equation(stock.node, "0")
            continue
        conveyor = _conveyor(stock, node, found)
        _declare(conveyor, found)
        conveyors.append(conveyor)
    return conveyors


def _flows(stock: Variable, tag: str, found: Declarations) -> list[Variable]:
    keys = (key(stock.prefix + plain_name(part.text)) for part in stock.node.all(tag))
    return [found.variables[name] for name in keys if name in found.variables]


def _problem(stock: Variable, node: Node, found: Declarations) -> tuple[Place, str] | None:
    """Return the place of what is not supported in a conveyor, and what to do; or None."""
    arrest = node.find("arrest")
    if arrest is not None and arrest.text.strip() not in ("", "0"):
        what = "a conveyor that stops is not supported; delete <arrest>, or model it with stocks and DELAY"
        return arrest.place, what
    if node.is_set("discrete"):
        what = 'a discrete conveyor is not supported; delete discrete="true" if its content may be any number'
        return node.place, what
    problems = (
        _problem_of_ends(stock, node, found),
        _problem_of_leaks(_flows(stock, "outflow", found)),
        _problem_of_list(stock, found),
        *map(_problem_of_inflow, _flows(stock, "inflow", found)),
    )
    return next(filter(None, problems), None)


def _problem_of_ends(stock: Variable, node: Node, found: Declarations) -> tuple[Place, str] | None:
    plain = [flow for flow in _flows(stock, "outflow", found) if flow.node.find("leak") is None]
    if not node.text_of("len") or not plain:
        return node.place, "a conveyor needs a transit time and an outflow; write <len>, and name an <outflow>"
    if len(plain) > 1:
        second = plain[1]
        return second.node.place, f"'{second.name}' is a second outflow of a conveyor; mark it as a leak with <leak/>"
    return None


def _zone_of(flow: Variable) -> tuple[float, float]:
    """Return where a leak begins and ends, as parts of the length of its conveyor."""
    start, end = (flow.node.attribute(name) for name in ("leak_start", "leak_end"))
    return float(start or 0), float(end or 1)


def _problem_of_leaks(outflows: Sequence[Variable]) -> tuple[Place, str] | None:
    leaks = [flow for flow in outflows if flow.node.find("leak") is not None]
    for flow in leaks:
        if flow.node.find("leak_integers") is not None:
            return flow.node.place, f"'{flow.name}' leaks whole units, which is not supported; delete <leak_integers/>"
        try:
            start, end = _zone_of(flow)
        except ValueError:
            start, end = 1.0, 0.0
        if not 0 <= start <= end <= 1:
            what = f"'{flow.name}' leaks from no part of the conveyor"
            return (
                flow.node.place,
                f"{what}; write a number from 0 to 1 for leak_start, and from there to 1 for leak_end",
            )
        if (start, end) != _zone_of(leaks[0]):
            what = (
                f"'{flow.name}' and '{leaks[0].name}' leak from different parts of a conveyor, which is not supported"
            )
            return flow.node.place, f"{what}; make two conveyors of it"
    return None


def _problem_of_list(stock: Variable, found: Declarations) -> tuple[Place, str] | None:
    """Return what is wrong with a first content that is listed."""
    leaks = [flow for flow in _flows(stock, "outflow", found) if flow.node.find("leak") is not None]
    if not _first_content(stock, found) or not leaks or _zone_of(leaks[0]) == (0.0, 1.0):
        return None
    what = "a list of its first content is not supported where only a part of it leaks"
    return stock.node.place, f"{what}; write the total, which is then in equilibrium"


def _first_content(stock: Variable, found: Declarations) -> FirstContent:
    """Return the values of a first content that is a list or a slice of an array; none if it is a total, or not in all cells."""
    parts = [stock.node] if stock.node.text_of("eqn") else [*stock.node.all("element")]
    listed: FirstContent = {}
    for part in parts:
        equation = part.find("eqn")
        try:
            terms = parse_list("" if equation is None else equation.text)
        except SyntaxProblemError:
            return {}
        is_slice = terms[0].kind == "name" and any(own.kind == "all" for own in terms[0].subscripts or ())
        if equation is None or (len(terms) == 1 and not is_slice):
            return {}
        labels = () if part is stock.node else labels_of_element(stock, part, found)
        listed[labels or ()] = equation, terms
    cells = product(*(found.subscripts[name].keys for name in stock.dimensions))
    return listed if listed.keys() in ({()}, {*cells}) else {}


def _set_equation(node: Node, text: str) -> None:
    others = [part for part in node.children if part.tag not in ("eqn", "element")]
    node.children[:] = [*others, Node("eqn", {}, node.place, text=text)]


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
    zone = _zone_of(found.variables[key(leaks[0])]) if leaks else (0.0, 1.0)
    is_exponential, first = node.is_set("exponential_leak"), _first_content(stock, found)
    return Conveyor(stock, node, inflows, outflow, leaks, is_exponential, zone, first)


def _declare(conveyor: Conveyor, found: Declarations) -> None:
    """Declare the variables that a conveyor adds to a file."""
    for leak in conveyor.leaks:
        flow = found.variables[key(leak)]
        _variable(_FRACTION, flow, _parts_of_fraction(flow), found)
    for flow in _flows(conveyor.stock, "inflow", found):
        if flow.node.find("non_negative") is None:  # what is on its way does not go back
            flow.node.children.append(Node("non_negative", {}, flow.node.place))
    for role in _roles(conveyor):
        conveyor.added[role] = _variable(role, conveyor.stock, (), found)
    if (total := conveyor.added.get(_FIRST_CONTENT)) is not None:
        _set_equation(conveyor.stock.node, quoted(total.name))
    length, time = conveyor.node.find("len"), key(f"{conveyor.stock.name} {_TIME}")
    if _TIME not in conveyor.added and length and re.fullmatch(NUMBER, length.text) and time not in found.variables:
        conveyor.added[_TIME] = _variable(_TIME, conveyor.stock, [replace(length, tag="eqn")], found)
    for tag, role in (("capacity", _CAPACITY), ("in_limit", _MOST)):
        part = conveyor.node.find(tag)
        if part is not None and part.text.strip().lower() not in ("", "inf"):
            conveyor.added[role] = _variable(role, conveyor.stock, [replace(part, tag="eqn")], found)


def _parts_of_fraction(flow: Variable) -> list[Node]:
    """Return the parts of the variable with the fraction of a leak, which is not negative; a number stays a constant."""
    parts = [part for part in flow.node.all("eqn", "element", "gf") if part.tag != "eqn" or part.text.strip()]
    parts += [replace(part, tag="eqn") for part in flow.node.all("leak") if part.text.strip()]
    equations = [own for part in parts for own in ((part,) if part.tag == "eqn" else part.all("eqn"))]
    if not all(re.fullmatch(NUMBER, equation.text) for equation in equations):
        parts.append(Node("non_negative", {}, flow.node.place))
    return parts


def _roles(conveyor: Conveyor) -> Iterator[str]:
    """Yield what the variables of a conveyor are for that have no part in the file."""
    if conveyor.node.text_of("sample"):
        yield _TIME
    if conveyor.leaks:
        yield from (_SLATS, _FRACTION)
        yield _LEAKED if conveyor.first else _FIRST
        if conveyor.is_partial:
            yield from (_BEFORE, _AFTER, _ENTERING, _LEAVING)
        if not conveyor.is_exponential:
            yield _MEAN_INFLOW
        elif conveyor.is_partial:
            yield _CONTENT
    if conveyor.first:
        yield from (_FIRST_CONTENT, _FIRST_OUTFLOW, _STEPS, _PERIOD, _ONE)


def _variable(role: str, of: Variable, parts: Sequence[Node], found: Declarations) -> Variable:
    """Declare a variable of a leak or a conveyor."""
    meaning = Node("doc", {}, of.node.place, text=f"Of '{of.name}': {_ROLES[role]}.")
    node = Node("aux", {}, of.node.place, [*parts, meaning])
    own = Variable(f"{of.name} {role}", node, of.prefix, of.dimensions, of.tables)
    if (other := found.variables.get(own.key)) is not None:
        found.fault(other.node.place, f"'{own.name}' is the name of a part of a conveyor; rename one")
    found.variables[own.key] = own
    return own


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
        if conveyor.leaks:
            times = [own.expression for own in elements[conveyor.added[_SLATS].key].equations]
        else:
            outflow = elements[key(conveyor.outflow)]
            times = [call.args[1] for own in outflow.equations for call in own.calls if call.row.memory]
        changing = [name for time in times if (name := what_varies(time, elements)) is not None]
        conveyor.time_varies = bool(changing)
        if changing and (conveyor.leaks_vary or conveyor.is_partial):
            other = "fractions of leaks change" if conveyor.leaks_vary else "only a part leaks"
            what = f"'{conveyor.stock.name}': the transit time changes with '{changing[0]}' while {other}"
            found.fault(conveyor.stock.node.place, f"{what}, which is not supported; use a constant time")
        elif conveyor.leaks_vary or changing:
            if conveyor.leaks_vary:
                conveyor.added[_MEAN_LEAK] = _variable(_MEAN_LEAK, conveyor.stock, (), found)
            changed |= read(conveyor)
        changed |= _limited(conveyor, changed, conveyed, found)
        for role, own in conveyor.added.items():
            if role not in _SHOWN:
                changed[own.key] = replace(changed[own.key], hidden=True)
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
