"""The text of a model file, kept to the byte: an edit changes only the bytes that it must."""

from __future__ import annotations

import codecs
import os
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from .. import files
from ..errors import Fault, ModelError, Place
from ..model import display_name, key, nearest
from .edit.layout import Edit, apply_edits, grouped_segments
from .read.segments import Problem, Segment, Span, blank_comments, split_segments
from .read.syntax import LINE_END, Head, head_of, parse_name

_NOT_A_FIELD = "the new text is not one field; leave out '|', '~' and quotes or braces that are not closed"


class AnyDocument(Protocol):
    """What `open_document` and `read_document` return: something with the text of a model file."""

    @property
    def document(self) -> Document:
        """The text, split into segments."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The offsets at which the lines of a text begin."""

    path: str
    starts: Sequence[int]

    def place(self, offset: int) -> Place:
        """Return the line and column of an offset."""
        line = bisect_right(self.starts, offset)
        return Place(self.path, line, offset - self.starts[line - 1] + 1)


class Document:
    """The text of a model file, split into segments that are found by name; offsets map to lines and columns."""

    def __init__(self, path: str, text: str, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self._history: list[list[Edit]] = []
        self._read(text)

    @classmethod
    def from_bytes(cls, data: bytes, path: str, *, encoding: str | None = None) -> Document:
        """Return the document in a file's bytes; `bytes(document)` is the same again.

        Without an `encoding`, such as "gbk", it is UTF-8, UTF-16 by a byte order mark, or that of Windows for Western languages.

        Raises
        ------
        ModelError
            If there are no bytes, or they are not text, or not in that encoding.
        """
        if not data.strip():
            raise ModelError([Fault(path, "the file is empty; save the model into it again")])
        text, encoding = files.decode_as(data, encoding, path, error=ModelError) if encoding else files.decode(data)
        if "\x00" in text:
            what = "this is not text; in Vensim, save the model as .mdl text in UTF-8, not as binary"
            raise ModelError([Fault(path, what)])
        return cls(path, text, encoding)

    def _read(self, text: str) -> None:
        self.text = text
        segments, problems = split_segments(text)
        self.segments: tuple[Segment, ...] = tuple(segments)
        conflicts = files.conflicts_in(text)
        self.has_conflicts = bool(conflicts)
        self.problems = tuple(Problem(offset, files.CONFLICT) for offset in conflicts) or tuple(problems)
        self.blocks: tuple[Segment, ...] = tuple(segment for segment in segments if segment.kind == "block")
        self._broken = sorted(problem.offset for problem in problems)
        for derived in ("lines", "_names"):
            self.__dict__.pop(derived, None)

    @property
    def document(self) -> Document:
        """Itself, since functions of documents also take what `open_document` returns."""
        return self

    def __bytes__(self) -> bytes:
        return self.text.encode(self.encoding)

    def __contains__(self, name: str) -> bool:
        return key(name) in self._names

    def find(self, name: str) -> tuple[Segment, ...]:
        """Return the blocks that define `name` or `name[subscripts]`; those in macros count only if there are no others.

        Raises
        ------
        ModelError
            If no block defines it.
        """
        # the name itself may have brackets
        sought = Head(display_name(name), ()) if key(name) in self._names else parse_name(name)
        found = self._names.get(sought.key, [])
        if not found:
            close = nearest(sought.name, [head.name for heads in self._names.values() for head, _ in heads])
            cure = f"did you mean '{display_name(close)}'?" if close else "use a name that the model defines"
            raise ModelError([Fault(self.path, f"'{sought.name}' is not defined; {cure}")])
        fitting = [segment for head, segment in found if head.subscript_keys == sought.subscript_keys]
        if sought.subscripts and not fitting:
            heads = " or ".join(self.left(segment) for _, segment in found[:3])
            raise ModelError([Fault(self.path, f"no block defines '{display_name(name)}'; use {heads}")])
        return tuple(fitting if sought.subscripts else [segment for _, segment in found])

    def head(self, segment: Segment) -> Head:
        """Return the head of a block."""
        return head_of(blank_comments(self.slice(segment.main)))

    def left(self, segment: Segment) -> str:
        """Return the left-hand side of a block on one line."""
        return " ".join(self.slice(segment.main)[: self.head(segment).operator.start].split())

    def right_side(self, segment: Segment) -> Span:
        """Return the span of a block's right-hand side, without white space around it."""
        start = segment.main.start + self.head(segment).operator.end
        raw = self.text[start : segment.main.end]
        start += len(raw) - len(raw.lstrip())
        return Span(start, start + len(raw.strip()))

    def group(self, segment: Segment) -> str:
        """Return the group of a block; blocks before the first group have an empty one."""
        return next(found.group for found in grouped_segments(self.text, self.segments) if found.segment == segment)

    def lacks_group(self, name: str) -> bool:
        """Whether a group of that name is missing; the empty name never is."""
        return bool(name) and all(key(found.group) != key(name) for found in grouped_segments(self.text, self.segments))

    def is_broken(self, segment: Segment) -> bool:
        """Whether a problem in a segment keeps it from being read."""
        return bisect_left(self._broken, segment.end) > bisect_left(self._broken, segment.start)

    def slice(self, span: Span) -> str:
        """Return the text of a span."""
        return self.text[span.start : span.end]

    def place(self, offset: int) -> Place:
        """Return the line and column of an offset."""
        return self.lines.place(offset)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The problems that keep the text from being split into blocks."""
        return tuple(Fault(self.place(problem.offset), problem.what) for problem in self.problems)

    def replace(self, span: Span, text: str) -> None:
        """Replace the text of one field; nothing else changes.

        Raises
        ------
        ModelError
            If the new text is empty, would change the division into blocks, or has a character that the encoding lacks.
        """
        if not text.strip():
            raise ModelError([Fault(self.place(span.start), _NOT_A_FIELD)])
        self.change([Edit(span, text)])

    def change(self, edits: Iterable[Edit], *, blocks: int = 0, groups: int = 0) -> None:
        """Make edits as one step; `blocks` and `groups` are the numbers of new blocks and groups in them.

        Raises
        ------
        ModelError
            If the division into blocks would change otherwise, or the encoding lacks a character; then nothing changes.
        """
        todo = sorted(edits, key=lambda edit: edit.span)
        if not todo:
            return
        before, kinds, problems = self.text, self._kinds(), len(self.problems)
        text, back = apply_edits(before, todo)
        where = self.place(todo[0].span.start)
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError as error:
            what = f"the file's encoding, {self.encoding}, has no '{text[error.start]}'; use other characters, or save the file in UTF-8"
            raise ModelError([Fault(where, what)]) from None
        self._read(text)
        kinds += Counter(block=blocks, group=groups)
        if self._kinds() != kinds or len(self.problems) > problems:
            self._read(before)
            raise ModelError([Fault(where, _NOT_A_FIELD)])
        self._history.append(back)

    def _kinds(self) -> Counter[str]:
        """Count the segments of each kind that an edit of a field must not change."""
        return Counter(str(segment.kind) for segment in self.segments if segment.kind not in ("blank", "record"))

    @property
    def edits(self) -> int:
        """The number of edits that can be undone."""
        return len(self._history)

    def undo(self) -> bool:
        """Undo the last edit, to the byte; return whether there was one."""
        if not self._history:
            return False
        self._read(apply_edits(self.text, self._history.pop())[0])
        return True

    @cached_property
    def lines(self) -> Lines:
        """Where the lines of the text begin."""
        return Lines(self.path, [0, *(found.end() for found in LINE_END.finditer(self.text))])

    @cached_property
    def _names(self) -> dict[str, list[tuple[Head, Segment]]]:
        """The blocks by the key that they define; names inside macros count only if no block outside defines them."""
        outside: dict[str, list[tuple[Head, Segment]]] = {}
        inside: dict[str, list[tuple[Head, Segment]]] = {}
        for found in grouped_segments(self.text, self.segments):
            if found.segment.kind == "block":
                head = self.head(found.segment)
                (inside if found.in_macro else outside).setdefault(head.key, []).append((head, found.segment))
        return inside | outside


def read_document(path: str | os.PathLike[str], *, encoding: str | None = None) -> Document:
    """Read a model file as a document, in an `encoding` as for `Document.from_bytes`.

    Raises
    ------
    ModelError
        If the file does not exist, or is not the text of a model.
    """
    return document_of(read_bytes(path), os.fspath(path), encoding=encoding)


def document_of(data: bytes, path: str, *, encoding: str | None = None) -> Document:
    """Return the document with these bytes; a model in XMILE, which is not edited or compared as text, is a ModelError."""
    if data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
        cure = f"convert it with `sdmodel convert {path} -o {Path(path).stem}.mdl`"
        raise ModelError([Fault(path, f"is in XMILE, which is not edited or compared; {cure}")])
    return Document.from_bytes(data, path, encoding=encoding)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a model file; a file that cannot be read is a `ModelError`."""
    if isinstance(path, bytes) or "\n" in os.fspath(path):
        what = "this is the text of a model, not the path of its file; read it with `model_from_text`"
        raise ModelError([Fault("read_model", what)])
    return files.read_bytes(path, error=ModelError, wanted="the .mdl file")
