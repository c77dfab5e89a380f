"""Expressions of the model as text in XMILE, after Vensim's public crosswalk of functions between the two dialects.

Parentheses are added where programs disagree about the precedence of operators (signs before powers, NOT, AND beside OR).
What has no counterpart keeps Vensim's name, with underscores, and is reported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from html import escape
from types import MappingProxyType

from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from ..errors import Fault, ModelError
from ..model import (
    MARK,
    NA,
    Binding,
    Element,
    Equation,
    Model,
    Table,
    VensimFunction,
    divides,
    inner_bindings,
    is_reduction,
    key,
    kind_of,
    labels_of,
    make_reference,
    negate,
    number,
    number_text,
    position,
    product_factors,
    reduction_ranges,
    resolve,
    row_of,
    split_reference,
    transform,
    unsigned,
)
from .functions import BUILTINS, CONSTANTS, ROWS, TIMES
from .syntax import KEYWORDS

_PLAIN = re.compile(r"[^\W\d_](?:[\w$]*[^\W_])?")
_TIMES: Mapping[str, str] = MappingProxyType(
    {"time": "TIME", "time_step": "DT", "initial_time": "STARTTIME", "final_time": "STOPTIME"}
)
_RESERVED = frozenset({*BUILTINS, *ROWS, *TIMES, *CONSTANTS, *KEYWORDS, "self", "lookup", "size", "mean", "std"})
FORWARD = "LOOKUP FORWARD"
"""The function that XMILE has only with x turned round."""
_CHOICE, _OR, _AND, _EQUAL, _LESS, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(10)
_OPERATORS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {":OR:": (" OR ", _OR), ":AND:": (" AND ", _AND), "=": (" = ", _EQUAL), "<>": (" <> ", _EQUAL)}
    | {sign: (f" {sign} ", _LESS) for sign in ("<", "<=", ">", ">=")}
)


class CellsNeededError(Exception):
    """An equation can only be written for each cell: it reads labels that follow from the cell by a mapping."""


def identifier(name: str) -> str:
    """Return a name as an equation of XMILE needs it: with underscores, or in quotes."""
    plain = "_".join(name.split())
    if _PLAIN.fullmatch(plain) and key(name) not in _RESERVED:
        return plain
    return _in_quotes(name)


def _in_quotes(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def attribute(name: str) -> str:
    """Return a name as an attribute of XMILE needs it where the file declares what has it: as people read it."""
    quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return escape(_in_quotes(name) if quoted else name.replace("\\", "\\\\"))


def named(name: str) -> str:
    """Return a name as an attribute of XMILE needs it that refers to what has it: in quotes if a sign would split it."""
    if {".", ","}.isdisjoint(name):
        return attribute(name)
    return escape(_in_quotes(name))


@dataclass(slots=True)
class Equations:
    """Writes the expressions of one model.

    `added` are elements that the file needs besides those of the model: an XMILE equation cannot hold a table or keep its own last
    value in its middle; `points` those hidden ones of data that equations read by name. `names` gives lookups that are read in two ways a name for each, `lost` has the functions without a
    counterpart with the names of the elements that use them.
    """

    model: Model
    names: Mapping[tuple[str, str], str]
    added: list[Element] = field(default_factory=list)
    points: dict[str, Element] = field(default_factory=dict)
    lost: dict[str, list[str]] = field(default_factory=dict)
    within_steps: list[str] = field(default_factory=list)
    """Elements with pulses that may begin within a step of Runge-Kutta, as they do not in the model."""
    element: Element = field(init=False)
    binding: Binding = field(default_factory=dict)
    by_cell: bool = False

    def text(self, expression: Expr, element: Element, binding: Binding, *, by_cell: bool) -> str:
        """Return the text of an expression in the equation of an element, for all its cells or for one of them."""
        self.element, self.binding, self.by_cell = element, binding, by_cell
        return self.write(expression, _CHOICE)

    def write(self, expression: Expr, least: int = _CHOICE) -> str:
        """Return the text, in parentheses if what is around it binds more strongly."""
        text, own = self.parts(expression)
        return f"({text})" if own < least else text

    def parts(self, expression: Expr) -> tuple[str, int]:
        """Return the text and how strongly its outermost operator binds."""
        if isinstance(expression, Symbol | Indexed):
            return self.reference(expression), _ATOM
        if isinstance(expression, Add):
            return self.sum(expression), _SUM
        if isinstance(expression, Mul):
            return self.product(expression)
        if isinstance(expression, Pow):
            return self.power(expression)
        if isinstance(expression, Table):
            return self.reference(self.keep("table", expression)), _ATOM
        if expression.args or isinstance(expression, VensimFunction):
            return self.call(expression)
        value = float(expression)
        return number_text(value), _ATOM if value >= 0 and not math.copysign(1, value) < 0 else _SIGN

    def keep(self, what: str, expression: Expr) -> Expr:
        """Return a reference to a new element with an expression."""
        ranges = tuple(name for name in self.binding if name in self.model.subscripts) if not self.by_cell else ()
        name = f"{self.element.name} {what}"
        taken = {element.key for element in self.added} | self.model.elements.keys()
        count = 1
        while key(name) in taken:
            count += 1
            name = f"{self.element.name} {what} {count}"
        equation = Equation(expression, ranges)
        self.added.append(Element(name, kind_of([expression]), (equation,), ranges, group=self.element.group))
        return make_reference(key(name), *ranges)

    def find(self, name: str) -> Element | None:
        """Return an element of the model or one that was added."""
        return self.model.elements.get(name) or next((own for own in self.added if own.key == name), None)

    def reference(self, expression: Expr) -> str:
        """Return a name with its subscripts; a range by its name is the number of the cell."""
        name, indices = split_reference(expression)
        element = self.find(name)
        if element is None and (name in self.model.subscripts or name in self.model.labels):
            return self.label_number((indices or (name,))[0])
        if name in _TIMES:
            return _TIMES[name]
        if element is not None and element.hidden and element.kind == "lookup":
            self.points[element.key] = element
        shown = identifier(shown_name(element) if element else name)
        if not indices or element is None:
            return shown
        own = [self.subscript(index, dimension) for index, dimension in zip(indices, element.dimensions, strict=False)]
        return f"{shown}[{', '.join(own)}]"

    def label_number(self, name: str) -> str:
        """Return the number of the label of a range in this cell, from 1, as Vensim counts it."""
        if name.endswith(MARK) or (not self.by_cell and name in self.binding and name in self.model.subscripts):
            raise CellsNeededError
        return number_text(position(self.model.subscripts, name, self.binding))

    def subscript(self, name: str, dimension: str) -> str:
        """Return one subscript: `*` for a dimension that a function runs over, else a dimension or a label."""
        ranges = self.model.subscripts
        if name.endswith(MARK):
            bare = name.removesuffix(MARK)
            return "*" if bare == dimension else f"*:{identifier(ranges[bare].name)}"
        if name in ranges and not self.by_cell:
            if name not in self.binding:
                raise CellsNeededError
            return identifier(ranges[name].name)
        label = resolve(ranges, name, self.binding)
        return _label(self.model.labels.get(label, label))

    def sum(self, expression: Expr) -> str:
        """Return the terms with their signs."""
        text = ""
        for term in expression.args:
            bare = unsigned(term)
            part = self.write(
                bare, _PRODUCT if text or bare is term else _ATOM
            )  # a sign before a power is read in two ways
            minus = bare is not term
            if part.startswith("-") and text:
                minus, part = (True, part[1:]) if not minus else (minus, f"({part})")
            text += f" {'-' if minus else '+'} {part}" if text else f"{'-' * minus}{part}"
        return text

    def product(self, expression: Expr) -> tuple[str, int]:
        """Return the factors and divisors."""
        bare = unsigned(expression)
        if bare is not expression and not divides(bare):
            return f"-{self.write(bare, _ATOM)}", _SIGN
        text = ""
        for factor, below in product_factors(expression):
            part = self.write(factor, _POWER if text or below else _PRODUCT)
            text = f"{text or '1'}/{part}" if below else f"{text}*{part}" if text else part
        return text, _PRODUCT

    def power(self, expression: Expr) -> tuple[str, int]:
        """Return a power, a square root, or one divided by something."""
        base, exponent = expression.args
        if exponent is S.Half:
            return f"SQRT({self.write(base)})", _ATOM
        if divides(expression):
            return f"1/{self.write(base, _POWER)}", _PRODUCT
        return f"{self.write(base, _ATOM)}^{self.write(exponent, _ATOM)}", _POWER

    def call(self, expression: Expr) -> tuple[str, int]:
        """Return a call of the counterpart of a function; one without keeps its name, which is remembered."""
        row, arguments = row_of(expression), expression.args
        if row.name in _REDUCTIONS:
            return self.reduction(expression)
        is_of_data = row.arguments[:1] == ("data",)
        if row.takes_arrays or is_reduction(expression) or is_of_data:
            reads = "reads all points of data" if is_of_data else "works on arrays"
            what = f"'{self.element.name}': XMILE has no counterpart of {row.name}, which {reads}"
            raise ModelError([Fault(self.element.place, f"{what}; write it without this function")])
        if row.name in _OPERATORS:
            sign, level = _OPERATORS[row.name]
            return sign.join(self.write(argument, _SUM) for argument in arguments), level
        if row.name == "LOOKUP" and isinstance(arguments[0], Table):
            return f"LOOKUP({self.write(arguments[0])}, {self.write(arguments[1])})", _ATOM
        if "table" in row.kinds and (name := self.names.get((row.name, _table_key(arguments[0])))):
            x = negate(arguments[1]) if row.name == FORWARD else arguments[1]
            return f"LOOKUP({self.table(arguments[0], name)}, {self.write(x)})", _ATOM
        if row.name in _FUNCTIONS:
            with suppress(_NoCounterpartError):
                return _FUNCTIONS[row.name](self, *arguments)
        if row.name not in _SAME:
            users = self.lost.setdefault(row.name, [])
            if self.element.name not in users:
                users.append(self.element.name)
        return f"{row.name.replace(' ', '_')}({', '.join(map(self.write, arguments))})", _ATOM

    def table(self, expression: Expr, name: str) -> str:
        """Return the name of the graphical function that is read, with its subscripts."""
        shown = self.reference(expression)
        return identifier(name) + shown[shown.index("[") :] if "[" in shown else identifier(name)

    def reduction(self, expression: Expr) -> tuple[str, int]:
        """Return a function over `*`, or where that is not possible all its terms."""
        inner = expression.args[0]
        try:
            return f"{_REDUCTIONS[expression.name]}({self.write(inner)})", _ATOM
        except CellsNeededError:
            if not self.by_cell and any(name in self.model.subscripts for name in self.binding):
                raise
        marks = reduction_ranges(expression)
        bounds = inner_bindings(self.model.subscripts, marks, {})
        terms = [transform(inner, partial(self.with_labels, {mark: own[mark] for mark in marks})) for own in bounds]
        return self.parts(row_of(expression).written_out(terms))

    def with_labels(self, labels: Mapping[str, str], part: Expr) -> Expr | None:
        """Return a reference with labels in place of marked ranges; the number of a label as its label."""
        if not isinstance(part, Indexed):
            return None
        name, indices = split_reference(part)
        if name in self.model.subscripts and indices and indices[0] in labels:
            return make_reference(labels[indices[0]])
        return make_reference(name, *(labels.get(index, index) for index in indices))


def _table_key(expression: Expr) -> str:
    return "" if isinstance(expression, Table) else split_reference(expression)[0]


def _label(name: str) -> str:
    return name if name.isdigit() else identifier(name)


def shown_name(element: Element) -> str:
    """Return the name of an element in the file: that of a hidden one has a mark, which no reader expects."""
    return element.name.replace("#", " ") if element.hidden else element.name


# The functions of the crosswalk

Writer = Callable[..., tuple[str, int]]
_BEYOND = 1e30
"""A bound of random numbers at or beyond this size is none."""


class _NoCounterpartError(Exception):
    """A call that XMILE cannot express, although it has the function."""


def _plain(name: str, *order: int) -> Writer:
    """Return the writer of a function under another name, with its arguments in another order."""

    def write(equations: Equations, *arguments: Expr) -> tuple[str, int]:
        chosen = [arguments[place] for place in order] if order else arguments
        return f"{name}({', '.join(map(equations.write, chosen))})", _ATOM

    return write


def _template(text: str, level: int = _ATOM) -> Writer:
    """Return the writer of a formula: `{0}` stands for an argument, in parentheses unless it is a name or a number."""

    def write(equations: Equations, *arguments: Expr) -> tuple[str, int]:
        return text.format(*(equations.write(argument, _ATOM) for argument in arguments)), level

    return write


def _is_not_negative(model: Model, expression: Expr) -> bool:
    """Whether an expression is surely not below zero: a number, or Time of a run that starts at zero or later."""
    if expression.is_Number:
        return float(expression) >= 0
    if isinstance(expression, VensimFunction):
        return expression.name == "ABS"
    if isinstance(expression, Mul):
        factors = (factor.base if divides(factor) else factor for factor in expression.args)
        return all(_is_not_negative(model, factor) for factor in factors)
    start = model.elements.get("initial_time")
    first = start.equations[0].expression if start and start.equations else S.NegativeOne
    return expression == Symbol("time") and bool(first.is_Number and first >= 0)


def _integer(equations: Equations, x: Expr) -> tuple[str, int]:
    inner = equations.write(x)
    if _is_not_negative(equations.model, x):
        return f"INT({inner})", _ATOM
    return f"(IF {equations.write(x, _SUM)} < 0 THEN -INT(-({inner})) ELSE INT({inner}))", _ATOM


def _modulo(equations: Equations, x: Expr, base: Expr) -> tuple[str, int]:
    left, right = equations.write(x, _ATOM), equations.write(base, _ATOM)
    if _is_not_negative(equations.model, x) and _is_not_negative(equations.model, base):
        return f"({left} mod {right})", _ATOM
    return f"(IF {left} < 0 THEN -((-{left}) mod ABS({right})) ELSE {left} mod ABS({right}))", _ATOM


def _quantum(equations: Equations, x: Expr, quantum: Expr) -> tuple[str, int]:
    left, right = equations.write(x, _ATOM), equations.write(quantum, _ATOM)
    down = f"IF {left}/{right} < 0 THEN -INT(-{left}/{right}) ELSE INT({left}/{right})"
    return f"(IF {right} <= 0 THEN {left} ELSE {right}*({down}))", _ATOM


def _logarithm(equations: Equations, x: Expr, base: Expr) -> tuple[str, int]:
    if base == 10:  # noqa: PLR2004 - the base of LOG10
        return f"LOG10({equations.write(x)})", _ATOM
    return f"LN({equations.write(x)})/LN({equations.write(base)})", _PRODUCT


def _choice(equations: Equations, condition: Expr, then: Expr, otherwise: Expr) -> tuple[str, int]:
    parts = [equations.write(part) for part in (condition, then, otherwise)]
    return "(IF {} THEN {} ELSE {})".format(*parts), _ATOM


def _sample(equations: Equations, condition: Expr, x: Expr, initial: Expr) -> tuple[str, int]:
    parts = [equations.write(part) for part in (condition, x, initial)]
    return "(IF {} THEN {} ELSE PREVIOUS(SELF, {}))".format(*parts), _ATOM


def _delay_fixed(equations: Equations, x: Expr, time: Expr, initial: Expr) -> tuple[str, int]:
    if time == Symbol("time_step"):
        return _plain("PREVIOUS", 0, 2)(equations, x, time, initial)
    return _plain("DELAY")(equations, x, time, initial)


def _ramp(equations: Equations, slope: Expr, start: Expr, end: Expr) -> tuple[str, int]:
    height, first, last = (equations.write(part) for part in (slope, start, end))
    if end == Symbol("final_time"):
        return f"RAMP({height}, {first})", _ATOM
    return f"(RAMP({height}, {first}) - RAMP({height}, {last}))", _ATOM


def _whole_table(equations: Equations, table: Expr) -> tuple[str, list[tuple[float, float]]]:
    """Return the name of a graphical function and the points that all its cells have."""
    if isinstance(table, Table):
        return equations.write(table), sorted(table.points)
    name = _table_key(table)
    tables = [own.expression for own in equations.model[name].equations]
    points = [sorted(own.points) for own in tables if isinstance(own, Table)]
    if len(points) != len(tables) or any(own != points[0] for own in points):
        raise _NoCounterpartError
    return equations.table(table, equations.names["LOOKUP", name]), points[0]


def _area(equations: Equations, table: Expr, start: Expr, end: Expr) -> tuple[str, int]:
    """Write an area that is negative from a higher x to a lower one, and goes on level beyond the points, as Stella's does not."""
    name, points = _whole_table(equations, table)
    (first, left), (last, right) = points[0], points[-1]

    def until(x: Expr) -> str:
        own = equations.write(x, _SUM)
        text = f"LOOKUPAREA({name}, {own}, {number_text(first)})"
        if x.is_Number and first <= x <= last:
            return text
        above = f"MAX(0, {own} - {equations.write(number(last), _ATOM)})*{equations.write(number(right), _ATOM)}"
        below = f"MIN(0, {own} - {equations.write(number(first), _ATOM)})*{equations.write(number(left), _ATOM)}"
        return f"{text} + {above} + {below}"

    if start.is_Number and end.is_Number and first <= start <= end <= last:
        return f"LOOKUPAREA({name}, {equations.write(start)}, {equations.write(end)})", _ATOM
    return f"{until(end)} - ({until(start)})", _SUM


def _inverse(equations: Equations, table: Expr, y: Expr) -> tuple[str, int]:
    """Write an inverse that is missing where Stella's is at the end."""
    name, points = _whole_table(equations, table)
    own, values = equations.write(y, _SUM), [value for _, value in points]
    outside = f"{own} < {number_text(min(values))} OR {own} > {number_text(max(values))}"
    return f"(IF {outside} THEN {equations.write(number(NA))} ELSE LOOKUPINV({name}, {own}))", _ATOM


def _pulse(equations: Equations, start: Expr, width: Expr) -> tuple[str, int]:
    first, lasting = equations.write(start), equations.write(width, _ATOM)
    if width == 0:
        return f"PULSE(DT, {first})", _ATOM
    lasting = lasting if width.is_Number else f"(IF {lasting} = 0 THEN DT ELSE {lasting})"
    return f"(STEP(1, {first}) - STEP(1, {equations.write(start, _SUM)} + {lasting}))", _ATOM


def _pulse_train(equations: Equations, start: Expr, width: Expr, interval: Expr, end: Expr) -> tuple[str, int]:
    lasts = (Symbol("final_time"), Symbol("final_time") + Symbol("time_step"))
    if width == 0 and end in lasts and interval.is_Number and interval > 0:
        return f"PULSE(DT, {equations.write(start)}, {equations.write(interval)})", _ATOM
    if equations.model.integrator not in ("euler", "diff"):
        equations.within_steps.append(equations.element.name)
    return _TRAIN(equations, start, width, interval, end)


def _random(name: str, equations: Equations, bounds: tuple[Expr, Expr], arguments: Sequence[str], seed: Expr) -> str:
    """Return a call of a random function of XMILE, whose seed and bounds come last; bounds beyond all values are left out."""
    low, high = bounds
    within = (not low.is_Number or low > -_BEYOND) or (not high.is_Number or high < _BEYOND)
    last = [equations.write(part) for part in (seed, *(bounds if within else ()))]
    return f"{name}({', '.join([*arguments, *last])})"


def _random_normal(
    equations: Equations, low: Expr, high: Expr, mean: Expr, deviation: Expr, seed: Expr
) -> tuple[str, int]:
    return _random("NORMAL", equations, (low, high), [equations.write(mean), equations.write(deviation)], seed), _ATOM


def _random_exponential(
    equations: Equations, low: Expr, high: Expr, shift: Expr, stretch: Expr, seed: Expr
) -> tuple[str, int]:
    if shift != 0:
        raise _NoCounterpartError
    return _random("EXPRND", equations, (low, high), [equations.write(stretch)], seed), _ATOM


def _random_poisson(
    equations: Equations, low: Expr, high: Expr, mean: Expr, shift: Expr, stretch: Expr, seed: Expr
) -> tuple[str, int]:
    if shift != 0 or stretch != 1:
        raise _NoCounterpartError
    return _random("POISSON", equations, (low, high), [f"{equations.write(mean, _ATOM)}/DT"], seed), _ATOM


def _number_of_labels(equations: Equations, range_: Expr) -> tuple[str, int]:
    return number_text(len(labels_of(equations.model.subscripts, split_reference(range_)[0]))), _ATOM


_TRAIN = _template(
    "(IF TIME + DT/2 >= {0} AND TIME - DT/2 < {3} AND "
    "(IF {2} = 0 THEN 0 ELSE (TIME + DT/2 - {0}) mod {2}) < MAX({1}, DT) THEN 1 ELSE 0)"
)
_REDUCTIONS = {"SUM": "SUM", "PROD": "PROD", "VMIN": "MIN", "VMAX": "MAX"}
_SAME = frozenset({"ABS", "MIN", "MAX", "EXP", "LN", "SIN", "COS", "TAN", "ARCSIN", "ARCCOS", "ARCTAN", "STEP", "DELAY1", "DELAY3", "TREND"})  # fmt: skip
"""Functions with the same name, arguments and meaning."""
_FUNCTIONS: Mapping[str, Writer] = MappingProxyType(
    {
        ":NOT:": lambda equations, x: (f"NOT ({equations.write(x)})", _SIGN),
        "IF THEN ELSE": _choice,
        "LOG": _logarithm,
        "POWER": lambda equations, x, y: (f"{equations.write(x, _ATOM)}^{equations.write(y, _ATOM)}", _POWER),
        "SINH": _template("(EXP({0}) - EXP(-{0}))/2", _PRODUCT),
        "COSH": _template("(EXP({0}) + EXP(-{0}))/2", _PRODUCT),
        "TANH": _template("1 - 2/(EXP(2*{0}) + 1)", _SUM),
        "INTEGER": _integer,
        "MODULO": _modulo,
        "QUANTUM": _quantum,
        "ZIDZ": _plain("SAFEDIV"),
        "XIDZ": _plain("SAFEDIV"),
        "RAMP": _ramp,
        "PULSE": _pulse,
        "PULSE TRAIN": _pulse_train,
        "GAME": lambda equations, x: equations.parts(x),
        "INITIAL": _plain("INIT"),
        "REINITIAL": _plain("INIT"),
        "SAMPLE IF TRUE": _sample,
        "DELAY FIXED": _delay_fixed,
        "SMOOTH": _plain("SMTH1"),
        "SMOOTHI": _plain("SMTH1"),
        "SMOOTH3": _plain("SMTH3"),
        "SMOOTH3I": _plain("SMTH3"),
        "SMOOTH N": _plain("SMTHN", 0, 1, 3, 2),
        "DELAY1I": _plain("DELAY1"),
        "DELAY3I": _plain("DELAY3"),
        "DELAY N": _plain("DELAYN", 0, 1, 3, 2),
        "FORECAST": _plain("FORCST"),
        "ELMCOUNT": _number_of_labels,
        "RANDOM UNIFORM": _plain("RANDOM"),
        "RANDOM NORMAL": _random_normal,
        "RANDOM EXPONENTIAL": _random_exponential,
        "RANDOM POISSON": _random_poisson,
        "RANDOM 0 1": lambda *_: ("RANDOM(0, 1)", _ATOM),
        "GAMMA LN": _plain("GAMMALN"),
        "LOOKUP INVERT": _inverse,
        "LOOKUP AREA": _area,
    }
)
"""How XMILE writes each function of Vensim that it has under another name, with other arguments, or as a formula."""
