"""Test 1: the essay's ledger follows from its premises in every run; its results are not typed in."""

from __future__ import annotations

import numpy as np
import pytest
from ai_compute import SCENARIOS, at, of

END_OF_2026 = 2027.0
LEDGER = ["naive tokens", "naive revenue", "ledger ghost"]


def test_naive_revenue_of_late_2026_equals_the_essay(base):
    """1.27 billion USD a day within 2 %, and above 460 billion USD a year."""
    yearly = at(base, "naive revenue", END_OF_2026)
    assert yearly / 365 == pytest.approx(1.27, rel=0.02)
    assert yearly > 460


@pytest.mark.parametrize(
    ("premise", "values"),
    [
        ("essay tokens per day", [60.0, 130.0]),
        ("essay doubling time", [1 / 6, 0.5]),
        ("essay price", [1.3, 3.0]),
        ("essay price decline", [0.6, 0.8]),
    ],
)
def test_naive_revenue_is_tokens_times_price_for_any_premises(changed, base, premise, values):
    """Tokens 2^(years/doubling time) x price (1 - decline)^years x 365 days; 1e12 tokens at USD per million."""
    run = changed({premise: values}, save=["naive revenue", premise])
    p = {name: float(base[name]) for name in ("essay_tokens_per_day", "essay_doubling_time", "essay_price")}
    p |= {name: float(base[name]) for name in ("essay_price_decline", "reference_date")}
    years = run["time"].to_numpy() - p["reference_date"]
    for member, value in enumerate(values):
        q = p | {premise.replace(" ", "_"): value}
        tokens = q["essay_tokens_per_day"] * 2 ** (years / q["essay_doubling_time"])
        price = q["essay_price"] * (1 - q["essay_price_decline"]) ** years
        found = run["naive_revenue"].isel(member=member).to_numpy()
        np.testing.assert_allclose(found, tokens * price * 365 / 1e3, rtol=1e-12)


@pytest.mark.parametrize("share", [1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
def test_ledger_ghost_is_chips_less_the_ai_share_of_new_power(changed, share):
    """5 to 10 GW if all new capacity serves AI, and 2 GW more for every tenth that does not."""
    run = changed({"ledger AI share": share})
    more = 20 * (1 - share)
    ghost = run["ledger_ghost"]
    assert float(ghost.sel(bound="low").max()) == pytest.approx(5 + more, abs=1e-9)
    assert float(ghost.sel(bound="high").max()) == pytest.approx(10 + more, abs=1e-9)


def test_comment_corrects_the_aside(model):
    """Ten thousand people at 100 million tokens a day are one trillion a day, not ten."""
    assert "are 1 trillion a day, not 10" in " ".join(model.elements["naive_tokens"].comment.split())


@pytest.mark.parametrize("name", SCENARIOS)
def test_ledger_is_the_same_in_every_scenario(scenario_run, base, name):
    """It is separate from the model: no mechanism affects it."""
    run = scenario_run(name)
    for item in LEDGER:
        np.testing.assert_array_equal(of(run, item), of(base, item))


@pytest.mark.parametrize("name", SCENARIOS)
def test_share_of_the_essays_sum_is_reported_to_the_end_of_2027(scenario_run, name):
    """Revenue over naive revenue, and zero afterwards: exponentials of 2025 say nothing about later years."""
    run = scenario_run(name)
    expected = (run["annual_revenue"] / run["naive_revenue"]).where(run["time"] <= 2028, 0)
    np.testing.assert_allclose(run["share_of_essay_sum"], expected, rtol=1e-12)
