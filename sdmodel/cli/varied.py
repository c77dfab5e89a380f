"""Which constants a command varies, and between what: those of a group, of a `.vsc` file, or those that its user types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import click

from ..analysis import Factor
from ..errors import Fault, ScenarioError
from ..model import Model, key
from ..scenario import Distribution, Sampling, Variation, constant_cells, parted
from ..vensim import read_sampling, sampling_of_ranges
from .tables import note

_OPTION = "--free"
_BOUNDS = re.compile(r"(?P<name>.*)=(?P<low>[^=:]*):?(?P<high>[^=:]*)", re.DOTALL)
_GROUPS = {"levers": ("Policy levers",), "uncertainties": ("Uncertainties",), "all": ("Policy levers", "Uncertainties")}

file_option = click.option(
    "-e", "file", metavar="FILE.vsc", help="Constants with their distributions, as a sensitivity file has them."
)
free_option = click.option(
    "--free",
    "--lever",
    "free",
    multiple=True,
    metavar='"NAME[=LO:HI]"',
    help="A constant that varies, between its range in the model unless told.",
)
group_option = click.option(
    "--group",
    type=click.Choice(list(_GROUPS)),
    help="The constants of a group, between their ranges (default: uncertainties).",
)


def varied_sampling(model: Model, file: str | None, free: Sequence[str], group: str | None) -> Sampling:
    """What varies and how: as the file says, or evenly the constants that are typed, or those of a group."""
    if sum((file is not None, bool(free), group is not None)) > 1:
        message = f"-e, {_OPTION} and --group each say what varies; give one of them"
        raise click.UsageError(message)
    if file is not None:
        return read_sampling(file)
    return _typed(model, free) if free else _grouped(model, _GROUPS[group or "uncertainties"])


def note_outside(model: Model, factors: Sequence[Factor]) -> None:
    """Say which constants go beyond the range that the model declares for them, or do not hold the value that they have."""
    for each in factors:
        low, high = each.bounds
        declared = model.elements[each.cell.key].range
        least = -float("inf") if declared is None or declared.minimum is None else declared.minimum
        most = float("inf") if declared is None or declared.maximum is None else declared.maximum
        if low < least or high > most:
            odd, limit = (low, f"below {least:g}") if low < least else (high, f"above {most:g}")
            note(f"'{each.name}' goes to {odd:g}, outside its range in the model: {limit}")
        if not low <= each.value <= high:
            note(f"'{each.name}' is {each.value:g} where nothing moves, which is not between {low:g} and {high:g}")


def _typed(model: Model, texts: Sequence[str]) -> Sampling:
    """The constants that are typed, evenly between their bounds."""
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
    """`name`, `name=low:high` or `name[label]=low:high`."""
    match = _BOUNDS.fullmatch(text) if key(text) not in model.elements else None
    name, subscripts = parted(match["name"] if match else text)
    element = model.elements[constant_cells(model, name, subscripts, where=_OPTION)[0].key]
    declared = element.range
    try:
        ends = [float(match[each]) for each in ("low", "high")] if match else []
    except ValueError:
        what = f"'{text}' has bounds that are no numbers; write \"{name}=low:high\""
        raise ScenarioError([Fault(_OPTION, what)]) from None
    if not ends and declared is not None:
        ends = [each for each in (declared.minimum, declared.maximum) if each is not None]
    if len(ends) < 2:  # noqa: PLR2004 - a range has two ends
        what = f"'{element.name}' has no range [low,high] in the model; write {_OPTION} \"{name}=low:high\""
        raise ScenarioError([Fault(_OPTION, what)])
    low, high = ends
    if not low < high:
        what = (
            f"'{element.name}' goes from {low:g} to {high:g}; write the lower bound first, and a higher one behind it"
        )
        raise ScenarioError([Fault(_OPTION, what)])
    return Variation(name, subscripts, Distribution("RANDOM_UNIFORM", (low, high)))


def _grouped(model: Model, groups: Sequence[str]) -> Sampling:
    """The constants of some groups that have a range."""
    variations = [each for group in groups for each in _of_group(model, group)]
    if not variations:
        told = " or ".join(groups)
        what = f'no constant of a group {told} has a range; name some by {_OPTION} "name=low:high", or a file by -e'
        raise ScenarioError([Fault(model.path, what)])
    return Sampling("multivariate", variations=tuple(variations))


def _of_group(model: Model, group: str) -> Iterator[Variation]:
    try:
        yield from sampling_of_ranges(model, group=group).variations
    except ScenarioError:  # another group may have some
        return
