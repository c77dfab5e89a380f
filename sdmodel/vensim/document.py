"""A model's text as its author left it: every byte is kept, and an edit changes the bytes it must and no others."""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from .. import files
from ..errors import Fault, ModelError, Place
from ..model import display, key, nearest
from .edit.edits import Edit, applied
from .edit.layout import standings
from .read.heads import Head, asked, head_of
from .read.segments import Problem, Segment, Span, blanked, cut

_LINE_END = re.compile(r"\r\n?|\n")
_NO_FIELD = "the new text is not one field; leave out '|', '~' and quotes or braces that are not closed"
_BINARY = re.compile(rb"\x00")


class Document:
    """The text of a model in segments, found by name, with the place of every offset."""

    def __init__(self, path: str, text: str, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self._history: list[list[Edit]] = []
        self._read(text)

    @classmethod
    def from_bytes(cls, data: bytes, path: str) -> Document:
        """The document that a file's bytes hold; it gives every byte back.

        Raises
        ------
        ModelError
            If the bytes are empty or not text.
        """
        if not data.strip():
            raise ModelError([Fault(path, "the file is empty; save the model into it again")])
        if _BINARY.search(data):
            raise ModelError([Fault(path, "this is not text; in Vensim, save the model as .mdl text, not as binary")])
        encoding = _encoding(data)
        return cls(path, data.decode(encoding), encoding)

    def _read(self, text: str) -> None:
        self.text = text
        segments, problems = cut(text)
        self.segments: tuple[Segment, ...] = tuple(segments)
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.blocks: tuple[Segment, ...] = tuple(segment for segment in segments if segment.kind == "block")
        for derived in ("_lines", "_names"):
            self.__dict__.pop(derived, None)
        self._broken = sorted(problem.offset for problem in problems)

    def __bytes__(self) -> bytes:
        return self.text.encode(self.encoding)

    def __contains__(self, name: str) -> bool:
        return key(name) in self._names

    def find(self, name: str) -> tuple[Segment, ...]:
        """The blocks that define a name, outside of macros if there are some, or the one with the subscripts behind it.

        Raises
        ------
        ModelError
            If there is none.
        """
        wanted = asked(name)
        if key(name) in self._names:  # which may hold brackets itself
            wanted = Head(display(name), (), Span(0, 0), "")
        found = self._names.get(wanted.key, [])
        if not found:
            close = nearest(wanted.name, [head.name for heads in self._names.values() for head, _ in heads])
            cure = f"did you mean '{display(close)}'?" if close else "see the names that the model defines"
            raise ModelError([Fault(self.path, f"'{wanted.name}' is not defined; {cure}")])
        fitting = [each for head, each in found if head.subscript_keys == wanted.subscript_keys]
        if wanted.subscripts and not fitting:
            heads = " or ".join(self.left(each) for _, each in found[:3])
            raise ModelError([Fault(self.path, f"no block defines '{display(name)}'; name {heads}")])
        return tuple(fitting if wanted.subscripts else [each for _, each in found])

    def head(self, segment: Segment) -> Head:
        """What a block defines."""
        return head_of(blanked(self.slice(segment.main)))

    def left(self, segment: Segment) -> str:
        """The head of a block on one line, without its operator."""
        return " ".join(self.slice(segment.main)[: self.head(segment).operator.start].split())

    def right_side(self, segment: Segment) -> Span:
        """Where what stands right of a block's operator begins and ends, blanks around it left out."""
        start = segment.main.start + self.head(segment).operator.end
        raw = self.text[start : segment.main.end]
        start += len(raw) - len(raw.lstrip())
        return Span(start, start + len(raw.strip()))

    def group(self, segment: Segment) -> str:
        """The group in which a block stands, empty before the first."""
        return next(each.group for each in standings(self.text, self.segments) if each.segment == segment)

    def lacks_group(self, name: str) -> bool:
        """Whether no header has the name of a group."""
        return bool(name) and all(key(each.group) != key(name) for each in standings(self.text, self.segments))

    def is_broken(self, segment: Segment) -> bool:
        """Whether something keeps a segment from being read as its author meant it."""
        return bisect_left(self._broken, segment.end) > bisect_left(self._broken, segment.start)

    def slice(self, span: Span) -> str:
        """The text of a span."""
        return self.text[span.start : span.end]

    def place(self, offset: int) -> Place:
        """Line and column of an offset."""
        line = bisect_right(self._lines, offset)
        return Place(self.path, line, offset - self._lines[line - 1] + 1)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What keeps the text from being cut into blocks."""
        return tuple(Fault(self.place(problem.offset), problem.what) for problem in self.problems)

    def replace(self, span: Span, text: str) -> None:
        """Puts new text where a span of one field stands; nothing else changes.

        Raises
        ------
        ModelError
            If there is nothing in it, the document would fall into other blocks than before, or its encoding lacks a character.
        """
        if not text.strip():
            raise ModelError([Fault(self.place(span.start), _NO_FIELD)])
        self.change([Edit(span, text)])

    def change(self, edits: Iterable[Edit], *, blocks: int = 0, groups: int = 0) -> None:
        """Makes edits together; so many more blocks and groups are meant to be there afterwards.

        Raises
        ------
        ModelError
            If the document would fall into other parts than that, or its encoding lacks a character; nothing changes then.
        """
        todo = sorted(edits, key=lambda edit: edit.span)
        if not todo:
            return
        before, kinds, problems = self.text, self._kinds(), len(self.problems)
        text, back = applied(before, todo)
        where = self.place(todo[0].span.start)
        lacking = next((lack for edit in todo if (lack := _lacks(edit.text, self.encoding))), "")
        if lacking:
            what = f"the file's encoding, {self.encoding}, lacks '{lacking}'; write it in other characters"
            raise ModelError([Fault(where, what)])
        self._read(text)
        kinds += Counter(block=blocks, group=groups)
        if self._kinds() != kinds or len(self.problems) > problems:
            self._read(before)
            raise ModelError([Fault(where, _NO_FIELD)])
        self._history.append(back)

    def _kinds(self) -> Counter[str]:
        """How many there are of each part that an edit of a field leaves alone."""
        counted = Counter(segment.kind for segment in self.segments if segment.kind not in ("blank", "record"))
        return Counter({str(kind): count for kind, count in counted.items()})

    @property
    def edits(self) -> int:
        """How many edits can be taken back."""
        return len(self._history)

    def undo(self) -> bool:
        """Takes the last edit back, to the byte; whether there was one."""
        if not self._history:
            return False
        self._read(applied(self.text, self._history.pop())[0])
        return True

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    @cached_property
    def _names(self) -> dict[str, list[tuple[Head, Segment]]]:
        """What blocks define, by key; a macro's own names count where nothing outside has them."""
        outside: dict[str, list[tuple[Head, Segment]]] = {}
        inside: dict[str, list[tuple[Head, Segment]]] = {}
        for each in standings(self.text, self.segments):
            if each.segment.kind == "block":
                head = self.head(each.segment)
                (inside if each.in_macro else outside).setdefault(head.key, []).append((head, each.segment))
        return inside | outside


def read_document(path: str | os.PathLike[str]) -> Document:
    """The document in a file.

    Raises
    ------
    ModelError
        If there is no such file, or it is not the text of a model.
    """
    return Document.from_bytes(read_bytes(path), os.fspath(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a model's file, or a fault that says what to do."""
    return files.read_bytes(path, error=ModelError, wanted="the .mdl file")


def _encoding(data: bytes) -> str:
    """The encoding that the file keeps to, whatever it claims; Vensim's older files are in one byte a character."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _lacks(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        return text[error.start]
    return ""
