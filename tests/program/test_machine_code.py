"""Machine code compared with scalar evaluation of the same algebra, and with closed solutions."""

from __future__ import annotations

import ctypes
import gc
import math
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sdmodel.cache import OFF, SETTING
from sdmodel.model import FUNCTIONS, Cell, Start, Table, evaluate, plan
from sdmodel.model.functions.lookups import look_up
from sdmodel.program import Arguments, compile_program, compiled, host, machine
from sdmodel.program.assembly import module_text
from sdmodel.program.compiled import QUICK_STEPS
from sdmodel.program.ir import Mathematics
from sdmodel.program.machine import assemble
from sdmodel.simulation import simulate
from sdmodel.testing import benchmark_text, tiny_model
from sdmodel.vensim import model_from_text

numbers = st.floats(-50, 50).map(lambda x: round(x, 3))
_BINARY = ["{} + {}", "{} - {}", "{} * {}", "{} / {}", "MIN({}, {})", "MAX({}, {})", "ZIDZ({}, {})", "QUANTUM({}, {})"]
_UNARY = [
    "-({})",
    "ABS({})",
    "EXP({}/50)",
    "SIN({})",
    "SQRT(ABS({}))",
    "INTEGER({})",
    "f({})",
    "TANH({})",
    "LN(1+ABS({}))",
]


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.tuples(st.sampled_from(_BINARY), inner, inner).map(lambda t: f"({t[0].format(t[1], t[2])})")
    unary = st.tuples(st.sampled_from(_UNARY), inner).map(lambda t: f"({t[0].format(t[1])})")
    choice = st.tuples(inner, inner, inner, inner).map(lambda t: f"IF THEN ELSE({t[0]} > {t[1]}, {t[2]}, {t[3]})")
    return binary | unary | choice


expressions = st.recursive(
    st.sampled_from(["x", "y", "Time", "k"]) | numbers.map(lambda x: f"({x})"), _grow, max_leaves=12
)


def _close(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(expressions, min_size=5, max_size=5, unique=True), numbers, st.lists(numbers, min_size=3, max_size=3))
@example(["SQRT(ABS(x/y))", "(x/y)^2", "(x/y)^0.5", "1/(x/y)", "(x/y)^3"], 1.0, [0.0, 0.0, 1.0])
@example(["x/INTEGER(x/y)", "x/QUANTUM(x/y, 3)", "x/(x*y)", "INTEGER(x/y)", "x/ABS(y)"], 1.0, [0.0, -12.0, -0.0])
@pytest.mark.filterwarnings("ignore::sdmodel.simulation.NotFiniteWarning")
def test_machine_code_agrees_with_scalar_evaluation(formulas, x, ys):
    """Any expression has the value of scalar evaluation to the last bits, alone and among other members."""
    equations = [f"z{index} = GAME({formula})" for index, formula in enumerate(formulas)]
    known = f"x = {x}\ny = {ys[0]}\nk = 2\nf((-10,3),(0,1),(4,8),(5,8),(20,-2))"
    model = tiny_model("\n".join([known, *equations]), final=0)
    runs = [simulate(model, {"y": y}) for y in ys]
    ensemble = simulate(model, {"y": ys})
    for index, formula in enumerate(formulas):
        expression = model[f"z{index}"].equations[0].expression
        expected = [evaluate({}, expression, {}, Start(model, {Cell("y"): y}).read) for y in ys]
        alone = [float(run[f"z{index}"][0]) for run in runs]
        together = ensemble[f"z{index}"][0].values
        assert all(map(_close, alone, expected)), (formula, alone, expected)
        assert all(map(_close, together, expected)), (formula, together, expected)


_POINTS = st.lists(st.tuples(st.integers(-20, 20), numbers), min_size=1, max_size=40)


@settings(max_examples=12, deadline=None)
@given(st.lists(_POINTS, min_size=3, max_size=3), st.lists(st.floats(-25, 25), min_size=9, max_size=9))
def test_lookups_are_the_same_for_one_member_and_for_many(tables, xs):
    """Every kind of lookup agrees with a plain search, for any table: sorted or not, with steps, short or long."""
    ways = {"between": "f{0}(x)"} | {
        way: f"LOOKUP {way.upper()}(f{{0}}, x)" for way in ("extrapolate", "forward", "backward")
    }
    lines = [f"f{index}({','.join(f'({a},{b})' for a, b in points)})" for index, points in enumerate(tables)]
    lines += [f"{way}{index} = {call.format(index)}" for way, call in ways.items() for index, _ in enumerate(tables)]
    model = tiny_model("\n".join(["x = 0", *lines]), final=0)
    ensemble = simulate(model, {"x": xs})
    runs = [simulate(model, {"x": x}) for x in xs]
    for way in ways:
        for index, points in enumerate(tables):
            together = ensemble[f"{way}{index}"][0].values
            alone = [float(run[f"{way}{index}"][0]) for run in runs]
            expected = [look_up(way, Table(points), x) for x in xs]
            assert np.array_equal(together, alone), (way, points)
            assert np.allclose(together, expected, rtol=1e-12, atol=1e-9), (way, points)


@pytest.mark.parametrize(
    "name", ["EXP", "LN", "SIN", "COS", "TAN", "ARCSIN", "ARCCOS", "ARCTAN", "SINH", "COSH", "TANH"]
)
def test_elementary_functions_are_as_accurate_as_the_c_library(name):
    """Vector functions agree with scalar ones to 1e-12 over their whole domain, and with themselves exactly."""
    domain = {"EXP": (-300, 300), "LN": (1e-9, 1e9), "ARCSIN": (-1, 1), "ARCCOS": (-1, 1)}.get(name, (-20, 20))
    xs = np.linspace(*domain, 1001)
    values = simulate(tiny_model(f"x = 1\ny = {name}(x)", final=0), {"x": xs}).y[0].values
    expected = np.array([FUNCTIONS[name].evaluate(x) for x in xs])
    assert np.allclose(values, expected, rtol=1e-12, atol=1e-15)


def test_powers_are_as_accurate_as_the_c_library():
    """`^` agrees with `pow` of the C library to 1e-12, for whole and fractional exponents."""
    base, exponent = np.meshgrid(np.geomspace(1e-3, 1e3, 31), np.linspace(-9, 9, 73))
    values = (
        simulate(tiny_model("x = 1\np = 1\ny = x ^ p", final=0), {"x": base.ravel(), "p": exponent.ravel()}).y[0].values
    )
    assert np.allclose(values, np.float_power(base, exponent).ravel(), rtol=1e-12)


@pytest.mark.parametrize(("integrator", "order"), [("euler", 1), ("diff", 1), ("rk2", 2), ("rk4", 4)])
def test_an_integrator_has_its_theoretical_order(integrator, order):
    """Halving the step divides the error by 2 to the power of the order (a harmonic oscillator over one period)."""
    errors = []
    for step in (1 / 16, 1 / 32, 1 / 64):
        model = tiny_model("x = INTEG(v, 1)\nv = INTEG(-x, 0)", final=6, step=step)
        errors.append(abs(float(simulate(model, integrator=integrator).x[-1]) - math.cos(6)))
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    assert rates == pytest.approx([order, order], abs=0.2)


@pytest.mark.parametrize("power", range(4))
@pytest.mark.parametrize("step", [0.1, 0.5, 2])
def test_runge_kutta_integrates_powers_of_time_exactly(power, step):
    """It weighs both ends and the middle of a step as Simpson's rule does, which has no error up to the third power."""
    text = f"x = INTEG(Time^{power}, 0)" if power else "x = INTEG(1 + 0*Time, 0)"
    run = simulate(tiny_model(text, initial=-2, final=4, step=step, integrator="rk4"))
    exact = (run.time.values ** (power + 1) - (-2.0) ** (power + 1)) / (power + 1)
    assert np.allclose(run.x, exact, rtol=1e-13, atol=1e-13)


def test_test_inputs_are_constant_during_a_step_of_runge_kutta():
    """STEP, PULSE and RAMP change only at time steps, as the Vensim manual says, so a step falls exactly."""
    model = tiny_model("s = INTEG(STEP(1, 2) + PULSE(4, 1) + RAMP(1, 6, 8), 0)", integrator="rk4")
    assert simulate(model).s.values.tolist() == [0, 0, 0, 1, 2, 4, 5, 6, 8, 11, 14]


def test_time_is_counted_and_not_summed():
    """A step of 0.1 reaches exactly 0.3, and the last of a thousand steps exactly the end."""
    run = simulate(tiny_model("hit = IF THEN ELSE(Time = 0.3, 1, 0)", final=100, step=0.1))
    assert run.time.values[3] == 0.3
    assert run.time.values[-1] == 100
    assert run.hit.values.sum() == 1


@pytest.mark.parametrize(("delay", "steps"), [(0, 1), (0.5, 1), (1.2, 1), (1.5, 2), (3.7, 4)])
def test_a_fixed_delay_lasts_whole_steps(delay, steps):
    """DELAY FIXED takes max(1, round half up) steps (Vensim's output in the public test of it)."""
    run = simulate(tiny_model(f"y = DELAY FIXED(Time, {delay}, -1)"))
    assert run.y.values.tolist() == [-1.0] * steps + [float(t) for t in range(11 - steps)]


def test_fixed_delays_may_differ_between_members():
    """Each member has its own delay, which is fixed at its start."""
    run = simulate(tiny_model("t = 1\ny = DELAY FIXED(Time, t, -1)"), {"t": range(1, 12)})
    for member in range(11):
        length = member + 1
        assert run.y.values[:, member].tolist() == ([-1.0] * length + [float(t) for t in range(11)])[:11]


def test_pulse_train_includes_its_end():
    """The last pulse occurs at the end itself (Vensim's output file of the public test)."""
    run = simulate(tiny_model("p = PULSE TRAIN(5, 1, 5, 30)", final=40))
    assert run.time.values[run.p.values == 1].tolist() == [5, 10, 15, 20, 25, 30]


def test_pulses_between_time_steps_have_equal_lengths():
    """A pulse of one step never lasts two, and the first is as long as the rest, wherever between steps it begins."""
    run = simulate(tiny_model("y = PULSE TRAIN(0, 0.1, 0.25, 10)", final=1.3, step=0.1))
    on = run.y.values.astype(int).tolist()
    assert sum(on) == 6
    assert "1, 1" not in str(on)
    run = simulate(tiny_model("x = PULSE TRAIN(0.5, 1, 2, 20)"))
    assert run.x.values[:6].tolist() == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("width", [0, 0.1, 0.5, 0.6, 0.8, 1])
def test_a_pulse_of_a_train_lasts_at_least_one_step(width):
    """The duration of the manual; a longer one ends at the step whose middle it does not reach."""
    run = simulate(tiny_model(f"p = PULSE TRAIN(1, {width}, 3, 9)\nw = {width}\nq = PULSE TRAIN(1, w, 3, 9)", step=0.5))
    on = [t for begin in (1, 4, 7) for t in ((begin, begin + 0.5) if width > 0.75 else (begin,))]
    assert run.time.values[run.p.values == 1].tolist() == on
    assert run.q.values.tolist() == run.p.values.tolist()


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_a_vector_function_takes_whole_registers_only(width):
    """Any other number of members, and a function that the vector library lacks, goes to the C library one by one."""
    text = Mathematics(4, {"exp": "vector_exp"}).text(width)
    assert ("@vector_exp(<4 x double>" in text) == (width == 4)
    assert "@vector_exp(double" not in text
    assert text.count("call double @exp(") == (0 if width == 4 else width)
    assert text.count("call double @log(") == width


def test_a_register_of_a_vector_function_holds_as_many_doubles_as_its_letter_says():
    """The letters of the vector function ABI stand for registers of 128, 256 and 512 bits."""
    bits = {"b": 128, "d": 256, "e": 512}
    assert {letter: 64 * width for _, letter, width in machine._VECTOR_ABI} == bits


def test_a_missing_value_is_a_finite_number():
    """:NA: equals itself, is below zero, and is shown as missing."""
    run = simulate(tiny_model("a = :NA:\nb = IF THEN ELSE(a = :NA:, 1, 0)\nc = IF THEN ELSE(a < 0, 1, 0)"))
    assert math.isnan(run.a.values.flat[0])
    assert (float(run.b[0]), float(run.c[0])) == (1, 1)


def test_a_third_order_delay_keeps_its_order_when_it_is_short():
    """DELAY3 with a delay of one time step oscillates, as in Vensim."""
    run = simulate(tiny_model("y = DELAY3(10 + STEP(10, 0) * 0 + STEP(-10, 1), 1)", final=6))
    assert run.y.values.min() < -100


def test_members_do_not_depend_on_other_members():
    """A member has the same numbers to the last bit in any ensemble, even in the last, half-filled register.

    One run alone takes the scalar functions of the C library, and agrees to 1e-12.
    """
    model = model_from_text(benchmark_text(), "large.mdl")
    constant = next(element for element in model if element.kind == "constant" and element.group != "Control")
    value = float(constant.equations[0].expression)
    values = value * np.linspace(0.9, 1.1, 2 * host().width + 3)
    together = simulate(model, {constant.name: values})
    for member in (0, host().width, len(values) - 1):
        pair = simulate(model, {constant.name: values[[member, 1]]})
        alone = simulate(model, {constant.name: values[member]})
        for name, variable in together.data_vars.items():
            varies = "member" in variable.dims
            part = variable.isel(member=member) if varies else variable
            assert np.array_equal(part, pair[name].isel(member=0) if varies else pair[name]), name
            assert np.allclose(part, alone[name], rtol=1e-12, atol=0), name


def test_the_kernel_takes_its_arguments_as_the_structure_lays_them_out():
    """The type in the assembly has the size and the fields of `Arguments`, which are all of eight bytes."""
    program = compile_program(tiny_model("a = 1"))
    text = module_text(program.layout, 1, host().mathematics)
    (line,) = (line for line in text.splitlines() if line.startswith("%arguments = type"))
    assert line.count(",") + 1 == len(Arguments._fields_)
    assert ctypes.sizeof(Arguments) == 8 * len(Arguments._fields_)
    for name, kind in Arguments.types("ptr").items():
        assert f"  %{name} = load {kind}, ptr" in text


def test_a_second_call_uses_the_same_code():
    """Compiled code is cached per model."""
    model = tiny_model("a = 1")
    assert compile_program(model) is compile_program(model)
    assert compile_program(model).code(1) is compile_program(model).code(1)


@pytest.mark.parametrize("integrator", ["euler", "rk4", "rk4-auto"])
def test_code_without_optimisation_computes_the_same_bits(integrator: str, monkeypatch: pytest.MonkeyPatch):
    """Also powers that LLVM replaces by other functions, and constants that it computes itself."""
    monkeypatch.setenv(SETTING, OFF)
    text = """
        x = Time / 7.3 + 0.01 + stock * 0
        stock = INTEG(x * 0.01 - stock / 3, 1)
        powers = 2^x + 10^x + x^0.5 + x^3 + x^(-0.5) + 4^x + POWER(2, x) + (x^2)^0.5 + x^(1/3)
        fixed = EXP(1) + SIN(0.3) + 3.7^0.31 + LN(3.3)
        rest = EXP(x) + LN(x) + TAN(x) + MODULO(x, 0.37) + LN(2^x) + IF THEN ELSE(x > 1, SQRT(x), ABS(-x)) + f(x)
        f((0,0),(1,2),(5,3))
    """
    model = tiny_model(text, final=50, step=0.125, integrator=integrator)
    quick, program = simulate(model), compile_program(model)
    (code,) = program._codes.values()
    assert not code.optimised
    assert program.code(1, adaptive=integrator.endswith("auto")).optimised
    best = simulate(model)
    for name in ("stock", "powers", "fixed", "rest"):
        assert quick[name].values.tobytes() == best[name].values.tobytes()


def test_many_steps_are_worth_optimised_code(monkeypatch: pytest.MonkeyPatch):
    """It replaces the code of the first runs, and is used at once for a run that is long."""
    monkeypatch.setenv(SETTING, OFF)
    model = tiny_model("x = INTEG(1, 0)", final=1000)
    program = compile_program(model)
    for _ in range(QUICK_STEPS // 1000 - 1):
        simulate(model)
    assert not program.code(1, steps=0).optimised
    simulate(model)
    assert program.code(1, steps=0).optimised
    long = tiny_model("x = INTEG(1, 0)", final=QUICK_STEPS)
    simulate(long)
    assert compile_program(long).code(1, steps=0).optimised


MEMORIES = """
    stock = INTEG(inflow - outflow, 5)
    inflow = DELAY FIXED(pulse * scale, 1.5, 0)
    pulse = PULSE(2, 1) * 3
    outflow = SAMPLE IF TRUE(MODULO(Time, 3) = 0, rate, 1)
    rate = stock / 4
    shown = rate * 2 + best
    best = VMAX(parts[part!])
    part: a, b, c
    parts[part] = stock * part + taken
    taken = SHIFT IF TRUE(shelf[a], Time > 2.9, 3, 0, 1)
    shelf[part] = INTEG(0, part)
    late = DELAY MATERIAL(shown, 2, 0, 0)
    scale = 1
"""


@pytest.mark.parametrize("integrator", ["euler", "rk4", "rk2-auto"])
@pytest.mark.parametrize("scale", [1.0, [1.0, 2.0, 3.0]])
def test_many_steps_are_worth_code_that_stores_only_what_is_saved(
    integrator: Any, scale: Any, monkeypatch: pytest.MonkeyPatch
):
    """It leaves out most stores, and computes the same bits, whatever has a memory."""
    model = tiny_model(MEMORIES, final=12, step=0.25)
    program = compile_program(model)
    whole = simulate(model, {"scale": scale}, integrator=integrator)
    monkeypatch.setattr(compiled, "_SAVED_STEPS", 100)
    for name in ("stock", "shown", "late", "outflow", "parts"):
        for _ in range(4):
            found = simulate(model, {"scale": scale}, integrator=integrator, save=[name])
            assert np.array_equal(found[name].values, whole[name].values), name
    saved = program.grid(model["stock"]).rows
    assert sum(bool(rows) for *_, rows in program._codes) == 5
    texts = [module_text(program.layout, 1, host().mathematics, saved=rows) for rows in (None, saved)]
    assert texts[0].count("; row") > 2 * texts[1].count("; row") > 0


def test_large_models_are_cut_into_functions():
    """A chain of equations that is longer than one function of the assembly still computes."""
    lines = "\n".join(f"x{i} = x{i + 1} + 1" for i in range(1000))
    run = simulate(tiny_model(f"{lines}\nx1000 = Time"), save=["x0"])
    assert float(run.x0[-1]) == 1010


@pytest.mark.parametrize("sign", "+*")
def test_long_sums_are_cut_into_functions(sign: str):
    """The assembly of a sum of thousands of terms has no function that grows with it, alone and with other members."""
    model = tiny_model(f"a = Time + k\nb = 1\nk = 0\nx = a - ({sign.join(['b / (a + 1)'] * 3000)})")
    for width in (1, host().width):
        text = module_text(compile_program(model).layout, width, host().mathematics)
        assert max(part.count("\n") for part in text.split("\ndefine ")) < 6000
    run = simulate(model, {"k": [0.0, 1.0]})
    shares = 1 / (run["a"].values + 1)
    product = np.cumprod(np.broadcast_to(shares, (3000, *shares.shape)), axis=0)[-1]
    assert np.allclose(run["x"], run["a"].values - (3000 * shares if sign == "+" else product))


def test_hidden_stocks_start_where_vensim_starts_them():
    """A smooth starts at its input, a delay in equilibrium."""
    found = plan(tiny_model("x = 3\ny = SMOOTH(x, 2) + DELAY1(x, 2)"))
    assert len(found.stocks) == 2
    run = simulate(tiny_model("x = 3\ny = SMOOTH(x, 2) + DELAY1(x, 2)"))
    assert isinstance(run, xr.Dataset)
    assert set(run.y.values.tolist()) == {6.0}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory of the process from Linux")
def test_memory_of_compiled_models_is_given_back():
    """A session that compiles model after model does not grow: less than 25 KiB a model stay, where 80 KiB would be a leak."""
    text = module_text(compile_program(tiny_model("x = INTEG(RAMP(Time, 1, 2), 0)")).layout, 1, host().mathematics)

    def kibibytes() -> float:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1024

    def compile_models(count: int) -> float:
        for _ in range(count):
            assemble(text, alone=True, quick=False)
        return kibibytes()

    warm = compile_models(20)
    assert compile_models(40) - warm < 40 * 25
