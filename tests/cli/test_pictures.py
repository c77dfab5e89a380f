"""What `run --plot` and `plot` draw of single runs: the page beside the model, and observations over the lines."""

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
    """The cup of tea with a page beside it."""
    (tea / "models" / "ai_compute.figure.csv").write_text(PAGE, "utf-8")
    return tea


@pytest.fixture
def measured(page: Path) -> Path:
    """The cup of tea with a page and measurements beside it."""
    (page / "models" / "data").mkdir()
    (page / "models" / "data" / "observations.csv").write_text(DATA, "utf-8")
    (page / "models" / "ai_compute.series.csv").write_text(MAPPING, "utf-8")
    return page


def _picture(folder: Path, *runs: str, **options: Any) -> Figure:
    paths = [folder / "runs" / f"{name}.nc" for name in runs]
    return figure_of({path: open_run(path) for path in paths}, **options)


def _titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]


def test_a_run_draws_the_page_beside_its_model(page: Path, sdmodel):
    """Its panels and the labels of its lines; nothing is said of observations, of which there are none."""
    done = sdmodel("run", "--plot", "--name", "a")
    assert (done.exit_code, done.stderr) == (0, "")
    assert (page / "runs" / "a.png").is_file()
    figure = _picture(page, "a")
    assert _titles(figure) == ["The cup", "Loss"]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["tea", "room"]


def test_observations_beside_the_model_are_points_with_their_sources(measured: Path, sdmodel):
    """Series about a variable by itself are plotted in its panel; a series about a formula is nowhere."""
    assert sdmodel("run", "--plot", "--name", "a").stderr == ""
    figure = _picture(measured, "a")
    cup, loss = figure.axes
    assert list(cup.containers[0].lines[0].get_ydata()) == [120, 110]
    low, high = cup.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == (118, 122)
    low, high = loss.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert low * high == pytest.approx(1)
    assert figure.get_supxlabel().splitlines()[-1] == "Observed: tea: A cook; loss: A smith"


def test_several_runs_share_the_page_and_the_points(measured: Path, sdmodel):
    """`plot` draws what `run --plot` does, of all runs."""
    sdmodel("run", "--name", "a")
    sdmodel("run", "--name", "b", "-c", "models/scenarios/cold.cin")
    assert sdmodel("plot", "a", "b", "--log").exit_code == 0
    figure = _picture(measured, "a", "b", logarithmic=True)
    cup, _ = figure.axes
    assert _titles(figure) == ["The cup", "Loss"]
    assert len(cup.containers) == 1
    assert cup.get_yscale() == "log"


def test_variables_that_are_asked_for_come_before_the_page(measured: Path, sdmodel):
    """With their observations."""
    sdmodel("run", "--name", "a")
    assert sdmodel("plot", "a", "--on", "heat loss").exit_code == 0
    figure = _picture(measured, "a", names=["heat loss"])
    assert _titles(figure) == ["heat loss"]
    assert len(figure.axes[0].containers) == 1


def test_what_a_run_was_stored_without_is_left_out_of_the_page_and_told(page: Path, sdmodel):
    """A panel of which nothing is left is not drawn; of a page of which nothing is left, the headlines are."""
    (page / "few.lst").write_text("heat loss\n", "utf-8")
    done = sdmodel("run", "--plot", "--save", "few.lst", "--name", "few")
    assert done.exit_code == 0
    assert "left out, since not all runs have them: Tea Temperature, room temperature" in done.stderr
    assert _titles(_picture(page, "few")) == ["Loss"]
    (page / "models" / "ai_compute.figure.csv").write_text("panel,model\nA,no such\n", "utf-8")
    assert _titles(_picture(page, "few")) == ["heat loss"]


def test_a_page_with_faults_is_told_and_the_run_is_stored(page: Path, sdmodel):
    """As anything that goes wrong after the run."""
    (page / "models" / "ai_compute.figure.csv").write_text("panel,model,scale\nA,heat loss,cubic\n", "utf-8")
    done = sdmodel("run", "--plot", "--name", "a")
    assert done.exit_code == 1
    assert "run 'a': is stored as" in done.stderr
    assert "ai_compute.figure.csv:2:1: 'cubic' is no scale; write linear or log" in done.stderr
    assert open_run(page / "runs" / "a.nc").attrs["model"]


def test_observations_with_faults_are_told_and_not_drawn(measured: Path, sdmodel):
    """The figure does without them."""
    (measured / "models" / "ai_compute.series.csv").write_text("name,model\n", "utf-8")
    done = sdmodel("run", "--plot", "--name", "a")
    assert done.exit_code == 0
    assert "observations are not plotted: models/ai_compute.series.csv:1:1: there is no column 'data'" in done.stderr
    assert "Observed" not in _picture(measured, "a").get_supxlabel()
