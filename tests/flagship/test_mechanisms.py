"""Each mechanism matters: from the policy start date on it moves what it should by a stated amount."""

from __future__ import annotations

import numpy as np
import pytest
from ai_compute import POLICY_START, at, change, of, since

pytestmark = pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
"""Extreme values lie outside the ranges of their constants."""

NO_SITES = {"site construction time multiplier": 1e9, "on site power multiplier": 0, "retrofit multiplier": 0}


def test_ceilings_at_todays_users_cut_token_volume(changed, base):
    """With nobody new after the policy start, tokens served in 2030 fall by at least 40 %."""
    stopped = changed({"penetration multiplier": 0.05})
    users = of(since(stopped, POLICY_START + 0.0625), "Active Users")
    assert float(users.max() - users.min()) < 1e-6
    assert change(base, stopped, "token volume total", 2030) <= -0.4


def test_no_new_sites_cut_tokens_and_revenue(changed, base):
    """Physics reaches revenue: both fall by at least 30 % in 2030."""
    without = changed(NO_SITES)
    assert change(base, without, "token volume total", 2030) <= -0.3
    assert change(base, without, "Annual Revenue", 2030) <= -0.3


def test_scarcity_raises_revenue_per_gw(changed, base):
    """Fewer GW earn more each, so revenue falls by less than compute."""
    without = changed(NO_SITES)
    assert change(base, without, "revenue per GW", 2028) > 0.3
    assert change(base, without, "Annual Revenue", 2028) > change(base, without, "installed compute total", 2028)


def test_elasticity_moves_demand_below_its_ceiling(changed):
    """From 0.6 to 1.4 it doubles what is asked for in 2030, and what is served where neither compute nor budgets bind."""
    values = (0.6, 1.4)
    base = [changed({"price elasticity": value}) for value in values]
    free = [changed({"price elasticity": value, "scarcity switch": 0, "budget switch": 0}) for value in values]
    for run in (*base, *free):
        assert float((run["tokens_per_task"] / run["tokens_ceiling"]).max()) < 1
    assert at(base[1], "token demand", 2030) > 2 * at(base[0], "token demand", 2030)
    assert at(free[1], "token volume total", 2030) > 2 * at(free[0], "token volume total", 2030)


def test_open_models_take_volume_before_dollars(changed, base):
    """Closing the gap at once raises the cheap share by 10 points in 2027, and premium dollars fall by less than volume."""
    closed = changed({"open model lag multiplier": 0.02})
    gained = at(closed, "mean cheap share", 2027) - at(base, "mean cheap share", 2027)
    assert gained >= 0.1
    premium = [at(run, "metered revenue", 2027) * (1 - at(run, "cheap dollar share", 2027)) for run in (base, closed)]
    volume = [1 - at(run, "mean cheap share", 2027) for run in (base, closed)]
    assert premium[1] / premium[0] > volume[1] / volume[0]


def test_a_hurdle_rate_of_40_percent_cuts_capital_spending(changed, base):
    """By at least 25 % over the year 2028."""
    years = [float(since(run, 2028, 2029)["capex"].mean()) for run in (base, changed({"hurdle rate": 0.4}))]
    assert years[1] / years[0] - 1 <= -0.25


def test_a_debt_limit_of_zero_binds_at_once(changed, base):
    """Funds are short within half a year, and borrowing stops."""
    run = changed({"debt limit multiplier": 0})
    assert float(since(run, POLICY_START, POLICY_START + 0.5)["funding_adequacy"].min()) < 1
    assert float(since(run, POLICY_START + 0.0625)["borrowing"].max()) == 0
    assert change(base, run, "capex", 2027) < -0.05


def test_agents_move_revenue_from_seats_to_metered_use(changed, base):
    """Without agents there are more seats and less metered revenue."""
    without = changed({"agent ceiling multiplier": 0.1})
    assert change(base, without, "subscription revenue", 2028) > 0
    assert change(base, without, "token demand", 2028) < -0.3


def test_vendor_financing_matters_where_money_is_short(changed):
    """In a world without other debt it adds to capital spending."""
    none, much = (changed({"debt limit multiplier": 0, "vendor financing share": share}) for share in (0, 0.3))
    assert change(none, much, "capex", 2027) > 0.02


@pytest.mark.parametrize("headline", ["Annual Revenue", "capex", "installed compute total", "Active Users"])
def test_no_headline_jumps_after_2027(base, headline):
    """From 2028 on none moves by more than a factor of 1.65 in a year."""
    values = of(base, headline).sel(time=np.arange(2028, 2033)).to_numpy()
    ratios = values[1:] / values[:-1]
    assert ratios.max() <= 1.65
    assert ratios.min() >= 1 / 1.65


@pytest.mark.parametrize(
    "headline", ["Annual Revenue", "capex", "installed compute total", "list price", "token volume total"]
)
def test_no_zig_zags(base, headline):
    """After the policy start no swing down and up again within a year is larger than 3 % either way."""
    values = np.log(of(since(base, POLICY_START + 0.5), headline).to_numpy())
    steps = np.diff(values)
    turns = np.flatnonzero(np.sign(steps[1:]) != np.sign(steps[:-1])) + 1
    short = [(a, b) for a, b, c in zip(turns, turns[1:], turns[2:], strict=False) if c - a < 16]
    assert all(abs(values[b] - values[a]) <= 0.06 for a, b in short)
