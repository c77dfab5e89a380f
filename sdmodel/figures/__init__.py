"""Figures of stored numbers: functions that return a matplotlib `Figure` and compute no results of their own."""

from .bands import plot_bands
from .fit import plot_fit
from .output import save_figure
from .runs import plot_runs

__all__ = ["plot_bands", "plot_fit", "plot_runs", "save_figure"]
