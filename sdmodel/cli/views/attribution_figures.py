"""The figures of an attribution: wedges over time, and bars at one date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from ...analysis import Attributed
from ...comparison import Outcome, outcome_of
from ...dataset import TIME
from ...figures import Contributions, plot_contributions, plot_wedges, save_figure
from ..tables import note
from .attribution import parts_of, when_told

_MOST = 6
"""So many variables are on a page."""


def draw_attribution(
    found: xr.Dataset,
    names: Sequence[str],
    moment: Outcome,
    targets: Sequence[Path],
    *,
    title: str,
    force: bool = False,
) -> list[Path]:
    """Draw wedges to the first target and the bars of a moment to the second, as far as there are targets."""
    if not targets:
        return []
    ends = str(found.attrs["baseline_name"]) or "baseline", str(found.attrs["scenario_name"]) or "all levers moved"
    origin = _origin(found)
    wedges, bars = contributions_of(found, names), contributions_of(found, names, moment)
    figures = [
        plot_wedges(wedges[:_MOST], names=ends, title=title, origin=origin),
        plot_contributions(bars[:_MOST], when=when_told(moment, found), title=title, origin=origin),
    ]
    if len(wedges) > _MOST:
        note(f"the first {_MOST} of {len(wedges)} variables are drawn; choose with --on")
    return [save_figure(figure, target, force=force) for figure, target in zip(figures, targets, strict=False)]


def _origin(found: xr.Dataset) -> list[str]:
    """Where the numbers come from, as lines below a figure."""
    record = found.attrs
    levers = {name: "; ".join(lines) for name, lines in json.loads(str(record["levers"])).items()}
    told = ", ".join(lines if lines.startswith(f"{name} =") else f"{name} ({lines})" for name, lines in levers.items())
    members = f"; means of {record['members']} members" if record["members"] > 1 else ""
    return [
        f"Model {Path(str(record['model'])).name}, sha256 {str(record['model_sha256'])[:12]}; {record['runs']} runs, {record['method']}{members}",
        f"{record['scenario_name'] or 'scenario'}: {told}",
    ]


def contributions_of(found: xr.Dataset, names: Sequence[str], outcome: Outcome | None = None) -> list[Contributions]:
    """What figures draw of some variables: over time, or at one time."""
    return [_drawn(part, outcome) for part in parts_of(found, names)]


def _drawn(part: Attributed, outcome: Outcome | None) -> Contributions:
    def of(values: xr.DataArray) -> xr.DataArray:
        if outcome is None:
            return values
        at = outcome_of(values, outcome)
        return at.expand_dims({TIME: [0.0 if outcome.at is None else outcome.at]})

    shares = of(part.contributions)
    return Contributions(
        part.name,
        part.units,
        of(part.baseline),
        of(part.scenario),
        shares.sel(measure="shapley"),
        alone=shares.sel(measure="alone"),
        last=shares.sel(measure="last"),
        spread=None if part.spread is None else of(part.spread),
    )
