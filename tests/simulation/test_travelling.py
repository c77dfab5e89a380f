"""Models, programs, designs and scenarios sent to other processes and copied."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pytest

from sdmodel.model import Model
from sdmodel.program import compile_program
from sdmodel.scenario import Distribution, Sampling, Scenario, Steps, Variation, make_design
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change

MODEL = tiny_model(
    "funds: first, second ~~|\nstock[funds] = INTEG(SMOOTH3(rate*stock[funds], 2), start[funds]) ~~|\n"
    "start[funds] = 1, 2 ~~|\nlate = DELAY FIXED(rate*Time, 2, 7) ~~|\ntable((0,0),(5,9)) ~~|\nread = table(Time) ~~|\n"
    "rate = 0.3 ~~|\n"
)
METHODS = [name for name in ("fork", "forkserver", "spawn") if name in multiprocessing.get_all_start_methods()]


def _work(task: tuple[Model, float]) -> tuple[int, int, list[Any]]:
    """Simulate in another process; the second number says which program the process uses."""
    model, rate = task
    run = simulate(model, {"rate": rate})
    return os.getpid(), id(compile_program(model)), [run["stock"].values, run["late"].values, run["read"].values]


def _check(answers: list[tuple[int, int, list[Any]]], rates: list[float]) -> None:
    assert os.getpid() not in {process for process, _, _ in answers}
    assert len({process for process, _, _ in answers}) == len({answer[:2] for answer in answers})
    for (_, _, found), rate in zip(answers, rates, strict=True):
        run = simulate(MODEL, {"rate": rate})
        for values, name in zip(found, ("stock", "late", "read"), strict=True):
            assert np.array_equal(values, run[name])


@pytest.mark.parametrize("method", METHODS)
def test_a_model_works_in_other_processes_and_is_compiled_once_in_each(method: str):
    """However the processes begin; the numbers are the same to the last bit."""
    rates = [0.1, 0.2, 0.3, 0.4]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        _check(list(pool.map(_work, [(MODEL, rate) for rate in rates])), rates)


def test_joblib_runs_models():
    """With its own processes, which use cloudpickle."""
    rates = [0.1, 0.2, 0.3]
    _check(joblib.Parallel(n_jobs=2)(joblib.delayed(_work)((MODEL, rate)) for rate in rates), rates)


@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
def test_what_arrives_is_equal(pickler: Any):
    """Models and programs compute the same; designs and scenarios have the same numbers."""

    def send(what: Any) -> Any:
        return pickler.loads(pickler.dumps(what))

    other = send(MODEL)
    assert other is send(MODEL)
    assert other is not MODEL
    assert simulate(other).identical(simulate(MODEL).assign_attrs(created=simulate(other).attrs["created"]))
    program = send(compile_program(MODEL))
    assert program is send(compile_program(MODEL))
    assert list(program.layout.row) == list(compile_program(MODEL).layout.row)
    scenario = Scenario("fast", (read_change("rate = 0.5"), read_change("table((0,0),(1,1))")), "note", "text")
    assert send(scenario) == scenario
    assert copy.deepcopy(scenario) == scenario


@pytest.mark.parametrize("method", ["univariate", "multivariate", "latin hypercube", "grid"])
def test_designs_are_sent_and_copied(method: Any):
    """Every method of sampling."""
    rate = Variation("rate", (), Distribution("RANDOM_NORMAL", (0.0, 1.0, 0.2, 0.1)))
    steps = Variation(
        "start", ("first",), Steps(1.0, 3.0, 1.0) if method in {"univariate", "grid"} else rate.distribution
    )
    design = make_design(MODEL, Sampling(method, variations=(rate, steps)), count=5, seed=3)
    for other in (pickle.loads(pickle.dumps(design)), copy.deepcopy(design)):  # noqa: S301 - made here
        assert other.digest == design.digest
        assert np.array_equal(other.values(0, other.count), design.values(0, design.count))


def test_a_copy_of_what_never_changes_is_itself():
    """So that the copy is compiled already."""
    for original in (MODEL, compile_program(MODEL)):
        assert copy.copy(original) is original
        assert copy.deepcopy({"a": [original]})["a"][0] is original
