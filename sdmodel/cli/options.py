"""Options that several commands share, in groups: each group reaches a command as one value."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import AnalysisError, DatasetError, SimulationError, StoreError, format_count
from ..files import write_file
from ..model import INTEGRATORS, Integrator, Model, numbered
from ..scenario import Scenario
from ..vensim import read_placed_names
from .locations import (
    check_not_there,
    model_path,
    remember_encoding,
    remember_files,
    runs_folder,
    sampling_path,
)
from .output import busy, csv_text, json_text, note, take_over
from .requests import Engine, RunRequest, read_scenarios, warnings_as_notes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from ..comparison import Outcome
    from ..scenario import Design, Sampling
    from ..workers import Workers

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_TABLES, _FIGURES = (".csv", ".json"), (".png", ".svg", ".pdf")

plain_model_argument = click.argument("model", required=False, metavar="[MODEL]")
encoding_option = click.option(
    "--encoding",
    metavar="NAME",
    expose_value=False,
    callback=remember_encoding,
    help="The encoding of a model that is not in Unicode, such as gbk, and of its other files (default: Western Windows).",
)
_FILES = (
    encoding_option,
    click.option(
        "--data",
        multiple=True,
        metavar="FILE",
        expose_value=False,
        callback=remember_files,
        help="Time series for the model's data variables (.dat, .csv, .tab, .vdf); may be repeated, the last one wins.",
    ),
    click.option(
        "--allow-files",
        multiple=True,
        metavar="FOLDER",
        expose_value=False,
        callback=remember_files,
        help="A folder that the model may read files from, besides its own; may be repeated.",
    ),
)


def model_data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The encoding of the model of a command, and the files that it may read data from, for `load_model`."""
    for option in reversed(_FILES):
        command = option(command)
    return command


def model_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The model of a command, and the files that it may read data from."""
    return plain_model_argument(model_data_options(command))


runs_option = click.option(
    "--runs", "folder", metavar="DIR", help="The folder of the runs (default: `runs` of the project)."
)
all_panels_option = click.option(
    "--all", "every", is_flag=True, help="Plot all panels (default: the first six, or those of --on)."
)
force_option = click.option("--force", is_flag=True, help="Replace files that exist.")
scenarios_option = click.option(
    "-c",
    "scenarios",
    multiple=True,
    metavar="FILE.cin",
    help="A change file, or the name of a scenario of the model; may be repeated, the last one wins.",
)
changes_option = click.option(
    "--set", "changes", multiple=True, metavar='"NAME=VALUE"', help="Change a constant, after the change files."
)
integrator_option = click.option(
    "--integrator",
    type=click.Choice(INTEGRATORS),
    help="The integrator (default: the one in the model's settings).",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["native", "pysd"]),
    default="native",
    show_default=True,
    help="Run with PySD for a second opinion (Euler only).",
)
save_option = click.option("--save", "savelist", metavar="FILE.lst", help="Store the variables in this save list.")
at_option = click.option(
    "--at", "dates", multiple=True, metavar="DATE", help="A time of the model, or a day such as 2028-07-01."
)
memory_option = click.option("--memory", default="1GiB", show_default=True, metavar="SIZE", help="Memory limit.")
count_option = click.option(
    "-n", "count", type=click.IntRange(1), metavar="N", help="Number of simulations; overrides the file."
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), metavar="S", help="Random seed; overrides the file. 0 picks a new seed."
)


noise_seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="S",
    help="Seed of random functions; overrides NOISE SEED. 0 picks a new seed.",
)


def on_option(what: str) -> Decorator:
    """The option that names variables; may be repeated."""
    return click.option("--on", "names", multiple=True, metavar="NAME", help=f"{what}; `name[label]` picks a label.")


def name_option(default: str) -> Decorator:
    """The option that names what is stored."""
    return click.option(
        "--name", metavar="NAME", help=f"The name to store it under (default: after {default}, numbered)."
    )


def option_group(parameter: str, build: Callable[..., Any], *options: Decorator) -> Decorator:
    """Several options that a command gets as one value, `build(**options)`, under the name `parameter`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        names = _option_names(options)

        def wrapper(**values: Any) -> Any:
            own = {name: values.pop(name) for name in names}
            return command(**values, **{parameter: build(**own)})

        take_over(command, wrapper)
        decorated: Callable[..., Any] = wrapper
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def _option_names(options: Sequence[Decorator]) -> list[str]:
    def probe() -> None: ...

    for option in options:
        option(probe)
    return [own.name for own in probe.__click_params__ if own.expose_value]  # type: ignore[attr-defined]


@dataclass(frozen=True)
class RunOptions:
    """Which model to run, with which changes, how, and what to save."""

    model: str | None = None
    scenarios: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    integrator: Integrator | None = None
    engine: Engine = "native"
    names: tuple[str, ...] = ()
    savelist: str | None = None
    seed: int | None = None

    def request(self) -> RunRequest:
        """The request for this run; reads the change files and the save list."""
        listed = read_placed_names(self.savelist) if self.savelist else ()
        save = (*self.names, *(name for name, _ in listed)) if self.names or self.savelist else None
        model = model_path(self.model)
        scenarios = read_scenarios(self.scenarios, model)
        if self.seed is not None and self.engine != "native":
            message = "--seed does not reach PySD; leave out --seed or --engine"
            raise click.UsageError(message)
        seed = secrets.randbelow(2**31 - 1) + 1 if self.seed == 0 else self.seed
        return RunRequest(model, scenarios, self.changes, self.integrator, self.engine, save, listed, seed=seed)


def run_options(*others: Decorator) -> Decorator:
    """MODEL, -c, --set and --integrator, with `others` of the same group, as `run_from`: RunOptions."""
    return option_group(
        "run_from", RunOptions, model_argument, scenarios_option, changes_option, integrator_option, *others
    )


@dataclass(frozen=True)
class StoreOptions:
    """Where a run is stored, under which name, and whether it may replace another."""

    name: str | None
    folder: Path
    force: bool

    def path(self) -> Path | None:
        """The file of a named run; an error if it, or the folder, cannot be there."""
        return free_path(self.name, self.folder, force=self.force)

    def save(self, run: xr.Dataset, path: Path | None, default_name: str) -> Path:
        """Store a run at a path, else under the default name, numbered."""
        from ..store import save_new_run, save_run

        return save_run(run, path, force=self.force) if path else save_new_run(run, self.folder, default_name)


def store_options(default: str) -> Decorator:
    """--name, --runs and --force as `store`: StoreOptions."""

    def build(name: str | None, folder: str | None, *, force: bool) -> StoreOptions:
        return StoreOptions(name, runs_folder(folder), force)

    return option_group("store", build, name_option(default), runs_option, force_option)


def free_path(name: str | None, folder: Path, *, force: bool) -> Path | None:
    """The file of a run of that name; an error, before any work is done, if it cannot be there."""
    from ..store import check_folder, run_path

    check_folder(folder)
    if name is None:
        return None
    path = run_path(name, folder)
    check_not_there([path], force=force, cure="choose another --name", error=StoreError)
    return path


@dataclass(frozen=True)
class FileOptions:
    """The files that an analysis writes: its numbers, its figure, or neither."""

    outputs: tuple[str, ...]
    plot: bool
    folder: str | None
    force: bool

    def targets(self, name: str) -> tuple[Path, ...]:
        """The files to write; an error before any work if they cannot be written.

        An unnamed figure goes to the folder of the runs as NAME.png, numbered.
        """
        from ..store import check_folder

        targets = tuple(Path(output) for output in self.outputs)
        for target in targets:
            if target.suffix.lower() not in (*_TABLES, *_FIGURES):
                message = f"{target}: unknown format; the name must end in {', '.join((*_TABLES, *_FIGURES))}"
                raise AnalysisError(message)
        check_not_there(targets, force=self.force)
        if not self.plot or any(target.suffix.lower() in _FIGURES for target in targets):
            return targets
        folder = runs_folder(self.folder)
        check_folder(folder)
        paths = (folder / f"{own}.png" for own in numbered(name))
        return (*targets, next(path for path in paths if self.force or not os.path.lexists(path)))

    def write(
        self,
        targets: Sequence[Path],
        *,
        rows: Callable[[], list[dict[str, Any]]],
        record: Callable[[], dict[str, Any]],
        figure: Callable[[], Figure],
    ) -> None:
        """Write the rows to .csv files, the record to .json files, and the figure to the others."""
        for target in targets:
            kind = target.suffix.lower()
            if kind in _FIGURES:
                from ..figures import save_figure

                with busy(f"plotting {target.name}"):
                    save_figure(figure(), target, force=self.force)
            else:
                text = csv_text(rows()) if kind == ".csv" else json_text(record()) + "\n"
                write_file(target, text.encode(), force=self.force, error=AnalysisError)

    def lines(self, targets: Sequence[Path]) -> Iterator[str]:
        """What was written, for people."""
        for target in targets:
            yield f"{'plotted in' if target.suffix.lower() in _FIGURES else 'written to'} {target}"


def file_options(default: str) -> Decorator:
    """-o, --plot, --runs and --force as `files`: FileOptions; `default` says how an unnamed figure is called."""
    return option_group(
        "files",
        FileOptions,
        click.option(
            "-o",
            "outputs",
            multiple=True,
            metavar="FILE",
            help="Write the numbers (.csv, .json) or the figure (.png, .svg, .pdf).",
        ),
        click.option("--plot", is_flag=True, help=f"Plot to {default}.png, numbered, in the folder of the runs."),
        runs_option,
        force_option,
    )


@dataclass(frozen=True)
class SamplingOptions:
    """How members are sampled: by a `.vsc` file or not at all, with another number of simulations or seed."""

    file: str | None
    noise_only: bool
    count: int | None
    seed: int | None
    vary: float | None = None

    @property
    def given(self) -> bool:
        """Whether any of the options is given."""
        return self.noise_only or any(own is not None for own in (self.file, self.count, self.seed, self.vary))

    def sampling(self, model: Model, scenario: Scenario) -> Sampling:
        """The sampling of the file, or of every constant around its value in a scenario, else the default, with a note."""
        from ..scenario import NOTHING, is_noise_seed
        from ..vensim import read_sampling

        if (self.file is not None) + self.noise_only + (self.vary is not None) > 1:
            message = "-e, --vary and --noise-only each say what is sampled; give one of them"
            raise click.UsageError(message)
        if self.vary is not None:
            return noted_variation(model, self.vary, scenario)
        if self.noise_only:
            if not model.draws:
                why = "has no random functions, so all members would be equal"
                message = f"{model.path}: {why}; leave out --noise-only"
                raise SimulationError(message)
            return NOTHING
        if self.file:
            sampling = read_sampling(sampling_path(self.file, Path(model.path)))
            names = [variation.name for variation in sampling.variations]
            names += sampling.samples.names if sampling.samples else ()
            if any(is_noise_seed(model, name) for name in names):
                why = "members have random numbers of their own" if model.draws else "the model has no random functions"
                note(f"{self.file}: NOISE SEED has no effect, since {why}")
            return sampling
        return noted_default_sampling(model)

    def design(self, model: Model, scenario: Scenario) -> Design:
        """The design of the members."""
        from ..scenario import make_design

        return make_design(model, self.sampling(model, scenario), count=self.count, seed=self.seed, scenario=scenario)


def noted_default_sampling(model: Model) -> Sampling:
    """How constants vary where no file is named; a note says which, and where their distributions come from."""
    from ..vensim import default_sampling, plausible_sampling, split_levers

    uncertain, levers = split_levers(model, plausible_sampling(model))
    if uncertain is None:
        sampling = default_sampling(model)
        if sampling.variations:
            note_ranges(model, sampling, "group Uncertainties")
        else:
            note("no constant is uncertain, so members differ by the numbers of random functions alone")
        return sampling
    left = len(levers.variations) if levers else 0
    stay = f"; {left} policy lever{'s stay as they are' if left > 1 else ' stays as it is'}" if left else ""
    note(f"{_constants(uncertain)} from {uncertain.path}{stay}")
    return uncertain


def noted_variation(model: Model, share: float, scenario: Scenario | None) -> Sampling:
    """Every constant within a share of its value; notes say how many, and which are left out."""
    from ..analysis import vary_constants
    from ..simulation import RunWarning

    with warnings_as_notes(RunWarning):
        sampling = vary_constants(model, share, scenario=scenario)
    count = len({variation.name for variation in sampling.variations})
    values = "their values" if count > 1 else "its value"
    note(f"{format_count(count, 'constant')} within {100 * share:.4g} % of {values}")
    return sampling


def note_ranges(model: Model, sampling: Sampling, groups: str) -> None:
    """Note which constants vary over their ranges in the model, and why."""
    from ..vensim import plausible_file

    beside = Path(model.path).with_suffix(".vsc").name
    lacking = f"there is no {beside} beside the model"
    why = f"{beside} beside the model has policy levers only" if plausible_file(model.path) else lacking
    note(f"{_constants(sampling)} sampled uniformly over the ranges in the {groups}, since {why}")


def _constants(sampling: Sampling) -> str:
    return format_count(len(sampling.samples.names if sampling.samples else sampling.variations), "constant")


class PerCent(click.ParamType[float]):
    """A share in per cent, such as `5%`, as a number."""

    name = "per cent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """0.05 for 5 %."""
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).strip().removesuffix("%")) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share < float("inf"):
            self.fail(f"{value!r} is not a percentage; write a number from 0 up, such as 5%", param, ctx)
        return share


vary_option = click.option(
    "--vary",
    type=PerCent(),
    metavar="P",
    help="Vary every constant by P per cent of its value either way, such as 20%.",
)


def sampling_options(help_text: str, *, vary: bool = False) -> Decorator:
    """-e, -n, --seed, and perhaps --vary, as `sampling`: SamplingOptions."""
    file_option = click.option("-e", "file", metavar="FILE.vsc", help=help_text)
    noise_option = click.option(
        "--noise-only", is_flag=True, help="Sample no constants: members differ by their random functions alone."
    )
    others = [vary_option] if vary else []
    return option_group("sampling", SamplingOptions, file_option, *others, noise_option, count_option, seed_option)


@dataclass(frozen=True)
class WorkerOptions:
    """The other processes that share the work, if any: some of this machine, or a dask cluster."""

    workers: int | None
    dask: str | None

    @contextlib.contextmanager
    def executor(self) -> Iterator[Workers | None]:
        """Start the processes, or connect to the cluster, for as long as the work lasts."""
        if self.workers is not None and self.dask is not None:
            message = "--workers and --dask each choose who shares the work; give one of them"
            raise click.UsageError(message)
        from ..workers import WorkerProcesses, dask_client

        if self.dask is not None:
            with dask_client(self.dask) as client:
                yield client
        elif self.workers is not None:
            with WorkerProcesses(self.workers) as executor:
                yield executor
        else:
            yield None


def worker_options() -> Decorator:
    """--workers and --dask as `sharing`: WorkerOptions."""
    return option_group(
        "sharing",
        WorkerOptions,
        click.option(
            "--workers", type=click.IntRange(1), metavar="N", help="Share the work among N processes of this machine."
        ),
        click.option("--dask", metavar="ADDRESS", help="Share the work among the workers of this dask scheduler."),
    )


@dataclass(frozen=True)
class OutcomeOptions:
    """Dates and statistics over time, as users type them."""

    dates: tuple[str, ...]
    statistics: tuple[str, ...] = ()

    def outcomes(self, run: xr.Dataset) -> tuple[Outcome, ...]:
        """The requested outcomes of a run; dates must lie within it."""
        from ..comparison import Outcome

        moments = tuple(Outcome(at=model_time(text, run)) for text in self.dates)
        return (*moments, *(Outcome(statistic) for statistic in self.statistics))

    def times(self, run: xr.Dataset) -> tuple[float, ...]:
        """The requested dates in the model's unit of time, the earliest first."""
        return tuple(sorted({outcome.at for outcome in self.outcomes(run) if outcome.at is not None}))


def outcome_options(*, statistics: bool = False) -> Decorator:
    """--at, and with `statistics` --over, as `when`: OutcomeOptions."""
    if not statistics:
        return option_group("when", OutcomeOptions, at_option)
    from ..comparison import STATISTICS

    over_option = click.option(
        "--over",
        "statistics",
        multiple=True,
        type=click.Choice(list(STATISTICS)),
        help="A statistic over the whole run instead of a date.",
    )
    return option_group("when", OutcomeOptions, at_option, over_option)


def model_time(text: str, run: xr.Dataset, option: str = "--at") -> float:
    """A date in the model's unit of time; it must lie within the run."""
    from ..dataset import DATE, TIME

    times, dated = run[TIME].values, DATE in run.coords
    value = _number(text)
    if value is None and dated:
        value = _day(text)
    if value is None:
        cure = "write a time of the model, or a day such as 2028-07-01" if dated else "write a time of the model"
        message = f"{option}: {text!r} is not a date; {cure}"
        raise DatasetError(message)
    first, last = float(times[0]), float(times[-1])
    if not first <= value <= last:
        message = f"{option}: {text} is outside the run; give a date from {first:.10g} to {last:.10g}"
        raise DatasetError(message)
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _day(text: str) -> float | None:
    from ..dataset import decimal_year

    try:
        return decimal_year(datetime.fromisoformat(text.strip()))
    except ValueError:
        return None


class Bands(click.ParamType[tuple[float, ...]]):
    """Shares of members in per cent, such as `50,90`, as the widths of bands around the median."""

    name = "bands"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """The widths as shares, the narrowest first."""
        if isinstance(value, tuple):
            return value
        try:
            widths = sorted({float(part.strip().removesuffix("%")) for part in str(value).split(",")})
        except ValueError:
            widths = []
        if not widths or not all(0 < width < 100 for width in widths):  # noqa: PLR2004 - per cent
            self.fail(f"{value!r} is not a list of percentages between 0 and 100, such as 50,90", param, ctx)
        return tuple(width / 100 for width in widths)


bands_option = click.option(
    "--bands",
    type=Bands(),
    default="50,90",
    show_default=True,
    metavar="P,P",
    help="Per cent of the members within each band.",
)
where_option = click.option(
    "--where",
    "statements",
    multiple=True,
    metavar='"FORMULA"',
    help="Also print the share of members for which this holds.",
)
