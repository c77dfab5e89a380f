"""The rule about a model's own uncertainty: the distributions beside it make its unchanged run plausible."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from ..dataset import MEMBER, TIME, find_variable, labels_along, long_name, subscript_dims, with_labels
from ..errors import ScenarioError, SimulationError, format_count
from ..model import split_name
from ..numerals import format_number
from ..scenario import Design, make_design
from ..vensim import plausible_sampling, split_levers
from .checked_model import CheckedModel, run_quietly
from .findings import Finding

_RULE = "band"
_MEMBERS, _FEWEST = 200, 50
_WORK = 2e9
"""Maximum number of values to compute: about a second on two cores."""
_ENDS = (0.05, 0.95)
_BRIEF = 0.1
"""Share of the run for which a value may be outside the band: in the beginning the members hardly differ."""
_SLACK = 1e-9
"""How far outside the band a value may be by rounding, as a share of the band's ends."""


def find_outside_band(checked: CheckedModel) -> Iterator[Finding]:
    """Find headline variables that lie outside the 90 % band of members sampled by the file beside the model."""
    if "not_finite" in checked.base_run.attrs or not checked.headlines:
        return
    try:
        design = _design(checked)
        run = None if design is None else run_quietly(checked.model, design.dataset(), save=checked.headlines)
    except ScenarioError as error:
        yield from (Finding("warning", _RULE, fault.where, "", fault.what) for fault in error.faults)
        return
    except SimulationError as error:
        what = f"the members of the file beside the model do not run: {error}"
        yield Finding("warning", _RULE, checked.model.path, "", what)
        return
    if run is not None:
        base = checked.base_run.sel({TIME: run[TIME]}, method="nearest")
        for name in checked.headlines:
            yield from _finding(checked, name, base, run)


def _design(checked: CheckedModel) -> Design | None:
    """The members to try; None without a file that says how constants vary, or where there is no time for enough of them."""
    sampling = split_levers(checked.model, plausible_sampling(checked.model))[0]
    if sampling is None or sampling.method in {"univariate", "grid"}:  # which have no probabilities
        return None
    cells = len(checked.plan.step) + len(checked.plan.stocks)
    affordable = int(_WORK / max(1, cells * checked.base_run.sizes[TIME]))
    count = min(_MEMBERS, affordable, *([len(sampling.samples.values)] if sampling.samples else []))
    return make_design(checked.model, sampling, count=count, seed=sampling.seed or 1) if count >= _FEWEST else None


def _finding(checked: CheckedModel, name: str, base: xr.Dataset, run: xr.Dataset) -> Iterator[Finding]:
    """Report one variable, with the label that is outside for longest and the time at which it is farthest."""
    variable, own = find_variable(run, name), find_variable(base, name)
    if not {TIME, MEMBER} <= set(variable.dims):  # nothing that is sampled has an effect on it
        return
    dims = subscript_dims(variable)
    members, values = variable.transpose(*dims, TIME, MEMBER).values, own.transpose(*dims, TIME).values
    shares: list[tuple[float, tuple[int, ...], str]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # at some times no member may be finite
        low, high = np.nanquantile(members, _ENDS, axis=-1)
    slack = _SLACK * np.fmax(np.abs(low), np.abs(high))
    beyond = np.nan_to_num(np.fmax(low - values, values - high) - slack, nan=-np.inf)
    for place, labels in labels_along(variable, dims):
        shares.append(((beyond[place] > 0).mean(), place, with_labels(long_name(variable), labels)))
    share, place, title = max(shares)
    if share <= _BRIEF:
        return
    at = int(beyond[place].argmax())
    units = str(variable.attrs.get("units", ""))
    value, least, most = (float(part[place][at]) for part in (values, low, high))
    band = f"{format_number(least, units)} to {format_number(most, units)} {units}".rstrip()
    time = float(run[TIME].values[at])
    where = f"is {format_number(value, units)} at {time:.7g}, outside the 90 % band of {format_count(run.sizes[MEMBER], 'member')}, {band}"
    file = Path(checked.model.path).with_suffix(".vsc").name
    cure = (
        f"correct the ranges in {file} or the model's values, or sample constants that fit data (calibrate --posterior)"
    )
    numbers = {"value": value, "low": least, "high": most, "time": time, "share": float(share)}
    element = checked.model[split_name(name, checked.model.elements)[0]]
    what = f"'{title}' {where} (for {100 * share:.0f} % of the run); {cure}"
    yield Finding("warning", _RULE, element.place, element.name, what, numbers)
