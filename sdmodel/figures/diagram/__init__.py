"""A view of a sketch as a stock-and-flow diagram."""

from .shading import ShadedValue, Shading
from .view import find_view, plot_diagram

__all__ = ["ShadedValue", "Shading", "find_view", "plot_diagram"]
