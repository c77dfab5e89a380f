"""`sdmodel run --start RUN --at TIME`: a run goes on from a stored one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sdmodel.store import open_run, save_run


def test_a_run_goes_on_from_a_stored_one(tea: Path, sdmodel):
    """With its constants, unless others are set; `show` says so, and `rerun` repeats it without the run before."""
    sdmodel("run", "--set", "cooling time = 1", "--name", "base")
    base = open_run(tea / "runs" / "base.nc")
    at = float(base["time"][3])
    done = sdmodel("run", "--start", "base", "--at", f"{at:g}", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["run"] == "base-2"
    same = open_run(tea / "runs" / "base-2.nc")
    assert same["tea_temperature"].equals(base["tea_temperature"].isel(time=slice(3, None)))
    sdmodel("run", "--start", "base", "--at", f"{at:g}", "--set", "cooling time = 4", "--name", "slow")
    slow = open_run(tea / "runs" / "slow.nc")
    assert float(slow["tea_temperature"][-1]) > float(base["tea_temperature"][-1])
    assert slow.attrs["changes"] == "cooling time = 4.0"
    (tea / "runs" / "base.nc").unlink()
    assert f"until {at:g}: cooling time = 1" in sdmodel("show", "slow").stdout
    assert "all 8 variables are equal, to the last digit" in sdmodel("rerun", "slow").stdout
    sdmodel("run", "--start", "slow", "--at", f"{float(slow['time'][2]):g}", "-c", "models/scenarios/cold.cin")
    again = open_run(tea / "runs" / "cold.nc")
    assert again.attrs["scenario_name"] == "cold"
    assert np.isfinite(again["tea_temperature"]).all()
    assert "to the last digit" in sdmodel("rerun", "cold").stdout


def test_the_options_belong_together(tea: Path, sdmodel):
    """The error says so, and names a time that is not in the run."""
    sdmodel("run", "--name", "base")
    for options in (["--start", "base"], ["--at", "2024"], ["--start", "base", "--at", "2024", "--engine", "pysd"]):
        done = sdmodel("run", *options)
        assert done.exit_code == 2
        assert "--start and --at belong together, without --watch and --engine" in done.stderr
    assert "--at: 1900 is outside the run" in sdmodel("run", "--start", "base", "--at", "1900").stderr
    assert "no time step ends at 2023.01; choose" in sdmodel("run", "--start", "base", "--at", "2023.01").stderr
    assert "run 'bas': is not in runs; did you mean 'base'?" in sdmodel("run", "--start", "bas", "--at", "2024").stderr


def test_a_damaged_record_is_one_line(tea: Path, sdmodel):
    """What a file says is not trusted."""
    sdmodel("run", "--name", "base")
    base = open_run(tea / "runs" / "base.nc")
    for name, value in (
        ("earlier", "["),
        ("earlier", "[]"),
        ("earlier", '[{"until": 3}]'),
        ("initial", "3"),
        ("initial", "x"),
    ):
        save_run(base.assign_attrs({name: value}), tea / "runs" / "bad.nc", force=True)
        for command in (("rerun", "bad"), ("run", "--start", "bad", "--at", "2024")):
            done = sdmodel(*command)
            assert done.exit_code == 1
            assert done.stderr.strip().endswith(
                f"start: the attribute '{name}' of the run is damaged; make the run again"
            )
