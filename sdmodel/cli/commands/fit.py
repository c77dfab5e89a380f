"""`sdmodel fit` and `sdmodel backtest`: how well a stored run agrees with observations, and how well a model forecast them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...analysis import model_of_run
from ...dataset import describe_model
from ...errors import CalibrationError, ObservationError, format_count
from ...files import Location
from ...inference import (
    CUT_STARTS,
    CUT_STEPS,
    HORIZONS,
    SAMPLES,
    SEED,
    FitTable,
    Series,
    SeriesFit,
    backtest_model,
    check_posterior_extra,
    fit_panels,
    fit_run,
    parse_time,
    split_series,
)
from ...numerals import format_number
from ...store import find_run, open_run, run_path, save_new_run, save_run
from ..freedom import FreedomOptions, constants_beyond, freedom_options
from ..locations import check_not_there, load_model, runs_folder
from ..observations import DataOptions, data_options, stored_model_file
from ..options import (
    RunOptions,
    StoreOptions,
    WorkerOptions,
    all_panels_option,
    bands_option,
    force_option,
    run_options,
    runs_option,
    store_options,
    worker_options,
)
from ..output import Part, Result, Table, busy, note, output_options, progress_bar, stored_safely
from ..posterior import memory_errors_reported
from ..requests import record_of
from ..views.backtest import backtest_parts, backtest_record, plot_backtest_to, write_errors
from ..views.panels import first_panels


@click.command("fit", epilog="Example: sdmodel fit base --plot")
@click.argument("run", metavar="RUN")
@data_options()
@bands_option
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed of the errors, for an ensemble."
)
@click.option("--plot", is_flag=True, help="Plot the series to RUN-fit.png beside the run.")
@all_panels_option
@runs_option
@force_option
@output_options
def fit(
    *,
    run: str,
    data: DataOptions,
    bands: tuple[float, ...],
    seed: int,
    plot: bool,
    every: bool,
    folder: str | None,
    force: bool,
) -> Result:
    """Show how well a stored run agrees with observations, series by series; for an ensemble, its median and its members.

    RUN is the name of a stored run or ensemble, or its path. The file MODEL.series.csv beside the model says which formula
    over the model corresponds to which formula over the observations, and with what error. MAPE, RMSE, MAE and bias are
    errors of the model; R2 is the squared correlation; Um, Us and Uc are Theil's shares of the mean square error, due to
    unequal means, unequal variation and unequal covariation. They need five observations. For an ensemble, the table also
    has the share of observations inside its bands (in brackets: inside bands of members with random errors added) and CRPS, a
    mean error that takes the spread into account. `log CRPS` is that of natural logarithms, to compare with the errors of the
    observation before (`last`) and of the line through the two before (`trend`); PIT is the mean share of members below.
    """
    home = runs_folder(folder)
    path = find_run(run, home)
    figure = (path.parent if isinstance(path, Path) else home) / f"{path.stem}-fit.png"
    if plot:
        check_not_there([figure], force=force, cure="move it away")
    stored = open_run(path)
    found = data.series(model_of_run(stored, str(path)), stored_model_file(stored))
    series = _comparable(stored, path, found)
    with busy(f"comparing {path.stem} with {len(series)} series"):
        table = fit_run(stored, series, bands=bands, seed=seed)
        if plot:
            shown = first_panels(series, every=every or bool(data.names))
            _plot(stored, shown, bands, path.stem, figure, force=force)
    if table.not_finite:
        note(f"run '{path.stem}': left out: {format_count(table.not_finite, 'member')}, not finite at some observation")
    files = {"run": path.stem, "path": str(path), "figure": str(figure) if plot else None}
    return Result(
        lambda: _fit_record(table) | files, lambda: _fit_table(table), "series", figures=[figure] if plot else []
    )


def _comparable(stored: xr.Dataset, path: Location, series: Sequence[Series]) -> tuple[Series, ...]:
    """The series whose variables the run has; notes name the others."""
    comparable, lacking = split_series(series, stored)
    if not comparable:
        raise ObservationError(lacking)
    for name in dict.fromkeys(one.name for one in series if one not in comparable):
        note(f"'{name}': left out, since run '{path.stem}' was stored without its variables")
    return comparable


def _plot(
    stored: xr.Dataset, series: Sequence[Series], bands: Sequence[float], name: str, target: Path, *, force: bool
) -> None:
    from ...figures import plot_fit, save_figure

    figure = plot_fit(fit_panels(stored, series, bands=bands), title=name, origin=describe_model(stored))
    save_figure(figure, target, force=force)


def _fit_table(table: FitTable) -> Iterator[Part]:
    many = bool(table.rows and table.rows[0].bands)
    columns = {"series": "fold", "units": "fold", "error": "left", "n": "right"}
    columns |= dict.fromkeys(("MAPE %", "RMSE", "MAE", "bias", "R2", "Um", "Us", "Uc"), "right")
    columns |= {"log CRPS": "right", "last": "right", "trend": "right"}
    if many:
        columns |= {"PIT": "right"}
        columns |= {f"in {100 * band.probability:g} %": "right" for band in table.rows[0].bands}
        columns |= {"CRPS": "right", "skill": "right"}
        note(f"errors are those of the median of {table.members} members; in brackets, of members with random errors")
    yield Table(
        columns, [_cells(row) for row in table.rows], spare=("error", "MAE", "skill", "units", "PIT", "Us", "Uc", "Um")
    )


def _cells(row: SeriesFit) -> list[str]:
    measures = row.measures
    size = f"{100 * row.size:g} %" if row.error == "relative" else f"{row.size:g}"
    cells = [row.name, row.units, f"{row.error} {size}", str(row.count)]
    cells += [_three_digits(measures[name]) for name in ("mape", "rmse", "mae", "bias")]
    cells += [_two_decimals(measures[name]) for name in ("r2", "um", "us", "uc")]
    cells += [_two_decimals(value) for value in (row.log_crps, row.persistence, row.trend)]
    if row.bands:
        cells += [_two_decimals(row.pit)]
        cells += [f"{_two_decimals(band.coverage)} ({_two_decimals(band.predictive_coverage)})" for band in row.bands]
        cells += [f"{_three_digits(row.crps)} ({_three_digits(row.predictive_crps)})", _two_decimals(row.skill)]
    return cells


def _three_digits(value: float) -> str:
    return "" if math.isnan(value) else format_number(float(f"{value:.3g}"))


def _two_decimals(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _fit_record(table: FitTable) -> dict[str, Any]:
    rows = [
        {
            **{name: getattr(row, name) for name in ("name", "units", "error", "size", "count")},
            **row.measures,
            "bands": [asdict(band) for band in row.bands],
            **{
                name: getattr(row, name)
                for name in ("crps", "predictive_crps", "skill", "log_crps", "persistence", "trend", "pit")
            },
        }
        for row in table.rows
    ]
    whole = {"members": table.members, "not_finite": table.not_finite, "log_likelihood": table.log_likelihood}
    return {"series": rows, **whole}


# Back-tests


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
@click.option(
    "--beyond",
    metavar="FILE.vsc",
    help="Sample these constants in the forecasts too, such as those about which the past says nothing.",
)
@click.option("--starts", type=click.IntRange(1), default=CUT_STARTS, show_default=True, help="Starts of each search.")
@click.option("--steps", type=click.IntRange(1), default=CUT_STEPS, show_default=True, help="Steps of each walker.")
@click.option("--walkers", type=int, help="Number of walkers (default: four per constant, at least 32).")
@click.option("--samples", type=click.IntRange(2), default=SAMPLES, show_default=True, help="Draws of each forecast.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Random seed of all sampling.")
@click.option("--error", "errors", metavar="FILE.csv", help="Write the error by series and horizon to this file.")
@click.option("--plot", is_flag=True, help="Plot the forecasts of the series to NAME.png beside it.")
@all_panels_option
@click.option("--resume", is_flag=True, help="Continue the back-test of --name with the cuts that are missing.")
@store_options("MODEL-backtest")
@worker_options()
@output_options
def backtest(
    *,
    run_from: RunOptions,
    cuts: tuple[str, ...],
    data: DataOptions,
    freedom: FreedomOptions,
    horizons: tuple[float, ...],
    equal: tuple[str, ...],
    beyond: str | None,
    starts: int,
    steps: int,
    walkers: int | None,
    samples: int,
    seed: int,
    errors: str | None,
    plot: bool,
    every: bool,
    resume: bool,
    store: StoreOptions,
    sharing: WorkerOptions,
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
    check_posterior_extra()
    path, known = _stored(store, resume=resume)
    figures = [path.with_suffix(".png")] if plot and path else []
    check_not_there([*figures, *([Path(errors)] if errors else [])], force=store.force or resume, cure="move it away")
    model = load_model(request.model, request.scenario.texts)
    series = data.series(model, request.model)
    constants = freedom.constants(model, request.scenario, series)
    extra = constants_beyond(model, constants, beyond, equal)
    default_name, record = f"{request.model.stem}-backtest", record_of(request, model)

    def keep(found: xr.Dataset) -> None:
        nonlocal path
        whole = found.assign_attrs(record)
        path = save_run(whole, path, force=True) if path else save_new_run(whole, store.folder, default_name)

    with (
        memory_errors_reported(),
        progress_bar(f"back-testing {request.model.stem}", "points") as bar,
        sharing.executor() as executor,
    ):
        done = 0

        def update(cut: int, of: int, points: int) -> None:
            nonlocal done
            done += points
            if bar:  # the search takes an unknown part of the points; the bar moves with the cuts
                bar(done, max(done, round(done / cut * of)))

        found = backtest_model(
            model, series, constants, dates, scenario=request.scenario, integrator=request.integrator, starts=starts,
            steps=steps, walkers=walkers, samples=samples, seed=seed, extra=extra, known=known, checkpoint=keep,
            executor=executor, progress=update,
        ).assign_attrs(record)  # fmt: skip
    if path is None:
        raise AssertionError
    target = path
    with stored_safely(target):
        if plot:
            style: Any = {"title": target.stem, "every": every, "force": store.force or resume}
            figures = [plot_backtest_to(found, target.with_suffix(".png"), **style)]
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
