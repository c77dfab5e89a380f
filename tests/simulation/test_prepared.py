"""Prepared simulations: the numbers of `simulate`, without labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.errors import SimulationError
from sdmodel.model import Cell, key
from sdmodel.simulation import prepare_simulation, simulate
from sdmodel.testing import benchmark_text, tiny_model
from sdmodel.vensim import model_from_text, read_change

LARGE = model_from_text(benchmark_text(elements=80, lookups=10, stocks=10), "large.mdl")
VARIED = ("lifetime 1", "lifetime 2", "lifetime 3")
SAVED = ("Level 1", "Level 2", "inflow 1", "lifetime 2", "lifetime 4")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(*[st.floats(5, 80)] * 3), min_size=1, max_size=9), st.sampled_from(["euler", "rk4"]))
def test_a_prepared_simulation_gives_the_numbers_of_simulate(points, integrator):
    """To the last bit, for stocks, flows and constants, whatever the number of members."""
    ranges = {Cell(key(name)): (5.0, 80.0) for name in VARIED}
    prepared = prepare_simulation(LARGE, ranges, [Cell(key(name)) for name in SAVED], integrator=integrator)
    found = prepared.values(np.array(points))
    several = np.vstack([points, points])  # one member alone would be rounded otherwise
    run = simulate(LARGE, dict(zip(VARIED, several.T, strict=True)), save=SAVED, integrator=integrator)
    assert np.array_equal(prepared.times, run.time)
    for place, name in enumerate(SAVED):
        whole = run[key(name)].broadcast_like(run["level_1"]).transpose("time", "member")
        assert np.array_equal(found[:, place], whole[:, : len(points)])


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(7)), st.integers(1, 7))
def test_the_numbers_of_a_member_do_not_depend_on_other_members(order, count):
    """A member gives the same numbers whichever members are computed with it."""
    generator = np.random.default_rng(4)
    points = generator.uniform(5, 80, (7, 3))
    prepared = prepare_simulation(
        LARGE, {Cell(key(name)): (5.0, 80.0) for name in VARIED}, [Cell("level_1"), Cell("level_3")]
    )
    chosen = list(order)[:count]
    assert np.array_equal(prepared.values(points)[..., chosen], prepared.values(points[chosen]))


def test_a_scenario_sets_the_constants_that_do_not_vary():
    """Varied constants override the scenario, as in `simulate`."""
    model = tiny_model("x = INTEG(a + b, 0)\na = 1\nb = 2")
    change = [read_change("a = 10"), read_change("b = 20")]
    from sdmodel.scenario import Scenario

    prepared = prepare_simulation(model, {Cell("b"): (0.0, 5.0)}, [Cell("x")], scenario=Scenario("", tuple(change)))
    assert prepared.values(np.array([[3.0], [4.0]]))[-1, 0].tolist() == [130, 140]


def test_values_after_a_failed_stock_are_nan():
    """As in `simulate`; other members are not affected."""
    model = tiny_model("x = INTEG(x*x*rate, 1)\nrate = 0.1", final=40)
    values = prepare_simulation(model, {Cell("rate"): (0.0, 1e9)}, [Cell("x")]).values(np.array([[1e9], [0.0]]))
    assert np.isnan(values[-1, 0, 0])
    assert values[:, 0, 1].tolist() == [1.0] * 41


def test_a_constant_that_decides_the_times_cannot_vary():
    """All members of an ensemble share their times."""
    odd = tiny_model("x = INTEG(1, 0)")
    with pytest.raises(SimulationError, match="decides the times"):
        prepare_simulation(odd, {Cell("final_time"): (5.0, 20.0)}, [Cell("x")])
