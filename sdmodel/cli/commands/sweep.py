"""`sdmodel sweep`: a grid of runs over the values of levers, stored as one dataset, alone or for every member of an ensemble."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...analysis import sweep_levers
from ...comparison import Outcome
from ...dataset import DATE, TIME
from ...errors import Fault, ScenarioError
from ...model import Integrator, Model
from ...scenario import Design, grid_values
from ...simulation import simulate
from ...store import save_new_run, save_run
from ...vensim import read_grid, read_savelist, read_scenario
from ..choice import wanted_names
from ..drawing import count_option, drawn_design, members_option, seed_option
from ..making import (
    NOT_FINITE,
    Order,
    changes_option,
    default_name,
    integrator_option,
    ordered_scenario,
    plain_name,
    record_of,
    scenarios_option,
)
from ..moments import at_option, outcomes_of, over_option
from ..progress import members_bar
from ..project import (
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
from ..views.headlines import HEADLINES
from ..views.swept import cells_told, levers_told, print_rankings, print_swept, ranked_levers, swept_outcomes
from .run import free_path, is_stored


@dataclass(frozen=True)
class _Wish:
    """What is wanted of a sweep beside its runs: where they go, what is told and drawn of them."""

    folder: Path
    name: str | None
    outcomes: tuple[Outcome, ...]
    memory: str
    base: bool
    drawn: bool
    as_json: bool
    force: bool


@dataclass(frozen=True)
class _Made:
    """A sweep that is stored: where, what it is, and where its figure is, if there is one."""

    path: Path
    run: xr.Dataset
    picture: Path | None


@click.command(
    "sweep", epilog='Example: sdmodel sweep --lever "grid connection time=0.5:6:12" --on "Annual Revenue" --plot'
)
@model_argument
@click.option(
    "--lever",
    "levers",
    multiple=True,
    required=True,
    metavar='"NAME=LO:HI:N"',
    help="A lever and its values: N of them from LO to HI (LO:HI:N:log by equal factors), A,B,C, or NAME for its range; once for each lever.",
)
@scenarios_option
@changes_option
@integrator_option
@on_option("A variable to store and tell (default: the headlines)")
@click.option("--save", "savelist", metavar="FILE.lst", help="Store what this save list names, too.")
@at_option
@over_option
@members_option
@count_option
@seed_option
@click.option("--one-at-a-time", "apart", is_flag=True, help="Sweep each lever alone, a run of its own, and rank them.")
@click.option(
    "--no-base", "bare", is_flag=True, help="Do not run the levers' own values where they are not among those given."
)
@click.option(
    "--plot", "drawn", is_flag=True, help="Draw to NAME.png: lines by the lever's value, or maps of two levers."
)
@click.option("--name", metavar="NAME", help="The sweep's name (default: of its scenarios and levers, numbered).")
@runs_option
@click.option("--memory", default="1GiB", show_default=True, metavar="SIZE", help="So large may the runs be together.")
@json_option
@force_option
def command(
    model: str | None,
    levers: tuple[str, ...],
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    integrator: Integrator | None,
    names: tuple[str, ...],
    savelist: str | None,
    dates: tuple[str, ...],
    statistics: tuple[str, ...],
    file: str | None,
    count: int | None,
    seed: int | None,
    *,
    apart: bool,
    bare: bool,
    drawn: bool,
    name: str | None,
    folder: str | None,
    memory: str,
    as_json: bool,
    force: bool,
) -> None:
    """Run all combinations of the values of levers, store them as NAME.nc with a dimension a lever, and tell outcomes.

    An outcome is a variable at a date (--at; the last by default) or a statistic over time (--over). The levers' own values
    are run too, as the base of differences. With -e, -n or --seed every combination is run for every member of an ensemble
    (without -e drawn evenly over the ranges of the uncertainties), so that members pair: medians and bands are told, and
    those of the difference that a lever makes.
    """
    order = Order(
        model_path(model),
        tuple(read_scenario(scenario_path(each)) for each in scenarios),
        changes,
        integrator,
        save=(*names, *(read_savelist(savelist) if savelist else ())),
    )
    read = model_read(order.model)
    values = _values(read, levers)
    order = replace(order, save=wanted_names(order, read))
    one = _single(order, read)
    times = one[TIME].values
    outcomes = outcomes_of(dates, statistics, times, dated=DATE in one.coords) or (Outcome(at=float(times[-1])),)
    many = file is not None or count is not None or seed is not None
    design = drawn_design(read, file, count=count, seed=seed, scenario=ordered_scenario(order)) if many else None
    wish = _Wish(runs_folder(folder), name, outcomes, memory, not bare, drawn, as_json, force)
    parts = [{lever: values[lever]} for lever in values] if apart else [values]
    targets = _targets(order, wish, parts)
    made = [_make(order, read, part, design, target, wish) for part, target in zip(parts, targets, strict=True)]
    with is_stored(made[0].path):
        _tell(made, order.save or (), wish, apart=apart)


def _single(order: Order, model: Model) -> xr.Dataset:
    """The run without a sweep, which tells before any more work what is wrong with changes and names; its times are all runs'."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return simulate(model, scenario=ordered_scenario(order), save=order.save)


def _values(model: Model, levers: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """The values of each lever, by its name with labels."""
    found: dict[str, tuple[float, ...]] = {}
    faults: list[Fault] = []
    for text in levers:
        try:
            grid = read_grid(text)
            values = grid_values(model, grid)
        except ScenarioError as error:
            faults += error.faults
            continue
        spelt = model[grid.name].name + (f"[{','.join(grid.subscripts)}]" if grid.subscripts else "")
        if spelt in found:
            faults.append(Fault(grid.where, f"'{spelt}' is given twice; give all of its values at once"))
        found[spelt] = values
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return found


def _targets(order: Order, wish: _Wish, parts: Sequence[dict[str, Any]]) -> list[tuple[Path | None, str]]:
    """For each sweep where it will be, if it has a name of its user's, and its default name; told before any work if taken."""
    found: list[tuple[Path | None, str]] = []
    scenario = f"{default_name(order)}+" if order.scenarios else ""
    for part in parts:
        own = plain_name("+".join(part)).replace(" ", "-")
        name = wish.name if wish.name is None or len(parts) == 1 else f"{wish.name}-{own}"
        path = free_path(name, wish.folder, force=wish.force)
        found.append((path, f"{scenario}{own}"))
    return found


def _make(
    order: Order,
    model: Model,
    levers: dict[str, tuple[float, ...]],
    design: Design | None,
    target: tuple[Path | None, str],
    wish: _Wish,
) -> _Made:
    """Simulate, store and draw one sweep."""
    with warnings.catch_warnings(record=True) as caught, members_bar(f"running {order.model.name}") as tell:
        warnings.simplefilter("always")
        run = sweep_levers(
            model, levers, scenario=ordered_scenario(order), integrator=order.integrator, save=order.save, design=design,
            base=wish.base, memory=wish.memory, progress=tell,
        )  # fmt: skip
    told = dict.fromkeys(str(each.message) for each in caught if issubclass(each.category, UserWarning))
    for text in told:
        note(text)
    record = record_of(order, model) | {HEADLINES: "\n".join(order.save or ())}
    swept = [line for line in str(run.attrs["changes"]).splitlines() if " = over " in line]
    run = run.assign_attrs(record | {"changes": "\n".join([*order.changes, *swept])})
    path, default = target
    where = save_run(run, path, force=wish.force) if path else save_new_run(run, wish.folder, default)
    return _Made(where, run, _drawn(run, order.save or (), where, wish))


def _tell(made: Sequence[_Made], names: Sequence[str], wish: _Wish, *, apart: bool) -> None:
    """What came out and where it is."""
    ranked = ranked_levers([each.run for each in made], names, wish.outcomes) if apart else []
    if wish.as_json:
        told = [_record(each, names, wish) for each in made]
        print_json({"sweeps": told, "rankings": [vars(each) for each in ranked]} if apart else told[0])
        return
    if apart:
        print_rankings(ranked)
    else:
        print_swept(made[0].run, swept_outcomes(made[0].run, names, wish.outcomes))
    for each in made:
        click.echo(f"stored as {each.path}")
    for each in made:
        if each.picture:
            click.echo(f"drawn in {each.picture}")


def _record(made: _Made, names: Sequence[str], wish: _Wish) -> dict[str, Any]:
    """A sweep for machines."""
    outcomes = [
        {"name": each.name, "outcome": each.outcome, "units": each.units, "cells": cells_told(each)}
        for each in swept_outcomes(made.run, names, wish.outcomes)
    ]
    told = {"run": made.path.stem, "path": str(made.path), "figure": made.picture and str(made.picture)}
    told |= {"model": made.run.attrs["model"], "not_finite": made.run.attrs.get(NOT_FINITE)}
    return told | {"levers": levers_told(made.run), "outcomes": outcomes}


def _drawn(run: xr.Dataset, names: Sequence[str], path: Path, wish: _Wish) -> Path | None:
    """A figure beside the sweep, if one is wanted."""
    if not wish.drawn:
        return None
    from ..views.swept_figures import draw_sweep

    target = path.with_suffix(".png")
    with is_stored(path):
        return draw_sweep(run, names, target, outcomes=wish.outcomes, title=path.stem, force=wish.force)
