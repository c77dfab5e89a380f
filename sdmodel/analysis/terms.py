"""What a dataset of attributions is made of: the names of its dimensions, and of what stands beside each variable."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from ..dataset import find_variable, long_name
from ..errors import DatasetError

LEVER, OTHER, MEASURE = "lever", "other_lever", "measure"
"""Dimensions: the levers, the levers again where two act together, and the ways to count what one contributes."""

BASELINE, SCENARIO, INTERACTION = "baseline", "scenario", "interaction"
ERROR, SPREAD, DIFFERENCE, RANK = "standard_error", "spread", "difference_spread", "ranks_first"
"""What stands beside a variable: its values without and with all levers, the interaction of pairs, the standard error of
sampled Shapley values, and over members quantiles of these, quantiles of the whole difference, and the share of members in
which a lever contributes most."""

ANALYSIS, ATTRIBUTION = "analysis", "attribution"
"""The attribute of a dataset that tells what it answers, and its value for an attribution."""


@dataclass(frozen=True, eq=False)
class Attributed:
    """What a dataset of attributions holds of one variable, or of one label of it; what it does not hold is None."""

    name: str
    units: str
    baseline: xr.DataArray
    scenario: xr.DataArray
    contributions: xr.DataArray
    interaction: xr.DataArray | None
    standard_error: xr.DataArray | None
    spread: xr.DataArray | None
    difference_spread: xr.DataArray | None
    ranks_first: xr.DataArray | None


def beside(name: str, what: str) -> str:
    """The name of a variable that stands beside another in a dataset of attributions."""
    return f"{name}_{what}"


def attributed(dataset: xr.Dataset, name: str) -> Attributed:
    """What a dataset of attributions holds of the variable of that name, spelt as Vensim allows, or of `name[label]`.

    Raises
    ------
    DatasetError
        If the dataset is none of attributions, or lacks the variable.
    """
    if dataset.attrs.get(ANALYSIS) != ATTRIBUTION:
        message = "the dataset: is no attribution; make one with `sdmodel attribute`"
        raise DatasetError(message)
    found = find_variable(dataset, name)
    _, bracket, labels = long_name(found).partition("[")
    own = str(found.name)

    def part(what: str) -> xr.DataArray | None:
        if beside(own, what) not in dataset:
            return None
        return find_variable(dataset, f"{beside(own, what)}{bracket}{labels}")

    baseline, scenario = part(BASELINE), part(SCENARIO)
    if baseline is None or scenario is None:
        message = f"'{long_name(found)}' is not a variable that contributions were found for; `sdmodel show` lists them"
        raise DatasetError(message)
    rest = [part(what) for what in (INTERACTION, ERROR, SPREAD, DIFFERENCE, RANK)]
    return Attributed(long_name(found), str(found.attrs.get("units", "")), baseline, scenario, found, *rest)


def attributed_names(dataset: xr.Dataset) -> list[str]:
    """The variables that a dataset of attributions is about, by the author's spelling."""
    return [long_name(each) for each in dataset.data_vars.values() if MEASURE in each.dims]
