"""Constants by importance: tables, and the same numbers as records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ...numerals import format_number
from ..output import Part, Table, note

_MEASURES: Mapping[str, tuple[str, ...]] = {
    "tornado": ("low", "high", "least", "most", "swing", "bent"),
    "morris": ("mu_star", "mu_star_conf", "mu", "sigma"),
    "sobol": ("ST", "ST_conf", "S1", "S1_conf"),
}
"""The measures of each method, by SALib's names where it is SALib's."""
_PAIRS = 10
_SHOWN = 40
"""Constants in the table of an outcome at most."""
_RECORD = ("model", "model_sha256", "scenario", "changes", "integrator", "method", "runs", "seed", "trajectories", "levels", "samples")  # fmt: skip


def sensitivity_record(found: xr.Dataset) -> dict[str, Any]:
    """All results, with the constants of each outcome by rank."""
    record = {name: found.attrs[name] for name in _RECORD if name in found.attrs}
    return record | {"outcomes": [_outcome(found.isel(outcome=place)) for place in range(found.sizes["outcome"])]}


def constant_records(found: xr.Dataset) -> list[dict[str, Any]]:
    """A flat record for each outcome and constant, by rank."""
    head = ("units", "value", "low_value", "high_value", *_MEASURES[found.attrs["method"]])
    return [
        {"outcome": outcome["outcome"], "outcome_units": outcome["units"], "base": outcome["base"], "rank": row["rank"]}
        | {"constant": row["name"]}
        | {name: row[name] for name in head}
        for outcome in sensitivity_record(found)["outcomes"]
        for row in outcome["constants"]
    ]


def sensitivity_parts(found: xr.Dataset) -> Iterator[Part]:
    """A table for each outcome, and what holds for all constants together."""
    method = found.attrs["method"]
    for outcome in sensitivity_record(found)["outcomes"]:
        yield from _outcome_parts(outcome, method)
        if method == "sobol":
            yield from _whole_variance(outcome)
        if outcome["not_finite"]:
            lost = "they are left out" if method == "tornado" else "the samples they belong to are left out"
            runs = f"{outcome['not_finite']:,} of {found.attrs['runs']:,} runs"
            note(f"{outcome['outcome']}: not finite in {runs}; {lost}")


def _outcome(part: xr.Dataset) -> dict[str, Any]:
    ranked = part.isel(parameter=np.argsort(part["rank"].values))
    outcome = {
        "outcome": str(part["outcome"].values),
        "variable": str(part["variable"].values),
        "units": str(part["outcome_units"].values),
        "base": float(part["base"]),
        "not_finite": int(part["not_finite"]),
    }
    outcome |= {name: float(part[name]) for name in ("mean", "sd", "S1_sum", "S1_sum_conf") if name in part}
    outcome |= {"doubt": str(part["doubt"].values)} if "doubt" in part else {}
    columns = ("value", "low_value", "high_value", *_MEASURES[part.attrs["method"]])
    names = zip(ranked["parameter"].values, ranked["parameter_units"].values, strict=True)
    rows = [
        {"name": str(name), "units": str(units), "rank": place + 1}
        | {column: ranked[column].values[place].item() for column in columns}
        for place, (name, units) in enumerate(names)
    ]
    return outcome | {"constants": rows} | ({"pairs": _pairs(part)} if "S2" in part else {})


def _pairs(part: xr.Dataset) -> list[dict[str, Any]]:
    names = part["parameter"].values
    pairs = [
        {"names": [str(names[one]), str(names[two])], "S2": float(share), "S2_conf": float(part["S2_conf"][one, two])}
        for (one, two), share in np.ndenumerate(part["S2"].values)
        if one < two
    ]
    return sorted(pairs, key=lambda pair: -np.nan_to_num(pair["S2"], nan=-np.inf))


def _tornado(row: Mapping[str, Any], units: str) -> tuple[list[str], str]:
    cells = [_amount(row[name], units) for name in ("low", "high", "swing")]
    if row["bent"]:
        ends = (row["low"], row["high"])
        dip = [f"dip {_amount(row['least'], units)}"] if row["least"] < min(ends) else []
        return cells, ", ".join(
            [*dip, *([f"peak {_amount(row['most'], units)}"] if row["most"] > max(ends) else [])]
        ) or "bends"
    return cells, _remark(row["swing"], row["swing"])


def _morris(row: Mapping[str, Any], units: str) -> tuple[list[str], str]:
    size, half = row["mu_star"], row["mu_star_conf"]
    interval = format_number(float(f"{half:.2g}"))
    cells = [f"{format_number(size)} ± {interval}", format_number(row["mu"]), format_number(row["sigma"])]
    return cells, _remark(size, size - half)


def _sobol(row: Mapping[str, Any], units: str) -> tuple[list[str], str]:
    cells = [" ± ".join((_share(row[name]), _share(row[f"{name}_conf"]))) for name in ("ST", "S1")]
    return cells, _remark(row["ST"], row["ST"] - row["ST_conf"])


def _share(value: float) -> str:
    """A share with three decimals; zero has no sign."""
    return f"{round(value, 3) + 0.0:.3f}"


_COLUMNS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], str], tuple[list[str], str]]]] = {
    "tornado": (("at low", "at high", "swing"), _tornado),
    "morris": (("mu_star", "mu", "sigma"), _morris),
    "sobol": (("ST", "S1"), _sobol),
}
"""The columns of each method, and the function that gives their cells and a remark."""


def _remark(importance: float, least: float) -> str:
    """A remark on a constant that may not matter; `least` is the lower end of its interval."""
    if importance == 0:
        return "no effect"
    if math.isnan(importance):
        return ""
    return "may have no effect" if least <= 0 else ""


def _outcome_parts(outcome: Mapping[str, Any], method: str) -> Iterator[Part]:
    units = outcome["units"]
    base = f"{_amount(outcome['base'], units)} {units}".strip()
    yield f"{outcome['outcome']}: {base} at the baseline"
    headings, cells_of = _COLUMNS[method]
    columns = {"constant": "fold", "low": "right", "now": "right", "high": "right", "units": "fold"}
    columns |= dict.fromkeys(headings, "right")
    rows = []
    for row in outcome["constants"][:_SHOWN]:
        ends = [_amount(row[name], row["units"]) for name in ("low_value", "value", "high_value")]
        cells, remark = cells_of(row, units)
        rows.append([row["name"], *ends, row["units"], *cells, remark])
    yield Table(columns | {"remark": "fold"}, rows, spare=("units", "now"))
    if len(outcome["constants"]) > _SHOWN:
        note(f"the first {_SHOWN} of {len(outcome['constants'])} constants are shown; --format csv has all")


def _whole_variance(outcome: Mapping[str, Any]) -> Iterator[str]:
    units, alone, half = outcome["units"], outcome["S1_sum"], outcome["S1_sum_conf"]
    mean, deviation = (f"{_amount(outcome[name], units)} {units}".strip() for name in ("mean", "sd"))
    yield f"mean {mean}, standard deviation {deviation}"
    if outcome["doubt"]:
        yield f"these shares are not credible: {outcome['doubt']}; take more samples with -n"
    elif alone + half < 1:
        yield f"the constants alone account for {100 * alone:.0f} ± {100 * half:.0f} % of the variance"
    elif not math.isnan(alone):
        yield f"the constants alone account for at least {100 * (alone - half):.0f} % of the variance"
    pairs = [pair for pair in outcome.get("pairs", ()) if pair["S2"] > pair["S2_conf"]]
    for pair in pairs[:_PAIRS]:
        yield f"interaction of {' and '.join(pair['names'])}: S2 {pair['S2']:.3f} ± {pair['S2_conf']:.3f}"
    if "pairs" in outcome and not pairs:
        yield "no interaction of two constants differs from zero within its interval"


def _amount(value: float, units: str) -> str:
    return format_number(value, units) if math.isfinite(value) else "not finite"
