"""The tables of models/README.md agree with the model."""

from __future__ import annotations

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
