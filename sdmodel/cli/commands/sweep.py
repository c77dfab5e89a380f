"""`sdmodel sweep`: a grid of runs over the values of levers, stored as one dataset, alone or for every member."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...analysis import sweep_levers
from ...comparison import Outcome
from ...dataset import TIME
from ...errors import Fault, ScenarioError
from ...model import Model, join_name
from ...scenario import grid_values
from ...simulation import simulate
from ...vensim import read_grid
from ..options import (
    OutcomeOptions,
    RunOptions,
    SamplingOptions,
    StoreOptions,
    all_panels_option,
    free_path,
    memory_option,
    on_option,
    outcome_options,
    run_options,
    sampling_options,
    save_option,
    store_options,
)
from ..output import Part, Result, output_options, progress_bar, stored_safely
from ..requests import HEADLINES, NOT_FINITE, RunRequest, names_to_save, plain_name, record_of, warnings_as_notes
from ..views.sweep import (
    cell_records,
    lever_records,
    plot_sweep_to,
    ranked_levers,
    ranking_parts,
    sweep_outcomes,
    sweep_parts,
)

LeverValues = Mapping[str, tuple[float, ...]]


@click.command(
    "sweep", epilog='Example: sdmodel sweep --lever "grid connection time=0.5:6:12" --on "Annual Revenue" --plot'
)
@click.option(
    "--lever",
    "levers",
    multiple=True,
    required=True,
    metavar='"NAME=LO:HI:N"',
    help="A lever and its values: N of them from LO to HI (LO:HI:N:log for equal factors), A,B,C, or NAME for its range; may be repeated.",
)
@run_options(on_option("A variable to store and print (default: the headline variables)"), save_option)
@outcome_options(statistics=True)
@sampling_options("Also run every member of an ensemble, sampled by this file (with -n alone: by MODEL.vsc).")
@click.option(
    "--one-at-a-time", "apart", is_flag=True, help="Sweep each lever alone, as a run of its own, and rank them."
)
@click.option("--no-base", is_flag=True, help="Do not add the levers' own values to the given ones.")
@click.option("--plot", is_flag=True, help="Plot to NAME.png: lines by the lever's value, or maps of two levers.")
@all_panels_option
@store_options("its scenarios and levers")
@memory_option
@output_options
def sweep(
    *,
    levers: tuple[str, ...],
    run_from: RunOptions,
    when: OutcomeOptions,
    sampling: SamplingOptions,
    apart: bool,
    no_base: bool,
    plot: bool,
    every: bool,
    store: StoreOptions,
    memory: str,
) -> Result:
    """Run all combinations of the values of levers, store them as NAME.nc with a dimension per lever, and print outcomes.

    An outcome is a variable at a date (--at; the last date by default) or a statistic over time (--over). The levers' own
    values are run too, as the base of differences. With -e, -n or --seed, every combination is run for every member of an
    ensemble (without -e sampled as `sdmodel ensemble` does), so that members form pairs: medians and bands of the outcomes,
    and of the differences that a lever makes, are printed.
    """
    request = run_from.request()
    model = request.load_model()
    values = _lever_values(model, levers)
    request = replace(request, save=names_to_save(request, model))
    names = request.save or ()
    single = _single_run(request, model)
    outcomes = when.outcomes(single) or (Outcome(at=float(single[TIME].values[-1])),)
    design = sampling.design(model, request.scenario) if sampling.given else None
    sweeps: Sequence[LeverValues] = [{lever: values[lever]} for lever in values] if apart else [values]
    made: list[tuple[Path, xr.Dataset]] = []
    figures: list[Path] = []
    for swept, (target, default_name) in zip(sweeps, _targets(request, store, sweeps), strict=True):
        with warnings_as_notes(), progress_bar(f"running {request.model.name}") as progress:
            run = sweep_levers(
                model, swept, scenario=request.scenario, integrator=request.integrator, save=names, design=design,
                base=not no_base, memory=memory, progress=progress, seed=design.seed if design and sampling.seed is not None else None,
            )  # fmt: skip
        run = run.assign_attrs(_record(request, model, run))
        path = store.save(run, target, default_name)
        made.append((path, run))
        if plot:
            with stored_safely(path):
                figure, whole = path.with_suffix(".png"), every or bool(run_from.names)
                plot_sweep_to(run, names, figure, outcomes=outcomes, title=path.stem, every=whole, force=store.force)
                figures.append(figure)
    with stored_safely(made[0][0]):
        return _result(made, names, outcomes, figures, apart=apart)


def _single_run(request: RunRequest, model: Model) -> xr.Dataset:
    """The run without a sweep: it reports faults in changes and names before any more work, and has the times of all runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return simulate(model, scenario=request.scenario, save=request.save)


def _lever_values(model: Model, levers: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """The values of each lever, by its full name; an error for every lever that is unknown or given twice."""
    found: dict[str, tuple[float, ...]] = {}
    faults: list[Fault] = []
    for text in levers:
        try:
            grid = read_grid(text)
            values = grid_values(model, grid)
        except ScenarioError as error:
            faults += error.faults
            continue
        name = join_name(model[grid.name].name, grid.subscripts)
        if name in found:
            faults.append(Fault(grid.where, f"'{name}' is given twice; give all of its values together"))
        found[name] = values
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return found


def _targets(request: RunRequest, store: StoreOptions, sweeps: Sequence[LeverValues]) -> list[tuple[Path | None, str]]:
    """The file of each sweep, if the user named it, and its default name; an error before any work if a file is taken."""
    found: list[tuple[Path | None, str]] = []
    scenario = f"{request.default_name}+" if request.scenarios else ""
    for levers in sweeps:
        own = plain_name("+".join(levers)).replace(" ", "-")
        name = store.name if store.name is None or len(sweeps) == 1 else f"{store.name}-{own}"
        found.append((free_path(name, store.folder, force=store.force), f"{scenario}{own}"))
    return found


def _record(request: RunRequest, model: Model, run: xr.Dataset) -> dict[str, str]:
    """The record of a sweep, with the swept levers among its changes."""
    swept = [line for line in str(run.attrs["changes"]).splitlines() if " = over " in line]
    record = {HEADLINES: "\n".join(request.save or ()), "changes": "\n".join([*request.changes, *swept])}
    return record_of(request, model) | record


def _result(
    made: Sequence[tuple[Path, xr.Dataset]],
    names: Sequence[str],
    outcomes: Sequence[Outcome],
    figures: Sequence[Path],
    *,
    apart: bool,
) -> Result:
    rankings = ranked_levers([run for _, run in made], names, outcomes) if apart else []

    def record() -> Any:
        plots: list[str | None] = [str(path) for path in figures] or [None] * len(made)
        sweeps = [_sweep_record(*one, plot, names, outcomes) for one, plot in zip(made, plots, strict=True)]
        return {"sweeps": sweeps, "rankings": [vars(ranking) for ranking in rankings]} if apart else sweeps[0]

    def parts() -> Iterator[Part]:
        if apart:
            yield from ranking_parts(rankings)
        else:
            run = made[0][1]
            yield from sweep_parts(run, sweep_outcomes(run, names, outcomes))
        for path, _ in made[:-1]:
            yield f"stored as {path}"

    return Result(record, parts, "rankings" if apart else "outcomes", made[-1][0], figures)


def _sweep_record(
    path: Path, run: xr.Dataset, plot: str | None, names: Sequence[str], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    found = [
        {"name": outcome.name, "outcome": outcome.outcome, "units": outcome.units, "cells": cell_records(outcome)}
        for outcome in sweep_outcomes(run, names, outcomes)
    ]
    record = {"run": path.stem, "path": str(path), "figure": plot, "model": run.attrs["model"]}
    return record | {"not_finite": run.attrs.get(NOT_FINITE), "levers": lever_records(run), "outcomes": found}
