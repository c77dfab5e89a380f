"""Parses the text of one equation into a tree, or says what is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .segments import FOREIGN, Problem, foreign_operator
from .table import Tree, lark_parser, parser

if TYPE_CHECKING:
    from lark.exceptions import UnexpectedInput

Node = Any
"""A tree or token; the grammar, not the type, says which one is where."""

DEPTH = 100
"""Maximum nesting of parentheses and functions: far more than people write, far less than would exhaust the stack."""

_NESTING = re.compile(r"[()]")
_STACKING = re.compile(r"[-+^]|:NOT:", re.IGNORECASE)
_WORD = re.compile(r"\"[^\"]*\"?|(?:[\w.$']|[^\x00-\x7f\s])+|:[\w ]*:|!=|\S")
_TOO_DEEP = f"the equation nests more than {DEPTH} levels deep; split it into several"


class SyntaxProblemError(Exception):
    """The first syntax problem of an equation."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def parse(text: str) -> Node:
    """Return the parse tree of a main field whose comments are blanked; offsets count from its start."""
    depth = 0
    for mark in _NESTING.finditer(text) if text.count("(") > DEPTH else ():
        depth += 1 if mark.group() == "(" else -1
        if depth > DEPTH:
            raise SyntaxProblemError(Problem(mark.start(), _TOO_DEEP))
    tree = parser().parse(text)
    if tree is None:
        raise SyntaxProblemError(_problem_of(text))
    if len(text) > DEPTH and (text.count("(") > DEPTH or len(_STACKING.findall(text)) > DEPTH):
        level = [tree]
        for _ in range(DEPTH):
            level = [child for node in level for child in node.children if isinstance(child, Tree)]
        if level:
            first = level[0]
            while isinstance(first, Tree) and first.children:
                first = first.children[0]
            raise SyntaxProblemError(Problem(0 if isinstance(first, Tree) else first.start_pos, _TOO_DEEP))
    return tree


def _problem_of(text: str) -> Problem:
    """Return where lark stops parsing a text that is not in the language, and why."""
    from lark.exceptions import UnexpectedInput

    try:
        lark_parser().parse(text)
    except UnexpectedInput as error:
        return _problem(error, text)
    message = f"lark's table and lark disagree on {text!r}"
    raise AssertionError(message)


def _problem(error: UnexpectedInput, text: str) -> Problem:
    """Return where parsing stopped, and why, in words for a modeller."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    length = len(text.rstrip())
    expected: set[str] = set()
    offset = length if error.pos_in_stream is None else error.pos_in_stream
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        offset = length if error.token.type == "$END" else offset
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
    if offset < length:
        found = _WORD.match(text, offset)
        word = " ".join(found.group().split()) if found else text[offset]
        return Problem(offset, _misplaced(word, text[:offset], text[offset + 1 :], expected))
    for opening, closing in ("()", "[]"):
        if "NUMBER" not in expected and text.count(opening) > text.count(closing):
            return Problem(length, f"a '{opening}' is not closed; add '{closing}'")
    before = text.split()
    return Problem(length, f"the equation is incomplete{f' after {before[-1]!r}' if before else ''}; complete it")


def _misplaced(word: str, before: str, after: str, expected: set[str]) -> str:
    written = (before[-1:] + word[0], word[0] + after[:1], word.split(maxsplit=1)[0].upper())
    foreign = next((own for own in written if own in FOREIGN), None)
    if foreign and (foreign != "!" or "NAME" in expected):
        return foreign_operator(foreign)
    if word[0] == '"' and not word.strip('" \t\r\n'):
        if word != '"':
            return "a name in quotes is empty; write it between them"
        return "a quoted name is not closed; add the second '\"'"
    if word.upper() == ":IGNORE:":
        return "the equation is incomplete: :IGNORE: lists causes it does not use yet; use them, or delete the list"
    if word == ")" and before.count("(") <= before.count(")"):
        return "')' closes nothing; remove it or add '('"
    if "NAME" in expected and "NUMBER" not in expected and word[0].isdigit():
        return f"'{word}' is a number or begins with a digit; begin it with a letter, or put it in quotes"
    if "NAME" in expected and word[0] in "*/^,;)]=<>:":
        return f"something is missing before '{word}'; write a name or a number there"
    if expected & {"TIMES", "$END"} and (word[0].isalnum() or not word[0].isascii() or word[0] in '"(._'):
        return f"an operator is missing before '{word}'; add one, or put a name with odd characters in quotes"
    if before.count("(") > before.count(")") and word in {";", "|", "~"}:
        return f"a '(' is not closed before '{word}'; add ')'"
    return f"'{word}' is not allowed here; remove it, or put a name with odd characters in quotes"
