"""`sdmodel sweep`: what it stores, prints and plots, and what other commands do with sweeps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from sdmodel.store import open_run

ROOM = "room temperature=50:90:5"
WARM = (50, 60, 70, 80, 90)
END = (1 - 0.125 / 2.5) ** 80
"""The share of the initial temperature difference that is left at the end of the run."""


def test_sweep_is_stored_with_a_dimension_per_lever(tea: Path, sdmodel):
    """The dataset has the record of a run; the table marks the base."""
    done = sdmodel("sweep", "--lever", ROOM, "-c", "models/scenarios/cold.cin", "--set", "cooling time = 1")
    assert done.exit_code == 0, done.output
    run = open_run(tea / "runs" / "cold+room-temperature.nc")
    assert run["room_temperature"].values.tolist() == list(WARM)
    assert run["room_temperature"].attrs["units"] == "°F"
    assert run["room_temperature"].attrs["base"] == 50
    assert run.attrs["scenario_name"] == "cold"
    assert run.attrs["changes"] == "cooling time = 1\nroom temperature = over 50 to 90, 5 values"
    assert re.search(r"^ 50 \(base\) +50\n 60 +60\n", done.stdout, re.MULTILINE)
    assert "stored as runs/cold+room-temperature.nc" in done.stdout


def test_base_value_is_added_to_the_given_values(tea: Path, sdmodel):
    """It is what the others are compared with; `--no-base` leaves it out."""
    sdmodel("sweep", "--lever", "room temperature=50,90", "--name", "a")
    sdmodel("sweep", "--lever", "room temperature=50,90", "--name", "b", "--no-base")
    found = [open_run(tea / "runs" / f"{name}.nc")["room_temperature"].values.tolist() for name in "ab"]
    assert found == [[50, 70, 90], [50, 90]]


def test_outcomes_are_dates_and_statistics(tea: Path, sdmodel):
    """JSON has every point with its difference from the base."""
    words = ("sweep", "--lever", ROOM, "--on", "tea temperature", "--at", "2022", "--over", "min", "--json")
    output = json.loads(sdmodel(*words).stdout)
    (lever,) = output["levers"]
    assert (lever["name"], lever["units"], lever["values"], lever["base"]) == ("room temperature", "°F", list(WARM), 70)
    first, least = output["outcomes"]
    assert (first["outcome"], least["outcome"]) == ("at 2022", "min")
    assert [cell["value"] for cell in first["cells"]] == [180] * 5
    assert [cell["levers"]["room temperature"] for cell in least["cells"]] == list(WARM)
    expected = [warm + (180 - warm) * END for warm in WARM]
    assert [cell["value"] for cell in least["cells"]] == pytest.approx(expected)
    assert [cell["difference"] for cell in least["cells"]] == pytest.approx([value - expected[2] for value in expected])


def test_two_levers_are_a_matrix_and_a_map(tea: Path, sdmodel):
    """One lever down, one across, both bases marked; the figure is a map."""
    done = sdmodel("sweep", "--lever", ROOM, "--lever", "cooling time=1,5", "--at", "2024", "--plot", "--name", "a")
    assert done.exit_code == 0, done.output
    assert "Tea Temperature at 2024 (°F)\nacross: cooling time (Year)\n" in done.stdout
    assert re.search(r"room temperature \(°F\) +1 +2.5 \(base\) +5\n", done.stdout)
    assert len(re.findall(r"^ [5-9]0.*\n", done.stdout, re.MULTILINE)) == 5
    assert (tea / "runs" / "a.png").read_bytes().startswith(b"\x89PNG")
    assert open_run(tea / "runs" / "a.nc").tea_temperature.dims[1:] == ("room_temperature", "cooling_time")


def test_sweep_of_an_ensemble_pairs_members(tea: Path, sdmodel):
    """The median and band of an outcome, and of the difference within each member."""
    words = ("sweep", "--lever", ROOM, "--at", "2024", "--name", "a", "-e", "d.vsc", "-n", "40", "--seed", "7")
    (tea / "d.vsc").write_text("100,L,1,,0\ncooling time=RANDOM_UNIFORM(1,4)\n")
    done = sdmodel(*words, "--plot")
    assert done.exit_code == 0, done.output
    assert "difference from base   90 % of differences" in done.stdout
    run = open_run(tea / "runs" / "a.nc")
    assert run.tea_temperature.sizes["member"] == 40
    assert (run.attrs["seed"], run.attrs["design_method"]) == (7, "latin hypercube")
    cell = json.loads(sdmodel(*words, "--force", "--json").stdout)["outcomes"][0]["cells"][0]
    values = run.tea_temperature.sel(time=2024)
    paired = (values.sel(room_temperature=50) - values.sel(room_temperature=70)).values
    assert list(cell["difference"].values()) == pytest.approx(np.quantile(paired, [0.05, 0.5, 0.95]))
    many = sdmodel("sweep", "--lever", "room temperature=50", "--lever", "cooling time=1,2", "-e", "d.vsc", "-n", "4")
    assert (
        many.stderr
        == "the sweep: the design samples only swept levers; sample another constant, or leave out the design\n"
    )


def test_one_at_a_time_ranks_levers(tea: Path, sdmodel):
    """One sweep per lever with the others at their base; shares of members add up to one."""
    words = ("sweep", "--lever", ROOM, "--lever", "cooling time=1,5", "--one-at-a-time", "--at", "2024", "--name", "a")
    done = sdmodel(*words)
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith((" room", " cooling"))]
    assert [line[0] for line in lines] == ["cooling", "room"]
    assert sorted(path.name for path in (tea / "runs").iterdir()) == ["a-cooling-time.nc", "a-room-temperature.nc"]
    variations = ("room temperature=RANDOM_UNIFORM(60,80)", "cooling time=RANDOM_UNIFORM(1,5)")
    (tea / "d.vsc").write_text("\n".join(("10,M,1,,0", *variations)))
    many = sdmodel(*words, "-e", "d.vsc", "--force", "--json")
    assert "'room temperature': swept, so not sampled" in many.stderr
    (ranking,) = json.loads(many.stdout)["rankings"]
    assert ranking["members"] == 10
    assert sum(row["first"] for row in ranking["levers"]) == pytest.approx(1)
    assert [row["lever"] for row in ranking["levers"]] == ["cooling time", "room temperature"]


def test_stored_sweep_is_listed_shown_plotted_and_repeated(tea: Path, sdmodel):
    """Every command that takes a run takes a sweep."""
    sdmodel("sweep", "--lever", ROOM, "--lever", "cooling time=1,5", "--name", "a")
    assert re.search(
        r"room temperature = over 50 to 90, 5 values; cooling time = over 1, 2.5, 5 .*15", sdmodel("runs").stdout
    )
    shown = sdmodel("show", "a")
    assert "those at the levers' own values, room temperature 70, cooling time 2.5" in shown.stderr
    assert re.search(r"Tea Temperature +stock +°F +180 +71.82", shown.stdout)
    assert [lever["base"] for lever in json.loads(sdmodel("show", "a", "--json").stdout)["levers"]] == [70, 2.5]
    assert sdmodel("show", "a", "--where", "Tea Temperature > 100").exit_code == 0
    assert "equal, to the last digit" in sdmodel("rerun", "a").stdout
    assert sdmodel("plot", "a").exit_code == 0
    assert sdmodel("plot", "a", "--at", "2024", "-o", "map.png").exit_code == 0
    assert (tea / "map.png").read_bytes() != (tea / "runs" / "a.png").read_bytes()


def test_sweep_of_one_value_keeps_its_dimension(tea: Path, sdmodel):
    """Also when it is repeated."""
    assert sdmodel("sweep", "--lever", "room temperature=70", "--name", "a", "--plot").exit_code == 0
    assert dict(open_run(tea / "runs" / "a.nc").sizes) == {"time": 21, "room_temperature": 1}
    assert sdmodel("rerun", "a").exit_code == 0


def test_swept_value_outside_its_range_is_reported_and_run(tea: Path, sdmodel):
    """A range is the modeller's belief, not a law."""
    done = sdmodel("sweep", "--lever", "room temperature=20,70", "--name", "a")
    assert (done.exit_code, done.stderr) == (0, "'room temperature' is set to 20, outside its range: below 40\n")
    assert open_run(tea / "runs" / "a.nc")["room_temperature"].values.tolist() == [20, 70]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--lever", "rom temperature=1:2:3"], 1, "--lever: 'rom temperature' is not in the model; did you mean 'room temperature'?"),
        (["--lever", "room temperature=90:50:3"], 1, "--lever: 'room temperature' goes from 90 to 50; write the smaller bound first: 50:90"),
        (["--lever", "cooling time"], 1, "--lever: 'cooling time' has no range in the model"),
        (["--lever", "room temperature="], 1, "--lever: 'room temperature' has no values"),
        (["--lever", ROOM, "--lever", ROOM], 1, "--lever: 'room temperature' is given twice"),
        (["--lever", ROOM, "--on", "tea temprature"], 1, "did you mean 'Tea Temperature'?"),
        (["--lever", ROOM, "--at", "2050"], 1, "--at: 2050 is outside the run; give a date from 2022 to 2032"),
        (["--lever", "TIME STEP=0.1,0.2"], 1, "'TIME STEP' decides the times of a run"),
        (["--lever", ROOM, "--name", "a/b"], 1, "this is not a name for a file"),
        (["--lever", "room temperature=40:100:9999", "--lever", "cooling time=1:9:9999"], 1, "more than 1GiB; use fewer values"),
        ([], 2, "Missing option '--lever'"),
    ],
)  # fmt: skip
def test_sweep_errors_are_one_line_before_any_work(tea: Path, sdmodel, words: list[str], code: int, message: str):
    """With the cure; nothing is stored."""
    done = sdmodel("sweep", *words)
    assert done.exit_code == code
    assert message in done.stderr
    assert not (tea / "runs").exists()


def test_maps_need_a_sweep(tea: Path, sdmodel):
    """An outcome of a single run over time is not a map."""
    sdmodel("run", "--name", "a")
    done = sdmodel("plot", "a", "--at", "2024")
    assert (
        done.stderr
        == "--at and --over plot maps of a sweep over two levers or more; leave them out, or name one such run\n"
    )


def test_close_values_of_a_lever_have_columns_of_their_own(tea: Path, sdmodel):
    """Headings have enough digits to differ, so every value has its column."""
    across = "room temperature=70.0000001,70.0000002,80"
    done = sdmodel("sweep", "--lever", "cooling time=1,5", "--lever", across, "--at", "2032", "--name", "a")
    (line,) = re.findall(r"^ 1 .*", done.stdout, re.MULTILINE)
    assert [float(cell) for cell in line.split()] == pytest.approx([1, 70, 70, 70, 80], rel=1e-6)
