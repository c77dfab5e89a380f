"""A page as records - texts, tables, pictures in sections - and as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib import resources
from typing import Any

from matplotlib.figure import Figure

from ..errors import ReportError
from ..extras import load_extra
from ..figures import figure_bytes

_TEMPLATE = "page.html"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, or with `code` lines of a file as they stand."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """A table: names of columns, rows of texts, how many of the first columns are words, and what it is about.

    `strong` are rows that stand out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    caption: str = ""
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, and what a reader who cannot see it is told."""

    figure: Figure
    alt: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under a heading; `folded` parts are opened by a click, and printed whole."""

    heading: str
    parts: tuple[Text | Cells | Picture, ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A whole page."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]


def page_text(report: Report) -> str:
    """The page as HTML that holds its figures itself and refers to nothing; whatever stands in a run is text, never markup.

    Raises
    ------
    ReportError
        If Jinja2 is not installed.
    """
    jinja2 = load_extra("jinja2", extra="report", task="a report", error=ReportError)
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    source = resources.files(__package__).joinpath(_TEMPLATE).read_text("utf-8")
    drawn = [[(type(part).__name__, _held(part)) for part in section.parts] for section in report.sections]
    text: str = environment.from_string(source).render(
        report=report, contents=list(zip(report.sections, drawn, strict=True))
    )
    return text


def _held(part: Text | Cells | Picture) -> Any:
    """What the template shows of a part; a picture as the address that is itself the picture."""
    if not isinstance(part, Picture):
        return part
    coded = base64.b64encode(figure_bytes(part.figure, "svg")).decode("ascii")
    return {"source": f"data:image/svg+xml;base64,{coded}", "alt": part.alt}
