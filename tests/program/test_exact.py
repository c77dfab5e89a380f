"""What makes code quicker changes no bit: reciprocals, parts that are computed once, and lookups in registers or memory."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from sdmodel.model import Table
from sdmodel.model.functions.lookups import look_up
from sdmodel.program import compile_program, host
from sdmodel.program.assembly import module_text
from sdmodel.program.machine import assemble
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

_WAYS = ("between", "extrapolate", "forward", "backward")
_SPECIAL = (0.0, -0.0, 5e-324, 1e-310, 2.3e-308, 2.0**-500, 2.0**-501, 1e-150, 1.0, 1e150, 2.0**500, 2.0**501, 1.7e308)
_NEAR_TWO = tuple(2 - k * 2.0**-52 for k in range(1, 9))
_NEAR_ONE = tuple(1 + k * 2.0**-52 for k in range(1, 9))


def _pairs() -> tuple[np.ndarray, np.ndarray]:
    """Dividends and divisors: each special number with each, and random mantissas of moderate size, some of them near another."""
    sampler = np.random.default_rng(1)
    edges = np.array([*_SPECIAL, *_NEAR_TWO, *_NEAR_ONE, *-np.array(_NEAR_TWO)])
    random_one, random_two = sampler.uniform(1, 2, 6000), sampler.uniform(1, 2, 6000)
    near = np.nextafter(random_two, sampler.choice([0.0, 9.0], 6000))
    scale = 2.0 ** sampler.integers(-20, 20, 12_000)
    dividends = np.concatenate([np.repeat(edges, len(edges)), np.concatenate([random_one, near]) * scale])
    divisors = np.concatenate([np.tile(edges, len(edges)), random_two, random_two])
    return dividends, divisors


def _bits(values: np.ndarray) -> np.ndarray:
    """The bits of numbers; those of every nan are the same."""
    return np.where(np.isnan(values), np.nan, values).view(np.int64)


@pytest.mark.filterwarnings("ignore")
def test_a_known_divisor_gives_the_quotient_to_the_last_bit():
    """For any size of both, zero and denormal numbers included, and for the pair that the proof leaves to a test."""
    dividends, divisors = _pairs()
    model = tiny_model("a = 1\nb = 1\nc = 1\nq = a * (1 + 0 * Time) / b\nr = a * (1 + 0 * Time) / (b * c)", final=0)
    run = simulate(model, {"a": dividends, "b": divisors}, save=["q", "r"])
    with np.errstate(all="ignore"):
        expected = dividends / divisors
    finite = np.isfinite(expected)
    assert np.array_equal(_bits(run.q[0].values)[finite], _bits(expected)[finite])
    assert np.array_equal(_bits(run.r[0].values)[finite], _bits(expected)[finite])
    for index in range(0, len(dividends), 199):
        if finite[index]:
            alone = simulate(model, {"a": dividends[index], "b": divisors[index]}, save=["q"])
            assert _bits(alone.q.values)[0] == _bits(expected)[index]


@pytest.mark.filterwarnings("ignore")
def test_a_divisor_in_the_text_gives_the_quotient_to_the_last_bit():
    """Powers of two become factors anywhere, other numbers of moderate size where the processor has fused operations."""
    divisors = [2.0, 0.125, -4.0, 3.0, 140.25, -0.7, 1e-160, 1e160, 2 - 2.0**-52]
    dividends, _ = _pairs()
    model = tiny_model(
        "\n".join(["a = 1", *(f"q{n} = (a + 0 * Time) / ({x!r})" for n, x in enumerate(divisors))]), final=0
    )
    run = simulate(model, {"a": dividends + 0.0})
    for index, divisor in enumerate(divisors):
        with np.errstate(all="ignore"):
            expected = (dividends + 0.0) / divisor
        finite = np.isfinite(expected)
        assert np.array_equal(_bits(run[f"q{index}"][0].values)[finite], _bits(expected)[finite]), divisor


def test_the_start_computes_what_does_not_vary():
    """A step holds neither a division by what is constant, nor a function of constants alone."""
    model = tiny_model("a = 2.5\nb = 3\nx = INTEG(Time / (a + b) * EXP(a) + MAX(a, b) / a, MAX(a, b))\ny = Time / x")
    layout = compile_program(model).layout
    assert len(layout.invariant) == 3  # a + b, EXP(a), MAX(a, b) / a
    text = module_text(layout, host().width, dataclasses.replace(host().mathematics, fused=True))
    step = text.partition("@step_0(")[2].partition("\n}")[0]
    assert step.count("fdiv") == 1
    assert "@m_exp" not in step
    run = simulate(model)
    expected = np.concatenate([[3], 3 + np.cumsum(np.arange(10) / 5.5 * np.exp(2.5) + 3 / 2.5)])
    assert np.allclose(run.x.values, expected, rtol=1e-14)


def test_functions_of_time_vary_though_their_arguments_do_not():
    """Within a sum too, which is computed for all labels at once."""
    run = simulate(tiny_model("R: r1, r2\nc[R] = 2, 4\nx = c[r1] * STEP(1, 3) + SUM(STEP(c[R!], 5)) * Time", final=6))
    assert run.x.values.tolist() == [0, 0, 0, 2, 2, 32, 38]


def _points(sampler: random.Random, kind: str, count: int) -> list[tuple[float, float]]:
    """The points of a table: in an even row, nearly so, anywhere, or with several of the same x."""
    x = {
        "even": lambda n: 0.3 * n - 2,
        "nearly": lambda n: n + sampler.uniform(-0.39, 0.39),
        "anywhere": lambda _: sampler.uniform(-20, 20),
        "steps": lambda _: float(sampler.randint(-5, 5)),
    }[kind]
    return [(x(n), round(sampler.uniform(-9, 9), 3)) for n in range(count)]


@pytest.mark.parametrize("kind", ["even", "nearly", "anywhere", "steps"])
def test_lookups_side_by_side_are_the_lookups_of_one_member(kind):
    """To the last bit, at, beside and beyond the points, for rows in one register, in several and in memory, on any processor."""
    sampler = random.Random(7)
    tables = [_points(sampler, kind, count) for count in (2, 3, 8, 9, 16, 17, 32, 33, 70)]
    lines = ["x = 0", *(f"f{n}({','.join(f'({a!r},{b!r})' for a, b in points)})" for n, points in enumerate(tables))]
    for index in range(len(tables)):
        lines += [f"{way}{index} = LOOKUP {way.upper()}(f{index}, x)" for way in _WAYS[1:]]
        lines.append(f"between{index} = f{index}(x)")
    model = tiny_model("\n".join(lines), final=0)
    places = [x for points in tables for x, _ in sampler.sample(points, 2)]
    xs = [*places, *np.nextafter(places, 1e9), *np.nextafter(places, -1e9), 1e300, -1e300, *np.linspace(-30, 90, 19)]
    names = [f"{way}{index}" for way in _WAYS for index in range(len(tables))]
    alone = np.array([[float(run[name][0]) for name in names] for run in (simulate(model, {"x": x}) for x in xs)])
    program, known = compile_program(model), host()
    for picks, fused in ((known.mathematics.picks, known.mathematics.fused), (False, False)):
        mathematics = dataclasses.replace(known.mathematics, picks=picks, fused=fused)
        program._codes[known.width, False, b""] = assemble(
            module_text(program.layout, known.width, mathematics), alone=False, quick=False
        )
        together = simulate(model, {"x": xs})
        assert np.array_equal(np.array([together[name][0].values for name in names]).T, alone)


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_lookup_forgets_the_segment_that_x_has_left(integrator):
    """While x swings across and beyond all points and rests on some, each value is that of a plain search, to the last bit."""
    sampler = random.Random(11)
    tables = [_points(sampler, kind, count) for kind in ("even", "anywhere", "steps") for count in (2, 7, 33)]
    lines = ["x = IF THEN ELSE(MODULO(Time, 3) = 0, INTEGER(Time/9) - 5, 24*SIN(Time*Time))", "stock = INTEG(x, 0)"]
    for index, points in enumerate(tables):
        lines.append(f"f{index}({','.join(f'({a!r},{b!r})' for a, b in points)})")
        lines.append(f"between{index} = f{index}(x)")
        lines += [f"{way}{index} = LOOKUP {way.upper()}(f{index}, x)" for way in _WAYS[1:]]
    run = simulate(tiny_model("\n".join(lines), final=150, step=0.5, integrator=integrator))
    for index, points in enumerate(tables):
        for way in _WAYS:
            expected = [look_up(way, Table(points), x) for x in run.x.values.tolist()]
            assert run[f"{way}{index}"].values.tolist() == expected, (way, points)


@pytest.mark.filterwarnings("ignore")
def test_a_lookup_of_what_is_not_finite_is_nan():
    """Also after a step at which it was finite, and beyond the ends of the table, where the line is level."""
    text = (
        "x = IF THEN ELSE(Time = {}, {}1/(Time - {}), Time)\nf((0,1),(2,5),(4,3))\ny = f(x)\nz = LOOKUP BACKWARD(f, x)"
    )
    for at in (0, 2, 5):
        for sign in ("", "-"):
            run = simulate(tiny_model(text.format(at, sign, at), final=6))
            finite = np.arange(7) != at
            assert np.isnan(run.y[at])
            assert np.isnan(run.z[at])
            assert run.y[finite].values.tolist() == np.interp(np.arange(7), [0, 2, 4], [1, 5, 3])[finite].tolist()


def test_what_does_not_vary_is_computed_again_where_constants_change():
    """A run that goes on from another with new constants takes the new divisors, alone and in an ensemble."""
    model = tiny_model("a = 2.5\nb = 3\nx = INTEG(1 / (a + b) + Time / a, 0)", final=6)
    before = simulate(model)
    for changes in ({"a": 7.0}, {"a": [7.0, 0.5, 4.0]}):
        later = simulate(model, changes, start=before, at=3)
        divisors = np.array(changes["a"])
        expected = float(before.x[3]) + sum(1 / (divisors + 3) + time / divisors for time in (3, 4, 5))
        assert np.allclose(later.x[-1], expected, rtol=1e-14)
