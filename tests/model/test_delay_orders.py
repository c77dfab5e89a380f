"""DELAY N and SMOOTH N: an order for every label, held within a step, lowered and rounded orders that are reported."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from sdmodel.checking import find_loops
from sdmodel.errors import SdmodelError
from sdmodel.model import INTEGRATORS, Model, without_subscripts
from sdmodel.reading import read_model
from sdmodel.simulation import NotFiniteWarning, RunWarning, simulate
from sdmodel.testing import tiny_model
from sdmodel.vensim import mdl_text, model_from_text

ARRAYS = {
    "orders of labels": """r: a, b, c
        ord[r] = 1, 3, 2
        u[r] = 1, 2, 3
        x[r] = DELAY N(u[r]*Time, 6, u[r], ord[r])
        y[r] = SMOOTH N(u[r]*Time, 6, 0, ord[r])""",
    "delay times of labels": """r: a, b
        tau[r] = 2, 8
        x[r] = DELAY N(10 + STEP(5, 2), tau[r], 10, 4)
        y[r] = SMOOTH N(10 + STEP(5, 2), tau[r], 10, 4)""",
    "a delay time that changes": """r: a, b, c
        ord[r] = 1, 3, 2
        tau = 6 + STEP(3, 4)
        x[r] = DELAY N(10 + STEP(5, 2), tau, 10, ord[r])
        y[r] = SMOOTH N(10 + STEP(5, 2), tau, 10, ord[r])""",
    "two dimensions with an exception": """r: a, b
        k: m, n
        ord[r,k] = 1, 2; 3, 4;
        x[r,k] :EXCEPT: [a,n] = DELAY N(Time, 7, 0, ord[r,k])
        x[a,n] = DELAY N(Time, 3, 0, 3)""",
    "equations of labels": """r: a, b
        x[a] = SMOOTH N(Time, 6, 0, 2)
        x[b] = SMOOTH N(Time, 6, 0, 5)""",
    "inside a sum": """r: a, b
        k: m, n
        ord[r,k] = 1, 2; 3, 4;
        w[k] = 1, 2
        x[r] = SUM(DELAY N(w[k!]*Time, 8, 0, ord[r,k!]))""",
}


MEMORY = re.compile(r"SMOOTH|DELAY|TREND|FORECAST|SAMPLE IF TRUE", re.IGNORECASE)


def expected(kind: str, values, delay, initial: float, order: int, step: float) -> list[float]:
    """A chain of stages, moved once a time step by the values at its beginning."""
    stage = delay / order
    levels = [initial * (stage if kind == "DELAY N" else 1.0)] * order
    found = []
    for value in values:
        found.append(levels[-1] / (stage if kind == "DELAY N" else 1.0))
        inflow, new = value, []
        for level in levels:
            out = level / stage if kind == "DELAY N" else level
            new.append(level + step * ((inflow - out) if kind == "DELAY N" else (inflow - level) / stage))
            inflow = out
        levels = new
    return found


@pytest.mark.parametrize("kind", ["DELAY N", "SMOOTH N"])
@pytest.mark.parametrize("integrator", ["euler", "rk2", "rk4", "rk4-auto"])
def test_every_label_has_its_own_order_whatever_the_integrator(kind, integrator):
    """The output moves once a time step, as Vensim's manual says of SMOOTH N and DELAY N, also inside its own loop."""
    orders, delays = (1, 3, 2), (6, 8, 4)
    equations = (
        "r: a, b, c\nord[r] = 1, 3, 2\ntau[r] = 6, 8, 4\ninp = 10 + STEP(5, 2)\n"
        f"x[r] = {kind}(inp, tau[r], 9, ord[r])\nfilled[r] = INTEG(x[r], 0)"
    )
    run = simulate(tiny_model(equations, step=0.5), integrator=integrator)
    inputs = [10 + 5 * (time >= 2) for time in run.time.values]
    for place, (order, delay) in enumerate(zip(orders, delays, strict=True)):
        values = expected(kind, inputs, delay, 9, order, 0.5)
        assert run.x[:, place].values == pytest.approx(values, rel=1e-12)
        assert run.filled[:, place].values == pytest.approx([0, *np.cumsum(values)[:-1] * 0.5], rel=1e-12)


def test_a_held_delay_in_a_feedback_loop_reads_the_beginning_of_each_step():
    """The stock that feeds it moves by Runge-Kutta, with the outflow of the delay constant over the step."""
    run = simulate(tiny_model("s = INTEG(4 - x - s, 1)\nx = DELAY N(s, 3, 1, 1)", integrator="rk4", final=5))
    s, level = 1.0, 3.0
    for time in range(6):
        x = level / 3
        assert float(run.s[time]) == pytest.approx(s, rel=1e-12)
        assert float(run.x[time]) == pytest.approx(x, rel=1e-12)
        decay = 1 - 1 + 1 / 2 - 1 / 6 + 1 / 24  # Runge-Kutta of ds/dt = 4 - x - s over one step
        level, s = level + s - x, (4 - x) + (s - (4 - x)) * decay


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_loops_through_delays_of_several_orders_are_found(integrator):
    """Every label has its loop, with a polarity, whatever the integrator of the model."""
    model = tiny_model(
        "r: a, b\nord[r] = 1, 3\ns[r] = INTEG(10 - d[r], 40)\nd[r] = DELAY N(s[r]/5, 6, 10, ord[r])",
        integrator=integrator,
    )
    (loop,) = find_loops(model)
    assert (loop.polarity, set(loop.variables)) == ("B", {"s", "d"})


def both(model: Model, *integrators: str) -> None:
    """Compare a run with one of the text without subscripts, which gives every cell an equation of its own."""
    flat = without_subscripts(model)
    text = model_from_text(mdl_text(flat.model))
    names = flat.model.identifiers
    for integrator in integrators:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole, written = (simulate(one, integrator=integrator) for one in (model, text))
        for cell, name in flat.names.items():
            element = model.elements[cell.key]
            if element.kind == "lookup" or element.hidden:
                continue
            one = whole[model.identifiers[cell.key]]
            at = [
                model.subscripts[dim].positions[label]
                for dim, label in zip(element.dimensions, cell.labels, strict=True)
            ]
            one = one.values[(slice(None), *at)] if "time" in one.dims else one.values[tuple(at)]
            other = written[names[flat.model[name].key]].values
            assert np.allclose(one, other, rtol=1e-12, atol=1e-12, equal_nan=True), cell


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_equals_its_cells_written_out(name):
    """One equation over a range means the same as one for each label."""
    both(tiny_model(ARRAYS[name].replace("        ", "")), "euler", "rk4", "rk2-auto")


def test_public_array_models_equal_their_cells_written_out(shared: Path):
    """Every model with subscripts and delays that can be run, by Euler's method and by Runge-Kutta."""
    compared = 0
    for file in sorted([*(shared / "test-models").rglob("*.mdl"), *(shared / "cases").glob("[0-9]*/*.mdl")]):
        if not MEMORY.search(file.read_text("latin-1")):
            continue
        try:
            model = read_model(file)
            if not model.subscripts or len(model) > 100:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                simulate(model)
        except SdmodelError:
            continue
        both(model, "euler", "rk4")
        compared += 1
    assert compared > 5


def test_an_order_that_is_lowered_or_rounded_is_reported():
    """Vensim warns and lowers an order that would make stages shorter than a time step."""
    equations = "r: a, b\ntau[r] = 2, 9\nx[r] = DELAY N(Time, tau[r], 0, 3)"
    with pytest.warns(RunWarning) as reported:
        run = simulate(tiny_model(equations))
    message = (
        "the delay time of 'x[a]' is 2 at the start, less than 3 time steps of 1 for its order; "
        "the order is lowered to 2; a TIME STEP of at most 0.666667 keeps it"
    )
    assert [str(one.message) for one in reported] == [message]
    assert np.array_equal(run.x[:, 1], simulate(tiny_model("x = DELAY N(Time, 9, 0, 3)")).x)
    with pytest.warns(RunWarning, match="the order of 'y' is 2.6 at the start, not a whole number; it is rounded to 3"):
        rounded = simulate(tiny_model("y = SMOOTH N(Time, 6, 0, 2.6)"))
    assert np.array_equal(rounded.y, simulate(tiny_model("y = SMOOTH N(Time, 6, 0, 3)")).y)
    with pytest.warns(RunWarning, match="of 'y' is 0.4 at the start, less than 2 time steps .* lowered to 1"):
        simulate(tiny_model("y = SMOOTH N(Time, 0.4, 0, 2)"))
    with pytest.warns(RunWarning, match="lowered to 1; make the delay time longer"), pytest.warns(NotFiniteWarning):
        simulate(tiny_model("y = SMOOTH N(Time, 0, 0, 2)"))
    with pytest.warns(RunWarning, match="and 2 more orders"):
        simulate(tiny_model("r: (l1-l5)\ny[r] = SMOOTH N(Time, 0.4, 0, 2)"))


def test_an_order_that_just_fits_is_kept():
    """0.3 / 0.1 is 2.9999999999999996 in the numbers of a machine."""
    run = simulate(tiny_model("y = DELAY N(STEP(1, 0.05), 0.3, 0, 3)", step=0.1, final=1))
    assert run.y.values.round(9).tolist() == [0] * 4 + [1] * 7
