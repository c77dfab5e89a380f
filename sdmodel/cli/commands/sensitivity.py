"""`sdmodel sensitivity`: which constants matter to an outcome, by a tornado, Morris's method or Sobol's indices."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...analysis import factors_of, find_sensitivities, questions_of
from ...comparison import Outcome
from ...dataset import DATE, TIME
from ...errors import AnalysisError
from ...files import write_file
from ...model import Integrator, Model
from ...simulation import Progress
from ...store import check_folder
from ...vensim import read_scenario
from ..drawing import seed_option
from ..making import (
    Order,
    changes_option,
    default_name,
    integrator_option,
    make_ordered,
    ordered_scenario,
    record_of,
    scenarios_option,
)
from ..moments import at_option, outcomes_of, over_option
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
from ..tables import json_text, note, patience, print_json
from ..varied import file_option, free_option, group_option, note_outside, varied_sampling
from ..views.ranking import csv_of, print_rankings, told_of

_TABLES, _PICTURES = (".csv", ".json"), (".png", ".svg", ".pdf")
_OPTIONS = {
    "trajectories": ("--trajectories", "morris"),
    "levels": ("--levels", "morris"),
    "samples": ("-n", "sobol"),
    "second_order": ("--second-order", "sobol"),
}
"""What each setting is called on the command line, and whose it is."""


@click.command(
    "sensitivity",
    epilog='Example: sdmodel sensitivity --on "revenue per GW" --at 2028 --method tornado --plot',
)
@model_argument
@on_option("A variable whose outcome is asked about; once for each")
@at_option
@over_option
@click.option(
    "--method",
    type=click.Choice(["tornado", "morris", "sobol"]),
    default="tornado",
    show_default=True,
    help="Each constant alone, along trajectories, or all of them together.",
)
@file_option
@free_option
@group_option
@scenarios_option
@changes_option
@integrator_option
@click.option("--trajectories", type=int, metavar="N", help="Trajectories of Morris's method (default: 20).")
@click.option("--levels", type=int, metavar="N", help="Levels of Morris's method, an even number (default: 4).")
@click.option("-n", "samples", type=int, metavar="N", help="Base samples of Sobol's, a power of two (default: 1024).")
@click.option("--second-order", is_flag=True, default=None, help="Sobol's indices of pairs of constants, too.")
@seed_option
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write the numbers (.csv, .json) or the figure (.png, .svg, .pdf).",
)
@click.option("--plot", "drawn", is_flag=True, help="Draw to MODEL-METHOD.png, numbered, in the folder of the runs.")
@runs_option
@json_option
@force_option
def command(
    model: str | None,
    names: tuple[str, ...],
    dates: tuple[str, ...],
    statistics: tuple[str, ...],
    method: str,
    file: str | None,
    free: tuple[str, ...],
    group: str | None,
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    integrator: Integrator | None,
    trajectories: int | None,
    levels: int | None,
    samples: int | None,
    seed: int | None,
    outputs: tuple[str, ...],
    folder: str | None,
    *,
    second_order: bool | None,
    drawn: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Tell which constants matter to a variable at a date, or to a statistic of it over time, the most important first.

    The constants of the group Uncertainties vary, unless -e, --free or --group names others; one with subscripts varies
    label by label. `tornado` moves each from its low end to its high one, all others as the scenario has them: the ends are
    those of its range, of another distribution its quantiles of 5 % and 95 %. `morris` moves them along random trajectories
    between the ends: mu_star is the mean size of what a constant does to the outcome, sigma how much that differs from place
    to place. `sobol` draws all of them from their distributions: S1 is the share of the outcome's variance that a constant
    decides by itself, ST with all that it does together with others. The last two need SALib, and tell half of intervals of
    95 % behind ±. Nothing is stored without -o or --plot.
    """
    if not names:
        message = 'name what is asked about: --on "name"'
        raise click.UsageError(message)
    settings = _settings(method, trajectories=trajectories, levels=levels, samples=samples, second_order=second_order)
    order = Order(
        model_path(model),
        tuple(read_scenario(scenario_path(each)) for each in scenarios),
        changes,
        integrator,
        save=names,
    )
    targets = _targets(outputs, order, method, runs_folder(folder) if drawn else None, force=force)
    read = model_read(order.model)
    sampling = varied_sampling(read, file, free, group)
    note_outside(read, factors_of(read, sampling, ordered_scenario(order)))
    with _runs_told(order.model.name) as progress:
        found = find_sensitivities(
            read,
            names,
            _outcomes(order, read, dates, statistics),
            method=method,
            sampling=sampling,
            scenario=ordered_scenario(order),
            integrator=integrator,
            seed=seed,
            progress=progress,
            **settings,
        )
    found = found.assign_attrs(record_of(order, read))
    _write(found, targets, force=force)
    if as_json:
        print_json(told_of(found) | {"files": list(map(str, targets))})
        return
    print_rankings(found)
    for target in targets:
        click.echo(f"{'drawn in' if target.suffix in _PICTURES else 'written to'} {target}")


def _settings(method: str, **given: int | bool | None) -> dict[str, Any]:
    """What is asked of a method, as far as it is."""
    asked = {name: value for name, value in given.items() if value is not None}
    for name in asked:
        option, owner = _OPTIONS[name]
        if owner != method:
            message = f"{option} is about {owner}, not about {method}; leave it out, or add --method {owner}"
            raise click.UsageError(message)
    return asked


def _targets(
    outputs: Sequence[str], order: Order, method: str, folder: Path | None, *, force: bool
) -> tuple[Path, ...]:
    """Where results go, told before any work is done if they cannot be there; an unnamed figure goes to `folder`."""
    targets = [Path(each) for each in outputs]
    for each in targets:
        if each.suffix.lower() not in (*_TABLES, *_PICTURES):
            message = f"{each}: is no form for results; let the name end in {', '.join((*_TABLES, *_PICTURES))}"
            raise AnalysisError(message)
    check_drawable(targets, force=force)
    if folder is None or any(each.suffix.lower() in _PICTURES for each in targets):
        return tuple(targets)
    check_folder(folder)
    plain = f"{default_name(order)}-{method}"
    numbered = (
        folder / f"{each}.png" for each in itertools.chain([plain], (f"{plain}-{n}" for n in itertools.count(2)))
    )
    return (*targets, next(each for each in numbered if force or not os.path.lexists(each)))


def _outcomes(order: Order, model: Model, dates: Sequence[str], statistics: Sequence[str]) -> tuple[Outcome, ...]:
    """What is asked of each variable, its last value unless told; the run without changes tells which dates there are."""
    questions_of(model, order.save or (), [Outcome()])  # a misspelt name is told better here than by a run
    run = make_ordered(order, model=model)
    times = run[TIME].values
    asked = outcomes_of(dates, statistics, times, dated=DATE in run.coords)
    return asked or (Outcome(at=float(times[-1])),)


@contextlib.contextmanager
def _runs_told(name: str) -> Iterator[Progress]:
    """Says how many runs there will be, and how they go on."""
    with members_bar(f"running {name}") as bar:

        def tell(done: int, count: int) -> None:
            if done == 0:
                note(f"{count:,} runs")
            if bar:
                bar(done, count)

        yield tell


def _write(found: xr.Dataset, targets: Sequence[Path], *, force: bool) -> None:
    """The numbers and the figure, each in the form that its name tells."""
    for target in targets:
        kind = target.suffix.lower()
        if kind in _PICTURES:
            from ...figures import plot_morris, plot_sobol, plot_tornado, save_figure

            plots = {"tornado": plot_tornado, "morris": plot_morris, "sobol": plot_sobol}
            with patience(f"drawing {target.name}"):
                save_figure(plots[found.attrs["method"]](found), target, force=force)
        else:
            text = csv_of(found) if kind == ".csv" else json_text(told_of(found)) + "\n"
            write_file(target, text.encode(), force=force, error=AnalysisError)
