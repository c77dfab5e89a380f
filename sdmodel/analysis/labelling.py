"""From numbers without labels to a dataset of attributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison import MEASURES, first_in_rank, quantiles
from ..dataset import MEMBER, long_name, make_run
from ..model import Cell, Element, Model, bindings, labels_of
from .game import Game
from .gathering import Sums
from .terms import BASELINE, DIFFERENCE, ERROR, INTERACTION, LEVER, MEASURE, OTHER, RANK, SCENARIO, SPREAD, beside

Numbers = NDArray[np.float64]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over members that are kept."""


def cells_of(model: Model, element: Element) -> list[Cell | None]:
    """The cells of a variable row by row, none where it is not defined."""
    defined = {
        Cell(element.key, labels)
        for equation in element.equations
        for labels, _ in bindings(model.subscripts, equation)
    }
    axes = [labels_of(model.subscripts, each) for each in element.dimensions]
    cells = (Cell(element.key, labels) for labels in product(*axes))
    return [cell if cell in defined else None for cell in cells]


def with_labels(game: Game, elements: Sequence[Element], sums: Sums) -> xr.Dataset:
    """Everything by name: the variables of a model and what stands beside each, with their dimensions and units."""
    levers = [lever.name for lever in game.levers]
    axes: dict[str, dict[str, Any]] = {
        "": {MEASURE: list(MEASURES), LEVER: levers},
        BASELINE: {},
        SCENARIO: {},
        INTERACTION: {LEVER: levers, OTHER: levers},
        ERROR: {LEVER: levers},
    }
    means = {what: sums.mean(what or MEASURE) for what in axes if (what or MEASURE) in sums.means}
    if ERROR in means:
        means[ERROR] = np.sqrt(means[ERROR])
    parts = [_named(_made(game, elements, values, axes[what]), what) for what, values in means.items()]
    if sums.members:
        spread, difference = sums.members[SPREAD], sums.members[DIFFERENCE]
        ranks = np.moveaxis(first_in_rank(np.moveaxis(spread, -1, 0)), 0, -1)
        parts.append(_named(_made(game, elements, np.nanmean(ranks, axis=2), {LEVER: levers}), RANK, units="dmnl"))
        members = np.arange(game.members)
        for what, values, dims in (
            (SPREAD, np.moveaxis(spread, 2, -1), {LEVER: levers, MEMBER: members}),
            (DIFFERENCE, difference, {MEMBER: members}),
        ):
            whole = _made(game, elements, values, dims)
            parts.append(_named(quantiles(whole, list(map(str, whole.data_vars)), LEVELS), what))
    return xr.merge([each.drop_attrs(deep=False) for each in parts], compat="equals", join="exact")


def _made(game: Game, elements: Sequence[Element], values: Numbers, dims: Mapping[str, Any]) -> xr.Dataset:
    """Numbers of shape (times, kept cells, dims) as a dataset by variable."""
    model, found, first = game.model, {}, 0
    for element in elements:
        grid = cells_of(model, element)
        known = [place for place, cell in enumerate(grid) if cell is not None]
        part = np.full((len(values), len(grid), *values.shape[2:]), np.nan)
        part[:, known] = values[:, first : first + len(known)]
        shape = [len(labels_of(model.subscripts, each)) for each in element.dimensions]
        found[element.key] = part.reshape(len(values), *shape, *values.shape[2:])
        first += len(known)
    return make_run(model, game.times, found, dims=dims)


def _named(dataset: xr.Dataset, what: str, *, units: str | None = None) -> xr.Dataset:
    """The same dataset with all variables named for what they tell."""
    if not what:
        return dataset
    for each in dataset.data_vars.values():
        each.attrs["long_name"] = beside(long_name(each), what).replace("_", " ")
        each.attrs |= {} if units is None else {"units": units}
    return dataset.rename({name: beside(str(name), what) for name in dataset.data_vars})
