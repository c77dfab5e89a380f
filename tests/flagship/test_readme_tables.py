"""The tables of models/README.md agree with the model."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from types import ModuleType

import pytest
from ai_compute import FOLDER, README

from sdmodel.model import Model


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The script that writes them."""
    spec = importlib.util.spec_from_file_location("tables", FOLDER / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def blocks(text: str) -> dict[str, str]:
    """The tables of a text by name."""
    return dict(re.findall(r"<!-- table: ([\w-]+) -->\n(.*?)<!-- end -->", text, re.DOTALL))


def numbers(text: str) -> list[float]:
    """All numbers of a text, in order."""
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
WRITTEN = blocks(README.read_text(encoding="utf-8"))


def test_script_writes_every_table(tables: ModuleType):
    """The README has all tables of the script and no others."""
    assert set(WRITTEN) == set(tables.TABLES)


def test_table_of_constants_equals_the_model(tables: ModuleType, model: Model):
    """To the last letter; it has every constant."""
    assert WRITTEN["constants"] == tables.constants_table()
    named = re.findall(r"^\| ([^|]+) \|", WRITTEN["constants"], re.MULTILINE)
    assert {element.name for element in model.elements.values() if element.kind == "constant"} <= set(named)


@pytest.mark.parametrize("name", sorted(WRITTEN.keys() - {"constants"}))
def test_table_equals_the_model(tables: ModuleType, name: str):
    """The same words, and numbers that differ at most by rounding between machines."""
    table = tables.TABLES[name]()
    assert NUMBER.sub("#", table) == NUMBER.sub("#", WRITTEN[name])
    assert numbers(table) == pytest.approx(numbers(WRITTEN[name]), rel=0.02, abs=0.11)


def test_scores_and_model_errors_are_of_one_backtest():
    """The root mean square errors of version 2's scores are those of the error file, by series and horizon."""
    with (FOLDER / "ai_compute.error.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        errors = {(row["series"], row["horizon"] or "> 1"): float(row["error"]) for row in rows}
    with (FOLDER / "backtests" / "version-2.csv").open(encoding="utf-8", newline="") as file:
        scores = {(row["series"], row["horizon"]): float(row["rms"]) for row in csv.DictReader(file)}
    assert errors
    assert {place: scores[place] for place in errors} == pytest.approx(errors, rel=0.01)


def test_backtest_beats_both_naive_forecasts():
    """Over all series of version 2, and over users, price and the revenue of two firms."""
    with (FOLDER / "backtests" / "version-2.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["series"]: row for row in csv.DictReader(file) if row["horizon"] == "all"}
    for series in ("all series", "weekly users", "list price", "two firms"):
        row = rows[series]
        assert float(row["log_crps"]) < min(float(row["persistence"]), float(row["trend"])), series
    assert 0.8 <= float(rows["all series"]["in_90_with_error"]) <= 0.97
