"""`sdmodel calibrate`: the values of constants that agree best with data, and what is to be believed of them."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..errors import CalibrationError
from ..inference import (
    CHAIN,
    SEED,
    STARTS,
    STEPS,
    Calibration,
    Chain,
    Parameter,
    Series,
    calibrate_model,
    check_free,
    free_constants,
    least_walkers,
    marks,
    module_of_calibrate,
    read_chain,
    read_observations,
    record,
    series_of_payoff,
    with_posterior,
    write_chain,
    write_results,
)
from ..model import Integrator, Model, references, referred
from ..scenario import Scenario, merge
from ..store import check_folder
from ..vensim import read_change, read_optimisation, read_payoff, read_sampling, read_scenario
from .calibrated import print_calibration
from .observed import chosen_series, names_option, observations_option, observed_series, series_option
from .progress import members_bar
from .project import (
    force_option,
    json_option,
    model_argument,
    model_path,
    model_read,
    runs_folder,
    runs_option,
    scenario_path,
)
from .tables import note, patience, print_json

_SAMPLES = 1000
_BETWEEN = 5.0
"""Seconds between two times at which the walk is stored; longer if that takes a tenth of them."""

_NOT_REPEATED = frozenset({"as_json", "force", "resume", "name", "seed", "sampled", "steps"})


@dataclass(frozen=True)
class _Wish:
    """What is wanted of a posterior, and where a calibration goes."""

    stem: Path
    wanted: bool
    walkers: int | None
    steps: int
    samples: int
    resume: bool
    force: bool


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
@click.option(
    "-c", "scenarios", multiple=True, metavar="FILE.cin", help="A change file; of several, the last one wins."
)
@click.option("--set", "changes", multiple=True, metavar='"NAME=VALUE"', help="One change, after those of files.")
@click.option("--integrator", type=click.Choice(["euler", "rk4"]), help="The default is what the model asks for.")
@click.option("--starts", type=int, default=STARTS, show_default=True, help="Points at which the search begins.")
@click.option("--posterior", "sampled", is_flag=True, help="Sample the posterior as well.")
@click.option("--walkers", type=int, help="Walkers that sample (default: four for each constant, at least 32).")
@click.option("--steps", type=int, default=STEPS, show_default=True, help="Steps of each walker.")
@click.option(
    "--samples", type=click.IntRange(min=1), default=_SAMPLES, show_default=True, help="Posterior draws to store."
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
    observations: str | None,
    mapping: str | None,
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
    wish = _Wish(
        _stem(name, path, runs_folder(folder), resume=resume), sampled or resume, walkers, steps, samples, resume, force
    )
    _check(wish)
    read = model_read(path)
    series = _series(read, path, observations, mapping, payoff, names)
    typed = Scenario("", tuple(read_change(each) for each in changes))
    scenario = merge((*(read_scenario(scenario_path(each)) for each in scenarios), typed))
    constants = _free(read, free, optimisation, prior, scenario, series)
    with _enough_memory(), patience(f"searching {path.stem}"):
        found = calibrate_model(
            read, series, constants, scenario=scenario, integrator=integrator, starts=starts, seed=seed
        )
    if wish.wanted:
        found = _sampled(found, wish)
    command_line = _repeating(context, found)
    settings = {"command": command_line, "observations": observations, "starts": starts, "samples": samples}
    files = write_results(found, wish.stem, samples=samples, force=force or resume, settings=settings)
    if as_json:
        print_json(record(found) | {"name": wish.stem.name, "files": list(map(str, files)), "command": command_line})
        return
    print_calibration(found, files)
    click.echo(f"again: {command_line}")


def _stem(name: str | None, model: Path, folder: Path, *, resume: bool) -> Path:
    """Where the files go, without their endings.

    Raises
    ------
    UsageError
        If something is to be resumed that is not named.
    CalibrationError
        If the name is none for a file.
    """
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


def _check(wish: _Wish) -> None:
    """Tell before any work what keeps a calibration from being made or stored.

    Raises
    ------
    CalibrationError
        If something does.
    """
    if wish.wanted:
        module_of_calibrate("emcee")
        module_of_calibrate("arviz_stats")
    check_free(wish.stem, force=wish.force or wish.resume)
    if wish.resume and not os.path.lexists(_chain_path(wish)):
        message = f"{_chain_path(wish)}: there is no calibration to resume; leave out --resume"
        raise CalibrationError(message)


def _series(
    model: Model, path: Path, observations: str | None, mapping: str | None, payoff: str | None, names: Sequence[str]
) -> tuple[Series, ...]:
    """What the model is held against: the series of a mapping file, or the terms of a payoff, of those names if any.

    Raises
    ------
    UsageError
        If both are named, or a payoff without observations.
    """
    if payoff is None:
        return observed_series(model, path, observations, mapping, names)
    if mapping is not None or observations is None:
        message = "--payoff takes the place of --series, and needs observations by -d FILE"
        raise click.UsageError(message)
    return chosen_series(series_of_payoff(read_payoff(payoff), read_observations(observations), model), names)


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
    found = free_constants(
        model,
        texts,
        listed=control.free if control else (),
        prior=read_sampling(prior) if prior else None,
        scenario=scenario,
        moving=moving,
    )
    if not texts and control is None:
        note(f"free, since nothing else is named: {', '.join(each.name for each in found)}")
    return found


@dataclass
class _Keeper:
    """Stores a walk from time to time, so that hardly anything is lost by an interruption."""

    path: Path
    marks: dict[str, str]
    force: bool
    told: int
    last: Chain | None = None
    due: float = field(default_factory=time.monotonic)

    def keep(self, chain: Chain) -> None:
        """Store the walk if the last time is long enough ago."""
        self.last = chain
        if time.monotonic() >= self.due:
            self.store()

    def store(self) -> None:
        """Store the walk as far as it is."""
        if self.last is None or self.last.steps == self.told:
            return
        began = time.monotonic()
        write_chain(self.path, self.last, self.marks, force=self.force)
        self.force, self.told = True, self.last.steps
        self.due = time.monotonic() + max(_BETWEEN, 10 * (time.monotonic() - began))


def _sampled(found: Calibration, wish: _Wish) -> Calibration:
    """The calibration with its posterior; whatever ends the walk early, what was walked stays."""
    walkers = least_walkers(len(found.parameters)) if wish.walkers is None else wish.walkers
    path, belongs = _chain_path(wish), marks(found, walkers)
    chain = read_chain(path, belongs) if wish.resume else None
    done = chain.steps if chain else 0
    keeper = _Keeper(path, belongs, wish.force or wish.resume, done)
    count = {"done": done * walkers}
    with _enough_memory(), members_bar("sampling the posterior") as tell, _kept(keeper):

        def told(more: int) -> None:
            count["done"] += more
            if tell:
                tell(count["done"], wish.steps * walkers)

        return with_posterior(found, steps=wish.steps, walkers=walkers, chain=chain, saved=keeper.keep, told=told)


@contextlib.contextmanager
def _enough_memory() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        message = "so many starts, walkers and steps do not fit into memory; ask for fewer"
        raise CalibrationError(message) from None


@contextlib.contextmanager
def _kept(keeper: _Keeper) -> Iterator[None]:
    try:
        yield
    finally:
        keeper.store()


def _chain_path(wish: _Wish) -> Path:
    return wish.stem.with_name(wish.stem.name + CHAIN)


def _repeating(context: click.Context, found: Calibration) -> str:
    """The command that gives the same numbers again, under a name of its own."""
    words = ["sdmodel", "calibrate"]
    for each in context.command.params:
        if each.name is None or each.name in _NOT_REPEATED:
            continue
        if context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE:
            words += _said(each, context.params[each.name])
    if found.posterior is not None:  # a walk that was resumed may be longer than was asked for
        words += ["--posterior", "--steps", str(found.posterior.chain.steps)]
    return shlex.join([*words, "--seed", str(found.seed)])


def _said(parameter: click.Parameter, value: Any) -> list[str]:
    """A word of the command line as it was given."""
    if isinstance(parameter, click.Argument):
        return [str(value)]
    option = max(parameter.opts, key=len)
    if value is True:
        return [option]
    several = value if isinstance(value, tuple) else (value,)
    return [word for each in several for word in (option, str(each))]
