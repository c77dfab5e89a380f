"""Equations as text in Vensim's language: for people, without the points of tables, or complete, to be read back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from sympy import Add, Expr, Function, Indexed, Mul, Pow, S, Symbol

from .algebra import NA, Numbers, Slice, Table, VensimFunction, divides, product_factors, split_reference, unsigned
from .data.variables import NOW, data_keyword
from .functions.data import AT_TIME
from .functions.table import FUNCTIONS, row_of
from .names import MARK, in_quotes, key
from .records import Model

_PLAIN = re.compile(r"[a-z](?:[\w $']*[\w$'])?", re.ASCII | re.IGNORECASE)
_KINDS = {"L": "a", "M": "0"}
"""What letters and vowel signs of other scripts count as in a name without quotes; other characters need quotes."""
_CALLED = frozenset(map(key, (*FUNCTIONS, "WITH LOOKUP", "TABBED ARRAY")))
"""Names that call a function unless they are in quotes."""
_PRECEDENCE: Mapping[str, int] = MappingProxyType(
    {":OR:": 1, ":AND:": 2, ":NOT:": 3, **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), 4)}
)
_READ_DATA = frozenset({"LOOKUP", "LOOKUP FORWARD", "LOOKUP BACKWARD", AT_TIME.name})
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = 5, 6, 7, 8, 9


@dataclass(frozen=True, slots=True)
class _Style:
    """The model that gives the spelling of names, and whether to write all digits, all points and extra parentheses."""

    model: Model
    complete: bool = False


def equation_text(model: Model, expression: Expr) -> str:
    """Return an expression as written in a model, with `...` for the points of a table."""
    return _text(expression, _Style(model), 0)


def equation_source(model: Model, expression: Expr) -> str:
    """Return an expression as text that reads back as the same expression to the last digit.

    Parentheses are added where programs disagree about the precedence of operators (powers of powers, signs before
    powers, `:NOT:`, mixed `:AND:` and `:OR:`).
    """
    return _text(expression, _Style(model, complete=True), 0)


def number_text(value: float) -> str:
    """Return a number with all of its significant digits and no more."""
    return repr(float(value)).removesuffix(".0")


def quote_name(name: str, labels: Sequence[str] = ()) -> str:
    """Return `name` or `name[label,label]` as a file needs it: in quotes what Vensim would not read as a name without."""
    text = name if _is_plain(name) else in_quotes(name)
    return f"{text}[{','.join(map(quote_name, labels))}]" if labels else text


@lru_cache(maxsize=1 << 14)
def _is_plain(name: str) -> bool:
    """Whether a name needs no quotes: it starts with a letter, has no operators or other signs, and calls no function."""
    letters = "".join(mark if mark.isascii() else _KINDS.get(unicodedata.category(mark)[0], "?") for mark in name)
    return _PLAIN.fullmatch(letters) is not None and key(name) not in _CALLED


def _text(expression: Expr, style: _Style, precedence: int) -> str:
    """Return the text, in parentheses if the surrounding operator has a higher precedence."""
    write = next((write for kind, write in _WRITERS.items() if isinstance(expression, kind)), _number)
    text, own = write(expression, style)
    return f"({text})" if own < precedence else text


def _number(expression: Expr, style: _Style) -> tuple[str, int]:
    value = float(expression) if expression.is_Number else float("nan")
    shown = number_text(value) if style.complete else f"{value:.15g}"
    text = ":NA:" if value == NA else shown if expression.is_Number else str(expression)
    return text, _ATOM if value >= 0 else _SIGN


def _table(expression: Expr, style: _Style) -> tuple[str, int]:
    return f"({table_text(expression)})" if style.complete else "(...)", _ATOM


def table_text(table: Table) -> str:
    """Return the points of a table, after the corners of its graph if it has any."""
    parts = [f"({number_text(x)},{number_text(y)})" for x, y in table.points]
    corners = [f"({number_text(x)},{number_text(y)})" for x, y in table.limits or ()]
    return ",".join([f"[{'-'.join(corners)}]", *parts] if corners else parts)


def _numbers(expression: Expr, style: _Style) -> tuple[str, int]:
    return ", ".join(map(number_text, expression.values)) if style.complete else str(expression), 0


def _name(expression: Expr, style: _Style) -> tuple[str, int]:
    name, subscripts = split_reference(expression)
    if subscripts and name in style.model.subscripts:  # the number of each label of a marked range
        return _label(subscripts[0], style), _ATOM
    element = style.model.elements.get(name)
    if element is not None and not style.complete:  # the points of a data variable are shown as the variable itself
        element = style.model.owner_of(element)
    text = quote_name(element.name) if element is not None else _label(name, style)
    return (f"{text}[{','.join(_label(subscript, style) for subscript in subscripts)}]" if subscripts else text), _ATOM


def _label(name: str, style: _Style) -> str:
    """Return a range or a label in the spelling of the model, and Time in Vensim's spelling."""
    mark = "!" if name.endswith(MARK) else ""
    bare = name.removesuffix(MARK)
    found = style.model.subscripts.get(bare)
    spelling = found.name if found is not None else style.model.labels.get(bare, "Time" if bare == "time" else bare)
    return quote_name(spelling) + mark


def _sum(expression: Expr, style: _Style) -> tuple[str, int]:
    text = ""
    for term in expression.args:
        positive, sign = unsigned(term), " - " if unsigned(term) is not term else " + "
        part = _text(positive, style, _PRODUCT)
        if positive is term and part.startswith("-") and text:
            part, sign = part[1:], " - "
        text += f"{sign}{part}" if text else f"{'-' if sign == ' - ' else ''}{part}"
    return text, _SUM


def _product(expression: Expr, style: _Style) -> tuple[str, int]:
    if unsigned(expression) is not expression and not divides(unsigned(expression)):
        return f"-{_text(unsigned(expression), style, _ATOM if style.complete else _SIGN)}", _SIGN
    text = ""
    for factor, below in product_factors(expression):
        part = _text(factor, style, _SIGN if text or below else _PRODUCT)
        text = f"{text or '1'}/{part}" if below else f"{text}*{part}" if text else part
    return text, _PRODUCT


def _power(expression: Expr, style: _Style) -> tuple[str, int]:
    base, exponent = expression.args
    if exponent is S.Half:
        return f"SQRT({_text(base, style, 0)})", _ATOM
    if divides(expression):
        return f"1/{_text(base, style, _SIGN)}", _PRODUCT
    return f"{_text(base, style, _ATOM)}^{_text(exponent, style, _ATOM if style.complete else _SIGN)}", _POWER


def _call(expression: Expr, style: _Style) -> tuple[str, int]:
    name, arguments = row_of(expression).name, expression.args
    if name in _PRECEDENCE:
        own = _PRECEDENCE[name]
        around = _ATOM if style.complete and own <= _PRECEDENCE[":NOT:"] else own + (own > _PRECEDENCE[":NOT:"])
        sides = [_text(argument, style, around) for argument in arguments]
        return (f"{name} {sides[0]}" if name == ":NOT:" else f" {name} ".join(sides)), own
    if name == "LOOKUP" and isinstance(arguments[0], Table):
        points = _table(arguments[0], style)[0] if style.complete else "..."
        return f"WITH LOOKUP({_text(arguments[1], style, 0)}, {points})", _ATOM
    is_data = name in _READ_DATA and arguments[1:] == (NOW,) and data_keyword(style.model, expression) is not None
    if is_data and not style.complete:
        return _text(arguments[0], style, _ATOM), _ATOM
    if name == "LOOKUP":
        return f"{_text(arguments[0], style, _ATOM)}({_text(arguments[1], style, 0)})", _ATOM
    written = arguments[: len(arguments) - row_of(expression).added]
    return f"{name}({', '.join(_text(argument, style, 0) for argument in written)})", _ATOM


_WRITERS: Mapping[type[Expr], Callable[[Expr, _Style], tuple[str, int]]] = MappingProxyType(
    {Slice: lambda part, style: _name(part.reference, style)}
    | {Symbol: _name, Indexed: _name, Add: _sum, Mul: _product, Pow: _power, Table: _table, Numbers: _numbers}
    | {VensimFunction: _call, Function: _call}
)
"""The writer of each kind of expression; it returns the text and its precedence."""
