"""`sdmodel attribute`: the contribution of each lever to the effect of a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from ...analysis import EXACT, PAIRS, attribute_levers, attributed_variables
from ...errors import AnalysisError
from ...model import split_list
from ...scenario import merge_scenarios
from ...simulation import RunWarning, simulate
from ...vensim import read_scenario
from ..locations import check_not_there, scenario_path
from ..options import (
    OutcomeOptions,
    RunOptions,
    SamplingOptions,
    StoreOptions,
    memory_option,
    on_option,
    outcome_options,
    run_options,
    sampling_options,
    store_options,
)
from ..output import Part, Result, output_options, progress_bar, stored_safely
from ..requests import names_to_save, record_of, warnings_as_notes
from ..views.attribution import attribution_parts, attribution_record, moment_of, plot_attribution_to


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
    baseline = merge_scenarios([read_scenario(scenario_path(path, request.model)) for path in baselines])
    levers_by_group = _read_groups(groups)
    default_name = f"{request.default_name}-levers"
    name = store.name or default_name
    path = store.path()
    targets = [store.folder / f"{name}.png", store.folder / f"{name}-bars.png"] if plot else []
    check_not_there(targets, force=store.force)
    model = request.load_model()
    listed = names_to_save(request, model)
    requested = when.outcomes(simulate(model, scenario=baseline, save=["TIME STEP"])) if when.dates else ()
    many = sampling.file is not None or sampling.count is not None  # --seed alone chooses the sampled orders
    design = sampling.design(model, baseline) if many else None
    with warnings_as_notes(RunWarning), progress_bar(f"running {request.model.name}", "runs") as progress:
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
