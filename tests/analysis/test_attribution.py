"""Attribution to levers: sums, meanings, groups, lookups, members, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.analysis import ATTRIBUTION, LEVER, MEASURE, attribute_levers, attributed
from sdmodel.dataset import MEMBER, TIME
from sdmodel.errors import AnalysisError, DatasetError, ScenarioError, SimulationError
from sdmodel.scenario import Change, Distribution, Sampling, Scenario, Variation, make_design
from sdmodel.simulation import NotFiniteWarning, simulate
from sdmodel.store import open_run, save_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change

MODEL = tiny_model(
    """
    Stock = INTEG(a*b - Stock/c, 1)
    a = 1
    b = 2
    c = 5
    d = 0
    effect = WITH LOOKUP(Time/10, ([(0,0)-(1,1)],(0,0),(1,1)))
    shape((0,0),(1,1))
    shaped = shape(Time/10) * a
    twice = 2*Stock + d
    """,
    final=4,
    step=0.5,
)


def scenario(*lines: str) -> Scenario:
    """A change file of some lines."""
    return Scenario("policy", tuple(read_change(line) for line in lines))


def shapley(found, name):
    """The Shapley values of a variable."""
    return attributed(found, name).contributions.sel({MEASURE: "shapley"})


CHANGES = st.dictionaries(st.sampled_from("abcd"), st.floats(0.5, 4), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(CHANGES)
def test_contributions_add_up_to_what_the_scenario_does(changes):
    """At every time and for every variable, to the last digits, whatever is moved."""
    lines = [
        f"{name} = {value!r}" for name, value in changes.items() if value != {"a": 1, "b": 2, "c": 5, "d": 0}[name]
    ]
    if not lines:
        return
    found = attribute_levers(MODEL, scenario(*lines), save=["Stock", "twice"])
    for name in ("Stock", "twice"):
        part = attributed(found, name)
        whole = part.scenario - part.baseline
        np.testing.assert_allclose(shapley(found, name).sum(LEVER), whole, rtol=1e-11, atol=1e-12)


def test_ends_are_the_runs_themselves():
    """The baseline is the model, the scenario is the model with all changes, to rounding of the code for many members."""
    policy = scenario("a = 3", "c = 2")
    part = attributed(attribute_levers(MODEL, policy, save=["Stock"]), "Stock")
    np.testing.assert_allclose(part.baseline, simulate(MODEL)["stock"], rtol=1e-12)
    np.testing.assert_allclose(part.scenario, simulate(MODEL, scenario=policy)["stock"], rtol=1e-12)


def test_alone_last_and_interaction_are_differences_of_runs():
    """Two levers: alone from the baseline, last from the other lever, interaction what is left."""
    part = attributed(attribute_levers(MODEL, scenario("a = 3", "b = 5"), save=["Stock"]), "Stock")
    runs = {name: simulate(MODEL, given)["stock"] for name, given in
            {"": {}, "a": {"a": 3}, "b": {"b": 5}, "ab": {"a": 3, "b": 5}}.items()}  # fmt: skip
    alone, last = (part.contributions.sel({MEASURE: each, LEVER: "a"}) for each in ("alone", "last"))
    np.testing.assert_allclose(alone, runs["a"] - runs[""], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(last, runs["ab"] - runs["b"], rtol=1e-9, atol=1e-12)
    together = runs["ab"] - runs["a"] - runs["b"] + runs[""]
    np.testing.assert_allclose(part.interaction.sel({LEVER: "a", "other_lever": "b"}), together, rtol=1e-9, atol=1e-12)


def test_a_group_counts_as_one_lever():
    """What two levers do together belongs to the group alone."""
    policy = scenario("a = 3", "b = 5", "c = 3")
    found = attribute_levers(MODEL, policy, save=["Stock"], groups={"inflow": ["A", "b"]})
    assert found[LEVER].values.tolist() == ["inflow", "c"]
    alone = attributed(found, "Stock").contributions.sel({MEASURE: "alone", LEVER: "inflow"})
    whole = simulate(MODEL, {"a": 3, "b": 5})["stock"] - simulate(MODEL)["stock"]
    np.testing.assert_allclose(alone, whole, rtol=1e-9, atol=1e-12)


def test_a_lookup_that_is_replaced_is_a_lever_too():
    """It is compiled once with each table, and its lever moves nothing else."""
    policy = scenario("shape((0,0),(1,3))", "a = 2")
    found = attribute_levers(MODEL, policy, save=["shaped", "Stock"])
    assert set(found[LEVER].values) == {"shape", "a"}
    x = simulate(MODEL)["time"] / 10
    part = attributed(found, "shaped")
    np.testing.assert_allclose(part.scenario, 6 * x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(part.contributions.sel({MEASURE: "alone", LEVER: "shape"}), 2 * x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(part.contributions.sel({MEASURE: "last", LEVER: "a"}), 3 * x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shapley(found, "Stock").sel({LEVER: "shape"}), 0, atol=1e-12)


def test_what_is_set_to_its_own_value_is_no_lever():
    """A change file may repeat the model."""
    assert attribute_levers(MODEL, scenario("a = 1", "b = 3"), save=["Stock"])[LEVER].values.tolist() == ["b"]


def test_a_baseline_of_its_own_is_where_the_levers_start():
    """What the baseline sets stays when the scenario does not."""
    part = attributed(attribute_levers(MODEL, scenario("a = 3"), save=["Stock"], baseline=scenario("b = 7")), "Stock")
    np.testing.assert_allclose(part.baseline, simulate(MODEL, {"b": 7})["stock"], rtol=1e-12)
    np.testing.assert_allclose(part.scenario, simulate(MODEL, {"a": 3, "b": 7})["stock"], rtol=1e-12)


def test_sampled_orders_agree_with_all_subsets_within_their_errors():
    """And add up to the whole exactly, since each order does; alone and last are exact."""
    policy = scenario("a = 3", "b = 5", "c = 2", "d = 9")
    exact = attributed(attribute_levers(MODEL, policy, save=["twice"]), "twice")
    part = attributed(attribute_levers(MODEL, policy, save=["twice"], pairs=300, seed=5), "twice")
    values, true = (each.contributions.sel({MEASURE: "shapley"}) for each in (part, exact))
    assert float((abs(values - true) - 5 * part.standard_error).max()) <= 1e-9
    assert float(part.standard_error.max()) > 0
    np.testing.assert_allclose(values.sum(LEVER), exact.scenario - exact.baseline, rtol=1e-11, atol=1e-12)
    for measure in ("alone", "last"):
        ends = (each.contributions.sel({MEASURE: measure}) for each in (part, exact))
        np.testing.assert_allclose(*ends, rtol=1e-9, atol=1e-12)


def test_the_same_seed_gives_the_same_numbers():
    """And more pairs begin with the same ones."""
    policy = scenario("a = 3", "b = 5", "c = 2")
    once, again = (attribute_levers(MODEL, policy, save=["Stock"], pairs=10, seed=3) for _ in range(2))
    np.testing.assert_array_equal(once["stock"], again["stock"])
    other = attribute_levers(MODEL, policy, save=["Stock"], pairs=10, seed=4)
    assert not np.array_equal(once["stock"], other["stock"])


def _design(count=40, name="c"):
    sampling = Sampling("latin hypercube", count, 7, (Variation(name, (), Distribution("RANDOM_UNIFORM", (2.0, 8.0))),))
    return make_design(MODEL, sampling)


def test_members_are_paired():
    """Each member is run with and without each lever, so that means, quantiles and ranks are of differences."""
    design = _design()
    found = attribute_levers(MODEL, scenario("a = 3", "b = 2.5"), save=["Stock"], design=design)
    part = attributed(found, "Stock")
    drawn = design.dataset()
    runs = [simulate(MODEL, drawn.assign({name: (MEMBER, np.full(40, value)) for name, value in given.items()}))["stock"]
            for given in ({}, {"a": 3.0}, {"b": 2.5}, {"a": 3.0, "b": 2.5})]  # fmt: skip
    own = ((runs[1] - runs[0]) + (runs[3] - runs[2])) / 2
    np.testing.assert_allclose(
        part.spread.sel({LEVER: "a"}), np.quantile(own, part.spread["probability"], axis=own.dims.index(MEMBER)), rtol=1e-9, atol=1e-9
    )  # fmt: skip
    np.testing.assert_allclose(shapley(found, "Stock").sel({LEVER: "a"}), own.mean(MEMBER), rtol=1e-9, atol=1e-9)
    assert part.ranks_first.isel({TIME: -1}).values.tolist() == [1.0, 0.0]
    np.testing.assert_allclose(part.baseline, runs[0].mean(MEMBER), rtol=1e-9)


def test_a_constant_that_is_drawn_and_moved_starts_where_it_is_drawn():
    """Even if the scenario sets it to the model's own value: its members have others."""
    found = attribute_levers(MODEL, scenario("c = 5"), save=["Stock"], design=_design())
    assert found[LEVER].values.tolist() == ["c"]
    part = attributed(found, "Stock")
    np.testing.assert_allclose(part.scenario, simulate(MODEL)["stock"], rtol=1e-9)


def test_subscripts_stay_dimensions():
    """A variable with labels is attributed label by label, and a constant with labels is one lever."""
    model = tiny_model(
        """
        kind: one, two
        x[kind] = 1, 2
        y[kind] = x[kind]*z*Time
        z = 1
        """
    )
    found = attribute_levers(model, scenario("x = 5", "z = 2"), save=["y"])
    assert found["y"].dims == (TIME, "kind", MEASURE, LEVER)
    assert found[LEVER].values.tolist() == ["x", "z"]
    part = attributed(found, "y[two]")
    np.testing.assert_allclose(part.contributions.sel({MEASURE: "alone", LEVER: "x"}), 3 * part.baseline[TIME])


def test_an_attribution_is_stored_and_read_back(tmp_path):
    """With everything that says what it is."""
    found = attribute_levers(MODEL, scenario("a = 3", "b = 5"), save=["Stock"], design=_design(8))
    again = open_run(save_run(found, tmp_path / "a.nc"))
    assert again.attrs["analysis"] == ATTRIBUTION
    assert again.attrs["runs"] == 32
    np.testing.assert_array_equal(attributed(again, "stock").spread, attributed(found, "Stock").spread)


def test_progress_tells_of_every_run():
    """From none to all of them."""
    told = []
    attribute_levers(MODEL, scenario("a = 3", "b = 5"), save=["Stock"], progress=lambda *each: told.append(each))
    assert told[-1] == (4, 4)


def test_runs_that_break_are_told_of():
    """Their contributions are missing, the times before are there."""
    model = tiny_model("Stock = INTEG(a*Stock^2, 1)\na = 0.01\nb = 1\nx = Stock*b", final=20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = attribute_levers(model, scenario("a = 50", "b = 2"), save=["x"])
    assert any(
        issubclass(each.category, NotFiniteWarning) and "when levers are moved" in str(each.message) for each in caught
    )
    values = shapley(found, "x")
    assert np.isfinite(values[0]).all()
    assert np.isnan(values[-1]).any()


REFUSED = {
    "nothing moves": (lambda: attribute_levers(MODEL, scenario("a = 1"), save=["Stock"]), AnalysisError, "moves nothing"),
    "no constant": (lambda: attribute_levers(MODEL, scenario("Stock = 1"), save=["Stock"]), ScenarioError, "a stock, not a constant"),
    "no variable": (lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stok"]), SimulationError, "did you mean 'Stock'"),
    "constants alone": (lambda: attribute_levers(MODEL, scenario("a = 2"), save=["b"]), AnalysisError, "constants alone"),
    "a group of others": (
        lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], groups={"g": ["bb"]}), AnalysisError, "does not move 'bb'"
    ),
    "a lever in two groups": (
        lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], groups={"g": ["a"], "h": ["a"]}), AnalysisError, "keep it in one"
    ),
    "one pair": (lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], pairs=1), AnalysisError, "at least 2"),
    "too little memory": (
        lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], design=_design(), memory="1kB"), AnalysisError, "allow so much with --memory"
    ),
    "a run that is none": (lambda: attributed(simulate(MODEL), "Stock"), DatasetError, "is no attribution"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_answered_is_told(what):
    """With the cure."""
    asked, kind, told = REFUSED[what]
    with pytest.raises(kind, match=told):
        asked()


def test_a_change_without_a_table_or_number_moves_nothing():
    """A change of no values is none."""
    with pytest.raises(ScenarioError):
        attribute_levers(MODEL, Scenario("x", (Change("a", (), (1.0, 2.0)),)), save=["Stock"])
