"""`sdmodel compare`: what differs between stored runs, when and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import xarray as xr

from ...analysis import change_text, changes_between
from ...dataset import DATE, MEMBER, TIME, member_dims
from ...errors import AnalysisError, FigureError
from ...files import write_file
from ...store import find_run, open_run
from ..moments import at_option, outcomes_of
from ..project import check_drawable, force_option, json_option, on_option, runs_folder, runs_option
from ..question import PerCent, Question, names_of
from ..tables import note, print_json
from ..views.changed import print_changes, record_of
from ..views.contrasts import tell_members
from ..views.gaps import tell_runs
from ..views.grouped import tell_groups
from ..views.headlines import check_name
from ..views.spread import bands_option, note_broken, note_unfinished

_TWO = 2


@click.command("compare", epilog="Example: sdmodel compare base power-first --at 2028 --at 2032 --rel 5%")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...")
@on_option("A variable to compare (default: the headlines at dates, and the gaps of all)")
@at_option
@click.option(
    "--abs",
    "absolute",
    type=click.FloatRange(0),
    default=0.0,
    metavar="X",
    help="Leave out gaps up to X, in the units of each variable.",
)
@click.option(
    "--rel",
    "relative",
    type=PerCent(),
    default=0.0,
    metavar="P%",
    help="Leave out gaps up to P % of the largest size in the first run.",
)
@click.option("--top", type=click.IntRange(0), default=15, show_default=True, metavar="N", help="Show so many gaps.")
@click.option("--by", "lever", metavar="LEVER", help="Group the runs by the value of this constant.")
@click.option("--constants", "alone", is_flag=True, help="Tell the constants that differ and nothing else.")
@click.option(
    "--cin", "change_file", metavar="FILE.cin", help="Write what turns the first of two runs into the second."
)
@click.option("--strict", is_flag=True, help="Let the exit code be 1 if there is a gap beyond --abs and --rel.")
@bands_option
@click.option("--plot", "drawn", is_flag=True, help="Draw the runs, and how far they are from the first.")
@click.option("-o", "output", metavar="FILE", help="Draw to this .png, .svg or .pdf file (default: beside the runs).")
@runs_option
@json_option
@force_option
@click.pass_context
def command(
    context: click.Context,
    runs: tuple[str, ...],
    names: tuple[str, ...],
    dates: tuple[str, ...],
    absolute: float,
    relative: float,
    top: int,
    lever: str | None,
    change_file: str | None,
    bands: tuple[float, ...],
    output: str | None,
    folder: str | None,
    *,
    alone: bool,
    strict: bool,
    drawn: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Tell what differs between stored runs: constants, headlines at dates, the largest gap of each variable and when.

    The first RUN is the baseline. A gap is told in the units of its variable, and in per cent of the largest size that the
    variable has in the first run at any time, so that it does not explode near zero; told are those beyond both --abs and
    --rel. Times that differ are compared where they overlap, at those of the first run.

    Ensembles of one design are compared member by member: bands are of the differences. With --by, runs are grouped by the
    value of a constant, each point of a sweep being a run. RUN is the name of a stored run, or the path of its file.
    """
    place = runs_folder(folder)
    paths = names_of([find_run(run, place) for run in runs])
    opened = {name: open_run(path) for name, path in paths.items()}
    many = any(MEMBER in run.dims for run in opened.values())
    if strict and (many or lever is not None):
        message = "--strict is for single runs without --by"
        raise click.UsageError(message, context)
    for each in names:
        check_name(each, opened)
    if lever is None:
        _check_comparable(opened)
    if change_file:
        _write_changes(Path(change_file), opened, force=force)
    if alone:
        _tell_changes(opened, as_json=as_json)
        return
    question = Question(
        names,
        _times(dates, next(iter(opened.values()))),
        absolute,
        relative,
        top,
        bands,
        _pictures(output, place, paths, force=force) if drawn or output else None,
        force,
        as_json,
    )
    if lever is not None:
        tell_groups(opened, lever, paths, question)
    elif many:
        tell_members(opened, paths, question)
    else:
        found = tell_runs(opened, paths, question)
        context.exit(int(strict and found))


def _times(dates: tuple[str, ...], first: xr.Dataset) -> tuple[float, ...]:
    """The dates that are asked for, in the model's unit of time, the earliest first."""
    outcomes = outcomes_of(dates, (), first[TIME].values, dated=DATE in first.coords)
    return tuple(sorted({each.at for each in outcomes if each.at is not None}))


def _check_comparable(runs: Mapping[str, xr.Dataset]) -> None:
    """Make sure that there are several runs, each a single one or an ensemble, and tell what is not whole."""
    if len(runs) < _TWO:
        message = f"run '{next(iter(runs))}': there is nothing to compare it with; name another run besides"
        raise AnalysisError(message)
    for name, run in runs.items():
        others = [dim for dim in member_dims(run) if dim != MEMBER]
        if others:
            message = f"run '{name}': differs along {', '.join(others)}; group its points with --by and the name of a constant"
            raise AnalysisError(message)
        note_unfinished(run)
        note_broken(run)


def _tell_changes(runs: Mapping[str, xr.Dataset], *, as_json: bool) -> None:
    """The constants and lookups that differ, and nothing else."""
    changes = changes_between(runs)
    for text in changes.remarks:
        note(text)
    if as_json:
        print_json(record_of(changes, list(runs)))
    else:
        print_changes(changes, list(runs), whole=True)


def _write_changes(path: Path, runs: Mapping[str, xr.Dataset], *, force: bool) -> None:
    """Write the change file that makes the second run out of the first."""
    if len(runs) != _TWO or any(member_dims(run) for run in runs.values()):
        message = f"{path}: a change file makes one single run out of another; name two such runs"
        raise AnalysisError(message)
    first, second = runs
    text = change_text(changes_between(runs), first, second)
    write_file(path, text.encode(), force=force, error=AnalysisError)
    changed = any(runs[first].attrs.get(each) for each in ("scenario", "changes"))
    own = ", after what that run was made with," if changed else ""
    note(f"written to {path}; `sdmodel run -c {path}`{own} makes '{second}' out of '{first}'")


def _pictures(output: str | None, folder: Path, paths: Mapping[str, Path], *, force: bool) -> tuple[Path, Path]:
    """Where the runs and their differences are drawn, made sure that nothing is in the way."""
    if len({path.stem for path in paths.values()}) < len(paths):
        message = "the figure: two of the runs have the same name; rename one of the files"
        raise FigureError(message)
    lines = Path(output) if output else folder / f"{'+'.join(paths)}.png"
    distances = lines.with_name(f"{lines.stem}.differences{lines.suffix}")
    check_drawable([lines, distances], force=force)
    return lines, distances
