"""The dataset of an attribution: the names of its dimensions and variables, and what it contains for one variable."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from ..dataset import find_variable, long_name
from ..errors import DatasetError
from ..scenario import split_name

LEVER, OTHER, MEASURE = "lever", "other_lever", "measure"
"""Dimensions: the levers, the levers again for pairs, and the measures of what a lever contributes."""

BASELINE, SCENARIO, INTERACTION = "baseline", "scenario", "interaction"
ERROR, SPREAD, DIFFERENCE, RANK = "standard_error", "spread", "difference_spread", "ranks_first"
"""Suffixes of the variables that accompany each variable: its values without and with all levers, the interaction of pairs,
the standard error of sampled Shapley values, and over members the quantiles of Shapley values, the quantiles of the whole
difference, and the share of members in which a lever contributes most."""

ANALYSIS, ATTRIBUTION = "analysis", "attribution"
"""The attribute that says which analysis a dataset is, and its value for an attribution."""


@dataclass(frozen=True, eq=False)
class VariableAttribution:
    """What an attribution contains for one variable, or one label of it; parts that it lacks are None."""

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


def companion_name(name: str, suffix: str) -> str:
    """Return the name of a variable that accompanies another one."""
    return f"{name}_{suffix}"


def contributions_to(dataset: xr.Dataset, name: str) -> VariableAttribution:
    """Return what an attribution contains for a variable, `name` or `name[label]` in any spelling that Vensim allows.

    Raises
    ------
    DatasetError
        If the dataset is not an attribution, or lacks the variable.
    """
    if dataset.attrs.get(ANALYSIS) != ATTRIBUTION:
        message = "the dataset: is not an attribution; make one with `sdmodel attribute`"
        raise DatasetError(message)
    found = find_variable(dataset, name)
    labels = split_name(long_name(found))[1]
    variable = str(found.name)

    def companion(suffix: str) -> xr.DataArray | None:
        if companion_name(variable, suffix) not in dataset:
            return None
        name = companion_name(variable, suffix)
        return find_variable(dataset, f"{name}[{','.join(labels)}]" if labels else name)

    baseline, scenario = companion(BASELINE), companion(SCENARIO)
    if baseline is None or scenario is None:
        message = (
            f"'{long_name(found)}' is not a variable that contributions were computed for; `sdmodel show` lists them"
        )
        raise DatasetError(message)
    rest = [companion(suffix) for suffix in (INTERACTION, ERROR, SPREAD, DIFFERENCE, RANK)]
    return VariableAttribution(long_name(found), str(found.attrs.get("units", "")), baseline, scenario, found, *rest)


def attributed_variables(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables that an attribution explains, as written in the model."""
    return [long_name(variable) for variable in dataset.data_vars.values() if MEASURE in variable.dims]
