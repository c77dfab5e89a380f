"""Contributions of levers: to the joint effect of several, as weights of the runs of their subsets, and in sweeps one by one.

The run of subset k moves lever i where bit i of k is set; v(S) is any number of the run of subset S. Each measure is a
weighted sum of v over all subsets, so that the same weights serve every variable, time and member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import factorial
from typing import Any, Literal

import numpy as np
import xarray as xr

from ..dataset import MEMBER, TIME, base_positions, lever_dims
from ..errors import DatasetError
from .differences import Numbers
from .outcomes import OutcomeLike, as_outcome, outcome_of

Measure = Literal["alone", "shapley", "last"]
MEASURES: tuple[Measure, ...] = ("alone", "shapley", "last")
"""The effect of a lever moved first, its mean over all orders, and its effect moved last."""
LEVER = "lever"
"""The dimension of a ranking of levers."""


@dataclass(frozen=True, eq=False)
class VariableAttribution:
    """What an attribution contains for one variable, or one label of it, in its units; parts that it lacks are None.

    `contributions` has the dimensions measure, lever and time, `baseline` and `scenario` have time. `spread` holds quantiles of
    the Shapley values over members, with the dimensions probability, lever and time, and `difference_spread` those of the
    whole difference.
    """

    name: str
    units: str
    baseline: xr.DataArray
    scenario: xr.DataArray
    contributions: xr.DataArray
    interaction: xr.DataArray | None = None
    standard_error: xr.DataArray | None = None
    spread: xr.DataArray | None = None
    difference_spread: xr.DataArray | None = None
    ranks_first: xr.DataArray | None = None

    @property
    def shapley(self) -> xr.DataArray:
        """The Shapley values, with the dimensions lever and time."""
        return self.contributions.sel(measure="shapley")

    @property
    def sizes(self) -> Numbers:
        """The sum over time of the absolute Shapley values of each lever, shape (levers,); what is not finite counts as 0."""
        return np.asarray(np.nan_to_num(np.abs(self.shapley.transpose(TIME, LEVER).values)).sum(axis=0))

    def at(self, outcome: OutcomeLike) -> VariableAttribution:
        """Return the attribution of one number, such as the value at a date; the dimension time has that date alone."""
        chosen = as_outcome(outcome)
        when = {TIME: [0.0 if chosen.at is None else chosen.at]}
        parts = ((part.name, getattr(self, part.name)) for part in fields(self))
        arrays = ((name, part) for name, part in parts if isinstance(part, xr.DataArray))
        single: dict[str, Any] = {name: outcome_of(part, chosen).expand_dims(when) for name, part in arrays}
        return replace(self, **single)


def measure_weights(count: int) -> Numbers:
    """Return the weights of all measures, shape (measures, levers, 2^levers).

    The Shapley value is the sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)) (Shapley, 1953, "A value for
    n-person games"). Over all levers it adds up to v(all) - v(none); the other measures need not.
    """
    codes = np.arange(1 << count)
    sizes = np.bitwise_count(codes).astype(int)
    orders = np.array([factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)])
    weights = np.zeros((len(MEASURES), count, len(codes)))
    for lever in range(count):
        bit = 1 << lever
        without = codes[codes & bit == 0]
        weights[0, lever, [bit, 0]] = 1.0, -1.0
        weights[1, lever, without | bit] = orders[sizes[without]]
        weights[1, lever, without] = -orders[sizes[without]]
        weights[2, lever, [-1, len(codes) - 1 - bit]] = 1.0, -1.0
    return weights


def interaction_weights(count: int) -> Numbers:
    """Return the weights of the pairwise Shapley interaction index, shape (levers, levers, 2^levers), zero on the diagonal.

    The index is the sum over S without i and j of |S|! (n - |S| - 2)! / (n - 1)! (v(S + i + j) - v(S + i) - v(S + j) + v(S)):
    positive where two levers together do more than the sum of both. Source: Grabisch and Roubens (1999), Int. J. Game
    Theory 28.
    """
    codes = np.arange(1 << count)
    sizes = np.bitwise_count(codes).astype(int)
    others = count - 1
    orders = np.array([factorial(size) * factorial(others - size - 1) / factorial(others) for size in range(others)])
    weights = np.zeros((count, count, len(codes)))
    for one in range(count):
        for other in range(one):
            first, second = 1 << one, 1 << other
            without = codes[codes & (first | second) == 0]
            share = orders[sizes[without]]
            pair = weights[one, other]
            pair[without | first | second], pair[without] = share, share
            pair[without | first], pair[without | second] = -share, -share
            weights[other, one] = pair
    return weights


def largest_contributors(contributions: Numbers) -> Numbers:
    """Mark the lever with the largest contribution, whatever its sign, by 1 and the others by 0, shape (levers, ...).

    Levers with equal contributions share the 1. All are 0 where all contributions are zero, NaN where one is not finite.
    """
    sizes = np.abs(contributions)
    most = sizes.max(axis=0)
    first = (sizes == most) & (most > 0)
    return np.asarray(np.where(np.isfinite(most), first / np.maximum(first.sum(axis=0), 1), np.nan), dtype=float)


def differences_from_base(values: xr.DataArray) -> xr.DataArray:
    """Return the differences of a sweep's values from those at the levers' own values, in their units and dimensions.

    Raises DatasetError if the sweep has no lever's own value.
    """
    positions = base_positions(values)
    if not positions:
        name = values.attrs.get("long_name", values.name)
        message = f"'{name}': no lever was run at its own value; sweep it with its base"
        raise DatasetError(message)
    return (values - values.isel(positions, drop=True)).assign_attrs(values.attrs)


def outcome_ranges(outcomes: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Return how far each lever alone moves an outcome, its largest minus its smallest value, dims lever and the rest.

    `outcomes` are those of sweeps of one lever each, by its name; values that are not finite are left out. Raises
    DatasetError if one is not the outcome of a sweep.
    """
    found = []
    for name, values in outcomes.items():
        dims = lever_dims(values)
        if not dims:
            message = f"'{name}': is not swept; give the outcome of a sweep"
            raise DatasetError(message)
        finite = values.where(np.isfinite(values))
        found.append((finite.max(dims) - finite.min(dims)).expand_dims({LEVER: [name]}))
    return xr.concat(found, LEVER, coords="minimal", compat="override")


def share_with_largest_range(ranges: xr.DataArray) -> xr.DataArray:
    """Return the share of members in which each lever moves the outcome most, dims lever and the rest but members.

    Levers that move it equally far share a member. A member without any effect, or with a range that is not a number, does
    not count.
    """
    counted = ranges.notnull().all(LEVER) & (ranges.max(LEVER) > 0)
    first = (ranges == ranges.max(LEVER)) & counted
    shares = first / first.sum(LEVER).where(counted)
    return shares.mean(MEMBER, skipna=True) if MEMBER in ranges.dims else shares
