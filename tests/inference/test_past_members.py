"""Members of an ensemble that fits the past: posterior draws, other sampled constants, and equal ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdmodel.errors import Place, ScenarioError
from sdmodel.inference import (
    Calibration,
    ErrorModel,
    ExtraConstants,
    Series,
    calibrate_model,
    ensemble_samples,
    extra_constants,
    free_constants,
    sample_posterior,
    write_results,
)
from sdmodel.scenario import make_design
from sdmodel.vensim import model_from_text, read_formula, read_sampling

MODEL = """{UTF-8}
kind: chat, code ~ ~ |
y = past slope[chat]*Time + past base ~ dmnl ~ |
past slope[kind] = 1, 2 ~ dmnl ~ |
slope[kind] = 1, 2 ~ dmnl ~ |
past base = 3 ~ dmnl ~ |
base = 3 ~ dmnl ~ |
late one = 1 ~ dmnl ~ |
"late, two" = 1 ~ dmnl ~ |
INITIAL TIME = 0 ~ Year ~ |
FINAL TIME = 10 ~ Year ~ |
TIME STEP = 1 ~ Year ~ |
SAVEPER = 1 ~ Year ~ |
"""
FREE = ("past slope[chat]=0:5", "past base=0:9")
LATER = '100,M,1,,0\nlate one=RANDOM_UNIFORM(2,4)\npast base=RANDOM_UNIFORM(0,9)\n"late, two"=RANDOM_NORMAL(0,9,5,1)\n'
EQUAL = ("base=past base", "SLOPE[chat] = past_slope[chat]")


@pytest.fixture(scope="module")
def model():
    """Constants of the past and of the future."""
    return model_from_text(MODEL, "tiny.mdl")


@pytest.fixture(scope="module")
def found(model) -> Calibration:
    """Two of them calibrated, with a short posterior."""
    times, values = np.array([1.0, 4.0, 9.0]), np.array([4.0, 7.2, 11.9])
    series = Series("y", read_formula("y"), "y", times, values, ErrorModel("absolute", 0.5), "", Place("s", 1))
    done = calibrate_model(model, [series], free_constants(model, FREE), starts=4)
    return sample_posterior(done, steps=30, walkers=32)


@pytest.fixture
def later(tmp_path: Path):
    """Reads a sensitivity file from a text."""

    def reading(text: str = LATER):
        (tmp_path / "later.vsc").write_text(text, "utf-8")
        return read_sampling(tmp_path / "later.vsc")

    return reading


def _samples(found: Calibration, beyond: ExtraConstants, count: int = 64, seed: int = 1):
    names, values = ensemble_samples(found.model, found.parameters, found.posterior, beyond, count=count, seed=seed)
    return dict(zip(names, values.T, strict=True))


def test_members_have_free_equal_and_sampled_constants(found, later):
    """Each posterior draw once, and a Latin hypercube of the other sampled constants."""
    beyond = extra_constants(found.model, found.parameters, later(), EQUAL)
    assert beyond.left_to_posterior == ("past base",)
    samples = _samples(found, beyond)
    plain = _samples(found, ExtraConstants())
    assert list(samples) == ["past slope[chat]", "past base", "base", "slope[chat]", "late one", '"late, two"']
    assert all(np.array_equal(samples[name], values) for name, values in plain.items())
    assert np.array_equal(samples["base"], samples["past base"])
    assert np.array_equal(samples["slope[chat]"], samples["past slope[chat]"])
    slices = np.floor((samples["late one"] - 2) / 2 * 64).astype(int)
    assert sorted(slices) == list(range(64))
    assert not np.array_equal(samples["late one"], _samples(found, beyond, seed=2)["late one"])
    assert np.array_equal(samples["late one"], _samples(found, beyond)["late one"])


def test_written_samples_are_a_design_of_the_model(found, later, tmp_path):
    """Read back with all constants."""
    beyond = extra_constants(found.model, found.parameters, later(), EQUAL)
    target = tmp_path / "ensembles" / "past.vsc"
    options = {"samples": 20, "force": True, "settings": {}, "beyond": beyond, "ensemble": target}
    files = write_results(found, tmp_path / "runs" / "a", **options)
    assert target in files
    assert not (tmp_path / "runs" / "a.vsc").exists()
    design = make_design(found.model, read_sampling(target))
    assert design.count == 20
    expected = np.array(list(_samples(found, beyond, 20).values()))
    assert np.array_equal(design.values(0, 20), expected)
    assert design.names[-1] == '"late, two"'


@pytest.mark.parametrize(
    ("equal", "message"),
    [
        ("base=past bass", "--equal: 'past bass' is not in the model; did you mean 'past base'?"),
        ("bass=past base", "--equal: 'bass' is not in the model; did you mean 'base'?"),
        ("base=late one", "--equal: 'late one', the constant that 'base' should equal, is not free; "),
        ("base=slope[code]", "--equal: 'slope[code]', the constant that 'base' should equal, is not free; "),
        ("past base=past slope[chat]", "--equal: 'past base' is free itself; "),
        ("past base=past base", "--equal: 'past base' is free itself; "),
        ("late one=past base", "--equal: 'late one' is sampled by later.vsc; "),
        ("base", "--equal: 'base' is not an equality; "),
        ("base==past base", "--equal: 'base==past base' is not an equality; "),
        ("base=past slope", "--equal: 'base=past slope' has different labels on the left and on the right; "),
        (
            "slope=past slope",
            "--equal: 'past slope[code]', the constant that 'slope[code]' should equal, is not free; ",
        ),
        ("y=past base", "--equal: 'y' is an auxiliary, not a constant; "),
    ],
)
def test_impossible_equalities_are_reported(found, later, tmp_path, equal, message):
    """Unknown names, constants that are free or sampled themselves, and right sides that are not free."""
    with pytest.raises(ScenarioError) as caught:
        extra_constants(found.model, found.parameters, later(), [equal])
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)


def test_circular_and_duplicate_equalities_are_reported(found):
    """Neither side of a circle is free."""
    with pytest.raises(ScenarioError) as caught:
        extra_constants(found.model, found.parameters, None, ["base=late one", "late one=base", "base=past base"])
    faults = [fault.what for fault in caught.value.faults]
    assert [what.split(" is ", 1)[1].split(";")[0] for what in faults] == [
        "not free", "not free", "already equal to another constant",
    ]  # fmt: skip


def test_one_free_constant_may_set_all_cells(found):
    """A single cell on the right applies to every cell on the left."""
    beyond = extra_constants(found.model, found.parameters, None, ["slope=past base"])
    samples = _samples(found, beyond)
    assert np.array_equal(samples["slope[code]"], samples["past base"])


def test_a_line_over_several_cells_samples_those_that_are_not_free(found, later):
    """The free ones are listed."""
    beyond = extra_constants(found.model, found.parameters, later("9,L,1,,0\npast slope=RANDOM_UNIFORM(0,1)\n"))
    assert beyond.left_to_posterior == ("past slope[chat]",)
    assert list(_samples(found, beyond)) == ["past slope[chat]", "past base", "past slope[code]"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9,L,1,,0\nlate won=RANDOM_UNIFORM(0,1)\n", "later.vsc:2:1: 'late won' is not in the model; "),
        ("9,L,1,,0\nlate one=VECTOR(0,1,0.5)\n", "later.vsc:2:1: 'late one' takes steps, "),
        ("9,L,1,,0\n", "later.vsc: samples no constant from a distribution; "),
        (
            "9,L,1,,0\nlate one=RANDOM_UNIFORM(0,1)\nlate one=RANDOM_UNIFORM(0,1)\n",
            "later.vsc:3:1: 'late one' is sampled twice; ",
        ),
    ],
)
def test_faults_of_the_sensitivity_file_are_reported(found, later, tmp_path, text, message):
    """With their place."""
    with pytest.raises(ScenarioError) as caught:
        extra_constants(found.model, found.parameters, later(text))
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)
