"""Levers and their plausible ranges: of the sensitivity file beside a model, of sliders, or given."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import AnalysisError, Fault, ScenarioError, list_some
from ..model import Cell, Model, cell_name, join_name, split_name
from ..scenario import constant_cells, find_levers, plausible_ranges, range_violation
from ..simulation import RunWarning
from ..vensim import plausible_sampling

Group = Literal["levers", "uncertainties", "all"]

_KINDS: Mapping[Group, tuple[str, ...]] = {
    "levers": ("policy lever",),
    "uncertainties": ("uncertainty",),
    "all": ("policy lever", "uncertainty"),
}


@dataclass(frozen=True)
class LeverRange:
    """A lever and its plausible range: `low` and `high` have one number per cell, in its units.

    `source` says where the range comes from: the sensitivity file beside the model, the range of the slider in the model, or
    the user.
    """

    name: str
    units: str
    cells: tuple[Cell, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    source: Literal["file", "slider", "given"]


def lever_ranges(
    model: Model, levers: Mapping[str, tuple[float, float] | None] | None, group: Group
) -> tuple[LeverRange, ...]:
    """Return levers with their plausible ranges: those that are named, or else those of a group that have a range."""
    sampling = plausible_sampling(model)
    plausible = {} if sampling is None else plausible_ranges(model, sampling)
    found: list[LeverRange] = []
    faults: list[Fault] = []
    for name, bounds in (levers or dict.fromkeys(_names_of(model, group))).items():
        try:
            lever = _lever_range(model, name, bounds, plausible)
        except ScenarioError as error:
            faults += error.faults
            continue
        again = next((other for other in found if set(other.cells) & set(lever.cells)), None)
        if again:
            faults.append(Fault("--lever", f"'{lever.name}' is part of '{again.name}' too; keep one of the two"))
        found.append(lever)
    if levers and faults:
        raise ScenarioError(dict.fromkeys(faults))
    if not found:
        cure = 'name levers with their bounds, as in --lever "name=0:1", or rank every constant with --vary 20%'
        message = f"{model.path}: has no {' or '.join(_KINDS[group])} with a range; {cure}"
        raise AnalysisError(message)
    if faults:
        message = f"not ranked: {'; '.join(fault.what for fault in faults)}"
        warnings.warn(message, RunWarning, stacklevel=4)
    _warn_of_sliders(found, None if sampling is None else sampling.path)
    return tuple(found)


def _names_of(model: Model, group: Group) -> list[str]:
    levers = find_levers(model)
    kinds = ("constant",) if levers and all(lever.kind == "constant" for lever in levers) else _KINDS[group]
    return [lever.name for lever in levers if lever.kind in kinds]


def _lever_range(
    model: Model,
    text: str,
    bounds: tuple[float, float] | None,
    plausible: Mapping[Cell, tuple[float, float]],
) -> LeverRange:
    name, labels = split_name(text, model.elements)
    cells = tuple(constant_cells(model, name, labels, where="--lever"))
    element = model.elements[cells[0].key]
    shown = cell_name(model, cells[0]) if labels and len(cells) == 1 else join_name(element.name, labels)
    slider = element.range
    source: Literal["file", "slider", "given"]
    if bounds is not None:
        ends, source = [bounds] * len(cells), "given"
    elif all(cell in plausible for cell in cells):
        ends, source = [plausible[cell] for cell in cells], "file"
    elif slider is not None and slider.minimum is not None and slider.maximum is not None:
        ends, source = [(slider.minimum, slider.maximum)] * len(cells), "slider"
    else:
        what = f"'{shown}' has no plausible range and no range in the model; write --lever \"{shown}=low:high\""
        raise ScenarioError([Fault("--lever", what)])
    if any(not low < high for low, high in ends):
        low, high = next(pair for pair in ends if not pair[0] < pair[1])
        what = f"'{shown}' goes from {low:g} to {high:g}; write a lower bound, then a higher one"
        raise ScenarioError([Fault("--lever", what)])
    lows, highs = zip(*ends, strict=True)
    outside = range_violation(element, min(lows), max(highs))
    if outside:
        message = f"'{shown}' goes to {outside[0]:g}, outside its range in the model: {outside[1]}"
        warnings.warn(message, RunWarning, stacklevel=5)
    return LeverRange(shown, element.units, cells, lows, highs, source)


def _warn_of_sliders(levers: Sequence[LeverRange], path: str | None) -> None:
    names = [f"'{lever.name}'" for lever in levers if lever.source == "slider"]
    if not names:
        return
    why = "no file of plausible ranges beside the model" if path is None else f"no line in {path}"
    which = "all levers" if len(names) == len(levers) else list_some(names)
    warnings.warn(f"{which}: {why}, so the ends of the sliders count, plausible or not", RunWarning, stacklevel=4)
