"""Test 4: what must happen when an input is zero or unlimited."""

from __future__ import annotations

import numpy as np
import pytest
from ai_compute import POLICY_START, at, of, peak, since

pytestmark = pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
"""Extreme values lie outside the ranges of their constants."""

NO_CHIPS = {"chip supply cap": 0}
NO_SITES = {"site construction time": 1e9, "on site power share": 0, "retrofit share": 0}
NO_FUNDS = {"cross subsidy share": 0, "cash margin": 0, "debt limit": 0}
NO_USERS = {
    "addressable people": 0,
    "initial active users": 0,
}
AFTER = float(np.nextafter(POLICY_START, np.inf))


@pytest.fixture(scope="module")
def no_chips(changed):
    return changed(NO_CHIPS)


@pytest.fixture(scope="module")
def no_sites(changed):
    return changed(NO_SITES)


@pytest.fixture(scope="module")
def no_users(changed):
    return changed(NO_USERS)


@pytest.fixture(scope="module")
def no_funds(changed):
    return changed(NO_FUNDS)


def _installed_after(run) -> float:
    """GW energised since the policy start date: the gain in installed compute plus retirements."""
    gains = [at(run, name, 2032) - at(run, name, POLICY_START) for name in ("Installed Compute", "Cumulative Retired")]
    return sum(gains)


def test_without_chips_only_those_in_store_are_installed(no_chips):
    """After the policy start nothing ships, and no more is energised than was waiting."""
    assert float(since(no_chips, POLICY_START)["total_shipments"].max()) == 0
    assert _installed_after(no_chips) <= at(no_chips, "total ghost compute", POLICY_START)


def test_once_the_store_is_empty_nothing_is_installed(no_chips):
    """The store only falls; below a thousandth of its start, installation is under 0.05 GW a year, and then ends."""
    rest = since(no_chips, POLICY_START)
    store = of(rest, "total ghost compute")
    assert bool((store.diff("time") < 0).all())
    empty = store < 1e-3 * float(store[0])
    assert float(rest["time"][empty][0]) < 2028
    assert float(of(rest, "total installation")[empty].max()) < 0.05
    assert at(rest, "total installation", 2030) < 1e-6


def test_without_chips_the_fleet_shrinks_in_the_end(no_chips):
    """Nothing replaces retired chips."""
    assert bool((of(since(no_chips, 2028), "Installed Compute").diff("time") < 0).all())


def test_without_sites_ghost_compute_grows_with_shipments(no_sites, base):
    """For two years it rises at every saved time and stays above base, while chips still ship."""
    years = since(no_sites, AFTER, 2028)
    ghost = of(years, "total ghost compute")
    assert bool((ghost.diff("time") > 0).all())
    assert bool((ghost > of(since(base, AFTER, 2028), "total ghost compute")).all())
    shipped = at(no_sites, "Cumulative Chips Sold", 2028) - at(no_sites, "Cumulative Chips Sold", POLICY_START)
    assert at(no_sites, "total ghost compute", 2028) > 0.6 * shipped


def test_without_sites_only_free_shells_and_retired_places_are_filled(no_sites):
    """No site is completed, so no more is energised than the space that is free or becomes free."""
    assert float(of(since(no_sites, AFTER), "completing").max()) < 1e-6
    retired = at(no_sites, "Cumulative Retired", 2032) - at(no_sites, "Cumulative Retired", POLICY_START)
    assert _installed_after(no_sites) <= at(no_sites, "Powered Shells", POLICY_START) + retired + 1e-6


def test_without_sites_ghost_compute_is_written_off_and_orders_fall(no_sites, base):
    """Over 85 % of the chips without a site are written off in the end, more than in base, and orders stop."""
    lost = at(no_sites, "Cumulative Write Off", 2032)
    assert lost > 0.85 * (lost + at(no_sites, "total ghost compute", 2032))
    assert lost > at(base, "Cumulative Write Off", 2032)
    assert at(no_sites, "ordering", 2030) < 0.2 * peak(no_sites, "ordering")


def test_without_users_there_is_no_revenue(no_users):
    """At no saved time."""
    for name in ("Active Users", "token volume total", "billed revenue", "gross revenue", "Annual Revenue"):
        assert peak(no_users, name) == 0, name


def test_without_users_everything_is_finite(no_users):
    """Other AI work keeps its chips."""
    assert all(bool(np.isfinite(variable).all()) for variable in no_users.data_vars.values())
    assert float(of(no_users, "Installed Compute").min()) > 1


@pytest.mark.parametrize(
    "unlimited",
    [
        {"on site power share": 1, "site construction time": 0.25},
        {"grid connection time": 0.01, "site construction time": 0.25},
    ],
    ids=["every site has its own power", "the grid grows without limit"],
)
def test_with_unlimited_power_ghost_compute_is_work_in_progress(changed, base, unlimited):
    """A year after the policy start it is at most 10 % above normal work in progress; little is written off."""
    run = changed(unlimited)
    rest = since(run, POLICY_START + 1)
    assert float((of(rest, "total ghost compute") / of(rest, "normal work in progress")).max()) < 1.1
    assert peak(rest, "excess ghost compute") < 0.05 * peak(base, "excess ghost compute")
    assert at(run, "Cumulative Write Off", 2032) < 0.1 * at(base, "Cumulative Write Off", 2032)


def test_at_elasticity_zero_price_has_no_effect_on_volume(changed):
    """Half the price gives exactly the same tokens without effects of capacity, budgets and adoption."""
    still = {"price elasticity": 0, "adoption price sensitivity": 0, "scarcity switch": 0, "budget switch": 0}
    run = changed({**still, "price cut": [0, 0.5]})
    dear, cheap = run.isel(member=0), run.isel(member=1)
    assert at(cheap, "billed price", 2028) < 0.6 * at(dear, "billed price", 2028)
    np.testing.assert_array_equal(cheap["token_volume"], dear["token_volume"])


def test_at_elasticity_zero_the_price_effect_is_constant(changed):
    """From the policy start on, in the whole model."""
    effect = of(since(changed({"price elasticity": 0}), POLICY_START), "price effect on demand")
    assert float(effect.max() - effect.min()) < 1e-9 * float(effect.max())


def test_without_funds_orders_stop(no_funds):
    """Nothing is ordered and no site is begun once work in progress is paid for."""
    assert float(of(since(no_funds, POLICY_START), "ordering").max()) == 0
    assert float(of(since(no_funds, POLICY_START), "starting").max()) == 0


def test_without_funds_the_fleet_decays_at_its_effective_life(no_funds):
    """Once no chip waits, installed compute falls each year by exp(-integral of 1/life)."""
    rest = since(no_funds, 2029)
    assert at(rest, "total ghost compute", 2029) < 1e-3
    expected = np.exp(-(1 / of(rest, "effective life")).cumulative_integrate("time"))
    fleet = of(rest, "Installed Compute")
    np.testing.assert_allclose(fleet / fleet[0], expected, rtol=1e-3)
