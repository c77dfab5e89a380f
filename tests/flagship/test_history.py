"""Base agrees with observations up to April 2026, each series within 1.5 standard deviations of its error."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from ai_compute import SERIES

import sdmodel as sd
from sdmodel.inference import evaluate_series, residuals

NAMES = [
    "weekly users", "share of visits", "paying subscribers", "chips sold", "buyers' capex", "capex of a quarter",
    "list price", "two firms", "sector revenue", "token volume", "tokens at Google", "chat messages", "H100 rental",
]  # fmt: skip


@pytest.fixture(scope="module")
def errors(base, observed) -> dict[str, float]:
    """The root mean square of the standardised errors of each series."""
    found = np.ravel(residuals(observed, evaluate_series(observed, base)))
    ends = np.cumsum([len(series.times) for series in observed])
    return {
        series.name: float(np.sqrt(np.mean(part**2)))
        for series, part in zip(observed, np.split(found, ends[:-1]), strict=True)
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_required_series_is_compared(errors, name):
    """A series that is not compared cannot fail."""
    assert name in errors


def test_every_series_agrees_with_base(errors):
    """Within 1.5 standard deviations."""
    assert not {name: value for name, value in errors.items() if not value <= 1.5}


def test_no_series_ends_after_the_knowledge_date(observed):
    """Later data may judge the model but not shape it."""
    assert max(float(series.times[-1]) for series in observed) <= 2026.34


@pytest.mark.parametrize("name", ["weekly users", "chips sold"])
def test_errors_of_long_series_are_scatter(base, observed, name):
    """With nine points and more, bias is not the largest of Theil's shares, and R2 is high."""
    measures = next(row for row in sd.fit_run(base, observed).rows if row.name == name).measures
    assert measures["um"] + measures["us"] + measures["uc"] == pytest.approx(1, abs=0.01)
    assert measures["um"] < 0.5
    assert measures["r2"] > 0.95


def test_every_error_has_a_reason():
    """The note of each line says why the error is as large as it is."""
    with SERIES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(rows) > 15
    assert not [row["name"] for row in rows if len(row["note"].split()) < 4]
