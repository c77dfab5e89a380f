"""The algebra of an equation as instructions: what the table of functions calls an operation's code, written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from ..model import (
    FUNCTIONS,
    LOOKUPS,
    NEXT_TO_ZERO,
    TIME,
    Binding,
    Cell,
    Table,
    VensimFunction,
    expanded,
    is_reduction,
    labels_of,
    marked,
    position,
    referred,
    resolve,
)
from .ir import Function
from .layout import Layout
from .tables import Tables

COMPARISONS: Mapping[str, str] = MappingProxyType(
    {"=": "oeq", "<>": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}
)
LOGIC: Mapping[str, str] = MappingProxyType({":AND:": "and", ":OR:": "or"})


@dataclass
class Writer:
    """Writes expressions into a function; `known` holds what the function has worked out or loaded already."""

    layout: Layout
    tables: Tables
    function: Function
    known: dict[Cell, str] = field(default_factory=dict)

    def cell(self, cell: Cell) -> str:
        """The value of a cell, loaded once."""
        if cell not in self.known:
            self.known[cell] = self.function.load(self.layout.row[cell])
        return self.known[cell]

    def define(self, cell: Cell, value: str) -> None:
        """Keeps the value of a cell, here and in the workspace."""
        self.known[cell] = value
        self.function.store(value, self.layout.row[cell])

    def number(self, expression: Expr, binding: Binding) -> str:
        """Writes an expression and returns the name of its value."""
        if expression.is_Number:
            return self.function.constant(float(expression))
        if isinstance(expression, Symbol | Indexed):
            return self._reference(expression, binding)
        if isinstance(expression, Add):
            return self._sum(expression, binding)
        if isinstance(expression, Mul):
            return self._product(expression, binding)
        if isinstance(expression, Pow):
            return self._power(expression.base, expression.exp, binding)
        if isinstance(expression, VensimFunction):
            return self._call(expression, binding)
        return self._math(expression, binding)

    def truth(self, expression: Expr, binding: Binding) -> str:
        """Writes a condition and returns the name of its truth value; any number but 0 is true."""
        name = getattr(expression, "name", "") if isinstance(expression, VensimFunction) else ""
        if name in COMPARISONS:
            left, right = (self.number(each, binding) for each in expression.args)
            return self.function.compare(COMPARISONS[name], left, right)
        if name in LOGIC:
            left, right = (self.truth(each, binding) for each in expression.args)
            return self.function.put(f"{LOGIC[name]} {self.function.truth} {left}, {right}")
        if name == ":NOT:":
            one = "true" if self.function.width == 1 else "splat (i1 true)"
            return self.function.put(f"xor {self.function.truth} {self.truth(expression.args[0], binding)}, {one}")
        return self.function.compare("une", self.number(expression, binding), self.function.constant(0.0))

    def _as_number(self, truth: str) -> str:
        return self.function.choose(truth, self.function.constant(1.0), self.function.constant(0.0))

    def _reference(self, expression: Expr, binding: Binding) -> str:
        name, indices = referred(expression)
        subscripts = self.layout.plan.model.subscripts
        cell = Cell(name, tuple(resolve(subscripts, index, binding) for index in indices))
        if cell == TIME:
            return "%now"
        if cell in self.layout.row:
            return self.cell(cell)
        return self.function.constant(position(subscripts, name, binding))

    def _sum(self, expression: Expr, binding: Binding) -> str:
        first, *rest = expression.args
        total = self.number(first, binding)
        for term in rest:
            if isinstance(term, Mul) and len(term.args) == 2 and term.args[0] is S.NegativeOne:  # noqa: PLR2004
                total = self.function.binary("fsub", total, self.number(term.args[1], binding))
            else:
                total = self.function.binary("fadd", total, self.number(term, binding))
        return total

    def _product(self, expression: Expr, binding: Binding) -> str:
        first, *rest = expression.args
        if first is S.NegativeOne and len(rest) == 1 and not _divides(rest[0]):
            return self.function.put(f"fneg {self.function.number} {self.number(rest[0], binding)}")
        total = self.number(first, binding)
        for factor in rest:
            if _divides(factor):
                total = self.function.binary("fdiv", total, self.number(factor.base, binding))
            else:
                total = self.function.binary("fmul", total, self.number(factor, binding))
        return total

    def _power(self, base: Expr, exponent: Expr, binding: Binding) -> str:
        value = self.number(base, binding)
        if exponent is S.NegativeOne:
            return self.function.binary("fdiv", self.function.constant(1.0), value)
        if exponent is S.Half:
            return self.function.call("sqrt", value)
        if exponent.is_Number and float(exponent) == 2:  # noqa: PLR2004 - exact, and the most common power
            return self.function.binary("fmul", value, value)
        return self.function.call("pow", value, self.number(exponent, binding))

    def _math(self, expression: Expr, binding: Binding) -> str:
        return self.function.call(_MATH[type(expression)], self.number(expression.args[0], binding))

    def _call(self, expression: VensimFunction, binding: Binding) -> str:
        name = expression.name
        if name in COMPARISONS or name in LOGIC or name == ":NOT:":
            return self._as_number(self.truth(expression, binding))
        if name == "IF THEN ELSE":
            condition, then, otherwise = expression.args
            chosen = self.truth(condition, binding)
            return self.function.choose(chosen, self.number(then, binding), self.number(otherwise, binding))
        if name in LOOKUPS:
            return self._lookup(expression, binding)
        if is_reduction(expression):
            return self._reduce(expression, binding)
        if name == "ELMCOUNT":
            counted = labels_of(self.layout.plan.model.subscripts, referred(expression.args[0])[0].rstrip("!"))
            return self.function.constant(float(len(counted)))
        arguments = [self.number(argument, binding) for argument in expression.args]
        return _OPERATIONS[FUNCTIONS[name].code](self.function, *arguments)

    def _lookup(self, expression: VensimFunction, binding: Binding) -> str:
        table, x = expression.args
        if not isinstance(table, Table):
            name, indices = referred(table)
            subscripts = self.layout.plan.model.subscripts
            table = self.layout.plan.tables[Cell(name, tuple(resolve(subscripts, each, binding) for each in indices))]
        return self.tables.write(self.function, expression.name, table, self.number(x, binding))

    def _reduce(self, expression: VensimFunction, binding: Binding) -> str:
        subscripts = self.layout.plan.model.subscripts
        values = [self.number(expression.args[0], inner) for inner in expanded(subscripts, marked(expression), binding)]
        total = values[0]
        for value in values[1:]:
            total = _REDUCE[expression.name](self.function, total, value)
        return total


def _divides(factor: Expr) -> bool:
    return isinstance(factor, Pow) and factor.exp is S.NegativeOne


def _minimum(f: Function, left: str, right: str) -> str:
    return f.choose(f.compare("olt", left, right), left, right)


def _maximum(f: Function, left: str, right: str) -> str:
    return f.choose(f.compare("ogt", left, right), left, right)


def _logarithm(f: Function, x: str, base: str) -> str:
    return f.binary("fdiv", f.call("log", x), f.call("log", base))


def _quantum(f: Function, x: str, quantum: str) -> str:
    cut = f.binary("fmul", quantum, f.call("trunc", f.binary("fdiv", x, quantum)))
    return f.choose(f.compare("ole", quantum, f.constant(0.0)), x, cut)


def _zidz(f: Function, dividend: str, divisor: str) -> str:
    return _xidz(f, dividend, divisor, f.constant(0.0))


def _xidz(f: Function, dividend: str, divisor: str, otherwise: str) -> str:
    tiny = f.compare("olt", f.call("fabs", divisor), f.constant(NEXT_TO_ZERO))
    return f.choose(tiny, otherwise, f.binary("fdiv", dividend, divisor))


def _step(f: Function, height: str, start: str) -> str:
    return f.choose(f.compare("ogt", "%late", start), height, f.constant(0.0))


def _ramp(f: Function, slope: str, start: str, end: str) -> str:
    reached = _minimum(f, "%begun", end)
    risen = f.binary("fmul", slope, f.binary("fsub", reached, start))
    return f.choose(f.compare("ogt", "%begun", start), risen, f.constant(0.0))


def _on(f: Function, *conditions: str) -> str:
    """1 where all conditions hold."""
    whole, *rest = conditions
    for condition in rest:
        whole = f.put(f"and {f.truth} {whole}, {condition}")
    return f.choose(whole, f.constant(1.0), f.constant(0.0))


def _pulse(f: Function, start: str, width: str) -> str:
    lasting = f.choose(f.compare("oeq", width, f.constant(0.0)), "%dt", width)
    end = f.binary("fadd", start, lasting)
    return _on(f, f.compare("ogt", "%late", start), f.compare("olt", "%late", end))


def _pulse_train(f: Function, start: str, width: str, interval: str, end: str) -> str:
    since = f.binary("fsub", "%late", start)
    whole = f.binary("fmul", interval, f.call("floor", f.binary("fdiv", since, interval)))
    shown = f.compare("olt", f.binary("fsub", since, whole), _maximum(f, width, "%dt"))
    return _on(f, f.compare("ogt", since, f.constant(0.0)), shown, f.compare("olt", "%early", end))


_OPERATIONS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        "abs": lambda f, x: f.call("fabs", x),
        "min": _minimum,
        "max": _maximum,
        "logarithm": _logarithm,
        "pow": lambda f, base, exponent: f.call("pow", base, exponent),
        "integer": lambda f, x: f.call("trunc", x),
        "modulo": lambda f, x, base: f.binary("frem", x, base),
        "quantum": _quantum,
        "zidz": _zidz,
        "xidz": _xidz,
        "same": lambda _, x: x,
        "step": _step,
        "ramp": _ramp,
        "pulse": _pulse,
        "pulse train": _pulse_train,
    }
)

_REDUCE: Mapping[str, Callable[[Function, str, str], str]] = MappingProxyType(
    {
        "SUM": lambda f, a, b: f.binary("fadd", a, b),
        "PROD": lambda f, a, b: f.binary("fmul", a, b),
        "VMIN": lambda f, a, b: _minimum(f, b, a),
        "VMAX": lambda f, a, b: _maximum(f, b, a),
    }
)

_MATH: Mapping[type[Expr], str] = MappingProxyType(
    {
        type(FUNCTIONS[name].build(Symbol("x"))): FUNCTIONS[name].code
        for name in ("EXP", "LN", "SIN", "COS", "TAN", "ARCSIN", "ARCCOS", "ARCTAN", "SINH", "COSH", "TANH")
    }
)
