"""Rankings: the effect of each policy lever at the better end of its plausible range, once or over an ensemble's members."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import Outcome, quantiles, share_with_largest_range
from ..dataset import ANALYSIS, MEMBER, make_run
from ..ensemble import design_record
from ..errors import AnalysisError, list_some
from ..model import (
    Cell,
    Integrator,
    Model,
    quoted_cell,
    takes_model,
)
from ..scenario import (
    Design,
    Scenario,
    cell_values,
)
from ..simulation import (
    NotFiniteWarning,
    PreparedSimulation,
    Progress,
    RunWarning,
    ScenarioLike,
    memory_bytes,
    prepare_simulation,
    under_scenario,
    with_member_numbers,
)
from .attribution import LEVER
from .lever_ranges import Group, LeverRange, lever_ranges
from .sensitivity import Response, responses_of
from .worth import Worth, read_worth, within_run

RANKING = "ranking"
"""The value of the attribute `analysis` of a ranking."""
OUTCOME = "outcome"
"""The dimension of the outcomes: the target, the value over time if there is one, and the others."""
TOGETHER = "all together"
"""The last entry along the levers: all of them at the ends that are better alone."""
LOW, HIGH, PRESENT, BROKEN = "low", "high", "present", "not finite"
"""What is chosen for a lever: an end, its present value where neither end is better, or nothing where no run is finite."""
Goal = Literal["min", "max"]

_SAME = 1e-9
"""An effect below this share of the target is rounding."""
_STEP = 0.01
"""The step of a marginal effect, as a share of the lever's range."""
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over members."""
_BLOCK_BYTES = 2**26
"""Bytes of results that are computed at a time."""
_COPIES = 4
"""Copies of the outcomes of all members in memory while quantiles are computed."""

Numbers = NDArray[np.float64]


@takes_model
def rank_levers(
    model: Model,
    on: str,
    *,
    at: float | Outcome | None = None,
    levers: Mapping[str, tuple[float, float] | None] | None = None,
    group: Group = "levers",
    goal: Goal = "min",
    also: Sequence[str] = (),
    value: str | None = None,
    rate: float = 0.0,
    since: float | None = None,
    until: float | None = None,
    scenario: ScenarioLike | None = None,
    design: Design | None = None,
    integrator: Integrator | None = None,
    memory: str | float = "1GiB",
    progress: Progress | None = None,
) -> xr.Dataset:
    r"""Rank levers by what each does to an outcome when it alone moves to the better end of its plausible range.

    Both ends of each lever are run; the better one counts. A lever has no gain if neither is better than its present value.
    Values between the ends are not tried.

    Parameters
    ----------
    model : Model
        The model.
    on : str
        The target, `name` or `name[label]`.
    at : float or Outcome, optional
        The time at which the outcomes are compared, in the model's unit, or a statistic over time; by default the end.
    levers : mapping of str to (low, high) or None, optional
        The levers with their ranges, in the units of each; None takes the plausible range, which is that of the sensitivity
        file beside the model (`MODEL.vsc`), else that of the slider. All labels of a lever with subscripts move together,
        each to its own end.
    group : {"levers", "uncertainties", "all"}, default "levers"
        What is ranked if no levers are named: the policy levers, the uncertainties, or both. In a model without groups, all
        constants with a range.
    goal : {"min", "max"}, default "min"
        Whether a smaller or a larger target is better.
    also : sequence of str, optional
        Other variables to report, at the same time.
    value : str, optional
        A formula over variables of the model and `Time`. Its integral over time, discounted, is reported as another outcome,
        in the units of the formula times time. The formula changes linearly between saved times.
    rate : float, default 0.0
        Discount rate per unit of time: what comes a unit of time later counts 1/(1 + rate) as much.
    since, until : float, optional
        The times between which the value is counted, discounted to the first. By default from the constant `policy start date`
        or `policy start` if the model has one, else from the initial time, until the end.
    scenario : Scenario, path, or sequence of these, optional
        Changes that apply to all runs, the baseline included.
    design : Design, optional
        An ensemble: every member is also run with and without each lever, with the same sampled constants
        and random numbers. A ranked lever is not sampled.
    integrator : {"euler", "diff", "rk2", "rk2-auto", "rk4", "rk4-auto"}, optional
        The integration method; the model's own by default.
    memory : str or float, default "1GiB"
        Limit for the outcomes of all members.
    progress : callable, optional
        Called with the number of runs done and their total.

    Returns
    -------
    Dataset
        `effect` has the dimensions `lever` (the best first, then "all together") and `outcome` (the target first), in the
        units of each outcome; `baseline` has `outcome`. `present` and `chosen` are the values of each lever, in its units (not
        a number where its labels differ), and `side` is the chosen end: "low", "high", "present" where neither end is better, or
        "not finite". `marginal` is the effect on the target per unit of the lever near its present value. With a design also
        `effect_spread` and `baseline_spread`, quantiles over members; `ranks_first`, the share of members in which the lever
        is the best, of the `counted` ones in which some lever helps; and `left_out`, the number of members without a finite
        effect.

    Raises
    ------
    ScenarioError
        If a name is not in the model, a lever has no range, or the formula cannot be read.
    AnalysisError
        If the baseline is not finite, an argument makes no sense, or the outcomes of all members exceed `memory`.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(2*a - b, 0)\na = 3\nb = 1")
    >>> found = sd.rank_levers(model, "Stock", levers={"a": (2, 5), "b": (0, 4)}, at=10)
    >>> found["lever"].values.tolist(), found["effect"].sel(outcome="Stock").values.round(6).tolist()
    (['b', 'a', 'all together'], [-30.0, -20.0, -50.0])
    >>> found["chosen"].values[:2].tolist(), found["marginal"].values[:2].round(6).tolist()
    ([4.0, 2.0], [-10.0, 20.0])
    """
    if goal not in get_args(Goal):
        message = f"goal: {goal!r} is neither min nor max; say whether a smaller or a larger target is better"
        raise AnalysisError(message)
    model, changes = under_scenario(model, scenario)
    model = design.model(model, changes) if design else model
    ranked = lever_ranges(model, levers, group)
    outcome = at if isinstance(at, Outcome) else Outcome(at=at)
    responses = (
        *responses_of(model, [on], [outcome]),
        *(responses_of(model, also, [outcome], where="--also") if also else ()),
    )
    responses = tuple({response.cell: response for response in responses}.values())
    worth = None if value is None else read_worth(model, value, rate, since, until, changes)
    members = 0 if design is None else design.count
    if design is not None:
        _check_memory(design, ranked, len(responses) + (worth is not None), memory)
    trials = _prepare(model, ranked, responses, worth, changes, design, integrator)
    report = _Counter(progress, 4 * len(ranked) + 2 + members * (len(ranked) + 2))
    sign = -1.0 if goal == "min" else 1.0
    base = _rank_once(trials, sign, report)
    parts = _labelled(trials, base)
    if design is not None:
        report.total -= members * (len(ranked) - len(base.moves))
        parts = parts.merge(_over_members(trials, base, sign, report))
    order = [*np.argsort(-base.merits(sign), kind="stable"), len(ranked)]
    lines = {lever.name: base.changes(model, lever, place) for place, lever in enumerate(ranked)}
    record: dict[str, Any] = {
        ANALYSIS: RANKING,
        "goal": goal,
        "scenario": changes.text,
        "scenario_name": changes.name,
        "levers": json.dumps(lines, ensure_ascii=False),
        "runs": report.total,
        "members": members,
    }
    record |= {} if design is None else {**design_record(design), "design": design.text}
    if trials.worth is not None:
        record |= {name: getattr(trials.worth, name) for name in ("rate", "since", "until")}
        record["value"] = trials.worth.text
    run = make_run(model, trials.times, {}, attributes={"integrator": integrator or model.integrator})
    return run.merge(parts.isel({LEVER: order})).assign_attrs(run.attrs | record)


# Runs


@dataclass(frozen=True, eq=False)
class _Trials:
    """The simulation of levers over a baseline and over members, and the outcomes of its runs.

    `base` are the simulation's constants where no lever is moved, shape (1, constants), and `members` those of each member,
    shape (members, constants); `columns` are the places of each lever's cells among them.
    """

    levers: tuple[LeverRange, ...]
    responses: tuple[Response, ...]
    worth: Worth | None
    simulation: PreparedSimulation
    rows: Mapping[Cell, int]
    base: Numbers
    members: Numbers
    columns: tuple[NDArray[np.intp], ...]

    @property
    def times(self) -> Numbers:
        return self.simulation.times

    @property
    def count(self) -> int:
        """The number of outcomes."""
        return len(self.responses) + (self.worth is not None)

    @property
    def places(self) -> list[int]:
        """The places of the responses among the outcomes: the value over time stands second."""
        return [place for place in range(self.count) if place != 1 or self.worth is None]

    @property
    def run_bytes(self) -> int:
        """The size of the inputs and results of one run."""
        return 8 * (len(self.times) * len(self.rows) + self.base.size)

    def outcomes(self, points: Numbers) -> Numbers:
        """Return the outcomes of runs, shape (runs, outcomes), for constants of shape (runs, constants); not a number if infinite."""
        answers = np.empty((len(points), self.count))
        step = max(1, _BLOCK_BYTES // self.run_bytes)
        for first in range(0, len(points), step):
            part = slice(first, first + step)
            values = self.simulation.values(points[part])
            with np.errstate(all="ignore"):
                for place, response in zip(self.places, self.responses, strict=True):
                    answers[part, place] = response.outcome.of(self.times, values[:, self.rows[response.cell]])
                if self.worth is not None:
                    answers[part, 1] = self.worth.of(self.times, values, self.rows)
        answers[~np.isfinite(answers)] = np.nan
        return answers


def _check_memory(design: Design, levers: Sequence[LeverRange], outcomes: int, memory: str | float) -> None:
    constants = len(design.cells) + sum(len(lever.cells) for lever in levers)
    needed = 8 * design.count * (_COPIES * (len(levers) + 2) * outcomes + 2 * constants)
    if needed > memory_bytes(memory):
        cure = "allow that much with --memory, or use fewer members or outcomes"
        message = f"memory: the outcomes of {design.count:,} members take {needed / 2**20:,.0f} MiB; {cure}"
        raise AnalysisError(message)


def _prepare(
    model: Model,
    levers: Sequence[LeverRange],
    responses: Sequence[Response],
    worth: Worth | None,
    scenario: Scenario,
    design: Design | None,
    integrator: Integrator | None,
) -> _Trials:
    own = list(dict.fromkeys(cell for lever in levers for cell in lever.cells))
    sampled = _sampled_rows(model, design, set(own)) if design else {}
    cells = (*own, *sampled)
    known = cell_values(model, cells, scenario)
    base = np.array([[known[cell] for cell in cells]], dtype=float)
    members = np.repeat(base, design.count if design else 0, axis=0)
    if design:
        members[:, len(own) :] = design.values(0, design.count)[list(sampled.values())].T
        if model.draws:
            base, (cells, members) = np.append(base, [[0.0]], axis=1), with_member_numbers(cells, members)
    columns = tuple(np.array([own.index(cell) for cell in lever.cells], dtype=np.intp) for lever in levers)
    ends = [
        _moved(base, place, end)
        for lever, place in zip(levers, columns, strict=True)
        for end in (lever.low, lever.high)
    ]
    reached = np.concatenate([base, members, *ends])
    ranges = dict(zip(cells, zip(reached.min(axis=0).tolist(), reached.max(axis=0).tolist(), strict=True), strict=True))
    kept = list(dict.fromkeys([*(response.cell for response in responses), *(worth.cells.values() if worth else ())]))
    moments = [math.inf if response.outcome.at is None else response.outcome.at for response in responses]
    last = max([*moments, worth.until if worth else -math.inf])
    simulation = prepare_simulation(model, ranges, kept, scenario=scenario, integrator=integrator, until=last)
    worth = worth and within_run(worth, simulation.times)
    rows = {cell: row for row, cell in enumerate(kept)}
    return _Trials(tuple(levers), tuple(responses), worth, simulation, rows, base, members, columns)


def _sampled_rows(model: Model, design: Design, levers: Collection[Cell]) -> dict[Cell, int]:
    """Return the rows of a design by cell, without those of ranked levers."""
    found = {cell: row for row, cell in enumerate(design.cells) if cell not in levers}
    left_out = [f"'{name}'" for cell, name in zip(design.cells, design.names, strict=True) if cell in levers]
    if not found and not model.draws:
        message = "the design: samples only ranked levers; sample another constant, or rank fewer levers"
        raise AnalysisError(message)
    if left_out:
        warnings.warn(f"{list_some(left_out)}: ranked, so not sampled for each member", RunWarning, stacklevel=4)
    return found


def _moved(rows: Numbers, columns: NDArray[np.intp], ends: Sequence[float] | Numbers) -> Numbers:
    """Return rows of constants, shape (rows, constants), with those of one lever at other values."""
    moved = rows.copy()
    moved[:, columns] = ends
    return moved


class _Counter:
    """Reports the number of runs done."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def add(self, count: int) -> None:
        self.done += count
        if self.progress:
            self.progress(min(self.done, self.total), self.total)


@dataclass(frozen=True, eq=False)
class _Base:
    """What levers do without an ensemble: `effects` has the shape (levers + 1, outcomes), the last row all levers together.

    `ends` are the chosen values of each lever's cells, `sides` says which end that is, and `marginal` is the effect on the
    target per unit of the lever.
    """

    baseline: Numbers
    effects: Numbers
    ends: tuple[Numbers, ...]
    sides: tuple[str, ...]
    marginal: Numbers

    @property
    def moves(self) -> tuple[int, ...]:
        """The levers that are better at an end than at their present value."""
        return tuple(place for place, side in enumerate(self.sides) if side in (LOW, HIGH))

    def merits(self, sign: float) -> Numbers:
        """How much better each lever makes the target, in its units; minus infinity where no run is finite."""
        return np.nan_to_num(sign * self.effects[:-1, 0], nan=-np.inf)

    def changes(self, model: Model, lever: LeverRange, place: int) -> list[str]:
        """The lines of a change file that move a lever to its chosen end."""
        if place not in self.moves:
            return []
        numbers = zip(lever.cells, self.ends[place], strict=True)
        return [f"{quoted_cell(model, cell)} = {number:.10g}" for cell, number in numbers]


def _rank_once(trials: _Trials, sign: float, report: _Counter) -> _Base:
    levers, start = trials.levers, trials.base
    steps = [_steps(start[0, columns], lever) for columns, lever in zip(trials.columns, levers, strict=True)]
    points = [start]
    for lever, columns, (down, up) in zip(levers, trials.columns, steps, strict=True):
        present = start[0, columns]
        points += [_moved(start, columns, values) for values in (lever.low, lever.high, present - down, present + up)]
    answers = trials.outcomes(np.concatenate(points))
    report.add(len(answers))
    baseline, rest = answers[0], answers[1:].reshape(len(levers), 4, -1)
    if not np.isfinite(baseline[0]):
        message = f"{trials.responses[0]}: is not finite in the baseline; a smaller TIME STEP may help"
        raise AnalysisError(message)
    gains = sign * (rest[:, :2, 0] - baseline[0])
    _warn_of_broken(levers, gains)
    best = np.nan_to_num(gains, nan=-np.inf).argmax(axis=1)
    broken = np.isnan(gains).all(axis=1)
    helps = ~broken & (np.nanmax(gains, axis=1, initial=-np.inf) > _SAME * abs(baseline[0]))
    ends = tuple(
        np.array((lever.low, lever.high)[best[at]] if helps[at] else start[0, columns], dtype=float)
        for at, (lever, columns) in enumerate(zip(levers, trials.columns, strict=True))
    )
    sides = tuple(
        BROKEN if broken[at] else (LOW, HIGH)[best[at]] if helps[at] else PRESENT for at in range(len(levers))
    )
    effects = np.where(
        helps[:, None], rest[np.arange(len(levers)), best] - baseline, np.where(broken, np.nan, 0.0)[:, None]
    )
    widths = np.array([down + up for down, up in steps])
    with np.errstate(all="ignore"):
        marginal = (rest[:, 3, 0] - rest[:, 2, 0]) / widths
    together = start
    for columns, values in zip(trials.columns, ends, strict=True):
        together = _moved(together, columns, values)
    joint = trials.outcomes(together)
    report.add(1)
    if not np.isfinite(joint[0, 0]):
        message = "all levers together: the run is not finite; a smaller TIME STEP may help"
        warnings.warn(message, NotFiniteWarning, stacklevel=3)
    return _Base(baseline, np.concatenate([effects, joint - baseline]), ends, sides, marginal)


def _steps(present: Numbers, lever: LeverRange) -> tuple[float, float]:
    """Return the steps down and up from a lever's present values for its marginal effect, 0 where that leaves its range."""
    low, high = np.array(lever.low), np.array(lever.high)
    step = _STEP * float((high - low).min())
    down = step if (present - step >= low).all() else 0.0
    up = step if (present + step <= high).all() or not down else 0.0
    return down, up


def _warn_of_broken(levers: Sequence[LeverRange], gains: Numbers) -> None:
    for lever, pair in zip(levers, gains, strict=True):
        ends = [f"{end[0]:g}" for end, gain in zip((lever.low, lever.high), pair, strict=True) if np.isnan(gain)]
        if ends:
            rest = "it is not ranked" if len(ends) == len(pair) else "only its other end counts"
            message = f"'{lever.name}' at {' and at '.join(ends)}: the run is not finite, so {rest}; a smaller TIME STEP may help"
            warnings.warn(message, NotFiniteWarning, stacklevel=4)


def _over_members(trials: _Trials, base: _Base, sign: float, report: _Counter) -> xr.Dataset:
    """Run every member with and without each lever, and return quantiles of the effects and the shares that rank first.

    A lever moves to the end that is better without an ensemble, since a policy is one choice for all members.
    """
    levers, members = len(trials.levers), len(trials.members)
    moves = [(trials.columns[place], base.ends[place]) for place in base.moves]
    effects = np.zeros((levers + 1, trials.count, members))
    effects[[place for place, side in enumerate(base.sides) if side == BROKEN]] = np.nan
    baselines = np.empty((trials.count, members))
    step = max(1, _BLOCK_BYTES // (trials.run_bytes * (len(moves) + 2)))
    for first in range(0, members, step):
        start = together = trials.members[first : first + step]
        for move in moves:
            together = _moved(together, *move)
        cases = [start, *(_moved(start, *move) for move in moves), together]
        answers = trials.outcomes(np.concatenate(cases)).reshape(len(cases), len(start), trials.count)
        part = slice(first, first + len(start))
        baselines[:, part] = answers[0].T
        effects[:, :, part] += np.where(np.isfinite(answers[0]), 0.0, np.nan).T
        effects[[*base.moves, levers], :, part] = (answers[1:] - answers[0]).transpose(0, 2, 1)
        report.add(len(start) * len(cases))
    _warn_of_members(trials, base, effects[:, 0])
    merits = np.where(np.isnan(baselines[0]), np.nan, np.nan_to_num(sign * effects[:-1, 0], nan=-np.inf))
    first_shares = share_with_largest_range(xr.DataArray(merits, dims=(LEVER, MEMBER))).values
    whole = xr.Dataset({"effect": ((LEVER, OUTCOME, MEMBER), effects), "baseline": ((OUTCOME, MEMBER), baselines)})
    spread = quantiles(whole, list(map(str, whole.data_vars)), _LEVELS).drop_attrs()
    return spread.rename({name: f"{name}_spread" for name in spread.data_vars}).assign(
        ranks_first=((LEVER,), np.append(first_shares, np.nan)),
        left_out=((LEVER,), np.isnan(effects[:, 0]).sum(axis=1)),
        counted=((), int((merits.max(axis=0) > 0).sum())),
    )


def _warn_of_members(trials: _Trials, base: _Base, effects: Numbers) -> None:
    names = [*(lever.name for lever in trials.levers), TOGETHER]
    missing = np.isnan(effects).sum(axis=1)
    found = [f"'{names[place]}' in {missing[place]:,}" for place in (*base.moves, len(names) - 1) if missing[place]]
    if found:
        message = f"not finite in some of {effects.shape[1]:,} members, which are left out there: {list_some(found)}"
        warnings.warn(f"{message}; a smaller TIME STEP may help", NotFiniteWarning, stacklevel=4)


def _labelled(trials: _Trials, base: _Base) -> xr.Dataset:
    """Label what levers do without an ensemble."""
    levers, outcomes = trials.levers, list(trials.responses)
    names = [response.variable for response in outcomes]
    units = [response.units for response in outcomes]
    when = [str(response.outcome) for response in outcomes]
    if trials.worth is not None:
        worth = trials.worth
        names.insert(1, f"value of {worth.text}")
        units.insert(1, worth.units)
        when.insert(1, f"{worth.since:.10g} to {worth.until:.10g}")
    numbers = {
        "present": [trials.base[0, columns] for columns in trials.columns],
        "chosen": base.ends,
        "low": [lever.low for lever in levers],
        "high": [lever.high for lever in levers],
    }
    texts = {
        "side": base.sides,
        "lever_units": [lever.units for lever in levers],
        "source": [lever.source for lever in levers],
    }
    by_lever: dict[str, Any] = {name: [*map(_same_number, values), np.nan] for name, values in numbers.items()}
    by_lever |= {name: np.array([*values, ""], dtype=str) for name, values in texts.items()}
    by_lever["marginal"] = [*base.marginal, np.nan]
    by_outcome = {"baseline": base.baseline, "units": np.array(units, dtype=str), "when": np.array(when, dtype=str)}
    variables: dict[str, Any] = {"effect": ((LEVER, OUTCOME), base.effects)}
    variables |= {name: ((LEVER,), values) for name, values in by_lever.items()}
    variables |= {name: ((OUTCOME,), values) for name, values in by_outcome.items()}
    labels = {
        LEVER: np.array([*(lever.name for lever in levers), TOGETHER], dtype=str),
        OUTCOME: np.array(names, dtype=str),
    }
    return xr.Dataset(variables, labels)


def _same_number(values: Sequence[float] | Numbers) -> float:
    """The number of all cells of a lever, or NaN if they differ."""
    return float(values[0]) if all(value == values[0] for value in values) else math.nan
