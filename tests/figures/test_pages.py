"""The file that says what a figure shows: what it means, and what is told of a file that means nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import PageError
from sdmodel.figures import Page, Panel, page_beside, read_page

HEADER = "panel,model,label,scale\n"


def _read(folder: Path, text: str) -> Page:
    path = folder / "m.figure.csv"
    path.write_text(text, "utf-8")
    return read_page(path)


def test_lines_with_one_title_share_a_panel_wherever_they_stand(tmp_path: Path):
    """Panels keep the order in which they begin; a line without a title is a mark; comments and empty lines say nothing."""
    page = _read(
        tmp_path,
        f'# a comment, "with a quote\n\n{HEADER}Money,revenue,billed,\nUsers,"Users[chat,free]",,\nMoney,naive revenue,,log\n,start date,start,\n',
    )
    assert page.panels == (
        Panel("Money", {"revenue": "billed", "naive revenue": ""}, "log"),
        Panel("Users", {"Users[chat,free]": ""}),
    )
    assert page.marks == {"start date": "start"}


def test_columns_may_come_in_any_order_and_the_last_two_not_at_all(tmp_path: Path):
    """The header names them."""
    assert _read(tmp_path, "Model,Panel\nrevenue,Money\n").panels == (Panel("Money", {"revenue": ""}),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1: there is no column 'panel'"),
        (HEADER, "describes no panel"),
        (f"{HEADER},start,,\n", "describes no panel"),
        ("panel,label\n", "1:1: there is no column 'model'"),
        (f"{HEADER}Money,,,\n", "2:1: the line names no variable"),
        (f"{HEADER}Money,a,,,b\n", "2:1: this line has 5 entries"),
        (f"{HEADER}Money,a,,lin\n", "'lin' is no scale; did you mean 'linear'"),
        (f"{HEADER}Money,a,,log\nMoney,b,,linear\n", "3:1: the panel 'Money' is log in a line above"),
        (f"{HEADER}Money,a,,\nMoney,a,,\n", "3:1: 'a' is in the panel 'Money' already"),
    ],
)
def test_every_line_that_means_nothing_is_told_with_its_place(tmp_path: Path, text: str, told: str):
    """File and line, what is wrong, and what to do."""
    with pytest.raises(PageError) as caught:
        _read(tmp_path, text)
    assert told in str(caught.value)


@given(st.text(max_size=300))
def test_any_file_is_a_page_or_a_fault(tmp_path_factory: pytest.TempPathFactory, text: str):
    """Nothing else comes out of a file from elsewhere."""
    path = tmp_path_factory.mktemp("page") / "m.figure.csv"
    path.write_bytes((HEADER + text).encode("utf-8", "surrogatepass"))
    with contextlib.suppress(PageError):
        assert read_page(path).panels


def test_a_page_lies_beside_its_model(tmp_path: Path):
    """Under the model's name."""
    assert page_beside(tmp_path / "m.mdl") is None
    _read(tmp_path, f"{HEADER}Money,a,,\n")
    assert page_beside(tmp_path / "m.mdl") == tmp_path / "m.figure.csv"
