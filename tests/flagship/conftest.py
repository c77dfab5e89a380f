"""The flagship model and its runs, each computed once per session."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import sdmodel as sd

sys.path.append(str(Path(__file__).parent))  # for `ai_compute`, which is not a test module

from ai_compute import MODEL, OBSERVATIONS, SERIES, scenario_path

Runs = Callable[[str], xr.Dataset]


@pytest.fixture(scope="session")
def model() -> sd.Model:
    return sd.read_model(MODEL)


@pytest.fixture(scope="session")
def scenario_run(model) -> Runs:
    """The run of a scenario, by its name."""

    @cache
    def run(name: str) -> xr.Dataset:
        return sd.simulate(model, scenario=scenario_path(name))

    return run


@pytest.fixture(scope="session")
def base(scenario_run) -> xr.Dataset:
    return scenario_run("base")


@pytest.fixture(scope="session")
def changed(model) -> Callable[..., xr.Dataset]:
    """The run of a scenario with some constants changed."""

    def run(constants: Mapping[str, Any], scenario: str = "base", **options: Any) -> xr.Dataset:
        return sd.simulate(model, constants, scenario=scenario_path(scenario), **options)

    return run


@pytest.fixture(scope="session")
def observed(model) -> list:
    """The observed series of the model, with their errors."""
    return sd.read_series(SERIES, sd.read_observations(OBSERVATIONS), model)
