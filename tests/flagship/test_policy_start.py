"""Test 3, continued: no lever, switch, scenario or uncertainty about the future rewrites the past."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from ai_compute import POLICY_START, SCENARIOS, WHOLE_RUN, scenario_path, since

import sdmodel as sd
from sdmodel.model import Element, key

GROUPS = ("Policy levers", "Switches", "Uncertainties")
DATE = "policy start date"
MOVED = 2028.5
"""A later date, before which all must stay as still."""
PASSES = {
    "policy_on",
    "price_at_policy_start",
    "years_of_progress_before_policy",
    "years_of_progress_since_policy",
}
"""What the date is for."""


def _constants(model: sd.Model, group: str, *, whole_run: bool = False) -> list[Element]:
    """The constants of a group that pass the gate of the policy start date, or those that act on the whole run."""
    grouped = [each for each in model if key(each.group) == key(group) and each.kind == "constant"]
    told = [each for each in grouped if (WHOLE_RUN in " ".join(each.comment.split())) == whole_run]
    return [each for each in told if key(each.name) != key(DATE)]


def _ends(elements: list[Element]) -> dict[str, list[float]]:
    """What is set in each member: nothing; each constant at an end of its range; all at their lowest; all at their highest."""
    ends = [(each.name, end) for each in elements for end in (each.range.minimum, each.range.maximum)]
    table: dict[str, list[float]] = {}
    for each in elements:
        own = [end if name == each.name else np.nan for name, end in ends]
        table[each.name] = [np.nan, *own, each.range.minimum, each.range.maximum]
    return table


def _filled(run: xr.Dataset, table: dict[str, list[float]]) -> dict[str, xr.DataArray]:
    """The same with what `run` has where nothing is set."""
    return {name: xr.DataArray(values, dims="member").fillna(run[key(name)]) for name, values in table.items()}


def _moved(run: xr.Dataset, first: xr.Dataset, before: float) -> list[str]:
    """The variables that differ, in any member, from those of another run before a time."""
    last = float(np.nextafter(before, -np.inf))
    past, unmoved = since(run, -np.inf, last), since(first, -np.inf, last)
    saved = [name for name, values in past.data_vars.items() if "time" in values.dims]
    return [str(name) for name in saved if bool((past[name] != unmoved[name]).any())]


@pytest.mark.parametrize("date", [POLICY_START, MOVED])
@pytest.mark.parametrize("group", GROUPS)
def test_nothing_of_a_group_moves_any_value_before_the_date(model, base, changed, group, date):
    """Each constant at both ends of its range, and all at once, to the last bit."""
    table = _filled(base, _ends(_constants(model, group)))
    run = changed({**table, DATE: date})
    assert run.sizes["member"] > 2
    assert not _moved(run, run.isel(member=0), date)


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_scenario_moves_any_value_before_the_date(scenario_run, base, name):
    """To the last bit."""
    assert not _moved(scenario_run(name), base, POLICY_START)


def test_an_uncertainty_that_acts_on_the_whole_run_says_so(model, base, changed):
    """What the comment names as an exception is one: each moves some value of the past."""
    exceptions = _constants(model, "Uncertainties", whole_run=True)
    assert exceptions
    for each in exceptions:
        run = changed({each.name: [float(base[each.key]), each.range.minimum, each.range.maximum]})
        assert _moved(run, run.isel(member=0), POLICY_START), each.name


def test_levers_begin_where_history_left_them(model, base):
    """In base every lever that has a historical twin is equal to it, so that nothing happens at the date by itself."""
    differ = {}
    for each in _constants(model, "Policy levers"):
        twin = f"historical_{each.key}"
        if twin in model.elements and not np.array_equal(base[each.key], base[twin]):
            differ[each.name] = float(base[each.key])
    assert not differ


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
def test_the_date_itself_moves_nothing_where_the_future_is_as_the_past(model, base, changed):
    """With every constant equal to its historical twin a later date changes nothing."""
    gated = [each for group in GROUPS for each in _constants(model, group)]
    twins = {each.name: base[f"historical_{each.key}"] for each in gated if f"historical_{each.key}" in model.elements}
    run = changed({**twins, DATE: [POLICY_START, MOVED]})
    for name, values in run.data_vars.items():
        if "time" in values.dims and name not in PASSES:
            first, later = values.isel(member=0), values.isel(member=1)
            assert float(abs(later - first).max()) <= 1e-5 * max(float(abs(first).max()), 1), name


@pytest.mark.parametrize("group", GROUPS)
def test_what_may_be_changed_has_a_range_with_a_step_and_a_place_in_it(model, base, group):
    """A slider needs all three; a switch is nought or one."""
    for each in (each for each in model if key(each.group) == key(group) and each.kind == "constant"):
        allowed = each.range
        assert allowed.step > 0, each.name
        assert np.all((base[each.key] >= allowed.minimum) & (base[each.key] <= allowed.maximum)), each.name
        if group == "Switches":
            assert (allowed.minimum, allowed.maximum, allowed.step) == (0, 1, 1), each.name


def test_every_scenario_tells_its_story():
    """The nine of the model, each with a comment; base changes nothing."""
    stories = {name: sd.read_scenario(scenario_path(name)) for name in SCENARIOS}
    assert set(stories) >= {"base", "essay", "naive", "agi", "power-first", "funding-stop", "cheap-wins", "chip-glut"}
    assert "slow-cadence" in stories
    assert not stories["base"].changes
    assert all(len(each.comment.split()) > 8 for each in stories.values())
    assert all(each.changes for name, each in stories.items() if name != "base")
