"""Integrators of the settings, held delays, automatic steps, and a FINAL TIME that changes, against values computed apart."""

from __future__ import annotations

import numpy as np
import pytest

from sdmodel.ensemble import run_ensemble
from sdmodel.errors import EnsembleError, ModelError, ScenarioError, SimulationError
from sdmodel.model import INTEGRATORS, Cell
from sdmodel.scenario import Distribution, Sampling, Variation, make_design
from sdmodel.simulation import NotFiniteWarning, RunWarning, prepare_simulation, simulate
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import mdl_text, model_from_text

DECAY = "s = INTEG(-s/life, 1)\nlife = 1\nten = 10*s"
SETTINGS = {0: "euler", 1: "rk4-auto", 2: "diff", 3: "rk2-auto", 4: "rk2", 5: "rk4"}


def test_every_number_of_the_settings_has_its_integrator_and_is_written_back():
    """A run records the integrator; the text that is written asks for the same one."""
    assert set(SETTINGS.values()) == set(INTEGRATORS)
    for number, name in SETTINGS.items():
        text = model_text(DECAY).replace("15:0,0,0,0", f"15:0,0,0,{number}")
        model = model_from_text(text)
        assert model.integrator == model_from_text(mdl_text(model)).integrator == name
        assert simulate(model, integrator=name).attrs["integrator"] == name


def test_an_unknown_number_of_the_settings_is_an_error_at_its_line():
    """It would silently become Euler."""
    text = model_text(DECAY).replace("15:0,0,0,0", "15:0,0,0,7")
    line = text.splitlines().index("15:0,0,0,7,0,0") + 1
    with pytest.raises(ModelError, match=rf"m\.mdl:{line}:1: .* integrator number 7, which is unknown; use one from 0"):
        model_from_text(text, "m.mdl")


def test_second_order_of_the_settings_is_reported():
    """Vensim's manual does not say which of two numbers has automatic steps."""
    with pytest.warns(RunWarning, match="run as rk2-auto; choose with --integrator rk2 or rk2-auto"):
        simulate(tiny_model(DECAY, integrator="rk2-auto"))
    assert "remarks" not in simulate(tiny_model(DECAY, integrator="rk4-auto")).attrs


@pytest.mark.parametrize(
    ("integrator", "first"), [("euler", 0), ("diff", 0), ("rk2", 0.5), ("rk4", 0.375), ("rk2-auto", np.exp(-1))]
)
def test_one_step_of_a_decay(integrator, first):
    """The values that each formula gives by hand: 1 - h, 1 - h + h^2/2, and so on; automatic steps are close to exp(-1)."""
    run = simulate(tiny_model(DECAY), integrator=integrator)
    assert float(run.s[1]) == pytest.approx(first, abs=1e-3 if "auto" in integrator else 1e-12)


def test_stages_of_runge_kutta_see_their_own_times():
    """Second order integrates Time exactly, fourth order its cube (the rules of midpoint and of Simpson)."""
    model = tiny_model("s = INTEG(Time, 0)\nc = INTEG(Time^3, 0)")
    assert np.allclose(simulate(model, integrator="rk2").s, np.arange(11) ** 2 / 2, rtol=1e-14)
    assert np.allclose(simulate(model, integrator="rk4").c, np.arange(11) ** 4.0 / 4, rtol=1e-14)


def test_diff_saves_auxiliaries_of_the_saved_time_before():
    """Stocks and what is known before a step keep their time (Vensim manual, "Selecting an Integration Technique")."""
    equations = (
        "s = INTEG(1, 0)\na = s*10\nk = 3\nf = INITIAL(k)\nd = DELAY FIXED(s, 2, -1)\n"
        "m = SMOOTH N(s, 3, 0, 2)\nh = SAMPLE IF TRUE(s > 2, s, 7)"
    )
    for saveper in (1, 2):
        euler = simulate(tiny_model(equations, saveper=saveper))
        diff = simulate(tiny_model(equations, saveper=saveper, integrator="diff"))
        assert diff.a.values.tolist() == [0, *euler.a.values[:-1]]
        for name in "sfd":
            assert np.array_equal(diff[name], euler[name])
        assert float(diff.k) == 3


def test_diff_holds_for_every_way_to_run(tmp_path):
    """Members and prepared simulations save what a single run saves."""
    model = tiny_model("s = INTEG(g*s, 1)\na = s*10\ng = 0.1", integrator="diff")
    rates = np.linspace(0, 0.3, 5)
    many = simulate(model, {"g": rates})
    prepared = prepare_simulation(model, {Cell("g"): (0, 1)}, [Cell("a"), Cell("s")])
    assert np.array_equal(prepared.values(rates[:, None])[:, 0], many.a.values)
    for place, rate in enumerate(rates):
        assert np.array_equal(simulate(model, {"g": float(rate)}).a, many.a[:, place])


# automatic steps

STIFF = "x = INTEG(-fast*x + 100, 1)\ny = INTEG(x - y, 0)\nfast = 30"


@pytest.mark.parametrize("integrator", ["rk2-auto", "rk4-auto"])
def test_automatic_steps_meet_the_tolerances(integrator):
    """A rate far too fast for TIME STEP is followed; smaller tolerances come closer to the solution."""
    errors = []
    for tolerance in (1e-3, 1e-6):
        model = tiny_model(f"{STIFF}\nABSOLUTE TOLERANCE = {tolerance}\nRELATIVE TOLERANCE = {tolerance}", final=3)
        run = simulate(model, integrator=integrator)
        time, part = run.time.values, 1 - 100 / 30
        exact = 100 / 30 * (1 - np.exp(-time)) + part / -29 * (np.exp(-30 * time) - np.exp(-time))
        errors.append(float(np.abs(run.y - exact).max()))
    assert errors[1] < errors[0] < 5e-3
    assert errors[1] < 1e-5


@pytest.mark.parametrize("integrator", ["rk2-auto", "rk4-auto", "rk2", "rk4"])
def test_a_member_does_not_depend_on_the_members_beside_it(integrator):
    """Slow and fast members in one register each take their own number of parts."""
    model = tiny_model(f"{STIFF}\nd = DELAY N(x, 3, 1, 2)")
    rates = np.array([0.1, 30, 1, 200, 0.5, 3, 90])
    many = simulate(model, {"fast": rates}, integrator=integrator)
    turned = simulate(model, {"fast": rates[::-1].copy()}, integrator=integrator)
    for name in "xyd":
        assert np.array_equal(many[name], turned[name][:, ::-1])
    for place, rate in enumerate(rates):
        alone = simulate(model, {"fast": float(rate)}, integrator=integrator)
        for name in "xyd":
            assert np.array_equal(alone[name], many[name][:, place], equal_nan=True)


def test_tolerances_that_cannot_be_met_are_reported():
    """The rate changes so fast that no part of a step follows it."""
    equations = "s = INTEG(SIN(1e6*Time)*1e6, 0)\nn = 1"
    with pytest.warns(RunWarning, match="1024 parts of a time step do not meet the tolerances of rk4-auto from time 0"):
        simulate(tiny_model(equations, integrator="rk4-auto"))
    with pytest.warns(RunWarning, match=r"member 0: .* \(and 1 more member\)"):
        simulate(tiny_model(equations, integrator="rk4-auto"), {"n": [1, 2]})
    with pytest.raises(SimulationError, match="RELATIVE TOLERANCE is 0.0; it must be one number above 0"):
        simulate(tiny_model(f"{DECAY}\nRELATIVE TOLERANCE = 0", integrator="rk4-auto"))
    with pytest.raises(SimulationError, match="ABSOLUTE TOLERANCE is varied between members"):
        simulate(tiny_model(f"{DECAY}\nABSOLUTE TOLERANCE = 1", integrator="rk4-auto"), {"absolute tolerance": [1, 2]})


def test_an_ensemble_that_misses_the_tolerances_says_so_once(tmp_path):
    """Its blocks are simulated without warnings, and its remarks name no member of the first block."""
    model = tiny_model("s = INTEG(SIN(w*Time)*w, 0)\nw = 1", integrator="rk4-auto", final=2)
    fast = Variation("w", (), Distribution("RANDOM_UNIFORM", (0.5e6, 1.5e6)))
    design = make_design(model, Sampling("multivariate", variations=(fast,)), count=20)
    with pytest.warns(RunWarning) as reported:
        run_ensemble(model, design, tmp_path / "a.zarr")
    assert [str(one.message) for one in reported] == [
        "some members do not meet the tolerances of rk4-auto; make TIME STEP smaller"
    ]


def test_automatic_steps_blank_a_stock_that_is_not_finite():
    """The others of the block go on."""
    model = tiny_model("s = INTEG(s^p, 1)\np = 1", final=3, integrator="rk4-auto")
    with pytest.warns(NotFiniteWarning, match="member 1: 's' is not finite from time 1"):
        run = simulate(model, {"p": [1, 3]})
    assert np.allclose(run.s[:, 0], np.exp(run.time), rtol=1e-3)
    assert np.isnan(run.s[1:, 1]).all()


# a FINAL TIME that changes

MOVING = "s = INTEG(rate, 0)\nrate = 1\nFINAL TIME = IF THEN ELSE(s > stop, Time, {})\nstop = 2"


def _moving(last: str = "10", **settings):
    text = model_text(MOVING.format(last), **settings)
    head, _, tail = text.rpartition("FINAL TIME = 10\n")
    return model_from_text(head + tail[tail.index("|") + 1 :])


def test_a_run_ends_when_final_time_is_reached():
    """FINAL TIME moves back to Time when the stock passes a level."""
    with pytest.warns(RunWarning, match="FINAL TIME changes during the run, which ends at 3"):
        run = simulate(_moving())
    assert run.time.values.tolist() == [0, 1, 2, 3]
    with pytest.warns(RunWarning, match="which ends at 2.5; the last saved time is 2"):
        run = simulate(_moving(step=0.5, saveper=1), {"rate": 1})
    assert run.time.values.tolist() == [0, 1, 2]
    with pytest.warns(RunWarning, match=r"(?s)SAVEPER, 1.5, is not a multiple.*which ends at 3"):
        assert simulate(_moving(saveper=1.5)).time.values.tolist() == [0, 2, 3]


def test_a_run_goes_on_while_final_time_moves_away():
    """At the start FINAL TIME is 1; it stays ahead of Time for twenty steps."""
    with pytest.warns(RunWarning, match="ends at 21"):
        run = simulate(_moving("Time + 1"), {"stop": 20})
    assert run.s.values.tolist() == list(range(22))


def test_members_end_at_their_own_times():
    """Values after the end of a member are blank, and are not reported as not finite."""
    with pytest.warns(RunWarning, match="which ends at 3; the first members end at 1, and have no values after"):
        run = simulate(_moving(), {"rate": [1, 2, 4]})
    assert np.isfinite(run.s.values).sum(axis=0).tolist() == [4, 3, 2]
    assert "not_finite" not in run.attrs


def test_an_end_that_never_comes_is_an_error(monkeypatch):
    """A model can be slow, never endless."""
    monkeypatch.setattr("sdmodel.simulation.schedule._MOST_GROWTH", 5000)
    with pytest.raises(SimulationError, match="still ahead of Time after 5,001 steps"):
        simulate(_moving("Time + 1"), {"stop": 1e9})
    with pytest.raises(SimulationError, match="FINAL TIME becomes inf"):
        simulate(_moving("1/(1 - s)"))


def test_what_needs_common_times_refuses_an_end_that_changes(tmp_path):
    """A prepared simulation and a stored ensemble have one time axis for all members."""
    model = _moving()
    with pytest.raises(SimulationError, match="FINAL TIME changes during the run"):
        prepare_simulation(model, {Cell("rate"): (0, 1)}, [Cell("s")])
    rate = Variation("rate", (), Distribution("RANDOM_UNIFORM", (1.0, 2.0)))
    design = make_design(model, Sampling("multivariate", variations=(rate,)), count=5)
    with pytest.raises(EnsembleError, match="FINAL TIME changes during the run, so that members may end"):
        run_ensemble(model, design, tmp_path / "a.zarr")


# a TIME STEP or SAVEPER that changes


def _clock(equations: str, step: str, saveper: str = "TIME STEP", final: str = "4"):
    """A model with formulas as its settings."""
    clock = f"INITIAL TIME = 0\nFINAL TIME = {final}\nTIME STEP = {step}\nSAVEPER = {saveper}"
    return model_from_text("{UTF-8}\n" + "".join(f"{line} ~~|\n" for line in f"{equations}\n{clock}".splitlines()))


SHORTER = "IF THEN ELSE(Time < 2, 0.5, 0.25)"


@pytest.mark.parametrize(
    ("method", "factor"),
    [
        ("euler", lambda h: 1 - h),
        ("rk2", lambda h: 1 - h + h**2 / 2),
        ("rk4", lambda h: 1 - h + h**2 / 2 - h**3 / 6 + h**4 / 24),
    ],
)
def test_a_stock_decays_by_steps_of_different_lengths(method, factor):
    """Each step multiplies it by the integrator's polynomial in the length of that step; STEP sees the length of its own."""
    model = _clock("s = INTEG(-s, 1)\nstep up = STEP(1, 2)", SHORTER)
    with pytest.warns(
        RunWarning, match="TIME STEP changes during the run, between 0.25 and 0.5, and the run ends at 4"
    ):
        run = simulate(model, integrator=method)
    lengths = [0.5] * 4 + [0.25] * 8
    assert run.time.values.tolist() == [0, *np.cumsum(lengths)]
    assert np.allclose(run.s, np.cumprod([1, *map(factor, lengths)]), rtol=1e-14)
    assert run.step_up.values.tolist() == [0] * 4 + [1] * 9
    assert (run.attrs["time_step"], run.time_step.values[[0, -1]].tolist()) == (0.5, [0.5, 0.25])


def test_time_step_and_saveper_may_follow_a_stock():
    """Each saved time is SAVEPER after the one before, or the nearest step; the last need not be saved."""
    model = _clock("s = INTEG(1, 0)", "IF THEN ELSE(s > 3, 0.5, 1)", "IF THEN ELSE(s > 6, 2, 1)", "10")
    with pytest.warns(RunWarning, match="the run ends at 10; the last saved time is 9"):
        run = simulate(model)
    assert run.s.values.tolist() == run.time.values.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 9]


def test_times_of_a_saveper_that_changes_are_counted_from_the_start():
    """Steps of 0.1 reach 0.3 itself, and no message says that a TIME STEP changes."""
    run = simulate(_clock("s = INTEG(1, 0)", "0.1", "IF THEN ELSE(Time > 0.95, 0.5, 0.1)", "2"))
    assert run.time.values.tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5, 2]
    assert "remarks" not in run.attrs


def test_an_end_may_move_with_the_time_step():
    """FINAL TIME leaves before the old one is reached, and INITIAL TIME may read Time, which is 0 before it is known."""
    model = _clock("x = 1", SHORTER, "IF THEN ELSE(Time < 2, 1, 0.5)", "IF THEN ELSE(Time < 1, 2, 3)")
    with pytest.warns(RunWarning, match="the run ends at 3"):
        assert simulate(model).time.values.tolist() == [0, 1, 2, 2.5, 3]
    text = model.text.replace("INITIAL TIME = 0", "INITIAL TIME = IF THEN ELSE(Time < 2, 1, 5)")
    with pytest.warns(RunWarning, match="the run ends at 3"):
        run = simulate(model_from_text(text))
    assert (run.time.values[0], run.initial_time.values.tolist()) == (1, [1, 5, 5, 5])


def test_members_may_share_times_that_change():
    """They must be the same for all."""
    with pytest.warns(RunWarning, match="TIME STEP changes"):
        run = simulate(_clock("rate = 1\ns = INTEG(rate, 0)", SHORTER, "2"), {"rate": [1, 2, 3]})
    assert run.s.values.tolist() == [[0, 0, 0], [2, 4, 6], [4, 8, 12]]
    with pytest.raises(SimulationError, match="TIME STEP, SAVEPER or FINAL TIME differs between members"):
        simulate(_clock("rate = 1\ns = INTEG(rate, 0)", "IF THEN ELSE(s > 1, 1, 0.5)"), {"rate": [1, 2]})


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (_clock("x = 1", "1 - Time"), {}, "^TIME STEP becomes 0 at time 1; it must be a number above 0"),
        (_clock("x = 1", "1", "1 - Time"), {}, "^SAVEPER becomes 0 at time 1; it must be a number above 0"),
        (_clock("x = 1", SHORTER, final="1/(Time - 1)"), {}, "FINAL TIME is -1, before INITIAL TIME"),
        (_clock("x = 1", SHORTER, final="2/(1 - Time)"), {}, "FINAL TIME becomes inf at time 1"),
        (_clock("x = 1", SHORTER, final="4 + 0/MAX(0, 1 - Time)"), {}, "FINAL TIME becomes nan at time 1"),
        (_clock("x = DELAY FIXED(1, 2, 0)", SHORTER), {}, "a DELAY FIXED counts time steps; make TIME STEP a constant"),
        (_clock("x = 1", SHORTER), {"integrator": "diff"}, "which the integrator diff does not support"),
        (_clock("x = 1", SHORTER, final="Time + 1"), {}, "still ahead of Time after .* steps"),
        (_clock("x = 1", "1 - Time / 4", final="5"), {}, "make it a number that a run reaches, or TIME STEP longer"),
    ],
)
def test_settings_that_cannot_change_so_are_refused(monkeypatch, model, options, message):
    monkeypatch.setattr("sdmodel.simulation.schedule._MOST_GROWTH", 1000)
    with pytest.raises(SimulationError, match=message):
        simulate(model, **options)


def test_what_needs_equal_steps_refuses_a_time_step_that_changes(tmp_path):
    """SAVEPER follows it in most models, and is not the cause. An auxiliary cannot be set."""
    model = _clock(DECAY, SHORTER)
    with pytest.raises(SimulationError, match="^TIME STEP changes during the run, which is not supported here"):
        prepare_simulation(model, {}, [Cell("stock")])
    with pytest.raises(ScenarioError):
        simulate(model, {"TIME STEP": 1})
