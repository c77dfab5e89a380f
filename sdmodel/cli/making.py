"""How commands make a run: the model, its changes and the engine in, a dataset with its whole record out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import click
import xarray as xr

from ..model import Integrator, Model
from ..scenario import Scenario, merge
from ..vensim import read_change, read_savelist
from .project import model_read, savelist_beside
from .tables import note, patience
from .views.headlines import HEADLINES

Engine = Literal["native", "pysd"]

scenarios_option = click.option(
    "-c", "scenarios", multiple=True, metavar="FILE.cin", help="A change file; of several, the last one wins."
)
changes_option = click.option(
    "--set", "changes", multiple=True, metavar='"NAME=VALUE"', help="One change, after those of files."
)
integrator_option = click.option(
    "--integrator", type=click.Choice(["euler", "rk4"]), help="The default is what the model asks for."
)

_ODD = re.compile(r"[^\w .+()=,@-]+")
_LONGEST = 120
"""Bytes of a default name, which may get a number besides."""

NOT_FINITE = "not_finite"
"""The attribute of a run that tells where it stopped being finite."""


@dataclass(frozen=True)
class Order:
    """What run is wanted: a model file, scenarios, `name=value` changes, and how to compute it."""

    model: Path
    scenarios: tuple[Scenario, ...] = ()
    changes: tuple[str, ...] = ()
    integrator: Integrator | None = None
    engine: Engine = "native"
    save: tuple[str, ...] | None = None


def make_ordered(order: Order, constants: Mapping[str, Any] | None = None, *, model: Model | None = None) -> xr.Dataset:
    """The run that is ordered, with `constants` that vary over members, and everything in its attributes to repeat it.

    `model` is the model of the order, if it is read already.
    """
    model = model or model_read(order.model)
    scenario = ordered_scenario(order)
    with warnings.catch_warnings(record=True) as caught, patience(f"running {order.model.name}"):
        warnings.simplefilter("always")
        run = _engine_run(order, model, constants, scenario)
    for text in dict.fromkeys(str(each.message) for each in caught if issubclass(each.category, UserWarning)):
        if text != run.attrs.get(NOT_FINITE):
            note(text)
    return run.assign_attrs(record_of(order, model))


def ordered_scenario(order: Order) -> Scenario:
    """What the files and the typed changes of an order set, the typed ones last."""
    return merge((*order.scenarios, Scenario("", tuple(read_change(each) for each in order.changes))))


def default_name(order: Order) -> str:
    """What a run is called that its user did not name: after its scenarios, else after its model."""
    return plain_name("+".join(each.name for each in order.scenarios) or order.model.stem)


def plain_name(name: str) -> str:
    """A name for a file: without odd signs, and not too long to be numbered."""
    plain = _ODD.sub("-", name).strip(" .-") or "run"
    return plain.encode()[:_LONGEST].decode(errors="ignore")


def _engine_run(order: Order, model: Model, constants: Mapping[str, Any] | None, scenario: Scenario) -> xr.Dataset:
    """The run by the engine that was asked for."""
    if order.engine == "pysd":
        from ..reference import PYSD_NOTE, simulate_with_pysd

        note(PYSD_NOTE)
        return simulate_with_pysd(
            order.model, constants, scenario=scenario, integrator=order.integrator, save=order.save
        )
    from ..simulation import simulate

    return simulate(model, constants, scenario=scenario, integrator=order.integrator, save=order.save)


def record_of(order: Order, model: Model) -> dict[str, str]:
    """What the commands know of a run beyond what the engine does."""
    record = {
        "scenario": merge(order.scenarios).text,
        "scenario_name": "+".join(each.name for each in order.scenarios),
        "changes": "\n".join(order.changes),
        "engine": order.engine,
    }
    beside = savelist_beside(order.model)
    listed: Sequence[str] = read_savelist(beside) if beside else ()
    missing = [name for name in listed if name.partition("[")[0] not in model]
    if missing:
        note(f"{beside}: the model has no {', '.join(missing)}; correct the list of headlines")
    return record | {HEADLINES: "\n".join(name for name in listed if name not in missing)}


def integrator_of(run: xr.Dataset) -> Integrator:
    """The integrator a stored run was made with."""
    return cast("Integrator", str(run.attrs["integrator"]))
