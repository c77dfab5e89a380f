"""The canonical form of a model's text: one layout, the same meaning, and no change the second time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.errors import ModelError
from sdmodel.testing import block_text, model_text
from sdmodel.vensim import (
    Document,
    compare_documents,
    format_document,
    read_document,
    text_for_diff,
    unformatted_parts,
)
from sdmodel.vensim.read.reader import model_of

GAP = st.sampled_from(
    ["", " ", "  ", "\t", "\n", "\n\t", "\r\n\t\t", " \\\n\t\t", "{a note}", " {two\n lines {nested}} "]
)
NAME = st.sampled_from(["a", "b rate", "C_d", '"odd | ~ {name}"', '"a quote \\" inside"', "größe"])
OPERAND = NAME | st.sampled_from(["1", "2.50", "1e-3", "MAX(a, 3)", "(b rate+1)", "-a"])
WORDS = st.text("ab .,;:é()[]{}\\\n\t\"'", max_size=60)
UNITS = st.sampled_from(["", "Year", "GW / Year", "1/Year [0,1]", " Dmnl  [?,10,0.5] "])


@st.composite
def _block(draw: st.DrawFn) -> str:
    """Draw a block with blanks, line breaks and comments wherever they are allowed."""
    gap = lambda: draw(GAP)  # noqa: E731 - short
    right = draw(OPERAND)
    for operator in draw(st.lists(st.sampled_from("+-*/^"), max_size=12)):
        right = f"{right}{gap()}{operator}{gap()}{draw(OPERAND)}"
    mark = draw(st.sampled_from(["", "~ :SUPPLEMENTARY", "~:SUP\n"]))
    fields = f"~{gap()}{draw(UNITS)}{gap()}~{draw(WORDS)}{mark}"
    return f"{draw(NAME)}{gap()}={gap()}{right}{gap()}{fields}|"


TEXTS = st.lists(
    _block() | st.sampled_from(["d(0,0)(1,1)~~|", "R: r1 , r2~~|", "****\n\t.G\n****~\n\tx\n|"]), max_size=6
)


def _document(text: str) -> Document:
    return Document.from_bytes(text.encode("utf-8", "surrogatepass"), "m.mdl")


def _model(document: Document) -> tuple[object, ...]:
    """Return the model in a document apart from the places and the order of its elements."""
    model, faults = model_of(document)
    elements = {
        element.key: (element.kind, element.dimensions, element.units, element.range, element.comment, element.group, element.supplementary,
                   element.fixed, [(one.expression, one.subscripts, one.exceptions) for one in element.equations])
        for element in model
    }  # fmt: skip
    return elements, model.groups, model.synonyms, model.integrator, len(faults)


@settings(deadline=None)
@given(TEXTS, st.booleans())
def test_formatting_keeps_the_meaning_and_is_idempotent(blocks, by_group):
    """Whatever is between the marks of a block, the model is the same, and a second formatting changes nothing."""
    text = (
        "{UTF-8}\n"
        + "\n".join(blocks)
        + "\n\\\\\\---/// Sketch\r\nV300\n*V\n///---\\\\\\\n:L\x7f<%^E!@\n15:0,0,0,1,0,0\n"
    )
    document = _document(text)
    if document.problems:
        with pytest.raises(ModelError):
            format_document(document)
        return
    form = format_document(document, by_group=by_group)
    after = _document(form)
    assert format_document(after, by_group=by_group) == form
    assert form.partition("\\\\\\---///")[2] == text.partition("\\\\\\---///")[2]
    if not by_group:
        assert compare_documents(document, after) == ()
        assert _model(after) == _model(document)
        assert not unformatted_parts(after)


@pytest.mark.slow
def test_public_models_keep_their_meaning(shared):
    """Files of other authors in all layouts; one in three is also formatted by groups, which only moves elements."""
    files = sorted((shared / "test-models").rglob("*.mdl"))
    assert files
    for number, file in enumerate(files):
        _check_formatting(read_document(file), grouped=number % 3 == 0)


@pytest.mark.nightly
def test_all_public_models_keep_their_meaning_by_group(shared):
    """Those that the other test leaves out."""
    for file in sorted((shared / "test-models").rglob("*.mdl")):
        _check_formatting(read_document(file), grouped=True)


def test_the_flagship_keeps_its_meaning(project):
    """Every element is as before."""
    _check_formatting(read_document(project / "models" / "ai_compute.mdl"), grouped=True)


def _check_formatting(document: Document, *, grouped: bool) -> None:
    expected = _model(document)
    has_macros = any(segment.kind == "macro" for segment in document.segments)  # their calls are numbered in order
    for by_group in (False, True) if grouped and not has_macros else (False,):
        form = format_document(document, by_group=by_group)
        after = Document.from_bytes(form.encode(document.encoding), document.path)
        assert _model(after) == expected, document.path
        assert format_document(after, by_group=by_group) == form, document.path


def test_blocks_have_vensims_layout():
    """Name, expression, units and comment are on lines of their own; the author's line breaks and comments stay."""
    text = """{UTF-8}
{what follows
is odd} a  rate  [ x ]=b  {half}*
        2 ~Year  [0, 1]~ One.
  Two\\
   three.~ :SUPPLEMENTARY|c=1~~|d((0,0),(1,1))~ ~|"""
    assert format_document(_document(text)) == (
        "{UTF-8}\n{what follows\nis odd} a rate [ x ] =\n\tb {half}*\n\t\t2\n\t~\tYear [0, 1]\n\t~\tOne.\n\t\tTwothree."
        "\n\t~\t:SUPPLEMENTARY\n\t|\n\nc =\n\t1\n\t~\t\n\t~\t\n\t|\n\nd(\n\t(0,0),(1,1))\n\t~\t\n\t~\t\n\t|\n"
    )


def test_long_lines_are_continued_but_not_inside_a_name():
    """Vensim continues a line with a backslash; a name on two lines is hard to find."""
    text = "a = " + " + ".join(["some very long name of a variable"] * 9) + " ~~|"
    form = format_document(_document(text))
    lines = form.splitlines()[1:5]
    assert [line.endswith(" \\") for line in lines] == [True, True, True, True]
    assert all(line.strip("\t \\").endswith("+") for line in lines)
    assert max(map(len, form.splitlines())) <= 82


def test_the_most_frequent_line_end_is_used():
    """A file that two editors wrote gets one kind of line end above its sketch."""
    form = format_document(_document("a = 1\r\n~\r\n~\r\n|\nb = 2 ~~|\n"))
    assert form.count("\r\n") == form.count("\n")


def test_groups_are_brought_together_below_their_first_header():
    """Subscript ranges first in their order, then variables by name; a header with a comment of its own stays."""
    header = "****\n\t.{}\n****~\n\t\t{}\n\t|\n"
    text = (
        "z = 1 ~~|" + header.format("G", "") + "y = 1 ~~| x[R] = 1 ~~|" + header.format("H", "h") + "w = 1 ~~|"
        + header.format("G", "") + "R: r2, r1 ~~| a = 1 ~~|" + header.format("H", "other") + "v = 1 ~~|"
    )  # fmt: skip
    form = format_document(_document(text), by_group=True)
    names = [line.strip("\t =.:") for line in form.splitlines() if line.endswith(("=", ":")) or line.startswith("\t.")]
    assert names == ["z", "G", "R", "a", "x[R]", "y", "H", "w", "H", "v"]
    model, _ = model_of(_document(form))
    assert [model[name].group for name in "zyxwav"] == ["", "G", "G", "H", "G", "H"]


def test_unreadable_blocks_stay_as_they_are():
    """The form must not be a guess."""
    assert "a =  1 +* 2  ~ u~|" in format_document(_document("a =  1 +* 2  ~ u~| b=1~~|"))


def test_the_text_for_git_has_one_line_per_view():
    """A word that moves changes one line, without numbers to read."""
    text = model_text("a = 1").replace("*View 1\n", "*View 1\n10,1,a,100,100,40,20,3,3,0,0,0,0,0,0\n")
    before, after = (
        text_for_diff(_document(version)).splitlines() for version in (text, text.replace("100,100", "150,100"))
    )
    changed = [line for line in after if line not in before]
    assert len(changed) == 1
    assert changed[0].startswith("*View 1: ")
    assert "15:0,0,0,0,0,0" in before


def test_blocks_of_the_testing_module_only_need_a_line_break():
    """The package's own text is close to the canonical form."""
    form = format_document(_document(block_text("a = 1", units="Year", comment="One.")))
    assert form == block_text("a =\n\t1", units="Year", comment="One.") + "\n"
