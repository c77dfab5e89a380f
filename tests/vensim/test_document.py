"""The lossless document: every byte is kept, every character has one owner, and an edit changes what it must."""

from __future__ import annotations

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


def test_every_public_model_comes_back_byte_for_byte(shared):
    """Mixed line ends, DEL bytes and all."""
    files = sorted((shared / "test-models").rglob("*.mdl"))
    assert files
    for file in files:
        document = read_document(file)
        assert bytes(document) == file.read_bytes()
        assert _owners(document)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_comes_back_and_every_character_has_one_owner(text):
    """The property holds for broken files too: a repair must not lose anything."""
    if not text.strip():
        return
    document = _document(text)
    assert bytes(document) == text.encode()
    assert _owners(document)


@given(st.binary(max_size=200).filter(lambda data: data.strip() and b"\x00" not in data))
def test_any_bytes_come_back(data):
    """Bytes that are no characters are kept as they are."""
    assert bytes(Document.from_bytes(data, "m.mdl")) == data


def test_bytes_that_are_not_utf8_are_read_in_one_byte_a_character():
    """Vensim's older files do not say their encoding."""
    document = Document.from_bytes("größe = 1 ~ ~ |".encode("latin-1"), "m.mdl")
    assert OpenDocument(document)["größe"].equation == "1"


def test_a_byte_order_mark_is_kept_and_not_part_of_a_name():
    """Editors on Windows put one in front."""
    document = Document.from_bytes(b"\xef\xbb\xbf{UTF-8}\r\na = 1 ~ ~ |", "m.mdl")
    assert document.segments[0].kind == "encoding"
    assert "a" in document


def test_bars_tildes_and_quotes_inside_names_and_comments_divide_nothing():
    """A name in quotes and a comment in braces may hold anything."""
    opened = _open('"a | ~ \\"b" = 1 {one | ~ {two "} three} + 2 ~ u ~ c | b = 2 ~~|')
    assert opened.document.blocks[0].end < opened.document.blocks[1].start
    assert opened['"a | ~ \\"b"'].comment == "c"
    assert opened["b"].equation == "2"


def test_a_quote_in_a_comment_is_only_a_quote():
    """Comments are prose."""
    opened = _open('a = 1 ~ u ~ the "room" temperature" |\nb = 2 ~~|')
    assert not opened.document.faults
    assert opened["b"].equation == "2"


def test_fields_are_found_in_the_compact_form_too():
    """`~~|` is what people type."""
    opened = _open("a = 1~~|b=2~u [0,1]~c~:SUP|")
    assert opened["B"].units == "u"
    assert opened["B"].range == Range(0, 1)
    assert opened["b"].supplementary
    assert not opened["a"].supplementary


def test_sketch_graphs_and_settings_are_cut_line_by_line():
    """Each record is a segment of its own, ready to be edited alone."""
    text = model_text("a = 1").replace("///---\\\\\\\n", "10,1,a,1,1,1\n///---\\\\\\\n:GRAPH g\n")
    kinds = [segment.kind for segment in _document(text).segments]
    wanted = ["record", "sketch end", "graph", "marker", "setting"]
    assert [kind for kind in kinds if kind in wanted] == wanted
    assert kinds.count("view") == 4


def test_a_name_is_found_however_it_is_spelt():
    """Case, blanks and underscores do not matter."""
    document = _open("Price  Elasticity[d] = 0.8 ~ ~ |")
    assert document["price_elasticity"].name == "Price Elasticity"
    with pytest.raises(ModelError, match="did you mean 'Price"):
        document["prise elasticity"]


def test_an_edit_changes_its_field_and_no_other_byte(tmp_path):
    """What is saved differs in what was set, line ends included."""
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
    assert [each.name for each in tmp_path.iterdir()] == ["m.mdl"]


@pytest.mark.parametrize("text", ["1 | b = 2", "1 ~ u", '"q', "{", "", "1 +", "1 ~~| b = 2"])
def test_an_edit_that_is_more_or_less_than_an_equation_is_refused(text):
    """The document stays as it was."""
    document = _open("a = 1 ~ u ~ c |")
    with pytest.raises(ModelError):
        document["a"].equation = text
    assert bytes(document) == b"a = 1 ~ u ~ c |"


def test_a_file_that_is_not_there_or_no_model_says_what_to_do(tmp_path):
    """Each is one line with its cure."""
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
def test_what_keeps_a_text_from_being_cut_has_its_place(text, where, words):
    """Line and column count from 1."""
    (fault,) = _document(text).faults
    assert str(fault.where) == f"m.mdl:{where}"
    assert words in fault.what


@given(st.binary(max_size=40).filter(lambda data: b"\x00" not in data))
def test_a_file_that_claims_utf_8_and_is_not_keeps_every_byte(data):
    """What its bytes cannot be in UTF-8 they are in Latin-1: text that can be written again, whatever it claims."""
    whole = b"{UTF-8}\n" + data
    document = Document.from_bytes(whole, "m.mdl")
    assert bytes(document) == whole
    assert document.text.encode("utf-8")


def test_a_name_in_latin_1_under_a_claim_of_utf_8_is_readable():
    """Nothing that is no character gets into a model."""
    model = model_from_text(model_text("prix \xe0 payer = 1").encode("latin-1"))
    assert "prix \xe0 payer" in model
    assert model_from_text(model_text('"a\udce0b" = 1')).text.encode()
