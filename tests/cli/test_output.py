"""The output of all commands: tables within the width of a terminal, and the same numbers as JSON and CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.cli import main
from sdmodel.cli.output import Table, csv_text, print_part

LONG = "a very long name of a variable that describes everything"
UNITS = "thousand billion calories per kilogram"
LONG_WORD = 30
"""Longer words, such as addresses and hashes, may be broken."""
RENAMED = {
    "Tea Temperature": f"{LONG} that is warm in the cup",
    "room temperature": f"{LONG} in the room",
    "cooling time": f"{LONG} about time",
    "heat loss": f"{LONG} about heat loss",
    "= 70 ": "= 7012345678.25 ",
    "[40,100,5]": "[4000000000,10000000000,500000000]",
    "°F": UNITS,
    "judgement": "https://example.org/a/very/long/address/of/a/source/without/blanks, judgement",
}
SAMPLING = "40,M,7\ncooling time=RANDOM_UNIFORM(1,4)\nroom temperature=RANDOM_NORMAL(60,80,70,5)\n"
OBSERVATIONS = "series,date,value\n" + "".join(f"thermometer,{2022.5 + n},{150 - 10 * n}\n" for n in range(7))
SERIES = "name,model,data,error,size\ntea,Tea Temperature,thermometer,absolute,2\n"
SCENARIO = ("-c", "models/scenarios/cold.cin", "--set", "cooling time=5")
ROOM, COOLING = ("--lever", "room temperature=50:90:5"), ("--lever", "cooling time=1,5")
TIME = f"{LONG} about time"

COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "run": (("run", "--runs", "new", "--name", "new", "--force"), "headlines"),
    "ensemble": (
        ("ensemble", "-e", "cup.vsc", "--runs", "new", "--name", "members", "--force", "--where", "Tea Temperature<99"),
        "headlines",
    ),
    "rank": (
        (
            "rank",
            "--on",
            "Tea Temperature",
            "--at",
            "2025",
            "-e",
            "cup.vsc",
            "-n",
            "9",
            "--value",
            "heat loss*2",
            "--runs",
            "new",
            "--name",
            "new",
            "--force",
        ),
        "levers",
    ),
    "attribute": (("attribute", *SCENARIO, "--runs", "new", "--name", "new", "--force"), "variables"),
    "attribute at a date": (
        (
            "attribute",
            *SCENARIO,
            "--runs",
            "new",
            "--name",
            "new",
            "--force",
            "--on",
            "Tea Temperature",
            "--at",
            "2025",
        ),
        "variables",
    ),
    "sweep of a lever": (("sweep", *ROOM, "--at", "2024", "--runs", "new", "--name", "new", "--force"), "cells"),
    "sweep of two levers": (
        ("sweep", *ROOM, *COOLING, "--at", "2024", "--runs", "new", "--name", "new", "--force"),
        "cells",
    ),
    "sweep of each lever": (
        ("sweep", *ROOM, *COOLING, "--one-at-a-time", "--runs", "new", "--name", "new", "--force"),
        "rankings",
    ),
    "sweep of members": (
        ("sweep", *ROOM, "-e", "cup.vsc", "-n", "9", "--runs", "new", "--name", "new", "--force"),
        "cells",
    ),
    "sensitivity": (
        ("sensitivity", "--on", "tea temperature", "--free", "room temperature", "--free", "cooling time=1:5"),
        "outcomes",
    ),
    "discover": (
        ("discover", "many", "Tea Temperature", "--at", "2024", "--above", "130", "--density", "0.5", "--mass", "0.1"),
        "boxes",
    ),
    "calibrate": (
        ("calibrate", "--free", "cooling time=1:8", "--runs", "new", "--name", "new", "--force"),
        "constants",
    ),
    "backtest": (
        (
            "backtest",
            "--cut",
            "2024",
            "--free",
            "cooling time=1:8",
            "--starts",
            "1",
            "--steps",
            "20",
            "--samples",
            "20",
            "--runs",
            "new",
            "--name",
            "new",
            "--force",
        ),
        "scores",
    ),
    "fit": (("fit", "base"), "series"),
    "fit of members": (("fit", "many"), "series"),
    "runs": (("runs", "--runs", "runs"), ""),
    "show": (("show", "base"), "variables"),
    "show members": (("show", "many"), "headlines"),
    "show a sweep": (("show", "grid"), "variables"),
    "show an attribution": (("show", "levers"), "variables"),
    "show a ranking": (("show", "ranking"), "levers"),
    "rerun": (("rerun", "base"), "record"),
    "rerun members": (("rerun", "many"), "record"),
    "compare": (("compare", "base", "cold", "--at", "2024", "--at", "2032"), "gaps"),
    "compare members": (("compare", "many", "warm"), "differences"),
    "compare by a lever": (("compare", "base", "cold", "--by", "room temperature", "--at", "2032"), "groups"),
    "levers": (("levers",), ""),
    "check": (("check",), ""),
    "check rules": (("check", "--rules"), ""),
    "loops": (("loops",), ""),
    "loops by way points": (("loops", "--through", "heat loss"), ""),
    "diff": (("diff", "models/ai_compute.mdl", "other.mdl"), "differences"),
    "fmt": (("fmt", "--check"), "blocks"),
    "diagram": (("diagram", "--list"), ""),
}
"""The words of each command that prints a table, and the list of its JSON that is printed as CSV."""

LONG_NAMES: dict[str, tuple[str, ...]] = {
    "run": ("run", "long.mdl", "--runs", "new", "--name", "new", "--force"),
    "sweep": (
        "sweep",
        "long.mdl",
        "--lever",
        f"{TIME}=1:8:8",
        "--at",
        "2024",
        "--runs",
        "new",
        "--name",
        "new",
        "--force",
    ),
    "sensitivity": ("sensitivity", "long.mdl", "--on", RENAMED["Tea Temperature"], "--free", f"{TIME}=1:4"),
    "rank": (
        "rank",
        "long.mdl",
        "--on",
        RENAMED["Tea Temperature"],
        "--also",
        RENAMED["heat loss"],
        "--runs",
        "new",
        "--name",
        "new",
        "--force",
    ),
    "attribute": ("attribute", "long.mdl", "--set", f"{TIME}=3", "--runs", "new", "--name", "new", "--force"),
    "runs": ("runs",),
    "show": ("show", "long"),
    "compare": ("compare", "long", "longer", "--at", "2024", "--at", "2032"),
    "levers": ("levers", "long.mdl"),
    "loops": ("loops", "long.mdl"),
    "diagram": ("diagram", "long.mdl", "--list"),
}
"""Commands on a model whose names, units, numbers and addresses are long."""

NEEDS = {"discover": "ema_workbench"}
"""The optional package that a command needs; without it, its output is not tested."""
WITHOUT_TABLES = {"plot", "report", "explore", "convert", "expand", "edit", "git-install", "new", "completion"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tea_text: str) -> Iterator[Path]:
    """A project with stored runs of every kind, as the working directory."""
    path = tmp_path_factory.mktemp("output")
    files = {
        "models/ai_compute.mdl": tea_text,
        "models/scenarios/cold.cin": "room temperature = 50\n",
        "models/data/observations.csv": OBSERVATIONS,
        "models/ai_compute.series.csv": SERIES,
        "cup.vsc": SAMPLING,
        "other.mdl": tea_text.replace("= 70", "= 65").replace("The tea.", "A cup of tea."),
        "long.mdl": _long_model(tea_text),
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, "utf-8")
    with contextlib.chdir(path), pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        for words in (
            ("run", "--name", "base"),
            ("run", "--name", "cold", "-c", "models/scenarios/cold.cin"),
            ("ensemble", "-e", "cup.vsc", "--name", "many"),
            ("ensemble", "-e", "cup.vsc", "--name", "warm", "--set", "FINAL TIME=2030"),
            ("sweep", *ROOM, *COOLING, "--name", "grid"),
            ("attribute", *SCENARIO, "--name", "levers"),
            ("rank", "--on", "Tea Temperature", "--at", "2025", "--name", "ranking"),
            ("run", "long.mdl", "--name", "long"),
            ("run", "long.mdl", "--name", "longer", "--set", f"{TIME}=3"),
        ):
            done = CliRunner().invoke(main, words)
            assert done.exit_code == 0, done.output
        yield path


def _long_model(text: str) -> str:
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def output(folder: Path):
    """What a command prints in a format, at a width of lines; each is run once."""

    @cache
    def run(words: tuple[str, ...], output_format: str = "table", columns: int = 5000) -> Result:
        if words[0] in NEEDS:
            pytest.importorskip(NEEDS[words[0]], reason=f"{NEEDS[words[0]]} is not installed")
        option = ("--format", output_format) if output_format != "table" else ()
        done = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, [*words, *option])
        assert done.exit_code in (0, 1), done.output
        assert done.stdout, done.output
        return done

    return run


def _numbers(value: Any) -> set[float]:
    """All numbers of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(_numbers, value))
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def _texts(value: Any) -> set[str]:
    """All texts of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(_texts, value))
    return {value} if isinstance(value, str) else set()


def _number(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    return None


@pytest.mark.parametrize("name", COMMANDS)
def test_csv_has_the_numbers_of_json(name: str, output):
    """Every number of the main list, to the last digit, and no other; every line has all columns."""
    words, key = COMMANDS[name]
    record = json.loads(output(words, "json").stdout)
    rows = list(csv.DictReader(io.StringIO(output(words, "csv").stdout)))
    assert rows
    assert all(None not in row and None not in row.values() for row in rows)
    cells = [part for row in rows for cell in row.values() for part in cell.split("; ")]
    found = {number for cell in cells if (number := _number(cell)) is not None and math.isfinite(number)}
    main_list = record if key in ("", "record") else _main_list(record, key)
    assert found >= _numbers(main_list)
    assert found <= _numbers(main_list) | {_number(text) for text in _texts(main_list)}
    assert {cell for cell in cells if cell.startswith(("{", "[{"))} <= _texts(main_list), (
        "a nested record is not a cell"
    )


def _main_list(record: dict[str, Any], key: str) -> Any:
    """A list of a record without its pairs; the cells of a sweep are in its outcomes."""
    items = record["outcomes"] if key == "cells" else record[key]
    return [{name: value for name, value in item.items() if name != "pairs"} for item in items]


@pytest.mark.parametrize(
    "name", ["run", "runs", "show", "compare", "levers", "check", "loops", "diff", "fmt", "diagram"]
)
def test_json_option_is_short_for_the_format(name: str, output):
    """The same text."""
    words, _ = COMMANDS[name]
    done = CliRunner(env={"COLUMNS": "5000"}).invoke(main, [*words, "--json"])
    assert done.stdout == output(words, "json").stdout


@pytest.mark.parametrize("name", sorted({words[0] for words, _ in COMMANDS.values()}))
def test_unknown_format_is_a_usage_error(name: str, folder: Path):
    """The message lists the formats; no command starts any work."""
    done = CliRunner().invoke(main, [name, "--format", "xml"])
    assert done.exit_code == 2
    assert "'xml' is not one of 'table', 'json', 'csv'" in done.stderr


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_lists_the_format_of_commands_with_tables(name: str):
    """All commands except those that write files."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    page = CliRunner().invoke(main, [name, "--help"]).stdout
    has_table = name not in WITHOUT_TABLES
    assert ("--format [table|json|csv]" in page, "--json" in page) == (has_table, has_table)
    assert has_table == (name in {words[0] for words, _ in COMMANDS.values()})


def _tables(text: str) -> list[list[str]]:
    """The tables of an output: the lines around each rule, up to an empty line."""
    blocks = [block.splitlines() for block in re.split(r"\n\s*\n", text)]
    return [block for block in blocks if any(set(line.strip()) == {"─"} for line in block)]


WIDE = (81, 86, 5000)
"""Widths at which a table may have as many dates as at 80 columns, or more, and one at which nothing is cut."""


def _check_narrow(narrow: str, wide: str) -> None:
    """Tables fit 80 columns, and every word of theirs stands whole in the wide output too."""
    tables = _tables(narrow)
    assert tables
    long_words = [word for word in wide.split() if len(word) > LONG_WORD]
    words = {*wide.split(), "…"}  # which marks where a comment is cut
    for table in tables:
        rule = next(place for place, line in enumerate(table) if set(line.strip()) == {"─"})
        width = len(table[rule])
        start = next(place for place in range(rule, -1, -1) if place == 0 or len(table[place - 1]) > width)
        for line in table[start:]:
            assert len(line) <= 80, line
            broken = [word for word in line.split() if word not in words and set(word) != {"─"}]
            assert all(any(word in long for long in long_words) for word in broken), (line, broken)


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name not in {"check", "diff", "fmt", "rerun", "rerun members"}]
)
def test_tables_fit_eighty_columns(name: str, output):
    """No line is longer, and no number, unit or word is broken."""
    words, _ = COMMANDS[name]
    wide = [output(words, columns=columns).stdout for columns in WIDE]  # the number of dates depends on the width
    _check_narrow(output(words, columns=80).stdout, "\n".join(wide))


@pytest.mark.parametrize("name", LONG_NAMES)
def test_tables_of_long_names_fit_eighty_columns(name: str, output):
    """Names and units of several words are folded between words; numbers stay whole."""
    words = LONG_NAMES[name]
    _check_narrow(output(words, columns=80).stdout, output(words).stdout)


@pytest.mark.parametrize("output_format", ["json", "csv"])
@pytest.mark.parametrize("name", ["run", "ensemble", "show members", "compare by a lever", "sweep of two levers"])
def test_numbers_for_programs_do_not_depend_on_the_width(name: str, output_format: str, output):
    """A narrow terminal hides columns of tables only."""
    words, _ = COMMANDS[name]
    narrow, wide = (output(words, output_format, columns).stdout for columns in (60, 5000))
    assert _without_seconds(narrow) == _without_seconds(wide)


def _without_seconds(text: str) -> str:
    return re.sub(r'"(seconds|created)": .*', "", text)


def test_columns_of_csv_do_not_depend_on_the_number_of_values():
    """One time and several times give the same header."""
    one, two = ([{"name": "a", "times": list(range(n)), "values": list(range(n))}] for n in (1, 2))
    header = "name,time,value"
    assert csv_text(two).splitlines()[0] == header
    assert csv_text(one).splitlines()[0] == header


def test_record_with_an_empty_list_is_a_line_of_csv():
    """An empty list is an empty cell, or no cell."""
    rows = list(csv.DictReader(io.StringIO(csv_text([{"name": "a", "bands": [], "value": 1.5}]))))
    assert [(row["name"], row["value"]) for row in rows] == [("a", "1.5")]


def test_csv_writes_numbers_to_the_last_digit():
    """Numbers that do not exist are empty cells; a nested field has a dotted name."""
    rows = list(csv.DictReader(io.StringIO(csv_text([{"x": 0.1 + 0.2, "y": math.nan, "z": {"a": None, "b": True}}]))))
    assert rows == [{"x": "0.30000000000000004", "y": "", "z.a": "", "z.b": "true"}]


WORDS = st.text("abcdefgh°µ", min_size=1, max_size=12)
CELLS = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
KINDS = st.sampled_from(["left", "right", "fold", "text"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables of several columns and rows, whose cells hold short words."""
    names = draw(st.lists(CELLS, min_size=1, max_size=9, unique=True))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=3))
    return Table({name: draw(KINDS) for name in names}, rows)


def _printed(table: Table, columns: int) -> str:
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as text:
        patch.setenv("COLUMNS", str(columns))
        print_part(table)
    return text.getvalue()


@settings(max_examples=40)
@given(tables())
def test_any_table_fits_eighty_columns_with_whole_words(table: Table):
    """Columns that do not fit are printed in further blocks; every word is printed whole."""
    text = _printed(table, 80)
    assert max(map(len, text.splitlines())) <= 80
    words = {word for cells in (table.columns, *table.rows) for cell in cells for word in cell.split()}
    assert {word for word in text.split() if set(word) != {"─"}} == words


@settings(max_examples=40)
@given(tables(), st.text(alphabet="aé漢e\u0301 \u200b", min_size=1, max_size=5))
def test_rows_of_one_line_are_printed_as_rich_prints_them(table: Table, wide: str):
    """A last row with a line break leaves the table to Rich."""
    rows = [*table.rows, [wide] * len(table.columns)]
    quick, rich = (
        _printed(Table(table.columns, [*rows, *more]), 1000) for more in ([], [["a\na"] * len(table.columns)])
    )
    assert rich.startswith(quick.rstrip())


def test_further_blocks_repeat_the_first_column():
    """A table with too many columns continues below, in the order of its columns."""
    names = [f"column{n:02}" for n in range(20)]
    rows = [[f"row{row}", *(f"{row}.{n:03}" for n in range(20))] for row in range(3)]
    text = _printed(Table({"name": "left"} | dict.fromkeys(names, "right"), rows), 80)
    blocks = [block.splitlines() for block in text.split("\n\n") if block.strip()]
    assert len(blocks) > 1
    assert [name for block in blocks for name in block[0].split()[1:]] == names
    for block in blocks:
        assert block[0].split()[0] == "name"
        assert [line.split()[0] for line in block[2:]] == ["row0", "row1", "row2"]
    assert len([block for block in text.split("\n\n") if block.strip()]) == len(blocks)
    wide = _printed(Table({"name": "left"} | dict.fromkeys(names, "right"), rows), 400)
    assert len([block for block in wide.split("\n\n") if block.strip()]) == 1


def test_spare_columns_are_left_out_with_a_note(capsys):
    """The first of them first, and only as many as necessary."""
    columns = dict.fromkeys((f"column {n}" for n in range(10)), "right")
    table = Table(columns, [["1"] * 10], spare=("column 3", "column 4", "column 5"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        print_part(table)
    printed = capsys.readouterr()
    assert printed.err == "not shown for lack of width: column 3; widen the window, or use --format csv\n"
    assert "column 4" in printed.out


def test_spare_columns_that_a_table_lacks_are_no_obstacle(capsys, monkeypatch):
    """A table may name spare columns that only some of its forms have; on a narrow line those that are there go first."""
    monkeypatch.setenv("COLUMNS", "30")
    table = Table({"a": "right", "b": "right", "c": "right"}, [["1" * 12, "2" * 12, "3" * 12]], spare=("missing", "b"))
    print_part(table)
    assert capsys.readouterr().out.split()[:2] == ["a", "c"]
