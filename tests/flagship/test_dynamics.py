"""The model behaves as such systems are known to."""

from __future__ import annotations

import itertools

import pytest
from ai_compute import at, of, peak, since

BOOMS = ["total ghost compute", "excess ghost compute", "Cumulative Write Off"]


@pytest.mark.parametrize("name", BOOMS)
def test_shorter_construction_damps_the_boom(changed, name):
    """A shorter delay in a supply line means a smaller overshoot (Sterman, 2000, ch. 17)."""
    peaks = [peak(since(changed({"site construction time multiplier": m}), 2026, 2029), name) for m in (0.4, 0.7, 1)]
    assert all(shorter < longer for shorter, longer in itertools.pairwise(peaks)), peaks


def test_counting_the_whole_supply_line_damps_the_boom(changed, base):
    """Ignoring what is on order overshoots most, counting all of it least (Sterman, Management Science 35, 1989)."""
    blind, full = (changed({"supply line weight multiplier": m}) for m in (0.0, 2.0))
    chips = [peak(run, "Chips On Order") for run in (blind, base, full)]
    assert chips[0] > chips[1] > chips[2]
    lost = [peak(run, "Cumulative Write Off") for run in (blind, base, full)]
    assert lost[0] > lost[2]


@pytest.mark.parametrize(("higher", "lower"), [("naive", "base"), ("base", "essay")])
def test_revenue_is_highest_in_naive_and_lowest_in_essay(scenario_run, higher, lower):
    """At every saved time from mid 2026 to 2030."""
    high, low = (of(since(scenario_run(name), 2026.5, 2030), "Annual Revenue") for name in (higher, lower))
    assert float((high - low).min()) > 0


def test_a_dearer_token_is_asked_for_less(changed):
    """Where neither capacity nor budgets bind, twice the margin lowers use, and more so the more elastic demand is."""
    free = {"scarcity switch": 0, "budget switch": 0}
    falls = []
    for elasticity in (0.4, 0.8, 1.4):
        plain, dear = (changed({**free, "price elasticity": elasticity, "markup multiplier": m}) for m in (1, 2))
        falls.append(at(dear, "token demand", 2028) / at(plain, "token demand", 2028))
    assert 1 > falls[0] > falls[1] > falls[2]


def test_agents_everywhere_ask_for_more_tokens(scenario_run, base):
    """Twice the demand of base at least, while compute limits what is served."""
    assert at(scenario_run("agents-everywhere"), "token demand", 2028) > 1.5 * at(base, "token demand", 2028)


def test_scarce_compute_is_kept_from_those_who_do_not_pay(base):
    """In the scarcest year unpaid use is served least."""
    served = base["served_fraction"].sel(time=2026)
    assert float(served.sel(payer="unpaid")) <= float(served.sel(payer="metered"))


def test_rents_follow_scarcity_in_both_directions(changed, base):
    """More compute lowers the rent of an old chip, less raises it."""
    more = changed({"site construction time multiplier": 0.4, "on site power multiplier": 5})
    less = changed({"chip supply multiplier": 0})
    rents = [at(run, "GPU Rental Price", 2028) for run in (more, base, less)]
    assert rents[0] < rents[1] < rents[2]
