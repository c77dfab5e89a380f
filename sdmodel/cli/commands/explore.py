"""`sdmodel explore`: the model itself as one web page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import ReportError
from ...inference import MeasuredError, find_errors_file, read_errors
from ...model import Model
from ...scenario import Design, Scenario
from ...store import find_run, open_run
from ...vensim import plausible_file, read_sampling
from ..locations import check_not_there, load_model, model_path, runs_folder
from ..options import SamplingOptions, force_option, model_argument, on_option, runs_option, sampling_options
from ..output import busy
from ..requests import warnings_as_notes

if TYPE_CHECKING:
    import xarray as xr


@click.command("explore", epilog="Example: sdmodel explore -e models/ai_compute.vsc -n 300 -o ai_compute.html")
@model_argument
@on_option("A headline variable (default: those of the save list beside the model)")
@sampling_options("Draw bands of the members that this file varies.")
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
    the plausible ranges (and the members, if -n is given without -e).
    """
    from ...explore import write_explorer

    path = model_path(model)
    target = Path(output) if output else Path(f"{path.stem}.html")
    check_not_there([target], force=force, error=ReportError)
    with warnings_as_notes(), busy(f"writing {target.name}"):
        read = load_model(path)
        design = _design(read, sampling)
        known = _errors(path, errors) if design or errors else ()
        stored = _stored(runs, folder)
        write_explorer(read, target, on=names, design=design, errors=known, runs=stored, force=force)
    click.echo(f"written to {target} ({-(-target.stat().st_size // 1024):,} KiB)")


def _design(model: Model, options: SamplingOptions) -> Design | None:
    """The members, if any are asked for: of the named file, else of the one beside the model, else of the model's ranges."""
    if not options.given:
        return None
    beside = None if options.file else plausible_file(model.path)
    if beside is None:
        return options.design(model, Scenario("", ()))
    from ...scenario import make_design

    return make_design(model, read_sampling(beside), count=options.count, seed=options.seed)


def _errors(path: Path, given: str | None) -> Sequence[MeasuredError]:
    file = Path(given) if given else find_errors_file(path)
    return read_errors(file) if file else ()


def _stored(names: Sequence[str], folder: str | None) -> dict[str, xr.Dataset]:
    if not names:
        return {}
    place = runs_folder(folder)
    paths = {path.stem: path for path in (find_run(name, place) for name in names)}
    return {name: open_run(path) for name, path in paths.items()}
