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
"""What the last column says of a lever that acts in base; whatever else it says names a constraint."""


@dataclass(frozen=True)
class Row:
    """One lever: its ends, the headline it moves at a date, which way in which scenario, and what hides it in base."""

    lever: str
    low: float
    high: float
    headline: str
    date: float
    direction: str
    regime: str
    hidden_by: str


def _rows() -> list[Row]:
    """The table, row by row; none while there is no file."""
    if not README.is_file():
        return []
    section = README.read_text("utf-8").split(f"\n{HEADING}\n", 1)[-1].split("\n## ", 1)[0]
    cells = [
        [cell.strip(" `") for cell in line.strip().strip("|").split("|")]
        for line in section.splitlines()
        if "|" in line
    ]
    body = [each for each in cells[2:] if len(each) == COLUMNS]
    return [Row(a, float(b), float(c), d, float(e), f.replace("−", "-"), g, h) for a, b, c, d, e, f, g, h in body]


ROWS = _rows()
pytestmark = pytest.mark.skipif(not README.is_file(), reason="models/README.md with its table of levers is not there")


@pytest.fixture(scope="module")
def changes(changed, scenario_run):
    """By how much of its own value a regime's headline changes at the low end and at the high end of a lever."""

    def found(row: Row, regime: str) -> tuple[float, float]:
        run = changed({row.lever: [row.low, row.high]}, regime, save=[row.headline])
        ends = of(run, row.headline).sel(time=row.date).to_numpy()
        usual = float(of(scenario_run(regime), row.headline).sel(time=row.date))
        return ends[0] / usual - 1, ends[1] / usual - 1

    return found


def test_the_table_has_every_lever_and_switch_once(model):
    """Those of the model's groups, no other, and each moves one of the headlines."""
    constants = {each.key for each in model if key(each.group) in GROUPS and each.kind == "constant"}
    assert sorted(key(row.lever) for row in ROWS) == sorted(constants)
    assert {key(row.headline) for row in ROWS} <= {key(each) for each in HEADLINES}
    assert {row.regime for row in ROWS} <= set(SCENARIOS)
    assert {row.direction for row in ROWS} <= {"+", "-"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.lever)
def test_low_and_high_are_in_the_range_of_the_lever(model, row):
    """A slider reaches both."""
    allowed = model.elements[key(row.lever)].range
    assert allowed.minimum <= row.low < row.high <= allowed.maximum


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.lever)
def test_a_lever_moves_its_headline_in_its_direction(changes, row):
    """By more than 1 % at one end, and at neither end the other way."""
    low, high = changes(row, row.regime)
    sign = 1 if row.direction == "+" else -1
    assert max(abs(low), abs(high)) > 0.01
    assert sign * low <= 1e-3
    assert sign * high >= -1e-3


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.lever)
def test_a_lever_that_is_slack_in_base_says_what_hides_it(changes, row):
    """Slack: it moves its headline by less than 1 % there; one that acts in base is shown in base."""
    slack = max(abs(each) for each in changes(row, "base")) <= 0.01
    if slack:
        assert row.hidden_by.lower() != NOTHING
        assert len(row.hidden_by.split()) > 2
    assert row.hidden_by
