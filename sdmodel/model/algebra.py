"""The algebra of equations: SymPy's sums, products and powers, and Vensim's functions.

Everything is built unevaluated, so that an expression keeps the form that it has in the file. An element without
subscripts is a `Symbol` of its key, one with subscripts an `Indexed` whose indices are symbols: keys of ranges or labels, or
of a range with `MARK` where SUM or a similar function runs over it. Truth is a number: a comparison is 1 or 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, ClassVar, Self

from sympy import Add, Expr, Float, Function, Indexed, IndexedBase, Integer, Mul, Pow, S, Symbol
from sympy.core.expr import AtomicExpr

NA = -(2.0**109)
"""Vensim's missing value `:NA:`, a finite number that takes part in arithmetic (C-LEARN's saved runs show it)."""


class VensimFunction(Expr):
    """A call of a function that SymPy does not have, left as written; each function has a class of its own."""

    name: ClassVar[str] = ""
    row: ClassVar[Any] = None
    """The function's row in the table of functions: a `FunctionRow`."""
    is_commutative = True

    def __new__(cls, *arguments: Expr) -> Self:
        """The call on these arguments."""
        return Expr.__new__(cls, *arguments)

    def _eval_derivative(self, symbol: Expr) -> Expr:
        """The chain rule over the partial derivatives of the function's row."""
        inner = [argument.diff(symbol) for argument in self.args]
        outer = self.row.derivative(*self.args)
        return Add(*(o * i for o, i in zip(outer, inner, strict=True) if i != 0))

    def _latex(self, printer: Any, *_: Any) -> str:
        parts = [printer._print(argument) for argument in self.args]  # noqa: SLF001 - how SymPy's printers recurse
        if self.row.latex:
            return self.row.latex.format(*parts)
        return rf"\operatorname{{{self.name.lower()}}}\left({', '.join(parts)}\right)"

    def _sympystr(self, printer: Any) -> str:
        return f"{self.name}({', '.join(printer._print(argument) for argument in self.args)})"  # noqa: SLF001


class Table(AtomicExpr):
    """The points of a lookup as (x, y) pairs, in the order of the file, and the corners of its graph if given."""

    is_commutative = True
    points: tuple[tuple[float, float], ...]
    limits: tuple[tuple[float, float], tuple[float, float]] | None

    def __new__(
        cls,
        points: Sequence[Sequence[float]],
        limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
    ) -> Self:
        """The table of these points; `limits` are two corners of its graph."""
        table: Self = AtomicExpr.__new__(cls)
        table.points = tuple((float(x), float(y)) for x, y in points)
        table.limits = limits
        return table

    @property
    def by_x(self) -> list[tuple[float, float]]:
        """The points in the order of x; those at the same x stay in the order of the file."""
        return sorted(self.points, key=lambda point: point[0])

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.points, self.limits)

    __getnewargs__ = _hashable_content

    def _sympystr(self, _: Any) -> str:
        return f"({', '.join(f'({x:g},{y:g})' for x, y in self.points)})"

    def _latex(self, *_: Any) -> str:
        return r"\text{table}"


class Numbers(AtomicExpr):
    """The numbers of an array constant, row by row over the ranges of the equation."""

    is_commutative = True
    values: tuple[float, ...]

    def __new__(cls, values: Sequence[float]) -> Self:
        """The array of these values."""
        numbers: Self = AtomicExpr.__new__(cls)
        numbers.values = tuple(map(float, values))
        return numbers

    def at(self, index: int) -> float:
        """The number of a cell by its index; a single number serves every cell."""
        return self.values[index if len(self.values) > 1 else 0]

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.values,)

    __getnewargs__ = _hashable_content

    def _sympystr(self, *_: Any) -> str:
        return ", ".join(f"{value:g}" for value in self.values)

    _latex = _sympystr


def numbers_of(expression: Expr) -> Numbers:
    """The numbers of a constant's equation, which may be a single one."""
    return expression if isinstance(expression, Numbers) else Numbers([float(expression)])


class Site(AtomicExpr):
    """Where an equation draws a random number: the name of the place, and the subscripts of the cell that draws there."""

    is_commutative = True
    name: str
    subscripts: tuple[str, ...]

    def __new__(cls, name: str, subscripts: Iterable[str] = ()) -> Self:
        """The place of this name in each cell."""
        site: Self = AtomicExpr.__new__(cls)
        site.name, site.subscripts = name, tuple(subscripts)
        return site

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.name, self.subscripts)

    __getnewargs__ = _hashable_content

    def number(self, labels: Sequence[str]) -> int:
        """64 bits that stand for the place in the cell with these labels, in every model that has both."""
        text = f"{self.name}[{','.join(labels)}]"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")

    def _sympystr(self, *_: Any) -> str:
        return self.name


class Slice(Expr):
    """All numbers of a variable along its last subscripts, as a function takes them that works on whole arrays.

    The first argument is the reference in the file, which names the subscripts before those; the others are the ranges along
    which the numbers lie.
    """

    is_commutative = True

    def __new__(cls, reference: Expr, *ranges: Symbol, evaluate: bool = False) -> Self:  # noqa: ARG004 - as SymPy's classes
        """The numbers of a variable along ranges."""
        return Expr.__new__(cls, reference, *ranges)

    @property
    def reference(self) -> Expr:
        """The reference as written: one of the numbers, or all of them by the names of ranges."""
        return self.args[0]

    @property
    def ranges(self) -> tuple[str, ...]:
        """The keys of the ranges along which the numbers lie."""
        return tuple(own.name for own in self.args[1:])

    def _eval_derivative(self, _: Expr) -> Expr:
        message = "an array is not a number; write out the function that takes it"
        raise NotImplementedError(message)

    def _latex(self, printer: Any, *_: Any) -> str:
        return printer._print(self.reference)  # noqa: SLF001 - how SymPy's printers recurse

    _sympystr = _latex


class OpaqueCall(Expr):
    """A function of whole arrays, with all numbers that it reads as arguments: neither a number nor a slope is known."""

    is_commutative = True

    def _eval_derivative(self, _: Expr) -> Expr:
        message = "a function of whole arrays depends on many numbers at once; their effects are not known one by one"
        raise NotImplementedError(message)


@lru_cache(maxsize=2**12)
def number(value: float) -> Expr:
    """A literal; whole numbers stay exact, so that they are printed as written."""
    return Integer(int(value)) if value == int(value) and abs(value) < 1e9 else Float(value)  # noqa: PLR2004


@lru_cache(maxsize=2**17)  # SymPy remembers a thousand
def make_reference(name: str, *subscripts: str) -> Expr:
    """A reference to an element by its key, with the keys of its subscripts."""
    return Indexed(IndexedBase(Symbol(name)), *map(Symbol, subscripts)) if subscripts else Symbol(name)


def is_reference(expression: Expr) -> bool:
    """Whether an expression is the name of a variable alone, with or without subscripts."""
    return bool(expression.is_Symbol or expression.is_Indexed)


def split_reference(expression: Expr) -> tuple[str, tuple[str, ...]]:
    """The key and the subscripts of a reference."""
    if isinstance(expression, Indexed):
        return expression.base.label.name, tuple(index.name for index in expression.indices)
    return expression.name, ()


def add(*terms: Expr) -> Expr:
    """The sum of the terms from left to right, as written."""
    return _in_order(Add, terms)


def negate(operand: Expr) -> Expr:
    """`-operand`; the negative of a literal is a literal."""
    return -operand if operand.is_Number else multiply(S.NegativeOne, operand)


def multiply(*factors: Expr) -> Expr:
    """The product of the factors from left to right, as written; a factor `inverse(x)` divides by `x`."""
    return _in_order(Mul, factors)


def _in_order(kind: type[Add | Mul], arguments: Sequence[Expr]) -> Expr:
    """The sum or product of arguments as written; they are numbers, whose order does not matter to SymPy."""
    return kind._from_args(arguments, is_commutative=True)  # noqa: SLF001 - as `evaluate=False`, without its checks


def inverse(operand: Expr) -> Expr:
    """`1 / operand` as a factor: only the exact power -1 means a division."""
    return _power(operand, S.NegativeOne)


def divide(dividend: Expr, divisor: Expr) -> Expr:
    """`dividend / divisor`, as written."""
    return multiply(dividend, inverse(divisor))


def product_factors(product: Mul) -> Iterator[tuple[Expr, bool]]:
    """Each factor of a product and False, or each divisor and True."""
    return ((factor.base, True) if divides(factor) else (factor, False) for factor in product.args)


def divides(factor: Expr) -> bool:
    """Whether a factor of a product is a divisor."""
    return isinstance(factor, Pow) and factor.exp is S.NegativeOne


def unsigned(term: Expr) -> Expr:
    """A term without its minus sign, or the term itself if it has none."""
    signed = isinstance(term, Mul) and len(term.args) == 2 and term.args[0] is S.NegativeOne  # noqa: PLR2004 - a sign and its operand
    return term.args[1] if signed else term


def signed_terms(expression: Expr) -> Iterator[tuple[Expr, int]]:
    """The terms of a sum (or the expression itself) without their minus signs, each with its sign, 1 or -1."""
    for term in expression.args if isinstance(expression, Add) else (expression,):
        bare = unsigned(term)
        yield bare, 1 if bare is term else -1


def power(base: Expr, exponent: Expr) -> Expr:
    """`base ^ exponent`, as written; a literal exponent is inexact, so that it is never taken for a division."""
    literal = Float(float(exponent)) if exponent.is_Number else exponent
    return _power(base, literal)


def _power(base: Expr, exponent: Expr) -> Expr:
    """The power of two numbers as written: what `Pow` makes with `evaluate=False`, without its checks."""
    made = Expr.__new__(Pow, base, exponent)
    made.is_commutative = True
    return made


def rebuild(expression: Expr, arguments: Sequence[Expr]) -> Expr:
    """The same operation on other arguments, unevaluated."""
    if isinstance(expression, Add | Mul):
        return _in_order(type(expression), arguments)
    if isinstance(expression, Pow):
        return _power(*arguments)
    if isinstance(expression, Function):
        return type(expression)(*arguments, evaluate=False)
    return expression.func(*arguments)


class Packed:
    """An expression on its way to a copy or another process: SymPy alone would evaluate it there and lose its form."""

    def __init__(self, expression: Expr, known: dict[Expr, Packed]) -> None:
        self.expression, self.known = expression, known

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to build the expression again; parts that occur twice are packed once."""
        whole = self.expression
        if isinstance(whole, Indexed) or not (whole.args or isinstance(whole, VensimFunction)):
            return _unpack, (None, whole)
        kind = whole.name if isinstance(whole, VensimFunction) else type(whole)
        return _unpack, (kind, *(self.known.setdefault(part, Packed(part, self.known)) for part in whole.args))


def _unpack(kind: Any, *arguments: Expr) -> Expr:
    if isinstance(kind, str):  # the class of a function of Vensim has no name in a module
        return next(function for function in VensimFunction.__subclasses__() if function.name == kind)(*arguments)
    return kind(*arguments, evaluate=False) if kind else arguments[0]


def transform(expression: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with each part replaced for which `change` returns another, from the leaves up; the rest keeps its form."""
    if expression.args and not isinstance(expression, Indexed | Slice):
        arguments = [transform(argument, change) for argument in expression.args]
        if any(new is not old for new, old in zip(arguments, expression.args, strict=True)):
            expression = rebuild(expression, arguments)
    changed = change(expression)
    return expression if changed is None else changed


def walk(expression: Expr) -> Iterator[Expr]:
    """Every part of an expression, from the whole to the leaves; a reference with subscripts is a leaf."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        if (arguments := part.args) and not isinstance(part, Indexed):
            waiting += arguments[:1] if isinstance(part, Slice) else arguments[::-1]


def references_in(expression: Expr) -> Iterator[Expr]:
    """Every reference to an element, in order, repeats included; without the range that ELMCOUNT counts."""
    parts = walk(expression)
    for part in parts:
        if is_reference(part):
            yield part
        elif isinstance(part, VensimFunction) and part.name == "ELMCOUNT":
            next(parts)
