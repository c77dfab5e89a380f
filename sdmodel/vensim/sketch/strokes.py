"""One line of a sketch as a record: a word (a variable, valve, cloud or comment) or an arrow.

What the fields mean stands in Vensim's manual, "Objects" (24305.html).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from ...errors import Place
from ...model import Arrow, Colour, Lettering, Shape, Word, WordKind, display
from ..read.segments import QUOTED

_WORD = re.compile(rf"(\d{{1,9}}),([^,]*),({QUOTED}|[^,]*),(.*)", re.DOTALL)
_WHOLE = re.compile(r"-?\d{1,9}")
_COLOUR = re.compile(r"(\d{1,3})-(\d{1,3})-(\d{1,3})")
_POINT = re.compile(r"\((-?\d{1,9}),(-?\d{1,9})\)\|")
_POINTS = re.compile(r"(\d{1,9})\|((?:\(-?\d{1,9},-?\d{1,9}\)\|)*)")

_KINDS: dict[int, WordKind] = {10: "variable", 11: "valve", 12: "comment", 30: "picture", 31: "picture"}
_SHAPES: dict[int, Shape] = {0: "default", 3: "box", 8: "clear"}
_CLOUD = "48"
_FARTHEST = 1_000_000
"""Units from the corner of a view; nobody draws so far away."""
_BRIGHTEST, _LARGEST = 255, 200.0
_NUMBERS = (
    "x",
    "y",
    "half width",
    "half height",
    "shape",
    "bits",
    "hidden",
    "font",
    "text position",
    "width",
    "navigation",
    "navigation",
)
_ARROW = ("number", "source", "target", "shape", "hidden", "polarity", "thickness", "font", "delay")
_MOST = 14
_PIPE, _ARC, _TAIL = 20, 1, 100
_DELAYED = 63
_PRINTED = range(33, 127)
# bits of a word
_IN, _NEXT_LINE, _CONTROL, _ATTACHED, _UPRIGHT = 1, 4, 8, 32, 1
# bits of what a word has of its own
_BORDER, _TEXT, _FILL, _POINTS_BIT, _MARKS, _FACE = 1, 2, 4, 8, 16, 32


class BadRecordError(Exception):
    """A line that is no record, from which column on, and what to do."""

    def __init__(self, what: str, column: int = 1) -> None:
        super().__init__(what)
        self.what, self.column = what, column


def word_of(line: str, place: Place, text_below: Callable[[], str]) -> Word:
    """The word that a line describes; a comment's text may be on the line below."""
    found = _WORD.match(line)
    kind = _KINDS.get(int(line.split(",", 1)[0]))
    if found is None or kind is None:
        what = f"'{line[:30]}' is no object that a sketch has; remove the line, or save the model in Vensim again"
        raise BadRecordError(what)
    rest = found[4].split(",")
    (number,) = _numbers([found[2]], ("number",), found.start(2))
    x, y, half_width, half_height, shape, bits, hidden, own, *_ = _numbers(rest, _NUMBERS, found.start(4))
    text = text_below() if kind == "comment" and bits & _NEXT_LINE else display(found[3])
    if kind == "comment":
        kind, text = _meant(text, bits)
    looks = dict(enumerate(rest[len(_NUMBERS) :]))
    return Word(
        number=number,
        kind=kind,
        text=text.replace("\\n", "\n"),
        x=x,
        y=y,
        half_width=abs(half_width),
        half_height=abs(half_height),
        shape=_SHAPES.get(shape & ~_ATTACHED, "round"),
        shadow=kind == "variable" and not bits & _IN,
        attached=bool(shape & _ATTACHED),
        upright=kind == "valve" and bool(shape & _UPRIGHT),
        hidden=hidden != 0,
        lettering=_own_lettering(looks.get(2, ""), own),
        border=colour_of(looks.get(0, "")) if own & _BORDER else None,
        fill=colour_of(looks.get(1, "")) if own & _FILL else None,
        place=place,
    )


def _meant(text: str, bits: int) -> tuple[WordKind, str]:
    """What a comment is: a cloud at the end of a flow, something to move or to look at, or words."""
    if bits & _CONTROL:
        return "control", text.partition(",")[0]
    if text == _CLOUD and not bits & _NEXT_LINE:
        return "cloud", ""
    return "comment", "" if text == "0" and not bits & _NEXT_LINE else text


def arrow_of(line: str, place: Place) -> Arrow:
    """The arrow that a line describes."""
    fields = line.split(",", _MOST - 1)
    start = line.find(",") + 1
    number, source, target, shape, hidden, polarity, thickness, own, delay = _numbers(fields[1:], _ARROW, start)
    found = _POINTS.match(fields[-1]) if len(fields) == _MOST else None
    points = _POINT.findall(found[2]) if found else []
    if found is None or len(points) != int(found[1]):
        what = "the arrow does not end with its points; write '1|(0,0)|' for a straight one"
        raise BadRecordError(what, len(line) - (len(fields[-1]) if len(fields) == _MOST else 0) + 1)
    pipe = thickness > _PIPE
    placed = tuple((_near(int(x)), _near(int(y))) for x, y in points if (x, y) != ("0", "0"))
    return Arrow(
        number=number,
        source=source,
        target=target,
        form=_form(shape, len(placed), pipe=pipe),
        points=placed,
        pipe=pipe,
        head=not pipe or shape != _TAIL,
        polarity=chr(polarity) if polarity in _PRINTED else "",
        thickness=0 if pipe else max(0, thickness),
        delayed=bool(delay & _DELAYED),
        initial=fields[10].strip() == "1",
        hidden=hidden != 0,
        colour=colour_of(fields[11]) if own & _BORDER else None,
        place=place,
    )


def _form(shape: int, points: int, *, pipe: bool) -> Literal["straight", "arc", "path"]:
    """How an arrow runs; a single point of a straight one only tells where its handle is."""
    if points == 0 or (shape == 0 and points == 1):
        return "straight"
    return "arc" if shape == _ARC and points == 1 and not pipe else "path"


def colour_of(text: str) -> Colour | None:
    """The colour that three numbers from 0 to 255 make, or none where the usual one is meant."""
    found = _COLOUR.fullmatch(text.strip())
    if found is None:
        return None
    red, green, blue = (int(each) for each in found.groups())
    return (red, green, blue) if max(red, green, blue) <= _BRIGHTEST else None


def lettering_of(text: str) -> Lettering:
    """How `face|points|marks|colour` makes a text look; parts that are missing are as usual."""
    face, points, marks, colour, *_ = [*text.split("|"), "", "", "", ""]
    size = int(points) if re.fullmatch(r"\d{1,3}", points) else 0
    return Lettering(face.strip(), float(min(size, _LARGEST)) or None, marks.upper(), colour_of(colour))


def _own_lettering(text: str, own: int) -> Lettering:
    """What a word's text has of its own, as far as its bits say so."""
    told = lettering_of(text)
    return Lettering(
        face=told.face if own & _FACE else "",
        points=told.points if own & _POINTS_BIT else None,
        marks=told.marks if own & _MARKS else "",
        colour=told.colour if own & _TEXT else None,
    )


def _numbers(fields: list[str], names: tuple[str, ...], start: int) -> list[int]:
    """The whole numbers at the head of some fields, of which the first begins at an offset of the line."""
    found = []
    for place, name in enumerate(names):
        field = fields[place] if place < len(fields) else ""
        if not _WHOLE.fullmatch(field.strip()):
            told, column = (f"is '{field[:20]}'", start + 1) if place < len(fields) else ("is missing", start)
            what = f"the {name} {told}; write a whole number, or save the model in Vensim again"
            raise BadRecordError(what, column)
        found.append(_near(int(field.strip()), start + 1))
        start += len(field) + 1
    return found


def _near(value: int, column: int = 1) -> int:
    if abs(value) > _FARTHEST:
        what = f"{value} is farther than any sketch reaches; write a number up to {_FARTHEST:,}"
        raise BadRecordError(what, column)
    return value
