"""Figures of runs, checked as data: lines, units, legends and origin; and figures as files."""

from __future__ import annotations

import gc
import itertools
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.dates import num2date
from matplotlib.figure import Figure

from sdmodel.dataset import dates_of
from sdmodel.errors import DatasetError, FigureError
from sdmodel.figures import plot_runs, render_figure, render_small_svg, save_figure
from sdmodel.figures.panels import format_x_axis

YEARS = np.linspace(2022, 2032, 11)


def _run(scale: float = 1.0, *, labels: int = 2, members: int = 0, dated: bool = True, **attributes: str) -> xr.Dataset:
    tiers = xr.Variable(
        "tier", np.array([f"tier {n}" for n in range(labels)]), {"long_name": "tier", "kind": "subscript"}
    )
    values = scale * (YEARS - 2022)
    revenue = values[:, None] * np.linspace(0.5, 1.5, members) if members else values
    dims = ("time", "member") if members else ("time",)
    run = xr.Dataset(
        {
            "annual_revenue": (dims, 1e9 * revenue, {"long_name": "Annual Revenue", "units": "USD/Year"}),
            "price": (("time", "tier"), np.outer(values, np.arange(labels)), {"long_name": "Price", "units": "USD"}),
            "delay": ((), 4.0, {"long_name": "grid delay", "units": "Year"}),
        },
        {"time": ("time", YEARS, {"units": "Year"}), "tier": tiers},
        {"model": "models/ai.mdl", "model_sha256": "abcdef0123456789"} | attributes,
    )
    return run.assign_coords(date=("time", dates_of(YEARS))) if dated else run


def _panels(figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def _words(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_each_variable_has_a_panel_with_name_and_units():
    """The title is the name in the model; thousands of millions move into the label."""
    panels = _panels(plot_runs({"base": _run()}, ["annual revenue", "price", "grid delay"]))
    assert [axes.get_title(loc="left") for axes in panels] == ["Annual Revenue", "Price", "grid delay"]
    assert [axes.get_ylabel() for axes in panels] == ["10\u2079 USD/Year", "USD", "Year"]


def test_lines_are_the_numbers_of_the_run():
    """A constant is a level line."""
    revenue, delay = _panels(plot_runs({"base": _run()}, ["annual revenue", "grid delay"]))
    assert revenue.lines[0].get_ydata() == pytest.approx(1e9 * (YEARS - 2022))
    assert list(delay.lines[0].get_ydata()) == [4.0] * 11


def test_time_is_dates_if_every_run_has_them():
    """A run without dates makes all of them use model time."""
    (dated,) = _panels(plot_runs({"base": _run()}, ["price[tier 1]"]))
    assert num2date(dated.get_xlim()[1]).year == 2032
    (plain,) = _panels(plot_runs({"base": _run(), "b": _run(dated=False)}, ["price[tier 1]"]))
    assert plain.get_xlim() == (2022, 2032)
    assert plain.get_xlabel() == "Year"


def test_runs_are_colours_with_a_legend():
    """A run has the same colour in every panel."""
    figure = plot_runs({"base": _run(), "fast": _run(2)}, ["annual revenue", "grid delay"], title="Two runs")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["base", "fast"]
    assert figure.legends[0].get_title().get_text() == "Two runs"
    colours = [[line.get_color() for line in axes.lines] for axes in _panels(figure)]
    assert colours[0] == colours[1]
    assert len(set(colours[0])) == 2


def test_labels_are_colours_with_one_run_and_dashes_with_several():
    (alone,) = _panels(plot_runs({"base": _run()}, ["price"]))
    assert [text.get_text() for text in alone.texts] == ["tier 0", "tier 1"]
    assert len({line.get_color() for line in alone.lines}) == 2
    (both,) = _panels(plot_runs({"base": _run(), "fast": _run(2)}, ["price"]))
    assert len({(line.get_color(), line.get_linestyle()) for line in both.lines}) == 4


@pytest.mark.parametrize("runs", [1, 2])
def test_many_labels_are_thinned_out(runs: int):
    """Of forty labels some are plotted, the first and the last among them, and a note says so."""
    given = {f"run {n}": _run(n + 1, labels=40) for n in range(runs)}
    (axes,) = _panels(plot_runs(given, ["price"]))
    named = _words(axes)
    assert (named[0], named[-1]) == ("tier 0", "tier 39")
    assert len(axes.lines) == len(named) * runs <= 8
    assert len({line.get_color() for line in axes.lines}) == (len(named) if runs == 1 else runs)
    assert f"{len(named)} of 40 labels of tier" in axes.get_xlabel()


def test_legend_of_labels_matches_lines_and_hides_none():
    (axes,) = _panels(plot_runs({"base": _run(labels=7)}, ["price"]))
    legend = axes.get_legend()
    for label, handle, line in zip(range(7), legend.get_lines(), axes.lines, strict=True):
        assert handle.get_color() == line.get_color()
        assert line.get_ydata() == pytest.approx((YEARS - 2022) * label)
    axes.figure.draw_without_rendering()
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1


def test_equal_runs_are_both_visible():
    """The later run lies on top and is thinner."""
    (axes,) = _panels(plot_runs({"native": _run(), "pysd": _run()}, ["annual revenue"]))
    first, second = axes.lines
    assert first.get_linewidth() > 2 * second.get_linewidth()


def test_variable_requested_twice_has_one_panel():
    assert len(_panels(plot_runs({"a": _run(), "b": _run()}, ["price", "Price", "annual_revenue"]))) == 2


def test_engines_are_named_only_if_they_differ():
    native = _run(engine="native", integrator="rk4")
    origin = plot_runs({"a": native, "b": _run(engine="pysd", integrator="euler")}, ["price"]).get_supxlabel()
    assert origin.splitlines()[1:] == ["a: no changes; native, rk4", "b: no changes; pysd, euler"]
    assert "native" not in plot_runs({"a": native, "b": native}, ["price"]).get_supxlabel()


def test_renamed_run_is_described_by_its_scenario():
    run = _run(scenario_name="power-first", scenario="{Power first: grids connect quickly. And more.}\ndelay = 1\n")
    assert plot_runs({"pf": run}, ["price"]).get_supxlabel().splitlines()[1] == "pf: power-first: grids connect quickly"


def test_few_members_are_lines_and_many_are_bands():
    """Bands contain 50 % and 90 % of the members around the median, and the origin says so."""
    (few,) = _panels(plot_runs({"base": _run(members=5)}, ["annual revenue"]))
    assert len(few.lines) == 5
    figure = plot_runs({"base": _run(members=101)}, ["annual revenue"])
    (many,) = _panels(figure)
    assert many.lines[0].get_ydata() == pytest.approx(1e9 * (YEARS - 2022))
    assert len(many.collections) == 2
    edges = many.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx(1e10 * 1.45)
    assert "bands of 50 % and 90 % of 101 members" in figure.get_supxlabel()


def test_origin_names_model_scenario_and_changes():
    """The model is named once for runs that share it."""
    runs = {"base": _run(), "fast": _run(scenario_name="power-first", changes="grid delay=1")}
    origin = plot_runs(runs, ["price"]).get_supxlabel().splitlines()
    assert origin == ["Model ai.mdl, sha256 abcdef012345", "base: no changes", "fast: power-first; grid delay=1"]


@pytest.mark.parametrize(
    ("scenario", "changes", "line"),
    [
        ("{Base: levers stay. And more.}", "", "levers stay"),
        ("{Other: levers stay.}", "price = 1", "Other: levers stay; price = 1"),
        (f"{{{'long ' * 50}}}\n  price  = 1\ngrid delay = 2\n", "", "price = 1; grid delay = 2"),
        ("price = 1\n", "", "price = 1"),
        ("", "", "no changes"),
    ],
)
def test_run_named_after_its_scenario_is_described_by_its_comment(scenario: str, changes: str, line: str):
    """The first sentence of the comment describes it, or else its changes."""
    run = _run(scenario_name="base", scenario=scenario, changes=changes)
    assert plot_runs({"base": run}, ["price"]).get_supxlabel().splitlines()[1] == f"base: {line}"


def test_values_that_are_not_finite_interrupt_the_line():
    run = _run()
    run["annual_revenue"].values[5:] = np.inf
    (axes,) = _panels(plot_runs({"base": run}, ["annual revenue"]))
    assert np.isfinite(axes.lines[0].get_ydata()).sum() == 5
    assert np.isfinite(axes.get_ylim()).all()


def test_run_that_lacks_a_variable_is_named():
    with pytest.raises(DatasetError, match="run 'old': 'price' is not in the run"):
        plot_runs({"new": _run(), "old": _run().drop_vars("price")}, ["price"])


@pytest.mark.parametrize(("runs", "names"), [(0, ["price"]), (1, []), (8, ["price"])])
def test_impossible_figures_are_refused(runs: int, names: list[str]):
    """Nothing to plot, or more runs than there are colours."""
    with pytest.raises(FigureError):
        plot_runs({f"{n}": _run() for n in range(runs)}, names)


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_saved_figures_are_complete_and_reproducible(tmp_path: Path, ending: str, start: bytes):
    """An existing file stays unless `force` is given."""
    figure = plot_runs({"base": _run()}, ["price"])
    first = save_figure(figure, tmp_path / f"a.{ending}").read_bytes()
    assert first.startswith(start)
    with pytest.raises(FigureError, match="exists already"):
        save_figure(figure, tmp_path / f"a.{ending}")
    if ending != "svg":  # its element names are drawn by chance
        assert save_figure(figure, tmp_path / f"a.{ending}", force=True).read_bytes() == first


def test_rendered_figure_keeps_no_pixels():
    """Otherwise the memory of many figures grows until a full garbage collection."""
    figure = plot_runs({"base": _run()}, ["price"])
    gc.collect()
    before = sum(isinstance(item, RendererAgg) for item in gc.get_objects())
    render_figure(figure, "png")
    assert sum(isinstance(item, RendererAgg) for item in gc.get_objects()) == before


def test_unknown_format_is_refused(tmp_path: Path):
    """The message lists the formats."""
    with pytest.raises(FigureError, match=r"\.png, \.svg or \.pdf"):
        save_figure(plot_runs({"base": _run()}, ["price"]), tmp_path / "a.docx")


def test_small_svg_has_letters_and_short_numbers():
    """Less than half of the usual size, with the texts as they are."""
    figure = plot_runs({"<b> & $x$": _run(), "fast": _run(2)}, ["annual revenue"], title="Two runs")
    large, small = render_figure(figure, "svg"), render_small_svg(figure)
    assert len(small) < 0.5 * len(large)
    texts = [node.text for node in ET.fromstring(small).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 - ours
    assert {"Annual Revenue", "<b> & $x$", "fast"} <= set(texts)
    assert b"<metadata>" not in small
    assert not re.search(rb' d="[^"]*\d\.\d{3}', small)


@pytest.mark.parametrize("width", [1.3, 1.5, 3.0, 6.0])
@pytest.mark.parametrize("units", ["dates", "numbers"])
def test_labels_of_an_axis_do_not_touch(width: float, units: str):
    """Narrow panels have fewer labels; each has at least two."""
    figure = Figure(figsize=(width, 2))
    axes = figure.subplots()
    if units == "dates":
        plot_runs({"a": _run()}, ["Annual Revenue"], axes=axes)
    else:
        axes.plot([-0.21, 0.02], [0, 1])
        format_x_axis(axes, "Dmnl", np.array([-0.21, 0.02]))
    figure.draw_without_rendering()
    low, high = axes.get_xlim()
    places = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    boxes = [label.get_window_extent() for place, label in places if low <= place <= high]
    assert len(boxes) >= 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_long_legends_do_not_squash_their_panels():
    """A page has taller rows where labels that lie together need a line of the legend each."""
    run = _run(labels=7)
    alike = {f"v{place}": 0 * run["price"] + run["time"] - 2022 for place in range(6)}
    named = {name: own.assign_attrs(long_name=name, units="USD") for name, own in alike.items()}
    long = np.array([f"a label of many letters {place}" for place in range(7)])
    figure = plot_runs({"a": run.assign(named).assign_coords(tier=("tier", long, run["tier"].attrs))}, [*named])
    figure.draw_without_rendering()
    heights = [axes.get_position().height * figure.get_figheight() for axes in figure.axes]
    assert len(heights) == 6
    assert min(heights) > 1
