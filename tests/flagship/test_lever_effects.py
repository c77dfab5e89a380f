"""Test 6: every lever and switch moves a headline as the table in `models/README.md` says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from ai_compute import HEADLINES, README, SCENARIOS, of

from sdmodel.model import key

HEADING = "## Levers"
COLUMNS = 8
GROUPS = {"policy_levers", "switches"}
NOTHING = "nothing"
"""The last column of a lever that acts in base; any other text names a constraint."""


@dataclass(frozen=True)
class Row:
    """One lever: its bounds, the headline it moves at a date, the direction by scenario, and what hides it in base."""

    lever: str
    low: float
    high: float
    headline: str
    date: float
    direction: str
    scenario: str
    hidden_by: str


def _rows() -> list[Row]:
    """The rows of the table; empty if there is no file."""
    if not README.is_file():
        return []
    section = README.read_text("utf-8").split(f"\n{HEADING}\n", 1)[-1].split("\n## ", 1)[0]
    cells = [
        [cell.strip(" `") for cell in line.strip().strip("|").split("|")]
        for line in section.splitlines()
        if "|" in line
    ]
    body = [line for line in cells[2:] if len(line) == COLUMNS]
    return [Row(a, float(b), float(c), d, float(e), f.replace("−", "-"), g, h) for a, b, c, d, e, f, g, h in body]


ROWS = _rows()
pytestmark = pytest.mark.skipif(not README.is_file(), reason="models/README.md with its table of levers is not there")


@pytest.fixture(scope="module")
def changes(changed, scenario_run):
    """The relative change of a scenario's headline at the low and the high end of a lever."""

    def found(row: Row, scenario: str) -> tuple[float, float]:
        run = changed({row.lever: [row.low, row.high]}, scenario, save=[row.headline])
        ends = of(run, row.headline).sel(time=row.date).to_numpy()
        usual = float(of(scenario_run(scenario), row.headline).sel(time=row.date))
        return ends[0] / usual - 1, ends[1] / usual - 1

    return found


def test_table_has_every_lever_and_switch_once(model):
    """The constants of the model's groups and no others; each moves a headline variable."""
    constants = {element.key for element in model if key(element.group) in GROUPS and element.kind == "constant"}
    assert sorted(key(row.lever) for row in ROWS) == sorted(constants)
    assert {key(row.headline) for row in ROWS} <= {key(name) for name in HEADLINES}
    assert {row.scenario for row in ROWS} <= set(SCENARIOS)
    assert {row.direction for row in ROWS} <= {"+", "-"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.lever)
def test_bounds_are_in_the_range_of_the_lever(model, row):
    """A slider reaches both."""
    allowed = model.elements[key(row.lever)].range
    assert allowed.minimum <= row.low < row.high <= allowed.maximum


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.lever)
def test_lever_moves_its_headline_in_its_direction(changes, row):
    """By more than 1 % at one end, and at neither end the other way."""
    low, high = changes(row, row.scenario)
    sign = 1 if row.direction == "+" else -1
    assert max(abs(low), abs(high)) > 0.01
    assert sign * low <= 1e-3
    assert sign * high >= -1e-3


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.lever)
def test_levers_without_effect_in_base_name_the_cause(changes, row):
    """They move their headline by less than 1 % in base; levers that act in base are shown in base."""
    slack = max(abs(change) for change in changes(row, "base")) <= 0.01
    if slack:
        assert row.hidden_by.lower() != NOTHING
        assert len(row.hidden_by.split()) > 2
    assert row.hidden_by
