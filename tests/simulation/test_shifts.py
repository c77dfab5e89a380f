"""SHIFT IF TRUE: stocks move to the next place, and nothing is lost, in every way to run a model."""

from __future__ import annotations

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.testing import tiny_model

COHORTS = """
country: usa, mexico
age: unborn, (a1-a6)
grown: (a1-a6)
people[country, unborn] = INTEG(births[country] - deaths[country, unborn], 5)
people[country, grown] = INTEG(-deaths[country, grown], 10*grown)
births[country] = 2 + country + SIN(Time)
deaths[country, age] = people[country, age] * mortality
mortality = 0.02
left[country] = SHIFT IF TRUE(people[country, unborn], MODULO(Time, 1) = 0 :AND: Time > 0, ELMCOUNT(age), 1, 0)
total[country] = SUM(people[country, age!])
counted[country] = INTEG(births[country] - SUM(deaths[country, age!]), 5 + 10*SUM(grown!))
shelf[age] = INTEG(0, age)
taken = SHIFT IF TRUE(shelf[a1], Time > 2.9 :OR: shelf[a6] > 90, 3, 0, 7)
sum taken = INTEG(taken/TIME STEP, 0)
"""


@pytest.fixture(scope="module")
def whole():
    return tiny_model(COHORTS, final=6, step=0.25)


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_people_grow_older_and_none_is_lost(whole, integrator):
    """Once a year all are in the next age, the oldest stay together, and the births of the year before are the first."""
    run = sd.simulate(whole, integrator=integrator)
    np.testing.assert_allclose(run["total"], run["counted"], rtol=1e-12)
    assert not run["left"].any()
    people = run["people"].sel(country="mexico")
    survive = 0.995**4 if integrator == "euler" else np.exp(-0.02)
    for year in range(1, 6):
        before, after = (people.sel(time=time).values for time in (year - 1 if year > 1 else 0, year))
        np.testing.assert_allclose(after[2:-1], survive * before[1:-2], rtol=1e-7)
        assert after[-1] == pytest.approx(survive * (before[-1] + before[-2]), rel=1e-7)
        assert after[0] == 0
    np.testing.assert_allclose(people.sel(time=0.75)[1:], 10 * np.arange(2, 8) * survive**0.75, rtol=1e-7)


def test_what_the_last_place_loses_is_the_value(whole):
    """Without accumulation; at a time at which it is true, the stocks have moved already."""
    run = sd.simulate(whole)
    after = run.sel(time=slice(3, 4))
    assert after["taken"].values.tolist() == [4, 3, 2, 7, 7]
    assert after["shelf"].values[:2].tolist() == [[1, 7, 2, 3, 5, 6, 7], [1, 7, 7, 2, 5, 6, 7]]
    assert float(run["sum_taken"][-1]) == float(run["taken"][:-1].sum())


def test_stocks_move_at_the_start_too():
    text = "d: A, B, C\nx[d] = INTEG(0, d)\ny = SHIFT IF TRUE(x[A], Time < 1, 3, 0, 9)\nz = x[B] + y"
    run = sd.simulate(tiny_model(text, final=2))
    assert run["x"].values.tolist() == [[9, 1, 2]] * 3
    assert run["y"].values.tolist() == [3, 0, 0]
    assert run["z"].values.tolist() == [4, 1, 1]


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_run_has_the_same_numbers_in_every_way(whole, integrator, check_other_ways):
    check_other_ways(whole, integrator, "mortality", [0.02, 0.1, 0.3], at=(2, 2.75, 3, 3.5))


def test_a_condition_that_is_not_a_number_is_named():
    text = "d: A, B\nx[d] = INTEG(0, d)\ny = SHIFT IF TRUE(x[A], 1/(Time - 1) > 0, 2, 0, 9)"
    with pytest.warns(sd.NotFiniteWarning, match="'y' is not finite from time 1"):
        sd.simulate(tiny_model(text, final=2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("x[A], 1, 4, 0, 0", r"SHIFT IF TRUE cannot move 4 elements from 'x\[A\]' on; its size must be from 2 to 3"),
        ("x[B], 1, 3, 0, 0", r"cannot move 3 elements from 'x\[B\]' on; its size must be from 2 to 2"),
        ("x[A], 1, n, 0, 0", r"needs to know how many elements it moves before the run; write a number or ELMCOUNT"),
        ("n, 1, 3, 0, 0", "moves the elements of a stock with subscripts, and its first argument is 'n'"),
        ("v[A], 1, 3, 0, 0", "moves the elements of a stock with subscripts, and its first argument is 'v'"),
        ("x[A] + 1, 1, 3, 0, 0", "its first argument is an expression; name the first element to move"),
        ("m[A], 1, 3, 0, 0", r"SHIFT IF TRUE would move 'm\[C\]', which is not a stock; define it with INTEG"),
        ("x[A], 1, 3, 0", "SHIFT IF TRUE takes 5 arguments, not 4"),
    ],
)
def test_what_cannot_move_is_a_fault(call, words):
    text = "d: A, B, C\nfew: A, B\nx[d] = INTEG(0, d)\nv[d] = d*Time\nm[few] = INTEG(0, 1)\nm[C] = Time\nn = 3"
    with pytest.raises(ModelError, match=words):
        tiny_model(f"{text}\ny = SHIFT IF TRUE({call})")
