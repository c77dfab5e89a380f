"""Functions of Vensim's manual that read the past: their values computed a second time, in every way to run a model."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.testing import tiny_model

STEP, STEPS = 0.5, 48
TEXT = """
side: left, right
scale[left] = 1
scale[right] = 1.3
stream[side] = scale[side] * IF THEN ELSE(Time < 3, -cost, 30 + 5*SIN(Time))
cost = 40
rate[side] = INTERNAL RATE OF RETURN(stream[side], 2, -20, 1)
cell: (c1-c20)
part[cell] = cell/10
rates[cell] = INTERNAL RATE OF RETURN(stream[left] + part[cell], 1 + part[cell]/4, 0, 0)
flat((0,1),(1,1))
steep((0,0),(3,2),(4,2))
humps((0,0),(1,2),(2,0),(5,1),(6,0))
coming[side] = MAX(0, scale[side]*(3 + 4*SIN(Time)))
line[left] = QUEUE FIFO(coming[left], served[left], flat, 10, 3)
line[right] = QUEUE FIFO(coming[right], served[right], steep, 12, 2.3)
served[side] = MIN(desks/8, QUEUE AGE IN RANGE(line[side], 0.9, 1e9)/TIME STEP)
desks = 40
wait[side] = QUEUE AGE AVERAGE(line[side])
first wait[side] = QUEUE AGE AVERAGE(line[side], desks/10)
longest wait[side] = QUEUE AGE OLDEST(line[side])
of age[cell] = QUEUE AGE IN RANGE(line[right], 0.5*cell - 0.1, 0.5*cell + 0.1)
size of[side] = 2 + scale[side]*COS(Time)
work[side] = QUEUE FIFO ATTRIB(coming[side], done[side], size of[side], 0.1*scale[side], steep, humps, 10, 3, 2)
done[side] = QUEUE ATTRIB QUANTITY(work[side], 9*TIME STEP)/TIME STEP
mean size[side] = QUEUE ATTRIB AVERAGE(work[side], 4)
largest[side] = QUEUE ATTRIB MAX(work[side])
smallest[side] = QUEUE ATTRIB MIN(work[side], 3)
middling[side] = QUEUE ATTRIB IN RANGE(work[side], 1.5, 2.5)
belt time[side] = 3 + scale[side] + 1.5*SIN(2*Time)
belt end[side] = DELAY CONVEYOR(coming[side], belt time[side], leak*(2 - scale[side]), flat, 20, 3)
leak = 0.1
on belt[side] = INTEG(coming[side] - belt end[side] - leaking[side], 20)
leaking[side] = (on belt[side] + TIME STEP*(coming[side] - belt end[side]))*leak*(2 - scale[side])
spread time[side] = 2 + scale[side] + SIN(Time)*(scale[side] - 1)*5
spread out[side] = DELAY PROFILE(humps, coming[side], spread time[side], 4, 0.05)
"""


def model(integrator="euler"):
    return tiny_model(TEXT, final=STEP * STEPS, step=STEP, integrator=integrator)


@pytest.fixture(scope="module")
def whole():
    return model()


@pytest.fixture(scope="module")
def run(whole):
    return sd.simulate(whole)


def worth(stream, rate, step, period, initial=0.0, since=0.0):
    """The present value of the amounts of each fiscal period at its end, and of an initial one at its time."""
    periods = np.floor(np.arange(len(stream)) * step / period + 1e-6) + 1
    return (stream * step / (1 + rate) ** periods).sum() + initial / (1 + rate) ** (since / period)


def test_at_the_internal_rate_of_return_a_stream_is_worth_nothing(run):
    """There is one where amounts of both signs have come."""
    for streams, rates, period, initial in (
        (run["stream"].values.T, run["rate"].values.T, 2, -20),
        (run["stream"].values.T[:1] + run["part"].values[0][:, None], run["rates"].values.T, None, 0),
    ):
        for own, (stream, found) in enumerate(zip(streams, rates, strict=True)):
            length = period or 1 + (own + 1) / 40
            known = np.isfinite(found)
            assert not known[: round(3 / STEP)].any()
            assert known[round(6 / STEP) :].all()
            for step in np.flatnonzero(known):
                left = worth(stream[: step + 1], found[step], STEP, length, initial, 1)
                size = worth(np.abs(stream[: step + 1]), found[step], STEP, length, abs(initial), 1)
                assert abs(left) < 1e-12 * size, (own, step)


def test_internal_rate_of_return_of_known_streams():
    """A loan of 1000 paid back by 388.03 a year costs 8 %; its rate per two years; the initial amount and none at all."""
    payment = 1000 * 0.08 / (1 - 1.08**-3)
    text = f"""
    loan = INTERNAL RATE OF RETURN({payment!r}, 1, -1000, 0)
    per month = INTERNAL RATE OF RETURN({payment!r}, 1/12, -1000, 0)
    nothing = INTERNAL RATE OF RETURN(Time, 1, 0, 0)
    later = INTERNAL RATE OF RETURN(PULSE(1, 1)*10, 1, -10, 1)
    no period = INTERNAL RATE OF RETURN(PULSE(1, 1)*10, Time - Time, -10, 1)
    """
    with pytest.warns(sd.NotFiniteWarning, match="'no period' is not finite from time 0"):
        run = sd.simulate(tiny_model(text, final=2))
    assert float(run["loan"][2]) == pytest.approx(0.08, rel=1e-12)
    assert float(run["per_month"][2]) == pytest.approx(1.08 ** (1 / 12) - 1, rel=1e-12)
    assert np.isnan(run["nothing"]).all()
    assert run["later"].values[1] == 0
    assert float(run["loan"][0]) == pytest.approx(payment / 1000 - 1)


class Line:
    """A queue as a list of what came in, the oldest first: amount, attribute, and the step at which it came."""

    def __init__(self, profile, initial, length, attribute=None):
        xs, ys = np.array(profile, dtype=float).T
        slots = math.ceil(length / STEP - 1e-9)
        self.content = []
        for slot in range(slots - 1, -1, -1):
            low, high = (min(end * STEP / length, 1) for end in (slot, slot + 1))
            grid = np.unique([low, high, *((own - xs[0]) / (xs[-1] - xs[0]) for own in xs)])
            heights = np.interp(xs[0] + grid * (xs[-1] - xs[0]), xs, ys)
            inside = (grid >= low) & (grid <= high)
            share = np.trapezoid(heights[inside], grid[inside]) / np.trapezoid(heights, grid)
            own = attribute((low + high) / 2) if attribute else 0.0
            self.content.append([initial * share, own, -slot - 1])

    def change(self, came, left, attribute=0.0, change=0.0, step=0):
        self.content.append([came, attribute, step])
        while left > 1e-12 and self.content:
            taken = min(left, self.content[0][0])
            self.content[0][0] -= taken
            left -= taken
            if self.content[0][0] < 1e-11:
                self.content.pop(0)
        for own in self.content:
            own[1] += change

    def oldest(self, quantity):
        """The parts of the oldest elements that make a quantity: amount, attribute and step."""
        for amount, attribute, step in self.content:
            taken = min(quantity, amount)
            quantity -= taken
            if taken > 1e-10:
                yield taken, attribute, step

    def mean(self, quantity, value):
        parts = list(self.oldest(quantity))
        return sum(own[0] * value(own) for own in parts) / (sum(own[0] for own in parts) or 1)


FLAT, STEEP = [(0, 1), (1, 1)], [(0, 0), (3, 2), (4, 2)]
HUMPS = [(0, 0), (1, 2), (2, 0), (5, 1), (6, 0)]


def test_a_queue_hands_out_first_what_came_first(run):
    for side, profile, initial, length in (("left", FLAT, 10, 3), ("right", STEEP, 12, 2.3)):
        own, line = run.sel(side=side), Line(profile, initial, length)
        for step in range(STEPS + 1):

            def age(part, step=step):
                return (step - part[2]) * STEP

            now = own.isel(time=step)
            whole = [age(part) for part in line.oldest(1e9)]
            assert float(now["line"]) == pytest.approx(sum(part[0] for part in line.content))
            assert float(now["wait"]) == pytest.approx(line.mean(1e9, age), rel=1e-9)
            assert float(now["first_wait"]) == pytest.approx(line.mean(4, age), rel=1e-9)
            assert float(now["longest_wait"]) == pytest.approx(max(whole, default=0))
            served = min(5, sum(part[0] for part in line.content if age(part) >= 0.9) / STEP)
            assert float(now["served"]) == pytest.approx(served, rel=1e-9)
            if side == "right":
                ages = [sum(part[0] for part in line.content if age(part) == 0.5 * (cell + 1)) for cell in range(20)]
                np.testing.assert_allclose(now["of_age"], ages, rtol=1e-9, atol=1e-9)
            line.change(float(now["coming"]) * STEP, served * STEP, step=step)


def test_each_label_of_a_queue_has_its_profile():
    """One equation for all labels is the same as one for each."""
    profiles = "side: left, right\nshape[left]((0,0),(1,1),(2,0))\nshape[right]((0,1),(1,0),(3,1))\nage[side] = QUEUE AGE AVERAGE(line[side])\n"
    line = "line[{0}] = QUEUE FIFO(Time, 1, shape[{0}], 3, 2)"
    together, apart = (
        sd.simulate(tiny_model(profiles + "\n".join(map(line.format, sides))))["age"].values
        for sides in (["side"], ["left", "right"])
    )
    assert np.array_equal(together, apart)
    assert not np.array_equal(together[:, 0], together[:, 1])


def test_elements_of_a_queue_keep_their_attributes(run):
    """What is handed out has a sum of attributes, and the attributes of those that wait change."""
    xs, ys = np.array(HUMPS, dtype=float).T
    for side, scale in (("left", 1), ("right", 1.3)):
        own = run.sel(side=side)
        line = Line(STEEP, 10, 2, lambda middle: 3 * np.interp(6 * middle, xs, ys))
        for step in range(STEPS + 1):
            now, left, taken = own.isel(time=step), 9 * STEP, 0.0
            for amount, attribute, _ in line.content:
                part = min(amount, left / attribute) if attribute > 0 else amount
                left, taken = left - part * attribute, taken + part
                if left < 1e-12:
                    break
            assert float(now["done"]) == pytest.approx(taken / STEP, rel=1e-9)
            assert float(now["mean_size"]) == pytest.approx(line.mean(4, lambda part: part[1]), rel=1e-9)
            sizes = [part[1] for part in line.oldest(1e9)]
            assert float(now["largest"]) == pytest.approx(max(sizes, default=0), rel=1e-9)
            assert float(now["smallest"]) == pytest.approx(
                min((part[1] for part in line.oldest(3)), default=0), rel=1e-9
            )
            middling = sum(part[0] for part in line.content if 1.5 <= part[1] <= 2.5)
            assert float(now["middling"]) == pytest.approx(middling, rel=1e-9, abs=1e-9)
            line.change(
                float(now["coming"]) * STEP, taken * STEP / STEP, float(now["size_of"]), 0.1 * scale * STEP, step
            )


def test_no_more_leaks_from_a_conveyor_than_there_is():
    flat = "flat((0,1),(1,1))\n"
    run = sd.simulate(tiny_model(flat + "y = DELAY CONVEYOR(1, 2, 3, flat, 2, 2)", final=4))
    assert run["y"].values.tolist() == [1, 0, 0, 0, 0]


def test_a_conveyor_keeps_what_does_not_leak(run):
    """Each piece of the belt moves by its part of the way; what is on the belt is what came in, less what left or leaked."""
    for side, scale in (("left", 1), ("right", 1.3)):
        own = run.sel(side=side)
        leak, times = 0.1 * (2 - scale), own["belt_time"].values
        pieces = [[20.0, 1 - 3 / times[0], 1.0]]  # amount, and where it begins and ends
        for step in range(STEPS + 1):
            now = own.isel(time=step)
            move, leaves = STEP / times[step], 0.0
            for piece in pieces:
                amount, low, high = piece
                inside = min(high, 1) - max(low, 1 - move)
                if inside > 0:
                    leaves += amount * inside / (high - low)
            assert float(now["belt_end"]) == pytest.approx(leaves / STEP, rel=1e-9, abs=1e-9), (side, step)
            pieces = [[amount * (1 - leak * STEP), low + move, high + move] for amount, low, high in pieces]
            pieces.append([float(now["coming"]) * STEP * (1 - leak * STEP), 0.0, move])
            left = sum(amount * min(1, max(0, 1 - low) / (high - low)) for amount, low, high in pieces)
            if step < STEPS:
                assert float(own["on_belt"][step + 1]) == pytest.approx(left, rel=1e-9)


def test_the_conveyor_of_the_manual():
    """Its detailed profile; a constant time that steps do not divide; a belt that a short time empties at once."""
    ys = [5, 10, 20, 10, 15, 20, 10, 5, 0, 5]
    points = ",".join(f"({x},{y}),({x + 0.999999},{y})" for x, y in enumerate(ys))
    text = f"""
    detail({points},(10,5))
    out = DELAY CONVEYOR(0, 10, 0, detail, 100, 10)
    flat((0,1),(1,1))
    uneven = DELAY CONVEYOR(PULSE(0, 1)*8, 2.5, 0, flat, 0, 2.5)
    short = DELAY CONVEYOR(Time, 0.1, 0, flat, 5, 1)
    slow = DELAY CONVEYOR(0, 4, 0, flat, 20, 5)
    """
    run = sd.simulate(tiny_model(text, final=11))
    np.testing.assert_allclose(run["out"], [*ys, 0, 0], atol=2e-5)
    assert run["uneven"].values[:5].tolist() == pytest.approx([0, 0, 4, 4, 0], abs=1e-12)
    assert run["short"].values.tolist() == [5, *range(11)]
    np.testing.assert_allclose(run["slow"], [4] * 5 + [0] * 7, atol=1e-12)


def test_a_profile_spreads_all_of_an_input_over_its_delay(run):
    """Each input comes out by the profile of its own delay time, the mean of which is that time."""
    xs, ys = np.array(HUMPS, dtype=float).T
    grid = np.union1d(np.linspace(0, 6, 60001), xs)
    areas = np.concatenate(
        [[0], np.cumsum(np.diff(grid) * (np.interp(grid[1:], xs, ys) + np.interp(grid[:-1], xs, ys)) / 2)]
    )
    mean = np.trapezoid(grid * np.interp(grid, xs, ys), grid) / areas[-1]

    def part(ago, time):
        low, high = (np.interp(end * STEP / time * mean, grid, areas) / areas[-1] for end in (ago - 0.5, ago + 0.5))
        return np.where(ago == 1, high, high - low)

    for side in ("left", "right"):
        own = run.sel(side=side)
        inputs, times = own["coming"].values, own["spread_time"].values
        before = np.arange(1, 400)
        grown = 1.025 ** -before.astype(float)
        grown *= 4 / (grown * part(before, times[0])).sum()
        for step in range(STEPS + 1):
            past = np.arange(step)
            out = (inputs[past] * part(step - past, times[past])).sum() + (grown * part(before + step, times[0])).sum()
            assert float(own["spread_out"][step]) == pytest.approx(out, rel=1e-6), (side, step)


def test_a_profile_conserves_its_input_and_grows_evenly():
    """A narrow profile is a fixed delay; negative times of a profile count as none."""
    text = """
    humps((0,0),(1,2),(2,0),(5,1),(6,0))
    early((-2,4),(2,4))
    narrow((1,0),(1.001,5),(1.002,0))
    x = 4*PULSE(0, 2)
    spread = DELAY PROFILE(humps, x, 3 + SIN(Time), 0, 0)
    at once = DELAY PROFILE(early, x, 0, 0, 0)
    fixed = DELAY PROFILE(narrow, Time, 3, 0, 0)
    total = INTEG(spread, 0)
    growing = INTEG(0.1*growing, 10)
    output = DELAY PROFILE(humps, growing, 3, 7, 0.1)
    steady = output/growing
    """
    run = sd.simulate(tiny_model(text, final=30, step=0.5))
    assert float(run["total"][-1]) == pytest.approx(8, rel=1e-12)
    assert run["at_once"].values[:6].tolist() == pytest.approx([0, 4, 4, 4, 4, 0])
    np.testing.assert_allclose(run["fixed"][6:], run["time"][6:] - 3, atol=1e-9)
    steady = sd.simulate(
        tiny_model(text.replace("3, 7,", f"3, {7 * float(run['steady'][-1]) / 0.7!r},"), final=30, step=0.5)
    )
    np.testing.assert_allclose(steady["steady"], float(run["steady"][-1]), rtol=1e-9)


def test_a_queue_that_is_empty_or_owes_something():
    """More leaves than came: the level is negative, with the age of a step, until enough has come; then there is only the rest."""
    text = """
    flat((0,1),(1,1))
    line = QUEUE FIFO(IF THEN ELSE(Time < 3, 0, 2), IF THEN ELSE(Time < 2, 3, IF THEN ELSE(Time > 7, -1, 0)), flat, 4, 2)
    oldest = QUEUE AGE OLDEST(line)
    mean = QUEUE AGE AVERAGE(line, 0)
    young = QUEUE AGE IN RANGE(line, :NA:, 1)
    none = QUEUE AGE IN RANGE(line, 1.5, :NA:)
    """
    run = sd.simulate(tiny_model(text, final=9))
    assert run["line"].values.tolist() == [4, 1, -2, -2, 0, 2, 4, 6, 8, 11]
    assert run["oldest"].values.tolist() == [2, 2, 1, 1, 0, 1, 2, 3, 4, 5]
    assert run["mean"].values[:7].tolist() == [1.5, 2, 1, 1, 0, 1, 1.5]
    assert run["young"].values.tolist() == [2, 0, -2, -2, 0, 2, 2, 2, 2, 3]
    assert run["none"].values[:7].tolist() == [2, 1, 0, 0, 0, 0, 2]


def test_the_example_of_an_attribute_that_changes():
    """Vensim's manual: 7 at time 10, and 2 more per unit of time."""
    text = """
    flat((0,1),(1,1))
    queue = QUEUE FIFO ATTRIB(PULSE(10, 0.5), 0, 7, 2, flat, flat, 0, 0, 1)
    size = QUEUE ATTRIB AVERAGE(queue, -1)
    """
    size = sd.simulate(tiny_model(text, final=11, step=0.5))["size"]
    assert size.sel(time=[10, 10.5, 11]).values.tolist() == [0, 8, 9]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "y = QUEUE AGE OLDEST(x)\nx = INTEG(1, 2)",
            "QUEUE AGE OLDEST needs a queue, and 'x' is none; define it with QUEUE FIFO or QUEUE FIFO ATTRIB",
        ),
        (
            "y = QUEUE ATTRIB AVERAGE(x)\nx = QUEUE FIFO(1, 0, flat, 2, 3)",
            "QUEUE ATTRIB AVERAGE needs a queue, and 'x' is none; define it with QUEUE FIFO ATTRIB",
        ),
        (
            "x = 1 + QUEUE FIFO(1, 0, flat, 2, 3)",
            "QUEUE FIFO must be the whole right-hand side; give it a variable of its own",
        ),
        (
            "x = QUEUE FIFO(1, 0, 2, 2, 3)",
            "'2' is not a lookup; this argument of the function must be the name of a lookup",
        ),
        (
            "low((0,1),(1,-1))\nx = QUEUE FIFO(1, 0, low, 2, 3)",
            "QUEUE FIFO spreads an amount by its profile, which needs two points or more",
        ),
        (
            "none((0,0),(1,0))\nx = DELAY PROFILE(none, 1, 2, 2, 0)",
            "DELAY PROFILE spreads an amount .* none below zero and one above; change the lookup",
        ),
        ("x = DELAY CONVEYOR(1, 2, 0, y, 2, 3)\ny = Time", "'y'.*lookup"),
    ],
)
def test_what_is_no_queue_is_a_fault(text, words):
    with pytest.raises(ModelError, match=words):
        tiny_model(f"flat((0,1),(1,1))\n{text}")


def test_rates_of_long_streams_are_found():
    """A short return after a long investment has a rate near -1, at which the amounts themselves are too large for numbers."""
    text = "stream = IF THEN ELSE(Time < 300, -40, 30)\nr = INTERNAL RATE OF RETURN(stream, 2, -20, 1)"
    run = sd.simulate(tiny_model(text, final=900))
    stream, rates = run["stream"].values, run["r"].values
    assert np.isfinite(rates[300:]).all()
    for step in (300, 301, 310, 500, 800):
        sizes = worth(np.abs(stream[: step + 1]), rates[step], 1, 2, 20, 1)
        assert abs(worth(stream[: step + 1], rates[step], 1, 2, -20, 1)) < 1e-11 * sizes, step


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_run_has_the_same_numbers_in_every_way(whole, integrator, check_other_ways):
    check_other_ways(whole, integrator, "cost", [40.0, 20.0], at=[11.5])
