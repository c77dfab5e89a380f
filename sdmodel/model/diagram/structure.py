"""What a diagram of a model shows: its stocks, what flows between them, and what acts on what; by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Add, Expr, Indexed, Symbol

from ..algebra import VensimFunction, references, referred
from ..records import Element, Model
from ..wording import unsigned


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow by its key, from one stock to another; none where it comes from, or goes to, outside."""

    name: str
    source: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class Influence:
    """That one element acts on another; `initial` where only the value at the start depends on it."""

    cause: str
    effect: str
    initial: bool = False


@dataclass(frozen=True)
class Structure:
    """The stocks, flows and influences among some elements, and what else acts on them."""

    stocks: tuple[str, ...]
    flows: tuple[Flow, ...]
    influences: tuple[Influence, ...]

    @property
    def flowing(self) -> frozenset[str]:
        """The elements that are flows."""
        return frozenset(flow.name for flow in self.flows)


def structure_of(model: Model, members: Sequence[str]) -> Structure:
    """What a diagram of some elements, by their keys, shows."""
    inside = set(members)
    stocks = tuple(name for name in members if model.elements[name].kind == "stock")
    ends: dict[str, dict[bool, str]] = {}
    for stock in stocks:
        for name, gains in _terms_of(model.elements[stock]):
            if name in inside and name not in stocks:
                ends.setdefault(name, {}).setdefault(gains, stock)
    flows = tuple(Flow(name, found.get(False), found.get(True)) for name, found in ends.items())
    piped = {(flow.name, stock) for flow in flows for stock in (flow.source, flow.target)}
    found: dict[tuple[str, str], bool] = {}
    for name in members:
        for cause, initial in _causes(model.elements[name]):
            if cause != name and (cause, name) not in piped and (cause in model.elements or cause == "time"):
                found[cause, name] = found.get((cause, name), True) and initial
    return Structure(stocks, flows, tuple(Influence(*pair, initial) for pair, initial in found.items()))


def _terms_of(stock: Element) -> Iterator[tuple[str, bool]]:
    """The references that a stock's rates add (true) or subtract, as they stand."""
    for equation in stock.equations:
        if isinstance(equation.expression, VensimFunction) and equation.expression.name == "INTEG":
            yield from _signed(equation.expression.args[0], gains=True)


def _signed(rate: Expr, *, gains: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(rate, Symbol | Indexed):
        yield referred(rate)[0], gains
    elif isinstance(rate, Add):
        for term in rate.args:
            yield from _signed(term, gains=gains)
    elif unsigned(rate) is not rate:
        yield from _signed(unsigned(rate), gains=not gains)


def _causes(element: Element) -> Iterator[tuple[str, bool]]:
    """What an element reads, and whether for its start alone."""
    for equation in element.equations:
        whole = equation.expression
        if isinstance(whole, VensimFunction) and whole.name == "INTEG":
            yield from ((referred(each)[0], False) for each in references(whole.args[0]))
            yield from ((referred(each)[0], True) for each in references(whole.args[1]))
        else:
            yield from ((referred(each)[0], False) for each in references(whole))
