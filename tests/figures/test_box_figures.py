"""Figures and tables of boxes, checked as data: bars, steps and labels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sdmodel.cli.output import csv_text, print_part
from sdmodel.cli.views.discovery import box_records, discovery_parts, discovery_record
from sdmodel.errors import FigureError
from sdmodel.figures import plot_boxes

sys.path.append(str(Path(__file__).parent))
from box_datasets import boxes


def test_the_figure_shows_steps_and_ranges():
    """A line for each trade-off with a ring at its box; bars in the range of the sample, the most certain on top."""
    trade, first, second, _ = plot_boxes(boxes(), title="spread").axes
    lines = [line for line in trade.lines if len(line.get_xdata()) > 1 and line.get_marker() == "o"]
    assert [line.get_xydata()[:2].tolist() for line in lines] == [[[1.0, 0.4], [0.9, 0.6]], [[0.3, 0.2], [0.2, 0.8]]]
    rings = [line.get_xydata().tolist() for line in trade.lines if line.get_markersize() == 8]
    assert rings == [[[0.7, 0.85]], [[0.2, 0.8]]]
    assert [label.get_text() for label in first.get_yticklabels()] == ["delay (Day)", "rate (USD)"]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in first.patches]
    assert bars == [(0, 1), (0, 0.75), (0, 1), (0.5, 1)]
    assert [bar.get_alpha() is not None for bar in first.patches] == [
        False,
        False,
        False,
        True,
    ]  # an end may be by chance
    low, high = first.get_xlim()
    assert (low, high) == (-0.25, 1.25)  # room for the numbers
    assert [text.get_text() for text in first.texts] == ["30", "2", "4"]
    assert [text.get_text() for text in second.texts] == ["3", "10"]


def test_a_figure_without_boxes_is_refused():
    """There is nothing to plot."""
    with pytest.raises(FigureError, match="has 0 boxes"):
        plot_boxes(boxes(count=0))


def test_the_tables_have_the_boxes_and_their_constants():
    """Shares in per cent, ranges in the units of each constant, and what is doubtful."""
    with CliRunner(env={"COLUMNS": "80"}).isolation() as (out, err, _):
        for part in discovery_parts(boxes()):
            print_part(part)
        assert err.getvalue().decode().endswith("; --density 0.62 finds one without them\n")
        lines = [" ".join(line.split()) for line in out.getvalue().decode().splitlines()]
    assert lines[0] == "beds max above 9: 60 of 100 members, 60 %"
    assert "1 70 % 85 % 50 % 50 42 2" in lines
    assert "delay 30 0 – 40 Day 1e-12" in lines
    assert "rate 2 4 0 – 4 USD 1e-09, 0.5 doubtful" in lines
    assert "rate 3 0 – 4 USD 0.001" in lines
    assert not any(line.startswith("idle") for line in lines)


def test_records_have_every_number():
    """The trade-off, without the steps that a box does not have; rows for a spreadsheet."""
    record = discovery_record(boxes())
    assert [(step["box"], step["step"], step["restricted"]) for step in record["trade_off"]] == [
        (1, 0, 0), (1, 1, 1), (1, 2, 2), (2, 0, 0), (2, 1, 2),
    ]  # fmt: skip
    assert [constant["name"] for constant in record["boxes"][0]["constants"]] == ["delay", "rate"]
    rows = csv_text(box_records(boxes())).splitlines()
    assert rows[0].startswith(
        "box,coverage,density,mass,plain_density,members,cases,step,constant,units,low,high,low_p,high_p"
    )
    assert rows[1] == "1,0.7,0.85,0.5,0.62,50,42,2,delay,Day,,30.0,,1e-12,0.0,40.0"
    assert len(rows) == 5
