"""Diagrams of models without a sketch: nothing overlaps, and the same model always looks the same."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.model import equation_text, lay_out
from sdmodel.model.diagram.layout import Flow, Influence, structure_of
from sdmodel.model.diagram.placement import _Board
from sdmodel.testing import tiny_model
from sdmodel.vensim import mdl_text, model_from_text, sketch_from_text

SIR = """
Susceptible = INTEG(-infecting, population - 1)
Infectious = INTEG(infecting - recovering, 1)
Recovered = INTEG(recovering, 0)
infecting = infectivity*Susceptible*Infectious/population
recovering = Infectious/duration
population = 1000
infectivity = 0.3
duration = 5
"""
FLOWS = (
    "A = INTEG(in 1 + in 2 + in 3 + back - out 1 - out 2 - over - over 2, 1)\nB = INTEG(over + over 2 - back, 1)\nC = INTEG(over 2 - over, 1)\n"
    + "\n".join(f"{name} = 1" for name in ("in 1", "in 2", "in 3", "out 1", "out 2", "over", "over 2", "back")).replace(
        "= 1", "= Time"
    )
)


def _boxes(view):
    """Return the boxes of all words: left, top, right and bottom."""
    return [
        (w.x - w.half_width, w.y - w.half_height, w.x + w.half_width, w.y + w.half_height, w.text or w.kind)
        for w in view.words
    ]


def _assert_apart(view):
    for one, other in itertools.combinations(_boxes(view), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)


def _shown(view):
    return {word.text for word in view.words if word.kind == "variable" and not word.shadow}


@pytest.mark.parametrize("equations", [SIR, FLOWS])
def test_every_variable_has_one_place_and_no_two_words_overlap(equations):
    """Each flow has a valve between two ends; the settings of the run are left out."""
    model = tiny_model(equations)
    (view,) = lay_out(model)
    _assert_apart(view)
    assert _shown(view) == {element.name for element in model} - {"INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER"}
    valves = [word.number for word in view.words if word.kind == "valve"]
    flows = structure_of(model, [element.key for element in model]).flows
    assert len(valves) == len(flows)
    for valve in valves:
        assert sorted(arrow.head for arrow in view.arrows if arrow.source == valve) == [False, True]


def test_flows_and_influences_follow_from_the_equations():
    """The net flow of a stock determines its flows; what is read only at the start is marked."""
    structure = structure_of(tiny_model(SIR), ["susceptible", "infectious", "recovered", "infecting", "recovering"])
    assert structure.flows == (
        Flow("infecting", "susceptible", "infectious"),
        Flow("recovering", "infectious", "recovered"),
    )
    assert Influence("population", "susceptible", initial=True) in structure.influences
    assert Influence("infectious", "recovering") in structure.influences
    assert not any(influence.cause == "infecting" for influence in structure.influences)


def test_hidden_elements_are_not_drawn():
    """What reads a data variable points from that, and what calls a macro from what the macro reads."""
    macro = ":MACRO: TWICE(x)\nhalf = x * inside\n~~|\nTWICE = half + half\n~~|\ninside = 2\n~~|\n:END OF MACRO:\n"
    equations = (
        "d\nfirst = GET DATA FIRST TIME(d)\na = 3\nb = TWICE(a) + Time\nINITIAL TIME = 0\nFINAL TIME = 1\nTIME STEP = 1"
    )
    model = model_from_text(macro + equations.replace("\n", "~~|\n") + "~~|")
    found = structure_of(model, [element.key for element in model if not element.hidden])
    assert {(own.cause, own.effect) for own in found.influences} == {
        ("d", "first"),
        ("a", "b"),
        ("time", "b"),
        ("time", "d"),
    }
    assert equation_text(model, model["first"].equations[0].expression) == "GET DATA FIRST TIME(d)"
    assert equation_text(model, model["d"].equations[0].expression) == "d"
    (view,) = lay_out(model)
    assert not [word.text for word in view.words if word.shadow and word.text != "Time"]


def test_the_cost_of_places_is_that_of_their_lines():
    """Of a word right of another: the length of the line, one word that it passes over, and one line that it crosses."""
    spots = [(0, 0), (4, 0), (2, 0), (3, -1), (3, 2)]
    board = _Board(list(spots), np.array([(0, 1), (3, 4)]), (100, 50))
    assert board.costs(1, [(4, 0), (1, 0), (0, 4)]).tolist() == [400 + 260 + 90, 100, 200]
    assert board.costs(2, [(2, 0), (2, 3)]).tolist() == [260, 0]


def test_written_sketch_reads_back_the_same():
    """Word by word and arrow by arrow; the model that is read back is laid out in the same way."""
    model = tiny_model(SIR + FLOWS)
    views = lay_out(model)
    assert views == lay_out(tiny_model(SIR + FLOWS))
    text = mdl_text(model, views)
    (read,) = sketch_from_text(text).views
    for ours, theirs in ((views[0].words, read.words), (views[0].arrows, read.arrows)):
        plain = {item.number: item for item in theirs}
        assert len(plain) == len(ours)
        for item in ours:
            other = plain[item.number]
            seen = ("number", "x", "y", "half_width", "half_height", "upright")
            plainly = set(item.__dataclass_fields__) - {"place", "lettering", "border", "fill", "colour"}
            for field in seen if getattr(item, "kind", "") in ("valve", "cloud") else plainly:
                assert getattr(item, field) == getattr(other, field), (item, field)
    assert list(model_from_text(text).elements) == list(model.elements)


def test_large_model_has_a_view_per_group_with_shadow_variables():
    """Parts have a readable size; a constant is in the part of the element that reads it."""
    groups = "\n".join(
        f"***\n.Group {g}\n***~ ~ |\n"
        + "\n".join(
            f"v {g} {n} = c {g} {n} + v {max(g - 1, 0)} 0 * Time ~ ~ |\nc {g} {n} = {n + 1} ~ ~ |"
            for n in range(n_each)
        )
        for g, n_each in ((0, 1), (1, 40))
    ).replace("v 0 0 * Time ~ ~ |\nc 0", "Time ~ ~ |\nc 0")
    views = lay_out(tiny_model(groups))
    assert [view.name for view in views] == ["Group 0", "Group 1 1", "Group 1 2"]
    for view in views[1:]:
        _assert_apart(view)
        assert {word.text for word in view.words if word.shadow} == {"v 0 0", "Time"}
        assert {name.replace("v", "c") for name in _shown(view) if name[0] == "v"} <= _shown(view)


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_words_never_overlap(data):
    """Random models: stocks with flows between them, and auxiliaries with any names."""
    stocks = data.draw(st.integers(0, 4))
    terms: dict[int, list[str]] = {stock: [] for stock in range(stocks)}
    equations = []
    for flow in range(data.draw(st.integers(0, 6)) if stocks else 0):
        source, target = (data.draw(st.integers(-1, stocks - 1)) for _ in range(2))
        for stock, sign in ((source, "-"), (target, "+")):
            if stock >= 0:
                terms[stock].append(f"{sign} flow {flow}")
        equations.append(f"flow {flow} = Time")
    equations += [f"Stock {stock} = INTEG(0 {' '.join(terms[stock])}, 1)" for stock in range(stocks)]
    lengths = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=10))
    names = [f"{'a very long name of many words ' * length}aux {place}" for place, length in enumerate(lengths)]
    for place, name in enumerate(names):
        reads = data.draw(st.lists(st.sampled_from(names[:place]), max_size=3)) if place else []
        equations.append(" + ".join([f"{name} = Time", *reads]))
    for view in lay_out(tiny_model("\n".join(equations))):
        _assert_apart(view)


def test_a_notebook_shows_what_a_model_holds():
    """Its variables, groups, views and times; names are text, and completed."""
    model = tiny_model("tea = INTEG(-cooling, 90) ~~| cooling = tea/10 ~~|")
    views = [replace(view, name=name) for view, name in zip(lay_out(model) * 2, ("first", "<b>second"), strict=False)]
    shown = model_from_text(mdl_text(model, views))
    html = shown._repr_html_()
    for text in ("1 stock, 1 flow", "first, &lt;b&gt;second", "FINAL TIME 10", "euler", shown.sha256[:12]):
        assert text in html
    assert "tea" in shown._ipython_key_completions_()
    with pytest.raises(KeyError, match=r"'coling' is not in the model; did you mean 'cooling'\?"):
        shown["coling"]
