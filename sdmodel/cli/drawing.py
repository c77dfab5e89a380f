"""How a command's members are drawn: by a `.vsc` file, or evenly over the ranges of the uncertainties."""

from __future__ import annotations

import click

from ..model import Model
from ..scenario import Design, Sampling, Scenario, make_design
from ..vensim import read_sampling, sampling_of_ranges
from .tables import note

count_option = click.option(
    "-n", "count", type=click.IntRange(1), metavar="N", help="So many simulations instead of the file's."
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), metavar="S", help="Another seed than the file's; 0 draws a fresh one."
)
members_option = click.option(
    "-e", "file", metavar="FILE.vsc", help="Tell it of an ensemble too, whose constants this file draws."
)


def drawn_design(model: Model, file: str | None, *, count: int | None, seed: int | None, scenario: Scenario) -> Design:
    """The design of a `.vsc` file, or without one of the ranges in the group Uncertainties, which is told."""
    sampling = sampling_given(model, file)
    return make_design(model, sampling, count=count, seed=seed, scenario=scenario)


def sampling_given(model: Model, file: str | None) -> Sampling:
    """What a `.vsc` file says, or without one the ranges in the group Uncertainties, which is told."""
    if file:
        return read_sampling(file)
    sampling = sampling_of_ranges(model)
    count = len(sampling.variations)
    told = "1 constant" if count == 1 else f"{count} constants"
    rest = "is drawn evenly over its range" if count == 1 else "are drawn evenly over their ranges"
    note(f"{told} of the group Uncertainties {rest}")
    return sampling
