"""The constants that a calibration may change, and their priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ..inference import ExtraConstants, Parameter, Series, extra_constants, free_constants, unused_priors
from ..model import Model, references_in, split_reference
from ..scenario import Scenario
from ..vensim import read_optimisation, read_sampling
from .locations import sampling_path
from .options import Decorator, option_group
from .output import note


@dataclass(frozen=True)
class FreedomOptions:
    """Which constants are free, and their priors."""

    free: tuple[str, ...]
    optimisation: str | None
    prior: str | None

    def constants(self, model: Model, scenario: Scenario, series: Sequence[Series]) -> tuple[Parameter, ...]:
        """The constants that are free; noted where the user does not name them."""
        control = read_optimisation(self.optimisation) if self.optimisation else None
        if control is not None and control.settings:
            note(f"{self.optimisation}: settings of Vensim's optimiser are ignored: {', '.join(control.settings)}")
        moving = {split_reference(reference)[0] for one in series for reference in references_in(one.model)}
        prior = read_sampling(sampling_path(self.prior, Path(model.path))) if self.prior else None
        listed = control.free if control else ()
        found = free_constants(model, self.free, listed=listed, prior=prior, scenario=scenario, moving=moving)
        unused = unused_priors(model, prior, found) if prior else []
        if unused:
            note(f"{self.prior}: priors of constants that are not free are not used: {', '.join(unused)}")
        if not self.free and control is None:
            note(f"free by default: {', '.join(constant.name for constant in found)}")
        return found


def constants_beyond(model: Model, free: Sequence[Parameter], file: str | None, equal: Sequence[str]) -> ExtraConstants:
    """What members hold besides the free constants; notes name those of the sensitivity file that are free."""
    sampling = read_sampling(sampling_path(file, Path(model.path))) if file else None
    found = extra_constants(model, free, sampling, equal)
    if found.left_to_posterior:
        note(f"{file}: these are free, so the posterior draws them: {', '.join(found.left_to_posterior)}")
    return found


def freedom_options() -> Decorator:
    """--free, --free-from and --prior as `freedom`: FreedomOptions."""
    return option_group(
        "freedom",
        FreedomOptions,
        click.option(
            "--free",
            multiple=True,
            metavar='"NAME[=LO:HI]"',
            help="A constant to calibrate, within its range in the model unless bounds are given; may be repeated "
            "(default: those with a prior, else those of the group Uncertainties that a series depends on).",
        ),
        click.option(
            "--free-from",
            "optimisation",
            metavar="FILE.voc",
            help="Calibrate the constants of a Vensim optimisation file.",
        ),
        click.option(
            "--prior", metavar="FILE.vsc", help="Prior distributions, in a sensitivity file (default: uniform)."
        ),
    )
