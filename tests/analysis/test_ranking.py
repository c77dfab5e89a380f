"""Rankings of levers compared with single runs and closed solutions; ranges, members, values over time, and errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.analysis import OUTCOME, rank_levers, ranking_answers, ranking_columns
from sdmodel.analysis.worth import discount_weights
from sdmodel.comparison import Outcome
from sdmodel.errors import AnalysisError, DatasetError, ScenarioError
from sdmodel.reading import read_model
from sdmodel.scenario import Design, Distribution, Sampling, Scenario, Variation, make_design
from sdmodel.simulation import NotFiniteWarning, RunWarning, simulate
from sdmodel.store import open_run, save_run
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import read_change

MODEL = tiny_model(
    """
    kind: one, two
    Stock = INTEG(a * k - b * m, 0)
    Root = INTEG(1 / c, 0)
    a = 3
    b = 1
    c = 1
    k = 1
    m = 1
    share[kind] = 0.2, 0.4
    total = SUM(share[kind!]) * 5
    both = a * b
    twice = 2 * Stock
    """
)
LEVERS = {"a": (2.0, 5.0), "b": (0.0, 4.0)}
GROUPED = """
********************************************************
	.Policy levers
********************************************************~
	|
fast = 4 ~ m/Year [0,9] ~ |
slow = 2 ~ m/Year [1,3] ~ |
free = 1 ~ m/Year ~ |
share[kind] = 1, 2 ~ dmnl [0,5] ~ |
********************************************************
	.Rest
********************************************************~
	|
kind: one, two ~~|
policy start = 4 ~ Year ~ |
way = INTEG(fast + slow + free + SUM(share[kind!]) * metre, 0) ~ m ~ |
metre = 1 ~ m/Year ~ |
"""


def _design(count: int = 40, **ranges: tuple[float, float]) -> Design:
    laws = [Variation(name, (), Distribution("RANDOM_UNIFORM", ends)) for name, ends in ranges.items()]
    return make_design(MODEL, Sampling("multivariate", variations=tuple(laws)), count=count, seed=3)


@pytest.fixture
def grouped(tmp_path):
    """A model with policy levers, in a folder of its own."""
    path = tmp_path / "road.mdl"
    path.write_text(model_text(GROUPED), "utf-8")
    return path


def effect(found, lever, outcome=0):
    return float(found["effect"].sel(lever=lever).isel({OUTCOME: outcome}))


ENDS = (
    st.tuples(st.floats(-5, 5), st.floats(-5, 5)).map(sorted).filter(lambda ends: ends[1] - ends[0] > 1e-3).map(tuple)
)


@settings(max_examples=15, deadline=None)
@given(ENDS, ENDS, st.sampled_from(["min", "max"]))
def test_effects_are_differences_of_single_runs(a, b, goal):
    """The better end counts, and only if it is better than the present value; the best lever comes first."""
    found = rank_levers(MODEL, "Stock", levers={"a": a, "b": b}, at=7, also=["both"], goal=goal)
    sign = -1 if goal == "min" else 1
    base = simulate(MODEL, save=["Stock", "both"]).sel(time=7)
    chosen = {}
    for name, ends in (("a", a), ("b", b)):
        runs = [simulate(MODEL, {name: end}, save=["Stock", "both"]).sel(time=7) for end in ends]
        gains = [sign * float(run.stock - base.stock) for run in runs]
        best = int(np.argmax(gains))
        helps = gains[best] > 1e-9 * abs(float(base.stock))
        assert str(found["side"].sel(lever=name).values) == (("low", "high")[best] if helps else "present")
        chosen[name] = ends[best] if helps else float(MODEL[name].equations[0].expression)
        assert effect(found, name) == pytest.approx(sign * gains[best] if helps else 0, rel=1e-9, abs=1e-9)
        assert effect(found, name, 1) == pytest.approx(float(runs[best].both - base.both) if helps else 0, abs=1e-9)
    together = simulate(MODEL, chosen, save=["Stock", "both"]).sel(time=7)
    assert effect(found, "all together") == pytest.approx(float(together.stock - base.stock), abs=1e-9)
    assert effect(found, "all together", 1) == pytest.approx(float(together.both - base.both), abs=1e-9)
    merits = sign * found["effect"].isel({OUTCOME: 0}).values[:-1]
    assert (np.diff(merits) <= 0).all()


def test_marginal_effect_is_the_slope_at_the_present_value():
    """Per unit of the lever, from a step within its range: central, or to one side at an end."""
    for ends in ((0.5, 1.5), (1.0, 1.5), (0.5, 1.0)):
        found = rank_levers(MODEL, "Root", levers={"c": ends}, at=10)
        assert float(found["marginal"].sel(lever="c")) == pytest.approx(-10, rel=0.02)
    found = rank_levers(MODEL, "Stock", levers=LEVERS, at=10)
    assert found["marginal"].sel(lever=["a", "b"]).values == pytest.approx([10, -10])
    assert math.isnan(float(found["marginal"].sel(lever="all together")))


def test_lever_without_gain_says_so():
    """A present value at the better end, and a lever without an effect, have no gain; both come after the others."""
    found = rank_levers(MODEL, "Stock", levers={"m": (0, 1), "a": (2, 5), "c": (1, 9)}, at=10)
    assert found["lever"].values.tolist()[0] == "a"
    assert found["side"].sel(lever=["m", "c"]).values.tolist() == ["present", "present"]
    assert effect(found, "m") == effect(found, "c") == 0
    (moved,) = (column.cells for column in ranking_columns(found) if column.heading == "moved")
    assert moved == ("", "3 → 2", "no gain", "no gain", "")
    none = rank_levers(MODEL, "Stock", levers={"c": (1, 9)}, at=10)
    assert list(ranking_answers(none)) == ["No lever makes Stock at 10 smaller at an end of its range."]


def test_members_are_paired():
    """The effect in a member has the member's own constants with and without the lever, so that nothing else varies."""
    design = _design(k=(0.5, 1.5), m=(0.0, 50.0))
    found = rank_levers(MODEL, "Stock", levers={"a": (2, 5)}, at=10, design=design)
    k, m = design.values(0, design.count)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    spread = found["effect_spread"].isel(outcome=0).transpose("lever", ...)
    assert spread.values[0] == pytest.approx(np.quantile(-10 * k, levels))
    assert found["baseline_spread"].isel(outcome=0).values == pytest.approx(np.quantile(10 * (3 * k - m), levels))
    assert effect(found, "a") == -10  # the constants of the model


def test_share_of_members_that_rank_a_lever_first_sums_to_one():
    """It is the share in which the lever helps most; members in which none helps do not count."""
    design = _design(200, k=(0.0, 1.0), m=(0.0, 1.0))
    found = rank_levers(MODEL, "Stock", levers={"a": (2, 5), "b": (0, 2)}, at=10, design=design)
    k, m = design.values(0, design.count)
    shares = found["ranks_first"].sel(lever=["a", "b"]).values
    assert shares.sum() == pytest.approx(1)
    assert shares[0] == pytest.approx(np.mean(k > m))
    assert int(found["counted"]) == 200
    signs = _design(200, k=(-1.0, 1.0))
    one = rank_levers(MODEL, "Stock", levers={"a": (2, 5)}, at=10, design=signs)
    assert int(one["counted"]) == int((signs.values(0, 200)[0] > 0).sum())
    assert float(one["ranks_first"].sel(lever="a")) == 1
    equal = rank_levers(MODEL, "Stock", levers={"a": (2, 5), "k": (2 / 3, 5)}, at=10, design=_design(m=(0, 1)))
    assert equal["ranks_first"].values[:-1] == pytest.approx([0.5, 0.5])


def test_numbers_do_not_depend_on_blocks(monkeypatch):
    """Members are computed block by block."""
    design = _design(k=(0.5, 1.5), m=(0.0, 2.0))
    whole = rank_levers(MODEL, "Stock", levers=LEVERS, at=10, design=design, value="Stock*a")
    monkeypatch.setattr("sdmodel.analysis.ranking._BLOCK_BYTES", 3000)
    done = []
    parts = rank_levers(
        MODEL, "Stock", levers=LEVERS, at=10, design=design, value="Stock*a", progress=lambda *now: done.append(now)
    )
    assert parts.drop_attrs().equals(whole.drop_attrs())
    assert done[-1] == (whole.attrs["runs"], whole.attrs["runs"]) == (170, 170)
    assert len(done) > 5
    idle = rank_levers(MODEL, "Stock", levers={"a": (2, 3), "c": (1, 2)}, design=design)
    assert idle.attrs["runs"] == 10 + 40 * 3  # members are not run with a lever that has no gain


def test_ranked_levers_are_not_sampled():
    """Their lines are ignored with a warning; a design of nothing else is refused."""
    with pytest.warns(RunWarning, match="'a': ranked, so not sampled for each member"):
        found = rank_levers(MODEL, "Stock", levers={"a": (2, 5)}, at=10, design=_design(a=(0, 9), k=(1, 2)))
    k = _design(a=(0, 9), k=(1, 2)).values(0, 40)[1]
    assert found["effect_spread"].isel(outcome=0, lever=0).values[[0, -1]] == pytest.approx(
        np.quantile(-10 * k, [0.05, 0.95])
    )
    with pytest.raises(AnalysisError, match="samples only ranked levers"):
        rank_levers(MODEL, "Stock", levers={"a": (2, 5)}, design=_design(a=(0, 9)))


def test_scenario_changes_the_baseline():
    """Present values and all runs have it."""
    found = rank_levers(MODEL, "Stock", levers=LEVERS, at=10, scenario=Scenario("s", (read_change("a = 4"),)))
    assert float(found["present"].sel(lever="a")) == 4
    assert (effect(found, "a"), float(found["baseline"][0])) == (-20, 30)
    assert found.attrs["scenario_name"] == "s"


# Ranges


def test_ranges_come_from_the_file_beside_the_model(grouped):
    """A lever has the range of its line; without one that of its slider, with a warning; without either it is left out."""
    model = read_model(grouped)
    with pytest.warns(RunWarning) as caught:
        found = rank_levers(model, "way", at=10)
    assert [str(warning.message) for warning in caught] == [
        "not ranked: 'free' has no plausible range and no range in the model; write --lever \"free=low:high\"",
        "all levers: no file of plausible ranges beside the model, so the ends of the sliders count, plausible or not",
    ]
    assert found["lever"].values.tolist() == ["fast", "share", "slow", "all together"]
    assert found["low"].values[:-1].tolist() == [0, 0, 1]
    lines = ("fast=RANDOM_TRIANGULAR(3,6,3,4,6)", "share[one]=RANDOM_UNIFORM(0.5,3)", "share[two]=RANDOM_UNIFORM(1,4)")
    grouped.with_suffix(".vsc").write_text("\n".join(["9,L,1,,0", *lines]), "utf-8")
    with pytest.warns(RunWarning, match=r"^'slow': no line in .*road.vsc, so the ends"):
        found = rank_levers(model, "way", at=10, levers={"fast": None, "slow": None, "share": None, "free": (0, 2)})
    by_lever = {name: effect(found, name) for name in found["lever"].values}
    assert by_lever == pytest.approx({"share": -15, "fast": -10, "slow": -10, "free": -10, "all together": -45})
    sources = dict(zip(found["lever"].values.tolist(), found["source"].values.tolist(), strict=True))
    assert sources == {"share": "file", "fast": "file", "slow": "slider", "free": "given", "all together": ""}


def test_lever_with_subscripts_moves_as_a_whole(grouped):
    """Each label goes to its own end; a label alone can be a lever."""
    grouped.with_suffix(".vsc").write_text(
        "9,L,1,,0\nshare[one]=RANDOM_UNIFORM(0.5,3)\nshare[two]=RANDOM_UNIFORM(1,4)\n"
    )
    model = read_model(grouped)
    found = rank_levers(model, "way", at=10, levers={"share": None}, goal="max")
    assert effect(found, "share") == pytest.approx(10 * (3 - 1 + 4 - 2))
    assert math.isnan(float(found["chosen"][0]))
    assert [column.cells[1] for column in ranking_columns(found)][:2] == ["share", "→ high end"]
    assert '"share": ["share[one] = 3", "share[two] = 4"]' in found.attrs["levers"]
    assert float(found["marginal"][0]) == pytest.approx(20)  # both labels by one unit
    part = rank_levers(model, "way", at=10, levers={"share[two]": None})
    assert (part["lever"].values[0], effect(part, "share[two]")) == ("share[two]", -10)


def test_ends_outside_the_slider_are_noted(grouped):
    with pytest.warns(RunWarning, match="'slow' goes to 4, outside its range in the model: above 3"):
        rank_levers(read_model(grouped), "way", levers={"slow": (1.5, 4)})


def test_wrong_levers_are_all_reported(grouped):
    """Names, bounds and overlaps."""
    model = read_model(grouped)
    wrong = {"nothing": None, "free": None, "slow": (3, 1), "share": (0, 1), "share[one]": (0, 2), "way": (0, 1)}
    with pytest.raises(ScenarioError) as caught:
        rank_levers(model, "way", levers=wrong)
    text = str(caught.value)
    for part in (
        "'nothing' is not in the model",
        "'free' has no plausible range",
        "'slow' goes from 3 to 1",
        "'share[one]' is part of 'share' too",
        "'way' is a stock",
    ):
        assert part in text
    with pytest.raises(AnalysisError, match="has no policy lever with a range"):
        rank_levers(MODEL, "Stock")


# The value over time


@pytest.mark.parametrize("rate", [0.0, 0.1, -0.05, 3.0])
def test_discounted_value_has_the_closed_form(rate):
    """Of a constant and of a line, between dates that need not be saved."""
    times = np.linspace(0, 10, 11)
    for since, until in ((0.0, 10.0), (2.25, 7.5), (3.1, 3.2)):
        weights = discount_weights(times, since, until, rate)
        span, force = until - since, math.log1p(rate)
        factor = (1 - math.exp(-force * span)) / force if rate else span
        assert weights.sum() == pytest.approx(factor, rel=1e-12)
        slope = (factor - span * math.exp(-force * span)) / force if rate else span**2 / 2
        assert weights @ (times - since) == pytest.approx(slope, rel=1e-9, abs=1e-12)


def test_value_is_an_outcome():
    """It stands second, in the units of the formula times time, from the policy start if the model has one."""
    model = tiny_model("policy start = 4\nStock = INTEG(a, 0)\na = 2")
    found = rank_levers(model, "Stock", levers={"a": (1, 3)}, at=2, value="a * Time - policy start", rate=0.1)
    assert found[OUTCOME].values.tolist() == ["Stock", "value of a * Time - policy start"]
    assert (found.attrs["since"], found.attrs["until"]) == (4, 10)
    weights = discount_weights(np.arange(11.0), 4, 10, 0.1)
    assert float(found["baseline"][1]) == pytest.approx(weights @ (2 * np.arange(11.0) - 4))
    assert effect(found, "a", 1) == pytest.approx(-weights @ np.arange(11.0))
    dated = rank_levers(model, "Stock", levers={"a": (1, 3)}, value="a", since=1, until=6, also=["Stock"])
    assert effect(dated, "a", 1) == pytest.approx(-5)
    assert dated[OUTCOME].size == 2


def test_value_has_units(grouped):
    """Those of the formula times time; a formula whose units do not fit has none, with a warning."""
    model = read_model(grouped)
    found = rank_levers(model, "way", levers={"fast": (1, 2)}, value="fast*2 - slow")
    assert found["units"].values.tolist() == ["m", "m"]
    with pytest.warns(RunWarning, match="--value: 'way' is in m, what it is added to in m/Year"):
        found = rank_levers(model, "way", levers={"fast": (1, 2)}, value="fast + way")
    assert found["units"].values.tolist() == ["m", ""]


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("Stok + 1", "'stok' is not in the model; did you mean 'Stock'"),
        ("3 + 4", "names no variable"),
        ("share", "is 2 numbers at a time"),
        ("SMOOTH(Stock, 3)", "SMOOTH needs a model"),
        ("__import__('os').system('id')", "--value"),
        ("Stock +", "--value"),
    ],
)
def test_value_is_a_formula_and_nothing_else(formula, message):
    with pytest.raises(ScenarioError) as caught:
        rank_levers(MODEL, "Stock", levers=LEVERS, value=formula)
    assert message in str(caught.value)


# Runs that break


def test_lever_that_breaks_the_run_is_reported():
    """The other end counts; with none, the lever comes last, without numbers, and the others are ranked."""
    with pytest.warns(NotFiniteWarning, match="'c' at 0: the run is not finite, so only its other end counts"):
        found = rank_levers(MODEL, "Root", levers={"c": (0, 2)}, at=10)
    assert effect(found, "c") == -5
    hole = tiny_model("x = 1\ny = 5\nout = y + 0 * LN(1 - ABS(x - 1))")
    with pytest.warns(NotFiniteWarning, match="'x' at 0 and at 2: the run is not finite, so it is not ranked"):
        found = rank_levers(hole, "out", levers={"x": (0, 2), "y": (4, 6)}, design=None)
    assert found["lever"].values.tolist() == ["y", "x", "all together"]
    assert found["side"].values.tolist() == ["low", "not finite", ""]
    assert math.isnan(effect(found, "x"))
    assert effect(found, "all together") == -1
    assert "not finite" in ranking_columns(found)[2].cells
    with pytest.raises(AnalysisError, match="Root at 10: is not finite in the baseline"):
        rank_levers(MODEL, "Root", levers=LEVERS, at=10, scenario=Scenario("", (read_change("c = 0"),)))


def test_members_that_break_are_left_out_and_counted():
    """With how many, for each lever."""
    model = tiny_model("x = 3\nk = 1\nout = x + 0 * SQRT(x - k)")
    laws = (Variation("k", (), Distribution("RANDOM_UNIFORM", (0, 3))),)
    design = make_design(model, Sampling("multivariate", variations=laws), count=50, seed=1)
    with pytest.warns(NotFiniteWarning, match="not finite in some of 50 members") as caught:
        found = rank_levers(model, "out", levers={"x": (2, 3)}, design=design)
    broken = int((design.values(0, 50)[0] > 2).sum())
    assert found["left_out"].values.tolist() == [broken, broken]
    assert f"'x' in {broken}, 'all together' in {broken}" in str(caught[0].message)
    assert (found["effect_spread"].isel(outcome=0).sel(lever="x").values == -1).all()


# Arguments and storage


def test_outcomes_may_be_statistics_over_time():
    found = rank_levers(MODEL, "twice", levers=LEVERS, at=Outcome("mean"), also=["Stock"])
    assert found["when"].values.tolist() == ["mean", "mean"]
    assert effect(found, "b") == pytest.approx(-30)
    assert rank_levers(MODEL, "twice", levers=LEVERS)["when"].values.tolist() == ["last"]


@pytest.mark.wrong_types
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"at": 11}, DatasetError, "outside the run"),
        ({"goal": "less"}, AnalysisError, "neither min nor max"),
        ({"value": "a", "rate": -1.0}, AnalysisError, "not a discount rate"),
        ({"value": "a", "since": 7, "until": 3}, AnalysisError, "counted from 7 to 3, but the run goes from 0 to 10"),
        ({"value": "a", "until": 12}, AnalysisError, "counted from 0 to 12"),
        ({"also": ["nothing"]}, ScenarioError, "--also: 'nothing' is not in the model"),
    ],
)
def test_wrong_arguments_are_reported(options, error, message):
    with pytest.raises(error) as caught:
        rank_levers(MODEL, "Stock", levers=LEVERS, **options)
    assert message in str(caught.value)


def test_memory_is_limited():
    with pytest.raises(AnalysisError, match="the outcomes of 1,000 members take"):
        rank_levers(MODEL, "Stock", levers=LEVERS, design=_design(1000, k=(0, 1)), memory="50kB")


def test_stored_ranking_is_the_same(tmp_path):
    """Every number, text and attribute, with members and a value."""
    found = rank_levers(MODEL, "Stock", levers=LEVERS, at=10, also=["both"], value="a", design=_design(k=(0, 1)))
    stored = open_run(save_run(found, tmp_path / "r.nc"))
    assert stored.load().equals(found)
    assert ranking_columns(stored) == ranking_columns(found)
    assert list(ranking_answers(stored)) == list(ranking_answers(found))
