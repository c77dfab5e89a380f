"""Mutants of the package are noticed by the tests of their stage, or a list says why they cannot be."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "fuzzing"))  # for `mutants`, a script beside the package

from mutants import EQUIVALENT, KNOWN, choose, mutants_of, run, verdict

PROJECT = Path(__file__).parents[1]
SOURCE = '''
"""A module."""
from string import Template
SIZE: int = 3
TEXT = Template("%x = fadd double %a, 2.0")

def f(a: int = 2) -> bool:
    """A function."""
    if a <= 3 and not a == 4:
        raise ValueError(f"{a + 1} is wrong")
    b = [a]
    b[0] += 1
    print("ä", a - 1)
    return True
'''


@pytest.fixture(scope="module")
def chosen():
    """The mutants of the nightly run with their tests."""
    return choose(PROJECT / "sdmodel")


def test_a_mutant_of_every_kind_is_made():
    """One change each; texts, types and default values stay."""
    found = {(mutant.before, mutant.after) for mutant in mutants_of("a.py", SOURCE)}
    assert {
        ("a <= 3", "a < 3"),
        ("a == 4", "a != 4"),
        ("a <= 3 and not a == 4", "(a <= 3 or not a == 4)"),
        ("not a == 4", "(a == 4)"),
        ('raise ValueError(f"{a + 1} is wrong")', "pass"),
        ("b[0] += 1", "pass"),
        ('print("ä", a - 1)', "pass"),
        ("a - 1", "a + 1"),
        ("return True", "return None"),
        ("True", "False"),
        ("3", "4"),
    } <= found
    changed = [mutant.apply(SOURCE) for mutant in mutants_of("a.py", SOURCE)]
    assert len(set(changed)) == len(changed)
    assert any("%x = fsub double" in text for text in changed)
    for text in changed:
        ast.parse(text)
        assert 'f"{a + 1} is wrong"' in text or "        pass" in text
        assert "a: int = 2" in text


def test_the_nightly_mutants_are_sixty_of_all_stages_and_can_be_read(chosen):
    """The known ones are among them, and each name stands for one change."""
    assert len(chosen) == 60
    mutants = [mutant for mutant, _ in chosen]
    assert len({mutant.name for mutant in mutants}) == 60
    assert sum(mutant.kind == "known" for mutant in mutants) == len(KNOWN)
    stages = {mutant.module.partition("/")[0] for mutant in mutants}
    assert stages == {"program", "model", "scenario", "comparison", "inference", "store", "vensim"}
    for mutant, tests in chosen:
        source = (PROJECT / "sdmodel" / mutant.module).read_text("utf-8")
        assert source[mutant.start : mutant.end] == mutant.before
        ast.parse(mutant.apply(source))
        assert all((PROJECT / test).exists() for test in tests)


def test_a_survivor_needs_a_reason_and_a_reason_needs_a_survivor(chosen, monkeypatch):
    """The list of explanations is neither too short nor too long."""
    mutants = [mutant for mutant, _ in chosen[:3]]
    monkeypatch.setattr(sys.modules["mutants"], "EQUIVALENT", {mutants[0].name: "it is equal"})
    assert verdict(mutants, [mutants[0]]) == []
    assert verdict(mutants, mutants[:2]) == [f"{mutants[1].name}: no test notices it"]
    assert verdict(mutants, []) == [f"{mutants[0].name}: not a survivor; remove it from EQUIVALENT"]


def test_every_explanation_has_a_reason():
    """A reason is a sentence."""
    assert all(len(reason) > 30 for reason in EQUIVALENT.values())


@pytest.mark.nightly
def test_every_mutant_is_noticed_or_explained(chosen):
    """About half an hour."""
    assert verdict([mutant for mutant, _ in chosen], run(chosen, workers=2)) == []
