"""The models that come with the project: no fault, no doubt about their numbers, and a history that fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdmodel import check_model, fit_run, read_model, read_observations, read_scenario, read_series, simulate

MODELS = Path(__file__).resolve().parents[2] / "models"
FILES = sorted(MODELS.glob("**/*.mdl"))


def _name(path: Path) -> str:
    return str(path.relative_to(MODELS))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_model_of_the_project_has_neither_error_nor_warning(path: Path):
    """What remains is advice."""
    assert not [str(each) for each in check_model(path, level="warning")]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_history_of_chips_and_users_is_met_within_ten_per_cent(path: Path):
    """The two series with the most observations: mean absolute percentage error against the observations beside it."""
    model = read_model(path)
    series = read_series(
        path.with_suffix(".series.csv"), read_observations(path.parent / "data" / "observations.csv"), model
    )
    rows = {each.name: each for each in fit_run(simulate(model), series).rows}
    assert {name: rows[name].measures["mape"] < 10 for name in ("chips sold", "weekly users")} == {
        "chips sold": True,
        "weekly users": True,
    }


@pytest.mark.parametrize("path", sorted(MODELS.glob("**/scenarios/*.cin")), ids=_name)
def test_every_scenario_tells_its_story_and_runs(path: Path):
    """Its first line says what it is about; every number of its run is finite."""
    scenario = read_scenario(path)
    run = simulate(read_model(path.parents[1] / "ai_compute.mdl"), scenario=scenario)
    assert len(scenario.comment) > 40
    assert "not_finite" not in run.attrs
