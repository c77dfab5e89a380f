"""What a change of a model does to its headlines: both versions run, at a few dates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...dataset import TIME, has_variable
from ...errors import SdmodelError
from ...model import key
from ...numerals import number
from ...vensim import model_from_text, read_savelist
from ..project import savelist_beside
from ..revisions import Version
from ..tables import note, patience, print_table
from .headlines import HEADLINES, headline_lines, headline_names, round_times

_DATES = 4
_TINY = 0.001
_NOISE = 1e-12
"""A smaller share is the rounding of sums in another order."""


@dataclass(frozen=True)
class Effect:
    """A headline at a date in the old model and in the new one, in its own units."""

    name: str
    units: str
    time: float
    old: float
    new: float

    @property
    def differs(self) -> bool:
        """Whether the two numbers differ by more than rounding."""
        if math.isnan(self.old) or math.isnan(self.new):
            return math.isnan(self.old) != math.isnan(self.new)
        return abs(self.new - self.old) > _NOISE * max(abs(self.old), abs(self.new))

    @property
    def percent(self) -> float:
        """The difference in per cent of the old number, NaN where that is zero."""
        return 100 * (self.new - self.old) / abs(self.old) if self.old else math.nan


def effects_of(old: Version, new: Version, names: Mapping[str, str]) -> list[Effect] | None:
    """The headlines of two models at a few times that both have; None, with a note, where one of them does not run.

    `names` are old names by the keys of new ones.
    """
    before, after = _run(old), _run(new)
    if before is None or after is None:
        return None
    pairs = [(_old_name(name, names), name) for name in _wanted(old, new, after)]
    missing = [name for was, name in pairs if not has_variable(before, was)]
    if missing:
        note(f"only the new model has {', '.join(missing)}")
    places = _common(before[TIME].values, after[TIME].values)
    if not len(places[0]):
        note("the two models have no time in common, so that no numbers are compared")
        return None
    return list(_effects(before.isel({TIME: places[0]}), after.isel({TIME: places[1]}), pairs, missing))


def print_effects(effects: Sequence[Effect]) -> None:
    """The headlines that differ as a table, a row for each date, and how many do not."""
    names = list(dict.fromkeys(each.name for each in effects))
    differing = list(dict.fromkeys(each.name for each in effects if each.differs))
    if not differing:
        if names:
            dates = ", ".join(dict.fromkeys(f"{each.time:.10g}" for each in effects))
            note(f"all {len(names)} headlines are the same at {dates}")
        return
    click.echo()
    columns = {
        "headline": "fold",
        "units": "fold",
        "date": "right",
        "old": "right",
        "new": "right",
        "difference": "right",
    }
    print_table(columns, _rows([each for each in effects if each.name in differing]))
    if len(names) > len(differing):
        note(f"{len(names) - len(differing)} of {len(names)} headlines are the same")


def _rows(effects: Sequence[Effect]) -> Iterator[list[str]]:
    before = ""
    for each in effects:
        head = [each.name, each.units] if each.name != before else ["", ""]
        numbers = number(each.old, each.units), number(each.new, each.units)
        yield [*head, f"{each.time:.10g}", *numbers, _share(each)]
        before = each.name


def _share(effect: Effect) -> str:
    """The difference in per cent, as far as a reader cares for its digits."""
    if not effect.differs or math.isnan(effect.percent):
        return "" if effect.differs else "same"
    return f"{effect.percent:+.3g} %" if abs(effect.percent) >= _TINY else f"under {_TINY} %"


def _run(version: Version) -> xr.Dataset | None:
    """The run of a model, or none with a note that tells why."""
    from ...simulation import simulate

    try:
        with warnings.catch_warnings(), patience(f"running {version.name}"):
            warnings.simplefilter("ignore")
            return simulate(model_from_text(version.content, version.name))
    except SdmodelError as fault:
        first = str(fault).splitlines()[0]
        note(f"{version.name} does not run, so that no numbers are compared: {first}")
        return None


def _old_name(name: str, names: Mapping[str, str]) -> str:
    """What a headline was called, with its label."""
    plain, bracket, label = name.partition("[")
    return f"{names.get(key(plain), plain)}{bracket}{label}"


def _wanted(old: Version, new: Version, run: xr.Dataset) -> list[str]:
    """The headlines in the save list beside the new model, else beside the old one, else the stocks."""
    beside = savelist_beside(new.path) or savelist_beside(old.path)
    listed = read_savelist(beside) if beside else ()
    return list(headline_names(run.assign_attrs({HEADLINES: "\n".join(listed)})))


def _common(old: NDArray[np.float64], new: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where a few round times that both runs have stand in each of them."""
    times, before, after = np.intersect1d(np.round(old, 9), np.round(new, 9), return_indices=True)
    chosen = round_times(times, _DATES) if len(times) else np.zeros(0, np.intp)
    return before[chosen], after[chosen]


def _effects(
    before: xr.Dataset, after: xr.Dataset, pairs: Sequence[tuple[str, str]], missing: Sequence[str]
) -> Iterator[Effect]:
    for was, name in pairs:
        if name in missing:
            continue
        old = {_label(line.name): line for line in headline_lines(before, [was], quiet=True)}
        for line in headline_lines(after, [name], quiet=True):
            if partner := old.get(_label(line.name)):
                for time, one, other in zip(line.times, partner.values, line.values, strict=True):
                    yield Effect(line.name, line.units, time, one, other)


def _label(name: str) -> str:
    return name.partition("[")[2]
