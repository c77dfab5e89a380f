"""Functions of Vensim's manual that the random models leave out: their values computed a second time, in every way to run a model."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.testing import model_text, tiny_model, wasm_difference
from sdmodel.vensim import model_from_text

STEP, STEPS = 0.5, 60
TEXT = """
side: left, right
scale[left] = 1
scale[right] = 2
stream[side] = scale[side] * (20*SIN(Time) + 3) - 100*PULSE(4, 1)
worth[side] = NPV(stream[side], rate, 5, 2)
worth at end = NPVE(stream[left], rate, 0, 1)
rate = 0.07
written off[side] = DEPRECIATE STRAIGHTLINE(stream[side], 9.2, 3, 2)
year: year1, year2, year3
parts[side, year] = 50, 30, 20; 1, 1, 2
before[year1] = 4
before[year2] = 3
before[year3] = 1
by schedule[side] = DEPRECIATE BY SCHEDULE(stream[side], parts[side, year1], before[year1], 9, 1)
at once = DEPRECIATE BY SCHEDULE(stream[left], parts[left, year1], none, 9, Time)
none = 0
held[side] = SINTEG(stream[side]/10, 1, low, 6.5, 0.25, 2, 0.3)
low = -4
free = SINTEG(stream[left], 1)
under = SINTEG(stream[left], 1, :NA:, 5)
batches[side] = DELAY BATCH(ABS(stream[side]), 30, 1.5, 12, 1, 4)
delay[side] = scale[side] * MAX(0.2, 2 + 3*SIN(Time*Time))
material[side] = DELAY MATERIAL(stream[side], delay[side], 7, -1)
information[side] = DELAY INFORMATION(stream[side], delay[side], 7)
finished = DELAYP(stream[left], 3 : on the way)
gamma[side] = GAMMA LN(Time + scale[side]/3)
curve((0,0),(1,2),(2,2.5),(4,2.5),(4,1),(5,0))
slope[side] = LOOKUP SLOPE(curve, Time/6 - 1, scale[side] - 2)
area[side] = LOOKUP AREA(curve, scale[side], Time/4)
inverse = LOOKUP INVERT(curve, Time/10)
month = GET TIME VALUE(0, 2, 3)
weekday = GET TIME VALUE(0, 0, 5)
told = MESSAGE('half of the time is over', Time - 15)
"""


def model(**settings):
    text = model_text(TEXT, final=STEP * STEPS, step=STEP, **settings) + "37:2023\n38:12\n39:24\n40:4\n"
    return model_from_text(text)


@pytest.fixture(scope="module")
def whole():
    return model()


@pytest.fixture(scope="module")
def run(whole):
    return sd.simulate(whole)


@pytest.fixture(scope="module")
def stream(run):
    return run["stream"].values.T


def test_present_values_are_the_discounted_sums(run, stream):
    """Each step is discounted by the rate of a step, from the start on (NPV) or from the end of the first step on (NPVE)."""
    factors = (1 + 0.07 * STEP) ** -np.arange(STEPS + 1.0)
    for values, found in zip(stream, run["worth"].values.T, strict=True):
        np.testing.assert_allclose(found, 2 * (5 + np.cumsum(values * STEP * factors)), rtol=1e-12)
    at_end = np.cumsum(stream[0] * STEP * factors) / (1 + 0.07 * STEP)
    np.testing.assert_allclose(run["worth_at_end"], at_end, rtol=1e-12, atol=1e-12)


def test_present_value_is_that_of_vensim():
    """Vensim's own output for an investment of 100 that earns 3 a month."""
    text = "y = NPV(-100*PULSE(12, 1) + STEP(3, 12), 10/12/100, 0, 1)"
    found = sd.simulate(tiny_model(text, final=100))["y"].values[[11, 12, 13, 50, 100]]
    np.testing.assert_allclose(found, [0, -87.8056, -85.1124, 0.334138, 81.0743], rtol=1e-5, atol=1e-5)


def test_depreciation_is_that_of_vensim():
    """Vensim's own output: 1e9 in 2022 and 2.5e9 in 2026, each over 20 years."""
    text = "y = DEPRECIATE STRAIGHTLINE(1e9*PULSE(2022, 1) + 2.5e9*PULSE(2026, 1), 20, 1, 0)"
    found = sd.simulate(tiny_model(text, initial=2020, final=2050))["y"].values
    expected = [0.0] * 2 + [5e7] * 4 + [1.75e8] * 16 + [1.25e8] * 4 + [0.0] * 5
    assert found.tolist() == expected


def test_depreciation_writes_off_whole_fiscal_periods(run, stream):
    """9.2 is three periods of 3; each takes a third of what was invested in it and in the two before, 2 a year before the start."""
    per_period, periods = round(3 / STEP), 3
    for values, found in zip(stream, run["written_off"].values.T, strict=True):
        invested = [2.0 * 3] * periods
        expected = []
        for step, value in enumerate(values):
            if step and step % per_period == 0:
                invested.append(values[step - per_period : step].sum() * STEP)
            expected.append(value / periods + sum(invested[-periods + 1 :]) / (periods * 3))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-10)


def test_depreciation_by_a_schedule_writes_off_its_parts(run, stream):
    """Each fiscal period writes off a part of what was invested in it and in those before, and what was to be at the start."""
    schedules = ([0.5, 0.3, 0.2], [0.25, 0.25, 0.5])
    cases = zip(
        [*stream, stream[0]],
        [*schedules, schedules[0]],
        [*run["by_schedule"].values.T, run["at_once"].values],
        strict=True,
    )
    for values, parts, found in cases:
        start, initial = (0, [0.0] * 3) if found is run["at_once"].values else (1, [4.0, 3.0, 1.0])
        periods = [math.floor((step * STEP - start) / 3) - math.floor(-start / 3) for step in range(STEPS + 1)]
        for step, (value, period) in enumerate(zip(values, periods, strict=True)):
            expected = parts[0] * value + (initial[period] if period < 3 else 0.0)
            for age in (1, 2):
                then = [STEP * values[i] for i, own in enumerate(periods[:step]) if own == period - age]
                expected += parts[age] * sum(then) / 3
            assert found[step] == pytest.approx(expected, rel=1e-12, abs=1e-10), step


def test_depreciation_by_a_schedule_writes_off_everything():
    """A pulse of 100 in the second half of a fiscal period; the manual's fiscal year that does not begin with the run."""
    text = "p: p1, p2, p3\ns[p] = 2, 2, 1\nnone = 0\ny = DEPRECIATE BY SCHEDULE(100*PULSE(3, 1), s[p1], none, 6, 12)"
    found = sd.simulate(tiny_model(text, final=10))["y"].values
    assert found.tolist() == [0, 0, 0, 40, 20, 20, 10, 10, 0, 0, 0]
    assert found.sum() == 100


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("1, s[p2], none, 6, 0", "by the name of its first element; write 'p1' instead of 'p2'"),
        ("1, none, none, 6, 0", "needs a variable with subscripts as its 'schedule'"),
        ("1, s[p1], s[p2], 6, 0", "by the name of its first element; write 'p1' instead of 'p2'"),
        ("1, s[p1], short[q1], 6, 0", "takes vectors of one length, not of 3 and 2 elements; give them the same range"),
        ("1, s[p1], none, 6", "takes 5 arguments, not 4"),
    ],
)
def test_arguments_of_a_schedule_are_vectors(call, words):
    text = f"p: p1, p2, p3\nq: q1, q2\nshort[q] = 1\ns[p] = 2, 2, 1\nnone = 0\ny = DEPRECIATE BY SCHEDULE({call})"
    with pytest.raises(ModelError, match=rf"tiny.mdl:\d+:5: DEPRECIATE BY SCHEDULE .*{words}"):
        sd.simulate(tiny_model(text))


def test_special_integral_stays_within_its_limits(run, stream):
    """At each step the stock is moved, then restricted; nothing remembers what the limits took."""
    for values, found in zip(stream, run["held"].values.T, strict=True):
        level = 1.0
        for value, seen in zip(values, found, strict=True):
            assert seen == pytest.approx(level, abs=1e-12)
            level += STEP * value / 10
            level = 0.25 * math.trunc(level / 0.25 + math.copysign(0.5, level))
            level = 2.0 if abs(level - 2) <= 0.3 else level
            level = min(max(level, -4.0), 6.5)


def test_special_integral_has_the_limits_that_are_given(run, stream):
    """Those at the end may be left out; the first two arguments may not."""
    np.testing.assert_allclose(run["free"][1:], 1 + np.cumsum(stream[0] * STEP)[:-1], rtol=1e-12, atol=1e-12)
    levels = itertools.accumulate(stream[0][:-1], lambda level, rate: min(level + STEP * rate, 5.0), initial=1.0)
    np.testing.assert_allclose(run["under"], list(levels), rtol=1e-12, atol=1e-12)
    with pytest.raises(ModelError, match="SINTEG takes 2 to 7 arguments, not 1; write SINTEG"):
        tiny_model("y = SINTEG(1)")


def test_batches_have_their_size_and_conserve_material(run, stream):
    """One batch at a time; the first is given, and a new one begins in the step in which the one before is handed out."""
    for values, found in zip(np.abs(stream), run["batches"].values.T, strict=True):
        backlog, batch, finish = 4.0, 12.0, 1.0
        for step, value in enumerate(values):
            done = batch > 0 and step * STEP >= finish - 1e-9
            assert found[step] == pytest.approx(batch / STEP if done else 0.0)
            batch = 0.0 if done else batch
            if batch == 0 and backlog >= 30 * (1 - 1e-6):
                backlog, batch, finish = backlog - 30, 30.0, step * STEP + 1.5
            backlog += value * STEP
        handed_out = found[:-1].sum() * STEP
        kept = 4 + 12 + values[:-1].sum() * STEP - handed_out
        assert kept >= -1e-9


def test_discrete_delays_follow_the_delay_time_of_each_input(run, stream):
    """What arrives together is added, or the newest replaces the others; before the first arrival there is the initial value."""
    for index, values in enumerate(stream):
        delays = run["delay"][:, index].values
        due = [step + max(1, math.floor(delay / STEP + 0.5 + 1e-6)) for step, delay in enumerate(delays)]
        latest = 7.0
        for step, (material, information) in enumerate(
            zip(run["material"][:, index].values, run["information"][:, index].values, strict=True)
        ):
            arrived = [values[put_in] for put_in in range(step) if due[put_in] == step]
            arrived += [7.0] if step < due[0] else []
            assert material == pytest.approx(sum(arrived) if arrived else -1, rel=1e-12, abs=1e-12)
            newest = [put_in for put_in in range(step) if due[put_in] <= step]
            latest = values[newest[-1]] if newest else latest
            assert information == latest
    assert (run["material"].values == -1).any()


def test_material_delay_hands_out_all_that_is_put_in():
    """Times from one step to eight, and long after the last input."""
    text = "x = 4*PULSE(1, 20)\ny = DELAY MATERIAL(x, 4.5 + 4*SIN(Time), 0, 0)"
    run = sd.simulate(tiny_model(text, final=40))
    assert float(run["y"].sum()) == float(run["x"].sum()) == 80


def test_pipeline_holds_what_came_in_and_has_not_left(run, stream):
    """The variable after the colon of DELAYP is a stock, which begins with the input times the delay."""
    flows = np.cumsum((stream[0] - run["finished"].values) * STEP)
    np.testing.assert_allclose(run["on_the_way"][1:], stream[0][0] * 3 + flows[:-1], rtol=1e-12, atol=1e-12)


def test_functions_of_numbers(run):
    times = run["time"].values
    for index, scale in enumerate((1, 2)):
        np.testing.assert_allclose(
            run["gamma"][:, index], [math.lgamma(time + scale / 3) for time in times], rtol=1e-13, atol=1e-13
        )
    assert run["told"].values.tolist() == (times > 15).astype(float).tolist()
    xs, ys = np.array([0, 1, 2, 4, 4 + 1e-12, 5]), np.array([0, 2, 2.5, 2.5, 1, 0])
    for index, start in enumerate((1, 2)):
        for time, found in zip(times, run["area"][:, index].values, strict=True):
            low, high = sorted((start, time / 4))
            grid = np.array([low, *xs[(low < xs) & (xs < high)], high])  # the table is linear between these
            expected = np.trapezoid(np.interp(grid, xs, ys), grid) * (1 if start == low else -1)
            assert found == pytest.approx(expected, abs=1e-9)
    for time, found in zip(times, run["inverse"].values, strict=True):
        y = time / 10
        expected = y / 2 if y <= 2 else 1 + (y - 2) * 2 if y <= 2.5 else math.nan
        assert found == pytest.approx(expected, nan_ok=True)


def test_slope_follows_the_manual():
    """Within segments, the mean at a point, none at a step, and by the mode beyond the ends."""
    calls = [(-1, -1), (-1, 0), (-1, 1), (0.5, 0), (1, 0), (1.5, 0), (0, 0), (4, 0), (9, 1), (9, -1)]
    text = "\n".join(f"y{index} = LOOKUP SLOPE(curve, {x}, {mode})" for index, (x, mode) in enumerate(calls))
    found = sd.simulate(tiny_model(f"curve((0,0),(1,1),(2,1.5),(4,1.5),(4,1),(5,0))\n{text}", final=1))
    expected = [math.nan, 0, 1, 1, 0.75, 0.5, 1, math.nan, -1, math.nan]
    np.testing.assert_array_equal([float(found[f"y{index}"][0]) for index in range(len(calls))], expected)


def test_dates_are_those_of_the_calendar():
    """Every measure on each of 1,500 days over two leap years, beginning at any date."""
    text = "\n".join(f"m{measure} = GET TIME VALUE(0, 1, {measure})" for measure in range(11))
    first = dt.date(1999, 12, 30)
    settings = f"37:{first.year}\n38:{first.month}\n39:{first.day}\n40:4\n"
    run = sd.simulate(model_from_text(model_text(text, final=1500, step=1) + settings))
    measures = np.array([run[f"m{measure}"].values for measure in range(11)]).T.tolist()
    for day, found in enumerate(measures):
        date = first + dt.timedelta(day + 1)
        days = date.toordinal() + 365
        expected = [day + 1, date.year, (date.month + 2) // 3, date.month, date.day, date.isoweekday() % 7, days]
        assert found == [*expected, 0, 0, 0, days * 86400 % 500000]


@pytest.mark.parametrize(
    ("units", "time", "expected"),
    [
        ("Year", 1.5, {1: 2001, 2: 3, 3: 7, 4: 1}),
        ("Months", 14 + 1 / 3, {1: 2001, 2: 1, 3: 3, 4: 11}),
        ("Quarter", 3, {1: 2000, 2: 4, 3: 10, 4: 1}),
        ("Week", 9, {1: 2000, 3: 3, 4: 4, 5: 6}),
        ("Hour", 49, {3: 1, 4: 3, 7: 1, 8: 0}),
        ("Minute", 61.5, {7: 1, 8: 1, 9: 30}),
        ("Second", 3661, {7: 1, 8: 1, 9: 1, 10: (730485 * 86400 + 3661) % 500000}),
    ],
)
def test_units_of_time_have_their_calendar(units, time, expected):
    """Years, quarters and months are those of a year of 360 days; without settings the unit is that of the model's time."""
    text = "\n".join(f"m{measure} = GET TIME VALUE(1, {time!r}, {measure})" for measure in expected)
    run = sd.simulate(model_from_text(model_text(text).replace("Year", units)))
    assert {measure: float(run[f"m{measure}"][0]) for measure in expected} == pytest.approx(expected, abs=1e-5)


def test_the_clock_of_the_computer_is_refused():
    with pytest.raises(
        ModelError, match=r"GET TIME VALUE: its first argument must be 0 .* cannot be repeated; write 0 or 1"
    ):
        tiny_model("x = GET TIME VALUE(2, 0, 10)")


def test_a_macro_of_the_file_goes_before_the_function_of_its_name():
    text = model_text("y = NPV(2, 3)").replace(
        "{UTF-8}", "{UTF-8}\n:MACRO: NPV(a, b)\nNPV = a + b\n\t~\t\n\t~\t\n\t|\n:END OF MACRO:\n"
    )
    assert float(sd.simulate(model_from_text(text))["y"].values.flat[0]) == 5


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_run_has_the_same_numbers_in_every_way(whole, integrator, check_other_ways):
    check_other_ways(whole, integrator, "rate", [0.07, 0.2], at=[11.5])


LOOPS = """
calls = Customers * 2 * quality of service
quality of service = quality(utilization)
quality((0,1),(0.5,1),(1,0.8),(2,0.3),(4,0.1))
utilization = SIMULTANEOUS(calls/Capacity, 0.8)
Capacity = 10
Customers = INTEG(0.2*Customers*(1 - utilization/3), 3)
side: left, right
amplitude[side] = 1, 5
angle[side] = SIMULTANEOUS(amplitude[side]*COS(turned[side]), 1)
turned[side] = angle[side] + shift
shift = SAMPLE IF TRUE(Time > 2, 0.1*utilization, 0)
pair[left] = SIMULTANEOUS(0.5*pair[right] + Time, 0)
pair[right] = 1 + 0.5*pair[left]
plain = SIMULTANEOUS(2*Time, 7)
"""


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_loop_without_a_stock_is_solved(integrator):
    """Each solution satisfies its equations; a linear loop has its closed solution, and 5*COS(x) is one that going around never finds."""
    whole = tiny_model(LOOPS, final=6, step=0.5, integrator=integrator)
    run = sd.simulate(whole)
    np.testing.assert_allclose(run["utilization"], run["calls"] / 10, rtol=1e-9)
    quality = np.interp(run["utilization"], [0, 0.5, 1, 2, 4], [1, 1, 0.8, 0.3, 0.1])
    np.testing.assert_allclose(run["calls"], run["customers"] * 2 * quality, rtol=1e-9)
    assert run["utilization"].values[0] == pytest.approx(0.6 * 1.2 / 1.24, rel=1e-9)  # u = 0.6 * (1.2 - 0.4 * u)
    np.testing.assert_allclose(run["angle"], [1, 5] * np.cos(run["turned"]), rtol=1e-8)
    assert run["angle"].values[0].tolist() == pytest.approx([0.7390851332151607, 1.3064400083695], rel=1e-9)
    np.testing.assert_allclose(run["pair"].sel(side="left"), (run["time"] + 0.5) / 0.75, rtol=1e-9)
    assert run["plain"].values.tolist() == (2 * run["time"].values).tolist()
    assert wasm_difference(whole, run) < 1e-12
    members = sd.simulate(whole, {"Capacity": [5.0, 10.0, 20.0]})["utilization"].transpose("member", "time")
    np.testing.assert_allclose(members[1], run["utilization"], rtol=1e-9)
    assert (np.diff(members[:, 0]) < 0).all()


def test_a_loop_without_a_solution_is_named_with_what_changes():
    """There is none of x = x + 1 + Time; x = -1/x has only imaginary ones."""
    with pytest.warns(
        sd.NotFiniteWarning,
        match=r"'x' is not finite from time 0; once around its loop still changes it from \S+ to \S+; give SIMULTANEOUS",
    ):
        run = sd.simulate(tiny_model("x = SIMULTANEOUS(y + 1, 1)\ny = x + Time", final=2))
    assert np.isnan(run["x"]).all()
    with pytest.warns(sd.NotFiniteWarning, match="'x' is not finite from time 0"):
        sd.simulate(tiny_model("x = SIMULTANEOUS(-1/x, 2)", final=2))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "x = 1 + SIMULTANEOUS(x/2, 1)",
            "SIMULTANEOUS must be the whole right-hand side; give it a variable of its own",
        ),
        ("x = SIMULTANEOUS(y, x)\ny = x/2", "simultaneous equations: "),
        ("x = SIMULTANEOUS(y, 1)\ny = x/2 + z\nz = y/4", "simultaneous equations: [yz] <- [yz] <- [yz]"),
        (
            "d: A, B\nx[A] = SIMULTANEOUS(y, 1)\nx[B] = y\ny = x[A]/2 + 1",
            "this part of 'x' belongs to its loop too; write it with",
        ),
        ("x = SIMULTANEOUS(y/2, 1)\ny = SAMPLE IF TRUE(x > 0.5, x, 0)", "the loop of 'x' goes through SAMPLE IF TRUE"),
        ("x = SIMULTANEOUS(x)", "SIMULTANEOUS takes 2 arguments, not 1"),
    ],
)
def test_a_loop_that_cannot_be_solved_is_a_fault(text, words):
    with pytest.raises(ModelError, match=words):
        tiny_model(text)


def test_one_of_two_variables_in_a_loop_is_enough():
    run = sd.simulate(tiny_model("x = SIMULTANEOUS(y/2, 1)\ny = SIMULTANEOUS(1 + x, 1)"))
    assert (run["x"].values[0], run["y"].values[0]) == pytest.approx((1, 2), rel=1e-9)
