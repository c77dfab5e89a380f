"""Members of an ensemble that fits the past: posterior draws, with the constants that the calibration did not free."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, ScenarioError
from ..model import Cell, Model, cell_name
from ..scenario import (
    Design,
    Distribution,
    Sampling,
    SamplingMethod,
    Variation,
    constant_cells,
    make_design,
    split_name,
)
from ..vensim import sampling_text
from .diagnostics import Posterior
from .parameters import Parameter
from .posterior import posterior_draws

_EQUAL = "--equal"
_SIDE = r'((?:"(?:[^"\\]|\\.)*"|[^"=])+)'
_EQUALITY = re.compile(rf"{_SIDE}={_SIDE}", re.DOTALL)
_HYPERCUBE: SamplingMethod = "latin hypercube"


@dataclass(frozen=True, slots=True)
class Equality:
    """A constant that has the value of a free one in every member."""

    cell: Cell
    source: Cell


@dataclass(frozen=True)
class ExtraConstants:
    """The constants of a member besides its posterior draw: those `sampled` independently, and those `equal` to free ones.

    `left_to_posterior` names the constants of the sensitivity file that are free, so that the posterior decides them. `path`
    and `text` are the file's.
    """

    sampled: tuple[Variation, ...] = ()
    equal: tuple[Equality, ...] = ()
    left_to_posterior: tuple[str, ...] = ()
    path: str = ""
    text: str = ""


def extra_constants(
    model: Model, parameters: Sequence[Parameter], sampling: Sampling | None = None, equalities: Iterable[str] = ()
) -> ExtraConstants:
    """Return what a sensitivity file samples besides the free constants, and what `equalities` (`name=free name`) tie to them.

    Raises
    ------
    ScenarioError
        If a name is not a constant, an equality refers to a constant that is not free, or a constant would have two values;
        every such case is listed.
    """
    free = {parameter.cell for parameter in parameters}
    faults: list[Fault] = []
    sampled, left = _sampled(model, free, sampling, faults)
    equal: dict[Cell, Cell] = {}
    for text in equalities:
        try:
            pairs = _pairs(model, text)
        except ScenarioError as error:
            faults += error.faults
            continue
        for cell, source in pairs:
            wrong = _wrong(model, (cell, source), free, equal, sampled, sampling)
            if wrong:
                faults.append(Fault(_EQUAL, wrong))
            equal[cell] = source
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    ties = tuple(Equality(cell, source) for cell, source in equal.items())
    path, text = (sampling.path, sampling.text) if sampling else ("", "")
    extra = ExtraConstants(tuple(sampled.values()), ties, tuple(cell_name(model, cell) for cell in left), path, text)
    if extra.sampled:
        _hypercube(model, extra, 1, 1)  # reports what cannot be sampled before any work
    return extra


def ensemble_samples(
    model: Model, parameters: Sequence[Parameter], posterior: Posterior, extra: ExtraConstants, *, count: int, seed: int
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the members' constants: names as in a file of samples, and values, shape (members, names), in their units.

    There are as many members as posterior draws, at most `count`. The other sampled constants form a Latin hypercube of
    that many members, seeded with `seed`.
    """
    values = posterior_draws(posterior.chain, posterior.burn, count)
    places = {parameter.cell: place for place, parameter in enumerate(parameters)}
    names = [_column_name(model, parameter.cell) for parameter in parameters]
    names += [_column_name(model, equality.cell) for equality in extra.equal]
    parts = [values, values[:, [places[equality.source] for equality in extra.equal]]]
    if extra.sampled:
        design = _hypercube(model, extra, len(values), seed)
        names += design.names
        parts.append(design.values(0, design.count).T)
    return names, np.concatenate(parts, axis=1)


def extra_record(model: Model, extra: ExtraConstants, seed: int) -> dict[str, Any]:
    """Return what a record says about the extra constants: their distributions, seed and equalities."""
    record: dict[str, Any] = {}
    if extra.path:
        lines = sampling_text(Sampling(_HYPERCUBE, variations=extra.sampled)).splitlines()[1:]
        digest = hashlib.sha256(extra.text.encode()).hexdigest()
        record["beyond"] = {
            "file": extra.path, "sha256": digest, "method": _HYPERCUBE, "seed": max(seed, 1), "drawn": lines,
            "left_to_the_posterior": list(extra.left_to_posterior),
        }  # fmt: skip
    if extra.equal:
        record["equal"] = {
            cell_name(model, equality.cell): cell_name(model, equality.source) for equality in extra.equal
        }
    return record


def _hypercube(model: Model, extra: ExtraConstants, count: int, seed: int) -> Design:
    """Make the design of the independently sampled constants; seed 0 would mean a random one."""
    return make_design(model, Sampling(_HYPERCUBE, count, max(seed, 1), extra.sampled, path=extra.path))


def _sampled(
    model: Model, free: set[Cell], sampling: Sampling | None, faults: list[Fault]
) -> tuple[dict[Cell, Variation], list[Cell]]:
    """Return the variations of a file by cell, without the free cells, and the free cells."""
    sampled: dict[Cell, Variation] = {}
    left: list[Cell] = []
    if sampling is None:
        return sampled, left
    if not sampling.variations:
        what = "samples no constant from a distribution; write lines such as 'constant = RANDOM_UNIFORM(min,max)'"
        faults.append(Fault(sampling.path or "--beyond", what))
    for variation in sampling.variations:
        if not isinstance(variation.distribution, Distribution):
            what = f"'{variation.name}' takes steps, from which no member can be sampled; use RANDOM_UNIFORM instead of VECTOR"
            faults.append(Fault(variation.place, what))
        try:
            cells = constant_cells(model, variation.name, variation.subscripts, where=variation.place)
        except ScenarioError as error:
            faults += error.faults
            continue
        repeated = (cell_name(model, cell) for cell in cells if cell in sampled)
        faults += [Fault(variation.place, f"'{name}' is sampled twice; keep one of its lines") for name in repeated]
        left += [cell for cell in cells if cell in free]
        sampled |= {cell: replace(variation, subscripts=cell.labels) for cell in cells if cell not in free}
    return sampled, left


def _pairs(model: Model, text: str) -> list[tuple[Cell, Cell]]:
    """Return the pairs of cells that `name=free name` makes equal: one by one, or all to the only one on the right."""
    match = _EQUALITY.fullmatch(text)
    if match is None or not all(map(str.strip, match.groups())):
        what = (
            f"'{text:.60}' is not an equality; write \"constant=free constant\", with labels in brackets if it has any"
        )
        raise ScenarioError([Fault(_EQUAL, what)])
    sides: list[list[Cell]] = []
    faults: list[Fault] = []
    for side in match.groups():
        try:
            sides.append(constant_cells(model, *split_name(side), where=_EQUAL))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    left, right = sides
    if len(right) == 1:
        return [(cell, right[0]) for cell in left]
    if [cell.labels for cell in left] != [cell.labels for cell in right]:
        what = f"'{text:.60}' has different labels on the left and on the right; write labels on both sides"
        raise ScenarioError([Fault(_EQUAL, what)])
    return list(zip(left, right, strict=True))


def _wrong(
    model: Model,
    pair: tuple[Cell, Cell],
    free: set[Cell],
    equal: dict[Cell, Cell],
    sampled: dict[Cell, Variation],
    sampling: Sampling | None,
) -> str:
    """Say why one constant cannot be equal to another."""
    name, source = (cell_name(model, cell) for cell in pair)
    if pair[0] in free:
        return f"'{name}' is free itself; leave out this equality, or do not free it"
    if pair[0] in equal:
        return f"'{name}' is already equal to another constant; keep one of the two"
    if pair[0] in sampled:
        where = sampling.path if sampling else "the file"
        return f"'{name}' is sampled by {where}; remove it there, or leave out this equality"
    if pair[1] not in free:
        return f"'{source}', the constant that '{name}' should equal, is not free; free it, or name one that is"
    return ""


def _column_name(model: Model, cell: Cell) -> str:
    """Write a constant as in the first row of a file of samples: quoted if its name contains special characters."""
    name, labels = cell_name(model, Cell(cell.key)), [model.labels.get(label, label) for label in cell.labels]
    if set(name) & set('[],="'):
        name = '"' + name.replace('"', '\\"') + '"'
    return f"{name}[{','.join(labels)}]" if labels else name
