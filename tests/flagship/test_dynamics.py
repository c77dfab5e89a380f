"""Test 5: the model behaves as such systems are known to."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ai_compute import POLICY_START, of, peak, since

BOOMS = ["total ghost compute", "excess ghost compute", "Cumulative Write Off"]
WITHOUT_LIMITS = {"scarcity switch": 0, "budget switch": 0}
ELASTICITIES = np.array([0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5])


@pytest.mark.parametrize("name", BOOMS)
def test_shorter_construction_damps_the_boom(changed, name):
    """A shorter delay in a supply line means a smaller overshoot (Sterman, 2000, ch. 17)."""
    peaks = [peak(changed({"site construction time": years}), name) for years in (0.7, 1.0, 1.7, 3.0)]
    assert all(shorter < longer for shorter, longer in itertools.pairwise(peaks)), peaks


@pytest.mark.parametrize("name", BOOMS)
def test_counting_the_whole_supply_line_damps_the_boom(changed, base, name):
    """Ignoring what is on order overshoots most, counting all of it least (Sterman, Management Science 35, 1989)."""
    blind, full = (peak(changed({"supply line weight": weight}), name) for weight in (0.0, 1.0))
    assert blind > peak(base, name) > full


@pytest.mark.parametrize(("higher", "lower"), [("naive", "base"), ("base", "essay")])
def test_revenue_is_highest_in_naive_and_lowest_in_essay(scenario_run, higher, lower):
    """At every saved time from 2026 on."""
    difference = of(since(scenario_run(higher), 2026), "Annual Revenue") - of(
        since(scenario_run(lower), 2026), "Annual Revenue"
    )
    assert float(difference.min()) > 0


def _revenue_changes(changed, cut: float) -> np.ndarray:
    """The relative change of revenue four years after a lasting price cut, for each elasticity."""
    prices = {"price elasticity": ELASTICITIES, **WITHOUT_LIMITS}
    runs = [changed({**prices, "price cut": value}, save=["Annual Revenue"]) for value in (0.0, cut)]
    without, with_cut = (of(run, "Annual Revenue").sel(time=POLICY_START + 4).to_numpy() for run in runs)
    return with_cut / without - 1


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.5])
def test_price_cut_pays_where_demand_is_elastic(changed, cut):
    """Without scarcity and budgets it lowers revenue below elasticity 1 and raises it above, within 0.1."""
    change = _revenue_changes(changed, cut)
    assert np.all(change[ELASTICITIES < 0.9] < 0)
    assert np.all(change[ELASTICITIES > 1.1] > 0)
    assert float(np.interp(0, change, ELASTICITIES)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.5])
def test_price_cut_pays_more_the_more_elastic_demand_is(changed, cut):
    """The change of revenue rises with elasticity throughout."""
    assert np.all(np.diff(_revenue_changes(changed, cut)) > 0)
