"""`sdmodel ensemble`: many members with sampled constants, stored as they are run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ...dataset import MEMBER, describe_sampling
from ...ensemble import run_ensemble
from ...errors import StoreError, format_count
from ...files import Location
from ...model import Model, cell_name, numbered
from ...scenario import Design, Scenario, constant_values, make_design
from ...store import (
    check_folder,
    checked_path,
    ensemble_path,
    ensemble_record,
    exists,
    is_address,
    is_ensemble,
    open_run,
    run_path,
)
from ..locations import check_not_there
from ..options import (
    RunOptions,
    SamplingOptions,
    StoreOptions,
    WorkerOptions,
    all_panels_option,
    bands_option,
    memory_option,
    on_option,
    run_options,
    sampling_options,
    save_option,
    store_options,
    where_option,
    worker_options,
)
from ..output import Part, Result, busy, note, output_options, progress_bar, stored_safely
from ..requests import HEADLINES, RunRequest, names_in, names_to_save, record_of, warnings_as_notes
from ..views.headlines import headline_names
from ..views.members import note_broken, plot_members_to, share_tables, shares_of, spread_tables, spreads_of

_OTHER_NAME = "choose another --name, --resume to continue it, or --force to replace it"


@click.command("ensemble", epilog="Example: sdmodel ensemble -n 10000 --where 'Annual Revenue > 1000' --plot")
@sampling_options("How constants are sampled (default: MODEL.vsc beside the model).", vary=True)
@run_options(on_option("A variable to store and print (default: the headline variables)"), save_option)
@where_option
@bands_option
@click.option("--plot", is_flag=True, help="Plot the bands to NAME.png beside the ensemble.")
@all_panels_option
@click.option("--spaghetti", type=click.IntRange(0), default=0, metavar="N", help="Also plot N members as thin lines.")
@click.option("--log", "logarithmic", is_flag=True, help="Use logarithmic axes where nothing is negative.")
@store_options("its files or its model")
@memory_option
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Number of threads (default: all processors, or one in each process).",
)
@worker_options()
@click.option("--resume", is_flag=True, help="Continue the ensemble NAME, which was interrupted.")
@output_options
def ensemble(
    *,
    sampling: SamplingOptions,
    run_from: RunOptions,
    statements: tuple[str, ...],
    bands: tuple[float, ...],
    plot: bool,
    every: bool,
    spaghetti: int,
    logarithmic: bool,
    store: StoreOptions,
    memory: str,
    threads: int | None,
    sharing: WorkerOptions,
    resume: bool,
) -> Result:
    """Run many members with sampled constants, store them as NAME.zarr while they run, and print quantiles.

    Without -e, MODEL.vsc beside the model says how constants are sampled, except its policy levers, which stay as they are;
    without such a file, the constants of the group Uncertainties are sampled uniformly over their ranges. Members of a model
    with random functions have random numbers of their own, and need no uncertain constants (--noise-only). Stored are the
    variables of --on and --save (else the headline variables), those that --where mentions, and the sampled constants. The
    numbers depend only on the files and the seed; --resume continues an interrupted ensemble. NAME may be an address that fsspec
    writes, such as s3://bucket/large.zarr, which other commands take as the name of the run.
    """
    request = run_from.request()
    path = _free_place(request, sampling, store, resume=resume)
    replacing = store.force or resume
    figure = (store.folder if is_address(path) else path.parent) / f"{path.stem}.png"
    if plot:
        check_not_there([figure], force=replacing, cure="choose another --name", error=StoreError)
    model = request.load_model()
    names = names_to_save(request, model)
    design = _design(request, model, sampling, path if resume else None)
    had = _members_done(path) if resume else 0
    start = time.perf_counter()
    with (
        warnings_as_notes(),
        progress_bar(f"running {request.model.name}") as progress,
        _note_if_interrupted(path, design.count),
        sharing.executor() as executor,
    ):
        run_ensemble(
            model,
            design,
            str(path),
            scenario=request.scenario,
            integrator=request.integrator,
            seed=design.seed if sampling.seed is not None else None,
            save=[*names, *names_in(model, statements)],
            memory=memory,
            threads=threads,
            executor=executor,
            progress=progress,
            resume=resume,
            force=store.force,
            attributes=record_of(request, model) | {HEADLINES: "\n".join(names)},
        )
    seconds, made = time.perf_counter() - start, design.count - had
    _note_overridden(model, design, request.scenario, varied=sampling.vary is not None)
    with stored_safely(path):
        run = open_run(path)
        shown = headline_names(run)
        with busy("reading the members"):
            spreads, shares = spreads_of(run, shown, bands), shares_of(run, statements)
            if plot:
                plot_members_to(
                    {path.stem: run}, shown, figure, bands=bands, spaghetti=spaghetti, logarithmic=logarithmic,
                    title=path.stem, every=every or bool(run_from.names), force=replacing,
                )  # fmt: skip
        note_broken(run)

    def record() -> dict[str, Any]:
        found: dict[str, Any] = {"run": path.stem, "path": str(path), "figure": str(figure) if plot else None}
        found |= {"model": run.attrs["model"], "members": run.sizes[MEMBER]}
        found |= {
            "not_finite": run.attrs["members_not_finite"],
            "design": run.attrs["design_method"],
            "seed": design.seed,
        }
        found |= {"seconds": seconds, "members_made": made}
        return found | {"headlines": [vars(item) for item in spreads], "shares": [vars(item) for item in shares]}

    def parts() -> Iterator[Part]:
        yield from spread_tables(spreads, bands, run)
        yield from share_tables(shares)
        speed = f" in {seconds:.3g} s, {made / seconds:,.0f} per second" if made else ", all stored before"
        yield f"{format_count(made or design.count, 'member')} ({describe_sampling(run)}){speed}"

    return Result(record, parts, "headlines", path, [figure] if plot else [])


def _free_place(request: RunRequest, sampling: SamplingOptions, store: StoreOptions, *, resume: bool) -> Location:
    """The folder of the ensemble; an error, before any work, if it cannot be there. Unnamed ones are numbered."""
    check_folder(store.folder)
    named, again = store.name is not None or resume, resume or store.force
    if store.name and "://" in store.name:
        path = checked_path(store.name)
        if path.suffix != ".zarr" or (exists(path) and not again):
            wrong = "exists already" if path.suffix == ".zarr" else "the address of an ensemble ends in .zarr"
            message = f"{path}: {wrong}; {_OTHER_NAME}"
            raise StoreError(message)
        return path
    name = store.name or _default_name(request, sampling.file)
    for candidate in numbered(name):
        path, run = ensemble_path(candidate, store.folder), run_path(candidate.removesuffix(".zarr"), store.folder)
        if os.path.lexists(run):
            if named:
                message = f"{run}: a run has this name; choose another --name"
                raise StoreError(message)
        elif again or not os.path.lexists(path):
            return path
        elif named:
            message = f"{path}: exists already; {_OTHER_NAME}"
            raise StoreError(message)
    raise AssertionError  # there are names without end


def _default_name(request: RunRequest, file: str | None) -> str:
    """The name of an ensemble that the user does not name: its `.vsc` file, its scenarios or its model."""
    stem = Path(file).stem if file else ""
    return f"{request.default_name}+{stem}" if stem and request.scenarios else stem or request.default_name


def _design(request: RunRequest, model: Model, options: SamplingOptions, resumed: Location | None) -> Design:
    """The requested design; a resumed ensemble keeps the new seed that was picked when it began."""
    sampling, seed = options.sampling(model, request.scenario), options.seed
    picks_seed = (sampling.seed if seed is None else seed) == 0
    if picks_seed and resumed is not None and is_ensemble(resumed):
        seed = int(ensemble_record(resumed)[0].get("seed", 0))
    return make_design(model, sampling, count=options.count, seed=seed, scenario=request.scenario)


def _note_overridden(model: Model, design: Design, scenario: Scenario, *, varied: bool) -> None:
    """Note which changes have no effect because the constant is sampled; not if the design starts from the changes."""
    if design.method == "univariate" or varied:
        return
    both = [cell_name(model, cell) for cell in constant_values(model, scenario) if cell in design.cells]
    if both:
        names = ", ".join(f"'{name}'" for name in both)
        note(f"{names}: sampled for each member, whatever the scenario or --set says")


def _members_done(path: Location) -> int:
    return int(ensemble_record(path)[0]["members_done"]) if is_ensemble(path) else 0


@contextlib.contextmanager
def _note_if_interrupted(path: Location, count: int) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        done = f"{_members_done(path):,} of {count:,} members are stored"
        name = path if is_address(path) else path.stem
        note(f"{path}: {done}; the same command with --name {name} --resume runs the rest")
        raise
