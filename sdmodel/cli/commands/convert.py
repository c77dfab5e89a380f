"""`sdmodel convert`: models from XMILE, and numbers in the files that other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import xarray as xr

from ...dataset import MEMBER, member_dims
from ...errors import Fault, ModelError, StoreError
from ...files import write_file
from ...model import Integrator
from ...reference import PYSD_NOTE, XMILE_ENDINGS, read_xmile
from ...store import EXPORT_ENDINGS, export_run, find_run, open_run
from ...vensim import read_scenario
from ..making import Order, changes_option, integrator_option, make_ordered, ordered_scenario, scenarios_option
from ..project import force_option, model_path, on_option, runs_folder, runs_option, scenario_path
from ..tables import note, patience

_MODELS = frozenset({".mdl", *XMILE_ENDINGS})


@click.command("convert", epilog='Example: sdmodel convert base -o base.csv --on "Installed Compute"')
@click.argument("source", required=False, metavar="[MODEL|RUN]")
@click.option(
    "-o", "output", required=True, metavar="FILE", help=f"A .mdl file, or one of {', '.join(EXPORT_ENDINGS)}."
)
@on_option("A variable to write (default: all)")
@click.option("--long", is_flag=True, help="In tables, a line for each number instead of a column for each cell.")
@click.option("--member", type=click.IntRange(0), metavar="N", help="Of an ensemble, this member alone.")
@scenarios_option
@changes_option
@integrator_option
@runs_option
@force_option
def command(
    source: str | None,
    output: str,
    names: tuple[str, ...],
    member: int | None,
    scenarios: tuple[str, ...],
    changes: tuple[str, ...],
    integrator: Integrator | None,
    folder: str | None,
    *,
    long: bool,
    force: bool,
) -> None:
    """Write a model in XMILE as a Vensim model, or the numbers of a run as a table, Vensim's .dat, netCDF or Zarr.

    Numbers are those of a stored run or ensemble, by its name or file, or of a model, which is run once for it. They are
    written to the last digit. A model in XMILE is read through PySD and refused where Vensim has no word for what it says.
    """
    target = Path(output)
    is_model = source is None or Path(source).suffix.lower() in _MODELS
    if target.suffix.lower() == ".mdl":
        _check_only_model(source, names=names, long=long, member=member)
        _write_model(Path(str(source)), target, force=force)
        return
    if target.suffix.lower() not in EXPORT_ENDINGS:
        message = (
            f"{target}: numbers go into {', '.join(EXPORT_ENDINGS)}, models into .mdl; choose one of these endings"
        )
        raise StoreError(message)
    if not is_model and (scenarios or changes or integrator):
        message = "-c, --set and --integrator go with a model; a stored run is as it is"
        raise click.UsageError(message)
    run = _run_of(source, scenarios, changes, integrator) if is_model else _stored(str(source), folder)
    run = run if member is None else _one(run, member)
    with patience(f"writing {target.name}"):
        export_run(run, target, names=names, long=long, force=force)
    click.echo(f"written to {target}")


def _check_only_model(source: str | None, *, names: Sequence[str], long: bool, member: int | None) -> None:
    """Make sure that a model is what is to be written as one."""
    if names or long or member is not None:
        message = "--on, --long and --member go with numbers; leave them out where a model is written"
        raise click.UsageError(message)
    if source is None or Path(source).suffix.lower() not in XMILE_ENDINGS:
        told = "`sdmodel expand` writes it without subscripts" if source is None or source.endswith(".mdl") else "name a model"  # fmt: skip
        what = f"only models in XMILE ({', '.join(sorted(XMILE_ENDINGS))}) become .mdl files; {told}"
        raise ModelError([Fault(source or "MODEL", what)])


def _write_model(source: Path, target: Path, *, force: bool) -> None:
    note(PYSD_NOTE)
    with patience(f"reading {source.name}"):
        model, notes = read_xmile(source)
    for each in notes:
        note(each)
    write_file(target, model.text.encode(), force=force, error=StoreError)
    click.echo(f"written to {target}: {len(model)} elements")


def _run_of(
    source: str | None, scenarios: Sequence[str], changes: Sequence[str], integrator: Integrator | None
) -> xr.Dataset:
    """A run of a model, made for this only."""
    read = tuple(read_scenario(scenario_path(each)) for each in scenarios)
    if source is None or Path(source).suffix.lower() == ".mdl":
        return make_ordered(Order(model_path(source), read, tuple(changes), integrator))
    from ...simulation import simulate

    note(PYSD_NOTE)
    model, notes = read_xmile(source)
    for each in notes:
        note(each)
    order = Order(Path(source), read, tuple(changes), integrator)
    with patience(f"running {source}"):
        return simulate(model, scenario=ordered_scenario(order), integrator=order.integrator)


def _stored(name: str, folder: str | None) -> xr.Dataset:
    return open_run(find_run(name, runs_folder(folder)))


def _one(run: xr.Dataset, member: int) -> xr.Dataset:
    """One member of an ensemble, as a run of its own."""
    dims = member_dims(run)
    if dims != (MEMBER,):
        message = "--member goes with an ensemble; this run has one set of numbers" if not dims else f"--member goes with an ensemble; this run varies along {', '.join(dims)}"  # fmt: skip
        raise StoreError(message)
    count = run.sizes[MEMBER]
    if member >= count:
        message = f"--member {member}: there are members 0 to {count - 1}; choose one of them"
        raise StoreError(message)
    return run.isel({MEMBER: member}).drop_vars(MEMBER, errors="ignore")
