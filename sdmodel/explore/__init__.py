"""The model itself in one web page that needs no network: sliders, live charts, contributions of levers, bands and diagrams."""

from .writing import ExplorerPage, make_explorer, write_explorer

__all__ = ["ExplorerPage", "make_explorer", "write_explorer"]
