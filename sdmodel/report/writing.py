"""A report from stored runs: chosen sections in the order in which a reader asks for them, written as one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from ..analysis import ANALYSIS, ATTRIBUTION, compare_runs
from ..dataset import MEMBER, TIME, check_run, member_dims
from ..errors import ReportError
from ..files import write_file
from .levers import attribution_section
from .page import Picture, Report, Section, page_text
from .sections import (
    difference_section,
    ensemble_section,
    headline_section,
    headlines_of,
    lever_section,
    provenance_sections,
)

_PLAIN = frozenset({".html", ".htm"})


def write_report(
    runs: Mapping[str, xr.Dataset],
    path: str | os.PathLike[str],
    *,
    on: Sequence[str] = (),
    at: Sequence[float] = (),
    title: str | None = None,
    picture: Figure | None = None,
    further: Mapping[str, Figure] | None = None,
    force: bool = False,
) -> Path:
    """Write one HTML page about runs, ensembles and attributions, by name, and return where it is.

    It holds its figures itself and opens without a network: headlines at the times `at`, in the model's unit (the middle
    and the end by default), of the variables `on` (the headlines of the first run by default); what differs; what each
    lever contributes; where every run comes from. `picture` is drawn in place of the headlines, `further` figures follow
    under their headings.

    Raises
    ------
    ReportError
        If there are no runs, the name does not end in .html, the file exists and `force` is not given, or Jinja2 is missing.
    SdmodelError
        If a run lacks one of the variables, or a figure cannot be drawn.
    """
    target = Path(path)
    if target.suffix.lower() not in _PLAIN:
        message = f"{target}: is no name for a page; let it end in .html"
        raise ReportError(message)
    if not runs:
        message = f"{target}: there are no runs to report on; name at least one"
        raise ReportError(message)
    if os.path.lexists(target) and not force:
        message = f"{target}: exists already; name another with -o, or --force to replace it"
        raise ReportError(message)
    for name, run in runs.items():
        check_run(run, name)
    text = page_text(report_on(runs, on=on, at=at, title=title, picture=picture, further=further))
    write_file(target, text.encode(), force=force, error=ReportError)
    return target


def report_on(
    runs: Mapping[str, xr.Dataset],
    *,
    on: Sequence[str] = (),
    at: Sequence[float] = (),
    title: str | None = None,
    picture: Figure | None = None,
    further: Mapping[str, Figure] | None = None,
) -> Report:
    """The same page as records."""
    attributions = {name: run for name, run in runs.items() if run.attrs.get(ANALYSIS) == ATTRIBUTION}
    ensembles = {name: run for name, run in runs.items() if member_dims(run) == (MEMBER,)}
    single = {name: run for name, run in runs.items() if not member_dims(run)}
    moments = list(at) or _moments(next(iter(runs.values())))
    sections: list[Section] = []
    if single:
        names = headlines_of(single, on)
        sections.append(headline_section(single, names, moments, picture))
    found = compare_runs(single, headlines=()) if len(single) > 1 else None
    if found:
        sections.append(difference_section(single, found))
    for name, run in ensembles.items():
        sections.append(ensemble_section(name, run, headlines_of({name: run}, on), moments))
    for name, run in attributions.items():
        sections.append(attribution_section(name, run, list(on)))
    sections += [Section(heading, (Picture(figure, heading),)) for heading, figure in (further or {}).items()]
    levers = lever_section(single, found) if single else None
    sections += [levers] if levers else []
    sections += provenance_sections(runs)
    first = next(iter(runs.values()))
    model = Path(str(first.attrs["model"])).name
    subtitle = f"Model {model}, sha256 {str(first.attrs['model_sha256'])[:12]}; runs made {_made(runs)}."
    return Report(title or " · ".join(runs), subtitle, tuple(sections))


def _moments(run: xr.Dataset) -> list[float]:
    """The stored times in the middle and at the end of a run."""
    times = run[TIME].values
    return list(dict.fromkeys([float(times[len(times) // 2]), float(times[-1])]))


def _made(runs: Mapping[str, xr.Dataset]) -> str:
    """When the runs were made, from the first to the last day."""
    days = sorted(str(run.attrs["created"])[:10] for run in runs.values())
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
