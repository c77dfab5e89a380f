"""Flows in the loops over stocks: which are computed there, and that the numbers stay the same to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.program import compile_program, compiled
from sdmodel.program.arrays import Routines
from sdmodel.program.fusion import fused_flows
from sdmodel.program.machine import host
from sdmodel.program.tables import Tables
from sdmodel.testing import tiny_model

LEAKS = """
stock[Region, Age] = INTEG(inflow[Region, Age] - outflow[Region, Age], 10)
other[Region, Age] = INTEG(outflow[Region, Age], 1)
inflow[Region, Age] = 2 + pull[Region] * sin(Time)
outflow[Region, Age] = pressure[Region, Age] * scale
pressure[Region, Age] = IF THEN ELSE(other[Region, Age] > 3, stock[Region, Age] / 5, curve(stock[Region, Age]))
curve((0, 0), (10, 1), (20, 4))
pull[Region] = SUM(stock[Region, Age!]) / 1000
scale = 0.5
"""


def _model(equations: str, count: int) -> sd.Model:
    ages = [f"a{place}" for place in range(count)]
    return tiny_model(f"Region: r1, r2, r3, r4\nAge: {', '.join(ages)}\n{equations}", final=6, step=0.25)


def _fused(model: sd.Model, saved: str, width: int) -> set[str]:
    layout = compile_program(model).layout
    tables = Tables(width, host().mathematics, Routines(width, layout))
    rows = compile_program(model).grid(model[saved]).rows
    return set(fused_flows(layout, tables, rows))


def _assert_same(model: sd.Model, monkeypatch: pytest.MonkeyPatch, names: list[str], *integrators: Any) -> None:
    """One run and five members have the same bits as without fusion."""
    for integrator in integrators or ("euler",):
        for scale in (0.5, [0.1, 0.2, 0.3, 0.4, 0.5]):
            options: dict[str, Any] = {"constants": {"scale": scale}, "integrator": integrator}
            whole = sd.simulate(model, **options)
            for name in names:
                with monkeypatch.context() as patch:
                    patch.setattr(compiled, "_SAVED_STEPS", 0)
                    found = sd.simulate(model, **options, save=[name])
                assert np.array_equal(found[name].values, whole[name].values), (integrator, name)


@pytest.mark.parametrize("count", [5, 40])
def test_flows_of_stocks(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of flows is fused, unless it is saved; for one member, only along a long axis."""
    model = _model(LEAKS, count)
    flows = {"inflow", "outflow", "pressure"}
    assert _fused(model, "pull", 8) == flows
    assert _fused(model, "stock", 8) == flows
    assert _fused(model, "inflow", 8) == {"outflow", "pressure"}
    assert _fused(model, "pressure", 8) == {"inflow", "outflow"}
    assert _fused(model, "pull", 1) == (flows if count == 40 else set())
    _assert_same(model, monkeypatch, ["other", "pressure"], "euler", "rk4", "rk2-auto")


def test_a_stock_that_the_loop_replaces_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow into a later stock of the loop reads the value of the earlier one before the step."""
    model = _model(
        "early[Region, Age] = INTEG(rise[Region, Age], 1)\n"
        "late[Region, Age] = INTEG(spread[Region, Age], 1)\n"
        "rise[Region, Age] = scale * Age + late[Region, Age] / 5\n"
        "spread[Region, Age] = early[Region, Age] / 3\n"
        "scale = 1",
        8,
    )
    assert _fused(model, "late", 8) == {"rise", "spread"}
    _assert_same(model, monkeypatch, ["late"])


SHARED = {
    "read in another cell": "total = SUM(outflow[Region!, Age!])",
    "read by another shape": "first[Region] = outflow[Region, a0]",
    "read by a stock that is computed apart": "apart = INTEG(outflow[r1, a0] + apart*0, 0)",
    "kept by a delay": "late[Region, Age] = DELAY FIXED(outflow[Region, Age], 1, 0)",
    "sampled": "sampled[Region, Age] = SAMPLE IF TRUE(Time > 2, outflow[Region, Age], 0)",
}


@pytest.mark.parametrize("line", SHARED.values(), ids=SHARED)
def test_flows_that_something_else_reads(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are computed before the stocks advance, and so is what they read; others are still fused."""
    model = _model(LEAKS + line, 8)
    assert _fused(model, "pull", 8) == {"inflow"}
    _assert_same(model, monkeypatch, [line.partition("[")[0].partition(" =")[0]])


NEIGHBOURS = {
    "another stock, which advances apart": (
        "apart[Region, Age] = INTEG(1 - apart[r1, Age], 3)\n", "apart[Region, Age]",
    ),
    "a stock of another shape": ("wide[Region] = INTEG(pull[Region], 1)\n", "wide[Region]"),
    "one cell of the stock": ("", "stock[r1, a0]"),
    "a cell picked by its place": ("", "VECTOR ELM MAP(stock[r1, a0], 2)"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "read"), NEIGHBOURS.values(), ids=NEIGHBOURS)
def test_flows_that_read_other_stocks(line: str, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those may have advanced already, so that a flow which reads them is computed before."""
    model = _model(line + LEAKS.replace("2 + pull", f"{read} / 9 + pull"), 8)
    assert "inflow" not in _fused(model, "pull", 8)
    _assert_same(model, monkeypatch, ["stock"])


def test_a_failure_is_reported_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first cell that fails is that of a flow, although the code computes it in the loop over stocks."""
    model = _model(
        LEAKS.replace("stock[Region, Age] / 5", "stock[Region, Age] / (other[Region, Age] - other[Region, Age])"), 8
    )
    with pytest.warns(sd.NotFiniteWarning):
        whole = sd.simulate(model, save=["stock"])
    monkeypatch.setattr(compiled, "_SAVED_STEPS", 0)
    with pytest.warns(sd.NotFiniteWarning):
        found = sd.simulate(model, save=["stock"])
    assert found.attrs["not_finite"] == whole.attrs["not_finite"]
    assert np.array_equal(found["stock"].values, whole["stock"].values, equal_nan=True)
