"""Change files applied to a model."""

from __future__ import annotations

import pytest

from sdmodel.errors import Place, ScenarioError
from sdmodel.model import Cell, Table, split_name
from sdmodel.scenario import Change, Scenario, constant_values, merge_scenarios, with_tables
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

MODEL = "d: A, B\nx[d] = 1, 2\nk = 3\nf((0,0),(1,1))\ny[d] = f(k) + x[d]\nz == 4"


def test_the_last_scenario_wins():
    """Scenarios stack as Vensim's change files do."""
    model = tiny_model(MODEL)
    both = merge_scenarios([Scenario("a", (Change("k", values=(5.0,)),)), Scenario("b", (Change("K", values=(6.0,)),))])
    assert constant_values(model, both) == {Cell("k"): 6.0}
    assert both.name == "a+b"


def test_numbers_are_assigned_to_the_selected_cells():
    """One number for all cells, or one per cell, row by row."""
    model = tiny_model(MODEL)
    values = constant_values(model, Scenario("s", (Change("x", values=(7.0,)), Change("x", ("B",), (9.0,)))))
    assert values == {Cell("x", ("a",)): 7.0, Cell("x", ("b",)): 9.0}


def test_a_lookup_can_be_replaced():
    """New points make a new model; the old model stays unchanged."""
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
    Change("x", ("C",), (1.0,)): "has no cell [c]",
    Change("x", ("A", "B"), (1.0,)): "has 1 subscript, not 2",
    Change("x", values=(1.0, 2.0, 3.0)): "has 2 cells but 3 numbers",
}


@pytest.mark.parametrize("change", FAULTS, ids=lambda change: f"{change.name}{list(change.subscripts)}")
def test_forbidden_changes_are_reported_with_their_place(change):
    """The fault names the line of the change file."""
    placed = Change(change.name, change.subscripts, change.values, change.table, Place("s.cin", 7, 1))
    with pytest.raises(ScenarioError) as caught:
        constant_values(tiny_model(MODEL), Scenario("s", (placed,)))
    assert str(caught.value).startswith("s.cin:7:1: ")
    assert FAULTS[change] in str(caught.value)


def test_points_for_other_elements_are_refused():
    """Only lookups have points."""
    with pytest.raises(ScenarioError, match="'k' is not a lookup of the model"):
        with_tables(tiny_model(MODEL), Scenario("s", (Change("k", table=Table([(0, 0)])),)))


NAMES = {
    "price": ("price", ()),
    " price [ very cheap , B ] ": ("price", ("very cheap", "B")),
    '"a[b], c"': ("a[b], c", ()),
    '"a[b], c"[x]': ("a[b], c", ("x",)),
    'price["x, y",z]': ("price", ("x, y", "z")),
    'price["x]"]': ("price", ("x]",)),
    "price[": ("price[", ()),
    "price[]": ("price", ("",)),
    "": ("", ()),
}


@pytest.mark.parametrize("text", NAMES)
def test_names_are_split_from_labels_outside_quotes(text: str):
    """Brackets and commas inside quotes belong to the name or the label."""
    assert split_name(text) == NAMES[text]
