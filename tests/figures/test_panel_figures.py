"""Figures of runs with several variables in a panel, observations, marked times and logarithmic axes, checked as data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.text import Text

from sdmodel.dataset import dates_of
from sdmodel.errors import FigureError
from sdmodel.figures import Observed, Panel, plot_runs

YEARS = np.linspace(2022, 2032, 11)
SINCE = YEARS - 2022
PRICES = Panel("Price", {"list price": "list", "billed price": "billed"})


def _run(scale: float = 1.0, *, dated: bool = True, start: float = 2025.75) -> xr.Dataset:
    price = {"units": "USD"}
    segments = xr.Variable("segment", np.array(["chat", "code"]), {"long_name": "segment", "kind": "subscript"})
    run = xr.Dataset(
        {
            "list_price": (("time",), scale * (1 + SINCE), {"long_name": "list price"} | price),
            "billed_price": (("time",), 2 * (1 + SINCE), {"long_name": "billed price"} | price),
            "tokens": (("time",), scale * 10.0**SINCE, {"long_name": "tokens", "units": "dmnl"}),
            "gap": (("time",), scale * (SINCE - 5), {"long_name": "gap", "units": "USD"}),
            "share": (("time",), SINCE / 10, {"long_name": "share", "units": "dmnl"}),
            "users": (("time", "segment"), np.outer(1 + SINCE, [1, 3]), {"long_name": "Users", "units": "people"}),
            "start_date": ((), start, {"long_name": "start date", "units": "Year"}),
        },
        {"time": ("time", YEARS, {"units": "Year"}), "segment": segments},
        {"model": "models/ai.mdl", "model_sha256": "abcdef0123456789"},
    )
    return run.assign_coords(date=("time", dates_of(YEARS))) if dated else run


def _observed(about: str = "list price", name: str = "asked", sources: tuple[str, ...] = ("A paper",)) -> Observed:
    values = np.array([1.5, 2.5])
    return Observed(name, about, np.array([2022.5, 2024.0]), values, values - 0.5, values + 1, sources)


def _panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def _words(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts() if text.get_text().strip()]


def test_panel_has_a_line_and_a_name_per_variable():
    """The panel has its own title; without a label, a line has the name of the variable."""
    (axes,) = _panels(plot_runs({"base": _run()}, [Panel("Price", {"list price": "", "billed price": "billed"})]))
    assert axes.get_title(loc="left") == "Price"
    assert [text.get_text() for text in axes.texts] == ["list price", "billed"]
    assert [text.get_color() for text in axes.texts] == [line.get_color() for line in axes.lines]
    assert [line.get_ydata()[0] for line in axes.lines] == [1, 2]
    assert len({line.get_color() for line in axes.lines}) == 2


def test_panel_without_title_has_the_name_of_its_variable():
    (axes,) = _panels(plot_runs({"base": _run()}, [Panel("", {"tokens": "volume"})]))
    assert axes.get_title(loc="left") == "tokens"
    assert _words(axes) == []


def test_lines_equal_in_all_runs_are_plotted_once():
    """Such a line is grey, and the legend explains grey."""
    figure = plot_runs({"base": _run(), "fast": _run(2)}, [PRICES])
    (axes,) = _panels(figure)
    assert [line.get_ydata()[0] for line in axes.lines] == [1, 2, 2]
    colours = {line.get_color() for line in axes.lines}
    assert len(colours) == 3
    assert _legend(figure) == ["base", "fast", "same in all runs"]
    assert not plot_runs({"base": _run(), "fast": _run(2)}, ["list price"]).legends


def test_different_units_in_one_panel_are_refused():
    """The message names panel, variables and units."""
    with pytest.raises(FigureError, match="panel 'Both': 'list price' is in 'USD', 'share' is in 'dmnl'"):
        plot_runs({"base": _run()}, [Panel("Both", {"list price": "", "share": ""})])


@pytest.mark.parametrize("dated", [True, False])
def test_points_lie_at_their_times_and_values(dated: bool):  # noqa: FBT001
    """Both ends of the error bars are shown, only in the panel of the observed variable, above its line."""
    figure = plot_runs({"base": _run(dated=dated)}, ["share", "list price"], observed=[_observed()])
    share, price = _panels(figure)
    assert not share.containers
    (points,) = price.containers
    marker, _, (bars,) = points.lines
    times = date2num(dates_of(np.array([2022.5, 2024.0]))) if dated else [2022.5, 2024]
    found = date2num(marker.get_xdata()) if dated else marker.get_xdata()
    assert list(found) == pytest.approx(list(times))
    assert list(marker.get_ydata()) == [1.5, 2.5]
    assert [(ends[0, 1], ends[1, 1]) for ends in bars.get_segments()] == [(1, 2.5), (2, 3.5)]
    assert marker.get_zorder() > price.lines[0].get_zorder()
    assert _legend(figure) == ["observed, with one standard deviation"]


def test_points_have_the_colour_of_their_label():
    (axes,) = _panels(plot_runs({"base": _run()}, ["users"], observed=[_observed("Users[code]")]))
    marker = axes.containers[0].lines[0]
    (code,) = [line for line in axes.lines if line.get_ydata()[0] == 3 and len(line.get_ydata()) == 11]
    assert marker.get_markerfacecolor() == code.get_color()


def test_two_series_in_one_panel_have_names_and_markers():
    (axes,) = _panels(plot_runs({"a": _run()}, ["tokens"], observed=[_observed("tokens"), _observed("Tokens", "paid")]))
    assert _words(axes) == ["asked", "paid"]
    assert len({points.lines[0].get_marker() for points in axes.containers}) == 2


def test_origin_names_the_sources_of_plotted_series_only():
    """Series with the same sources stand together; series outside the time of the runs, or in no panel, are left out."""
    late = Observed("late", "list price", np.array([2040.0]), *(np.ones(1),) * 3, ("Nobody",))
    given = [_observed(), _observed("list price", "paid"), _observed("gap", sources=("Other",)), late]
    origin = plot_runs({"base": _run()}, ["list price"], observed=given).get_supxlabel()
    assert origin.splitlines()[-1] == "Observed: asked, paid: A paper"


def test_no_observations_are_not_mentioned():
    figure = plot_runs({"base": _run()}, ["list price"])
    assert "Observed" not in figure.get_supxlabel()
    assert not figure.legends


def test_marked_date_is_a_line_in_every_panel():
    """The legend names it with its month, for every date that the runs have."""
    runs = {"base": _run(), "late": _run(start=2027.0), "never": _run(start=2050.0)}
    figure = plot_runs(runs, ["gap", "share"], marks={"start date": "policy start", "no such constant": "x"})
    for axes in _panels(figure):
        found = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2]
        assert [str(date)[:7] for date in found] == ["2025-10", "2027-01"]
    assert "policy start: October 2025, January 2027" in _legend(figure)


def test_values_far_apart_have_a_labelled_logarithmic_axis():
    """This needs positive values that span three decades or more."""
    tokens, share, gap = _panels(plot_runs({"base": _run()}, ["tokens", "share", "gap"]))
    assert tokens.get_yscale() == "log"
    assert "log scale" in tokens.get_ylabel()
    assert "dimensionless" in tokens.get_ylabel()
    assert {share.get_yscale(), gap.get_yscale()} == {"linear"}
    assert "log scale" not in share.get_ylabel()


def test_requested_scale_is_used():
    """The layout decides before the values do; a request for all panels holds where no value is negative."""
    linear, log = _panels(
        plot_runs({"base": _run()}, [Panel("A", {"tokens": ""}, "linear"), Panel("B", {"list price": ""}, "log")])
    )
    assert (linear.get_yscale(), log.get_yscale()) == ("linear", "log")
    panels = _panels(plot_runs({"base": _run()}, ["tokens", "share", "gap"], logarithmic=True))
    assert [axes.get_yscale() for axes in panels] == ["log", "log", "linear"]


def test_logarithmic_axis_shows_every_observation():
    """Lines may start below the axis, observations may not."""
    (axes,) = _panels(plot_runs({"base": _run()}, ["tokens"], observed=[_observed("tokens")]))
    assert axes.get_ylim()[0] < 1
    (plain,) = _panels(plot_runs({"base": _run()}, ["tokens"]))
    assert plain.get_ylim()[0] > 1


@pytest.mark.parametrize("scale", [2.0, 50.0])
def test_no_run_leaves_the_panel(scale: float):
    """However far it is above the others."""
    runs = {"base": _run(), "slow": _run(0.5), "wild": _run(scale)}
    (axes,) = _panels(plot_runs(runs, [Panel("Price", {"list price": ""}, "linear")]))
    low, high = axes.get_ylim()
    for line in axes.lines:
        assert low <= line.get_ydata().min()
        assert line.get_ydata().max() <= high


@pytest.mark.parametrize(("factor", "named"), [(1.01, False), (1.5, True)])
def test_runs_are_named_at_their_ends_where_these_lie_apart(factor: float, named: bool):  # noqa: FBT001
    """Else a legend names them; never both."""
    figure = plot_runs({"base": _run(), "fast": _run(factor)}, ["list price"])
    (axes,) = _panels(figure)
    assert [text.get_text() for text in axes.texts] == (["base", "fast"] if named else [])
    assert bool(figure.legends) != named


@pytest.mark.parametrize("dated", [True, False])
def test_later_values_are_lighter_and_called_extrapolation(dated: bool):  # noqa: FBT001
    """From the given time to the end, in every panel; the first panel has the word."""
    figure = plot_runs({"base": _run(dated=dated)}, ["list price", "share"], extrapolation=2030.5)
    first, second = _panels(figure)
    for axes in (first, second):
        (veil,) = [patch for patch in axes.patches if patch.get_gid() == "extrapolation"]
        left = date2num(dates_of(np.array([2030.5])))[0] if dated else 2030.5
        assert veil.get_x() == pytest.approx(left)
        assert veil.get_x() + veil.get_width() == pytest.approx(axes.get_xlim()[1])
    assert [text.get_text() for text in first.texts] == ["extrapolation"]
    assert not second.texts
    (plain,) = _panels(plot_runs({"base": _run(dated=dated)}, ["list price"], extrapolation=2040))
    assert not plain.patches
    assert not plain.texts


def test_legends_lie_above_panels_and_inside_the_page():
    """No word hides a line or is cut off, with many runs and lines."""
    runs = {f"scenario {n}": _run(1 + n) for n in range(7)}
    panels = [Panel(f"Price {n}", {"list price": "what is asked", "billed price": "what is paid"}) for n in range(5)]
    figure = plot_runs(runs, panels, observed=[_observed()], marks={"start date": "policy start"})
    figure.draw_without_rendering()
    page = figure.bbox
    for axes in _panels(figure):
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
        assert axes.get_legend().get_window_extent().x1 <= page.x1
        (title,) = axes.findobj(lambda artist: isinstance(artist, Text) and artist.get_text().startswith("Price"))
        assert title.get_window_extent().y0 >= axes.get_legend().get_window_extent().y1 - 1
    legend = figure.legends[0].get_window_extent()
    assert page.x0 <= legend.x0 < legend.x1 <= page.x1
