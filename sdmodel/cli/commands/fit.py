"""`sdmodel fit`: how well a stored run, or an ensemble, agrees with observations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...analysis import model_of_run
from ...errors import ObservationError
from ...inference import FitTable, Series, SeriesFit, fit_panels, fit_run, split_series
from ...numerals import format_number
from ...store import find_run, open_run
from ..locations import check_not_there, runs_folder
from ..observations import DataOptions, data_options, stored_model_file
from ..options import bands_option, force_option, runs_option
from ..output import Part, Result, Table, busy, note, output_options


@click.command("fit", epilog="Example: sdmodel fit base --plot")
@click.argument("run", metavar="RUN")
@data_options()
@bands_option
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed of the errors, for an ensemble."
)
@click.option("--plot", is_flag=True, help="Plot every series to RUN-fit.png beside the run.")
@runs_option
@force_option
@output_options
def fit(
    *, run: str, data: DataOptions, bands: tuple[float, ...], seed: int, plot: bool, folder: str | None, force: bool
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
    path = find_run(run, runs_folder(folder))
    figure = path.with_name(f"{path.stem}-fit.png")
    if plot:
        check_not_there([figure], force=force, cure="move it away")
    stored = open_run(path)
    found = data.series(model_of_run(stored, str(path)), stored_model_file(stored))
    series = _comparable(stored, path, found)
    with busy(f"comparing {path.stem} with {len(series)} series"):
        table = fit_run(stored, series, bands=bands, seed=seed)
        if plot:
            _plot(stored, series, bands, path.stem, figure, force=force)
    if table.not_finite:
        note(f"run '{path.stem}': {table.not_finite} members are not finite at some observation and are left out")
    files = {"run": path.stem, "path": str(path), "figure": str(figure) if plot else None}
    return Result(
        lambda: _fit_record(table) | files, lambda: _fit_table(table), "series", figures=[figure] if plot else []
    )


def _comparable(stored: xr.Dataset, path: Path, series: Sequence[Series]) -> tuple[Series, ...]:
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

    record = stored.attrs
    origin = f"Model {Path(str(record['model'])).name}, sha256 {str(record['model_sha256'])[:12]}"
    figure = plot_fit(fit_panels(stored, series, bands=bands), title=name, origin=origin)
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
    yield Table(columns, [_cells(row) for row in table.rows], spare=("error", "MAE", "skill", "units", "PIT"))


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
