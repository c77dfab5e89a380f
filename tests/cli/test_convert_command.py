"""`sdmodel convert` and `sdmodel expand`: models and numbers for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdmodel.reading import read_model
from sdmodel.simulation import simulate
from sdmodel.store import open_run
from sdmodel.testing import model_text
from sdmodel.vensim import read_data

XMILE = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">
<sim_specs method="RK4" time_units="Months"><start>0</start><stop>10</stop><dt>0.5</dt></sim_specs>
<model><variables>
<stock name="Water\\nin Tank"><eqn>100</eqn><outflow>leak</outflow><units>l</units></stock>
<flow name="leak"><eqn>Water_in_Tank/{time}</eqn></flow>
</variables></model></xmile>
"""


def test_numbers_of_a_stored_run_and_of_a_model_are_equal(tea, sdmodel):
    """A stored run is converted as it is; a model is run first."""
    assert sdmodel("run", "--name", "base", "--set", "room temperature=60").exit_code == 0
    assert sdmodel("convert", "base", "-o", "run.dat", "--on", "Tea Temperature").output == "written to run.dat\n"
    assert sdmodel("convert", "-o", "model.dat", "--set", "room temperature=60").exit_code == 0
    stored, simulated = read_data("run.dat"), read_data("model.dat")
    assert list(stored) == ["Tea Temperature"]
    np.testing.assert_array_equal(stored["Tea Temperature"].values, simulated["Tea Temperature"].values)
    np.testing.assert_array_equal(stored["Tea Temperature"].values, open_run("runs/base.nc")["tea_temperature"])


def test_xmile_becomes_vensim_with_integrator_and_names(tea, sdmodel):
    """Runge-Kutta is kept; line breaks in names become blanks; other commands read the file as it is."""
    Path("tank.xmile").write_text(XMILE.format(time=4), "utf-8")
    result = sdmodel("convert", "tank.xmile", "-o", "tank.mdl")
    assert result.output == "written to tank.mdl: 6 elements\n"
    model = read_model("tank.mdl")
    assert model.integrator == "rk4"
    assert model["Water in Tank"].units == "l"
    assert simulate(model)["water_in_tank"][-1] == pytest.approx(100 * np.exp(-2.5), rel=1e-4)
    for words in (
        ("convert", "tank.xmile", "-o", "tank.csv"),
        ("run", "tank.xmile", "--name", "t"),
        ("levers", "tank.xmile"),
    ):
        assert sdmodel(*words).exit_code == 0
    assert sdmodel("rerun", "t").exit_code == 0


def test_what_is_left_out_of_a_file_in_xmile_is_noted_once(tea, sdmodel):
    """By every command that reads it: the numbers may not be those of the program that made it."""
    imported = '<data><import type="CSV" resource="flows.csv"/></data></xmile>'
    Path("tank.xmile").write_text(XMILE.format(time=4).replace("</xmile>", imported), "utf-8")
    line = "tank.xmile: data is not imported from 'flows.csv'; values are those of the file\n"
    for words in (("run", "tank.xmile"), ("levers", "tank.xmile"), ("check", "tank.xmile")):
        assert sdmodel(*words).stderr.count(line) == 1


def test_vensim_becomes_xmile_and_vensim_again(tea, sdmodel):
    """With its diagram; a file that is there is kept."""
    result = sdmodel("convert", "-o", "tea.stmx")
    assert result.output.startswith("written to tea.stmx: ")
    assert "exists already" in sdmodel("convert", "-o", "tea.stmx").stderr
    assert sdmodel("convert", "tea.stmx", "-o", "tea.mdl").exit_code == 0
    first, again = (simulate(read_model(path)) for path in ("models/ai_compute.mdl", "tea.mdl"))
    np.testing.assert_allclose(again["tea_temperature"].values, first["tea_temperature"].values, rtol=1e-12)


def test_an_old_sketch_is_left_out(tea, sdmodel):
    """A note says why; the equations are written all the same."""
    path = Path("models/ai_compute.mdl")
    old = "\n\\\\\\---/// Sketch information - do not modify anything except names\nV160\n*View 1\n|0,Price,79,49,47,8,0\n"
    path.write_text(path.read_text("utf-8") + old, "utf-8")
    done = sdmodel("convert", "models/ai_compute.mdl", "-o", "tea.stmx")
    assert done.exit_code == 0, done.output
    assert "'V160' is not a known version of the sketch format" in done.stderr
    assert "; the diagram is left out" in done.stderr
    assert read_model("tea.stmx")["Tea Temperature"].kind == "stock"


@pytest.mark.parametrize("words", [("edit", "tank.xmile", "set", "leak = 1"), ("diff", "tank.xmile", "tank.xmile")])
def test_xmile_is_not_edited(tea, sdmodel, words):
    """The cure is to convert it."""
    Path("tank.xmile").write_text(XMILE.format(time=4), "utf-8")
    result = sdmodel(*words)
    assert result.exit_code == 1
    assert "convert it with `sdmodel convert tank.xmile -o tank.mdl`" in result.stderr


def test_xmile_with_an_unknown_function_is_refused(tea, sdmodel):
    """The element, its line and the function are named; nothing is written."""
    Path("tank.xmile").write_text(XMILE.format(time="GEOMETRIC(0.2)"), "utf-8")
    result = sdmodel("convert", "tank.xmile", "-o", "tank.mdl")
    assert result.exit_code == 1
    assert "tank.xmile:6:38: 'leak': GEOMETRIC is not supported" in result.stderr
    assert not Path("tank.mdl").exists()


def test_an_incomplete_equation_is_named_in_the_model(tea, sdmodel):
    """The line is that of the model, not of the file that would be written."""
    Path("draft.mdl").write_text(model_text("y = 3\nx = A FUNCTION OF(y)"), "utf-8")
    result = sdmodel("convert", "draft.mdl", "-o", "draft.stmx")
    assert (result.exit_code, Path("draft.stmx").exists()) == (1, False)
    assert result.stderr.startswith("draft.mdl:")
    assert "the equation of 'x' is incomplete" in result.stderr


def test_one_member_of_an_ensemble_is_converted(tea, sdmodel):
    """A `.dat` file holds a single run."""
    Path("e.vsc").write_text("3,M,1,,0\ncooling time=RANDOM_UNIFORM(1,3)\n", "utf-8")
    assert sdmodel("ensemble", "-e", "e.vsc", "--name", "e").exit_code == 0
    assert "choose" not in sdmodel("convert", "e", "-o", "e.dat", "--member", "2").output
    result = sdmodel("convert", "e", "-o", "f.dat")
    assert result.exit_code == 1
    assert "--member" in result.stderr
    result = sdmodel("convert", "e", "-o", "f.dat", "--member", "3")
    assert "there are members 0 to 2" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("convert", "base", "-o", "x.xls"), "unknown format; numbers go into .csv"),
        (("convert", "-o", "x.mdl"), "`sdmodel expand` writes a Vensim model without subscripts"),
        (("convert", "nobody", "-o", "x.csv"), "is not in"),
        (("convert", "base", "-o", "x.csv", "--set", "a=1"), "are for a model; a stored run cannot be changed"),
        (("expand", "-o", "x.txt"), "ends in .mdl"),
    ],
)
def test_convert_errors_are_one_line(tea, sdmodel, words, message):
    """With a non-zero exit code."""
    sdmodel("run", "--name", "base")
    result = sdmodel(*words)
    assert result.exit_code in (1, 2)
    assert message in result.stderr


def test_model_is_written_without_subscripts(tea, sdmodel):
    """An existing file is kept unless `--force` is given."""
    Path("models/a.mdl").write_text(Path("models/ai_compute.mdl").read_text("utf-8").replace("room temperature = 70", "d: x, y ~ ~ |\nq[d] = 3, 4 ~ ~ |\nroom temperature = SUM(q[d!])*10"), "utf-8")  # fmt: skip
    assert (
        sdmodel("expand", "models/a.mdl", "-o", "b.mdl").output
        == "written to b.mdl: 10 variables, none with subscripts\n"
    )
    assert set(simulate(read_model("b.mdl"))["room_temperature"].values) == {70}
    assert "exists already" in sdmodel("expand", "models/a.mdl", "-o", "b.mdl").stderr
