"""The lossless document: it keeps every byte, every character has one owner, and an edit changes only what it must."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import ModelError
from sdmodel.model import Range
from sdmodel.testing import model_text
from sdmodel.vensim import Document, OpenDocument, model_from_text, open_document, read_document

PIECES = st.sampled_from(
    ["a = 1", "~", "|", '"', "{", "}", "\\", "\r\n", "\n", "\r", ":MACRO:", "m(x)", ":END OF MACRO:", "****\n\t.G\n****~",
     "\\\\\\---///\n", "///---\\\\\\\n", ":L\x7f<%^E!@\n", "15:0,0,0,1,0,0\n", "é", "{UTF-8}", "b[c]", " "]
)  # fmt: skip


def _document(text: str) -> Document:
    return Document.from_bytes(text.encode(), "m.mdl")


def _open(text: str) -> OpenDocument:
    return OpenDocument.from_bytes(text.encode(), "m.mdl")


def _owners(document: Document) -> bool:
    position = 0
    for segment in document.segments:
        if segment.start != position or segment.end <= position:
            return False
        position = segment.end
    return position == len(document.text)


def test_public_models_round_trip_to_the_byte(shared):
    """Some have mixed line ends and DEL bytes."""
    files = sorted((shared / "test-models").rglob("*.mdl"))
    assert files
    for file in files:
        document = read_document(file)
        assert bytes(document) == file.read_bytes()
        assert _owners(document)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_round_trips_and_every_character_has_one_owner(text):
    """Broken files do too: repairing one must not lose anything."""
    if not text.strip():
        return
    document = _document(text)
    assert bytes(document) == text.encode()
    assert _owners(document)


@given(st.binary(max_size=200).filter(lambda data: data.strip() and b"\x00" not in data))
def test_any_bytes_round_trip(data):
    """Bytes that are not characters stay as they are."""
    assert bytes(Document.from_bytes(data, "m.mdl")) == data


def test_bytes_that_are_not_utf8_are_latin1():
    """Older files of Vensim do not name their encoding."""
    document = Document.from_bytes("größe = 1 ~ ~ |".encode("latin-1"), "m.mdl")
    assert OpenDocument(document)["größe"].equation == "1"


def test_bytes_that_are_not_utf8_are_those_of_windows():
    """The euro sign, and the dashes and apostrophes that text programs put in; what Windows has no sign for stays as it is."""
    for content in ("coût = 1 ~ € ~ l’été – “doux” |".encode("cp1252"), b"co\xfbt = 1 ~ \x80 ~ \x81 |"):
        document = Document.from_bytes(content, "m.mdl")
        assert bytes(document) == content
        assert ("€" in document.text) == (b"\x81" not in content)


def test_a_comment_may_stand_before_a_group():
    stars = "*" * 56
    text = f"a = 1 ~~|\n{{one}} {{two}}\n{stars}\n\t.Sector A'\n{stars}~\n\t\t|\nb = 1 ~~|\n{{three}}\nc = 1 ~~|\n"
    text += "TIME STEP = 1 ~~| INITIAL TIME = 0 ~~| FINAL TIME = 1 ~~|"
    model = model_from_text(text)
    assert [model[name].group for name in "abc"] == ["", "Sector A'", "Sector A'"]
    assert bytes(Document.from_bytes(text.encode(), "m.mdl")) == text.encode()


@pytest.mark.parametrize("ending", ["~ ~ |", "~ ~ ~ |", "~~~\n\t|", "~ ~ ~ :SUPPLEMENTARY |"])
def test_a_block_may_end_with_an_empty_field(ending):
    assert model_from_text(model_text(f"a = 1 {ending}"))["a"].comment == ""


@pytest.mark.parametrize(
    ("written", "right"), [("==", "="), ("**", "^"), ("=<", "<="), ("=>", ">="), ("AND", ":AND:"), ("or", ":OR:")]
)
def test_operators_of_other_languages_are_named(written, right):
    with pytest.raises(
        ModelError, match=f"'{re.escape(written.upper())}' is not an operator of Vensim; write '{re.escape(right)}'"
    ):
        model_from_text(model_text(f"a = 1 {written} Time"))


def test_byte_order_marks_are_kept_outside_of_names():
    """Editors on Windows add one."""
    document = Document.from_bytes(b"\xef\xbb\xbf{UTF-8}\r\na = 1 ~ ~ |", "m.mdl")
    assert document.segments[0].kind == "encoding"
    assert "a" in document


def test_marks_inside_names_and_comments_do_not_end_fields():
    """Quoted names and comments in braces may contain any character."""
    opened = _open('"a | ~ \\"b" = 1 {one | ~ {two "} three} + 2 ~ u ~ c | b = 2 ~~|')
    assert opened.document.blocks[0].end < opened.document.blocks[1].start
    assert opened['"a | ~ \\"b"'].comment == "c"
    assert opened["b"].equation == "2"


def test_quotes_in_comments_need_no_partner():
    """Comments are prose."""
    opened = _open('a = 1 ~ u ~ the "room" temperature" |\nb = 2 ~~|')
    assert not opened.document.faults
    assert opened["b"].equation == "2"


def test_compact_blocks_have_fields_too():
    """People type `~~|`."""
    opened = _open("a = 1~~|b=2~u [0,1]~c~:SUP|")
    assert opened["B"].units == "u"
    assert opened["B"].range == Range(0, 1)
    assert opened["b"].supplementary
    assert not opened["a"].supplementary


def test_each_line_of_sketch_graphs_and_settings_is_a_segment():
    """An edit can change one line alone."""
    text = model_text("a = 1").replace("///---\\\\\\\n", "10,1,a,1,1,1\n///---\\\\\\\n:GRAPH g\n")
    kinds = [segment.kind for segment in _document(text).segments]
    wanted = ["record", "sketch end", "graph", "marker", "setting"]
    assert [kind for kind in kinds if kind in wanted] == wanted
    assert kinds.count("view") == 4


def test_case_spaces_and_underscores_of_names_do_not_matter():
    """An unknown name gets a suggestion."""
    document = _open("Price  Elasticity[d] = 0.8 ~ ~ |")
    assert document["price_elasticity"].name == "Price Elasticity"
    with pytest.raises(ModelError, match="did you mean 'Price"):
        document["prise elasticity"]


def test_an_edit_changes_no_byte_outside_of_its_field(tmp_path):
    """The saved file differs only in the field, line ends included."""
    control = b"".join(b"%s = 1 ~~|" % name for name in (b"INITIAL TIME", b"FINAL TIME", b"TIME STEP"))
    before = b"a = \r\n\t1\t{one}\r\n\t~\tu [0,2]\n\t~\tc\r\n\t|\r\nf((0,0),(1,1))~~|" + control
    file = tmp_path / "m.mdl"
    file.write_bytes(before)
    document = open_document(file)
    document["a"].equation = "0.9"
    assert bytes(document) == before.replace(b"1\t{one}", b"0.9")
    document["a"].equation = "1\t{one}"
    assert bytes(document) == before
    document["f"].equation = "((0,0),(2,2))"
    document.save()
    assert file.read_bytes() == before.replace(b"((0,0),(1,1))", b"((0,0),(2,2))")
    assert [path.name for path in tmp_path.iterdir()] == ["m.mdl"]


@pytest.mark.parametrize("text", ["1 | b = 2", "1 ~ u", '"q', "{", "", "1 +", "1 ~~| b = 2"])
def test_edits_that_are_not_one_equation_are_refused(text):
    """The document stays as it is."""
    document = _open("a = 1 ~ u ~ c |")
    with pytest.raises(ModelError):
        document["a"].equation = text
    assert bytes(document) == b"a = 1 ~ u ~ c |"


def test_missing_files_and_other_formats_are_reported(tmp_path):
    """Each is one line that says what to do."""
    (tmp_path / "empty.mdl").write_bytes(b"\n")
    (tmp_path / "binary.vmf").write_bytes(b"\x01\x00\x02")
    for name, words in (
        ("none.mdl", "check the path"),
        ("", "directory"),
        ("empty.mdl", "empty"),
        ("binary.vmf", "save"),
    ):
        with pytest.raises(ModelError, match=words):
            read_document(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("a = 1 ~ ~ |\nb = 2 ~ u ~ c", "2:1", "not ended by '|'"),
        ("a = 1 ~ u ~ c\n\nb = 2 ~ u ~ c |", "3:7", "end the one before"),
        ("a = 1 ~ u\n****\n\t.G\n****~\n\tc\n|", "1:1", "not ended by '|'"),
        ('a = "b + 1 ~ ~ |\nc = 1 ~ ~ |', "1:5", "not closed"),
        ("a = { 1 ~ ~ |\nc = 1 ~ ~ |", "1:5", "not closed"),
        ("a = 1 } ~ ~ |", "1:7", "not opened"),
    ],
)
def test_problems_of_blocks_have_a_place(text, where, words):
    """Line and column count from 1."""
    (fault,) = _document(text).faults
    assert str(fault.where) == f"m.mdl:{where}"
    assert words in fault.what


@given(st.binary(max_size=40).filter(lambda data: b"\x00" not in data))
def test_wrong_claims_of_utf_8_keep_every_byte(data):
    """Bytes that are not UTF-8 are read as Latin-1, whatever the file claims, so that they can be written again."""
    whole = b"{UTF-8}\n" + data
    document = Document.from_bytes(whole, "m.mdl")
    assert bytes(document) == whole
    assert document.text.encode("utf-8")


def test_latin_1_names_in_a_file_that_claims_utf_8_are_read():
    """The text of a model has only valid characters."""
    model = model_from_text(model_text("prix \xe0 payer = 1").encode("latin-1"))
    assert "prix \xe0 payer" in model
    assert model_from_text(model_text('"a\udce0b" = 1')).text.encode()
