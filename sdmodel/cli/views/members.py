"""The members of an ensemble together, as tables and figures: quantiles of variables, and shares for which statements hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...comparison import LEFT_OUT, MEDIAN, levels_of, share_where
from ...dataset import MEMBER, MODEL_ERROR, PROBABILITY, TIME, find_variable, long_name, member_dims
from ...errors import SdmodelError, format_count
from ...inference import quantiles_with_error
from ...numerals import format_band, format_number
from ...vensim import read_formula
from ..observations import stored_model_file
from ..output import Table, columns_beside, note
from .headlines import columns_for, columns_of_times, labelled_with_note, round_times, time_heading
from .panels import first_panels, layout_of, scales_of

_COLUMN_WIDTH, _COLUMNS = 21, 6
_BAND_ROW = "  90 % of members"


@dataclass(frozen=True)
class Spread:
    """Quantiles over members of one variable, or one label of it: by level, a number at every time."""

    name: str
    units: str
    times: tuple[float, ...]
    quantiles: dict[float, tuple[float, ...]]
    members_left_out: int


@dataclass(frozen=True)
class Share:
    """The share of members for which a statement holds: at times, at some time, and at all times; and the members counted."""

    statement: str
    times: tuple[float, ...]
    share: tuple[float, ...]
    counted: tuple[int, ...]
    ever: float
    always: float
    throughout: int
    members: int


def spreads_of(
    run: xr.Dataset, names: Sequence[str], bands: Sequence[float], *, at: Sequence[float] = ()
) -> list[Spread]:
    """Quantiles of variables, label by label, at the stored times nearest to `at`, else at a few round times."""
    times = np.asarray(run[TIME].values, dtype=float)
    places = np.unique([int(np.abs(times - time).argmin()) for time in at]) if at else few_times(times, run, names)
    part = run.isel({TIME: places})
    found = bands_of(part, names, bands).assign_coords({TIME: part[TIME]})
    widened = [variable for variable in found.data_vars.values() if MODEL_ERROR in variable.attrs]
    if widened:
        note(
            f"bands of {', '.join(map(long_name, widened))} include the model error of {widened[0].attrs[MODEL_ERROR]}"
        )
    return spreads_in(found)


def bands_of(run: xr.Dataset, names: Sequence[str], bands: Sequence[float]) -> xr.Dataset:
    """The median and the ends of bands over time, with the model error of a back-test where a file beside the model has it."""
    return quantiles_with_error(run, names, levels_of(bands), stored_model_file(run))


def spreads_in(found: xr.Dataset) -> list[Spread]:
    """Quantiles at a few times, label by label."""
    return [spread for name in found.data_vars for spread in _spreads(found[name], found[TIME])]


def shares_of(run: xr.Dataset, statements: Sequence[str]) -> list[Share]:
    """The shares of members for which statements hold, at a few round times, label by label."""
    formulas = [(text, read_formula(text, "--where")) for text in statements]
    members = run.sizes.get(MEMBER, 1)
    return [share for text, formula in formulas for share in _shares(text, share_where(run, formula), members)]


def spread_tables(spreads: Sequence[Spread], bands: Sequence[float], run: xr.Dataset) -> Iterator[Table]:
    """Medians, and below each the ends of its bands."""
    if not spreads:
        return
    yield spread_table(time_heading(run), spreads, bands)
    broken = [spread for spread in spreads if spread.members_left_out]
    if broken:
        most = max(broken, key=lambda spread: spread.members_left_out)
        others = f"; the same for {len(broken) - 1} more" if len(broken) > 1 else ""
        note(
            f"'{most.name}': not finite and left out at some time: up to {format_count(most.members_left_out, 'member')}{others}"
        )


def spread_table(title: str, spreads: Sequence[Spread], bands: Sequence[float]) -> Table:
    """A table of medians and bands under a title."""
    columns = columns_of_times(title, spreads[0].times)
    return Table(columns, [row for spread in spreads for row in spread_rows(spread, bands)])


def constant_tables(spreads: Sequence[Spread], bands: Sequence[float]) -> Iterator[Table]:
    """Medians and widest bands of the sampled constants."""
    if not spreads:
        return
    widest = max(bands)
    columns = {"sampled": "fold", "median": "right", f"{100 * widest:.4g} % of members": "right", "units": "fold"}
    rows = ((spread, [*spread_rows(spread, (widest,))]) for spread in spreads)
    yield Table(columns, [[spread.name, found[0][2], found[1][2], spread.units] for spread, found in rows])


def share_tables(shares: Sequence[Share]) -> Iterator[Table]:
    """The share of members for which each statement holds."""
    if not shares:
        return
    dated = {f"{time:.10g}": "right" for time in max((share.times for share in shares), key=len)}
    columns = {"share of members for which": "fold"} | dated | {"at some time": "right", "at all times": "right"}
    yield Table(columns, [_share_row(share, len(dated)) for share in shares])
    for share in shares:
        lacking = share.members - min((*share.counted, share.throughout))
        if lacking:
            members = f"{lacking:,} of {format_count(share.members, 'member')}"
            note(f"'{share.statement}': {members} have no number at some time and are not counted")


def few_times(times: NDArray[np.float64], run: xr.Dataset, names: Sequence[str]) -> NDArray[np.intp]:
    """Positions of a few round times; each column needs room for a band, beside the names of variables and their units."""
    variables = [find_variable(run, name) for name in names]
    return round_times(times, columns_for(variables, _BAND_ROW, width=_COLUMN_WIDTH, least=2, most=_COLUMNS))


def _spreads(variable: xr.DataArray, times: xr.DataArray) -> Iterator[Spread]:
    """A variable label by label; a constant is the same at all times."""
    variable = variable if TIME in variable.dims else variable.expand_dims({TIME: times})
    units, left_out = str(variable.attrs.get("units", "")), int(variable.attrs[LEFT_OUT])
    levels = [float(level) for level in variable[PROBABILITY].values]
    for name, part in labelled_with_note(variable):
        rows = part.transpose(PROBABILITY, TIME).values
        found = {level: tuple(map(float, row)) for level, row in zip(levels, rows, strict=True)}
        yield Spread(name, units, tuple(map(float, times.values)), found, left_out)


def _shares(statement: str, share: xr.DataArray, members: int) -> Iterator[Share]:
    named = share.rename(None).assign_attrs(long_name=statement)
    for name, part in labelled_with_note(named):
        chosen = part.to_dataset(name="share")
        columns = columns_beside(
            [name], [" at some time at all times"], width=_COLUMN_WIDTH // 2, least=2, most=_COLUMNS
        )
        chosen = chosen.isel({TIME: round_times(part[TIME].values, columns)}) if TIME in part.dims else chosen
        times = chosen[TIME].values if TIME in chosen.dims else np.empty(0)
        yield Share(
            name,
            tuple(map(float, times)),
            tuple(map(float, np.atleast_1d(chosen["share"].values))),
            tuple(map(int, np.atleast_1d(chosen["counted"].values))),
            float(part["ever"]),
            float(part["always"]),
            int(part["throughout"]),
            members,
        )


def spread_rows(spread: Spread, bands: Sequence[float]) -> Iterator[list[str]]:
    """A row of medians, and below it a row for each band."""
    yield [spread.name, spread.units, *(format_number(value, spread.units) for value in spread.quantiles[MEDIAN])]
    for width in bands:
        low, high = (spread.quantiles[round((1 + side * width) / 2, 9)] for side in (-1, 1))
        ends = zip(low, high, strict=True)
        yield [f"  {100 * width:.4g} % of members", "", *(format_band(a, b, spread.units) for a, b in ends)]


def _share_row(share: Share, columns: int) -> list[str]:
    values = [_percent(value) for value in share.share] if share.times else [""] * columns
    return [share.statement, *values, _percent(share.ever), _percent(share.always)]


def _percent(share: float) -> str:
    return "none left" if np.isnan(share) else f"{100 * share:.3g} %"


def check_members(runs: Mapping[str, xr.Dataset], cure: str, *, error: type[SdmodelError]) -> None:
    """Check that all runs are ensembles or single runs, else the error ends in `cure`; notes say which are incomplete."""
    for name, run in runs.items():
        others = [dim for dim in member_dims(run) if dim != MEMBER]
        if others:
            message = f"run '{name}': varies along {', '.join(others)}{cure}"
            raise error(message)
        note_unfinished(run)
        note_broken(run)


def note_broken(run: xr.Dataset) -> None:
    """Note how many members of a stored ensemble are not finite, and which are the first."""
    broken = int(run.attrs.get("members_not_finite", 0))
    if not broken:
        return
    first = str(run.attrs.get("first_not_finite", "")).split()
    others = " and others" if broken > len(first) else ""
    count = f"{broken:,} of {format_count(int(run.attrs['members_done']), 'member')}"
    note(f"{count} have values that are not finite: {', '.join(first)}{others}; these values are left out")


def note_unfinished(run: xr.Dataset) -> None:
    """Note how far an unfinished ensemble has come."""
    done, total = int(run.attrs.get("members_done", 0)), int(run.attrs.get("members_wanted", 0))
    if done < total:
        note(f"{done:,} of {total:,} members are stored; `sdmodel ensemble ... --resume` runs the rest")


def plot_members_to(
    runs: Mapping[str, xr.Dataset],
    names: Sequence[str],
    path: Path,
    *,
    bands: Sequence[float],
    spaghetti: int = 0,
    logarithmic: bool = False,
    title: str | None = None,
    every: bool = True,
    force: bool = False,
) -> Path:
    """Plot bands of ensembles, with `spaghetti` members of each as thin lines, and lines of single runs."""
    from ...figures import plot_bands, save_figure

    names = first_panels(names, every=every)
    page = layout_of(next(iter(runs.values())))
    style: Any = {"scales": scales_of(page, names), "extrapolation": page.extrapolation, "logarithmic": logarithmic}
    ensembles = {name: run for name, run in runs.items() if MEMBER in run.dims}
    lines = {name: bands_of(run, names, bands) if name in ensembles else run for name, run in runs.items()}
    thin = {name: _some_members(run, names, spaghetti).load() for name, run in ensembles.items() if spaghetti}
    figure = plot_bands(lines, names, spaghetti=thin if spaghetti else None, title=title, **style)
    return save_figure(figure, path, force=force)


def _some_members(run: xr.Dataset, names: Sequence[str], count: int) -> xr.Dataset:
    chosen = np.unique(np.linspace(0, run.sizes[MEMBER] - 1, count).astype(int))
    return run[list(dict.fromkeys(find_variable(run, name).name for name in names))].isel({MEMBER: chosen})
