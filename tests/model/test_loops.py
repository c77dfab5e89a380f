"""Feedback loops through way points, with the polarity that mathematics gives them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sdmodel as sd
from sdmodel.checking.loops import _links
from sdmodel.model import key
from sdmodel.model.feedback.loops import _breadth_first, _variable_graph
from sdmodel.testing import tiny_model

EPIDEMIC = """
Susceptible = INTEG(-infecting, 999)
Infected = INTEG(infecting - recovering, 1)
infecting = contacts*Susceptible*Infected/1000
contacts = 0.8
recovering = Infected/5
"""
GRID = """
kind: fast, slow
Stock[kind] = INTEG(inflow[kind] - outflow[kind], 1)
outflow[kind] = Stock[kind]/life[kind]
life[kind] = 3, 30
total = SUM(Stock[kind!])
inflow[kind] = weight[kind]*(20 - total)
weight[kind] = 0.02, 0
"""


DIAGRAM = r"""{UTF-8}
demand = A FUNCTION OF( price ) ~~|
price = A FUNCTION OF( demand, stocks ) ~~|
stocks = A FUNCTION OF( making, -selling ) ~~|
making = A FUNCTION OF( price ) ~~|
selling = A FUNCTION OF( demand ) ~~|
mood = 2 - worry ~~|
worry = A FUNCTION OF( mood, worry ) ~~|
FINAL TIME = 0 ~~| INITIAL TIME = 1880 ~~| TIME STEP = 1 ~~| SAVEPER = 1 ~~|
\\\---/// Sketch information - do not modify anything except names
V300  Do not put anything below this section - it will be ignored
*View 1
$192-192-192,0,Arial|10||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|96,96,100,0
10,1,stocks,300,200,40,20,3,3,0,0,0,0,0,0
12,2,48,100,200,10,8,0,3,0,0,-1,0,0,0
1,3,5,1,4,0,0,22,0,0,0,-1--1--1,,1|(250,200)|
1,4,5,2,100,0,0,22,0,0,0,-1--1--1,,1|(150,200)|
11,5,48,200,200,6,8,34,3,0,0,1,0,0,0
10,6,making,200,220,20,10,40,3,0,0,-1,0,0,0
10,7,price,300,100,20,10,8,3,0,0,0,0,0,0
10,8,demand,400,100,20,10,8,3,0,0,0,0,0,0
10,9,selling,400,200,20,10,8,3,0,0,0,0,0,0
1,10,7,8,1,0,45,0,0,64,0,-1--1--1,,1|(350,80)|
1,11,8,7,1,0,43,0,0,64,0,-1--1--1,,1|(350,120)|
1,12,1,7,1,0,79,0,0,64,0,-1--1--1,,1|(300,150)|
1,13,7,5,1,0,115,0,0,64,0,-1--1--1,,1|(250,150)|
1,14,8,9,1,0,0,0,0,64,0,-1--1--1,,1|(400,150)|
"""


def _told(loop: sd.CausalPath) -> tuple[str, ...]:
    return (loop.polarity, *loop.variables)


def test_loops_of_an_epidemic_have_their_textbook_polarity():
    """Contagion reinforces, depletion and recovery balance (Sterman 2000, Business Dynamics, chapter 9)."""
    model = tiny_model(EPIDEMIC, final=20)
    found = [
        sd.find_loops(model, names)[0]
        for names in (["Infected", "infecting"], "Susceptible", ["Infected", "recovering"])
    ]
    assert list(map(_told, found)) == [
        ("R", "Infected", "infecting"),
        ("B", "Susceptible", "infecting"),
        ("B", "Infected", "recovering"),
    ]


@settings(max_examples=25, deadline=None)
@given(signs=st.lists(st.sampled_from([-1, 1]), min_size=2, max_size=6))
def test_ring_reinforces_if_it_has_an_even_number_of_negative_links(signs: list[int]):
    """The rule for counting by hand."""
    last = len(signs) - 1
    text = "\n".join(
        [
            f"v0 = INTEG({signs[0]}*v{last}, 1)",
            *(f"v{place} = {sign}*v{place - 1}" for place, sign in enumerate(signs[1:], 1)),
        ]
    )
    (loop,) = sd.find_loops(tiny_model(text, final=1), f"v{last // 2}")
    assert loop.polarity == ("R" if np.prod(signs) > 0 else "B")
    assert len(loop.links) == len(signs)
    assert [link.polarity for link in loop.links] == [
        "+" if signs[(place + 1 + last // 2) % len(signs)] > 0 else "-" for place in range(len(signs))
    ]


def test_loop_begins_at_the_first_way_point_and_keeps_their_order():
    """The two directions around the same variables are two loops."""
    text = "a = INTEG(c + d, 1)\nb = a\nc = INTEG(b - d, 1)\nd = INTEG(c + b, 1)"
    model = tiny_model(text, final=1)
    (one,) = sd.find_loops(model, ["c", "d", "b"])
    (other,) = sd.find_loops(model, ["d", "c", "b"])
    assert (one.variables, other.variables) == (("c", "d", "a", "b"), ("d", "c", "a", "b"))
    assert (one.polarity, other.polarity) == ("R", "B")


def test_shortest_loops_are_returned():
    """Several loops of the same length are returned up to `limit`."""
    text = (
        "x = INTEG(-near - far, 1)\nnear = x + 1\nlong = x + 2\nfar = long/2\nother = x*3\ny = INTEG(other + near, 1)"
    )
    model = tiny_model(text + "\nz = INTEG(-near - other - z, 1)", final=1)
    assert _told(sd.find_loops(model, "x", limit=9)[0]) == ("B", "x", "near")
    assert len(sd.find_loops(model, "x", limit=9)) == 1
    ways = sd.find_paths(model, ["x", "y"], limit=9)
    assert sorted(way.variables for way in ways) == [("x", "near", "y"), ("x", "other", "y")]
    assert len(sd.find_paths(model, ["x", "y"])) == 1


def test_link_without_effect_is_avoided():
    """A shorter loop without effect is returned only if there is no other."""
    text = "x = INTEG(-idle - near, 1)\nidle = MAX(x, 1000)\nnear = step\nstep = x"
    model = tiny_model(text, final=3)
    assert _told(sd.find_loops(model, "x")[0]) == ("B", "x", "step", "near")
    (forced,) = sd.find_loops(model, ["x", "idle"])
    assert (forced.polarity, forced.links[0].polarity) == ("0", "0")


def test_loop_whose_links_never_act_together_is_avoided():
    """Two links can each act at some time, and their loop at no time."""
    text = """
    x = INTEG(-out - slow, 1)
    early = IF THEN ELSE(Time < 2, x, 1)
    out = IF THEN ELSE(Time < 2, 1, early)
    one = x
    two = one
    slow = two
    """
    (loop,) = sd.find_loops(tiny_model(text, final=4), "x")
    assert _told(loop) == ("B", "x", "one", "two", "slow")


def test_changes_of_polarity_have_a_time():
    """Growth to a limit reinforces up to half of the limit and balances after it."""
    (loop,) = sd.find_loops(tiny_model("x = INTEG(growth, 1)\ngrowth = x*(1 - x/100)", final=20), ["x", "growth"])
    level = sd.simulate(tiny_model("x = INTEG(growth, 1)\ngrowth = x*(1 - x/100)", final=20)).x.values
    turn = int(np.argmax(level > 50))
    assert loop.polarity == "mixed"
    assert loop.changes == ((float(turn), "B"),)
    assert loop.shares == pytest.approx((turn / 21, (21 - turn) / 21, 0, 0))


def test_polarity_with_subscripts_is_that_of_the_sum_over_cells():
    """A label without a loop does not count; a named label counts alone."""
    model = tiny_model(GRID, final=3)
    (whole,) = sd.find_loops(model, ["Stock", "inflow"])
    assert _told(whole) == ("B", "Stock", "total", "inflow")
    assert whole.links[1].idle == 0.5
    (fast,) = sd.find_loops(model, ["inflow[fast]", "Stock"])
    assert (fast.polarity, fast.variables) == ("B", ("inflow[fast]", "Stock", "total"))
    assert fast.links[0].idle == fast.links[1].idle == 0
    assert sd.find_loops(model, ["Stock[slow]", "inflow"])[0].polarity == "0"


def test_shares_count_only_cells_that_the_loop_can_pass():
    """A label from which there is no way back is not part of the loop."""
    text = "d: A, B\nk[d] = 1, -1\nx[d] = INTEG(y[d], 1)\ny[d] = k[d]*x[A]"
    (loop,) = sd.find_loops(tiny_model(text, final=2), ["x", "y"])
    assert [link.polarity for link in loop.links] == ["+", "+"]
    assert sd.find_paths(tiny_model(text, final=2), ["x", "y"])[0].links[0].polarity == "mixed"


def test_hidden_stocks_do_not_make_a_path_longer():
    """One link through a third-order smooth is shorter than two links through auxiliaries."""
    text = "x = INTEG(-late - two, 1)\nlate = SMOOTH3(x, 2)\none = x\ntwo = one"
    (loop,) = sd.find_loops(tiny_model(text, final=8), "x")
    assert _told(loop) == ("B", "x", "late")


def test_loop_that_simultaneous_solves_has_the_links_of_its_equations():
    """Its guesses are not seen; each label has a loop of its own."""
    model = tiny_model(
        "side: left, right\nLevel[side] = INTEG(-used[side], 10)\nused[side] = SIMULTANEOUS(offer[side] + 1, 1)\n"
        "offer[side] = Level[side] - 0.5*used[side]",
        final=2,
    )
    assert _told(*sd.find_loops(model)) == ("B", "Level", "offer", "used")
    assert _told(*sd.find_loops(model, ["offer[left]", "used[left]"])) == ("B", "offer[left]", "used[left]")
    with pytest.raises(sd.LoopError, match="no path"):
        sd.find_paths(model, ["offer[left]", "used[right]"])


def test_without_way_points_the_shortest_loop_of_each_stock_is_returned():
    """Stocks that are not in a loop are left out."""
    loops = sd.find_loops(tiny_model(EPIDEMIC + "Ever = INTEG(infecting, 0)", final=5))
    assert [(loop.variables[0], loop.polarity) for loop in loops] == [("Susceptible", "B"), ("Infected", "R")]


def test_scenario_changes_the_polarity(tmp_path: Path):
    """Loops belong to a run and not to a text."""
    model = tiny_model(EPIDEMIC, final=5)
    apart = tmp_path / "apart.cin"
    apart.write_text("contacts = 0\n", "utf-8")
    assert sd.find_loops(model, ["Infected", "infecting"], scenario=apart)[0].polarity == "0"
    assert sd.find_loops(model, ["Infected", "infecting"])[0].polarity == "R"


@pytest.mark.parametrize(
    ("through", "message"),
    [
        (["Infcted"], "way point 'Infcted': is not in the model; did you mean 'Infected'?"),
        (
            ["contacts"],
            "way point 'contacts': does not change during a run, so no loop passes it; name a variable that changes",
        ),
        (["Infected", "infected"], "way point 'Infected': is named twice; a loop passes each variable once"),
        (["Infected[A]"], "way point 'Infected[A]': 'Infected' has 0 subscripts; give a label for each, or no label"),
        (["infecting", "Ever"], "no path from 'Ever' to 'infecting'; name other way points"),
        (["Ever"], "'Ever': is in no feedback loop; it acts on nothing that acts on it"),
    ],
)
def test_wrong_way_points_are_reported_in_one_line(through: list[str], message: str):
    """The message says where it is, what is wrong and what to do."""
    with pytest.raises(sd.LoopError) as caught:
        sd.find_loops(tiny_model(EPIDEMIC + "Ever = INTEG(infecting, 0)", final=2), through)
    assert str(caught.value) == message


def test_unknown_label_is_reported_with_a_suggestion():
    """A misspelt label does not silently mean all labels."""
    with pytest.raises(sd.LoopError, match=r"'Stock' has no label 'fats'; did you mean 'fast'\?"):
        sd.find_loops(tiny_model(GRID), "Stock[fats]")


def test_too_many_links_for_the_memory_are_refused(monkeypatch):
    """Before the run, with what to do."""
    monkeypatch.setattr("sdmodel.resources.free_memory", lambda: 2**20)
    labels = ", ".join(f"a{n}" for n in range(20_000))
    with pytest.raises(sd.OutOfMemoryError, match=r"the search for loops needs .*; use fewer labels"):
        sd.find_loops(tiny_model(f"R: {labels}\ns[R] = INTEG(-s[R] / 2, R)", final=2))


def test_paths_that_would_cross_themselves_are_reported():
    """There is a path between every two way points, but no path that passes each variable once."""
    text = "hub = INTEG(-a - b, 1)\na = x\nb = y\nx = hub\ny = hub"
    with pytest.raises(
        sd.LoopError, match="in that order that passes each variable once; name fewer, or another order"
    ):
        sd.find_loops(tiny_model(text, final=1), ["a", "b"])


def test_open_path_needs_two_ends():
    """A path from one variable alone is an error."""
    with pytest.raises(sd.LoopError, match="too few; name at least two"):
        sd.find_paths(tiny_model(EPIDEMIC), "Infected")


HIRING = """
    tasks = INTEG(10 - done, 40)
    rookies = INTEG(hiring - maturation, 2)
    experts = INTEG(maturation - leaving, 5)
    done = MAX(0, experts*2 + rookies - rookies*0.5)
    hiring = SMOOTH(tasks, 2)/20
    maturation = rookies/4
    leaving = experts/30
"""


def test_independent_loops_have_every_link_of_feedback():
    """The shortest first; each has a link that none before it has, and starts at a stock. What is inside a delay is not shown."""
    found = sd.find_loops(tiny_model(HIRING, final=8), independent=True)
    assert [(loop.variables, loop.polarity) for loop in found] == [
        (("rookies", "maturation"), "B"),
        (("experts", "leaving"), "B"),
        (("tasks", "hiring", "rookies", "done"), "B"),
        (("tasks", "hiring", "rookies", "maturation", "experts", "done"), "B"),
    ]


@pytest.mark.parametrize("path", ["docs/examples/epidemic.mdl", "models/ai_compute.mdl"])
def test_independent_loops_of_a_whole_model(path: str):
    """Their links are those between variables that act on each other, and each loop adds one; subscripts may part variables."""
    model = sd.read_model(Path(__file__).parents[2] / path)
    loops = sd.find_loops(model, independent=True)
    pairs = [{(key(link.cause), key(link.effect)) for link in loop.links} for loop in loops]
    known: set[tuple[str, str]] = set()
    for own in pairs:
        assert own - known
        known |= own
    graph = _variable_graph(_links(model))
    reached = {start: set(_breadth_first(graph, {start: ""})) for start in graph}
    feedback = {(cause, effect) for cause in graph for effect in graph[cause] if cause in reached[effect]}
    assert known <= feedback
    assert len(feedback - known) <= 0.05 * len(feedback)
    for cause, effect in feedback - known:  # subscripts part them, or no loop with this link acts
        with suppress(sd.LoopError):
            (loop,) = sd.find_loops(model, [model.elements[cause].name, model.elements[effect].name])
            assert (cause, effect) not in {(key(link.cause), key(link.effect)) for link in loop.links}


def test_independent_loops_are_of_the_whole_model():
    with pytest.raises(sd.LoopError, match="leave out the variables"):
        sd.find_loops(tiny_model(HIRING), ["tasks"], independent=True)


def test_causal_loop_diagram_has_the_polarity_of_its_arrows():
    """An arrow has it by its letter, a pipe by its direction, a subtracted cause by its sign; anything else is unknown."""
    found = {frozenset(loop.variables): loop for loop in sd.find_loops(sd.model_from_text(DIAGRAM))}
    assert {names: loop.polarity for names, loop in found.items()} == {
        frozenset({"demand", "price"}): "B",
        frozenset({"stocks", "price", "making"}): "B",
        frozenset({"demand", "selling", "stocks", "price"}): "unknown",
        frozenset({"mood", "worry"}): "unknown",
        frozenset({"worry"}): "unknown",
    }
    links = {(link.cause, link.effect): link.polarity for loop in found.values() for link in loop.links}
    assert links["stocks", "price"] == "-"
    assert links["making", "stocks"] == links["price", "making"] == "+"
    assert links["selling", "stocks"] == links["worry", "mood"] == "-"
    assert links["demand", "selling"] == links["mood", "worry"] == "unknown"
    (path,) = sd.find_paths(sd.model_from_text(DIAGRAM), ["making", "demand"])
    assert str(path) == "making -> (+) stocks -> (-) price -> (-) demand: +"
