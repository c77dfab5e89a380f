"""Test 3, continued: no lever, switch, scenario or uncertainty about the future changes the past."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from ai_compute import POLICY_START, SCENARIOS, WHOLE_RUN, scenario_path, since

import sdmodel as sd
from sdmodel.model import Element, key

GROUPS = ("Policy levers", "Switches", "Uncertainties")
DATE = "policy start date"
MOVED = 2028.5
"""A later date; nothing may change before it either."""
DATED = {"policy", "policy_start_date"}
"""The variables that depend on the date by definition."""


def _constants(model: sd.Model, group: str, *, whole_run: bool = False) -> list[Element]:
    """The constants of a group that start at the policy start date, or those that act on the whole run."""
    grouped = [element for element in model if key(element.group) == key(group) and element.kind == "constant"]
    selected = [element for element in grouped if (WHOLE_RUN in " ".join(element.comment.split())) == whole_run]
    return [element for element in selected if key(element.name) != key(DATE)]


def _ends(elements: list[Element]) -> dict[str, list[float]]:
    """The values of each member: none; each constant at one end of its range; all lowest; all highest."""
    ends = [(element.name, end) for element in elements for end in (element.range.minimum, element.range.maximum)]
    table: dict[str, list[float]] = {}
    for element in elements:
        own = [end if name == element.name else np.nan for name, end in ends]
        table[element.name] = [np.nan, *own, element.range.minimum, element.range.maximum]
    return table


def _filled(run: xr.Dataset, table: dict[str, list[float]]) -> dict[str, xr.DataArray]:
    """The same, with the value in `run` where nothing is set."""
    return {name: xr.DataArray(values, dims="member").fillna(run[key(name)]) for name, values in table.items()}


def _moved(run: xr.Dataset, first: xr.Dataset, before: float) -> Iterator[str]:
    """The variables that differ, in any member, from those of another run before a time."""
    last = float(np.nextafter(before, -np.inf))
    past, unmoved = since(run, -np.inf, last), since(first, -np.inf, last)
    saved = [name for name, values in past.data_vars.items() if "time" in values.dims]
    return (str(name) for name in saved if bool((past[name] != unmoved[name]).any()))


@pytest.mark.parametrize("date", [POLICY_START, MOVED])
@pytest.mark.parametrize("group", GROUPS)
def test_no_constant_of_a_group_moves_the_past(model, base, changed, group, date):
    """Each constant at both ends of its range, and all together, to the last bit."""
    table = _filled(base, _ends(_constants(model, group)))
    run = changed({**table, DATE: date})
    assert run.sizes["member"] > 2
    assert not list(_moved(run, run.isel(member=0), date))


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_scenario_moves_the_past(scenario_run, base, name):
    """To the last bit."""
    assert not list(_moved(scenario_run(name), base, POLICY_START))


def test_uncertainties_of_the_whole_run_move_the_past(model, base, changed):
    """Their comments declare the exception: each moves some value of the past."""
    exceptions = _constants(model, "Uncertainties", whole_run=True)
    assert exceptions
    run = changed(_filled(base, _ends(exceptions)))
    for place, element in enumerate(exceptions):
        ends = run.isel(member=[2 * place + 1, 2 * place + 2])
        assert any(_moved(ends, run.isel(member=0), POLICY_START)), element.name


def test_levers_are_neutral_in_base(model, base):
    """Multipliers are one, the hurdle is the industry return, and switches are in the position of history."""
    for element in [*_constants(model, "Policy levers"), *_constants(model, "Uncertainties")]:
        if element.name.endswith("multiplier"):
            assert float(base[element.key]) == 1, element.name
    assert float(base["hurdle_rate"]) == float(base["industry_return"])
    assert {name: float(base[name]) for name in ("funding_stop", "budget_switch", "scarcity_switch")} == {
        "funding_stop": 0, "budget_switch": 1, "scarcity_switch": 1
    }  # fmt: skip


def test_policy_date_has_no_effect_if_nothing_changes(base, changed):
    """With every lever at its neutral value and no vendor financing, a later date changes nothing."""
    run = changed({"vendor financing share": 0, DATE: [POLICY_START, MOVED]})
    for name, values in run.data_vars.items():
        if "time" in values.dims and name not in DATED:
            first, later = values.isel(member=0), values.isel(member=1)
            assert float(abs(later - first).max()) <= 1e-5 * max(float(abs(first).max()), 1), name


@pytest.mark.parametrize("group", GROUPS)
def test_levers_have_a_range_with_a_step(model, base, group):
    """A slider needs both, with the value inside the range; a switch is 0 or 1."""
    for element in (element for element in model if key(element.group) == key(group) and element.kind == "constant"):
        allowed = element.range
        assert allowed.step > 0, element.name
        assert np.all((base[element.key] >= allowed.minimum) & (base[element.key] <= allowed.maximum)), element.name
        if group == "Switches":
            assert (allowed.minimum, allowed.maximum, allowed.step) == (0, 1, 1), element.name


def test_every_scenario_has_a_comment():
    """The scenarios of the model; base changes nothing."""
    scenarios = {name: sd.read_scenario(scenario_path(name)) for name in SCENARIOS}
    assert set(scenarios) >= {"base", "essay", "naive", "agi", "power-first", "funding-stop", "cheap-wins", "chip-glut"}
    assert set(scenarios) >= {"slow-cadence", "vendor-financing-stops", "agents-everywhere"}
    assert not scenarios["base"].changes
    assert all(len(scenario.comment.split()) > 8 for scenario in scenarios.values())
    assert all(scenario.changes for name, scenario in scenarios.items() if name != "base")
