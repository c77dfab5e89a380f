"""A model file is untrusted: its names, units and comments are never run, whatever they contain."""

from __future__ import annotations

import builtins
import subprocess

import numpy as np
import pytest

from sdmodel.program import compile_program, host
from sdmodel.program.assembly import module_text
from sdmodel.simulation import compile_wasm, simulate
from sdmodel.store import open_run, save_run
from sdmodel.testing import model_text
from sdmodel.vensim import model_from_text

HOSTILE = [
    "__import__('os').system('touch pwned')",
    "eval(compile('1', '', 'exec'))",
    "{{7*7}}",
    "${jndi:ldap}",
    "x\\0A}\\0Adefine void @evil()",
    "}; define i64 @run() { ret i64 0 }; {",
    "%s%n",
    "; ret void",
    "$(touch pwned)",
    "`touch pwned`",
    "<script>alert(1)</script>",
    "..\\..\\evil",
    "import sympy",
]


@pytest.fixture
def _no_execution(monkeypatch):
    """Fail the test if anything runs text as code."""

    def refuse(*arguments, **_):
        message = f"text was run as code: {arguments[:1]}"
        raise AssertionError(message)

    for name in ("Popen", "run", "call"):
        monkeypatch.setattr(subprocess, name, refuse)
    monkeypatch.setattr("os.system", refuse)
    monkeypatch.setattr(builtins, "eval", refuse)


def _hostile_text(words: str) -> str:
    name = words.replace("\\", "\\\\").replace('"', "")
    comment = words.replace("|", "").replace("~", "")
    blocks = (
        f'"{name}" = 3\n\t~\t{comment} [0,?]\n\t~\t{comment}\n\t|\n\n"s {name}" = INTEG("{name}", 1)\n\t~\t\n\t~\t\n\t|'
    )
    return model_text(blocks)


@pytest.mark.usefixtures("_no_execution")
@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text_is_never_run(words, tmp_path, monkeypatch):
    """Hostile names, units and comments are read, simulated, stored and read back, and nothing in them is run."""
    monkeypatch.chdir(tmp_path)
    model = model_from_text(_hostile_text(words), "hostile.mdl")
    run = simulate(model)
    stock = next(element for element in model if element.kind == "stock")
    assert run[model.identifiers[stock.key]].values[-1] == 31
    save_run(run, tmp_path / "run.nc")
    assert np.array_equal(
        open_run(tmp_path / "run.nc")[model.identifiers[stock.key]], run[model.identifiers[stock.key]]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["run.nc"]


@pytest.mark.parametrize("words", HOSTILE)
def test_no_text_of_a_model_enters_its_assembly(words):
    """Registers have numbers for names: two models that differ only in their texts have the same assembly."""
    texts = {
        module_text(compile_program(model_from_text(_hostile_text(text), "m.mdl")).layout, 1, host().mathematics)
        for text in (words, "harmless")
    }
    assert len(texts) == 1


@pytest.mark.parametrize("words", HOSTILE)
def test_no_text_of_a_model_enters_its_webassembly(words):
    """The same for the module of a page: only its description has names."""
    modules = [compile_wasm(model_from_text(_hostile_text(text), "m.mdl")) for text in (words, "harmless")]
    assert modules[0].code == modules[1].code
    assert modules[0].description["inputs"][0]["name"] == words.replace("\\", "\\\\").replace('"', "")
