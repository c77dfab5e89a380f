"""A model's text as its author left it: every byte is kept, and an edit changes the bytes it must and no others."""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from pathlib import Path

from .. import files
from ..errors import Fault, ModelError, Place, SdmodelError
from ..files import write_file
from ..model import display, key, nearest
from .grammar import SyntaxProblemError, parse
from .segments import QUOTED, Problem, Segment, Span, blanked, cut

_LINE_END = re.compile(r"\r\n?|\n")
_SUBSCRIPTS = rf"\[(?:{QUOTED}|[^\"\]])*+\]"
_LEFT = re.compile(
    rf"\s*+(?P<name>{QUOTED}\s*+|[^\"\[(=:<]++)(?:{_SUBSCRIPTS}\s*+)?(?::EXCEPT:\s*+(?:{_SUBSCRIPTS}[\s,]*+)+)?"
    r"(?::[A-Z][A-Z ]*:\s*+)*?(?P<operator>==|=|:=|:IS:|<->|:|\(|$)",
    re.IGNORECASE,
)
_BINARY = re.compile(rb"\x00")


class Block:
    """One equation block of a document: what the document says at that place when it is asked."""

    __slots__ = ("document", "index")

    def __init__(self, document: Document, index: int) -> None:
        self.document, self.index = document, index

    @property
    def segment(self) -> Segment:
        """Where the block and its fields stand."""
        return self.document.blocks[self.index]

    @property
    def name(self) -> str:
        """The name that the block defines, in the author's spelling."""
        return display(left_name(blanked(self.document.slice(self.segment.main))))

    @property
    def place(self) -> Place:
        """Where the block begins."""
        return self.document.place(self.segment.start)

    @property
    def equation(self) -> str:
        """What stands right of the operator; setting it leaves all other text alone.

        Raises
        ------
        ModelError
            If the new text is more or less than one equation.
        """
        return self.document.slice(self._expression).strip()

    @equation.setter
    def equation(self, text: str) -> None:
        raw, main = self.document.slice(self._expression), self.segment.main
        start = self._expression.start + len(raw) - len(raw.lstrip())
        end = start + len(raw.strip())
        try:
            parse(blanked(self.document.text[main.start : start] + text + self.document.text[end : main.end]))
        except SyntaxProblemError as error:
            raise ModelError([Fault(self.place, error.problem.what)]) from None
        self.document.replace(Span(start, end), text)

    @property
    def units(self) -> str:
        """The units field as it stands, range included."""
        return self.document.slice(self.segment.units).strip()

    @property
    def comment(self) -> str:
        """The comment field as it stands."""
        return self.document.slice(self.segment.comment).strip()

    @property
    def supplementary(self) -> bool:
        """Whether the block says that nothing need use what it defines."""
        return bool(self.document.slice(self.segment.supplementary).strip())

    @property
    def _expression(self) -> Span:
        main = self.segment.main
        found = _LEFT.match(blanked(self.document.slice(main)))
        if found is None:
            return main
        return Span(main.start + found.start("operator") + len(found["operator"].strip("(")), main.end)


class Document:
    """The text of a model in segments, found by name, with the place of every offset."""

    def __init__(self, path: str, text: str, encoding: str) -> None:
        self.path, self.encoding = path, encoding
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
        for derived in ("_lines", "_names", "_spellings"):
            self.__dict__.pop(derived, None)
        self._broken = sorted(problem.offset for problem in problems)

    def __bytes__(self) -> bytes:
        return self.text.encode(self.encoding)

    def __getitem__(self, name: str) -> Block:
        """The first block that defines the name, however it is spelt."""
        if key(name) not in self._names:
            close = nearest(name, self._spellings)
            cure = f"did you mean '{close}'?" if close else "see the names that the model defines"
            raise ModelError([Fault(self.path, f"'{display(name)}' is not defined; {cure}")])
        return Block(self, self._names[key(name)])

    def __contains__(self, name: str) -> bool:
        return key(name) in self._names

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
            If the document would fall into other blocks than before, or its encoding lacks a character.
        """
        before = self.text
        count, problems = [segment.kind for segment in self.segments], len(self.problems)
        self._read(before[: span.start] + text + before[span.end :])
        where = self.place(span.start)
        broken = [segment.kind for segment in self.segments] != count or len(self.problems) > problems
        lacking = _lacks(text, self.encoding)
        if broken or lacking or not text.strip():
            self._read(before)
            what = (
                f"the file's encoding, {self.encoding}, lacks '{lacking}'; write it in other characters"
                if lacking
                else "the new text is not one field; leave out '|', '~' and quotes or braces that are not closed"
            )
            raise ModelError([Fault(where, what)])

    def save(self, path: str | os.PathLike[str] | None = None) -> None:
        """Writes the document, all of it or nothing: a reader never sees half a file.

        Raises
        ------
        ModelError
            If the file cannot be written.
        """
        target = Path(self.path if path is None else path).resolve()
        try:
            write_file(target, bytes(self), force=True, error=SdmodelError)
        except SdmodelError as error:
            raise ModelError([Fault("", str(error))]) from error

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    @cached_property
    def _spellings(self) -> list[str]:
        return [left_name(blanked(self.slice(block.main))) for block in self.blocks]

    @cached_property
    def _names(self) -> dict[str, int]:
        names: dict[str, int] = {}
        for index, name in enumerate(self._spellings):
            names.setdefault(key(name), index)
        return names


def left_name(main: str) -> str:
    """The name that an equation, its comments blanked out, defines."""
    found = _LEFT.match(main)
    return found["name"] if found else " ".join(main.split())


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
