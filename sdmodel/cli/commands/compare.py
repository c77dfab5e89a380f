"""`sdmodel compare`: what differs between stored runs, when and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import xarray as xr

from ...analysis import change_text, changes_between
from ...dataset import MEMBER, member_dims
from ...errors import AnalysisError, FigureError
from ...files import Location, write_file
from ...store import find_run, open_run
from ..locations import check_not_there, runs_folder
from ..options import (
    OutcomeOptions,
    PerCent,
    all_panels_option,
    bands_option,
    force_option,
    on_option,
    outcome_options,
    runs_option,
)
from ..output import Result, note, output_options
from ..views.comparison import CompareOptions, changes_result, groups_result, runs_result
from ..views.ensemble_comparison import ensembles_result
from ..views.headlines import check_name
from ..views.members import check_members

_TWO = 2


@click.command("compare", epilog="Example: sdmodel compare base power-first --at 2028 --at 2032 --rel 5%")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...")
@on_option("A variable to compare (default: headline variables at dates, and the largest differences of all)")
@outcome_options()
@click.option(
    "--abs",
    "absolute",
    type=click.FloatRange(0),
    default=0.0,
    metavar="X",
    help="Leave out differences up to X, in the units of each variable.",
)
@click.option(
    "--rel",
    "relative",
    type=PerCent(),
    default=0.0,
    metavar="P%",
    help="Leave out differences up to P % of the variable's largest size in the first run.",
)
@click.option(
    "--top", type=click.IntRange(0), default=15, show_default=True, metavar="N", help="Number of differences shown."
)
@click.option("--by", "lever", metavar="LEVER", help="Group the runs by the value of this constant.")
@click.option("--constants", "constants_only", is_flag=True, help="Show only the constants that differ.")
@click.option(
    "--cin",
    "change_file",
    metavar="FILE.cin",
    help="Write the change file that turns the first of two runs into the second.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a difference exceeds --abs and --rel.")
@bands_option
@click.option("--plot", is_flag=True, help="Plot the runs, and their differences from the first.")
@click.option("-o", "output", metavar="FILE", help="Plot to this .png, .svg or .pdf file (default: beside the runs).")
@all_panels_option
@runs_option
@force_option
@output_options
@click.pass_context
def compare(
    context: click.Context,
    *,
    runs: tuple[str, ...],
    names: tuple[str, ...],
    when: OutcomeOptions,
    absolute: float,
    relative: float,
    top: int,
    lever: str | None,
    constants_only: bool,
    change_file: str | None,
    strict: bool,
    bands: tuple[float, ...],
    plot: bool,
    output: str | None,
    every: bool,
    folder: str | None,
    force: bool,
) -> Result:
    """Compare stored runs: constants that differ, headline variables at dates, and the largest difference of each variable.

    The first RUN is the baseline. Differences are in the units of the variable, and in per cent of the largest size that it
    has in the first run at any time, so that the percentage does not explode near zero. Shown are those beyond both --abs
    and --rel. If times differ, runs are compared where they overlap, at the times of the first run.

    Ensembles of one design are compared member by member; the bands are of the differences. With --by, runs are grouped by
    the value of a constant; each point of a sweep counts as a run. RUN is the name of a stored run or the path of its file.
    """
    place = runs_folder(folder)
    paths = _by_name([find_run(run, place) for run in runs])
    opened = {name: open_run(path) for name, path in paths.items()}
    many = any(MEMBER in run.dims for run in opened.values())
    if strict and (many or lever is not None):
        message = "--strict is for single runs without --by"
        raise click.UsageError(message, context)
    for name in names:
        check_name(name, opened)
    if lever is None:
        if len(opened) < _TWO:
            message = f"run '{next(iter(opened))}': there is nothing to compare it with; name another run"
            raise AnalysisError(message)
        check_members(opened, "; group its points with --by and the name of a constant", error=AnalysisError)
    if change_file:
        _write_changes(Path(change_file), opened, force=force)
    if constants_only:
        return changes_result(opened)
    figures = _figure_paths(output, place, paths, force=force) if plot or output else None
    at = when.times(next(iter(opened.values())))
    options = CompareOptions(names, at, absolute, relative, top, bands, figures, every, force)
    if lever is not None:
        return groups_result(opened, lever, paths, options)
    if many:
        return ensembles_result(opened, paths, options)
    return runs_result(opened, paths, options, strict=strict)


def _by_name(paths: list[Location]) -> dict[str, Location]:
    """Files of runs by name, or by the whole path where two have the same name."""
    unique = list(dict.fromkeys(paths))
    stems = [path.stem for path in unique]
    return {path.stem if stems.count(path.stem) == 1 else str(path.with_suffix("")): path for path in unique}


def _write_changes(path: Path, runs: Mapping[str, xr.Dataset], *, force: bool) -> None:
    if len(runs) != _TWO or any(member_dims(run) for run in runs.values()):
        message = f"{path}: a change file turns one single run into another; name two such runs"
        raise AnalysisError(message)
    first, second = runs
    text = change_text(changes_between(runs), first, second)
    write_file(path, text.encode(), force=force, error=AnalysisError)
    changed = any(runs[first].attrs.get(attribute) for attribute in ("scenario", "changes"))
    own = ", after that run's own changes," if changed else ""
    note(f"written to {path}; `sdmodel run -c {path}`{own} turns '{first}' into '{second}'")


def _figure_paths(output: str | None, folder: Path, paths: Mapping[str, Location], *, force: bool) -> tuple[Path, Path]:
    """The files for the runs and for their differences, which must not exist."""
    if len({path.stem for path in paths.values()}) < len(paths):
        message = "the figure: two of the runs have the same name; rename one of the files"
        raise FigureError(message)
    lines = Path(output) if output else folder / f"{'+'.join(paths)}.png"
    differences = lines.with_name(f"{lines.stem}.differences{lines.suffix}")
    check_not_there([lines, differences], force=force)
    return lines, differences
