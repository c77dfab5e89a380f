"""The sketch of a model's text: the views in which its author drew it, read line by line.

The lines are those of Vensim's manual, "Sketch Information" (ref_sketch_format.html) and "Objects" (24305.html).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType

from ...errors import Fault, ModelError, Place
from ...model import Arrow, Sketch, View, Word
from ..document import Document, read_bytes
from ..read.reader import model_of
from .strokes import BadRecordError, arrow_of, colour_of, lettering_of, word_of

_START = ("\\\\\\---///", "\\\\---///")
_KIND = re.compile(r"(\d{1,9}),")
_STYLE = re.compile(r"(?:[^,]*,){2}(?P<look>.*\|)(?P<across>\d{1,4}),(?P<down>\d{1,4}),")
_DENSITIES = (36, 600)
"""Units an inch that screens have; another number is none."""
_USUAL = 96


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the sketch, and where it stands."""

    text: str
    place: Place


@dataclass
class _Page:
    """A view while its lines are read."""

    place: Place
    name: str = ""
    style: str = ""
    words: list[Word] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)


def read_sketch(path: str | os.PathLike[str]) -> Sketch:
    """The views in a model's file, none if it has no sketch, and what its elements are.

    Raises
    ------
    ModelError
        With every line of the sketch that cannot be read, in the order of the file. Faults of equations are left to others.
    """
    return sketch_from_text(read_bytes(path), os.fspath(path))


def sketch_from_text(text: str | bytes, path: str = "model.mdl") -> Sketch:
    """The views that a model's text holds, with `path` as the place that its faults name.

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
    """The views that a document holds."""
    pages, faults = _pages(_lines(document))
    if faults:
        raise ModelError(faults)
    told = (
        page for page in pages if page.name or page.style or page.taken
    )  # a mark alone is what other programs leave
    return tuple(_view(page, number) for number, page in enumerate(told, 1))


def _lines(document: Document) -> Iterator[_Line]:
    """The lines between the sketch's first mark and its last."""
    for segment in document.segments:
        if segment.kind in ("view", "record"):
            text = document.text[segment.start : segment.end].rstrip("\r\n")
            yield _Line(text, document.place(segment.start))


def _pages(lines: Iterator[_Line]) -> tuple[list[_Page], list[Fault]]:
    """The views line by line, and what is wrong in them."""
    pages: list[_Page] = []
    faults: list[Fault] = []
    for line in lines:
        if line.text.startswith(_START):
            pages.append(_Page(line.place))
            continue
        try:
            _take(pages[-1], line, lines)
        except BadRecordError as bad:
            faults.append(Fault(Place(line.place.path, line.place.line, bad.column), bad.what))
    return pages, faults


def _take(page: _Page, line: _Line, lines: Iterator[_Line]) -> None:
    """What one line adds to its view; a comment takes the line behind it too."""
    text = line.text
    if text.startswith("*") and not page.name:
        page.name = text[1:].strip()
    elif text.startswith("$") and not page.style:
        page.style = text
    elif not text.strip() or _is_version(text):
        return
    else:
        _take_record(page, line, lines)


def _is_version(text: str) -> bool:
    """Whether a line says which form the sketch has; there is one since Vensim's third version."""
    if not text.startswith("V"):
        return False
    if text.startswith("V300"):
        return True
    what = f"'{text[:10].split(maxsplit=1)[0]}' is no version of sketches that is known; save the model as Vensim does, with V300"
    raise BadRecordError(what)


def _take_record(page: _Page, line: _Line, lines: Iterator[_Line]) -> None:
    found = _KIND.match(line.text)
    if found is None:
        what = f"'{line.text[:30]}' is no line of a sketch; remove it, or save the model in Vensim again"
        raise BadRecordError(what)
    made: Word | Arrow
    if int(found[1]) == 1:
        made = arrow_of(line.text, line.place)
        page.arrows.append(made)
    else:
        made = word_of(line.text, line.place, lambda: next(lines, _Line("", line.place)).text)
        page.words.append(made)
    if made.number in page.taken:
        what = f"the number {made.number} is given twice in view '{page.name}'; give one of the two a free number"
        raise BadRecordError(what)
    page.taken.add(made.number)


def _view(page: _Page, number: int) -> View:
    """A view that is read whole; what its line of style does not tell is as usual."""
    look, density = _style(page.style)
    return View(
        name=page.name or f"View {number}",
        words=tuple(page.words),
        arrows=tuple(page.arrows),
        lettering=lettering_of("|".join(look[:4])),
        arrow_colour=colour_of(look[5]) if len(look) > 5 else None,  # noqa: PLR2004 - the sixth part
        density=density,
        place=page.place,
    )


def _style(text: str) -> tuple[list[str], int]:
    """The parts of a line of style (face, points, marks, colours of text, shapes and arrows), and units an inch."""
    found = _STYLE.match(text)
    if found is None:
        return [], _USUAL
    density = int(found["across"])
    return found["look"].split("|"), density if _DENSITIES[0] <= density <= _DENSITIES[1] else _USUAL
