"""Reality Checks: what a constraint does to a model, and what its test reports."""

from __future__ import annotations

import math
import pickle
import re
import textwrap
from dataclasses import replace

import pytest

import sdmodel as sd
from sdmodel.model import NOWHERE
from sdmodel.testing import tiny_model

MODEL = """
side: left, right
Stock = INTEG(4 - drain, 10)
drain = Stock/2
x = Time
workers[side] = 4, 5
output[side] = workers[side]*2 + extra
extra = 0
"""


def results(constraints, **settings):
    return sd.check_reality(tiny_model(MODEL + textwrap.dedent(constraints), **settings))


def test_each_part_of_a_condition_changes_its_variable():
    """Equality replaces it, an inequality only where it would not hold, and its own name is what it would have been."""
    found = results(
        """
        replaced :THE CONDITION: x = 7 :IMPLIES: x = 7 :AND: Stock = 8 + 2*0.5^Time
        raised :THE CONDITION: x > 3 :IMPLIES: x = MAX(3, Time)
        lowered :THE CONDITION: x <= 3 :AND: extra = x :IMPLIES: x = MIN(3, Time) :AND: output[left] = 8 + MIN(3, Time)
        doubled :THE CONDITION: x = 2*x :IMPLIES: x = 2*Time
        held stock :THE CONDITION: Stock = 6 :IMPLIES: drain = 3 :AND: Stock = 6
        named :THE CONDITION: six :IMPLIES: drain = 3
        six :TEST INPUT: Stock = 6
        """
    )
    assert [(one.name, one.outcome) for one in found] == [
        (name, "passed") for name in ("replaced", "raised", "lowered", "doubled", "held stock", "named")
    ]


def test_a_violation_names_what_is_wrong_first():
    """The variable with its labels, the time, both values, and how often."""
    text = "idle[side] :THE CONDITION: workers[side] = 0 :IMPLIES: output[side] + 2 = x :OR: x < 1"
    (found,) = results(text, final=4)
    assert (found.outcome, found.time, dict(found.numbers)) == (
        "violated",
        1,
        {"value": 0, "tested": 10, "violated": 6},
    )
    assert found.message.endswith(" is not true at time 1; violated in 6 of 10 values")


def test_only_the_cells_of_the_condition_change():
    found = results(
        """
        one :THE CONDITION: workers[right] = 0 :IMPLIES: output[left] = 8 :AND: output[right] = x - 2
        all[side] :THE CONDITION: workers[side] = 1 :IMPLIES: output[side] = 2
        other[side] :THE CONDITION: workers[left] = 1 :IMPLIES: output[side] = 2
        """
    )
    assert [one.outcome for one in found] == ["violated", "passed", "violated"]
    assert (found[0].variable, found[0].time, found[0].numbers["value"]) == ("output[right]", 0, 0)
    assert found[0].message == "output[right] is 0 at time 0, should be = -2; violated in 10 of 22 values"
    assert (found[2].variable, found[2].numbers["value"], found[2].numbers["limit"]) == ("output[right]", 10, 2)
    assert str(found[0].place).endswith("tiny.mdl:38:1")


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ("RC STEP(x, 3, 2)", lambda _: 6),
        ("RC STEP(x, 3)", lambda _: 3),  # from the first step on
        ("RC STEP(x, Time, 2)", lambda time: 2 * time),  # only the basis stays
        ("RC RAMP(x, 3, 4, 2)", lambda time: 2 + min(time - 2, 4)),
        ("RC DECAY(x, 4, 2)", lambda time: 2 * math.exp(-(time - 2) / 4)),
        ("RC GROW(x, 0.5, 2, 3)", lambda time: 2 * math.exp(0.5 * (time - 2)) if time < 5 else time),
    ],
)
def test_courses_follow_the_manual(course, expected):
    """Before the start, and after the duration, the variable is as computed; the same course is what CHECK compares with."""
    start = 1 if course == "RC STEP(x, 3)" else 2
    wanted = [time if time < start else expected(time) for time in range(9)]
    table = ",".join(f"({time},{value!r})" for time, value in enumerate(wanted))
    text = f"""
        wanted({table})
        y = Time
        t :THE CONDITION: y = {course.replace("x", "y")} :IMPLIES: ABS(y - wanted(Time)) < 1e-9
        c :THE CONDITION: extra = 1 :IMPLIES: x <= {course.replace("(x", " CHECK(1, x")}
        """
    found = results(text, final=8)
    assert found[0].outcome == "passed", found[0].message
    above = [time for time in range(start + 1, 5 if "GROW" in course else 9) if time > expected(time)]
    assert (found[1].outcome, found[1].time) == (("violated", above[0]) if above else ("passed", None))


def test_the_model_says_when_courses_begin():
    """`RC START TIME` of the model, and a grace from there on."""
    text = "RC START TIME = 3\nok :THE CONDITION: x = RC STEP(x, 0) :IMPLIES: x < RC STEP CHECK(2, Stock, 0.001)"
    (found,) = results(text, final=8)
    assert found.message == "true in 4 values"  # 5 to 8


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        ("x = 1 :OR: x = 2 :IMPLIES: x = 3", "the condition is not a comparison"),
        (":NOT: x = 1 :IMPLIES: x = 3", "the condition is not a comparison"),
        ("x <> 1 :IMPLIES: x = 3", "no value of 'x' follows from <>"),
        ("Time = 1 :IMPLIES: x = 3", "cannot hold 'time'"),
        ("TIME STEP = 1 :IMPLIES: x = 3", "cannot hold 'TIME STEP'"),
        ("x > 1 :AND: x < 3 :IMPLIES: x = 3", "holds 'x' twice"),
        ("Stock > 20 :IMPLIES: x = 3", "holds the stock 'Stock' only at times"),
        ("Stock = RC STEP(Stock, 2, 3, 1) :IMPLIES: x = 3", "holds the stock 'Stock' only at times"),
        ("Stock = 2*Stock :IMPLIES: x = 3", "holds the stock 'Stock' only at times"),
        ("extra = output[left] :IMPLIES: x = 3", "simultaneous equations"),
        ("x = nothing :IMPLIES: x = 3", "'nothing' is not defined"),
        ("x = 1 :IMPLIES: x > RC COMPARE CHECK('a', x, 1, 1)", "RC COMPARE CHECK is not supported"),
        ("x = 1 :IMPLIES: x > :CROSSING: RC STEP CHECK(0, x, 1)", ":CROSSING: is not supported"),
        ("x = 1 :IMPLIES: x > RC STEP(x, 1)", "RC STEP belongs to the condition"),
        ("x = RC STEP CHECK(1, x, 1) :IMPLIES: x > 1", "RC STEP CHECK belongs to the consequence"),
        ("x = RC STEP(x) :IMPLIES: x > 1", r"write RC STEP\(basis, mult, start, duration\)"),
        ("x = RC STEP(x, 2, 99) :IMPLIES: x = 3", "counts at no time of the run"),
        ("extra = 1/0 :IMPLIES: output[left] = 3", "not finite at time 0"),
        ("workers = 0 :IMPLIES: x = 3", "'workers' has 1 subscript, not 0"),
        ("x = (1 :IMPLIES: x = 3", "a '\\(' is not closed"),
        ("x = 1", "write :THE CONDITION: what holds :IMPLIES: what must be true"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_the_reason(constraint, reason):
    (found,) = results(f"c :THE CONDITION: {constraint}")
    assert found.outcome == "not tested"
    assert re.search(reason, found.message), found.message


def test_runs_do_not_see_reality_checks_and_copies_keep_them():
    """A run is the same with and without them; a pickled and a written model have the same records."""
    text = "idle[side] :THE CONDITION: off[side] :IMPLIES: output[side] = 0\noff[side] :TEST INPUT: workers[side] = 0"
    model = tiny_model(MODEL + text)
    assert [(one.name, one.kind, one.subscripts) for one in model.reality_checks] == [
        ("idle", "constraint", ("side",)), ("off", "test input", ("side",)),
    ]  # fmt: skip
    assert sd.simulate(model).equals(sd.simulate(tiny_model(MODEL)))
    assert pickle.loads(pickle.dumps(model)).reality_checks == model.reality_checks  # noqa: S301 - from this line
    written = sd.model_from_text(sd.mdl_text(model)).reality_checks
    assert [replace(one, place=NOWHERE) for one in written] == [
        replace(one, place=NOWHERE) for one in model.reality_checks
    ]


@pytest.mark.parametrize(
    ("path", "values"),
    [("cases/70-reality-check/model.mdl", [11]), ("test-models/tests/reality_checks/test_reality_checks.mdl", [8, 4])],
)
def test_public_models_satisfy_their_constraints(shared, path, values):
    """Output is a product with what the conditions set to zero."""
    found = sd.check_reality(shared / path)
    assert [(one.outcome, one.numbers["tested"]) for one in found] == [("passed", value) for value in values]
