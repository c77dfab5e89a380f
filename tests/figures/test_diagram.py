"""Diagrams, checked as data: patches and texts with their positions, and lines that end at their targets."""

from __future__ import annotations

import io
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle

from sdmodel.errors import FigureError
from sdmodel.figures import plot_diagram
from sdmodel.figures.diagram.arrows import place_lines, place_signs
from sdmodel.figures.diagram.geometry import Region, arc, arrow_head, between, distances_along, polyline
from sdmodel.figures.diagram.words import place_words
from sdmodel.figures.text import Font, drawable, fit_text
from sdmodel.model import Arrow, Lettering, Sketch, View, Word
from sdmodel.reading import read_sketch

SHARED = Path(__file__).resolve().parents[3] / "shared" / "test-models"
SHOWN = (
    "Query_file/Query_file",
    "Lotka_Volterra/Lotka_Volterra",
    "Workforce/workforce",
    "Roessler_Chaos/roessler_chaos",
)

STOCK = Word(1, "variable", "Tea Temperature", 300, 100, 40, 20, "box")
CLOUD = Word(2, "cloud", "", 500, 100, 10, 8)
VALVE = Word(3, "valve", "", 400, 100, 6, 8, attached=True)
FLOW = Word(4, "variable", "heat loss", 400, 120, 40, 8, "clear", attached=True)
ROOM = Word(5, "variable", "room temperature", 500, 220, 40, 20, "clear")
AGAIN = Word(6, "variable", "Time", 300, 260, 40, 20, "clear", shadow=True)
TABLE = Word(7, "variable", "effect", 200, 260, 40, 20, "clear")
NOTE = Word(8, "comment", "cooling", 400, 20, 60, 20, "clear", lettering=Lettering(colour=(200, 0, 0)))
KINDS = {"tea_temperature": "stock", "heat_loss": "flow", "room_temperature": "constant", "effect": "lookup"}
WORDS = (STOCK, CLOUD, VALVE, FLOW, ROOM, AGAIN, TABLE, NOTE)
ARROWS = (
    Arrow(11, 3, 2, "path", ((450, 100),), pipe=True),
    Arrow(12, 3, 1, "path", ((360, 100),), pipe=True, head=False),
    Arrow(13, 1, 4, "arc", ((340, 180),), polarity="+"),
    Arrow(14, 5, 4, polarity="-", delayed=True),
    Arrow(15, 6, 1, initial=True),
)
places = st.tuples(st.integers(-500, 500), st.integers(-500, 500))


def _sketch(*words: Word, arrows: tuple[Arrow, ...] = (), **more: object) -> Sketch:
    view = View("Cup", words or WORDS, arrows if words else ARROWS, **more)
    return Sketch("models/tea.mdl", "0123456789abcdef", (view,), KINDS)


def _named(figure: Figure) -> Counter[str]:
    """Count the parts of the drawing, by identifier without the number."""
    axes = figure.axes[0]
    names = (artist.get_gid() or "" for artist in (*axes.patches, *axes.texts))
    return Counter("-".join(part for part in name.split("-") if not part.isdigit()) for name in names)


def _texts(figure: Figure) -> dict[str, str]:
    """Return the colours of the texts of the drawing."""
    return {text.get_text().replace("\n", " "): text.get_color() for text in figure.axes[0].texts}


@pytest.fixture(scope="module")
def figure() -> Figure:
    """The diagram of the sketch above, to be inspected only."""
    return plot_diagram(_sketch())


def test_every_word_and_arrow_is_drawn_once(figure: Figure):
    """Boxes for stocks, symbols for valves and clouds, two strokes for a pipe, heads where the sketch has them."""
    drawn = _named(figure)
    assert drawn == {
        "variable": 5, "variable-box": 1, "variable-ground": 5, "valve": 1, "cloud": 1, "comment": 1, "comment-ground": 1,
        "flow": 4, "flow-head": 1, "influence": 3, "influence-head": 3, "influence-delay": 2, "influence-sign": 2,
    }  # fmt: skip


def test_kinds_differ_in_colour_and_style(figure: Figure):
    """Shadow variables are grey, in brackets; constants and lookups are coloured, italic, and explained below."""
    texts = _texts(figure)
    assert len({texts[name] for name in ("Tea Temperature", "room temperature", "effect", "<Time>")}) == 4
    assert texts["heat loss"] == texts["Tea Temperature"]
    assert texts["cooling"] == "#C80000"
    italic = {text.get_text() for text in figure.axes[0].texts if text.get_style() == "italic"}
    assert {name.replace("\n", " ") for name in italic} == {"room temperature", "effect"}
    below = [text.get_text() for text in figure.texts]
    assert below == [
        "constant", "lookup", "<shadow variable>", "dashed: initial value only", "other colours: the author's",
        "Model tea.mdl, sha256 0123456789ab, view Cup",
    ]  # fmt: skip


def test_page_has_the_size_of_the_drawing():
    """An inch has the number of units that the view says, and nothing lies outside."""
    small, large = (plot_diagram(_sketch(density=density)).get_size_inches() for density in (144, 72))
    assert large[0] > small[0]
    figure = plot_diagram(_sketch(density=72))
    axes = figure.axes[0]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert right - left == pytest.approx(72 * figure.get_size_inches()[0])
    for word in place_words(_sketch().views[0], KINDS).values():
        assert left < word.region.x - word.region.half_width < word.region.x + word.region.half_width < right
        assert top < word.region.y - word.region.half_height < word.region.y + word.region.half_height < bottom


def test_huge_view_is_scaled_to_a_printable_page():
    """Two words far apart do not fill the memory."""
    far = Word(2, "variable", "b", 1_000_000, -1_000_000, 40, 20)
    sketch = _sketch(STOCK, far, arrows=(Arrow(3, 1, 2, "arc", ((5, 900_000),)),))
    figure = plot_diagram(sketch)
    assert max(figure.get_size_inches()) < 31
    figure.savefig(io.BytesIO(), format="png", dpi=72)


def test_sign_stands_beside_its_line(figure: Figure):
    """A minus is the typographic sign."""
    signs = [text for text in figure.axes[0].texts if (text.get_gid() or "").endswith("-sign")]
    assert sorted(sign.get_text() for sign in signs) == ["+", "\u2212"]
    (plus,) = (sign for sign in signs if sign.get_text() == "+")
    line = next(
        line
        for line in place_lines(_sketch().views[0], place_words(_sketch().views[0], KINDS))
        if line.arrow.number == 13
    )
    distance = np.hypot(*(line.points - plus.get_position()).T).min()
    assert 5 < distance < 9


def test_signs_avoid_words_lines_and_each_other():
    """With several arrows to one word, each sign is nearest to its own."""
    causes = [Word(n, "variable", f"cause {n}", 120 * n, 300, 20, 8) for n in range(2, 7)]
    view = View(
        "v",
        (Word(1, "variable", "effect", 480, 100, 20, 8), *causes),
        tuple(Arrow(10 + n, n, 1, polarity="+") for n in range(2, 7)),
    )
    words = place_words(view, {})
    lines = place_lines(view, words)
    signs = place_signs(lines, words.values(), view)
    assert len(signs) == 5
    for own in lines:
        at = np.array([signs[own.arrow.number]])
        distances = {line.arrow.number: np.hypot(*(line.points - at).T).min() for line in lines}
        assert min(distances, key=distances.get) == own.arrow.number
        assert not any(part.contains(at).any() for placed in words.values() for part in placed.parts)
    assert min(math.dist(one, other) for one in signs.values() for other in signs.values() if one != other) > 8


def test_name_does_not_hide_its_valve(figure: Figure):
    """The white behind text lies below symbols and above lines."""
    levels = {patch.get_gid(): patch.get_zorder() for patch in figure.axes[0].patches}
    assert levels["influence-14-head"] < levels["variable-4-ground"] < levels["valve-3"]


def test_arrow_to_a_flow_ends_at_its_valve_when_it_comes_from_there():
    """A head below a valve would be invisible."""
    view = View("Cup", (VALVE, FLOW, Word(9, "variable", "above", 400, 20, 40, 10)), (Arrow(10, 9, 4),))
    (line,) = place_lines(view, place_words(view, {}))
    assert line.points[-1] == pytest.approx((400, 92), abs=1.5)


def test_arrows_of_hidden_or_missing_words_are_left_out():
    hidden = Word(6, "variable", "b", 0, 0, 40, 20, hidden=True)
    arrows = (Arrow(7, 1, 6), Arrow(8, 1, 99), Arrow(9, 1, 4, hidden=True), Arrow(10, 4, 1))
    drawn = _named(plot_diagram(_sketch(STOCK, FLOW, hidden, arrows=arrows)))
    assert (drawn["variable"], drawn["influence"]) == (2, 1)


@pytest.mark.parametrize(("shape", "patch"), [("box", Rectangle), ("round", Ellipse)])
def test_text_fits_its_shape(shape: str, patch: type):
    """Text shrinks until it fits, and is not cut."""
    word = Word(1, "variable", "a rather long name for so small a place", 100, 100, 40, 20, shape)
    figure = plot_diagram(_sketch(word))
    (box,) = (patch for patch in figure.axes[0].patches if patch.get_gid() == "variable-1-box")
    assert isinstance(box, patch)
    label = place_words(View("v", (word,)), {})[1].label
    assert label.half_width <= 40
    assert " ".join(label.text.split()) == word.text


def test_text_is_never_parsed_and_unknown_characters_are_boxes(recwarn):
    words = ("$\\frac{1}{0}$", "$x_", "a\tb\x00c\x1b", "<b>&amp;", "\U0010fffe\ud800", "x" * 5000)
    sketch = _sketch(*(Word(n, "variable", text, 100, 60 * n, 40, 20) for n, text in enumerate(words)))
    for kind in ("png", "svg"):
        plot_diagram(sketch).savefig(io.BytesIO(), format=kind)
    assert not recwarn.list
    assert drawable("a\x00\tb\n") == "a\u25a1 b\n"


def test_view_is_found_by_name():
    """Names are compared as Vensim does; without a name there must be only one view."""
    one, other = View("One", (STOCK,)), View("Two of them", (ROOM,))
    sketch = Sketch("a.mdl", "", (one, other))
    assert "room temperature" in _texts(plot_diagram(sketch, "two OF_them"))
    assert "room temperature" in _texts(plot_diagram(sketch, other))
    with pytest.raises(FigureError, match="a.mdl: has no view 'Too'; choose one of 'One', 'Two of them'"):
        plot_diagram(sketch, "Too")
    with pytest.raises(FigureError, match="a.mdl: has no view 'Two of then'; did you mean 'Two of them'?"):
        plot_diagram(sketch, "Two of then")
    with pytest.raises(FigureError, match="a.mdl: has 2 views; choose one of 'One', 'Two of them'"):
        plot_diagram(sketch)


@pytest.mark.parametrize(
    ("views", "message"),
    [((), "has no sketch, .*; open it in Vensim"), ((View("Empty"),), "view 'Empty' is empty; ")],
)
def test_missing_sketch_and_empty_view_are_refused(views: tuple[View, ...], message: str):
    with pytest.raises(FigureError, match=message):
        plot_diagram(Sketch("a.mdl", "", views))


@pytest.mark.parametrize("name", SHOWN)
def test_arrows_of_public_models_end_at_their_targets(name: str):
    """The tip is at most one step away from the edge, and the body of the head covers no text."""
    if not SHARED.is_dir():
        pytest.skip("the shared models are not there")
    sketch = read_sketch(SHARED / "samples" / f"{name}.mdl")
    view = sketch.views[0]
    words = place_words(view, sketch.kinds)
    lines = [line for line in place_lines(view, words) if not line.arrow.pipe]
    assert len(lines) > 5
    for line in lines:
        target = words[line.arrow.target]
        parts = (*target.parts, *(words[target.partner].parts if target.partner is not None else ()))
        assert any(part.grown(2).contains(line.points[-1:]).any() for part in parts)
        base = arrow_head(line.points, 8, 3)[1:].mean(axis=0)
        assert not any(part.contains(base[None]).any() for part in parts) or distances_along(line.points)[-1] < 8


@given(a=places, b=places, c=places)
def test_arc_lies_on_the_circle_through_its_points(a: tuple, b: tuple, c: tuple):
    """All its points have the same distance from one centre; it begins and ends at the right points and passes the third."""
    points = arc(a, b, c)
    assert points[0] == pytest.approx(a, abs=1e-6)
    assert points[-1] == pytest.approx(c, abs=1e-6)
    area = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    if a == c or area < 0.05 * math.dist(a, c) ** 2:
        return
    step = np.hypot(*np.diff(points, axis=0).T).max()
    assert np.hypot(*(points - b).T).min() <= step
    middle = points[len(points) // 2]
    centre = _centre(points[0], middle, points[-1])
    assert np.hypot(*(points - centre).T) == pytest.approx(math.dist(centre, a), rel=1e-6)


def _centre(*corners: np.ndarray) -> np.ndarray:
    """Where two perpendicular bisectors meet, from the equations of the circle."""
    p, q, r = corners
    return np.linalg.solve(2 * np.array([q - p, r - p]), [q @ q - p @ p, r @ r - p @ p])


@given(a=places, b=places, size=st.integers(1, 60))
def test_line_runs_between_its_regions_only(a: tuple, b: tuple, size: int):
    """It has no point inside its source, and only its last inside its target."""
    source, target = Region(*a, size, size / 2), Region(*b, size, size, round=True)
    part = between(polyline([a, b]), (source,), (target,))
    if part is None:
        assert math.dist(a, b) <= 4 * size
        return
    assert not source.contains(part).any()
    assert target.contains(part)[-1] or source.contains(np.array([b], dtype=float)).all()
    assert not target.contains(part[:-1]).any()


@given(text=st.text(st.sampled_from("abc mWi-\n"), max_size=60), width=st.integers(1, 200))
def test_wrapped_text_fits_the_width_and_keeps_every_word(text: str, width: int):
    """Only a word wider than the place exceeds it; the recorded widths are the measured ones."""
    label = fit_text(text, Font(10), width, 20, shrink=False)
    assert label.text.split() == text.split()
    for line, measured in zip(label.text.split("\n"), label.widths, strict=False):
        assert measured <= width or " " not in line


@settings(max_examples=15, deadline=None)
@given(
    words=st.lists(
        st.builds(
            Word,
            number=st.integers(0, 5),
            kind=st.sampled_from(["variable", "valve", "cloud", "comment", "control", "picture"]),
            text=st.text(max_size=20),
            x=st.integers(-1_000_000, 1_000_000),
            y=st.integers(-1_000, 1_000),
            half_width=st.integers(0, 1_000),
            half_height=st.integers(0, 1_000),
            shape=st.sampled_from(["default", "clear", "box", "round"]),
            attached=st.booleans(),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda word: word.number,
    ),
    ends=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), places, st.booleans()), max_size=6),
)
def test_any_sketch_can_be_drawn(words: list[Word], ends: list[tuple]):
    """Overlapping words, empty sizes, arrows from a word to itself."""
    arrows = tuple(
        Arrow(10 + n, one, other, "path" if pipe else "arc", (at,), pipe=pipe, polarity="+", delayed=True)
        for n, (one, other, at, pipe) in enumerate(ends)
    )
    figure = plot_diagram(Sketch("a.mdl", "", (View("v", tuple(words), arrows),)))
    figure.savefig(io.BytesIO(), format="png", dpi=72)
