"""Figures of a fit, checked as data: the contents of each panel, and the legend."""

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


def test_points_lie_over_the_line_with_error_bars():
    """The two ends of a bar may be at different distances."""
    (axes,) = _panels(plot_fit({"chips sold": _panel()}))
    line, points = axes.lines[0], axes.containers[0]
    assert line.get_ydata().tolist() == (YEARS - 2020).tolist()
    assert points[0].get_ydata().tolist() == OBSERVED.tolist()
    assert [num2date(x).year for x in points[0].get_xdata(orig=False)] == [2023, 2025]
    assert [segment[:, 1].tolist() for segment in points[2][0].get_segments()] == [[2.5, 4], [4, 7]]
    assert points[0].get_zorder() > line.get_zorder()
    assert axes.get_title(loc="left") == "chips sold"
    assert axes.get_ylabel() == "GW/Year"


def test_bands_are_drawn_widest_first_and_named():
    """A narrow band lies on a wide one, and the legend shows it as dark as it is there."""
    figure = plot_fit({"a": _panel(bands=(0.5, 0.9))})
    (axes,) = _panels(figure)
    heights = [np.ptp(band.get_paths()[0].vertices[:, 1]) for band in axes.collections[:2]]
    assert heights[0] > heights[1]
    assert _legend(figure)[:3] == ["median", "90 % of members", "50 % of members"]
    wide, narrow = (patch.get_alpha() for patch in figure.legends[0].get_patches())
    first, second = (band.get_alpha() for band in axes.collections[:2])
    assert (wide, narrow) == pytest.approx((first, 1 - (1 - first) * (1 - second)))


def test_single_run_has_no_bands():
    """Line and points have distinct colours, and the legend says which is which."""
    figure = plot_fit({"a": _panel()}, title="base", origin="Model a.mdl")
    (axes,) = _panels(figure)
    assert _legend(figure) == ["model", "observed, with one standard deviation"]
    assert to_hex(axes.lines[0].get_color()) != to_hex(axes.containers[0][0].get_color())
    assert figure.legends[0].get_title().get_text() == "base"
    assert figure.get_supxlabel() == "Model a.mdl"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_each_series_has_a_panel(count: int):
    """Panels keep the order of the series; spare places stay empty."""
    names = [f"series {place}" for place in range(count)]
    panels = _panels(plot_fit({name: _panel() for name in names}))
    assert [axes.get_title(loc="left") for axes in panels] == names


def test_axis_without_dates_has_the_units_of_time():
    (axes,) = _panels(plot_fit({"a": _panel(dated=False)}))
    assert axes.get_xlabel() == "Month"
    assert axes.containers[0][0].get_xdata().tolist() == [2023, 2025]


def test_figure_without_series_is_refused():
    with pytest.raises(FigureError, match="has no series; "):
        plot_fit({})
