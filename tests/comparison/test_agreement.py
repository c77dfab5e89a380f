"""Measures of agreement: identities, closed solutions, and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sdmodel.comparison import (
    AGREEMENT,
    band,
    band_coverage,
    band_width,
    crps,
    crps_skill,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_error,
    root_mean_square_error,
    squared_correlation,
    theil_shares,
)

NUMBER = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
PAIRS = st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=20).map(lambda pairs: np.array(pairs).T)
NORMAL = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
"""A sample that is as normal as a sample can be."""


@given(PAIRS)
def test_theil_shares_add_up_to_one_and_are_not_negative(pair):
    """They decompose the mean square error; without an error all are zero."""
    shares = theil_shares(*pair)
    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(0 if np.array_equal(*pair) else 1, abs=1e-9)


@given(PAIRS)
def test_the_share_of_bias_is_the_squared_mean_error(pair):
    """Um times the mean square error, by its definition."""
    square = root_mean_square_error(*pair) ** 2
    assert theil_shares(*pair).bias * square == pytest.approx(mean_error(*pair) ** 2, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("simulated", "share"),
    [([11.0, 12, 13, 14], "bias"), ([-0.5, 1.5, 3.5, 5.5], "variation"), ([4.0, 3, 2, 1], "covariation")],
)
def test_each_share_is_one_for_its_own_kind_of_error(simulated: list[float], share: str):
    """A shift is bias, a stretch about the mean is variation, another order is covariation."""
    shares = theil_shares(np.array(simulated), np.array([1.0, 2, 3, 4]))
    assert getattr(shares, share) == pytest.approx(1)


@given(PAIRS, st.sampled_from([1e-200, 1e-3, 1e3, 1e200]))
def test_dimensionless_measures_do_not_depend_on_units(pair, factor: float):
    """Measures with units scale; very large and small numbers neither overflow nor vanish."""
    for name, measure in AGREEMENT.items():
        scale = factor if name in ("rmse", "mae", "bias") else 1
        expected = measure(*pair)
        if math.isfinite(expected):
            assert measure(*(factor * pair)) / scale == pytest.approx(expected, rel=1e-6, abs=1e-9), name


@given(PAIRS)
def test_the_three_errors_have_their_known_order(pair):
    """Mean error <= mean absolute error <= root mean square error, in absolute value (Jensen)."""
    bias, absolute, square = abs(mean_error(*pair)), mean_absolute_error(*pair), root_mean_square_error(*pair)
    assert bias <= absolute * (1 + 1e-12) + 1e-12
    assert absolute <= square * (1 + 1e-12) + 1e-12


def test_errors_of_a_known_example():
    """By hand: errors 1, -2, 0 against 2, 4, 5."""
    pair = np.array([3.0, 2, 5]), np.array([2.0, 4, 5])
    assert mean_absolute_percentage_error(*pair) == pytest.approx(100 / 3)
    assert root_mean_square_error(*pair) == pytest.approx(math.sqrt(5 / 3))
    assert mean_absolute_error(*pair) == pytest.approx(1)
    assert mean_error(*pair) == pytest.approx(-1 / 3)
    assert squared_correlation(*pair) == pytest.approx(float(np.corrcoef(*pair)[0, 1]) ** 2)


def test_zero_divided_by_zero_is_zero():
    """An exact zero is not an error; a constant has no correlation; anything divided by zero is infinite."""
    zeros = np.zeros(3)
    assert mean_absolute_percentage_error(zeros, zeros) == 0
    assert mean_absolute_percentage_error(np.ones(3), zeros) == math.inf
    assert squared_correlation(np.full(3, 0.1), np.arange(3.0)) == 0


@given(st.lists(NUMBER, min_size=1, max_size=12), NUMBER)
def test_crps_equals_its_definition_over_all_pairs(members: list[float], observed: float):
    """E|X - y| - E|X - X'|/2, which the sorted form computes faster; for one member, the absolute error."""
    sample = np.array(members)
    expected = np.mean(np.abs(sample - observed)) - np.mean(np.abs(sample[:, None] - sample)) / 2
    assert crps(sample[None], np.array([observed]))[0] == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("mean", "sd", "observed"), [(0, 1, 0.0), (0, 1, 1.5), (10, 2, 4.0), (-3, 0.5, -3.2)])
def test_crps_of_a_normal_ensemble_is_the_closed_form(mean: float, sd: float, observed: float):
    """Gneiting and Raftery (2007), equation 21 for the normal distribution."""
    z = (observed - mean) / sd
    closed = sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))
    assert crps(mean + sd * NORMAL[None], np.array([observed]))[0] == pytest.approx(closed, rel=2e-3)


@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_a_calibrated_sample_covers_its_nominal_share(probability: float):
    """Observations of the same distribution lie in a band as often as its probability, within three standard errors."""
    observed = np.random.default_rng(1).standard_normal(1500)
    covered = band_coverage(np.tile(NORMAL, (1500, 1)), observed, probability)
    assert abs(covered - probability) < 3 * math.sqrt(probability * (1 - probability) / 1500)
    assert band_coverage(np.tile(NORMAL, (1500, 1)) / 3, observed, probability) < probability - 0.2


def test_the_band_of_a_normal_sample_has_its_known_limits():
    """1.645 standard deviations on either side hold 90 %."""
    low, high = band(np.array([NORMAL, 5 + 2 * NORMAL]), 0.9)
    assert low == pytest.approx([-1.645, 5 - 3.29], abs=5e-3)
    assert high == pytest.approx([1.645, 5 + 3.29], abs=5e-3)
    assert band_width(np.array([NORMAL]), 0.9) == pytest.approx(3.29, abs=1e-2)


def test_skill_is_one_if_perfect_and_zero_for_the_reference():
    """The reference is the set of observations without their times; if these are constant there is none."""
    observed = np.array([1.0, 2, 4, 8])
    assert crps_skill(np.zeros(4), observed) == 1
    assert crps_skill(crps(np.tile(observed, (4, 1)), observed), observed) == 0
    assert math.isnan(crps_skill(np.zeros(3), np.ones(3)))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20).map(np.array))
def test_a_model_without_error_has_no_shares(numbers):
    """Rounding in equal moments is not an error."""
    assert theil_shares(numbers, numbers.copy()) == (0, 0, 0)


@given(PAIRS)
def test_theil_shares_equal_their_definition(pair):
    """The variance of the errors is that of unequal variation plus 2 (1 - r) times both standard deviations."""
    simulated, observed = pair
    square = np.mean((simulated - observed) ** 2)
    spread = (np.std(simulated) - np.std(observed)) ** 2
    shares = theil_shares(simulated, observed)
    assert shares.variation * square == pytest.approx(spread, rel=1e-6, abs=1e-6)
    assert shares.covariation * square == pytest.approx(np.var(simulated - observed) - spread, rel=1e-6, abs=1e-3)


def test_the_skill_of_many_observations_needs_no_table_of_pairs():
    """The mean distance between the numbers 0 to n - 1 is (n^2 - 1) / 3n; half of it is the reference."""
    count = 100_000
    scores, observed = np.ones(count), np.arange(count, dtype=float)
    assert crps_skill(scores, observed) == pytest.approx(1 - 6 * count / (count**2 - 1))
