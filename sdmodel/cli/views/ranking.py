"""Constants by how much they matter: tables on stdout, and the same numbers as CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from typing import Any

import click
import numpy as np
import xarray as xr

from ...numerals import number
from ..tables import note, print_table

_MEASURES: Mapping[str, tuple[str, ...]] = {
    "tornado": ("low", "high", "least", "most", "swing", "bent"),
    "morris": ("mu_star", "mu_star_conf", "mu", "sigma"),
    "sobol": ("ST", "ST_conf", "S1", "S1_conf"),
}
"""What each method tells of a constant, by SALib's names where it is SALib's."""
_PAIRS = 10
_RECORD = ("model", "model_sha256", "scenario", "changes", "integrator", "method", "runs", "seed", "trajectories", "levels", "samples")  # fmt: skip


def told_of(found: xr.Dataset) -> dict[str, Any]:
    """All that was found, as JSON knows it; the constants of each outcome by rank."""
    record = {name: found.attrs[name] for name in _RECORD if name in found.attrs}
    return record | {"outcomes": [_outcome(found.isel(outcome=place)) for place in range(found.sizes["outcome"])]}


def csv_of(found: xr.Dataset) -> str:
    """One line for each constant and outcome, by rank; numbers as they are, nothing where there is none."""
    measures = _MEASURES[found.attrs["method"]]
    head = ("name", "units", "value", "low_value", "high_value", *measures)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(("outcome", "outcome_units", "base", "rank", "constant", *head[1:]))
    for each in told_of(found)["outcomes"]:
        for row in each["constants"]:
            cells = (each["base"], row["rank"], *(row[name] for name in head))
            writer.writerow((each["outcome"], each["units"], *map(_cell, cells)))
    return written.getvalue()


def print_rankings(found: xr.Dataset) -> None:
    """A table for each outcome, and what holds for all of its constants together."""
    method = found.attrs["method"]
    for each in told_of(found)["outcomes"]:
        _print_outcome(each, method)
        if method == "sobol":
            _print_whole(each)
        if each["not_finite"]:
            lost = "they are left out" if method == "tornado" else "what they belong to is left out"
            note(f"{each['outcome']}: not finite in {each['not_finite']:,} of {found.attrs['runs']:,} runs; {lost}")


def _outcome(part: xr.Dataset) -> dict[str, Any]:
    """One outcome with its constants by rank."""
    method = part.attrs["method"]
    ranked = part.isel(parameter=np.argsort(part["rank"].values))
    told = {
        "outcome": str(part["outcome"].values),
        "variable": str(part["variable"].values),
        "units": str(part["outcome_units"].values),
        "base": float(part["base"]),
        "not_finite": int(part["not_finite"]),
    }
    told |= {name: float(part[name]) for name in ("mean", "sd") if name in part}
    columns = ("value", "low_value", "high_value", *_MEASURES[method])
    rows = [
        {"name": str(name), "units": str(units), "rank": place + 1}
        | {each: ranked[each].values[place].item() for each in columns}
        for place, (name, units) in enumerate(
            zip(ranked["parameter"].values, ranked["parameter_units"].values, strict=True)
        )
    ]
    return told | {"constants": rows} | ({"pairs": _pairs(part)} if "S2" in part else {})


def _pairs(part: xr.Dataset) -> list[dict[str, Any]]:
    """The pairs of constants, those that decide most together first."""
    names = part["parameter"].values
    pairs = [
        {"names": [str(names[one]), str(names[two])], "S2": float(share), "S2_conf": float(part["S2_conf"][one, two])}
        for (one, two), share in np.ndenumerate(part["S2"].values)
        if one < two
    ]
    return sorted(pairs, key=lambda each: -np.nan_to_num(each["S2"], nan=-np.inf))


def _cell(value: object) -> object:
    """A value as a table for machines has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ("" if math.isnan(value) else repr(value)) if isinstance(value, float) else value


def _tornado(row: Mapping[str, Any], units: str) -> tuple[list[str], str]:
    span = f"bends, {_amount(row['least'], units)} to {_amount(row['most'], units)}" if row["bent"] else ""
    return [_amount(row[name], units) for name in ("low", "high", "swing")], span or _without(
        row["swing"], row["swing"]
    )


def _morris(row: Mapping[str, Any], units: str) -> tuple[list[str], str]:
    size, half = row["mu_star"], row["mu_star_conf"]
    cells = [f"{number(size)} ± {number(float(f'{half:.2g}'))}", number(row["mu"]), number(row["sigma"])]
    return cells, _without(size, size - half)


def _sobol(row: Mapping[str, Any], units: str) -> tuple[list[str], str]:
    cells = [" ± ".join((_share(row[name]), _share(row[f"{name}_conf"]))) for name in ("ST", "S1")]
    return cells, _without(row["ST"], row["ST"] - row["ST_conf"])


def _share(value: float) -> str:
    """A share to three places, without a sign before nothing."""
    return f"{round(value, 3) + 0.0:.3f}"


_PRINTED: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], str], tuple[list[str], str]]]] = {
    "tornado": (("at low", "at high", "swing"), _tornado),
    "morris": (("mu_star", "mu", "sigma"), _morris),
    "sobol": (("ST", "S1"), _sobol),
}
"""What each method prints of a constant: the heads of its columns, and its cells with a remark."""


def _without(importance: float, least: float) -> str:
    """What to remark on a constant that may not matter, `least` being as little as its interval allows."""
    if importance == 0:
        return "no effect"
    if math.isnan(importance):
        return ""
    return "not told apart from no effect" if least <= 0 else ""


def _print_outcome(told: Mapping[str, Any], method: str) -> None:
    """The table of an outcome, under what it is where nothing moves."""
    units = told["units"]
    base = f"{_amount(told['base'], units)} {units}".strip()
    click.echo(f"{told['outcome']}: {base} where nothing moves")
    heads, cells_of = _PRINTED[method]
    columns = {"constant": "fold", "low": "right", "now": "right", "high": "right", "units": "fold"}
    columns |= dict.fromkeys(heads, "right")
    rows = []
    for row in told["constants"]:
        ends = [_amount(row[name], row["units"]) for name in ("low_value", "value", "high_value")]
        cells, remark = cells_of(row, units)
        rows.append([row["name"], *ends, row["units"], *cells, remark])
    print_table(columns | {"remark": "fold"}, rows, spare=("units", "now"))


def _print_whole(told: Mapping[str, Any]) -> None:
    """What Sobol's method says of all constants together, and of pairs of them."""
    units, alone = told["units"], sum(row["S1"] for row in told["constants"])
    middle, spread = (f"{_amount(told[name], units)} {units}".strip() for name in ("mean", "sd"))
    rest = "" if math.isnan(alone) else f"; by themselves the constants decide {alone:.0%} of its variance"
    click.echo(f"mean {middle}, standard deviation {spread}{rest}")
    pairs = [each for each in told.get("pairs", ()) if each["S2"] > each["S2_conf"]]
    for each in pairs[:_PAIRS]:
        click.echo(f"together {' and '.join(each['names'])}: S2 {each['S2']:.3f} ± {each['S2_conf']:.3f}")
    if "pairs" in told and not pairs:
        click.echo("together no two are told apart from no effect")


def _amount(value: float, units: str) -> str:
    return number(value, units) if math.isfinite(value) else "not finite"
