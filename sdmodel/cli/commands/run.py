"""`sdmodel run`: one run, stored, with its headline variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...store import find_run, open_run
from ..locations import data_files, load_model, model_path, scenario_path
from ..options import (
    OutcomeOptions,
    RunOptions,
    StoreOptions,
    all_panels_option,
    engine_option,
    noise_seed_option,
    run_options,
    save_option,
    store_options,
)
from ..output import Result, note, output_options, stored_safely, wants_table
from ..requests import NOT_FINITE, make_run, plain_name
from ..views.headlines import headline_lines, headline_names, headline_tables

if TYPE_CHECKING:
    import xarray as xr


@click.command(
    "run",
    context_settings={"allow_extra_args": True},
    epilog='Example: sdmodel run -c models/scenarios/power-first.cin --set "price elasticity = 0.8" --plot',
)
@run_options(engine_option, save_option, noise_seed_option)
@store_options("its scenarios, the run before it, or its model")
@click.option(
    "--start", metavar="RUN", help="A stored run to go on from, with its constants and all its stocks; needs --at."
)
@click.option("--at", metavar="TIME", help="The time at which to go on: a time of the model, or a day.")
@click.option("--plot", is_flag=True, help="Plot the run to NAME.png beside it.")
@all_panels_option
@click.option("--watch", "watched", is_flag=True, help="Run again whenever one of the files is saved, until Ctrl-C.")
@output_options
@click.pass_context
def run(
    context: click.Context,
    *,
    run_from: RunOptions,
    store: StoreOptions,
    start: str | None,
    at: str | None,
    plot: bool,
    every: bool,
    watched: bool,
) -> Result | None:
    """Run a model once, store the run as NAME.nc, and print its headline variables.

    The stored run holds everything needed to repeat it. Headline variables are listed in the save list beside the model
    (`ai_compute.lst` beside `ai_compute.mdl`); without one they are the stocks. --plot shows the panels in the file
    `ai_compute.figure.csv` beside the model, else the headline variables, with the observations beside the model. If a value
    stops being finite, the run is stored all the same and the exit code is 1. With --start and --at, the run begins with the
    stocks, delays and constants that another run has at that time; -c and --set change constants from there on. With --watch, the model runs again under the
    same name whenever the model, a change file or a list beside the model is saved; sdmodel prints what changed, and where
    the faults are while a file has any.
    """
    _check_words(run_from, context)
    if (start is None) != (at is None) or (start and (watched or run_from.engine != "native")):
        message = "--start and --at belong together, without --watch and --engine"
        raise click.UsageError(message, context)
    path = store.path()
    if watched:
        _watch(run_from, store, path, plot=plot, every=every)
        return None
    request = run_from.request()
    name = request.default_name
    if start and at:
        source = find_run(start, store.folder)
        before = open_run(source)
        (time,) = OutcomeOptions((at,)).times(before)
        request = replace(request, start=before, at=time)
        name = name if request.scenarios else plain_name(source.stem)
    made = make_run(request)
    path = store.save(made, path, name)
    with stored_safely(path):
        lines = headline_lines(made, headline_names(made))
        figures = [_plot(made, path, every=every, force=store.force)] if plot else []
    unfinished = made.attrs.get(NOT_FINITE)
    if unfinished:
        note(f"run '{path.stem}': {unfinished}")

    def record() -> dict[str, Any]:
        found = {"run": path.stem, "path": str(path), "figure": str(figures[0]) if figures else None}
        found |= {"model": made.attrs["model"], "not_finite": unfinished}
        return found | {"headlines": [vars(line) for line in lines]}

    return Result(
        record, lambda: headline_tables(lines, made), "headlines", path, figures, exit_code=int(bool(unfinished))
    )


def _watch(run_from: RunOptions, store: StoreOptions, path: Path | None, *, plot: bool, every: bool) -> None:
    if not wants_table():
        message = "--watch prints tables; leave out --format"
        raise click.UsageError(message)
    from ..watch import Interrupts, Watch, saved_files, watch

    model = model_path(run_from.model)
    others = [scenario_path(path, model) for path in run_from.scenarios]
    files = _files(model, [*others, *map(Path, [run_from.savelist] if run_from.savelist else [])])
    plotter = (lambda made, where: _plot(made, where, every=every, force=True)) if plot else None
    with Interrupts() as interrupts:
        task = Watch(run_from.request, store.folder, path, store.force, plotter)
        watch(task, saved_files(files, pause=interrupts.pause))


def _files(model: Path, others: Sequence[Path]) -> list[Path]:
    """The files of a run, with the lists beside its model, which may not exist yet."""
    if not model.is_file():
        load_model(model)  # raises the error of a missing file
    return [model, *others, *data_files(), model.with_suffix(".lst"), model.with_suffix(".figure.csv")]


def _check_words(run_from: RunOptions, context: click.Context) -> None:
    """Refuse further arguments; a change that is not in quotes gets its own message."""
    words = [*filter(None, [run_from.model]), *context.args]
    cut = next((change for change in run_from.changes if "=" not in change), None)
    if cut is not None and "=" in "".join(words):
        message = f'put the change in quotes: --set "{" ".join([cut, *words])}"'
        raise click.UsageError(message, context)
    if context.args:
        message = f"Got unexpected extra arguments ({' '.join(context.args)})"
        raise click.UsageError(message, context)


def _plot(made: xr.Dataset, path: Path, *, every: bool, force: bool) -> Path:
    from ..views.run_figures import plot_runs_to

    return plot_runs_to({path: made}, path.with_suffix(".png"), title=path.stem, every=every, force=force)
