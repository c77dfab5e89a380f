"""One expression by itself, in the language of equations: a statement about runs, or a sum of observed series."""

from __future__ import annotations

from types import MappingProxyType

from lark import Token
from sympy import Expr, S

from ...errors import Fault, ScenarioError
from ...model import ARRAY_FUNCTIONS, Numbers, Table, VensimFunction, is_reduction, walk
from ..document import Document
from .grammar import SyntaxProblemError, parse
from .segments import blanked
from .translation import Names, Scope, read_expression

_LEFT = "formula="


def read_formula(text: str, where: str = "formula") -> Expr:
    """The expression that a text holds, over the names of whatever it is asked of; `where` is what a fault names.

    It may use what needs nothing but its arguments: arithmetic, comparisons, `:AND:`, MIN and their like.

    Raises
    ------
    ScenarioError
        If it is no expression, or uses a function that needs a model around it.
    """
    plain = blanked(" ".join(text.split()))
    if not plain.strip():
        raise ScenarioError([Fault(where, "the formula is empty; write one such as 'Stock > 5'")])
    try:
        tree = parse(_LEFT + plain)
    except SyntaxProblemError as problem:
        raise ScenarioError([Fault(where, f"'{plain}': {problem.problem.what}")]) from None
    left, _, *bodies = tree.children
    name = left if isinstance(left, Token) else left.children[0]
    names = Names(Document(where, plain, "utf-8"), set(), MappingProxyType({}), MappingProxyType({}), lambda *_: S.Zero)
    expressions = [read_expression(body, Scope(names, -len(_LEFT)), name) for body in bodies]
    faults = [Fault(where, f"'{plain}': {fault.what}") for fault in names.faults]
    if tree.data != "assignment" or len(expressions) != 1:
        faults.append(Fault(where, f"'{plain}': is no expression; write one such as 'Stock > 5'"))
    faults += [Fault(where, f"'{plain}': {what}") for each in expressions for what in _unusable(each)]
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return expressions[0]


def _unusable(expression: Expr) -> list[str]:
    """What in a formula needs more than its arguments."""
    found = []
    for part in walk(expression):
        if isinstance(part, Table | Numbers):
            found.append("a table or a list of numbers stands in it; write a formula over names and numbers")
        elif is_reduction(part) or (isinstance(part, VensimFunction) and part.name not in ARRAY_FUNCTIONS):
            found.append(
                f"{part.name} needs a model around it; add an auxiliary to the model that uses it, and name that"
            )
    return found
