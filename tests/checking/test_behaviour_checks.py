"""Rules about runs of a model, compared with known solutions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.checking import Finding, check_model
from sdmodel.checking.checked_model import CheckedModel
from sdmodel.checking.extremes import describe_case, extreme_cases
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


@settings(max_examples=6)
@given(st.lists(st.floats(1.5, 40), min_size=1, max_size=8), st.sampled_from([0.25, 0.5, 1.0]))
def test_step_error_matches_the_closed_solution(times: list[float], step: float):
    """A drained stock is (1 - h/T)^n by Euler: the reported difference is that of the two powers, for the worst stock."""
    equations = [f"S{n} = INTEG(-out{n}, 1)\nout{n} = S{n}/T{n}\nT{n} = {time}" for n, time in enumerate(times)]
    found = _found(tiny_model("\n".join(equations), step=step, final=20), "time-step")
    steps = range(round(20 / step) + 1)
    errors = [max(abs((1 - step / t) ** n - (1 - step / t / 2) ** (2 * n)) for n in steps) for t in times]
    if any(abs(error - 0.01) < 1e-9 for error in errors):
        return
    count, worst = sum(error > 0.01 for error in errors), max(errors)
    assert bool(found) == (count > 0)
    if found:
        assert found[0].numbers["difference"] == pytest.approx(worst, rel=1e-9)
        assert found[0].numbers["stocks"] == count
        assert found[0].level == "warning"
        assert errors[int(found[0].variable[1:])] == pytest.approx(worst, rel=1e-9)


@pytest.mark.parametrize(("integrator", "level"), [("euler", "warning"), ("rk4", "advice")])
def test_other_method_is_a_warning_only_for_euler_models(integrator: str, level: str):
    """A model that asks for Runge-Kutta is computed well; that Euler would not be accurate is only advice."""
    (found,) = _found(tiny_model(DECAY.format(time=2), step=0.5, integrator=integrator), "method")
    euler, rk4 = 0.75, 1 - 0.25 + 0.25**2 / 2 - 0.25**3 / 6 + 0.25**4 / 24
    worst = max(abs(euler**n - rk4**n) for n in range(21))
    assert found.level == level
    assert found.numbers["difference"] == pytest.approx(worst, rel=1e-9)


def test_slow_model_has_no_step_error():
    """With a step a hundred times shorter than its time constant, Euler is within one per cent."""
    assert _found(tiny_model(DECAY.format(time=10), step=0.1), "time-step", "method") == []


def test_model_that_breaks_with_half_its_step_is_reported():
    """A stock that is finite only because the step is long is not a solution."""
    model = tiny_model("S = INTEG(IF THEN ELSE(TIME STEP < 1, LN(-1), 1), 1)")
    (found,) = _found(model, "time-step")
    assert math.isinf(found.numbers["difference"])
    assert "'S' is not finite" in found.message


def test_fixed_delay_is_named_with_the_step_error():
    """It is rounded to whole steps, so it moves with TIME STEP whatever the method."""
    model = tiny_model("S = INTEG(late, 0)\nlate = DELAY FIXED(Time, 1.5, 0)")
    (found,) = _found(model, "time-step")
    assert "DELAY FIXED in 'late' is cut to whole steps" in found.message


def test_states_that_last_a_step_are_no_fixed_delays():
    """Functions such as a queue keep their past in delays of one step, which no step cuts."""
    text = "flat((0,1),(1,1))\nS = INTEG(QUEUE AGE AVERAGE(line), 0)\nline = QUEUE FIFO(1 + Time, 1, flat, 3, 2)"
    (found,) = _found(tiny_model(text), "time-step")
    assert "DELAY FIXED" not in found.message


def test_computed_time_step_is_not_varied():
    """A TIME STEP that is not a constant cannot be halved, and nothing is reported."""
    text = model_text(DECAY.format(time=2)).replace("TIME STEP = 1", "TIME STEP = FINAL TIME/10")
    assert _found(model_from_text(text), "time-step", "method") == []


@settings(max_examples=3)
@given(
    st.lists(st.tuples(st.integers(2, 30), st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=20, unique=True)
)
def test_range_is_left_at_the_first_step_beyond_it(stocks: list[tuple[int, int, int]]):
    """A stock that falls by a known amount per step passes its minimum at a known time."""
    rows = [(f"S{n} = INTEG(-{rate}, {start})", f"Widget [{bound},?]") for n, (start, rate, bound) in enumerate(stocks)]
    found = {finding.variable: finding.numbers for finding in _found(tiny_model(_blocks(*rows), final=10), "range")}
    for n, (start, rate, bound) in enumerate(stocks):
        first = next((time for time in range(11) if start - rate * time < bound), None)
        assert (f"S{n}" in found) == (first is not None)
        if first is not None:
            numbers = found[f"S{n}"]
            assert numbers["time"] == first
            assert numbers["value"] == start - rate * first
            assert numbers["farthest"] == start - rate * 10


def test_constant_outside_its_range_is_reported_with_its_own_value():
    """SAVEPER is checked with the value in the model, whatever the check saves."""
    text = model_text(_blocks(("a = 5", "Widget [0,4]"), ("S = INTEG(a, 0)", "Widget")), step=0.25, saveper=1)
    text = text.replace("SAVEPER = 1\n\t~\tYear", "SAVEPER = 1\n\t~\tYear [0.5,2]")
    (found,) = _found(model_from_text(text), "range")
    assert (found.variable, found.numbers["value"], found.numbers["bound"]) == ("a", 5, 4)


DRAINED = st.tuples(st.integers(10, 30), st.integers(4, 9), st.integers(1, 3)).filter(lambda row: row[2] * 10 <= row[0])


@settings(max_examples=4)
@given(st.lists(DRAINED, min_size=1, max_size=8))
def test_stock_turns_negative_when_its_outflow_goes_on(stocks: list[tuple[int, int, int]]):
    """The extreme values of an outflow that drain more than there is turn the stock negative, alone and in pairs."""
    rows = []
    for n, (start, high, own) in enumerate(stocks):
        rows += [(f"S{n} = INTEG(-out{n}, {start})", "Widget"), (f"out{n} = rate{n}", "Widget/Year")]
        rows += [(f"rate{n} = {own}", f"Widget/Year [0,{high}]")]
    found = {finding.variable: finding for finding in _found(tiny_model(_blocks(*rows), final=10), "negative")}
    for n, (start, high, own) in enumerate(stocks):
        extremes = {high: True, 0: True, 10 * own: 10 * own <= high, own / 10: True}
        extremes.pop(own, None)
        bad = [value for value in extremes if value * 10 > start]
        assert (f"S{n}" in found) == bool(bad)
        if bad:
            finding = found[f"S{n}"]
            pairs = 2 * (len(stocks) - 1) if high * 10 > start else 0  # with both ends of every other rate
            assert finding.numbers["cases"] == len(bad) + pairs
            assert finding.level == ("warning" if any(extremes[value] for value in bad) else "advice")
            worst = high if high * 10 > start else 10 * own
            assert finding.numbers["time"] == start // worst + 1
            assert f"'out{n}' goes on when it is empty" in finding.message


@pytest.mark.parametrize(
    ("stock", "out", "is_reported"),
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
def test_only_stocks_that_cannot_be_negative_are_checked(stock: str, out: str, *, is_reported: bool):
    """A range decides; without one, money, temperature and stocks with a flow that changes sign can be negative."""
    rows = [("S = INTEG(-out, 20)", stock), (f"out = {out}", ""), ("rate = 1", "Widget/Year [0,9]")]
    assert bool(_found(tiny_model(_blocks(*rows)), "negative")) is is_reported


def test_drain_that_overshoots_is_distinguished_from_one_that_goes_on():
    """An outflow proportional to its stock takes too much only because the step is long."""
    rows = [("S = INTEG(-out, 20)", "Widget"), ("out = S*rate", ""), ("rate = 0.5", "1/Year [0,1.5]")]
    (found,) = _found(tiny_model(_blocks(*rows)), "negative")
    assert "'out' takes more than there is within a step" in found.message


def test_breaks_within_ranges_are_reported_by_variable_and_beyond_in_one_line():
    """A division by zero that a range allows is a fault of the model; one that it excludes is not."""
    rows = [
        ("S = INTEG(x + y + z, 0)", ""),
        ("x = 1/a", ""),
        ("y = 1/b", ""),
        ("z = 1/c", ""),
        ("a = 1", "Widget [0,2]"),
        ("b = 1", "Widget [1,2]"),
        ("c = 1", "Widget [1,2]"),
    ]
    beyond, within = sorted(_found(tiny_model(_blocks(*rows)), "extreme"), key=lambda finding: finding.level)
    assert (within.level, within.variable, beyond.level) == ("warning", "x", "advice")
    # a = 0 alone, and with the upper end of b and of c
    assert within.numbers["cases"] == 3
    assert "first with 'a' = 0 at 0" in within.message
    assert all(text in beyond.message for text in ("'b' = 0 (then 'y'", "'c' = 0 (then 'z'"))


def test_pair_is_reported_if_neither_constant_alone_breaks_anything():
    """Two extremes together can break what neither of them breaks."""
    rows = [("S = INTEG(1/(a + b - 4), 0)", ""), ("a = 1", "Widget [0.5,2]"), ("b = 1", "Widget [0.5,2]")]
    (found,) = _found(tiny_model(_blocks(*rows)), "extreme")
    assert found.numbers["cases"] == 1
    assert "first with 'a' = 2 and 'b' = 2 at" in found.message


def test_labels_of_a_constant_vary_together():
    """An array is varied as a whole, whatever characters its name has."""
    text = 'd: A, B\nS[d] = INTEG(1/"odd, [name]"[d], 0)\n"odd, [name]"[d] = 1, 2'
    blocks = "\n\n".join(f"{line}\n\t~\t[0,3]\n\t~\t\n\t|" for line in text.splitlines()[1:])
    (found,) = _found(tiny_model(f"d: A, B\n\t~\t\n\t~\t\n\t|\n\n{blocks}", final=1), "extreme")
    assert found.numbers["cases"] == 1
    assert "'odd, [name]' = 0" in found.message


def test_cells_without_an_equation_do_not_count():
    """A label without an equation is not a value that stops being finite."""
    rows = [
        ("d: A, B", ""),
        ("S[A] = INTEG(-out[A], 20)", "Widget"),
        ("out[A] = S[A]*rate", ""),
        ("rate = 0.01", "1/Year [0,0.02]"),
    ]
    assert _found(tiny_model(_blocks(*rows)), "extreme", "negative", "time-step", "balance") == []


def test_model_without_ranges_gets_advice():
    """The check says that no extreme values were tried."""
    (found,) = _found(tiny_model(DECAY.format(time=5)), "extreme")
    assert (found.level, found.variable) == ("advice", "")
    assert "no constant has a range" in found.message


def test_extremes_of_a_constant():
    """The ends of the range, zero, tenfold and a tenth, each once and none equal to its own value; pairs combine ends."""
    model = tiny_model(_blocks(("S = INTEG(a + b, 0)", ""), ("a = 3", "Widget [1,5]"), ("b = 0", "Widget [0,?]")))
    cases = extreme_cases(CheckedModel(model), 10)
    assert [describe_case(case) for case in cases.tried] == [f"'a' = {value}" for value in ("1", "5", "0", "30", "0.3")]
    assert [case[0].inside for case in cases.tried] == [True, True, False, False, False]
    both = _blocks(("S = INTEG(a + b, 0)", ""), ("a = 3", "Widget [1,5]"), ("b = 2", "Widget [?,4]"))
    pairs = [describe_case(case) for case in extreme_cases(CheckedModel(tiny_model(both)), 10).tried if len(case) == 2]
    assert pairs == ["'a' = 1 and 'b' = 4", "'a' = 5 and 'b' = 4"]


def test_stock_without_outflow_can_be_negative():
    """A stock that only accumulates can accumulate a loss."""
    rows = [("S = INTEG(in, 20)", "Widget"), ("in = rate", ""), ("rate = 1", "Widget/Year [-9,9]")]
    assert _found(tiny_model(_blocks(*rows)), "negative") == []


def test_same_cases_are_chosen_every_time_if_there_are_too_many():
    """Of a large model only a part is tried; each of these cases is one of all possible cases."""
    constants = [(f"c{n} = 1", "Widget [0,3]") for n in range(40)]
    total = " + ".join(f"c{n}" for n in range(40))
    subject = CheckedModel(tiny_model(_blocks((f"S = INTEG({total}, 0)", ""), *constants)))
    whole, part = extreme_cases(subject, 1), extreme_cases(subject, 10**12)
    names = [frozenset((one.constant.key, one.text) for one in case) for case in whole.tried]
    assert whole.possible == part.possible == len(whole.tried) == 40 * 4 + 4 * 40 * 39 // 2
    assert len(set(names)) == len(whole.tried)
    assert len(part.tried) == 100 + 100
    assert {frozenset((one.constant.key, one.text) for one in case) for case in part.tried} <= set(names)
    again = extreme_cases(subject, 10**12)
    assert [describe_case(case) for case in again.tried] == [describe_case(case) for case in part.tried]


def test_order_of_a_delay_is_reported_and_not_varied():
    """Members cannot have delays of different orders; the rest of the check continues."""
    rows = [("y = DELAY N(Time, 5, 0, order)", ""), ("order = 3", "Dmnl [1,9]"), ("S = INTEG(y, 0)", "")]
    (found,) = _found(tiny_model(_blocks(*rows)), "extreme")
    assert found.level == "advice"
    assert "could not be tried" in found.message


def test_scenario_changes_the_run_and_not_the_model(tmp_path):
    """The model is checked with the changes of a scenario, from a file or from Python."""
    model = tiny_model(DECAY.format(time=10), step=0.1)
    path = tmp_path / "short.cin"
    path.write_text("T = 0.5\n")
    short = Scenario("", (Change("T", (), (0.5,)),))
    for scenario in (short, path, [read_scenario(path)]):
        found = _found(model, "time-step", "method", "time-constant", scenario=scenario)
        assert {finding.rule for finding in found} == {"time-step", "method"}
    assert _found(model, "time-step", "method") == []


@pytest.mark.parametrize(("size", "is_reported"), [(1e6, False), (1e18, True)])
def test_stock_too_large_for_its_flow_is_reported(size: float, *, is_reported: bool):
    """A number has sixteen digits; a flow below the last digit is lost."""
    found = _found(tiny_model(f"S = INTEG(in, {size})\nin = 1"), "balance")
    assert bool(found) is is_reported
    if is_reported:
        assert found[0].numbers == {"lost": 10.0, "flow": 10.0}


@pytest.mark.parametrize(
    ("equation", "is_reported"),
    [("SMOOTH(Time, 1.95)", True), ("SMOOTH(Time, 2)", False), ("DELAY3(Time, 5)", True), ("DELAY3(Time, 6)", False)],
)
def test_delay_takes_two_steps_per_stage(equation: str, *, is_reported: bool):
    """A third-order delay has three stages, each with a third of the delay time."""
    assert bool(_found(tiny_model(f"x = {equation}"), "time-constant")) is is_reported


@pytest.mark.parametrize(
    ("equations", "rule", "is_reported"),
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
def test_tables_that_end_turn_or_leave_their_graph_are_reported(equations: str, rule: str, *, is_reported: bool):
    """A table over time is a time series, which may turn; a graph of no size does not count."""
    assert bool(_found(tiny_model(equations), rule)) is is_reported


@pytest.mark.parametrize(
    "call", ["SMOOTH(Time, t)", "DELAY3(Time, t)", "DELAY N(Time, t, 0, 3)", "SMOOTH N(Time, t, 0, 3)"]
)
@pytest.mark.parametrize(("fall", "is_reported"), [(0, False), (9.8, True)])
def test_computed_delay_time_that_becomes_too_short_is_reported(call: str, fall: float, *, is_reported: bool):
    """The delay time is long enough at the start, and falls below two steps per stage during the run."""
    found = _found(tiny_model(f"t = 10 - STEP({fall}, 1)\nx = {call}"), "time-constant")
    assert [finding.numbers["value"] for finding in found] == (pytest.approx([0.2]) if is_reported else [])
    assert all("'t' is 0.2" in finding.message for finding in found)


@pytest.mark.parametrize("time", ["0", "-3"])
def test_delay_time_must_be_positive(time: str):
    """No TIME STEP is short enough for a delay of zero or less."""
    (found,) = _found(tiny_model(f"x = SMOOTH(Time, {time})"), "time-constant")
    assert found.message.endswith("per stage; it must be above 0")


def test_reversed_range_is_reported():
    """No value lies between its bounds, so nothing is reported about values."""
    (found,) = _found(tiny_model(_blocks(("a = 5", "Year [10,1]"), ("y = a", "Year"))), "range")
    assert found.message == "the range of 'a' goes from 10 down to 1; exchange them"


def test_constant_that_cannot_vary_does_not_stop_the_others():
    """The order of a delay stays as it is; a division by another constant is still found."""
    rows = [("y = DELAY N(Time, 5, 0, order)", ""), ("order = 3", "Dmnl [1,9]")]
    rows += [(f"c{n} = 1", "Dmnl [0,2]") for n in range(5)]
    rows += [("S = INTEG(y, 0)", ""), ("z = S/c2 + c0 + c1 + c3 + c4", "")]
    advice, warning = sorted(_found(tiny_model(_blocks(*rows)), "extreme"), key=lambda finding: finding.level)
    assert (advice.variable, warning.variable) == ("order", "z")
    assert "extreme values of 'order' could not be tried" in advice.message
    assert "'c2' = 0" in warning.message


@pytest.mark.parametrize("name", ['"a[b]"', '"x, y"', '"c = 1"', '"it\'s"', "Größe"])
def test_names_with_special_characters_are_varied(name: str):
    """A bracket in a name is not a subscript, and an equals sign is not a change."""
    model = tiny_model(_blocks((f"{name} = INTEG(-out, 5)", "Widget"), (f"out = 1/{name} + k", ""), ("k = 1", "[0,2]")))
    assert not [finding for finding in _found(model, "extreme") if "could not be tried" in finding.message]
    model = tiny_model(_blocks((f"{name} = 1", "Dmnl [0,2]"), (f"S = INTEG(1/{name}, 5)", "")))
    (found,) = _found(model, "extreme")
    assert (found.level, found.variable) == ("warning", "S")
