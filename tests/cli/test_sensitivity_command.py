"""`sdmodel sensitivity`: tables, files, figures and error messages."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import sdmodel as sd
from sdmodel.comparison import Outcome

Command = Callable[..., Result]

ASK = ("sensitivity", "--on", "tea temperature")
FREE = ("--free", "room temperature=60:80", "--lever", "cooling time=1:4")
SAMPLING = "40,M,7\ncooling time=RANDOM_TRIANGULAR(1,4,1,2,4)\nroom temperature=RANDOM_UNIFORM(60,80)\n"


def _json(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_tornado_table_has_the_largest_swing_first(tea: Path, sdmodel: Command):
    """Each constant with its bounds and value, the outcome at both bounds, and the swing."""
    done = sdmodel(*ASK, *FREE, "--at", "2028")
    assert done.exit_code == 0, done.output
    assert done.stderr == "11 runs\n"
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Tea Temperature at 2028: ")
    assert lines[0].endswith(" °F at the baseline")
    assert lines[1].split() == ["constant", "low", "now", "high", "units", "at", "low", "at", "high", "swing", "remark"]
    assert [line.split("  ")[0].strip() for line in lines[3:5]] == ["cooling time", "room temperature"]
    assert not (tea / "runs").exists()


@pytest.mark.parametrize("method", ["tornado", "morris", "sobol"])
def test_json_and_csv_have_the_numbers_of_the_python_function(method: str, cup: Path, sdmodel: Command):
    """All constants of all outcomes by rank, with every measure of the method."""
    settings = {"tornado": {}, "morris": {"trajectories": 6}, "sobol": {"samples": 32, "second_order": True}}[method]
    words = {"tornado": (), "morris": ("--trajectories", "6"), "sobol": ("-n", "32", "--second-order")}[method]
    requested = ("-e", "cup.vsc", "--at", "2025-07-02", "--over", "min", "--method", method)
    output = _json(sdmodel(*ASK, *requested, *words, "--json", "-o", "out.csv", "-o", "out.json"))
    model = sd.read_model("models/ai_compute.mdl")
    outcomes = [Outcome(at=2025 + 182 / 365), Outcome("min")]
    found = sd.find_sensitivities(
        model, "tea temperature", outcomes, method=method, sampling=sd.read_sampling("cup.vsc"), **settings
    )
    assert output["runs"] == found.attrs["runs"]
    assert output.get("seed") == {"tornado": None}.get(method, 7)
    for place, outcome in enumerate(output["outcomes"]):
        subset = found.isel(outcome=place)
        assert outcome["base"] == float(subset["base"])
        assert [row["rank"] for row in outcome["constants"]] == [1, 2]
        for row in outcome["constants"]:
            own = subset.sel(parameter=row["name"])
            assert {name: row[name] for name in row if name in own.data_vars} == {
                name: own[name].item() for name in row if name in own.data_vars
            }
            assert row[found.attrs["importance"]] == own[found.attrs["importance"]].item()
    if method == "sobol":
        (pair,) = output["outcomes"][0]["pairs"]
        assert pair["S2"] == float(found["S2"].isel(outcome=0).sel(parameter=pair["names"][0], other=pair["names"][1]))
    assert json.loads(Path("out.json").read_text("utf-8")) == {name: output[name] for name in output if name != "files"}
    rows = list(csv.DictReader(Path("out.csv").read_text("utf-8").splitlines()))
    expected = [(outcome["outcome"], row["name"]) for outcome in output["outcomes"] for row in outcome["constants"]]
    assert [(row["outcome"], row["constant"]) for row in rows] == expected
    measure = found.attrs["importance"]
    assert [float(row[measure]) for row in rows] == [
        row[measure] for outcome in output["outcomes"] for row in outcome["constants"]
    ]


def test_intervals_and_joint_effects_are_printed(cup: Path, sdmodel: Command):
    """Each number has half of its interval; a constant without effect has a remark."""
    morris = sdmodel(*ASK, "-e", "cup.vsc", "--method", "morris").stdout
    assert " ± " in morris
    done = sdmodel(*ASK, *FREE, "--free", "INITIAL TIME=2020:2022", "--method", "sobol")
    assert done.stderr.splitlines()[-1].startswith("'INITIAL TIME' decides the times of a run")
    sobol = sdmodel(*ASK, "-e", "cup.vsc", "--method", "sobol", "-n", "64", "--second-order", "--over", "min").stdout
    assert "standard deviation" in sobol
    assert re.search(r"the constants alone account for (\d+ ± \d+|at least \d+) % of the variance", sobol)
    few = sdmodel(*ASK, "-e", "cup.vsc", "--method", "sobol", "-n", "4").stdout
    assert "these shares are not credible: " in few
    assert "100 %" not in sobol + few
    assert "no interaction of two constants differs" in sobol
    unaffected = sdmodel("sensitivity", "--on", "tea temperature", "--at", "2022", *FREE).stdout
    assert unaffected.count("no effect") == 2


def test_uncertainties_vary_by_default_and_groups_by_name(tea: Path, sdmodel: Command):
    """Constants of the groups that have two bounds; without any, the error says how to name some."""
    none = sdmodel(*ASK)
    assert none.exit_code == 1
    assert "no constant of the group Uncertainties has a range; name some with --free " in none.stderr
    for group in ("levers", "all"):
        (outcome,) = _json(sdmodel(*ASK, "--group", group, "--json"))["outcomes"]
        assert [row["name"] for row in outcome["constants"]] == ["room temperature"]
        assert (outcome["constants"][0]["low_value"], outcome["constants"][0]["high_value"]) == (40, 100)


BESIDE = "40,L,7\ncooling time=RANDOM_TRIANGULAR(1,4,1,2,4)\nroom temperature=RANDOM_TRIANGULAR(60,80,60,70,80)\n"


@pytest.mark.parametrize(
    ("words", "ends", "note"),
    [
        ((), {"cooling time": (1.387, 3.452)}, "1 constant from models/ai_compute.vsc; 1 policy lever stays as it is"),
        (("--group", "uncertainties"), {"cooling time": (1.387, 3.452)}, "1 constant from models/ai_compute.vsc"),
        (("--group", "levers"), {"room temperature": (60, 80)}, "1 constant from models/ai_compute.vsc"),
        (
            ("--group", "all"),
            {"cooling time": (1.387, 3.452), "room temperature": (60, 80)},
            "2 constants from models/ai_compute.vsc",
        ),
    ],
)
def test_groups_are_lines_of_the_file_beside_the_model(words, ends, note, tea: Path, sdmodel: Command):
    """Uncertain constants go from their 5 % to their 95 % quantile; levers, which are a choice, to their ends."""
    (tea / "models" / "ai_compute.vsc").write_text(BESIDE, "utf-8")
    done = sdmodel(*ASK, *words, "--json")
    assert done.stderr.splitlines()[0] == note
    (outcome,) = _json(done)["outcomes"]
    found = {row["name"]: (row["low_value"], row["high_value"]) for row in outcome["constants"]}
    assert found == {name: pytest.approx(pair, abs=1e-3) for name, pair in ends.items()}


def test_a_group_without_lines_is_reported(tea: Path, sdmodel: Command):
    """The file beside the model is named."""
    (tea / "models" / "ai_compute.vsc").write_text("40,L,7\ncooling time=RANDOM_UNIFORM(1,4)\n", "utf-8")
    done = sdmodel(*ASK, "--group", "levers")
    assert done.exit_code == 1
    assert done.stderr.startswith(
        "models/ai_compute.vsc: it has no line for a policy lever; add one, or name constants"
    )


def test_scenario_sets_the_baseline(tea: Path, sdmodel: Command):
    """It applies to all constants that do not vary; values outside the given bounds are reported."""
    cold = ("-c", "models/scenarios/cold.cin", "--set", "cooling time=5")
    (outcome,) = _json(sdmodel(*ASK, *cold, *FREE[:2], "--json"))["outcomes"]
    run = sd.simulate(
        sd.read_model("models/ai_compute.mdl"), {"cooling time": 5, "room temperature": 50}, save=["tea temperature"]
    )
    assert outcome["base"] == pytest.approx(float(run["tea_temperature"][-1]))
    assert outcome["constants"][0]["value"] == 50
    done = sdmodel(*ASK, "--set", "room temperature=50", "--free", "room temperature=60:120")
    assert done.exit_code == 0
    assert "'room temperature' goes to 120, outside its range in the model: above 100" in done.stderr
    assert "'room temperature' is 50 at the baseline, which is not between 60 and 120" in done.stderr


@pytest.mark.parametrize("method", ["tornado", "morris", "sobol"])
def test_each_method_has_its_figure(method: str, tea: Path, sdmodel: Command):
    """In the runs folder, named after the model and the method."""
    words = ("--method", method, *(("-n", "16") if method == "sobol" else ()))
    assert sdmodel(*ASK, *FREE, *words, "--plot").stdout.splitlines()[-1] == f"plotted in runs/ai_compute-{method}.png"
    assert Path(f"runs/ai_compute-{method}.png").read_bytes().startswith(b"\x89PNG")


def test_sensitivity_figures_are_not_replaced_without_force(tea: Path, sdmodel: Command):
    """Default names are numbered; an existing file is reported before any run."""
    for path in ("runs/ai_compute-tornado.png", "runs/ai_compute-tornado-2.png"):
        assert sdmodel(*ASK, *FREE, "--plot").stdout.splitlines()[-1] == f"plotted in {path}"
    assert sdmodel(*ASK, *FREE, "--plot", "-o", "own.svg").stdout.splitlines()[-1] == "plotted in own.svg"
    again = sdmodel(*ASK, *FREE, "-o", "own.svg")
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == "own.svg: exists already; name another with -o, or --force to replace it\n"
    assert sdmodel(*ASK, *FREE, "-o", "own.svg", "--force").exit_code == 0
    assert len(list(Path("runs").iterdir())) == 2


FAULTS = [
    (("--on", "tee temperature", *FREE), "--on: 'tee temperature' is not in the model; did you mean 'Tea Temperature'?"),
    (("--free", "rom temperature"), "--free: 'rom temperature' is not in the model; did you mean 'room temperature'?"),
    (("--free", "cooling time"), 'no range [low,high] in the model; write --free "cooling time=low:high"'),
    (("--free", "cooling time=4:1"), "--free: 'cooling time' goes from 4 to 1; write a lower bound, then a higher one"),
    (("--free", "cooling time=one:4"), 'has bounds that are not numbers; write "cooling time=low:high"'),
    (("--free", "cooling time=3"), 'has no bounds; write "cooling time=low:high"'),
    (("--free", "cooling time=1:4", "--free", "cooling time=2:3"), "'cooling time' is varied twice"),
    (("-e", "reversed.vsc"), "reversed.vsc:2:14: the minimum 4 is not below the maximum 1; write RANDOM_UNIFORM(min,max)"),
    (("-e", "nothing.vsc"), "nothing.vsc: nothing is varied; write a line such as"),
    (("-e", "rows.vsc"), "rows.vsc: a file of samples has no distributions; write a line such as"),
    ((*FREE, "--at", "2050"), "--at: 2050 is outside the run; give a date from 2022 to 2032"),
    ((*FREE, "-o", "out.txt"), "out.txt: unknown format; the name must end in .csv, .json, .png, .svg, .pdf"),
    ((*FREE, "-o", "cup.vsc/out.csv"), "cup.vsc/out.csv: cannot be written"),
    ((*FREE, "--method", "sobol", "-n", "100"), "samples: 100 is not a power of two"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), FAULTS, ids=[" ".join(words)[-40:] for words, _ in FAULTS])
def test_sensitivity_errors_are_one_line_with_the_cure(
    words: tuple[str, ...], message: str, cup: Path, sdmodel: Command
):
    """The exit code is 1."""
    (cup / "reversed.vsc").write_text("40,M,7\ncooling time=RANDOM_UNIFORM(4,1)\n", "utf-8")
    (cup / "nothing.vsc").write_text("40,M,7\n", "utf-8")
    (cup / "rows.tab").write_text("cooling time\n2\n3\n", "utf-8")
    (cup / "rows.vsc").write_text("2,F,7,rows.tab\n", "utf-8")
    done = sdmodel(*(ASK if "--on" not in words else ASK[:1]), *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), 'name the variable to analyse: --on "name"'),
        (
            (*ASK[1:], *FREE, "--group", "all"),
            "-e, --free, --group and --vary each choose what varies; give one of them",
        ),
        ((*ASK[1:], *FREE, "-n", "64"), "-n belongs to sobol, not to tornado; leave it out, or add --method sobol"),
        ((*ASK[1:], *FREE, "--method", "sobol", "--levels", "4"), "--levels belongs to morris"),
    ],
)
def test_conflicting_sensitivity_options_are_usage_errors(
    words: tuple[str, ...], message: str, tea: Path, sdmodel: Command
):
    """The exit code is 2."""
    done = sdmodel("sensitivity", *words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_missing_salib_is_one_line(tea: Path, sdmodel: Command, monkeypatch):
    """It is reported before the model is read; a tornado works without it."""
    monkeypatch.setitem(sys.modules, "SALib", None)
    done = sdmodel(*ASK, *FREE, "nowhere.mdl", "--method", "sobol")
    assert done.exit_code == 1
    assert done.stderr == 'the method needs SALib, which is not installed; pip install "sdmodel[sensitivity]"\n'
    assert sdmodel(*ASK, *FREE).exit_code == 0
