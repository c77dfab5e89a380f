"""The extreme-condition test: what breaks when constants are driven to their ends (Forrester and Senge 1980)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import ModelError, SdmodelError, SimulationError
from ..model import Element
from .cases import Cases, Setting, cases_of, is_inside, settings_of, told
from .findings import Finding, Level
from .kept import flows_of, is_kept, is_signed
from .subject import Subject
from .trial import first_broken, quoted, simulated

_UNMADE = (ModelError, SimulationError)
"""What keeps a run from being made: its times, or the order of a delay, hang on what is varied."""
_ROOM = 2**24
"""So many values are held at once."""
_FEWEST = 8
"""So many cases are run together at least: a few registers full."""
_RERUNS = 40
"""So many broken cases are run again by themselves, to see what broke first."""
_TOLD = 4
"""So many constants that break the run beyond their ranges are named."""
_NEXT_TO_ZERO = 1e-6
"""How far below zero a stock may be by rounding, relative to its largest size in the run as it stands."""


@dataclass
class _Trouble:
    """What goes wrong with one variable: in which cases, and when first in each."""

    element: Element
    when: dict[int, float] = field(default_factory=dict)


def find_extremes(subject: Subject) -> Iterator[Finding]:
    """What ceases to be finite, or turns negative though it cannot be, in extreme cases; one finding for each variable."""
    if "not_finite" in subject.base.attrs:
        return
    steps = subject.base.sizes["time"]
    cases = cases_of(subject, steps)
    if not cases.tried:
        what = "no constant has a range, so that no extreme values were tried; give those that may vary a [min,max]"
        yield Finding("advice", "extreme", subject.model.path, "", what)
        return
    try:
        found = list(_troubles(subject, cases))
    except _UNMADE:
        varied = {each.constant.key: each.constant for case in cases.tried for each in case}
        unfit = dict(_unfit(subject, list(varied.values())))
        yield from (_untried(subject, constant, why) for constant, why in unfit.values())
        try:
            found = list(_troubles(subject, cases_of(subject, steps, unfit)))
        except _UNMADE as error:  # it takes two constants together
            found = [_untried(subject, None, error)]
    yield from found


def _troubles(subject: Subject, cases: Cases) -> Iterator[Finding]:
    broken, negative = _try_all(subject, cases)
    yield from _not_finite(subject, cases, broken)
    for trouble in negative.values():
        yield _negative(subject, cases, trouble)
    if len(cases.tried) < cases.possible:
        what = f"{len(cases.tried)} of {cases.possible} extreme cases were tried, chosen by chance; take ranges from constants that do not vary, to try more of the rest"
        yield Finding("advice", "extreme", subject.model.path, "", what)


def _unfit(subject: Subject, constants: Sequence[Element]) -> Iterator[tuple[str, tuple[Element, SdmodelError]]]:
    """The constants with which no run can be made, as that of the order of a delay, by key, and why; halves are searched."""
    cases = Cases(tuple((each,) for constant in constants for each in settings_of(subject, constant)), 0)
    try:
        _block(subject, cases, range(len(cases.tried)), subject.elements[:1])
    except _UNMADE as error:
        middle = len(constants) // 2
        if middle == 0:
            yield constants[0].key, (constants[0], error)
        else:
            yield from _unfit(subject, constants[:middle])
            yield from _unfit(subject, constants[middle:])


def _untried(subject: Subject, constant: Element | None, error: SdmodelError) -> Finding:
    why = error.faults[0].what if isinstance(error, ModelError) else str(error)
    name, of = (constant.name, f" of '{constant.name}'") if constant else ("", "")
    where = constant.place if constant else subject.model.path
    return Finding("advice", "extreme", where, name, f"extreme values{of} could not be tried: {why}")


def _try_all(subject: Subject, cases: Cases) -> tuple[list[int], dict[str, _Trouble]]:
    """The cases that do not stay finite, and the stocks that turn negative."""
    kept = _kept(subject)
    guarded = [each for each in kept if each.kind == "stock" and is_kept(subject, each)]
    rows = sum(subject.values(subject.base, each.key)[0].size for each in kept)
    size = max(_FEWEST, _ROOM // max(1, rows * subject.asked.sizes["time"]))
    broken: list[int] = []
    negative: dict[str, _Trouble] = {}
    for first in range(0, len(cases.tried), size):
        run = _block(subject, cases, range(first, min(first + size, len(cases.tried))), kept)
        finite = np.ones(run.sizes["member"], dtype=bool)
        for element in kept:
            finite &= _is_finite(subject, run, element)
        broken += [first + int(member) for member in np.flatnonzero(~finite)]
        for element in guarded:
            for member, time in _below(subject, run, element):
                negative.setdefault(element.key, _Trouble(element)).when[first + member] = time
    return broken, negative


def _kept(subject: Subject) -> list[Element]:
    """What shows whether anything breaks: stocks, flows, and the ends of chains of causes."""
    moving = [each for each in subject.elements if each.kind not in {"constant", "lookup"}]
    return [each for each in moving if each.kind != "auxiliary" or each.key not in subject.used]


def _is_finite(subject: Subject, run: xr.Dataset, element: Element) -> NDArray[np.bool_]:
    """Whether an element stays finite, member by member; cells without an equation never count."""
    values = subject.values(run, element.key)
    flat = values.reshape(len(values), -1, values.shape[-1])
    defined = np.isfinite(subject.values(subject.base, element.key)).reshape(-1, flat.shape[1]).all(axis=0)
    return np.asarray(np.isfinite(flat[:, defined]).all(axis=(0, 1)))


def _block(subject: Subject, cases: Cases, which: range, kept: Sequence[Element]) -> xr.Dataset:
    """The runs of some cases along `member`, saved as the model asks."""
    columns = cases.columns(which.start, which.stop, subject.plan.constants)
    constants = {quoted(subject.model, cell): column for cell, column in columns.items()}
    return simulated(subject.model, constants, save=[each.name for each in kept])


def _below(subject: Subject, run: xr.Dataset, element: Element) -> Iterator[tuple[int, float]]:
    """The members in which a stock is negative, each with the first time."""
    values = subject.values(run, element.key)
    values = values.reshape(len(values), -1, values.shape[-1])
    slack = _NEXT_TO_ZERO * float(np.abs(subject.values(subject.base, element.key)).max())
    below = np.any(values < -slack, axis=1)
    for member in np.flatnonzero(below.any(axis=0)):
        yield int(member), float(run["time"].values[int(below[:, member].argmax())])


def _not_finite(subject: Subject, cases: Cases, broken: Sequence[int]) -> Iterator[Finding]:
    """What breaks first in the cases that break, variable by variable; a pair is put down to the one that breaks alone."""
    alone = {id(cases.tried[n][0]): n for n in broken if len(cases.tried[n]) == 1}
    root = {n: next((alone[id(each)] for each in cases.tried[n] if id(each) in alone), n) for n in broken}
    roots = list(dict.fromkeys(root.values()))
    roots.sort(key=lambda n: (not is_inside(cases.tried[n]), n))
    troubles: dict[str, _Trouble] = {}
    names: dict[int, str] = {}
    for n in roots[:_RERUNS]:
        found = first_broken(simulated(subject.model, _alone(subject, cases.tried[n])))
        if found is not None and found[0] in subject.model:
            names[n], time = found
            troubles.setdefault(names[n], _Trouble(subject.model[names[n]])).when[n] = time
    beyond = [each for each in troubles.values() if not is_inside(cases.tried[_first(cases, each)])]
    for name, trouble in troubles.items():
        if trouble not in beyond:
            count = sum(names.get(each) == name for each in root.values())
            cure = "guard what divides by it or grows without bound, or narrow the range"
            yield _finding(subject, cases, trouble, (count, "is not finite", cure))
    if beyond:
        yield _beyond(cases, beyond)


def _beyond(cases: Cases, troubles: Sequence[_Trouble]) -> Finding:
    """One finding for all that breaks only where ranges do not allow it: most often a time that is zero."""
    firsts = [(cases.tried[_first(cases, each)], each.element) for each in troubles]
    parts = [f"{told(case)} (then '{element.name}' is not finite)" for case, element in firsts[:_TOLD]]
    others = f" and {len(firsts) - _TOLD} more" if len(firsts) > _TOLD else ""
    what = f"beyond the ranges of constants the run breaks: {', '.join(parts)}{others}; the ranges keep these out"
    place = firsts[0][0][0].constant.place
    numbers = {"cases": float(len(firsts)), "tried": float(len(cases.tried))}
    return Finding("advice", "extreme", place, firsts[0][0][0].constant.name, what, numbers)


def _alone(subject: Subject, case: Sequence[Setting]) -> dict[str, float]:
    """What sets one case by itself."""
    return {quoted(subject.model, cell): value for each in case for cell, value in each.values.items()}


def _negative(subject: Subject, cases: Cases, trouble: _Trouble) -> Finding:
    """A stock that turns negative, with the flow that drains it."""
    case = cases.tried[_first(cases, trouble)]
    run = simulated(subject.model, {**subject.every_step, **_alone(subject, case)})
    cure = _drain(subject, run, trouble.element) or "let what drains it end with it"
    return _finding(subject, cases, trouble, (len(trouble.when), "turns negative", cure))


def _drain(subject: Subject, run: xr.Dataset, stock: Element) -> str:
    """What to do about the largest outflow of a stock at the step that takes it below zero, or nothing."""
    if is_signed(stock):  # what may be negative need not be held back by what there is of it
        return "correct what drives it, or its range"
    values = subject.values(run, stock.key)
    values = values.reshape(len(values), -1)
    below = values < 0
    if not below.any() or below[0].any():
        return ""
    at = int(below.any(axis=1).argmax())
    label = int(below[at].argmax())
    outflows = {}
    for name in (name for name, sign in flows_of(stock) or () if sign < 0 and name in subject.model.elements):
        flow = subject.values(run, name).reshape(len(subject.values(run, name)), -1)
        if flow.shape[1] == values.shape[1]:
            outflows[name] = np.broadcast_to(flow, values.shape)[at - 1 : at + 1, label]
    if not outflows:
        return ""
    largest = max(outflows, key=lambda name: float(outflows[name][0]))
    name = subject.model.elements[largest].name
    how = "goes on when it is empty" if outflows[largest][1] > 0 else "takes more than there is within a step"
    return f"'{name}' {how}; bound it, as in MIN({name}, {stock.name}/TIME STEP)"


def _first(cases: Cases, trouble: _Trouble) -> int:
    """The simplest case with a trouble: one that the ranges allow, one constant rather than two."""
    return min(trouble.when, key=lambda n: (not is_inside(cases.tried[n]), n))


def _finding(subject: Subject, cases: Cases, trouble: _Trouble, told_of: tuple[int, str, str]) -> Finding:
    """What happens to one variable in how many cases, with the first and what to do."""
    count, what, cure = told_of
    n = _first(cases, trouble)
    case, element = cases.tried[n], trouble.element
    inside = is_inside(case)
    level: Level = "warning" if inside else "advice"
    beyond = "" if inside else ", beyond its range," if len(case) == 1 else ", beyond their ranges,"
    many = f"{count} of {len(cases.tried)} extreme cases"
    text = f"'{element.name}' {what} in {many}, first with {told(case)}{beyond} at {trouble.when[n]:g}; {cure}"
    numbers = {"cases": float(count), "tried": float(len(cases.tried)), "time": trouble.when[n]}
    rule = "negative" if "negative" in what else "extreme"
    return Finding(level, rule, element.place, element.name, text, numbers)
