"""The algebra that equations are written in: SymPy's sums, products and powers, and Vensim's functions beside them.

Everything is built unevaluated, so that an expression keeps its author's form. An element without subscripts is a
`Symbol` of its key, one with subscripts an `Indexed` whose indices are symbols: keys of ranges or labels, or of a range
with `!` where a SUM and its kin run over it. Truth is a number: a comparison is 1 or 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Self

from sympy import Add, Expr, Float, Function, Indexed, IndexedBase, Integer, Mul, Pow, S, Symbol
from sympy.core.expr import AtomicExpr

NA = -(2.0**109)
"""Vensim's missing value `:NA:`, a finite number that takes part in arithmetic (C-LEARN's saved runs show it)."""

TIME = Symbol("time")


class VensimFunction(Expr):
    """A function that SymPy does not have, left as written; `name` is Vensim's."""

    name: ClassVar[str] = ""
    partials: ClassVar[Callable[..., Sequence[Expr]] | None] = None
    latex: ClassVar[str] = ""
    is_commutative = True

    def __new__(cls, *arguments: Expr) -> Self:
        """The call on these arguments."""
        return Expr.__new__(cls, *arguments)

    def _eval_derivative(self, symbol: Expr) -> Expr:
        """The chain rule over the partial derivatives that the table of functions gives."""
        if type(self).partials is None:
            message = f"{self.name} has no derivative"
            raise NotImplementedError(message)
        inner = [argument.diff(symbol) for argument in self.args]
        outer = type(self).partials(*self.args)  # type: ignore[misc]
        return Add(*(o * i for o, i in zip(outer, inner, strict=True) if i != 0))

    def _latex(self, printer: Any, *_: Any) -> str:
        parts = [printer._print(argument) for argument in self.args]  # noqa: SLF001 - how SymPy's printers recurse
        if "{" in self.latex.replace("{{", ""):
            return self.latex.format(*parts)
        return rf"\operatorname{{{self.name.lower()}}}\left({', '.join(parts)}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"{self.name}({', '.join(printer._print(argument) for argument in self.args)})"  # noqa: SLF001


class Table(AtomicExpr):
    """The points of a lookup, as (x, y) pairs in the author's order, and the corners of its graph if given."""

    is_commutative = True
    points: tuple[tuple[float, float], ...]
    limits: tuple[tuple[float, float], tuple[float, float]] | None

    def __new__(
        cls,
        points: Sequence[tuple[float, float]],
        limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
    ) -> Self:
        """The table of these points, between the given corners of its graph."""
        table: Self = AtomicExpr.__new__(cls)
        table.points = tuple((float(x), float(y)) for x, y in points)
        table.limits = limits
        return table

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.points, self.limits)

    def _sympystr(self, _: Any) -> str:
        return f"({', '.join(f'({x:g},{y:g})' for x, y in self.points)})"

    def _latex(self, *_: Any) -> str:
        return r"\text{table}"


class Numbers(AtomicExpr):
    """The numbers of an array constant, row by row over the equation's ranges."""

    is_commutative = True
    values: tuple[float, ...]

    def __new__(cls, values: Sequence[float]) -> Self:
        """The array of these values."""
        numbers: Self = AtomicExpr.__new__(cls)
        numbers.values = tuple(map(float, values))
        return numbers

    def at(self, index: int) -> float:
        """The number of the index-th cell; a single number is that of every cell."""
        return self.values[index if len(self.values) > 1 else 0]

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.values,)

    def _sympystr(self, _: Any) -> str:
        return ", ".join(f"{value:g}" for value in self.values)

    def _latex(self, *_: Any) -> str:
        return ", ".join(f"{value:g}" for value in self.values)


def number(value: float) -> Expr:
    """A literal; whole numbers stay exact so that they read as written."""
    return Integer(int(value)) if value == int(value) and abs(value) < 1e9 else Float(value)  # noqa: PLR2004


def refer(name: str, *subscripts: str) -> Expr:
    """An element by its key, with the keys of its subscripts."""
    if not subscripts:
        return Symbol(name)
    return Indexed(IndexedBase(Symbol(name)), *map(Symbol, subscripts))


def referred(expression: Expr) -> tuple[str, tuple[str, ...]]:
    """The key and the subscripts of a reference."""
    if isinstance(expression, Indexed):
        return expression.base.label.name, tuple(index.name for index in expression.indices)
    return expression.name, ()


def add(*terms: Expr) -> Expr:
    """The terms added up from left to right, as written."""
    return Add(*terms, evaluate=False)


def negate(operand: Expr) -> Expr:
    """`-operand`; the negative of a literal is a literal."""
    return -operand if operand.is_Number else Mul(S.NegativeOne, operand, evaluate=False)


def multiply(*factors: Expr) -> Expr:
    """The factors multiplied from left to right, as written; `inverse(x)` among them divides by `x`."""
    return Mul(*factors, evaluate=False)


def inverse(operand: Expr) -> Expr:
    """`1 / operand` as a factor: the exact power -1 stands for a division, nothing else does."""
    return Pow(operand, S.NegativeOne, evaluate=False)


def divide(dividend: Expr, divisor: Expr) -> Expr:
    """`dividend / divisor`, as written."""
    return multiply(dividend, inverse(divisor))


def power(base: Expr, exponent: Expr) -> Expr:
    """`base ^ exponent`, as written; a literal exponent is inexact so that it is never taken for a quotient."""
    literal = Float(float(exponent)) if exponent.is_Number else exponent
    return Pow(base, literal, evaluate=False)


def rebuild(expression: Expr, arguments: Sequence[Expr]) -> Expr:
    """The same operation on other arguments, unevaluated."""
    if isinstance(expression, Add | Mul | Pow | Function):
        return type(expression)(*arguments, evaluate=False)
    return expression.func(*arguments)


def rewrite(expression: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with each part that `change` answers for replaced, from the leaves up; the rest keeps its form."""
    if expression.args and not isinstance(expression, Indexed):
        arguments = [rewrite(argument, change) for argument in expression.args]
        if any(new is not old for new, old in zip(arguments, expression.args, strict=True)):
            expression = rebuild(expression, arguments)
    changed = change(expression)
    return expression if changed is None else changed


def walk(expression: Expr) -> Iterator[Expr]:
    """Every part of an expression, from the whole to the leaves; a reference with subscripts is a leaf."""
    yield expression
    if not isinstance(expression, Indexed):
        for argument in expression.args:
            yield from walk(argument)


def references(expression: Expr) -> Iterator[Expr]:
    """Every reference to an element, in order, repeats included."""
    return (part for part in walk(expression) if isinstance(part, Symbol | Indexed))
