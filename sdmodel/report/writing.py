"""Building a report from stored runs, section by section, and writing it as one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ..analysis import (
    ATTRIBUTION,
    RANKING,
    Comparison,
    attributed_variables,
    compare_runs,
    contribution_rows,
    contributions_to,
    greatest_difference,
    model_of_run,
    ranking_answers,
    ranking_columns,
)
from ..comparison import MEDIAN, Outcome, VariableAttribution, levels_of, take_snapshots
from ..dataset import (
    ANALYSIS,
    MEMBER,
    PROBABILITY,
    TEXT,
    TIME,
    check_run,
    describe_sampling,
    has_variable,
    labels_along,
    long_name,
    member_dims,
    spelled_names,
    subscript_dims,
    with_labels,
)
from ..errors import ReportError, SdmodelError, format_count
from ..figures import (
    layout_beside,
    narrow_pages,
    plot_backtest,
    plot_bands,
    plot_ranking,
    plot_runs,
    plot_wedges,
)
from ..files import page_path, write_file
from ..inference import (
    BACKTEST,
    SCORE_HEADINGS,
    backtest_panels,
    quantiles_with_error,
    score_backtest,
    score_cells,
)
from ..numerals import format_band, format_exact, format_number, format_percent
from ..scenario import find_levers
from .page import Frame, Image, Paragraph, Report, Section, Table, render_html

_MOST_DIFFERENCES, _MOST_PANELS, _MOST_ATTRIBUTED = 15, 12, 3
BANDS = (0.5, 0.9)
"""The bands of ensembles that commands print by default, as shares of the members within them."""
_LONG_ATTRIBUTES = frozenset({TEXT, "headlines", "levers"})
_KINDS = {
    "policy lever": "Policy levers",
    "uncertainty": "Uncertainties",
    "switch": "Switches",
    "constant": "Constants",
}

Runs = Mapping[str, xr.Dataset]


def write_report(
    runs: Mapping[str, xr.Dataset],
    path: str | os.PathLike[str],
    *,
    on: Sequence[str] = (),
    at: Sequence[float] = (),
    bands: Sequence[float] = BANDS,
    title: str | None = None,
    picture: Figure | Sequence[Figure] | None = None,
    further: Mapping[str, Figure | Sequence[Figure]] | None = None,
    frame: Frame | None = None,
    force: bool = False,
) -> Path:
    r"""Write one self-contained HTML page about runs, ensembles and attributions.

    The page opens without a network. It shows headline variables over time and at some times, the differences between the
    runs, the bands of ensembles, rankings and contributions of levers, the levers of the model, and the provenance of every run.

    Parameters
    ----------
    runs : mapping of str to xarray.Dataset
        Runs, ensembles and analyses by name, as `simulate`, `run_ensemble`, `attribute_levers`, `rank_levers` and `open_run`
        return them. Differences are from the first run.
    path : str or path
        The file to write; its name ends in `.html` or `.htm`.
    on : sequence of str, optional
        The headline variables; by default those that the first run records.
    at : sequence of float, optional
        Times in the units of the model; by default the middle and the end of the first run, and of attributions the time at
        which the scenario makes the greatest difference.
    bands : sequence of float, default (0.5, 0.9)
        Shares of the members of an ensemble that lie within each band.
    title : str, optional
        The title of the page; by default the names of the runs.
    picture : matplotlib.figure.Figure or sequence of these, optional
        A figure in place of those of the headline variables, or one for each panel.
    further : mapping of str to matplotlib.figure.Figure or sequence of these, optional
        More figures by their headings.
    frame : Frame, optional
        Another page to embed at the end (`sdmodel.report.Frame`), such as the explorer of the model.
    force : bool, default False
        Replace an existing file.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    ReportError
        If there are no runs, the name does not end in .html or .htm, or the file exists and `force` is not given.
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
    target = page_path(path, force=force, error=ReportError)
    if not runs:
        message = f"{target}: there are no runs to report on; name at least one"
        raise ReportError(message)
    for name, run in runs.items():
        check_run(run, name)
    report = build_report(runs, on=on, at=at, bands=bands, title=title, picture=picture, further=further)
    write_file(target, render_html(replace(report, frame=frame)).encode(), force=force, error=ReportError)
    return target


def build_report(
    runs: Mapping[str, xr.Dataset],
    *,
    on: Sequence[str] = (),
    at: Sequence[float] = (),
    bands: Sequence[float] = BANDS,
    title: str | None = None,
    picture: Figure | Sequence[Figure] | None = None,
    further: Mapping[str, Figure | Sequence[Figure]] | None = None,
) -> Report:
    """Return the page that `write_report` writes, as records."""
    with narrow_pages():
        return _build_report(runs, on, at, bands, title, picture, further)


def _build_report(
    runs: Mapping[str, xr.Dataset],
    on: Sequence[str],
    at: Sequence[float],
    bands: Sequence[float],
    title: str | None,
    picture: Figure | Sequence[Figure] | None,
    further: Mapping[str, Figure | Sequence[Figure]] | None,
) -> Report:
    attributions = {name: run for name, run in runs.items() if run.attrs.get(ANALYSIS) == ATTRIBUTION}
    ensembles = {name: run for name, run in runs.items() if member_dims(run) == (MEMBER,)}
    single = {name: run for name, run in runs.items() if not member_dims(run)}
    first = next(iter(runs.values()))
    stored = first[TIME].values
    times = list(at) or list(dict.fromkeys((float(stored[len(stored) // 2]), float(stored[-1]))))
    sections: list[Section] = []
    if single:
        sections.append(_headline_section(single, _choose_headlines(single, on), times, picture))
    found = compare_runs(single, headlines=()) if len(single) > 1 else None
    if found:
        sections.append(_difference_section(single, found))
    for name, run in ensembles.items():
        sections.append(_ensemble_section(name, run, _choose_headlines({name: run}, on), times, bands))
    sections += [_ranking_section(name, run) for name, run in runs.items() if run.attrs.get(ANALYSIS) == RANKING]
    sections += [_attribution_section(name, run, on, at) for name, run in attributions.items()]
    sections += [_backtest_section(name, run) for name, run in runs.items() if run.attrs.get(ANALYSIS) == BACKTEST]
    sections += [Section(heading, (Image(figure, heading),)) for heading, figure in (further or {}).items()]
    levers = _lever_section(single, found) if single else None
    sections += [levers] if levers else []
    sections += [_provenance_section(name, run) for name, run in runs.items()]
    model = Path(str(first.attrs["model"])).name
    days = sorted(str(run.attrs["created"])[:10] for run in runs.values())
    period = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    subtitle = f"Model {model}, sha256 {str(first.attrs['model_sha256'])[:12]}; runs made {period}."
    return Report(title or " · ".join(runs), subtitle, tuple(sections))


def _choose_headlines(runs: Runs, names: Sequence[str]) -> list[str]:
    """Return those of the named variables that all runs have; without any, headlines of the first run, stocks or others."""
    first = next(iter(runs.values()))
    listed = str(first.attrs.get("headlines", "")).splitlines()
    moving = spelled_names(first, lambda variable: TIME in variable.dims)
    stocks = spelled_names(first, lambda variable: variable.attrs.get("kind") == "stock")
    for candidates in (names, listed, stocks[:_MOST_PANELS], moving[:_MOST_PANELS]):
        found = [name for name in candidates if all(has_variable(run, name) for run in runs.values())]
        if found:
            return found
    message = f"the runs {', '.join(runs)} have no variable in common; report on each separately"
    raise ReportError(message)


def _headline_section(
    runs: Runs, names: Sequence[str], at: Sequence[float], picture: Figure | Sequence[Figure] | None
) -> Section:
    """Show the headline variables of all runs over time, and side by side at some times."""
    first, *others = runs
    extrapolation = layout_beside(str(runs[first].attrs["model"])).extrapolation
    figures = picture or [plot_runs(runs, [name], extrapolation=extrapolation) for name in names[:_MOST_PANELS]]
    parts: list[Image | Table] = [Image(figures, f"{', '.join(names)} over time in {', '.join(runs)}")]
    columns = ("", "units", first, *(column for name in others for column in (name, f"vs {first}")))
    for time in at:
        rows = []
        for cell in take_snapshots(runs, names, [time]):
            row = [cell.name, cell.units, format_number(cell.values[0][0], cell.units)]
            for run in range(1, len(runs)):
                row += [format_number(cell.values[run][0], cell.units), format_percent(*cell.per_cent(run))]
            rows.append(tuple(row))
        parts.append(Table(columns, tuple(rows), words=2, caption=f"At {time:.10g}"))
    return Section("Headlines", tuple(parts))


def _difference_section(runs: Runs, found: Comparison) -> Section:
    """Show the constants and lookups that differ between the runs, and the largest differences of variables."""
    changes = found.changes
    parts: list[Paragraph | Table] = [Paragraph(f"{remark}.") for remark in changes.remarks]
    if changes.constants:
        rows = tuple((one.name, one.units, *map(_format_range, one.values)) for one in changes.constants)
        parts.append(Table(("constant", "units", *runs), rows, words=2, caption="Constants that differ"))
    for lookup in changes.lookups:
        tables = "\n".join(f"{name}: {table}" for name, table in zip(runs, lookup.tables, strict=True))
        parts += [Paragraph(f"The lookup '{lookup.name}' differs:"), Paragraph(tables, code=True)]
    if not changes.constants and not changes.lookups:
        parts.append(Paragraph("All constants and lookups are the same."))
    moved = [cell for cell in found.differences if cell.absolute > 0 or cell.without_number]
    if moved:
        differences = []
        for cell in moved[:_MOST_DIFFERENCES]:
            change = cell.after - cell.before
            values = (format_number(value, cell.units) for value in (cell.before, cell.after, change))
            share = format_percent(100 * float(np.copysign(cell.relative, change)))
            differences.append((cell.name, cell.run, cell.units, f"{cell.at:.10g}", *values, share))
        caption = f"Largest differences from {next(iter(runs))}, as a share of the variable's largest size there"
        if len(moved) > _MOST_DIFFERENCES:
            caption += f": the first {_MOST_DIFFERENCES} of {len(moved)}"
        columns = ("variable", "run", "units", "at", "before", "after", "difference", "share")
        parts.append(Table(columns, tuple(differences), words=3, caption=caption))
    return Section("What differs", tuple(parts))


def _format_range(extent: tuple[float, float] | None) -> str:
    """Return a value, or the smallest and the largest; nothing if there is none."""
    if extent is None:
        return ""
    low, high = map(format_exact, extent)
    return low if low == high else f"{low} to {high}"


def _lever_section(runs: Runs, found: Comparison | None) -> Section | None:
    """List the levers of the first run's model, those that differ highlighted; None if the run has no model text."""
    first = next(iter(runs))
    try:
        levers = find_levers(model_of_run(runs[first], f"run '{first}'"))
    except SdmodelError:
        return None
    differing = {constant.constant: constant for constant in found.changes.constants} if found else {}
    tables = []
    shown = [
        lever
        for lever in levers
        if lever.kind != "constant" or lever.name in differing or (lever.minimum, lever.maximum) != (None, None)
    ]
    for kind, title in _KINDS.items():
        rows, highlighted = list[tuple[str, ...]](), set[int]()
        for lever in (lever for lever in shown if lever.kind == kind):
            ends = ("any" if end is None else format_exact(end) for end in (lever.minimum, lever.maximum))
            in_runs = ""
            if lever.name in differing:
                highlighted.add(len(rows))
                values = zip(runs, differing[lever.name].values, strict=True)
                in_runs = "; ".join(f"{run}: {_format_range(extent)}" for run, extent in values)
            value = _format_range((min(lever.values), max(lever.values)))
            rows.append((lever.name, lever.meaning, in_runs, value, " to ".join(ends), lever.units))
        if rows:
            columns = (title, "meaning and source", "in these runs", "in the model", "range", "units")
            tables.append(Table(columns, tuple(rows), words=3, strong=frozenset(highlighted)))
    return Section("What can be changed", tuple(tables), folded=True) if tables else None


def _ensemble_section(
    name: str, run: xr.Dataset, names: Sequence[str], at: Sequence[float], bands: Sequence[float]
) -> Section:
    """Show the median and the bands of the members of an ensemble, over time and at some times."""
    found = quantiles_with_error(run, names, levels_of(bands), str(run.attrs["model"]))
    part = found.interp({TIME: list(at)})
    rows = []
    for variable in part.data_vars.values():
        units = str(variable.attrs.get("units", ""))
        dims = subscript_dims(variable)
        for place, labels in labels_along(variable, dims):
            own = variable.transpose(*dims, PROBABILITY, TIME).values[place]
            levels = dict(zip(map(float, variable[PROBABILITY].values), own, strict=True))
            medians = (format_number(number, units) for number in levels[MEDIAN])
            rows.append((with_labels(long_name(variable), labels), units, *medians))
            for width in bands:
                ends = zip(*(levels[round((1 + side * width) / 2, 9)] for side in (-1, 1)), strict=True)
                rows.append(
                    (f"{100 * width:.4g} % of members", "", *(format_band(low, high, units) for low, high in ends))
                )
    columns = ("", "units", *(f"{time:.10g}" for time in at))
    caption = f"{format_count(run.sizes[MEMBER], 'member')}: the median, and the bands that hold the middle members"
    page = layout_beside(str(run.attrs["model"]))
    figures = [
        plot_bands({name: found}, [one], scales={one: page.scale_of(one)}, extrapolation=page.extrapolation)
        for one in names[:_MOST_PANELS]
    ]
    parts = (
        Image(figures, f"median and bands of {', '.join(names)} over time"),
        Table(columns, tuple(rows), words=2, caption=caption),
        Paragraph(f"Sampling: {describe_sampling(run) or 'unknown'}."),
    )
    return Section(f"Ensemble {name}", parts)


def _attribution_section(name: str, found: xr.Dataset, names: Sequence[str], at: Sequence[float]) -> Section:
    """Show what each lever contributes to the first variables: those that are named, if the attribution has them.

    Without times, at the one at which the scenario makes the greatest difference to the first of them.
    """
    known = attributed_variables(found)
    variables = [variable for variable in names if variable in known] or known
    attributions = [contributions_to(found, variable) for variable in variables]
    moved = (
        part for part in attributions if np.nanmax(np.abs((part.scenario - part.baseline).values), initial=0.0) > 0
    )
    shown = [part for part in moved if not subscript_dims(part.baseline)][:_MOST_ATTRIBUTED]
    baseline, scenario = (str(found.attrs.get(f"{end}_name", "")) or end for end in ("baseline", "scenario"))
    levers = json.loads(str(found.attrs["levers"]))
    members = int(found.attrs["members"])
    averaged = f"; means of {members:,} members, each run with and without each lever" if members > 1 else ""
    introduction = (
        f"Contribution of each lever of {scenario}: when it is changed alone, on average over all orders of changing the levers "
        f"(Shapley value; these add up to the total difference), and when it is changed last. "
        f"{found.attrs['runs']:,} runs, {found.attrs['method']}{averaged}."
    )
    changes = "\n".join(line for lines in levers.values() for line in lines)
    parts: list[Paragraph | Table | Image] = [Paragraph(introduction), Paragraph(changes, code=True)]
    if shown:
        outcomes = [Outcome(at=time) for time in at] or [greatest_difference(attributions[0])]
        extrapolation = layout_beside(str(found.attrs["model"])).extrapolation
        ends = baseline, scenario
        figures = [plot_wedges([part], names=ends, extrapolation=extrapolation) for part in shown]
        alt = f"contributions of {', '.join(levers)} to {', '.join(part.name for part in shown)} over time"
        parts += [Image(figures, alt), *(_contribution_table(part, outcome) for part in shown for outcome in outcomes)]
    else:
        parts.append(Paragraph("The levers do not change any of the variables."))
    return Section(f"Levers of {name}", tuple(parts))


def _ranking_section(name: str, found: xr.Dataset) -> Section:
    """Show what each lever does to the target at the better end of its range, how sure that is, and the trade-off."""
    better = "smaller" if found.attrs["goal"] == "min" else "larger"
    members = f", and in each of {found.attrs['members']:,} members" if found.attrs["members"] else ""
    introduction = (
        f"The effect of each lever alone at the end of its plausible range that makes the target {better}{members}; "
        "per unit is the effect of a small step, per unit of the lever."
    )
    columns = ranking_columns(found)
    headings = tuple(", ".join(filter(None, (column.heading, column.units))) for column in columns)
    rows = tuple(zip(*(column.cells for column in columns), strict=True))
    parts = (
        Paragraph(introduction),
        Image(
            plot_ranking(found), f"effects of levers on {columns[0].heading}, and their trade-off with another outcome"
        ),
        Paragraph(" ".join(ranking_answers(found))),
        Table(headings, rows, caption="Levers, the best first", strong=frozenset({len(rows) - 1})),
    )
    return Section(f"Ranking {name}", parts)


def _backtest_section(name: str, found: xr.Dataset) -> Section:
    """Show the forecasts from each cut, and their scores beside those of the last value and of the last trend."""
    cuts = ", ".join(f"{cut:.6g}" for cut in found["cut"].values)
    introduction = (
        f"At each cut ({cuts}) the model was calibrated on what had been published, and forecast what was observed later. Scores "
        "are mean absolute errors of natural logarithms: 0.10 is about 10 %."
    )
    columns = ("series", "up to", *SCORE_HEADINGS)
    rows = [(score.series, score.horizon, *score_cells(score)) for score in score_backtest(found)]
    figures = [plot_backtest({series: panel}) for series, panel in backtest_panels(found).items()]
    parts = (
        Paragraph(introduction),
        Image(figures, "forecasts of each series from each cut, and the observations"),
        Table(columns, tuple(rows), words=2, caption="Scores by series and horizon"),
    )
    return Section(f"Back-test {name}", parts)


def _contribution_table(part: VariableAttribution, outcome: Outcome) -> Table:
    headings, rows = contribution_rows(part, outcome)
    caption = ", ".join(filter(None, [f"{part.name} {outcome}", part.units]))
    return Table(headings, tuple(rows), caption=caption, strong=frozenset({len(rows) - 1}))


def _provenance_section(name: str, run: xr.Dataset) -> Section:
    """Show the record of a run, and the texts of its scenario, baseline, design and changes."""
    record = {name: value for name, value in run.attrs.items() if name not in _LONG_ATTRIBUTES and str(value) != ""}
    record["model"] = Path(str(run.attrs["model"])).name
    texts = {key: str(record.pop(key)) for key in ("scenario", "baseline", "design", "changes") if key in record}
    rows = tuple((attribute.replace("_", " "), str(value)) for attribute, value in record.items())
    parts: list[Paragraph | Table] = [Table(("", ""), rows, words=2)]
    for heading, text in texts.items():
        parts += [Paragraph(f"{heading.capitalize()}:"), Paragraph(text.strip(), code=True)]
    return Section(f"Where {name} comes from", tuple(parts), folded=True)
