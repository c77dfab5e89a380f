"""The tokens of an equation's text: what a new layout may change, and what must stay as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..read.segments import QUOTED
from ..read.syntax import LINE_END

_CONTINUATION = r"\\[ \t]*(?:\r{0,2}\n|\r)"
_TOKEN = re.compile(
    rf"(?P<quoted>{QUOTED})|(?P<string>(?<![\w$'.&%#@?\x80-\U0010ffff])'[^']*')"
    rf"|(?P<rows>\bTABBED[\s_]+ARRAY\s*\([^)]*\))"
    rf"|(?P<blank>{_CONTINUATION}|[^\S\r\n]+)|(?P<break>\r{{0,2}}\n|\r)|(?P<text>(?:[\w.$&%#@?]|[^\x00-\x7f\s])+|[-+*/^=<>(),;:!\[\]]+|.)",
    re.IGNORECASE | re.DOTALL,
)
_BRACE = re.compile(r"[{}]")
_IN_QUOTES = re.compile(rf"[ \t]*{_CONTINUATION}[ \t]*")
_NAME_MARKS = "_$'.&%#@?:"
_TAB = 4
"""Blanks that count as one tab in an indentation."""


def split_tokens(text: str) -> Iterator[tuple[str, str]]:
    """Split an equation's text into tokens, which joined are the text again.

    The kind before a token is `comment`, `quoted`, `string`, `rows`, `blank`, `break` or `text`.
    """
    position = 0
    while position < len(text):
        if text[position] == "{":
            end = _comment_end(text, position)
            yield "comment", text[position:end]
        else:
            found = _TOKEN.match(text, position)
            assert found is not None  # noqa: S101 - the pattern matches any character
            end = found.end()
            yield found.lastgroup or "", found.group()
        position = end


def _comment_end(text: str, start: int) -> int:
    """Return the end of the comment that begins at an offset; braces nest."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.end()
    return len(text)


def comments_in(text: str) -> list[str]:
    """Return the comments in braces, each on one line."""
    return [" ".join(token.split()) for kind, token in split_tokens(text) if kind == "comment"]


class Line(NamedTuple):
    """A line as its author broke it: its indentation in tabs, and its words."""

    depth: int
    words: list[str]


def split_lines(text: str) -> list[Line]:
    """Return the author's lines, with continuations joined and runs of blanks made one; empty lines are left out."""
    lines: list[Line] = []
    words: list[str] = []
    depth, joined = 0, False
    for kind, token in split_tokens(text):
        if kind == "break":
            lines.append(Line(depth, words))
            depth, words, joined = 0, [], False
        elif kind == "blank":
            if not words and "\\" not in token:
                depth = token.count("\t") + token.count(" ") // _TAB
            joined = False
        else:
            word = _IN_QUOTES.sub(" ", token) if kind == "quoted" else token
            if joined:
                words[-1] += word
            else:
                words.append(word)
            joined = True
    lines.append(Line(depth, words))
    return [line for line in lines if line.words]


def join_names(words: list[str]) -> list[str]:
    """Return the same words with those of one name joined, so that no line ends inside a name."""
    found: list[str] = []
    for word in words:
        if found and all(
            mark.isalnum() or mark in _NAME_MARKS or not mark.isascii() for mark in (found[-1][-1], word[0])
        ):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def with_line_ends(text: str, end: str) -> str:
    """Return the same text with one kind of line end."""
    return LINE_END.sub(lambda _: end, text)
