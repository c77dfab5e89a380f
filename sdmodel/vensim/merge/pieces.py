"""The pieces of an equation's text: what may be laid out anew, and what must stay as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..read.segments import QUOTED

WIDTH = 78
"""Characters of a line before Vensim would continue it on the next."""

LINE_END = re.compile(r"\r\n?|\n")
_CONTINUATION = r"\\[ \t]*(?:\r\n?|\n)"
_PIECE = re.compile(
    rf"(?P<quoted>{QUOTED})|(?P<string>(?<![\w$'.&%#@?])'[^']*')"
    rf"|(?P<rows>\bTABBED[\s_]+ARRAY\s*\([^)]*\))"
    rf"|(?P<blank>{_CONTINUATION}|[^\S\r\n]+)|(?P<break>\r\n?|\n)|(?P<text>[\w.$&%#@?]+|[-+*/^=<>(),;:!\[\]]+|.)",
    re.IGNORECASE | re.DOTALL,
)
_BRACE = re.compile(r"[{}]")
_IN_QUOTES = re.compile(rf"[ \t]*{_CONTINUATION}[ \t]*")
_TAB = 4
"""Blanks that count as one tab in an indentation."""


class Piece(NamedTuple):
    """A stretch of an equation's text and what it is: `comment`, `quoted`, `string`, `rows`, `blank`, `break` or `text`."""

    kind: str
    text: str


def pieces_of(text: str) -> Iterator[Piece]:
    """The pieces of an equation's text in order; together they are the text."""
    position = 0
    while position < len(text):
        if text[position] == "{":
            end = _comment_end(text, position)
            yield Piece("comment", text[position:end])
        else:
            found = _PIECE.match(text, position)
            assert found is not None  # noqa: S101 - the pattern takes any character
            end = found.end()
            yield Piece(found.lastgroup or "", found.group())
        position = end


def _comment_end(text: str, start: int) -> int:
    """Where the comment that begins at an offset ends; braces nest."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.end()
    return len(text)


def comments_in(text: str) -> list[str]:
    """The comments in braces, each on one line."""
    return [" ".join(each.text.split()) for each in pieces_of(text) if each.kind == "comment"]


class Line(NamedTuple):
    """A line as its author broke it: how deep it is indented, and its words."""

    depth: int
    words: list[str]


def lines_of(text: str) -> list[Line]:
    """The author's lines, with continuations joined and runs of blanks made one; empty lines are left out."""
    lines: list[Line] = []
    words: list[str] = []
    depth, joined = 0, False
    for kind, piece in pieces_of(text):
        if kind == "break":
            lines.append(Line(depth, words))
            depth, words, joined = 0, [], False
        elif kind == "blank":
            depth = depth if words or "\\" in piece else _depth(piece)
            joined = False
        else:
            told = _IN_QUOTES.sub(" ", piece) if kind == "quoted" else piece
            if joined:
                words[-1] += told
            else:
                words.append(told)
            joined = True
    lines.append(Line(depth, words))
    return [line for line in lines if line.words]


def _depth(blanks: str) -> int:
    return blanks.count("\t") + blanks.count(" ") // _TAB


def filled(words: list[str], end: str, *, indent: str = "\t", more: str = "\t\t") -> str:
    """Words on as many lines as they need, continued as Vensim does; `end` is the line end."""
    lines: list[str] = []
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return indent + f" \\{end}{more}".join([*lines, line])


def unbroken(words: list[str]) -> list[str]:
    """The same words, with those of one name together, so that no line ends inside a name."""
    found: list[str] = []
    for word in words:
        if found and _in_name(found[-1][-1]) and _in_name(word[0]):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _in_name(character: str) -> bool:
    return character.isalnum() or character in "_$'.&%#@?:"


def with_line_ends(text: str, end: str) -> str:
    """The same text, with one kind of line end."""
    return LINE_END.sub(lambda _: end, text)
