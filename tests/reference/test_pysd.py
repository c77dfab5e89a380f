"""PySD as a reference: it runs a copy of the same file and agrees with closed solutions."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.errors import ModelError, ReferenceEngineError
from sdmodel.model import Table
from sdmodel.reference import PYSD_NOTE, record_with_pysd, simulate_with_pysd
from sdmodel.scenario import Change, Scenario
from sdmodel.testing import model_text

DECAY = """
Level = INTEG(-Level/lifetime, start)
lifetime = 4
start = 10
"""

ARRAYS = textwrap.dedent("""
    fuel: coal, gas, oil ~~|
    clean: gas, oil ~~|
    place: north, south ~~|
    price[fuel] = 1, 2, 3 ~~|
    use[fuel, place] = 1, 2; 3, 4; 5, 6; ~~|
    cost[fuel, place] = price[fuel]*use[fuel, place] ~~|
    total = SUM(cost[fuel!, place!]) ~~|
    effect((0,0),(10,10)) ~~|
    shown = effect(Time) ~~|
""")


@pytest.fixture
def decay(tmp_path):
    return written(tmp_path, model_text(DECAY, step=0.1))


@pytest.fixture
def arrays(tmp_path):
    return written(tmp_path, model_text(ARRAYS, final=2))


def written(folder, text):
    path = folder / "small.mdl"
    path.write_text(text, encoding="utf-8")
    return path


def test_note_says_that_the_file_is_executed():
    """Users of PySD are told that it executes the text of a model."""
    assert "executes" in PYSD_NOTE
    assert "trust" in PYSD_NOTE


def test_pysd_follows_eulers_closed_solution(decay):
    """A stock that loses a fraction of itself per step is a geometric series."""
    run = simulate_with_pysd(decay)
    np.testing.assert_allclose(run["level"], 10 * (1 - 0.1 / 4) ** np.arange(101), rtol=1e-12)


@settings(max_examples=8, deadline=None)
@given(lifetime=st.floats(0.5, 50), start=st.floats(-1e3, 1e3))
def test_changed_constants_have_the_effect_of_an_edit(tmp_path_factory, lifetime, start):
    """For any values, setting them gives the run of a file that contains them."""
    folder = tmp_path_factory.mktemp("models")
    edited = DECAY.replace("lifetime = 4", f"lifetime = {lifetime!r}").replace("start = 10", f"start = ({start!r})")
    there = simulate_with_pysd(written(folder, model_text(edited)))
    changed = simulate_with_pysd(written(folder, model_text(DECAY)), {"Lifetime": lifetime, "START": start})
    np.testing.assert_array_equal(changed["level"], there["level"])


def test_times_are_counted_and_not_summed(decay):
    """Time is start + steps x TIME STEP to the last bit, which PySD's own running sum is not."""
    run = simulate_with_pysd(decay)
    np.testing.assert_array_equal(run["time"], np.arange(101) * 0.1)


def test_whole_initial_values_do_not_make_integer_states(tmp_path):
    """A smooth that begins at 10 loses nothing of its first step: it follows the same series as one from 10.0."""
    run = simulate_with_pysd(written(tmp_path, model_text("input = 3\naverage = SMOOTHI(input, 4, 10)")))
    np.testing.assert_allclose(run["average"], 3 + 7 * 0.75 ** np.arange(11), rtol=1e-12)


def test_run_has_our_dimensions_and_attributes(arrays):
    """Time, then the model's subscripts; constants without time; attributes from the model; the engine is named."""
    run = simulate_with_pysd(arrays)
    assert run["cost"].dims == ("time", "fuel", "place")
    assert run["price"].dims == ("fuel",)
    assert list(run["fuel"].to_numpy()) == ["coal", "gas", "oil"]
    assert run["cost"].attrs["equation"] == "price[fuel]*use[fuel, place]"
    assert run.attrs["engine"] == "pysd"
    assert "effect" not in run


@pytest.mark.parametrize(
    ("constants", "total"),
    [
        ({"price": 1}, 21),
        ({"price": [1, 1, 2]}, 32),
        ({"price[oil]": 0}, 17),
        ({"price[clean]": [0, 1]}, 14),
        ({"use[gas, south]": 0}, 42),
        ({"use[fuel, north]": 0}, 28),
        ({"use": np.zeros((3, 2))}, 0),
    ],
)
def test_constant_with_subscripts_changes_completely_or_in_part(arrays, constants, total):
    """One number for all cells, an array of the constant's shape, or the part that labels and ranges name."""
    assert simulate_with_pysd(arrays, constants)["total"].to_numpy()[-1] == total


def test_scenario_changes_constants_and_lookups(arrays):
    """PySD gets the changes of a change file, including tables."""
    table = Change("effect", table=Table(((0.0, 5.0), (10.0, 25.0))))
    scenario = Scenario("other", (Change("price", ("coal",), (0.0,)), table), text="price[coal] = 0\n")
    run = simulate_with_pysd(arrays, scenario=scenario)
    assert run["total"].to_numpy()[-1] == 47
    np.testing.assert_allclose(run["shown"], [5, 7, 9])
    assert run.attrs["scenario"] == "price[coal] = 0"


def test_constants_override_scenarios_and_later_scenarios_override_earlier_ones(tmp_path, decay):
    """As in Vensim, the last change counts; the run records all of them."""
    first, second = tmp_path / "first.cin", tmp_path / "second.cin"
    first.write_text("start = 1\nlifetime = 2\n", encoding="utf-8")
    second.write_text("start = 3\n", encoding="utf-8")
    run = simulate_with_pysd(decay, {"lifetime": 8}, scenario=[first, second])
    assert run["level"].to_numpy()[0] == 3
    assert run["level"].to_numpy()[1] == pytest.approx(3 * (1 - 0.1 / 8))
    assert run.attrs["changes"].splitlines()[-2:] == ["start = 3.0", "lifetime = 8.0"]


def test_time_settings_can_be_changed(decay):
    """They are constants like any other."""
    run = simulate_with_pysd(decay, {"INITIAL TIME": 2, "FINAL TIME": 3, "TIME STEP": 0.25})
    np.testing.assert_array_equal(run["time"], [2, 2.25, 2.5, 2.75, 3])
    np.testing.assert_allclose(run["level"], 10 * (1 - 0.25 / 4) ** np.arange(5), rtol=1e-12)


def test_only_requested_variables_are_saved(decay):
    """`save` names elements in any spelling."""
    assert set(simulate_with_pysd(decay, save=["LEVEL"]).data_vars) == {"level"}


def test_folder_of_the_model_is_unchanged(decay):
    """PySD writes Python next to the model that it reads, which is a copy."""
    simulate_with_pysd(decay)
    assert [path.name for path in decay.parent.iterdir()] == ["small.mdl"]


def test_macro_writes_no_file_next_to_the_model(tmp_path):
    """PySD writes a file per macro too."""
    macro = ":MACRO: TWICE(x)\nTWICE = 2*x ~~|\n:END OF MACRO:\n"
    path = written(tmp_path, model_text(f"{macro}\nfour = TWICE(2) ~~|"))
    assert record_with_pysd(path).arrays["four"].tolist() == [4.0] * 11
    assert [file.name for file in tmp_path.iterdir()] == ["small.mdl"]


@pytest.mark.parametrize("asked", ["rk4", None])
def test_runge_kutta_is_refused(tmp_path, asked):
    """PySD would silently use Euler, whether the user or the model asks for Runge-Kutta."""
    path = written(tmp_path, model_text(DECAY, integrator="euler" if asked else "rk4"))
    with pytest.raises(
        ReferenceEngineError,
        match=r"small\.mdl: PySD integrates with Euler only, not rk4; use the native engine, or .*--integrator euler",
    ):
        simulate_with_pysd(path, integrator=asked)


def test_euler_can_be_requested_for_a_runge_kutta_model(tmp_path):
    """The user's integrator overrides that of the model."""
    run = simulate_with_pysd(written(tmp_path, model_text(DECAY, integrator="rk4")), integrator="euler")
    assert run["level"].to_numpy()[1] == pytest.approx(7.5)


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"lifetyme": 1}, "'lifetyme' is not in the model; did you mean 'lifetime'?"),
        ({"level": 1}, "'Level' is not a constant; name one of the model's constants"),
        ({"lifetime": [1, 2]}, "'lifetime' takes 1 number, not 2; correct them"),
        ({"lifetime[x]": 1}, "'lifetime' has 0 subscripts, not 1; correct them"),
    ],
)
def test_invalid_changes_are_reported(decay, constants, message):
    """One line: the model, what is wrong, what to do."""
    with pytest.raises(ReferenceEngineError) as refusal:
        simulate_with_pysd(decay, constants)
    assert str(refusal.value) == f"{decay}: {message}"


def test_unknown_label_is_reported(arrays):
    """A subscript that PySD does not know is reported with the labels it could be."""
    with pytest.raises(
        ReferenceEngineError, match="'wood' is neither one of coal, gas, oil nor a range of them; correct the subscript"
    ):
        simulate_with_pysd(arrays, {"price[wood]": 1})


def test_errors_of_pysd_are_reported_in_one_line_with_the_model(tmp_path):
    """The message is PySD's own, without the path of the copy that it read."""
    path = written(tmp_path, model_text("broken = 1/(0*Time)"))
    with pytest.raises(ReferenceEngineError) as refusal:
        record_with_pysd(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: PySD cannot run the model: ZeroDivisionError")
    assert message.endswith("; use the native engine")
    assert "\n" not in message
    assert "sdmodel-pysd" not in message


def test_missing_file_is_reported(tmp_path):
    """The file is checked before PySD is called."""
    with pytest.raises((ReferenceEngineError, ModelError), match=r"absent\.mdl"):
        simulate_with_pysd(tmp_path / "absent.mdl")
    with pytest.raises(ReferenceEngineError, match=r"absent\.mdl: the model cannot be read: .*; check its name"):
        record_with_pysd(tmp_path / "absent.mdl")


def test_warnings_of_pysd_are_stored_with_the_run(tmp_path):
    """PySD warns that it lowers the order of a short delay, which readers of its numbers must see."""
    run = simulate_with_pysd(written(tmp_path, model_text("late = DELAY3(Time, 2)")))
    assert "casting delay order from 3 to 2" in run.attrs["remarks"]
