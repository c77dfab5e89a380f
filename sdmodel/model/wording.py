"""A part of an equation in its author's words, to be shown to people: tables are left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from sympy import Add, Expr, Function, Indexed, Mul, Pow, S, Symbol

from .algebra import NA, Numbers, Table, VensimFunction, refer, referred
from .functions import FUNCTIONS
from .records import Model

_PLAIN = re.compile(r"[^\W\d](?:[\w $'.&%#@?]*[\w$'.&%#@?])?")
_TIGHTNESS: Mapping[str, int] = MappingProxyType(
    {":OR:": 1, ":AND:": 2, ":NOT:": 3, **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), 4)}
)
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = 5, 6, 7, 8, 9


def worded(model: Model, expression: Expr) -> str:
    """An expression as its author would write it, with `...` for the points of a table."""
    return _word(expression, model, 0)


@cache
def rows_of_sympy() -> Mapping[type[Expr], str]:
    """The name in the table of functions of each function that SymPy has."""
    argument = refer("x")
    single = [row for row in FUNCTIONS.values() if len(row.arguments) == 1]
    return MappingProxyType(
        {type(built): row.name for row in single if isinstance(built := row.build(argument), Function)}
    )


def _word(expression: Expr, model: Model, tightness: int) -> str:
    """The text, in parentheses where what stands around it binds tighter."""
    write = next((write for kind, write in _WORDS.items() if isinstance(expression, kind)), _number)
    text, own = write(expression, model)
    return f"({text})" if own < tightness else text


def _number(expression: Expr, _: Model) -> tuple[str, int]:
    value = float(expression) if expression.is_Number else float("nan")
    text = ":NA:" if value == NA else f"{value:.15g}" if expression.is_Number else str(expression)
    return text, _ATOM if value >= 0 else _SIGN


def _table(_: Expr, __: Model) -> tuple[str, int]:
    return "(...)", _ATOM


def _numbers(expression: Expr, _: Model) -> tuple[str, int]:
    return str(expression), 0


def _name(expression: Expr, model: Model) -> tuple[str, int]:
    name, subscripts = referred(expression)
    element = model.elements.get(name)
    text = _quoted(element.name) if element is not None else _label(name, model)
    return (f"{text}[{','.join(_label(each, model) for each in subscripts)}]" if subscripts else text), _ATOM


def _label(name: str, model: Model) -> str:
    """A range or a label in the author's spelling, and Time in Vensim's."""
    mark = "!" if name.endswith("!") else ""
    bare = name.removesuffix("!")
    found = model.subscripts.get(bare)
    spelt = found.name if found is not None else model.labels.get(bare, "Time" if bare == "time" else bare)
    return _quoted(spelt) + mark


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '\\"') + '"'


def _sum(expression: Expr, model: Model) -> tuple[str, int]:
    text = ""
    for term in expression.args:
        positive, sign = unsigned(term), " - " if unsigned(term) is not term else " + "
        word = _word(positive, model, _PRODUCT)
        if positive is term and word.startswith("-") and text:
            word, sign = word[1:], " - "
        text += f"{sign}{word}" if text else f"{'-' if sign == ' - ' else ''}{word}"
    return text, _SUM


def unsigned(term: Expr) -> Expr:
    """What stands behind the minus sign of a term, or the term itself."""
    signed = isinstance(term, Mul) and len(term.args) == 2 and term.args[0] is S.NegativeOne  # noqa: PLR2004 - a sign and its operand
    return term.args[1] if signed else term


def _product(expression: Expr, model: Model) -> tuple[str, int]:
    if unsigned(expression) is not expression:
        return f"-{_word(unsigned(expression), model, _SIGN)}", _SIGN
    text = ""
    for factor in expression.args:
        if divides(factor):
            text = f"{text or '1'}/{_word(factor.args[0], model, _SIGN)}"
        else:
            word = _word(factor, model, _SIGN if text else _PRODUCT)
            text = f"{text}*{word}" if text else word
    return text, _PRODUCT


def divides(factor: Expr) -> bool:
    """Whether a factor of a product stands behind a `/`."""
    return isinstance(factor, Pow) and factor.args[1] is S.NegativeOne


def _power(expression: Expr, model: Model) -> tuple[str, int]:
    base, exponent = expression.args
    if exponent is S.Half:
        return f"SQRT({_word(base, model, 0)})", _ATOM
    if divides(expression):
        return f"1/{_word(base, model, _SIGN)}", _PRODUCT
    return f"{_word(base, model, _ATOM)}^{_word(exponent, model, _SIGN)}", _POWER


def _own_call(expression: Expr, model: Model) -> tuple[str, int]:
    name, arguments = expression.name, expression.args
    if name in _TIGHTNESS:
        own = _TIGHTNESS[name]
        words = [_word(each, model, own + (own > _TIGHTNESS[":NOT:"])) for each in arguments]
        return (f"{name} {words[0]}" if name == ":NOT:" else f" {name} ".join(words)), own
    if name == "LOOKUP" and isinstance(arguments[0], Table):
        return f"WITH LOOKUP({_word(arguments[1], model, 0)}, ...)", _ATOM
    if name == "LOOKUP":
        return f"{_word(arguments[0], model, _ATOM)}({_word(arguments[1], model, 0)})", _ATOM
    return _call(name, arguments, model), _ATOM


def _sympy_call(expression: Expr, model: Model) -> tuple[str, int]:
    return _call(rows_of_sympy().get(type(expression), str(expression.func)), expression.args, model), _ATOM


def _call(name: str, arguments: Sequence[Expr], model: Model) -> str:
    return f"{name}({', '.join(_word(each, model, 0) for each in arguments)})"


_WORDS: Mapping[type[Expr], Callable[[Expr, Model], tuple[str, int]]] = MappingProxyType(
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
