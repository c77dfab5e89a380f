"""Chips, sites, users and money are conserved, nothing is negative, and nothing runs without power."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from ai_compute import RANGES, SCENARIOS, of

import sdmodel as sd

ENSEMBLE = "200 members"
MEMBERS = 200
MAY_BE_NEGATIVE = {"log_margin"}
"""Stocks that are not quantities."""

FLOWS = {
    "chips": (
        ["Ghost Compute Backlog", "Installed Compute", "Cumulative Write Off"],
        ["shipping"],
        ["retiring"],
    ),
    "sites": (
        ["Sites Announced", "Sites Under Construction", "Sites Awaiting Power", "Powered Shells", "Installed Compute"],
        ["announcing", "retrofitting"],
        [],
    ),
    "orders": (["Chips On Order"], ["ordering"], ["shipping", "cancelling orders"]),
    "users": (["Active Users"], ["adopting"], []),
    "money": (
        ["Cash"],
        ["operating cash flow", "borrowing", "vendor lending", "raising equity"],
        ["capex", "paying out", "debt service"],
    ),
    "book": (["Book Value"], ["capex"], ["depreciation"]),
}
"""What is conserved: the stocks that hold it, its sources and its sinks."""


@pytest.fixture(scope="module")
def members(model) -> xr.Dataset:
    """Members sampled from all uncertainties."""
    design = sd.make_design(model, sd.read_sampling(RANGES), count=MEMBERS)
    return sd.simulate(model, design.dataset())


@pytest.fixture(scope="module", params=[*SCENARIOS, ENSEMBLE])
def run(request, scenario_run) -> xr.Dataset:
    return request.getfixturevalue("members") if request.param == ENSEMBLE else scenario_run(request.param)


@pytest.fixture(scope="module", params=SCENARIOS)
def stepwise(request, changed) -> xr.Dataset:
    """A scenario by Euler's method, with every step saved."""
    return changed({"SAVEPER": 1 / 64}, request.param, integrator="euler")


@pytest.mark.parametrize("name", FLOWS)
def test_stocks_change_by_their_flows_alone(stepwise, name):
    """Step by step, to 1e-9 of the largest amount."""
    stocks, sources, sinks = FLOWS[name]
    service = of(stepwise, "Debt") * (stepwise["industry_return"] + 1 / stepwise["book_life"])
    flows = {"debt service": service}
    amount = sum(of(stepwise, stock) for stock in stocks).to_numpy()
    rate = sum(flows.get(flow, of(stepwise, flow) if flow not in flows else None) for flow in sources)
    rate = rate - sum(flows[flow] if flow in flows else of(stepwise, flow) for flow in sinks)
    np.testing.assert_allclose(np.diff(amount), rate.to_numpy()[:-1] / 64, rtol=0, atol=1e-9 * abs(amount).max())


def test_nobody_spends_more_than_the_funds(run):
    """At every saved time: capital spending within cash flow, cash, debt, equity and vendors' money."""
    assert float((run["capex"] - run["spending_limit"]).max()) <= 1e-9 * float(run["capex"].max())


def test_installed_compute_never_exceeds_powered_sites(run):
    """A running chip stands where there is power."""
    assert float((of(run, "Installed Compute") - of(run, "powered sites")).max()) <= 0


def test_use_never_exceeds_its_ceilings(run):
    """Tokens per task, users and agents stay below what no price and no time can exceed."""
    assert float((run["tokens_per_task"] / run["tokens_ceiling"]).max()) <= 1
    assert (
        float((run["active_users"] - run["reachable_users"] * np.maximum(1, run["penetration_multiplier"])).max())
        <= 1e-6
    )
    assert float(run["agent_share"].max()) <= 1


def test_no_stock_is_negative(run, model):
    """Chips, sites, people, tokens, prices and money may run out but not below zero."""
    stocks = [element.key for element in model if element.kind == "stock" and element.key not in MAY_BE_NEGATIVE]
    least = {key: float(run[key].min()) for key in stocks}
    assert not {key: value for key, value in least.items() if value < -1e-9}


def test_everything_is_finite(run):
    """At every saved time."""
    assert all(bool(np.isfinite(variable).all()) for variable in run.data_vars.values())
