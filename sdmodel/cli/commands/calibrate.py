"""`sdmodel calibrate`: the values of constants that agree best with data, and what is to be believed of them."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ...errors import CalibrationError
from ...inference import (
    SEED,
    STARTS,
    STEPS,
    Beyond,
    Calibration,
    Parameter,
    Series,
    calibrate_model,
    check_free,
    constants_beyond,
    free_constants,
    joined_observations,
    module_of_calibrate,
    priors_unused,
    read_observations,
    record,
    series_of_payoff,
    write_results,
)
from ...model import Integrator, Model, references, referred
from ...scenario import Scenario, merge
from ...store import check_folder
from ...vensim import read_change, read_optimisation, read_payoff, read_sampling, read_scenario
from ..making import changes_option, integrator_option, scenarios_option
from ..observed import chosen_series, names_option, observations_option, observed_series, series_option
from ..project import (
    force_option,
    json_option,
    model_argument,
    model_path,
    model_read,
    runs_folder,
    runs_option,
    scenario_path,
)
from ..sampled import Wish, enough_memory, sampled_posterior
from ..tables import note, patience, print_json
from ..views.calibrated import print_calibration

_SAMPLES = 1000
_NOT_REPEATED = frozenset({"as_json", "force", "resume", "name", "seed", "sampled", "steps", "ensemble"})


@click.command(
    "calibrate",
    epilog='Example: sdmodel calibrate --free "maximum fab growth=1:4" --free "price elasticity" --posterior',
)
@model_argument
@observations_option
@series_option
@names_option
@click.option("--payoff", metavar="FILE.vpd", help="A payoff definition of Vensim's in place of the series file.")
@click.option(
    "--free",
    multiple=True,
    metavar='"NAME[=LO:HI]"',
    help="A constant that may move, between its range in the model unless told (default: those with a prior, else the group "
    "Uncertainties as far as a series depends on them).",
)
@click.option(
    "--free-from", "optimisation", metavar="FILE.voc", help="The constants that an optimisation file of Vensim's frees."
)
@click.option(
    "--prior", metavar="FILE.vsc", help="Prior distributions, as a sensitivity file has them (default: uniform)."
)
@scenarios_option
@changes_option
@integrator_option
@click.option("--starts", type=int, default=STARTS, show_default=True, help="Points at which the search begins.")
@click.option("--posterior", "sampled", is_flag=True, help="Sample the posterior as well.")
@click.option("--walkers", type=int, help="Walkers that sample (default: four for each constant, at least 32).")
@click.option("--steps", type=int, default=STEPS, show_default=True, help="Steps of each walker.")
@click.option(
    "--samples", type=click.IntRange(min=1), default=_SAMPLES, show_default=True, help="Posterior draws to store."
)
@click.option(
    "--beyond",
    metavar="FILE.vsc",
    help="What the draws have besides: constants that act only later, each drawn from its distribution in this file.",
)
@click.option(
    "--equal",
    multiple=True,
    metavar='"NAME=FREE NAME"',
    help="A constant that is equal in each draw to one that is free; once for each.",
)
@click.option(
    "--ensemble", metavar="FILE.vsc", help="Store the draws as this file, and FILE.tab (default: NAME.vsc of the runs)."
)
@click.option("--seed", type=int, default=SEED, show_default=True, help="Decides everything that is left to chance.")
@click.option("--name", metavar="NAME", help="What the files are called (default: MODEL-calibrated, numbered).")
@runs_option
@click.option(
    "--resume", is_flag=True, help="Go on with the posterior of --name, which was interrupted or is to be longer."
)
@json_option
@force_option
@click.pass_context
def command(
    context: click.Context,
    model: str | None,
    observations: tuple[str, ...],
    mapping: tuple[str, ...],
    names: tuple[str, ...],
    payoff: str | None,
    free: tuple[str, ...],
    optimisation: str | None,
    prior: str | None,
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    integrator: Integrator | None,
    starts: int,
    walkers: int | None,
    steps: int,
    samples: int,
    beyond: str | None,
    equal: tuple[str, ...],
    ensemble: str | None,
    seed: int,
    name: str | None,
    folder: str | None,
    *,
    sampled: bool,
    resume: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Find the constants of a model that agree best with data, and with --posterior all that agree well enough.

    The search begins at many points within the bounds and follows the best of them. NAME.cin holds the best point. Beside it
    NAME.json holds the whole record; with a posterior NAME.tab holds draws that NAME.vsc feeds to `sdmodel ensemble -e`, and
    NAME.chain.npz what --resume goes on from. `data say` is how much of the prior variance of a constant the data remove.
    """
    path = model_path(model)
    wish = Wish(
        _stem(name, path, runs_folder(folder), resume=resume), sampled or resume, walkers, steps, samples,
        None if ensemble is None else Path(ensemble), resume, force,
    )  # fmt: skip
    _check_usage(wish, beyond, equal)
    _check(wish)
    read = model_read(path)
    series = _series(read, path, observations, mapping, payoff, names)
    typed = Scenario("", tuple(read_change(each) for each in changes))
    scenario = merge((*(read_scenario(scenario_path(each)) for each in scenarios), typed))
    constants = _free(read, free, optimisation, prior, scenario, series)
    besides = _beyond(read, constants, beyond, equal)
    with enough_memory(), patience(f"searching {path.stem}"):
        found = calibrate_model(
            read, series, constants, scenario=scenario, integrator=integrator, starts=starts, seed=seed
        )
    if wish.wanted:
        found = sampled_posterior(found, wish)
    command_line = _repeating(context, found)
    settings = {"command": command_line, "observations": list(observations), "starts": starts, "samples": samples}
    files = write_results(
        found, wish.stem, samples=samples, force=force or resume, settings=settings, beyond=besides,
        ensemble=wish.ensemble, replace=force,
    )  # fmt: skip
    if as_json:
        told = {"name": wish.stem.name, "files": list(map(str, files)), "command": command_line}
        print_json(record(found, besides) | told)
        return
    print_calibration(found, files, _going_on(context, found, wish))
    click.echo(f"again: {command_line}")


def _stem(name: str | None, model: Path, folder: Path, *, resume: bool) -> Path:
    """Where the files go, without their endings."""
    check_folder(folder)
    if name is not None:
        if name != name.strip() or not name.isprintable() or not name or set(name) & set("/\\*?[]"):
            message = f"{name!r:.60}: is no name for a calibration; use letters, digits, blanks, -, _ and ."
            raise CalibrationError(message)
        return folder / name
    if resume:
        message = "--resume goes on with a calibration that has a name; give it with --name"
        raise click.UsageError(message)
    plain = f"{model.stem}-calibrated"
    candidates = itertools.chain([plain], (f"{plain}-{number}" for number in itertools.count(2)))
    taken = {each.name.partition(".")[0] for each in folder.glob("*")} if folder.is_dir() else set()
    return folder / next(each for each in candidates if each not in taken)


def _check_usage(wish: Wish, beyond: str | None, equal: Sequence[str]) -> None:
    """Make sure that the options go together."""
    if not wish.wanted and (beyond is not None or equal or wish.ensemble is not None):
        message = "--beyond, --equal and --ensemble are about draws of the posterior; add --posterior"
        raise click.UsageError(message)
    if wish.ensemble is not None and wish.ensemble.suffix.lower() != ".vsc":
        message = f"--ensemble writes a sensitivity file; let {str(wish.ensemble)!r:.60} end in .vsc"
        raise click.UsageError(message)


def _check(wish: Wish) -> None:
    """Tell before any work what keeps a calibration from being made or stored."""
    if wish.wanted:
        module_of_calibrate("emcee")
        module_of_calibrate("arviz_stats")
    check_free(wish.stem, force=wish.force or wish.resume, ensemble=wish.ensemble, replace=wish.force)
    if wish.resume and not os.path.lexists(wish.chain):
        message = f"{wish.chain}: there is no calibration to resume; leave out --resume"
        raise CalibrationError(message)


def _series(
    model: Model,
    path: Path,
    observations: Sequence[str],
    mapping: Sequence[str],
    payoff: str | None,
    names: Sequence[str],
) -> tuple[Series, ...]:
    """What the model is held against: the series of a mapping file, or the terms of a payoff, of those names if any."""
    if payoff is None:
        return observed_series(model, path, observations, mapping, names)
    if mapping or not observations:
        message = "--payoff takes the place of --series, and needs observations by -d FILE"
        raise click.UsageError(message)
    known = joined_observations([read_observations(each) for each in observations])
    return chosen_series(series_of_payoff(read_payoff(payoff), known, model), names)


def _free(
    model: Model,
    texts: Sequence[str],
    optimisation: str | None,
    prior: str | None,
    scenario: Scenario,
    series: Sequence[Series],
) -> tuple[Parameter, ...]:
    """The constants that are free; which they are is told where nobody says."""
    control = read_optimisation(optimisation) if optimisation else None
    if control is not None and control.settings:
        note(f"{optimisation}: settings of Vensim's optimiser are not heeded: {', '.join(control.settings)}")
    moving = {referred(each)[0] for one in series for each in references(one.model)}
    believed = read_sampling(prior) if prior else None
    found = free_constants(
        model, texts, listed=control.free if control else (), prior=believed, scenario=scenario, moving=moving
    )
    unused = priors_unused(model, believed, found) if believed else []
    if unused:
        note(f"{prior}: not free, so that their priors are not used: {', '.join(unused)}; free them by --free if meant")
    if not texts and control is None:
        note(f"free, since nothing else is named: {', '.join(each.name for each in found)}")
    return found


def _beyond(model: Model, free: Sequence[Parameter], file: str | None, equal: Sequence[str]) -> Beyond:
    """What members have besides the posterior; what a file would draw that is free is told."""
    found = constants_beyond(model, free, read_sampling(file) if file else None, equal)
    if found.left:
        note(f"{file}: free, so that the posterior draws them: {', '.join(found.left)}")
    return found


def _going_on(context: click.Context, found: Calibration, wish: Wish) -> str:
    """The command that makes the walk of a posterior twice as long, under the name that it has."""
    if found.posterior is None:
        return ""
    steps = 2 * found.posterior.chain.steps
    own = ["--ensemble", str(wish.ensemble), "--force"] if wish.ensemble else []
    told = shlex.join([*own, "--seed", str(found.seed), "--resume", "--name", wish.stem.name, "--steps", str(steps)])
    return f"{shlex.join(_repeated(context))} {told}"


def _repeating(context: click.Context, found: Calibration) -> str:
    """The command that gives the same numbers again, under a name of its own."""
    words = _repeated(context)
    if found.posterior is not None:  # a walk that was resumed may be longer than was asked for
        words += ["--posterior", "--steps", str(found.posterior.chain.steps)]
    return shlex.join([*words, "--seed", str(found.seed)])


def _repeated(context: click.Context) -> list[str]:
    """The command as it was given, without what a repetition has of its own."""
    words = ["sdmodel", "calibrate"]
    for each in context.command.params:
        if each.name is None or each.name in _NOT_REPEATED:
            continue
        if context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE:
            words += _said(each, context.params[each.name])
    return words


def _said(parameter: click.Parameter, value: Any) -> list[str]:
    """A word of the command line as it was given."""
    if isinstance(parameter, click.Argument):
        return [str(value)]
    option = max(parameter.opts, key=len)
    if value is True:
        return [option]
    several = value if isinstance(value, tuple) else (value,)
    return [word for each in several for word in (option, str(each))]
