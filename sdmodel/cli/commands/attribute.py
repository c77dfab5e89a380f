"""`sdmodel attribute` and `rank`: what each lever of a scenario contributes, and what each lever of a model can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import click

from ...analysis import EXACT, PAIRS, Goal, Group, attribute_levers, attributed_variables, rank_levers
from ...comparison import Outcome
from ...dataset import TIME
from ...errors import AnalysisError
from ...model import Model, cell_name, join_name, split_list
from ...scenario import Scenario, merge_scenarios, plausible_ranges
from ...simulation import RunWarning, simulate
from ...vensim import read_bounds
from ..locations import check_not_there
from ..options import (
    Decorator,
    OutcomeOptions,
    PerCent,
    RunOptions,
    SamplingOptions,
    StoreOptions,
    WorkerOptions,
    memory_option,
    model_time,
    noted_variation,
    on_option,
    option_group,
    outcome_options,
    run_options,
    sampling_options,
    store_options,
    vary_option,
    worker_options,
)
from ..output import Part, Result, output_options, progress_bar, stored_safely
from ..requests import HEADLINES, names_to_save, read_scenarios, record_of, warnings_as_notes
from ..views.attribution import attribution_parts, attribution_record, moment_of, plot_attribution_to
from ..views.ranking import other_outcomes, plot_ranking_to, ranking_parts, ranking_record


@click.command(
    "attribute",
    epilog='Example: sdmodel attribute -c models/scenarios/power-first.cin --on "total ghost compute" --at 2028 --plot',
)
@run_options(on_option("A variable to explain (default: a summary of the headline variables)"))
@click.option(
    "--from",
    "baselines",
    multiple=True,
    metavar="FILE.cin",
    help="The baseline that the scenario is compared with (default: the model as it is).",
)
@click.option("--group", "groups", multiple=True, metavar='"NAME=LEVER,LEVER"', help="Treat several levers as one.")
@outcome_options()
@click.option(
    "--pairs", type=click.IntRange(2), metavar="N",
    help=f"Sample N pairs of opposite orders instead of running all subsets (default above {EXACT} levers: {PAIRS}).",
)  # fmt: skip
@sampling_options("Also attribute over the members of an ensemble, sampled by this file (with -n alone: by MODEL.vsc).")
@store_options("its scenarios")
@memory_option
@worker_options()
@click.option("--plot", is_flag=True, help="Plot wedges over time to NAME.png, and bars at the date to NAME-bars.png.")
@output_options
def attribute(
    *,
    run_from: RunOptions,
    baselines: tuple[str, ...],
    groups: tuple[str, ...],
    when: OutcomeOptions,
    pairs: int | None,
    sampling: SamplingOptions,
    store: StoreOptions,
    memory: str,
    sharing: WorkerOptions,
    plot: bool,
) -> Result:
    """Find what each lever of a scenario contributes to each variable, over time.

    There are three measures: alone (the lever moved by itself), Shapley (its mean contribution over all orders in which the
    levers can be moved; these add up to the whole effect), and last (moved after all others). The interaction of two levers
    is their joint effect beyond the sum of their separate effects. With -e or -n, every member is run with and without each
    lever, and the results are means over members, the middle 90 % of members, and the share of members in which a lever
    ranks first.
    """
    request = run_from.request()
    baseline = merge_scenarios(read_scenarios(baselines, request.model))
    levers_by_group = _read_groups(groups)
    default_name = f"{request.default_name}-levers"
    name = store.name or default_name
    path = store.path()
    targets = [store.folder / f"{name}.png", store.folder / f"{name}-bars.png"] if plot else []
    check_not_there(targets, force=store.force)
    model = request.load_model(baseline)
    listed = names_to_save(request, model)
    with warnings_as_notes(RunWarning):
        requested = when.outcomes(simulate(model, scenario=baseline, save=["TIME STEP"])) if when.dates else ()
    many = sampling.file is not None or sampling.count is not None  # --seed alone chooses the sampled orders
    design = sampling.design(model, baseline) if many else None
    with (
        warnings_as_notes(RunWarning),
        progress_bar(f"running {request.model.name}", "runs") as progress,
        sharing.executor() as executor,
    ):
        found = attribute_levers(
            model,
            request.scenario,
            save=listed,
            baseline=baseline,
            groups=levers_by_group,
            design=design,
            integrator=request.integrator,
            pairs=pairs,
            seed=1 if sampling.seed is None else sampling.seed,
            memory=memory,
            executor=executor,
            progress=progress,
        )
    sampled = {"design": design.text, "design_sha256": design.digest, "seed": design.seed} if design else {}
    found = found.assign_attrs(record_of(request, model) | sampled)
    path = store.save(found, path, default_name)
    with stored_safely(path):
        shown = list(run_from.names) or [name for name in listed if name in attributed_variables(found)]
        outcomes = requested or (moment_of(found, shown),)
        figures = plot_attribution_to(found, shown, outcomes[0], targets, title=path.stem, force=store.force)

    def record() -> dict[str, Any]:
        stored = {"run": path.stem, "path": str(path), "figures": list(map(str, figures))}
        return stored | attribution_record(found, shown, outcomes)

    def parts() -> Iterator[Part]:
        yield from attribution_parts(found, shown, outcomes, brief=not run_from.names)

    return Result(record, parts, "variables", path, figures)


def _read_groups(groups: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in groups:
        name, equals, levers = text.partition("=")
        names = list(filter(None, split_list(levers)))
        if not (equals and name.strip() and names):
            message = f'--group: {text!r} is not a group; write "NAME=LEVER,LEVER"'
            raise AnalysisError(message)
        found.setdefault(name.strip(), []).extend(names)
    return found


# rank


@dataclass(frozen=True)
class RankOptions:
    """Which levers are ranked, which way is better, and what else is reported."""

    goal: Goal
    group: Group | None
    levers: tuple[str, ...]
    vary: float | None
    also: tuple[str, ...]
    value: str | None
    rate: float | None
    since: str | None
    until: str | None

    def ranges(self, model: Model, scenario: Scenario) -> dict[str, tuple[float, float] | None] | None:
        """The named levers with their bounds, or every constant around its value in a scenario, if there are any."""
        if bool(self.levers) + (self.group is not None) + (self.vary is not None) > 1:
            message = "--lever, --group and --vary each choose what is ranked; give one of them"
            raise click.UsageError(message)
        if self.vary is not None:
            ranges = plausible_ranges(model, noted_variation(model, self.vary, scenario))
            return {cell_name(model, cell): ends for cell, ends in ranges.items()}
        found = (read_bounds(text, "--lever") for text in self.levers)
        return {join_name(name, labels): bounds for name, labels, bounds in found} or None

    def check(self) -> None:
        """Check that nothing about the value is given without it."""
        given = {"--rate": self.rate, "--from": self.since, "--until": self.until}
        lost = [option for option, text in given.items() if text is not None]
        if lost and self.value is None:
            message = f'{lost[0]} belongs to --value; add --value "FORMULA", such as "revenue - cost"'
            raise click.UsageError(message)


def rank_options() -> Decorator:
    """What to rank and what else to report, as `what`: RankOptions."""
    return option_group(
        "what",
        RankOptions,
        click.option(
            "--goal", type=click.Choice(get_args(Goal)), default="min", show_default=True,
            help="Whether a smaller or a larger target is better.",
        ),
        click.option("--group", type=click.Choice(get_args(Group)), help="What is ranked (default: levers)."),
        click.option(
            "--lever", "levers", multiple=True, metavar='"NAME[=LO:HI]"',
            help="Rank this lever (default range: the plausible one); may be repeated.",
        ),
        vary_option,
        click.option(
            "--also", multiple=True, metavar="NAME",
            help="Also report this variable; may be repeated (default: up to three headline variables in other units, money first).",
        ),
        click.option(
            "--value", metavar='"FORMULA"', help='Also report the integral of a formula over time, such as "revenue - cost".'
        ),
        click.option(
            "--rate", type=PerCent(), metavar="P", help="Discount the value by this rate per unit of time, such as 10%."
        ),
        click.option(
            "--from", "since", metavar="DATE",
            help="Count the value from this date (default: the policy start date of the model, else its start).",
        ),
        click.option("--until", metavar="DATE", help="Count the value until this date (default: the end)."),
    )  # fmt: skip


@click.command("rank", epilog='Example: sdmodel rank models/ai_compute.mdl --on "total ghost compute" --at 2028 --plot')
@run_options(on_option("The target that the levers are ranked by"))
@outcome_options(statistics=True)
@rank_options()
@sampling_options("Also rank over the members of an ensemble, sampled by this file.")
@store_options("the model")
@memory_option
@click.option("--plot", is_flag=True, help="Plot effects, and each lever's trade-off, to NAME.png beside the ranking.")
@output_options
def rank(
    *,
    run_from: RunOptions,
    when: OutcomeOptions,
    what: RankOptions,
    sampling: SamplingOptions,
    store: StoreOptions,
    memory: str,
    plot: bool,
) -> Result:
    """Rank the policy levers of a model by what each alone does to a target, and all together.

    Each lever moves to the end of its plausible range that is better: a smaller target, unless --goal max. A lever has no
    gain if neither end is better than its present value. The plausible range is that of the sensitivity file beside the model
    (`MODEL.vsc`), else that of the slider, with a note. `per unit` is the effect of a small step of the lever, per unit of the
    lever. With --value, the table has what a formula is worth over time, discounted. With -e or -n, every member is run with
    and without each lever: the table has the middle 90 % of the effects, and the share of members in which a lever ranks
    first. -c and --set change the baseline.
    """
    name, outcome_count = run_from.names, len(when.dates) + len(when.statistics)
    if len(name) != 1 or outcome_count > 1:
        message = 'name one target, and one date or statistic: --on "name" --at DATE'
        raise click.UsageError(message)
    what.check()
    request = run_from.request()
    default_name = f"{request.default_name}-ranking"
    path = store.path()
    if path and plot:
        check_not_there([path.with_suffix(".png")], force=store.force, cure="choose another --name")
    model = request.load_model()
    record = record_of(request, model)
    also = what.also or other_outcomes(model, record[HEADLINES].splitlines(), name[0])
    with warnings_as_notes(RunWarning):
        clock = simulate(model, scenario=request.scenario, save=["TIME STEP"])
    outcome = next(iter(when.outcomes(clock)), Outcome(at=float(clock[TIME].values[-1])))
    since, until = (
        None if text is None else model_time(text, clock, option)
        for text, option in ((what.since, "--from"), (what.until, "--until"))
    )
    design = sampling.design(model, request.scenario) if sampling.given else None
    with warnings_as_notes(RunWarning), progress_bar(f"running {request.model.name}", "runs") as progress:
        found = rank_levers(
            model,
            name[0],
            at=outcome,
            levers=what.ranges(model, request.scenario),
            group=what.group or "levers",
            goal=what.goal,
            also=also,
            value=what.value,
            rate=what.rate or 0.0,
            since=since,
            until=until,
            scenario=request.scenario,
            design=design,
            integrator=request.integrator,
            memory=memory,
            progress=progress,
        )
    found = found.assign_attrs(record)
    path = store.save(found, path, default_name)
    with stored_safely(path):
        target = path.with_suffix(".png")
        figures = [plot_ranking_to(found, target, title=path.stem, force=store.force)] if plot else []

    def whole() -> dict[str, Any]:
        return {"run": path.stem, "path": str(path), "figures": list(map(str, figures))} | ranking_record(found)

    return Result(whole, lambda: ranking_parts(found), "levers", path, figures)
