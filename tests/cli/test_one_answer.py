"""One answer everywhere: terminal, JSON, stored file, figure and report give the same numbers, signs and captions."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from sdmodel.cli.views.sweep import sweep_figure
from sdmodel.comparison import Outcome
from sdmodel.numerals import format_number, format_percent
from sdmodel.report import Section, Table, build_report
from sdmodel.store import open_run

Command = Callable[..., Result]
SAMPLING = "40,L,7\ncooling time=RANDOM_TRIANGULAR(1,4,1,2,4)\n"
COLD = ("-c", "cold")


@pytest.fixture
def cup(tea: Path) -> Path:
    """A cup of tea with a plausible range of its uncertain constant."""
    (tea / "models" / "ai_compute.vsc").write_text(SAMPLING, "utf-8")
    return tea


def _printed(done: Result) -> list[list[str]]:
    """The cells of all tables that a command printed, row by row."""
    assert done.exit_code == 0, done.output
    return [re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines()]


def _section(runs: list[str], heading: str, **options: object) -> Section:
    opened = {Path(run).stem: open_run(run) for run in runs}
    page = build_report(opened, **options)  # type: ignore[arg-type]
    return next(part for part in page.sections if part.heading == heading)


def _tables(section: Section) -> Iterator[Table]:
    return (part for part in section.parts if isinstance(part, Table))


def _row(rows: list[list[str]], name: str) -> list[str]:
    return next(row for row in rows if row[0] == name)


def test_a_run_and_a_comparison(cup: Path, sdmodel: Command):
    """Values at a date, and the difference from the first run in per cent."""
    printed = _printed(sdmodel("run", "--name", "base"))
    sdmodel("run", *COLD, "--name", "cold")
    table = _printed(sdmodel("compare", "base", "cold", "--on", "Tea Temperature", "--at", "2026"))
    record = json.loads(sdmodel("compare", "base", "cold", "--on", "Tea Temperature", "--at", "2026", "--json").stdout)
    base, cold = (open_run(f"runs/{name}.nc")["tea_temperature"].sel(time=2026) for name in ("base", "cold"))
    value, other = format_number(float(base)), format_number(float(cold))
    share = format_percent(100 * float(cold / base - 1))
    assert printed[0][printed[0].index("2026")] == "2026"
    assert _row(printed, "Tea Temperature")[printed[0].index("2026")] == value
    (report,) = _tables(_section(["runs/base.nc", "runs/cold.nc"], "Headlines", on=["Tea Temperature"], at=[2026]))
    assert report.rows == (("Tea Temperature", "°F", value, other, share),)
    cells = " ".join(cell for row in table for cell in row)
    assert value in cells
    assert other in cells
    assert share in cells
    assert share.startswith("-")
    numbers = json.dumps(record)
    assert repr(float(cold)) in numbers


@pytest.mark.parametrize("members", [(), ("-n", "20")])
def test_an_attribution(members: tuple[str, ...], cup: Path, sdmodel: Command):
    """The same rows in the same order, at the requested date or where the difference is greatest."""
    words = ("attribute", *COLD, "--set", "cooling time=3", *members, "--on", "Tea Temperature", "--name", "levers")
    printed = _printed(sdmodel(*words, "--force", "--at", "2024"))
    path = ["runs/levers.nc"]
    (report,) = _tables(_section(path, "Levers of levers", on=["Tea Temperature"], at=[2024]))
    start = next(place for place, row in enumerate(printed) if row[0].startswith("Tea Temperature at 2024"))
    assert printed[start][1:] == list(report.columns[1:])
    assert report.caption == "Tea Temperature at 2024, °F"
    found = [tuple(filter(None, row)) for row in report.rows]
    assert [tuple(row) for row in printed[start + 2 : start + 2 + len(found)]] == found
    assert (" – " in found[-1][-1]) is bool(members)  # the band of the whole
    default = _printed(sdmodel(*words, "--force"))
    (own,) = _tables(_section(path, "Levers of levers", on=["Tea Temperature"]))
    assert any(row[0] == own.caption.replace(", °F", "") + ", °F" for row in default)
    record = json.loads(sdmodel("show", "levers", "--json").stdout)["variables"][0]
    assert f"at {record['time']}," in own.caption


def test_an_ensemble(cup: Path, sdmodel: Command):
    """Medians and bands, those that the command prints."""
    printed = _printed(sdmodel("ensemble", "--name", "many", "--on", "Tea Temperature"))
    (report,) = _tables(_section(["runs/many.zarr"], "Ensemble many", on=["Tea Temperature"], at=[2024]))
    place = printed[0].index("2024")
    rows = printed[2:5]
    assert [row[0] for row in rows] == [row[0] for row in report.rows]
    assert [row[place] if row[0] == "Tea Temperature" else row[place - 1] for row in rows] == [
        row[-1] for row in report.rows
    ]
    run = open_run("runs/many.zarr")["tea_temperature"].sel(time=2024)
    assert report.rows[0][-1] == format_number(float(np.median(run)))


@pytest.mark.parametrize("members", [(), ("-n", "20")])
def test_a_sweep(members: tuple[str, ...], cup: Path, sdmodel: Command):
    """The lever across the table is across the map; both show the same numbers, the map with three digits."""
    model = cup / "models" / "ai_compute.mdl"
    text = model.read_text("utf-8").replace("/cooling time", "/cooling time/cup size")
    model.write_text(
        text.replace("cooling time = 2.5", "cup size = 1 ~ Dmnl ~ judgement: one. |\ncooling time = 2.5"), "utf-8"
    )
    model.with_suffix(".vsc").write_text("40,L,7\ncup size=RANDOM_UNIFORM(0.5,1.5)\n", "utf-8")
    levers = ("--lever", "room temperature=60,70,80", "--lever", "cooling time=1,2.5")
    words = ("sweep", *levers, *members, "--on", "Tea Temperature", "--at", "2024", "--name", "grid")
    done = sdmodel(*words)
    printed = _printed(done)
    across = next(row[0] for row in printed if row[0].startswith("across: ")).removeprefix("across: ")
    start = next(place for place, row in enumerate(printed) if row[0] == "room temperature (°F)")
    figure = sweep_figure(open_run("runs/grid.nc"), ["Tea Temperature"], outcomes=[Outcome(at=2024)])
    axes = next(axes for axes in figure.axes if axes.get_xlabel())
    assert (axes.get_xlabel(), axes.get_ylabel()) == (across, "room temperature (°F)")
    cells = [cell for row in printed[start + 2 : start + 5] for cell in row[1:]]
    shown = [text.get_text() for text in axes.texts if text.get_text()]
    assert sorted(map(float, shown)) == pytest.approx(sorted(map(float, cells)), rel=5e-3)
    rows = list(csv.DictReader(io.StringIO(sdmodel(*words, "--force", "--format", "csv").stdout)))
    own = open_run("runs/grid.nc")["tea_temperature"].sel(time=2024)
    own = own.median("member") if members else own
    values = [float(row["value.median" if members else "value"]) for row in rows]
    assert np.allclose(values, own.transpose("room_temperature", "cooling_time").values.ravel())


@pytest.mark.parametrize("method", ["tornado", "morris", "sobol"])
def test_a_sensitivity(method: str, cup: Path, sdmodel: Command):
    """The table, the files and JSON rank the same constants by the same numbers."""
    words = ("sensitivity", "--on", "Tea Temperature", "--at", "2024", "--group", "all", "--method", method)
    words += {"tornado": (), "morris": ("--trajectories", "4"), "sobol": ("-n", "16")}[method]
    (cup / "models" / "ai_compute.vsc").write_text(f"{SAMPLING}room temperature=RANDOM_UNIFORM(60,80)\n", "utf-8")
    printed = _printed(sdmodel(*words, "-o", "out.csv", "-o", "out.json"))
    (outcome,) = json.loads((cup / "out.json").read_text("utf-8"))["outcomes"]
    rows = list(csv.DictReader(io.StringIO((cup / "out.csv").read_text("utf-8"))))
    names = [row["name"] for row in outcome["constants"]]
    assert [row["constant"] for row in rows] == names
    assert [row[0] for row in printed if row[0] in names] == names
    assert f"{format_number(outcome['base'])} °F at the baseline" in printed[0][0]
    measure = {"tornado": "swing", "morris": "mu_star", "sobol": "ST"}[method]
    for row, constant in zip(rows, outcome["constants"], strict=True):
        assert float(row[measure]) == constant[measure]
