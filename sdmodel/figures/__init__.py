"""Figures of stored numbers: functions that return a matplotlib `Figure` and compute no results of their own."""

from .attribution import plot_contributions, plot_wedges
from .backtest import plot_backtest
from .bands import plot_bands, plot_differences, plot_fit
from .boxes import plot_boxes
from .diagram import PlacedView, ShadedValue, Shading, find_view, place_view, plot_diagram
from .layout import Layout, Panel, Scale, find_layout, layout_beside, read_layout
from .output import render_figure, render_small_svg, save_figure
from .panels import narrow_pages
from .ranking import plot_ranking
from .runs import Observed, plot_runs
from .sensitivity import plot_morris, plot_sobol, plot_tornado
from .sweep import plot_heat_map, plot_sweep

__all__ = [
    "Layout",
    "Observed",
    "Panel",
    "PlacedView",
    "Scale",
    "ShadedValue",
    "Shading",
    "find_layout",
    "find_view",
    "layout_beside",
    "narrow_pages",
    "place_view",
    "plot_backtest",
    "plot_bands",
    "plot_boxes",
    "plot_contributions",
    "plot_diagram",
    "plot_differences",
    "plot_fit",
    "plot_heat_map",
    "plot_morris",
    "plot_ranking",
    "plot_runs",
    "plot_sobol",
    "plot_sweep",
    "plot_tornado",
    "plot_wedges",
    "read_layout",
    "render_figure",
    "render_small_svg",
    "save_figure",
]
