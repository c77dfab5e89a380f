"""Figures of sweeps, checked as data: colours of lines, positions of cells and the base, and origin."""

from __future__ import annotations

import io

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.patches import Rectangle

from sdmodel.dataset import dates_of
from sdmodel.errors import DatasetError, FigureError
from sdmodel.figures import plot_heat_map, plot_sweep
from sdmodel.figures.panels import shared_power
from sdmodel.figures.sweep import cell_text

YEARS = np.linspace(2022, 2032, 11)
DELAYS, PRICES, WEIGHTS = (1.0, 4.0, 7.0), (0.5, 1.0, 2.0, 3.0), (0.0, 0.35)


def _lever(name: str, values: tuple[float, ...], base: float | None, units: str = "Year") -> xr.Variable:
    attributes = {"long_name": name, "units": units} | ({} if base is None else {"base": base})
    return xr.Variable((name.replace(" ", "_"),), np.array(values), attributes)


def _run(*, levers: int = 1, quantiles: bool = False, base: float | None = 4.0, **attributes: object) -> xr.Dataset:
    """Revenue that grows by the first lever's value a year, and more by the others; quantiles lie around it."""
    coordinates = [_lever("grid delay", DELAYS, base), _lever("price", PRICES, 1.0, "USD"), _lever("weight", WEIGHTS, 0.35, "dmnl")]  # fmt: skip
    dims = {lever.dims[0]: lever for lever in coordinates[:levers]}
    parts = [xr.DataArray(lever.values, {name: lever}, (name,)) for name, lever in dims.items()]
    values = xr.DataArray(YEARS - 2022, {"time": YEARS}, ("time",)) * sum(10.0**-place * part for place, part in enumerate(parts))  # fmt: skip
    values = (
        values * xr.DataArray([0.5, 1, 2], {"probability": [0.05, 0.5, 0.95]}, ("probability",))
        if quantiles
        else values
    )
    tier = xr.Variable("tier", np.array([f"tier {n}" for n in range(6)]), {"long_name": "tier", "kind": "subscript"})
    return xr.Dataset(
        {
            "revenue": values.assign_attrs(long_name="Annual Revenue", units="USD/Year"),
            "users": (values * xr.DataArray(np.ones(6), {"tier": tier}, ("tier",))).assign_attrs(long_name="Users"),
            "delay": ((), 4.0, {"long_name": "level"}),
        },
        {"time": ("time", YEARS, {"units": "Year"}), "date": ("time", dates_of(YEARS)), **dims},
        {"model": "models/ai.mdl", "model_sha256": "abcdef0123456789"} | attributes,
    )  # fmt: skip


def _origin(figure) -> str:
    return figure.get_supxlabel()


def test_lines_are_coloured_by_the_value_of_the_lever():
    """The higher the value the lighter the line; the lever's own value is black and on top."""
    figure = plot_sweep(_run(), ["annual revenue"])
    panel = figure.axes[0]
    assert [line.get_ydata()[-1] for line in panel.lines] == [10, 40, 70]
    low, own, high = panel.lines
    assert own.get_color() == "black"
    assert own.get_zorder() > max(low.get_zorder(), high.get_zorder())
    assert 0.2 < rgb_to_hsv(to_rgb(low.get_color()))[2] < rgb_to_hsv(to_rgb(high.get_color()))[2] < 0.95
    assert (panel.get_title(loc="left"), panel.get_ylabel()) == ("Annual Revenue", "USD/Year")


def test_colour_bar_has_the_levers_name_units_values_and_base():
    bar = plot_sweep(_run(), ["annual revenue"]).axes[-1]
    assert bar.get_ylabel() == "grid delay (Year)"
    assert bar.get_yticks().tolist() == list(DELAYS)
    assert [line.get_ydata()[0] for line in bar.lines if line.get_color() == "black"] == [4]


def test_sweep_without_base_has_no_black_line():
    figure = plot_sweep(_run(base=None), ["annual revenue"])
    assert "black" not in [line.get_color() for line in figure.axes[0].lines]
    assert not figure.legends


def test_origin_names_the_model_and_the_values_of_other_levers():
    """The first of two levers has the colours, the other its own value; `lever` chooses another."""
    run = _run(levers=2, scenario_name="fast", changes="x = 1\nprice = over 0.5 to 3, 4 values")
    figure = plot_sweep(run, ["annual revenue"], title="Both")
    assert _origin(figure) == "Model ai.mdl, sha256 abcdef012345\nfast; x = 1; held constant: price 1 USD"
    assert [line.get_ydata()[-1] for line in figure.axes[0].lines] == pytest.approx([11, 41, 71])
    other = plot_sweep(run, ["annual revenue"], lever="price")
    assert len(other.axes[0].lines) == 4
    assert "held constant: grid delay 4 Year" in _origin(other)


def test_quantiles_are_medians_with_bands_at_both_ends():
    """The widest band at the lowest and the highest value of the lever; the legend names its share of members."""
    figure = plot_sweep(_run(quantiles=True, design_method="latin hypercube", seed=3, members=40), ["annual revenue"])
    panel = figure.axes[0]
    assert [line.get_ydata()[-1] for line in panel.lines] == [10, 40, 70]
    ends = [band.get_paths()[0].vertices[:, 1].max() for band in panel.collections]
    assert ends == [20, 140]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["base: grid delay 4 Year", "medians of members", "90 % of members at 1", "90 % of members at 7"]
    assert "40 members, latin hypercube, seed 3" in _origin(figure)


def test_labels_have_panels_and_constants_are_level_lines():
    """Of many labels some are plotted, which the first panel says."""
    panels = plot_sweep(_run(), ["users", "level"]).axes[:5]
    titles = [" ".join(panel.get_title(loc="left").split()) for panel in panels]
    assert titles == ["Users[tier 0] (4 of 6 labels)", "Users[tier 2]", "Users[tier 3]", "Users[tier 5]", "level"]
    assert {line.get_ydata()[0] for line in panels[4].lines} == {4.0}


@pytest.mark.parametrize(
    ("names", "lever", "message"), [([], None, "no variables"), (["level"], "prize", "it has grid_delay")]
)
def test_impossible_figures_are_refused(names: list[str], lever: str | None, message: str):
    """No variables, an unknown lever, no lever, an unknown variable."""
    with pytest.raises(FigureError, match=message):
        plot_sweep(_run(), names, lever=lever)
    with pytest.raises(FigureError, match="no lever; plot a run of `sdmodel sweep`"):
        plot_sweep(_run().isel(grid_delay=0), ["level"])
    with pytest.raises(DatasetError, match="did you mean 'Annual Revenue'"):
        plot_sweep(_run(), ["anual revenue"])


def _outcomes(**options: object) -> xr.Dataset:
    run = _run(levers=3, **options).isel(time=-1)
    return run[["revenue"]].assign(revenue=run.revenue.assign_attrs(outcome="at 2032")).drop_vars(["time", "date"])


def test_cells_hold_their_numbers_with_a_frame_around_the_base():
    """The first lever along x, the second along y, the third held at its own value."""
    figure = plot_heat_map(_outcomes())
    panel, bar = figure.axes
    numbers = {text.get_position(): text.get_text() for text in panel.texts}
    assert numbers[0, 0] == "10.5"
    assert numbers[2, 3] == "73"
    assert len(numbers) == 12
    (frame,) = [patch for patch in panel.patches if isinstance(patch, Rectangle)]
    assert frame.get_xy() == (0.5, 0.5)
    assert [text.get_text() for text in panel.get_xticklabels()] == ["1", "4", "7"]
    assert (panel.get_xlabel(), panel.get_ylabel(), bar.get_ylabel()) == (
        "grid delay (Year)",
        "price (USD)",
        "USD/Year",
    )
    assert panel.get_title(loc="left") == "Annual Revenue at 2032"
    assert "held constant: weight 0.35" in _origin(figure)


def test_levers_of_a_map_can_be_chosen():
    panel = plot_heat_map(_outcomes(), levers=["weight", "grid_delay"]).axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("weight (dimensionless)", "grid delay (Year)")


def test_many_cells_have_contours_and_a_ring():
    """A lever whose values are far apart has a logarithmic scale."""
    wide = xr.DataArray(
        np.add.outer(np.arange(30.0), np.arange(40.0)),
        {"a": _lever("a", tuple(np.geomspace(1, 1000, 30)), 1.0), "b": _lever("b", tuple(np.arange(40.0)), 3.0)}, ("a", "b"),
    )  # fmt: skip
    panel = plot_heat_map(xr.Dataset({"x": wide})).axes[0]
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "linear")
    ring = [line for line in panel.lines if line.get_marker() == "o"]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in ring] == [(1, 3)]
    mesh = panel.collections[0].get_coordinates()
    assert mesh.shape == (41, 31, 2)
    assert panel.texts  # the numbers of the lines


@given(st.floats(-1e12, 1e12).map(lambda value: round(value, 3)))
def test_numbers_in_cells_are_short(value: float):
    """A shared power of a thousand is taken out of long numbers."""
    power = shared_power(np.array([value]))
    assert len(cell_text(value / 10.0**power)) <= 7
    assert (power != 0) == (abs(value) >= 1e5 or 0 < abs(value) < 1e-2)


@pytest.mark.parametrize("value", [-123_456_789.125, 0.004, 2031.6, 0.0])
def test_cells_show_short_numbers_and_the_bar_their_power(value: float):
    panel, bar = plot_heat_map(_outcomes() * 0 + value).axes
    power = shared_power(np.array([value]))
    assert {text.get_text() for text in panel.texts} == {cell_text(value / 10.0**power)}
    assert bar.get_ylabel().startswith("10") == (power != 0)


def test_values_that_are_not_finite_have_no_number():
    """A single time is plotted as a point."""
    outcomes = _outcomes()
    outcomes.revenue[0, 0] = np.nan
    figure = plot_heat_map(outcomes)
    assert {text.get_text() for text in figure.axes[0].texts if text.get_position() == (0, 0)} == {""}
    figure.savefig(io.BytesIO())
    one = plot_sweep(_run().isel(time=[0]), ["annual revenue"])
    assert {line.get_marker() for line in one.axes[0].lines} == {"o"}
    one.savefig(io.BytesIO())


def test_map_needs_two_levers():
    with pytest.raises(FigureError, match="outcomes over two levers, not 1"):
        plot_heat_map(_outcomes().isel(price=0, weight=0))
