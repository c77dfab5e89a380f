"""Attribution to levers: sums, measures, groups, lookups, members, and errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.analysis import ATTRIBUTION, LEVER, MEASURE, attribute_levers, contributions_to
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
    """A scenario from lines of a change file."""
    return Scenario("policy", tuple(read_change(line) for line in lines))


def shapley(found, name):
    """The Shapley values of a variable."""
    return contributions_to(found, name).contributions.sel({MEASURE: "shapley"})


CHANGES = st.dictionaries(st.sampled_from("abcd"), st.floats(0.5, 4), min_size=1, max_size=4)


@settings(max_examples=15, deadline=None)
@given(CHANGES)
def test_contributions_add_up_to_the_effect_of_the_scenario(changes):
    """At every time, for every variable, whatever levers move."""
    lines = [
        f"{name} = {value!r}" for name, value in changes.items() if value != {"a": 1, "b": 2, "c": 5, "d": 0}[name]
    ]
    if not lines:
        return
    found = attribute_levers(MODEL, scenario(*lines), save=["Stock", "twice"])
    for name in ("Stock", "twice"):
        part = contributions_to(found, name)
        whole = part.scenario - part.baseline
        np.testing.assert_allclose(shapley(found, name).sum(LEVER), whole, rtol=1e-11, atol=1e-12)


def test_baseline_and_scenario_match_their_runs():
    """Up to the rounding of the code for many members."""
    policy = scenario("a = 3", "c = 2")
    part = contributions_to(attribute_levers(MODEL, policy, save=["Stock"]), "Stock")
    np.testing.assert_allclose(part.baseline, simulate(MODEL)["stock"], rtol=1e-12)
    np.testing.assert_allclose(part.scenario, simulate(MODEL, scenario=policy)["stock"], rtol=1e-12)


def test_measures_and_interactions_are_differences_of_runs():
    """For two levers: alone from the baseline, last from the other lever, interaction is the rest."""
    part = contributions_to(attribute_levers(MODEL, scenario("a = 3", "b = 5"), save=["Stock"]), "Stock")
    runs = {name: simulate(MODEL, given)["stock"] for name, given in
            {"": {}, "a": {"a": 3}, "b": {"b": 5}, "ab": {"a": 3, "b": 5}}.items()}  # fmt: skip
    alone, last = (part.contributions.sel({MEASURE: measure, LEVER: "a"}) for measure in ("alone", "last"))
    np.testing.assert_allclose(alone, runs["a"] - runs[""], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(last, runs["ab"] - runs["b"], rtol=1e-9, atol=1e-12)
    together = runs["ab"] - runs["a"] - runs["b"] + runs[""]
    np.testing.assert_allclose(part.interaction.sel({LEVER: "a", "other_lever": "b"}), together, rtol=1e-9, atol=1e-12)


def test_a_group_counts_as_one_lever():
    """Interactions inside the group belong to the group."""
    policy = scenario("a = 3", "b = 5", "c = 3")
    found = attribute_levers(MODEL, policy, save=["Stock"], groups={"inflow": ["A", "b"]})
    assert found[LEVER].values.tolist() == ["inflow", "c"]
    alone = contributions_to(found, "Stock").contributions.sel({MEASURE: "alone", LEVER: "inflow"})
    whole = simulate(MODEL, {"a": 3, "b": 5})["stock"] - simulate(MODEL)["stock"]
    np.testing.assert_allclose(alone, whole, rtol=1e-9, atol=1e-12)


def test_a_replaced_lookup_is_a_lever():
    """Its lever changes only what depends on the lookup."""
    policy = scenario("shape((0,0),(1,3))", "a = 2")
    found = attribute_levers(MODEL, policy, save=["shaped", "Stock"])
    assert set(found[LEVER].values) == {"shape", "a"}
    x = simulate(MODEL)["time"] / 10
    part = contributions_to(found, "shaped")
    np.testing.assert_allclose(part.scenario, 6 * x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(part.contributions.sel({MEASURE: "alone", LEVER: "shape"}), 2 * x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(part.contributions.sel({MEASURE: "last", LEVER: "a"}), 3 * x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shapley(found, "Stock").sel({LEVER: "shape"}), 0, atol=1e-12)


@pytest.mark.parametrize("line", ["shape((0,0),(1,5))", "d = 0 until 2, then 3", "d = linear: 0 at 1, 3 at 3"])
def test_a_lever_without_numbers_may_be_alone(line):
    """A lookup or a time course is the whole difference, with members too."""
    name = "shaped" if "shape" in line else "twice"
    for design in (None, _design()):
        found = attribute_levers(MODEL, scenario(line), save=[name], design=design)
        assert float(np.abs(contributions_to(found, name).contributions).max()) > 0


def test_constants_set_to_their_own_value_are_not_levers():
    """A change file may repeat values of the model."""
    assert attribute_levers(MODEL, scenario("a = 1", "b = 3"), save=["Stock"])[LEVER].values.tolist() == ["b"]


def test_a_baseline_applies_with_and_without_levers():
    """Constants that only the baseline sets keep its values."""
    part = contributions_to(
        attribute_levers(MODEL, scenario("a = 3"), save=["Stock"], baseline=scenario("b = 7")), "Stock"
    )
    np.testing.assert_allclose(part.baseline, simulate(MODEL, {"b": 7})["stock"], rtol=1e-12)
    np.testing.assert_allclose(part.scenario, simulate(MODEL, {"a": 3, "b": 7})["stock"], rtol=1e-12)


def test_sampled_orders_agree_with_all_subsets():
    """Within their standard errors; their sum, alone and last are exact."""
    policy = scenario("a = 3", "b = 5", "c = 2", "d = 9")
    exact = contributions_to(attribute_levers(MODEL, policy, save=["twice"]), "twice")
    part = contributions_to(attribute_levers(MODEL, policy, save=["twice"], pairs=300, seed=5), "twice")
    values, true = (own.contributions.sel({MEASURE: "shapley"}) for own in (part, exact))
    assert float((abs(values - true) - 5 * part.standard_error).max()) <= 1e-9
    assert float(part.standard_error.max()) > 0
    np.testing.assert_allclose(values.sum(LEVER), exact.scenario - exact.baseline, rtol=1e-11, atol=1e-12)
    for measure in ("alone", "last"):
        ends = (own.contributions.sel({MEASURE: measure}) for own in (part, exact))
        np.testing.assert_allclose(*ends, rtol=1e-9, atol=1e-12)


def test_a_seed_repeats_the_numbers():
    """Another seed gives others."""
    policy = scenario("a = 3", "b = 5", "c = 2")
    once, again = (attribute_levers(MODEL, policy, save=["Stock"], pairs=10, seed=3) for _ in range(2))
    np.testing.assert_array_equal(once["stock"], again["stock"])
    other = attribute_levers(MODEL, policy, save=["Stock"], pairs=10, seed=4)
    assert not np.array_equal(once["stock"], other["stock"])


def _design(count=40, name="c"):
    sampling = Sampling("latin hypercube", count, 7, (Variation(name, (), Distribution("RANDOM_UNIFORM", (2.0, 8.0))),))
    return make_design(MODEL, sampling)


def test_members_are_paired():
    """Means, quantiles and ranks are those of the differences in each member."""
    design = _design()
    found = attribute_levers(MODEL, scenario("a = 3", "b = 2.5"), save=["Stock"], design=design)
    part = contributions_to(found, "Stock")
    sampled = design.dataset()
    runs = [simulate(MODEL, sampled.assign({name: (MEMBER, np.full(40, value)) for name, value in given.items()}))["stock"]
            for given in ({}, {"a": 3.0}, {"b": 2.5}, {"a": 3.0, "b": 2.5})]  # fmt: skip
    own = ((runs[1] - runs[0]) + (runs[3] - runs[2])) / 2
    np.testing.assert_allclose(
        part.spread.sel({LEVER: "a"}), np.quantile(own, part.spread["probability"], axis=own.dims.index(MEMBER)), rtol=1e-9, atol=1e-9
    )  # fmt: skip
    np.testing.assert_allclose(shapley(found, "Stock").sel({LEVER: "a"}), own.mean(MEMBER), rtol=1e-9, atol=1e-9)
    assert part.ranks_first.isel({TIME: -1}).values.tolist() == [1.0, 0.0]
    np.testing.assert_allclose(part.baseline, runs[0].mean(MEMBER), rtol=1e-9)


def test_a_lever_that_the_design_samples_starts_at_the_sampled_values():
    """Even if the scenario sets it to the model's own value, since members have others."""
    found = attribute_levers(MODEL, scenario("c = 5"), save=["Stock"], design=_design())
    assert found[LEVER].values.tolist() == ["c"]
    part = contributions_to(found, "Stock")
    np.testing.assert_allclose(part.scenario, simulate(MODEL)["stock"], rtol=1e-9)


def test_subscripts_remain_dimensions():
    """A variable with subscripts is explained label by label; a constant with subscripts is one lever."""
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
    part = contributions_to(found, "y[two]")
    np.testing.assert_allclose(part.contributions.sel({MEASURE: "alone", LEVER: "x"}), 3 * part.baseline[TIME])


def test_attributions_survive_storage(tmp_path):
    """With their attributes."""
    found = attribute_levers(MODEL, scenario("a = 3", "b = 5"), save=["Stock"], design=_design(8))
    again = open_run(save_run(found, tmp_path / "a.nc"))
    assert again.attrs["analysis"] == ATTRIBUTION
    assert again.attrs["runs"] == 32
    np.testing.assert_array_equal(contributions_to(again, "stock").spread, contributions_to(found, "Stock").spread)


def test_progress_counts_every_run():
    """Up to the total."""
    calls = []
    attribute_levers(MODEL, scenario("a = 3", "b = 5"), save=["Stock"], progress=lambda *call: calls.append(call))
    assert calls[-1] == (4, 4)


def test_runs_that_are_not_finite_are_reported():
    """Their contributions are NaN from then on."""
    model = tiny_model("Stock = INTEG(a*Stock^2, 1)\na = 0.01\nb = 1\nx = Stock*b", final=20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = attribute_levers(model, scenario("a = 50", "b = 2"), save=["x"])
    assert any(
        issubclass(own.category, NotFiniteWarning) and "when levers are moved" in str(own.message) for own in caught
    )
    values = shapley(found, "x")
    assert np.isfinite(values[0]).all()
    assert np.isnan(values[-1]).any()


ERRORS = {
    "nothing moves": (lambda: attribute_levers(MODEL, scenario("a = 1"), save=["Stock"]), AnalysisError, "moves nothing"),
    "not a constant": (lambda: attribute_levers(MODEL, scenario("Stock = 1"), save=["Stock"]), ScenarioError, "a stock, not a constant"),
    "unknown variable": (lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stok"]), SimulationError, "did you mean 'Stock'"),
    "only constants": (lambda: attribute_levers(MODEL, scenario("a = 2"), save=["b"]), AnalysisError, "only constants"),
    "unknown name in a group": (
        lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], groups={"g": ["bb"]}), AnalysisError, "does not move 'bb'"
    ),
    "a lever in two groups": (
        lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], groups={"g": ["a"], "h": ["a"]}), AnalysisError, "keep it in one"
    ),
    "one pair": (lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], pairs=1), AnalysisError, "at least 2"),
    "too little memory": (
        lambda: attribute_levers(MODEL, scenario("a = 2"), save=["Stock"], design=_design(), memory="1kB"), AnalysisError, "allow that much with --memory"
    ),
    "not an attribution": (lambda: contributions_to(simulate(MODEL), "Stock"), DatasetError, "is not an attribution"),
}  # fmt: skip


@pytest.mark.parametrize("what", ERRORS)
def test_invalid_requests_are_reported(what):
    """With what to do."""
    call, error, message = ERRORS[what]
    with pytest.raises(error, match=message):
        call()


def test_a_change_with_the_wrong_number_of_values_is_rejected():
    """As everywhere."""
    with pytest.raises(ScenarioError):
        attribute_levers(MODEL, Scenario("x", (Change("a", (), (1.0, 2.0)),)), save=["Stock"])
