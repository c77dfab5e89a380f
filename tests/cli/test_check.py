"""`sdmodel check` as users type it: what it prints, and how it ends."""

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


def test_findings_are_told_with_level_place_rule_and_cure(tea: Path, sdmodel):
    """One line each, the worst first, and a line of counts."""
    _spoil(tea, "room temperature = 70", UNUSED + "room temperature = 70")
    done = sdmodel("check", "--only", "unused", "--only", "comment")
    assert done.exit_code == 0, done.output
    header, _, warning, advice, *_ = done.stdout.splitlines()
    assert header.split() == ["level", "place", "rule", "message"]
    place = re.escape(str(Path("models/ai_compute.mdl")))
    assert re.match(rf" ?warning +{place}:8:1 +unused +'spare' is used by nothing; use it, delete it, or", warning)
    assert re.match(rf" ?advice +{place}:3:1 +comment +'heat loss' has no comment; say what it means", advice)
    assert done.stdout.splitlines()[-1] == "0 errors, 1 warning, 1 advice"
    assert done.stderr == ""


def test_the_table_and_the_json_are_what_the_function_finds(tea: Path, sdmodel):
    """The command adds nothing to the function behind it."""
    found = check_model(Path("models/ai_compute.mdl"))
    assert found
    listed = json.loads(sdmodel("check", "--json").stdout)
    assert [(each["level"], each["rule"], each["place"], each["message"]) for each in listed] == [
        (each.level, each.rule, str(each.place), each.message) for each in found
    ]
    assert [each["variable"] or "" for each in listed] == [each.variable for each in found]
    assert [each["numbers"] for each in listed] == [dict(each.numbers) for each in found]
    assert all(f"{each['file']}:{each['line']}:{each['column']}" == each["place"] for each in listed if each["line"])


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
        ("SAVEPER = 0.5", "SAVEPER = 0.3", [], 1),
        ("SAVEPER = 0.5", "SAVEPER = 0.3", ["--static"], 0),
    ],
)
def test_the_exit_code_is_one_for_an_error_and_if_strict_for_a_warning(
    old: str, new: str, options: list[str], code: int, tea: Path, sdmodel
):
    """What a pipeline goes by: an error always fails it, a warning if asked to, whatever is shown."""
    _spoil(tea, old, new)
    assert sdmodel("check", *options).exit_code == code


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("heat loss = (", "heat loss = ((", "cannot be read, so nothing else was checked"),
        ("SAVEPER = 0.5", "SAVEPER = 0.3", "does not run, so only its text was checked"),
    ],
)
def test_what_was_not_checked_is_told(old: str, new: str, note: str, tea: Path, sdmodel):
    """A model that cannot be read, or run, hides its other faults."""
    _spoil(tea, old, new)
    done = sdmodel("check")
    assert note in done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 error, ")


def test_of_one_advice_the_first_few_are_shown_unless_it_is_asked_for(tea: Path, sdmodel):
    """Advice must not bury what matters; the counts are of everything."""
    block = "".join(f"x{n} = {n} ~ Year ~ ~ :SUPPLEMENTARY |\n" for n in range(9))
    _spoil(tea, "room temperature = 70", block + "room temperature = 70")
    short = sdmodel("check", "--static", "--skip", "source", "--skip", "buried-number").stdout
    assert short.count("has no comment") == 3
    assert "and 7 more; --only comment shows them all" in short
    assert "10 advice" in short
    assert sdmodel("check", "--only", "comment").stdout.count("has no comment") == 10


def test_a_change_file_is_checked_with_the_model(tea: Path, sdmodel):
    """What a scenario does to the numbers is a doubt too; one that is missing is the user's fault."""
    (tea / "models" / "scenarios" / "quick.cin").write_text("cooling time = 0.1\n", "utf-8")
    assert "time-step" not in sdmodel("check").stdout
    assert "time-step" in sdmodel("check", "-c", "models/scenarios/quick.cin").stdout
    done = sdmodel("check", "-c", "missing.cin")
    assert (done.exit_code, done.stdout) == (1, "")


def test_the_rules_are_listed_and_options_know_them(tea: Path, sdmodel):
    """What a rule is called can be looked up where it is used."""
    done = sdmodel("check", "--rules")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[2:] if line.strip()] == list(RULES)
    listed = json.loads(sdmodel("check", "--rules", "--json").stdout)
    assert [each["rule"] for each in listed] == list(RULES)
    for option in ("--only", "--skip"):
        assert sdmodel("check", option, "unusd").exit_code == 2
        for rule in RULES:
            assert sdmodel("check", "--static", option, rule).exit_code == 0


def test_the_flagship_has_no_error_and_its_findings_fit_on_a_page(project: Path, sdmodel):
    """The model that ships is checked as any other, and what is said of it can be read at once."""
    done = sdmodel("check", str(project / "models" / "ai_compute.mdl"))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("0 errors, ")
    assert len(done.stdout.splitlines()) < 40
