"""The effect of a change to a model on its headline variables: both versions run, at a few dates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...dataset import TIME, has_variable
from ...errors import SdmodelError
from ...model import join_name, key, split_name
from ...numerals import format_number
from ...reading import model_from_text
from ...vensim import read_savelist, save_list_of
from ..output import Part, Table, busy, note
from ..requests import HEADLINES
from ..revisions import Version
from .headlines import headline_lines, headline_names, round_times

_DATES = 4
_LEAST_PERCENT = 0.001
_ROUNDING = 1e-12
"""A smaller relative difference comes from rounding in another order of summation."""


@dataclass(frozen=True)
class Effect:
    """A headline variable at a date in the old model and in the new one."""

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
        return abs(self.new - self.old) > _ROUNDING * max(abs(self.old), abs(self.new))

    @property
    def percent(self) -> float:
        """The difference in per cent of the old number, NaN where that is zero."""
        return 100 * (self.new - self.old) / abs(self.old) if self.old else math.nan


def effects_of(old: Version, new: Version, names: Mapping[str, str]) -> list[Effect] | None:
    """The headline variables of two models at a few shared times; None, with a note, if one of them does not run.

    `names` maps keys of new names to old names.
    """
    before, after = _run(old), _run(new)
    if before is None or after is None:
        return None
    pairs = [(_old_name(name, names), name) for name in _headlines(old, new, after)]
    missing = [name for old_name, name in pairs if not has_variable(before, old_name)]
    if missing:
        note(f"only the new model has {', '.join(missing)}")
    places = _shared_places(before[TIME].values, after[TIME].values)
    if not len(places[0]):
        note("the two models have no time in common, so no numbers are compared")
        return None
    return list(_effects(before.isel({TIME: places[0]}), after.isel({TIME: places[1]}), pairs, missing))


def effect_parts(effects: Sequence[Effect]) -> Iterator[Part]:
    """The headline variables that differ, a row per date; a note counts the others."""
    names = list(dict.fromkeys(effect.name for effect in effects))
    differing = list(dict.fromkeys(effect.name for effect in effects if effect.differs))
    if not differing:
        if names:
            dates = ", ".join(dict.fromkeys(f"{effect.time:.10g}" for effect in effects))
            note(f"all {len(names)} headline variables are the same at {dates}")
        return
    yield ""
    columns = {"headline": "fold", "units": "fold"}
    columns |= dict.fromkeys(("date", "old", "new", "difference"), "right")
    yield Table(columns, list(_rows([effect for effect in effects if effect.name in differing])))
    if len(names) > len(differing):
        note(f"{len(names) - len(differing)} of {len(names)} headline variables are the same")


def _rows(effects: Sequence[Effect]) -> Iterator[list[str]]:
    before = ""
    for effect in effects:
        head = [effect.name, effect.units] if effect.name != before else ["", ""]
        numbers = format_number(effect.old, effect.units), format_number(effect.new, effect.units)
        yield [*head, f"{effect.time:.10g}", *numbers, _share(effect)]
        before = effect.name


def _share(effect: Effect) -> str:
    if not effect.differs or math.isnan(effect.percent):
        return "" if effect.differs else "same"
    return f"{effect.percent:+.3g} %" if abs(effect.percent) >= _LEAST_PERCENT else f"under {_LEAST_PERCENT} %"


def _run(version: Version) -> xr.Dataset | None:
    from ...simulation import simulate

    try:
        with warnings.catch_warnings(), busy(f"running {version.name}"):
            warnings.simplefilter("ignore")
            return simulate(model_from_text(version.content, version.name))
    except SdmodelError as error:
        first = str(error).splitlines()[0]
        note(f"{version.name} does not run, so no numbers are compared: {first}")
        return None


def _old_name(name: str, names: Mapping[str, str]) -> str:
    plain, labels = split_name(name)
    return join_name(names.get(key(plain), plain), labels)


def _headlines(old: Version, new: Version, run: xr.Dataset) -> list[str]:
    """The headline variables in the save list beside the new model, else beside the old one, else the stocks."""
    path = save_list_of(new.path) or save_list_of(old.path)
    listed = read_savelist(path) if path else ()
    return list(headline_names(run.assign_attrs({HEADLINES: "\n".join(listed)})))


def _shared_places(old: NDArray[np.float64], new: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    times, before, after = np.intersect1d(np.round(old, 9), np.round(new, 9), return_indices=True)
    chosen = round_times(times, _DATES) if len(times) else np.zeros(0, np.intp)
    return before[chosen], after[chosen]


def _effects(
    before: xr.Dataset, after: xr.Dataset, pairs: Sequence[tuple[str, str]], missing: Sequence[str]
) -> Iterator[Effect]:
    for old_name, name in pairs:
        if name in missing:
            continue
        old = {split_name(line.name)[1]: line for line in headline_lines(before, [old_name], quiet=True)}
        for line in headline_lines(after, [name], quiet=True):
            if partner := old.get(split_name(line.name)[1]):
                for time, one, other in zip(line.times, partner.values, line.values, strict=True):
                    yield Effect(line.name, line.units, time, one, other)
