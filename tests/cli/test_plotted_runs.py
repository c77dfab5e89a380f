"""Figures of single runs by `run --plot` and `plot`: the figure file beside the model, and observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from sdmodel.cli.views.run_figures import figure_of
from sdmodel.store import open_run

PAGE = "panel,model,label,scale\nThe cup,Tea Temperature,tea,\nThe cup,room temperature,room,\nLoss,heat loss,,\n"
DATA = "series,date,value,source\nthermometer,2024-01-01,120,A cook\nthermometer,2025-01-01,110,A cook\nclock,2024-01-01,1,A smith\n"
MAPPING = (
    "name,model,data,error,size\n"
    "tea,Tea Temperature,thermometer,absolute,2\n"
    "half,Tea Temperature/2,thermometer,relative,10%\n"
    "loss,heat loss,clock,log,0.1\n"
)


@pytest.fixture
def page(tea: Path) -> Path:
    """The tea project with a figure file beside its model."""
    (tea / "models" / "ai_compute.figure.csv").write_text(PAGE, "utf-8")
    return tea


@pytest.fixture
def measured(page: Path) -> Path:
    """The tea project with a figure file and measurements beside its model."""
    (page / "models" / "data").mkdir()
    (page / "models" / "data" / "observations.csv").write_text(DATA, "utf-8")
    (page / "models" / "ai_compute.series.csv").write_text(MAPPING, "utf-8")
    return page


def _figure(folder: Path, *runs: str, **options: Any) -> Figure:
    paths = [folder / "runs" / f"{name}.nc" for name in runs]
    return figure_of({path: open_run(path) for path in paths}, **options)


def _titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]


def test_run_plots_the_figure_file_beside_its_model(page: Path, sdmodel):
    """Its panels and line labels; no note about observations, as there are none."""
    done = sdmodel("run", "--plot", "--name", "a")
    assert (done.exit_code, done.stderr) == (0, "")
    assert (page / "runs" / "a.png").is_file()
    figure = _figure(page, "a")
    assert _titles(figure) == ["The cup", "Loss"]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["tea", "room"]


def test_six_panels_are_plotted_unless_all_are_requested(page: Path, sdmodel):
    """A note says so; variables that are named are all plotted."""
    many = "".join(f"Panel {place},heat loss,,\n" for place in range(8))
    (page / "models" / "ai_compute.figure.csv").write_text(f"panel,model,label,scale\n{many}", "utf-8")
    done = sdmodel("run", "--plot", "--name", "a")
    assert done.stderr == "the figure shows the first 6 of 8 panels; --all shows the rest, --on chooses others\n"
    assert sdmodel("plot", "a", "--all", "--force").stderr == ""
    assert [len(_titles(_figure(page, "a", every=every))) for every in (False, True)] == [6, 8]


def test_extrapolation_is_lighter_in_every_kind_of_figure(page: Path, sdmodel):
    """Runs, ensembles, differences, sweeps and attributions: the page beside the model says from when on."""
    with (page / "models" / "ai_compute.figure.csv").open("a", encoding="utf-8") as file:
        file.write("extrapolation from,2023,,\n")
    cold = ("-c", "models/scenarios/cold.cin")
    sdmodel("run", "--name", "a")
    sdmodel("run", "--name", "b", *cold)
    sdmodel("sweep", "--lever", "room temperature=10,20", "--on", "heat loss", "--name", "swept")
    sdmodel("attribute", *cold, "--name", "levers")
    assert sdmodel("compare", "a", "b", "-o", "a.svg").exit_code == 0
    for name in ("swept", "levers"):
        assert sdmodel("plot", name, "-o", f"{name}.svg").exit_code == 0
    for name in ("a", "a.differences", "swept", "levers"):
        assert 'id="extrapolation"' in (page / f"{name}.svg").read_text("utf-8"), name


def test_observations_are_plotted_with_their_sources(measured: Path, sdmodel):
    """A series about one variable is plotted in its panel; a series about a formula is not plotted."""
    assert sdmodel("run", "--plot", "--name", "a").stderr == ""
    figure = _figure(measured, "a")
    cup, loss = figure.axes
    assert list(cup.containers[0].lines[0].get_ydata()) == [120, 110]
    low, high = cup.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == (118, 122)
    low, high = loss.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert low * high == pytest.approx(1)
    assert figure.get_supxlabel().splitlines()[-1] == "Observed: tea: A cook; loss: A smith"


def test_several_runs_share_the_panels_and_observations(measured: Path, sdmodel):
    """`plot` shows what `run --plot` does, for all runs."""
    sdmodel("run", "--name", "a")
    sdmodel("run", "--name", "b", "-c", "models/scenarios/cold.cin")
    assert sdmodel("plot", "a", "b", "--log").exit_code == 0
    figure = _figure(measured, "a", "b", logarithmic=True)
    cup, _ = figure.axes
    assert _titles(figure) == ["The cup", "Loss"]
    assert len(cup.containers) == 1
    assert cup.get_yscale() == "log"


def test_requested_variables_replace_the_figure_file(measured: Path, sdmodel):
    """With their observations."""
    sdmodel("run", "--name", "a")
    assert sdmodel("plot", "a", "--on", "heat loss").exit_code == 0
    figure = _figure(measured, "a", names=["heat loss"])
    assert _titles(figure) == ["heat loss"]
    assert len(figure.axes[0].containers) == 1


def test_unsaved_variables_are_left_out_of_the_figure_with_a_note(page: Path, sdmodel):
    """Empty panels are dropped; if all are empty, the headlines are plotted."""
    (page / "few.lst").write_text("heat loss\n", "utf-8")
    done = sdmodel("run", "--plot", "--save", "few.lst", "--name", "few")
    assert done.exit_code == 0
    assert "left out, since not all runs have them: Tea Temperature, room temperature" in done.stderr
    assert _titles(_figure(page, "few")) == ["Loss"]
    (page / "models" / "ai_compute.figure.csv").write_text("panel,model\nA,no such\n", "utf-8")
    assert _titles(_figure(page, "few")) == ["heat loss"]


def test_fault_in_the_figure_file_keeps_the_run(page: Path, sdmodel):
    """As for any error after the run."""
    (page / "models" / "ai_compute.figure.csv").write_text("panel,model,scale\nA,heat loss,cubic\n", "utf-8")
    done = sdmodel("run", "--plot", "--name", "a")
    assert done.exit_code == 1
    assert "run 'a': is stored as" in done.stderr
    assert "ai_compute.figure.csv:2:1: 'cubic' is not a scale; write linear or log" in done.stderr
    assert open_run(page / "runs" / "a.nc").attrs["model"]


def test_faulty_observations_are_reported_and_not_plotted(measured: Path, sdmodel):
    """The figure is plotted without them."""
    (measured / "models" / "ai_compute.series.csv").write_text("name,model\n", "utf-8")
    done = sdmodel("run", "--plot", "--name", "a")
    assert done.exit_code == 0
    assert "observations are not plotted: models/ai_compute.series.csv:1:1: there is no column 'data'" in done.stderr
    assert "Observed" not in _figure(measured, "a").get_supxlabel()


def test_plot_suggests_names_that_contain_the_word(tea: Path, sdmodel):
    """A short word is not close to any name, but is part of some."""
    sdmodel("run", "--name", "a")
    errors = sdmodel("plot", "a", "--on", "room").stderr
    assert errors == "run 'a': 'room' is not in the run; did you mean 'room temperature'?\n"


def test_plot_shows_a_repeated_variable_once(tea: Path, sdmodel):
    """Whatever its spelling."""
    sdmodel("run", "--name", "a")
    assert sdmodel("plot", "a", "--on", "heat loss", "--on", "Heat_Loss").exit_code == 0


def test_runs_without_common_headlines_need_a_choice(tea: Path, sdmodel):
    """Variables that only some of the runs have are not a default."""
    sdmodel("run", "--name", "a")
    (tea / "other.mdl").write_text((tea / "models" / "ai_compute.mdl").read_text("utf-8").replace("Tea Temp", "Temp"))
    sdmodel("run", "other.mdl", "--name", "b")
    done = sdmodel("plot", "a", "b")
    assert (done.exit_code, done.stderr) == (1, "the runs share no headline variable; choose with --on\n")


def test_plot_shows_requested_variables_of_several_runs(tea: Path, sdmodel):
    """Into the given file, never over an existing one."""
    for name, room in (("a", 50), ("b", 60)):
        sdmodel("run", "--name", name, "--set", f"room temperature = {room}")
    done = sdmodel("plot", "a", "b", "--on", "heat loss", "-o", "both.svg")
    assert (done.exit_code, done.stdout) == (0, "plotted in both.svg\n")
    again = sdmodel("plot", "a", "b", "-o", "both.svg")
    message = "both.svg: exists already; name another with -o, or --force to replace it\n"
    assert (again.exit_code, again.stderr) == (1, message)
    assert sdmodel("plot", "a", "b").stdout == "plotted in runs/a+b.png\n"
    assert "did you mean 'heat loss'" in sdmodel("plot", "a", "--on", "heat los").stderr
