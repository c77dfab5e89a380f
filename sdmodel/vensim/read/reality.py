"""Reads what a Reality Check says: which variables its condition holds, and what must then be true.

A condition is one comparison of a variable, or several joined with `:AND:`; the name of a test input stands for its equation.
The RC functions follow Vensim's manual: from a time on they set a course that begins with the value of their basis at that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sympy import Expr, Indexed, S, Symbol

from ...errors import Fault, ModelError
from ...model import (
    FUNCTIONS,
    RC_START_TIME,
    RUN_SETTINGS,
    Model,
    RealityCheck,
    add,
    data_variables,
    display_name,
    divide,
    key,
    make_reference,
    multiply,
    negate,
    split_reference,
)
from ..document import Document
from .grammar import Node, SyntaxProblemError, parse
from .table import Token
from .translation import Names, Scope, read_expression

_LEFT = "x="
_TIME, _TIME_STEP, _INITIAL_TIME = map(Symbol, ("time", "time_step", "initial_time"))
_COURSES: Mapping[str, tuple[tuple[str, ...], Callable[..., Expr]]] = MappingProxyType(
    {
        "rc_step": (("basis", "mult"), lambda _, basis, mult: multiply(basis, mult)),
        "rc_ramp": (
            ("basis", "mult", "ramp time"),
            lambda passed, basis, mult, duration: multiply(
                basis,
                add(S.One, multiply(add(mult, S.NegativeOne), FUNCTIONS["MIN"].build(S.One, divide(passed, duration)))),
            ),
        ),
        "rc_decay": (
            ("basis", "decay time"),
            lambda passed, basis, time: multiply(basis, FUNCTIONS["EXP"].build(negate(divide(passed, time)))),
        ),
        "rc_grow": (
            ("basis", "growth rate"),
            lambda passed, basis, rate: multiply(basis, FUNCTIONS["EXP"].build(multiply(rate, passed))),
        ),
    }
)
"""The arguments of each RC function, and its course from the time since its start, the basis at that time, and the others."""
_CHECK = "_check"


@dataclass(frozen=True, slots=True)
class Relation:
    """A comparison of a condition or consequence; without a sign it is a statement, `left`, that must be true.

    It counts where `window` is not 0; always without one. What is `settled` depends on its own variable only until it begins.
    """

    left: Expr
    sign: str
    right: Expr
    window: Expr | None = None
    settled: bool = False


def read_reality_check(model: Model, check: RealityCheck) -> tuple[tuple[Relation, ...], tuple[Relation, ...]]:
    """Return the variables that the condition of a constraint holds, and what its consequence requires.

    Raises
    ------
    ModelError
        If the constraint says something that cannot be tested here; the faults are at its place.
    """
    found = tuple(_held(model, check)), tuple(_relations(model, check, check.consequence, _CHECK))
    names = [split_reference(relation.left)[0] for relation in found[0]]
    for name in names:
        if names.count(name) > 1:
            raise _refusal(check, f"the condition holds '{model[name].name}' twice; split the constraint")
    return found


def _refusal(check: RealityCheck, what: str) -> ModelError:
    return ModelError([Fault(check.place, what)])


def _held(model: Model, check: RealityCheck) -> Iterator[Relation]:
    """Yield the relations of a condition, with those of the test inputs that it names."""
    inputs = {key(own.name): own for own in model.reality_checks if own.kind == "test input"}
    for relation in _relations(model, check, check.condition, ""):
        left = relation.left
        name, labels = split_reference(left) if isinstance(left, Symbol | Indexed) else ("", ())
        if not relation.sign and name in inputs and check.kind == "constraint":
            own = inputs[name]
            if labels != own.subscripts:
                what = f"the test input '{own.name}' has other subscripts here; write those of its definition"
                raise _refusal(check, what)
            yield from _held(model, own)
        elif not relation.sign or not name:
            what = "the condition is not a comparison of a variable, or several joined with :AND:; write it so"
            raise _refusal(check, what)
        else:
            _check_variable(model, check, name, relation.sign)
            yield relation


def _check_variable(model: Model, check: RealityCheck, name: str, sign: str) -> None:
    """Refuse a variable that no condition can hold at a value."""
    element = model.elements.get(name)
    data = {owner.key for owner, _ in data_variables(model)}
    if element is None or element.kind == "lookup" or name in {"time", *data, *map(key, RUN_SETTINGS)}:
        shown = element.name if element else name.replace("_", " ")
        raise _refusal(check, f"the condition cannot hold '{shown}'; name a stock, flow, auxiliary or constant")
    if sign == "<>":
        raise _refusal(check, f"no value of '{element.name}' follows from <>; write =, < or >")


def _relations(model: Model, check: RealityCheck, text: str, ending: str) -> Iterator[Relation]:
    """Yield what a condition or consequence joins with `:AND:`; its RC functions have names with an ending."""
    for keyword in (":CROSSING:", ":AT LEAST ONCE:"):
        if keyword in " ".join(text.upper().split()):
            raise _refusal(check, f"{keyword} is not supported; compare with an RC CHECK function")
    if not text:
        raise _refusal(
            check, f"the {check.kind} is incomplete; write :THE CONDITION: what holds :IMPLIES: what must be true"
        )
    try:
        tree = parse(_LEFT + text)
    except SyntaxProblemError as error:
        raise _refusal(check, error.problem.what) from None
    if tree.data != "assignment":
        raise _refusal(check, "this is not a comparison; write one such as Workers = 0")
    left, _, body = tree.children  # the name of a formula of its own
    data = frozenset(element.key for element, _ in data_variables(model))
    names = Names(
        Document(check.place.path, text, "utf-8"), set(model.elements) | {key(own.name) for own in model.reality_checks},
        dict(model.subscripts), MappingProxyType({}), lambda *_: S.Zero, data=data,
    )  # fmt: skip
    scope = Scope(names, -len(_LEFT), check.subscripts)
    whole: Token = left if isinstance(left, Token) else left.children[0]
    for part in body.children[::2] if _is(body, "and") else [body]:
        compares = _is(part, "comparison") and len(part.children) == len("a=b")
        left, *rest = part.children if compares else [part]
        left = read_expression(left, scope, whole)
        sign, right = (str(rest[0]), rest[1]) if rest else ("", None)
        function = right.children[0] if right is not None and _is(right, "call") else ""
        name = key(function)
        if name.removesuffix(_CHECK) in _COURSES and name not in model.elements:
            if name != name.removesuffix(_CHECK) + ending:
                side = "consequence" if name.endswith(_CHECK) else "condition"
                raise _refusal(check, f"{display_name(function)} belongs to the {side}; move it there")
            arguments = [read_expression(argument, scope, whole) for argument in getattr(right, "children", ())[1:]]
            relation = _course(model, check, display_name(function), arguments)
            relation = Relation(left, sign, relation.right, relation.window, relation.settled)
        else:
            relation = Relation(left, sign, S.Zero if right is None else read_expression(right, scope, whole))
        if names.faults:
            raise ModelError([Fault(check.place, fault.what) for fault in names.faults])
        yield relation


def _is(node: Node, kind: str) -> bool:
    return getattr(node, "data", "") == kind


def _course(model: Model, check: RealityCheck, function: str, arguments: Sequence[Expr]) -> Relation:
    """Return the right-hand side of a call of an RC function, with the window in which it counts."""
    name = key(function)
    signature, course = _COURSES[name.removesuffix(_CHECK)]
    grace, own = (arguments[0], arguments[1:]) if name.endswith(_CHECK) and arguments else (S.Zero, arguments)
    basis_and_others, when = own[: len(signature)], own[len(signature) :]
    if len(basis_and_others) < len(signature) or len(when) > len(("start", "duration")):
        first = "grace, " if name.endswith(_CHECK) else ""
        raise _refusal(
            check, f"{function} has other arguments; write {function}({first}{', '.join(signature)}, start, duration)"
        )
    default = make_reference(key(RC_START_TIME)) if RC_START_TIME in model else add(_INITIAL_TIME, _TIME_STEP)
    start = when[0] if when else default
    basis, *others = basis_and_others
    step, less = FUNCTIONS["STEP"].build, FUNCTIONS["<"].build
    before = less(step(S.One, add(start, _TIME_STEP)), S.One)  # also at the start
    begun = FUNCTIONS["SAMPLE IF TRUE"].build(before, basis, basis)
    window = step(S.One, add(start, grace))
    if len(when) > 1:
        window = add(window, negate(step(S.One, add(start, when[1]))))
    steady = not any(part.free_symbols for part in others)
    return Relation(
        S.Zero,
        "",
        course(add(_TIME, negate(start)), begun, *others),
        window,
        steady and len(when) < len(("start", "duration")),
    )
