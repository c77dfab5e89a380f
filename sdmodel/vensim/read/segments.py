"""Splits the text of a model into segments: every character belongs to exactly one, in file order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal[
    "encoding", "blank", "macro", "macro end", "group", "block", "broken",
    "view", "record", "sketch end", "graph", "marker", "setting",
]  # fmt: skip

QUOTED = r'"(?:[^"\\\r\n]|\\(?:\r\n?|[\s\S]))*"'
VERSION = re.compile(r"V3\d\d\b")
"""The version of a sketch, such as V300, or V364 with the same lines."""

_ENCODING = re.compile(r"\ufeff?\s*\{UTF-(?:8|16)\}[ \t]*(?:\r{0,2}\n|\r)?|\ufeff", re.IGNORECASE)
_MARKER = re.compile(r":L\x7f?<%\^E!@")
_TAIL = re.compile(rf"(?<![^\r\n|])(?:\\{{2,3}}---///|///---\\|{_MARKER.pattern})")
"""What ends the equations, on a line of its own or, in a file that has lost its line ends, after the last block."""
_BLANKS = re.compile(r"\s*")
_MACRO = re.compile(rf":MACRO:(?:{QUOTED}|[^\"(|~])*\((?:{QUOTED}|\{{[^{{}}]*\}}|[^\"{{)|~])*\)", re.IGNORECASE)
_MACRO_END = re.compile(r":END\s+OF\s+MACRO:", re.IGNORECASE)
_HEADER = re.compile(r"(?<![^\r\n])\*{4}")
_STOP = re.compile(r'["{}~|]')
_FIELD_STOP = re.compile(r"[~|]")
_LINE_STOP = re.compile(r"[~|\r\n]")
_BRACE = re.compile(r"[{}]")
_QUOTED = re.compile(QUOTED)
_BLANKABLE = re.compile(r"[\"{]|\\[ \t]*(?:\r{0,2}\n|\r)|\\\t")
_CONTINUATION = re.compile(r"\\[ \t]*(?=[\r\n])|\\(?=\t)")
"""A backslash at the end of a line; in a file that has lost its line ends, one before the tabs of the next line."""
_VISIBLE = re.compile(r"[^\r\n]")
_SUPPLEMENTARY = re.compile(r"\s*(?::SUP|\|)", re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r{0,2}\n|\r)|[^\r\n]+")


class Span(NamedTuple):
    """A range of offsets in the text: `start` included, `end` excluded."""

    start: int
    end: int


NOTHING = Span(0, 0)


class Segment(NamedTuple):
    """A part of the text and its kind; blocks and groups have fields, empty spans if one is missing."""

    kind: Kind
    start: int
    end: int
    main: Span = NOTHING
    units: Span = NOTHING
    comment: Span = NOTHING
    supplementary: Span = NOTHING


class Problem(NamedTuple):
    """A syntax problem at an offset of the text."""

    offset: int
    what: str


FOREIGN = {
    "==": "=", "!=": "<>", "**": "^", "=<": "<=", "=>": ">=", "AND": ":AND:", "OR": ":OR:", "&&": ":AND:", "||": ":OR:", "!": ":NOT:",
    "%": "MODULO(x, y)", "THEN": "IF THEN ELSE(condition, x, y)",
}  # fmt: skip
"""Operators of other languages, and what Vensim writes."""


def foreign_operator(written: str) -> str:
    """Return the message about an operator of another language."""
    return f"'{written}' is not an operator of Vensim; write '{FOREIGN[written]}'"


def split_segments(text: str) -> tuple[list[Segment], list[Problem]]:
    """Return the segments of a model's text and the problems found while splitting it."""
    tail = _TAIL.search(text)
    scan = _Scan(text, tail.start() if tail else len(text))
    return [*scan.segments(), *_tail(text, scan.end)], scan.problems


def blank_comments(text: str) -> str:
    """Return the text with comments in braces and line continuations replaced by spaces, so that offsets stay valid."""
    if "{" not in text and "\\" not in text:
        return text
    pieces, position = [], 0
    while found := _BLANKABLE.search(text, position):
        start, end = found.span()
        pieces.append(text[position:start])
        if found.group() == '"':  # an unclosed name extends to the end of its line
            whole = _QUOTED.match(text, start) or _LINE.match(text, start)
            end = whole.end() if whole else len(text)
            pieces.append(_CONTINUATION.sub(lambda mark: " " * len(mark.group()), text[start:end]))
        else:
            if found.group() == "{":  # an unclosed comment extends to the end of the text
                closing = _closing(text, start, len(text))
                end = len(text) if closing < 0 else closing
            pieces.append(_VISIBLE.sub(" ", text[start:end]))
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def _closing(text: str, start: int, end: int) -> int:
    """Return the offset after the brace that closes the one at `start`, or -1."""
    depth = 0
    for brace in _BRACE.finditer(text, start, end):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.end()
    return -1


class _Scan:
    """One pass over the equations of a text, up to the start of its sketch."""

    def __init__(self, text: str, end: int) -> None:
        self.text, self.end = text, end
        self.problems: list[Problem] = []
        self.braces = True

    def segments(self) -> Iterator[Segment]:
        position = 0
        if found := _ENCODING.match(self.text):
            position = found.end()
            yield Segment("encoding", 0, position)
        while position < self.end:
            start = self._blank_end(position)
            if start > position:
                yield Segment("blank", position, start)
            position = start
            if start < self.end:
                if found := _MACRO.match(self.text, start, self.end):
                    segment = Segment("macro", start, found.end())
                elif found := _MACRO_END.match(self.text, start, self.end):
                    segment = Segment("macro end", start, found.end())
                else:
                    segment = self._block(start)
                yield segment
                position = segment.end

    def _blank_end(self, position: int) -> int:
        """Return the end of blanks, and of comments in braces between them and the header of a group."""
        end = after = _BLANKS.match(self.text, position, self.end).end()  # type: ignore[union-attr] # always matches
        while self.text.startswith("{", after) and (closing := _closing(self.text, after, self.end)) > 0:
            after = _BLANKS.match(self.text, closing, self.end).end()  # type: ignore[union-attr] # always matches
        return after if _HEADER.match(self.text, after, self.end) else end

    def _block(self, start: int) -> Segment:
        """Read a block: fields separated by `~`, ended by `|`."""
        text = self.text
        group = text.startswith("***", start)
        main = Span(start, self._stop(start) if group else self._main_end(start))
        closing = text.find("|", main.end, self.end)
        header = None if group else _HEADER.search(text, main.end, self.end if closing < 0 else closing)
        if closing < 0 or header:
            return self._unended(start, header.start() if header else self.end)
        units = comment = supplementary = Span(closing, closing)
        if text[main.end] == "~":
            units = Span(main.end + 1, self._stop(main.end + 1))
            if group:
                units, comment = comment, Span(units.start, closing)
            elif text[units.end] == "~":
                comment, supplementary = self._comment(units.end + 1, closing)
        return Segment("group" if group else "block", start, closing + 1, main, units, comment, supplementary)

    def _comment(self, start: int, closing: int) -> tuple[Span, Span]:
        """Return the comment and the `:SUPPLEMENTARY` mark, which says that nothing needs to use the variable."""
        divider = self.text.find("~", start, closing)
        if divider < 0:
            return Span(start, closing), Span(closing, closing)
        if not _SUPPLEMENTARY.match(self.text, divider + 1, closing + 1) or "~" in self.text[divider + 1 : closing]:
            what = "a block has only an equation, units and a comment; end the one before with '|'"
            self.problems.append(Problem(divider, what))
        return Span(start, divider), Span(divider + 1, closing)

    def _unended(self, start: int, end: int) -> Segment:
        rest = blank_comments(self.text[start:end])
        if not rest.strip():
            return Segment("blank", start, end)
        first = " ".join(rest.split(maxsplit=8)[:8])[:40]
        what = f"the block that begins with '{first}' is not ended by '|'; add it, or restore a file that is cut off"
        self.problems.append(Problem(start, what))
        return Segment("broken", start, end)

    def _stop(self, start: int) -> int:
        found = _FIELD_STOP.search(self.text, start, self.end)
        return found.start() if found else self.end

    def _main_end(self, position: int) -> int:
        """Return the end of the first field: the next `~` or `|` that is neither quoted nor in braces."""
        while found := _STOP.search(self.text, position, self.end):
            mark, start = found.group(), found.start()
            if self.text.startswith("||", start):
                self.problems.append(Problem(start, foreign_operator("||")))
                position = start + 2
                continue
            if mark in "~|":
                return start
            position = self._quoted_end(start) if mark == '"' else self._braces_end(mark, start)
        return self.end

    def _quoted_end(self, start: int) -> int:
        if found := _QUOTED.match(self.text, start, self.end):
            return found.end()
        self.problems.append(Problem(start, "a quoted name is not closed; add the second '\"' on the same line"))
        stop = _LINE_STOP.search(self.text, start, self.end)
        return stop.start() if stop else self.end

    def _braces_end(self, mark: str, start: int) -> int:
        closing = _closing(self.text, start, self.end) if mark == "{" and self.braces else -1
        if closing > 0:
            return closing
        if mark == "}":
            self.problems.append(Problem(start, "'}' closes a comment that was not opened; remove it or add '{'"))
        elif self.braces:
            self.problems.append(Problem(start, "a comment in braces is not closed; add '}'"))
            self.braces = False
        return start + 1


def _tail(text: str, start: int) -> Iterator[Segment]:
    """Yield the lines of the sketch, the graphs and the settings, one segment each."""
    region: Kind = "record"
    for found in _LINE.finditer(text, start):
        line = found.group()
        kind = region
        if region != "setting" and _MARKER.search(line):
            kind, region = "marker", "setting"
        elif line.startswith("///---\\"):
            kind, region = "sketch end", "graph"
        elif region == "record" and (line.startswith(("\\\\", "*", "$")) or VERSION.match(line)):
            kind = "view"
        yield Segment(kind, *found.span())
