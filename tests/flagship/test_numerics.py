"""Test 7: units, ranges and time step are sound."""

from __future__ import annotations

import numpy as np
import pytest
from ai_compute import HEADLINES, MODEL, SCENARIOS
from click.testing import CliRunner

from sdmodel.cli import main
from sdmodel.model import key


def test_check_finds_no_error_and_no_warning():
    """Units, ranges, integration error, extreme values and all other rules; the findings fit on a page."""
    done = CliRunner().invoke(main, ["check", str(MODEL)])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("0 errors, 0 warnings, ")
    assert len(lines) < 40


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_variable_leaves_its_range(scenario_run, model, name):
    """The declared ranges hold at every saved time."""
    run = scenario_run(name)
    outside = {}
    for element in model:
        if element.range is not None and element.key in run:
            low, high = element.range.minimum, element.range.maximum
            least, most = float(run[element.key].min()), float(run[element.key].max())
            if (low is not None and least < low) or (high is not None and most > high):
                outside[element.name] = (least, most)
    assert not outside


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("name", SCENARIOS)
def test_smaller_time_steps_move_no_headline(scenario_run, changed, name, parts):
    """With Runge-Kutta, halving and quartering the step moves them by at most 1 % of their peak."""
    run = scenario_run(name)
    finer = changed({"TIME STEP": 1 / (64 * parts)}, name, save=HEADLINES)
    assert run.attrs["integrator"] == finer.attrs["integrator"] == "rk4"
    assert finer.attrs["time_step"] == run.attrs["time_step"] / parts
    for variable in HEADLINES:
        whole, small = run[key(variable)], finer[key(variable)]
        assert float(abs(whole - small).max()) <= 0.01 * float(abs(whole).max()), variable


def test_required_headlines_exist(model):
    """Ghost compute, installed and dark power, pressure, tokens, prices, shares, revenue, spending, write-off, users."""
    assert len(HEADLINES) == len({key(name) for name in HEADLINES}) >= 19
    assert not [name for name in HEADLINES if key(name) not in model.elements]


def test_model_is_small(model):
    """At most 260 elements before subscripts, 30 of them levers, uncertainties and switches."""
    assert len(list(model)) <= 260


def test_events_fall_on_time_steps(base):
    """The policy start, launches, jump and funding stop are whole multiples of the step."""
    for name in ["policy start date", "launch date", "jump date", "funding stop date"]:
        steps = base[key(name)].to_numpy() / base.attrs["time_step"]
        np.testing.assert_array_equal(steps, np.round(steps), err_msg=name)
