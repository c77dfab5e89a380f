"""Functions of Vensim's manual that read the past: their values computed a second time, in every way to run a model."""

from __future__ import annotations

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.testing import WasmInstance, differences_from_run, tiny_model

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


def _same(found, expected):
    for name in expected.data_vars:
        np.testing.assert_array_equal(np.asarray(found[name], dtype=float), expected[name].values.astype(float), name)


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_runs_that_go_on_and_members_beside_others_have_the_same_numbers(whole, integrator):
    """A run that goes on from the middle of another, and each of some members."""
    run = sd.simulate(whole, integrator=integrator)
    _same(sd.simulate(whole, start=run, at=11.5).sel(time=slice(12, None)), run.sel(time=slice(12, None)))
    many = sd.simulate(whole, {"cost": [40.0, 20.0, 40.0]}, integrator=integrator)
    _same(many.isel(member=2), many.isel(member=0))
    for name in run.data_vars:
        found = many[name].isel(member=0) if "member" in many[name].dims else many[name]
        np.testing.assert_allclose(np.asarray(found, dtype=float), run[name], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_module_for_a_browser_has_the_same_numbers(integrator):
    whole = model(integrator)
    instance = WasmInstance(sd.compile_wasm(whole))
    assert max(differences_from_run(instance.description, instance.run()[1], sd.simulate(whole)).values()) < 1e-12
