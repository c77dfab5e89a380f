"""Runs with random numbers on the command line: seeds, records, ensembles, sweeps and repetition."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from sdmodel.store import open_run
from sdmodel.testing import model_text

Command = Callable[..., Result]

EQUATIONS = """level = INTEG(noise * gain * base, 0)
noise = RANDOM NORMAL(-9, 9, 0, 1, 0)
other = RANDOM UNIFORM(0, 1, 3)
NOISE SEED = 5
gain = 1
base = 1
"""
NOTE = "the random numbers of the seed {} are sdmodel's own; Vensim draws others"


@pytest.fixture
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model that draws random numbers, and a sampling file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noisy.mdl").write_text(model_text(EQUATIONS), "utf-8")
    (tmp_path / "some.vsc").write_text("30,M,7,,0\nbase=RANDOM_UNIFORM(1,2)\n", "utf-8")
    return tmp_path


def _run(sdmodel: Command, name: str, *words: str) -> None:
    done = sdmodel("run", "noisy.mdl", "--name", name, *words)
    assert done.exit_code == 0, done.output


def test_a_seed_is_recorded_and_repeated(noisy: Path, sdmodel: Command):
    """With the seed of the model, one of the user, or a new one; and after a run that goes on from another."""
    done = sdmodel("run", "noisy.mdl", "--name", "own")
    assert NOTE.format(5) in done.stderr
    _run(sdmodel, "seven", "--seed", "7")
    _run(sdmodel, "new", "--seed", "0")
    _run(sdmodel, "later", "--start", "seven", "--at", "5", "--set", "gain = 2")
    own, seven, new, later = (open_run(f"runs/{name}.nc") for name in ("own", "seven", "new", "later"))
    assert (seven.attrs["noise_seed"], float(seven["noise_seed"])) == (7, 7)
    assert new.attrs["noise_seed"] > 0
    assert not (own["other"] == seven["other"]).any()
    assert np.array_equal(later["noise"], seven["noise"].sel(time=slice(5, None)))
    for name in ("own", "seven", "new", "later"):
        done = sdmodel("rerun", name)
        assert (done.exit_code, "to the last digit" in done.stdout) == (0, True), done.output


def test_members_of_an_ensemble_have_numbers_of_their_own(noisy: Path, sdmodel: Command):
    done = sdmodel(
        "ensemble", "noisy.mdl", "-e", "some.vsc", "--on", "level", "--on", "noise", "--name", "many", "--seed", "9"
    )
    assert (done.exit_code, NOTE.format(9) in done.stderr) == (0, True), done.output
    many = open_run("runs/many.zarr")
    assert np.unique(many["noise"].isel(time=3)).size == 30
    assert many.attrs["noise_seed"] == 9
    done = sdmodel("rerun", "many")
    assert (done.exit_code, "to the last digit" in done.stdout) == (0, True), done.output


@pytest.mark.parametrize("words", [(), ("--noise-only",), ("-e", "none.vsc"), ("-e", "seed.vsc")])
def test_an_ensemble_of_noise_alone(noisy: Path, sdmodel: Command, words: tuple[str, ...]):
    """Without uncertain constants, by its option, and by files that sample nothing; with bands, and repeated."""
    equations = EQUATIONS.replace("NOISE SEED = 5\n", "")
    (noisy / "noisy.mdl").write_text(model_text(equations), "utf-8")
    (noisy / "none.vsc").write_text("9,M,7,,0\n", "utf-8")
    (noisy / "seed.vsc").write_text("9,L,7,,0\nNOISE SEED=RANDOM_UNIFORM(0,99)\n", "utf-8")
    done = sdmodel("ensemble", "noisy.mdl", "-n", "40", *words, "--on", "level", "--name", "many", "--plot")
    assert (done.exit_code, "40 members (random functions alone)" in done.stdout) == (0, True), done.output
    assert ("no constant is uncertain" in done.stderr) == (not words)
    many = open_run("runs/many.zarr")
    assert np.unique(many["level"].isel(time=3)).size == 40
    assert many.attrs["design_method"] == "random functions alone"
    assert (noisy / "runs" / "many.png").stat().st_size > 10_000
    done = sdmodel("rerun", "many", "--members", "7")
    assert (done.exit_code, "7 of 40 members, to the last digit" in done.stdout) == (0, True), done.output
    done = sdmodel("ensemble", "noisy.mdl", "-n", "40", *words, "--on", "level", "--name", "many", "--resume")
    assert (done.exit_code, "all stored before" in done.stdout) == (0, True), done.output


def test_noise_alone_beside_a_sensitivity_file(noisy: Path, sdmodel: Command):
    """The option leaves the constants of the file beside the model as they are."""
    (noisy / "some.vsc").rename(noisy / "noisy.vsc")
    for words, constant in (((), False), (("--noise-only",), True)):
        done = sdmodel("ensemble", "noisy.mdl", "-n", "3", *words, "--on", "level", "--name", "many", "--force")
        assert done.exit_code == 0, done.output
        assert ("base" not in open_run("runs/many.zarr")) == constant


def test_noise_alone_needs_random_functions_and_no_file(noisy: Path, sdmodel: Command):
    done = sdmodel("ensemble", "noisy.mdl", "--noise-only", "-e", "some.vsc")
    assert (
        done.exit_code,
        "-e, --vary and --noise-only each say what is sampled; give one of them" in done.output,
    ) == (2, True)
    (noisy / "plain.mdl").write_text(model_text("a = INTEG(1, 0)"), "utf-8")
    done = sdmodel("ensemble", "plain.mdl", "--noise-only")
    assert done.output == "plain.mdl: has no random functions, so all members would be equal; leave out --noise-only\n"
    assert done.exit_code == 1


def test_a_sweep_has_the_same_numbers_for_every_lever_value(noisy: Path, sdmodel: Command):
    done = sdmodel(
        "sweep", "noisy.mdl", "--lever", "gain=1:2:2", "--on", "level", "--name", "swept", "-e", "some.vsc", "-n", "3"
    )
    assert done.exit_code == 0, done.output
    level = open_run("runs/swept.nc")["level"].isel(time=-1)
    np.testing.assert_allclose(level.sel(gain=2), 2 * level.sel(gain=1), rtol=1e-12)
    assert np.unique(level.sel(gain=1)).size == 3


def test_pysd_takes_no_seed(noisy: Path, sdmodel: Command):
    done = sdmodel("run", "noisy.mdl", "--engine", "pysd", "--seed", "3")
    assert (done.exit_code, "--seed does not reach PySD" in done.output) == (2, True)


def test_check_knows_noise_seed_and_does_not_halve_the_time_step(noisy: Path, sdmodel: Command):
    done = sdmodel("check", "noisy.mdl", "--format", "csv")
    assert "NOISE SEED' is used by nothing" not in done.output
    assert "time-step" not in done.output
    assert "'other' is used by nothing" in done.output
