"""The algebra of an equation as instructions: what the table of functions calls an operation's code, written out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sympy import Add, Expr, Indexed, Mul, Pow, S, Symbol

from ..errors import Fault, ModelError
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
    spell,
)
from .ir import Function
from .layout import Layout
from .tables import Tables

COMPARISONS: Mapping[str, str] = MappingProxyType(
    {"=": "oeq", "<>": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}
)
LOGIC: Mapping[str, str] = MappingProxyType({":AND:": "and", ":OR:": "or"})


PARAMETERS = "ptr noalias %ws, double %t, double %s, double %h"
ARGUMENTS = "ptr %ws, double %t, double %s, double %h"
"""What every function that works on a block of members takes: workspace, moment, beginning of the step, its length."""

OUTLINED = 64
"""A SUM of more terms than this is cut into functions of so many terms."""


def write_moment(function: Function) -> None:
    """Begins a function with the moment `%now`; test inputs see the beginning of the step, and half a step later.

    So Vensim's manual has it: STEP, PULSE and RAMP stay as they are over a step of Runge-Kutta, and half a step is added to
    Time where it is compared, so that rounding cannot decide.
    """
    number = function.number
    for register, value in (("now", "%t"), ("begun", "%s"), ("dt", "%h")):
        function.lines.append(f"  %{register} = fadd {number} {function.spread(value)}, {function.constant(-0.0)}")
    half = function.binary("fmul", "%dt", function.constant(0.5))
    function.lines.append(f"  %late = fadd {number} %begun, {half}")
    function.lines.append(f"  %early = fsub {number} %begun, {half}")


@dataclass
class Writer:
    """Writes expressions into a function; `known` holds what the function has worked out or loaded already.

    `outlined` are functions of their own that the function calls.
    """

    layout: Layout
    tables: Tables
    function: Function
    known: dict[Cell, str] = field(default_factory=dict)
    outlined: list[str] = field(default_factory=list)

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
        if indices or name in self.layout.plan.model.elements:
            message = f"'{spell(self.layout.plan.model, cell)}' has no equation; define it"
            raise ModelError([Fault(self.layout.plan.model.elements[name].place, message)])
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
        first, *rest = expanded(subscripts, marked(expression), binding)
        total = self.number(expression.args[0], first)
        if len(rest) <= OUTLINED:
            return self._add_up(expression, rest, total)
        for begin in range(0, len(rest), OUTLINED):
            total = self._outline(expression, rest[begin : begin + OUTLINED], total)
        return total

    def _add_up(self, expression: VensimFunction, bindings: Iterable[Binding], total: str) -> str:
        for inner in bindings:
            total = _REDUCE[expression.name](self.function, total, self.number(expression.args[0], inner))
        return total

    def _outline(self, expression: VensimFunction, bindings: Iterable[Binding], total: str) -> str:
        """Some terms of a SUM in a function of their own, which takes the total so far and gives the new one."""
        inner = Writer(self.layout, self.tables, Function(self.function.width))
        write_moment(inner.function)
        result = inner._add_up(expression, bindings, "%total")
        name = f"part_{self.tables.part()}"
        number = self.function.number
        head = f"internal {number} @{name}({PARAMETERS}, {number} %total) nounwind noinline"
        self.outlined += [*inner.outlined, inner.function.text(head, f"ret {number} {result}")]
        return self.function.put(f"call {number} @{name}({ARGUMENTS}, {number} {total})")


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
    """Every pulse is closed on the left, with a little slack, so that no rounding makes one of them longer than another."""
    slack = f.binary("fmul", "%dt", f.constant(NEXT_TO_ZERO))
    since = f.binary("fadd", f.binary("fsub", "%late", start), slack)
    whole = f.binary("fmul", interval, f.call("floor", f.binary("fdiv", since, interval)))
    lasting = _maximum(f, width, "%dt")
    shown = f.compare("olt", f.binary("fsub", since, whole), lasting)
    return _on(f, f.compare("oge", since, f.constant(0.0)), shown, f.compare("olt", "%early", end))


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
