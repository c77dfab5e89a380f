"""Which panels a figure has, and what the page beside the model says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import xarray as xr

from ..observations import stored_model_file
from ..output import note

if TYPE_CHECKING:
    from ...figures import Layout, Scale

T = TypeVar("T")

MOST_PANELS = 6
"""More panels than this are plotted on request only."""


def first_panels(panels: Sequence[T], *, every: bool) -> Sequence[T]:
    """The panels of a figure: all of them on request, else the first six, with a note."""
    if every or len(panels) <= MOST_PANELS:
        return panels
    note(f"the figure shows the first {MOST_PANELS} of {len(panels)} panels; --all shows the rest, --on chooses others")
    return panels[:MOST_PANELS]


def layout_of(run: xr.Dataset) -> Layout:
    """The page beside the model of a run, `MODEL.figure.csv`; without one, a page without panels."""
    from ...figures import layout_beside

    return layout_beside(stored_model_file(run))


def scales_of(layout: Layout, names: Sequence[str]) -> Mapping[str, Scale]:
    """The scales that a page chooses for variables."""
    return {name: layout.scale_of(name) for name in names}
