"""Differences between two models by meaning: every kind of difference, and nothing that is not one."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.testing import benchmark_text, model_text
from sdmodel.vensim import DifferenceKind, Document, compare_documents, format_document

WORDS = """10,1,Tea,300,200,40,20,3,3,0,0,0,0,0,0
12,2,0,100,100,60,30,8,7,0,0,-1,0,0,0
10,000 words, *not* a record
10,3,loss,408,251,49,8,40,3,0,0,-1,0,0,0
1,4,1,3,0,0,0,0,0,64,0,-1--1--1,,1|(340,296)|
"""
BASE = model_text(
    """
    R: r1, r2~~|
    Tea = INTEG(-loss, 180) ~ C [0,200] ~ The tea. |
    loss = (Tea - room)/time constant ~ C/Year ~ |
    room = 70 {checked} ~ C ~ Warm. |
    time constant = 2.5 ~ Year ~ From a thermometer. |
    part[R] = 1, 2 ~~ Parts. |
    share[r1] = room ~~| share[r2] = 5 ~~|
    """
).replace("///---\\", WORDS + "///---\\")


def _document(text: str, name: str = "m.mdl") -> Document:
    return Document.from_bytes(text.encode(), name)


def _changed(*replacements: tuple[str, str], layout: bool = False) -> list[tuple[str, str, str, str]]:
    text = BASE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    differences = compare_documents(_document(BASE, "old.mdl"), _document(text, "new.mdl"), layout=layout)
    return [(found.kind, found.name, found.old, found.new) for found in differences]


EDITS = {
    "added": ([("room = 70", "door = 1 ~ dmnl ~~|\nroom = 70".replace("~~", "~"))], ("door", "", "1 ~ dmnl")),
    "removed": ([("part[R] = 1, 2 ~~ Parts. |", "")], ("part", "[r] 1, 2", "")),
    "renamed": ([("room", "Room Temperature")], ("Room Temperature", "room", "Room Temperature")),
    "equation": ([("180", "190")], ("Tea", "INTEG(-loss, 180)", "INTEG(-loss, 190)")),
    "subscripts": ([("r1, r2", "r1, r2, r3")], ("R", "r1, r2", "r1, r2, r3")),
    "units": ([("C/Year", "K/Year")], ("loss", "C/Year", "K/Year")),
    "range": ([("[0,200]", "[0,?,5]")], ("Tea", "[0,200]", "[0,?,5]")),
    "comment": ([("{checked}", "{unsure}")], ("room", "Warm.\n{checked}", "Warm.\n{unsure}")),
    "group": ([("room = 70", "*****\n\t.G\n*****~\n|room = 70")], ("room", "", "G")),
    "supplementary": ([("From a thermometer.", "From a thermometer.~:SUPPLEMENTARY")], ("time constant", "no", "yes")),
    "settings": ([("15:0,0,0,0", "15:0,0,0,5")], ("integrator", "euler", "rk4")),
    "view": ([("*View 1", "*Kitchen")], ("View 1", "3 words, 1 arrow", "")),
    "sketch": ([("Tea,300,200", "Tea,310,200")], ("View 1", "", "1 word moved")),
    "layout": ([("r1, r2~~|", "r1,r2~\n~|")], ("R", "", "")),
}  # fmt: skip


@pytest.mark.parametrize("kind", get_args(DifferenceKind))
def test_every_kind_of_difference_is_reported(kind):
    """One edit of each kind, and the first difference reported for it."""
    edits, expected = EDITS[kind]
    found = [rest for name, *rest in _changed(*edits, layout=kind == "layout") if name == kind]
    assert tuple(found[0]) == expected


def test_places_in_both_versions_are_reported():
    """A user can look up both."""
    (found,) = compare_documents(_document(BASE, "old.mdl"), _document("\n\n" + BASE.replace("180", "1"), "new.mdl"))
    assert (found.old_place.path, found.new_place.path) == ("old.mdl", "new.mdl")
    assert found.new_place.line == found.old_place.line + 2


@pytest.mark.parametrize(
    ("lines", "change"),
    [
        ("remark\n1,2\n", ""),
        ("1,2\n  remark \n", ""),
        ("remark\n1,3\n", "1 word changed"),
        ("note, long\n1,2\n", "1 word changed"),
        ("remark\n", "1 word removed"),
        ("remark\nremark\n1,2\n", "1 word added"),
    ],
)
def test_lines_of_a_view_that_are_not_records_are_compared_by_their_text(lines: str, change: str):
    """Lines with too few fields to be a word: unchanged, in another order, changed, removed, given twice."""
    old, new = (_document(BASE.replace(WORDS, WORDS + extra)) for extra in ("remark\n1,2\n", lines))
    found = [(difference.kind, difference.name, difference.new) for difference in compare_documents(old, new)]
    assert found == ([("sketch", "View 1", change)] if change else [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(Tea - room)/time constant", "(TEA-Room) / \\\n\t\tTime_Constant"),
        ("(Tea - room)/time constant", "((Tea - room))/(time  constant)"),
        ("2.5", "2.50"),
        ("room = 70", "Room  =\n\t7e1"),
        ("INTEG(-loss, 180)", "integ (\n\t-loss,\n\t180.0)"),
        ("1, 2", "1,2.0"),
        ("C/Year", "C / Year"),
        ("The tea.", "The \\\n\t\ttea."),
    ],
)
def test_layout_and_spelling_are_not_differences(old, new):
    """Blanks, line breaks, continuations, case and underscores, digits of a number, parentheses that change nothing."""
    assert _changed((old, new)) == []
    assert len(_changed((old, new), layout=True)) == 1


@pytest.mark.parametrize(("old", "new"), [("Tea - room", "room - Tea"), ("room = 70", "room == 70"), ("2.5", "2.51")])
def test_changes_of_numbers_are_equation_differences(old, new):
    """The order of a difference, a constant that is fixed, a digit."""
    assert [kind for kind, *_ in _changed((old, new))] == ["equation"]


def test_arrayed_variables_are_compared_block_by_block():
    """The equation of one label, one label more, another label."""
    assert _changed(("share[r2] = 5", "share[r2] = 6")) == [("equation", "share[r2]", "5", "6")]
    assert _changed((" share[r2] = 5 ~~|", "")) == [("removed", "share[r2]", "5", "")]
    assert _changed(("share[r2] = 5", "share[R] = 5")) == [("subscripts", "share", "[r2]", "[r]")]


def test_a_renamed_variable_is_one_difference():
    """The name in equations, in its own block and in the sketch; an edit at the same time is a second difference."""
    assert _changed(("Tea", "Cup")) == [("renamed", "Cup", "Tea", "Cup")]
    found = _changed(("Tea", "Cup"), ("The tea.", "The cup."), ("part[R]", "weight[S]"), ("R: r1", "S: r1"))
    expected = [("renamed", "S"), ("renamed", "Cup"), ("comment", "Cup"), ("renamed", "weight")]
    assert [(kind, name) for kind, name, *_ in found] == expected


@pytest.mark.parametrize(
    "edits",
    [
        [
            ("room = 70 {checked} ~ C ~ Warm. |", "cold = 70 ~ C ~ Cold. |"),
            ("Tea - room", "Tea - 70"),
            ("= room", "= 3"),
        ],
        [("room = 70", "cold = 71"), ("- room", "- cold"), ("= room", "= cold")],
        [("room = 70", "cold = 70"), ("- room", "- cold"), ("= room", "= 70")],
        [("room = 70", "cold = 70"), ("- room", "- cold"), ("= room", "= cold"), ("1, 2", "cold")],
        [("room = 70 {checked} ~ C", "cold = 70 ~ K"), ("- room", "- cold"), ("= room", "= cold")],
    ],
)
def test_different_variables_are_not_renamed_ones(edits):
    """Another number, other units, a user that stops, a new user: one variable is removed and one is added."""
    found = _changed(*edits)
    kinds = {(kind, name) for kind, name, *_ in found}
    assert "renamed" not in {kind for kind, _ in kinds}
    assert ("removed", "room") in kinds
    assert ("added", "cold") in kinds


LARGE = benchmark_text(elements=60, lookups=8, stocks=6)
NAMES = [f"{name} {number}" for name in ("Level", "lifetime", "inflow") for number in range(1, 7)]


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(["q", '"odd | name"', "Level 99"]))
def test_a_rename_anywhere_in_a_model_is_one_difference(name, other):
    """Replacing one name by another throughout is the only difference."""
    text = re.sub(rf"\b{name}\b", lambda _: other, LARGE)
    differences = compare_documents(_document(LARGE), _document(text))
    assert [(found.kind, found.old, found.new) for found in differences] == [("renamed", name, other.strip('"'))]


def test_the_flagship_does_not_differ_from_itself_or_its_canonical_form(project):
    """It uses most of Vensim's language."""
    text = (project / "models" / "ai_compute.mdl").read_text("utf-8")
    document = _document(text)
    assert compare_documents(document, document) == ()
    assert compare_documents(document, _document(format_document(document))) == ()


def test_the_reverse_comparison_swaps_added_and_removed():
    """Old and new change places."""
    one, other = _document(BASE), _document(BASE.replace("part[R] = 1, 2 ~~ Parts. |", "").replace("180", "3"))
    there, back = compare_documents(one, other), compare_documents(other, one)
    opposite = {"added": "removed", "removed": "added"}
    assert {(found.kind, found.name, found.old, found.new) for found in there} == {
        (opposite.get(found.kind, found.kind), found.name, found.new, found.old) for found in back
    }


def test_a_renamed_range_is_renamed_in_exceptions_too():
    """`:EXCEPT:` names ranges on the left-hand side."""
    text = "R: r1, r2~~Labels.|\nS: r1~~Some.|\nx[R] :EXCEPT: [S] = 1~~|\nx[S] = 2~~|"
    differences = compare_documents(_document(text), _document(re.sub(r"\bS\b", "T", text)))
    assert [(found.kind, found.new) for found in differences] == [("renamed", "T")]
    other = compare_documents(_document(text), _document(text.replace(":EXCEPT: [S]", "")))
    assert [found.kind for found in other] == ["subscripts"]


def test_reality_checks_are_compared_by_their_names_and_marks():
    """A renamed variable has its new name in them; blanks and case do not count, other numbers and quoted texts do."""
    check = "RC dry :THE CONDITION: No rain :IMPLIES: Water = RC DECAY CHECK(1, Water, 0, 5)~~|\nfile :IS: 'A b.csv'~~|"
    before = model_text(
        f"Water = INTEG(-leak, 9)~~|\nleak = Water/8~~|\n{check}\nNo rain :TEST INPUT: leak = RC STEP(leak, 2, 5)~~|"
    )

    def kinds(*replacements: tuple[str, str]) -> list[tuple[str, str]]:
        text = before
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        return [(found.kind, found.name) for found in compare_documents(_document(before), _document(text))]

    assert kinds(("Water", "Level of water")) == [("renamed", "Level of water")]
    assert kinds(("CHECK(1, Water, 0, 5)", "Check( 1,water,\n\t\t0,5 )")) == []
    assert kinds(("leak, 2, 5", "leak, 2, 6")) == [("equation", "No rain")]
    assert kinds(("leak, 2, 5", "Water, 2, 5")) == [("equation", "No rain")]
    assert kinds(("A b.csv", "A B.csv")) == [("equation", "file")]


def test_macros_are_compared_inside_and_at_their_head():
    """The same name inside of a macro and outside of it is two variables."""
    macro = ":MACRO: M(x : y)\nM = x*k~~|\nk = 2~~|\ny = x~~|\n:END OF MACRO:\n"
    one = _document(macro + "k = 2~~|\na = M(1, a)~~|")
    other = _document(macro.replace("k = 2", "k = 3").replace("(x : y)", "(x,z : y)") + "k = 2~~|\na = M(1, a)~~|")
    found = [(found.kind, found.name) for found in compare_documents(one, other)]
    assert found == [("equation", "macro M"), ("equation", "M: k")]


def test_unreadable_blocks_are_compared_by_their_words():
    """A comparison must not depend on both versions being sound."""
    one, other = (_document(f"a = 1 +* {x}~~|\nb = 1~~|") for x in "23")
    assert compare_documents(one, _document("a = 1\n+* 2~~|\nb = 1~~|")) == ()
    assert [found.kind for found in compare_documents(one, other)] == ["equation"]
