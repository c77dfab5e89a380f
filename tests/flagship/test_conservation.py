"""Test 3: chips, sites and users are conserved, nothing is negative, and nothing runs without power."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from ai_compute import SCENARIOS, UNCERTAINTIES, of

import sdmodel as sd

ENSEMBLE = "200 members"
MEMBERS = 200
MAY_BE_NEGATIVE = {"expected_growth"}
"""Stocks that are not quantities: a business may be expected to shrink."""


@pytest.fixture(scope="module")
def members(model) -> xr.Dataset:
    """Members sampled from all uncertainties."""
    design = sd.make_design(model, sd.read_sampling(UNCERTAINTIES), count=MEMBERS)
    return sd.simulate(model, design.dataset())


@pytest.fixture(scope="module", params=[*SCENARIOS, ENSEMBLE])
def run(request, scenario_run) -> xr.Dataset:
    return request.getfixturevalue("members") if request.param == ENSEMBLE else scenario_run(request.param)


def _gained(run: xr.Dataset, *names: str) -> xr.DataArray:
    """The change of the sum of some stocks since the start, at every saved time."""
    total = sum((of(run, name) for name in names[1:]), of(run, names[0]))
    return total - total.isel(time=0)


def test_chips_sold_are_waiting_installed_retired_or_written_off(run):
    """At every saved time, to 1e-9 GW; the model's own balance agrees."""
    there = _gained(run, "Ghost Compute Backlog", "Installed Compute", "Cumulative Write Off", "Cumulative Retired")
    assert float(abs(there - _gained(run, "Cumulative Chips Sold")).max()) < 1e-9
    assert float(abs(run["chip_balance_error"]).max()) < 1e-9


def test_sites_powered_are_dark_or_filled(run):
    """At every saved time, to 1e-9 GW; the model's own balance agrees."""
    there = _gained(run, "Powered Shells", "Installed Compute")
    assert float(abs(there - _gained(run, "Cumulative Sites Powered")).max()) < 1e-9
    assert float(abs(run["site_balance_error"]).max()) < 1e-9


def test_installed_compute_never_exceeds_powered_sites(run):
    """A running chip stands where there is power."""
    assert float((of(run, "Installed Compute") - of(run, "powered sites")).max()) <= 0


def test_people_are_users_or_may_become_users(run):
    """Users and potential users add up to the ceiling, or users alone exceed it where it has fallen."""
    users, ceiling = run["active_users"], run["market_ceiling"]
    whole = np.maximum(users, ceiling)
    assert float(abs(users + run["potential_users"] - whole).max()) <= 1e-9 * float(whole.max())
    assert float((users - run["addressable_people"]).max()) <= 0


def test_no_stock_is_negative(run, model):
    """Chips, sites, people, tokens, prices and money may run out but not below zero."""
    stocks = [element.key for element in model if element.kind == "stock" and element.key not in MAY_BE_NEGATIVE]
    assert not {key: float(run[key].min()) for key in stocks if float(run[key].min()) < 0}


def test_everything_is_finite(run):
    """At every saved time."""
    assert all(bool(np.isfinite(variable).all()) for variable in run.data_vars.values())


@pytest.mark.parametrize("name", SCENARIOS)
def test_users_change_by_adoption_and_churn(changed, name):
    """Step by step: with Euler exactly; with Runge-Kutta within half a per cent of the peak, because flows jump."""
    exact = changed({"SAVEPER": 1 / 64}, name, integrator="euler", save=["Active Users", "adopting", "churning"])
    flow = (exact["adopting"] - exact["churning"]).transpose("time", ...).to_numpy()
    users = exact["active_users"].transpose("time", ...).to_numpy()
    np.testing.assert_allclose(np.diff(users, axis=0), flow[:-1] / 64, rtol=0, atol=1e-9 * users.max())
    fine = changed({"SAVEPER": 1 / 64}, name, save=["Active Users", "adopting", "churning"])
    flow = (fine["adopting"] - fine["churning"]).transpose("time", ...).to_numpy()
    users = fine["active_users"].transpose("time", ...).to_numpy()
    simpson = (flow[:-2:2] + 4 * flow[1:-1:2] + flow[2::2]) / 192
    assert np.all(abs(np.diff(users[::2], axis=0) - simpson).max(axis=0) < 0.005 * users.max(axis=0))
