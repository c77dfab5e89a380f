"""Change files applied to a model."""

from __future__ import annotations

import pytest

from sdmodel.errors import Place, ScenarioError
from sdmodel.model import Cell, Table
from sdmodel.scenario import Change, Scenario, constant_values, merge, with_tables
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

MODEL = "d: A, B\nx[d] = 1, 2\nk = 3\nf((0,0),(1,1))\ny[d] = f(k) + x[d]\nz == 4"


def test_the_last_of_several_scenarios_wins():
    """Scenarios stack as Vensim's change files do."""
    model = tiny_model(MODEL)
    both = merge([Scenario("a", (Change("k", values=(5.0,)),)), Scenario("b", (Change("K", values=(6.0,)),))])
    assert constant_values(model, both) == {Cell("k"): 6.0}
    assert both.name == "a+b"


def test_numbers_spread_over_the_elements_that_are_named():
    """One number for all, or one for each, row by row."""
    model = tiny_model(MODEL)
    values = constant_values(model, Scenario("s", (Change("x", values=(7.0,)), Change("x", ("B",), (9.0,)))))
    assert values == {Cell("x", ("a",)): 7.0, Cell("x", ("b",)): 9.0}


def test_a_lookup_may_be_replaced():
    """New points make a new model; the old one stays as it was."""
    model = tiny_model(MODEL)
    scenario = Scenario("s", (Change("f", table=Table([(0, 0), (10, 100)])),))
    changed = with_tables(model, scenario)
    assert simulate(changed).y[0].values.tolist() == [31, 32]
    assert simulate(model, scenario=scenario).y[0].values.tolist() == [31, 32]
    assert simulate(model).y[0].values.tolist() == [2, 3]
    assert with_tables(model, Scenario("none")) is model


FAULTS = {
    Change("q", values=(1.0,)): "'q' is not in the model",
    Change("y", values=(1.0,)): "'y' is an auxiliary, not a constant",
    Change("z", values=(1.0,)): "unchangeable",
    Change("f", values=(1.0,)): "'f' is a lookup; give it points",
    Change("x", ("C",), (1.0,)): "has no element [c]",
    Change("x", ("A", "B"), (1.0,)): "has 1 subscripts, not 2",
    Change("x", values=(1.0, 2.0, 3.0)): "has 2 elements but 3 numbers",
}


@pytest.mark.parametrize("change", FAULTS, ids=lambda change: f"{change.name}{list(change.subscripts)}")
def test_a_change_that_the_model_does_not_allow_is_told_at_its_place(change):
    """The fault names the line of the change file."""
    placed = Change(change.name, change.subscripts, change.values, change.table, Place("s.cin", 7, 1))
    with pytest.raises(ScenarioError) as caught:
        constant_values(tiny_model(MODEL), Scenario("s", (placed,)))
    assert str(caught.value).startswith("s.cin:7:1: ")
    assert FAULTS[change] in str(caught.value)


def test_points_for_what_is_no_lookup_are_refused():
    """Only lookups have points."""
    with pytest.raises(ScenarioError, match="'k' is not a lookup of the model"):
        with_tables(tiny_model(MODEL), Scenario("s", (Change("k", table=Table([(0, 0)])),)))
