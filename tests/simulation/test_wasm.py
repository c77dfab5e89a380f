"""Models as WebAssembly modules give the numbers of native code, in wasmtime and in node."""

from __future__ import annotations

import itertools
import json
import math
import shutil

import numpy as np
import pytest
import wasmtime
from hypothesis import example, given
from hypothesis import strategies as st

import sdmodel as sd
from sdmodel.errors import ScenarioError, SimulationError
from sdmodel.model import INTEGRATORS
from sdmodel.program import machine, wasm
from sdmodel.testing import WasmInstance, differences_from_run, model_text, run_in_node, tiny_model
from sdmodel.vensim import model_from_text, scenario_from_text

EVERYTHING = r"""
side: left, right
level[side] = INTEG(flow[side] - loss[side], start[side])
start[left] = 3
start[right] = 5
flow[side] = curve(level[side]/10) * (1 + 0.2*SIN(Time)) + MODULO(Time*1.7, share)
loss[side] = level[side]^1.3/20 + EXP(-Time/5) + DELAY FIXED(level[side]/50, pause, 0.25)
curve((0,0),(0.2,0.5),(0.5,0.9),(1,1.1),(2,1.15))
share = 0.6
pause = 1.5
order = 2
smoothed[side] = SMOOTH3(level[side], 2)
delayed = DELAY N(level[left], 2, 1, order)
sample[side] = SAMPLE IF TRUE(COS(Time) > 0, level[side], -1)
total = SUM(level[side!]) + VMAX(start[side!])
lookups = LOOKUP EXTRAPOLATE(curve, 3) + LOOKUP FORWARD(curve, 0.3) + LOOKUP BACKWARD(curve, 0.3)
elementary = LN(1 + Time) + TAN(Time/9) + ARCSIN(share) + ARCCOS(share) + ARCTAN(Time) + SINH(share) + COSH(share) + TANH(Time)
tests = STEP(1, 2) + PULSE(3, 1) + PULSE TRAIN(1, 0.5, 2, 9) + RAMP(1, 2, 6)
whole = INTEGER(-Time/3) + QUANTUM(Time, 0.7) + ABS(-share) + SQRT(Time) + XIDZ(1, Time - 2, 7) + ZIDZ(1, Time)
bounds = MIN(MAX(Time, 2), 6) + IF THEN ELSE(Time > 3 :AND: :NOT: share > 1, 1, 2)
missing = IF THEN ELSE(Time > 5, :NA:, Time)
first = INITIAL(total) + ACTIVE INITIAL(Time, 4)
trend = TREND(total, 3, 0.1)
partly[left] = Time
"""
NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.fixture(scope="module")
def everything():
    return tiny_model(EVERYTHING, step=0.125, saveper=0.5, integrator="rk4")


@pytest.fixture(scope="module")
def module(everything):
    return sd.compile_wasm(everything)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_a_module_computes_the_numbers_of_native_code(everything, integrator):
    """Every kind of function and memory, by every integrator, as often as one likes: no member depends on those before it."""
    instance = WasmInstance(sd.compile_wasm(everything, integrator=integrator))
    changes = {"share": 0.45, "start[right]": 9.0, "pause": 0.7}
    results = []
    for constants in ({}, changes, {}):
        run = sd.simulate(everything, constants, integrator=integrator)
        finite, series = instance.run(constants)
        assert finite
        assert max(differences_from_run(instance.description, series, run).values()) < 1e-12
        results.append(np.array(series))
    assert np.array_equal(results[0], results[2], equal_nan=True)
    assert not np.array_equal(results[0], results[1], equal_nan=True)


@NODE
def test_a_module_runs_with_the_mathematics_of_javascript(everything, module):
    """The module that imports `Math` runs in node, and agrees with native code."""
    assert len(module.description["imports"]["Math"]) == 12
    changes = {"share": 0.45, "start[right]": 9.0}
    series = run_in_node(module, changes)
    assert max(differences_from_run(module.description, series, sd.simulate(everything, changes)).values()) < 1e-12


def test_the_difference_of_a_series_is_told(module, everything):
    """The comparison is not blind: a number that is off, missing or infinite counts."""
    run, (_, series) = sd.simulate(everything), WasmInstance(module).run()
    cells = [record["cell"] for record in module.description["outputs"]]
    for value, least in ((series[0][3] * (1 + 1e-6), 1e-8), (math.nan, math.inf), (math.inf, math.inf)):
        changed = [values.copy() for values in series]
        changed[0][3] = value
        found = differences_from_run(module.description, changed, run)
        assert found[cells[0]] >= least
        assert max(found[cell] for cell in cells[1:]) < 1e-12


def test_two_modules_of_a_model_are_equal(module, everything):
    """So that a page that is made again does not change."""
    again = sd.compile_wasm(everything)
    assert (again.code, again.description) == (module.code, module.description)


FAILING = {
    "a stock grows without bound": "x = INTEG(x*x, 2)\ny = x - 1\nz = 3*Time",
    "a variable divides by zero for a while": "y = 1/(Time - 4)\nz = INTEG(Time, 0)",
    "a variable is not finite at the start": "x = INTEG(y, 1)\ny = LN(Time - 2)",
    "an initial value is not finite": "x = INTEG(1, 1/zero)\nzero = 0\ny = 2*x",
    "a variable is minus infinity for a while": "y = -1/(Time - 4)^2\nz = INTEG(Time, 0)",
    "a level inside a function grows without bound": "y = 2*x\nx = SMOOTH3I(Time, -1e-30, 1)",
    "one label fails": "side: left, right\nx[side] = INTEG(x[side]^rate[side], 2)\nrate[left] = 1\nrate[right] = 3\ny = Time",
    "two fail at one moment": "b = a + 1/(Time - 3)\na = 1/(3 - Time)\nx = INTEG(b, 0)\nw = x",
    "a delay passes it on": "x = DELAY FIXED(1/(Time - 2), 3, 0)\ny = INTEG(x, 0)",
    "a sample holds it": "x = SAMPLE IF TRUE(Time = 4, SQRT(-Time), 1)\ny = SMOOTH(x, 2)",
}


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.NotFiniteWarning")
@pytest.mark.parametrize("searched", [None, 1])
@pytest.mark.parametrize("integrator", ["euler", "diff", "rk4"])
@pytest.mark.parametrize("text", FAILING.values(), ids=FAILING)
def test_what_fails_first_is_found_as_in_native_code(text, integrator, searched, monkeypatch):
    """The same cell at the same time, also where cells are searched one by one; the series are those of native code, too."""
    if searched:
        monkeypatch.setattr(wasm, "_SEARCHED", searched)
    model = tiny_model(text, step=0.5, saveper=1, integrator=integrator)
    instance = WasmInstance(
        sd.compile_wasm(model, save=[element.name for element in model if element.kind != "constant"][:2])
    )
    run = sd.simulate(model)
    finite, series = instance.run()
    found = instance.find_fault()
    assert not finite
    assert found is not None
    assert run.attrs["not_finite"].startswith(f"'{found[0]}' is not finite from time {found[1]:g}; ")
    assert max(differences_from_run(instance.description, series, run).values()) < 1e-12
    assert np.array_equal(instance.run()[1], series, equal_nan=True)


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
def test_a_stock_that_nobody_saves_fails_too():
    """A run is not finite if any stock is not; a saved value is blank from the step of the failure on, not before."""
    text = "x = INTEG(IF THEN ELSE(Time > 1.99, 10^308 * 10, 0), 0)\ny = Time"
    model = tiny_model(
        text, step=0.2, saveper=0.7, final=2.8
    )  # fails at step 11, where 0.7 is saved for the fourth time
    for save in (["y"], ["x"]):
        instance = WasmInstance(sd.compile_wasm(model, save=save))
        finite, series = instance.run()
        assert (finite, instance.status("broken"), instance.find_fault()) == (False, 11, ("x", 2.2))
        assert max(differences_from_run(instance.description, series, sd.simulate(model, save=save)).values()) == 0


def test_a_finite_run_has_no_fault(module):
    """A missing value is none, and the search leaves the results alone."""
    instance = WasmInstance(module)
    _, series = instance.run()
    assert instance.find_fault() is None
    outputs = {record["cell"]: values for record, values in zip(module.description["outputs"], series, strict=True)}
    assert np.isnan(outputs["missing"][11:]).all()
    assert np.isfinite(outputs["missing"][:11]).all()
    assert (instance.status("broken"), instance.status("inexact")) == (-1, -1)


def test_a_missed_tolerance_is_reported():
    """The first step that automatic steps do not compute exactly enough."""
    model = tiny_model("x = INTEG(IF THEN ELSE(Time > 2.3, 1e9, 0), 0)", integrator="rk4-auto")
    with pytest.warns(sd.simulation.RunWarning, match="do not meet the tolerances of rk4-auto from time 2"):
        sd.simulate(model)
    instance = WasmInstance(sd.compile_wasm(model))
    assert instance.run()[0]
    assert instance.status("inexact") == 3


def test_remarks_are_those_of_a_run():
    """What `simulate` warns of, as far as it does not depend on the inputs."""
    model = tiny_model("x = DELAY N(Time, 3, 0, order)\norder = 2.2", final=10.5, integrator="rk2")
    with pytest.warns(sd.simulation.RunWarning) as warned:
        sd.simulate(model)
    remarks = sd.compile_wasm(model).description["remarks"]
    assert len(remarks) == 3
    assert remarks == str(warned[0].message).splitlines()


@pytest.fixture(scope="module")
def remainder():
    return WasmInstance(sd.compile_wasm(tiny_model("x = 1\nbase = 1\ny = MODULO(x, base)", final=0), save=["y"]))


_ANY = st.floats(allow_nan=False, allow_infinity=False)


@given(_ANY, _ANY)
@example(-6.0, 3.0)
@example(5e-324, 1e-320)
@example(1.7e308, 5e-324)
@example(1.7e308, 1.1e308)
@example(-7.5, 0.0)
def test_remainders_are_exact(remainder, x, base):
    """The remainder that the module computes itself has the bits of the C library's."""
    (value,) = remainder.run({"x": x, "base": base})[1]
    expected = math.fmod(x, base) if base else math.nan
    assert value.tobytes() == np.array([expected]).tobytes() or (math.isnan(value[0]) and math.isnan(expected))


def test_a_description_locates_every_number(module, everything):
    """It can be written as JSON; what is written or read is aligned, apart from the rest, and inside the memory."""
    description = module.description
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    lines = len(description["time"]["saved"])
    inputs, outputs = ([record["offset"] for record in description[kind]] for kind in ("inputs", "outputs"))
    spans = [(own, own + 8) for own in (*inputs, *description["status"].values())]
    spans = sorted([*spans, *((own, own + 8 * lines) for own in outputs)])
    assert all(begin % 8 == 0 for begin, _ in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    assert spans[0][0] > 0
    assert spans[-1][1] <= description["memory"]
    assert description["time"] | {"saved": 0} == {"units": "Year", "initial": 0, "final": 10, "step": 0.125, "saved": 0}
    assert description["time"]["saved"] == sd.simulate(everything).time.values.tolist()
    assert description["exports"] == {"memory": "memory", "run": "run", "find_fault": "find_fault"}
    assert description["version"] == sd.__version__
    code = wasmtime.Module(wasmtime.Engine(), module.code)
    assert {export.name for export in code.exports} == set(description["exports"])
    assert [f"{own.module}.{own.name}" for own in code.imports] == [
        f"Math.{own}" for own in description["imports"]["Math"]
    ]


def test_inputs_are_the_constants_that_may_change(everything):
    """Not those that decide times, tolerances or orders of delays; outputs are the cells with an equation."""
    model = tiny_model(f"{EVERYTHING}\nunchangeable == 3\nlate = late part + 10\nlate part = 1")
    description = sd.compile_wasm(model).description
    cells = [record["cell"] for record in description["inputs"]]
    assert cells == ["start[left]", "start[right]", "share", "pause", "late part"]
    assert description["inputs"][1] | {"offset": 0} == {
        "cell": "start[right]", "name": "start", "labels": ["right"], "units": "", "offset": 0, "value": 5
    }  # fmt: skip
    outputs = [record["cell"] for record in description["outputs"]]
    assert outputs[:2] == ["level[left]", "level[right]"]
    assert "partly[left]" in outputs
    assert not {"partly[right]", "share", "curve"} & set(outputs)
    chosen = sd.compile_wasm(everything, save=["total", "pause"], inputs=["Share", "start[right]"])
    assert [record["cell"] for record in chosen.description["inputs"]] == ["share", "start[right]"]
    assert [record["cell"] for record in chosen.description["outputs"]] == ["total", "pause"]
    assert np.array_equal(WasmInstance(chosen).run({"start[right]": 7})[1][1], np.full(21, 1.5))


def test_a_scenario_sets_the_base(everything):
    """Its constants are the values of inputs, its lookups part of the code, and its times those of the run."""
    scenario = scenario_from_text("share = 0.3\ncurve((0,0),(2,4))\nTIME STEP = 0.25\norder = 3")
    module = sd.compile_wasm(everything, scenario=scenario)
    instance = WasmInstance(module)
    values = {record["cell"]: record["value"] for record in module.description["inputs"]}
    held = [float(instance._numbers(record["offset"])[0]) for record in module.description["inputs"]]
    assert held == list(values.values())
    assert values["share"] == 0.3
    _, series = instance.run()
    run = sd.simulate(everything, scenario=scenario)
    assert max(differences_from_run(module.description, series, run).values()) < 1e-12


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"save": ["totl"]}, SimulationError, "save: 'totl' is not in the model; did you mean 'total'?"),
        ({"save": []}, SimulationError, "save: the list is empty"),
        (
            {"inputs": ["shar", "nothing"]},
            ScenarioError,
            r"inputs: 'shar' is not in the model; did you mean 'share'\?\n",
        ),
        ({"inputs": ["total"]}, ScenarioError, "inputs: 'total' is an auxiliary, not a constant"),
        ({"inputs": ["start[up]"]}, ScenarioError, "inputs: .*up"),
        ({"inputs": "TIME STEP"}, ScenarioError, "inputs: 'TIME STEP' decides the times of a run, .*; leave it out"),
        ({"inputs": ["order"]}, ScenarioError, "inputs: 'order' decides .* the order of a delay"),
    ],
)
def test_wrong_options_are_faults(everything, options, error, message):
    with pytest.raises(error, match=message):
        sd.compile_wasm(everything, **options)


def test_what_a_page_cannot_hold_is_refused(monkeypatch):
    """By one line each: memory before anything is compiled, code, an end that moves, and an LLVM without the target."""
    large = tiny_model("x = INTEG(1, 0)\ny = x", final=1e7)
    with pytest.raises(
        SimulationError, match="needs .* MiB of memory, above the 256 MiB of a page; save fewer variables"
    ):
        sd.compile_wasm(large)
    with pytest.raises(SimulationError, match="FINAL TIME changes during the run"):
        sd.compile_wasm(
            model_from_text(model_text("x = Time").replace("FINAL TIME = 10", "FINAL TIME = 5 + Time/2"), "m.mdl")
        )
    model = tiny_model("x = INTEG(1, 0)")
    monkeypatch.setitem(wasm._LIMITS, "code", (100, "use fewer subscripts"))
    for shortest in (wasm._SHORTEST, 10**9):  # judged by the assembly, then by the code
        monkeypatch.setattr(wasm, "_SHORTEST", shortest)
        with pytest.raises(SimulationError, match="of code, above the .* of a page; use fewer subscripts"):
            sd.compile_wasm(model)
    monkeypatch.undo()
    monkeypatch.setattr(machine, "_WASM", "nothing-unknown-unknown")
    with pytest.raises(SimulationError, match="llvmlite cannot emit WebAssembly"):
        sd.compile_wasm(model)
