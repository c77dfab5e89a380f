"""The layout file of a figure: what it means, and which faults are reported."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.errors import LayoutError
from sdmodel.figures import Layout, Panel, find_layout, read_layout

HEADER = "panel,model,label,scale\n"


def _read(folder: Path, text: str) -> Layout:
    path = folder / "m.figure.csv"
    path.write_text(text, "utf-8")
    return read_layout(path)


def test_lines_with_the_same_title_share_a_panel(tmp_path: Path):
    """Panels keep the order of their first lines; a line without a title is a mark; comments and empty lines are skipped."""
    layout = _read(
        tmp_path,
        f'# a comment, "with a quote\n\n{HEADER}Money,revenue,billed,\nUsers,"Users[chat,free]",,\nMoney,naive revenue,,log\n,start date,start,\n',
    )
    assert layout.panels == (
        Panel("Money", {"revenue": "billed", "naive revenue": ""}, "log"),
        Panel("Users", {"Users[chat,free]": ""}),
    )
    assert layout.marks == {"start date": "start"}


@pytest.mark.parametrize(("written", "time"), [("2031", 2031.0), ("2030-07-02", 2030.5), ("12.5", 12.5)])
def test_a_line_says_from_when_on_runs_are_extrapolation(tmp_path: Path, written: str, time: float):
    """A time of the model or a day; a layout may say nothing else."""
    layout = _read(tmp_path, f"{HEADER}Money,revenue,,log\nextrapolation from,{written},,\n")
    assert layout.extrapolation == pytest.approx(time, abs=0.003)
    assert [panel.title for panel in layout.panels] == ["Money"]
    assert _read(tmp_path, f"panel,model\nextrapolation from,{written}\n").panels == ()


def test_scale_of_a_panel_is_that_of_its_variables(tmp_path: Path):
    """Whatever the label; a variable without a panel has none."""
    layout = _read(tmp_path, f"{HEADER}Money,Revenue[a],,log\nMoney,cost,,\nUsers,users,,linear\n")
    assert [layout.scale_of(name) for name in ("revenue", "Revenue[b]", "cost", "users", "other")] == [
        "log", "log", "log", "linear", "",
    ]  # fmt: skip


def test_columns_may_be_reordered_and_the_last_two_left_out(tmp_path: Path):
    assert _read(tmp_path, "Model,Panel\nrevenue,Money\n").panels == (Panel("Money", {"revenue": ""}),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: there is no column 'panel'"),
        (HEADER, "describes no panel"),
        (f"{HEADER},start,,\n", "describes no panel"),
        ("panel,label\n", "1:1: there is no column 'model'"),
        (f"{HEADER}Money,,,\n", "2:1: the line names no variable"),
        (f"{HEADER}Money,a,,,b\n", "2:1: this line has 5 entries"),
        (f"{HEADER}Money,a,,lin\n", "'lin' is not a scale; did you mean 'linear'"),
        (f"{HEADER}Money,a,,log\nMoney,b,,linear\n", "3:1: the panel 'Money' is log in a line above"),
        (
            f"{HEADER}extrapolation from,soon,,\n",
            "2:1: 'soon' is not a time; write a time of the model, or a day such as",
        ),
        (f"{HEADER}extrapolation from,1,,\nextrapolation from,2,,\n", "3:1: 'extrapolation from' is in a line above"),
        (f"{HEADER}Money,a,,\nMoney,a,,\n", "3:1: 'a' is in the panel 'Money' already"),
    ],
)
def test_faults_are_reported_with_their_place(tmp_path: Path, text: str, message: str):
    with pytest.raises(LayoutError) as caught:
        _read(tmp_path, text)
    assert message in str(caught.value)


@given(st.text(max_size=300))
def test_any_file_is_a_layout_or_a_fault(tmp_path_factory: pytest.TempPathFactory, text: str):
    path = tmp_path_factory.mktemp("layout") / "m.figure.csv"
    path.write_bytes((HEADER + text).encode("utf-8", "surrogatepass"))
    with contextlib.suppress(LayoutError):
        layout = read_layout(path)
        assert layout.panels or layout.extrapolation is not None


def test_layout_is_found_beside_its_model(tmp_path: Path):
    assert find_layout(tmp_path / "m.mdl") is None
    _read(tmp_path, f"{HEADER}Money,a,,\n")
    assert find_layout(tmp_path / "m.mdl") == tmp_path / "m.figure.csv"
