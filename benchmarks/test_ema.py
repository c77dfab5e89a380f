"""Experiments of the EMA workbench: this package's connector against that for PySD.

Both run the same experiments in one process, in turns; each time is the best of several rounds. A first round, which compiles and
translates, does not count, and shows that the numbers agree.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.testing import benchmark_text

TEA = """{UTF-8}
Tea Temperature = INTEG(-heat loss, 180) ~~|
heat loss = (Tea Temperature - room temperature)/cooling time ~~|
room temperature = 70.5 ~~|
cooling time = 10.5 ~~|
INITIAL TIME = 0 ~~|
FINAL TIME = 30 ~~|
TIME STEP = 0.125 ~~|
SAVEPER = 0.125 ~~|
"""
MODELS = {"a cup of tea": (TEA, 4, 3000, 20), "250 elements": (benchmark_text(), 2, 1000, 1)}
"""The text of each model, the number of rounds, and of experiments in a round with either connector."""


def _run(ema, model, experiments) -> tuple[float, np.ndarray]:
    """The time of one experiment, in seconds, and the last value of the outcome in each."""
    start = time.perf_counter()
    with ema.SequentialEvaluator(model) as evaluator:
        _, outcomes = evaluator.perform_experiments(experiments, reporting_interval=10**9)
    return (time.perf_counter() - start) / len(experiments), outcomes["stock"][:, -1]


def _prepare(ema, model, constant, stock):
    model.uncertainties = [ema.RealParameter(constant.name, 0, 1e9)]
    model.outcomes = [ema.TimeSeriesOutcome("stock", variable_name=stock.name)]
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", MODELS)
def test_the_connector_against_that_for_pysd(size, tmp_path):
    ema = pytest.importorskip("ema_workbench")
    from ema_workbench.connectors.pysd_connector import PysdModel

    from sdmodel.ema import SdModel

    text, rounds, *counts = MODELS[size]
    path = tmp_path / "model.mdl"
    path.write_text(text, "utf-8")
    elements = list(sd.read_model(path))
    constant = next(element for element in elements if element.kind == "constant" and element.group != ".Control")
    stock = next(element for element in elements if element.kind == "stock")
    value = float(sd.simulate(sd.read_model(path))[sd.read_model(path).identifiers[constant.key]])
    experiments = [
        ema.Scenario(str(place), **{constant.name: value * factor})
        for place, factor in enumerate(np.random.default_rng(1).uniform(0.9, 1.1, counts[0]))
    ]
    ours = _prepare(ema, SdModel("ours", path), constant, stock)
    theirs = _prepare(ema, PysdModel("theirs", mdl_file=str(path)), constant, stock)
    times = []
    for _ in range(rounds + 1):
        quick, found = _run(ema, ours, experiments)
        slow, expected = _run(ema, theirs, experiments[: counts[1]])
        assert found[: counts[1]] == pytest.approx(expected, rel=1e-6)
        times.append((quick, slow))
    quick, slow = (min(column) for column in zip(*times[1:], strict=True))
    print(
        f"{size}: an experiment takes {1e3 * quick:.3g} ms, with PySD {1e3 * slow:.3g} ms, {slow / quick:.0f} times as long"
    )
    assert slow > 10 * quick
