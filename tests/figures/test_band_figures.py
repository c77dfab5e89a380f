"""Figures of ensembles, checked as data: positions of bands, the legend, and the description of members."""

from __future__ import annotations

import io

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from sdmodel.dataset import NOISE_ALONE, dates_of
from sdmodel.errors import DatasetError, FigureError
from sdmodel.figures import plot_bands
from sdmodel.figures.bands import find_bands

YEARS = np.linspace(2022, 2032, 11)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def _quantiles(
    *, labels: int = 2, levels: tuple[float, ...] = LEVELS, low: float = 1.0, **attributes: object
) -> xr.Dataset:
    """Quantiles that lie apart by their level, growing in time from `low`."""
    values = np.array([[low + level * (year - 2022) for year in YEARS] for level in levels])
    tier = xr.Variable(
        "tier", np.array([f"tier {n}" for n in range(labels)]), {"long_name": "tier", "kind": "subscript"}
    )
    return xr.Dataset(
        {
            "revenue": (("probability", "time"), values, {"long_name": "Annual Revenue", "units": "USD/Year"}),
            "price": (("probability", "time", "tier"), values[..., None] * np.arange(1, labels + 1), {"long_name": "Price"}),
            "delay": ("probability", np.array(levels), {"long_name": "grid delay", "units": "Year"}),
            "level": ((), 4.0, {"long_name": "level"}),
        },
        {
            "time": ("time", YEARS, {"units": "Year"}), "date": ("time", dates_of(YEARS)), "probability": list(levels),
            "tier": tier,
        },
        {"model": "models/ai.mdl", "model_sha256": "abcdef0123456789"} | attributes,
    )  # fmt: skip


def _panels(figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def _edges(band: PolyCollection) -> tuple[float, float]:
    """The lowest and highest number of a band at the end."""
    corners = band.get_paths()[0].vertices
    last = corners[corners[:, 0] == corners[:, 0].max()]
    return float(last[:, 1].min()), float(last[:, 1].max())


def _bands(axes: Axes) -> list[PolyCollection]:
    return [band for band in axes.collections if isinstance(band, PolyCollection)]


def test_bands_and_lines_are_the_quantiles():
    """The widest band comes first and is the faintest; the median is a line on top."""
    (axes,) = _panels(plot_bands({"a": _quantiles()}, ["annual revenue"]))
    wide, narrow = _bands(axes)
    assert _edges(wide) == pytest.approx((1.5, 10.5))
    assert _edges(narrow) == pytest.approx((3.5, 8.5))
    assert wide.get_alpha() < narrow.get_alpha()
    (line,) = axes.lines
    assert line.get_ydata() == pytest.approx(1 + 0.5 * (YEARS - 2022))
    assert line.get_zorder() > wide.get_zorder()
    assert (axes.get_title(loc="left"), axes.get_ylabel()) == ("Annual Revenue", "USD/Year")


@given(st.lists(st.floats(0.01, 0.99).map(lambda width: round(width, 3)), min_size=1, max_size=6, unique=True))
def test_mirrored_levels_form_bands(widths: list[float]):
    """The widest first; the median and levels without a mirror form none."""
    ends = sorted({round((1 + side * width) / 2, 9) for width in widths for side in (-1, 1)} | {0.5, 0.001})
    levels = np.array(ends)
    found = [round(float(levels[high] - levels[low]), 6) for low, high in find_bands(levels)]
    assert found == sorted((round(width, 6) for width in widths), reverse=True)


def test_legend_names_bands_by_their_share_of_members():
    """It also names single members, and the runs if there are several."""
    alone = plot_bands({"a": _quantiles()}, ["revenue"], spaghetti={"a": _members(7)}, title="Futures")
    (legend,) = alone.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "median", "50 % of members", "90 % of members", "single members",
    ]  # fmt: skip
    assert legend.get_title().get_text() == "Futures"
    both = plot_bands({"a": _quantiles(levels=(0.1, 0.5, 0.9)), "base": _members(1).isel(member=0)}, ["revenue"])
    names = [text.get_text().strip() for text in both.legends[0].get_texts()]
    assert list(filter(None, names)) == [
        "a: median",
        "base",
        "80 % of members",
    ]  # a line for each run, column by column
    marks = [plot_bands({"a": _quantiles()}, ["revenue"], scales=scales) for scales in ({}, {"revenue": "log"})]
    assert [_panels(figure)[0].get_yscale() for figure in marks] == ["linear", "log"]


def _members(count: int) -> xr.Dataset:
    run = _quantiles().isel(probability=0, drop=True)
    grown = run["revenue"] * xr.DataArray(np.arange(1.0, count + 1), dims="member")
    return run.assign(revenue=grown.assign_attrs(run["revenue"].attrs))


def test_single_members_are_thin_lines():
    (axes,) = _panels(plot_bands({"a": _quantiles()}, ["revenue"], spaghetti={"a": _members(3)}))
    thin = [line for line in axes.lines if line.get_linewidth() < 1]
    assert sorted(float(line.get_ydata()[-1]) for line in thin) == pytest.approx([1.5, 3, 4.5])


def test_constants_are_level_lines():
    delay, level = _panels(plot_bands({"a": _quantiles()}, ["grid delay", "level"]))
    assert _edges(_bands(delay)[0]) == pytest.approx((0.05, 0.95))
    assert list(delay.lines[0].get_ydata()) == [0.5] * 11
    assert list(level.lines[0].get_ydata()) == [4.0] * 11


@pytest.mark.parametrize(("labels", "shown"), [(2, 2), (4, 4), (9, 4)])
def test_at_most_four_labels_are_plotted_as_colours(labels: int, shown: int):
    """The panel says how many labels are left out, and how to choose them."""
    (axes,) = _panels(plot_bands({"a": _quantiles(labels=labels)}, ["price"]))
    assert len(axes.lines) == shown
    assert len({line.get_color() for line in axes.lines}) == shown
    assert (f"{shown} of {labels} labels; choose others by name[label]" in axes.get_xlabel()) == (shown < labels)
    (chosen,) = _panels(plot_bands({"a": _quantiles(labels=labels)}, ["price[tier 1]"]))
    assert len(chosen.lines) == 1


def test_labels_are_dashes_with_several_runs():
    """Colours are runs then; the legend of labels is grey."""
    (axes,) = _panels(plot_bands({"a": _quantiles(), "b": _quantiles(low=5.0)}, ["price"]))
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == 4
    assert len({colour for colour, _ in looks}) == len({dashes for _, dashes in looks}) == 2
    legend = axes.get_legend().get_lines()
    assert [line.get_linestyle() for line in legend] == [line.get_linestyle() for line in axes.lines[:2]]
    assert not {line.get_color() for line in legend} & {colour for colour, _ in looks}


def test_time_axis_of_a_constant_without_dates():
    """The axis has the units of the run's time, since a constant has none."""
    run = _quantiles().drop_vars("date")
    (axes,) = _panels(plot_bands({"a": run}, ["grid delay"]))
    assert axes.get_xlabel() == "Year"


def test_logarithmic_axes_need_values_that_are_not_negative():
    """Zero hides nothing; with negative values the axis stays linear."""
    for low, scale in ((1.0, "log"), (0.0, "log"), (-1.0, "linear")):
        (axes,) = _panels(plot_bands({"a": _quantiles(low=low)}, ["revenue"], logarithmic=True))
        assert axes.get_yscale() == scale
        assert axes.get_ylim()[1] > low + 0.95 * 10
    plot_bands({"a": _quantiles(low=0.0)}, ["revenue", "price"], logarithmic=True).savefig(io.BytesIO())


def test_origin_describes_members_and_sampling():
    """Missing members and members that are not finite are counted."""
    members = {
        "members_done": 3000,
        "members_wanted": 5000,
        "members_not_finite": 12,
        "design_method": "latin hypercube",
    }
    attributes = members | {"seed": 7, "scenario_name": "power-first", "changes": "x = 3\ny = over member"}
    origin = plot_bands({"a": _quantiles(**attributes)}, ["revenue"]).get_supxlabel().replace("\n    ", " ")
    assert "Model ai.mdl, sha256 abcdef012345" in origin
    assert "a: power-first; x = 3; 3,000 of 5,000 members, latin hypercube, seed 7, 12 of them not finite" in origin
    attributes["design_method"] = NOISE_ALONE
    origin = plot_bands({"a": _quantiles(**attributes)}, ["revenue"]).get_supxlabel().replace("\n    ", " ")
    assert "3,000 of 5,000 members, random functions alone, 12 of them not finite" in origin


def test_impossible_figures_are_refused():
    """No runs, no variables, too many runs, an unknown variable."""
    with pytest.raises(FigureError, match="no runs or no variables"):
        plot_bands({}, ["revenue"])
    with pytest.raises(FigureError, match="no runs or no variables"):
        plot_bands({"a": _quantiles()}, [])
    with pytest.raises(FigureError, match="8 runs are too many"):
        plot_bands({f"{n}": _quantiles() for n in range(8)}, ["revenue"])
    with pytest.raises(DatasetError, match="is not in the run"):
        plot_bands({"a": _quantiles()}, ["missing"])


def test_missing_values_cause_no_warning():
    """Where all members are missing there is nothing to plot."""
    broken = _quantiles()
    broken["revenue"][:, 5:] = np.nan
    plot_bands({"a": broken}, ["revenue"], logarithmic=True).savefig(io.BytesIO())
    nothing = broken.assign(revenue=broken["revenue"] * np.nan)
    plot_bands({"a": nothing}, ["revenue"], logarithmic=True).savefig(io.BytesIO())
