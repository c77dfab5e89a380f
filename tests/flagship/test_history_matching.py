"""Every member of the ensemble fits history, and the ensemble covers what it should."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from ai_compute import HISTORY_MATCHED, at
from scipy import stats

import sdmodel as sd
from sdmodel.inference import evaluate_series, residuals
from sdmodel.model import key

END_OF_2026 = 2027.0
COMPARED = ["total ghost compute", "Annual Revenue", "capex"]
BOUNDED = ["Log Margin", "Perceived Pressure", "Cheap Share", "Investor Sentiment", "First Mover Share"]


@pytest.fixture(scope="module")
def members(model, observed) -> xr.Dataset:
    """The history-matched ensemble, with the observed variables."""
    design = sd.make_design(model, sd.read_sampling(HISTORY_MATCHED))
    observed_keys = {str(symbol) for series in observed for symbol in series.model.free_symbols}
    save = [element.name for element in model if element.key in observed_keys]
    return sd.simulate(model, design.dataset(), save=[*dict.fromkeys([*save, *COMPARED, *BOUNDED, "largest ratio"])])


def test_every_member_fits_history(members, observed):
    """No sum of squared standardised errors exceeds the least by more than the free constants explain (99.9 %)."""
    squares = (residuals(observed, evaluate_series(observed, members)) ** 2).sum(axis=0)
    free = len(json.loads(HISTORY_MATCHED.with_suffix(".json").read_text("utf-8"))["constants"])
    assert members.sizes["member"] == 1000
    assert float(squares.max() - squares.min()) < stats.chi2.ppf(0.999, free)


def test_predictive_band_covers_the_stated_share(members, observed):
    """At least 85 % of the observations lie in the predictive 90 % band; they shaped it, so it covers more than 90 %."""
    rows = sd.fit_run(members, observed, bands=(0.9,)).rows
    inside = sum(row.count * row.bands[0].predictive_coverage for row in rows) / sum(row.count for row in rows)
    assert inside >= 0.85


@pytest.mark.parametrize("name", COMPARED)
def test_ensemble_includes_base(members, base, name):
    """At the end of 2026 base lies within the range of the members."""
    found = members[key(name)].sel(time=END_OF_2026)
    assert float(found.min()) < at(base, name, END_OF_2026) < float(found.max())


@pytest.mark.parametrize("name", ["Perceived Pressure", "Investor Sentiment", "Log Margin"])
def test_no_stock_rests_on_a_bound(members, name):
    """From 2026 to 2030 at most a tenth of the members keep it on its highest value for more than a year."""
    highest = {"Perceived Pressure": 10, "Investor Sentiment": np.inf, "Log Margin": np.log(10)}[name]
    values = members[key(name)].sel(time=slice(2026, 2030))
    at_bound = (values > 0.995 * highest).sum("time")
    rest = [dim for dim in at_bound.dims if dim != "member"]
    assert float(((at_bound > 16).any(rest) if rest else at_bound > 16).mean()) <= 0.1
