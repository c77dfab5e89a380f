"""Every rule of the table: a model that breaks it at a known line, and one that does not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from tidy import TIDY, with_block, with_changes

from sdmodel.checking import LEVELS, RULES, Finding, check_model
from sdmodel.errors import CheckError, ModelError, Place
from sdmodel.model import Model
from sdmodel.testing import tiny_model
from sdmodel.vensim import model_from_text

EIGHT = [f"c{n} = 1 ~ Dmnl ~ judgement: one of eight. |" for n in range(8)]
EIGHT_SHOWN = "".join(f"10,{n + 20},c{n},1,1,40,20,3,3,0,0,0,0,0,0\n" for n in range(8))

# rule: a model that breaks it, the text at the line of the finding, the variable of the finding
BROKEN = {
    "syntax": (with_changes(("Stock/residence time", "Stock/(residence time")), "outflow = ", ""),
    "undefined": (with_changes(("Stock/residence time", "Stok/residence time")), "outflow = ", "Stok"),
    "doubly-defined": (with_block("full stock = 50 ~ Widget ~ judgement: more. |"), "full stock = 50", "full stock"),
    "simultaneous": (with_changes(("normal inflow = 10", "normal inflow = inflow")), "inflow = normal", ""),
    "unsupported": (with_changes(("flow = 10", "flow = GET 123 DATA(full stock)")), "normal inflow = ", ""),
    "file": (with_changes(("flow = 10", "flow = GET DIRECT CONSTANTS('t.csv', ',', 'A1')")), "normal inflow = ", "t.csv"),
    "run": (with_changes(("SAVEPER = 0.25", "SAVEPER = 0")), "SAVEPER = ", ""),
    "incomplete": (with_block("spare = A FUNCTION OF(Stock) ~ Widget ~ judgement: seen. ~ :SUPPLEMENTARY |"), "spare =", "spare"),
    "data": (with_block("spare ~ Widget ~ judgement: seen. ~ :SUPPLEMENTARY |"), "spare ~", "spare"),
    "data-times": (
        with_block("spare := GET DIRECT DATA('times.csv', ',', 'A', 'B1') ~ Widget ~ judgement: seen. ~ :SUPPLEMENTARY |"),
        "spare :=",
        "spare",
    ),
    "units": (with_changes(("= Stock/residence time", "= Stock*residence time")), "outflow = ", "outflow"),
    "unused": (with_block("spare = 1 ~ Dmnl ~ judgement: one. |"), "spare = ", "spare"),
    "time-constant": (with_changes(("residence time = 4", "residence time = 0.1")), "outflow = ", "outflow"),
    "comment": (with_changes(("What leaves.", "")), "outflow = ", "outflow"),
    "source": (with_changes(("From https://example.org/stores.", "How long things stay.")), "residence time = ", "residence time"),
    "no-units": (with_changes(("4\n\t~\tYear", "4\n\t~\t")), "residence time = ", "residence time"),
    "buried-number": (with_changes(("= normal inflow*", "= 0.9*normal inflow*")), "inflow = 0.9", "inflow"),
    "operators": (with_changes(("= Stock/residence time", "= -Stock^1/residence time*(-1)")), "outflow = ", "outflow"),
    "causes": (
        with_block("\n".join(EIGHT), with_changes(("= Stock/", "= c0*c1*c2*c3*c4*c5*c6*c7*Stock/"))).replace(
            "///---\\", f"{EIGHT_SHOWN}///---\\"
        ),
        "outflow = ",
        "outflow",
    ),
    "no-view": (with_changes(("10,3,outflow,", "12,3,outflow,")), "outflow = ", "outflow"),
    "table-turns": (with_changes(("(4,0.1)", "(4,0.7)")), "effect of fullness([", "effect of fullness"),
    "table-graph": (with_changes(("-(4,1)]", "-(3,1)]")), "effect of fullness([", "effect of fullness"),
    "not-finite": (with_changes(("/residence time", "/(residence time - 4)")), "outflow = ", "outflow"),
    "range": (with_changes(("[0,1000]", "[0,21]")), "Stock = ", "Stock"),
    "balance": (with_changes(("initial stock = 20", "initial stock = 1e30"), ("/residence time", "/residence time*0")), "Stock = ", "Stock"),
    "table-end": (with_changes(("[(0,0)-(4,1)],(0,1)", "(0.9,1)")), "inflow = ", "inflow"),
    "time-step": (with_changes(("TIME STEP = 0.0625", "TIME STEP = 0.25"), ("residence time = 4", "residence time = 0.6")), "TIME STEP = ", "Stock"),
    "method": (with_changes(("TIME STEP = 0.0625", "TIME STEP = 0.25"), ("residence time = 4", "residence time = 0.6")), "TIME STEP = ", "Stock"),
    "band": (with_changes(("normal inflow = 10", "normal inflow = 15")), "Stock = ", "Stock"),
    "extreme": (with_changes(("Stock/full stock)", "Stock/full stock)*1/normal inflow")), "inflow = normal", "inflow"),
    "negative": (
        with_block("sales = 3 ~ Widget/Year [0,20] ~ judgement: steady. |", with_changes(("= Stock/residence time", "= sales"))),
        "Stock = ",
        "Stock",
    ),
}  # fmt: skip


@cache
def _model(text: str) -> Model | None:
    """Read a model once, so that its compiled program is reused; None if it cannot be read."""
    try:
        return model_from_text(
            text, str(Path(__file__).with_name("tidy.mdl"))
        )  # beside it are a sensitivity file and data
    except ModelError:
        return None


@cache
def _all_findings(text: str) -> tuple[Finding, ...] | None:
    model = _model(text)
    return None if model is None else check_model(model)


def _check(text: str, folder: Path, **options: object) -> tuple[Finding, ...]:
    """Check a text with some options; a text that is not a model is checked as a file."""
    found = None if options else _all_findings(text)
    if found is not None:
        return found
    model = _model(text)
    return check_model(_write(text, folder) if model is None else model, **options)  # type: ignore[arg-type]


def _write(text: str, folder: Path) -> Path:
    path = folder / "model.mdl"
    path.write_text(text, "utf-8")
    return path


def test_tidy_model_has_no_findings(tmp_path: Path):
    """No rule raises a false alarm for a model that keeps all of them, neither as a file nor as a model."""
    assert _check(TIDY, tmp_path) == ()
    assert check_model(_write(TIDY, tmp_path)) == ()


def test_every_rule_is_tested():
    """There is a model that breaks each rule of the table."""
    assert set(BROKEN) == set(RULES)


@pytest.mark.parametrize("rule", BROKEN)
def test_findings_have_place_and_variable(rule: str, tmp_path: Path):
    """A finding is at the first line of the wrong equation, or at the wrong name in it."""
    text, where, variable = BROKEN[rule]
    found = [finding for finding in _check(text, tmp_path) if finding.rule == rule]
    assert found, f"nothing breaks {rule}"
    wanted = text[: text.index(where)].count("\n") + 1 if where else None
    lines = [finding.place.line if isinstance(finding.place, Place) else None for finding in found]
    assert wanted in lines
    assert variable in {finding.variable for finding in found}


@pytest.mark.parametrize("rule", BROKEN)
def test_findings_do_not_exceed_the_level_of_their_rule(rule: str, tmp_path: Path):
    """The table states the highest level of a rule; every finding names a rule of the table and says what to do."""
    for finding in _check(BROKEN[rule][0], tmp_path):
        assert LEVELS.index(finding.level) >= LEVELS.index(RULES[finding.rule].level)
        assert "; " in finding.message, f"no cure: {finding.message}"


@pytest.mark.parametrize("rule", [name for name, row in RULES.items() if row.find is not None])
def test_only_and_skip_select_rules(rule: str, tmp_path: Path):
    """`only` and `skip` select findings by rule and change none of them."""
    text = BROKEN[rule][0]
    whole = _check(text, tmp_path)
    fatal = {"run"}
    assert _check(text, tmp_path, skip=[rule]) == tuple(f for f in whole if f.rule != rule or rule in fatal)
    assert _check(text, tmp_path, only=[rule]) == tuple(f for f in whole if f.rule in {rule, *fatal})


@pytest.mark.parametrize("rule", [name for name, row in RULES.items() if row.dynamic])
def test_static_check_runs_nothing(rule: str, tmp_path: Path):
    """A static check has no findings of rules that need a run."""
    found = _check(BROKEN[rule][0], tmp_path, static=True)
    assert not [finding for finding in found if RULES[finding.rule].dynamic]


def test_findings_are_sorted_by_level_and_place(tmp_path: Path):
    """The worst first; within a level, in the order of the file."""
    text = with_changes(("What leaves.", ""), ("What comes in, less as the store fills.", ""), ("[0,1000]", "[0,21]"))
    found = _check(with_block("spare = 1 ~ Dmnl ~ judgement: one. |", text), tmp_path)
    assert [finding.rule for finding in found] == ["range", "unused", "comment", "comment"]
    assert [finding.variable for finding in found] == ["Stock", "spare", "inflow", "outflow"]


@pytest.mark.parametrize(("level", "rules"), [("error", []), ("warning", ["range"]), ("advice", ["range", "comment"])])
def test_level_is_the_lowest_that_is_reported(level: str, rules: list[str], tmp_path: Path):
    """Levels go from error to advice."""
    text = with_changes(("What leaves.", ""), ("[0,1000]", "[0,21]"))
    assert [finding.rule for finding in _check(text, tmp_path, level=level)] == rules


def test_faults_are_reported_whatever_rules_are_selected(tmp_path: Path):
    """A model that cannot be read must not pass because of the selected rules."""
    text = with_changes(("Stock/residence time", "Stok/residence time"), ("flow = 10", "flow = 10*Inflo"))
    for options in ({"only": ["comment"]}, {"skip": ["undefined"]}, {"static": True, "level": "error"}):
        assert [finding.variable for finding in _check(text, tmp_path, **options)] == ["Stok", "Inflo"]


def test_unknown_rule_is_an_error_with_a_suggestion():
    """A misspelt rule must not silently check nothing."""
    with pytest.raises(CheckError, match="'unusd' is not a rule; did you mean 'unused'?"):
        check_model(model_from_text(TIDY), only=["unusd"])


def test_missing_file_is_a_finding(tmp_path: Path):
    """Everything that keeps a model from being read is reported in the same way."""
    (found,) = check_model(tmp_path / "none.mdl")
    assert (found.level, found.rule) == ("error", "syntax")
    assert "there is no such file" in found.message


@pytest.mark.parametrize("count", [1, 7, 8, 12])
def test_more_than_seven_causes_are_reported_with_their_number(count: int):
    """A cause counts once, however often it is named; Time is a cause, and a label is not."""
    names = " + ".join(f"c{n}[A]*c{n}[A]" for n in range(count - 1))
    blocks = "\n".join(f"c{n}[d] = 1" for n in range(count))
    equation = f"x = Time + {names}" if count > 1 else "x = Time"
    found = check_model(tiny_model(f"d: A, B\n{equation}\n{blocks}"), only=["causes"], static=True)
    assert [finding.numbers["causes"] for finding in found] == ([count] if count > 7 else [])


def test_supplementary_and_headline_variables_are_not_unused(tmp_path: Path):
    """An output is marked in the model or in the save list next to it; a stock that reads only itself is unused."""
    text = with_block("spare = 1 ~ Dmnl ~ judgement: one. |")

    def unused(text: str) -> list[str]:
        return [finding.variable for finding in check_model(_write(text, tmp_path), static=True)]

    assert [finding.variable for finding in _check(text, tmp_path)] == ["spare"]
    assert _check(text.replace("one. |", "one. ~ :SUPPLEMENTARY |"), tmp_path) == ()
    assert unused(text) == ["spare"]
    (tmp_path / "model.lst").write_text("SPARE\n")
    assert unused(text) == []
    (tmp_path / "model.lst").write_text("= no list\n")
    assert unused(text) == ["spare"]
    loop = tiny_model("S = INTEG(-S, 1)")
    assert [finding.variable for finding in check_model(loop, only=["unused"])] == ["S"]
    start = "RC START TIME = 1\nx = Time\n"  # which Reality Checks read
    models = map(tiny_model, (start, f"{start}c :THE CONDITION: x = 1 :IMPLIES: x = 1"))
    found = [[finding.variable for finding in check_model(model, only=["unused"])] for model in models]
    assert found == [["RC START TIME", "x"], ["x"]]


@pytest.mark.parametrize(
    ("comment", "reported"),
    [
        ("How long things stay.", True),
        ("In use since 1990.", True),
        ("Ratio: of two things?", False),
        ("Sterman 2000, p. 12", False),
        ("(Meadows, 1972)", False),
        ("see chips_sold_total", False),
        ("An assumption.", False),
        ("ESTIMATED from the stock", False),
        ("www.vensim.com", False),
        ("by definition", False),
    ],
)
def test_sources_in_comments_are_recognized(comment: str, *, reported: bool):
    """An address, an author with a year, a series, a leading name with a colon, or a word such as judgement."""
    text = TIDY.replace("From https://example.org/stores.", comment)
    found = check_model(model_from_text(text), only=["source"], static=True)
    assert bool(found) is reported


def test_a_failing_run_is_reported_whichever_rule_needs_it(tmp_path: Path):
    """A rule that could not be checked must not pass."""
    text, _, _ = BROKEN["run"]
    assert [finding.rule for finding in _check(text, tmp_path, only=["negative"])] == ["run"]
    assert _check(text, tmp_path, only=["comment"]) == ()


BESIDE = {
    "other values are plausible": ("200,L,1\nnormal inflow=RANDOM_UNIFORM(12,14)\n", {"Stock"}, "outside the 90 % band of 200"),
    "own values are plausible": ("200,L,1\nnormal inflow=RANDOM_UNIFORM(8,12)\n", set(), ""),
    "no effect": ("200,L,1\nspare=RANDOM_UNIFORM(2,3)\n", set(), ""),
    "one at a time": ("200,U,1\nnormal inflow=RANDOM_UNIFORM(12,14)\n", set(), ""),
    "unknown constant": ("200,L,1\nnormal outflow=RANDOM_UNIFORM(12,14)\n", {""}, "'normal outflow' is not in the model"),
    "not a sensitivity file": ("price\n", {""}, "the first line must give the method"),
    "members without a run": ("200,L,1\nTIME STEP=RANDOM_UNIFORM(12,14)\n", {""}, "TIME STEP"),
}  # fmt: skip


@pytest.mark.parametrize("case", BESIDE)
def test_the_run_is_compared_with_the_file_beside_the_model(case: str, tmp_path: Path):
    """Where the file describes no distribution there is nothing to compare; what is wrong with it is reported."""
    text, variables, message = BESIDE[case]
    path = _write(with_block("spare = 1 ~ Dmnl ~ judgement: one. |"), tmp_path)
    path.with_suffix(".vsc").write_text(text, "utf-8")
    found = check_model(path, only=["band"])
    assert {finding.variable for finding in found} == variables
    assert all(message in finding.message for finding in found)
    assert {finding.level for finding in found} <= {"warning"}


def test_policy_levers_stay_as_they_are(tmp_path: Path):
    """Their values are a choice: lines for them do not count."""
    group = "*" * 56 + "\n\t.Policy levers\n" + "*" * 56 + "~\n\t|\n"
    path = _write(TIDY.replace("normal inflow = 10", f"{group}normal inflow = 10"), tmp_path)
    path.with_suffix(".vsc").write_text("200,L,1\nnormal inflow=RANDOM_UNIFORM(12,14)\n", "utf-8")
    assert check_model(path, only=["band"]) == ()
