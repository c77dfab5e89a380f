"""Figures of sensitivities, checked as data: bars, points, names and origin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from sdmodel.errors import FigureError
from sdmodel.figures import plot_morris, plot_sobol, plot_tornado
from sdmodel.figures.panels import COLOURS

ATTRS = {"model": "models/a.mdl", "model_sha256": "0123456789abcdef", "runs": 41, "seed": 7, "scenario_name": "cold"}


def _found(measures: dict[str, list], method: str, importance: str, *, outcomes: int = 1) -> xr.Dataset:
    count = len(measures[importance])
    ranks = np.empty(count, dtype=int)
    ranks[np.argsort(-np.array(measures[importance]), kind="stable")] = np.arange(1, count + 1)
    names = ["outcome", "parameter"]
    variables = {name: (names, np.tile(values, (outcomes, 1))) for name, values in (measures | {"rank": ranks}).items()}
    coords = {
        "outcome": [f"sales at {2028 + place}" for place in range(outcomes)],
        "outcome_units": ("outcome", ["USD/Year"] * outcomes),
        "parameter": [f"constant {place}" for place in range(count)],
        "parameter_units": ("parameter", [["dmnl", "Year"][place % 2] for place in range(count)]),
        "low_value": ("parameter", np.arange(count) + 0.5),
        "high_value": ("parameter", np.arange(count) + 100.0),
    }
    found = xr.Dataset(variables, coords, ATTRS | {"method": method, "importance": importance})
    return found.assign(base=("outcome", [10.0] * outcomes))


def _tornado(count: int = 3, *, outcomes: int = 1, bent: int | None = None) -> xr.Dataset:
    """Swings that grow with the place of a constant; odd places go down."""
    swings = np.arange(count) + 1.0
    signs = np.where(np.arange(count) % 2, -1, 1)
    low, high = 10 - signs * swings / 2, 10 + signs * swings / 2
    least, most = np.minimum(low, high), np.maximum(low, high)
    bends = np.arange(count) == (-1 if bent is None else bent)
    most = most + bends * 0.25
    measures = {"low": low, "high": high, "least": least, "most": most, "swing": swings, "bent": bends}
    return _found({name: list(values) for name, values in measures.items()}, "tornado", "swing", outcomes=outcomes)


def _axes(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def _rows(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_tornado_bars_reach_from_the_base_to_both_ends():
    """The largest swing is on top; the values of the constant stand at the tips, units beside names that have some."""
    (axes,) = _axes(plot_tornado(_tornado()))
    assert _rows(axes) == ["constant 2", "constant 1 (Year)", "constant 0"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    bars = {
        (round(bar.get_y() + bar.get_height() / 2), to_hex(bar.get_facecolor()).upper()): bar for bar in axes.patches
    }
    assert {place for place, _ in bars} == {0, 1, 2}
    ends = {key: sorted((bar.get_x(), bar.get_x() + bar.get_width())) for key, bar in bars.items()}
    assert ends[0, COLOURS[0]] == [8.5, 10]
    assert ends[0, COLOURS[1]] == [10, 11.5]
    assert ends[1, COLOURS[0]] == [10, 11]
    tips = [(tip.get_text(), tip.xy) for tip in axes.texts]
    assert tips[:4] == [("2.5", (8.5, 0)), ("102", (11.5, 0)), ("101", (9, 1)), ("1.5", (11, 1))]
    assert axes.get_xlabel() == "USD/Year"
    assert axes.get_title(loc="left") == "sales at 2028"
    assert [line.get_xdata()[0] for line in axes.lines] == [10]


def test_a_pure_number_is_dimensionless_on_the_x_axis_too():
    """In any spelling of Vensim's unit."""
    pure = _tornado().assign_coords(outcome_units=("outcome", ["Dmnl"]))
    assert _axes(plot_tornado(pure))[0].get_xlabel() == "dimensionless"


def test_outcomes_beyond_both_ends_are_a_line_in_the_legend():
    """Only where there are some."""
    plain, bent = plot_tornado(_tornado()), plot_tornado(_tornado(bent=1))
    assert _legend(plain) == ["at the low end", "at the high end", "base value"]
    assert _legend(bent)[-1] == "range between the ends"
    line = _axes(bent)[0].lines[0]
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([9, 11.25], [1, 1])


@pytest.mark.parametrize("outcomes", [1, 3])
def test_fifteen_constants_are_plotted_and_the_rest_noted(outcomes: int):
    """There is one panel per outcome."""
    panels = _axes(plot_tornado(_tornado(20, outcomes=outcomes)))
    assert len(panels) == outcomes
    for axes in panels:
        assert len(_rows(axes)) == 15
        assert axes.get_xlabel().splitlines()[1] == "15 of 20 constants; each of the others swings by at most 5"


def test_sobol_indices_are_two_bars_with_intervals():
    """Total above first order, in the order of the total."""
    shares = {"ST": [0.2, 0.7], "ST_conf": [0.05, 0.1], "S1": [0.1, 0.6], "S1_conf": [0.2, 0.1]}
    figure = plot_sobol(_found(shares, "sobol", "ST"), title="what matters")
    (axes,) = _axes(figure)
    assert _rows(axes) == ["constant 1", "constant 0"]
    assert [bar.get_width() for bar in axes.patches] == [0.7, 0.2, 0.6, 0.1]
    intervals = [segment[:, 0].tolist() for lines in axes.collections for segment in lines.get_segments()]
    assert np.array(intervals) == pytest.approx(np.array([[0.6, 0.8], [0.15, 0.25], [0.5, 0.7], [-0.1, 0.3]]))
    assert axes.get_xlabel() == "share of the variance"
    assert figure.legends[0].get_title().get_text() == "what matters"
    low, high = axes.get_xlim()
    assert low < -0.1
    assert high > 0.8


def test_outcome_without_variance_is_noted():
    nothing = {name: [np.nan, np.nan] for name in ("ST", "ST_conf", "S1", "S1_conf")}
    (axes,) = _axes(plot_sobol(_found(nothing, "sobol", "ST")))
    assert [text.get_text() for text in axes.texts] == ["the outcome does not vary"]


def _morris(count: int, *, seed: int = 1) -> xr.Dataset:
    random = np.random.default_rng(seed)
    sizes, spreads = random.exponential(2, count), random.exponential(1, count)
    measures = {"mu": sizes, "mu_star": sizes, "mu_star_conf": sizes / 5, "sigma": spreads}
    return _found({name: list(values) for name, values in measures.items()}, "morris", "mu_star")


@pytest.mark.parametrize("seed", range(5))
def test_names_of_points_do_not_overlap(seed: int):
    """Names without room are left out, the least important first."""
    figure = plot_morris(_morris(15, seed=seed))
    (axes,) = _axes(figure)
    names = [text for text in axes.texts if isinstance(text, Annotation) and text.get_text().startswith("constant")]
    assert len(names) >= 8
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [Text.get_window_extent(name, renderer) for name in names]
    room = axes.get_window_extent().padded(2)
    dots = axes.transData.transform(axes.lines[-1].get_xydata())
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].padded(-1).overlaps(pair[1].padded(-1))]
    for box in boxes:
        assert not any(box.contains(*dot) for dot in dots)
        assert room.contains(box.x0, box.y0)
        assert room.contains(box.x1, box.y1)


def test_elementary_effects_are_points_between_ratio_lines():
    """Each point lies at its mean and deviation, with its interval."""
    found = _morris(4)
    (axes,) = _axes(plot_morris(found))
    order = np.argsort(found["rank"].values[0])
    points = np.column_stack([found[name].values[0][order] for name in ("mu_star", "sigma")])
    assert np.array_equal(axes.lines[-1].get_xydata(), points)
    ratios = [line.get_ydata()[1] / line.get_xdata()[1] for line in axes.lines[:-1]]
    assert ratios == pytest.approx([0.1, 0.5, 1])
    assert axes.get_xlabel() == "mu*, mean absolute effect, USD/Year"
    assert axes.get_ylabel() == "sigma, standard deviation of effects"


def test_effects_without_deviation_still_have_an_axis():
    """A linear model has sigma zero."""
    found = _morris(3)
    found["sigma"][:] = 0
    (axes,) = _axes(plot_morris(found))
    assert axes.get_ylim() == (0, 1)


def test_origin_names_method_runs_seed_and_scenario():
    text = plot_tornado(_tornado()).get_supxlabel()
    assert text == "Model a.mdl, sha256 0123456789ab\ntornado, 41 runs, seed 7; cold"


@pytest.mark.parametrize("plot", [plot_tornado, plot_sobol, plot_morris])
def test_figure_without_constants_is_refused(plot):
    with pytest.raises(FigureError, match="has no outcome or no constant; "):
        plot(_tornado().isel(parameter=[]))
