"""The models that come with the project: no faults or doubtful numbers, and a history that fits."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from sdmodel import Model, check_model, fit_run, read_model, read_observations, read_scenario, read_series, simulate

MODELS = Path(__file__).resolve().parents[2] / "models"
FILES = sorted(MODELS.glob("**/*.mdl"))


@cache
def _model(path: Path) -> Model:
    """Read a model once: its compiled program is reused as long as the model lives."""
    return read_model(path)


def _name(path: Path) -> str:
    return str(path.relative_to(MODELS))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_project_models_have_no_errors_or_warnings(path: Path):
    """Only advice remains."""
    assert not [str(finding) for finding in check_model(_model(path), level="warning")]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_history_of_chips_and_users_fits_within_ten_percent(path: Path):
    """The mean absolute percentage error of the two series with the most observations."""
    model = _model(path)
    series = read_series(
        path.with_suffix(".series.csv"), read_observations(path.parent / "data" / "observations.csv"), model
    )
    rows = {row.name: row for row in fit_run(simulate(model), series).rows}
    assert {name: rows[name].measures["mape"] < 10 for name in ("chips sold", "weekly users")} == {
        "chips sold": True,
        "weekly users": True,
    }


@pytest.mark.parametrize("path", sorted(MODELS.glob("**/scenarios/*.cin")), ids=_name)
def test_scenarios_have_a_description_and_run(path: Path):
    """The first line says what the scenario is about; every number of its run is finite."""
    scenario = read_scenario(path)
    run = simulate(_model(path.parents[1] / "ai_compute.mdl"), scenario=scenario)
    assert len(scenario.comment) > 40
    assert "not_finite" not in run.attrs
