"""The sketch of a model file: the meaning of each line, every public model's sketch, and broken lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.errors import ModelError, Place
from sdmodel.model import Arrow, Lettering, View, Word
from sdmodel.reading import read_sketch
from sdmodel.testing import model_text
from sdmodel.vensim import read_document, sketch_from_text
from sdmodel.vensim.sketch.additions import Box, Plane
from sdmodel.vensim.sketch.views import Record, arrow_line, arrow_of, split_fields, view_texts, word_line, word_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "test-models"
MODELS = sorted(path.relative_to(SHARED).as_posix() for path in SHARED.rglob("*.mdl"))
WITHOUT_VIEWS = {
    "tests/get_values_order/test_get_values_order.mdl",
    "tests/odd_number_quotes/teacup_3quotes.mdl",
    "samples/teacup/teacup_mdl.mdl",
}

START = "\\\\\\---/// Sketch information - do not modify anything except names"
VERSION = "V300  Do not put anything below this section - it will be ignored"
STYLE = "$192-192-192,0,Times New Roman|12||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|72,72,100,0"
TEA = (
    "10,1,Tea Temperature,307,235,40,20,3,3,0,0,0,0,0,0",
    "12,2,48,479,235,10,8,0,3,0,0,-1,0,0,0",
    "1,3,5,2,4,0,0,22,0,0,0,-1--1--1,,1|(441,235)|",
    "1,4,5,1,100,0,0,22,0,0,0,-1--1--1,,1|(374,235)|",
    "11,5,48,408,235,6,8,34,3,0,0,1,0,0,0",
    "10,6,heat loss,408,251,49,8,40,3,0,0,-1,0,0,0",
    "10,7,room,479,300,30,8,8,2,0,3,-1,0,0,0,128-128-128,0-0-0,|||128-128-128",
    "1,8,1,6,1,0,43,0,0,65,0,-1--1--1,,1|(340,296)|",
    "1,9,7,6,0,0,45,0,1,64,1,255-0-0,,1|(430,280)|",
    "12,10,0,300,100,80,20,8,135,0,28,-1,0,0,0,0-0-0,255-255-0,|14|B|0-0-0",
    "A cup, cooling",
)
FIRST_LINE = 5
"""The line of the first record in a text that is only a sketch."""


def _text(*lines: str, name: str = "View 1") -> str:
    """Return a file with one view; its first record is on the fifth line."""
    return "\n".join((START, VERSION, f"*{name}", STYLE, *lines, "///---\\\\\\", ""))


def _view(*lines: str) -> View:
    (view,) = sketch_from_text(_text(*lines)).views
    return view


def _word(line: str) -> Word:
    (word,) = _view(line).words
    return word


def _arrow(line: str) -> Arrow:
    (arrow,) = _view(line).arrows
    return arrow


@pytest.mark.skipif(not MODELS, reason="the shared models are missing")
@pytest.mark.parametrize("name", MODELS or ["none"])
def test_every_public_model_is_read(name: str):
    """Each record of the file is one word or arrow, with its number, in its view."""
    text = (SHARED / name).read_bytes().decode("utf-8", "replace")
    sketch = read_sketch(SHARED / name)
    assert (not sketch.views) == (name in WITHOUT_VIEWS)
    parts = [] if name in WITHOUT_VIEWS else text.split("\\---///")[1:]
    assert len(parts) == len(sketch.views)
    for part, view in zip(parts, sketch.views, strict=True):
        records = [line for line in part.split("///---")[0].splitlines() if line[:3] in ("10,", "11,", "12,")]
        arrows = [line for line in part.split("///---")[0].splitlines() if line[:2] == "1,"]
        assert [word.number for word in view.words] == [int(line.split(",")[1]) for line in records]
        assert [arrow.number for arrow in view.arrows] == [int(line.split(",")[1]) for line in arrows]
        assert view.name in text


@pytest.mark.skipif(not MODELS, reason="the shared models are missing")
def test_records_keep_every_character():
    """The views of every public model, joined, are its sketch; the fields of a record, joined, are its text."""
    for name in MODELS:
        document = read_document(SHARED / name)
        segments = [segment for segment in document.segments if segment.kind in ("view", "record")]
        views = list(view_texts(document))
        assert "".join(view.text for view in views) == "".join(
            document.text[segment.start : segment.end] for segment in segments
        )
        for record in (record for view in views for record in view.records):
            assert document.slice(record.span) == record.text
            assert record.text.startswith(record.line)
            assert ",".join(record.fields) == record.line
            assert ",".join(split_fields(record.text)) == record.text


@pytest.mark.skipif(not MODELS, reason="the shared models are missing")
def test_the_words_of_a_public_model_have_kinds():
    """The equations define every variable of the view."""
    sketch = read_sketch(SHARED / "samples/Workforce/workforce.mdl")
    shown = {word.text.casefold().replace(" ", "_") for word in sketch.views[0].words if word.kind == "variable"}
    assert shown <= set(sketch.kinds)
    assert {sketch.kinds[name] for name in shown} == {"stock", "flow", "auxiliary", "constant", "lookup"}


def test_every_kind_of_record_is_read():
    """Places, half sizes, shapes, attached names, shadow variables."""
    view = _view(*TEA)
    assert (view.name, view.density, view.lettering.points) == ("View 1", 72, 12)
    assert view.arrow_colour == (0, 0, 255)
    kinds = {word.number: word.kind for word in view.words}
    assert kinds == {1: "variable", 2: "cloud", 5: "valve", 6: "variable", 7: "variable", 10: "comment"}
    tea, valve, label, room, comment = (view.by_number[number] for number in (1, 5, 6, 7, 10))
    assert (tea.text, tea.x, tea.y, tea.half_width, tea.half_height, tea.shape) == (
        "Tea Temperature", 307, 235, 40, 20, "box",
    )  # fmt: skip
    assert (label.attached, label.shape, tea.attached, valve.upright) == (True, "clear", False, False)
    assert (room.shadow, tea.shadow, room.lettering.colour) == (True, False, (128, 128, 128))
    assert (comment.text, comment.fill, comment.lettering) == (
        "A cup, cooling", (255, 255, 0), Lettering(points=14.0, marks="B"),
    )  # fmt: skip
    assert tea.place == Place("model.mdl", FIRST_LINE)


def test_kinds_of_arrows_are_distinguished():
    """Pipes with and without a head, arcs, straight lines, polarities, delays, initial values."""
    sink, source, arc, straight = _view(*TEA).arrows
    assert (sink.pipe, sink.head, sink.source, sink.target) == (True, True, 5, 2)
    assert (source.pipe, source.head) == (True, False)
    assert (arc.form, arc.points, arc.polarity, arc.delayed, arc.initial) == ("arc", ((340, 296),), "+", True, False)
    assert (straight.form, straight.polarity, straight.delayed, straight.initial) == ("straight", "-", False, True)
    assert (straight.colour, arc.colour) == ((255, 0, 0), None)


@pytest.mark.parametrize(
    ("line", "form", "points"),
    [
        ("1,1,2,3,1,0,0,0,0,64,0,-1--1--1,,1|(0,0)|", "straight", ()),
        ("1,1,2,3,1,0,0,0,0,64,0,-1--1--1,,1|(5,-6)|", "arc", ((5, -6),)),
        ("1,1,2,3,0,0,0,0,0,64,0,-1--1--1,,1|(5,6)|", "straight", ((5, 6),)),
        ("1,1,2,3,1,0,0,0,0,64,0,-1--1--1,,2|(5,6)|(7,8)|", "path", ((5, 6), (7, 8))),
        ("1,1,2,3,4,0,0,22,0,64,0,-1--1--1,,1|(5,6)|", "path", ((5, 6),)),
        ("1,1,2,3,1,0,0,0,0,64,0,-1--1--1,|12||0-0-0,0|", "straight", ()),
    ],
)
def test_the_form_of_an_arrow_follows_from_its_shape_and_points(line: str, form: str, points: tuple):
    """The point of a straight arrow is only its handle."""
    arrow = _arrow(line)
    assert (arrow.form, arrow.points) == (form, points)


@pytest.mark.parametrize(
    ("text", "name"),
    [('"a, b"', "a, b"), ('"say \\"hi\\""', 'say "hi"'), ("Énergie_totale", "Énergie_totale"), ("a  b", "a b")],
)
def test_names_are_read_as_in_equations(text: str, name: str):
    """A quoted name may hold commas."""
    assert _word(f"10,1,{text},1,2,3,4,8,3,0,0,0,0,0,0").text == name


@pytest.mark.parametrize("below", ["$5, says one", "*", "V300", "V364", "1,2,3", "10,5,no variable", "\\\\\\ odd", ""])
def test_the_text_of_a_comment_may_look_like_anything(below: str):
    """It is on the line below its record."""
    view = _view("12,1,0,5,6,7,8,8,7,0,0,-1,0,0,0", below, "10,2,a,1,2,3,4,8,3,0,0,0,0,0,0")
    assert [word.text for word in view.words] == [below, "a"]
    assert view.name == "View 1"


def test_hidden_records_are_marked():
    """Vensim shows them only at a higher level."""
    assert _word("10,1,a,1,2,3,4,8,3,1,0,0,0,0,0").hidden
    assert _arrow("1,1,2,3,1,1,0,0,0,64,0,-1--1--1,,1|(0,0)|").hidden


def test_each_mark_begins_a_view():
    """Each view has its own name and style; a view without a name is numbered."""
    one = "\n".join((START, VERSION, "*Chips", STYLE.replace("72,72", "192,192")))
    other = f"{START}\n{VERSION}\n{STYLE}\n10,1,a,1,2,3,4,8,3,0,0,0,0,0,0\n///---\\\\\\"
    sketch = sketch_from_text(f"{one}\n{other}\n")
    assert [(view.name, view.density, len(view.words)) for view in sketch.views] == [
        ("Chips", 192, 0),
        ("View 2", 72, 1),
    ]
    assert sketch.find("CHIPS") is sketch.views[0]
    assert sketch.find("chip") is None


def test_a_text_without_a_sketch_has_no_views():
    """Its elements are known all the same."""
    text = model_text("a = 1\nb = 2*a").split("\\\\\\---///")[0]
    sketch = sketch_from_text(text)
    assert sketch.views == ()
    assert (sketch.kinds["a"], sketch.kinds["b"]) == ("constant", "auxiliary")


def test_a_sketch_is_read_despite_faulty_equations():
    """Equations that can be read give their elements a kind."""
    sketch = sketch_from_text(f"a = 1 ~~|\nb = * a ~~|\nc = missing ~~|\n{_text(*TEA)}")
    assert sketch.kinds["a"] == "constant"
    assert len(sketch.views[0].words) == 6


@pytest.mark.parametrize("blank", [" ", "\t", "\x1f", "\u2003"])
def test_white_space_around_a_number_is_ignored(blank):
    """Of any kind; Python's `int` accepts fewer kinds than `strip` removes."""
    assert (_word(f"10,1,a,{blank}5{blank},6,3,4,8,3,0,0,0,0,0,0").x, _word("10,1,a,5,6,3,4,8,3,0,0,0,0,0,0").x) == (
        5,
        5,
    )


@pytest.mark.parametrize(
    ("line", "column", "what"),
    [
        ("10,1,a,1,x,3,4,8,3,0,0,0,0,0,0", 10, "the y is 'x'; write a whole number"),
        ("10,1,a,1", 9, "the y is missing"),
        ("10,one,a,1,2,3,4,8,3,0,0,0,0,0,0", 4, "the number is 'one'"),
        ("10,1,a,1,99999999,3,4,8,3,0,0,0,0,0,0", 10, "99999999 is outside of any sketch; write a number up to"),
        ("1,1,2,3,1,0,0,0,0,64,0,-1--1--1,,2|(5,6)|", 34, "does not end with its points"),
        ("1,1,2,3,1,0,0,0,0,64", 21, "does not end with its points"),
        ("1,1,2,x,1,0,0,0,0,64,0,-1--1--1,,1|(0,0)|", 7, "the target is 'x'"),
        ("77,1,a,1,2,3,4,8,3,0,0,0,0,0,0", 1, "is not an object of a sketch; remove the line"),
        ("hello", 1, "'hello' is not a line of a sketch; remove it"),
        (
            "V160\n*View 1\n|0,Price,79,49,47,8,0\n-1\n>0,1,0",
            1,
            "'V160' is not a known version of the sketch format; save",
        ),
    ],
)
def test_broken_lines_are_reported_with_their_place(line: str, column: int, what: str):
    """Line and column, what is wrong and what to do."""
    with pytest.raises(ModelError, match=what) as caught:
        sketch_from_text(_text(*TEA[:2], line), "a.mdl")
    (fault,) = caught.value.faults
    assert fault.where == Place("a.mdl", FIRST_LINE + 2, column)
    assert "; " in fault.what


def test_versions_after_the_first_have_the_same_lines():
    """Vensim also writes V364."""
    text = _text(*TEA)
    assert sketch_from_text(text.replace("V300", "V364")).views == sketch_from_text(text).views


def test_duplicate_numbers_are_reported():
    """Arrows could end at either record."""
    with pytest.raises(ModelError, match="model.mdl:6:1: the number 1 is given twice in view 'View 1'; "):
        sketch_from_text(_text(TEA[0], TEA[0]))


def test_all_broken_lines_are_reported_together():
    """In the order of the file."""
    with pytest.raises(ModelError) as caught:
        sketch_from_text(_text("hello", TEA[0], "10,2,a"))
    assert [fault.where.line for fault in caught.value.faults] == [FIRST_LINE, FIRST_LINE + 2]


@given(
    place=st.integers(0, sum(map(len, TEA))),
    length=st.integers(0, 8),
    put=st.text(st.sampled_from('0123456789,|()-"\\$*V\n\r\t{}~ aé\u2028\u6570'), max_size=8),
)
def test_a_damaged_sketch_is_read_or_refused(place: int, length: int, put: str):
    """There is no other outcome, and a fault has its place in the file."""
    whole = _text(*TEA)
    at = whole.index(TEA[0]) + place
    text = whole[:at] + put + whole[at + length :]
    try:
        views, faults = sketch_from_text(text, "a.mdl").views, ()
    except ModelError as error:
        views, faults = (), error.faults
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert views or faults
    assert all(fault.where.path == "a.mdl" and 1 <= fault.where.line <= lines for fault in faults)


NUMBERS = st.integers(-999, 999)
SIZES = st.integers(0, 99)


@given(st.sampled_from(["variable", "valve", "cloud"]), NUMBERS, NUMBERS, SIZES, SIZES, st.booleans(), st.booleans())
def test_written_words_are_read_back(kind, x, y, width, height, box, shadow):
    """Each kind that is written, at any place and in any size; a shadow variable is grey."""
    variable = kind == "variable"
    grey = variable and shadow
    word = Word(
        7, kind, {"variable": 'odd, "name"', "valve": "48", "cloud": ""}[kind], x, y, width, height,
        shape={"variable": "box" if box else "clear", "valve": "round", "cloud": "default"}[kind],
        attached=kind == "valve",
        shadow=grey,
        border=(128, 128, 128) if grey else None,
        lettering=Lettering(colour=(128, 128, 128) if grey else None),
    )  # fmt: skip
    assert word_of(Record(word_line(word)), word.place) == word


@given(NUMBERS, NUMBERS, st.booleans(), st.booleans(), st.sampled_from(["", "+", "-"]), st.booleans())
def test_written_arrows_are_read_back(x, y, pipe, head, polarity, initial):
    """Pipes and influences, straight and bent."""
    point = () if (x, y) == (0, 0) else ((x, y),)
    form = "straight" if not point else "path" if pipe else "arc"
    arrow = Arrow(3, 1, 2, form, point, pipe=pipe, head=head or not pipe, polarity=polarity, initial=initial)
    assert arrow_of(Record(arrow_line(arrow)), arrow.place) == arrow


@settings(max_examples=10)
@given(st.lists(st.tuples(*[st.integers(0, 400)] * 2, *[st.integers(5, 60)] * 2), max_size=6), st.data())
def test_a_new_word_gets_the_best_free_place(boxes, data):
    """The search stops early, and finds the place that a search of all places finds."""
    plane = Plane(dict(enumerate(Box(*box) for box in boxes)), [((0, 0), (400, 300)), ((0, 300), (400, 0))], [])
    near = data.draw(st.tuples(*[st.integers(0, 400)] * 2))
    causes = list(plane.boxes)[:1]
    found = plane.spot(near, 30, 10, causes)
    steps = range(-240, 241, 20)
    places = [Box(near[0] + right, near[1] + down, 30, 10) for down in steps for right in steps]
    free = [box for box in places if plane.is_free(box)]
    if free:
        assert found == min(free, key=lambda box: plane._cost(box, math.dist((box.x, box.y), near) / 20, causes))
    assert plane.is_free(found)
