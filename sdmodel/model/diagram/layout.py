"""Views for a model without a sketch: stocks in rows with their flows, and around them what acts on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from ..faults import SETTINGS
from ..names import display, key
from ..records import Model
from .settling import settle
from .skeleton import Pipe, Skeleton, Spot, skeleton_of
from .structure import Influence, Structure, structure_of
from .views import Arrow, View, Word

MOST = 60
"""Variables that one view still shows so that it can be read."""
_CELL = (150, 62)
"""How far apart places are at least, across and along, in units of a view."""
_EDGE = 100
_STOCK, _VALVE, _CLOUD, _LABEL = (45, 22), (6, 8), (10, 8), 20
_LETTER, _LINE, _WIDEST = 3.4, 8, 62
_SHADOWED, _CLOUDED = "<", "~"


def lay_out(model: Model) -> tuple[View, ...]:
    """Views of all elements but those that control the run: one of a small model, else one for each group, in parts of at most sixty.

    What acts on a view's elements from outside stands there as a shadow. The same model gives the same views.
    """
    control = {key(name) for name in (*SETTINGS, "SAVEPER")}
    members = [element.key for element in model if element.key not in control and not element.hidden]
    if len(members) <= MOST:
        return (_view(model, "View 1", members),) if members else ()
    groups: dict[str, list[str]] = {}
    for name in members:
        groups.setdefault(model.elements[name].group or "Model", []).append(name)
    return tuple(
        _view(model, title, part)
        for group, names in groups.items()
        for title, part in _parts(group, _with_constants(model, names))
    )


def _with_constants(model: Model, names: Sequence[str]) -> list[str]:
    """The elements of a group in their order, but each constant and table behind the first that reads it."""
    still = {name for name in names if model.elements[name].kind in ("constant", "lookup")}
    moving = [name for name in names if name not in still]
    causes: dict[str, list[str]] = {}
    for each in structure_of(model, names).influences:
        causes.setdefault(each.effect, []).append(each.cause)
    ordered = [
        other for name in moving for other in (name, *(cause for cause in causes.get(name, ()) if cause in still))
    ]
    return list(dict.fromkeys([*ordered, *names]))


def _parts(group: str, names: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """A group in parts that can be read, of about the same size."""
    pieces = math.ceil(len(names) / MOST)
    size = math.ceil(len(names) / pieces)
    for piece in range(pieces):
        title = group if pieces == 1 else f"{group} {piece + 1}"
        yield title, names[piece * size : (piece + 1) * size]


def _view(model: Model, title: str, members: Sequence[str]) -> View:
    """One view of some elements."""
    structure = structure_of(model, members)
    outside = dict.fromkeys(each.cause for each in structure.influences if each.cause not in members)
    shadows = [_SHADOWED + name for name in outside]
    free = [name for name in members if name not in structure.stocks and name not in structure.flowing] + shadows
    chains = max(1, len(structure.stocks))
    made = skeleton_of(structure, 2 + round(len(free) / (4 * chains)))
    fixed = dict(made.stocks) | {pipe.flow.name: pipe.valve for pipe in made.pipes}
    fixed |= {f"{_CLOUDED}{spot}": spot for pipe in made.pipes for spot in pipe.clouds}
    lines = [
        (_SHADOWED + each.cause if each.cause in outside else each.cause, each.effect) for each in structure.influences
    ]
    lines = [pair for pair in lines if set(pair) <= {*fixed, *free}]
    cell = _cell(model, structure, [*members, *outside])
    spots = settle(fixed, free, lines, _free_spots(made, len(free)), cell)
    return _drawn(_Page(model, cell), title, made, spots, structure)


def _cell(model: Model, structure: Structure, names: Sequence[str]) -> Spot:
    """How far apart places are so that the longest names fit, those that hang below valves too."""
    sizes = {name: _size(f"<{display(model.elements[name].name)}>") for name in names if name in model.elements}
    hanging = max((sizes[name][1] for name in structure.flowing), default=0)
    tallest = max(along for _, along in [*sizes.values(), _STOCK])
    widest = max(across for across, _ in [*sizes.values(), _STOCK])
    return max(_CELL[0], 2 * widest + 12), max(_CELL[1], 2 * tallest + 6, 2 * hanging + tallest + 10)


def _free_spots(made: Skeleton, wanted: int) -> list[Spot]:
    """Places around the skeleton: as many as are wanted, and half as many again to choose from."""
    taken = made.taken or {(0, 0)}
    columns, rows = [spot[0] for spot in taken], [spot[1] for spot in taken]
    below = {(column, row + 1) for column, row in taken}  # names of flows stand there in part
    for margin in count(1):
        across = range(min(columns) - margin, max(columns) + margin + 1)
        along = range(min(rows) - 2 * margin, max(rows) + 2 * margin + 1)
        found = [(column, row) for row in along for column in across if (column, row) not in made.taken]
        if len(found) >= 1.5 * wanted + 4:
            return sorted(found, key=lambda spot: (spot in below, spot))
    raise AssertionError  # the margin has no end


@dataclass(eq=False)
class _Page:
    """A view while its words and arrows are made; `cell` is how large a spot is, `corner` the one at its upper left."""

    model: Model
    cell: Spot
    corner: Spot = (0, 0)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    words: list[Word] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    by_name: dict[str, Word] = field(default_factory=dict)

    def unit(self, spot: Spot) -> tuple[int, int]:
        """Where a spot is in units of the view."""
        return _EDGE + (spot[0] - self.corner[0]) * self.cell[0], _EDGE + (spot[1] - self.corner[1]) * self.cell[1]

    def add(self, name: str, word: Word) -> None:
        """Put a word on the page under a name."""
        self.words.append(word)
        self.by_name[name] = word


def _drawn(page: _Page, title: str, made: Skeleton, spots: dict[str, Spot], structure: Structure) -> View:
    """The words and arrows of a view whose spots are known."""
    every = [*made.stocks.values(), *made.taken, *spots.values()]
    page.corner = (min(spot[0] for spot in every), min(spot[1] for spot in every))
    for name, spot in made.stocks.items():
        x, y = page.unit(spot)
        page.add(
            name, Word(next(page.numbers), "variable", display(page.model.elements[name].name), x, y, *_STOCK, "box")
        )
    for pipe in made.pipes:
        _draw_pipe(page, pipe)
    for name, spot in spots.items():
        page.add(name, _plain(page.model, name, next(page.numbers), *page.unit(spot)))
    for each in structure.influences:
        cause = page.by_name.get(each.cause) or page.by_name.get(_SHADOWED + each.cause)
        if cause is not None and each.effect in page.by_name:
            effect = page.by_name[each.effect]
            page.arrows.append(_influence(next(page.numbers), cause, effect, each, structure))
    return View(title, tuple(page.words), tuple(page.arrows))


def _plain(model: Model, name: str, number: int, x: int, y: int) -> Word:
    """An auxiliary, a constant, a table, or the shadow of something."""
    bare = name.removeprefix(_SHADOWED)
    text = display(model.elements[bare].name) if bare in model.elements else "Time"
    shadow = name.startswith(_SHADOWED)
    across, along = _size(f"<{text}>" if shadow else text)
    return Word(number, "variable", text, x, y, across, along, "clear", shadow=shadow)


def _size(text: str) -> tuple[int, int]:
    """Half the width and height of a text in lines."""
    longest = max((len(word) for word in text.split()), default=1)
    lines = max(1, math.ceil(_LETTER * len(text) / _WIDEST))
    across = min(_WIDEST, math.ceil(_LETTER * max(longest, len(text) / lines + 3))) if lines > 1 else math.ceil(_LETTER * len(text)) + 4  # fmt: skip
    return max(20, across), _LINE * lines + 3


def _draw_pipe(page: _Page, pipe: Pipe) -> None:
    """A flow: its clouds, its valve with the two halves of the pipe, and its name."""
    clouds = []
    for spot in pipe.clouds:
        x, y = page.unit(spot)
        clouds.append(Word(next(page.numbers), "cloud", "", x, y, *_CLOUD))
    x, y = page.unit(pipe.valve)
    across, along = _VALVE[::-1] if pipe.upright else _VALVE
    valve = Word(next(page.numbers), "valve", "", x, y, across, along, attached=True, upright=pipe.upright)
    for stock, head in ((pipe.flow.target, True), (pipe.flow.source, False)):
        end = page.by_name[stock] if stock else clouds[0]
        points = _corners(pipe, valve, end)
        page.arrows.append(Arrow(next(page.numbers), valve.number, end.number, "path", points, pipe=True, head=head))
    text = display(page.model.elements[pipe.flow.name].name)
    across, along = _size(text)
    x, y = (x + 14 + across, y) if pipe.upright else (x, y + 8 + along)
    page.words += [*clouds, valve]
    page.add(pipe.flow.name, Word(next(page.numbers), "variable", text, x, y, across, along, "clear", attached=True))


def _corners(pipe: Pipe, valve: Word, end: Word) -> tuple[tuple[int, int], ...]:
    """The way from a valve to an end: straight, or level with the valve and then up or down at the stock."""
    if pipe.upright or valve.y == end.y:
        return (((valve.x + end.x) // 2, (valve.y + end.y) // 2),)
    inward = pipe.shift if end.kind != "cloud" else 0
    aside = int(math.copysign(abs(inward), valve.x - end.x)) if inward else 0
    return ((end.x + aside, valve.y),)


def _influence(number: int, cause: Word, effect: Word, each: Influence, structure: Structure) -> Arrow:
    """A straight arrow, or one that keeps clear of a pipe, or of the arrow back."""
    back = Influence(each.effect, each.cause) in structure.influences
    piped = any(flow.name == each.effect and each.cause in (flow.source, flow.target) for flow in structure.flows)
    if not (back or piped):
        return Arrow(number, cause.number, effect.number, initial=each.initial)
    away = (0.24 if piped else 0.14) * math.hypot(effect.x - cause.x, effect.y - cause.y)
    angle = math.atan2(effect.y - cause.y, effect.x - cause.x) + math.pi / 2
    down = 1 if math.sin(angle) >= 0 or not piped else -1
    x, y = (
        (cause.x + effect.x) / 2 + down * away * math.cos(angle),
        (cause.y + effect.y) / 2 + down * away * math.sin(angle),
    )
    return Arrow(number, cause.number, effect.number, "arc", ((round(x), round(y)),), initial=each.initial)
