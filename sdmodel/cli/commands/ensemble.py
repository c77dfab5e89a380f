"""`sdmodel ensemble`: many members with constants drawn by a `.vsc` file, stored as they are made."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import xarray as xr

from ...dataset import MEMBER, TIME
from ...ensemble import run_ensemble
from ...errors import StoreError
from ...model import Integrator, Model, spell
from ...scenario import Design, Scenario, constant_values, make_design
from ...store import check_folder, ensemble_path, ensemble_record, is_ensemble, open_run, run_path
from ...vensim import read_savelist, read_scenario
from ..choice import mentioned_names, wanted_names
from ..drawing import count_option, sampling_given, seed_option
from ..making import (
    Order,
    changes_option,
    default_name,
    integrator_option,
    ordered_scenario,
    record_of,
    scenarios_option,
)
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
from ..tables import note, patience, print_json
from ..views.headlines import HEADLINES, headline_names
from ..views.spread import (
    bands_option,
    draw_bands,
    note_broken,
    print_shares,
    print_spreads,
    shares_of,
    spreads_of,
    where_option,
)
from .run import is_stored


@dataclass(frozen=True)
class _Wish:
    """How an ensemble is wanted: where it goes and what is told of it."""

    path: Path
    memory: str
    threads: int | None
    bands: tuple[float, ...]
    statements: tuple[str, ...]
    spaghetti: int
    drawn: bool
    logarithmic: bool
    resume: bool
    force: bool


@click.command("ensemble", epilog="Example: sdmodel ensemble -n 10000 --where 'Annual Revenue > 1000' --plot")
@model_argument
@click.option("-e", "file", metavar="FILE.vsc", help="How constants are drawn (default: evenly over their ranges).")
@count_option
@seed_option
@scenarios_option
@changes_option
@on_option("A variable to store and tell (default: the headlines)")
@click.option("--save", "savelist", metavar="FILE.lst", help="Store what this save list names.")
@integrator_option
@where_option
@bands_option
@click.option("--plot", "drawn", is_flag=True, help="Draw the bands to NAME.png beside the ensemble.")
@click.option("--spaghetti", type=click.IntRange(0), default=0, metavar="N", help="Draw so many members as lines, too.")
@click.option("--log", "logarithmic", is_flag=True, help="Draw on logarithmic axes where nothing is below zero.")
@click.option("--name", metavar="NAME", help="The ensemble's name (default: of its files or its model, numbered).")
@runs_option
@click.option("--memory", default="1GiB", show_default=True, metavar="SIZE", help="So much memory may be taken.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="So many threads (default: all processors).")
@click.option("--resume", is_flag=True, help="Go on with the ensemble NAME, which was interrupted.")
@json_option
@force_option
def command(
    model: str | None,
    file: str | None,
    count: int | None,
    seed: int | None,
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    names: tuple[str, ...],
    savelist: str | None,
    integrator: Integrator | None,
    statements: tuple[str, ...],
    bands: tuple[float, ...],
    *,
    drawn: bool,
    spaghetti: int,
    logarithmic: bool,
    name: str | None,
    folder: str | None,
    memory: str,
    threads: int | None,
    resume: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Simulate many members whose constants are drawn, store them as NAME.zarr as they are made, and tell their spread.

    Without a .vsc file the constants of the group Uncertainties are drawn evenly between the ends of their ranges, by a
    Latin hypercube. What is stored are the variables of --on and --save, else the headlines, with what --where mentions and
    what is drawn. The numbers depend on the files and the seed alone; an ensemble that was interrupted goes on by --resume.
    """
    order = Order(
        model_path(model),
        tuple(read_scenario(scenario_path(each)) for each in scenarios),
        changes,
        integrator,
        save=(*names, *(read_savelist(savelist) if savelist else ())),
    )
    path = _place(
        name or _default(order, file), runs_folder(folder), named=name is not None or resume, again=resume or force
    )
    wish = _Wish(path, memory, threads, bands, statements, spaghetti, drawn, logarithmic, resume, force)
    _check_picture(wish)
    read = model_read(order.model)
    order = replace(order, save=wanted_names(order, read))
    design = _design(order, read, file, wish, count=count, seed=seed)
    seconds, made = _make(order, read, design, wish)
    _note_overruled(read, design, ordered_scenario(order))
    with is_stored(path):
        _tell(wish, design, seconds, made, as_json=as_json)


def _check_picture(wish: _Wish) -> None:
    """Make sure that the figure can be there, before any work is done."""
    picture = _picture(wish)
    if wish.drawn and os.path.lexists(picture) and not (wish.force or wish.resume):
        message = f"{picture}: exists already; choose another --name, or --force to replace it"
        raise StoreError(message)


def _picture(wish: _Wish) -> Path:
    """Where the figure of an ensemble goes."""
    return wish.path.with_name(f"{wish.path.stem}.png")


def _default(order: Order, file: str | None) -> str:
    """What an ensemble is called that its user did not name: after its `.vsc` file, its scenarios or its model."""
    own = default_name(order)
    stem = Path(file).stem if file else ""
    return f"{own}+{stem}" if stem and order.scenarios else stem or own


def _place(name: str, folder: Path, *, named: bool, again: bool) -> Path:
    """Where the ensemble will be, told before any work is done if it cannot be there; unnamed ones are numbered."""
    check_folder(folder)
    for number in itertools.count(1):
        called = name if number == 1 else f"{name}-{number}"
        path, run = ensemble_path(called, folder), run_path(called.removesuffix(".zarr"), folder)
        if os.path.lexists(run):
            if named:
                message = f"{run}: a run has this name; choose another --name"
                raise StoreError(message)
        elif again or not os.path.lexists(path):
            return path
        elif named:
            message = (
                f"{path}: exists already; choose another --name, --resume to go on with it, or --force to replace it"
            )
            raise StoreError(message)
    raise AssertionError  # the count has no end


def _design(
    order: Order, model: Model, file: str | None, wish: _Wish, *, count: int | None, seed: int | None
) -> Design:
    """The design that is asked for; an ensemble that goes on keeps the fresh seed that it began with."""
    sampling = sampling_given(model, file)
    fresh = (sampling.seed if seed is None else seed) == 0
    if fresh and wish.resume and is_ensemble(wish.path):
        seed = int(ensemble_record(wish.path)[0].get("seed", 0))
    return make_design(model, sampling, count=count, seed=seed, scenario=ordered_scenario(order))


def _note_overruled(model: Model, design: Design, scenario: Scenario) -> None:
    """Say which changes count for nothing, since what they set is drawn; a univariate design begins at what is set."""
    if design.method == "univariate":
        return
    both = [spell(model, each) for each in constant_values(model, scenario) if each in design.cells]
    if both:
        told = ", ".join(f"'{each}'" for each in both)
        note(f"{told}: drawn for each member, whatever the scenario or --set says")


def _make(order: Order, model: Model, design: Design, wish: _Wish) -> tuple[float, int]:
    """Simulate and store; how many seconds it took, for how many members."""
    had = _done(wish.path) if wish.resume else 0
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught, members_bar(f"running {order.model.name}") as tell:
        warnings.simplefilter("always")
        with _interruption_told(wish.path, design.count):
            run_ensemble(
                model,
                design,
                wish.path,
                scenario=ordered_scenario(order),
                integrator=order.integrator,
                save=[*(order.save or ()), *mentioned_names(model, wish.statements)],
                memory=wish.memory,
                threads=wish.threads,
                progress=tell,
                resume=wish.resume,
                force=wish.force,
                attributes=record_of(order, model) | {HEADLINES: "\n".join(order.save or ())},
            )
    for text in dict.fromkeys(str(each.message) for each in caught if issubclass(each.category, UserWarning)):
        note(text)
    return time.perf_counter() - began, design.count - had


def _done(path: Path) -> int:
    """How many members are stored."""
    return int(ensemble_record(path)[0]["members_done"]) if is_ensemble(path) else 0


@contextlib.contextmanager
def _interruption_told(path: Path, count: int) -> Iterator[None]:
    """Say of an ensemble that its user interrupts how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        note(
            f"{path}: {_done(path):,} of {count:,} members are stored; the same with --name {path.stem} --resume goes on"
        )
        raise


def _tell(wish: _Wish, design: Design, seconds: float, made: int, *, as_json: bool) -> None:
    """What came out and where it is."""
    run = open_run(wish.path)
    names = headline_names(run)
    with patience("reading the members"):
        spreads, shares = spreads_of(run, names, wish.bands), shares_of(run, wish.statements)
        picture = _draw(run, names, wish) if wish.drawn else None
    note_broken(run)
    if as_json:
        told: dict[str, Any] = {"run": wish.path.stem, "path": str(wish.path), "figure": picture and str(picture)}
        told |= {
            "model": run.attrs["model"],
            "members": run.sizes[MEMBER],
            "not_finite": run.attrs["members_not_finite"],
        }
        told |= {"design": design.method, "seed": design.seed, "seconds": seconds, "members_made": made}
        print_json(told | {"headlines": [vars(each) for each in spreads], "shares": [vars(each) for each in shares]})
        return
    print_spreads(spreads, wish.bands, str(run[TIME].attrs.get("units", "")))
    print_shares(shares)
    speed = f" in {seconds:.3g} s, {made / seconds:,.0f} a second" if made else ", all of them there before"
    members = "1 member" if (made or design.count) == 1 else f"{made or design.count:,} members"
    click.echo(f"{members} ({design.method}, seed {design.seed}){speed}")
    click.echo(f"stored as {wish.path}")
    if picture:
        click.echo(f"drawn in {picture}")


def _draw(run: xr.Dataset, names: Sequence[str], wish: _Wish) -> Path:
    """The headlines as a figure beside the ensemble."""
    return draw_bands(
        {wish.path.stem: run},
        names,
        _picture(wish),
        bands=wish.bands,
        spaghetti=wish.spaghetti,
        logarithmic=wish.logarithmic,
        title=wish.path.stem,
        force=wish.force or wish.resume,
    )
