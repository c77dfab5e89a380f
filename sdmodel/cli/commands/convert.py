"""`sdmodel convert` and `expand`: models between Vensim and XMILE, runs to other formats, and models without subscripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import Fault, ModelError, StoreError, format_count
from ...files import read_bytes, write_file
from ...model import data_gaps, lay_out, missing_data, without_subscripts
from ...reading import is_xmile, model_from_text, read_sketch, read_xmile
from ...store import EXPORT_ENDINGS, export_run, find_run, open_run
from ...vensim import mdl_text
from ...xmile import XMILE_ENDINGS, xmile_text
from ..locations import given_encoding, load_model, model_path, runs_folder
from ..options import (
    RunOptions,
    changes_option,
    force_option,
    integrator_option,
    model_argument,
    model_data_options,
    on_option,
    option_group,
    runs_option,
    scenarios_option,
)
from ..output import busy, note
from ..requests import make_run

if TYPE_CHECKING:
    import xarray as xr

_NAMES_SHOWN = 5


@click.command("convert", epilog='Example: sdmodel convert base -o base.csv --on "Installed Compute"')
@click.argument("source", required=False, metavar="[MODEL|RUN]")
@click.option(
    "-o", "output", required=True, metavar="FILE", help=f"A .mdl or .stmx file, or one of {', '.join(EXPORT_ENDINGS)}."
)
@on_option("A variable to write (default: all)")
@click.option("--long", is_flag=True, help="In tables, write one line per number instead of one column per cell.")
@click.option("--member", type=click.IntRange(0), metavar="N", help="Write only this member of an ensemble.")
@option_group("run_from", RunOptions, scenarios_option, changes_option, integrator_option)
@model_data_options
@runs_option
@force_option
def convert(
    *,
    source: str | None,
    output: str,
    names: tuple[str, ...],
    long: bool,
    member: int | None,
    run_from: RunOptions,
    folder: str | None,
    force: bool,
) -> None:
    """Write a model for another program, or the numbers of a run as a table, Vensim's .dat, netCDF or Zarr.

    A model in XMILE (.stmx, .xmile) becomes a Vensim model (.mdl), and a Vensim model one in XMILE that Stella and Simlin open,
    with its diagram, units, ranges, groups and comments. What the other program does not have is listed.

    The numbers come from a stored run or ensemble, given by name or file, or from a model, which is run once. They are
    written to the last digit.
    """
    target = Path(output)
    is_model = source is None or Path(source).suffix.lower() in (".mdl", *XMILE_ENDINGS)
    if target.suffix.lower() in (".mdl", *XMILE_ENDINGS):
        if names or long or member is not None:
            message = "--on, --long and --member are for numbers; leave them out to write a model"
            raise click.UsageError(message)
        _write_model(source, target, force=force)
        return
    if target.suffix.lower() not in EXPORT_ENDINGS:
        cure = f"numbers go into {', '.join(EXPORT_ENDINGS)}, models into .mdl, .stmx and .xmile"
        message = f"{target}: unknown format; {cure}"
        raise StoreError(message)
    if not is_model and (run_from.scenarios or run_from.changes or run_from.integrator):
        message = "-c, --set and --integrator are for a model; a stored run cannot be changed"
        raise click.UsageError(message)
    run = _run_model(source, run_from) if is_model else open_run(find_run(str(source), runs_folder(folder)))
    run = run if member is None else _one_member(run, member)
    with busy(f"writing {target.name}"):
        export_run(run, target, names=names, long=long, force=force)
    click.echo(f"written to {target}")


def _write_model(source: str | None, target: Path, *, force: bool) -> None:
    path = model_path(source)
    to_xmile = target.suffix.lower() in XMILE_ENDINGS
    with busy(f"reading {path.name}"):
        content = read_bytes(path, error=ModelError, wanted="the model")
        from_xmile = is_xmile(content, str(path))
        if not from_xmile and not to_xmile:
            what = "is a Vensim model already; `sdmodel expand` writes a Vensim model without subscripts"
            raise ModelError([Fault(str(path), what)])
        model, notes = read_xmile(path) if from_xmile else (load_model(path), ())
        try:
            views = read_sketch(path, encoding=None if from_xmile else given_encoding()).views
        except ModelError as error:  # such as a version of the format that nobody reads today
            views, notes = (), (*notes, f"{error.faults[0]}; the diagram is left out")
    with busy(f"writing {target.name}"):
        if to_xmile:
            written = xmile_text(model, views)
            text, notes = written.text, (*notes, *written.notes)
        else:
            text = mdl_text(model, views)
        count = len([element for element in model_from_text(text, str(target)) if not element.hidden])
        write_file(target, text.encode(), force=force, error=StoreError)
    for line in notes:
        note(line)
    click.echo(f"written to {target}: {format_count(count, 'element')}")


def _run_model(source: str | None, run_from: RunOptions) -> xr.Dataset:
    return make_run(replace(run_from, model=source).request())


def _one_member(run: xr.Dataset, member: int) -> xr.Dataset:
    from ...dataset import MEMBER, member_dims

    dims = member_dims(run)
    if dims != (MEMBER,):
        reason = f"this run varies along {', '.join(dims)}" if dims else "this is a single run"
        message = f"--member is for an ensemble; {reason}"
        raise StoreError(message)
    count = run.sizes[MEMBER]
    if member >= count:
        message = f"--member {member}: there are members 0 to {count - 1}; choose one of them"
        raise StoreError(message)
    return run.isel({MEMBER: member}).drop_vars(MEMBER, errors="ignore")


@click.command("expand", epilog="Example: sdmodel expand -o ai_compute-ple.mdl")
@model_argument
@click.option("-o", "output", required=True, metavar="FILE.mdl", help="The file to write.")
@click.option("--no-layout", is_flag=True, help="Write no diagrams, which takes less time.")
@force_option
def expand(*, model: str | None, output: str, no_layout: bool, force: bool) -> None:
    """Write a model in which every cell of an array is a variable of its own, for programs without subscripts.

    `price[chat]` becomes `price chat`. Sums and similar functions over a range are written out, and so are macros; units,
    ranges, comments and groups stay. The numbers are the same to the last digit. Diagrams get a new layout, one per group,
    in parts of at most sixty variables.
    """
    target = Path(output)
    if target.suffix.lower() != ".mdl":
        message = f"{target}: a Vensim model is written; choose a name that ends in .mdl"
        raise StoreError(message)
    path = model_path(model)
    with busy(f"writing {path.name} without subscripts"):
        whole = load_model(path)
        if faults := [*missing_data(whole), *data_gaps(whole)]:
            raise ModelError(faults)
        scalars = without_subscripts(whole)
        text = mdl_text(scalars.model, () if no_layout else lay_out(scalars.model))
        written = model_from_text(text, str(target))
        write_file(target, text.encode(), force=force, error=StoreError)
    if scalars.renamed:
        names = ", ".join(f"'{name}'" for name in scalars.renamed[:_NAMES_SHOWN])
        note(f"{format_count(len(scalars.renamed), 'name')} numbered, since taken: {names}")
    click.echo(f"written to {target}: {format_count(len(written), 'variable')}, none with subscripts")
