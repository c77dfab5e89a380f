"""Boxes of constants that lead to an outcome: tables, and the same numbers as records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ...errors import format_count
from ...numerals import format_band, format_number
from ..output import Part, Table, note

_RECORD = ("model", "model_sha256", "outcome", "threshold", "side", "members", "cases", "left_out", "wanted_density", "least_mass", "doubtful_above")  # fmt: skip
_ENDS = ("low", "high", "low_p", "high_p", "least", "most")


def discovery_record(found: xr.Dataset) -> dict[str, Any]:
    """All boxes, each with its restricted constants, and the trade-off that each was chosen from."""
    record = {name: found.attrs[name] for name in _RECORD if name in found.attrs}
    parts = [found.isel(box=place) for place in range(found.sizes["box"])]
    return record | {"boxes": list(map(_box, parts)), "trade_off": [step for part in parts for step in _steps(part)]}


def box_records(found: xr.Dataset) -> list[dict[str, Any]]:
    """A flat record for each box and restricted constant."""
    return [
        {name: value for name, value in box.items() if name != "constants"}
        | {("constant" if name == "name" else name): value for name, value in constant.items()}
        for box in discovery_record(found)["boxes"]
        for constant in box["constants"]
    ]


def discovery_parts(found: xr.Dataset) -> Iterator[Part]:
    """How many members are cases, a table of the boxes, and one of the restricted constants of each box."""
    record = discovery_record(found)
    members, cases = record["members"], record["cases"]
    yield f"{record['outcome']}: {cases:,} of {format_count(members, 'member')}, {_share(cases / members)}"
    columns = {"box": "left", "coverage": "right", "density": "right", "mass": "right", "members": "right"}
    columns |= {"cases": "right", "constants": "right"}
    yield Table(columns, [_box_row(box) for box in record["boxes"]])
    first = record["boxes"][0]
    if first["plain_density"] < record["wanted_density"]:
        best = math.floor(100 * first["plain_density"]) / 100
        what = "reaches the density only with doubtful ends, which may not hold for other members"
        note(f"box 1 {what}" + (f"; --density {best:g} finds one without them" if best else ""))
    for box in record["boxes"]:
        heads = {f"box {box['box']}": "fold", "from": "right", "to": "right", "sampled": "right", "units": "fold"}
        rows = [_constant_row(constant, record["doubtful_above"]) for constant in box["constants"]]
        yield Table(heads | {"quasi-p": "right", "remark": "fold"}, rows, spare=("sampled", "units"))


def _box(part: xr.Dataset) -> dict[str, Any]:
    box: dict[str, Any] = {"box": int(part["box"])}
    box |= {name: float(part[name]) for name in ("coverage", "density", "mass", "plain_density")}
    box |= {name: int(part[name]) for name in ("members", "cases", "step")}
    restricted = np.flatnonzero(part["low"].notnull() | part["high"].notnull())
    constants = [_constant(part.isel(parameter=place)) for place in restricted]
    return box | {"constants": sorted(constants, key=lambda constant: min(_chances(constant)))}


def _constant(part: xr.Dataset) -> dict[str, Any]:
    names = {"name": str(part["parameter"].values), "units": str(part["parameter_units"].values)}
    return names | {end: float(part[end]) for end in _ENDS}


def _chances(constant: Mapping[str, Any]) -> list[float]:
    """The quasi-p values of the ends that are restricted."""
    return [constant[end] for end in ("low_p", "high_p") if not math.isnan(constant[end])]


def _steps(part: xr.Dataset) -> Iterator[dict[str, Any]]:
    for step in range(int(part["step_mass"].notnull().sum())):
        own = {name: float(part[f"step_{name}"][step]) for name in ("coverage", "density", "mass")}
        yield {"box": int(part["box"]), "step": step, **own, "restricted": int(part["step_restricted"][step])}


def _box_row(box: Mapping[str, Any]) -> list[str]:
    shares = [_share(box[name]) for name in ("coverage", "density", "mass")]
    return [str(box["box"]), *shares, f"{box['members']:,}", f"{box['cases']:,}", str(len(box["constants"]))]


def _constant_row(constant: Mapping[str, Any], doubtful_above: float) -> list[str]:
    units = constant["units"]
    ends = ["" if math.isnan(constant[end]) else format_number(constant[end], units) for end in ("low", "high")]
    chances = _chances(constant)
    doubt = "doubtful" if max(chances) > doubtful_above else ""
    sampled = format_band(constant["least"], constant["most"], units)
    return [constant["name"], *ends, sampled, units, ", ".join(f"{chance:.2g}" for chance in chances), doubt]


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"
