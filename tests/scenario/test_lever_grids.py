"""Grids of levers: their values, and errors with what to do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import ScenarioError
from sdmodel.scenario import Grid, grid_values, range_violation
from sdmodel.testing import block_text, tiny_model

MODEL = tiny_model(
    "\n\n".join(
        (
            block_text("Stock = INTEG(delay + free + coarse + open, 0)"),
            block_text("delay = 4", units="Year [0,7,0.5]"),
            block_text("coarse = 1", units="Year [0,1,0.3]"),
            block_text("open = 1", units="Year [0,?]"),
            block_text("free = 2"),
        )
    )
)
BOUNDS = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(BOUNDS, st.floats(1e-3, 1e6), st.integers(2, 50))
def test_a_count_of_values_is_equally_spaced(low: float, span: float, count: int):
    """Both bounds are included, and neighbours are equally far apart."""
    values = grid_values(MODEL, Grid("free", low=low, high=low + span, count=count))
    assert len(values) == count
    assert (values[0], values[-1]) == pytest.approx((low, low + span))
    assert np.diff(values) == pytest.approx(span / (count - 1), abs=1e-9 * (abs(low) + span))


@given(st.floats(1e-3, 1e3), st.floats(1.01, 1e6), st.integers(2, 50))
def test_logarithmic_values_have_a_constant_ratio(low: float, factor: float, count: int):
    """Each value is the one before times the same factor."""
    values = np.array(grid_values(MODEL, Grid("free", low=low, high=low * factor, count=count, logarithmic=True)))
    assert len(values) == count
    assert values[1:] / values[:-1] == pytest.approx(factor ** (1 / (count - 1)))


def test_a_name_alone_takes_the_steps_of_its_range():
    """The model gives the step; the upper bound is included even where the steps miss it."""
    assert grid_values(MODEL, Grid("Delay")) == tuple(np.arange(0, 7.25, 0.5))
    assert grid_values(MODEL, Grid("coarse")) == (0, 0.3, 0.6, 0.9, 1)
    assert grid_values(MODEL, Grid("delay", low=1, high=2)) == (1, 1.5, 2)


def test_without_a_count_or_a_step_there_are_eleven_values():
    """Tenths of the range, without rounding digits."""
    assert grid_values(MODEL, Grid("free", low=0, high=3)) == (0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4, 2.7, 3)


def test_listed_values_are_taken_as_they_are():
    """In any order, and outside the range too, which the run reports."""
    assert grid_values(MODEL, Grid("delay", values=(9, 1, 4))) == (9, 1, 4)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (Grid("dlay"), "'dlay' is not in the model; did you mean 'delay'"),
        (Grid("Stock"), "is a stock, not a constant"),
        (Grid("free"), "has no range in the model; write its bounds"),
        (Grid("open"), "has no range in the model; write its bounds"),
        (Grid("free", low=6, high=1, count=3), "write the smaller bound first: 1:6"),
        (Grid("free", low=6, high=6, count=3), "begins and ends at 6"),
        (Grid("free", low=0, high=6, count=3, logarithmic=True), "begin above 0"),
        (Grid("free", low=0, high=6, count=1), "count from 2 to 10,000"),
        (Grid("free", low=0, high=6, count=10**8), "count from 2 to 10,000"),
        (Grid("delay", low=0, high=1e12), "count from 2 to 10,000"),
        (Grid("delay", ("a",), (1,)), "0 subscripts, not 1"),
    ],
)
def test_impossible_grids_are_reported(grid: Grid, message: str):
    """One line with the option, what is wrong and what to write."""
    with pytest.raises(ScenarioError, match=message) as caught:
        grid_values(MODEL, grid)
    assert str(caught.value).startswith("lever: ")


RANGES = {
    "[0,5]": {(0.0, 5.0): None, (-1.0, 6.0): (-1.0, "below 0"), (1.0, 5.5): (5.5, "above 5")},
    "[2]": {(2.0, 9e9): None, (1.0, 3.0): (1.0, "below 2")},
    "": {(-1e9, 1e9): None},
}


@pytest.mark.parametrize("bounds", RANGES)
def test_values_outside_a_range_are_found(bounds: str):
    """The first value outside, the lower end before the upper; open ends and missing ranges allow everything."""
    element = tiny_model(f"x = 1 ~ m {bounds} ~ | y = x ~ m ~ |")["x"]
    assert {ends: range_violation(element, *ends) for ends in RANGES[bounds]} == RANGES[bounds]
