"""Weights of subsets: the axioms of Shapley values and of interaction indices, on games of any numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sdmodel.comparison import interaction_weights, largest_contributors, measure_weights

NUMBERS = st.floats(-1e6, 1e6)


@st.composite
def games(draw: st.DrawFn):
    """The values of all subsets of one to five levers."""
    count = draw(st.integers(1, 5))
    return count, draw(arrays(float, 2**count, elements=NUMBERS))


def _over_orders(count, values):
    """Shapley values from their meaning: the mean over all orders of what a lever adds when its turn comes."""
    found = np.zeros(count)
    for order in itertools.permutations(range(count)):
        moved = 0
        for lever in order:
            found[lever] += values[moved | 1 << lever] - values[moved]
            moved |= 1 << lever
    return found / math.factorial(count)


@given(games())
def test_shapley_values_are_means_over_all_orders(game):
    """The formula over subsets and the meaning over orders agree."""
    count, values = game
    np.testing.assert_allclose(measure_weights(count)[1] @ values, _over_orders(count, values), rtol=1e-9, atol=1e-6)


@given(games())
def test_shapley_values_add_up_to_the_whole(game):
    """Nothing is left over, whatever the game."""
    count, values = game
    assert (measure_weights(count)[1] @ values).sum() == pytest.approx(values[-1] - values[0], rel=1e-12, abs=1e-7)


@given(games())
def test_alone_and_last_are_single_differences(game):
    """One lever moved from none, and one lever more when all others are moved."""
    count, values = game
    alone, _, last = measure_weights(count) @ values
    for lever in range(count):
        assert alone[lever] == pytest.approx(values[1 << lever] - values[0], abs=1e-9)
        assert last[lever] == pytest.approx(values[-1] - values[len(values) - 1 - (1 << lever)], abs=1e-9)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_additive_levers_contribute_the_same_by_every_measure(effects):
    """Without interactions there is one answer, and the interaction indices are zero."""
    count = len(effects)
    values = np.array([sum(effects[i] for i in range(count) if code >> i & 1) for code in range(2**count)])
    for measure in measure_weights(count) @ values:
        np.testing.assert_allclose(measure, effects, rtol=1e-9, atol=1e-6)
    if count > 1:
        np.testing.assert_allclose(interaction_weights(count) @ values, 0, atol=1e-6)


@given(st.integers(2, 5), st.data())
def test_a_product_of_two_levers_is_their_interaction(count, data):
    """V = 1 where both are moved: the index of that pair is 1, of all others 0; each of the two gets one half."""
    one, other = data.draw(st.permutations(range(count)))[:2]
    values = np.array([float(bool(code >> one & 1 and code >> other & 1)) for code in range(2**count)])
    index = interaction_weights(count) @ values
    expected = np.zeros((count, count))
    expected[one, other] = expected[other, one] = 1
    np.testing.assert_allclose(index, expected, atol=1e-12)
    np.testing.assert_allclose((measure_weights(count)[1] @ values)[[one, other]], 0.5, atol=1e-12)


def test_equal_contributions_share_the_first_rank():
    """Whatever their sign; without effects nobody is first, and with a missing number the result is missing."""
    first = largest_contributors(np.array([[2.0, -3.0, 0.0, np.nan], [1.0, 3.0, 0.0, 1.0], [-2.0, 1.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(first[:, 0], [0.5, 0, 0.5])
    np.testing.assert_array_equal(first[:, 1], [0.5, 0.5, 0])
    np.testing.assert_array_equal(first[:, 2], [0, 0, 0])
    assert np.isnan(first[:, 3]).all()
