"""How far runs are from a baseline over time: one panel a variable, the baseline a line at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xarray as xr
from matplotlib.figure import Figure

from ..dataset import PROBABILITY, find_variable
from .bands import plot_bands


def plot_differences(
    baseline: str,
    before: xr.Dataset,
    differences: Mapping[str, xr.Dataset],
    names: Sequence[str],
    *,
    title: str | None = None,
) -> Figure:
    """Small multiples over time of differences from a baseline, one panel for each of the variables `names`, in their units.

    Each of `differences` holds the distance of a run from the run `before`, or quantiles of it over `probability`, which are
    a median and bands. Colours are runs, the same as those of `plot_runs` with the baseline first; that is the line at zero.

    Raises
    ------
    FigureError
        If there is nothing to draw, or too many runs to tell apart.
    DatasetError
        If one lacks a variable.
    """
    frames = {name: find_variable(each, name) for each in reversed(list(differences.values())) for name in names}
    levels = {
        name: each.isel({PROBABILITY: 0}, drop=True) if PROBABILITY in each.dims else each
        for name, each in frames.items()
    }
    zero = xr.Dataset(
        {each.name: xr.zeros_like(each).assign_attrs(each.attrs) for each in levels.values()}, attrs=before.attrs
    )
    runs = {f"{baseline} (zero)": zero} | {f"{name} − {baseline}": each for name, each in differences.items()}
    return plot_bands(runs, names, title=title or f"Difference from {baseline}")
