"""`sdmodel check`: output and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sdmodel.checking import RULES, check_model

UNUSED = "spare = 3 ~ Year ~ judgement: three. |\n"


def _spoil(tea: Path, old: str, new: str) -> None:
    path = tea / "models" / "ai_compute.mdl"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def test_findings_have_level_place_rule_and_cure(tea: Path, sdmodel):
    """One line per finding as compilers print them, the worst first, then a line of counts."""
    _spoil(tea, "room temperature = 70", UNUSED + "room temperature = 70")
    done = sdmodel("check", "--only", "unused", "--only", "comment")
    assert done.exit_code == 0, done.output
    warning, advice, *_ = done.stdout.splitlines()
    place = re.escape(str(Path("models/ai_compute.mdl")))
    assert re.match(rf"{place}:8:1: warning: 'spare' is used by nothing; use it, delete it, or .* \[unused\]$", warning)
    assert re.match(rf"{place}:3:1: advice: 'heat loss' has no comment; say what it means.* \[comment\]$", advice)
    assert done.stdout.splitlines()[-1] == "0 errors, 1 warning, 1 advice"
    assert done.stderr == ""


def test_findings_fit_the_line(tea: Path, sdmodel, monkeypatch):
    """A narrow terminal breaks them between words, and shows all that a wide one does."""
    wide = sdmodel("check").stdout
    monkeypatch.setenv("COLUMNS", "50")
    narrow = sdmodel("check").stdout
    assert max(map(len, narrow.splitlines())) <= 50 < max(map(len, wide.splitlines()))
    assert narrow.split() == wide.split()


def test_output_equals_the_python_function(tea: Path, sdmodel):
    """The command adds nothing to `check_model`."""
    found = check_model(Path("models/ai_compute.mdl"))
    assert found
    listed = json.loads(sdmodel("check", "--json").stdout)
    assert [(row["level"], row["rule"], row["place"], row["message"]) for row in listed] == [
        (finding.level, finding.rule, str(finding.place), finding.message) for finding in found
    ]
    assert [row["variable"] or "" for row in listed] == [finding.variable for finding in found]
    assert [row["numbers"] for row in listed] == [dict(finding.numbers) for finding in found]
    assert all(f"{row['file']}:{row['line']}:{row['column']}" == row["place"] for row in listed if row["line"])


@pytest.mark.parametrize(
    ("old", "new", "options", "code"),
    [
        ("cooling time = 2.5", "cooling time = 2.6", [], 0),
        ("cooling time = 2.5", "cooling time = 2.6", ["--strict", "--level", "error", "--only", "operators"], 0),
        ("room temperature = 70", UNUSED + "room temperature = 70", [], 0),
        ("room temperature = 70", UNUSED + "room temperature = 70", ["--strict"], 1),
        ("room temperature = 70", UNUSED + "room temperature = 70", ["--strict", "--level", "error"], 1),
        ("(Tea Temperature - room temperature)", "(Tea Temperature - rum temperature)", [], 1),
        ("(Tea Temperature - room temperature)", "(Tea Temperature - rum temperature)", ["--only", "unused"], 1),
        ("SAVEPER = 0.5", "SAVEPER = 0", [], 1),
        ("SAVEPER = 0.5", "SAVEPER = 0", ["--static"], 0),
    ],
)
def test_exit_code_is_one_for_errors_and_for_warnings_if_strict(
    old: str, new: str, options: list[str], code: int, tea: Path, sdmodel
):
    """An error always fails a pipeline, a warning only with `--strict`, whatever findings are shown."""
    _spoil(tea, old, new)
    assert sdmodel("check", *options).exit_code == code


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("heat loss = (", "heat loss = ((", "cannot be read, so nothing else was checked"),
        ("SAVEPER = 0.5", "SAVEPER = 0", "does not run, so only its text was checked"),
    ],
)
def test_skipped_checks_are_reported(old: str, new: str, note: str, tea: Path, sdmodel):
    """A model that cannot be read, or run, hides its other faults."""
    _spoil(tea, old, new)
    done = sdmodel("check")
    assert note in done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 error, ")


def test_repeated_advice_is_cut_unless_requested(tea: Path, sdmodel):
    """Advice must not bury errors; the counts include everything."""
    block = "".join(f"x{n} = {n} ~ Year ~ ~ :SUPPLEMENTARY |\n" for n in range(9))
    _spoil(tea, "room temperature = 70", block + "room temperature = 70")
    short = sdmodel("check", "--static", "--skip", "source", "--skip", "buried-number").stdout
    assert short.count("has no comment") == 3
    assert "and 7 more advice [comment]; --only comment shows them all" in short
    assert "10 advice" in short
    assert sdmodel("check", "--only", "comment").stdout.count("has no comment") == 10


def test_change_file_is_checked_with_the_model(tea: Path, sdmodel):
    """Numbers set by a scenario are checked too; a missing change file is an error."""
    (tea / "models" / "scenarios" / "quick.cin").write_text("cooling time = 0.1\n", "utf-8")
    assert "time-step" not in sdmodel("check").stdout
    assert "time-step" in sdmodel("check", "-c", "models/scenarios/quick.cin").stdout
    done = sdmodel("check", "-c", "missing.cin")
    assert (done.exit_code, done.stdout) == (1, "")


def test_rules_are_listed_and_accepted_by_options(tea: Path, sdmodel):
    """`--only` and `--skip` accept every listed rule and no other."""
    done = sdmodel("check", "--rules")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[2:] if line.strip()] == list(RULES)
    listed = json.loads(sdmodel("check", "--rules", "--json").stdout)
    assert [row["rule"] for row in listed] == list(RULES)
    for option in ("--only", "--skip"):
        assert sdmodel("check", option, "unusd").exit_code == 2
        for rule in RULES:
            assert sdmodel("check", "--static", option, rule).exit_code == 0


def test_reality_checks_have_one_line_each_and_an_exit_code(tea: Path, sdmodel):
    """`--reality` tests constraints instead of rules: 0 if all are true or there are none, 1 if one is violated."""
    none = sdmodel("check", "--reality")
    assert (none.exit_code, none.stdout.splitlines()) == (
        0,
        [f"{Path('models/ai_compute.mdl')}: has no Reality Checks"],
    )
    constraints = (
        "tepid :THE CONDITION: Tea Temperature = room temperature :IMPLIES: heat loss = 0 ~~|\n"
        "hot :THE CONDITION: Tea Temperature = 95 :IMPLIES: heat loss < 10 ~~|\n"
    )
    _spoil(tea, "room temperature = 70", f"{constraints}room temperature = 70")
    done = sdmodel("check", "--reality")
    assert done.exit_code == 1, done.output
    assert done.stdout.splitlines()[-1] == "1 passed, 1 violated, 0 not tested"
    tepid, hot = json.loads(sdmodel("check", "--reality", "--json").stdout)
    assert (tepid["name"], tepid["outcome"], tepid["line"] + 1) == ("tepid", "passed", hot["line"])
    assert hot["message"].startswith("heat loss is 10 at time 2022, should be < 10")
    cold = sdmodel("check", "--reality", "-c", "cold", "--json")
    assert json.loads(cold.stdout)[1]["numbers"]["value"] == 18
    assert sdmodel("check", "--reality", "--only", "unused").exit_code == 2
