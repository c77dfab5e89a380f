"""Test 7: units, ranges and the time step leave no doubt about the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from ai_compute import HEADLINES, SCENARIOS

import sdmodel as sd
from sdmodel.model import key


def test_a_check_of_the_model_finds_no_error_and_no_warning(model):
    """Units, ranges, integration error, extreme values and all the rest."""
    assert not [each for each in sd.check_model(model) if each.level in {"error", "warning"}]


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_variable_leaves_its_range(scenario_run, model, name):
    """What the units field declares holds at every saved time."""
    run = scenario_run(name)
    outside = {}
    for each in model:
        if each.range is not None and each.key in run:
            low, high = each.range.minimum, each.range.maximum
            least, most = float(run[each.key].min()), float(run[each.key].max())
            if (low is not None and least < low) or (high is not None and most > high):
                outside[each.name] = (least, most)
    assert not outside


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_smaller_time_step_moves_no_headline(scenario_run, changed, name, parts):
    """By Runge-Kutta's method, halved and quartered, by at most 1 % of its peak."""
    run = scenario_run(name)
    finer = changed({"TIME STEP": 1 / (64 * parts)}, name, save=HEADLINES)
    assert run.attrs["integrator"] == finer.attrs["integrator"] == "rk4"
    assert finer.attrs["time_step"] == run.attrs["time_step"] / parts
    for each in HEADLINES:
        whole, small = run[key(each)], finer[key(each)]
        assert float(abs(whole - small).max()) <= 0.01 * float(abs(whole).max()), each


def test_the_headlines_are_those_of_the_requirement(model):
    """Ghost compute, installed and dark power, pressure, tokens, prices, shares, revenues, spending, write-off, users."""
    assert len(HEADLINES) == len({key(each) for each in HEADLINES}) >= 19
    assert not [each for each in HEADLINES if key(each) not in model.elements]


def test_events_fall_on_time_steps(base):
    """The start of the policies, launches, shocks and releases are whole multiples of the step."""
    dates = ["policy start date", "launch date", "date ChatGPT", "date January 2025", "date April 2025"]
    dates += ["first frontier release", "frontier release interval", "frontier release width", "shock width"]
    for each in [*dates, "funding stop date", "capability jump date", "ledger start", "ledger length"]:
        steps = base[key(each)].to_numpy() / base.attrs["time_step"]
        np.testing.assert_array_equal(steps, np.round(steps), err_msg=each)
