"""The tables of models/README.md are what the model says today."""

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
    """The script that makes them."""
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
    return [float(each.replace(",", "")) for each in NUMBER.findall(text)]


NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
WRITTEN = blocks(README.read_text(encoding="utf-8"))


def test_every_table_is_made_by_the_script_and_none_is_forgotten(tables: ModuleType):
    """What the script can make stands in the README."""
    assert set(WRITTEN) == set(tables.TABLES)


def test_the_table_of_constants_is_that_of_the_model(tables: ModuleType, model: Model):
    """To the last letter; and it names every constant."""
    assert WRITTEN["constants"] == tables.constants_table()
    named = re.findall(r"^\| ([^|]+) \|", WRITTEN["constants"], re.MULTILINE)
    assert {each.name for each in model.elements.values() if each.kind == "constant"} <= set(named)


@pytest.mark.parametrize("name", sorted(WRITTEN.keys() - {"constants"}))
def test_a_table_says_what_the_model_says(tables: ModuleType, name: str):
    """The same words, and numbers that differ by rounding at most, as machines do."""
    made = tables.TABLES[name]()
    assert NUMBER.sub("#", made) == NUMBER.sub("#", WRITTEN[name])
    assert numbers(made) == pytest.approx(numbers(WRITTEN[name]), rel=0.02, abs=0.11)
