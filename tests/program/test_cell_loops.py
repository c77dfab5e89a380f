"""Equations over subscripts as loops have the numbers of the same equations written out cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from sdmodel.model import Model, order
from sdmodel.program import compile_program, host
from sdmodel.program.assembly import module_text
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model, wasm_difference

_WRITTEN_OUT = 10**9
"""More cells than any model has."""

_RANGES = """
R: r1, r2, r3, r4, r5, r6
part: r2, r3, r4
other: q1, q2, q3, q4, q5, q6 -> R
A: a1, a2, a3
few: a1, a3
"""
_EQUATIONS = """
k = 2
c[R] = 1, 2, 3, 4, 5, 6
d[R, A] = 1, 2, 3; 4, 5, 6; 7, 8, 9; 1, 3, 5; 2, 4, 6; 9, 8, 7;
f((0, 0), (1, 3), (2, 4), (9, 5))
s[R, A] = INTEG(in[R, A] - out[R, A], d[R, A] * k)
in[R, A] = c[R] * d[R, A] / k + f(s[R, A] / 7)
out[R, A] = s[R, A] / c[R]
total[R] = SUM(s[R, A!] * d[R, A!])
all = SUM(total[R!]) + PROD(c[R!]) + VMIN(s[R!, A!]) + VMAX(total[part!])
share[R] = total[R] / all
place[R, A] = R * 10 + A + k
of part[part] = share[part] + c[part] * Time
mapped[other] = share[R] + c[R]
but one[R] :EXCEPT: [r3] = share[R] * 3
but one[r3] = share[r1] - 1
some[part, few] = s[part, few] + d[part, a2]
chain[r1] = Time
chain[r2] = chain[r1] + c[r2]
chain[r3] = chain[r2] * 2
smooth[R] = SMOOTH(total[R], c[R])
delayed[R, A] = DELAY1(s[R, A], 3)
third[R] = DELAY3(share[R], k)
late[R] = DELAY FIXED(total[R], c[R], 0)
held[R] = SAMPLE IF TRUE(MODULO(Time, c[R]) = 0, total[R], -1)
begun[R] = INITIAL(share[R] * 2)
chosen[R, A] = IF THEN ELSE(s[R, A] > d[R, A] * 3, MIN(s[R, A], 20), EXP(-s[R, A] / 9) + place[R, A])
powers[R, A] = (1 + s[R, A]) ^ (c[R] / 3) + SQRT(d[R, A]) + LN(1 + c[R]) + ZIDZ(s[R, A], d[R, A] - 5)
same[r1] = k
same[part] = k
same[r5] = k
alike[r1] = all
alike[part] = all
pulses[A] = Time * SUM(STEP(c[R!], 3)) + all
across[other] = SUM(d[R, A!] * c[R]) + mapped[other]
hidden[A] = SUM(DELAY1(s[R!, A], 2))
within[R] = SUM(SMOOTH(d[R, A!] * SUM(s[part!, A!]), 3))
again[R, A] = chosen[R, A] + total[R] - of part[r2] + share[r6] + STEP(c[R], 3)
"""


def _runs(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Model], fewest: int) -> tuple[list[xr.Dataset], int]:
    """A run by Euler and by Runge-Kutta, an ensemble, a run that goes on with another constant, and the number of loops in the assembly of the model."""
    monkeypatch.setattr(order, "FEWEST", fewest)
    model = make()
    text = module_text(compile_program(model).layout, 1, host().mathematics)
    runs = [simulate(model), simulate(model, integrator="rk4"), simulate(model, {"k": np.linspace(1, 3, 11)})]
    runs.append(simulate(model, {"k": 3}, start=runs[0], at=4))
    return runs, len(re.findall(r"define internal \S+ @loop_", text))  # loops over stocks return a number


def _loops_as_written_out(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Model]) -> tuple[int, int]:
    """Assert that both ways of writing a model have the same numbers, and return the number of loops in each."""
    loops, count = _runs(monkeypatch, make, 2)
    written_out, none = _runs(monkeypatch, make, _WRITTEN_OUT)
    for one, other in zip(loops, written_out, strict=True):
        _assert_same(one, other)
    return count, none


def _assert_same(one: xr.Dataset, other: xr.Dataset) -> None:
    assert one.attrs.get("not_finite") == other.attrs.get("not_finite")
    for name in other.data_vars:
        assert np.array_equal(one[name].values, other[name].values, equal_nan=True), name


def test_loops_have_the_numbers_of_equations_written_out(monkeypatch):
    """Whole and partial ranges, exceptions, mappings, sums, places, lookups, delays and chains of cells, to the last bit."""

    def make() -> Model:
        return tiny_model(_RANGES + _EQUATIONS, final=8, step=0.5)

    count, none = _loops_as_written_out(monkeypatch, make)
    assert (count > 30, none) == (True, 0)


@pytest.mark.filterwarnings("ignore::sdmodel.NotFiniteWarning")
@pytest.mark.parametrize("length", [7, 8, 9, 15, 16, 22, 39, 41])
def test_short_rows_have_the_numbers_of_equations_written_out(monkeypatch, length):
    """Rows that fill a few registers, with and without a rest; stocks, numbers of labels, lookups and what fails."""
    labels = ", ".join(f"a{n}" for n in range(length))
    lines = [
        f"R: r1, r2, r3\nA: {labels}\nk = 2\nf((0, 0), (9, 5), (30, 1))",
        "s[R, A] = INTEG(flow[R, A], A)",
        "flow[R, A] = s[R, A] * c[A] / total[R] - k",
        "c[A] = SQRT(A) + f(A)",
        "total[R] = SUM(s[R, A!]) + R",
        "odd[R, A] = flow[R, A] / (A - 2 * R)",
    ]
    _loops_as_written_out(monkeypatch, lambda: tiny_model("\n".join(lines)))


def test_stocks_that_read_stocks_have_the_numbers_of_equations_written_out(monkeypatch):
    """Chains, longer than a loop has stocks, circles, other cells of the same array and of others, and sums."""
    chain = [f"c{n}[R, A] = INTEG((c{n - 1}[R, A] - c{n}[R, A]) / 2, {n})" for n in range(1, 12)]
    labels = ", ".join(f"a{n}" for n in range(11))
    lines = [
        f"R: r1, r2, r3\nA: {labels}\nk = 2\nc0[R, A] = INTEG(k - c0[R, A] / 3 + c5[r2, A] / 20, A)",
        *chain,
        "prey[R, A] = INTEG(prey[R, A] / 5 - prey[R, A] * hunters[R, A] / 9, A)",
        "hunters[R, A] = INTEG(prey[R, A] * hunters[R, A] / 10 - hunters[R, A] / k, 1)",
        "near[R, A] = INTEG((near[r1, A] - near[R, A]) / 3, A * R)",
        "wide[R] = INTEG(SUM(c3[R, A!]) / 9 - wide[R] / 4, R)",
        "fed[R, A] = INTEG(wide[R] - fed[R, A] / k + prey[R, a3], 0)",
        "late[R, A] = DELAY3(SMOOTH3(fed[R, A], 2), k)",
    ]
    text = "\n".join(lines)
    monkeypatch.setattr(order, "FEWEST", 2)
    assert compile_program(tiny_model(text)).layout.direct
    _loops_as_written_out(monkeypatch, lambda: tiny_model(text))


def test_a_lookup_for_each_label_is_chosen_in_the_loop(monkeypatch):
    """Tables of several lengths, sorted or not; only one that extrapolates needs tables of the same length."""
    lines = (
        "R: r1, r2, r3\nA: a1, a2\nf[r1]((0,0),(1,1))\nf[r2]((0,0),(0.3,2),(1,0))\nf[r3]((1,7),(0,1),(1,2),(0.2,-3))"
    )
    lines += "\ng((0,0),(10,5))\nh[R,a1]((0,0),(1,1))\nh[R,a2]((-1,1),(1,9))"
    calls = ["f[R](x[R])", "g(x[R])", "LOOKUP FORWARD(f[R], x[R])", "LOOKUP BACKWARD(f[R], x[R])"]
    whole = [f"y{index}[R] = {call} * k" for index, call in enumerate(calls)]
    extra = ["x[R] = Time / 8 - 0.1 * R", "z[A, R] = h[R, A](x[R])", "w[R, A] = LOOKUP EXTRAPOLATE(h[R, A], x[R] - A)"]
    text = "\n".join([lines, "k = 1", *extra, *whole, "e[R] = LOOKUP EXTRAPOLATE(f[R], x[R])"])
    count, _ = _loops_as_written_out(monkeypatch, lambda: tiny_model(text))
    assert count == len(extra) + len(whole)


@pytest.mark.filterwarnings("ignore")
def test_the_first_cell_that_fails_is_named(monkeypatch):
    """A loop computes all cells of an equation; the message names the cell that is first in the order of evaluation."""
    labels = ", ".join(f"r{n}" for n in range(20))
    text = f"R: {labels}\nk = 1\nx[R] = k / (R - 7 * Time)\ny[R] = x[R] + 1\ns[R] = INTEG(y[R], 0)"
    loops, count = _runs(monkeypatch, lambda: tiny_model(text), 16)
    written_out, _ = _runs(monkeypatch, lambda: tiny_model(text), _WRITTEN_OUT)
    assert count > 2
    assert loops[0].attrs["not_finite"].startswith("'x[r6]' is not finite from time 1")
    for one, other in zip(loops, written_out, strict=True):
        assert one.attrs["not_finite"] == other.attrs["not_finite"]


def test_the_assembly_does_not_grow_with_the_cells():
    """Of equations over whole ranges: a hundred times the cells take hardly more text."""

    def length(count: int) -> int:
        labels = ", ".join(f"r{n}" for n in range(count))
        model = tiny_model(
            f"R: {labels}\nA: {labels.replace('r', 'a')}\nc[R, A] = 2\nx[R, A] = INTEG(c[R, A] * y[R], c[R, A])\ny[R] = Time * R"
        )
        return len(module_text(compile_program(model).layout, 1, host().mathematics))

    assert length(200) < 1.3 * length(20)


def test_loops_run_as_webassembly(monkeypatch):
    """The module has the numbers of the native run."""
    monkeypatch.setattr(order, "FEWEST", 2)
    model = tiny_model(_RANGES + _EQUATIONS, final=8, step=0.5)
    assert wasm_difference(model, simulate(model)) < 1e-12
