"""`sdmodel fit`: how well a stored run, or an ensemble, agrees with observations."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import xarray as xr

from ...analysis import recorded_model
from ...errors import FigureError, ObservationError
from ...inference import FitTable, Series, SeriesFit, fit_panels, fit_run, parted_series
from ...numerals import number
from ...store import find_run, open_run
from ..observed import (
    names_option,
    observations_option,
    observed_series,
    series_option,
    stored_model_file,
)
from ..project import force_option, json_option, runs_folder, runs_option
from ..tables import note, patience, print_json, print_table

_PERCENT = 100.0


@click.command("fit", epilog="Example: sdmodel fit base --plot")
@click.argument("run", metavar="RUN")
@observations_option
@series_option
@names_option
@click.option(
    "--bands",
    default="50,90",
    show_default=True,
    metavar="P,P",
    help="Bands of an ensemble, in per cent of its members.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the draws of errors for an ensemble."
)
@click.option("--plot", "drawn", is_flag=True, help="Draw every series to RUN-fit.png beside the run.")
@runs_option
@json_option
@force_option
def command(
    run: str,
    observations: tuple[str, ...],
    mapping: tuple[str, ...],
    names: tuple[str, ...],
    bands: str,
    seed: int,
    folder: str | None,
    *,
    drawn: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Tell how well a stored run agrees with observations, series by series; of an ensemble its median and its spread.

    RUN is the name of a stored run or ensemble, or its path. The file MODEL.series.csv beside the model says which formula
    over the model stands for which over the observations, and with what error. MAPE, RMSE, MAE and bias are errors of the
    model; R2 is the square of the correlation; Um, Us and Uc are Theil's shares of the mean square error: of unequal means,
    unequal variation and unequal covariation. They need five observations. Of an ensemble, the share of observations inside
    its bands is told, in brackets inside those of draws with errors, and CRPS, a mean error that counts the spread.
    """
    chosen = _bands(bands)
    path = find_run(run, runs_folder(folder))
    picture = path.with_name(f"{path.stem}-fit.png")
    if drawn and os.path.lexists(picture) and not force:
        message = f"{picture}: exists already; --force replaces it"
        raise FigureError(message)
    stored = open_run(path)
    series = _held(
        stored,
        path,
        observed_series(recorded_model(stored, str(path)), stored_model_file(stored), observations, mapping, names),
    )
    with patience(f"holding {path.stem} against {len(series)} series"):
        table = fit_run(stored, series, bands=chosen, seed=seed)
        figure = _draw(stored, series, chosen, path.stem, picture, force=force) if drawn else None
    if table.not_finite:
        note(f"run '{path.stem}': {table.not_finite} members are not finite at some observation and are left out")
    if as_json:
        print_json(_told(table) | {"run": path.stem, "path": str(path), "figure": figure and str(figure)})
        return
    _print(table)
    if figure:
        click.echo(f"drawn in {figure}")


def _held(stored: xr.Dataset, path: Path, series: Sequence[Series]) -> tuple[Series, ...]:
    """The series that a run can be held against; it may have been saved without the variables of the others, which are told."""
    held, lacking = parted_series(series, stored)
    if not held:
        raise ObservationError(lacking)
    for name in dict.fromkeys(each.name for each in series if each not in held):
        note(f"'{name}': left out, run '{path.stem}' was stored without what it is about")
    return held


def _bands(text: str) -> tuple[float, ...]:
    """The bands that are asked for, as probabilities."""
    try:
        found = tuple(float(part) / _PERCENT for part in text.split(","))
    except ValueError:
        found = (math.nan,)
    if not all(0 < each < 1 for each in found):
        message = f"'{text}' is no list of percentages between 0 and 100, such as 50,90"
        raise click.BadParameter(message, param_hint="--bands")
    return found


def _draw(
    stored: xr.Dataset, series: Sequence[Series], bands: Sequence[float], name: str, picture: Path, *, force: bool
) -> Path:
    from ...figures import plot_fit, save_figure

    record = stored.attrs
    origin = f"Model {Path(str(record['model'])).name}, sha256 {str(record['model_sha256'])[:12]}"
    figure = plot_fit(fit_panels(stored, series, bands=bands), title=name, origin=origin)
    return save_figure(figure, picture, force=force)


def _print(table: FitTable) -> None:
    """A line for each series."""
    many = bool(table.rows and table.rows[0].bands)
    columns = {
        "series": "fold", "units": "fold", "error": "left", "n": "right", "MAPE %": "right", "RMSE": "right", "MAE": "right",
        "bias": "right", "R2": "right", "Um": "right", "Us": "right", "Uc": "right",
    }  # fmt: skip
    if many:
        columns |= {f"in {_PERCENT * band.probability:g} %": "right" for band in table.rows[0].bands}
        columns |= {"CRPS": "right", "skill": "right"}
        note(
            f"errors are those of the median of {table.members} members; in brackets, bands and CRPS of draws with errors"
        )
    print_table(columns, map(_cells, table.rows), spare=("error", "MAE", "skill", "units"))


def _cells(row: SeriesFit) -> list[str]:
    measures = row.measures
    cells = [row.name, row.units, _error(row), str(row.count)]
    cells += [_figure(measures[name]) for name in ("mape", "rmse", "mae", "bias")]
    cells += [_share(measures[name]) for name in ("r2", "um", "us", "uc")]
    if row.bands:
        cells += [f"{_share(each.coverage)} ({_share(each.predictive_coverage)})" for each in row.bands]
        cells += [f"{_figure(row.crps)} ({_figure(row.predictive_crps)})", _share(row.skill)]
    return cells


def _error(row: SeriesFit) -> str:
    return f"{row.error} {_PERCENT * row.size:g} %" if row.error == "relative" else f"{row.error} {row.size:g}"


def _figure(value: float) -> str:
    return "" if math.isnan(value) else number(float(f"{value:.3g}"))


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _told(table: FitTable) -> dict[str, object]:
    """A table as JSON knows it; the measures stand beside the rest of their row."""
    rows = [
        {
            **{name: getattr(row, name) for name in ("name", "units", "error", "size", "count")},
            **row.measures,
            "bands": [asdict(each) for each in row.bands],
            **{name: getattr(row, name) for name in ("crps", "predictive_crps", "skill")},
        }
        for row in table.rows
    ]
    told = {"members": table.members, "not_finite": table.not_finite, "log_likelihood": table.log_likelihood}
    return {"series": rows, **told}
