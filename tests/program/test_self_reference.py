"""Equations that read themselves through the value that a function with a memory holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.model import FUNCTIONS
from sdmodel.testing import tiny_model

EQUATIONS = {
    "INTEG": ("x = INTEG(-x/2, 8)", [8, 4, 2, 1]),
    "DELAY FIXED": ("x = DELAY FIXED(x + 1, 2, 0)", [0, 0, 1, 1]),
    "SAMPLE IF TRUE": ("x = SAMPLE IF TRUE(COS(Time) < x, COS(Time), 2)", [1, math.cos(1), math.cos(2), math.cos(3)]),
    "SHIFT IF TRUE": ("x = SHIFT IF TRUE(s[A], x = 0, 2, 0, 5)\nd: A, B\ns[d] = INTEG(0, d)", [2, 1, 5, 5]),
    "SMOOTHI": ("x = SMOOTHI(2*x, 2, 8)", [8, 12, 18, 27]),
    "SMOOTH3I": ("x = SMOOTH3I(2*x, 3, 9)", [9, 9, 9, 18]),
    "DELAY1I": ("x = DELAY1I(2*x, 2, 8)", [8, 12, 18, 27]),
    "DELAY3I": ("x = DELAY3I(2*x, 3, 9)", [9, 9, 9, 18]),
    "DELAY N": ("x = DELAY N(2*x, 2, 8, 1)", [8, 12, 18, 27]),
    "SMOOTH N": ("x = SMOOTH N(2*x, 2, 8, 1)", [8, 12, 18, 27]),
    "SINTEG": ("x = SINTEG(x, 1, :NA:, 6, :NA:, :NA:, :NA:)", [1, 2, 4, 6]),
    "DELAY INFORMATION": ("x = DELAY INFORMATION(x + 1, 2 - STEP(1, 2), 0)", [0, 0, 1, 2]),
    "DELAY MATERIAL": ("x = DELAY MATERIAL(x + 1, 2, 0, 0)", [0, 0, 1, 1]),
    "QUEUE FIFO": ("x = QUEUE FIFO(x/2, 0, flat, 8, 2)\nflat((0,1),(1,1))", [8, 12, 18, 27]),
    "QUEUE FIFO ATTRIB": (
        "x = QUEUE FIFO ATTRIB(x/2, 0, x, x, flat, flat, 8, 2, 1)\nflat((0,1),(1,1))",
        [8, 12, 18, 27],
    ),
    "DELAY CONVEYOR": ("x = DELAY CONVEYOR(x + 1, 2, 0, flat, 4, 2)\nflat((0,1),(1,1))", [2, 2, 3, 3]),
    "DELAY PROFILE": ("x = DELAY PROFILE(flat, x + 1, 1, 0, 0)\nflat((0,1),(1,1))", [0, 0.75, 1.5625, 2.359375]),
    "DELAY BATCH": ("x = DELAY BATCH(1 + x, 2, 1, 0, 0, 1)", [0, 0, 2, 0]),
}
CIRCULAR = {
    "INITIAL": "x = INITIAL(x)",
    "REINITIAL": "x = REINITIAL(x)",
    "ACTIVE INITIAL": "x = ACTIVE INITIAL(x + 1, 0)",
    "SAMPLE IF TRUE": "x = SAMPLE IF TRUE(Time > 1, Time, x)",
    "SMOOTH": "x = SMOOTH(x + 1, 2)",
    "SMOOTH3": "x = SMOOTH3(x + 1, 2)",
    "DELAY1": "x = DELAY1(x + 1, 2)",
    "DELAY3": "x = DELAY3(x + 1, 2)",
    "TREND": "x = TREND(x + 1, 2, 0)",
    "FORECAST": "x = FORECAST(x + 1, 2, 1)",
    "DELAYP": "x = DELAYP(x + 1, 2)",
    "NPV": "x = NPV(x + 1, 0.1, 0, 1)",
    "NPVE": "x = NPVE(x + 1, 0.1, 0, 1)",
    "INTERNAL RATE OF RETURN": "x = INTERNAL RATE OF RETURN(x + 1, 1, 0, 0)",
    "DEPRECIATE BY SCHEDULE": "x = DEPRECIATE BY SCHEDULE(x + 1, v[A], 0, 2, 0)\nd: A, B\nv[d] = 1",
    "DEPRECIATE STRAIGHTLINE": "x = DEPRECIATE STRAIGHTLINE(x + 1, 2, 1, 0)",
}
"""Functions whose value, or whose initial value, needs the value that they define."""


def test_every_function_with_a_memory_is_covered():
    assert {*EQUATIONS, *CIRCULAR} == {
        name
        for name, row in FUNCTIONS.items()
        if (row.memory or row.expand) and not row.draws and not name.startswith(("QUEUE AGE", "QUEUE ATTRIB"))
    }


@pytest.mark.parametrize("name", EQUATIONS)
def test_value_that_reads_itself_follows_what_is_held(name):
    equation, expected = EQUATIONS[name]
    np.testing.assert_allclose(sd.simulate(tiny_model(equation, final=3))["x"], expected, rtol=1e-14)


@pytest.mark.parametrize("name", CIRCULAR)
def test_value_that_needs_itself_is_a_fault(name):
    with pytest.raises(ModelError, match=r"tiny\.mdl:3:1: simultaneous equations: x"):
        tiny_model(CIRCULAR[name])


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
@pytest.mark.parametrize("initial", [-5.0, 0.3, 99.0])
def test_running_minimum_and_maximum_per_label(integrator, initial):
    """At the start the value that a sample holds is its initial value; a stage of Runge-Kutta changes nothing."""
    text = f"""
    d: a, b
    y[d] = COS(Time) * level[d]
    level[d] = INTEG(level[d]/10, d)
    low[d] = SAMPLE IF TRUE(y[d] < low[d], y[d], {initial})
    high[d] = SAMPLE IF TRUE(y[d] > high[d] :AND: low[d] < 90, y[d] + 0*high[d], {initial})
    count = SAMPLE IF TRUE(y[a] > 0, count + 1, 10)
    """
    run = sd.simulate(tiny_model(text, step=0.25, integrator=integrator))
    y = run["y"].values
    np.testing.assert_array_equal(run["low"], np.minimum.accumulate(np.minimum(y, initial)))
    np.testing.assert_array_equal(
        run["high"], np.maximum.accumulate(np.where(run["low"] < 90, y, initial).clip(initial))
    )
    np.testing.assert_array_equal(run["count"], 10 + np.cumsum(y[:, 0] > 0))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1 + SAMPLE IF TRUE(x > 2, Time, 0)",
        "x = SAMPLE IF TRUE(y > 2, Time, 0)\ny = x + 1",
        "d: a, b\nx[d] = SAMPLE IF TRUE(VMIN(x[d!]) > 2, Time, 0)",
        "x = IF THEN ELSE(x > 1, 1, 0)",
    ],
)
def test_value_that_reads_itself_through_others_is_simultaneous(text):
    """Only the sample itself reads what it holds; every other element reads its new value."""
    with pytest.raises(ModelError, match="simultaneous equations: "):
        tiny_model(text)
