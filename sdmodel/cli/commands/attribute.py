"""`sdmodel attribute`: what each lever of a scenario contributes to what the scenario does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import click
import xarray as xr

from ...analysis import EXACT, PAIRS, attribute_levers, attributed_names
from ...comparison import Outcome
from ...dataset import DATE, TIME
from ...errors import AnalysisError
from ...model import Integrator, Model
from ...scenario import Design, Scenario, merge
from ...simulation import RunWarning, simulate
from ...store import save_new_run, save_run
from ...vensim import read_scenario
from ..choice import wanted_names
from ..drawing import count_option, drawn_design, members_option, seed_option
from ..making import (
    Order,
    changes_option,
    default_name,
    integrator_option,
    ordered_scenario,
    record_of,
    scenarios_option,
)
from ..moments import at_option, outcomes_of
from ..progress import members_bar
from ..project import (
    check_drawable,
    force_option,
    json_option,
    model_argument,
    model_path,
    model_read,
    on_option,
    runs_folder,
    runs_option,
    scenario_path,
)
from ..tables import note, print_json
from ..views.attribution import moment_of, print_attribution, told_attribution
from .run import free_path, is_stored


@dataclass(frozen=True)
class _Question:
    """What is attributed: a scenario, from which baseline, with which constants as one lever, over which members."""

    order: Order
    baseline: Scenario
    groups: dict[str, list[str]]
    file: str | None
    count: int | None
    seed: int | None
    pairs: int | None
    memory: str


@click.command(
    "attribute",
    epilog='Example: sdmodel attribute -c models/scenarios/power-first.cin --on "total ghost compute" --at 2028 --plot',
)
@model_argument
@scenarios_option
@changes_option
@click.option(
    "--from",
    "baselines",
    multiple=True,
    metavar="FILE.cin",
    help="What the scenario starts from (default: the model as it is).",
)
@click.option("--group", "groups", multiple=True, metavar='"NAME=LEVER,LEVER"', help="Take several levers for one.")
@on_option("A variable to tell of (default: all headlines, in short)")
@at_option
@integrator_option
@click.option(
    "--pairs", type=click.IntRange(2), metavar="N",
    help=f"Sample N pairs of opposite orders instead of running all subsets (default above {EXACT} levers: {PAIRS}).",
)  # fmt: skip
@members_option
@count_option
@seed_option
@click.option("--name", metavar="NAME", help="What the attribution is stored as (default: of its scenario, numbered).")
@runs_option
@click.option("--memory", default="1GiB", show_default=True, metavar="SIZE", help="So much memory may be taken.")
@click.option("--plot", "drawn", is_flag=True, help="Draw wedges to NAME.png and bars at the date to NAME-bars.png.")
@json_option
@force_option
def command(
    model: str | None,
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    baselines: tuple[str, ...],
    groups: tuple[str, ...],
    names: tuple[str, ...],
    dates: tuple[str, ...],
    integrator: Integrator | None,
    *,
    pairs: int | None,
    file: str | None,
    count: int | None,
    seed: int | None,
    name: str | None,
    folder: str | None,
    memory: str,
    drawn: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Tell what each lever that a scenario moves contributes to each variable, over time.

    Three measures: alone, the lever moved by itself; Shapley, its mean over all orders in which levers may be moved, which
    adds up to the whole; last, moved after all others. The interaction of two levers is what they do together beyond what
    each does for itself. With -e everything is told over the members that a .vsc file draws, each with and without each
    lever: means, the middle 90 % of them, and in which share of them a lever ranks first.
    """
    order = Order(
        model_path(model),
        tuple(read_scenario(scenario_path(each)) for each in scenarios),
        changes,
        integrator,
        save=names,
    )
    baseline = merge([read_scenario(scenario_path(each)) for each in baselines])
    question = _Question(order, baseline, _read_groups(groups), file, count, seed, pairs, memory)
    place = runs_folder(folder)
    called = name or f"{default_name(order)}-levers"
    target = free_path(name, place, force=force)
    pictures = [place / f"{called}.png", place / f"{called}-bars.png"] if drawn else []
    check_drawable(pictures, force=force)
    read = model_read(order.model)
    listed = wanted_names(order, read)
    asked = _asked(question, read, dates)
    found = _found(question, read, listed)
    path = save_run(found, target, force=force) if target else save_new_run(found, place, called)
    with is_stored(path):
        shown = list(names) or [each for each in listed if each in attributed_names(found)]
        outcomes = asked or (moment_of(found, shown),)
        from ..views.attribution_figures import draw_attribution

        drawings = draw_attribution(found, shown, outcomes[0], pictures, title=path.stem, force=force)
        if as_json:
            print_json(
                {"run": path.stem, "path": str(path), "figures": list(map(str, drawings))}
                | told_attribution(found, shown, outcomes)
            )
            return
        print_attribution(found, shown, outcomes, brief=not names)
        click.echo(f"stored as {path}")
        for each in drawings:
            click.echo(f"drawn in {each}")


def _asked(question: _Question, model: Model, dates: Sequence[str]) -> tuple[Outcome, ...]:
    """The dates that are asked for, made sure that they lie in the run before any more work is done."""
    if not dates:
        return ()
    clock = simulate(model, scenario=question.baseline, save=["TIME STEP"])
    return outcomes_of(dates, (), clock[TIME].values, dated=DATE in clock.coords)


def _read_groups(groups: Sequence[str]) -> dict[str, list[str]]:
    """The levers of each group, by its name."""
    found: dict[str, list[str]] = {}
    for text in groups:
        name, equals, levers = text.partition("=")
        names = [each.strip() for each in levers.split(",") if each.strip()]
        if not (equals and name.strip() and names):
            message = f'--group: {text!r} is no group; write "NAME=LEVER,LEVER"'
            raise AnalysisError(message)
        found.setdefault(name.strip(), []).extend(names)
    return found


def _found(question: _Question, model: Model, names: Sequence[str]) -> xr.Dataset:
    """The attribution, with everything in its attributes to repeat it."""
    order = question.order
    scenario, design = ordered_scenario(order), _design(question, model)
    with warnings.catch_warnings(record=True) as caught, members_bar(f"running {order.model.name}", "runs") as tell:
        warnings.simplefilter("always")
        found = attribute_levers(
            model,
            scenario,
            save=names,
            baseline=question.baseline,
            groups=question.groups,
            design=design,
            integrator=order.integrator,
            pairs=question.pairs,
            seed=1 if question.seed is None else question.seed,
            memory=question.memory,
            progress=tell,
        )
    for text in dict.fromkeys(str(each.message) for each in caught if issubclass(each.category, RunWarning)):
        note(text)
    record = record_of(order, model)
    drawn = {"design": design.text, "design_sha256": design.digest, "seed": design.seed} if design else {}
    return found.assign_attrs(record | drawn)


def _design(question: _Question, model: Model) -> Design | None:
    """The members over which it is told, if any are asked for."""
    if question.file is None:
        if question.count is not None:
            message = "-n: says how many members are drawn, but not by what; name a file with -e FILE.vsc"
            raise AnalysisError(message)
        return None
    return drawn_design(model, question.file, count=question.count, seed=question.seed, scenario=question.baseline)
