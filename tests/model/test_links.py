"""Links: which cell acts on which other cell during a run, and with what sign."""

from __future__ import annotations

import pytest

import sdmodel as sd
from sdmodel.checking.loops import _links
from sdmodel.model import Cell, Link, Links
from sdmodel.testing import tiny_model


def _pairs(links: Links) -> set[tuple[str, str]]:
    return {(cause.key, effect.key) for cause, found in links.effects.items() for effect in found}


def _link(equations: str, cause: str, effect: str, **times: float) -> Link:
    (path,) = sd.find_paths(tiny_model(equations, **times), [cause, effect])
    return path.links[0]


def test_causes_of_a_stock_are_those_of_its_net_flow():
    """The initial value acts before the run and is not part of a loop."""
    text = "x = INTEG(a - x/b, y*y)\ny = INTEG(x, 2)\na = x + Time\nb = 3"
    assert _pairs(_links(tiny_model(text))) == {("a", "x"), ("x", "x"), ("x", "a"), ("x", "y")}


def test_what_does_not_change_has_no_links():
    """Constants, what depends only on them and what is fixed at the start are not part of a loop."""
    text = "x = INTEG(c*x + k + i, 1)\nc = 2\nk = c*3\ni = INITIAL(x)"
    assert _pairs(_links(tiny_model(text))) == {("x", "x")}


def test_links_connect_single_cells():
    """Subscripts are followed label by label, also through mappings and sums."""
    text = "d: A, B, C\nx[d] = INTEG(y[d], 1)\ny[d] = x[d]*total\ntotal = SUM(x[d!]) - x[A]"
    links = _links(tiny_model(text, final=2))
    assert set(links.effects[Cell("x", ("b",))]) == {Cell("y", ("b",)), Cell("total")}
    assert Cell("total") not in links.active[Cell("x", ("a",))]


@pytest.mark.parametrize(
    ("equation", "polarity"),
    [
        ("2*x", "+"),
        ("3 - x/7", "-"),
        ("(x - 5)^2", "mixed"),
        ("MAX(x, 100)", "0"),
        ("MIN(x, 4)", "+"),
        ("IF THEN ELSE(Time < 0, x, -x)", "-"),
        ("x*(x - x)", "0"),
        ("(x - 20)^0.5", "unknown"),
    ],
)
def test_polarity_is_the_sign_of_the_derivative_over_the_run(equation: str, polarity: str):
    """More of the cause means more of the effect, less of it, either at different times, or no change."""
    assert _link(f"x = INTEG(1, 0)\ny = {equation}\nz = INTEG(y, 0)", "x", "y").polarity == polarity


def test_shares_count_times_and_labels():
    """Of eleven times, a parabola falls at five, is level at one and rises at five; a second label halves the shares."""
    one = _link("x = INTEG(1, 0)\ny = (x - 5)^2", "x", "y")
    assert (one.raising, one.lowering, one.idle, one.unknown) == pytest.approx((5 / 11, 5 / 11, 1 / 11, 0))
    text = "d: A, B\nk[d] = 1, 0\nx = INTEG(1, 0)\ny[d] = k[d]*(x - 5)^2"
    two = _link(text, "x", "y")
    assert (two.raising, two.lowering, two.idle, two.unknown) == pytest.approx((5 / 22, 5 / 22, 12 / 22, 0))
    assert _link(text, "x", "y[B]").polarity == "0"


def test_delay_is_one_link():
    """The stocks inside a SMOOTH3 are not in the model file: the input acts on the output."""
    link = _link("x = INTEG(1, 0)\ny = 5 - SMOOTH3(x, 4)", "x", "y")
    assert (link.cause, link.effect, link.polarity) == ("x", "y", "-")
    text = "r: A, B\nx[r] = INTEG(1, 0)\ny[A] = SMOOTHI(x[B], 5, x[A])\ny[B] = 1"
    assert _link(text, "x[B]", "y[A]").polarity == "+"


def test_labels_that_are_numbers_in_an_equation_have_known_derivatives():
    """A label by itself is its position in its range, as in the compiled model."""
    text = "region: North, South\nx[region] = INTEG(IF THEN ELSE(region = South, 1, -1)*x[region]*South, 1)"
    (loop,) = sd.find_loops(tiny_model(text), ["x"])
    assert (loop.links[0].raising, loop.links[0].lowering, loop.links[0].unknown) == (0.5, 0.5, 0)
