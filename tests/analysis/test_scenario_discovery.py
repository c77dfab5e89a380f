"""Scenario discovery: boxes that are known, numbers counted again from the members, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binomtest

from sdmodel import discover_scenarios, run_ensemble, simulate
from sdmodel.errors import AnalysisError, DatasetError
from sdmodel.scenario import Distribution, Sampling, Variation, make_design
from sdmodel.store import open_run
from sdmodel.testing import tiny_model

MODEL = tiny_model(
    "r: north, south ~~|\n"
    "corner[r] = IF THEN ELSE(scenario > 0.6 :AND: rate[r] < 0.4, 1, 0) + 0*other ~~|\n"
    "level = INTEG(corner[north], 0) ~~|\n"
    "both = INTEG(IF THEN ELSE(rate[north] < 0.2 :OR: rate[south] > 0.8, 1, 0), 0) ~~|\n"
    "rate[r] = 0.5 ~ 1/Year ~|\nscenario = 0.5 ~ USD ~|\nother = 0.5 ~~|\nfixed = 3 ~~|\n",
    final=4,
)  # fmt: skip
COUNT = 800


@pytest.fixture(scope="module")
def ensemble() -> xr.Dataset:
    """Members whose constants are uniform from 0 to 1; one constant has the name of a column that the workbench drops."""
    numbers = np.random.default_rng(1)
    rates = xr.DataArray(numbers.random((COUNT, 2)), dims=("member", "r"), coords={"r": ["north", "south"]})
    return simulate(MODEL, {"rate": rates, **{name: numbers.random(COUNT) for name in ("scenario", "other")}})


@pytest.fixture
def _ema() -> None:
    pytest.importorskip("ema_workbench", reason="ema_workbench is not installed")


def _inside(run: xr.Dataset, box: xr.Dataset, *, without: tuple[str, str] | None = None) -> np.ndarray:
    """The members within the limits of a box, `without` one end of a constant."""
    inside = np.ones(run.sizes["member"], dtype=bool)
    for place, name in enumerate(map(str, box["parameter"].values)):
        values = run["rate"].sel(r=name[5:-1]).values if name.startswith("rate[") else run[name].values
        low, high = (float(box[end][place]) if (name, end) != without else np.nan for end in ("low", "high"))
        inside &= (values >= (-np.inf if np.isnan(low) else low)) & (values <= (np.inf if np.isnan(high) else high))
    return inside


@pytest.mark.usefixtures("_ema")
def test_a_known_box_is_found(ensemble: xr.Dataset):
    """Its limits, its units, and the constants that do not matter."""
    found = discover_scenarios(ensemble, "level", above=2, density=0.9)
    box = found.isel(box=0)
    assert list(map(str, found["parameter"].values)) == ["rate[north]", "rate[south]", "scenario", "other"]
    assert list(map(str, found["parameter_units"].values)) == ["1/Year", "1/Year", "USD", ""]
    assert box["low"].values == pytest.approx([np.nan, np.nan, 0.6, np.nan], abs=0.06, nan_ok=True)
    assert box["high"].values == pytest.approx([0.4, np.nan, np.nan, np.nan], abs=0.06, nan_ok=True)
    assert found["least"].values == pytest.approx([0] * 4, abs=0.02)
    assert found["most"].values == pytest.approx([1] * 4, abs=0.02)
    assert found.attrs["outcome"] == "level last above 2"


@pytest.mark.usefixtures("_ema")
@pytest.mark.parametrize("question", [{"name": "level", "above": 2}, {"name": "both", "above": 3, "outcome": "max"}])
def test_shares_and_quasi_p_values_are_those_of_the_members(ensemble: xr.Dataset, question: dict[str, Any]):
    """Counted again: coverage, density, mass; and the binomial test without each end of the first box."""
    found = discover_scenarios(ensemble, **question)
    cases = ensemble[question["name"]].isel(time=-1).values > question["above"]
    before = np.zeros(COUNT, dtype=bool)
    for place in range(found.sizes["box"]):
        box = found.isel(box=place)
        inside = _inside(ensemble, box) & ~before
        assert (int(box["members"]), int(box["cases"])) == (inside.sum(), (inside & cases).sum())
        assert float(box["coverage"]) == pytest.approx((inside & cases).sum() / cases.sum())
        assert float(box["density"]) == pytest.approx(cases[inside].mean())
        assert float(box["density"]) >= found.attrs["wanted_density"]
        assert float(box["mass"]) == pytest.approx(inside.mean())
        for end in ("low", "high"):
            for at, name in enumerate(map(str, box["parameter"].values)):
                chance = float(box[f"{end}_p"][at])
                assert np.isnan(chance) == np.isnan(float(box[end][at]))
                if not np.isnan(chance):
                    wider = _inside(ensemble, box, without=(name, end)) & ~before
                    test = binomtest(int(box["cases"]), int(box["members"]), cases[wider].mean(), alternative="greater")
                    assert chance == pytest.approx(test.pvalue, rel=1e-6)
        before |= inside


@pytest.mark.usefixtures("_ema")
def test_two_boxes_are_found_one_after_the_other(ensemble: xr.Dataset):
    """Each half of an alternative; a limit of one box gives the first of them."""
    found = discover_scenarios(ensemble, "both", above=3)
    first, second = (found.isel(box=place) for place in range(2))
    ends = {round(float(first["high"][0]), 1), round(float(first["low"][1]), 1)}
    ends |= {round(float(second["high"][0]), 1), round(float(second["low"][1]), 1)}
    assert {0.2, 0.8} <= ends
    assert discover_scenarios(ensemble, "both", above=3, boxes=1).sizes["box"] == 1


@pytest.mark.usefixtures("_ema")
def test_ends_that_may_be_chance_are_freed():
    """Among nine constants of which one matters, only that one is left; a density that needs others says which one does not."""
    names = ["main", *(f"idle {place}" for place in range(8))]
    model = tiny_model(
        "\n".join(["level = INTEG(main + noise, 0)", "noise = 0.5", *(f"{name} = 0.5" for name in names)])
    )
    numbers = np.random.default_rng(3)
    run = simulate(model, {name: numbers.random(600) for name in ("noise", *names)}).drop_vars("noise")
    densest = float(discover_scenarios(run, "level", above=14, density=0.35)["step_density"].max())
    forced = discover_scenarios(run, "level", above=14, density=densest)
    assert forced.sizes["box"] == 1
    assert float(forced["plain_density"][0]) < densest <= float(forced["density"][0])
    assert float(forced[["low_p", "high_p"]].to_array().max()) > 0.05
    for density in (0.35, float(forced["plain_density"][0])):
        plain = discover_scenarios(run, "level", above=14, density=density).isel(box=0)
        assert float(plain["plain_density"]) == float(plain["density"]) >= density
        assert float(plain[["low_p", "high_p"]].to_array().max()) <= 0.05
        assert list(plain["parameter"].values[plain["low"].notnull()]) == ["main"]
        assert plain["high"].isnull().all()


@pytest.mark.usefixtures("_ema")
def test_below_is_above_of_the_opposite(ensemble: xr.Dataset):
    """The same members are cases, so the same boxes are found."""
    turned = ensemble.assign(opposite=(-ensemble["level"]).assign_attrs(long_name="opposite", units=""))
    above, below = (
        discover_scenarios(turned, "level", above=2),
        discover_scenarios(turned, "opposite", below=-2),
    )
    xr.testing.assert_equal(above, below)


@pytest.mark.usefixtures("_ema")
def test_a_stored_ensemble_has_the_same_boxes(tmp_path: Path):
    """It is read block by block."""
    uniform = Distribution("RANDOM_UNIFORM", (0.0, 1.0))
    variations = tuple(Variation(name, (), uniform) for name in ("rate", "scenario", "other"))
    design = make_design(MODEL, Sampling("multivariate", 300, 1, variations))
    run_ensemble(MODEL, design, tmp_path / "many.zarr", save=["level"])
    stored = open_run(tmp_path / "many.zarr")
    xr.testing.assert_equal(
        discover_scenarios(stored, "level", above=2), discover_scenarios(stored.load(), "level", above=2)
    )


@pytest.mark.usefixtures("_ema")
def test_members_without_a_number_are_left_out(ensemble: xr.Dataset):
    """They are neither cases nor in a box."""
    level = ensemble["level"].copy()
    level[{"member": slice(10)}] = np.nan
    found = discover_scenarios(ensemble.assign(level=level), "level", above=2)
    rest = discover_scenarios(ensemble.isel(member=slice(10, None)), "level", above=2)
    assert (found.attrs["left_out"], rest.attrs["left_out"]) == (10, 0)
    xr.testing.assert_equal(found, rest)


@pytest.mark.usefixtures("_ema")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"name": "leven", "above": 1}, "did you mean 'level'"),
        ({"name": "corner", "above": 1}, r"several numbers.*corner\[north\]"),
        ({"name": "fixed", "above": 1}, "the same in all members"),
        ({"name": "level", "above": 9}, "holds in no member; choose a threshold from 0 to 4"),
        (
            {"name": "level", "above": -1},
            "holds in 100 % of all members; choose a threshold from 0 to 4 beyond which fewer lie",
        ),
        ({"name": "level", "below": 9, "outcome": 0.0}, "the outcome is the same in all members; choose another"),
        ({"name": "level", "above": 2, "outcome": 99.0}, "outside the run"),
        ({"name": "level", "above": 2, "mass": 0.9}, "the densest has 0.*; give a smaller density or mass"),
    ],
)
def test_a_question_without_an_answer_is_refused(ensemble: xr.Dataset, words: dict[str, Any], message: str):
    """One line that says what to do."""
    with pytest.raises((AnalysisError, DatasetError), match=message):
        discover_scenarios(ensemble, **words)


@pytest.mark.usefixtures("_ema")
def test_a_run_whose_constants_do_not_vary_is_refused():
    """A single run, and members that are all the same."""
    with pytest.raises(AnalysisError, match="has no members; give an ensemble"):
        discover_scenarios(simulate(MODEL), "level", above=2)
    same = simulate(MODEL, {"other": [0.5, 0.5]})
    with pytest.raises(AnalysisError, match="no saved constant varies"):
        discover_scenarios(same, "level", above=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, r"give either above \(--above\) or below \(--below\), one number"),
        ({"above": 1, "below": 2}, r"give either above \(--above\) or below \(--below\), one number"),
        ({"above": 1, "density": 1.5}, "density is 1.5; it must be above 0 and at most 1"),
        ({"above": 1, "mass": 0}, "mass is 0; it must be above 0 and at most 1"),
        ({"above": 1, "boxes": 0}, "boxes is 0; it must be at least 1"),
    ],
)
def test_numbers_are_checked_first(ensemble: xr.Dataset, words: dict[str, Any], message: str):
    """Whether or not the workbench is installed."""
    with pytest.raises(AnalysisError, match=message):
        discover_scenarios(ensemble, "level", **words)


def test_without_the_workbench_the_error_says_what_to_install(ensemble: xr.Dataset, monkeypatch: pytest.MonkeyPatch):
    """Before any work."""
    monkeypatch.setitem(sys.modules, "ema_workbench", None)
    with pytest.raises(AnalysisError, match=r'scenario discovery needs ema_workbench.*pip install "sdmodel\[ema\]"'):
        discover_scenarios(ensemble, "no such name", above=2)


@pytest.mark.usefixtures("_ema")
def test_a_box_whose_only_end_may_be_due_to_chance_has_doubtful_ends(ensemble: xr.Dataset):
    """It is not taken for one without them."""
    numbers = np.random.default_rng(3)
    cases = xr.DataArray(numbers.random(COUNT) < 0.5, dims="member")
    found = discover_scenarios(
        ensemble.assign(level=ensemble["level"] * 0 + cases), "level", above=0.5, density=0.53, boxes=9
    )
    for box in range(found.sizes["box"]):
        chances = np.concatenate([found[name][box].values for name in ("low_p", "high_p")])
        doubtful = bool((chances > found.attrs["doubtful_above"]).any())
        assert doubtful == (found["plain_density"].values[box] < 0.53)
