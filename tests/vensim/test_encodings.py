"""Models in encodings that a user names: read, edited to the byte, run, stored and repeated."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.cli import main
from sdmodel.dataset import model_content, model_encoding
from sdmodel.errors import ModelError
from sdmodel.files import decode, reading_as
from sdmodel.reading import model_from_text, read_model, read_sketch
from sdmodel.simulation import simulate
from sdmodel.store import open_run, save_run
from sdmodel.testing import model_text
from sdmodel.vensim import Document, open_document

NAMES = {
    "gbk": ("人口亇", "出生率"),
    "shift_jis": ("ソース", "表率"),
    "cp1251": ("население", "темп"),
    "big5": ("人口", "出生率"),
}
"""Among the bytes of the first two are those of `|` and a backslash, which would split a file that is read as another one."""


def _content(encoding: str) -> bytes:
    stock, rate = NAMES[encoding]
    text = f"{stock} = INTEG({rate}*{stock}, 100) ~ {rate[0]} ~ {stock}. |\n{rate} = 0.1 ~~ {rate} |"
    return model_text(text).replace("{UTF-8}", "").replace("\n", "\r\n").encode(encoding)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in GBK, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    Path("far.mdl").write_bytes(_content("gbk"))
    return Path("far.mdl")


def _run(*words: str) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("encoding", NAMES)
def test_a_model_is_read_edited_and_kept_in_its_encoding(encoding: str, tmp_path: Path):
    """Every byte outside the edit stays."""
    stock, rate = NAMES[encoding]
    path, content = tmp_path / "far.mdl", _content(encoding)
    path.write_bytes(content)
    model = read_model(path, encoding=encoding.upper())
    assert (model[stock].kind, model[stock].comment, model.encoding) == ("stock", f"{stock}.", encoding)
    assert model_from_text(content, encoding=encoding).text == model.text == content.decode(encoding)
    assert read_sketch(path, encoding=encoding).kinds
    assert bytes(Document.from_bytes(content, "far.mdl", encoding=encoding)) == content
    document = open_document(path, encoding=encoding)
    document[rate].equation = "0.25"
    assert f"+{rate} = 0.25" in document.difference()
    document.save()
    assert path.read_bytes() == content.replace(b"0.1", b"0.25")
    document.undo()
    assert bytes(document) == content
    assert len(read_model(content.decode(encoding), encoding=encoding)) == len(model)  # a text has no encoding


def test_bytes_that_separate_blocks_are_in_these_names():
    """So that the tests would notice if they were read as text of Windows."""
    assert b"|" in _content("gbk")
    assert b"\\" in _content("shift_jis")
    with pytest.raises(ModelError):
        model_from_text(_content("gbk"), encoding="cp1252")


def test_a_run_has_the_encoding_and_is_repeated(path: Path):
    """From its record alone, also where a run goes on from it; a model whose bytes show their encoding adds nothing."""
    stock, rate = NAMES["gbk"]
    model = read_model(path, encoding="gbk")
    run = simulate(model)
    assert (model_content(run), model_encoding(run)) == (path.read_bytes(), "gbk")
    save_run(run, Path("own.nc"))
    assert "equal, to the last digit" in _run("rerun", "own.nc")
    assert model_content(open_run(Path("own.nc"))) == path.read_bytes()
    later = simulate(model_from_text(model.text), {rate: 0.2}, start=run, at=5)
    assert np.array_equal(later[stock][0], run[stock][5])
    for content in (model.text.encode(), "größe = 1".encode("cp1252")):
        plain = model_from_text(model_text("größe = 1") if content.startswith(b"gr") else content)
        assert model_encoding(simulate(plain)) is None


def test_commands_take_the_encoding(path: Path):
    """For the model, and for change files, lists and data beside it that are not in Unicode; a renaming keeps theirs too."""
    stock, rate = NAMES["gbk"]
    changes, listed = Path("high.cin"), Path("far.lst")
    changes.write_bytes(f"{rate} = 0.2".encode("gbk"))
    listed.write_bytes(f"{stock}\r\n".encode("gbk"))
    option = ("--encoding", "GBK")
    assert stock in _run("run", "far.mdl", "-c", "high", "--runs", ".", "--name", "high", *option)
    assert "equal, to the last digit" in _run("rerun", "high", "--runs", ".")
    _run("edit", "far.mdl", "rename", rate, "比例", *option)
    assert changes.read_bytes() == "比例 = 0.2".encode("gbk")
    assert path.read_bytes() == _content("gbk").replace(rate.encode("gbk"), "比例".encode("gbk")).replace(
        "比例 |".encode("gbk"), f"{rate} |".encode("gbk")
    ).replace("~ 比 ~".encode("gbk"), f"~ {rate[0]} ~".encode("gbk"))
    done = CliRunner().invoke(main, ["edit", "far.mdl", "set", "比例 = 0.3", *option])
    assert "undo with: sdmodel edit far.mdl set '比例 = 0.1' --encoding gbk" in done.stderr
    Path("later.mdl").write_bytes(path.read_bytes().replace(b"0.3", b"0.4"))
    assert "比例  equation    0.3 -> 0.4" in _run("diff", "far.mdl", "later.mdl", "--no-run", *option)
    assert stock in _run("fmt", "later.mdl", "--diff", *option) + Path("later.mdl").read_bytes().decode("gbk")
    _run("explore", "far.mdl", "-o", "far.html", *option)
    _run("convert", "far.mdl", "-o", "far.stmx", *option)
    assert stock in Path("far.stmx").read_text("utf-8")
    assert decode("人口".encode("gbk"))[1] == "cp1252"  # no command leaves its encoding to the next


def test_every_command_that_reads_a_model_has_the_option():
    """From one place."""
    context = click.Context(main)
    for name in main.commands:
        command = main.get_command(context, name)
        assert command is not None
        if {"model", "words", "source"} & {parameter.name for parameter in command.params} and name != "completion":
            assert any("--encoding" in parameter.opts for parameter in command.params), name


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b"a = 1 ~~|", "gbkk", r"encoding: 'gbkk' is not an encoding of text; did you mean 'gbk'\?"),
        (b"a = 1 ~~|", "base64", "encoding: 'base64' is not an encoding of text; name one such as gbk"),
        (b"a = 1 ~~|", "undefined", "encoding: 'undefined' is not an encoding of text"),
        (
            b"a = 1 ~~|\r\nb = \xff 1",
            "gbk",
            "m.mdl:2:5: byte 5 of the line, 0xff, is not text in gbk; name the encoding in which",
        ),
        ("a = 1 ~ é |".encode(), "ascii", "m.mdl:1:9: byte 9 of the line, 0xc3, is not text in ascii"),
        (
            b"a = 1 ~ \xfa\x54 |",
            "cp932",
            "m.mdl:1:9: byte 9 of the line, 0xfa, does not survive reading and writing in cp932",
        ),
        ("a = 1 ~ ① |".encode("cp932"), "Shift-JIS", "is not text in shift_jis; it is in cp932; name that"),
        (b"<xmile/>", "gbk", "a file in XMILE names its encoding itself, in its first line; leave out 'gbk'"),
        (b" ", "gbk", "the file is empty"),
        (b"\x00\x01", "gbk", "this is not text"),
    ],
)
def test_wrong_encodings_are_one_error(content: bytes, encoding: str, message: str):
    """With line, byte and cure."""
    with pytest.raises(ModelError, match=message) as error:
        model_from_text(content, "m.mdl", encoding=encoding)
    assert len(error.value.faults) == 1


@given(
    st.binary(max_size=60), st.sampled_from(["gbk", "cp932", "utf-16", "utf-7", "iso2022_jp", "cp1252", "utf-8-sig"])
)
def test_any_bytes_come_back_or_are_refused(content: bytes, encoding: str):
    """Also in encodings that mark the order of bytes, or change their meaning on the way."""
    with contextlib.suppress(ModelError):
        assert bytes(Document.from_bytes(content, "m.mdl", encoding=encoding)) == content


def test_an_edit_that_the_encoding_lacks_changes_nothing(path: Path):
    """And a command whose option is wrong reads no file."""
    document = open_document(path, encoding="gbk")
    with pytest.raises(
        ModelError, match="the file's encoding, gbk, has no '☃'; use other characters, or save the file in UTF-8"
    ):
        document[NAMES["gbk"][1]].comment = "☃"
    assert bytes(document) == path.read_bytes()
    done = CliRunner().invoke(main, ["levers", "none.mdl", "--encoding", "nonsense"])
    assert (done.exit_code, "--encoding: 'nonsense' is not an encoding of text" in done.stderr) == (1, True)
    noted = CliRunner().invoke(main, ["levers", "far.mdl"]).stderr
    assert "name it, as with --encoding gbk, or convert the file to UTF-8" in noted


def test_files_that_are_not_in_unicode_have_the_encoding_of_their_reader():
    """Those in Unicode are read as such, and what is not text in the encoding keeps its bytes."""
    with reading_as("gbk"):
        assert decode("人口".encode("gbk")) == ("人口", "gbk")
        assert decode("人口".encode()) == ("人口", "utf-8")
        assert decode(b"\xff") == ("ÿ", "latin-1")
        with reading_as(None):
            assert decode("人口".encode("gbk"))[1] == "gbk"
    assert decode("é".encode("cp1252")) == ("é", "cp1252")
