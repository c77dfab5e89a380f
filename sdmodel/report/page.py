"""A page as records - paragraphs, tables and images in sections - and as one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from matplotlib.figure import Figure

from ..figures import render_small_svg

_NARROW = 5.0
"""Inches: wider figures take the width of the page."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, or preformatted lines if it is `code`."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table: names of columns, rows of texts, the number of first columns that hold words, and a caption.

    `strong` are the indices of highlighted rows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    caption: str = ""
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Image:
    """Figures side by side, or one, with a description for readers who cannot see them.

    Of many figures, a click opens those after the first six.
    """

    figures: Figure | Sequence[Figure]
    alt: str

    @property
    def sources(self) -> list[str]:
        """The figures as data URLs."""
        svgs = (render_small_svg(figure) for figure in self._list)
        return [f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}" for svg in svgs]

    @property
    def wide(self) -> bool:
        """Whether a figure is as wide as the page."""
        return any(figure.get_figwidth() > _NARROW for figure in self._list)

    @property
    def notes(self) -> list[str]:
        """Where the numbers come from, if the figures do not say it themselves."""
        silent = (figure for figure in self._list if not figure.get_supxlabel())
        return list(dict.fromkeys(line for figure in silent for line in getattr(figure, "origin", ())))

    @property
    def _list(self) -> list[Figure]:
        return [self.figures] if isinstance(self.figures, Figure) else list(self.figures)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under a heading; a click opens a `folded` section, which is printed in full."""

    heading: str
    parts: tuple[Paragraph | Table | Image, ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole other page inside this one, and the `scripts` that it runs, as a content security policy names them."""

    heading: str
    text: str
    scripts: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole page, with another page at its end if there is a frame; without one it runs no scripts."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    frame: Frame | None = None


def render_html(report: Report) -> str:
    """Return the page as HTML that contains its figures and refers to nothing else; all texts are escaped."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    source = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    text: str = environment.from_string(source).render(report=report)
    return text
