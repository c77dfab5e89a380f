"""Three-way merges of a model: edits of different variables are combined, and conflicts are named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel import simulate
from sdmodel.testing import model_text
from sdmodel.vensim import Document, Merge, compare_documents, format_document, merge_documents, model_from_text

WORDS = """10,1,a,100,100,40,20,3,3,0,0,0,0,0,0
10,2,b,200,100,40,20,8,3,0,0,0,0,0,0
1,3,2,1,1,0,0,0,0,64,0,-1--1--1,,1|(150,90)|
"""
BASE = model_text(
    """
    a = INTEG(b + c, 1) ~ m ~ Stock. |
    b = 2 ~ m/Year ~ |
    c = x[r1] ~ m/Year ~ |
    R: r1, r2 ~~|
    x[r1] = 3 ~~| x[r2] = 4 ~~|
    *******
    .Late
    *******~
    | d = 5 ~~|
    e = 6 ~~|
    """
).replace("///---\\", WORDS + "///---\\")
"""A model in which every edit below finds its text once."""

EDITS = {
    "the stock": ("INTEG(b + c, 1)", "INTEG(b - c, 1)"),
    "a comment": ("b = 2 ~ m/Year ~ |", "b = 2 ~ m/Year ~ Flow. |"),
    "its neighbour": ("c = x[r1]", "c = 2*x[r1]"),
    "a range": ("r1, r2", "r1, r2, r3"),
    "one label": ("x[r1] = 3", "x[r1] = 3.5"),
    "another label": ("x[r2] = 4", "x[r2] = 4.5"),
    "the header": ("*~\n| d", "*~\nWhat comes last.\n| d"),
    "behind the header": ("d = 5", "d = 5.5"),
    "gone": ("e = 6 ~~|\n", ""),
    "new at the start": ("\na = INTEG", "\nf = 7 ~~|\na = INTEG"),
    "new in the middle": ("x[r1] = 3", "g = 8 ~~| x[r1] = 3"),
    "a moved word": ("100,100,40", "120,130,40"),
    "a bent arrow": ("(150,90)", "(160,70)"),
    "a new word": ("1,3,2", "10,4,d,300,100,40,20,8,3,0,0,0,0,0,0\n1,3,2"),
    "the integrator": ("15:0,0,0,0", "15:0,0,0,1"),
}
TOGETHER = {"one label": "new in the middle", "the header": "behind the header"}
"""Edits with overlapping texts, which are tried apart."""


def _document(text: str) -> Document:
    return Document.from_bytes(text.encode(), "m.mdl")


def _edited(*names: str) -> str:
    text = BASE
    for name in names:
        old, new = EDITS[name]
        assert text.count(old) == 1, name
        text = text.replace(old, new)
    return text


def _merge(base: str, ours: str, theirs: str) -> Merge:
    return merge_documents(*map(_document, (base, ours, theirs)))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(sorted(set(EDITS) - set(TOGETHER))), unique=True), st.data())
def test_independent_edits_are_combined(names, data):
    """Any edits, divided between two people in any way: the merged text is the one with all of them, to the byte."""
    sides = data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names)))
    ours = [name for name, is_ours in zip(names, sides, strict=True) if is_ours]
    theirs = [name for name in names if name not in ours]
    merge = _merge(BASE, _edited(*ours), _edited(*theirs))
    assert merge.conflicts == ()
    assert merge.notes == ()
    assert merge.text == _edited(*names)


@pytest.mark.parametrize("pair", TOGETHER.items(), ids="+".join)
def test_adjacent_edits_are_combined_in_either_order(pair):
    """Whoever merges into whom, the model is the same."""
    one, other = (_edited(name) for name in pair)
    there, back = _merge(BASE, one, other), _merge(BASE, other, one)
    assert there.conflicts == back.conflicts == ()
    assert compare_documents(_document(there.text), _document(back.text)) == ()


@pytest.mark.parametrize("name", sorted(EDITS))
def test_edits_of_one_side_are_taken_to_the_byte(name):
    """One side has the edit, or both have the same."""
    edited = _edited(name)
    assert _merge(BASE, edited, BASE).text == edited
    assert _merge(BASE, BASE, edited).text == edited
    assert _merge(BASE, edited, edited).text == edited


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (("b = 2", "b = 3"), ("b = 2", "b = 4"), "b"),
        (("b = 2", "b = 3"), ("b = 2 ~ m/Year", "b = 2 ~ km/Year"), "b"),
        (("x[r1] = 3", "x[r1] = 5"), ("x[r1] = 3", "x[r1] = 6"), "x[r1]"),
        (("e = 6 ~~|", ""), ("e = 6", "e = 7"), "e"),
        (("d = 5", "n = 1 ~~| d = 5"), ("e = 6", "n = 2 ~~| e = 6"), "n"),
        (("r1, r2", "r1, r2, r3"), ("r1, r2", "r1, r2, r4"), "R"),
        (("Late", "Later"), ("b = 2", "b = 3"), None),
        (("15:0,0,0,0", "15:0,0,0,1"), ("15:0,0,0,0", "15:0,0,0,3"), "settings: integrator"),
    ],
)
def test_different_edits_of_one_thing_are_a_named_conflict(ours, theirs, name):
    """One variable has marks around it and nothing else; either side's text is between them."""
    sides = [BASE.replace(*change) for change in (ours, theirs)]
    merge = _merge(BASE, *sides)
    assert merge.conflicts == ((name,) if name else ())
    if name is None:
        return
    lines = merge.text.splitlines()
    marks = [place for place, line in enumerate(lines) if line[:7] in ("<<<<<<<", "=======", ">>>>>>>")]
    assert len(marks) == 3
    for side, keep in zip(sides, (slice(marks[0] + 1, marks[1]), slice(marks[1] + 1, marks[2])), strict=True):
        chosen = "\n".join([*lines[: marks[0]], *lines[keep], *lines[marks[2] + 1 :]])
        assert compare_documents(_document(chosen), _document(side)) == ()


def test_layout_is_not_a_change():
    """One side formats the whole file, the other changes a constant: the merge has both."""
    merge = _merge(BASE, format_document(_document(BASE)), BASE.replace("b = 2", "b = 3"))
    assert merge.is_clean
    assert compare_documents(_document(merge.text), _document(BASE.replace("b = 2", "b = 3"))) == ()
    back = _merge(BASE, BASE.replace("b = 2", "b = 3"), format_document(_document(BASE)))
    assert compare_documents(_document(back.text), _document(merge.text)) == ()


def test_line_ends_are_ours():
    """Editors on different machines: no line is changed by its end alone."""
    windows = BASE.replace("\n", "\r\n")
    merge = _merge(BASE, windows, BASE.replace("b = 2", "b = 3"))
    assert merge.is_clean
    assert merge.text == windows.replace("b = 2", "b = 3")


def test_words_that_both_added_get_numbers_of_their_own():
    """Two variables with a word and an arrow to it each; theirs get new numbers, also in their arrows."""
    word = "10,4,{},300,{},40,20,8,3,0,0,0,0,0,0\n1,5,4,1,1,0,0,0,0,64,0,-1--1--1,,1|(250,90)|\n"
    sides = [
        BASE.replace("e = 6", f"{name} = 7 ~~| e = 6").replace("///---", word.format(name, y) + "///---")
        for name, y in (("n", 10), ("o", 20))
    ]
    merge = _merge(BASE, *sides)
    assert merge.is_clean
    lines = merge.text.splitlines()
    assert [line.split(",")[:4] for line in lines if line.startswith(("10,4,", "1,5,"))] == [
        ["10", "4", "n", "300"], ["1", "5", "4", "1"],
    ]  # fmt: skip
    assert [line.split(",")[:4] for line in lines if line.startswith(("10,6,", "1,7,"))] == [
        ["10", "6", "o", "300"], ["1", "7", "6", "1"],
    ]  # fmt: skip
    run = simulate(model_from_text(merge.text))
    assert {"n", "o"} <= set(run.data_vars)


def test_words_are_merged_field_by_field():
    """One side renames, the other moves; where both move, ours is kept, with a note."""
    moved, named = BASE.replace("100,100,40", "120,130,40"), BASE.replace("10,1,a,", "10,1,A,")
    merge = _merge(BASE, moved, named)
    assert "10,1,A,120,130,40" in merge.text
    assert merge.notes == ()
    clash = _merge(BASE, moved, BASE.replace("100,100,40", "500,100,40"))
    assert "10,1,a,120,130,40" in clash.text
    assert clash.notes == ("view 'View 1': both sides moved or changed 'a'; ours is kept",)
    assert clash.is_clean


def test_arrows_to_removed_words_are_left_out():
    """Vensim does not open a sketch with an arrow from nowhere."""
    without = BASE.replace(WORDS, WORDS.splitlines(keepends=True)[0])
    more = BASE.replace("///---", "1,9,1,2,0,0,0,0,0,64,0,-1--1--1,,1|(0,0)|\n///---")
    merge = _merge(BASE, without, more)
    assert "1,9," not in merge.text
    assert merge.notes == ("view 'View 1': an arrow to what the other side removed is left out",)


def test_faults_of_the_merged_model_are_reported():
    """One side removes a variable that the other begins to use: no text conflicts, and the model does not run."""
    merge = _merge(BASE, BASE.replace("e = 6 ~~|\n", ""), BASE.replace("d = 5", "d = 5*e"))
    assert merge.conflicts == ()
    assert not merge.is_clean
    assert [fault.what for fault in merge.faults] == [
        "'e' is not defined; remove it or define it"
    ] or "'e' is not defined" in merge.faults[0].what


RENAMED = """R: r1, r2~~|
x[R] = level * k~~|
level = INTEG(-sum loss, 9)~~|
sum loss = level / life~~|
life = 5~~|
k = SUM(x2[R!])~~|
x2[R] = 1~~|
"""


def _side(*changes: tuple[str, str], names: tuple[str, ...] = ()) -> str:
    """The text with changes, and then with new names of variables, each as `old=new`."""
    text = RENAMED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    for old, new in (name.split("=") for name in names):
        text = re.sub(rf"\b{old}\b", new, text)
    return model_text(text)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("names", "change", "noted"),
    [
        (["level=Water level"], ("level / life", "2 * level / life"), True),
        (["level=Water level"], ("life = 5", "life = 5~~|\nwatch = level"), True),
        (["level=Water level"], ("level * k~~", "level * k ~~ What is left. "), False),
        (["level=Water level"], ("life", "lifetime"), False),
        (["level=Water level"], ("INTEG(-sum loss, 9)", "INTEG(-sum loss, 8)"), False),
        (["level=Water level", "k=share"], ("= level * k", "= level * k + 1"), True),
        (["level=Water level", "k=share", "R=Rivers"], ("life", "lifetime"), False),
        (["R=Reservoirs"], ("= 1~~", "= 3~~"), True),
        (["R=Reservoirs"], ("SUM(x2[R!])", "2*SUM(x2[R!])"), True),
    ],
)
def test_a_renaming_and_other_changes_of_its_users_are_combined(names, change, noted, reverse):
    """What the other side wrote has the new name; a note says so where it changed an equation that has the name."""
    renamed, changed = _side(names=names), _side(change)
    sides = (changed, renamed) if reverse else (renamed, changed)
    merge = _merge(_side(), *sides)
    assert merge.is_clean
    assert merge.text == _side(change, names=names)
    assert len(merge.notes) == (len(names) if noted else 0)
    assert all("also in what the other side changed" in text for text in merge.notes)


@pytest.mark.parametrize(
    ("change", "names", "conflicts"),
    [
        (("life = 5", "life = 5"), ["level=stock"], ("x[r]", "sum loss")),
        (("life = 5", "life = 5~~|\nWater level = 1"), [], ("Water level",)),
        (("level = INTEG(-sum loss, 9)~~|\n", ""), ["level=7"], ("x[r]", "sum loss")),
    ],
)
def test_a_new_name_is_not_given_to_what_the_other_side_named_otherwise(change, names, conflicts):
    """The other side renamed or removed it, or has something else of that name."""
    merge = _merge(_side(), _side(names=["level=Water level"]), _side(change, names=names))
    assert not merge.is_clean
    assert merge.conflicts == conflicts


def test_a_new_name_that_a_macro_cannot_have_leaves_other_renamings():
    """A name in quotes has no place for the dollar with which a macro names a variable of the model."""
    macro = ":MACRO: USE(a)\nUSE = a*life$ ~~|\n:END OF MACRO:\n"
    base = _side(("R: r1", f"{macro}R: r1"))
    theirs = base.replace("level * k", "level * k * 2").replace("a*life$", "2*a*life$")
    merge = _merge(base, re.sub(r"\blife\b(?!\$)", '"odd (life)"', base).replace("level", "stock"), theirs)
    assert "x[R] = stock * k * 2" in merge.text
    assert "USE = 2*a*life$" in merge.text


def test_a_renaming_reaches_the_sketch_of_the_other_side():
    """An arrow and a word that the other side drew at a renamed variable stay with it."""
    drawn = BASE.replace("10,2,b,200,100", "10,2,b,250,130").replace("b = 2", "b = 3")
    merge = _merge(BASE, re.sub(r"\bb\b", "growth", BASE), drawn)
    assert merge.is_clean
    assert merge.text == re.sub(r"\bb\b", "growth", drawn)


def test_synonyms_of_units_are_combined():
    """Each side adds a line of names to the settings."""
    one, other = (BASE + f"22:{name}\n" for name in ("$,Dollar", "Year,Years"))
    merge = _merge(BASE, one, other)
    assert merge.is_clean
    assert merge.text == BASE + "22:$,Dollar\n22:Year,Years\n"


def test_settings_of_the_screen_never_conflict():
    """Which run was shown last is nobody's work."""
    base = BASE + "9:Current\n"
    merge = _merge(base, base.replace("Current", "one"), base.replace("Current", "two"))
    assert merge.is_clean
    assert merge.text.endswith("9:one\n")
    assert merge.notes == ("both sides changed the settings' run name; ours is kept",)


def test_blocks_stay_in_the_group_of_their_author():
    """A group that theirs begins does not take in what ours adds before it; a block that theirs moves is moved."""
    header = "*****\n\t.New\n*****~\n\t|"
    ours = BASE.replace("e = 6 ~~|", "e = 6 ~~|\nn = 1 ~~|")
    theirs = BASE.replace("e = 6 ~~|", f"e = 6 ~~|\n{header} o = 2 ~~|")
    for one, other in ((ours, theirs), (theirs, ours)):
        merge = _merge(BASE, one, other)
        model = model_from_text(merge.text)
        assert merge.notes == ()
        assert [model[name].group for name in "eno"] == ["Late", "Late", "New"]
    swapped = BASE.replace("c = x[r1] ~ m/Year ~ |\n", "").replace("b = 2", "c = x[r1] ~ m/Year ~ |\nb = 2")
    moved = BASE.replace("b = 2 ~ m/Year ~ |\n", "").replace("e = 6", "b = 2 ~ m/Year ~ |\ne = 6")
    for one, other in ((swapped, moved), (moved, swapped)):
        model = model_from_text(_merge(BASE, one, other).text)
        assert model["b"].group == "Late"


def test_an_empty_base_is_allowed():
    """Where there was no file before, git gives an empty one."""
    empty = Document("m.mdl", "", "utf-8")
    merge = merge_documents(empty, _document(BASE), _document(BASE))
    assert merge.text == BASE
    assert merge.is_clean
