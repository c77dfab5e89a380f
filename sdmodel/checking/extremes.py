"""The extreme-condition test: what breaks when constants take extreme values (Forrester and Senge 1980).

Every constant with a range is set to the ends of the range, to zero, to ten times and to a tenth of its value, and the ends
of every two constants are combined.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sympy import Indexed, Symbol

from ..errors import ModelError, SdmodelError, SimulationError
from ..model import Cell, Element, quoted_cell, rates_of, signed_terms, split_reference
from .checked_model import CheckedModel, first_not_finite, run_quietly
from .findings import Finding

_SIGNED_UNITS = re.compile(
    r"[$€£¥°]|\b(?:usd|eur|dollars?|euros?|pounds?|money|currency|cash|degrees?|deg|celsius|fahrenheit|kelvin|[cfk])\b",
    re.IGNORECASE,
)
"""Units of what can be negative: money, which can be owed, and temperature."""
_WORK = 4e9
"""Maximum number of values to compute: about a second on two cores."""
_FEWEST_CASES = 100
"""Minimum number of cases of one constant, and of two, however large the model is."""
_SEED = 1
_ENDS = frozenset({"low", "high"})
_NO_RUN = (ModelError, SimulationError)
"""Errors that prevent a run: its times, or the order of a delay, depend on a varied constant."""
_ROOM = 2**24
"""Maximum number of values in memory at once."""
_FEWEST_TOGETHER = 8
"""Minimum number of cases in one run: a few vector registers full."""
_RERUNS = 40
"""Maximum number of broken cases that are run again, each alone, to find what breaks first."""
_LISTED = 4
"""Maximum number of constants in the message about cases beyond their ranges."""
_NEXT_TO_ZERO = 1e-6
"""How far below zero a stock can be by rounding, relative to its largest size in the unchanged run."""


@dataclass(frozen=True)
class Setting:
    """One constant (all of its labels) at one extreme: the new values, their description, and whether the range allows them."""

    constant: Element
    text: str
    values: Mapping[Cell, float]
    inside: bool


Case = Sequence[Setting]
"""One or two constants at extreme values."""


@dataclass(frozen=True)
class Cases:
    """The cases to try: single settings, then pairs; `possible` is the number of all possible cases."""

    tried: tuple[Case, ...]
    possible: int


@dataclass
class _Trouble:
    """What goes wrong with one variable: the numbers of the cases, each with the time at which it first happens."""

    element: Element
    when: dict[int, float] = field(default_factory=dict)


def find_extremes(checked: CheckedModel) -> Iterator[Finding]:
    """Find what is not finite, or negative though it cannot be, in extreme cases; one finding per variable."""
    if "not_finite" in checked.base_run.attrs:
        return
    steps = checked.base_run.sizes["time"]
    cases = extreme_cases(checked, steps)
    if not cases.tried:
        what = "no constant has a range, so no extreme values were tried; give those that may vary a [min,max]"
        yield Finding("advice", "extreme", checked.model.path, "", what)
        return
    try:
        found = list(_try_cases(checked, cases))
    except _NO_RUN:
        varied = {setting.constant.key: setting.constant for case in cases.tried for setting in case}
        unfit = list(_unfit_constants(checked, list(varied.values())))
        yield from (_untried(checked, constant, why) for constant, why in unfit)
        try:
            rest = extreme_cases(checked, steps, without=[constant.key for constant, _ in unfit])
            found = list(_try_cases(checked, rest))
        except _NO_RUN as error:  # two constants together prevent a run
            found = [_untried(checked, None, error)]
    yield from found


def extreme_cases(checked: CheckedModel, steps: int, without: Collection[str] = ()) -> Cases:
    """Return as many cases as a run of that many steps leaves time for: single settings, and pairs of ends of ranges.

    If there are too many, some are chosen at random, always the same ones. The constants with the keys `without` are not
    varied.
    """
    ranged = [element for element in checked.elements if element.kind == "constant" and element.range is not None]
    constants = [element for element in ranged if not element.fixed and element.key not in without]
    settings = [_settings(checked, constant) for constant in constants]
    singles = [setting for own in settings for setting in own.values()]
    ends = [setting for own in settings for name, setting in own.items() if name in _ENDS]
    counts = [sum(name in _ENDS for name in own) for own in settings]
    pairs = (sum(counts) ** 2 - sum(count**2 for count in counts)) // 2
    integrator = checked.model.integrator
    stages = 20 if integrator.endswith("-auto") else {"rk2": 2, "rk4": 4}.get(integrator, 1)
    affordable = int(_WORK / (max(1, len(checked.plan.step) + len(checked.plan.stocks)) * max(1, steps) * stages))
    count = min(len(singles), max(_FEWEST_CASES, affordable))
    alone = sorted(random.Random(_SEED).sample(range(len(singles)), count))
    together = _pairs(ends, pairs, max(_FEWEST_CASES, affordable - count))
    return Cases((*((singles[place],) for place in alone), *together), len(singles) + pairs)


def _pairs(ends: Case, possible: int, most: int) -> list[tuple[Setting, Setting]]:
    """Return at most that many of the pairs of settings of different constants, in their order."""
    if possible <= most:
        return [(one, two) for one, two in itertools.combinations(ends, 2) if one.constant is not two.constant]
    generator = random.Random(_SEED)
    found: set[tuple[int, int]] = set()
    while len(found) < most:
        one, two = sorted((generator.randrange(len(ends)), generator.randrange(len(ends))))
        if ends[one].constant is not ends[two].constant:
            found.add((one, two))
    return [(ends[one], ends[two]) for one, two in sorted(found)]


def _settings(checked: CheckedModel, constant: Element) -> dict[str, Setting]:
    """Return the extreme values of a constant by name; each differs from its own value and from the others."""
    own = {cell: value for cell, value in checked.plan.constants.items() if cell.key == constant.key}
    low, high = (constant.range.minimum, constant.range.maximum) if constant.range else (None, None)
    extremes = {name: dict.fromkeys(own, value) for name, value in (("low", low), ("high", high)) if value is not None}
    extremes["zero"] = dict.fromkeys(own, 0.0)
    extremes["tenfold"] = {cell: 10 * value for cell, value in own.items()}
    extremes["a tenth"] = {cell: value / 10 for cell, value in own.items()}
    found: dict[str, Setting] = {}
    seen = [own]
    for name, values in extremes.items():
        if values in seen or not all(map(math.isfinite, values.values())):
            continue
        seen.append(values)
        different = set(values.values())
        text = f"= {different.pop():g}" if len(different) == 1 else name
        least, most = -math.inf if low is None else low, math.inf if high is None else high
        found[name] = Setting(constant, text, values, all(least <= value <= most for value in values.values()))
    return found


def _is_inside(case: Case) -> bool:
    return all(setting.inside for setting in case)


def describe_case(case: Case) -> str:
    """Return a case as text: the constants and their values."""
    return " and ".join(f"'{setting.constant.name}' {setting.text}" for setting in case)


def _try_cases(checked: CheckedModel, cases: Cases) -> Iterator[Finding]:
    broken, negative = _run_cases(checked, cases)
    yield from _not_finite(checked, cases, broken)
    for trouble in negative.values():
        run = run_quietly(checked.model, {**checked.every_step, **_constants(checked, _simplest(cases, trouble)[1])})
        cure = _drain(checked, run, trouble.element) or "let what drains it end with it"
        yield _finding(cases, trouble, "negative", len(trouble.when), "turns negative", cure)
    if len(cases.tried) < cases.possible:
        cure = "remove the ranges of constants that do not vary, to try more of the rest"
        what = f"{len(cases.tried)} of {cases.possible} extreme cases were tried, chosen at random; {cure}"
        yield Finding("advice", "extreme", checked.model.path, "", what)


def _unfit_constants(checked: CheckedModel, constants: Sequence[Element]) -> Iterator[tuple[Element, SdmodelError]]:
    """Yield the constants that prevent a run, such as the order of a delay, with the error; by bisection."""
    cases = [(setting,) for constant in constants for setting in _settings(checked, constant).values()]
    try:
        _run_block(checked, cases, checked.elements[:1])
    except _NO_RUN as error:
        middle = len(constants) // 2
        if middle == 0:
            yield constants[0], error
        else:
            yield from _unfit_constants(checked, constants[:middle])
            yield from _unfit_constants(checked, constants[middle:])


def _untried(checked: CheckedModel, constant: Element | None, error: SdmodelError) -> Finding:
    why = error.faults[0].what if isinstance(error, ModelError) else str(error)
    name, of = (constant.name, f" of '{constant.name}'") if constant else ("", "")
    where = constant.place if constant else checked.model.path
    return Finding("advice", "extreme", where, name, f"extreme values{of} could not be tried: {why}")


def _run_cases(checked: CheckedModel, cases: Cases) -> tuple[list[int], dict[str, _Trouble]]:
    """Run all cases; return the numbers of those that are not finite, and the stocks that turn negative."""
    # stocks, flows and the ends of chains of auxiliaries show whether anything breaks
    moving = [element for element in checked.elements if element.kind not in {"constant", "lookup"}]
    saved = [element for element in moving if element.kind != "auxiliary" or element.key not in checked.used]
    guarded = [element for element in saved if element.kind == "stock" and _cannot_be_negative(checked, element)]
    rows = sum(checked.values(checked.base_run, element.key)[0].size for element in saved)
    size = max(_FEWEST_TOGETHER, _ROOM // max(1, rows * checked.requested_run.sizes["time"]))
    broken: list[int] = []
    negative: dict[str, _Trouble] = {}
    for first in range(0, len(cases.tried), size):
        run = _run_block(checked, cases.tried[first : first + size], saved)
        finite = np.ones(run.sizes["member"], dtype=bool)
        for element in saved:
            values, base = checked.values(run, element.key), checked.values(checked.base_run, element.key)
            values = values.reshape(len(values), -1, values.shape[-1])
            defined = np.isfinite(base).reshape(len(base), -1).all(axis=0)  # cells without an equation do not count
            finite &= np.isfinite(values[:, defined]).all(axis=(0, 1))
            if element in guarded:
                below = np.any(values < -_NEXT_TO_ZERO * float(np.abs(base).max()), axis=1)
                for member in np.flatnonzero(below.any(axis=0)):
                    time = float(run["time"].values[int(below[:, member].argmax())])
                    negative.setdefault(element.key, _Trouble(element)).when[first + int(member)] = time
        broken += [first + int(member) for member in np.flatnonzero(~finite)]
    return broken, negative


def _run_block(checked: CheckedModel, cases: Sequence[Case], saved: Sequence[Element]) -> xr.Dataset:
    """Run some cases as members, saved with the model's own SAVEPER."""
    columns: dict[Cell, NDArray[np.float64]] = {}
    for member, case in enumerate(cases):
        for cell, value in (changed for setting in case for changed in setting.values.items()):
            if cell not in columns:
                columns[cell] = np.full(len(cases), checked.plan.constants[cell])
            columns[cell][member] = value
    constants = {quoted_cell(checked.model, cell): column for cell, column in columns.items()}
    return run_quietly(checked.model, constants, save=[element.name for element in saved])


def _constants(checked: CheckedModel, case: Case) -> dict[str, float]:
    return {quoted_cell(checked.model, cell): value for item in case for cell, value in item.values.items()}


def _cannot_be_negative(checked: CheckedModel, stock: Element) -> bool:
    """Whether a stock cannot be negative.

    A range with a minimum decides. Otherwise a stock is taken to be something physical that is kept and moved if its units
    are neither money nor a temperature, it is never negative in the unchanged run, and its net flow is a sum of flows that
    are never negative either, at least one of which leaves it. The net flow of an average or expectation is not such a sum.
    """
    if stock.range is not None and stock.range.minimum is not None:
        return stock.range.minimum >= 0
    flows = _flows_of(stock)
    if _SIGNED_UNITS.search(stock.units) or flows is None or all(sign > 0 for _, sign in flows):
        return False
    names, elements = [name for name, _ in flows], checked.model.elements
    if any(name not in elements or elements[name].hidden for name in names):
        return False
    return not any((checked.values(checked.base_run, name) < 0).any() for name in (stock.key, *names))


def _flows_of(stock: Element) -> tuple[tuple[str, int], ...] | None:
    """Return the keys of a stock's flows with 1 for inflows and -1 for outflows; None if its net flow is not such a sum."""
    found = [term for rate in rates_of(stock) for term in signed_terms(rate)]
    if any(not isinstance(term, Symbol | Indexed) for term, _ in found):
        return None
    return tuple((split_reference(term)[0], sign) for term, sign in found)


def _drain(checked: CheckedModel, run: xr.Dataset, stock: Element) -> str:
    """Return what to do about the largest outflow at the step that takes a stock below zero, or an empty string."""
    if _SIGNED_UNITS.search(stock.units):  # what can be negative need not be limited by what there is of it
        return "correct what drives it, or its range"
    values = checked.values(run, stock.key)
    values = values.reshape(len(values), -1)
    below = values < 0
    if not below.any() or below[0].any():
        return ""
    at = int(below.any(axis=1).argmax())
    label = int(below[at].argmax())
    outflows = []
    for name in (name for name, sign in _flows_of(stock) or () if sign < 0 and name in checked.model.elements):
        flow = checked.values(run, name)
        flow = flow.reshape(len(flow), -1)
        if flow.shape[1] == values.shape[1]:
            before, after = np.broadcast_to(flow, values.shape)[at - 1 : at + 1, label]
            outflows.append((float(before), float(after), checked.model.elements[name].name))
    if not outflows:
        return ""
    _, after, name = max(outflows, key=lambda outflow: outflow[0])
    how = "goes on when it is empty" if after > 0 else "takes more than there is within a step"
    return f"'{name}' {how}; bound it, as in MIN({name}, {stock.name}/TIME STEP)"


def _not_finite(checked: CheckedModel, cases: Cases, broken: Sequence[int]) -> Iterator[Finding]:
    """Report what breaks first in the broken cases, by variable; a pair counts for the constant that breaks alone."""
    alone = {id(cases.tried[n][0]): n for n in broken if len(cases.tried[n]) == 1}
    root = {n: next((alone[id(item)] for item in cases.tried[n] if id(item) in alone), n) for n in broken}
    roots = sorted(dict.fromkeys(root.values()), key=lambda n: (not _is_inside(cases.tried[n]), n))
    troubles: dict[str, _Trouble] = {}
    names: dict[int, str] = {}
    for n in roots[:_RERUNS]:
        found = first_not_finite(run_quietly(checked.model, _constants(checked, cases.tried[n])))
        if found is not None and found[0] in checked.model:
            names[n], time = found
            troubles.setdefault(names[n], _Trouble(checked.model[names[n]])).when[n] = time
    beyond: list[tuple[Case, Element]] = []
    for name, trouble in troubles.items():
        case = _simplest(cases, trouble)[1]
        if _is_inside(case):
            count = sum(names.get(n) == name for n in root.values())
            cure = "guard what divides by it or grows without bound, or narrow the range"
            yield _finding(cases, trouble, "extreme", count, "is not finite", cure)
        else:
            beyond.append((case, trouble.element))
    if beyond:  # one finding for everything that breaks only outside of ranges: most often a time that is zero
        parts = [f"{describe_case(case)} (then '{element.name}' is not finite)" for case, element in beyond[:_LISTED]]
        others = f" and {len(beyond) - _LISTED} more" if len(beyond) > _LISTED else ""
        broken_by = f"{', '.join(parts)}{others}"
        what = f"beyond the ranges of constants the run breaks: {broken_by}; the ranges exclude these values"
        constant = beyond[0][0][0].constant
        numbers = {"cases": float(len(beyond)), "tried": float(len(cases.tried))}
        yield Finding("advice", "extreme", constant.place, constant.name, what, numbers)


def _simplest(cases: Cases, trouble: _Trouble) -> tuple[int, Case]:
    """Return the simplest case with a trouble: one that the ranges allow, and one constant rather than two."""
    n = min(trouble.when, key=lambda n: (not _is_inside(cases.tried[n]), n))
    return n, cases.tried[n]


def _finding(cases: Cases, trouble: _Trouble, rule: str, count: int, event: str, cure: str) -> Finding:
    """Report what happens to one variable: the number of cases, the first of them, and what to do."""
    n, case = _simplest(cases, trouble)
    element, inside = trouble.element, _is_inside(case)
    beyond = "" if inside else ", beyond its range," if len(case) == 1 else ", beyond their ranges,"
    first = f"first with {describe_case(case)}{beyond} at {trouble.when[n]:g}"
    text = f"'{element.name}' {event} in {count} of {len(cases.tried)} extreme cases, {first}; {cure}"
    numbers = {"cases": float(count), "tried": float(len(cases.tried)), "time": trouble.when[n]}
    return Finding("warning" if inside else "advice", rule, element.place, element.name, text, numbers)
