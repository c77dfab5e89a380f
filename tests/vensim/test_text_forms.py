"""Line ends and encodings: every reader accepts all of them, and an edit keeps those of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import FaultsError, ModelError, ObservationError, ScenarioError
from sdmodel.figures.layout import read_layout
from sdmodel.files import decode, decode_text, encode_text
from sdmodel.inference.observations import read_rows
from sdmodel.testing import model_text
from sdmodel.vensim import (
    Document,
    OpenDocument,
    compare_documents,
    format_document,
    merge_documents,
    model_from_text,
    open_document,
    read_data,
    read_optimisation,
    read_payoff,
    read_sampling,
    read_savelist,
    sketch_from_text,
)

FORMS: dict[str, Callable[[str], bytes]] = {
    "lf": lambda text: text.encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "utf-16-le": lambda text: f"\ufeff{text}".encode("utf-16-le"),
    "utf-16-be": lambda text: f"\ufeff{text}".replace("\n", "\r").encode("utf-16-be"),
    "mark": lambda text: f"\ufeff{text}".encode(),
    "latin-1": lambda text: text.replace("kitchen", "Küche").encode("latin-1"),
}
MODEL = model_text(
    """
    :MACRO: TWICE(x)
    TWICE = 2 * x
    \t~\t\t~\t\t|

    :END OF MACRO:

    big = TWICE(room)
    \t~\t\t~\t\t|

    ********************************************************
    \t.Kitchen
    ********************************************************~
    \t\tWhere the tea is.
    \t|

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
    \t~\tWhat is in \\
    \t\tthe kitchen.
    \t|

    cooling time=
    \t2
    \t~\tYear
    \t~\t\t|
    """
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
    "12,10,0,300,40,80,16,8,4,0,8,-1,0,0,0\n"
    "A text, below its record.\n"
    "///---\\\\\\\n",
)


@pytest.mark.parametrize("form", FORMS)
def test_model_means_the_same_in_every_form(form):
    model, plain = (model_from_text(FORMS[name](MODEL), "m.mdl") for name in (form, "lf"))
    assert [(element.name, element.equations[0].expression) for element in model] == [
        (element.name, element.equations[0].expression) for element in plain
    ]
    assert model.groups == plain.groups
    assert model.elements["tea"].equations[0].place.line == plain.elements["tea"].equations[0].place.line
    assert sketch_from_text(FORMS[form](MODEL)).views == sketch_from_text(MODEL).views
    assert encode_text(model.text, model.sha256) == FORMS[form](MODEL)


def _edit(document: OpenDocument) -> None:
    document["room"].equation = "20"
    document["cooling time"].comment = "One line.\nAnother."
    document["room"].units = "Degree"
    document["room"].group = "Places"
    document.rename("cooling time", "time to cool")
    document.add("milk", "5", units="Degree", comment="New.")
    document.add("warm milk", "milk + room", view="View 1")


@pytest.mark.parametrize("form", FORMS)
def test_edits_keep_line_ends_and_encoding(form):
    document, plain = (OpenDocument.from_bytes(FORMS[name](MODEL), "m.mdl") for name in (form, "lf"))
    assert bytes(document) == FORMS[form](MODEL)
    _edit(document)
    _edit(plain)
    assert bytes(document) == FORMS[form](bytes(plain).decode())
    document.check()
    while document.undo():
        pass
    assert bytes(document) == FORMS[form](MODEL)


@pytest.mark.parametrize("form", FORMS)
def test_standard_layout_and_merge_keep_line_ends_and_encoding(form):
    def document(text: str, name: str = form) -> Document:
        return Document.from_bytes(FORMS[name](text), "m.mdl")

    formatted = format_document(document(MODEL))
    assert formatted.encode(document(MODEL).encoding) == FORMS[form](format_document(document(MODEL, "lf")))
    ours, theirs = MODEL.replace("\t70", "\t71"), MODEL.replace("180)", "90)")
    merge = merge_documents(document(MODEL), document(ours), document(theirs))
    assert merge.is_clean
    assert all(found.kind != "sketch" for found in compare_documents(document(MODEL), document(MODEL, "lf")))
    assert merge.text.encode(document(MODEL).encoding) == FORMS[form](
        MODEL.replace("\t70", "\t71").replace("180)", "90)")
    )


def test_line_ends_that_were_converted_twice_are_one():
    """CR CR LF, which editors and version control leave behind: each line keeps its number, and a sketch its comments."""
    text = MODEL.replace("\n", "\r\r\n")
    found, expected = (model_from_text(own, "m.mdl") for own in (text, MODEL))
    assert [(own.name, own.place, own.comment) for own in found] == [
        (own.name, own.place, own.comment) for own in expected
    ]
    assert sketch_from_text(text).views == sketch_from_text(MODEL).views


def test_edit_of_a_file_with_mixed_line_ends_changes_one_line():
    lines = MODEL.split("\n")
    mixed = "".join(line + ("\r", "\n", "\r\n")[number % 3] for number, line in enumerate(lines[:-1])).encode()
    document = OpenDocument.from_bytes(mixed, "m.mdl")
    assert not document.faults
    document["room"].equation = "20"
    assert bytes(document) == mixed.replace(b"\t70", b"\t20")


def test_character_that_utf_16_lacks_is_refused_and_half_a_character_is_not_text():
    document = OpenDocument.from_bytes(FORMS["utf-16-le"](MODEL), "m.mdl")
    document["room"].comment = "Ein Zimmer mit 20 °C \N{THERMOMETER}"
    assert "\N{THERMOMETER}".encode("utf-16-le") in bytes(document)
    for data in (FORMS["utf-16-le"](MODEL)[:-1], MODEL.encode("utf-16-le"), MODEL.encode("utf-32")):
        with pytest.raises(
            ModelError, match=r"m\.mdl: this is not text; in Vensim, save the model as \.mdl text in UTF-8"
        ):
            Document.from_bytes(data, "m.mdl")


FILES = {
    "a.cin": ("{A comment}\nroom = 5\ntab((0,0),\n(1,2))\nrow[A] = 1,2\n", sd.read_scenario, ScenarioError),
    "a.lst": ("Tea\n{comment\nmore}\nroom\n", read_savelist, ScenarioError),
    "a.vsc": ("10,M,1,,0\nroom = RANDOM_UNIFORM(1,2)\nx[A] = VECTOR(0,1,2)\n", read_sampling, ScenarioError),
    "f.vsc": ("10,F,1,s.tab,0\n", read_sampling, ScenarioError),
    "a.voc": (":SENSITIVITY=OFF\n0<=room=1<=2\n:OPTIMIZER=POWELL\n", read_optimisation, ScenarioError),
    "a.vpd": ("*C\nTea|tea data/1\n", read_payoff, ScenarioError),
    "a.dat": ("Tea\n0\t1\n1\t2\nroom\n0\t5\n", read_data, ObservationError),
    "a.tab": ("Time\tTea\n0\t1\n1\t2\n", read_data, ObservationError),
    "a.csv": ("series,date,value\n# comment\nseen,1,2.5\nseen,2,4.5\n", sd.read_observations, ObservationError),
    "b.csv": ("Time,Tea\n0,1\n1,2\n", sd.read_observations, ObservationError),
    "a.series.csv": ("name,model\ntea,Tea\n", lambda path: read_rows(path, ("name", "model"), ()), ObservationError),
    "a.figure.csv": ("panel,model,label\nOne,Tea,The tea\nOne,room,\n", read_layout, FaultsError),
}


def _content(value: object) -> object:
    """A value that compares by its numbers and not by the text and the file that it comes from."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_content(item) for item in value]
    if hasattr(value, "items"):
        return {key: _content(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        names = set(value.__dataclass_fields__) - {"text", "path", "file", "source"}
        return {name: _content(getattr(value, name)) for name in sorted(names)}
    return value


@pytest.mark.parametrize("name", FILES)
def test_files_beside_a_model_are_read_in_every_form(name, tmp_path):
    text, read, _ = FILES[name]
    found = {}
    path = tmp_path / name
    for form, made in FORMS.items():
        path.write_bytes(made(text))
        (tmp_path / "s.tab").write_bytes(made("room\tTea\n1\t2\n3\t\n"))
        (tmp_path / "seen.csv").write_bytes(made("series,date,value\nseen,1,2.5\n"))
        found[form] = repr(_content(read(path)))
    assert found["lf"]
    assert all(content == found["lf"] for content in found.values()), found


@pytest.mark.parametrize("form", ["lf", "crlf", "cr", "utf-16-le"])
@pytest.mark.parametrize("name", [*FILES, "a.mdl"])
def test_conflicts_of_git_are_named_with_their_lines(name, form, tmp_path):
    text, read, error = FILES.get(name, (model_text("a = 1\nb = 2\nc = 3"), sd.read_model, ModelError))
    first, _, rest = text.partition("\n")
    conflict = f"<<<<<<< HEAD\n{rest}||||||| base\n=======\n{rest}>>>>>>> other branch\n"
    path = tmp_path / name
    path.write_bytes(FORMS[form](f"{first}\n{conflict}\n{conflict}"))
    with pytest.raises(error) as caught:
        read(path)
    second = 2 + conflict.count("\n") + 1
    what = "git left two versions here; keep one, and delete the lines that begin with <<<<<<<, ======= and >>>>>>>"
    assert [str(fault) for fault in caught.value.faults] == [f"{path}:{line}:1: {what}" for line in (2, second)]


def test_conflict_anywhere_in_a_model_is_loud_and_not_edited():
    """In a comment, the sketch or the settings too, where the reader would not notice it; rows of = alone are ornament."""
    for mark, there in (("a = 1\n\t~\t\n\t~\t", 1), ("*View 1\n", 1), ("15:0,0,0,", 1), ("\t~\t\n", 0)):
        text = model_text("a = 1\nb = 2")
        at = text.index(mark) + len(mark) if there == 0 or mark.startswith("a") else text.index(mark)
        broken = f"{text[:at]}\n<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n{text[at:]}"
        with pytest.raises(ModelError, match="git left two versions here"):
            model_from_text(broken)
        with pytest.raises(ModelError, match="git left two versions here"):
            OpenDocument.from_bytes(broken.encode(), "m.mdl")
        with pytest.raises(ModelError, match="git left two versions here"):
            sketch_from_text(broken)
    half = model_text("a = 1").replace("a = 1", "a = 1\n>>>>>>> theirs")
    with pytest.raises(ModelError, match="git left two versions here"):
        model_from_text(half)
    ornaments = "=======\nnot >>>>>>> a mark\n>>>>>>>>> Sector\n<<<<<<<<<<<<<<<<\n>>>>>>>x"
    assert len(model_from_text(model_text("a = 1").replace("~\t\n\t|", f"~\t\n{ornaments}\n\t|"))) == 5
    with pytest.raises(ModelError, match="git left two versions here"):
        model_from_text(model_text("a = 1").replace("a = 1", "<<<<<<<<<<\na = 1\n==========\na = 2\n>>>>>>>>>> other"))


def test_text_and_encoding_of_bytes_are_found_and_made_again():
    for form, made in FORMS.items():
        content = made("Degree\n")
        text, encoding = decode(content)
        assert text.encode(encoding) == content, form
        assert decode_text(content) == text


def test_series_of_observations_in_utf_16_need_no_other_spelling(tmp_path):
    path = Path(tmp_path, "long.csv")
    path.write_bytes(
        FORMS["utf-16-be"]("Time," + ",".join(f"Größe {number}" for number in range(2000)) + "\n0" + ",1" * 2000)
    )
    assert len(sd.read_observations(path).series) == 2000


@pytest.mark.parametrize("form", FORMS)
def test_renaming_keeps_the_form_of_the_files_beside_a_model(form, tmp_path):
    """The first name of a file follows a byte order mark directly."""
    made = FORMS[form]
    files = {
        "m.mdl": MODEL,
        "m.cin": "room = 5\n{room}\nTea[room] = 2\n",
        "m.lst": "room\nTea\n",
        "m.vsc": "9,F,1,room.tab,0\nroom = RANDOM_UNIFORM(1,2)\n",
        "room.tab": "room\tTea\n1\t2\n",
        "m.series.csv": "model,name\nroom * 2,room\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_bytes(made(text))
    document = open_document(tmp_path / "m.mdl")
    document.rename("room", "hall temperature", everywhere=True)
    assert len(document.save()) == len(files)
    expected = {
        "m.cin": "hall temperature = 5\n{room}\nTea[room] = 2\n",
        "m.lst": "hall temperature\nTea\n",
        "m.vsc": "9,F,1,room.tab,0\nhall temperature = RANDOM_UNIFORM(1,2)\n",
        "room.tab": "hall temperature\tTea\n1\t2\n",
        "m.series.csv": "model,name\nhall temperature * 2,room\n",
    }
    assert {name: (tmp_path / name).read_bytes() for name in expected} == {
        name: made(text) for name, text in expected.items()
    }
