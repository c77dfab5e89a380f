"""What levers contribute, as tables and as what figures draw."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...analysis import LEVER, OTHER, Attributed, attributed
from ...comparison import MEASURES, Outcome, outcome_of
from ...dataset import PROBABILITY, TIME, subscript_dims
from ...numerals import number, signed
from ..tables import note, print_table
from .headlines import round_times

_COLUMNS = 6
_PAIRS = 5
_SHOWN = 0.01
"""A pair of levers is told of if it does so much of what all do together."""


def parts_of(found: xr.Dataset, names: Sequence[str]) -> list[Attributed]:
    """What an attribution holds of some variables, label by label."""
    parts = []
    for name in names:
        whole = attributed(found, name)
        dims = subscript_dims(whole.baseline)
        stacked = whole.baseline.isel({TIME: 0}).stack(cell=dims)["cell"].values.tolist() if dims else [()]
        spelt = ([",".join(map(str, labels))] if labels else [""] for labels in stacked)
        parts += [attributed(found, f"{whole.name}[{labels}]" if labels else name) for (labels,) in spelt]
    return parts


def moment_of(found: xr.Dataset, names: Sequence[str]) -> Outcome:
    """The stored time at which the scenario makes the greatest difference to the first of some variables."""
    first = parts_of(found, names[:1])[0]
    gaps = np.nan_to_num(np.abs((first.scenario - first.baseline).values))
    return Outcome(at=float(found[TIME].values[int(gaps.argmax())]))


def when_told(outcome: Outcome, found: xr.Dataset) -> str:
    """A time as a reader expects it: the year, with its month where it is not the first of January."""
    at = outcome.at if outcome.at is not None else float(found[TIME].values[-1])
    return f"{at:.10g}"


def print_attribution(found: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome], *, brief: bool) -> None:
    """Print what levers contribute: of many variables in short, else over time and in all measures."""
    if brief:
        _print_brief(found, names, outcomes[0])
        note(
            "what each lever contributes over time, alone and together with others is told of variables named with --on"
        )
        return
    for part in parts_of(found, names):
        _print_over_time(part)
        for outcome in outcomes:
            _print_measures(part, outcome, when_told(outcome, found))
            _print_pairs(part, outcome, when_told(outcome, found))


def _ordered(part: Attributed) -> list[str]:
    """The levers of a variable, the one that does most over time first."""
    sizes = np.nan_to_num(np.abs(_shapley(part).transpose(TIME, LEVER).values)).sum(axis=0)
    return [str(part.contributions[LEVER].values[place]) for place in np.argsort(-sizes, kind="stable")]


def _shapley(part: Attributed) -> xr.DataArray:
    return part.contributions.sel(measure="shapley")


def _print_over_time(part: Attributed) -> None:
    """Shapley values at round times, between what the variable is without and with all levers."""
    times = part.baseline[TIME].values
    places = round_times(times, _COLUMNS)
    columns = {f"{part.name}, {part.units}" if part.units else part.name: "fold"}
    columns |= {f"{times[place]:.10g}": "right" for place in places}

    def row(name: str, values: xr.DataArray) -> list[str]:
        return [name, *(signed(float(values.isel({TIME: place}))) for place in places)]

    def level(name: str, values: xr.DataArray) -> list[str]:
        return [name, *(number(float(values.isel({TIME: place})), part.units) for place in places)]

    shares = [row(f"  {name}", _shapley(part).sel({LEVER: name})) for name in _ordered(part)]
    whole = row("  all together", part.scenario - part.baseline)
    print_table(columns, [level("baseline", part.baseline), *shares, whole, level("scenario", part.scenario)])


def _print_measures(part: Attributed, outcome: Outcome, when: str) -> None:
    """All measures at one time."""
    columns = {
        f"{part.name} at {when}": "fold",
        "alone": "right",
        "Shapley": "right",
        "last": "right",
        "of the whole": "right",
    }
    if part.standard_error is not None:
        columns["standard error"] = "right"
    if part.spread is not None:
        columns |= {"90 % of members": "right", "ranks first": "right"}
    total = float(outcome_of(part.scenario - part.baseline, outcome))
    rows = [[*_measures(part, outcome, name, total)] for name in _ordered(part)]
    sums = outcome_of(part.contributions.sum(LEVER), outcome)
    whole = ["sum, of Shapley the whole", *(signed(float(sums.sel(measure=each))) for each in MEASURES), ""]
    if part.difference_spread is not None:
        whole += [_reach(outcome_of(part.difference_spread, outcome)), ""]
    elif part.standard_error is not None:
        whole.append("")
    print_table(columns, [*rows, whole])


def _measures(part: Attributed, outcome: Outcome, name: str, total: float) -> Iterator[str]:
    """The cells of one lever."""
    own = outcome_of(part.contributions.sel({LEVER: name}), outcome)
    yield name
    for measure in MEASURES:
        yield signed(float(own.sel(measure=measure)))
    share = float(own.sel(measure="shapley")) / total if total else np.nan
    yield f"{100 * share:.3g} %" if np.isfinite(share) else ""
    if part.standard_error is not None:
        yield number(float(outcome_of(part.standard_error.sel({LEVER: name}), outcome)))
    if part.spread is not None and part.ranks_first is not None:
        yield _reach(outcome_of(part.spread.sel({LEVER: name}), outcome))
        yield f"{100 * float(outcome_of(part.ranks_first.sel({LEVER: name}), outcome)):.3g} %"


def _print_pairs(part: Attributed, outcome: Outcome, when: str) -> None:
    """The pairs of levers that do most more, or less, together than each for itself."""
    if part.interaction is None or part.interaction.sizes[LEVER] < 2:  # noqa: PLR2004 - a pair
        return
    pairs = _pairs(part, outcome)[:_PAIRS]
    total = abs(float(outcome_of(part.scenario - part.baseline, outcome)))
    told = [each for each in pairs if abs(each[2]) > _SHOWN * total]
    if told:
        rows = ([f"{one} × {other}", signed(value)] for one, other, value in told)
        print_table({f"together beyond each for itself at {when}": "fold", part.units or "interaction": "right"}, rows)


def _pairs(part: Attributed, outcome: Outcome) -> list[tuple[str, str, float]]:
    """All pairs of levers with their interaction, the strongest first."""
    if part.interaction is None:
        return []
    values = outcome_of(part.interaction, outcome).transpose(LEVER, OTHER).values
    names = list(map(str, part.interaction[LEVER].values))
    pairs = [(names[i], names[j], float(values[i, j])) for i in range(len(names)) for j in range(i + 1, len(names))]
    return sorted(pairs, key=lambda each: -abs(each[2]))


def _print_brief(found: xr.Dataset, names: Sequence[str], outcome: Outcome) -> None:
    """One line a variable: what the scenario does to it, and the levers that do most of it."""
    columns = {f"at {when_told(outcome, found)}": "fold", "units": "fold", "baseline": "right", "scenario": "right",
               "difference": "right", "most by": "text"}  # fmt: skip
    rows = []
    for part in parts_of(found, names):
        ends = [float(outcome_of(each, outcome)) for each in (part.baseline, part.scenario)]
        shares = outcome_of(_shapley(part), outcome)
        order = np.argsort(-np.nan_to_num(np.abs(shares.values)), kind="stable")
        told = [f"{shares[LEVER].values[place]} {signed(float(shares.values[place]))}" for place in order[:2]]
        levels = [number(each, part.units) for each in ends]
        difference = ends[1] - ends[0]
        rows.append([part.name, part.units, *levels, signed(difference), ", ".join(told) if difference else ""])
    print_table(columns, rows)


def _reach(quantiles: xr.DataArray) -> str:
    """The ends of the middle 90 % of members."""
    ends = quantiles.transpose(PROBABILITY).values
    return f"{signed(float(ends[0]))} – {signed(float(ends[-1]))}"


def told_attribution(found: xr.Dataset, names: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The same for machines: every variable at the times that are asked for."""
    levers = json.loads(str(found.attrs["levers"]))
    told = [_told(part, outcome, when_told(outcome, found)) for part in parts_of(found, names) for outcome in outcomes]
    return {"method": found.attrs["method"], "runs": found.attrs["runs"], "levers": levers, "variables": told}


def _told(part: Attributed, outcome: Outcome, when: str) -> dict[str, Any]:
    contributions = outcome_of(part.contributions, outcome)
    levers = []
    for name in map(str, contributions[LEVER].values):
        own = contributions.sel({LEVER: name})
        lever: dict[str, Any] = {"lever": name} | {
            str(each): float(own.sel(measure=each)) for each in own["measure"].values
        }
        for called, values in (("standard_error", part.standard_error), ("ranks_first", part.ranks_first)):
            if values is not None:
                lever[called] = float(outcome_of(values.sel({LEVER: name}), outcome))
        if part.spread is not None:
            spread = outcome_of(part.spread.sel({LEVER: name}), outcome)
            lever["quantiles"] = {
                f"{level:g}": float(value)
                for level, value in zip(spread[PROBABILITY].values, spread.values, strict=True)
            }
        levers.append(lever)
    ends = {
        name: float(outcome_of(each, outcome))
        for name, each in (("baseline", part.baseline), ("scenario", part.scenario))
    }
    pairs = [{"levers": [one, other], "interaction": value} for one, other, value in _pairs(part, outcome)]
    return {"name": part.name, "units": part.units, "time": when, **ends, "contributions": levers, "pairs": pairs}
