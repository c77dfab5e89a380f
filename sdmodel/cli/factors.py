"""The constants that a sensitivity analysis varies, and their bounds: of a group, of a `.vsc` file, or given by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ..analysis import Factor
from ..errors import Fault, ScenarioError, format_count
from ..model import Model
from ..scenario import Distribution, Sampling, Scenario, Variation, constant_cells, plausible_ranges, range_violation
from ..vensim import plausible_file, plausible_sampling, read_bounds, read_sampling, sampling_of_ranges, split_levers
from .locations import sampling_path
from .options import Decorator, note_ranges, noted_default_sampling, noted_variation, option_group, vary_option
from .output import note

_OPTION = "--free"
_GROUPS = {"levers": ("Policy levers",), "uncertainties": ("Uncertainties",), "all": ("Uncertainties", "Policy levers")}


@dataclass(frozen=True)
class FactorOptions:
    """What varies: the constants of a `.vsc` file, those given by name, or those of a group, from the file beside the model."""

    file: str | None
    free: tuple[str, ...]
    group: str | None
    vary: float | None

    def sampling(self, model: Model, scenario: Scenario) -> Sampling:
        """The distributions of the constants: of a file, else of the file beside the model, else uniform over ranges."""
        if sum((self.file is not None, bool(self.free), self.group is not None, self.vary is not None)) > 1:
            message = f"-e, {_OPTION}, --group and --vary each choose what varies; give one of them"
            raise click.UsageError(message)
        if self.file is not None:
            return read_sampling(sampling_path(self.file, Path(model.path)))
        if self.vary is not None:
            return noted_variation(model, self.vary, scenario)
        if self.free:
            return _named(model, self.free)
        if self.group is None and plausible_file(model.path):
            return noted_default_sampling(model)
        return _grouped(model, self.group or "uncertainties")


def factor_options() -> Decorator:
    """-e, --free (--lever), --group and --vary as `factors`: FactorOptions."""
    return option_group(
        "factors",
        FactorOptions,
        click.option(
            "-e", "file", metavar="FILE.vsc", help="Constants with their distributions, in a sensitivity file."
        ),
        click.option(
            "--free",
            "--lever",
            "free",
            multiple=True,
            metavar='"NAME[=LO:HI]"',
            help="A constant to vary (default bounds: its range in the model); may be repeated.",
        ),
        click.option(
            "--group",
            type=click.Choice(list(_GROUPS)),
            help="Vary policy levers, all other constants, or both, as far as they are in MODEL.vsc beside the model "
            "(default: uncertainties); without it, over the ranges of the groups Policy levers and Uncertainties.",
        ),
        vary_option,
    )


def note_outside(model: Model, factors: Sequence[Factor]) -> None:
    """Note which constants leave the range declared in the model, or do not include their current value."""
    for factor in factors:
        low, high = factor.bounds
        outside = range_violation(model.elements[factor.cell.key], low, high)
        if outside:
            note(f"'{factor.name}' goes to {outside[0]:g}, outside its range in the model: {outside[1]}")
        if not low <= factor.value <= high:
            note(f"'{factor.name}' is {factor.value:g} at the baseline, which is not between {low:g} and {high:g}")


def _named(model: Model, texts: Sequence[str]) -> Sampling:
    variations: list[Variation] = []
    faults: list[Fault] = []
    for text in texts:
        try:
            variations.append(_variation(model, text))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return Sampling("multivariate", variations=tuple(variations))


def _variation(model: Model, text: str) -> Variation:
    """Read `name`, `name=low:high` or `name[label]=low:high`."""
    name, subscripts, bounds = read_bounds(text, _OPTION)
    element = model.elements[constant_cells(model, name, subscripts, where=_OPTION)[0].key]
    declared = element.range
    ends = list(bounds or ())
    if not ends and declared is not None:
        ends = [end for end in (declared.minimum, declared.maximum) if end is not None]
    if len(ends) < 2:  # noqa: PLR2004 - a range has two ends
        what = f"'{element.name}' has no range [low,high] in the model; write {_OPTION} \"{name}=low:high\""
        raise ScenarioError([Fault(_OPTION, what)])
    low, high = ends
    if not low < high:
        what = f"'{element.name}' goes from {low:g} to {high:g}; write a lower bound, then a higher one"
        raise ScenarioError([Fault(_OPTION, what)])
    return Variation(name, subscripts, Distribution("RANDOM_UNIFORM", (low, high)))


def _grouped(model: Model, group: str) -> Sampling:
    """The lines of a group in the file beside the model; without the file, the ranges of the group in the model."""
    beside = plausible_sampling(model)
    if beside is None:
        return _over_ranges(model, _GROUPS[group])
    uncertain, levers = split_levers(model, beside)
    lines = [*(uncertain.variations if uncertain and group != "levers" else ())]
    lines += _between_ends(model, levers) if levers and group != "uncertainties" else ()
    if not lines and beside.method != "file":
        what = f"it has no line for {'a policy lever' if group == 'levers' else 'an uncertain constant'}"
        raise ScenarioError([Fault(beside.path, f'{what}; add one, or name constants with {_OPTION} "name=low:high"')])
    note(f"{format_count(len(lines), 'constant')} from {beside.path}")
    return replace(beside, variations=tuple(lines))


def _between_ends(model: Model, levers: Sampling) -> Iterator[Variation]:
    """Levers, evenly between the ends of their plausible ranges: their values are a choice, so none is more likely."""
    for line in levers.variations:
        low, high = next(iter(plausible_ranges(model, replace(levers, variations=(line,))).values()))
        yield replace(line, distribution=Distribution("RANDOM_UNIFORM", (low, high)))


def _over_ranges(model: Model, groups: Sequence[str]) -> Sampling:
    variations = [variation for group in groups for variation in _variations_of_group(model, group)]
    if not variations:
        names = " or ".join(groups)
        what = f'no constant of the group {names} has a range; name some with {_OPTION} "name=low:high", or a file with -e, or vary all with --vary 20%'
        raise ScenarioError([Fault(model.path, what)])
    sampling = Sampling("multivariate", variations=tuple(variations))
    note_ranges(model, sampling, f"group{'s' * (len(groups) > 1)} {' and '.join(groups)}")
    return sampling


def _variations_of_group(model: Model, group: str) -> Iterator[Variation]:
    try:
        yield from sampling_of_ranges(model, group=group).variations
    except ScenarioError:  # another group may have some
        return
