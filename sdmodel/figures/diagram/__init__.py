"""A view of a sketch as a stock-and-flow diagram."""

from .view import PlacedView, ShadedValue, Shading, find_view, place_view, plot_diagram

__all__ = ["PlacedView", "ShadedValue", "Shading", "find_view", "place_view", "plot_diagram"]
