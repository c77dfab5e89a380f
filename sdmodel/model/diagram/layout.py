"""Draw views for a model without a sketch: stocks in rows with their flows, and around them what acts on them.

A view is laid out in three steps. The structure lists its stocks, flows and influences. The skeleton places stocks and flows
on a grid: each chain of stocks in a row, flows between neighbours, clouds at open ends. All other words are then placed near
what they act on (`placement`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from sympy import Expr

from ..algebra import is_reference, references_in, signed_terms, split_reference
from ..kinds import is_integral, rates_of
from ..names import display_name
from ..records import RUN_SETTING_KEYS, Element, Model, takes_model
from .placement import Spot, place_words
from .views import Arrow, View, Word

MOST = 60
"""Maximum number of variables of a view that is still readable."""
_MOVES, _FEWEST_MOVES = 15_000, 750
"""The most moves with which the words of all views are placed; and how many a view may have even so."""
_CELL = (150, 62)
"""Minimum distance between grid places, across and along, in units of a view."""
_EDGE = 100
_STOCK, _VALVE, _CLOUD = (45, 22), (6, 8), (10, 8)
_LETTER, _LINE, _WIDEST = 3.4, 8, 62
_SHADOW, _CLOUD_PREFIX = "<", "~"


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow by its key, with the stocks it comes from and goes to; None is outside the model."""

    name: str
    source: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class Influence:
    """An effect of one element on another; `initial` if only the value at the start depends on the cause."""

    cause: str
    effect: str
    initial: bool = False


@dataclass(frozen=True)
class Structure:
    """The stocks, flows and influences among some elements, and the influences on them from outside; by key."""

    stocks: tuple[str, ...]
    flows: tuple[Flow, ...]
    influences: tuple[Influence, ...]


def structure_of(model: Model, members: Sequence[str]) -> Structure:
    """Return the structure of some elements, given by their keys."""
    inside = set(members)
    stocks = tuple(name for name in members if model.elements[name].kind == "stock")
    ends: dict[str, dict[bool, str]] = {}
    for stock in stocks:
        rates = rates_of(model.elements[stock])
        for name, gains in (found for rate in rates for found in _references(rate, 1)):
            if name in inside and name not in stocks:
                ends.setdefault(name, {}).setdefault(gains, stock)
    flows = tuple(Flow(name, found.get(False), found.get(True)) for name, found in ends.items())
    piped = {(flow.name, stock) for flow in flows for stock in (flow.source, flow.target)}
    found: dict[tuple[str, str], bool] = {}
    for name in members:
        for cause, initial in _shown_causes(model, name):
            if cause != name and (cause, name) not in piped and (cause in model.elements or cause == "time"):
                found[cause, name] = found.get((cause, name), True) and initial
    return Structure(stocks, flows, tuple(Influence(*pair, initial) for pair, initial in found.items()))


def _references(rate: Expr, sign: int) -> Iterator[tuple[str, bool]]:
    """Yield the references that a rate adds (True) or subtracts."""
    for term, own in signed_terms(rate):
        if is_reference(term):
            yield split_reference(term)[0], sign * own > 0
        elif term is not rate:
            yield from _references(term, sign * own)


def _shown_causes(model: Model, name: str) -> Iterator[tuple[str, bool]]:
    """Yield the causes of an element that a diagram can show: what a hidden one was made for, or what a macro reads."""
    waiting, seen = [name], {name}
    while waiting:
        for cause, initial in _causes(model.elements[waiting.pop()]):
            owner = model.owner_of(model.elements[cause]) if cause in model.elements else None
            if owner is None or not owner.hidden:
                yield (owner.key if owner else cause), initial
            elif cause not in seen:
                seen.add(cause)
                waiting.append(cause)


def _causes(element: Element) -> Iterator[tuple[str, bool]]:
    """Yield the keys of what an element reads, and whether only its initial value depends on it."""
    for whole in (equation.expression for equation in element.equations):
        for place, part in enumerate(whole.args if is_integral(whole) else (whole,)):
            yield from ((split_reference(reference)[0], place > 0) for reference in references_in(part))


@dataclass(frozen=True, slots=True)
class Pipe:
    """A flow on the grid: the place of its valve, and of a cloud at each open end.

    `upright` if the pipe runs up or down at its valve. `shift` is the distance from the middle of a stock, in units of a
    view, at which a pipe around a corner meets it.
    """

    flow: Flow
    valve: Spot
    clouds: tuple[Spot, ...] = ()
    upright: bool = False
    shift: int = 0


@dataclass
class Skeleton:
    """The places of stocks and pipes; `taken` are all occupied places, `corners` those of them where pipes turn."""

    stocks: dict[str, Spot] = field(default_factory=dict)
    pipes: list[Pipe] = field(default_factory=list)
    taken: set[Spot] = field(default_factory=set)
    corners: set[Spot] = field(default_factory=set)


def skeleton_of(structure: Structure, gap: int) -> Skeleton:
    """Place stocks and flows on the grid: each chain of stocks in a row of its own, `gap` rows apart.

    The stocks of a chain are two columns apart with valves between them; other flows are around them.
    """
    skeleton = Skeleton()
    row = 0
    for chain in _chains(structure):
        own = [flow for flow in structure.flows if {flow.source, flow.target} & set(chain)]
        above = sum(1 for flow in own if flow.source is None or flow.target is None) > 2 * len(chain)
        row += gap + (1 if above else 0)
        skeleton.stocks |= {stock: (2 * place + 2, row) for place, stock in enumerate(chain)}
        skeleton.taken.update(skeleton.stocks[stock] for stock in chain)
        for flow in sorted(own, key=lambda flow: flow.source is None or flow.target is None):
            if flow.source and flow.target:
                _place_between(skeleton, flow)
            else:
                _place_outside(skeleton, flow, chain)
        row = max(at for _, at in skeleton.taken)
    return skeleton


def _chains(structure: Structure) -> list[list[str]]:
    """Return the chains of stocks that flows connect, the longest first; sources stand before what they fill."""
    after, before = ({stock: list[str]() for stock in structure.stocks} for _ in range(2))
    for flow in structure.flows:
        if flow.source and flow.target and flow.source != flow.target:
            after[flow.source].append(flow.target)
            before[flow.target].append(flow.source)
    chains: list[list[str]] = []
    seen: set[str] = set()
    for stock in sorted(structure.stocks, key=lambda stock: bool(before[stock])):
        if stock in seen:
            continue
        chain: list[str] = []
        waiting = [stock]
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                chain.append(current)
                waiting += [*before[current][::-1], *after[current][::-1]]
        chains.append(chain)
    return sorted(chains, key=lambda chain: -len(chain))


def _place_between(skeleton: Skeleton, flow: Flow) -> None:
    """Place a flow from stock to stock: straight between neighbours, else along a row above or below them."""
    (left, row), (right, _) = (skeleton.stocks[str(flow.source)], skeleton.stocks[str(flow.target)])
    middle = (left + right) // 2
    if abs(left - right) == 2 and (middle, row) not in skeleton.taken:  # noqa: PLR2004 - neighbours
        skeleton.taken.add((middle, row))
        skeleton.pipes.append(Pipe(flow, (middle, row)))
        return
    low, high = sorted((left, right))
    for away in count(1):
        for side in (-away, away):
            spots = {(column, row + side) for column in range(low, high + 1)}
            if skeleton.taken.isdisjoint(spots):
                skeleton.taken |= spots
                skeleton.pipes.append(Pipe(flow, ((low + high) // 2, row + side), shift=12))
                return


def _place_outside(skeleton: Skeleton, flow: Flow, chain: Sequence[str]) -> None:
    """Place a flow from or to outside: at a free side of its stock, else around a corner."""
    stock = str(flow.target or flow.source)
    column, row = skeleton.stocks[stock]
    first, last = stock == chain[0], stock == chain[-1]
    for valve, cloud, upright, shift in _slots(column, row, inward=flow.source is None):
        sideways = not upright and valve[1] == row
        if sideways and not (first if valve[0] < column else last):
            continue
        beside = {(column + 1, valve[1])} if upright else set()  # the name of an upright flow
        spots = {valve, cloud} | beside
        corners = set() if upright or sideways else {(column, valve[1])}  # where the pipe turns; pipes may share it
        if skeleton.taken.isdisjoint(spots | corners - skeleton.corners):
            skeleton.taken |= spots | corners
            skeleton.corners |= corners
            skeleton.pipes.append(Pipe(flow, valve, (cloud,), upright, shift))
            return


def _slots(column: int, row: int, *, inward: bool) -> Iterator[tuple[Spot, Spot, bool, int]]:
    """Yield places for the valve and the cloud of a flow, the best first, with `upright` and `shift` of its pipe."""
    sides = (-1, 1) if inward else (1, -1)
    for side in sides:
        yield (column + side, row), (column + 2 * side, row), False, 0
    for level in (-1, 1):
        yield (column, row + level), (column, row + 2 * level), True, 0
    for away in count(1):
        for level in (-away, away):
            for side in sides:
                yield (column + side, row + level), (column + 2 * side, row + level), False, 20 * side


@takes_model
def lay_out(model: Model) -> tuple[View, ...]:
    r"""Draw stock and flow diagrams of a model: views for a model that has no sketch.

    A model of up to 60 elements gets one view. A larger one gets a view per group, in parts of at most 60 elements.
    Variables from outside a view that act on its elements are drawn as shadow variables. The settings of the run are left
    out. The same model always gives the same views.

    Parameters
    ----------
    model : Model
        A model, with or without a sketch of its own.

    Returns
    -------
    tuple[View, ...]
        The views, empty for a model that has only run settings. `mdl_text(model, views)` writes them as a Vensim model.

    Examples
    --------
    >>> from sdmodel import lay_out
    >>> from sdmodel.testing import tiny_model
    >>> (view,) = lay_out(tiny_model("Stock = INTEG(-outflow, 100)\noutflow = Stock/5"))
    >>> sorted(word.text for word in view.words if word.kind == "variable")
    ['Stock', 'outflow']
    """
    members = [element.key for element in model if element.key not in RUN_SETTING_KEYS and not element.hidden]
    if len(members) <= MOST:
        return (_view(model, "View 1", members),) if members else ()
    groups: dict[str, list[str]] = {}
    for name in members:
        groups.setdefault(model.elements[name].group or "Model", []).append(name)
    parts = [part for group, names in groups.items() for part in _parts(group, _with_constants(model, names))]
    moves = max(_MOVES // len(parts), _FEWEST_MOVES)
    return tuple(_view(model, title, names, moves) for title, names in parts)


def _with_constants(model: Model, names: Sequence[str]) -> list[str]:
    """Return the elements of a group in their order, with each constant and table after the first element that reads it."""
    still = {name for name in names if model.elements[name].kind in ("constant", "lookup")}
    moving = [name for name in names if name not in still]
    causes: dict[str, list[str]] = {}
    for influence in structure_of(model, names).influences:
        causes.setdefault(influence.effect, []).append(influence.cause)
    ordered = [other for name in moving for other in (name, *(own for own in causes.get(name, ()) if own in still))]
    return list(dict.fromkeys([*ordered, *names]))


def _parts(group: str, names: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Split a group into readable parts of about the same size."""
    parts = math.ceil(len(names) / MOST)
    size = math.ceil(len(names) / parts)
    for part in range(parts):
        yield group if parts == 1 else f"{group} {part + 1}", names[part * size : (part + 1) * size]


def _view(model: Model, title: str, members: Sequence[str], moves: int = _MOVES) -> View:
    structure = structure_of(model, members)
    pairs = [(influence.cause, influence.effect) for influence in structure.influences]
    outside = dict.fromkeys(cause for cause, _ in pairs if cause not in members)
    shadows = [_SHADOW + name for name in outside]
    flowing = [flow.name for flow in structure.flows]
    free = [*(name for name in members if name not in {*structure.stocks, *flowing}), *shadows]
    chains = max(1, len(structure.stocks))
    skeleton = skeleton_of(structure, 2 + round(len(free) / (4 * chains)))
    fixed = dict(skeleton.stocks) | {pipe.flow.name: pipe.valve for pipe in skeleton.pipes}
    fixed |= {f"{_CLOUD_PREFIX}{spot}": spot for pipe in skeleton.pipes for spot in pipe.clouds}
    lines = [(_SHADOW + cause if cause in outside else cause, effect) for cause, effect in pairs]
    lines = [line for line in lines if set(line) <= {*fixed, *free}]
    cell = _cell(model, flowing, [*members, *outside])
    spots = place_words(fixed, free, lines, _free_spots(skeleton, len(free)), cell, moves)
    return _finish(_Page(model, cell), title, skeleton, spots, structure)


def _cell(model: Model, flowing: Sequence[str], names: Sequence[str]) -> Spot:
    """Return the distance between places at which the longest names fit, including those below valves."""
    sizes = {name: _size(f"<{display_name(model.elements[name].name)}>") for name in names if name in model.elements}
    hanging = max((sizes[name][1] for name in flowing), default=0)
    tallest = max(along for _, along in [*sizes.values(), _STOCK])
    widest = max(across for across, _ in [*sizes.values(), _STOCK])
    return max(_CELL[0], 2 * widest + 12), max(_CELL[1], 2 * tallest + 6, 2 * hanging + tallest + 10)


def _free_spots(skeleton: Skeleton, number: int) -> list[Spot]:
    """Return places around the skeleton: at least one and a half times as many as there are words to place."""
    taken = skeleton.taken or {(0, 0)}
    columns, rows = [spot[0] for spot in taken], [spot[1] for spot in taken]
    below = {(column, row + 1) for column, row in taken}  # partly covered by names of flows
    for margin in count(1):
        across = range(min(columns) - margin, max(columns) + margin + 1)
        along = range(min(rows) - 2 * margin, max(rows) + 2 * margin + 1)
        found = [(column, row) for row in along for column in across if (column, row) not in skeleton.taken]
        if len(found) >= 1.5 * number + 4:
            return sorted(found, key=lambda spot: (spot in below, spot))
    raise AssertionError  # never reached: the margin grows without end


@dataclass(eq=False)
class _Page:
    """A view under construction; `cell` is the size of a place, `corner` the place at its upper left."""

    model: Model
    cell: Spot
    corner: Spot = (0, 0)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    words: list[Word] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    by_name: dict[str, Word] = field(default_factory=dict)

    def unit(self, spot: Spot) -> tuple[int, int]:
        """Return the coordinates of a place, in units of the view."""
        return _EDGE + (spot[0] - self.corner[0]) * self.cell[0], _EDGE + (spot[1] - self.corner[1]) * self.cell[1]

    def add(self, name: str, word: Word) -> None:
        self.words.append(word)
        self.by_name[name] = word

    def text(self, name: str) -> str:
        elements = self.model.elements
        return display_name(elements[name].name) if name in elements else "Time"


def _finish(page: _Page, title: str, skeleton: Skeleton, spots: dict[str, Spot], structure: Structure) -> View:
    every = [*skeleton.stocks.values(), *skeleton.taken, *spots.values()]
    page.corner = (min(spot[0] for spot in every), min(spot[1] for spot in every))
    for name, spot in skeleton.stocks.items():
        page.add(name, Word(next(page.numbers), "variable", page.text(name), *page.unit(spot), *_STOCK, "box"))
    for pipe in skeleton.pipes:
        _add_pipe(page, pipe)
    for name, spot in spots.items():
        text, shadow = page.text(name.removeprefix(_SHADOW)), name.startswith(_SHADOW)
        size = _size(f"<{text}>" if shadow else text)
        page.add(name, Word(next(page.numbers), "variable", text, *page.unit(spot), *size, "clear", shadow=shadow))
    for influence in structure.influences:
        cause = page.by_name.get(influence.cause) or page.by_name.get(_SHADOW + influence.cause)
        effect = page.by_name.get(influence.effect)
        if cause is not None and effect is not None:
            page.arrows.append(_arrow(next(page.numbers), cause, effect, influence, structure))
    return View(title, tuple(page.words), tuple(page.arrows))


def _size(text: str) -> tuple[int, int]:
    """Return half the width and half the height of a text that is broken into lines."""
    longest = max((len(word) for word in text.split()), default=1)
    lines = max(1, math.ceil(_LETTER * len(text) / _WIDEST))
    broken = min(_WIDEST, math.ceil(_LETTER * max(longest, len(text) / lines + 3)))
    return max(20, broken if lines > 1 else math.ceil(_LETTER * len(text)) + 4), _LINE * lines + 3


def _add_pipe(page: _Page, pipe: Pipe) -> None:
    """Add a flow to the view: its clouds, its valve with the two halves of the pipe, and its name."""
    clouds = [Word(next(page.numbers), "cloud", "", *page.unit(spot), *_CLOUD) for spot in pipe.clouds]
    x, y = page.unit(pipe.valve)
    size = _VALVE[::-1] if pipe.upright else _VALVE
    valve = Word(next(page.numbers), "valve", "", x, y, *size, attached=True, upright=pipe.upright)
    for stock, head in ((pipe.flow.target, True), (pipe.flow.source, False)):
        end = page.by_name[stock] if stock else clouds[0]
        points = _corners(pipe, valve, end)
        page.arrows.append(Arrow(next(page.numbers), valve.number, end.number, "path", points, pipe=True, head=head))
    text = page.text(pipe.flow.name)
    across, along = _size(text)
    x, y = (x + 14 + across, y) if pipe.upright else (x, y + 8 + along)
    page.words += [*clouds, valve]
    page.add(pipe.flow.name, Word(next(page.numbers), "variable", text, x, y, across, along, "clear", attached=True))


def _corners(pipe: Pipe, valve: Word, end: Word) -> tuple[tuple[int, int], ...]:
    """Return the corners from a valve to an end: straight, or level with the valve and then up or down at the stock."""
    if pipe.upright or valve.y == end.y:
        return (((valve.x + end.x) // 2, (valve.y + end.y) // 2),)
    inward = pipe.shift if end.kind != "cloud" else 0
    aside = int(math.copysign(abs(inward), valve.x - end.x)) if inward else 0
    return ((end.x + aside, valve.y),)


def _arrow(number: int, cause: Word, effect: Word, influence: Influence, structure: Structure) -> Arrow:
    """Return a straight arrow, or an arc that avoids a pipe or the arrow back."""
    back = Influence(influence.effect, influence.cause) in structure.influences
    ends = {flow.name: (flow.source, flow.target) for flow in structure.flows}
    piped = influence.cause in ends.get(influence.effect, ())
    if not (back or piped):
        return Arrow(number, cause.number, effect.number, initial=influence.initial)
    away = (0.24 if piped else 0.14) * math.hypot(effect.x - cause.x, effect.y - cause.y)
    angle = math.atan2(effect.y - cause.y, effect.x - cause.x) + math.pi / 2
    down = 1 if math.sin(angle) >= 0 or not piped else -1
    x = (cause.x + effect.x) / 2 + down * away * math.cos(angle)
    y = (cause.y + effect.y) / 2 + down * away * math.sin(angle)
    return Arrow(number, cause.number, effect.number, "arc", ((round(x), round(y)),), initial=influence.initial)
