"""Figures of stored numbers: functions that return a matplotlib `Figure` and compute no results of their own."""

from .bands import plot_bands
from .diagram import choose_view, plot_diagram
from .fit import plot_fit
from .maps import plot_heat_map
from .observed import Observed
from .output import save_figure
from .page import Page, Panel, Scale, page_beside, read_page
from .runs import plot_runs
from .sweep import plot_sweep

__all__ = [
    "Observed",
    "Page",
    "Panel",
    "Scale",
    "choose_view",
    "page_beside",
    "plot_bands",
    "plot_diagram",
    "plot_fit",
    "plot_heat_map",
    "plot_runs",
    "plot_sweep",
    "read_page",
    "save_figure",
]
