"""`sdmodel compare`: tables, JSON, thresholds, figures, change files and exit codes."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from sdmodel.cli import main
from sdmodel.reading import read_model
from sdmodel.simulation import simulate
from sdmodel.store import open_run, save_run

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def stored_cups(tmp_path_factory: pytest.TempPathFactory, tea_text: str) -> Path:
    """The stored runs of `cups`."""
    folder = tmp_path_factory.mktemp("cups")
    model = folder / "models" / "ai_compute.mdl"
    (model.parent / "scenarios").mkdir(parents=True)
    model.write_text(tea_text, "utf-8")
    model.with_suffix(".lst").write_text("Tea Temperature\n")
    (model.parent / "scenarios" / "cold.cin").write_text("{A cold room.}\nroom temperature = 50\n", "utf-8")
    cold, mug = ("-c", "models/scenarios/cold.cin"), ("--name", "mug", "--set", "cooling time = 5")
    with contextlib.chdir(folder):
        for words in (("--name", "base"), cold, mug):
            assert CliRunner().invoke(main, ["run", *words]).exit_code == 0
    return folder


@pytest.fixture
def cups(stored_cups: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three stored runs: the base, a cold room, and another cup."""
    folder = tmp_path / "cups"
    shutil.copytree(stored_cups, folder)
    monkeypatch.chdir(folder)
    return folder


def _json(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_changed_constants_come_first_then_headlines_and_largest_differences(cups: Path, sdmodel: Command):
    """Constants with units, headlines at round dates with differences, and the largest differences with their dates."""
    done = sdmodel("compare", "base", "cold")
    assert (done.exit_code, done.stderr) == (0, "")
    constants, headlines, largest = done.stdout.split("\n\n")[:3]
    assert constants.splitlines()[-1].split() == ["room", "temperature", "°F", "70", "50"]
    assert headlines.splitlines()[0].split()[-5:] == ["2024", "2026", "2028", "2030", "2032"]
    first, second, third = headlines.splitlines()[2:]
    assert first.split()[:4] == ["Tea", "Temperature", "°F", "base"]
    assert second.split()[0] == "cold"
    assert re.match(r" +-\S+ \(-\d+\.\d %\)", third)
    assert largest.splitlines()[0].split() == [
        "largest",
        "difference",
        "in",
        "units",
        "at",
        "base",
        "cold",
        "difference",
        "%",
        "of",
        "largest",
    ]
    assert largest.splitlines()[2].split()[:5] == ["heat", "loss", "°F/Year", "2022", "44"]
    assert done.stdout.splitlines()[-1] == "2 of 2 variables differ"
    assert max(map(len, done.stdout.splitlines())) <= 140


def test_json_has_the_numbers_of_the_stored_runs(cups: Path, sdmodel: Command):
    """Values at dates, also between stored times, and differences per label."""
    output = _json(
        sdmodel("compare", "base", "cold", "mug", "--json", "--at", "2023", "--at", "2024-07-02", "--at", "2032")
    )
    runs = [open_run(cups / "runs" / f"{name}.nc").tea_temperature for name in ("base", "cold", "mug")]
    (headline,) = output["headlines"]
    assert headline["times"][0] == 2023
    for name, run in zip(("base", "cold", "mug"), runs, strict=True):
        assert headline["runs"][name]["values"][::2] == [float(run.sel(time=2023)), float(run.sel(time=2032))]
    assert headline["runs"]["mug"]["differences"][2] == float(runs[2][-1] - runs[0][-1])
    largest = {(row["name"], row["run"]): row for row in output["gaps"]}
    difference = np.abs(runs[1] - runs[0])
    assert largest["Tea Temperature", "cold"]["absolute"] == float(difference.max())
    assert largest["Tea Temperature", "cold"]["at"] == float(difference.time[difference.values.argmax()])
    assert largest["Tea Temperature", "cold"]["relative"] == float(difference.max() / runs[0].max())
    assert [constant["name"] for constant in output["constants"]] == ["room temperature", "cooling time"]
    assert output["constants"][1]["values"] == {"base": 2.5, "cold": 2.5, "mug": 5.0}
    assert output["runs"]["cold"].endswith("cold.nc")


def test_thresholds_hide_differences_and_set_the_strict_exit_code(cups: Path, sdmodel: Command):
    """A difference must exceed both; without `--strict` the exit code is 0."""
    plain = sdmodel("compare", "base", "cold", "--rel", "99%")
    assert plain.exit_code == 0
    assert plain.stdout.splitlines()[-1] == "0 of 2 variables differ by more than the thresholds"
    assert sdmodel("compare", "base", "cold", "--strict").exit_code == 1
    assert sdmodel("compare", "base", "cold", "--strict", "--rel", "99 %").exit_code == 0
    assert sdmodel("compare", "base", "cold", "--strict", "--abs", "19").exit_code == 1
    assert sdmodel("compare", "base", "cold", "--strict", "--abs", "19", "--rel", "99").exit_code == 0
    assert (
        sdmodel("compare", "base", "cold", "--top", "1").stdout.splitlines()[-1]
        == "2 of 2 variables differ; --top 2 shows 1 more"
    )
    sdmodel("run", "--name", "again")
    same = sdmodel("compare", "base", "again", "--strict")
    assert (same.exit_code, same.stdout) == (0, "no constant differs\n\n0 of 2 variables differ\n")


def test_change_file_turns_the_first_run_into_the_second(cups: Path, sdmodel: Command):
    """All numbers are equal; no file is replaced; more than two runs have no such file."""
    done = sdmodel("compare", "base", "cold", "--constants", "--cin", "to-cold.cin")
    assert done.stderr == "written to to-cold.cin; `sdmodel run -c to-cold.cin` turns 'base' into 'cold'\n"
    assert len(done.stdout.strip().splitlines()) == 3
    sdmodel("run", "-c", "to-cold.cin", "--name", "again")
    assert sdmodel("compare", "cold", "again", "--strict").exit_code == 0
    assert [row["name"] for row in _json(sdmodel("compare", "base", "cold", "--constants", "--json"))] == [
        "room temperature"
    ]
    again = sdmodel("compare", "base", "cold", "--cin", "to-cold.cin")
    assert (again.exit_code, again.stderr.partition(":")[0]) == (1, "to-cold.cin")
    many = sdmodel("compare", "base", "cold", "mug", "--cin", "x.cin")
    assert (many.exit_code, many.stderr) == (
        1,
        "x.cin: a change file turns one single run into another; name two such runs\n",
    )
    from_cold = sdmodel("compare", "cold", "mug", "--cin", "to-mug.cin")
    assert "after that run's own changes" in from_cold.stderr


def test_runs_are_compared_where_their_times_overlap(cups: Path, sdmodel: Command):
    """With a note. Without any overlap only constants are compared, and the exit code is 1."""
    sdmodel("run", "--name", "fine", "--set", "SAVEPER = 0.125", "--set", "FINAL TIME = 2025")
    done = sdmodel("compare", "base", "fine")
    assert "the stored times differ: 2022 to 2032 every 0.5 Year in base; 2022 to 2025 every 0.125" in done.stderr
    assert done.stdout.splitlines()[-1] == "0 of 2 variables differ"
    sdmodel("run", "--name", "later", "--set", "INITIAL TIME = 2040", "--set", "FINAL TIME = 2041")
    disjoint = sdmodel("compare", "base", "later", "--strict")
    assert disjoint.exit_code == 1
    assert "base and later share no time; only constants are compared" in disjoint.stderr
    assert "INITIAL TIME" in disjoint.stdout
    sdmodel("run", "--name", "moment", "--set", "FINAL TIME = 2022")
    assert sdmodel("compare", "moment", "cold").stdout.splitlines()[-1] == "1 of 2 variables differ"


def test_other_model_integrator_and_missing_numbers_are_reported(cups: Path, sdmodel: Command):
    """Everything else is compared."""
    text = (cups / "models" / "ai_compute.mdl").read_text("utf-8")
    (cups / "other.mdl").write_text(text.replace("heat loss", "heat flow"), "utf-8")
    sdmodel("run", "other.mdl", "--name", "other", "--integrator", "rk4")
    done = sdmodel("compare", "base", "other")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[:2]] == [
        "the model differs",
        "the integrator differs",
    ]
    assert "'heat loss', 'heat flow'" in done.stderr
    assert done.stdout.splitlines()[-1] == "1 of 1 variables differ"
    run = open_run("runs/base.nc")
    run.tea_temperature[4:] = np.nan
    save_run(run, "runs/broken.nc")
    broken = sdmodel("compare", "base", "broken", "--strict")
    assert broken.exit_code == 1
    assert "only one of base and broken has a number at 17 times, from 2024" in broken.stderr


def test_runs_are_grouped_by_a_lever(cups: Path, sdmodel: Command):
    """One row per value: the mean and the extremes of the runs that share it; other changed constants are reported."""
    sdmodel("run", "--name", "cold-mug", "--set", "cooling time = 5", "-c", "models/scenarios/cold.cin")
    done = sdmodel("compare", "base", "mug", "cold-mug", "--by", "Cooling_Time", "--at", "2032", "-o", "by.png")
    assert done.exit_code == 0, done.output
    rows = done.stdout.splitlines()
    assert rows[0].split() == ["at", "units", "Cooling_Time", "runs", "2032"]
    assert rows[2].split()[:5] == ["Tea", "Temperature", "°F", "2.5", "1"]
    assert re.search(r"5 +2 +\S+ \(\S+ – \S+\)", rows[3])
    assert "the runs also differ in 'room temperature'" in done.stderr
    assert (cups / "by.png").read_bytes().startswith(b"\x89PNG")
    output = _json(sdmodel("compare", "base", "mug", "cold-mug", "--by", "cooling time", "--at", "2032", "--json"))
    ends = [float(open_run(f"runs/{name}.nc").tea_temperature[-1]) for name in ("mug", "cold-mug")]
    assert output["groups"][1]["runs"] == ["mug", "cold-mug"]
    assert output["groups"][1]["mean"] == pytest.approx([np.mean(ends)])
    assert (output["groups"][1]["least"], output["groups"][1]["most"]) == ([min(ends)], [max(ends)])


def test_every_point_of_a_sweep_is_a_run_of_a_group(cups: Path, sdmodel: Command):
    """Without `--by` a sweep is refused with the cure."""
    grid = {
        name: xr.DataArray(values, dims=name.replace(" ", "_"))
        for name, values in {"cooling time": [1.0, 2, 4], "room temperature": [50.0, 70]}.items()
    }
    save_run(simulate(read_model("models/ai_compute.mdl"), grid, save=["Tea Temperature"]), "runs/grid.nc")
    output = _json(sdmodel("compare", "grid", "--by", "cooling time", "--json"))
    assert [(group["lever"], len(group["runs"])) for group in output["groups"]] == [(1, 2), (2, 2), (4, 2)]
    refused = sdmodel("compare", "grid", "base")
    assert refused.exit_code == 1
    assert (
        refused.stderr
        == "run 'grid': varies along cooling_time, room_temperature; group its points with --by and the name of a constant\n"
    )


@pytest.fixture
def ensembles(tea: Path, sdmodel: Command) -> Path:
    """Two ensembles of one design, the second in a cold room, and one of another design."""
    (tea / "cup.vsc").write_text("40,M,7\ncooling time=RANDOM_UNIFORM(1,4)\n", "utf-8")
    sdmodel("ensemble", "-e", "cup.vsc", "--name", "warm")
    sdmodel("ensemble", "-e", "cup.vsc", "--name", "cool", "-c", "models/scenarios/cold.cin")
    sdmodel("ensemble", "-e", "cup.vsc", "--name", "odd", "--seed", "8")
    return tea


def test_ensembles_of_one_design_are_compared_member_by_member(ensembles: Path, sdmodel: Command):
    """Quantiles of the differences, and shares above and below zero; constants come from the records, with a note."""
    done = sdmodel("compare", "warm", "cool", "--at", "2022", "--at", "2032", "--bands", "80", "--plot")
    assert done.exit_code == 0, done.output
    assert "constants not stored with warm, cool come from the record" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[2].split() == ["room", "temperature", "°F", "70", "50"]
    assert "cool - warm" in done.stdout
    assert "80 % of members" in done.stdout
    assert re.search(r"above \| below zero +equal +0 \| 100 %", done.stdout)
    assert "40 pairs of members: medians, bands and shares are of the differences" in done.stdout
    assert lines[-2:] == ["plotted in runs/warm+cool.png", "plotted in runs/warm+cool.differences.png"]
    output = _json(sdmodel("compare", "warm", "cool", "--at", "2032", "--bands", "80", "--json"))
    values = [open_run(f"runs/{name}.zarr").tea_temperature.values[-1] for name in ("warm", "cool")]
    (variable,) = output["differences"][0]["variables"]
    expected = np.quantile(values[1] - values[0], [0.1, 0.5, 0.9])
    assert [level[0] for level in variable["quantiles"].values()] == pytest.approx(expected)
    assert variable["below_zero"] == [1]


def test_ensembles_of_other_designs_are_compared_unpaired(ensembles: Path, sdmodel: Command):
    """With a note; a single run is paired with every member."""
    done = sdmodel("compare", "warm", "odd")
    assert "warm and odd have different designs, so their members are not pairs" in done.stderr
    assert set(_json(sdmodel("compare", "warm", "odd", "--json"))["unpaired"]) == {"warm", "odd"}
    sdmodel("run", "--name", "single")
    output = _json(sdmodel("compare", "single", "warm", "--at", "2025", "--json"))
    assert output["differences"][0]["members"] == 40
    assert output["constants"][0]["name"] == "cooling time"
    assert len(output["constants"][0]["values"]["warm"]) == 2
    thresholds = sdmodel("compare", "warm", "cool", "--rel", "5%")
    assert (thresholds.exit_code, thresholds.stderr.partition(" compare")[0]) == (1, "--abs and --rel")
    assert sdmodel("compare", "warm", "cool", "--strict").exit_code == 2


def test_both_figures_are_written_and_nothing_is_replaced(cups: Path, sdmodel: Command):
    """The runs and their differences from the first; without differences there is no second figure."""
    done = sdmodel("compare", "base", "cold", "--plot")
    assert done.stdout.splitlines()[-2:] == [
        "plotted in runs/base+cold.png",
        "plotted in runs/base+cold.differences.png",
    ]
    again = sdmodel("compare", "base", "cold", "--plot")
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr.startswith("runs/base+cold.png: exists already")
    sdmodel("run", "--name", "same")
    same = sdmodel("compare", "base", "same", "-o", "same.svg")
    assert "no requested variable differs" in same.stderr
    assert not (cups / "same.differences.svg").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("base",), "run 'base': there is nothing to compare it with"),
        (("base", "base"), "run 'base': there is nothing to compare it with"),
        (("base", "cool"), "run 'cool': is not in runs; did you mean 'cold'?"),
        (("base", "cold", "--on", "tea temprature"), "did you mean 'Tea Temperature'?"),
        (("base", "cold", "--at", "2050"), "--at: 2050 is outside the run; give a date from 2022 to 2032"),
        (("base", "cold", "--at", "soon"), "--at: 'soon' is not a date"),
        (("base", "cold", "--by", "heat"), "run 'base': 'heat' is not in the run"),
        (
            ("base", "cold", "--by", "Tea Temperature"),
            "--by: 'Tea Temperature' is not a single number but varies along time",
        ),
        (("base", "cold", "-o", "x.bmp"), "x.bmp: is not a format for figures"),
    ],
)
def test_compare_errors_are_one_line(cups: Path, sdmodel: Command, words: tuple[str, ...], message: str):
    """With the cure."""
    done = sdmodel("compare", *words)
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_percentages_are_validated(cups: Path, sdmodel: Command):
    """Below zero, or not a number, is a usage error."""
    for wrong in ("-1%", "much", "nan"):
        assert sdmodel("compare", "base", "cold", f"--rel={wrong}").exit_code == 2


def test_runs_with_the_same_name_are_shown_by_path(cups: Path, sdmodel: Command):
    """They lie in two folders."""
    (cups / "old").mkdir()
    (cups / "runs" / "cold.nc").rename(cups / "old" / "base.nc")
    done = sdmodel("compare", "base", "old/base.nc")
    assert "runs/base   old/base" in done.stdout
    assert sdmodel("compare", "base", "old/base.nc", "--plot").stderr.startswith(
        "the figure: two of the runs have the same name"
    )
