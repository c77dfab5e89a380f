"""Diagrams of XMILE and sketches: the views of a file as our records, and our views as one view of a file.

XMILE draws a flow as a line through points and an influence by the angle at which it leaves its cause; Vensim's sketch, whose
records we use, draws a flow as a valve with two pipes, and an influence as the arc through a point.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from ..model import Arrow, Element, Model, Shape, View, Word, WordKind, key
from .equations import attribute, identifier
from .names import plain_name
from .tree import Node

_STOCK, _LETTER, _LINE = (45, 22), 4, 11
_VALVE, _CLOUD, _BELOW = (6, 8), (10, 8), 19
"""Half sizes of symbols, and the distance from a valve to its name."""
_STRAIGHT = 4.0
"""An influence that leaves its cause at a smaller angle to the direct line, in degrees, is straight."""
_STEEPEST = 85.0
_GAP, _ROW, _COLUMNS = 120, 30, 6

Point = tuple[int, int]


def views_of(root: Node) -> tuple[View, ...]:
    """Return the diagrams of all models of a file; variables of modules have the name of the module before theirs."""
    found: list[View] = []
    for model in root.all("model"):
        name = plain_name(model.attribute("name"))
        prefix = f"{name}." if name and len([*root.all("model")]) > 1 else ""
        for node in (view for views in model.all("views") for view in views.all("view")):
            title = plain_name(node.attribute("name")) or name or f"View {len(found) + 1}"
            view = _Reader(model, prefix).view(node, title)
            if view.words:
                found.append(view)
    return tuple(found)


@dataclass(slots=True)
class _Reader:
    """Turns the objects of one view into words and arrows."""

    model: Node
    prefix: str
    words: list[Word] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    by_name: dict[str, int] = field(default_factory=dict)
    by_uid: dict[str, int] = field(default_factory=dict)
    valves: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def view(self, node: Node, title: str) -> View:
        flows = [*node.all("flow")]
        for child in node.children:
            if child.tag in ("stock", "aux", "gf", "module", "alias", "text_box"):
                self.symbol(child)
        for flow in flows:
            self.flow(flow)
        for connector in node.all("connector"):
            self.connector(connector)
        return View(title, tuple(self.words), tuple(self.arrows), place=node.place)

    def number(self) -> int:
        self.count += 1
        return self.count

    def add(
        self, kind: WordKind, text: str, at: Point, half: Point, *, shape: Shape = "default", shadow: bool = False
    ) -> Word:
        word = Word(self.number(), kind, text, *at, *half, shape, shadow=shadow)
        self.words.append(word)
        return word

    def symbol(self, node: Node) -> None:
        shown = plain_name(node.text_of("of") or node.attribute("name"))
        text = node.text.strip().replace("\\n", "\n") if node.tag == "text_box" else f"{self.prefix}{shown}"
        at = _position(node)
        half = (max(20, _LETTER * max(map(len, text.split("\n")), default=0)), _LINE)
        if node.tag == "text_box":
            self.add("comment", text, at, half)
        elif node.tag == "alias":
            self.by_uid[node.attribute("uid")] = self.add("variable", text, at, half, shadow=True, shape="clear").number
        elif node.tag == "module":
            self.by_name[key(shown)] = self.add("comment", text, at, half, shape="box").number
        else:
            stock = node.tag == "stock"
            word = self.add("variable", text, at, _STOCK if stock else half, shape="box" if stock else "clear")
            self.by_name[key(shown)] = word.number

    def flow(self, node: Node) -> None:
        """Draw a flow: its valve, its name, and a pipe to the stock or cloud at either end."""
        shown, at = plain_name(node.attribute("name")), _position(node)
        points = [_position(point) for part in node.all("pts") for point in part.all("pt")] or [at, at]
        upright = len(points) > 1 and abs(points[0][0] - points[-1][0]) < abs(points[0][1] - points[-1][1])
        valve = self.number()
        self.words.append(Word(valve, "valve", "", *at, *_VALVE, attached=True, upright=upright))
        half = (max(20, _LETTER * len(shown)), _LINE)
        name = Word(
            self.number(), "variable", f"{self.prefix}{shown}", at[0], at[1] + _BELOW, *half, "clear", attached=True
        )
        self.words.append(name)
        self.by_name[key(shown)] = name.number
        for end, place, inward in (("inflow", points[-1], True), ("outflow", points[0], False)):
            stock = self.stock_with(end, shown)
            target = self.add("cloud", "", place, _CLOUD).number if stock is None else stock
            bends = [*(points[1:-1] if len(points) > 2 else ())]  # noqa: PLR2004 - the ends
            between = (
                bends[-1]
                if bends and inward
                else bends[0]
                if bends
                else ((at[0] + place[0]) // 2, (at[1] + place[1]) // 2)
            )
            self.arrows.append(Arrow(self.number(), valve, target, "path", (between,), pipe=True, head=inward))

    def stock_with(self, end: str, flow: str) -> int | None:
        """Return the number of the stock in this view that a flow fills or drains."""
        for variables in self.model.all("variables"):
            for stock in variables.all("stock"):
                if any(key(plain_name(part.text)) == key(flow) for part in stock.all(end)):
                    return self.by_name.get(key(plain_name(stock.attribute("name"))))
        return None

    def connector(self, node: Node) -> None:
        ends = [self.end(node.find(tag)) for tag in ("from", "to")]
        source, target = ends
        if source is None or target is None or source == target:
            return
        places = {word.number: (word.x, word.y) for word in self.words}
        start, end = places[source], places[target]
        middle = _middle(node, start, end)
        polarity = node.attribute("polarity")
        self.arrows.append(
            Arrow(
                self.number(),
                source,
                target,
                "arc" if middle else "straight",
                (middle,) if middle else (),
                polarity=polarity if polarity in ("+", "-") else "",
                delayed=node.is_set("delay_mark"),
            )
        )

    def end(self, node: Node | None) -> int | None:
        if node is None:
            return None
        alias = node.find("alias")
        if alias is not None:
            return self.by_uid.get(alias.attribute("uid"))
        return self.by_name.get(key(plain_name(node.text)))


def _position(node: Node) -> Point:
    found = []
    for name in ("x", "y"):
        try:
            value = float(node.attribute(name))
        except ValueError:
            value = 0.0
        found.append(round(value) if math.isfinite(value) and abs(value) < 1e6 else 0)  # noqa: PLR2004 - larger than any diagram
    return found[0], found[1]


def _middle(node: Node, start: Point, end: Point) -> Point | None:
    """Return the middle of the arc that leaves its start at the angle of a connector; None for a straight line."""
    if (bends := [_position(point) for part in node.all("pts") for point in part.all("pt")]) and len(bends) > 2:  # noqa: PLR2004 - the ends
        return bends[len(bends) // 2]
    try:
        angle = float(node.attribute("angle"))
    except ValueError:
        return None
    across, down = end[0] - start[0], end[1] - start[1]
    turn = (angle - math.degrees(math.atan2(-down, across)) + 180) % 360 - 180
    if not math.isfinite(turn) or abs(turn) < _STRAIGHT or not (across or down):
        return None
    rise = 0.5 * math.tan(math.radians(max(-_STEEPEST, min(_STEEPEST, turn))) / 2)
    return round((start[0] + end[0]) / 2 + rise * down), round((start[1] + end[1]) / 2 - rise * across)


def _angle(start: Point, end: Point, middle: Point | None) -> float:
    """Return the angle at which the arc through a point leaves its start, counter-clockwise in degrees."""
    across, down = end[0] - start[0], end[1] - start[1]
    direct = math.degrees(math.atan2(-down, across))
    length = math.hypot(across, down)
    if middle is None or not length:
        return direct
    off = (middle[0] - (start[0] + end[0]) / 2, middle[1] - (start[1] + end[1]) / 2)
    rise = (off[0] * down - off[1] * across) / length**2
    return direct + 2 * math.degrees(math.atan(2 * rise))


# Writing


def view_lines(model: Model, views: Sequence[View], written: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of one view with all views of a sketch, one below the other, as other programs show only one.

    `written` has the tag of each variable that the file defines, by key. A variable that is in no view is added at the end.
    """
    writer = _Writer(model, written)
    down = 0
    for view in views:
        words = [word for word in view.words if not word.hidden and word.kind != "control"]
        if not words:
            continue
        left, top = min(word.x - word.half_width for word in words), min(word.y - word.half_height for word in words)
        shift = (60 - left, down + _GAP - top)
        if len(views) > 1:
            writer.lines.append(_text_box(view.name, 60, down + _GAP // 2))
        writer.view(view, shift)
        down = max(word.y + word.half_height for word in words) + shift[1]
    rest = [name for name in written if name not in writer.placed]
    for place, name in enumerate(rest):
        at = (100 + 200 * (place % _COLUMNS), down + _GAP + _ROW * (place // _COLUMNS))
        writer.symbol(model.elements[name], at)
    yield '<view type="stock_flow" page_width="1000" page_height="800" zoom="100" show_pages="false">'
    yield from (f"\t{line}" for line in writer.lines)
    yield "</view>"


@dataclass(slots=True)
class _Writer:
    """Writes words and arrows as objects of a view; `placed` has the variables that the view shows, by key."""

    model: Model
    written: Mapping[str, str]
    lines: list[str] = field(default_factory=list)
    placed: dict[str, Point] = field(default_factory=dict)
    uid: int = 0

    def view(self, view: View, shift: Point) -> None:
        places = {word.number: (word.x + shift[0], word.y + shift[1]) for word in view.words}
        pipes: dict[int, list[Arrow]] = defaultdict(list)
        for arrow in view.arrows:
            if arrow.pipe and not arrow.hidden:
                pipes[arrow.source].append(arrow)
        flows = {name: (valve, ends) for name, valve, ends in _flows(view, pipes)}
        names: dict[int, str] = {}
        for word in (word for word in view.words if not word.hidden):
            name, at = key(word.text), places[word.number]
            if word.kind == "comment" and word.text.strip():
                self.lines.append(_text_box(word.text, *at))
            if word.kind != "variable" or name not in self.written:
                continue
            element = self.model.elements[name]
            names[word.number] = _name_of(element)
            if word.shadow or name in self.placed:
                names[word.number] = self.alias(element, at)
            elif name in flows and self.written[name] == "flow":
                valve, ends = flows[name]
                names[valve] = names[word.number]
                self.flow(element, places[valve], [places[end] for end in ends])
            else:
                self.symbol(element, at)
        for arrow in view.arrows:
            if not arrow.pipe and not arrow.hidden and {arrow.source, arrow.target} <= names.keys():
                self.connector(arrow, names, places, shift)

    def symbol(self, element: Element, at: Point) -> None:
        self.placed[element.key] = at
        tag = self.written[element.key]
        name = attribute(element.name)
        if tag == "flow":
            self.flow(element, at, [(at[0] - 40, at[1]), (at[0] + 40, at[1])])
        else:
            self.lines.append(f'<{tag if tag != "gf" else "aux"} name="{name}" x="{at[0]}" y="{at[1]}"/>')

    def flow(self, element: Element, at: Point, ends: Sequence[Point]) -> None:
        self.placed[element.key] = at
        self.lines.append(f'<flow name="{attribute(element.name)}" x="{at[0]}" y="{at[1]}">')
        self.lines.append("\t<pts>")
        self.lines += [f'\t\t<pt x="{x}" y="{y}"/>' for x, y in _right_angles(at, ends)]
        self.lines += ["\t</pts>", "</flow>"]

    def alias(self, element: Element, at: Point) -> str:
        self.uid += 1
        self.lines += [
            f'<alias uid="{self.uid}" x="{at[0]}" y="{at[1]}">',
            f"\t<of>{_name_of(element)}</of>",
            "</alias>",
        ]
        return f'<alias uid="{self.uid}"/>'

    def connector(self, arrow: Arrow, names: Mapping[int, str], places: Mapping[int, Point], shift: Point) -> None:
        if names[arrow.target].startswith("<alias"):  # an alias has no causes
            return
        self.uid += 1
        middle = (
            (arrow.points[0][0] + shift[0], arrow.points[0][1] + shift[1])
            if arrow.form == "arc" and arrow.points
            else None
        )
        angle = _angle(places[arrow.source], places[arrow.target], middle)
        polarity = f' polarity="{arrow.polarity}"' if arrow.polarity in ("+", "-") else ""
        delayed = ' delay_mark="true"' if arrow.delayed else ""
        self.lines += [
            f'<connector uid="{self.uid}" angle="{angle:.6g}"{polarity}{delayed}>',
            f"\t<from>{names[arrow.source]}</from>",
            f"\t<to>{names[arrow.target]}</to>",
            "</connector>",
        ]


def _flows(view: View, pipes: Mapping[int, Sequence[Arrow]]) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Yield each flow of a view by key, with its valve and the words at its start and its end."""
    attached = [word for word in view.words if word.kind == "variable" and word.attached]
    for valve in (word for word in view.words if word.kind == "valve" and len(pipes[word.number]) == 2):  # noqa: PLR2004 - in and out
        if not attached:
            return
        name = min(
            attached,
            key=lambda word: (abs(word.number - valve.number - 1) > 1, math.hypot(word.x - valve.x, word.y - valve.y)),
        )
        first, second = pipes[valve.number]
        start, end = (second, first) if first.head else (first, second)
        yield key(name.text), valve.number, (start.target, end.target)


def _right_angles(at: Point, ends: Sequence[Point]) -> list[Point]:
    """Return the points of a flow from its start through its valve to its end, joined at right angles."""
    (x0, y0), (x1, y1) = ends
    if abs(x1 - x0) >= abs(y1 - y0):
        points = [(x0, y0), (x0, at[1]), (x1, at[1]), (x1, y1)]
    else:
        points = [(x0, y0), (at[0], y0), (at[0], y1), (x1, y1)]
    return [point for place, point in enumerate(points) if place == 0 or point != points[place - 1]]


def _text_box(text: str, x: int, y: int) -> str:
    shown = escape(" ".join(text.split()), quote=False)
    width, height = max(40, 2 * _LETTER * len(shown)), 2 * _LINE
    return f'<text_box x="{x}" y="{y}" width="{min(width, 600)}" height="{height}">{shown}</text_box>'


def _name_of(element: Element) -> str:
    """Return the name of an element as other tags name it: with underscores, or in quotes."""
    return escape(identifier(element.name), quote=False)
