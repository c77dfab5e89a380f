"""`sdmodel plot`, `report` and `explore`: stored runs as a figure or one HTML page, and the model itself as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import xarray as xr

from ...analysis import ATTRIBUTION, RANKING, attributed_variables, model_of_run
from ...comparison import Outcome
from ...dataset import ANALYSIS, TIME, find_variable, has_variable, lever_dims, long_name, member_dims
from ...errors import DatasetError, FigureError, ReportError
from ...files import Location
from ...inference import BACKTEST, MeasuredError, find_errors_file, read_errors
from ...scenario import Scenario
from ...store import find_run, is_ensemble, open_run
from ..locations import check_not_there, load_model, model_path, runs_folder
from ..options import (
    OutcomeOptions,
    SamplingOptions,
    all_panels_option,
    bands_option,
    force_option,
    model_argument,
    on_option,
    outcome_options,
    runs_option,
    sampling_options,
)
from ..output import busy
from ..requests import warnings_as_notes
from ..views.attribution import moment_of, plot_attribution_to
from ..views.backtest import plot_backtest_to
from ..views.headlines import check_name, headline_names, shared_headlines
from ..views.members import check_members, note_unfinished, plot_members_to
from ..views.ranking import plot_ranking_to
from ..views.run_figures import figures_of, plot_runs_to
from ..views.sweep import plot_sweep_to, sweep_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...report import Frame


@click.command("plot", epilog="Example: sdmodel plot base power-first --on 'Ghost Compute Backlog' -o ghost.png")
@click.argument("runs", nargs=-1, required=True, metavar="RUN ...")
@on_option("A variable to plot (default: the panels of the first run's model, else the shared headline variables)")
@click.option("-o", "output", metavar="FILE", help="A .png, .svg or .pdf file (default: RUN.png beside the runs).")
@outcome_options(statistics=True)
@click.option("--title", metavar="TEXT", help="A title above the figure.")
@bands_option
@click.option(
    "--spaghetti", type=click.IntRange(0), default=0, metavar="N", help="Plot N members of an ensemble as thin lines."
)
@all_panels_option
@click.option("--log", "logarithmic", is_flag=True, help="Use logarithmic axes where nothing is negative.")
@runs_option
@force_option
def plot(
    *,
    runs: tuple[str, ...],
    names: tuple[str, ...],
    output: str | None,
    when: OutcomeOptions,
    title: str | None,
    bands: tuple[float, ...],
    spaghetti: int,
    every: bool,
    logarithmic: bool,
    folder: str | None,
    force: bool,
) -> None:
    """Plot stored runs over time, one panel per variable and one colour per run.

    The page beside the model (`ai_compute.figure.csv`) says which variables share a panel, which have logarithmic axes and
    from when on values are extrapolation; without one, every headline variable has a panel. Observations beside the model are
    points over the lines. Ensembles are shown as medians and bands of the headline variables, with single runs as lines over
    them; a sweep as lines coloured by the value of its first lever, or with --at or --over as a map of its first two; an
    attribution as wedges; a ranking as bars and trade-offs; a back-test as forecasts from each cut. RUN is the name of a
    stored run or the path of its file.
    """
    place = runs_folder(folder)
    paths = list(_find_runs(runs, place).values())
    opened = {path.stem: open_run(path) for path in paths}
    target = Path(output) if output else place / f"{'+'.join(opened)}.png"
    check_not_there([target], force=force)
    only = opened[paths[0].stem]
    rankings = [name for name, run in opened.items() if run.attrs.get(ANALYSIS) == RANKING]
    if rankings:
        _plot_ranking(
            opened, rankings[0], target, title, chosen=bool(names or when.dates or when.statistics), force=force
        )
        click.echo(f"plotted in {target}")
        return
    backtest = only.attrs.get(ANALYSIS) == BACKTEST
    for name in names:
        if not backtest:  # it names series, which need not be variables
            check_name(name, opened)
    attributions = [name for name, run in opened.items() if run.attrs.get(ANALYSIS) == ATTRIBUTION]
    sweep = len(opened) == 1 and not attributions and bool(lever_dims(only))
    outcomes = when.outcomes(only)
    if outcomes and not (sweep and len(lever_dims(only)) > 1):
        message = "--at and --over plot maps of a sweep over two levers or more; leave them out, or name one such run"
        raise FigureError(message)
    if backtest:
        plot_backtest_to(only, target, title=title or paths[0].stem, names=names, every=every, force=force)
    elif attributions:
        _plot_attribution(opened, attributions, names, target, title, force=force)
    elif sweep:
        shown = names or headline_names(only)
        plot_sweep_to(
            only, shown, target, outcomes=outcomes, title=title, logarithmic=logarithmic, every=every or bool(names),
            force=force,
        )  # fmt: skip
    elif any(is_ensemble(path) for path in paths):
        check_members(opened, ", which bands cannot show; plot it alone", error=FigureError)
        headlines = names or shared_headlines(list(opened.values()))
        with busy("reading the members"):
            plot_members_to(
                opened, headlines, target, bands=bands, spaghetti=spaghetti, logarithmic=logarithmic, title=title,
                every=every or bool(names), force=force,
            )  # fmt: skip
    else:
        by_path = dict(zip(paths, opened.values(), strict=True))
        plot_runs_to(by_path, target, names=names, title=title, logarithmic=logarithmic, every=every, force=force)
    click.echo(f"plotted in {target}")


def _plot_attribution(
    runs: Mapping[str, xr.Dataset],
    attributions: Sequence[str],
    names: Sequence[str],
    target: Path,
    title: str | None,
    *,
    force: bool,
) -> None:
    if len(runs) > 1:
        message = f"run '{attributions[0]}': is an attribution, whose wedges fill a figure; plot it alone"
        raise FigureError(message)
    (found,) = runs.values()
    shown = list(names) or attributed_variables(found)
    plot_attribution_to(found, shown, moment_of(found, shown), [target], title=title or attributions[0], force=force)


def _plot_ranking(
    runs: Mapping[str, xr.Dataset], name: str, target: Path, title: str | None, *, chosen: bool, force: bool
) -> None:
    if len(runs) > 1 or chosen:
        message = f"run '{name}': is a ranking, whose figure shows its own target and date; plot it alone, without --on and --at"
        raise FigureError(message)
    plot_ranking_to(runs[name], target, title=title or name, force=force)


def _find_runs(names: Iterable[str], place: Path) -> dict[str, Location]:
    """The files of stored runs by name, each once."""
    return {path.stem: path for path in (find_run(name, place) for name in names)}


def _say_written(page: Path) -> None:
    click.echo(f"written to {page} ({-(-page.stat().st_size // 1024):,} KiB)")


# report


@click.command("report", epilog="Example: sdmodel report base power-first power-first-levers --at 2028 -o power.html")
@click.argument("runs", nargs=-1, required=True, metavar="RUN ...")
@on_option("A variable to report (default: the headline variables of the first run)")
@outcome_options()
@bands_option
@click.option("--title", metavar="TEXT", help="The title of the page (default: the names of the runs).")
@click.option("--explore", "explored", is_flag=True, help="Embed the model itself, with sliders and live charts.")
@click.option("-o", "output", metavar="FILE.html", help="The file of the page (default: beside the runs).")
@runs_option
@force_option
def report(
    *,
    runs: tuple[str, ...],
    names: tuple[str, ...],
    when: OutcomeOptions,
    bands: tuple[float, ...],
    title: str | None,
    explored: bool,
    output: str | None,
    folder: str | None,
    force: bool,
) -> None:
    """Write one HTML page about stored runs and ensembles, sweeps, attributions, rankings and back-tests, in a single file.

    The page shows headline variables at dates and over time with observations, differences between the runs, bands of
    ensembles, rankings and contributions of levers, the levers of the model, and the record of every run. The first run is the
    baseline. The page needs no network. With --explore it ends with the page that `sdmodel explore` writes: the model of
    the first run, with the runs as lines. RUN is the name of a stored run or the path of its file.
    """
    from ...figures import narrow_pages
    from ...report import write_report

    place = runs_folder(folder)
    paths = _find_runs(runs, place)
    target = Path(output) if output else place / f"{'+'.join(paths)}.html"
    check_not_there([target], force=force, error=ReportError)
    opened = {name: open_run(path) for name, path in paths.items()}
    for run in opened.values():
        note_unfinished(run)
    for name in names:
        _check_known(name, opened)
    moments = [outcome.at for outcome in when.outcomes(next(iter(opened.values()))) if outcome.at is not None]
    with busy("writing the report"):
        single = {path: opened[name] for name, path in paths.items() if not member_dims(opened[name])}
        with narrow_pages():
            figures = figures_of(single, names=names) if single else None
            sweeps = _sweep_figures(opened, names, moments)
        frame = _explorer(opened) if explored else None
        write_report(
            opened,
            target,
            on=names,
            at=moments,
            bands=bands,
            title=title,
            picture=figures,
            further=sweeps,
            frame=frame,
            force=force,
        )
    _say_written(target)


def _explorer(runs: Mapping[str, xr.Dataset]) -> Frame:
    """The page with the model of the first run itself, and the single runs as fixed lines."""
    from ...explore import make_explorer
    from ...report import Frame

    name, first = next(iter(runs.items()))
    single = {name: run for name, run in runs.items() if not member_dims(run) and ANALYSIS not in run.attrs}
    with warnings_as_notes():
        page = make_explorer(model_of_run(first, f"run '{name}'"), runs=single)
    return Frame("Explore the model", page.text, page.scripts)


def _sweep_figures(
    runs: Mapping[str, xr.Dataset], names: Sequence[str], moments: Sequence[float]
) -> dict[str, Figure | Sequence[Figure]]:
    found: dict[str, Figure | Sequence[Figure]] = {}
    for run_name, run in runs.items():
        levers = lever_dims(run)
        if not levers or ANALYSIS in run.attrs:
            continue
        shown = [name for name in names or headline_names(run) if has_variable(run, name)]
        outcomes = [Outcome(at=moments[0] if moments else float(run[TIME].values[-1]))] if len(levers) > 1 else []
        heading = f"Sweep {run_name}: {' and '.join(long_name(run[dim]) for dim in levers)}"
        found[heading] = [sweep_figure(run, [name], outcomes=outcomes) for name in shown]
    return found


def _check_known(name: str, runs: Mapping[str, xr.Dataset]) -> None:
    errors = []
    for run_name, run in runs.items():
        try:
            find_variable(run, name)
        except DatasetError as error:
            errors.append(f"run '{run_name}': {error}")
    if len(errors) == len(runs):
        raise DatasetError(errors[0])


# explore


@click.command("explore", epilog="Example: sdmodel explore -n 300 -o ai_compute.html")
@model_argument
@on_option("A headline variable (default: those of the save list beside the model)")
@sampling_options("Draw bands of the members that this file varies.", vary=True)
@click.option(
    "--error", "errors", metavar="FILE.error.csv", help="Errors of the model's forecasts (default: the file beside it)."
)
@click.option("--run", "runs", multiple=True, metavar="RUN", help="Draw a stored run as fixed lines; may be repeated.")
@click.option("-o", "output", metavar="FILE.html", help="The file of the page (default: MODEL.html here).")
@runs_option
@force_option
def explore(
    *,
    model: str | None,
    names: tuple[str, ...],
    sampling: SamplingOptions,
    errors: str | None,
    runs: tuple[str, ...],
    output: str | None,
    folder: str | None,
    force: bool,
) -> None:
    """Write the model as one HTML file: open it on any computer or phone, move a lever, see what changes.

    The page holds the model itself and needs no network and no installation. It has a slider for each policy lever,
    uncertainty and switch, buttons for the scenarios beside the model, charts of the headline variables with observations,
    a table, the contribution of each lever, and the diagrams. With -e or -n it runs the members of an ensemble again at each
    change and draws their bands. Its address holds what you changed, so a link shows others the same.

    Files beside the model choose what it shows: MODEL.figure.csv the panels, MODEL.lst the headline variables, MODEL.vsc
    the plausible ranges. With -n alone the members vary the uncertain constants as MODEL.vsc says.
    """
    from ...explore import write_explorer

    path = model_path(model)
    target = Path(output) if output else Path(f"{path.stem}.html")
    check_not_there([target], force=force, error=ReportError)
    with warnings_as_notes(), busy(f"writing {target.name}"):
        read = load_model(path)
        design = sampling.design(read, Scenario("", ())) if sampling.given else None
        known = _errors(path, errors) if design or errors else ()
        stored = _stored(runs, folder)
        write_explorer(read, target, on=names, design=design, errors=known, runs=stored, force=force)
    _say_written(target)


def _errors(path: Path, given: str | None) -> Sequence[MeasuredError]:
    file = Path(given) if given else find_errors_file(path)
    return read_errors(file) if file else ()


def _stored(names: Sequence[str], folder: str | None) -> dict[str, xr.Dataset]:
    if not names:
        return {}
    return {name: open_run(path) for name, path in _find_runs(names, runs_folder(folder)).items()}
