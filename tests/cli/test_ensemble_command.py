"""`sdmodel ensemble`, and what other commands do with ensembles."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from sdmodel.comparison import levels_of
from sdmodel.store import open_run

Command = Callable[..., Result]

SAMPLING = "40,M,7\ncooling time=RANDOM_UNIFORM(1,4)\nroom temperature=RANDOM_NORMAL(60,80,70,5)\n"


def _json(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_ensemble_is_sampled_stored_and_printed(cup: Path, sdmodel: Command):
    """Medians and bands at round dates, the share of members, the sampled constants, and the path."""
    done = sdmodel("ensemble", "-e", "cup.vsc", "--where", "Tea Temperature < 100", "--plot")
    assert done.exit_code == 0, done.output
    stored = open_run("runs/cup.zarr")
    assert list(stored.data_vars) == ["tea_temperature", "cooling_time", "room_temperature"]
    assert stored.sizes["member"] == 40
    lines = done.stdout.splitlines()
    assert re.match(r" ?Time \(Year\) +units +2022 +2024 +2026 +2028 +2030 +2032", lines[0])
    assert [line.split("  ")[0].strip() for line in lines[2:4]] == ["Tea Temperature", ""]
    assert "90 % of members" in done.stdout
    assert "Tea Temperature < 100" in done.stdout
    assert re.search(r"40 members \(multivariate, seed 7\) in .* s, .* per second", done.stdout)
    assert lines[-2:] == ["stored as runs/cup.zarr", "plotted in runs/cup.png"]
    assert Path("runs/cup.png").read_bytes().startswith(b"\x89PNG")


def test_json_equals_numpy_on_the_stored_members(cup: Path, sdmodel: Command):
    """Every quantile and share is recomputed with NumPy."""
    output = _json(sdmodel("ensemble", "-e", "cup.vsc", "--where", "Tea Temperature < 100", "--bands", "80", "--json"))
    values = open_run(output["path"])["tea_temperature"].values
    (headline,), (share,) = output["headlines"], output["shares"]
    places = [int((time - 2022) / 0.5) for time in headline["times"]]
    assert sorted(headline["quantiles"]) == ["0.1", "0.5", "0.9"]
    for level, row in headline["quantiles"].items():
        assert row == pytest.approx(np.quantile(values, float(level), axis=1)[places])
    cold = values < 100
    assert share["share"] == pytest.approx(list(cold.mean(axis=1)[places]))
    assert (share["ever"], share["always"]) == pytest.approx((cold.any(axis=0).mean(), cold.all(axis=0).mean()))
    assert (output["members"], output["members_made"], output["not_finite"], output["seed"]) == (40, 40, 0, 7)


def test_constants_both_set_and_sampled_are_reported(cup: Path, sdmodel: Command):
    """The sampled value applies; a change without effect is named, any other is not."""
    change = ("--set", "cooling time=3")
    errors = sdmodel("ensemble", "-e", "cup.vsc", *change).stderr
    assert "'cooling time': sampled for each member, whatever the scenario or --set says" in errors
    assert np.unique(open_run("runs/cup.zarr")["cooling_time"]).size == 40
    for text in ("4,M,7\nroom temperature=RANDOM_UNIFORM(60,70)\n", SAMPLING.replace("M", "U", 1)):
        (cup / "other.vsc").write_text(text, "utf-8")
        assert "sampled for each" not in sdmodel("ensemble", "-e", "other.vsc", *change).stderr


@pytest.mark.parametrize("named", ["NOISE SEED", "noise_seed", "Noise  Seed"])
def test_noise_seed_is_sampled_without_effect(cup: Path, sdmodel: Command, named: str):
    """The manual's example samples it; a model without random functions gives the same numbers with and without it."""
    note = "cup.vsc: NOISE SEED has no effect, since the model has no random functions"
    (cup / "cup.vsc").write_text("9,F,1,s.tab,0\n", "utf-8")
    (cup / "s.tab").write_text(f"cooling time\t{named}\troom temperature\n1\t1\t60\n2\t7\t\n", "utf-8")
    done = sdmodel("ensemble", "-e", "cup.vsc", "--force")
    assert (done.exit_code, note in done.stderr) == (0, True), done.output
    stored = open_run("runs/cup.zarr")
    assert [stored["cooling_time"].values.tolist(), stored["room_temperature"].values.tolist()] == [[1, 2], [60, 60]]
    lines, found = SAMPLING.splitlines(keepends=True), []
    for text in (SAMPLING, "".join([*lines[:2], f"{named}=RANDOM_UNIFORM(1,1000)\n", *lines[2:]])):
        (cup / "other.vsc").write_text(text, "utf-8")
        done = sdmodel("ensemble", "-e", "other.vsc", "--name", "other", "--force", "--json")
        assert (note.replace("cup", "other") in done.stderr) is (text != SAMPLING)
        found.append(open_run("runs/other.zarr")["cooling_time"].values.tolist())
    assert found[0] == found[1]
    (cup / "s.tab").write_text(f"{named}\n1\n2\n", "utf-8")
    assert "s.tab: nothing is varied; write a column" in sdmodel("ensemble", "-e", "cup.vsc", "--force").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--on", "Stock[hihg]"], "--on: 'Stock' has no label 'hihg'; did you mean 'high'?"),
        (["--on", "rate[high]"], "--on: 'rate' has 0 subscripts, not 1; give as many labels"),
        (["--where", "Stock[hihg] > 1"], "--where: 'Stock' has no label 'hihg'; did you mean 'high'?"),
    ],
)
def test_unknown_labels_are_reported_before_any_work(tea: Path, sdmodel: Command, words: list[str], message: str):
    """Known labels are stored together with all other labels of the variable."""
    lines = ["{UTF-8}", "tier: low, high ~ ~ |", "Stock[tier] = INTEG(rate, 1) ~ ~ |", "rate = 1 ~ ~ |"]
    control = (tea / "models" / "ai_compute.mdl").read_text("utf-8").partition("*****")[2].partition(".Control")[2]
    lines.append("*" * 56 + "\n\t.Control" + control)
    (tea / "tiers.mdl").write_text("\n".join(lines), "utf-8")
    (tea / "tiers.vsc").write_text("4,M,7\nrate=RANDOM_UNIFORM(1,2)\n", "utf-8")
    command = ["ensemble", "tiers.mdl", "-e", "tiers.vsc"]
    refused = sdmodel(*command, *words)
    assert (refused.exit_code, refused.stderr) == (1, f"{message}\n")
    assert not list(tea.glob("runs/*"))
    words = [word.replace("hihg", "high").replace("rate[high]", "rate") for word in words]
    assert sdmodel(*command, *words).exit_code == 0


def test_uncertainties_are_sampled_over_their_ranges_by_default(cup: Path, sdmodel: Command):
    """A note says so; without ranges the missing ones are reported."""
    model = Path("models/ai_compute.mdl")
    refused = sdmodel("ensemble")
    assert refused.exit_code == 1
    assert "no constant of a group 'Uncertainties' has a range" in refused.stderr
    model.write_text(model.read_text("utf-8").replace("[0.5,?]", "[0.5,4]"), "utf-8")
    done = sdmodel("ensemble", "-n", "300", "--seed", "3")
    assert "1 constant sampled uniformly over the ranges in the group Uncertainties" in done.stderr
    assert "there is no ai_compute.vsc beside the model" in done.stderr
    times = open_run("runs/ai_compute.zarr")["cooling_time"].values
    assert times.size == 300
    assert 0.5 <= times.min() < 0.6
    assert 3.9 < times.max() <= 4


def test_the_file_beside_the_model_is_sampled_by_default(cup: Path, sdmodel: Command):
    """As if it were named, but for policy levers, which stay as they are; a note says what is sampled from where."""
    lines = "cooling time=RANDOM_TRIANGULAR(1,4,1,2,4)\n"
    Path("models/ai_compute.vsc").write_text(f"40,L,7\nroom temperature=RANDOM_UNIFORM(60,80)\n{lines}", "utf-8")
    Path("alone.vsc").write_text(f"40,L,7,,\n{lines}", "utf-8")
    done = sdmodel("ensemble")
    assert done.stderr.splitlines()[0] == "1 constant from models/ai_compute.vsc; 1 policy lever stays as it is"
    assert sdmodel("ensemble", "-e", "alone.vsc").exit_code == 0
    found, expected = open_run("runs/ai_compute.zarr"), open_run("runs/alone.zarr")
    assert found.sizes["member"] == 40
    assert found["cooling_time"].values.tolist() == expected["cooling_time"].values.tolist()
    assert found.attrs["design_sha256"] == expected.attrs["design_sha256"]
    assert found.attrs["design"] == "40,L,7,\ncooling time=RANDOM_TRIANGULAR(1,4,1,2,4)\n"
    assert "room_temperature" not in found or "member" not in found["room_temperature"].dims
    assert sdmodel("rerun", "ai_compute").exit_code == 0
    Path("models/ai_compute.vsc").write_text("40,L,7\nroom temperature=RANDOM_UNIFORM(60,80)\n", "utf-8")
    model = Path("models/ai_compute.mdl")
    model.write_text(model.read_text("utf-8").replace("[0.5,?]", "[0.5,4]"), "utf-8")
    assert "ai_compute.vsc beside the model has policy levers only" in sdmodel("ensemble").stderr


def test_requested_variables_are_stored(cup: Path, sdmodel: Command):
    """Names, save lists and variables of `--where`; the requested ones are the headlines from then on."""
    Path("more.lst").write_text("heat loss\n", "utf-8")
    output = _json(sdmodel("ensemble", "-e", "cup.vsc", "--on", "cooling time", "--save", "more.lst", "--where", "Time > 2023 :AND: Tea Temperature > 80", "--json"))  # fmt: skip
    assert [headline["name"] for headline in output["headlines"]] == ["cooling time", "heat loss"]
    assert set(open_run(output["path"]).data_vars) == {
        "heat_loss",
        "tea_temperature",
        "cooling_time",
        "room_temperature",
    }
    assert [headline["name"] for headline in _json(sdmodel("show", "cup", "--json"))["headlines"]] == [
        "cooling time",
        "heat loss",
    ]


def test_default_ensemble_names_are_numbered_and_given_names_protected(cup: Path, sdmodel: Command):
    """By default nothing is lost."""
    for name in ("cup", "cup-2", "cup-3"):
        assert f"stored as runs/{name}.zarr" in sdmodel("ensemble", "-e", "cup.vsc").stdout
    refused = sdmodel("ensemble", "-e", "cup.vsc", "--name", "cup")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "runs/cup.zarr: exists already; choose another --name, --resume to continue it, or --force to replace it\n"
    )
    assert sdmodel("ensemble", "-e", "cup.vsc", "--name", "cup", "-n", "3", "--force").exit_code == 0
    assert open_run("runs/cup.zarr").sizes["member"] == 3
    assert sdmodel("run", "--name", "plain").exit_code == 0
    taken = sdmodel("ensemble", "-e", "cup.vsc", "--name", "plain", "--force")
    assert (taken.exit_code, taken.stderr) == (1, "runs/plain.nc: a run has this name; choose another --name\n")


def test_resume_needs_the_same_command(cup: Path, sdmodel: Command):
    """Another command is refused in one line."""
    assert sdmodel("ensemble", "-e", "cup.vsc", "--name", "a").exit_code == 0
    again = sdmodel("ensemble", "-e", "cup.vsc", "--name", "a", "--resume")
    assert again.exit_code == 0, again.output
    assert "40 members (multivariate, seed 7), all stored before" in again.stdout
    other = sdmodel("ensemble", "-e", "cup.vsc", "--name", "a", "--resume", "--set", "room temperature=60", "--on", "heat loss")  # fmt: skip
    assert other.exit_code == 1
    assert other.stderr.startswith(
        "runs/a.zarr: cannot be resumed, the changes and the list of saved variables differ from"
    )
    assert len(other.stderr.splitlines()) == 1


def test_resume_keeps_a_fresh_seed(cup: Path, sdmodel: Command):
    """Seed 0 picks a new seed for each ensemble, but an ensemble has only one."""
    first = _json(sdmodel("ensemble", "-e", "cup.vsc", "--seed", "0", "--name", "a", "--json"))
    second = _json(sdmodel("ensemble", "-e", "cup.vsc", "--seed", "0", "--name", "b", "--json"))
    assert first["seed"] != second["seed"]
    again = _json(sdmodel("ensemble", "-e", "cup.vsc", "--seed", "0", "--name", "a", "--resume", "--json"))
    assert (again["seed"], again["members_made"]) == (first["seed"], 0)


def test_ensembles_are_listed_shown_plotted_and_repeated(cup: Path, sdmodel: Command):
    """By name, like runs."""
    sdmodel("run", "--name", "base")
    assert sdmodel("ensemble", "-e", "cup.vsc", "-c", "models/scenarios/cold.cin", "--name", "many").exit_code == 0
    listed = {row["run"]: row for row in _json(sdmodel("runs", "--json"))}
    assert listed["many"]["dims"]["member"] == 40
    assert listed["many"]["scenario_name"] == "cold"
    table = sdmodel("runs").stdout
    assert re.search(r"many .* 40\n", table)
    shown = sdmodel("show", "many", "--where", "Tea Temperature > 100")
    assert shown.exit_code == 0, shown.output
    for words in (
        "design_method",
        "cooling time=RANDOM_UNIFORM(1,4)",
        "50 % of members",
        "sampled",
        "Tea Temperature > 100",
    ):
        assert words in shown.stdout
    whole = _json(sdmodel("show", "many", "--json"))
    assert [constant["name"] for constant in whole["constants"]] == ["cooling time", "room temperature"]
    plotted = sdmodel("plot", "many", "base", "--spaghetti", "5", "--log", "-o", "both.png")
    assert (plotted.exit_code, plotted.stdout) == (0, "plotted in both.png\n")
    again = sdmodel("rerun", "many")
    assert (again.exit_code, again.stdout) == (0, "run 'many': all 3 variables are equal in 40 of 40 members, to the last digit\n")  # fmt: skip
    for count in (1, 2, 7):
        assert _json(sdmodel("rerun", "many", "--members", str(count), "--json")) == {
            "run": "many", "equal": True, "largest": None, "members": count, "of": 40,
        }  # fmt: skip


def test_rerun_finds_a_changed_member(cup: Path, sdmodel: Command):
    """It compares numbers, not only names."""
    import zarr

    assert sdmodel("ensemble", "-e", "cup.vsc").exit_code == 0
    zarr.open_group("runs/cup.zarr", mode="r+")["tea_temperature"][5, 39] = 1.0
    again = sdmodel("rerun", "cup")
    assert again.exit_code == 1
    assert "'Tea Temperature' differs most" in again.stdout


@pytest.mark.parametrize(
    "words",
    [("rerun", "cup"), ("show", "cup"), ("plot", "cup", "--force"), ("plot", "cup", "--force", "--spaghetti", "3"),
     ("show", "cup", "--where", "Tea Temperature > 1")],
)  # fmt: skip
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no numbers")])
def test_damage_is_one_line_for_every_command(
    cup: Path, sdmodel: Command, words: tuple[str, ...], damage: Callable[[Path], object]
):
    """A file of the ensemble is missing or holds something else."""
    assert sdmodel("ensemble", "-e", "cup.vsc").exit_code == 0
    damage(Path("runs/cup.zarr/tea_temperature/c/0/0"))
    done = sdmodel(*words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert re.fullmatch(r".*(missing|damaged).*\n", done.stderr)


def test_ensemble_of_one_member(cup: Path, sdmodel: Command):
    """No command needs two."""
    done = sdmodel("ensemble", "-e", "cup.vsc", "-n", "1", "--name", "one", "--spaghetti", "3", "--plot")
    assert done.exit_code == 0, done.output
    assert "1 member (" in done.stdout
    assert sdmodel("show", "one").exit_code == 0
    assert sdmodel("rerun", "one").exit_code == 0


def test_members_that_are_not_finite_are_reported(tea: Path, sdmodel: Command):
    """When they are run, shown and plotted, with the number that a statement leaves out."""
    Path("wild.vsc").write_text("400,M,1\ncooling time=RANDOM_UNIFORM(-10,100)\n", "utf-8")
    model = Path("models/ai_compute.mdl")
    model.write_text(model.read_text("utf-8").replace("room temperature)/", "room temperature)*ABS(Tea Temperature)/"))
    done = sdmodel("ensemble", "-e", "wild.vsc", "--where", "Tea Temperature > 80")
    assert done.exit_code == 0, done.output
    count = open_run("runs/wild.zarr").attrs["members_not_finite"]
    assert 0 < count < 400
    assert f"{count} of 400 members have values that are not finite: " in done.stderr
    assert "these values are left out" in done.stderr
    assert re.search(r"'Tea Temperature': not finite and left out at some time: up to \d+ members", done.stderr)
    assert (
        f"'Tea Temperature > 80': {count} of 400 members have no number at some time and are not counted" in done.stderr
    )
    for words in (["show", "wild"], ["plot", "wild"]):
        assert f"{count} of 400 members" in sdmodel(*words).stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-e", "none.vsc"], 1, "none.vsc: there is no such file"),
        (["-e", "odd.vsc"], 1, "odd.vsc:2:10: "),
        (["-e", "cup.vsc", "--where", "Tea Temp > 3"], 1, "--where: 'tea temp' is not in the model; did you mean"),
        (["-e", "cup.vsc", "--where", "Tea >"], 1, "--where: "),
        (["-e", "cup.vsc", "--on", "Tee Temperature"], 1, "did you mean 'Tea Temperature'"),
        (["-e", "cup.vsc", "--memory", "1KB"], 1, "memory: "),
        (["-e", "cup.vsc", "--memory", "x"], 1, "memory is 'x'; write a size like '1GiB'"),
        (["-e", "cup.vsc", "--name", "a/b"], 1, "is not a name for a file"),
        (["-e", "cup.vsc", "--runs", "cup.vsc"], 1, "cannot hold runs"),
        (["-e", "cup.vsc", "--bands", "0"], 2, "is not a list of percentages between 0 and 100"),
        (["-e", "cup.vsc", "--bands", "a,b"], 2, "is not a list of percentages between 0 and 100"),
        (["-e", "cup.vsc", "-n", "0"], 2, "x>=1"),
    ],
)
def test_ensemble_errors_are_one_line_and_store_nothing(
    cup: Path, sdmodel: Command, words: list[str], code: int, message: str
):
    """They say where, what is wrong, and what to do."""
    Path("odd.vsc").write_text("10,M,1\nnonsense=RANDOM_FOO(1,2)\n", "utf-8")
    done = sdmodel("ensemble", *words)
    assert done.exit_code == code
    assert message in done.stderr
    assert code == 2 or len(done.stderr.splitlines()) == 1
    assert not list(cup.glob("runs/*"))


@pytest.mark.parametrize("bands", [(0.5,), (0.5, 0.9), (0.001, 0.333, 0.999)])
def test_levels_are_symmetric_about_the_median(bands: tuple[float, ...]):
    """Two levels per band and one for the median."""
    levels = levels_of(bands)
    assert len(levels) == 2 * len(bands) + 1
    assert [round(1 - level, 9) for level in reversed(levels)] == levels


def test_progress_bar_shows_members_per_second(cup: Path, project: Path):
    """On stderr of a terminal, after the first second."""
    model = Path("models/ai_compute.mdl")
    model.write_text(model.read_text("utf-8").replace("TIME STEP = 0.125", "TIME STEP = 0.001953125"), "utf-8")
    code = "from sdmodel.cli import main; main(['ensemble', '-e', 'cup.vsc', '-n', '2000000', '--name', 'big'])"
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    environment = os.environ | {"PYTHONPATH": str(project), "TERM": "xterm", "COLUMNS": "140"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=terminal, env=environment
    ) as process:
        os.close(terminal)
        seen = b""
        while not re.search(rb"members/s", seen):
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
        process.kill()
    os.close(master)
    assert re.search(rb"running ai_compute\.mdl.*[\d,]+/2,?000,?000.*[\d,]+ members/s", seen, re.DOTALL)


def test_interruption_says_how_to_resume(cup: Path, project: Path, sdmodel: Command):
    """Stored members stay; the same command continues."""
    handler = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job ignores it
    command = "from sdmodel.cli import main; main(['ensemble', '-e', 'cup.vsc', '-n', '2000000', '--name', 'big'])"
    code = f"{handler}; {command}"
    environment = os.environ | {"PYTHONPATH": str(project)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        while not (Path("runs/big.zarr/tea_temperature/c/0/3").exists() or process.poll() is not None):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert re.fullmatch(
        r"runs/big\.zarr: ([\d,]+) of 2,000,000 members are stored; the same command with --name big --resume runs the rest\n+"
        r"interrupted\n",
        errors,
    )
    stored = open_run("runs/big.zarr").sizes["member"]
    assert stored >= 3 * 4096
    shown = sdmodel("show", "big")
    assert f"{stored:,} of 2,000,000 members are stored; `sdmodel ensemble ... --resume` runs the rest" in shown.stderr
    assert f"{stored} of 2000000" in sdmodel("runs").stdout


def test_existing_figure_is_reported_before_any_work(cup: Path, sdmodel: Command):
    """It may belong to another run of the same name."""
    Path("runs").mkdir()
    Path("runs/cup.png").write_text("a picture")
    refused = sdmodel("ensemble", "-e", "cup.vsc", "--plot")
    assert (refused.exit_code, Path("runs/cup.zarr").exists()) == (1, False)
    assert refused.stderr == "runs/cup.png: exists already; choose another --name, or --force to replace it\n"
    assert sdmodel("ensemble", "-e", "cup.vsc", "--plot", "--force").exit_code == 0
