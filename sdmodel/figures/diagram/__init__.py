"""A view of a sketch as a stock-and-flow diagram."""

from .view import ShadedValue, Shading, find_view, plot_diagram

__all__ = ["ShadedValue", "Shading", "find_view", "plot_diagram"]
