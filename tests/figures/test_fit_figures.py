"""Figures of a fit as data: what lies in each panel, and what the page says."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.dates import num2date
from matplotlib.figure import Figure

from sdmodel.dataset import dates_of
from sdmodel.errors import FigureError
from sdmodel.figures import plot_fit

YEARS = np.linspace(2022, 2026, 9)
OBSERVED = np.array([3.0, 5.0])


def _panel(*, bands: tuple[float, ...] = (), dated: bool = True) -> xr.Dataset:
    line = YEARS - 2020
    widths = np.array(bands)[:, None] * line
    at = np.array([2023.0, 2025.0])
    return xr.Dataset(
        {
            "middle": ("time", line),
            "low": (("probability", "time"), line - widths),
            "high": (("probability", "time"), line + widths),
            "observed": ("observation", OBSERVED, {"units": "GW/Year"}),
            "least": ("observation", OBSERVED - np.array([0.5, 1.0])),
            "most": ("observation", OBSERVED + np.array([1.0, 2.0])),
        },
        {
            "time": ("time", dates_of(YEARS) if dated else YEARS, {"units": "Month"}),
            "probability": list(bands),
            "at": ("observation", dates_of(at) if dated else at),
        },
    )


def _panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_points_lie_over_the_line_with_their_error_bars():
    """Each bar reaches from its lower to its upper end, which need not be as far away."""
    (axes,) = _panels(plot_fit({"chips sold": _panel()}))
    line, points = axes.lines[0], axes.containers[0]
    assert line.get_ydata().tolist() == (YEARS - 2020).tolist()
    assert points[0].get_ydata().tolist() == OBSERVED.tolist()
    assert [num2date(x).year for x in points[0].get_xdata(orig=False)] == [2023, 2025]
    assert [segment[:, 1].tolist() for segment in points[2][0].get_segments()] == [[2.5, 4], [4, 7]]
    assert points[0].get_zorder() > line.get_zorder()
    assert axes.get_title(loc="left") == "chips sold"
    assert axes.get_ylabel() == "GW/Year"


def test_bands_are_drawn_the_widest_first_and_named():
    """A narrow band lies on a wide one, and the legend shows it as dark as it is there."""
    figure = plot_fit({"a": _panel(bands=(0.5, 0.9))})
    (axes,) = _panels(figure)
    heights = [np.ptp(each.get_paths()[0].vertices[:, 1]) for each in axes.collections[:2]]
    assert heights[0] > heights[1]
    assert _legend(figure)[:3] == ["median", "90 % of members", "50 % of members"]
    wide, narrow = (each.get_alpha() for each in figure.legends[0].get_patches())
    first, second = (each.get_alpha() for each in axes.collections[:2])
    assert (wide, narrow) == pytest.approx((first, 1 - (1 - first) * (1 - second)))


def test_a_single_run_is_the_model_and_has_no_bands():
    """Line and points have colours that everyone can tell apart, and the legend says which is which."""
    figure = plot_fit({"a": _panel()}, title="base", origin="Model a.mdl")
    (axes,) = _panels(figure)
    assert _legend(figure) == ["model", "observed, with one standard deviation"]
    assert to_hex(axes.lines[0].get_color()) != to_hex(axes.containers[0][0].get_color())
    assert figure.legends[0].get_title().get_text() == "base"
    assert figure.get_supxlabel() == "Model a.mdl"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_each_series_has_a_panel(count: int):
    """In their order; places left over stay empty."""
    names = [f"series {place}" for place in range(count)]
    panels = _panels(plot_fit({name: _panel() for name in names}))
    assert [axes.get_title(loc="left") for axes in panels] == names


def test_without_dates_the_axis_has_the_units_of_time():
    """Points stand at numbers of the model's own time."""
    (axes,) = _panels(plot_fit({"a": _panel(dated=False)}))
    assert axes.get_xlabel() == "Month"
    assert axes.containers[0][0].get_xdata().tolist() == [2023, 2025]


def test_a_figure_of_nothing_is_refused():
    """It says what to do."""
    with pytest.raises(FigureError, match="has no series; "):
        plot_fit({})
