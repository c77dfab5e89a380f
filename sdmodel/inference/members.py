"""The members of an ensemble that fits the past: draws of a posterior, with what acts only later and what stays equal."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault, ScenarioError
from ..model import Cell, Model, spell
from ..scenario import Design, Distribution, Method, Sampling, Variation, constant_cells, make_design
from ..vensim import sampling_text
from .diagnostics import Posterior
from .parameters import Parameter
from .posterior import draws

_EQUAL = "--equal"
_SIDE = r'\s*("(?:[^"\\]|\\.)*"|[^"\[\]=]+?)\s*(?:\[([^\]=]*)\])?\s*'
_EQUALITY = re.compile(rf"{_SIDE}={_SIDE}", re.DOTALL)
_HYPERCUBE: Method = "latin hypercube"


@dataclass(frozen=True, slots=True)
class Equality:
    """A constant whose value in a member is that of a free one."""

    cell: Cell
    source: Cell


@dataclass(frozen=True)
class Beyond:
    """What a member has besides its draw of the posterior: constants `drawn` for themselves, and those `equal` to free ones.

    `left` names the constants of the file that are free, whose values the posterior tells. `path` and `text` are the file's.
    """

    drawn: tuple[Variation, ...] = ()
    equal: tuple[Equality, ...] = ()
    left: tuple[str, ...] = ()
    path: str = ""
    text: str = ""


def constants_beyond(
    model: Model, parameters: Sequence[Parameter], sampling: Sampling | None = None, equalities: Iterable[str] = ()
) -> Beyond:
    """What a sensitivity file draws beside the free constants, and what `equalities`, each `name=free name`, tie to them.

    Raises
    ------
    ScenarioError
        With every name that is no constant, every equality with one that is not free, and every constant that would have
        two values.
    """
    free = {each.cell for each in parameters}
    faults: list[Fault] = []
    drawn, left = _drawn(model, free, sampling, faults)
    equal: dict[Cell, Cell] = {}
    for text in equalities:
        try:
            pairs = _pairs(model, text)
        except ScenarioError as error:
            faults += error.faults
            continue
        for one, other in pairs:
            wrong = _wrong(model, (one, other), free, equal, drawn, sampling)
            if wrong:
                faults.append(Fault(_EQUAL, wrong))
            equal[one] = other
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    ties = tuple(Equality(one, other) for one, other in equal.items())
    path, text = (sampling.path, sampling.text) if sampling else ("", "")
    found = Beyond(tuple(drawn.values()), ties, tuple(spell(model, each) for each in left), path, text)
    if found.drawn:
        _hypercube(model, found, 1, 1)  # what it cannot draw is told before any work
    return found


def samples_of(
    model: Model, parameters: Sequence[Parameter], posterior: Posterior, beyond: Beyond, *, count: int, seed: int
) -> tuple[list[str], NDArray[np.float64]]:
    """The members' constants: names as a file of samples has them, and values, shape (members, names), in their units.

    There are as many members as posterior draws, `count` if there are so many. What is drawn beside them is a Latin
    hypercube of that many, decided by `seed`.
    """
    values = draws(posterior.chain, posterior.burn, count)
    places = {each.cell: place for place, each in enumerate(parameters)}
    names = [_column(model, each.cell) for each in parameters]
    names += [_column(model, each.cell) for each in beyond.equal]
    parts = [values, values[:, [places[each.source] for each in beyond.equal]]]
    if beyond.drawn:
        design = _hypercube(model, beyond, len(values), seed)
        names += design.names
        parts.append(design.values(0, design.count).T)
    return names, np.concatenate(parts, axis=1)


def beyond_record(model: Model, beyond: Beyond, seed: int) -> dict[str, Any]:
    """What a record tells of the constants that are not the posterior's: what they are drawn from, and by which seed."""
    found: dict[str, Any] = {}
    if beyond.path:
        lines = sampling_text(Sampling(_HYPERCUBE, variations=beyond.drawn)).splitlines()[1:]
        digest = hashlib.sha256(beyond.text.encode()).hexdigest()
        found["beyond"] = {
            "file": beyond.path, "sha256": digest, "method": _HYPERCUBE, "seed": max(seed, 1), "drawn": lines,
            "left_to_the_posterior": list(beyond.left),
        }  # fmt: skip
    if beyond.equal:
        found["equal"] = {spell(model, each.cell): spell(model, each.source) for each in beyond.equal}
    return found


def _hypercube(model: Model, beyond: Beyond, count: int, seed: int) -> Design:
    """The design of the constants that are drawn for themselves; a seed of 0 would ask for a fresh one."""
    return make_design(model, Sampling(_HYPERCUBE, count, max(seed, 1), beyond.drawn, path=beyond.path))


def _drawn(
    model: Model, free: set[Cell], sampling: Sampling | None, faults: list[Fault]
) -> tuple[dict[Cell, Variation], list[Cell]]:
    """The variations of a file by cell, as far as these are not free, and the cells that are."""
    drawn: dict[Cell, Variation] = {}
    left: list[Cell] = []
    if sampling is None:
        return drawn, left
    if not sampling.variations:
        what = "draws no constant from a distribution; write lines such as 'constant = RANDOM_UNIFORM(min,max)'"
        faults.append(Fault(sampling.path or "--beyond", what))
    for each in sampling.variations:
        if not isinstance(each.distribution, Distribution):
            what = f"'{each.name}' takes steps, which no member can be drawn from; write a RANDOM_UNIFORM in place of VECTOR"
            faults.append(Fault(each.place, what))
        try:
            cells = constant_cells(model, each.name, each.subscripts, where=each.place)
        except ScenarioError as error:
            faults += error.faults
            continue
        twice = (cell for cell in cells if cell in drawn)
        faults += [Fault(each.place, f"'{spell(model, cell)}' is drawn twice; keep one line of it") for cell in twice]
        left += [cell for cell in cells if cell in free]
        drawn |= {cell: replace(each, subscripts=cell.labels) for cell in cells if cell not in free}
    return drawn, left


def _pairs(model: Model, text: str) -> list[tuple[Cell, Cell]]:
    """The cells that `name=free name` makes equal: one by one where both sides have as many, else all to the only one."""
    match = _EQUALITY.fullmatch(text)
    if match is None:
        what = f"'{text:.60}' is no equality; write \"constant=free constant\", with labels in brackets if it has some"
        raise ScenarioError([Fault(_EQUAL, what)])
    sides: list[list[Cell]] = []
    faults: list[Fault] = []
    for name, labels in ((match[1], match[2]), (match[3], match[4])):
        try:
            sides.append(constant_cells(model, name, labels.split(",") if labels else (), where=_EQUAL))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    ones, others = sides
    if len(others) not in {1, len(ones)} or (
        len(others) > 1 and [e.labels for e in ones] != [e.labels for e in others]
    ):
        what = f"'{text:.60}' has {len(ones)} elements on the left and others on the right; write labels on both sides"
        raise ScenarioError([Fault(_EQUAL, what)])
    return list(zip(ones, others * len(ones) if len(others) == 1 else others, strict=True))


def _wrong(
    model: Model,
    pair: tuple[Cell, Cell],
    free: set[Cell],
    equal: dict[Cell, Cell],
    drawn: dict[Cell, Variation],
    sampling: Sampling | None,
) -> str:
    """Why one constant cannot be equal to another, or nothing."""
    one, other = (spell(model, each) for each in pair)
    if pair[0] in free:
        return f"'{one}' is free itself; leave out this equality, or do not free it"
    if pair[0] in equal:
        return f"'{one}' is made equal to another constant already; keep one of the two"
    if pair[0] in drawn:
        where = sampling.path if sampling else "the file"
        return f"'{one}' is drawn by {where}; remove it there, or leave out this equality"
    if pair[1] not in free:
        return f"'{other}', which '{one}' is to equal, is not free; free it, or write one that is"
    return ""


def _column(model: Model, cell: Cell) -> str:
    """A constant as the first row of a file of samples names it: in quotes where its name has marks of its own."""
    name, labels = spell(model, Cell(cell.key)), [model.labels.get(label, label) for label in cell.labels]
    if set(name) & set('[],="'):
        name = '"' + name.replace('"', '\\"') + '"'
    return f"{name}[{','.join(labels)}]" if labels else name
