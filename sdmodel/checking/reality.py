"""Reality Checks: each constraint of a model is tested in a run in which its condition is made true."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from sympy import Expr, Indexed, S, Symbol

from ..errors import Fault, FaultsError, ModelError, Place, SdmodelError, format_count
from ..model import (
    FUNCTIONS,
    Element,
    Equation,
    Model,
    RealityCheck,
    bindings,
    equation_source,
    find_faults,
    join_name,
    key,
    labels_of,
    make_reference,
    number,
    references_in,
    resolve,
    split_reference,
    transform,
)
from ..numerals import format_exact
from ..reading import read_model
from ..vensim import Relation, ScenarioLike, read_reality_check
from .checked_model import CheckedModel, run_quietly, with_scenario

Outcome = Literal["passed", "violated", "not tested"]
_UNTESTED = 2.0
"""What stands for the truth of a consequence where it does not count."""


@dataclass(frozen=True)
class RealityResult:
    """What the test of one constraint has shown: its outcome, the place of the constraint, and why.

    Of a violation, `variable` is what is wrong first (with its labels), at `time`; `numbers` are its `value` there, the
    `limit` that it is compared with, and in how many of the values `tested` the consequence is `violated`.
    """

    name: str
    outcome: Outcome
    place: Place
    message: str
    variable: str = ""
    time: float | None = None
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def check_reality(model: Model | str | os.PathLike[str], *, scenario: ScenarioLike = ()) -> tuple[RealityResult, ...]:
    r"""Test each constraint of a model, its `:IMPLIES:` statements, as Vensim does in its Reality Checks.

    For each constraint, a copy of the model runs in which the condition is true: its equalities and test inputs replace the
    equations of their variables, an inequality does so where it would not hold. The consequence must be true at every time
    step while the condition is in force. What cannot be tested is reported as such, with the reason.

    Parameters
    ----------
    model : Model, str or Path
        A model, or the path of a model file.
    scenario : Scenario, str, Path or a sequence of these, optional
        One or several scenarios, or their files; the model is tested with their changes.

    Returns
    -------
    tuple[RealityResult, ...]
        One result for each constraint, in the order of the file: `passed`, `violated` or `not tested`.

    Raises
    ------
    ModelError
        If the model cannot be read.
    ScenarioError
        If the scenario cannot be read, or changes what the model does not allow.

    Examples
    --------
    >>> from sdmodel import check_reality
    >>> from sdmodel.testing import tiny_model
    >>> lines = ["Workers = 5", "output = 2 * Workers + 1", "idle :THE CONDITION: Workers = 0 :IMPLIES: output = 0"]
    >>> for result in check_reality(tiny_model("\n".join(lines))):
    ...     print(result.name, result.outcome, result.message)
    idle violated output is 1 at time 0, should be = 0; violated in 2 of 2 values
    """
    changed = with_scenario(model if isinstance(model, Model) else read_model(model), scenario)
    return tuple(_tested(changed, check) for check in changed.reality_checks if check.kind == "constraint")


def _tested(model: Model, check: RealityCheck) -> RealityResult:
    try:
        held, required = read_reality_check(model, check)
        return _result(check, _with_consequence(_in_force(model, check, held), check, held, required), required)
    except SdmodelError as error:
        what = error.faults[0].what if isinstance(error, FaultsError) else str(error)
        return RealityResult(check.name, "not tested", check.place, what)


def _refusal(check: RealityCheck, what: str) -> ModelError:
    return ModelError([Fault(check.place, what)])


def _in_force(model: Model, check: RealityCheck, held: tuple[Relation, ...]) -> Model:
    """Return the model with the condition of a constraint true.

    Each variable that the condition holds is computed under another name; the variable itself is that, or the value that it
    is held at. So a condition may refer to the value that the variable would have.
    """
    elements = dict(model.elements)
    for relation in held:
        name, labels = split_reference(relation.left)
        element = elements[name]
        own_value = any(split_reference(part)[0] == name for part in references_in(relation.right))
        fixed = relation.settled or not (own_value or relation.window is not None)
        if element.kind == "stock" and not (fixed and relation.sign == "="):
            what = "its level would depend on how it goes on from there; use =, or an RC function without a duration"
            raise _refusal(check, f"the condition holds the stock '{element.name}' only at times: {what}")
        if len(labels) != len(element.dimensions):
            count = len(element.dimensions)
            raise _refusal(
                check, f"'{element.name}' has {format_count(count, 'subscript')}, not {len(labels)}; write all of them"
            )
        shown = _unused(elements, f"{element.name} as computed")
        computed = replace(element, name=shown, range=None)

        def free(part: Expr, name: str = name, other: str = computed.key) -> Expr | None:
            if isinstance(part, Symbol | Indexed) and split_reference(part)[0] == name:
                return make_reference(other, *split_reference(part)[1])
            return None

        plain = make_reference(computed.key, *labels)
        value = target = transform(relation.right, free)
        choose = FUNCTIONS["IF THEN ELSE"].build
        if relation.sign != "=":
            value = choose(FUNCTIONS[relation.sign].build(plain, target), plain, target)
        if relation.window is not None:
            value = choose(_counts(transform(relation.window, free)), value, plain)
        rest = Equation(
            make_reference(computed.key, *element.dimensions), element.dimensions, (labels,), place=check.place
        )
        others = [rest] if labels and any(bindings(model.subscripts, rest)) else []
        elements[computed.key] = computed
        equations = (Equation(value, labels, place=check.place), *others)
        elements[name] = replace(element, kind="auxiliary", equations=equations, fixed=False)
    return replace(model, elements=MappingProxyType(elements))


def _counts(window: Expr) -> Expr:
    return FUNCTIONS[">"].build(window, S.Zero)


def _unused(elements: Mapping[str, Element], name: str) -> str:
    while key(name) in elements:
        name += " too"
    return name


def _parts(check: RealityCheck, index: int) -> tuple[str, str, str]:
    """The names of what is added to the model for a part of the consequence: its truth, and both sides."""
    return tuple(f"{check.name} {part} {index}" for part in ("holds", "left", "right"))  # type: ignore[return-value]


def _with_consequence(
    model: Model, check: RealityCheck, held: tuple[Relation, ...], required: tuple[Relation, ...]
) -> Model:
    """Return the model with auxiliaries for each part of the consequence: whether it is true, and its two sides."""
    elements = dict(model.elements)
    choose = FUNCTIONS["IF THEN ELSE"].build
    ranges = tuple(name for name in check.subscripts if name in model.subscripts)
    for index, relation in enumerate(required):
        truth = FUNCTIONS[relation.sign].build(relation.left, relation.right) if relation.sign else relation.left
        truth = choose(truth, S.One, S.Zero)
        windows = (
            [relation.window] if relation.window is not None else [own.window for own in held if own.window is not None]
        )
        for window in windows:
            truth = choose(_counts(window), truth, number(_UNTESTED))
        for name, value in zip(_parts(check, index), (truth, relation.left, relation.right), strict=True):
            if key(name) in elements:
                raise _refusal(check, f"the model has a variable '{name}'; rename that")
            equation = Equation(value, ranges, place=check.place)
            elements[key(name)] = Element(name, "auxiliary", (equation,), ranges)
    changed = replace(model, elements=MappingProxyType(elements))
    if faults := find_faults(changed):
        raise ModelError(faults)
    return changed


def _result(check: RealityCheck, model: Model, required: tuple[Relation, ...]) -> RealityResult:
    """Run the changed model, and look where the consequence is not true."""
    checked = CheckedModel(model)
    names = [name for index in range(len(required)) for name in _parts(check, index)]
    run = run_quietly(model, checked.every_step, save=names)
    times = np.asarray(run["time"].values, dtype=float)
    violations, counted, wrong = [], 0, 0
    for index, relation in enumerate(required):
        values = [checked.values(run, key(name)) for name in _parts(check, index)]
        truth, left, right = (np.broadcast_to(one, (len(times), *one.shape[1:])) for one in values)
        counted += int((truth != _UNTESTED).sum())
        wrong += int((truth == 0).sum())
        undefined = ~np.isfinite(truth)
        if undefined.any():
            at = times[np.argwhere(undefined)[0][0]]
            return _named(
                check, "not tested", f"the consequence is not finite at time {format_exact(at)}; see `sdmodel check`"
            )
        for place in np.argwhere(truth == 0)[:1]:
            where = tuple(map(int, place))
            violations.append((times[where[0]], index, relation, where, float(left[where]), float(right[where])))
    if not counted:
        return _named(check, "not tested", "the consequence counts at no time of the run; begin earlier or run longer")
    if not violations:
        message, tested = f"true in {format_count(counted, 'value')}", MappingProxyType({"tested": float(counted)})
        return RealityResult(check.name, "passed", check.place, message, numbers=tested)
    time, _, relation, where, value, limit = min(violations, key=lambda one: one[:2])
    variable = _shown(model, check, relation.left, where[1:])
    says = f"is {format_exact(value)} at time {format_exact(time)}, should be {relation.sign} {format_exact(limit)}"
    if not relation.sign:
        says = f"is not true at time {format_exact(time)}"
    numbers = {"value": value, "tested": counted, "violated": wrong} | ({"limit": limit} if relation.sign else {})
    message = f"{variable} {says}; violated in {wrong} of {format_count(counted, 'value')}"
    return RealityResult(check.name, "violated", check.place, message, variable, float(time), MappingProxyType(numbers))


def _named(check: RealityCheck, outcome: Outcome, message: str) -> RealityResult:
    return RealityResult(check.name, outcome, check.place, message)


def _shown(model: Model, check: RealityCheck, left: Expr, positions: tuple[int, ...]) -> str:
    """Return the left-hand side of a comparison as the file writes it, with the labels of one cell."""
    ranges = [name for name in check.subscripts if name in model.subscripts]
    binding = {name: labels_of(model.subscripts, name)[at] for name, at in zip(ranges, positions, strict=True)}
    if not isinstance(left, Symbol | Indexed):
        return equation_source(model, left)
    name, labels = split_reference(left)
    spelled = (model.labels.get(label, label) for label in (resolve(model.subscripts, one, binding) for one in labels))
    return join_name(model[name].name if name in model else name, tuple(spelled))
