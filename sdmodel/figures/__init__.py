"""Figures of stored numbers: functions that return a matplotlib `Figure` and compute no results of their own."""

from .bands import plot_bands
from .diagram import choose_view, plot_diagram
from .differences import plot_differences
from .fit import plot_fit
from .maps import plot_heat_map
from .observed import Observed
from .output import figure_bytes, save_figure
from .page import (
    Page,
    Panel,
    Scale,
    page_beside,
    read_page,
)
from .runs import plot_runs
from .sensitivity import plot_morris, plot_sobol, plot_tornado
from .shades import Shade, Shades
from .sweep import plot_sweep
from .wedges import Contributions, plot_contributions, plot_wedges

__all__ = [
    "Contributions",
    "Observed",
    "Page",
    "Panel",
    "Scale",
    "Shade",
    "Shades",
    "choose_view",
    "figure_bytes",
    "page_beside",
    "plot_bands",
    "plot_contributions",
    "plot_diagram",
    "plot_differences",
    "plot_fit",
    "plot_heat_map",
    "plot_morris",
    "plot_runs",
    "plot_sobol",
    "plot_sweep",
    "plot_tornado",
    "plot_wedges",
    "read_page",
    "save_figure",
]
