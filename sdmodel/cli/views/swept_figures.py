"""What commands draw of a sweep: lines over time by the value of a lever, or outcomes over two levers as maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from ...comparison import Outcome, from_base, outcome_of, quantiles
from ...dataset import MEMBER, base_places, find_variable, lever_dims, long_name
from ...figures import plot_heat_map, plot_sweep, save_figure
from ..tables import note
from .spread import labelled
from .swept import LEVELS

_PANELS, _MAPS = 21, 6
"""So many panels or maps stand on a page."""


def draw_sweep(
    run: xr.Dataset,
    names: Sequence[str],
    target: Path,
    *,
    outcomes: Sequence[Outcome] = (),
    title: str | None = None,
    logarithmic: bool = False,
    force: bool = False,
) -> Path:
    """Draw a sweep to a file."""
    figure = sweep_figure(run, names, outcomes=outcomes, title=title, logarithmic=logarithmic)
    return save_figure(figure, target, force=force)


def sweep_figure(
    run: xr.Dataset,
    names: Sequence[str],
    *,
    outcomes: Sequence[Outcome] = (),
    title: str | None = None,
    logarithmic: bool = False,
) -> Figure:
    """The figure of a sweep: `outcomes` of two levers or more as maps, else lines over time; over members, differences."""
    if outcomes and len(lever_dims(run)) > 1:
        return plot_heat_map(_maps(run, names, outcomes), title=title)
    shown = names[:_PANELS]
    if len(shown) < len(names):
        note(f"the figure shows {len(shown)} of {len(names)} variables; --on chooses others")
    return plot_sweep(_over_time(run, shown), shown, title=title, logarithmic=logarithmic)


def _maps(run: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome]) -> xr.Dataset:
    """Outcomes label by label, over members the medians, as many as a page has room for."""
    found = [
        part.reset_coords(drop=True).assign_attrs(long_name=name)
        for each in names
        for outcome in outcomes
        for name, part in labelled(outcome_of(find_variable(run, each), outcome))
        if lever_dims(part) == lever_dims(run)
    ]
    if len(found) > _MAPS:
        note(f"the figure shows {_MAPS} of {len(found)} outcomes; --on chooses others")
    shown = [_median(each) for each in found[:_MAPS]]
    return xr.Dataset({str(place): each for place, each in enumerate(shown)}, attrs=_counted(run))


def _median(values: xr.DataArray) -> xr.DataArray:
    """The median of members, which is told."""
    if MEMBER not in values.dims:
        return values
    told = f"{values.attrs.get('outcome', '')}, median of members"
    return values.median(MEMBER, keep_attrs=True).assign_attrs(outcome=told)


def _over_time(run: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """A sweep as its figure has it: over members, quantiles of what differs from the same member at the levers' own values."""
    if MEMBER not in run.dims:
        return run
    own = run.isel({dim: at for dim, at in base_places(run).items() if dim != lever_dims(run)[0]})
    found = {name: find_variable(own, name) for name in names}
    paired = {
        name: from_base(each).assign_attrs(long_name=f"{long_name(each)}: difference from base")
        for name, each in found.items()
        if base_places(each)
    }
    told = quantiles(xr.Dataset(found | paired, attrs=_counted(run)), list(found), LEVELS)
    return told.rename({each: name for each, name in zip(told.data_vars, names, strict=True) if each != name})


def _counted(run: xr.Dataset) -> dict[str, object]:
    """What a run tells of itself, with the number of its members."""
    return dict(run.attrs) | ({"members": run.sizes[MEMBER]} if MEMBER in run.dims else {})
