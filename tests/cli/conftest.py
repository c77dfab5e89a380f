"""A small project in which the tests run commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sdmodel.cli import main

TEA = """{UTF-8}
Tea Temperature = INTEG(-heat loss, 180) ~ °F [32,212] ~ The tea. |
heat loss = (Tea Temperature - room temperature)/cooling time ~ °F/Year ~ |
********************************************************
	.Policy levers
********************************************************~
	|
room temperature = 70 ~ °F [40,100,5] ~ judgement: a warm room. Low 60, high 80. |
********************************************************
	.Uncertainties
********************************************************~
	|
cooling time = 2.5 ~ Year [0.5,?] ~ From a thermometer. |
********************************************************
	.Control
********************************************************~
	|
INITIAL TIME = 2022 ~ Year ~ |
FINAL TIME = 2032 ~ Year ~ |
TIME STEP = 0.125 ~ Year [0,1] ~ |
SAVEPER = 0.5 ~ Year ~ |
"""

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def _wide_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print tables at full width, whatever terminal the tests run in."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def tea_text() -> str:
    """The text of a small model, a cup of tea."""
    return TEA


@pytest.fixture
def tea(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one model, a cup of tea, as the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models" / "scenarios"
    folder.mkdir(parents=True)
    (tmp_path / "models" / "ai_compute.mdl").write_text(TEA, "utf-8")
    (folder / "cold.cin").write_text("{A cold room.}\nroom temperature = 50\n", "utf-8")
    return tmp_path


@pytest.fixture
def cup(tea: Path, request: pytest.FixtureRequest) -> Path:
    """The project with the sampling file of the test module."""
    (tea / "cup.vsc").write_text(request.module.SAMPLING, "utf-8")
    return tea


@pytest.fixture
def sdmodel() -> Command:
    """Run a command as a user types it."""
    return lambda *words: CliRunner().invoke(main, list(words))
