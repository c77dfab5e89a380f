"""`write_explorer` and `sdmodel explore`: what the file holds, what it refuses, and what it leaves out with a warning."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import sdmodel as sd
from sdmodel.cli import main
from sdmodel.errors import ScenarioError
from sdmodel.explore import make_explorer, write_explorer
from sdmodel.testing import block_text, model_text, tiny_model
from sdmodel.vensim import model_from_text

PROJECT = Path(__file__).resolve().parents[2]
FLAGSHIP = PROJECT / "models" / "ai_compute.mdl"

ARRAYS = """
region: north, south
	~	~|
share[region] = 0.2, 0.3
	~	Dmnl [0,1,0.1]
	~	Of income.
	|
Stock[region] = INTEG(share[region] * SMOOTH(total, 2), 10)
	~	person
	~	|
total = SUM(Stock[region!])
	~	person
	~	|
"""


@pytest.fixture(scope="module")
def flagship() -> str:
    """The text of the flagship's page."""
    return make_explorer(sd.read_model(FLAGSHIP)).text


def _part(text: str, name: str) -> bytes:
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', text)
    assert found, name
    return zlib.decompress(base64.b64decode(found[1]))


def _contents(text: str) -> dict[str, Any]:
    return json.loads(_part(text, "contents"))


def test_flagship_has_its_levers_panels_scenarios_and_observations(flagship: str):
    """In the groups and panels of the files beside the model."""
    found = _contents(flagship)
    groups = [lever["group"] for lever in found["levers"]]
    assert {name: groups.count(name) for name in groups} == {"Policy levers": 16, "Uncertainties": 8, "Switches": 4}
    hurdle = next(one for one in found["levers"] if found["module"]["inputs"][one["input"]]["cell"] == "hurdle rate")
    assert (hurdle["range"], hurdle["step"], hurdle["plausible"]) == ([0.02, 0.6], 0.01, [0.07, 0.2])
    assert [panel["title"] for panel in found["panels"]][:2] == ["Ghost compute", "Installed compute"]
    scales = {panel["title"]: panel["scale"] for panel in found["panels"]}
    assert (scales["Token volume"], scales["Revenue per GW"], scales["Order coverage"]) == ("log", "linear", "")
    assert {scenario["name"] for scenario in found["scenarios"]} == {
        path.stem for path in FLAGSHIP.parent.glob("scenarios/*.cin")
    }
    assert all(len(point) == 4 for series in found["observations"] for point in series["points"])
    assert found["observations"]
    assert [view["name"] for view in found["views"]][:3] == ["Overview", "Control", "Chips"]
    assert found["marks"][0]["label"] == "policy start"


def test_file_is_small_and_complete(flagship: str):
    """It is below 500 kB, refers to nothing, and its policy allows its own script and style only."""
    assert len(flagship.encode()) < 500_000
    assert not re.search(
        r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|@import|url\(""", flagship.replace("http://www.w3.org/2000/svg", "")
    )
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', flagship)[1])
    script, style = (
        re.search(rf"<{tag}>(.*?)</{tag.split()[0]}>", flagship, re.DOTALL)[1]
        for tag in ('script type="module"', "style")
    )
    for text in (script, style):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].split()[1:] == ["'wasm-unsafe-eval'"]
    assert set(rules) == {"default-src", "script-src", "style-src", "worker-src", "base-uri", "form-action"}
    assert "import " not in re.sub(r"//.*|/\*.*?\*/|`[^`]*`|\"[^\"]*\"", "", script)


def test_members_are_stored_to_the_last_bit(tmp_path: Path):
    """In the order of the design; with 300 of them the flagship's page stays below 1 MB."""
    model = sd.read_model(FLAGSHIP)
    design = sd.make_design(model, sd.read_sampling(FLAGSHIP.with_suffix(".vsc")), count=300)
    text = write_explorer(model, tmp_path / "members.html", design=design).read_text("utf-8")
    assert len(text.encode()) < 1_000_000
    found = _contents(text)
    cells = [found["module"]["inputs"][place]["cell"] for place in found["members"]["inputs"]]
    stored = (
        np.frombuffer(_part(text, "members"), np.uint8).reshape(8, -1).T.copy().view("<f8").reshape(300, len(cells))
    )
    assert np.array_equal(stored.T, design.values(0, 300))
    assert cells[:2] == ["jump size", "jump date"]


def test_model_with_subscripts_and_nothing_beside_it():
    """One slider per cell, one panel per headline with a line per label; what is inside a SMOOTH belongs to its user."""
    found = _contents(make_explorer(model_from_text(model_text(ARRAYS), "arrays.mdl")).text)
    inputs = found["module"]["inputs"]
    assert [(inputs[one["input"]]["cell"], one["range"], one["declared"]) for one in found["levers"]] == [
        ("share[north]", [0, 1], True),
        ("share[south]", [0, 1], True),
    ]
    (panel,) = found["panels"]
    assert (panel["title"], [line["label"] for line in panel["lines"]]) == ("Stock", ["north", "south"])
    variables = {one["name"]: one for one in found["variables"]}
    names = list(variables)
    assert {names[place] for place in variables["Stock"]["causes"]} >= {"share", "total"}
    assert names.index("Stock") in variables["total"]["causes"]
    assert names.index("Stock") in variables["share"]["uses"]
    assert found["subscripts"] == {"region": ["north", "south"]}
    assert len(found["views"]) == 1


def test_levers_without_a_range_get_one():
    """From zero to twice the value, on its side of zero; a step of a power of ten."""
    found = _contents(make_explorer(tiny_model("S = INTEG(a + b + c, 0)\na = 5\nb = -0.4\nc = 0")).text)
    ranges = {
        found["module"]["inputs"][one["input"]]["name"]: (one["range"], one["step"], one["declared"])
        for one in found["levers"]
    }
    assert ranges == {"a": ([0, 10], 0.1, False), "b": ([-0.8, 0], 0.001, False), "c": ([0, 1], 0.01, False)}


def test_stored_runs_are_drawn_as_they_were(tmp_path: Path):
    """Only what panels and headlines show; a run with members is refused."""
    model = tiny_model("S = INTEG(a, 0)\na = 5\nother = S * 2")
    run = sd.simulate(model, {"a": 7})
    (stored,) = _contents(make_explorer(model, runs={"seven": run}).text)["runs"]
    assert stored["about"] == "a = 7.0"
    assert list(stored["series"].values()) == [run["s"].values.tolist()]
    with pytest.raises(sd.ReportError, match="run 'many': varies along member"):
        make_explorer(model, runs={"many": sd.simulate(model, {"a": [1, 2]})})


def test_scenarios_that_a_page_cannot_run_are_left_out_with_a_warning(tmp_path: Path):
    """Times and lookups are part of the compiled model; a file with faults is named."""
    file = tmp_path / "m.mdl"
    file.write_text(model_text("S = INTEG(t(Time) * a, 0)\nt((0,1),(10,1))\na = 1"), "utf-8")
    (tmp_path / "scenarios").mkdir()
    texts = {"good": "a = 2\n", "longer": "FINAL TIME = 20\n", "table": "t((0,2),(10,3))\n", "faulty": "b = 1\n"}
    for name, text in texts.items():
        (tmp_path / "scenarios" / f"{name}.cin").write_text(text, "utf-8")
    model = sd.read_model(file)
    with pytest.warns(UserWarning, match="is left out") as caught:
        found = _contents(make_explorer(model).text)
    assert [scenario["name"] for scenario in found["scenarios"]] == ["good"]
    messages = sorted(str(warning.message) for warning in caught)
    assert ["faulty" in messages[0], "FINAL TIME" in messages[1], "cannot change t" in messages[2]] == [True] * 3
    with pytest.raises(ScenarioError):
        make_explorer(model, scenarios={"faulty": sd.read_scenario(tmp_path / "scenarios" / "faulty.cin")})


def test_bad_input_gets_one_line(tmp_path: Path):
    """A name that is not in the model, a file that exists, another ending, a model too large, a model that cannot run."""
    model = tiny_model("S = INTEG(a, 0)\na = 5")
    (tmp_path / "a.html").write_text("old", "utf-8")
    with pytest.raises(sd.DatasetError, match="'Stok' is not a variable of tiny.mdl"):
        write_explorer(model, tmp_path / "b.html", on=["Stok"])
    with pytest.raises(sd.ReportError, match="exists already"):
        write_explorer(model, tmp_path / "a.html")
    with pytest.raises(sd.ReportError, match=r"end in \.html"):
        write_explorer(model, tmp_path / "a.pdf")
    labels = ", ".join(f"r{place}" for place in range(10_001))
    large = model_from_text(
        model_text(f"R: {labels}\n\t~\t~|\nx[R] = Time\n\t~\t~|\ny[R] = x[R]\n\t~\t~|"), "large.mdl"
    )
    with pytest.raises(sd.SdmodelError, match=r"large\.mdl|page"):
        write_explorer(large, tmp_path / "c.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html"]


def test_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With members of the file beside the model, a stored run and model errors; replaced only with --force."""
    monkeypatch.chdir(tmp_path)
    text = model_text(
        block_text("S = INTEG(a, 1)", units="t") + "\n\n" + block_text("a = 0.5", units="t/Year [0,1,0.1]")
    )
    Path("m.mdl").write_text(text, "utf-8")
    Path("m.vsc").write_text("8,L,1,,0\na=RANDOM_UNIFORM(0.2,0.8)\n", "utf-8")
    Path("m.error.csv").write_text("series,model,last,horizon,forecasts,error\nseen,S,2,,5,0.3\n", "utf-8")
    assert CliRunner().invoke(main, ["run", "m.mdl", "--name", "mine"]).exit_code == 0
    words = ["explore", "m.mdl", "-n", "5", "--run", "mine", "-o", "page.html"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "written to page.html" in done.stdout
    found = _contents(Path("page.html").read_text("utf-8"))
    assert (found["members"]["count"], [run["name"] for run in found["runs"]]) == (5, ["mine"])
    assert found["errors"][0]["sizes"] == [0, 0, 0, *[0.3] * 8]
    assert found["levers"][0]["plausible"] == [0.2, 0.8]
    again = CliRunner().invoke(main, words)
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)
    assert CliRunner().invoke(main, [*words, "--force"]).exit_code == 0


def test_report_embeds_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In a frame without rights, by --explore only; the report's policy allows the script of the page alone."""
    monkeypatch.chdir(tmp_path)
    Path("m.mdl").write_text(model_text("S = INTEG(a, 1)\na = 0.5"), "utf-8")
    assert CliRunner().invoke(main, ["run", "m.mdl", "--name", "mine"]).exit_code == 0
    for words, framed in ((["-o", "plain.html"], False), (["-o", "framed.html", "--explore"], True)):
        done = CliRunner().invoke(main, ["report", "mine", *words])
        assert done.exit_code == 0, done.output
        text = Path(words[1]).read_text("utf-8")
        assert ("<iframe" in text, "script-src" in text) == (framed, framed)
    frame = re.search(r'<iframe title="[^"]*" sandbox="allow-scripts allow-downloads" srcdoc="([^"]*)"', text)
    assert _contents(html.unescape(frame[1]))["runs"][0]["name"] == "mine"
