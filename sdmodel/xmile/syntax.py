"""XMILE's expressions: their text as a tree of terms, each with its offset in the text (XMILE 1.0, section 3.3).

A reader of its own instead of a grammar file: the language is small, every operator has one row in a table, and the faults
name what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

Kind = Literal["number", "name", "call", "negative", "not", "if", "binary", "all", "range", "position"]
"""A literal, a name with or without subscripts, a call, an operation; and in subscripts `*`, `a:b` and `@n`."""


class SyntaxProblemError(Exception):
    """A text that is not an expression: what is wrong, what to do, and where."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.what, self.at = what, at


def _stop(what: str, at: int) -> NoReturn:
    raise SyntaxProblemError(what, at)


@dataclass(frozen=True, slots=True)
class Term:
    """One part of an expression; `text` is its name, number or operator, `subscripts` is None where there are no brackets.

    `outputs` are the names that a call of a macro gives its further results after a colon, as Vensim exports one.
    """

    kind: Kind
    at: int
    text: str = ""
    parts: tuple[Term, ...] = ()
    subscripts: tuple[Term, ...] | None = None
    outputs: tuple[Term, ...] = ()


_DEPTH = 100
"""Maximum nesting of an expression."""
_WORD = r"[^\W\d][\w$']*"
_NAME = rf'(?:\.?(?:"(?:[^"\\]|\\.)*"|{_WORD})(?:\.(?:"(?:[^"\\]|\\.)*"|\w[\w$]*))*)'
_TOKEN = re.compile(
    rf"(?P<word>:(?:NOT|AND|OR):)|(?P<missing>:NA:)|(?P<all>{_WORD}\.\*)|(?P<foreign>\*\*|==|&&|\|\||=<|=>)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>{_NAME})|(?P<sign>//|<=|>=|<>|!=|[-+*/^<>=(),\[\]:@!;'])|(?P<bad>\S)",
    re.DOTALL | re.IGNORECASE,
)
"""Tokens; words and the missing value between colons are Vensim's, which its export keeps."""
_FOREIGN = {"**": "^", "==": "=", "&&": "AND", "||": "OR", "=<": "<=", "=>": ">=", "!": "NOT", "%": "x/100, or x MOD y"}
"""Operators of other languages, and what XMILE has."""
_BLANK = re.compile(r"\s*")
_COMMENT = re.compile(r"\{[^{}]*\}?")
KEYWORDS = frozenset({"if", "then", "else", "and", "or", "not", "mod"})
"""Words with a meaning of their own, in lower case."""
_WITH_KEYWORDS = re.compile(r"(?:SAMPLE\s+IF\s+TRUE|SHIFT\s+IF\s+TRUE|IF\s+THEN\s+ELSE)(?=\s*\()", re.IGNORECASE)
"""Vensim's functions whose names contain keywords; converters leave them in the text."""
_LEVELS: Mapping[str, int] = {
    "or": 1, "and": 2, "=": 3, "<>": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "mod": 6,
    "^": 8,
}  # fmt: skip
"""How strongly each operator binds; signs and NOT come between products and powers."""
_UNARY, _COMPARISON = 7, 3


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def without_comments(text: str) -> str:
    """Return an expression with blanks for its comments, which are in braces; what remains keeps its place."""
    return _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def parse_expression(text: str) -> Term:
    """Return the tree of an expression.

    Raises
    ------
    SyntaxProblemError
        If the text is not an expression.
    """
    return parse_list(text, separators=())[0]


def parse_list(text: str, separators: Sequence[str] = (",", ";")) -> tuple[Term, ...]:
    """Return the trees of expressions with separators between them, as `parse_expression` does that of one."""
    reader = _Reader(_tokens(without_comments(text)), len(text))
    found = [reader.expression(0)]
    while reader.accept(*separators):
        found.append(reader.expression(0))
    if (left := reader.peek()) is not None:
        _stop(f"'{left.text}' does not belong here; write an operator before it, or delete it", left.at)
    return tuple(found)


def _tokens(text: str) -> list[_Token]:
    """Split a text; words with only blanks between them are one name, as converters from Vensim write some."""
    found: list[_Token] = []
    at = 0
    while (first := _BLANK.match(text, at)) is not None and (at := first.end()) < len(text):
        if special := _WITH_KEYWORDS.match(text, at):
            found.append(_Token("name", "_".join(special[0].split()), at))
            at = special.end()
            continue
        match = _TOKEN.match(text, at)
        assert match is not None  # noqa: S101 - the last alternative takes any character
        kind, part = str(match.lastgroup), match[0]
        if kind == "bad":
            cure = "the program that wrote the file has lost numbers here; write them" if part == "?" else "delete it"
            cure = f"write {_FOREIGN[part]}" if part in _FOREIGN else cure
            _stop(f"'{part}' is not part of an expression; {cure}", at)
        if kind == "foreign":
            _stop(f"'{part}' is not an operator of XMILE; write {_FOREIGN[part]}", at)
        if kind == "missing":
            kind = "name"
        if kind == "word":
            part = part.lower() if part.upper() == ":NOT:" else part.strip(":").lower()
        if kind == "name" and part.lower() in KEYWORDS:
            kind, part = "word", part.lower()
        last = found[-1] if found else None
        if kind == "name" and last and last.kind == "name" and '"' not in part + last.text:
            found[-1] = _Token("name", f"{last.text} {part}", last.at)
        else:
            found.append(_Token(kind, part, at))
        at = match.end()
    return found


@dataclass(slots=True)
class _Reader:
    """Reads tokens from left to right, by the strength of operators."""

    tokens: list[_Token]
    end: int
    place: int = 0
    depth: int = 0

    def peek(self) -> _Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self) -> _Token:
        if self.place >= len(self.tokens):
            what = "the expression ends too early; complete it" if self.tokens else "the equation is empty; write it"
            _stop(what, self.end)
        self.place += 1
        return self.tokens[self.place - 1]

    def accept(self, *texts: str) -> _Token | None:
        token = self.peek()
        if token is None or token.kind in ("name", "number") or token.text not in texts:
            return None
        self.place += 1
        return token

    def expect(self, text: str, why: str) -> None:
        if self.accept(text) is None:
            token = self.peek()
            shown = f"'{token.text}'" if token else "the end"
            _stop(f"{shown} where '{text}' {why}; write {text}", token.at if token else self.end)

    def expression(self, least: int) -> Term:
        """Read operands and operators that bind at least that strongly."""
        self.depth += 1
        if self.depth > _DEPTH:
            _stop("the equation nests too deep; split it into several", self.tokens[self.place - 1].at)
        left = self.operand()
        while (token := self.peek()) is not None and token.kind in ("sign", "word"):
            level = _LEVELS.get(token.text)
            if level is None or level < least:
                break
            self.place += 1
            right = self.expression(level if token.text == "^" else level + 1)
            left = Term("binary", token.at, "<>" if token.text == "!=" else token.text, (left, right))
        self.depth -= 1
        return left

    def operand(self) -> Term:
        token = self.take()
        match token.kind, token.text:
            case "number", text:
                return Term("number", token.at, text)
            case "name", _:
                return self.named(token)
            case "sign", "(":
                inner = self.expression(0)
                self.expect(")", "closes a parenthesis")
                return inner
            case "sign", "-":
                return Term("negative", token.at, "-", (self.expression(_UNARY),))
            case "sign", "+":
                return self.expression(_UNARY)
            case "word", "not":
                return Term("not", token.at, "not", (self.expression(_UNARY),))
            case "word", ":not:":  # Vensim's binds more loosely than comparisons
                return Term("not", token.at, "not", (self.expression(_COMPARISON),))
            case "word", "if":
                condition = self.expression(0)
                self.expect("then", "follows a condition")
                then = self.expression(0)
                self.expect("else", "is needed, since every equation has a value")
                return Term("if", token.at, "if", (condition, then, self.expression(0)))
        cure = {"mod": "write x MOD y", "!": "write NOT"}.get(token.text, "complete the expression")
        _stop(f"'{token.text}' where a number or a name is needed; {cure}", token.at)

    def named(self, token: _Token) -> Term:
        """Read what follows a name: arguments, subscripts, or nothing."""
        subscripts: tuple[Term, ...] | None = None
        if self.accept("["):
            subscripts = self.items("]", self.subscript)
        if self.accept("("):
            arguments, outputs = self.arguments()
            return Term("call", token.at, token.text, arguments, subscripts, outputs)
        if transposed := self.accept("'"):
            _stop("transposing with ' is not supported; name the dimensions in their order", transposed.at)
        return Term("name", token.at, token.text, (), subscripts)

    def arguments(self) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
        """Read what is in the parentheses of a call: its arguments, and after a colon the names of further results."""
        found: list[Term] = []
        while not self.accept(")"):
            if found and self.accept(":"):
                return tuple(found), self.items(")", lambda: self.expression(0))
            if found:
                self.expect(",", "or ')' follows")
            comma = self.peek()  # nothing before it is Stella's NAN
            is_empty = comma is not None and comma.text == ","
            found.append(Term("name", comma.at, "NAN") if comma and is_empty else self.expression(0))
        return tuple(found), ()

    def items(self, end: str, read: Callable[[], Term]) -> tuple[Term, ...]:
        found: list[Term] = []
        while not self.accept(end):
            if found:
                self.expect(",", f"or '{end}' follows")
            found.append(read())
        return tuple(found)

    def subscript(self) -> Term:
        """Read one subscript: an expression, `*`, `*:range`, `range.*`, `a:b` or `@n`."""
        if star := self.accept("*"):
            return Term("all", star.at, "*", (self.expression(0),) if self.accept(":") else ())
        if (token := self.peek()) is not None and token.kind == "all":  # `Dimension.*`
            self.place += 1
            return Term("all", token.at, "*", (Term("name", token.at, token.text.removesuffix(".*")),))
        if at := self.accept("@"):
            return Term("position", at.at, self.take().text)
        first = self.expression(0)
        if self.accept("!"):
            return Term("all", first.at, "*", (first,))
        if colon := self.accept(":"):
            return Term("range", colon.at, ":", (first, self.expression(0)))
        return first
