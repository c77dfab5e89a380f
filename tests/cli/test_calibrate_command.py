"""`sdmodel calibrate`: output, stored files, resuming, reproducibility and error messages."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sdmodel.inference import CHAIN
from sdmodel.reading import read_model
from sdmodel.scenario import make_design
from sdmodel.simulation import simulate
from sdmodel.vensim import read_sampling, read_scenario

ROOM, COOLING = 64.0, 3.5
FREE = ("--free", "room temperature", "--free", "cooling time=1:8")
SHORT = ("--posterior", "--steps", "150", "--samples", "50")
VERY_SHORT = ("--posterior", "--steps", "20", "--samples", "10")


@pytest.fixture
def observed(tea: Path) -> Path:
    """A project with observations of the tea beside its model, sampled from a run with known constants."""
    model = read_model("models/ai_compute.mdl")
    run = simulate(model, {"room temperature": ROOM, "cooling time": COOLING})
    times = np.linspace(2022.3, 2031.7, 12)
    errors = np.random.default_rng(8).normal(0, 0.5, 12)
    values = np.interp(times, run.time, run.tea_temperature) + errors
    rows = "".join(f"thermometer,{t!r},{v!r},°F\n" for t, v in zip(times.tolist(), values.tolist(), strict=True))
    (tea / "models" / "data").mkdir()
    (tea / "models" / "data" / "observations.csv").write_text("series,date,value,unit\n" + rows, "utf-8")
    (tea / "models" / "ai_compute.series.csv").write_text(
        "name,model,data,error,size,note\ntea,Tea Temperature,thermometer,absolute,0.5,a cheap thermometer\n"
    )
    return tea


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "runs").iterdir())}


def test_calibrate_prints_the_best_point_and_stores_it_as_a_change_file(observed: Path, sdmodel):
    """Running the change file gives the run that fits; its comments give the old values and the bounds."""
    done = sdmodel("calibrate", *FREE, "--name", "best")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split()[:4] == ["constant", "units", "before", "best"]
    assert [path.name for path in sorted((observed / "runs").iterdir())] == ["best.cin", "best.json"]
    found = {change.name: change.values[0] for change in read_scenario("runs/best.cin").changes}
    assert found["room temperature"] == pytest.approx(ROOM, abs=2)
    assert found["cooling time"] == pytest.approx(COOLING, abs=0.2)
    text = Path("runs/best.cin").read_text("utf-8")
    assert "before 70; from 40 to 100" in text
    assert sdmodel("run", "-c", "runs/best.cin", "--name", "fitted").exit_code == 0


def test_json_is_the_record_that_is_stored(observed: Path, sdmodel):
    """It holds the best point to the last digit and the command that reproduces it."""
    done = sdmodel("calibrate", *FREE, "--name", "best", "--json")
    output, stored = json.loads(done.stdout), json.loads(Path("runs/best.json").read_text("utf-8"))
    assert output["constants"] == stored["constants"]
    changes = {change.name: change.values[0] for change in read_scenario("runs/best.cin").changes}
    assert {constant["name"]: constant["best"] for constant in output["constants"]} == changes
    assert output["series"][0]["deviations_best"] < 1.5 < output["series"][0]["deviations_before"]
    assert stored["settings"]["command"] == output["command"]


def test_printed_command_reproduces_the_numbers(observed: Path, sdmodel):
    """It stores under another name, because nothing is overwritten; another seed gives other samples."""
    done = sdmodel("calibrate", *FREE, *VERY_SHORT, "--seed", "7", "--name", "first")
    line = next(line for line in done.stdout.splitlines() if line.startswith("repeat with: "))
    words = shlex.split(line.removeprefix("repeat with: sdmodel "))
    assert sdmodel(*words).exit_code == 0
    files = _files(observed)
    assert files["first.tab"] == files["ai_compute-calibrated.tab"]
    first, again = (json.loads(files[f"{name}.json"])["constants"] for name in ("first", "ai_compute-calibrated"))
    assert first == again
    other = sdmodel("calibrate", *FREE, *VERY_SHORT, "--seed", "8", "--name", "other")
    assert other.exit_code == 0
    assert _files(observed)["other.tab"] != files["first.tab"]


def test_posterior_is_a_sensitivity_file_of_samples(observed: Path, sdmodel):
    """It makes a design of the model with one member per posterior draw."""
    done = sdmodel("calibrate", *FREE, *SHORT, "--name", "p")
    assert done.exit_code == 0, done.output
    design = make_design(read_model("models/ai_compute.mdl"), read_sampling("runs/p.vsc"))
    assert design.count == 50
    values = design.values(0, 50)
    assert np.all((values[0] >= 40) & (values[0] <= 100))
    record = json.loads(Path("runs/p.json").read_text("utf-8"))
    low, high = record["constants"][0]["posterior"]["interval90"]
    assert np.mean((values[0] >= low) & (values[0] <= high)) == pytest.approx(0.9, abs=0.1)
    assert record["posterior"]["steps"] == 150


def test_identifiability_is_printed_and_stored(observed: Path, sdmodel):
    """Reports the contraction of each prior, mass at a bound, and convergence of the chains."""
    done = sdmodel("calibrate", *FREE, *SHORT, "--name", "p")
    assert "near lower" in done.stdout
    assert done.stdout.count("identify") == 2
    record = json.loads(Path("runs/p.json").read_text("utf-8"))
    posterior_record = record["posterior"]
    assert posterior_record["identified"] == ["room temperature", "cooling time"]
    assert posterior_record["not_identified"] == posterior_record["pressed_on_a_bound"] == []
    posteriors = [constant["posterior"] for constant in record["constants"]]
    assert posterior_record["rhat_worst"] == max(posterior["rhat"] for posterior in posteriors)
    assert posterior_record["ess_least"] == min(
        min(posterior["ess_bulk"], posterior["ess_tail"]) for posterior in posteriors
    )
    for constant, posterior in zip(record["constants"], posteriors, strict=True):
        assert posterior["contraction"] == pytest.approx(posterior["sd"] / constant["prior_sd"])
        assert posterior["near_low"] == posterior["near_high"] == 0


def test_the_whole_posterior_is_written_for_arviz(observed: Path, sdmodel):
    """All steps of the chain that is stored; a file that exists is refused before any work."""
    words = ("calibrate", *FREE, *VERY_SHORT, "--datatree", "p.nc")
    done = sdmodel(*words, "--name", "p")
    assert done.exit_code == 0, done.output
    with xr.open_datatree("p.nc") as tree, np.load("runs/p.chain.npz") as chain:
        whole = xr.concat([tree["warmup_posterior"].to_dataset(), tree["posterior"].to_dataset()], "draw")
        assert np.array_equal(whole["room_temperature"], chain["points"][:, :, 0].T)
    again = sdmodel(*words, "--name", "q")
    cure = "exists already; name another with --datatree, or --force to replace it"
    assert (again.exit_code, again.stderr) == (1, f"p.nc: {cure}\n")
    assert not Path("runs/q.cin").exists()


def test_resumed_posterior_equals_one_long_posterior(observed: Path, sdmodel):
    """`--resume` continues bit for bit; a note says how to continue chains that have not converged."""
    short = sdmodel("calibrate", *FREE, "--posterior", "--steps", "40", "--name", "p")
    assert "not converged: R-hat" in short.stderr
    longer = sdmodel("calibrate", *FREE, "--steps", "120", "--name", "p", "--resume")
    assert longer.exit_code == 0, longer.output
    assert sdmodel("calibrate", *FREE, "--posterior", "--steps", "120", "--name", "whole").exit_code == 0
    files = _files(observed)
    assert files["p.tab"] == files["whole.tab"]
    with np.load(f"runs/p{CHAIN}") as one, np.load(f"runs/whole{CHAIN}") as other:
        assert all(np.array_equal(one[name], other[name]) for name in ("points", "heights", "words", "dice"))


def test_printed_resume_command_is_complete(observed: Path, sdmodel):
    """Running it doubles the steps of the same posterior, wherever its draws are stored."""
    words = (*FREE, "--posterior", "--steps", "40", "--walkers", "34", "--seed", "5", "--name", "a tea")
    done = sdmodel("calibrate", *words, "--ensemble", "e.vsc")
    line = next(line for line in done.stderr.splitlines() if line.startswith("to continue: "))
    longer = sdmodel(*shlex.split(line.removeprefix("to continue: sdmodel ")))
    assert longer.exit_code == 0, longer.output
    assert "posterior: 34 walkers, 80 steps" in longer.stdout
    assert json.loads(Path("runs/a tea.json").read_text("utf-8"))["posterior"]["steps"] == 80


def test_one_command_makes_an_ensemble_that_fits_history(observed: Path, sdmodel):
    """Posterior draws are joined with constants that act only later or stay equal; the file runs as it is."""
    model = observed / "models" / "ai_compute.mdl"
    later = "later warmth = 1 ~ dmnl ~ A number. |\nlater room = 70 ~ °F ~ A room. |\n"
    model.write_text(model.read_text("utf-8").replace("INITIAL TIME =", later + "INITIAL TIME =", 1), "utf-8")
    Path("later.vsc").write_text("9,L,1,,0\nlater warmth=RANDOM_UNIFORM(2,3)\ncooling time=RANDOM_UNIFORM(1,8)\n")
    target = Path("models/ensembles/past.vsc")
    words = (
        *FREE,
        *SHORT,
        "--beyond",
        "later.vsc",
        "--equal",
        "later room=room temperature",
        "--ensemble",
        str(target),
    )
    done = sdmodel("calibrate", *words, "--name", "p")
    assert done.exit_code == 0, done.output
    assert "later.vsc: these are free, so the posterior draws them: cooling time\n" in done.stderr
    assert target.with_suffix(".tab").read_text().splitlines()[0].split("\t") == [
        "room temperature", "cooling time", "later room", "later warmth",
    ]  # fmt: skip
    assert {path.name for path in Path("runs").iterdir()} == {"p.cin", "p.json", f"p{CHAIN}"}
    record = json.loads(Path("runs/p.json").read_text("utf-8"))
    assert record["ensemble"] == str(target)
    assert record["equal"] == {"later room": "room temperature"}
    assert record["beyond"]["drawn"] == ["later warmth=RANDOM_UNIFORM(2,3)"]
    assert record["beyond"]["seed"] == record["seed"] == 1
    ran = sdmodel("ensemble", "-e", str(target), "--name", "members", "--on", "Tea Temperature")
    assert ran.exit_code == 0, ran.output
    assert "50 members (file, seed 1)" in ran.stdout
    before = target.with_suffix(".tab").read_bytes()
    again = sdmodel("calibrate", *words, "--name", "q")
    assert again.exit_code == 1
    assert again.stderr.startswith(f"{target}: exists already; ")
    assert not Path("runs/q.json").exists()
    repeated = shlex.split(record["settings"]["command"].removeprefix("sdmodel "))
    assert sdmodel(*repeated, "--name", "q").exit_code == 0
    assert Path("runs/q.tab").read_bytes() == before


def test_priors_of_fixed_constants_are_reported(observed: Path, sdmodel):
    """They have no effect, so a note names them."""
    Path("prior.vsc").write_text(
        "9,M,1,,0\ncooling time=RANDOM_NORMAL(1,8,3,1)\nroom temperature=RANDOM_UNIFORM(40,90)\n"
    )
    done = sdmodel("calibrate", "--free", "cooling time", "--prior", "prior.vsc")
    assert done.exit_code == 0, done.output
    assert "prior.vsc: priors of constants that are not free are not used: room temperature" in done.stderr
    both = sdmodel("calibrate", *FREE, "--prior", "prior.vsc")
    assert "not used" not in both.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--free", "room temperature", "--free", "cooling time=1:9"),
            "another set of free constants, bounds or priors",
        ),
        ((*FREE, "--seed", "9"), "another seed"),
        ((*FREE, "--set", "room temperature=65"), "another set of free constants, bounds or priors and scenario"),
        ((*FREE, "--integrator", "rk4"), "another integrator"),
        ((*FREE, "--walkers", "36"), "another number of walkers"),
    ],
)
def test_resume_refuses_other_options(observed: Path, sdmodel, options, message):
    """One line says what differs; no file changes."""
    assert sdmodel("calibrate", *FREE, "--posterior", "--steps", "20", "--name", "p").exit_code == 0
    before = _files(observed)
    done = sdmodel("calibrate", *options, "--steps", "30", "--name", "p", "--resume")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(f"runs/p{CHAIN}: was made with {message}; ")
    assert _files(observed) == before


def test_resume_refuses_an_edited_model_or_edited_data(observed: Path, sdmodel):
    """The message says which of them changed."""
    assert sdmodel("calibrate", *FREE, "--posterior", "--steps", "20", "--name", "p").exit_code == 0
    data = observed / "models" / "data" / "observations.csv"
    text = data.read_text("utf-8")
    data.write_text(text.replace("thermometer,2022.3,", "thermometer,2022.4,"), "utf-8")
    done = sdmodel("calibrate", *FREE, "--name", "p", "--resume")
    assert "was made with another set of series; " in done.stderr
    data.write_text(text, "utf-8")
    model = observed / "models" / "ai_compute.mdl"
    model.write_text(model.read_text("utf-8").replace("The tea.", "Tea."), "utf-8")
    done = sdmodel("calibrate", *FREE, "--name", "p", "--resume")
    assert "was made with another model; " in done.stderr


def test_killed_posterior_resumes_without_a_trace(observed: Path, sdmodel):
    """The process is killed twice: right after its first checkpoint, and again after a resume."""
    command = [sys.executable, "-m", "sdmodel", "calibrate", *FREE, "--posterior", "--name", "p"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    chain = observed / "runs" / f"p{CHAIN}"
    for extra, wait in (([], 0.3), (["--resume"], 0.6)):
        worker = subprocess.Popen([*command, "--steps", "200000", *extra], env=environment, cwd=observed)
        began, deadline = time.monotonic(), time.monotonic() + 60
        before = chain.stat().st_mtime_ns if chain.exists() else 0
        while not (chain.exists() and chain.stat().st_mtime_ns > before) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(wait)
        assert worker.poll() is None, time.monotonic() - began
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        with np.load(chain) as stored:
            assert stored["points"].ndim == 3
    assert not list((observed / "runs").glob("p.json"))
    with np.load(chain) as stored:
        steps = len(stored["points"]) + 25
    words = ("calibrate", *FREE, "--steps", str(steps), "--name")
    assert sdmodel(*words, "p", "--resume").exit_code == 0
    assert sdmodel(*words, "whole", "--posterior").exit_code == 0
    files = _files(observed)
    assert files["p.tab"] == files["whole.tab"]


@pytest.mark.parametrize("ending", [".cin", ".tab", ".vsc", ".json", CHAIN])
def test_files_are_not_overwritten_without_force(observed: Path, sdmodel, ending):
    """The error comes before any work, whichever of the files exists."""
    (observed / "runs").mkdir()
    path = observed / "runs" / f"a{ending}"
    path.write_text("mine")
    done = sdmodel("calibrate", *FREE, *VERY_SHORT, "--name", "a")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"runs/a{ending}: exists already; ")
    assert path.read_text() == "mine"
    assert sdmodel("calibrate", *FREE, *VERY_SHORT, "--name", "a", "--force").exit_code == 0
    assert path.read_bytes() != b"mine"


def test_printed_command_has_the_actual_number_of_steps(observed: Path, sdmodel):
    """Resuming with fewer steps than are stored keeps the stored ones."""
    sdmodel("calibrate", *FREE, *VERY_SHORT, "--name", "long")
    done = sdmodel("calibrate", *FREE, "--resume", "--steps", "10", "--name", "long")
    assert "--posterior --steps 20 --seed 1" in done.stdout.splitlines()[-1]


def test_default_names_are_numbered(observed: Path, sdmodel):
    """Every calibration is kept."""
    for _ in range(2):
        assert sdmodel("calibrate", *FREE).exit_code == 0
    assert {path.stem for path in (observed / "runs").iterdir()} == {"ai_compute-calibrated", "ai_compute-calibrated-2"}


def test_uncertainties_with_bounds_are_free_by_default(observed: Path, sdmodel):
    """The bounds come from the prior file or the model; a note lists the free constants."""
    done = sdmodel("calibrate")
    assert done.exit_code == 1
    assert done.stderr.startswith("no constant is free; name some with --free")
    Path("prior.vsc").write_text("100,M,1,,0\ncooling time=RANDOM_NORMAL(1,8,3,0.2)\n")
    done = sdmodel("calibrate", "--prior", "prior.vsc", "--json")
    assert done.exit_code == 0, done.output
    assert "free by default: cooling time" in done.stderr
    (constant,) = json.loads(done.stdout)["constants"]
    assert (constant["low"], constant["high"]) == (1, 8)
    assert constant["prior"] == "RANDOM_NORMAL(1.0,8.0,3.0,0.2)"
    assert constant["prior_sd"] == pytest.approx(0.2, rel=1e-3)


def test_vensim_optimisation_files_give_the_same_best_point(observed: Path, sdmodel):
    """An optimisation control file replaces `--free`, a payoff definition the series file."""
    Path("search.voc").write_text(":OPTIMIZER=Powell\n40<=room temperature=70<=100\n1<=cooling time=2.5<=8\n")
    Path("payoff.vpd").write_text("*C\nTea Temperature|thermometer/2\n")
    data = "models/data/observations.csv"
    one = sdmodel("calibrate", "--free-from", "search.voc", "--payoff", "payoff.vpd", "-d", data, "--json")
    assert one.exit_code == 0, one.output
    assert "settings of Vensim's optimiser are ignored: OPTIMIZER" in one.stderr
    other = sdmodel("calibrate", *FREE, "--json")
    assert [constant["best"] for constant in json.loads(one.stdout)["constants"]] == [
        constant["best"] for constant in json.loads(other.stdout)["constants"]
    ]


def test_series_are_chosen_by_name(observed: Path, sdmodel):
    """An unknown name is reported with the nearest one."""
    mapping = observed / "models" / "ai_compute.series.csv"
    mapping.write_text(mapping.read_text() + "loss,heat loss,thermometer,absolute,50,nonsense\n")
    both = json.loads(sdmodel("calibrate", *FREE, "--json").stdout)
    one = json.loads(sdmodel("calibrate", *FREE, "--on", "TEA", "--json").stdout)
    assert [series["name"] for series in both["series"]] == ["tea", "loss"]
    assert [series["name"] for series in one["series"]] == ["tea"]
    wrong = sdmodel("calibrate", *FREE, "--on", "tee")
    assert wrong.stderr == "--on: 'tee' is not a series; did you mean 'tea'?\n"


def test_active_bounds_are_reported(observed: Path, sdmodel):
    """In the table, in the change file, and in a note."""
    done = sdmodel("calibrate", "--free", "cooling time=1:3", "--set", f"room temperature={ROOM}", "--name", "b")
    assert done.exit_code == 0, done.output
    assert "on a bound that keeps the fit from improving: cooling time" in done.stderr
    assert "upper" in done.stdout
    assert "at its upper bound, beyond which the fit would improve" in Path("runs/b.cin").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--free", "room temprature"),
            "--free: 'room temprature' is not in the model; did you mean 'room temperature'?",
        ),
        (("--free", "room temperature=100:40"), "--free: 'room temperature' has the bounds 100 to 40; "),
        (
            ("--free", "room temperature=80:100"),
            "--free: 'room temperature' starts at 70, outside its bounds 80 to 100; ",
        ),
        (("--free", "cooling time"), "--free: 'cooling time' has no range [low,high] in the model; "),
        (("--free", "heat loss=0:1"), "--free: 'heat loss' is a"),
        (("--free", "FINAL TIME=2032:2040"), "'FINAL TIME' decides the times of a run"),
        ((*FREE, "--seed", "-1"), "the seed is -1; "),
        ((*FREE, "--starts", "0"), "the number of starts is 0; "),
        ((*FREE, "--posterior", "--walkers", "3"), "the number of walkers is 3; "),
        ((*FREE, "--posterior", "--walkers", "0"), "the number of walkers is 0; "),
        (
            (*FREE, "--posterior", "--steps", "1000000000000"),
            "this many starts, walkers and steps do not fit into memory",
        ),
        ((*FREE, "--posterior", "--steps", "0"), "the number of steps is 0; "),
        ((*FREE, "--name", "a/b"), "'a/b': not a name for a calibration; "),
        ((*FREE, "--name", "none", "--resume"), f"runs/none{CHAIN}: there is no calibration to resume; "),
        ((*FREE, "-d", "nowhere.csv"), "nowhere.csv: "),
        ((*FREE, "--prior", "nowhere.vsc"), "nowhere.vsc: "),
        ((*FREE, "--posterior", "--beyond", "nowhere.vsc"), "nowhere.vsc: "),
        ((*FREE, "--posterior", "--equal", "a=cooling time"), "--equal: 'a' is not in the model; "),
    ],
)
def test_user_errors_are_one_line_with_the_cure(observed: Path, sdmodel, words, message):
    """The exit code is 1 and nothing is stored."""
    done = sdmodel("calibrate", *words)
    assert done.exit_code == 1, done.output
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(message)
    assert not (observed / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resume",), "--resume continues a calibration that has a name"),
        (("--payoff", "a.vpd"), "needs observations: -d"),
        (("--beyond", "a.vsc"), "need a posterior; add --posterior"),
        (("--ensemble", "a.vsc"), "need a posterior; add --posterior"),
        (("--datatree", "a.nc"), "need a posterior; add --posterior"),
        (("--posterior", "--datatree", "a.txt"), "--datatree writes netCDF; 'a.txt' must end in .nc"),
        (("--posterior", "--ensemble", "a.tab"), "'a.tab' must end in .vsc"),
    ],
)
def test_usage_errors_exit_with_two(observed: Path, sdmodel, words, message):
    """Options that cannot be combined are reported."""
    done = sdmodel("calibrate", *FREE, *words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_missing_extra_is_reported_before_any_work(observed: Path, sdmodel, monkeypatch):
    """Finding the best point does not need it."""
    monkeypatch.setitem(sys.modules, "emcee", None)
    done = sdmodel("calibrate", *FREE, "--posterior")
    assert done.stderr == 'a posterior needs emcee, which is not installed; pip install "sdmodel[calibrate]"\n'
    assert not (observed / "runs").exists()
    assert sdmodel("calibrate", *FREE).exit_code == 0


def test_the_change_file_contains_what_the_calibration_was_made_under(observed: Path, sdmodel):
    """Changes of files and of --set, and constants that equal free ones, are in it: it gives the run that was fitted."""
    words = ("--free", "cooling time=1:8", "--equal", "twin=cooling time", "-c", "cold", "--set", "FINAL TIME = 2033")
    path = Path("models/ai_compute.mdl")
    text = path.read_text("utf-8").replace("/cooling time", "/(cooling time + twin)*2")
    path.write_text(text.replace("cooling time = 2.5", "twin = 1 ~ Year ~ judgement. |\ncooling time = 2.5"), "utf-8")
    done = sdmodel("calibrate", *words, "--name", "best")
    assert done.exit_code == 0, done.output
    found = {change.name: change.values for change in read_scenario("runs/best.cin").changes}
    assert found["room temperature"] == (50,)
    assert found["FINAL TIME"] == (2033,)
    assert found["twin"] == found["cooling time"]
    record = json.loads(Path("runs/best.json").read_text("utf-8"))
    assert sdmodel("run", "-c", "runs/best.cin", "--name", "fitted").exit_code == 0
    (row,) = json.loads(sdmodel("fit", "fitted", "--json").stdout)["series"]
    assert row["rmse"] == pytest.approx(record["series"][0]["rmse_best"], rel=1e-9)
