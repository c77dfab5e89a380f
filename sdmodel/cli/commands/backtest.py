"""`sdmodel backtest`: forecasts from past dates, with what was known then, against what came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...errors import CalibrationError
from ...inference import HORIZONS, SAMPLES, SEED, backtest_model, extra_constants, load_calibrate_module, parse_time
from ...store import open_run, run_path, save_new_run, save_run
from ..freedom import FreedomOptions, freedom_options
from ..locations import check_not_there, load_model
from ..observations import DataOptions, data_options
from ..options import RunOptions, StoreOptions, run_options, store_options
from ..output import Part, Result, output_options, progress_bar, stored_safely
from ..posterior import memory_errors_reported
from ..requests import record_of
from ..views.backtest import backtest_parts, backtest_record, plot_backtest_to, write_errors

_STARTS, _STEPS = 16, 1000


@click.command(
    "backtest", epilog="Example: sdmodel backtest models/ai_compute.mdl --cut 2024-12-31 --cut 2025-06-30 --plot"
)
@run_options()
@click.option(
    "--cut", "cuts", multiple=True, required=True, metavar="TIME", help="A date to forecast from; may be repeated."
)
@data_options()
@freedom_options()
@click.option(
    "--horizon", "horizons", multiple=True, type=click.FloatRange(0, min_open=True), default=HORIZONS, show_default=True,
    help="Score forecasts up to this far ahead together, in the model's unit of time; may be repeated.",
)  # fmt: skip
@click.option(
    "--equal",
    multiple=True,
    metavar='"NAME=FREE NAME"',
    help="Give a constant the value of a free one; may be repeated.",
)
@click.option("--starts", type=click.IntRange(1), default=_STARTS, show_default=True, help="Starts of each search.")
@click.option("--steps", type=click.IntRange(1), default=_STEPS, show_default=True, help="Steps of each walker.")
@click.option("--walkers", type=int, help="Number of walkers (default: four per constant, at least 32).")
@click.option("--samples", type=click.IntRange(2), default=SAMPLES, show_default=True, help="Draws of each forecast.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Random seed of all sampling.")
@click.option("--error", "errors", metavar="FILE.csv", help="Write the error by series and horizon to this file.")
@click.option("--plot", is_flag=True, help="Plot the forecasts of each series to NAME.png beside it.")
@click.option("--resume", is_flag=True, help="Continue the back-test of --name with the cuts that are missing.")
@store_options("MODEL-backtest")
@output_options
def backtest(
    *,
    run_from: RunOptions,
    cuts: tuple[str, ...],
    data: DataOptions,
    freedom: FreedomOptions,
    horizons: tuple[float, ...],
    equal: tuple[str, ...],
    starts: int,
    steps: int,
    walkers: int | None,
    samples: int,
    seed: int,
    errors: str | None,
    plot: bool,
    resume: bool,
    store: StoreOptions,
) -> Result:
    """Forecast from past dates with what was published by then, and score the forecasts against what came.

    At each cut, the model is calibrated on the observations that were published by then (the column `lag` of the series file
    says how long publication takes), with the same priors at every cut. Draws of the posterior forecast the later
    observations. The table compares the forecasts with the last published value (persistence) and with the line through the
    last two (trend). `with error` is the share of observations inside the 90 % band after it is widened by the model error
    that the other cuts show. The result is stored after each cut, and --resume continues it.
    """
    request = run_from.request()
    dates = [parse_time(text, "--cut") for text in cuts]
    load_calibrate_module("emcee")
    load_calibrate_module("arviz_stats")
    path, known = _stored(store, resume=resume)
    figures = [path.with_suffix(".png")] if plot and path else []
    check_not_there([*figures, *([Path(errors)] if errors else [])], force=store.force or resume, cure="move it away")
    model = load_model(request.model)
    series = data.series(model, request.model)
    constants = freedom.constants(model, request.scenario, series)
    ties = extra_constants(model, constants, equalities=equal).equal
    default_name = f"{request.model.stem}-backtest"
    record = record_of(request, model)

    def keep(found: xr.Dataset) -> None:
        nonlocal path
        whole = found.assign_attrs(record)
        path = save_run(whole, path, force=True) if path else save_new_run(whole, store.folder, default_name)

    with memory_errors_reported(), progress_bar(f"back-testing {request.model.stem}", "points") as bar:
        done = 0

        def update(cut: int, of: int, points: int) -> None:
            nonlocal done
            done += points
            if bar:  # the search takes an unknown part of the points; the bar moves with the cuts
                bar(done, max(done, round(done / cut * of)))

        found = backtest_model(
            model, series, constants, dates, scenario=request.scenario, integrator=request.integrator, starts=starts,
            steps=steps, walkers=walkers, samples=samples, seed=seed, equal=ties, known=known, checkpoint=keep, progress=update,
        ).assign_attrs(record)  # fmt: skip
    if path is None:
        raise AssertionError
    target = path
    with stored_safely(target):
        if plot:
            figures = [
                plot_backtest_to(found, target.with_suffix(".png"), title=target.stem, force=store.force or resume)
            ]
        if errors:
            write_errors(found, Path(errors), horizons, force=store.force or resume)

    def whole_record() -> dict[str, Any]:
        files = {"run": target.stem, "path": str(target), "figures": list(map(str, figures)), "errors": errors}
        return files | backtest_record(found, horizons)

    def parts() -> Iterator[Part]:
        yield from backtest_parts(found, horizons)
        if errors:
            yield f"errors by series and horizon in {errors}"

    return Result(whole_record, parts, "scores", target, figures)


def _stored(store: StoreOptions, *, resume: bool) -> tuple[Path | None, xr.Dataset | None]:
    """The file of the back-test if it has a name, and the unfinished one that is continued."""
    if not resume:
        return store.path(), None
    if store.name is None:
        message = "--resume continues a back-test that has a name; give it with --name"
        raise click.UsageError(message)
    path = run_path(store.name, store.folder)
    if not path.is_file():
        message = f"{path}: there is no back-test to resume; leave out --resume"
        raise CalibrationError(message)
    return path, open_run(path)
