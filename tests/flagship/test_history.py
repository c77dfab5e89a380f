"""Test 2: base agrees with observations up to September 2025."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ai_compute import CLOSE, OTHERWISE, at

import sdmodel as sd
from sdmodel.inference import evaluate_series

NAMES = [
    "weekly users",
    "chips sold",
    "buyers' capex",
    "list price",
    "token revenue",
    "tokens at Google",
    "H100 rental",
]


@pytest.fixture(scope="module")
def fitted(base, observed):
    return {row.name: row for row in sd.fit_run(base, observed).rows}


@pytest.mark.parametrize("name", NAMES)
def test_every_required_series_is_compared(fitted, name):
    """A series that is not compared cannot fail."""
    assert fitted[name].count >= (3 if name != "token revenue" else 2)


def test_every_series_agrees_with_base(fitted):
    """Mean absolute percentage error at most 10 % for chips sold and weekly users, 25 % for each other series."""
    missed = {
        name: row.measures["mape"] for name, row in fitted.items() if row.measures["mape"] > CLOSE.get(name, OTHERWISE)
    }
    assert not missed


def test_no_series_ends_after_the_knowledge_date(observed):
    """Later data may judge the model but not shape it."""
    assert max(float(series.times[-1]) for series in observed) <= 2025.75


@pytest.mark.parametrize("name", ["weekly users", "chips sold"])
def test_errors_of_long_series_are_scatter(fitted, name):
    """With five points and more, Theil's shares add up to one, bias is not the largest, and R2 is high."""
    measures = fitted[name].measures
    assert fitted[name].count >= 5
    assert measures["um"] + measures["us"] + measures["uc"] == pytest.approx(1, abs=0.01)
    assert measures["um"] < 0.5
    assert measures["r2"] > 0.95


def test_short_series_have_no_shares(fitted):
    """Two or three points cannot distinguish bias from chance."""
    assert all(math.isnan(row.measures["r2"]) for row in fitted.values() if row.count < 5)


@pytest.mark.parametrize("year", [2023, 2024])
def test_capital_spending_of_each_year_agrees(base, observed, year):
    """Each calendar year within 25 %; the sum is dated at mid-year."""
    capex = next(series for series in observed if series.name == "buyers' capex")
    (point,) = np.flatnonzero(np.floor(capex.times) == year)
    assert evaluate_series([capex], base)[point, 0] == pytest.approx(capex.values[point], rel=0.25)


def test_gpu_rental_price_falls_and_then_levels(base):
    """It more than halves from mid 2023 to early 2024, and moves by less than a tenth in 2025."""
    early, later, new_year, autumn = (at(base, "GPU Rental Price", time) for time in (2023.5, 2024.25, 2025, 2025.75))
    assert early > 2 * later
    assert later > new_year
    assert autumn == pytest.approx(new_year, rel=0.1)


def test_tokens_of_august_2025_are_in_the_identifiable_range(base):
    """From 60, the sum of published figures, to 200 trillion a day, the essay's figure."""
    assert 60 <= at(base, "token volume total", 2025 + 8 / 12) <= 200
