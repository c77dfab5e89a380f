"""The model itself in one web page that needs no network: sliders, live charts, contributions of levers, bands and diagrams."""

from .writing import explorer_html, write_explorer

__all__ = ["explorer_html", "write_explorer"]
