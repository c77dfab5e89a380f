"""Scenario discovery: boxes of constants in which an outcome of an ensemble lies beyond a threshold, by PRIM.

The boxes are those of the EMA workbench, an optional package.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import Outcome, OutcomeLike, as_outcome, outcome_of
from ..dataset import (
    BLOCK,
    MEMBER,
    TIME,
    bare_variables,
    find_variable,
    labels_along,
    long_name,
    member_blocks,
    member_dims,
    subscript_dims,
    with_labels,
)
from ..errors import AnalysisError
from ..extras import check_extra, load_extra
from ..numerals import format_number

_BY_CHANCE = 0.05
"""A restriction with a larger quasi-p value may be due to chance."""
_TASK = "scenario discovery"
_MEMBERS = 4096
"""Members to read at a time if the ensemble is not stored in blocks."""
_ANY = 1e-9
"""The workbench keeps each box, whatever its density: the choice among the steps of its trade-off is made here."""
_STEPS = {"coverage": "coverage", "density": "density", "mass": "mass", "restricted": "res_dim"}
"""What the dataset has of each step, and what the workbench calls it."""


def discover_scenarios(
    run: xr.Dataset,
    name: str,
    outcome: OutcomeLike = "last",
    *,
    above: float | None = None,
    below: float | None = None,
    density: float = 0.8,
    mass: float = 0.05,
    boxes: int = 3,
) -> xr.Dataset:
    r"""Find the values of sampled constants that lead to an outcome above or below a threshold: scenario discovery.

    The patient rule induction method (PRIM) peels the ensemble: from the box that holds all members it cuts away, again and
    again, the twentieth of the members at one end of one constant whose loss raises the density of cases most. Each step
    trades coverage for density. The box of a trade-off is the one with the largest coverage that reaches the density after
    ends that may be due to chance are free again, where that is possible; the next box is searched among the members outside
    it. The implementation is that of the EMA workbench.

    Parameters
    ----------
    run : xarray.Dataset
        An ensemble, as `simulate` or `open_run` return it.
    name : str
        A variable, `name` or `name[label]`.
    outcome : str, float or Outcome, default "last"
        What of the variable counts: a statistic over time, such as "max", or a date in the model's unit of time.
    above, below : float
        The threshold, in units of the outcome; give one of them. Members beyond it are the cases of interest.
    density : float, default 0.8
        The share of cases that a box must reach among its members.
    mass : float, default 0.05
        The share of all members that a box must hold at least.
    boxes : int, default 3
        The largest number of boxes.

    Returns
    -------
    xarray.Dataset
        Over `box`: `coverage` (the share of all cases inside), `density` (the share of cases among the members inside), `mass`
        (the share of all members inside), `members`, `cases` and `step`, the place in the trade-off from which the box comes.
        `plain_density` is the largest density that was found without doubtful ends, 0 if none was. If it is below the wanted
        density, the box has doubtful ends, as only the first may.

        Over `box` and `parameter`, in units of each constant: `low` and `high`, where the box ends, and their quasi-p values
        `low_p` and `high_p`; NaN at an end that is not restricted. A quasi-p value is the probability that chance alone gives
        as many cases without this end; an end with more than the attribute `doubtful_above`, 0.05, is doubtful.

        Over `parameter`: `least` and `most`, the ends of the sample. Over `box` and `trade_off`: the trade-off,
        `step_coverage`, `step_density`, `step_mass` and `step_restricted`, the number of restricted constants. The attribute
        `left_out` counts the members without a number.

    Raises
    ------
    AnalysisError
        If the workbench is not installed, the run is not an ensemble, no constant varies, the threshold has no members on
        one of its sides, or no box reaches the density.
    DatasetError
        If the run lacks the variable, or a date lies outside it.

    References
    ----------
    J. H. Friedman and N. I. Fisher, "Bump hunting in high-dimensional data", Statistics and Computing 9, 1999; B. P. Bryant and
    R. J. Lempert, "Thinking inside the box", Technological Forecasting and Social Change 77, 2010.

    Examples
    --------
    >>> import sdmodel as sd  # doctest: +SKIP
    >>> ensemble = sd.open_run("runs/spread.zarr")  # doctest: +SKIP
    >>> found = sd.discover_scenarios(ensemble, "beds needed", "max", above=5000)  # doctest: +SKIP
    >>> found["coverage"].values, found["density"].values  # doctest: +SKIP
    """
    threshold, side = check_discovery(above, below, density=density, mass=mass, boxes=boxes)
    question = _question(run, name, as_outcome(outcome), threshold, side)
    constants = _sampled_constants(run)
    values, points = question.values, np.column_stack([constant.values for constant in constants])
    known = np.isfinite(values) & np.isfinite(points).all(axis=1)
    cases = (values > threshold if side == "above" else values < threshold)[known]
    _check_sides(question, values[known], cases, density)
    found = _boxes(question, points[known], cases, density, mass, boxes)
    kept = ("model", "model_sha256", "scenario", "scenario_name")
    attributes = {own: run.attrs[own] for own in kept if own in run.attrs}
    attributes |= {"outcome": question.label, "outcome_units": question.units, "threshold": threshold, "side": side}
    attributes |= {
        "wanted_density": density,
        "least_mass": mass,
        "doubtful_above": _BY_CHANCE,
        "members": cases.size,
        "cases": int(cases.sum()),
    }
    return _dataset(found, constants, points[known]).assign_attrs(attributes, left_out=int((~known).sum()))


def check_discovery(
    above: float | None, below: float | None, *, density: float = 0.8, mass: float = 0.05, boxes: int = 3
) -> tuple[float, str]:
    """Return the threshold and its side; checks before any work that the numbers are valid and the workbench is installed.

    Raises
    ------
    AnalysisError
        If not; the message says how to install the workbench.
    """
    given = [(value, side) for value, side in ((above, "above"), (below, "below")) if value is not None]
    if len(given) != 1:
        message = "the threshold: give either above (--above) or below (--below), one number"
        raise AnalysisError(message)
    for what, share in (("density", density), ("mass", mass)):
        if not 0 < share <= 1:
            message = f"{what} is {share:.10g}; it must be above 0 and at most 1"
            raise AnalysisError(message)
    if boxes < 1:
        message = f"boxes is {boxes}; it must be at least 1"
        raise AnalysisError(message)
    check_extra("ema", task=_TASK, error=AnalysisError)
    return given[0]


@dataclass(frozen=True, eq=False)
class _Question:
    """The outcome of each member, shape (members,), and the statement about it."""

    label: str
    units: str
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Constant:
    """One cell of a sampled constant: its value in each member, shape (members,)."""

    name: str
    units: str
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Box:
    """A box: its trade-off, the step chosen, the best density without doubtful ends, its measures, limits and quasi-p values.

    Limits and quasi-p values have the shape (constants, 2).
    """

    trade: Any
    step: int
    plain_density: float
    measures: Any
    limits: NDArray[np.float64]
    chances: NDArray[np.float64]


def _question(run: xr.Dataset, name: str, outcome: Outcome, threshold: float, side: str) -> _Question:
    if MEMBER not in run.dims:
        message = f"'{name}': the run has no members; give an ensemble, which `sdmodel ensemble` makes"
        raise AnalysisError(message)
    variable = find_variable(run, name)
    dims = subscript_dims(variable)
    own = long_name(variable)
    if dims:
        _, labels = next(labels_along(variable, dims))
        message = f"'{own}' is several numbers at a time; name one of them, such as '{with_labels(own, labels)}'"
        raise AnalysisError(message)
    if MEMBER not in variable.dims or set(member_dims(variable)) != {MEMBER}:
        message = f"'{own}' is the same in all members, or varies along levers too; name a variable of the ensemble"
        raise AnalysisError(message)
    most = 1 if BLOCK in run.attrs else _MEMBERS
    parts = [outcome_of(find_variable(part, name), outcome) for _, _, part in member_blocks(run, MEMBER, most)]
    units = str(parts[0].attrs.get("units", ""))
    shown = f"{own} {outcome}" if TIME in variable.dims else own
    label = f"{shown} {side} {format_number(threshold, units)} {units}".strip()
    return _Question(label, units, np.concatenate([np.asarray(part.values, dtype=float) for part in parts]))


def _sampled_constants(run: xr.Dataset) -> list[_Constant]:
    """The constants that vary over members, cell by cell."""
    found = []
    for name, bare in bare_variables(run).items():
        if bare.attrs.get("kind") != "constant" or MEMBER not in bare.dims:
            continue
        variable = run[name]
        dims, units = subscript_dims(variable), str(variable.attrs.get("units", ""))
        for place, labels in labels_along(variable, dims):
            values = np.asarray(variable.isel(dict(zip(dims, place, strict=True))).values, dtype=float)
            if values.size and values.min() < values.max():
                found.append(_Constant(with_labels(long_name(variable), labels), units, values))
    if not found:
        what = "no saved constant varies between its members"
        message = f"the ensemble: {what}; sample some, and save them, as `sdmodel ensemble -e FILE.vsc` does"
        raise AnalysisError(message)
    return found


def _check_sides(question: _Question, values: NDArray[np.float64], cases: NDArray[np.bool_], density: float) -> None:
    """Check that there are members on both sides of the threshold, and that fewer are cases than a box must have."""
    if not values.size:
        message = f"{question.label}: no member has a number; choose another outcome"
        raise AnalysisError(message)
    if values.min() == values.max():
        message = f"{question.label}: the outcome is the same in all members; choose another variable or outcome"
        raise AnalysisError(message)
    ends = " to ".join(format_number(float(end), question.units) for end in (values.min(), values.max()))
    share = float(cases.mean())
    if share == 0:
        message = f"{question.label}: holds in no member; choose a threshold from {ends}"
        raise AnalysisError(message)
    if share >= density:
        what = f"holds in {100 * share:.3g} % of all members"
        message = (
            f"{question.label}: {what}; choose a threshold from {ends} beyond which fewer lie, or a larger density"
        )
        raise AnalysisError(message)


def _boxes(
    question: _Question, points: NDArray[np.float64], cases: NDArray[np.bool_], density: float, mass: float, most: int
) -> list[_Box]:
    import pandas as pd

    with warnings.catch_warnings():  # the workbench warns of packages that it could use, and pandas of its future
        warnings.simplefilter("ignore")
        prim = load_extra("ema_workbench.analysis.prim", extra="ema", task=_TASK, error=AnalysisError)
        # columns have numbers for names: the workbench drops one named "scenario"
        names = [str(place) for place in range(points.shape[1])]
        search = prim.Prim(pd.DataFrame(points, columns=names), cases, threshold=_ANY, mass_min=mass)
        found: list[_Box] = []
        while len(found) < most and (box := search.find_box()) is not None:
            trade, chosen = box.peeling_trajectory, _choose(box, density)
            if found and (chosen is None or chosen[2] < density):
                break
            if chosen is None:
                what = f"PRIM finds no box of density {density:.3g} with at least {100 * mass:.3g} % of the members"
                best = math.floor(100 * trade["density"].max()) / 100
                cure = f"density up to {best:g}" if best > cases.mean() else "smaller mass"
                message = f"{question.label}: {what}; give a {cure}, or run more members"
                raise AnalysisError(message)
            step, place, plain = chosen
            box.select(place)
            chances = np.array([box.qp[place].get(name, (-1, -1)) for name in names], dtype=float)
            chances[chances < 0] = np.nan
            limits = np.where(np.isnan(chances), np.nan, box.box_lims[place][names].to_numpy(dtype=float).T)
            found.append(_Box(trade, step, plain, box.peeling_trajectory.loc[place], limits, chances))
    return found


def _choose(box: Any, density: float) -> tuple[int, int, float] | None:
    """The step with the largest coverage that reaches a density even without doubtful ends, and the place of that box.

    If no step does, the one with the largest coverage that reaches it as it is; None if there is none of these either. Also
    returned is the largest density that was found without doubtful ends.
    """
    trade = box.peeling_trajectory
    fit = trade[(trade["density"] >= density) & (trade["res_dim"] > 0)]
    fit = fit.sort_values(["coverage", "density", "res_dim"], ascending=[False, False, True])
    best = 0.0
    for step in map(int, fit.index):
        place = _without_doubtful(box, step)
        if place is None:
            continue
        best = max(best, float(box.peeling_trajectory["density"][place]))
        if best >= density:
            return step, place, best
    return (int(fit.index[0]), int(fit.index[0]), best) if len(fit) else None


def _without_doubtful(box: Any, step: int) -> int | None:
    """The place of the box of a step without the ends that may be due to chance; None if all of them may be.

    The more doubtful half of these ends is freed at a time.
    """
    place, members = step, box.prim.yi_remaining
    points, widest = box.prim.x.loc[members].to_numpy(), box.box_lims[0]
    while True:
        chances = {
            (end, name): chance
            for name, ends in box.qp[place].items()
            for end, chance in enumerate(ends)
            if chance >= 0
        }
        doubtful = sorted((own for own in chances if chances[own] > _BY_CHANCE), key=lambda own: -chances[own])
        if not doubtful:
            return place
        if len(chances) == 1:
            return None
        limits = box.box_lims[place].copy()
        for end, name in doubtful[: -(-len(doubtful) // 2)]:
            limits.loc[end, name] = widest.loc[end, name]
        low, high = limits.to_numpy()
        box.update(limits, members[((low <= points) & (points <= high)).all(axis=1)])
        place = len(box.peeling_trajectory) - 1


def _dataset(boxes: Sequence[_Box], constants: Sequence[_Constant], points: NDArray[np.float64]) -> xr.Dataset:
    steps = range(max(len(box.trade) for box in boxes))
    trades = {name: np.array([box.trade[own].reindex(steps) for box in boxes]) for name, own in _STEPS.items()}
    limits, chances = (np.array([getattr(box, name) for box in boxes]) for name in ("limits", "chances"))
    ends = {"low": limits[..., 0], "high": limits[..., 1], "low_p": chances[..., 0], "high_p": chances[..., 1]}
    own: dict[str, Any] = {
        name: [float(box.measures[name]) for box in boxes] for name in ("coverage", "density", "mass")
    }
    own |= {name: [int(box.measures[key]) for box in boxes] for name, key in (("members", "n"), ("cases", "k"))}
    own |= {name: [getattr(box, name) for box in boxes] for name in ("step", "plain_density")}
    return xr.Dataset(
        {name: ("box", values) for name, values in own.items()}
        | {name: (("box", "parameter"), values) for name, values in ends.items()}
        | {"least": ("parameter", points.min(axis=0)), "most": ("parameter", points.max(axis=0))}
        | {f"step_{name}": (("box", "trade_off"), values) for name, values in trades.items()},
        {
            "box": np.arange(len(boxes)) + 1,
            "parameter": [constant.name for constant in constants],
            "parameter_units": ("parameter", [constant.units for constant in constants]),
        },
    )
