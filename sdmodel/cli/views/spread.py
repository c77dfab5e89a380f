"""What the members of an ensemble say together, as tables: quantiles of its headlines, shares of statements."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...comparison import LEFT_OUT, quantiles, share_where
from ...dataset import MEMBER, PROBABILITY, TIME, find_variable, long_name, subscript_dims
from ...numerals import number
from ...store import loaded
from ...vensim import read_formula
from ..tables import note, print_table, terminal_width
from .headlines import round_times

MEDIAN = 0.5

_NAME, _COLUMN = 44, 17
_COLUMNS = 6
_LABELS = 12


class Bands(click.ParamType[tuple[float, ...]]):
    """Shares of members in per cent, such as `50,90`, as the widths of bands around the median."""

    name = "bands"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """The widths as shares, the narrowest first."""
        if isinstance(value, tuple):
            return value
        try:
            widths = sorted({float(each.strip().removesuffix("%")) for each in str(value).split(",")})
        except ValueError:
            widths = []
        if not widths or not all(0 < width < 100 for width in widths):  # noqa: PLR2004 - per cent
            self.fail(f"{value!r} are no bands; write per cents between 0 and 100 such as 50,90", param, ctx)
        return tuple(width / 100 for width in widths)


bands_option = click.option(
    "--bands",
    type=Bands(),
    default="50,90",
    show_default=True,
    metavar="P,P",
    help="Per cents of members within bands.",
)
where_option = click.option(
    "--where", "statements", multiple=True, metavar='"FORMULA"', help="Tell in which share of members this holds."
)


@dataclass(frozen=True)
class Spread:
    """One variable, or one label of it, over members: its quantiles by level, each a number at every time."""

    name: str
    units: str
    times: tuple[float, ...]
    quantiles: dict[float, tuple[float, ...]]
    members_left_out: int


@dataclass(frozen=True)
class Share:
    """In which share of members a statement holds: at some times, ever and always; of how many members."""

    statement: str
    times: tuple[float, ...]
    share: tuple[float, ...]
    counted: tuple[int, ...]
    ever: float
    always: float
    throughout: int
    members: int


def levels_of(bands: Sequence[float]) -> list[float]:
    """The levels at the ends of bands and the median, in order."""
    ends = (end for width in bands for end in (round((1 - width) / 2, 9), round((1 + width) / 2, 9)))
    return sorted({MEDIAN, *ends})


def spreads_of(
    run: xr.Dataset, names: Sequence[str], bands: Sequence[float], *, at: Sequence[float] = ()
) -> list[Spread]:
    """The quantiles of variables, label by label, at the stored times nearest to some, else at a few round ones."""
    times = np.asarray(run[TIME].values, dtype=float)
    places = np.unique([int(np.abs(times - each).argmin()) for each in at]) if at else few_times(times)
    part = run.isel({TIME: places})
    return spreads_in(quantiles(part, names, levels_of(bands)).assign_coords({TIME: part[TIME]}))


def spreads_in(found: xr.Dataset) -> list[Spread]:
    """Quantiles at a few times, label by label, as they are told."""
    return [each for name in found.data_vars for each in _spreads(found[name], found[TIME])]


def shares_of(run: xr.Dataset, statements: Sequence[str]) -> list[Share]:
    """The shares of members in which statements hold, at a few round times, label by label."""
    formulas = [(text, read_formula(text, "--where")) for text in statements]
    return [
        each
        for text, formula in formulas
        for each in _shares(text, share_where(run, formula), run.sizes.get(MEMBER, 1))
    ]


def print_spreads(spreads: Sequence[Spread], bands: Sequence[float], time_units: str) -> None:
    """Print medians, and below each what the bands reach from and to."""
    if not spreads:
        return
    head = f"Time ({time_units})" if time_units else "Time"
    columns = {head: "fold", "units": "fold"} | {f"{time:.10g}": "right" for time in spreads[0].times}
    print_table(columns, (row for each in spreads for row in spread_rows(each, bands)))
    left_out = [each for each in spreads if each.members_left_out]
    if left_out:
        most = max(left_out, key=lambda each: each.members_left_out)
        note(
            f"of '{most.name}' up to {most.members_left_out:,} members are not finite at some time and left out there"
            + (f"; so it is for {len(left_out) - 1} more" if len(left_out) > 1 else "")
        )


def print_constants(spreads: Sequence[Spread], bands: Sequence[float]) -> None:
    """Print the medians and widest bands of what is drawn."""
    if not spreads:
        return
    widest = max(bands)
    columns = {"drawn": "fold", "median": "right", f"{100 * widest:.4g} % of members": "right", "units": "fold"}
    rows = ((each, [*spread_rows(each, (widest,))]) for each in spreads)
    print_table(columns, ([each.name, found[0][2], found[1][2], each.units] for each, found in rows))


def print_shares(shares: Sequence[Share]) -> None:
    """Print in which share of members each statement holds."""
    if not shares:
        return
    dated = {f"{time:.10g}": "right" for time in max((each.times for each in shares), key=len)}
    columns = {"holds in a share of members": "fold"} | dated | {"at some time": "right", "at all times": "right"}
    print_table(columns, (_share_row(each, len(dated)) for each in shares))
    for each in shares:
        lacking = each.members - min((*each.counted, each.throughout))
        if lacking:
            note(
                f"'{each.statement}': {lacking:,} of {each.members:,} members have no number at some time and do not count"
            )


def few_times(times: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of as many round times as there is room for, each with a number on either side."""
    columns = max(2, min(_COLUMNS, (terminal_width() - _NAME) // _COLUMN))
    return round_times(times, columns)


def _spreads(variable: xr.DataArray, times: xr.DataArray) -> Iterator[Spread]:
    """A variable label by label; a constant stays as it is."""
    variable = variable if TIME in variable.dims else variable.expand_dims({TIME: times})
    units, left_out = str(variable.attrs.get("units", "")), int(variable.attrs[LEFT_OUT])
    levels = [float(each) for each in variable[PROBABILITY].values]
    for name, part in labelled(variable):
        rows = part.transpose(PROBABILITY, TIME).values
        found = {level: tuple(map(float, row)) for level, row in zip(levels, rows, strict=True)}
        yield Spread(name, units, tuple(map(float, times.values)), found, left_out)


def labelled(variable: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """The first labels of a variable with the name that each has."""
    dims = subscript_dims(variable)
    places = list(itertools.product(*(range(variable.sizes[dim]) for dim in dims)))
    if len(places) > _LABELS:
        note(f"the first {_LABELS} labels are shown of '{long_name(variable)}'; `plot` draws name[label]")
    for place in places[:_LABELS]:
        labels = ",".join(str(variable.coords[dim].values[at]) for dim, at in zip(dims, place, strict=True))
        name = f"{long_name(variable)}[{labels}]" if labels else long_name(variable)
        yield name, variable.isel(dict(zip(dims, place, strict=True)))


def _shares(statement: str, share: xr.DataArray, members: int) -> Iterator[Share]:
    named = share.rename(None).assign_attrs(long_name=statement)
    for name, part in labelled(named):
        chosen = part.to_dataset(name="share")
        chosen = chosen.isel({TIME: few_times(part[TIME].values)}) if TIME in part.dims else chosen
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
    """A row of medians, and below it one of what each band reaches from and to."""
    yield [spread.name, spread.units, *(number(value, spread.units) for value in spread.quantiles[MEDIAN])]
    for width in bands:
        low, high = (spread.quantiles[round((1 + side * width) / 2, 9)] for side in (-1, 1))
        ends = zip(low, high, strict=True)
        yield [f"  {100 * width:.4g} % of members", "", *(reach(a, b, spread.units) for a, b in ends)]


def reach(low: float, high: float, units: str) -> str:
    """A band by its ends, or the one number that it is."""
    ends = number(low, units), number(high, units)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} – {ends[1]}"


def _share_row(share: Share, columns: int) -> list[str]:
    values = [_per_cent(each) for each in share.share] if share.times else [""] * columns
    return [share.statement, *values, _per_cent(share.ever), _per_cent(share.always)]


def _per_cent(share: float) -> str:
    return "none left" if np.isnan(share) else f"{100 * share:.3g} %"


def note_broken(run: xr.Dataset) -> None:
    """Say how many members of a stored ensemble are not finite, and which are the first."""
    broken = int(run.attrs.get("members_not_finite", 0))
    if not broken:
        return
    first = str(run.attrs.get("first_not_finite", "")).split()
    others = " and others" if broken > len(first) else ""
    told = f"{broken:,} of {int(run.attrs['members_done']):,} members have values that are not finite"
    note(f"{told}: {', '.join(first)}{others}; these values take no part")


def note_unfinished(run: xr.Dataset) -> None:
    """Say how far an ensemble has come that is not finished."""
    done, wanted = int(run.attrs.get("members_done", 0)), int(run.attrs.get("members_wanted", 0))
    if done < wanted:
        note(f"{done:,} of {wanted:,} members are stored; `sdmodel ensemble ... --resume` goes on")


def draw_bands(
    runs: Mapping[str, xr.Dataset],
    names: Sequence[str],
    path: Path,
    *,
    bands: Sequence[float],
    spaghetti: int = 0,
    logarithmic: bool = False,
    title: str | None = None,
    force: bool = False,
) -> Path:
    """Draw bands of ensembles and lines of single runs, with so many members of each ensemble as thin lines, to a file."""
    from ...figures import plot_bands, save_figure

    many = {name: run for name, run in runs.items() if MEMBER in run.dims}
    drawn = {name: quantiles(run, names, levels_of(bands)) if name in many else run for name, run in runs.items()}
    lines = {
        name: loaded(_some_members(run, names, spaghetti), f"run '{name}'") for name, run in many.items() if spaghetti
    }
    figure = plot_bands(drawn, names, spaghetti=lines if spaghetti else None, title=title, logarithmic=logarithmic)
    return save_figure(figure, path, force=force)


def _some_members(run: xr.Dataset, names: Sequence[str], count: int) -> xr.Dataset:
    """Of some variables so many members, evenly among all."""
    chosen = np.unique(np.linspace(0, run.sizes[MEMBER] - 1, count).astype(int))
    return run[list(dict.fromkeys(find_variable(run, name).name for name in names))].isel({MEMBER: chosen})
