"""`sdmodel run`: one run, stored, with its headlines."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import xarray as xr

from ...dataset import TIME
from ...errors import SdmodelError, StoreError
from ...model import Integrator
from ...store import check_folder, run_path, save_new_run, save_run
from ...vensim import read_model, read_savelist, read_scenario
from ..making import (
    NOT_FINITE,
    Engine,
    Order,
    changes_option,
    default_name,
    integrator_option,
    make_ordered,
    scenarios_option,
)
from ..project import force_option, json_option, model_argument, model_path, runs_folder, runs_option, scenario_path
from ..tables import note, print_json
from ..views.headlines import Line, headline_lines, headline_names, print_headlines


@click.command(
    "run",
    context_settings={"allow_extra_args": True},
    epilog='Example: sdmodel run -c models/scenarios/power-first.cin --set "price elasticity = 0.8" --plot',
)
@model_argument
@scenarios_option
@changes_option
@integrator_option
@click.option(
    "--engine",
    type=click.Choice(["native", "pysd"]),
    default="native",
    show_default=True,
    help="PySD is a second opinion, Euler only.",
)
@click.option("--save", "savelist", metavar="FILE.lst", help="Store only what this save list names.")
@click.option("--name", metavar="NAME", help="The run's name (default: of its scenarios or its model, numbered).")
@runs_option
@click.option("--plot", "drawn", is_flag=True, help="Draw the run to NAME.png beside it.")
@click.option("--watch", "watched", is_flag=True, help="Run again whenever one of its files is saved, until Ctrl-C.")
@json_option
@force_option
@click.pass_context
def command(
    context: click.Context,
    model: str | None,
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    integrator: Integrator | None,
    engine: Engine,
    savelist: str | None,
    name: str | None,
    folder: str | None,
    *,
    drawn: bool,
    watched: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Run a model once, store the run as NAME.nc with everything needed to repeat it, and print its headlines.

    Headlines are the names in the save list beside the model (`ai_compute.lst` beside `ai_compute.mdl`), else its
    stocks. A figure shows the panels of the page beside the model (`ai_compute.figure.csv`), else the headlines, and over
    them the observations beside the model. The exit code is 1 if a value stops being finite; the run is stored all the same.
    With --watch the run is made again, under the same name, whenever the model, a change file or a list beside the model is
    saved; what changed is told, and while a file has faults, where they are.
    """
    _check_words(model, changes, context)
    runs = runs_folder(folder)
    target = free_path(name, runs, force=force)

    def order() -> Order:
        return Order(
            model_path(model),
            tuple(read_scenario(scenario_path(each)) for each in scenarios),
            changes,
            integrator,
            engine,
            read_savelist(savelist) if savelist else None,
        )

    if watched:
        files = _files(model_path(model), [*map(scenario_path, scenarios), *map(Path, [savelist] if savelist else [])])
        _watch(files, order, runs, target, drawn=drawn, force=force, as_json=as_json)
        return
    _run_once(context, order(), runs, target, drawn=drawn, force=force, as_json=as_json)


def _run_once(
    context: click.Context, order: Order, runs: Path, target: Path | None, *, drawn: bool, force: bool, as_json: bool
) -> None:
    """Make, store and tell the run."""
    run = make_ordered(order)
    path = save_run(run, target, force=force) if target else save_new_run(run, runs, default_name(order))
    with is_stored(path):
        names = headline_names(run)
        picture = _draw(run, path, force=force) if drawn else None
        _tell(run, headline_lines(run, names), path, picture, as_json=as_json)
    if NOT_FINITE in run.attrs:
        note(f"run '{path.stem}': {run.attrs[NOT_FINITE]}")
        context.exit(1)


def _files(model: Path, others: Sequence[Path]) -> list[Path]:
    """The files that a run is made and told from, those beside the model included; others may appear later."""
    if not model.is_file():
        read_model(model)
    return [model, *others, model.with_suffix(".lst"), model.with_suffix(".figure.csv")]


def _watch(
    files: Sequence[Path],
    order: Callable[[], Order],
    runs: Path,
    target: Path | None,
    *,
    drawn: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Make the run, and again whenever a file is saved."""
    if as_json:
        message = "--json tells one run; leave out --watch"
        raise click.UsageError(message)
    from ..watching import Watch, saved_files, watch

    picture = (lambda run, path: _draw(run, path, force=True)) if drawn else None
    watch(Watch(order, runs, target, force, picture), saved_files(files))


def _check_words(model: str | None, changes: Sequence[str], context: click.Context) -> None:
    """Refuse words too many; the rest of a change that has lost its quotes is among them."""
    words = [*filter(None, [model]), *context.args]
    lost = next((each for each in changes if "=" not in each), None)
    if lost is not None and "=" in "".join(words):
        message = f'put the change in quotes: --set "{" ".join([lost, *words])}"'
        raise click.UsageError(message, context)
    if context.args:
        message = f"Got unexpected extra arguments ({' '.join(context.args)})"
        raise click.UsageError(message, context)


def free_path(name: str | None, folder: Path, *, force: bool) -> Path | None:
    """Where a named run will be, told before any work is done if it, or any run, cannot be there."""
    check_folder(folder)
    if name is None:
        return None
    path = run_path(name, folder)
    if os.path.lexists(path) and not force:
        message = f"{path}: exists already; choose another --name, or --force to replace it"
        raise StoreError(message)
    return path


@contextlib.contextmanager
def is_stored(path: Path) -> Iterator[None]:
    """Say of whatever goes wrong after a run is stored that it is stored."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as cause:
        if cause.filename is not None:
            raise
        what = f"is stored as {path}, but stdout cannot be written ({cause.strerror})"
        message = f"run '{path.stem}': {what}; `sdmodel show {path.stem}` prints it again"
        raise StoreError(message) from cause
    except SdmodelError as fault:
        message = f"run '{path.stem}': is stored as {path}, but {fault}"
        raise StoreError(message) from fault


def _draw(run: xr.Dataset, path: Path, *, force: bool) -> Path:
    """A figure beside the run."""
    from ..views.pictures import draw_runs

    return draw_runs({path: run}, path.with_suffix(".png"), title=path.stem, force=force)


def _tell(run: xr.Dataset, lines: Sequence[Line], path: Path, picture: Path | None, *, as_json: bool) -> None:
    """What came out and where it is."""
    if as_json:
        told = {"run": path.stem, "path": str(path), "figure": picture and str(picture), "model": run.attrs["model"]}
        told |= {"not_finite": run.attrs.get(NOT_FINITE), "headlines": [vars(line) for line in lines]}
        print_json(told)
        return
    print_headlines(lines, str(run[TIME].attrs.get("units", "")))
    click.echo(f"stored as {path}")
    if picture:
        click.echo(f"drawn in {picture}")
