"""Test 8: variants show what history leaves open, and every member of the ensemble fits history."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from ai_compute import CLOSE, HISTORY_MATCHED, OTHERWISE, POLICY_START, VARIANTS, at, since
from scipy import stats

import sdmodel as sd
from sdmodel.inference import evaluate_series, residuals
from sdmodel.model import key

END_OF_2026 = 2027.0
COMPARED = ["total ghost compute", "Annual Revenue"]


@pytest.fixture(scope="module")
def variant_runs(model) -> dict[str, xr.Dataset]:
    return {path.stem: sd.simulate(model, scenario=path) for path in VARIANTS}


@pytest.fixture(scope="module")
def members(model, observed) -> xr.Dataset:
    """The history-matched ensemble, with the observed variables."""
    design = sd.make_design(model, sd.read_sampling(HISTORY_MATCHED))
    observed_keys = {str(symbol) for series in observed for symbol in series.model.free_symbols}
    save = [element.name for element in model if element.key in observed_keys and element.kind != "constant"]
    return sd.simulate(model, design.dataset(), save=[*save, *COMPARED])


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
def test_variant_fits_history_as_well_as_base(variant_runs, observed, path):
    """The same limits: 10 % for chips sold and weekly users, 25 % for each other series."""
    rows = sd.fit_run(variant_runs[path.stem], observed).rows
    assert not {row.name: row.measures["mape"] for row in rows if row.measures["mape"] > CLOSE.get(row.name, OTHERWISE)}


def test_variants_that_fit_alike_differ_in_ghost_compute(variant_runs, base):
    """At the end of 2026 the largest is half as much again as the smallest."""
    ghosts = [at(run, "total ghost compute", END_OF_2026) for run in (base, *variant_runs.values())]
    assert len(ghosts) >= 3
    assert max(ghosts) > 1.5 * min(ghosts)


def test_history_does_not_identify_elasticity_which_decides_2030(changed):
    """The past is the same to the last bit; revenue of 2030 differs by more than a factor of two."""
    run = changed({"price elasticity": [0.5, 0.8, 1.1, 1.4, 1.8]})
    past = since(run, 2022, float(np.nextafter(POLICY_START, 0)))
    assert all(
        bool((variable == variable.isel(member=0)).all())
        for variable in past.data_vars.values()
        if "time" in variable.dims
    )
    revenue = run["annual_revenue"].sel(time=2030)
    assert float(revenue.max()) > 2 * float(revenue.min())
    assert bool((revenue.diff("member") > 0).all())


def test_every_member_fits_history(members, observed):
    """No sum of squared standardised errors exceeds the minimum by more than the free constants explain (99.9 %)."""
    squares = (residuals(observed, evaluate_series(observed, members)) ** 2).sum(axis=0)
    free = len(json.loads(HISTORY_MATCHED.with_suffix(".json").read_text("utf-8"))["constants"])
    assert members.sizes["member"] == 1000
    assert float(squares.max() - squares.min()) < stats.chi2.ppf(0.999, free)


def test_predictive_band_covers_the_stated_share(members, observed):
    """85 to 97 % of the observations, rounded to whole per cent, lie in the predictive 90 % band."""
    rows = sd.fit_run(members, observed, bands=(0.9,)).rows
    inside = sum(row.count * row.bands[0].predictive_coverage for row in rows) / sum(row.count for row in rows)
    assert 0.85 <= round(inside, 2) <= 0.97


@pytest.mark.parametrize("name", COMPARED)
def test_ensemble_includes_base_and_variants(members, variant_runs, base, name):
    """At the end of 2026 they lie within the range of the members."""
    found = members[key(name)].sel(time=END_OF_2026)
    for run in (base, *variant_runs.values()):
        assert float(found.min()) < at(run, name, END_OF_2026) < float(found.max())
