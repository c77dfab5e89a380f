"""Figures of stored numbers: functions that return a matplotlib `Figure` and compute no results of their own."""

from .bands import plot_bands
from .diagram import choose_view, plot_diagram
from .fit import plot_fit
from .observed import Observed
from .output import save_figure
from .page import Page, Panel, Scale, page_beside, read_page
from .runs import plot_runs
from .shades import Shade, Shades
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
    "page_beside",
    "plot_bands",
    "plot_contributions",
    "plot_diagram",
    "plot_fit",
    "plot_runs",
    "plot_wedges",
    "read_page",
    "save_figure",
]
