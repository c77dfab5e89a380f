"""The views of a sketch read from their records, and written as the lines that Vensim opens.

Vensim's manual describes the lines in "Sketch Information" (ref_sketch_format.html) and "Objects" (24305.html).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ...errors import Fault, ModelError, Place
from ...model import Arrow, Colour, Lettering, Shape, Sketch, View, Word, WordKind, display_name, quote_name
from ..document import Document, read_bytes
from ..read.reader import model_of
from .records import (
    ARROW,
    ATTACHED,
    CLOUD,
    COMMENT,
    CONTROL,
    OWN,
    TEXT_BELOW,
    VALVE,
    VARIABLE,
    VIEW_START,
    Record,
    ViewText,
    view_texts,
)

_KIND = re.compile(r"\d{1,9}(?=,)")
_STYLE = re.compile(r"(?:[^,]*,){2}(?P<look>.*\|)(?P<across>\d{1,4}),(?P<down>\d{1,4}),")
_WHOLE = re.compile(r"-?\d{1,9}")
_COLOUR = re.compile(r"(\d{1,3})-(\d{1,3})-(\d{1,3})")
_POINT = re.compile(r"\((-?\d{1,9}),(-?\d{1,9})\)\|")
_POINTS = re.compile(r"(\d{1,9})\|((?:\(-?\d{1,9},-?\d{1,9}\)\|)*)")

_KINDS: dict[int, WordKind] = {VARIABLE: "variable", VALVE: "valve", COMMENT: "comment", 30: "picture", 31: "picture"}
_SHAPES: dict[int, Shape] = {0: "default", 3: "box", 8: "clear"}
_WORD_NUMBERS = (
    "x", "y", "half width", "half height", "shape", "bits", "hidden", "font", "text position", "width", "navigation",
    "navigation",
)  # fmt: skip
_ARROW_NUMBERS = ("number", "source", "target", "shape", "hidden", "polarity", "thickness", "font", "delay")
_WORD_START, _LOOK = 3, 15
"""Places of the first number of a word, and of its first colour."""
_INITIAL, _ARROW_COLOUR, _ARROW_POINTS = 10, 11, 13
"""Places of the last fields of an arrow."""
_ARC, _INFLUENCE, _TOWARDS, _BACKWARDS = 1, 64, 4, 100
"""Shapes of arrows, and the bit that marks an influence."""
_PIPE, _PIPE_THICKNESS = 20, 22
"""An arrow thicker than the first is a pipe; written pipes have the second."""
_DELAYED, _UPRIGHT = 63, 1
_PRINTED = range(33, 127)
_BORDER, _TEXT, _FILL, _SIZE, _MARKS, _FACE = 1, 2, 4, 8, 16, 32
"""Bits that say which looks a word has of its own."""
_BRIGHTEST, _LARGEST = 255, 200.0
_LIMIT = 1_000_000
"""The largest coordinate; no sketch reaches farther."""
_DENSITIES, _DENSITY = (36, 600), 96
"""Units per inch that screens can have, and the usual number."""

_HEAD = (
    "\\\\\\---/// Sketch information - do not modify anything except names",
    "V300  Do not put anything below this section - it will be ignored",
)
_END = "///---\\\\\\"
_WRITTEN_STYLE = "$192-192-192,0,Arial|10||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|{0},{0},100,0"
_WRITTEN_KINDS: dict[WordKind, int] = {"variable": VARIABLE, "valve": VALVE, "cloud": COMMENT}
_NAME_LENGTH = 30
"""Characters of a view's name."""
GREY = (128, 128, 128)
"""The colour of shadow variables."""


class BadRecordError(Exception):
    """A line that cannot be read: what is wrong, what to do, and the column."""

    def __init__(self, what: str, column: int = 1) -> None:
        super().__init__(what)
        self.what, self.column = what, column


def read_sketch(path: str | os.PathLike[str]) -> Sketch:
    """Read the sketch of a Vensim model: its views, with their words and arrows.

    Faults of equations do not matter here: an element whose equation can be read has a kind, others have none.

    Parameters
    ----------
    path : str or path-like
        The `.mdl` file.

    Returns
    -------
    Sketch
        The views in the order of the file, none if the file has no sketch, and the kind of each element
        (stock, flow, auxiliary, constant or lookup) by its key. Coordinates grow to the right and downwards,
        in units of which `View.density` make an inch.

    Raises
    ------
    ModelError
        If the file cannot be read, or lines of its sketch cannot be read; it has one fault for each line.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> file = Path(tempfile.mkdtemp()) / "tea.mdl"
    >>> model = tiny_model("tea = INTEG(-cooling, 90) ~~| cooling = tea/10 ~~|")
    >>> _ = file.write_text(sd.mdl_text(model, sd.lay_out(model)))
    >>> sketch = sd.read_sketch(file)
    >>> [word.text for word in sketch.views[0].words if word.kind == "variable"]
    ['tea', 'cooling']
    >>> sketch.kinds["cooling"]
    'flow'
    """
    return sketch_from_text(read_bytes(path), os.fspath(path))


def sketch_from_text(text: str | bytes, path: str = "model.mdl") -> Sketch:
    """Read the sketch in the text of a model; faults name `path` as their file.

    Raises
    ------
    ModelError
        With every line of the sketch that cannot be read, in the order of the text.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    document = Document.from_bytes(data, path)
    views = views_of(document)
    model, _ = model_of(document)
    kinds = MappingProxyType({element.key: element.kind for element in model if not element.hidden})
    return Sketch(path, hashlib.sha256(data).hexdigest(), views, kinds)


def views_of(document: Document) -> tuple[View, ...]:
    """Return the views of a document, or raise a ModelError with every line that cannot be read."""
    faults: list[Fault] = []
    builders = [_Builder.of(document, text, faults) for text in view_texts(document)]
    if faults:
        raise ModelError(faults)
    filled = (view for view in builders if view.name or view.style or view.taken)  # others are left by other programs
    return tuple(builder.view(number) for number, builder in enumerate(filled, 1))


@dataclass
class _Builder:
    """A view while its lines are read."""

    place: Place
    name: str = ""
    style: str = ""
    words: list[Word] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, document: Document, text: ViewText, faults: list[Fault]) -> _Builder:
        """Read the lines of a view, and add what is wrong in them to the faults."""
        builder = cls(document.place(text.span.start))
        for record in (*text.head, *text.records):
            if record.line.startswith(VIEW_START):
                continue
            place = document.place(record.start)
            try:
                builder.take(record, place)
            except BadRecordError as bad:
                faults.append(Fault(Place(place.path, place.line, bad.column), bad.what))
        return builder

    def take(self, record: Record, place: Place) -> None:
        """Add what one line says."""
        line = record.line
        if line.startswith("*") and not self.name:
            self.name = line[1:].strip()
        elif line.startswith("$") and not self.style:
            self.style = line
        elif line.strip() and not _is_version(line):
            self._add(record, place)

    def _add(self, record: Record, place: Place) -> None:
        found = _KIND.match(record.line)
        if found is None:
            what = f"'{record.line[:30]}' is not a line of a sketch; remove it, or save the model in Vensim again"
            raise BadRecordError(what)
        number: int
        if int(found[0]) == ARROW:
            self.arrows.append(arrow_of(record, place))
            number = self.arrows[-1].number
        else:
            self.words.append(word_of(record, place))
            number = self.words[-1].number
        if number in self.taken:
            what = f"the number {number} is given twice in view '{self.name}'; give one of the two a free number"
            raise BadRecordError(what)
        self.taken.add(number)

    def view(self, number: int) -> View:
        """Return the view; what its line of style does not say is as usual."""
        look, density = _style(self.style)
        return View(
            name=self.name or f"View {number}",
            words=tuple(self.words),
            arrows=tuple(self.arrows),
            lettering=lettering_of("|".join(look[:4])),
            arrow_colour=colour_of(look[5]) if len(look) > 5 else None,  # noqa: PLR2004 - the sixth part
            density=density,
            place=self.place,
        )


def _is_version(line: str) -> bool:
    """Whether a line states the version of the format; there is one since Vensim's third version."""
    if not line.startswith("V"):
        return False
    if line.startswith("V300"):
        return True
    version = line[:10].split(maxsplit=1)[0]
    what = f"'{version}' is not a known version of the sketch format; save the model as Vensim does, with V300"
    raise BadRecordError(what)


def _style(line: str) -> tuple[list[str], int]:
    """Split a line of style into face, points, marks, and colours of text, shapes and arrows; with units per inch."""
    found = _STYLE.match(line)
    if found is None:
        return [], _DENSITY
    density = int(found["across"])
    return found["look"].split("|"), density if _DENSITIES[0] <= density <= _DENSITIES[1] else _DENSITY


def word_of(record: Record, place: Place) -> Word:
    """Read a word from its record."""
    fields = record.fields
    kind = _KINDS.get(int(fields[0]))
    if len(fields) <= _WORD_START or kind is None:
        what = f"'{record.line[:30]}' is not an object of a sketch; remove the line, or save the model in Vensim again"
        raise BadRecordError(what)
    (number,) = _numbers(fields, 1, ("number",))
    x, y, half_width, half_height, shape, bits, hidden, own, *_ = _numbers(fields, _WORD_START, _WORD_NUMBERS)
    text = record.below if kind == "comment" and bits & TEXT_BELOW else display_name(fields[2])
    if kind == "comment":
        kind, text = _comment(text, bits)
    border, fill, lettering, *_ = [*fields[_LOOK:], "", "", ""]
    return Word(
        number=number,
        kind=kind,
        text=text.replace("\\n", "\n"),
        x=x,
        y=y,
        half_width=abs(half_width),
        half_height=abs(half_height),
        shape=_SHAPES.get(shape & ~ATTACHED, "round"),
        shadow=kind == "variable" and not bits & OWN,
        attached=bool(shape & ATTACHED),
        upright=kind == "valve" and bool(shape & _UPRIGHT),
        hidden=hidden != 0,
        lettering=_own_lettering(lettering, own),
        border=colour_of(border) if own & _BORDER else None,
        fill=colour_of(fill) if own & _FILL else None,
        place=place,
    )


def _comment(text: str, bits: int) -> tuple[WordKind, str]:
    """Distinguish clouds, controls and comments."""
    if bits & CONTROL:
        return "control", text.partition(",")[0]
    if text == CLOUD and not bits & TEXT_BELOW:
        return "cloud", ""
    return "comment", "" if text == "0" and not bits & TEXT_BELOW else text


def arrow_of(record: Record, place: Place) -> Arrow:
    """Read an arrow from its record."""
    fields = record.fields
    number, source, target, shape, hidden, polarity, thickness, own, delay = _numbers(fields, 1, _ARROW_NUMBERS)
    last = ",".join(fields[_ARROW_POINTS:])
    found = _POINTS.match(last)
    points = _POINT.findall(found[2]) if found else []
    if found is None or len(points) != int(found[1]):
        what = "the arrow does not end with its points; write '1|(0,0)|' for a straight one"
        raise BadRecordError(what, len(record.line) - len(last) + 1)
    pipe = thickness > _PIPE
    placed = tuple((_limited(int(x)), _limited(int(y))) for x, y in points if (x, y) != ("0", "0"))
    return Arrow(
        number=number,
        source=source,
        target=target,
        form=_form(shape, len(placed), pipe=pipe),
        points=placed,
        pipe=pipe,
        head=not pipe or shape != _BACKWARDS,
        polarity=chr(polarity) if polarity in _PRINTED else "",
        thickness=0 if pipe else max(0, thickness),
        delayed=bool(delay & _DELAYED),
        initial=fields[_INITIAL].strip() == "1",
        hidden=hidden != 0,
        colour=colour_of(fields[_ARROW_COLOUR]) if own & _BORDER else None,
        place=place,
    )


def _form(shape: int, points: int, *, pipe: bool) -> Literal["straight", "arc", "path"]:
    """Return the form of an arrow; the single point of a straight one is only its handle."""
    if points == 0 or (shape == 0 and points == 1):
        return "straight"
    return "arc" if shape == _ARC and points == 1 and not pipe else "path"


def colour_of(text: str) -> Colour | None:
    """Return the colour in `red-green-blue`, each from 0 to 255; None for the default colour."""
    found = _COLOUR.fullmatch(text.strip())
    if found is None:
        return None
    red, green, blue = (int(part) for part in found.groups())
    return (red, green, blue) if max(red, green, blue) <= _BRIGHTEST else None


def lettering_of(text: str) -> Lettering:
    """Return the lettering in `face|points|marks|colour`; missing parts have the default."""
    face, points, marks, colour, *_ = [*text.split("|"), "", "", "", ""]
    size = int(points) if re.fullmatch(r"\d{1,3}", points) else 0
    return Lettering(face.strip(), float(min(size, _LARGEST)) or None, marks.upper(), colour_of(colour))


def _own_lettering(text: str, own: int) -> Lettering:
    """Return the parts of a word's lettering that its bits declare as its own."""
    found = lettering_of(text)
    return Lettering(
        face=found.face if own & _FACE else "",
        points=found.points if own & _SIZE else None,
        marks=found.marks if own & _MARKS else "",
        colour=found.colour if own & _TEXT else None,
    )


def _numbers(fields: Sequence[str], first: int, names: tuple[str, ...]) -> list[int]:
    """Return the whole numbers in fields from a place on, or raise with the name and the column of the first bad one."""
    found = []
    for place, name in enumerate(names, first):
        column = sum(len(text) + 1 for text in fields[:place])
        if place >= len(fields):
            what = f"the {name} is missing; write a whole number, or save the model in Vensim again"
            raise BadRecordError(what, column)
        if not _WHOLE.fullmatch(fields[place].strip()):
            what = f"the {name} is '{fields[place][:20]}'; write a whole number, or save the model in Vensim again"
            raise BadRecordError(what, column + 1)
        found.append(_limited(int(fields[place].strip()), column + 1))
    return found


def _limited(value: int, column: int = 1) -> int:
    if abs(value) > _LIMIT:
        what = f"{value} is outside of any sketch; write a number up to {_LIMIT:,}"
        raise BadRecordError(what, column)
    return value


def sketch_text(views: Sequence[View]) -> str:
    """Write a whole sketch with its end; without views an empty one, so that Vensim has a page to draw on."""
    lines = [line for view in views or (View("View 1"),) for line in _view_lines(view)]
    return "\n".join([*lines, _END, ""])


def _view_lines(view: View) -> Iterator[str]:
    yield from _HEAD
    yield f"*{view.name[:_NAME_LENGTH]}"
    yield _WRITTEN_STYLE.format(view.density)
    pipes: dict[int, list[Arrow]] = {}
    for arrow in view.arrows:
        if arrow.pipe:
            pipes.setdefault(arrow.source, []).append(arrow)
    for word in view.words:  # a valve follows its pipes, and its name follows the valve
        yield from map(arrow_line, pipes.pop(word.number, []))
        yield word_line(word)
    yield from (arrow_line(arrow) for arrow in view.arrows if not arrow.pipe)


def word_line(word: Word, *, name: str = "", valve_text: int = 1) -> str:
    """Write a variable, valve or cloud as a record.

    `name` is the variable's name in another spelling than `quoted` gives it; `valve_text` the position of a valve's name.
    """
    code = _WRITTEN_KINDS[word.kind]
    text, bits = CLOUD, 3
    if word.kind == "valve":
        shape, looks = 34 - word.upright, f"0,{valve_text},0,0,0"
    elif word.kind == "cloud":
        shape, looks = 0, "0,-1,0,0,0"
    else:
        text = name or quote_name(word.text)
        shape = 40 if word.attached else 3 if word.shape == "box" else 8
        looks = "0,-1,0,0,0" if word.attached else "0,0,0,0,0"
        if word.shadow:
            size = "" if word.lettering.points is None else f"{word.lettering.points:.0f}"
            border, grey = ("-".join(map(str, colour)) for colour in (word.border or (0, 0, 0), GREY))
            bits, looks = 2, f"3,-1,0,0,0,{border},0-0-0,|{size}||{grey}"
    place = f"{word.x},{word.y},{word.half_width},{word.half_height}"
    return f"{code},{word.number},{text},{place},{shape},{bits},0,{looks}"


def arrow_line(arrow: Arrow) -> str:
    """Write a pipe or an influence as a record."""
    points = arrow.points or ((0, 0),)
    course = f"{len(points)}|" + "".join(f"({x},{y})|" for x, y in points)
    shape = (_TOWARDS if arrow.head else _BACKWARDS) if arrow.pipe else int(arrow.form == "arc")
    polarity = ord(arrow.polarity) if arrow.polarity else 0
    looks = f"{_PIPE_THICKNESS},0,0" if arrow.pipe else f"0,0,{_INFLUENCE}"
    initial = int(arrow.initial)
    numbers = f"{arrow.number},{arrow.source},{arrow.target},{shape}"
    return f"{ARROW},{numbers},0,{polarity},{looks},{initial},-1--1--1,,{course}"
