"""Building a report from stored runs, and writing it as one file."""

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
from .page import Image, Report, Section, render_html
from .sections import (
    attribution_section,
    choose_headlines,
    difference_section,
    ensemble_section,
    headline_section,
    lever_section,
    provenance_section,
)

_SUFFIXES = frozenset({".html", ".htm"})


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
    r"""Write one self-contained HTML page about runs, ensembles and attributions.

    The page opens without a network. It shows headline variables over time and at some times, the differences between the
    runs, the bands of ensembles, the contributions of levers, the levers of the model, and the provenance of every run.

    Parameters
    ----------
    runs : mapping of str to xarray.Dataset
        Runs, ensembles and attributions by name, as `simulate`, `run_ensemble`, `attribute_levers` and `open_run` return
        them. Differences are from the first run.
    path : str or path
        The file to write; its name ends in `.html` or `.htm`.
    on : sequence of str, optional
        The headline variables; by default those that the first run records.
    at : sequence of float, optional
        Times in the units of the model; by default the middle and the end of the first run.
    title : str, optional
        The title of the page; by default the names of the runs.
    picture : matplotlib.figure.Figure, optional
        A figure in place of that of the headline variables.
    further : mapping of str to matplotlib.figure.Figure, optional
        More figures by their headings.
    force : bool, default False
        Replace an existing file.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    ReportError
        If there are no runs, the name does not end in .html or .htm, the file exists and `force` is not given, or Jinja2 is
        not installed.
    SdmodelError
        If a run lacks one of the variables, or a figure cannot be plotted.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Level = INTEG(rate, 0)\nrate = 1")
    >>> runs = {"base": sd.simulate(model), "fast": sd.simulate(model, {"rate": 2})}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = sd.write_report(runs, Path(folder) / "report.html", on=["Level"], at=[10])
    ...     page.name, "<h2>What differs</h2>" in page.read_text("utf-8")
    ('report.html', True)
    """
    target = Path(path)
    if target.suffix.lower() not in _SUFFIXES:
        message = f"{target}: is not a name for a page; let it end in .html"
        raise ReportError(message)
    if not runs:
        message = f"{target}: there are no runs to report on; name at least one"
        raise ReportError(message)
    if os.path.lexists(target) and not force:
        message = f"{target}: exists already; name another with -o, or --force to replace it"
        raise ReportError(message)
    for name, run in runs.items():
        check_run(run, name)
    text = render_html(build_report(runs, on=on, at=at, title=title, picture=picture, further=further))
    write_file(target, text.encode(), force=force, error=ReportError)
    return target


def build_report(
    runs: Mapping[str, xr.Dataset],
    *,
    on: Sequence[str] = (),
    at: Sequence[float] = (),
    title: str | None = None,
    picture: Figure | None = None,
    further: Mapping[str, Figure] | None = None,
) -> Report:
    """Return the page that `write_report` writes, as records."""
    attributions = {name: run for name, run in runs.items() if run.attrs.get(ANALYSIS) == ATTRIBUTION}
    ensembles = {name: run for name, run in runs.items() if member_dims(run) == (MEMBER,)}
    single = {name: run for name, run in runs.items() if not member_dims(run)}
    first = next(iter(runs.values()))
    stored = first[TIME].values
    times = list(at) or list(dict.fromkeys((float(stored[len(stored) // 2]), float(stored[-1]))))
    sections: list[Section] = []
    if single:
        sections.append(headline_section(single, choose_headlines(single, on), times, picture))
    found = compare_runs(single, headlines=()) if len(single) > 1 else None
    if found:
        sections.append(difference_section(single, found))
    for name, run in ensembles.items():
        sections.append(ensemble_section(name, run, choose_headlines({name: run}, on), times))
    sections += [attribution_section(name, run, on) for name, run in attributions.items()]
    sections += [Section(heading, (Image(figure, heading),)) for heading, figure in (further or {}).items()]
    levers = lever_section(single, found) if single else None
    sections += [levers] if levers else []
    sections += [provenance_section(name, run) for name, run in runs.items()]
    model = Path(str(first.attrs["model"])).name
    days = sorted(str(run.attrs["created"])[:10] for run in runs.values())
    period = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    subtitle = f"Model {model}, sha256 {str(first.attrs['model_sha256'])[:12]}; runs made {period}."
    return Report(title or " · ".join(runs), subtitle, tuple(sections))
