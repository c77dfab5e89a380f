"""Runs that are made to look for faults: whatever they complain of is told as findings, not as warnings."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from ..model import Cell, Integrator, Model

_BROKEN = re.compile(r"'(?P<name>.+?)(?:\[[^\]]*\])?' is not finite from time (?P<time>\S+);")


def simulated(
    model: Model,
    constants: Mapping[str, Any] | None = None,
    *,
    integrator: Integrator | None = None,
    save: Iterable[str] | None = None,
) -> xr.Dataset:
    """A run without its warnings; the machinery is loaded only where something is run."""
    from ..simulation import RunWarning, simulate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunWarning)
        return simulate(model, constants, integrator=integrator, save=save)


def quoted(model: Model, cell: Cell) -> str:
    """A cell's name as constants are set by it, whatever characters are in it."""
    name = model.elements[cell.key].name.replace('"', '\\"')
    labels = ", ".join(model.labels.get(label, label) for label in cell.labels)
    return f'"{name}"[{labels}]' if labels else f'"{name}"'


def first_broken(run: xr.Dataset) -> tuple[str, float] | None:
    """The name of what first is not finite in a run of one member, and from when; none if nothing is known to be."""
    said = _BROKEN.search(str(run.attrs.get("not_finite", "")))
    return (said["name"], float(said["time"])) if said else None
