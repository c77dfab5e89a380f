"""What the running of a model tells, held against solutions that are known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.checking import Finding, check_model
from sdmodel.checking.cases import cases_of, told
from sdmodel.checking.subject import Subject
from sdmodel.model import Model
from sdmodel.scenario import Change, Scenario
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text, read_scenario

DECAY = "S = INTEG(-out, 1)\nout = S/T\nT = {time}"


def _found(model: Model, *rules: str, **options: object) -> list[Finding]:
    return list(check_model(model, only=rules, **options))  # type: ignore[arg-type]


def _blocks(*rows: tuple[str, str]) -> str:
    """Equations with their units field, as blocks."""
    return "\n\n".join(f"{equation}\n\t~\t{units}\n\t~\t\n\t|" for equation, units in rows)


@settings(max_examples=25, deadline=None)
@given(st.floats(1.5, 40), st.sampled_from([0.25, 0.5, 1.0]))
def test_the_error_of_a_step_is_that_of_the_closed_solution(time: float, step: float):
    """A drained stock is (1 - h/T)^n by Euler: the difference that is told is that of the two powers."""
    found = _found(tiny_model(DECAY.format(time=time), step=step, final=20), "time-step")
    one, two = 1 - step / time, 1 - step / time / 2
    worst = max(abs(one**n - two ** (2 * n)) for n in range(round(20 / step) + 1))
    if abs(worst - 0.01) < 1e-9:
        return
    assert bool(found) == (worst > 0.01)
    if found:
        assert found[0].numbers["difference"] == pytest.approx(worst, rel=1e-9)
        assert (found[0].level, found[0].variable) == ("warning", "S")


@pytest.mark.parametrize(("integrator", "level"), [("euler", "warning"), ("rk4", "advice")])
def test_the_other_method_is_a_warning_only_for_a_model_that_asks_for_euler(integrator: str, level: str):
    """A model that asks for Runge-Kutta is computed well; that Euler would not do is good to know."""
    (found,) = _found(tiny_model(DECAY.format(time=2), step=0.5, integrator=integrator), "method")
    euler, rk4 = 0.75, 1 - 0.25 + 0.25**2 / 2 - 0.25**3 / 6 + 0.25**4 / 24
    worst = max(abs(euler**n - rk4**n) for n in range(21))
    assert found.level == level
    assert found.numbers["difference"] == pytest.approx(worst, rel=1e-9)


def test_a_smooth_model_has_no_step_error():
    """With a step a hundred times shorter than its time constant, Euler is within one per cent."""
    assert _found(tiny_model(DECAY.format(time=10), step=0.1), "time-step", "method") == []


def test_a_model_that_breaks_with_half_its_step_is_told():
    """A stock that is finite only because the step is long enough is no solution."""
    model = tiny_model("S = INTEG(IF THEN ELSE(TIME STEP < 1, LN(-1), 1), 1)")
    (found,) = _found(model, "time-step")
    assert math.isinf(found.numbers["difference"])
    assert "'S' is not finite" in found.message


def test_a_fixed_delay_is_named_beside_the_step_error():
    """It is cut to whole steps, so that it moves with TIME STEP whatever the method."""
    model = tiny_model("S = INTEG(late, 0)\nlate = DELAY FIXED(Time, 1.5, 0)")
    (found,) = _found(model, "time-step")
    assert "DELAY FIXED in 'late' is cut to whole steps" in found.message


def test_a_computed_time_step_is_left_alone():
    """What is no constant cannot be halved; nothing is said of it."""
    text = model_text(DECAY.format(time=2)).replace("TIME STEP = 1", "TIME STEP = FINAL TIME/10")
    assert _found(model_from_text(text), "time-step", "method") == []


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 6))
def test_a_range_is_left_at_the_first_step_beyond_it(start: int, rate: int, bound: int):
    """A stock that falls by a known amount each step passes its minimum at a known time."""
    model = tiny_model(_blocks((f"S = INTEG(-{rate}, {start})", f"Widget [{bound},?]")), final=10)
    first = next((n for n in range(11) if start - rate * n < bound), None)
    found = _found(model, "range")
    assert bool(found) == (first is not None)
    if first is not None:
        (each,) = found
        assert each.numbers["time"] == first
        assert each.numbers["value"] == start - rate * first
        assert each.numbers["farthest"] == start - rate * 10


def test_a_constant_outside_of_its_range_is_told_with_its_own_value():
    """SAVEPER too is judged by what the model says, whatever the check saves."""
    text = model_text(_blocks(("a = 5", "Widget [0,4]"), ("S = INTEG(a, 0)", "Widget")), step=0.25, saveper=1)
    text = text.replace("SAVEPER = 1\n\t~\tYear", "SAVEPER = 1\n\t~\tYear [0.5,2]")
    (found,) = _found(model_from_text(text), "range")
    assert (found.variable, found.numbers["value"], found.numbers["bound"]) == ("a", 5, 4)


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 30), st.integers(4, 9), st.integers(1, 3))
def test_a_stock_turns_negative_when_its_outflow_goes_on(start: int, high: int, own: int):
    """Of the odd values of an outflow, those turn the stock negative that drain it by more than there is."""
    rows = [
        (f"S = INTEG(-out, {start})", "Widget"),
        ("out = rate", "Widget/Year"),
        (f"rate = {own}", f"Widget/Year [0,{high}]"),
    ]
    found = _found(tiny_model(_blocks(*rows), final=10), "negative")
    odd = {high: True, 0: True, 10 * own: 10 * own <= high, own / 10: True}
    odd.pop(own, None)
    bad = [value for value in odd if value * 10 > start]
    if own * 10 > start:
        return  # negative as it stands
    assert bool(found) == bool(bad)
    if bad:
        (each,) = found
        assert each.numbers["cases"] == len(bad)
        assert each.level == ("warning" if any(odd[value] for value in bad) else "advice")
        worst = high if high * 10 > start else 10 * own
        assert each.numbers["time"] == start // worst + 1
        assert "'out' goes on when it is empty" in each.message


@pytest.mark.parametrize(
    ("stock", "out", "is_told"),
    [
        ("Widget", "rate", True),
        ("$", "rate", False),
        ("Million Dollars", "rate", False),
        ("Degrees", "rate", False),
        ("$ [0,100]", "rate", True),
        ("Widget [-100,100]", "rate", False),
        ("Widget", "MIN(rate, S/TIME STEP)", False),
        ("Widget", "rate - 5", False),
    ],
)
def test_only_stocks_that_cannot_be_negative_are_held_to_it(stock: str, out: str, *, is_told: bool):
    """A range decides; without one money and temperature may be negative, and so may what has a flow that turns."""
    rows = [("S = INTEG(-out, 20)", stock), (f"out = {out}", ""), ("rate = 1", "Widget/Year [0,9]")]
    assert bool(_found(tiny_model(_blocks(*rows)), "negative")) is is_told


def test_a_drain_that_overshoots_is_told_from_one_that_goes_on():
    """An outflow that follows its stock takes too much only because the step is long."""
    rows = [("S = INTEG(-out, 20)", "Widget"), ("out = S*rate", ""), ("rate = 0.5", "1/Year [0,1.5]")]
    (found,) = _found(tiny_model(_blocks(*rows)), "negative")
    assert "'out' takes more than there is within a step" in found.message


def test_what_breaks_within_ranges_is_told_by_variable_and_beyond_them_in_one_line():
    """A division that a range allows to be by zero is a fault of the model; one that it keeps out is not."""
    rows = [
        ("S = INTEG(x + y + z, 0)", ""),
        ("x = 1/a", ""),
        ("y = 1/b", ""),
        ("z = 1/c", ""),
        ("a = 1", "Widget [0,2]"),
        ("b = 1", "Widget [1,2]"),
        ("c = 1", "Widget [1,2]"),
    ]
    beyond, within = sorted(_found(tiny_model(_blocks(*rows)), "extreme"), key=lambda each: each.level)
    assert (within.level, within.variable, beyond.level) == ("warning", "x", "advice")
    # a = 0 alone, and with either end of b and c that is not what they are
    assert within.numbers["cases"] == 3
    assert "first with 'a' = 0 at 0" in within.message
    assert all(text in beyond.message for text in ("'b' = 0 (then 'y'", "'c' = 0 (then 'z'"))


def test_a_pair_is_told_where_neither_constant_alone_breaks_anything():
    """Extremes meet: what holds one by one need not hold together."""
    rows = [("S = INTEG(1/(a + b - 4), 0)", ""), ("a = 1", "Widget [0.5,2]"), ("b = 1", "Widget [0.5,2]")]
    (found,) = _found(tiny_model(_blocks(*rows)), "extreme")
    assert found.numbers["cases"] == 1
    assert "first with 'a' = 2 and 'b' = 2 at" in found.message


def test_labels_of_a_constant_move_together_and_names_may_be_odd():
    """An array is tried whole, and any name that Vensim allows can be set."""
    text = 'd: A, B\nS[d] = INTEG(1/"odd, [name]"[d], 0)\n"odd, [name]"[d] = 1, 2'
    blocks = "\n\n".join(f"{line}\n\t~\t[0,3]\n\t~\t\n\t|" for line in text.splitlines()[1:])
    (found,) = _found(tiny_model(f"d: A, B\n\t~\t\n\t~\t\n\t|\n\n{blocks}", final=1), "extreme")
    assert found.numbers["cases"] == 1
    assert "'odd, [name]' = 0" in found.message


def test_cells_without_an_equation_break_nothing():
    """A label that an element leaves out is no number that stops being finite."""
    rows = [
        ("d: A, B", ""),
        ("S[A] = INTEG(-out[A], 20)", "Widget"),
        ("out[A] = S[A]*rate", ""),
        ("rate = 0.01", "1/Year [0,0.02]"),
    ]
    assert _found(tiny_model(_blocks(*rows)), "extreme", "negative", "time-step", "balance") == []


def test_without_ranges_the_check_says_that_no_extremes_were_tried():
    """What was not done is told rather than passed over."""
    (found,) = _found(tiny_model(DECAY.format(time=5)), "extreme")
    assert (found.level, found.variable) == ("advice", "")
    assert "no constant has a range" in found.message


def test_a_constant_is_tried_at_its_ends_at_zero_and_tenfold_and_a_tenth():
    """Each odd value once, none that it has already, and the ends alone with those of others."""
    model = tiny_model(_blocks(("S = INTEG(a + b, 0)", ""), ("a = 3", "Widget [1,5]"), ("b = 0", "Widget [0,?]")))
    cases = cases_of(Subject(model), 10)
    assert [told(each) for each in cases.tried] == [f"'a' = {value}" for value in ("1", "5", "0", "30", "0.3")]
    assert [each[0].inside for each in cases.tried] == [True, True, False, False, False]
    both = _blocks(("S = INTEG(a + b, 0)", ""), ("a = 3", "Widget [1,5]"), ("b = 2", "Widget [?,4]"))
    pairs = [told(each) for each in cases_of(Subject(tiny_model(both)), 10).tried if len(each) == 2]
    assert pairs == ["'a' = 1 and 'b' = 4", "'a' = 5 and 'b' = 4"]


def test_a_stock_that_nothing_leaves_is_not_held_to_be_positive():
    """What only accumulates may accumulate a loss."""
    rows = [("S = INTEG(in, 20)", "Widget"), ("in = rate", ""), ("rate = 1", "Widget/Year [-9,9]")]
    assert _found(tiny_model(_blocks(*rows)), "negative") == []


def test_too_many_cases_are_chosen_from_the_same_every_time():
    """A large model is tried in part; every case is one that would be tried if there were time for all."""
    constants = [(f"c{n} = 1", "Widget [0,3]") for n in range(40)]
    total = " + ".join(f"c{n}" for n in range(40))
    subject = Subject(tiny_model(_blocks((f"S = INTEG({total}, 0)", ""), *constants)))
    whole, part = cases_of(subject, 1), cases_of(subject, 10**12)
    names = [frozenset((one.constant.key, one.told) for one in each) for each in whole.tried]
    assert whole.possible == part.possible == len(whole.tried) == 40 * 4 + 4 * 40 * 39 // 2
    assert len(set(names)) == len(whole.tried)
    assert len(part.tried) == 100 + 100
    assert {frozenset((one.constant.key, one.told) for one in each) for each in part.tried} <= set(names)
    again = cases_of(subject, 10**12)
    assert [told(each) for each in again.tried] == [told(each) for each in part.tried]


def test_a_delay_whose_order_varies_is_told_and_not_tried():
    """Members cannot have delays of different orders; the rest of the check goes on."""
    rows = [("y = DELAY N(Time, 5, 0, order)", ""), ("order = 3", "Dmnl [1,9]"), ("S = INTEG(y, 0)", "")]
    (found,) = _found(tiny_model(_blocks(*rows)), "extreme")
    assert found.level == "advice"
    assert "could not be tried" in found.message


def test_a_scenario_changes_what_is_run_and_not_the_model(tmp_path):
    """The check is of the model as the scenario leaves it, from a file or from Python."""
    model = tiny_model(DECAY.format(time=10), step=0.1)
    path = tmp_path / "short.cin"
    path.write_text("T = 0.5\n")
    short = Scenario("", (Change("T", (), (0.5,)),))
    for scenario in (short, path, [read_scenario(path)]):
        found = _found(model, "time-step", "method", "time-constant", scenario=scenario)
        assert {each.rule for each in found} == {"time-step", "method"}
    assert _found(model, "time-step", "method") == []


@pytest.mark.parametrize(("size", "is_told"), [(1e6, False), (1e18, True)])
def test_a_stock_too_large_for_its_flow_is_told(size: float, *, is_told: bool):
    """A number has sixteen digits; a flow below the last of them is lost."""
    found = _found(tiny_model(f"S = INTEG(in, {size})\nin = 1"), "balance")
    assert bool(found) is is_told
    if is_told:
        assert found[0].numbers == {"lost": 10.0, "flow": 10.0}


@pytest.mark.parametrize(
    ("equation", "is_told"),
    [("SMOOTH(Time, 1.95)", True), ("SMOOTH(Time, 2)", False), ("DELAY3(Time, 5)", True), ("DELAY3(Time, 6)", False)],
)
def test_a_delay_takes_two_steps_for_each_stage(equation: str, *, is_told: bool):
    """A third-order delay has three stages, each a third as long as the whole."""
    assert bool(_found(tiny_model(f"x = {equation}"), "time-constant")) is is_told


@pytest.mark.parametrize(
    ("equations", "rule", "is_told"),
    [
        ("f((0,0),(1,1))\nS = INTEG(0.05, 0)\ny = f(S)", "table-end", False),
        ("f((0,0),(1,1))\nS = INTEG(0.05, 0)\ny = f(S*3)", "table-end", True),
        ("d: A, B\nf[d]((0,0),(1,1))\nS[d] = INTEG(0.2, 0)\ny[d] = f[d](S[d])", "table-end", True),
        ("f((0,0),(1,1),(2,0))\ny = f(Time)", "table-turns", False),
        ("f((0,0),(1,1),(2,0))\ny = f(Time*2 - Time)", "table-turns", False),
        ("f((0,0),(1,1),(2,0))\nS = INTEG(1, 0)\ny = f(S)", "table-turns", True),
        ("y = WITH LOOKUP(Time, ((0,0),(1,1),(2,0)))", "table-turns", False),
        ("S = INTEG(1, 0)\ny = WITH LOOKUP(S, ((0,0),(1,1),(2,0)))", "table-turns", True),
        ("f([(0,0)-(0,0)],(0,0),(1,1))\ny = f(Time)", "table-graph", False),
    ],
)
def test_tables_are_told_where_they_end_turn_or_spill(equations: str, rule: str, *, is_told: bool):
    """A table over time is a series, which may turn; a graph without a size is none."""
    assert bool(_found(tiny_model(equations), rule)) is is_told


@pytest.mark.parametrize("time", ["0", "-3"])
def test_a_delay_that_is_none_is_not_cured_by_a_time_step(time: str):
    """No TIME STEP is short enough for it."""
    (found,) = _found(tiny_model(f"x = SMOOTH(Time, {time})"), "time-constant")
    assert found.message.endswith("a stage; it must be above 0")


def test_a_range_upside_down_is_told_as_such():
    """No value lies between its bounds, so that nothing is said of values."""
    (found,) = _found(tiny_model(_blocks(("a = 5", "Year [10,1]"), ("y = a", "Year"))), "range")
    assert found.message == "the range of 'a' goes from 10 down to 1; exchange them"


def test_a_constant_that_cannot_vary_keeps_no_other_from_it():
    """The order of a delay stays as it is; a division by another constant is found all the same."""
    rows = [("y = DELAY N(Time, 5, 0, order)", ""), ("order = 3", "Dmnl [1,9]")]
    rows += [(f"c{n} = 1", "Dmnl [0,2]") for n in range(5)]
    rows += [("S = INTEG(y, 0)", ""), ("z = S/c2 + c0 + c1 + c3 + c4", "")]
    advice, warning = sorted(_found(tiny_model(_blocks(*rows)), "extreme"), key=lambda each: each.level)
    assert (advice.variable, warning.variable) == ("order", "z")
    assert "extreme values of 'order' could not be tried" in advice.message
    assert "'c2' = 0" in warning.message


@pytest.mark.parametrize("name", ['"a[b]"', '"x, y"', '"c = 1"', '"it\'s"', "Größe"])
def test_names_with_odd_marks_are_tried_at_extreme_values_too(name: str):
    """A bracket in a name is no subscript, an equals sign no change."""
    model = tiny_model(_blocks((f"{name} = INTEG(-out, 5)", "Widget"), (f"out = 1/{name} + k", ""), ("k = 1", "[0,2]")))
    assert not [each for each in _found(model, "extreme") if "could not be tried" in each.message]
    model = tiny_model(_blocks((f"{name} = 1", "Dmnl [0,2]"), (f"S = INTEG(1/{name}, 5)", "")))
    (found,) = _found(model, "extreme")
    assert (found.level, found.variable) == ("warning", "S")
