"""Figures of differences, checked as data: the baseline is the line at zero, and colours are those of the runs."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sdmodel.errors import FigureError
from sdmodel.figures import plot_differences, plot_runs
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

MODEL = tiny_model(
    "tier: a, b\nStock[tier] = INTEG(rate, 0)\ntotal = Stock[a] + Stock[b]\nrate = 1\n", initial=2022, final=2026
)
BASE = simulate(MODEL)


def _difference(rate: float) -> xr.Dataset:
    run = simulate(MODEL, {"rate": rate})
    return (
        (run - BASE)
        .assign_attrs(run.attrs)
        .assign({name: (run[name] - BASE[name]).assign_attrs(run[name].attrs) for name in run.data_vars})
    )


def test_baseline_is_the_line_at_zero_in_its_own_colour():
    """The other runs have the same colours as in a figure of runs."""
    runs = {"fast": _difference(3), "slow": _difference(0.5)}
    figure = plot_differences("base", BASE, runs, ["total"])
    (axes,) = figure.axes
    zero, fast, slow = axes.lines
    assert not np.any(zero.get_ydata())
    assert list(fast.get_ydata()) == [0, 4, 8, 12, 16]
    assert list(slow.get_ydata()) == [0, -1, -2, -3, -4]
    beside = plot_runs({"base": BASE} | {name: simulate(MODEL) for name in runs}, ["total"]).axes[0].lines
    assert [line.get_color() for line in axes.lines] == [line.get_color() for line in beside]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["base (zero)", "fast − base", "slow − base"]
    assert legend.get_title().get_text() == "Each run minus base"
    assert plot_differences("base", BASE, {"fast": runs["fast"]}, ["total"]).legends[0].get_title().get_text() == (
        "fast minus base"
    )


def test_ratios_have_the_baseline_at_one_and_say_so():
    """A title says what is divided by what, and an axis where; differences beside them stay differences."""
    ratio = _difference(3)
    ratio["total"] = (ratio["total"] * 0 + 1.5).assign_attrs(ratio["total"].attrs | {"is_ratio": 1, "units": "Dmnl"})
    figure = plot_differences("base", BASE, {"fast": ratio}, ["total", "Stock[a]"])
    first, second = figure.axes
    assert [set(line.get_ydata()) for line in first.lines] == [{1.0}, {1.5}]
    assert first.get_ylabel() == "ratio to base"
    assert not np.any(second.lines[0].get_ydata())
    assert "divided by it where the axis says ratio" in figure.legends[0].get_title().get_text()
    alone = plot_differences("base", BASE, {"fast": ratio}, ["total"])
    assert alone.legends[0].get_title().get_text() == "fast divided by base"


def test_quantiles_are_bands_and_labels_have_dashes():
    """Every label has a median and a band."""
    values = xr.DataArray([0.05, 0.5, 0.95], dims="probability", coords={"probability": [0.05, 0.5, 0.95]})
    spread = _difference(2).map(lambda variable: variable * values, keep_attrs=True)
    axes = plot_differences("base", BASE, {"fast": spread}, ["Stock"]).axes[0]
    assert len(axes.collections) == 2
    assert [line.get_ydata()[-1] for line in axes.lines] == [0, 0, 2, 2]


def test_figure_without_variables_is_refused():
    with pytest.raises(FigureError, match="no runs or no variables"):
        plot_differences("base", BASE, {"fast": _difference(2)}, [])
