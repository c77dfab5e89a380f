"""The order of evaluation: cell by cell, separate for the start, with cycles reported by name."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sdmodel.errors import ModelError
from sdmodel.model import Cell, plan
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model


def test_cells_of_one_variable_may_depend_on_each_other():
    """The order is found cell by cell, as in Vensim."""
    run = simulate(tiny_model("d: A, B, C\nlater: B, C\nearlier: A, B -> later\nx[A] = 1\nx[later] = x[earlier] + 1"))
    assert run.x.values[0].tolist() == [1, 2, 3]


def test_arrays_that_go_on_from_label_to_label_are_computed_slice_by_slice():
    """As the passes of a search in the Energy Policy Simulator. Slices whose cells depend on each other are computed cell by cell."""
    text = """
    P: (p1-p9)
    now: (p2-p9)
    before: (p1-p8) -> now
    A: (a1-a20)
    B: b1, b2
    S[A,p1] = INTEG(S[A,p1], A)
    S[A,now] = INTEG(S[A,now] + t[A,before], S[A,before]/2)
    x[A,B,p1] = A + B + Time
    x[A,B,now] :EXCEPT: [a2,B,now] = x[A,B,before]/4 + t[A,before]
    x[a2,B,now] = x[a2,B,before] + t[a1,now]
    t[A,P] = SUM(x[A,B!,P])"""
    model = tiny_model(text, final=3)
    made, run = plan(model), simulate(model)
    assert 2 * len(made.at_step) < len(made.step)
    stock = np.arange(1.0, 21)[:, None] / 2.0 ** np.arange(9)
    for time in range(4):
        x = np.zeros((9, 20, 2))
        x[0] = np.arange(1, 21)[:, None] + np.arange(1, 3) + time
        for place in range(1, 9):
            x[place] = x[place - 1] / 4 + x[place - 1].sum(1)[:, None]
            x[place, 1] = x[place - 1, 1] + x[place, 0].sum()
        np.testing.assert_allclose(run["x"].values[time], x.transpose(1, 2, 0), rtol=1e-13)
        np.testing.assert_allclose(run["s"].values[time], stock, rtol=1e-13)
        stock = 2 * stock + np.pad(x.sum(2).T[:, :-1], ((0, 0), (1, 0)))


def test_cycle_is_refused_with_its_names():
    """Simultaneous equations are reported as a cycle."""
    with pytest.raises(ModelError, match=r"simultaneous equations: .*a <- .*b.*put a stock") as caught:
        tiny_model("a = b + 1\nb = c\nc = a * 2")
    assert len(caught.value.faults) == 1


def test_cycle_through_initial_values_is_refused():
    """An initial value that depends on itself is not defined."""
    with pytest.raises(ModelError, match="simultaneous"):
        tiny_model("s = INTEG(0, a)\na = s * 2")


def test_active_initial_breaks_a_cycle_at_the_start():
    """ACTIVE INITIAL has a separate expression for the start, so a stock may begin from it."""
    run = simulate(tiny_model("s = INTEG(1, a + 1)\na = ACTIVE INITIAL(s * 2, 3)"))
    assert run.s.values[:2].tolist() == [4, 5]
    assert run.a.values[:2].tolist() == [8, 10]


def test_functions_of_constants_are_computed_once():
    """A step computes only what can change."""
    found = plan(tiny_model("k = 3\na = k * 2\nb = a + Time\ns = INTEG(b, a)\nc = INITIAL(b) + a"))
    assert {assignment.cell.key for assignment in found.step} == {"b"}
    assert {Cell("a"), Cell("c"), Cell("s")} <= {assignment.cell for assignment in found.start}


def test_long_chain_needs_no_recursion():
    """A chain of more auxiliaries than Python's stack has frames is ordered."""
    count = 2 * sys.getrecursionlimit()
    lines = "\n".join(f"x{i} = x{i + 1} + 1" for i in range(count))
    assert len(plan(tiny_model(f"{lines}\nx{count} = Time")).step) == count + 1


def test_delays_and_smooths_are_ordinary_stocks():
    """Functions with memory expand to hidden stocks with the subscripts of the element."""
    found = plan(tiny_model("d: A, B\nx[d] = 1, 2\ny[d] = SMOOTH3(x[d] + Time, 3) + DELAY1(x[d], 2)"))
    assert len(found.stocks) == 8
    assert all(found.model.elements[assignment.cell.key].hidden for assignment in found.stocks)


def test_shared_sum_is_computed_once():
    """A SUM becomes an element of its own over the ranges it depends on, instead of one per cell of the equation."""
    found = plan(tiny_model("d: (a1-a9)\ne: (b1-b9)\nx[d,e] = Time\ny[d,e] = x[d,e] / SUM(x[d!,e])"))
    hidden = [assignment.cell for assignment in found.step if found.model.elements[assignment.cell.key].hidden]
    assert len(hidden) == 9


def test_only_what_delays_expand_to_counts_as_hidden(monkeypatch):
    """However many other elements a model has."""
    monkeypatch.setattr("sdmodel.model.expansion.MOST_HIDDEN", 5)
    others = "\n".join(f"x{n} = {n}" for n in range(20))
    assert "y#1" in {own.cell.key for own in plan(tiny_model(f"{others}\ny = SMOOTH(Time, 3)")).stocks}
    with pytest.raises(ModelError, match="more than 5 hidden stocks with 'y'"):
        plan(tiny_model("y = DELAY N(Time, 9, 0, 6)"))
