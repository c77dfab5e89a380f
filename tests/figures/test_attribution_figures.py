"""Wedges and bars of contributions, checked as data."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr

from sdmodel.comparison import VariableAttribution
from sdmodel.errors import FigureError
from sdmodel.figures import plot_contributions, plot_wedges

TIMES = np.arange(2020.0, 2024.0)


def contributions(shares, *, title="Ghost", spread=None):
    """What levers of names a, b, ... contribute, shape (times, levers), to a variable that was 10."""
    values = np.asarray(shares, dtype=float)
    times = TIMES[: len(values)]
    levers = [chr(97 + place) for place in range(values.shape[1])]
    array = xr.DataArray(values, {"time": times, "lever": levers}, ("time", "lever"))
    base = xr.DataArray(np.full(len(times), 10.0), {"time": times}, ("time",))
    measures = xr.concat([array] * 3, xr.Variable("measure", ["alone", "shapley", "last"]))
    return VariableAttribution(title, "GW", base, base + values.sum(axis=1), measures, spread=spread)


def visible(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def test_wedges_stack_up_to_the_total():
    """Positive contributions above zero, negative ones below; the black line is the sum."""
    figure = plot_wedges([contributions([[1, 2, -4]] * 4)])
    lines, wedges = visible(figure)
    tops = [
        wedge.get_paths()[0].vertices[:, 1].max()
        for wedge in wedges.collections
        if wedge.get_paths()[0].vertices[:, 1].max() > 0
    ]
    assert max(tops) == pytest.approx(3)
    bottoms = [wedge.get_paths()[0].vertices[:, 1].min() for wedge in wedges.collections]
    assert min(bottoms) == pytest.approx(-4)
    (total,) = (line for line in wedges.lines if line.get_label() == "all")
    np.testing.assert_allclose(total.get_ydata(), -1)
    np.testing.assert_allclose(lines.lines[0].get_ydata(), 10)
    np.testing.assert_allclose(lines.lines[1].get_ydata(), 9)


def test_lever_has_the_same_colour_in_all_panels():
    figure = plot_wedges([contributions([[1, 2]] * 4), contributions([[5, -2]] * 4, title="Revenue")])
    legend = {
        text.get_text(): handle.get_color()
        for text, handle in zip(figure.legends[0].get_texts(), figure.legends[0].get_lines(), strict=True)
    }
    assert {"a", "b"} <= set(legend)
    assert legend["a"] != legend["b"]


def test_small_levers_are_added_up():
    """Seven colours are the most one can distinguish; the sum is complete."""
    shares = np.tile(np.arange(1.0, 11.0), (4, 1))
    figure = plot_wedges([contributions(shares)])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "the rest" in names
    assert {name for name in names if len(name) == 1 and name.strip()} == set("efghij")
    wedges = visible(figure)[1]
    assert max(wedge.get_paths()[0].vertices[:, 1].max() for wedge in wedges.collections) == pytest.approx(
        shares[0].sum()
    )


def test_bars_are_ordered_by_size_and_end_with_the_total():
    """The largest contribution is on top, whatever its sign."""
    spread = xr.DataArray([[[0.5, -4]], [[1, -3]], [[1.5, -2]]], {"probability": [0.05, 0.5, 0.95], "lever": ["a", "b"]}, ("probability", "time", "lever"))  # fmt: skip
    figure = plot_contributions([contributions([[1, -3]], spread=spread)], when="2028", origin=["Model x"])
    (axes,) = visible(figure)
    assert axes.get_title(loc="left") == "Ghost, 2028"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a", "all together"]
    assert [bar.get_width() for bar in axes.patches] == [-3, 1, -2]
    reaches = [line.get_xdata() for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 2]
    assert any(np.allclose(ends, [-4, -2]) for ends in reaches)
    assert axes.get_xlabel() == "GW\nscenario minus baseline"


def spread_of(shares):
    """Quantiles 10 % below and above shares, shape (times, levers)."""
    values = np.stack([np.asarray(shares, dtype=float) * factor for factor in (0.9, 1.0, 1.1)])
    coords = {"probability": [0.05, 0.5, 0.95], "time": TIMES[: values.shape[1]]}
    levers = {"lever": [chr(97 + place) for place in range(values.shape[2])]}
    own = xr.DataArray(values, coords | levers, ("probability", "time", "lever"))
    return own, own.sum("lever")


def test_wedges_over_members_have_bands_beside_them():
    """One panel for each lever and one for all together, on one scale, and the band of the whole over the wedges."""
    shares = [[1, -3]] * 4
    spread, total = spread_of(shares)
    part = dataclasses.replace(contributions(shares), spread=spread, difference_spread=total)
    figure = plot_wedges([part], names=("base", "policy"))
    lines, wedges, *beside = visible(figure)
    assert wedges.get_title(loc="left") == "policy minus base, by lever"
    assert [axes.get_title(loc="left") for axes in beside] == ["a", "b", "all together"]
    assert len({axes.get_ylim() for axes in beside}) == 1
    assert len({axes.get_position().y0 for axes in (lines, *beside)}) == 2
    for axes, value in zip(beside, (1, -3, -2), strict=True):
        (band,) = axes.collections
        edges = band.get_paths()[0].vertices[:, 1]
        assert sorted({edges.min(), edges.max()}) == pytest.approx(sorted([0.9 * value, 1.1 * value]))
        np.testing.assert_allclose(axes.lines[0].get_ydata(), value)
    limits = sorted(float(line.get_ydata()[0]) for line in wedges.lines if line.get_linewidth() == 0.8)
    assert limits == pytest.approx([-2.2, -1.8])


def test_bar_of_all_levers_has_its_line():
    """As each lever has."""
    spread, total = spread_of([[1, -3]])
    part = dataclasses.replace(contributions([[1, -3]]), spread=spread, difference_spread=total)
    (axes,) = visible(plot_contributions([part], when="2028"))
    reaches = [sorted(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(ends, [-2.2, -1.8]) for ends in reaches)


@pytest.mark.parametrize("count", [0, 7])
def test_wrong_number_of_variables_is_refused(count):
    with pytest.raises(FigureError, match="choose 1 to 6 with --on"):
        plot_wedges([contributions([[1.0]])] * count)
