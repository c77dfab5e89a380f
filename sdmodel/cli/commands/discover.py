"""`sdmodel discover`: which values of the sampled constants of an ensemble lead to an outcome beyond a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ...analysis import check_discovery, discover_scenarios
from ...comparison import Outcome
from ...errors import AnalysisError
from ...store import find_run, open_run
from ..locations import runs_folder
from ..options import FileOptions, OutcomeOptions, file_options, outcome_options
from ..output import Part, Result, busy, note, output_options
from ..views.discovery import box_records, discovery_parts, discovery_record
from ..views.members import note_unfinished

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@click.command("discover", epilog='Example: sdmodel discover spread "beds needed" --over max --above 5000 --plot')
@click.argument("run", metavar="RUN")
@click.argument("name", metavar="NAME")
@outcome_options(statistics=True)
@click.option("--above", type=float, metavar="X", help="Look for members whose outcome is above X.")
@click.option("--below", type=float, metavar="X", help="Look for members whose outcome is below X.")
@click.option(
    "--density",
    type=float,
    default=0.8,
    show_default=True,
    metavar="SHARE",
    help="The share of members in a box that must be cases.",
)
@click.option(
    "--mass",
    type=float,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="The share of all members that a box must hold.",
)
@click.option("--boxes", type=int, default=3, show_default=True, metavar="N", help="The largest number of boxes.")
@file_options("RUN-boxes")
@output_options
def discover(
    *,
    run: str,
    name: str,
    when: OutcomeOptions,
    above: float | None,
    below: float | None,
    density: float,
    mass: float,
    boxes: int,
    files: FileOptions,
) -> Result:
    """Find the values of sampled constants that lead to an outcome above or below a threshold: scenario discovery.

    RUN is a stored ensemble and NAME a variable of it; --at or --over says what of it counts (default: its last value). The
    patient rule induction method (PRIM) of the EMA workbench looks for boxes: ranges of a few constants in which many of the
    cases lie (coverage) and little else (density). A box is the one with the largest coverage that reaches --density; the
    next is searched outside it. A quasi-p value is the probability that chance gives as many cases without that end of the
    range; above 0.05 the end is doubtful. --plot shows the trade-off between coverage and density. Nothing is stored
    without -o or --plot. The workbench comes with `pip install "sdmodel[ema]"`.
    """
    check_discovery(above, below, density=density, mass=mass, boxes=boxes)
    path = find_run(run, runs_folder(files.folder))
    targets = files.targets(f"{path.stem}-boxes")
    stored = open_run(path)
    note_unfinished(stored)
    outcomes = when.outcomes(stored) or (Outcome(),)
    if len(outcomes) > 1:
        message = f"{', '.join(map(str, outcomes))}: boxes are those of one outcome; give one --at or --over"
        raise AnalysisError(message)
    with busy("looking for boxes"):
        found = discover_scenarios(
            stored, name, outcomes[0], above=above, below=below, density=density, mass=mass, boxes=boxes
        )
    if found.attrs["left_out"]:
        note(f"{found.attrs['left_out']:,} members have no number and are left out")

    def figure() -> Figure:
        from ...figures import plot_boxes

        return plot_boxes(found, title=path.stem)

    files.write(targets, rows=lambda: box_records(found), record=lambda: discovery_record(found), figure=figure)

    def parts() -> Iterator[Part]:
        yield from discovery_parts(found)
        yield from files.lines(targets)

    record = {"run": path.stem, **discovery_record(found), "files": list(map(str, targets))}
    return Result(lambda: record, parts, "boxes")
