"""String variables under a scenario: the files, sheets and cells that data is read from, what a run records, and what is refused."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

import sdmodel as sd
from sdmodel.dataset import SOURCES
from sdmodel.errors import ModelError, ScenarioError, SimulationError
from sdmodel.testing import model_text
from sdmodel.vensim import read_scenario, scenario_text

EQUATIONS = """
    place: GET DIRECT SUBSCRIPT(source, ',', 'B1', 'C1', '')
    c[place] = GET DIRECT CONSTANTS(source, ',', cell)
    total = SUM(c[place!]) * factor
    stock = INTEG(total, 0)
    factor = 1
    source :IS: 'a.csv'
    cell :IS: 'B2'
"""


@pytest.fixture
def folder(tmp_path):
    """A model with two tables, of which its string variable names one."""
    (tmp_path / "m.mdl").write_text(model_text(EQUATIONS, final=2), "utf-8")
    (tmp_path / "a.csv").write_text(",North,South\n,1,2\n,3,4\n", "utf-8")
    (tmp_path / "b.csv").write_text(",East,West\n,10,20\n,30,40\n", "utf-8")
    (tmp_path / "b.cin").write_text("SOURCE :IS: 'b.csv'\nfactor = 2\n", "utf-8")
    return tmp_path


def scenario(folder, text):
    (folder / "s.cin").write_text(text, "utf-8")
    return folder / "s.cin"


def test_a_scenario_chooses_the_file_and_the_cell(folder):
    """Labels and numbers come from there; the last change of a text wins; the model itself stays as it is."""
    model = sd.read_model(folder / "m.mdl")
    assert float(sd.simulate(model)["total"][0]) == 3
    found = sd.simulate(model, scenario=folder / "b.cin")
    assert (float(found["total"][0]), found["place"].values.tolist()) == (60, ["East", "West"])
    both = [folder / "b.cin", scenario(folder, "source :is: 'x.csv'\nsource :IS: 'a.csv' ~ ~ a note |\ncell :IS: 'B3'")]
    assert float(sd.simulate(model, scenario=both)["total"][0]) == 14
    assert model.texts == {"source": "a.csv", "cell": "B2"}
    assert sd.read_model(folder / "m.mdl", texts=read_scenario(folder / "b.cin").texts)["c"].dimensions == ("place",)


def test_all_that_takes_a_scenario_reads_the_model_again(folder):
    """Prepared runs, steps, WebAssembly, sweeps and checks see the other file; the model is read once for all of them."""
    model, other = sd.read_model(folder / "m.mdl"), folder / "b.cin"
    assert sd.compile_model(model, save=["total"], scenario=other)()["total"][0] == 60
    assert float(sd.open_simulation(model, scenario=other)["total"]) == 60
    assert "c[east]" in str(sd.compile_wasm(model, save=["total"], scenario=other).description).casefold()
    assert sd.sweep_levers(model, {"factor": [1, 3]}, scenario=other)["total"].values[0].tolist() == [30, 60, 90]
    assert not [found for found in sd.check_model(model, scenario=other) if found.level == "error"]
    (folder / "b.csv").unlink()
    assert float(sd.simulate(model, scenario=other)["total"][0]) == 60


def test_runs_record_the_file_that_was_read(folder):
    """With its hash, and the texts, from which a run goes on as it began."""
    model = sd.read_model(folder / "m.mdl")
    found = sd.simulate(model, scenario=folder / "b.cin")
    assert found.attrs[SOURCES] == f"{hashlib.sha256((folder / 'b.csv').read_bytes()).hexdigest()}  b.csv"
    further = sd.simulate(model, start=found, at=1)
    assert further["stock"].values.tolist() == [60, 120]
    with pytest.raises(SimulationError, match="goes on from another keeps its texts; leave out the change of 'source'"):
        sd.simulate(model, start=found, at=1, scenario=scenario(folder, "source :IS: 'a.csv'"))


def test_attribution_refuses_a_text_as_a_lever(folder):
    """In the baseline it may stand."""
    model = sd.read_model(folder / "m.mdl")
    lever = scenario(folder, "factor = 3")
    found = sd.attribute_levers(model, lever, save=["stock"], baseline=folder / "b.cin")
    assert float(found["stock"].sel(measure="alone").isel(time=-1).item()) == 60
    with pytest.raises(
        ScenarioError, match=r"b.cin:1:1: the text 'SOURCE' is not a lever; change it in the baseline too"
    ):
        sd.attribute_levers(model, folder / "b.cin", save=["stock"])


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("sources :IS: 'b.csv'", ScenarioError, "s.cin:1:1: 'sources' is not a string variable of the model; did you mean 'source'"),
        ("factor :IS: 'b.csv'", ScenarioError, "'factor' is not a string variable of the model"),
        ("source :IS: b.csv", ScenarioError, "s.cin:1:1: the new text of 'source' stands between single quotes"),
        ("source :IS: 'none.csv'", ModelError, "'none.csv': there is no such file"),
        ("source :IS: '../b.csv'", ModelError, "outside of the model's folder"),
    ],
)  # fmt: skip
def test_wrong_changes_of_texts_are_refused(folder, text, error, message):
    """With their place, and what a model may read is the same under a scenario."""
    model = sd.read_model(folder / "m.mdl")
    with pytest.raises(error, match=message):
        sd.simulate(model, scenario=scenario(folder, text))


def test_the_allowed_folders_and_data_files_are_those_of_the_model(folder, tmp_path_factory):
    """A file in an allowed folder, and a series from a file, are there under a scenario too."""
    outside = tmp_path_factory.mktemp("outside")
    (folder / "b.csv").rename(outside / "b.csv")
    (folder / "h.csv").write_text("time,history\n0,7\n", "utf-8")
    (folder / "m.mdl").write_text(model_text(EQUATIONS + "    history\n    seen = history + 0", final=2), "utf-8")
    model = sd.read_model(folder / "m.mdl", data=folder / "h.csv", allow_files=[outside])
    found = sd.simulate(model, scenario=scenario(folder, f"source :IS: '{outside.as_posix()}/b.csv'"))
    assert (float(found["total"][0]), float(found["seen"][0])) == (30, 7)
    given = sd.with_data(model, {"history": pd.Series([1.0, 2.0], index=[0, 1])})
    with pytest.raises(ScenarioError, match="a text cannot change after data is given from Python"):
        sd.simulate(given, scenario=folder / "b.cin")


def test_a_scenario_is_written_with_its_texts(folder):
    """Reading the text gives the same changes."""
    own = read_scenario(folder / "b.cin")
    again = read_scenario(scenario(folder, scenario_text(own.changes, texts=own.texts)))
    assert (again.texts, again.changes[0].values) == (own.texts, own.changes[0].values)
