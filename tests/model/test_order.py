"""The order of evaluation: cell by cell, apart for the start, and with cycles named."""

from __future__ import annotations

import pytest

from sdmodel.errors import ModelError
from sdmodel.model import Cell, plan
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model


def test_elements_of_one_variable_may_depend_on_each_other():
    """Order is found per element, as Vensim finds it."""
    run = simulate(tiny_model("d: A, B, C\nlater: B, C\nearlier: A, B -> later\nx[A] = 1\nx[later] = x[earlier] + 1"))
    assert run.x.values[0].tolist() == [1, 2, 3]


def test_a_true_cycle_is_refused_with_its_names():
    """Simultaneous equations are reported as the cycle that they are."""
    with pytest.raises(ModelError, match=r"simultaneous equations: .*a <- .*b.*put a stock") as caught:
        tiny_model("a = b + 1\nb = c\nc = a * 2")
    assert len(caught.value.faults) == 1


def test_a_cycle_through_initial_values_alone_is_refused_too():
    """A start that depends on itself has no first value."""
    with pytest.raises(ModelError, match="simultaneous"):
        tiny_model("s = INTEG(0, a)\na = s * 2")


def test_active_initial_breaks_a_cycle_at_the_start():
    """ACTIVE INITIAL has another expression for the start, so that a stock may begin from it."""
    run = simulate(tiny_model("s = INTEG(1, a + 1)\na = ACTIVE INITIAL(s * 2, 3)"))
    assert run.s.values[:2].tolist() == [4, 5]
    assert run.a.values[:2].tolist() == [8, 10]


def test_what_depends_on_constants_alone_is_computed_once():
    """A step computes nothing that cannot change."""
    found = plan(tiny_model("k = 3\na = k * 2\nb = a + Time\ns = INTEG(b, a)\nc = INITIAL(b) + a"))
    assert {each.cell.key for each in found.step} == {"b"}
    assert {Cell("a"), Cell("c"), Cell("s")} <= {each.cell for each in found.start}


def test_a_long_chain_needs_no_recursion():
    """Ten thousand auxiliaries in a row are ordered without a deep stack."""
    lines = "\n".join(f"x{i} = x{i + 1} + 1" for i in range(10_000))
    assert len(plan(tiny_model(f"{lines}\nx10000 = Time")).step) == 10_001


def test_delays_and_smooths_are_ordinary_stocks():
    """What has a memory expands into stocks, hidden, with the element's subscripts."""
    found = plan(tiny_model("d: A, B\nx[d] = 1, 2\ny[d] = SMOOTH3(x[d] + Time, 3) + DELAY1(x[d], 2)"))
    assert len(found.stocks) == 8
    assert all(found.model.elements[each.cell.key].hidden for each in found.stocks)


def test_a_sum_that_many_cells_share_is_worked_out_once():
    """A SUM is an element of its own over what it depends on, not one for each cell of the equation."""
    found = plan(tiny_model("d: (a1-a9)\ne: (b1-b9)\nx[d,e] = Time\ny[d,e] = x[d,e] / SUM(x[d!,e])"))
    hidden = [each.cell for each in found.step if found.model.elements[each.cell.key].hidden]
    assert len(hidden) == 9
