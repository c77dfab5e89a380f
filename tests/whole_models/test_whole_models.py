"""Whole random models give the numbers of an interpreter that shares no code with the package."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import interpreter
import numpy as np
import pytest
from interpreter import EXACT, ROUNDED, Run
from model_tree import Call, walk
from random_files import check, differences, make_file, package_values, saved
from random_models import models, settings

from sdmodel.model import FUNCTIONS, RUN_SETTINGS, key, order
from sdmodel.program import compiled
from sdmodel.simulation import compile_wasm, simulate
from sdmodel.testing import WasmInstance, differences_from_run
from sdmodel.vensim import model_from_text

NIGHTLY = range(1000, 1021)
"""The files of the nightly test, of 25 models each."""


@pytest.mark.parametrize("seed", [3, 7, 10])
def test_models_agree_with_the_interpreter(seed):
    """Few models of every kind, by Euler and Runge-Kutta, one run and three members."""
    counts: Counter[str] = Counter()
    assert check(make_file(seed, 7), counts, members=seed == 10) == []
    assert counts["models"] >= 6
    assert counts["rounding decides"] < counts["numbers"] / 100


@pytest.mark.parametrize("seed", [5, 9])
def test_models_with_random_functions_agree(seed):
    """Every draw of every cell, term and member, by Euler and Runge-Kutta."""
    counts: Counter[str] = Counter()
    assert check(make_file(seed, 2, noisy=True), counts, members=seed == 5) == []
    assert counts["models"] >= 1


def test_both_integrators_are_tested():
    """The files above use both."""
    assert {make_file(seed, 1).times.rk4 for seed in (3, 7, 10)} == {False, True}
    assert {make_file(seed, 1, noisy=True).times.rk4 for seed in (5, 9)} == {False, True}


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
@pytest.mark.parametrize(("seed", "kind"), [(3, ""), (10, ""), (4, "special"), (6, "noisy")])
def test_models_agree_as_webassembly(seed, kind):
    """The same models as a module of WebAssembly have the numbers of native code, and what is not finite is found."""
    file = make_file(seed, 4, special=kind == "special", noisy=kind == "noisy")
    model = model_from_text(file.text, "random.mdl")
    run, module = simulate(model), compile_wasm(model)
    instance = WasmInstance(module)
    finite, series = instance.run()
    assert finite == ("not_finite" not in run.attrs)
    assert max(differences_from_run(module.description, series, run).values()) < 1e-12
    if not finite:
        cell, time = instance.find_fault()
        assert run.attrs["not_finite"].startswith(f"'{cell}' is not finite from time {time:g}; ")


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
@pytest.mark.parametrize(
    ("seed", "kind"), [(3, ""), (7, ""), (10, ""), (4, "special"), (11, "special"), (4, "noisy"), (6, "noisy")]
)
def test_loops_over_cells_change_nothing(seed, kind, monkeypatch):
    """The same models with a loop for any two cells, and with all cells written out: the same bits, and the same cell fails first."""
    count = 2 if kind == "noisy" else 7
    text = make_file(seed, count, special=kind == "special", noisy=kind == "noisy").text
    runs = []
    for fewest in (2, 10**9):
        monkeypatch.setattr(order, "FEWEST", fewest)
        runs.append(simulate(model_from_text(text, "random.mdl")))
    one, other = runs
    assert one.attrs.get("not_finite") == other.attrs.get("not_finite")
    for name in other.data_vars:
        assert np.array_equal(one[name].values, other[name].values, equal_nan=True), name


@pytest.mark.nightly
@pytest.mark.parametrize("seed", NIGHTLY)
def test_many_models_agree_with_the_interpreter(seed):
    """500 models, one run and three members of each, every third file with random functions."""
    counts: Counter[str] = Counter()
    assert check(make_file(seed, 25, noisy=seed % 3 == 0), counts, members=True) == []
    assert counts["models"] >= 22
    assert counts["rounding decides"] < counts["numbers"] / 100


@pytest.mark.parametrize(
    ("seed", "count"),
    [(3, 4), (4, 4), *(pytest.param(seed, 10, marks=pytest.mark.nightly) for seed in range(2000, 2010))],
)
def test_models_with_special_values_agree(seed, count):
    """Zeros of both signs, the smallest and largest numbers, and functions outside their domain."""
    counts: Counter[str] = Counter()
    assert check(make_file(seed, count, special=True), counts, members=False) == []
    assert counts["not finite"] > 0


def test_models_with_special_values_hold_what_they_are_made_for():
    """The interpreter finds numbers that are not finite in them, at first in few cells."""
    file = make_file(4, 4, special=True)
    values = [value for line in Run(file.whole, file.times).run().values() for value in line]
    assert any(map(math.isnan, values))
    assert sum(map(math.isfinite, values)) > len(values) / 4


ELSEWHERE = {
    "DELAY BATCH", "DELAY INFORMATION", "DELAY MATERIAL", "DELAYP", "DEPRECIATE BY SCHEDULE", "DEPRECIATE STRAIGHTLINE", "GAMMA LN", "GET TIME VALUE", "LOOKUP INVERT", "LOOKUP SLOPE", "MESSAGE", "NPV", "NPVE",
    "SIMULTANEOUS", "SINTEG", "INTERNAL RATE OF RETURN", "FIND ZERO", "SHIFT IF TRUE", "DELAY CONVEYOR", "DELAY PROFILE",
    *(name for name in FUNCTIONS if name.startswith("QUEUE")),
}  # fmt: skip
"""Functions that `tests/simulation/test_manual_functions.py` or a file beside it computes a second time."""


def test_every_function_occurs_in_the_nightly_models():
    """A function that the package gains needs a place in the generator and the interpreter."""
    names = set()
    for seed in NIGHTLY:
        chance = random.Random(seed)
        for whole in models(chance, 25, settings(chance), noisy=seed % 3 == 0):
            nodes = [part for equation in whole.equations if equation.node for part in walk(equation.node)]
            names |= {part.name for part in nodes if isinstance(part, Call)}
    of_data = {name for name, row in FUNCTIONS.items() if row.arguments[:1] == ("data",)}  # a random model has no files
    of_arrays = {name for name, row in FUNCTIONS.items() if row.takes_arrays or row.rewrite}
    elsewhere = of_arrays | {"ALLOC P", *ELSEWHERE}  # tests/program/test_array_functions.py has properties of these
    assert set(FUNCTIONS) - of_data - elsewhere <= names


@pytest.fixture(scope="module")
def one_file():
    """A file and what the package makes of it."""
    file = make_file(7, 7)
    return file, package_values(file)[0]


@pytest.mark.parametrize("name", ["+", "*", "/", "MAX", "MODULO", "INTEGER", "<=", ":NOT:", "ABS", "TANH", "^"])
def test_a_wrong_function_is_noticed(name, one_file, monkeypatch):
    """The comparison is not blind: the same models differ where the interpreter computes another number."""
    file, found = one_file
    table = EXACT if name in EXACT else ROUNDED
    right = table[name]
    monkeypatch.setitem(table, name, lambda *values: right(*values) + 1e-6)
    wrong = saved(Run(file.whole, file.times))
    assert list(differences(file, found, (wrong, wrong, wrong), Counter()))


@pytest.mark.parametrize("rule", ["look_up", "Run.rise", "Run.stage"])
def test_a_wrong_rule_is_noticed(rule, one_file, monkeypatch):
    """The same for lookups, for test inputs, and for the time of the last stage of Runge-Kutta."""
    file, found = one_file
    look_up, stage = interpreter.look_up, Run.stage
    wrong_rules = {
        "look_up": lambda *arguments: look_up(*arguments) + 1e-6,
        "Run.rise": lambda _, height, __: height,
        "Run.stage": lambda run, halves: stage(run, min(halves, 2 * run.count + 1)),
    }
    monkeypatch.setattr(f"interpreter.{rule}", wrong_rules[rule])
    wrong = saved(Run(file.whole, file.times))
    assert list(differences(file, found, (wrong, wrong, wrong), Counter()))


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
@pytest.mark.parametrize(("seed", "kind"), [(3, ""), (10, ""), (4, "special"), (6, "noisy")])
def test_code_that_stores_only_what_is_saved_gives_the_same_numbers(seed, kind, monkeypatch):
    """Of one run and of three members, to the last bit; and the same cell fails first."""
    count = 2 if kind == "noisy" else 7
    model = model_from_text(make_file(seed, count, special=kind == "special", noisy=kind == "noisy").text, "random.mdl")
    lever = next(own.name for own in model if own.kind == "constant" and own.key not in map(key, RUN_SETTINGS))
    trials: list[dict[str, Any]] = [{}, {"members": 3} if model.draws else {"constants": {lever: [1.0, 2.0, 3.0]}}]
    for options in trials:
        whole = simulate(model, **options)
        names = [name for name in whole.data_vars if "time" in whole[name].dims]
        for save in (names[:2], names[-1:]):
            plain = simulate(model, **options, save=save)
            with monkeypatch.context() as patch:
                patch.setattr(compiled, "_SAVED_STEPS", 0)
                found = simulate(model, **options, save=save)
            assert found.attrs.get("not_finite") == plain.attrs.get("not_finite")
            for name in save:
                assert np.array_equal(found[name].values, whole[name].values, equal_nan=True), name
