"""Edits of a model file: only what must change does, and edits that would break the model are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.errors import ModelError
from sdmodel.model import Range, key
from sdmodel.simulation import simulate
from sdmodel.testing import model_text
from sdmodel.vensim import OpenDocument, model_from_text, open_document, sketch_from_text, split_statement
from sdmodel.vensim.edit.elements import _causes
from sdmodel.vensim.edit.layout import fill_lines

TEXT = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="|~{}[]\\"), min_size=1, max_size=120)


def _open(text: str) -> OpenDocument:
    return OpenDocument.from_bytes(text.encode(), "m.mdl")


def _tea() -> OpenDocument:
    return _open(TEA)


TEA = model_text(
    """
    Tea= INTEG (
    \t-cooling,
    \t\t180)
    \t~\tDegree [32,212]
    \t~\tThe tea.
    \t|

    cooling=
    \t(Tea - room)/cooling time
    \t~\tDegree/Year
    \t~\t\t|

    room=
    \t70
    \t~\t
    \t~\tWhat is | in bars.
    \t|
    """.replace(" | in bars", " in bars")
    + "\n    cooling time=\n    \t2\n    \t~\tYear\n    \t~\t\t|\n"
).replace(
    "///---\\\\\\\n",
    "10,1,Tea,300,200,40,20,3,3,0,0,0,0,0,0\n"
    "12,2,48,480,200,10,8,0,3,0,0,-1,0,0,0\n"
    "1,3,5,2,4,0,0,22,0,0,0,-1--1--1,,1|(440,200)|\n"
    "1,4,5,1,100,0,0,22,0,0,0,-1--1--1,,1|(370,200)|\n"
    "11,5,48,408,200,6,8,34,3,0,0,1,0,0,0\n"
    "10,6,cooling,408,219,49,11,40,3,0,0,-1,0,0,0\n"
    "10,7,room,469,304,49,8,8,3,0,0,0,0,0,0\n"
    "10,8,cooling time,408,120,49,8,8,3,0,0,0,0,0,0\n"
    "1,9,8,6,0,0,0,0,0,64,0,-1--1--1,,1|(408,160)|\n"
    "1,10,1,6,1,0,0,0,0,64,0,-1--1--1,,1|(340,260)|\n"
    "1,11,7,6,0,0,0,0,0,64,0,-1--1--1,,1|(437,260)|\n"
    "///---\\\\\\\n",
)


@given(st.sampled_from(["\n", "\r\n"]), TEXT, TEXT)
@settings(deadline=None, max_examples=15)
def test_texts_are_read_back_and_line_ends_stay(end, comment, units):
    """In files of either kind of line end."""
    opened = _open(TEA.replace("\n", end))
    for name in ("Tea", "cooling", "room"):
        opened[name].comment = comment
        opened[name].units = units
        element = opened.model[name]
        assert " ".join(element.comment.split()) == " ".join(comment.split())
        assert element.units == " ".join(units.split())
        assert element.range == (Range(32, 212) if name == "Tea" else None)
    assert (b"\n" in bytes(opened).replace(b"\r\n", b"")) is (end == "\n")


@given(st.tuples(*[st.none() | st.floats(-1e9, 1e9)] * 2), st.none() | st.floats(0, 10))
@settings(deadline=None, max_examples=15)
def test_ranges_are_read_back_and_removed(bounds, step):
    """To the last digit; units stay as they are."""
    opened = _tea()
    low, high = bounds
    if low is not None and high is not None and low > high:
        low, high = high, low
    for name in ("Tea", "cooling", "room"):
        opened[name].range = (low, high, step)
        assert opened.model[name].range == Range(low, high, step) == opened[name].range
        opened[name].range = None
        assert opened.model[name].range is None
    assert [opened[name].units for name in ("Tea", "cooling", "room")] == ["Degree", "Degree/Year", ""]


@pytest.mark.parametrize(
    "block", ["b = 1 |", "b = 1 ~ |", "b = 1 ~~|", "b =\n\t1\n\t|", "b = 1 ~ ~ ~ :SUP |", "b = 1|"]
)
def test_missing_fields_are_added(block):
    """Whatever form the block has."""
    opened = _open(model_text(f"a = 1 ~ u ~ c |\n{block}\n"))
    opened["b"].comment = "Why."
    opened["b"].units = "m"
    opened["b"].range = (0, 1)
    element = opened.model["b"]
    assert (element.comment, element.units, element.range) == ("Why.", "m", Range(0, 1))
    assert not opened.faults


def test_long_comments_are_broken_as_in_vensim():
    """With a backslash, so that the reader joins it again."""
    opened = _tea()
    comment = "word " * 60
    opened["Tea"].comment = comment
    assert max(map(len, opened["Tea"].comment.splitlines())) <= 84
    assert opened.model["Tea"].comment == comment.strip()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("comment", "a | b", "cannot hold '|'"),
        ("comment", "a ~ b", "cannot hold '~'"),
        ("comment", "a \x07", "not text"),
        ("comment", "a \\", "backslash"),
        ("units", "m [0,1]", "brackets"),
        ("units", "m|s", "cannot hold '|'"),
        ("range", (2, 1), "above the maximum"),
        ("range", (0, float("inf")), "finite"),
        ("range", (1,), "a minimum, a maximum"),
        ("range", (0, 1, -1), "below 0"),
        ("group", "a*b", "not a name for a group"),
        ("equation", "1 +", "is incomplete"),
        ("comment", "x\n****\n\t.G", "one field"),
    ],
)
def test_texts_that_a_field_cannot_hold_are_refused(field, value, words):
    """The error has the reason, and nothing changes."""
    opened = _tea()
    with pytest.raises(ModelError, match=words):
        setattr(opened["Tea"], field, value)
    assert bytes(opened) == TEA.encode()


def test_units_are_set_in_the_block_that_has_them_and_equations_need_one_block():
    """Vensim writes units and comment on the last block of an array."""
    text = model_text("d: x, y ~~|\na[x] = 1 ~~|\na[y] = 2\n\t~\tm [0,5]\n\t~\tHere.\n\t|\nb[d] = a[d] ~~|\n")
    opened = _open(text)
    opened["a"].units = "km"
    opened["A[ y ]"].equation = "3"
    assert bytes(opened) == text.replace("\tm [", "\tkm [").replace("= 2", "= 3").encode()
    with pytest.raises(ModelError, match="name one of them, such as a\\[x\\] or a\\[y\\]"):
        opened["a"].equation = "1"
    with pytest.raises(ModelError, match="no block defines"):
        opened["a[z]"]


def test_a_name_means_the_models_element_before_a_macros():
    """A macro's names are its own, even if it comes first in the file."""
    macro = ":MACRO: M(a)\nM = a*b$ ~~|\nb = 3 ~~|\n:END OF MACRO:\n"
    opened = _open(macro + model_text("b = 1 ~~|\nc = M(b) ~~|\n").removeprefix("{UTF-8}\n"))
    opened["b"].equation = "2"
    opened.rename("b", "beta")
    assert b"M = a*beta$" in bytes(opened)
    assert b"b = 3 ~~|" in bytes(opened)
    assert b"beta = 2 ~~|\nc = M(beta)" in bytes(opened)


def test_a_renaming_changes_all_uses_but_not_comments():
    """In any spelling of the name; in texts, comments in braces and longer names it is another word."""
    text = model_text(
        "Old Name = 1 ~ u ~ The old name. |\nb = OLD_NAME + old\\\n\t\tname2 {Old Name} ~~|\nold name2 = 2 ~~|\n"
        "c = Old  Name\n\t*2 ~~|\n"
    ).replace(
        "///---\\\\\\\n",
        "10,1,Old Name,1,1,9,9,8,3,0,0\n|0,Old Name,1,1,9,9,8,3,0,0\n///---\\\\\\\n:GRAPH g\n:VAR Old Name\n",
    )
    opened = _open(text + "5:Old Name\n")
    opened.rename("old name", "a (new) one")
    text = bytes(opened).decode()
    assert '"a (new) one" = 1 ~ u ~ The old name. |' in text
    assert 'b = "a (new) one" + old\\\n\t\tname2 {Old Name}' in text
    assert 'c = "a (new) one"\n\t*2' in text
    assert '10,1,"a (new) one",1,1' in text
    assert '|0,"a (new) one",1,1' in text  # as Vensim 1 wrote it
    assert ':VAR "a (new) one"' in text
    assert '5:"a (new) one"' in text


def test_labels_and_ranges_are_renamed_in_brackets_and_declarations():
    """A label of a numbered row cannot be renamed."""
    opened = _open(model_text("d: x, y ~~|\nn: (k1-k3) ~~|\na[x] = 1 ~~|\na[y] = 2 ~~|\nb[d] = a[d]*SUM(a[d!]) ~~|\n"))
    opened.rename("x", "ex")
    opened.rename("d", "dim")
    text = bytes(opened).decode()
    assert "dim: ex, y" in text
    assert "a[ex] = 1" in text
    assert "b[dim] = a[dim]*SUM(a[dim!])" in text
    with pytest.raises(ModelError, match="numbered row"):
        opened.rename("k2", "q")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rooom", "x", "did you mean 'room'"),
        ("room", "Tea", "is taken at m.mdl"),
        ("room", "MIN", "reserved word of Vensim"),
        ("room", "time", "reserved word of Vensim"),
        ("room", "time step", "taken at"),
        ("room", "a|b", "cannot hold"),
        ("room", "  ", "needs letters"),
        ("room", 'a"b', "cannot hold"),
        ("TIME STEP", "dt", "keep it"),
        ("Time", "t", "keep it"),
        ("room[x]", "t", "leave out the subscripts"),
    ],
)
def test_impossible_renamings_are_refused(old, new, words):
    """The error has the reason, and nothing changes."""
    opened = _tea()
    with pytest.raises(ModelError, match=words):
        opened.rename(old, new)
    assert bytes(opened) == TEA.encode()


@pytest.mark.parametrize(
    ("text", "old", "words"),
    [
        (
            ":MACRO: TWICE(x)\nTWICE = half + half ~~|\nhalf = x ~~|\n:END OF MACRO:\ny = TWICE(3)",
            "TWICE 1 half",
            "see the names",
        ),
        ("level~~|\nlast = GET DATA LAST TIME(level)", "level#data", "did you mean 'level'"),
    ],
)
def test_a_name_of_no_line_in_the_file_is_not_suggested(text, old, words):
    """Macros and data have variables of their own in the model, which the file does not define by name."""
    with pytest.raises(ModelError, match=f"'{old}': is not defined; {words}"):
        _open(model_text(text)).rename(old, "z")


@pytest.mark.parametrize(
    ("text", "old"), [("a = missing + 1\nb = 2", "b"), ("d: x, y\na[d] = 1\nb = a[x] + missing", "x")]
)
def test_a_name_that_is_used_and_not_defined_is_not_given_to_another_element(text, old):
    """What read the missing name would read something else."""
    before = model_text(text)
    opened = _open(before)
    with pytest.raises(
        ModelError, match="^m.mdl: 'missing' is used in the model already, where it is not defined; define it"
    ):
        opened.rename(old, "missing")
    assert bytes(opened) == before.encode()


@pytest.mark.parametrize("loose", [True, False])
def test_a_new_element_without_causes_joins_those_without_a_group_first(loose):
    """Before any group header, unless all elements are in groups."""
    stars = "*" * 56
    text = f"{stars}\n\t.Prices\n{stars}~\n\t\t\n\t|\n\nprice = 2 ~ ~ |"
    opened = _open(model_text(("loose = 1 ~ ~ |\n\n" if loose else "") + text))
    opened.add("fresh", "3")
    assert opened["fresh"].group == ("" if loose else "Prices")


def test_a_cause_of_an_initial_value_alone_is_marked():
    """Its arrow is dashed; a cause of the rate too, and every cause of another equation, has a plain one."""
    model = _open(model_text("a = 1\nb = 2\nc = 3")).model
    causes = {name: alone for name, (_, alone) in _causes(model, "INTEG(a + c - s, b*c + Time)", "s")}
    assert causes == {"a": False, "b": True, "c": False, "time": False}
    assert dict(_causes(model, "a + b", "s")) == {"a": ("a", False), "b": ("b", False)}


def test_a_line_is_filled_up_to_its_width():
    """One character more makes a new line."""
    assert fill_lines(["abc", "de"], "\n", indent="", width=6) == "abc de"
    assert fill_lines(["abc", "def"], "\n", indent="", width=6) == "abc \\\n\t\tdef"


def test_renaming_there_and_back_restores_the_file():
    """If every use has the spelling of the definition."""
    opened = _tea()
    for name in ("Tea", "cooling", "room", "cooling time"):
        opened.rename(name, "odd, name")
        assert bytes(opened) != TEA.encode()
        opened.rename("Odd, Name", name)
        assert bytes(opened) == TEA.encode()


def test_unused_elements_are_removed_with_their_words_and_used_ones_are_not():
    """A flow goes with its valve, pipes and cloud once the stock's equation does without it."""
    opened = _tea()
    with pytest.raises(ModelError, match="'cooling' is used by 'Tea'; change"):
        opened.remove("cooling")
    opened["Tea"].equation = "INTEG(0, 180)"
    opened.remove("cooling")
    numbers = [line.split(",")[1] for line in _records(opened)]
    assert numbers == ["1", "7", "8"]
    with pytest.raises(ModelError, match="keep it"):
        opened.remove("SAVEPER")


def _records(opened: OpenDocument) -> list[str]:
    return [
        opened.document.text[segment.start : segment.end].strip()
        for segment in opened.document.segments
        if segment.kind == "record"
    ]


def test_setting_the_group_moves_the_block_and_creates_the_group():
    """Before the group of the control variables, with its bytes as they were."""
    opened = _tea()
    opened["room"].group = "Levers"
    assert [opened[name].group for name in ("Tea", "room", "cooling time", "TIME STEP")] == [
        "",
        "Levers",
        "",
        "Control",
    ]
    opened["Tea"].group = "levers"
    assert opened["Tea"].group == "Levers"
    assert [element.name for element in opened.model][:4] == ["cooling", "cooling time", "room", "Tea"]
    assert opened.model.groups[0].name == "Levers"
    before = bytes(opened)
    opened["Tea"].group = "Levers"
    assert bytes(opened) == before


ADDED = [
    ("gap", "Tea - room", {}, "auxiliary"),
    ("limit", "5", {"kind": "constant"}, "constant"),
    ("effect", "(0,0),(1,1)", {}, "lookup"),
    ("effect", "([(0,0)-(2,2)],(0,0),(1,1))", {"kind": "lookup"}, "lookup"),
    ("Pot", "100", {"kind": "stock"}, "stock"),
    ("Pot", "INTEG(-cooling, room)", {}, "stock"),
    ("pouring", "Tea/2", {"source": "Tea"}, "flow"),
    ("filling", "3", {"sink": "tea", "kind": "flow"}, "flow"),
    ("odd, name", "Time*room", {}, "auxiliary"),
]


@pytest.mark.parametrize(("name", "equation", "given", "kind"), ADDED)
def test_added_elements_have_their_kind_and_a_free_place_in_the_sketch(name, equation, given, kind):
    """Arrows from all causes, free numbers, no word on another; the block has the author's layout."""
    opened = _tea()
    assert opened.add(name, equation, units="m", comment="New.", range=(0, None), **given) == "View 1"
    opened.check()
    element = opened.model[name]
    if kind != "flow" or element.kind != "constant":
        assert element.kind == kind
    assert (element.units, element.comment, element.range) == ("m", "New.", Range(0, None))
    (view,) = sketch_from_text(bytes(opened)).views
    numbers = [*(word.number for word in view.words), *(arrow.number for arrow in view.arrows)]
    assert len(numbers) == len(set(numbers))
    own = next(word for word in view.words if key(word.text) == key(name))
    causes = {
        key(view.by_number[arrow.source].text) for arrow in view.arrows if arrow.target == own.number and not arrow.pipe
    }
    mentioned = {cause for cause in ("tea", "room", "cooling", "time") if cause in key(equation).replace("integ", "")}
    assert causes == mentioned
    assert not _overlaps(view.words, {word.number for word in sketch_from_text(TEA).views[0].words})


def _overlaps(words, old) -> list[tuple[str, str]]:
    """Return the pairs of overlapping words of which one is new; a valve may touch its label."""
    return [
        (one.text, two.text)
        for one in words
        for two in words
        if one.number < two.number
        and two.number not in old
        and abs(one.x - two.x) < one.half_width + two.half_width
        and abs(one.y - two.y) < one.half_height + two.half_height
    ]


def test_an_added_flow_has_pipes_and_enters_the_equations_of_its_stocks():
    """Added where it fills, subtracted where it drains; the zero of a stock without flows goes."""
    opened = _tea()
    opened.add("Pot", "100", kind="stock")
    opened.add("pouring", "Pot/2", kind="flow", source="Pot", sink="Tea")
    assert opened["Pot"].equation == "INTEG(-pouring, 100)"
    assert opened["Tea"].equation == "INTEG (\n\t-cooling + pouring,\n\t\t180)"
    (view,) = sketch_from_text(bytes(opened)).views
    label = next(word for word in view.words if word.text == "pouring")
    valve = view.words[view.words.index(label) - 1]
    ends = {view.by_number[arrow.target].text for arrow in view.arrows if arrow.source == valve.number and arrow.pipe}
    assert (valve.kind, label.attached, ends) == ("valve", True, {"Pot", "Tea"})
    kinds = [line.split(",")[0] for line in _records(opened)]
    assert kinds[-5:-1] == ["1", "1", "11", "10"]


def test_a_net_flow_that_binds_less_than_a_sum_gets_parentheses():
    """Otherwise the new flow would belong to its last comparison."""
    opened = _open(model_text("S = INTEG(Time > 3, 0) ~~|\n"))
    opened.add("f", "1", sink="S")
    assert opened["S"].equation == "INTEG((Time > 3) + f, 0)"


def test_an_added_flow_has_the_subscripts_of_its_stock():
    """In every block of the stock."""
    opened = _open(model_text("d: x, y ~~|\nS[x] = INTEG(0, 1) ~~|\nS[y] = INTEG(1, 2) ~~|\n"))
    opened.add("f[d]", "S[d]/2", source="S")
    assert opened["S[x]"].equation == "INTEG(-f[x], 1)"
    assert opened["S[y]"].equation == "INTEG(1 - f[y], 2)"
    opened.check()


def test_a_cause_in_another_view_is_shown_as_a_shadow_variable():
    """One that has no arrows in: the bit for them is off."""
    second = "\\\\\\---/// Sketch\nV300  x\n*Other\n$0,0,Arial|10||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|96,96,100,0\n"
    opened = _open(TEA.replace("///---\\\\\\\n", second + "///---\\\\\\\n"))
    assert opened.add("gap", "Tea - room", view="other") == "Other"
    view = sketch_from_text(bytes(opened)).views[1]
    assert {word.text: word.shadow for word in view.words} == {"gap": False, "Tea": True, "room": True}
    with pytest.raises(ModelError, match="did you mean 'Other'"):
        opened.add("gap 2", "1", view="Othr")


def test_a_model_without_time_settings_gets_them():
    """They are what it needs to run; a second one is refused."""
    opened = _open("a = Time ~ u ~ c |\n")
    assert len(opened.faults) == 3
    for name, equation in (("INITIAL TIME", "0"), ("FINAL TIME", "2"), ("TIME STEP", "1")):
        opened.add(name, equation)
    assert opened.faults == []
    assert simulate(opened.model)["a"].to_numpy().tolist() == [0, 1, 2]
    with pytest.raises(ModelError, match="'FINAL TIME': this name is taken at"):
        opened.add("FINAL TIME", "3")


def test_without_a_sketch_only_the_equation_is_added():
    """A text of equations alone stays one."""
    opened = _open("a = 1 ~ u ~ c |\nINITIAL TIME = 0 ~~|\nFINAL TIME = 1 ~~|\nTIME STEP = 1 ~~|\n")
    assert opened.add("b", "a + 1") == ""
    assert b"TIME STEP = 1 ~~|\nb = a + 1 ~ " in bytes(opened)


@pytest.mark.parametrize(
    ("name", "equation", "given", "words"),
    [
        ("room", "1", {}, "is taken at"),
        ("x", "1 +", {}, "is incomplete"),
        ("x", "", {}, "is incomplete"),
        ("x", "1", {"kind": "lookup"}, "write \\(x,y\\)"),
        ("x", "room*2", {"kind": "constant"}, "of kind auxiliary, not constant"),
        ("x", "room*2", {"kind": "flow"}, "name the stock"),
        ("x", "1", {"source": "room"}, "is not a stock"),
        ("x", "1", {"source": "Tea", "sink": "tea"}, "to itself"),
        ("x", "1", {"kind": "stock", "sink": "tea"}, "add a flow"),
        ("x", "1", {"source": "Teaa"}, "did you mean"),
        ("x", "1", {"comment": "|"}, "cannot hold"),
        ("x", "1 ~ u", {}, "'~'"),
    ],
)
def test_impossible_additions_are_refused(name, equation, given, words):
    """The error has the reason, and nothing changes."""
    opened = _tea()
    with pytest.raises(ModelError, match=words):
        opened.add(name, equation, **given)
    assert bytes(opened) == TEA.encode()


def test_new_faults_keep_a_file_from_being_saved_and_old_ones_do_not(tmp_path):
    """The fault has its place; the file stays as it was."""
    file = tmp_path / "m.mdl"
    file.write_text(model_text("a = 1\nb = nowhere + a\n"))
    before = file.read_bytes()
    opened = open_document(file)
    opened["a"].equation = "2"
    opened["b"].comment = "nowhere is missing"
    assert opened.save() == [str(file)]
    opened.rename("b", "bee")
    opened["a"].equation = "elsewhere"
    with pytest.raises(ModelError, match=r"m\.mdl:\d+:\d+: 'elsewhere' is not defined"):
        opened.save()
    assert file.read_bytes() != before
    opened.undo()
    opened.save()
    assert b"bee = nowhere + a" in file.read_bytes()


def test_a_file_that_somebody_else_changed_is_not_overwritten(tmp_path):
    """Their edit would be lost; another file is replaced only by force."""
    file, other = tmp_path / "m.mdl", tmp_path / "other.mdl"
    file.write_text(TEA)
    opened = open_document(file)
    opened["room"].equation = "60"
    file.write_text(TEA + "\n")
    with pytest.raises(ModelError, match="has changed since it was opened"):
        opened.save()
    other.write_text("mine")
    with pytest.raises(ModelError, match="exists already"):
        opened.save(other)
    opened.save(other, force=True)
    assert other.read_bytes() == bytes(opened)


def test_the_difference_has_the_changed_lines():
    """As a unified diff."""
    opened = _tea()
    opened["room"].equation = "60"
    lines = [line for line in opened.difference().splitlines() if line[0] in "+-"]
    assert lines == ["--- m.mdl", "+++ m.mdl", "-\t70", "+\t60"]


def test_files_next_to_the_model_are_renamed_in_and_saved_with_it(tmp_path):
    """Names in every kind of file; other words stay."""
    (tmp_path / "scenarios").mkdir()
    files = {
        "m.lst": ("room\nTea\n", '"r, m"\nTea\n'),
        "scenarios/cold.cin": ("{room}\nRoom = 50\ncooling time = 1\n", '{room}\n"r, m" = 50\ncooling time = 1\n'),
        "wide.vsc": ("9,L,1,,0\nroom=RANDOM_UNIFORM(1,2)\n", '9,L,1,,0\n"r, m"=RANDOM_UNIFORM(1,2)\n'),
        "drawn.vsc": ("9,F,1,drawn.tab\n", None),
        "drawn.tab": ("room\tTea\n1\t2\n", '"r, m"\tTea\n1\t2\n'),
        "data.tab": ("room\tTea\n1\t2\n", '"r, m"\tTea\n1\t2\n'),
        "other.tab": ("rooms\tTeas\n1\t2\n", None),
        "m.voc": ("0<=room=1<=2\n", '0<="r, m"=1<=2\n'),
        "m.vpd": ("*C\nroom|room data/2\n", '*C\n"r, m"|room data/2\n'),
        "m.figure.csv": ("panel,model\nroom,room\n", 'panel,model\nroom,"""r, m"""\n'),
        "m.series.csv": (
            '# room\nname,model,data\nroom,"2*room",room\n',
            '# room\nname,model,data\nroom,"2*""r, m""",room\n',
        ),
        "notes.txt": ("room\n", None),
    }
    for name, (text, _) in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "m.mdl").write_text(TEA)
    opened = open_document(tmp_path / "m.mdl")
    opened.rename("room", "r, m", everywhere=True)
    saved = opened.save()
    for name, (before, after) in files.items():
        assert (tmp_path / name).read_text() == (before if after is None else after), name
    assert len(saved) == 1 + sum(after is not None for _, after in files.values())
    model_from_text((tmp_path / "m.mdl").read_bytes())
    opened.rename("r, m", "room", everywhere=True)
    opened.save()
    assert (tmp_path / "scenarios/cold.cin").read_text() == "{room}\nroom = 50\ncooling time = 1\n"
    assert (tmp_path / "m.figure.csv").read_text() == "panel,model\nroom,room\n"


def test_read_only_files_stay_and_others_keep_their_permissions(tmp_path):
    """If one file cannot be written, those before it get their bytes back."""
    (tmp_path / "m.mdl").write_text(TEA)
    (tmp_path / "m.mdl").chmod(0o640)
    (tmp_path / "m.lst").write_text("room\n")
    (tmp_path / "m.lst").chmod(0o444)
    opened = open_document(tmp_path / "m.mdl")
    opened.rename("room", "place", everywhere=True)
    with pytest.raises(ModelError, match="m.lst: the file is read-only"):
        opened.save()
    assert (tmp_path / "m.mdl").read_text() == TEA
    (tmp_path / "m.lst").chmod(0o644)
    opened.save()
    assert (tmp_path / "m.lst").read_text() == "place\n"
    assert (tmp_path / "m.mdl").stat().st_mode & 0o777 == 0o640


def test_next_to_other_models_only_files_of_the_models_name_change(tmp_path):
    """Other change files may be another model's."""
    for name in ("m.mdl", "n.mdl"):
        (tmp_path / name).write_text(TEA)
    for name in ("m.lst", "n.lst", "any.cin"):
        (tmp_path / name).write_text("room = 5\n" if name == "any.cin" else "room\n")
    opened = open_document(tmp_path / "m.mdl")
    opened.rename("room", "place", everywhere=True)
    opened.save()
    texts = {name: (tmp_path / name).read_text() for name in ("m.lst", "n.lst", "any.cin")}
    assert texts == {"m.lst": "place\n", "n.lst": "room\n", "any.cin": "room = 5\n"}


def test_an_undone_renaming_leaves_the_files_next_to_the_model(tmp_path):
    """They are written together with the model."""
    (tmp_path / "m.mdl").write_text(TEA)
    (tmp_path / "m.lst").write_text("room\n")
    opened = open_document(tmp_path / "m.mdl")
    opened.rename("room", "place", everywhere=True)
    assert "+place" in opened.difference()
    opened.undo()
    assert opened.save() == []
    assert opened.difference() == ""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a = 1", ("a", "1")),
        ('"a=b"[c, d] = x = 2', ('"a=b"[c, d]', "x = 2")),
        ("f((0,0),(1,1))", ("f", "((0,0),(1,1))")),
    ],
)
def test_statements_are_split_at_their_operator(text, parts):
    """The first operator outside of quotes and brackets."""
    assert split_statement(text) == parts


@pytest.mark.parametrize("text", ["a", "= 1", "a =", "", "a: b, c"])
def test_texts_that_are_not_statements_are_refused(text):
    """A name alone sets nothing."""
    with pytest.raises(ModelError, match="write 'name = equation'"):
        split_statement(text)
