"""What must happen when an input is zero or unlimited."""

from __future__ import annotations

import numpy as np
import pytest
from ai_compute import POLICY_START, at, of, peak, since

pytestmark = pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
"""Extreme values lie outside the ranges of their constants."""

NO_CHIPS = {"chip supply multiplier": 0}
NO_SITES = {"site construction time multiplier": 1e9, "on site power multiplier": 0, "retrofit multiplier": 0}
NO_FUNDS = {
    "cross subsidy share": 0,
    "cash margin": 0,
    "debt limit": 0,
    "equity share": 0,
    "vendor financing share": 0,
}
NOBODY = {"reachable users": 0}
AFTER = float(np.nextafter(POLICY_START, np.inf))


@pytest.fixture(scope="module")
def no_chips(changed):
    return changed(NO_CHIPS)


@pytest.fixture(scope="module")
def no_sites(changed):
    return changed(NO_SITES)


@pytest.fixture(scope="module")
def no_users(changed):
    return changed(NOBODY)


@pytest.fixture(scope="module")
def no_funds(changed):
    return changed(NO_FUNDS)


def test_without_chips_only_those_in_store_are_installed(no_chips):
    """After the policy start nothing ships, and the store only empties."""
    rest = since(no_chips, AFTER)
    assert float(rest["shipping"].max()) == 0
    assert bool((of(rest, "total ghost compute").diff("time") <= 0).all())
    assert at(no_chips, "total ghost compute", 2030) < 1e-3
    assert float(of(since(no_chips, 2030), "installing").max()) < 0.01


def test_without_chips_the_fleet_decays_at_its_life(no_chips):
    """Once the store is empty, installed compute falls each year by exp(-1/life)."""
    rest = since(no_chips, 2030)
    fleet = of(rest, "Installed Compute")
    years = rest["time"] - 2030
    expected = np.exp(-years / float(no_chips["economic_life_of_chips"]))
    np.testing.assert_allclose(fleet / fleet[0], expected, rtol=1e-3)


def test_without_sites_ghost_compute_grows_with_shipments(no_sites, base):
    """For a year and a half it stays above base and grows with what still ships."""
    years = since(no_sites, AFTER, 2027.25)
    ghost = of(years, "total ghost compute")
    assert bool((ghost.diff("time") > 0).all())
    assert bool((ghost > of(since(base, AFTER, 2027.25), "total ghost compute")).all())
    shipped = at(no_sites, "Cumulative Chips Sold", 2027.25) - at(no_sites, "Cumulative Chips Sold", POLICY_START)
    assert at(no_sites, "total ghost compute", 2027.25) > 0.6 * shipped


def test_without_sites_ghost_compute_is_written_off_and_orders_fall(no_sites, base):
    """More than in base and most of what never finds a site is lost, and orders nearly stop."""
    lost = at(no_sites, "Cumulative Write Off", 2032)
    assert lost > at(base, "Cumulative Write Off", 2029)
    assert lost > 0.6 * (lost + at(no_sites, "total ghost compute", 2032))
    assert at(no_sites, "ordering", 2029) < 0.2 * peak(no_sites, "ordering")


def test_without_sites_installed_compute_cannot_grow(no_sites):
    """Once the sites that only waited for power are connected, places free up by retirement alone."""
    fleet = of(since(no_sites, 2028), "Installed Compute")
    assert float(fleet.max() / fleet.min()) < 1.05


@pytest.mark.parametrize(
    "nothing",
    [NOBODY, {"free share multiplier": 10, "free share": 1}, {"internal share": 1}, {"paying share": 0}],
    ids=["nobody", "everything free", "everything internal", "no payers"],
)
def test_nothing_divides_by_nothing(changed, nothing):
    """Without users, paid tokens or subscribers every value stays finite, and what cannot be earned is zero."""
    run = changed(nothing)
    assert all(bool(np.isfinite(variable).all()) for variable in run.data_vars.values())
    if "paying share" in nothing:
        assert peak(run, "subscription revenue") == 0
        assert peak(run, "metered revenue") > 0
    else:
        assert peak(run, "Annual Revenue") == 0


def test_without_users_there_are_no_tokens_and_other_work_goes_on(no_users):
    """Background orders keep a fleet."""
    assert peak(no_users, "token volume total") == 0
    assert float(of(no_users, "Installed Compute").min()) > 0.8


@pytest.mark.parametrize(
    "unlimited",
    [
        {"on site power multiplier": 100, "site construction time multiplier": 0.1, "site forward cover": 3},
        {"grid connection time multiplier": 0.002, "site construction time multiplier": 0.1, "site forward cover": 3},
    ],
    ids=["every site has its own power", "the grid grows without limit"],
)
def test_with_unlimited_power_ghost_compute_is_work_in_progress(changed, unlimited):
    """A year and a half after the policy start excess ghost compute is gone."""
    run = changed(unlimited)
    rest = since(run, POLICY_START + 1.5)
    assert float((of(rest, "excess ghost compute") / of(rest, "total ghost compute")).max()) < 0.1


def test_at_elasticity_zero_price_has_no_effect_on_use(changed):
    """Twice the margin gives exactly the same tokens per task."""
    run = changed({"price elasticity": 0, "markup multiplier": [1, 2]})
    dear = run.isel(member=1)
    assert at(dear, "Price", 2028) > 1.3 * at(run.isel(member=0), "Price", 2028)
    np.testing.assert_array_equal(run["tokens_per_task"].isel(member=0), dear["tokens_per_task"])


def test_without_funds_nothing_is_ordered_or_begun(no_funds):
    """At no time."""
    assert peak(no_funds, "ordering") == 0
    assert peak(no_funds, "capex") == 0


def test_in_a_funding_stop_spending_falls_to_cash_flow(scenario_run):
    """From 2027 on there is no new debt, equity or vendors' money."""
    rest = since(scenario_run("funding-stop"), 2027.0625)
    for source in ("borrowing", "raising equity", "vendor lending"):
        assert peak(rest, source) == 0
    assert bool((rest["capex"] <= rest["spending_limit"] * (1 + 1e-9)).all())
