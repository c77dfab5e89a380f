"""A model whose workbooks and tables are missing: what needs no numbers goes on, what needs them lists all files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.testing import model_text

EQUATIONS = """region: GET DIRECT SUBSCRIPT('regions.csv', ',', 'A2', 'A', '') ~~|
demand[region] := GET XLS DATA('book.xlsx', 'Sheet1', 'A', 'B2') ~ widget/year ~|
north demand = demand[north] ~ euro ~|
cost = GET XLS CONSTANTS('book.xlsx', 'Sheet2', 'B2') ~ euro ~|
effect = GET DIRECT LOOKUPS('tables.csv', ',', '1', 'B2') ~~|
People = INTEG(-People/life, 100) ~ person ~|
life = 5 ~ year ~|
Fish = INTEG(IF THEN ELSE(cost > 3, Fish, -Fish), 1) ~~|
price = effect(Time) ~~|
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The model, in the working directory."""
    Path(tmp_path, "m.mdl").write_text(model_text(EQUATIONS), "utf-8")
    monkeypatch.chdir(tmp_path)
    return "m.mdl"


def test_each_file_is_reported_once_and_the_rest_is_checked(broken: str, sdmodel):
    done = sdmodel("check", broken, "--level", "error")
    files = [line for line in done.stdout.splitlines() if line.endswith("[file]")]
    assert [line.split("'")[1] for line in files] == ["regions.csv", "book.xlsx", "tables.csv"]
    assert "there is no such file (read in 2 places); put it beside the model" in files[1]
    assert "'north demand' is in euro, its equation in widget/year" in done.stdout
    assert "[data]" not in done.stdout
    assert done.exit_code == 1
    assert "does not run, so only its text was checked" in done.stderr


def test_a_rule_that_runs_the_model_says_why_it_cannot(broken: str, sdmodel):
    done = sdmodel("check", broken, "--only", "range")
    assert done.stdout.count("[file]") == 3
    assert sdmodel("check", broken, "--only", "unused").stdout.count("[file]") == 0


def test_an_undefined_name_is_reported_with_the_files(broken: str, sdmodel):
    Path(broken).write_text(model_text(EQUATIONS + "profit = sales ~~|"), "utf-8")
    done = sdmodel("check", broken)
    assert done.stdout.count("error") == 5  # three files, the name, and the count
    assert "'sales' is not defined" in done.stdout


def test_constants_in_files_have_no_value(broken: str, sdmodel):
    done = sdmodel("levers", broken, "--json")
    assert {row["name"]: row["values"] for row in json.loads(done.stdout)} == {"cost": [None], "life": [5.0]}
    assert "data from files cannot be read" in done.stderr
    assert "nan" not in sdmodel("levers", broken).stdout + sdmodel("levers", broken, "cost").stdout


def test_polarities_that_depend_on_missing_numbers_are_unknown(broken: str, sdmodel):
    done = sdmodel("loops", broken, "--json")
    assert {row["variables"][0]: row["polarity"] for row in json.loads(done.stdout)} == {
        "People": "B",
        "Fish": "unknown",  # which way it goes depends on the cost
    }


def test_a_diagram_and_an_edit_need_no_data(broken: str, sdmodel):
    assert sdmodel("diagram", broken, "-o", "d.svg").exit_code == 0
    assert sdmodel("edit", broken, "rename", "cost", "unit cost").exit_code == 0
    assert "unit cost = GET XLS" in Path(broken).read_text("utf-8")


@pytest.mark.parametrize("command", ["run", "explore", "ensemble"])
def test_what_needs_numbers_lists_all_files(broken: str, sdmodel, command: str):
    done = sdmodel(command, broken)
    assert done.exit_code == 1
    assert done.stderr.count("there is no such file") == 3


def test_stored_runs_are_shown_and_compared_without_the_files(tmp_path: Path, monkeypatch, sdmodel):
    monkeypatch.chdir(tmp_path)
    Path("m.mdl").write_text(
        model_text("c = GET DIRECT CONSTANTS('c.csv', ',', 'B1')\nS = INTEG(-S/life, c)\nlife = 5"), "utf-8"
    )
    Path("c.csv").write_text("c,7\n", "utf-8")
    Path("s.lst").write_text("S\n", "utf-8")
    for name, life in (("a", 5), ("b", 4)):
        assert sdmodel("run", "m.mdl", "--name", name, "--set", f"life={life}", "--save", "s.lst").exit_code == 0
    Path("c.csv").unlink()
    assert sdmodel("show", "a").exit_code == 0
    (row,) = json.loads(sdmodel("compare", "a", "b", "--constants", "--json").stdout)
    assert "life" in str(row)
    assert "nan" not in str(row).lower()
    assert "c.csv" not in sdmodel("compare", "a", "b").stderr


def test_a_model_without_its_data_does_not_run(broken: str):
    model = sd.read_model(broken, without_data=True)
    assert [fault.where.line for fault in model.unread_files] == [3, 4, 7]
    assert model.subscripts["region"].labels == ("north",)  # the only one that an equation names
    with pytest.raises(ModelError) as caught:
        sd.simulate(model)
    assert caught.value.faults == model.unread_files
    for write in (sd.mdl_text, sd.xmile_text, sd.without_subscripts):
        with pytest.raises(ModelError, match="regions.csv"):
            write(model)
    with pytest.raises(ModelError, match="'cost' is defined a second time"):
        sd.read_model(model_text(EQUATIONS + "cost = 3 ~~|"), without_data=True)


class TestOfferedData:
    """Small files beside a model that hold data which it lacks are named, with how much of it they hold."""

    @pytest.fixture(autouse=True)
    def lacking(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        home = tmp_path / "home"
        (home / "data").mkdir(parents=True)
        monkeypatch.chdir(home)
        equations = 'price\ndemand\n"odd, name"\nr: a, b\nx[r]\nS = INTEG(price + demand + "odd, name" + SUM(x[r!]), 0)'
        Path("m.mdl").write_text(model_text(equations), "utf-8")

    @staticmethod
    def offers(sdmodel) -> list[str]:
        return [line for line in sdmodel("run", "m.mdl").stderr.splitlines() if "data variable" not in line]

    def test_files_of_series(self, sdmodel):
        assert self.offers(sdmodel) == []
        Path("demand.csv").write_text('Time,Demand,"odd, name",other\n0,1,2,3\n5,2,3,4\n', "utf-8")
        Path("data/my x.dat").write_text("x[a]\n0 1\nx[b]\n0 1\n", "utf-8")
        Path("less.csv").write_text("Time,demand\n0,1\n", "utf-8")
        Path("broken.csv").write_text("Time,price\n0,price\n", "utf-8")
        offer = "--data demand.csv has 2 of them; --data 'data/my x.dat' has 'x'"
        assert self.offers(sdmodel) == [f"m.mdl: 4 variables have no data; {offer}"]

    def test_workbooks(self, sdmodel):
        book = pytest.importorskip("openpyxl").Workbook()
        book.active.append(["Year", "Price"])
        book.save("p.xlsx")
        assert self.offers(sdmodel) == [
            "m.mdl: 4 variables have no data; p.xlsx names 'price': save its sheet as .csv, with Time as the first heading, for --data"
        ]

    def test_only_small_files_of_the_folder_are_read(self, sdmodel):
        Path("../price.csv").write_text("Time,price\n0,1\n", "utf-8")
        Path("link.csv").symlink_to(Path("../price.csv"))
        Path("large.csv").write_text("Time,price\n0,1\n" + "\n" * 2**21, "utf-8")
        assert self.offers(sdmodel) == []

    def test_a_name_that_nothing_defines(self, sdmodel):
        Path("m.mdl").write_text(model_text("S = INTEG(births, 1)"), "utf-8")
        Path("b.dat").write_text("Births\n0 1\n2 3\n", "utf-8")
        assert sdmodel("run", "m.mdl").stderr.startswith("m.mdl: 'births' has no data; --data b.dat has it\n")

    def test_files_that_the_settings_name(self, sdmodel):
        text = Path("m.mdl").read_text("utf-8") + "\n13:C:\\me\\demand.vdf\n"
        Path("m.mdl").write_text(text, "utf-8")
        assert self.offers(sdmodel) == [
            "m.mdl: 4 variables have no data; its settings name C:\\me\\demand.vdf, not here; put the file beside the model"
        ]


def test_many_faults_fit_a_screen(tmp_path: Path, monkeypatch, sdmodel):
    """They are in the order of the lines, each that repeats another one is only counted, and so are those that do not fit."""
    monkeypatch.chdir(tmp_path)
    equations = [f"x{place} = gone {place} + common" for place in range(20)]
    equations += [f"d{place} = GET XLS CONSTANTS('b{place % 5}.xlsx', 'S', 'B2')" for place in range(12)]
    Path("m.mdl").write_text(model_text("\n".join(equations)), "utf-8")
    done = sdmodel("run", "m.mdl")
    lines = done.stderr.splitlines()
    assert done.exit_code == 1
    assert len(lines) == 21
    assert lines[1].endswith("'common' is not defined; define it, or declare data with 'common ~~|' [20 times]")
    assert [int(line.split(":")[1]) for line in lines[:-1]] == sorted(int(line.split(":")[1]) for line in lines[:-1])
    assert lines[-1] == "and 6 more faults; `sdmodel check` lists them all"
    assert sdmodel("check", "m.mdl").stdout.count(" error: ") == 45
    Path("m.mdl").write_text(model_text("\n".join(equations[:10])), "utf-8")
    assert len(sdmodel("run", "m.mdl").stderr.splitlines()) == 20  # so many are shown one by one
