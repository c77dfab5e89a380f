"""An equation in its author's words: for people, with tables left out, or whole, so that it is read back the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from sympy import Add, Expr, Function, Indexed, Mul, Pow, S, Symbol

from .algebra import NA, Numbers, Table, VensimFunction, refer, referred
from .functions.table import FUNCTIONS
from .records import Model

_PLAIN = re.compile(r"[^\W\d](?:[\w $'.&%#@?]*[\w$'.&%#@?])?")
_TIGHTNESS: Mapping[str, int] = MappingProxyType(
    {":OR:": 1, ":AND:": 2, ":NOT:": 3, **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), 4)}
)
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = 5, 6, 7, 8, 9


@dataclass(frozen=True, slots=True)
class _Words:
    """The model whose names are written, and whether everything is: all digits and points, and parentheses in plenty."""

    model: Model
    whole: bool = False


def worded(model: Model, expression: Expr) -> str:
    """An expression as its author would write it, with `...` for the points of a table."""
    return _word(expression, _Words(model), 0)


def written(model: Model, expression: Expr) -> str:
    """An expression as text that is read back the same to the last digit.

    Where programs disagree about what binds tighter (powers of powers, signs before powers, `:NOT:`, mixed `:AND:` and
    `:OR:`), it stands in parentheses.
    """
    return _word(expression, _Words(model, whole=True), 0)


def digits(value: float) -> str:
    """A number with all of its digits and no more."""
    return repr(float(value)).removesuffix(".0")


def quoted(name: str) -> str:
    """A name as equations have it: in quotes where it holds signs that mean something else there."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '\\"') + '"'


@cache
def rows_of_sympy() -> Mapping[type[Expr], str]:
    """The name in the table of functions of each function that SymPy has."""
    argument = refer("x")
    single = [row for row in FUNCTIONS.values() if len(row.arguments) == 1]
    return MappingProxyType(
        {type(built): row.name for row in single if isinstance(built := row.build(argument), Function)}
    )


def _word(expression: Expr, words: _Words, tightness: int) -> str:
    """The text, in parentheses where what stands around it binds tighter."""
    write = next((write for kind, write in _WORDS.items() if isinstance(expression, kind)), _number)
    text, own = write(expression, words)
    return f"({text})" if own < tightness else text


def _number(expression: Expr, words: _Words) -> tuple[str, int]:
    value = float(expression) if expression.is_Number else float("nan")
    shown = digits(value) if words.whole else f"{value:.15g}"
    text = ":NA:" if value == NA else shown if expression.is_Number else str(expression)
    return text, _ATOM if value >= 0 else _SIGN


def _table(expression: Expr, words: _Words) -> tuple[str, int]:
    return f"({table_points(expression)})" if words.whole else "(...)", _ATOM


def table_points(table: Table) -> str:
    """The points of a table, behind the corners of its graph if it has some."""
    parts = [f"({digits(x)},{digits(y)})" for x, y in table.points]
    corners = [f"({digits(x)},{digits(y)})" for x, y in table.limits or ()]
    return ",".join([f"[{'-'.join(corners)}]", *parts] if corners else parts)


def _numbers(expression: Expr, words: _Words) -> tuple[str, int]:
    return ", ".join(map(digits, expression.values)) if words.whole else str(expression), 0


def _name(expression: Expr, words: _Words) -> tuple[str, int]:
    name, subscripts = referred(expression)
    element = words.model.elements.get(name)
    text = quoted(element.name) if element is not None else _label(name, words)
    return (f"{text}[{','.join(_label(each, words) for each in subscripts)}]" if subscripts else text), _ATOM


def _label(name: str, words: _Words) -> str:
    """A range or a label in the author's spelling, and Time in Vensim's."""
    mark = "!" if name.endswith("!") else ""
    bare = name.removesuffix("!")
    found = words.model.subscripts.get(bare)
    spelt = found.name if found is not None else words.model.labels.get(bare, "Time" if bare == "time" else bare)
    return quoted(spelt) + mark


def _sum(expression: Expr, words: _Words) -> tuple[str, int]:
    text = ""
    for term in expression.args:
        positive, sign = unsigned(term), " - " if unsigned(term) is not term else " + "
        word = _word(positive, words, _PRODUCT)
        if positive is term and word.startswith("-") and text:
            word, sign = word[1:], " - "
        text += f"{sign}{word}" if text else f"{'-' if sign == ' - ' else ''}{word}"
    return text, _SUM


def unsigned(term: Expr) -> Expr:
    """What stands behind the minus sign of a term, or the term itself."""
    signed = isinstance(term, Mul) and len(term.args) == 2 and term.args[0] is S.NegativeOne  # noqa: PLR2004 - a sign and its operand
    return term.args[1] if signed else term


def _product(expression: Expr, words: _Words) -> tuple[str, int]:
    if unsigned(expression) is not expression and not divides(unsigned(expression)):
        return f"-{_word(unsigned(expression), words, _ATOM if words.whole else _SIGN)}", _SIGN
    text = ""
    for factor in expression.args:
        if divides(factor):
            text = f"{text or '1'}/{_word(factor.args[0], words, _SIGN)}"
        else:
            word = _word(factor, words, _SIGN if text else _PRODUCT)
            text = f"{text}*{word}" if text else word
    return text, _PRODUCT


def divides(factor: Expr) -> bool:
    """Whether a factor of a product stands behind a `/`."""
    return isinstance(factor, Pow) and factor.args[1] is S.NegativeOne


def _power(expression: Expr, words: _Words) -> tuple[str, int]:
    base, exponent = expression.args
    if exponent is S.Half:
        return f"SQRT({_word(base, words, 0)})", _ATOM
    if divides(expression):
        return f"1/{_word(base, words, _SIGN)}", _PRODUCT
    return f"{_word(base, words, _ATOM)}^{_word(exponent, words, _ATOM if words.whole else _SIGN)}", _POWER


def _own_call(expression: Expr, words: _Words) -> tuple[str, int]:
    name, arguments = expression.name, expression.args
    if name in _TIGHTNESS:
        own = _TIGHTNESS[name]
        around = _ATOM if words.whole and own <= _TIGHTNESS[":NOT:"] else own + (own > _TIGHTNESS[":NOT:"])
        sides = [_word(each, words, around) for each in arguments]
        return (f"{name} {sides[0]}" if name == ":NOT:" else f" {name} ".join(sides)), own
    if name == "LOOKUP" and isinstance(arguments[0], Table):
        points = _table(arguments[0], words)[0] if words.whole else "..."
        return f"WITH LOOKUP({_word(arguments[1], words, 0)}, {points})", _ATOM
    if name == "LOOKUP":
        return f"{_word(arguments[0], words, _ATOM)}({_word(arguments[1], words, 0)})", _ATOM
    return _call(name, arguments, words), _ATOM


def _sympy_call(expression: Expr, words: _Words) -> tuple[str, int]:
    return _call(rows_of_sympy().get(type(expression), str(expression.func)), expression.args, words), _ATOM


def _call(name: str, arguments: Sequence[Expr], words: _Words) -> str:
    return f"{name}({', '.join(_word(each, words, 0) for each in arguments)})"


_WORDS: Mapping[type[Expr], Callable[[Expr, _Words], tuple[str, int]]] = MappingProxyType(
    {
        Symbol: _name,
        Indexed: _name,
        Add: _sum,
        Mul: _product,
        Pow: _power,
        Table: _table,
        Numbers: _numbers,
        VensimFunction: _own_call,
        Function: _sympy_call,
    }
)
"""How each kind of expression is written, with how tightly what is written holds together."""
