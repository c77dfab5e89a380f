"""Which constants matter to an outcome: `sdmodel sensitivity` and `discover`.

`sensitivity` ranks constants by a tornado, Morris's method or Sobol's indices. `discover` looks in a stored ensemble for the
ranges of constants that lead to an outcome beyond a threshold.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import xarray as xr

from ...analysis import (
    check_discovery,
    check_method_extra,
    discover_scenarios,
    factors_of,
    find_sensitivities,
    responses_of,
)
from ...comparison import Outcome
from ...dataset import TIME
from ...errors import AnalysisError, format_count
from ...model import Model
from ...simulation import Progress
from ...store import find_run, open_run
from ..factors import FactorOptions, factor_options, note_outside
from ..locations import runs_folder
from ..options import (
    FileOptions,
    OutcomeOptions,
    RunOptions,
    WorkerOptions,
    file_options,
    on_option,
    outcome_options,
    run_options,
    seed_option,
    worker_options,
)
from ..output import Part, Result, busy, note, output_options, progress_bar
from ..requests import RunRequest, make_run, record_of
from ..views.discovery import box_records, discovery_parts, discovery_record
from ..views.members import note_unfinished
from ..views.sensitivity import constant_records, sensitivity_parts, sensitivity_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OPTIONS = {
    "trajectories": ("--trajectories", "morris"),
    "levels": ("--levels", "morris"),
    "samples": ("-n", "sobol"),
    "second_order": ("--second-order", "sobol"),
}
"""The option and the method of each setting."""


@click.command(
    "sensitivity", epilog='Example: sdmodel sensitivity --on "revenue per GW" --at 2028 --method tornado --plot'
)
@run_options(on_option("The variable whose outcome is analysed; may be repeated"))
@outcome_options(statistics=True)
@click.option(
    "--method",
    type=click.Choice(["tornado", "morris", "sobol"]),
    default="tornado",
    show_default=True,
    help="Vary constants one at a time, along trajectories, or all together.",
)
@factor_options()
@click.option("--trajectories", type=int, metavar="N", help="Number of Morris trajectories (default: 20).")
@click.option("--levels", type=int, metavar="N", help="Number of Morris levels, even (default: 4).")
@click.option(
    "-n", "samples", type=int, metavar="N", help="Number of Sobol base samples, a power of two (default: 1024)."
)
@click.option("--second-order", is_flag=True, default=None, help="Also compute Sobol indices of pairs of constants.")
@seed_option
@file_options("MODEL-METHOD")
@worker_options()
@output_options
def sensitivity(
    *,
    run_from: RunOptions,
    when: OutcomeOptions,
    method: str,
    factors: FactorOptions,
    seed: int | None,
    files: FileOptions,
    sharing: WorkerOptions,
    **settings: int | bool | None,
) -> Result:
    """Rank constants by their effect on a variable at a date, or on a statistic of it over time.

    Without -e, --free or --group, the constants in MODEL.vsc beside the model vary, except policy levers; without such a
    file, those of the group Uncertainties, over their ranges. A constant with subscripts varies label by label. `tornado` moves each constant from its low end to its high end, with all others as in the scenario: the
    ends of a range, or the 5 % and 95 % quantiles of another distribution. --group levers moves the policy levers between the
    ends of their plausible ranges. `morris` moves constants along random
    trajectories between their ends: mu_star is the mean absolute effect of a constant on the outcome, sigma how much that
    effect varies. `sobol` samples all constants: S1 is the share of the outcome's variance due to a constant alone, ST the
    share due to it together with others. Both need SALib; ± is half of a 95 % interval. Nothing is stored without -o or
    --plot.
    """
    if not run_from.names:
        message = 'name the variable to analyse: --on "name"'
        raise click.UsageError(message)
    check_method_extra(method)
    given = _given_settings(method, settings)
    request = run_from.request()
    targets = files.targets(f"{request.default_name}-{method}")
    model = request.load_model()
    sampling = factors.sampling(model, request.scenario)
    note_outside(model, factors_of(model, sampling, request.scenario))
    with _run_count(request.model.name) as progress, sharing.executor() as executor:
        found = find_sensitivities(
            model,
            run_from.names,
            _outcomes(request, model, when),
            method=method,
            sampling=sampling,
            scenario=request.scenario,
            integrator=request.integrator,
            seed=seed,
            executor=executor,
            progress=progress,
            **given,
        )
    found = found.assign_attrs(record_of(request, model))
    files.write(
        targets,
        rows=lambda: constant_records(found),
        record=lambda: sensitivity_record(found),
        figure=lambda: _figure(found),
    )

    def parts() -> Iterator[Part]:
        yield from sensitivity_parts(found)
        yield from files.lines(targets)

    return Result(lambda: sensitivity_record(found) | {"files": list(map(str, targets))}, parts, "outcomes")


def _given_settings(method: str, settings: dict[str, int | bool | None]) -> dict[str, Any]:
    """The settings that are given; an error if one belongs to another method."""
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        option, owner = _OPTIONS[name]
        if owner != method:
            message = f"{option} belongs to {owner}, not to {method}; leave it out, or add --method {owner}"
            raise click.UsageError(message)
    return given


def _outcomes(request: RunRequest, model: Model, when: OutcomeOptions) -> tuple[Outcome, ...]:
    """The requested outcomes, by default the last value; the run without changes has the times."""
    responses_of(model, request.save or (), [Outcome()])  # reports a misspelt name better than a run would
    run = make_run(request, model=model)
    return when.outcomes(run) or (Outcome(at=float(run[TIME].values[-1])),)


@contextlib.contextmanager
def _run_count(name: str) -> Iterator[Progress]:
    with progress_bar(f"running {name}", "runs") as bar:

        def update(done: int, total: int) -> None:
            if done == 0:
                note(f"{total:,} runs")
            if bar:
                bar(done, total)

        yield update


def _figure(found: xr.Dataset) -> Figure:
    from ...figures import plot_morris, plot_sobol, plot_tornado

    plots = {"tornado": plot_tornado, "morris": plot_morris, "sobol": plot_sobol}
    return plots[found.attrs["method"]](found)


# discover


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
    help="The share of a box's members that must lie beyond the threshold.",
)
@click.option(
    "--mass",
    type=float,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="The share of all members that a box must hold at least.",
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

    RUN is a stored ensemble and NAME one of its variables; --at or --over says what of it counts (default: its last value). The
    patient rule induction method (PRIM) of the EMA workbench looks for boxes: ranges of a few constants in which many of the
    members beyond the threshold lie (coverage) and few others (density). A box has the largest coverage that reaches
    --density, if possible without ends that may be due to chance; the next is searched outside it. A quasi-p value is the
    probability that chance alone gives as many cases without that end of the range; above 0.05 the end is doubtful. --plot
    shows the ranges, and how coverage trades for density. Nothing is stored
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
        note(f"left out: {format_count(found.attrs['left_out'], 'member')} without a number")

    def figure() -> Figure:
        from ...figures import plot_boxes

        return plot_boxes(found, title=path.stem)

    files.write(targets, rows=lambda: box_records(found), record=lambda: discovery_record(found), figure=figure)

    def parts() -> Iterator[Part]:
        yield from discovery_parts(found)
        yield from files.lines(targets)

    record = {"run": path.stem, **discovery_record(found), "files": list(map(str, targets))}
    return Result(lambda: record, parts, "boxes")
