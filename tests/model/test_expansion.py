"""Expansion of functions with a memory: inside sums, over subscripts, with exceptions, compared with models written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

AROUND = "d: A, B\nz[d] = 1, 2\nin[d] = z[d] * Time\ntot = SUM(in[d!])\n"
CALLS = [
    "SMOOTH({}, 2)",
    "DELAY1({}, 2)",
    "1 + INITIAL({} + 3)",
    "0 + SAMPLE IF TRUE(Time > 2, {}, 7)",
    "1 + INTEG({}, 0)",
    "DELAY FIXED({}, 2, 9) + 0",
    "TREND({} + 1, 2, 0.1)",
    "FORECAST({} + 1, 2, 3)",
    "ACTIVE INITIAL({}, 4)",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_memory_of_a_sum_equals_that_of_a_variable_with_the_sum(call):
    """A SUM inside a function with a memory means what it means outside."""
    run = simulate(tiny_model(f"{AROUND}inside = {call.format('SUM(in[d!])')}\noutside = {call.format('tot')}"))
    assert np.array_equal(run.inside, run.outside)
    assert np.ptp(run.inside.values) > 0 or call.startswith("1 + INITIAL")


def test_a_memory_inside_a_sum_has_the_subscripts_of_both():
    """SUM(SMOOTH(x[d!], t[d])) on the left of [d] keeps the two apart."""
    equations = "d: A, B\nu[d] = 1, 10\nt[d] = 2, 4\nx[d] = SUM(SMOOTH(u[d!] * Time, t[d]))"
    run = simulate(tiny_model(equations))
    both = simulate(tiny_model("a = SMOOTH(11 * Time, 2)\nb = SMOOTH(11 * Time, 4)"))
    assert np.allclose(run.x.sel(d="A"), both.a)
    assert np.allclose(run.x.sel(d="B"), both.b)


def test_a_shared_sum_may_use_a_range_as_a_number():
    """A SUM also depends on the left-hand label where it uses its number."""
    run = simulate(tiny_model("d: A, B\ne: P, Q\nu[e] = 1, 2\ny[d] = SUM(u[e!] * d)"))
    assert run.y[0].values.tolist() == [3, 6]


def test_exceptions_apply_to_hidden_stocks():
    """No hidden stock exists for an excepted cell, so that nothing there can break a run."""
    equations = (
        "d: A, B\nk: M, N\nu[d,k] = 1\ntau[d,k] = 0, 0; 2, 2;\n"
        "x[d] :EXCEPT: [A] = SUM(SMOOTH(u[d,k!] * Time, tau[d,k!]))\nx[A] = 5"
    )
    run = simulate(tiny_model(equations))
    assert np.isfinite(run.x).all()


def test_a_hidden_element_never_takes_the_name_of_a_variable():
    """`Cost#1` may be a variable of the model."""
    run = simulate(tiny_model('Cost = SMOOTH(Time, 2)\n"Cost#1" = 5'))
    assert run.cost.values[:4].tolist() == [0, 0, 0.5, 1.25]


def test_stages_of_a_delay_see_a_new_delay_time_one_step_apart():
    """The second-order DELAY N of the public test `delays`: its output follows the delay time of the step before."""
    run = simulate(tiny_model("t = 4 + STEP(2, 5)\nx = DELAY N(4, t, 4, 2)"))
    assert run.x.values[:6].tolist() == [4] * 6
    assert run.x.values[6] < 4
