"""The model in three independent readers of the format: ours, PySD, which has Euler's method alone, and Simlin.

By Euler's method all three agree. By Runge-Kutta's ours and Simlin part by some 0.25 % of a peak, and by one cause: Vensim
"holds all exogenous and test inputs (STEP, PULSE and RAMP) constant over the integration interval" (manual, "Runge-Kutta
Integration"), as we do, while Simlin evaluates them at the time of each of the four stages. Where an input jumps at the
end of a step, its last stage, a sixth of the weight, sees the jump a step early.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr
from ai_compute import HEADLINES, MODEL, SCENARIOS, scenario_path

import sdmodel as sd
from sdmodel.model import key
from sdmodel.reference import simulate_with_pysd
from sdmodel.testing import model_text

CLOSE = 1e-6
"""Of the largest value of each headline."""
EULER, RUNGE_KUTTA = "15:0,0,0,0,0,0", "15:0,0,0,1,0,0"
"""The line of the settings that names the integrator."""
PULSES = {
    "releases": {"frontier release size": 0},
    "shocks": {"shock ChatGPT": 0, "shock January 2025": 0, "shock April 2025": 0},
    "launches": {f"launch date[{segment}]": 2021 for segment in ("chat", "search", "code", "media")},
}
"""What takes each family of inputs that jump out of the run: PULSE TRAIN, PULSE, and STEP before its start."""
SMOOTH = {name: value for family in PULSES.values() for name, value in family.items()}

Theirs = Callable[..., Mapping[str, Any]]


@pytest.fixture(scope="module")
def simlin() -> Any:
    return pytest.importorskip("simlin", reason="pysimlin has no wheel for this platform")


@pytest.fixture(scope="module")
def simlin_run(simlin, tmp_path_factory) -> Theirs:
    """What Simlin says of the model, by its columns, with some constants changed."""
    folder = tmp_path_factory.mktemp("simlin")
    text = MODEL.read_text("utf-8")

    def run(constants: Mapping[str, float], *, euler: bool = False, parts: int = 1) -> Mapping[str, Any]:
        path = folder / f"euler-{euler}-{parts}.mdl"
        if not path.is_file():
            assert text.count(RUNGE_KUTTA) == 1
            changed, count = re.subn(r"(?m)^TIME STEP = 0\.015625$", f"TIME STEP = {1 / (64 * parts)}", text)
            assert count == 1
            path.write_text(changed.replace(RUNGE_KUTTA, EULER if euler else RUNGE_KUTTA), "utf-8")
        overrides = {name.replace(" ", "_").lower(): float(value) for name, value in constants.items()}
        return simlin.load(str(path)).run(overrides=overrides, analyze_loops=False).results

    return run


def _columns(values: xr.DataArray) -> dict[str, np.ndarray]:
    """A variable as Simlin names it: one column for each combination of labels."""
    dims = [each for each in values.dims if each != "time"]
    labels = product(*(values[each].to_numpy() for each in dims))
    found = {each: values.sel(dict(zip(dims, each, strict=True))).to_numpy() for each in labels}
    return {f"{values.name}[{','.join(each)}]" if each else str(values.name): column for each, column in found.items()}


def _apart(ours: xr.Dataset, theirs: Mapping[str, Any]) -> float:
    """By how much of its largest value any headline differs, at most."""
    columns = {name: column for each in HEADLINES for name, column in _columns(ours[key(each)]).items()}
    gaps = {name: np.abs(np.asarray(theirs[name]) - column).max() for name, column in columns.items()}
    return max(float(gap / np.abs(columns[name]).max()) for name, gap in gaps.items())


def _changes(name: str) -> dict[str, float]:
    """What a scenario sets, by name and label."""
    changes = sd.read_scenario(scenario_path(name)).changes
    return {
        f"{each.name}[{','.join(each.subscripts)}]" if each.subscripts else each.name: each.values[0]
        for each in changes
    }


def _compare_with_pysd(changed, constants: Mapping[str, float], name: str) -> None:
    ours = changed(constants, name, integrator="euler", save=HEADLINES)
    theirs = simulate_with_pysd(MODEL, constants, scenario=scenario_path(name), integrator="euler", save=HEADLINES)
    for each in HEADLINES:
        expected = ours[key(each)]
        close = CLOSE * float(abs(expected).max())
        np.testing.assert_allclose(theirs[key(each)], expected, rtol=0, atol=close, err_msg=each)


def test_pysd_agrees_by_eulers_method_until_2027(changed):
    """Every headline of base at every saved time, to 1e-6 of its peak, across all shocks and the policy start date."""
    _compare_with_pysd(changed, {"FINAL TIME": 2027}, "base")


@pytest.mark.nightly
@pytest.mark.parametrize("name", SCENARIOS)
def test_pysd_agrees_by_eulers_method_in_every_scenario(changed, name):
    """The same for whole runs, which take PySD a quarter of a minute each."""
    _compare_with_pysd(changed, {}, name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_simlin_agrees_by_eulers_method(changed, simlin_run, name):
    """Every headline at every saved time, to 1e-6 of its peak, in every scenario."""
    theirs = simlin_run(_changes(name), euler=True)
    assert _apart(changed({}, name, integrator="euler", save=HEADLINES), theirs) < CLOSE


def test_simlin_agrees_by_runge_kutta_where_no_input_jumps(changed, simlin_run):
    """Without releases, shocks and launches the two agree to 1e-6, so that nothing else sets them apart."""
    assert _apart(changed(SMOOTH, save=HEADLINES), simlin_run(SMOOTH)) < CLOSE


@pytest.mark.parametrize("family", PULSES)
def test_each_family_of_jumps_alone_sets_simlin_apart_by_runge_kutta(changed, simlin_run, family):
    """Any of the three suffices, by less than 1 % of a peak."""
    alone = {name: value for other, constants in PULSES.items() if other != family for name, value in constants.items()}
    assert CLOSE < _apart(changed(alone, save=HEADLINES), simlin_run(alone)) < 0.01


def test_the_difference_to_simlin_halves_with_the_time_step(changed, simlin_run):
    """A jump that is seen a step early is an error of first order; Runge-Kutta's own would fall sixteenfold."""
    gaps = [
        _apart(changed({"TIME STEP": 1 / (64 * parts)}, save=HEADLINES), simlin_run({}, parts=parts))
        for parts in (1, 2, 4)
    ]
    assert gaps[0] < 0.01
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.1)
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.1)


def test_simlin_sees_a_pulse_in_the_last_stage_of_the_step_before(simlin, tmp_path):
    """A pulse from 2 to 4 in steps of 1: Simlin has a sixth of a step in the stock at 2, Vensim's rule and ours nothing."""
    path = tmp_path / "pulse.mdl"
    path.write_text(model_text("Stock = INTEG(flow, 0)\nflow = PULSE(2, 2)", final=6, integrator="rk4"), "utf-8")
    ours = sd.simulate(sd.read_model(path))["stock"].to_numpy()
    theirs = simlin.load(str(path)).run(analyze_loops=False).results["stock"].to_numpy()
    np.testing.assert_allclose(ours, [0, 0, 0, 1, 2, 2, 2], atol=1e-12)
    np.testing.assert_allclose(theirs, [0, 0, 1 / 6, 7 / 6, 2, 2, 2], atol=1e-12)
