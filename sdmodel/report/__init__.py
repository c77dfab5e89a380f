"""One self-contained page about stored runs."""

from .page import Frame, Image, Paragraph, Report, Section, Table, render_html
from .writing import build_report, write_report

__all__ = ["Frame", "Image", "Paragraph", "Report", "Section", "Table", "build_report", "render_html", "write_report"]
