"""FIND ZERO: what it solves for satisfies its equations, in every way to run a model."""

from __future__ import annotations

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.testing import tiny_model

MARKET = """
good: A, B, C
ones[good] = 1
demand[A] = 30/price[A] + 0.1*income
demand[B] = 20/price[B] + 0.2*price[A]
demand[C] = 10/price[C] + 0.1*price[B] + EXP(-price[A])
income = SUM(price[good!])
supply[good] = good*price[good]^1.2 + shift
shift = 1 + amplitude*SIN(capacity)
amplitude = 0.5
capacity = INTEG(price[A] - capacity, 2)
excess[good] = demand[good] - supply[good]
price[good] = FIND ZERO(ones[A], excess[A], ones[A], ones[A], ELMCOUNT(good), 0, 1e-8, 100, 0)
side: left, right
target[left] = 2
target[right] = 9
pair: first, second
one[pair] = 1
root[side, pair] = FIND ZERO(one[pair], gap[side, pair], one[pair], one[pair], 2, 0, 1e-10, 50, 1)
gap[side, first] = root[side, first]*root[side, second] - target[side] - Time
gap[side, second] = root[side, first] - root[side, second]
log: l
w[log] = 1
far[log] = FIND ZERO(w[log], LN(far[log]) + 4, w[log], w[log], 1, 0, 1e-10, 50, 0)
relative[good] = FIND ZERO(ones[good], use[good] - relative[good]/SUM(relative[good!]), ones[good], ones[good], 3, 1, 1e-9, 50, 0)
use[good] = (1 + good)/9
"""


@pytest.fixture(scope="module")
def whole():
    return tiny_model(MARKET, final=6, step=0.5)


@pytest.fixture(scope="module")
def run(whole):
    return sd.simulate(whole)


def test_what_is_found_satisfies_its_equations(run):
    assert np.abs(run["excess"]).max() < 1e-12
    assert (run["price"] > 0).all()
    squares = np.add.outer(run["time"].values, [2.0, 9.0])
    np.testing.assert_allclose(run["root"], np.stack([np.sqrt(squares)] * 2, axis=-1), rtol=1e-9)
    np.testing.assert_allclose(run["far"], np.exp(-4), rtol=1e-9)  # the first tangent leads below zero


def test_elements_that_are_skipped_keep_their_initial_value(run):
    """Shares, which do not depend on the size of the vector."""
    np.testing.assert_allclose(run["relative"], [[1, 1.5, 2]] * len(run["time"]), rtol=1e-9)


def test_a_larger_vector_than_its_size_is_left_alone():
    text = "d: A, B, C\nw[d] = d\nx[d] = FIND ZERO(w[d], x[d] - 10*w[d], w[d], w[d], 2, 0, 1e-9, 50, 0)"
    np.testing.assert_allclose(sd.simulate(tiny_model(text))["x"][0], [10, 20, 3])


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_run_has_the_same_numbers_in_every_way(whole, integrator, check_other_ways):
    check_other_ways(whole, integrator, "amplitude", [0.5, 0.1, 0.9], at=[3])


def test_links_go_through_what_is_found():
    """A price depends on its excess in a way that is not known, and the rest of its loops is."""
    text = "s: a\nw[s] = 1\nx[s] = FIND ZERO(w[s], z[s], w[s], w[s], 1, 0, 1e-9, 50, 0)\nz[s] = x[s] - level\nlevel = INTEG(x[a], 1)"
    paths = list(map(str, sd.find_loops(tiny_model(text))))
    assert any("z" in path and "x" in path for path in paths)
    assert not any("#" in path for path in paths)


def test_a_vector_without_a_zero_is_named():
    text = "d: A, B\nw[d] = 1\nx[d] = FIND ZERO(w[d], x[d]^2 + 1 + Time, w[d], w[d], 2, 0, 1e-10, 50, 0)"
    with pytest.warns(
        sd.NotFiniteWarning,
        match=r"'x\[A\]' is not finite from time 0; the largest of what FIND ZERO makes zero is still \d.*; give it an initial value",
    ):
        assert np.isnan(sd.simulate(tiny_model(text, final=1))["x"]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x[d] = 1 + FIND ZERO(w[d], x[d], w[d], w[d], 2, 0, 0, 9, 0)", "FIND ZERO must be the whole right-hand side"),
        (
            "x[d] = FIND ZERO(w[d], w[d] - 2, w[d], w[d], 2, 0, 0, 9, 0)",
            "the second argument of FIND ZERO does not depend on 'x'",
        ),
        ("x = FIND ZERO(1, x - 2, 1, 1, 1, 0, 0, 9, 0)", "FIND ZERO solves for a vector; give 'x' a subscript range"),
        ("x[A] = FIND ZERO(1, x[A] - 2, 1, 1, 1, 0, 0, 9, 0)\nx[B] = 3", "FIND ZERO must be the only equation of 'x'"),
        (
            "x[d] = FIND ZERO(w[d], x[d] + y[d], w[d], w[d], 2, 0, 0, 9, 0)\ny[d] = FIND ZERO(w[d], y[d] - x[d], w[d], w[d], 2, 0, 0, 9, 0)",
            "'y' is within the loop of 'x', which FIND ZERO solves; make both one vector",
        ),
        (
            "x[d] = FIND ZERO(w[d], x[d] + y, w[d], w[d], 2, 0, 0, 9, 0)\ny = SAMPLE IF TRUE(Time > 1, x[A], 0)",
            "the loop of 'x' goes through SAMPLE IF TRUE",
        ),
        ("x[d] = FIND ZERO(w[d], x[d], w[d])", "FIND ZERO takes 9 arguments, not 3"),
    ],
)
def test_a_loop_that_cannot_be_solved_is_a_fault(text, words):
    with pytest.raises(ModelError, match=words):
        tiny_model(f"d: A, B\nw[d] = 1\n{text}")
