"""One self-contained page about stored runs."""

from .page import Cells, Picture, Report, Section, Text, page_text
from .writing import report_on, write_report

__all__ = ["Cells", "Picture", "Report", "Section", "Text", "page_text", "report_on", "write_report"]
