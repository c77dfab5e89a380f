"""The sketch of a model file: its lines as records, the views read from them, and the lines that Vensim opens.

A record keeps every character, and its fields can be read by their places. Vensim's manual describes the lines in "Sketch
Information" (ref_sketch_format.html) and "Objects" (24305.html).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from ...errors import Fault, ModelError, Place
from ...model import Arrow, Colour, Lettering, Shape, Sketch, View, Word, WordKind, display_name, key, quote_name
from ..document import Document
from ..read.reader import model_of
from ..read.segments import QUOTED, VERSION, Span
from ..read.syntax import LINE_END

ARROW, VARIABLE, VALVE, COMMENT = 1, 10, 11, 12
"""Kinds of records."""
NUMBER, NAME, POSITION = 1, 2, slice(3, 5)
"""Places of the fields of a word."""
SOURCE, TARGET = 2, 3
"""Places of the numbers of the two words that an arrow joins."""
ATTACHED = 32
"""The bit of a word's shape that marks a flow's name below its valve."""
OWN, TEXT_BELOW, CONTROL = 1, 4, 8
"""Bits of a word: it is not a shadow variable, its text is on the line below, it is an input or output control."""
CLOUD = "48"
"""The text of a cloud or valve."""
VIEW_START = ("\\\\\\---///", "\\\\---///")
"""Beginnings of the line with which a view starts."""

ViewId = tuple[str, int]
"""The name of a view, and its number among the views of that name."""

_WORDS = frozenset({VARIABLE, VALVE, COMMENT, 30, 31})
_SHAPE, _BITS = 7, 8
_FIELD = re.compile(rf"{QUOTED}(?=,|\Z)|[^,]*")
_WHOLE = re.compile(r"-?\d{1,9}")
_KIND = re.compile(r"\d{1,9}(?=,)")
_STYLE = re.compile(r"(?:[^,]*,){2}(?P<look>.*\|)(?P<across>\d{1,4}),(?P<down>\d{1,4}),")
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
_DENSITIES, _DENSITY = range(36, 601), 96
"""Units per inch that screens can have, and the usual number."""

_HEAD = (
    "\\\\\\---/// Sketch information - do not modify anything except names",
    "V300  Do not put anything below this section - it will be ignored",
)
_END = "///---\\\\\\"
_WRITTEN_STYLE = "$192-192-192,0,Arial|10||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|{0},{0},100,0"
_WRITTEN_KINDS: dict[WordKind, int] = {"variable": VARIABLE, "valve": VALVE, "cloud": COMMENT, "comment": COMMENT}
_NAME_LENGTH = 30
GREY = (128, 128, 128)
"""The colour of shadow variables."""


@dataclass(frozen=True)
class Record:
    """One line of a sketch, with the line below it if that is its text, and its offset in the document."""

    text: str
    start: int = 0

    @cached_property
    def line(self) -> str:
        """The first line, without its line end."""
        return LINE_END.split(self.text, 1)[0]

    @property
    def below(self) -> str:
        """The line below that belongs to the record, without its line end; empty if there is none."""
        return self.text[self._below :].rstrip("\r\n")

    @property
    def _below(self) -> int:
        found = LINE_END.search(self.text)
        return found.end() if found else len(self.text)

    @property
    def span(self) -> Span:
        """The place of the record in the document."""
        return Span(self.start, self.start + len(self.text))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields of the first line; a quoted name is one field."""
        return split_fields(self.line)

    @cached_property
    def kind(self) -> int:
        """The kind of a word or arrow; 0 for a line that is neither."""
        fields = self.fields
        if len(fields) <= NAME or not fields[0].isdecimal() or whole_number(fields[NUMBER]) is None:
            return 0
        return whole_number(fields[0]) or 0

    @property
    def number(self) -> int:
        """The number by which arrows refer to a record; 0 for a line without one."""
        return (whole_number(self.fields[NUMBER]) or 0) if self.kind else 0

    @property
    def is_word(self) -> bool:
        """Whether the record is an object other than an arrow."""
        return self.kind in _WORDS

    @property
    def ends(self) -> tuple[int, ...]:
        """The numbers of the two words that an arrow joins; empty for anything else."""
        found = [whole_number(field) for field in self.fields[SOURCE : TARGET + 1]] if self.kind == ARROW else []
        numbers = tuple(number for number in found if number is not None)
        return numbers if len(numbers) > 1 else ()

    @property
    def variable(self) -> str:
        """The key of the variable that a word shows; empty for anything else."""
        return key(self.fields[NAME]) if self.kind == VARIABLE else ""

    @property
    def name(self) -> Span | None:
        """The place in the document of the variable's name in a word, also one of `|number,name` from Vensim 1, or a control."""
        if self.variable or (self.line.startswith("|") and len(self.fields) > _WORD_START):
            named = NAME if self.variable else NAME - 1
            start = sum(len(field) + 1 for field in self.fields[:named])
            return Span(self.start + start, self.start + start + len(self.fields[named]))
        if self.kind == COMMENT and self._has_bits(_BITS, CONTROL):
            name, *others = split_fields(self.below)
            if others:
                return Span(self.start + self._below, self.start + self._below + len(name))
        return None

    @property
    def shown(self) -> str:
        """The key of the variable that a word or a control shows; empty for anything else."""
        return key(self.text[self.name.start - self.start : self.name.end - self.start]) if self.name else ""

    @property
    def is_cloud(self) -> bool:
        """Whether the record is the cloud at the end of a flow."""
        return self.kind == COMMENT and self.fields[NAME] == CLOUD and not self._has_bits(_BITS, TEXT_BELOW | CONTROL)

    @property
    def is_attached(self) -> bool:
        """Whether the record is a flow's name that belongs to its valve."""
        return self.is_word and self._has_bits(_SHAPE, ATTACHED)

    @property
    def is_shadow(self) -> bool:
        """Whether the record is a shadow variable."""
        return self.kind == VARIABLE and not self._has_bits(_BITS, OWN)

    @property
    def has_text_below(self) -> bool:
        """Whether the text of a comment is on the line below."""
        return self.kind == COMMENT and self._has_bits(_BITS, TEXT_BELOW)

    def _has_bits(self, place: int, bits: int) -> bool:
        return place < len(self.fields) and bool((whole_number(self.fields[place]) or 0) & bits)


@dataclass(frozen=True, slots=True)
class ViewText:
    """One view in the file: the lines at its head, and its records in order."""

    head: tuple[Record, ...]
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        """The name of the view, empty without one."""
        return next((record.text[1:].strip() for record in self.head if record.text.startswith("*")), "")

    @property
    def text(self) -> str:
        """The whole view."""
        return "".join(record.text for record in (*self.head, *self.records))

    @property
    def span(self) -> Span:
        """The place of the view in the document."""
        return Span(self.head[0].start, (*self.head, *self.records)[-1].span.end)


def split_fields(text: str) -> tuple[str, ...]:
    """Split a text at its commas, except those inside a quoted name."""
    if '"' not in text:
        return tuple(text.split(","))
    found, position = [], 0
    while position <= len(text):
        match = _FIELD.match(text, position)
        assert match is not None  # noqa: S101 - the pattern also matches nothing
        found.append(match.group())
        position = match.end() + 1
    return tuple(found)


def whole_number(field: str) -> int | None:
    """Return the whole number in a field, None if there is no such number."""
    text = field.strip()
    return int(text) if _WHOLE.fullmatch(text) else None


def view_texts(document: Document) -> Iterator[ViewText]:
    """Return the views of a document in order, with every character."""
    segments = (segment for segment in document.segments if segment.kind in ("view", "record"))
    head: list[Record] = []
    records: list[Record] = []
    for segment in segments:
        record = Record(document.text[segment.start : segment.end], segment.start)
        if record.text.startswith(VIEW_START):
            if head:
                yield ViewText(tuple(head), tuple(records))
            head, records = [record], []
        elif not records and (record.text.startswith(("*", "$")) or VERSION.match(record.text)):
            head.append(record)
        else:
            below = next(segments, None) if record.has_text_below else None
            records.append(Record(document.text[segment.start : below.end], segment.start) if below else record)
    if head:
        yield ViewText(tuple(head), tuple(records))


def views_by_name(document: Document) -> dict[ViewId, ViewText]:
    """Return the views of a document by name; views of one name are numbered."""
    found: dict[ViewId, ViewText] = {}
    for view in view_texts(document):
        found[view.name, sum(name == view.name for name, _ in found)] = view
    return found


class BadRecordError(Exception):
    """A line that cannot be read: what is wrong, what to do, and the column."""

    def __init__(self, what: str, column: int = 1) -> None:
        super().__init__(what)
        self.what, self.column = what, column


def sketch_from_text(text: str | bytes, path: str = "model.mdl", *, encoding: str | None = None) -> Sketch:
    """Read the sketch in the text of a model, in an `encoding` as for `model_from_text`; faults name `path` as their file.

    Raises
    ------
    ModelError
        With every line of the sketch that cannot be read, in the order of the text; with conflicts that git left.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    document = Document.from_bytes(data, path, encoding=encoding)
    if document.has_conflicts:
        raise ModelError(document.faults)
    views = views_of(document)
    model, _ = model_of(document)
    kinds = MappingProxyType({element.key: element.kind for element in model if not element.hidden})
    return Sketch(path, hashlib.sha256(data).hexdigest(), views, kinds)


def views_of(document: Document) -> tuple[View, ...]:
    """Return the views of a document, or raise a ModelError with every line that cannot be read."""
    faults: list[Fault] = []
    views: list[View] = []
    for text in view_texts(document):
        view = _read_view(document, text, f"View {len(views) + 1}", faults)
        if view is not None:  # other programs leave views without contents
            views.append(view)
    if faults:
        raise ModelError(faults)
    return tuple(views)


def _read_view(document: Document, text: ViewText, usual_name: str, faults: list[Fault]) -> View | None:
    """Read a view, None without contents, and add what is wrong in its lines to the faults."""
    name = style = ""
    contents: dict[int, Word | Arrow] = {}
    for record in (*text.head, *text.records):
        line = record.line
        if line.startswith("*") and not name:
            name = line[1:].strip()
        elif line.startswith("$") and not style:
            style = line
        elif line.strip() and not line.startswith(VIEW_START) and not VERSION.match(line):
            place = document.place(record.start)
            try:
                found = _read_object(record, place)
            except BadRecordError as bad:
                faults.append(Fault(Place(place.path, place.line, bad.column), bad.what))
                if line.startswith("V"):
                    return None  # the lines of other versions have another form
                continue
            if contents.setdefault(found.number, found) is not found:
                what = f"the number {found.number} is given twice in view '{name}'; give one of the two a free number"
                faults.append(Fault(place, what))
    if not (name or style or contents):
        return None
    parts = _STYLE.match(style)
    look = parts["look"].split("|") if parts else []  # face, points, marks; colours of text, shapes and arrows
    density = int(parts["across"]) if parts else _DENSITY
    return View(
        name=name or usual_name,
        words=tuple(item for item in contents.values() if isinstance(item, Word)),
        arrows=tuple(item for item in contents.values() if isinstance(item, Arrow)),
        lettering=lettering_of("|".join(look[:4])),
        arrow_colour=colour_of(look[5]) if len(look) > 5 else None,  # noqa: PLR2004 - the sixth part
        density=density if density in _DENSITIES else _DENSITY,
        place=document.place(text.span.start),
    )


def _read_object(record: Record, place: Place) -> Word | Arrow:
    line = record.line
    found = _KIND.match(line)
    if line.startswith("V"):
        version = line[:10].split(maxsplit=1)[0]
        what = f"'{version}' is not a known version of the sketch format; save the model as Vensim does, with V300"
        raise BadRecordError(what)
    if found is None:
        what = f"'{line[:30]}' is not a line of a sketch; remove it, or save the model in Vensim again"
        raise BadRecordError(what)
    return arrow_of(record, place) if int(found[0]) == ARROW else word_of(record, place)


def word_of(record: Record, place: Place) -> Word:
    """Read a word from its record."""
    fields = record.fields
    kind = _KINDS.get(int(fields[0]))
    if len(fields) <= _WORD_START or kind is None:
        what = f"'{record.line[:30]}' is not an object of a sketch; remove the line, or save the model in Vensim again"
        raise BadRecordError(what)
    (number,) = _numbers(fields, 1, ("number",))
    x, y, half_width, half_height, shape, bits, hidden, own, *_ = _numbers(fields, _WORD_START, _WORD_NUMBERS)
    text = record.below if record.has_text_below else display_name(fields[NAME])
    if kind == "comment" and bits & CONTROL:
        kind, text = "control", text.partition(",")[0]
    elif kind == "comment" and text in (CLOUD, "0") and not bits & TEXT_BELOW:
        kind, text = "cloud" if text == CLOUD else "comment", ""
    border, fill, look, *_ = [*fields[_LOOK:], "", "", ""]
    lettering = lettering_of(look)
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
        lettering=Lettering(
            face=lettering.face if own & _FACE else "",
            points=lettering.points if own & _SIZE else None,
            marks=lettering.marks if own & _MARKS else "",
            colour=lettering.colour if own & _TEXT else None,
        ),
        border=colour_of(border) if own & _BORDER else None,
        fill=colour_of(fill) if own & _FILL else None,
        place=place,
    )


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
    straight = not placed or (shape == 0 and len(placed) == 1)  # a straight arrow's single point is only its handle
    return Arrow(
        number=number,
        source=source,
        target=target,
        form="straight" if straight else "arc" if shape == _ARC and len(placed) == 1 and not pipe else "path",
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


def _numbers(fields: Sequence[str], first: int, names: tuple[str, ...]) -> list[int]:
    """Return the whole numbers in fields from a place on, or raise with the name and the column of the first bad one."""
    found = []
    for place, name in enumerate(names, first):
        column = sum(len(text) + 1 for text in fields[:place])
        is_there = place < len(fields)
        number = whole_number(fields[place]) if is_there else None
        if number is None:
            wrong = f"'{fields[place][:20]}'" if is_there else "missing"
            what = f"the {name} is {wrong}; write a whole number, or save the model in Vensim again"
            raise BadRecordError(what, column + is_there)
        found.append(_limited(number, column + 1))
    return found


def _limited(value: int, column: int = 1) -> int:
    if abs(value) > _LIMIT:
        what = f"{value} is outside of any sketch; write a number up to {_LIMIT:,}"
        raise BadRecordError(what, column)
    return value


def sketch_text(views: Sequence[View]) -> str:
    """Write a whole sketch with its end; without views an empty one, so that Vensim has a page to draw on."""
    lines: list[str] = []
    for view in views or (View("View 1"),):
        lines += [*_HEAD, f"*{view.name[:_NAME_LENGTH]}", _WRITTEN_STYLE.format(view.density)]
        pipes: defaultdict[int, list[Arrow]] = defaultdict(list)
        for arrow in view.arrows:
            if arrow.pipe:
                pipes[arrow.source].append(arrow)
        for word in view.words:  # a valve follows its pipes, and its name follows the valve
            lines += [*map(arrow_line, pipes.pop(word.number, [])), word_line(word)]
        lines += [arrow_line(arrow) for arrow in view.arrows if not arrow.pipe]
    return "\n".join([*lines, _END, ""])


def word_line(word: Word, *, name: str = "", valve_text: int = 1) -> str:
    """Write a variable, valve, cloud or comment as a record; the text of a comment is on the line below.

    `name` is the variable's name in another spelling than `quoted` gives it; `valve_text` the position of a valve's name.
    """
    code = _WRITTEN_KINDS[word.kind]
    text, bits, below = CLOUD, 3, ""
    if word.kind == "comment":
        text, bits, below = "0", TEXT_BELOW, "\n" + " ".join(word.text.split())
        shape, looks = 3 if word.shape == "box" else 8, "0,0,0,0,0"
    elif word.kind == "valve":
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
    return f"{code},{word.number},{text},{place},{shape},{bits},0,{looks}{below}"


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
