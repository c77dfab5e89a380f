"""The page about the functions of Vensim's manual says what the table of functions says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from sdmodel.model import FUNCTIONS, REFUSED

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(PROJECT / "docs" / "vensim_coverage.py"))


def test_the_page_is_up_to_date(script):
    """After a change of a function: `python docs/vensim_coverage.py`."""
    assert script["PAGE"].read_text("utf-8") == script["page"](), "run python docs/vensim_coverage.py"


def test_every_function_is_on_the_page_and_its_test_exists(script):
    text = script["page"]()
    assert all(f"`{name}" in text for name in (*FUNCTIONS, *REFUSED))
    assert script["TESTS"].keys() | script["DIFFERENCES"].keys() <= FUNCTIONS.keys()
    for name, path in script["TESTS"].items():
        assert name in (PROJECT / path).read_text("utf-8"), name
