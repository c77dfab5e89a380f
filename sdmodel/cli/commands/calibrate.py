"""`sdmodel calibrate`: the values of constants that agree best with data, and how certain they are."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ...errors import CalibrationError
from ...inference import (
    SEED,
    STARTS,
    STEPS,
    Calibration,
    Series,
    calibrate_model,
    calibration_record,
    check_can_write,
    check_posterior_extra,
    join_observations,
    read_observations,
    series_from_payoff,
    write_datatree,
    write_results,
)
from ...model import Model, numbered
from ...store import check_folder
from ...vensim import read_payoff
from ..freedom import FreedomOptions, constants_beyond, freedom_options
from ..locations import check_not_there, load_model
from ..observations import DataOptions, choose_series, data_options
from ..options import RunOptions, StoreOptions, option_group, run_options, store_options
from ..output import Part, Result, busy, output_options
from ..posterior import PosteriorOptions, memory_errors_reported, run_posterior
from ..views.calibration import calibration_parts

_SAMPLES = 1000
_NOT_REPEATED = frozenset(
    {"as_json", "output_format", "force", "resume", "name", "seed", "sample", "steps", "ensemble", "datatree"}
)


@dataclass(frozen=True)
class _DrawOptions:
    """How the posterior is sampled, and what its draws hold besides the free constants."""

    sample: bool
    walkers: int | None
    steps: int
    samples: int
    beyond: str | None
    equal: tuple[str, ...]
    ensemble: str | None
    datatree: str | None
    resume: bool


@click.command(
    "calibrate",
    epilog='Example: sdmodel calibrate --free "maximum fab growth=1:4" --free "price elasticity" --posterior',
)
@run_options()
@data_options()
@click.option("--payoff", metavar="FILE.vpd", help="A Vensim payoff definition instead of the series file.")
@freedom_options()
@click.option("--starts", type=int, default=STARTS, show_default=True, help="Number of points where the search starts.")
@option_group(
    "draws",
    _DrawOptions,
    click.option("--posterior", "sample", is_flag=True, help="Also sample the posterior."),
    click.option("--walkers", type=int, help="Number of walkers (default: four per constant, at least 32)."),
    click.option("--steps", type=int, default=STEPS, show_default=True, help="Steps of each walker."),
    click.option(
        "--samples", type=click.IntRange(min=1), default=_SAMPLES, show_default=True, help="Posterior draws to store."
    ),
    click.option(
        "--beyond",
        metavar="FILE.vsc",
        help="Also draw these constants, which act only after the data, from their distributions in this file.",
    ),
    click.option(
        "--equal",
        multiple=True,
        metavar='"NAME=FREE NAME"',
        help="Give a constant the value of a free one, in the search and in each draw; may be repeated.",
    ),
    click.option(
        "--ensemble",
        metavar="FILE.vsc",
        help="Store the draws as this file and FILE.tab (default: NAME.vsc in the folder of the runs).",
    ),
    click.option("--datatree", metavar="FILE.nc", help="Also write the whole posterior for ArviZ."),
    click.option("--resume", is_flag=True, help="Continue the posterior of --name, interrupted or too short."),
)
@click.option("--seed", type=int, default=SEED, show_default=True, help="Random seed of all sampling.")
@store_options("MODEL-calibrated")
@output_options
@click.pass_context
def calibrate(
    context: click.Context,
    *,
    run_from: RunOptions,
    data: DataOptions,
    payoff: str | None,
    freedom: FreedomOptions,
    starts: int,
    draws: _DrawOptions,
    seed: int,
    store: StoreOptions,
) -> Result:
    """Find the constants of a model that agree best with data, and with --posterior all that agree well enough.

    The search starts at many points within the bounds and follows the best of them. NAME.cin holds the best point and
    NAME.json the full record. With a posterior, NAME.tab holds draws that `sdmodel ensemble -e NAME.vsc` runs, and
    NAME.chain.npz what --resume continues. The column `learned` is the share of a constant's prior variance that the data
    remove.
    """
    request = run_from.request()
    path = request.model
    stem = _free_stem(store, path, resume=draws.resume)
    ensemble = None if draws.ensemble is None else Path(draws.ensemble)
    sample = draws.sample or draws.resume
    options = PosteriorOptions(
        stem, sample, draws.walkers, draws.steps, draws.samples, ensemble, draws.resume, store.force
    )
    _check_options(options, draws)
    _check_possible(options)
    model = load_model(path, request.scenario.texts)
    series = _series(model, path, data, payoff)
    constants = freedom.constants(model, request.scenario, series)
    beyond = constants_beyond(model, constants, draws.beyond, draws.equal)
    with memory_errors_reported(), busy(f"searching {path.stem}"):
        found = calibrate_model(
            model,
            series,
            constants,
            scenario=request.scenario,
            integrator=request.integrator,
            starts=starts,
            seed=seed,
            equal=beyond.equal,
        )
    if sample:
        found = run_posterior(found, options)
    command = _repeating_command(context, found)
    settings = {"command": command, "observations": list(data.observations), "starts": starts, "samples": draws.samples}
    files = write_results(
        found, stem, samples=draws.samples, force=store.force or draws.resume, settings=settings, beyond=beyond,
        ensemble=ensemble, replace=store.force,
    )  # fmt: skip
    if draws.datatree is not None:
        files.append(write_datatree(found, Path(draws.datatree), force=store.force))

    def whole_record() -> dict[str, Any]:
        return calibration_record(found, beyond) | {
            "name": stem.name,
            "files": list(map(str, files)),
            "command": command,
        }

    def parts() -> Iterator[Part]:
        yield from calibration_parts(found, files, _continuing_command(context, found, options))
        yield f"repeat with: {command}"

    return Result(whole_record, parts)


def _free_stem(store: StoreOptions, model: Path, *, resume: bool) -> Path:
    name, folder = store.name, store.folder
    check_folder(folder)
    if name is not None:
        if name != name.strip() or not name.isprintable() or not name or set(name) & set("/\\*?[]"):
            message = f"{name!r:.60}: not a name for a calibration; use letters, digits, blanks, -, _ and ."
            raise CalibrationError(message)
        return folder / name
    if resume:
        message = "--resume continues a calibration that has a name; give it with --name"
        raise click.UsageError(message)
    taken = {path.name.partition(".")[0] for path in folder.glob("*")} if folder.is_dir() else set()
    return folder / next(own for own in numbered(f"{model.stem}-calibrated") if own not in taken)


def _check_options(options: PosteriorOptions, draws: _DrawOptions) -> None:
    given = (draws.beyond, draws.ensemble, draws.datatree)
    if not options.sample and any(item is not None for item in given):
        message = "--beyond, --ensemble and --datatree need a posterior; add --posterior"
        raise click.UsageError(message)
    if draws.datatree is not None:
        if Path(draws.datatree).suffix.lower() != ".nc":
            message = f"--datatree writes netCDF; {draws.datatree!r:.60} must end in .nc"
            raise click.UsageError(message)
        check_not_there(
            [Path(draws.datatree)], force=options.force, cure="name another with --datatree", error=CalibrationError
        )
    if options.ensemble is not None and options.ensemble.suffix.lower() != ".vsc":
        message = f"--ensemble writes a sensitivity file; {str(options.ensemble)!r:.60} must end in .vsc"
        raise click.UsageError(message)


def _check_possible(options: PosteriorOptions) -> None:
    """Report before any work what keeps the calibration from running or from being stored."""
    if options.sample:
        check_posterior_extra()
    check_can_write(
        options.stem, force=options.force or options.resume, ensemble=options.ensemble, replace=options.force
    )
    if options.resume and not os.path.lexists(options.chain):
        message = f"{options.chain}: there is no calibration to resume; leave out --resume"
        raise CalibrationError(message)


def _series(model: Model, path: Path, data: DataOptions, payoff: str | None) -> tuple[Series, ...]:
    """The series to compare the model with: those of a mapping file, or the terms of a payoff."""
    if payoff is None:
        return data.series(model, path)
    if data.mapping or not data.observations:
        message = "--payoff replaces --series, and needs observations: -d FILE"
        raise click.UsageError(message)
    known = join_observations([read_observations(file) for file in data.observations])
    return data.between(choose_series(series_from_payoff(read_payoff(payoff), known, model), data.names))


def _continuing_command(context: click.Context, found: Calibration, options: PosteriorOptions) -> str:
    """The command that makes the chain of a posterior twice as long, under the same name."""
    if found.posterior is None:
        return ""
    steps = 2 * found.posterior.chain.steps
    own = ["--ensemble", str(options.ensemble), "--force"] if options.ensemble else []
    words = [*own, "--seed", str(found.seed), "--resume", "--name", options.stem.name, "--steps", str(steps)]
    return shlex.join([*_repeated_words(context), *words])


def _repeating_command(context: click.Context, found: Calibration) -> str:
    """The command that gives the same numbers again, under a name of its own."""
    words = _repeated_words(context)
    if found.posterior is not None:  # a resumed chain may be longer than was asked for
        words += ["--posterior", "--steps", str(found.posterior.chain.steps)]
    return shlex.join([*words, "--seed", str(found.seed)])


def _repeated_words(context: click.Context) -> list[str]:
    """The command as it was given, without the options that a repetition sets itself."""
    words = ["sdmodel", "calibrate"]
    for parameter in context.command.params:
        name = parameter.name
        if name is None or name in _NOT_REPEATED:
            continue
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += _words_of(parameter, context.params[name])
    return words


def _words_of(parameter: click.Parameter, value: Any) -> list[str]:
    if isinstance(parameter, click.Argument):
        return [str(value)]
    option = max(parameter.opts, key=len)
    if value is True:
        return [option]
    values = value if isinstance(value, tuple) else (value,)
    return [word for item in values for word in (option, str(item))]
