"""Every rule of the table: a model that goes against it, at a known line, and one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tidy import TIDY, spoilt, with_block

from sdmodel.checking import LEVELS, RULES, Finding, check_model
from sdmodel.errors import CheckError, Place
from sdmodel.testing import tiny_model
from sdmodel.vensim import model_from_text

EIGHT = [f"c{n} = 1 ~ Dmnl ~ judgement: one of eight. |" for n in range(8)]
EIGHT_SHOWN = "".join(f"10,{n + 20},c{n},1,1,40,20,3,3,0,0,0,0,0,0\n" for n in range(8))

# rule: the spoilt model, the text at whose line it is told, the variable that it is told of
SPOILT = {
    "syntax": (spoilt(("Stock/residence time", "Stock/(residence time")), "outflow = ", ""),
    "undefined": (spoilt(("Stock/residence time", "Stok/residence time")), "outflow = ", "Stok"),
    "doubly-defined": (with_block("full stock = 50 ~ Widget ~ judgement: more. |"), "full stock = 50", "full stock"),
    "simultaneous": (spoilt(("normal inflow = 10", "normal inflow = inflow")), "inflow = normal", ""),
    "unsupported": (spoilt(("flow = 10", "flow = RANDOM UNIFORM(0, 1, 2)")), "normal inflow = ", ""),
    "run": (spoilt(("SAVEPER = 0.25", "SAVEPER = 0.3")), "SAVEPER = ", ""),
    "units": (spoilt(("= Stock/residence time", "= Stock*residence time")), "outflow = ", "outflow"),
    "unused": (with_block("spare = 1 ~ Dmnl ~ judgement: one. |"), "spare = ", "spare"),
    "time-constant": (spoilt(("residence time = 4", "residence time = 0.1")), "outflow = ", "outflow"),
    "comment": (spoilt(("What leaves.", "")), "outflow = ", "outflow"),
    "source": (spoilt(("From https://example.org/stores.", "How long things stay.")), "residence time = ", "residence time"),
    "no-units": (spoilt(("4\n\t~\tYear", "4\n\t~\t")), "residence time = ", "residence time"),
    "buried-number": (spoilt(("= normal inflow*", "= 0.9*normal inflow*")), "inflow = 0.9", "inflow"),
    "operators": (spoilt(("= Stock/residence time", "= -Stock^1/residence time*(-1)")), "outflow = ", "outflow"),
    "causes": (
        with_block("\n".join(EIGHT), spoilt(("= Stock/", "= c0*c1*c2*c3*c4*c5*c6*c7*Stock/"))).replace(
            "///---\\", f"{EIGHT_SHOWN}///---\\"
        ),
        "outflow = ",
        "outflow",
    ),
    "no-view": (spoilt(("10,3,outflow,", "12,3,outflow,")), "outflow = ", "outflow"),
    "table-turns": (spoilt(("(4,0.1)", "(4,0.7)")), "effect of fullness([", "effect of fullness"),
    "table-graph": (spoilt(("-(4,1)]", "-(3,1)]")), "effect of fullness([", "effect of fullness"),
    "not-finite": (spoilt(("/residence time", "/(residence time - 4)")), "outflow = ", "outflow"),
    "range": (spoilt(("[0,1000]", "[0,21]")), "Stock = ", "Stock"),
    "balance": (spoilt(("initial stock = 20", "initial stock = 1e30"), ("/residence time", "/residence time*0")), "Stock = ", "Stock"),
    "table-end": (spoilt(("[(0,0)-(4,1)],(0,1)", "(0.9,1)")), "inflow = ", "inflow"),
    "time-step": (spoilt(("TIME STEP = 0.0625", "TIME STEP = 0.25"), ("residence time = 4", "residence time = 0.6")), "TIME STEP = ", "Stock"),
    "method": (spoilt(("TIME STEP = 0.0625", "TIME STEP = 0.25"), ("residence time = 4", "residence time = 0.6")), "TIME STEP = ", "Stock"),
    "extreme": (spoilt(("Stock/full stock)", "Stock/full stock)*1/normal inflow")), "inflow = normal", "inflow"),
    "negative": (
        with_block("sales = 3 ~ Widget/Year [0,20] ~ judgement: steady. |", spoilt(("= Stock/residence time", "= sales"))),
        "Stock = ",
        "Stock",
    ),
}  # fmt: skip


def _checked(text: str, folder: Path, **options: object) -> tuple[Finding, ...]:
    path = folder / "model.mdl"
    path.write_text(text, "utf-8")
    return check_model(path, **options)  # type: ignore[arg-type]


def test_a_tidy_model_has_no_finding(tmp_path: Path):
    """No rule sounds a false alarm on a model that keeps them all."""
    assert _checked(TIDY, tmp_path) == ()


def test_every_rule_has_a_model_that_goes_against_it():
    """The table of rules and the table of spoilt models name the same rules, so that none is untested."""
    assert set(SPOILT) == set(RULES)


@pytest.mark.parametrize("rule", SPOILT)
def test_a_rule_is_told_at_its_place_and_of_its_variable(rule: str, tmp_path: Path):
    """A finding stands at the first line of the equation that is spoilt, or at the name in it that is wrong."""
    text, where, variable = SPOILT[rule]
    found = [each for each in _checked(text, tmp_path) if each.rule == rule]
    assert found, f"nothing goes against {rule}"
    wanted = text[: text.index(where)].count("\n") + 1 if where else None
    lines = [each.place.line if isinstance(each.place, Place) else None for each in found]
    assert wanted in lines
    assert variable in {each.variable for each in found}


@pytest.mark.parametrize("rule", SPOILT)
def test_no_finding_weighs_more_than_its_rule(rule: str, tmp_path: Path):
    """The table tells the most that a rule weighs, and every finding names a rule of the table."""
    for each in _checked(SPOILT[rule][0], tmp_path):
        assert LEVELS.index(each.level) >= LEVELS.index(RULES[each.rule].level)
        assert "; " in each.message, f"no cure: {each.message}"


@pytest.mark.parametrize("rule", [name for name, each in RULES.items() if each.find is not None])
def test_a_rule_that_is_skipped_is_not_told_and_one_alone_is_told_alone(rule: str, tmp_path: Path):
    """`only` and `skip` pick findings by rule, and change none of them."""
    text = SPOILT[rule][0]
    whole = _checked(text, tmp_path)
    fatal = {"run"}
    assert _checked(text, tmp_path, skip=[rule]) == tuple(e for e in whole if e.rule != rule or rule in fatal)
    assert _checked(text, tmp_path, only=[rule]) == tuple(e for e in whole if e.rule in {rule, *fatal})


@pytest.mark.parametrize("rule", [name for name, each in RULES.items() if each.dynamic])
def test_what_needs_a_run_is_left_out_of_a_static_check(rule: str, tmp_path: Path):
    """A static check runs nothing, so that it finds nothing that only a run tells."""
    assert not [each for each in _checked(SPOILT[rule][0], tmp_path, static=True) if RULES[each.rule].dynamic]


def test_findings_come_by_level_and_then_by_place(tmp_path: Path):
    """The worst first; within a level, as they stand in the file."""
    text = spoilt(("What leaves.", ""), ("What comes in, less as the store fills.", ""), ("[0,1000]", "[0,21]"))
    found = _checked(with_block("spare = 1 ~ Dmnl ~ judgement: one. |", text), tmp_path)
    assert [each.rule for each in found] == ["range", "unused", "comment", "comment"]
    assert [each.variable for each in found] == ["Stock", "spare", "inflow", "outflow"]


@pytest.mark.parametrize(("level", "rules"), [("error", []), ("warning", ["range"]), ("advice", ["range", "comment"])])
def test_a_level_is_the_least_that_is_told(level: str, rules: list[str], tmp_path: Path):
    """Levels go from error to advice."""
    text = spoilt(("What leaves.", ""), ("[0,1000]", "[0,21]"))
    assert [each.rule for each in _checked(text, tmp_path, level=level)] == rules


def test_faults_of_a_model_that_cannot_be_read_are_told_whatever_is_asked(tmp_path: Path):
    """A model that cannot be read must not pass for want of a rule."""
    text = spoilt(("Stock/residence time", "Stok/residence time"), ("flow = 10", "flow = 10*Inflo"))
    for options in ({"only": ["comment"]}, {"skip": ["undefined"]}, {"static": True, "level": "error"}):
        assert [each.variable for each in _checked(text, tmp_path, **options)] == ["Stok", "Inflo"]


def test_a_rule_there_is_not_is_told_with_the_nearest():
    """A misspelt rule must not silently check nothing."""
    with pytest.raises(CheckError, match="'unusd' is no rule; did you mean 'unused'?"):
        check_model(model_from_text(TIDY), only=["unusd"])


def test_a_file_that_is_missing_is_a_finding(tmp_path: Path):
    """Whatever keeps a model from being read is told the same way."""
    (found,) = check_model(tmp_path / "none.mdl")
    assert (found.level, found.rule) == ("error", "syntax")
    assert "there is no such file" in found.message


@pytest.mark.parametrize("count", [1, 7, 8, 12])
def test_more_than_seven_causes_are_told_with_their_number(count: int):
    """A cause counts once, however often it is named; Time is one, and a label is none."""
    names = " + ".join(f"c{n}[A]*c{n}[A]" for n in range(count - 1))
    blocks = "\n".join(f"c{n}[d] = 1" for n in range(count))
    equation = f"x = Time + {names}" if count > 1 else "x = Time"
    found = check_model(tiny_model(f"d: A, B\n{equation}\n{blocks}"), only=["causes"], static=True)
    assert [each.numbers["causes"] for each in found] == ([count] if count > 7 else [])


def test_what_is_supplementary_or_a_headline_is_not_unused(tmp_path: Path):
    """An output is marked in the model, or named in the save list beside it; a stock that reads itself is no use."""
    text = with_block("spare = 1 ~ Dmnl ~ judgement: one. |")
    assert [each.variable for each in _checked(text, tmp_path)] == ["spare"]
    assert _checked(text.replace("one. |", "one. ~ :SUPPLEMENTARY |"), tmp_path) == ()
    (tmp_path / "model.lst").write_text("SPARE\n")
    assert _checked(text, tmp_path) == ()
    (tmp_path / "model.lst").write_text("= no list\n")
    assert [each.variable for each in _checked(text, tmp_path)] == ["spare"]
    loop = tiny_model("S = INTEG(-S, 1)")
    assert [each.variable for each in check_model(loop, only=["unused"])] == ["S"]


@pytest.mark.parametrize(
    ("comment", "told"),
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
def test_a_comment_names_a_source_by_the_signs_that_authors_use(comment: str, *, told: bool):
    """An address, an author with a year, a series, a leading name with a colon, or a word such as judgement."""
    text = TIDY.replace("From https://example.org/stores.", comment)
    found = check_model(model_from_text(text), only=["source"], static=True)
    assert bool(found) is told


def test_a_run_that_cannot_be_made_is_told_whichever_rule_needs_it(tmp_path: Path):
    """A rule that could not be tried must not pass."""
    text, _, _ = SPOILT["run"]
    assert [each.rule for each in _checked(text, tmp_path, only=["negative"])] == ["run"]
    assert _checked(text, tmp_path, only=["comment"]) == ()
