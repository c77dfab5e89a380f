"""A ranking as text: the columns of its table, and sentences that answer which lever, how sure, and what it is worth."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..dataset import PROBABILITY, TIME
from ..numerals import format_number, format_signed
from .attribution import LEVER
from .ranking import BROKEN, OUTCOME, PRESENT

_LEAST_DIGITS, _MOST_DIGITS = -6, 6
"""Numbers of a column have the same decimals if its largest is between 1e-4 and 1e9."""
_FEW = 10
"""Per cent from which on a share has no decimals."""
_LEAST_SHARE = 0.005
_NO_UNITS = frozenset({"", "1", "dmnl", "dimensionless"})
_CHANGE, _LEVEL = "{:+,.{}f}", "{:,.{}f}"

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class TextColumn:
    """A column of a table: its heading, its units, and one cell for the baseline, for each lever, and for all together."""

    heading: str
    units: str
    cells: tuple[str, ...]


def ranking_columns(found: xr.Dataset) -> tuple[TextColumn, ...]:
    """Return the table of a ranking: the levers, the best first, and then their effects on the target and on other outcomes."""
    return tuple(TextColumn(heading, units, tuple(cells)) for heading, units, cells in _columns(found))


def _columns(found: xr.Dataset) -> Iterator[tuple[str, str, Sequence[str]]]:
    outcomes, units = (list(map(str, found[name].values)) for name in (OUTCOME, "units"))
    effects, baseline = found["effect"].transpose(LEVER, OUTCOME).values, found["baseline"].values
    moved = np.isin(found["side"].values, (PRESENT, BROKEN), invert=True)
    levers = [found.isel({LEVER: place}) for place in range(found.sizes[LEVER])]
    yield _target(found), "", ["baseline", *map(_name_of, levers)]
    yield "moved", "", ["", *map(_move, levers)]
    yield "effect", units[0], [_short(baseline[0]), *_signed_alike(effects[:, 0])]
    yield "of base", "", ["", *(_per_cent(effect, baseline[0]) for effect in effects[:, 0])]
    if PROBABILITY in found.dims:
        spread = found["effect_spread"].isel({OUTCOME: 0}).transpose(PROBABILITY, LEVER).values
        own = found["baseline_spread"].isel({OUTCOME: 0}).transpose(PROBABILITY).values
        bands = _bands(np.where(moved, spread[0], np.nan), np.where(moved, spread[-1], np.nan))
        yield "90 % of members", "", [_band(own[0], own[-1], _LEVEL), *bands]
        yield "first", "", ["", *map(_share, found["ranks_first"].values)]
    slopes, lever_units = np.full(len(moved), "", dtype=object), found["lever_units"].values.astype(str)
    for unit in {*lever_units}:  # slopes in different units have digits of their own
        alike = lever_units == unit
        slopes[alike] = _signed_alike(found["marginal"].values[alike], missing="")
    yield "per unit", units[0], ["", *slopes.tolist()]
    for place, (name, unit) in enumerate(zip(outcomes[1:], units[1:], strict=True), start=1):
        cells = zip(_signed_alike(effects[:, place]), moved, strict=True)
        yield name, unit, [_short(baseline[place]), *(cell if one else "" for cell, one in cells)]


def _target(found: xr.Dataset) -> str:
    return f"{found[OUTCOME].values[0]} {found['when'].values[0]}"


def _name_of(lever: xr.Dataset) -> str:
    name, units = str(lever[LEVER].values), str(lever["lever_units"].values)
    return name if units.casefold() in _NO_UNITS else f"{name} ({units})"


def _move(lever: xr.Dataset) -> str:
    """How a lever moves: from its present value to its better end."""
    side, present, chosen = str(lever["side"].values), float(lever["present"].values), float(lever["chosen"].values)
    if side in ("", PRESENT, BROKEN):
        return "no gain" if side == PRESENT else side
    if math.isnan(chosen):
        return f"→ {side} end"
    return f"→ {_short(chosen)}" if math.isnan(present) else f"{_short(present)} → {_short(chosen)}"


def _short(value: float) -> str:
    """A number with three significant digits."""
    return format_number(float(f"{value:.3g}"))


def _signed(value: float) -> str:
    return format_signed(float(f"{value:.3g}"))


def _decimals(values: Numbers) -> int | None:
    """The decimals that give the largest of some numbers three digits; None if they differ too much in size to be read so."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    if not largest:
        return 0
    digits = 2 - math.floor(math.log10(largest))
    return max(0, digits) if _LEAST_DIGITS <= digits <= _MOST_DIGITS else None


def _signed_alike(values: Numbers, missing: str = BROKEN) -> list[str]:
    """Differences with the same number of decimals."""
    decimals = _decimals(values)
    return [missing if math.isnan(value) else _fixed(value, _CHANGE, decimals) for value in values]


def _fixed(value: float, form: str, decimals: int | None) -> str:
    if decimals is None:
        return _signed(value)
    text = form.format(value, decimals)
    return text if re.search("[1-9]", text) else text.lstrip("+-")


def _bands(low: Numbers, high: Numbers) -> list[str]:
    decimals = _decimals(np.concatenate([low, high]))
    return [_band(*ends, _CHANGE, decimals) for ends in zip(low, high, strict=True)]


def _band(low: float, high: float, form: str, decimals: int | None = None) -> str:
    if math.isnan(low) or low == high == 0:
        return ""
    decimals = _decimals(np.array([low, high])) if decimals is None else decimals
    return f"{_fixed(low, form, decimals)} – {_fixed(high, form, decimals)}"


def _share(value: float) -> str:
    return "" if math.isnan(value) else "<1 %" if 0 < value < _LEAST_SHARE else f"{100 * value:.0f} %"


def _per_cent(effect: float, baseline: float) -> str:
    share = 100 * effect / abs(baseline) if baseline else math.nan
    return _fixed(share, _CHANGE, 0 if abs(share) >= _FEW else 1) + " %" if math.isfinite(share) and share else ""


def ranking_answers(found: xr.Dataset) -> Iterator[str]:
    """Return sentences that say which lever is the best, in how many members, and what it is worth."""
    smaller, best = found.attrs["goal"] == "min", found.isel({LEVER: 0})
    target, units = _target(found), str(found["units"].values[0])
    if str(best["side"].values) in (PRESENT, BROKEN):
        yield f"No lever makes {target} {'smaller' if smaller else 'larger'} at an end of its range."
        return
    effect, baseline = float(best["effect"].values[0]), float(found["baseline"].values[0])
    size = ", ".join(filter(None, (f"{_signed(effect)} {units}".strip(), _per_cent(effect, baseline))))
    yield f"'{best[LEVER].values}' {'lowers' if smaller else 'raises'} {target} most: {size}."
    if PROBABILITY in found.dims:
        yield _how_sure(found)
    if "value" in found.attrs:
        yield _what_it_is_worth(found, best)


def _how_sure(found: xr.Dataset) -> str:
    counted = int(found["counted"].values)
    if not counted:
        return "In no member does a lever help."
    ranks = found["ranks_first"].values[:-1]
    members = int(found.attrs["members"])
    counting = (
        f"{members:,} members"
        if counted == members
        else f"the {counted:,} of {members:,} members in which a lever helps"
    )
    sure = f"It ranks first in {_share(ranks[0])} of {counting}"
    if place := int(ranks.argmax()):
        sure += f"; '{found[LEVER].values[place]}' does most often, in {_share(ranks[place])}"
    return f"{sure}."


def _what_it_is_worth(found: xr.Dataset, best: xr.Dataset) -> str:
    effect, baseline = float(best["effect"].values[1]), float(found["baseline"].values[1])
    time_units = str(found[TIME].attrs.get("units", "")) or "unit of time"
    rate = (
        f"discounted at {100 * found.attrs['rate']:.4g} % per {time_units}" if found.attrs["rate"] else "not discounted"
    )
    change, spread = f"{_signed(effect)} {found['units'].values[1]}".strip(), ""
    if PROBABILITY in found.dims:
        ends = best["effect_spread"].isel({OUTCOME: 1}).transpose(PROBABILITY).values
        spread = f" ({_band(ends[0], ends[-1], _CHANGE)} in 90 % of members)"
    name, when = str(found[OUTCOME].values[1]), str(found["when"].values[1])
    return f"It changes the {name}, {_short(baseline)} in the baseline, by {change}{spread}; {when}, {rate}."
