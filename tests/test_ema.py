"""Models in the EMA workbench: the numbers are those of this package, and of the workbench's own lake problem."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdmodel.errors import SimulationError
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

LAKE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "lake.mdl"
MODEL = tiny_model(
    "funds: first, second ~~|\nstock[funds] = INTEG(rate*stock[funds] + extra, start[funds]) ~~|\n"
    "start[funds] = 1, 2 ~~|\nrate = 0.3 ~~|\nextra = 0 ~~|\n"
)


@pytest.fixture
def ema() -> Any:
    """The workbench."""
    return pytest.importorskip("ema_workbench", reason="ema_workbench is not installed")


def tiny(ema: Any, **options: Any) -> Any:
    """A model with two outcomes and one uncertainty."""
    model = importlib.import_module("sdmodel.ema").SdModel("tiny", MODEL, **options)
    model.uncertainties = [ema.RealParameter("rate", 0.1, 0.5)]
    model.outcomes = [
        ema.TimeSeriesOutcome("second", variable_name="stock[second]"),
        ema.ArrayOutcome("both", variable_name="stock"),
        ema.ScalarOutcome("last", variable_name="stock[first]", function=np.max),
    ]
    return model


def check(experiments: Any, outcomes: Any, constants: dict[str, Any]) -> None:
    """The outcomes are those of `simulate` with the constants of each experiment and those given."""
    for place, rate in enumerate(experiments["rate"]):
        run = simulate(MODEL, {"rate": rate, **constants})
        assert np.array_equal(outcomes["second"][place], run["stock"].sel(funds="second"))
        assert np.array_equal(outcomes["both"][place], run["stock"])
        assert outcomes["last"][place] == run["stock"].sel(funds="first").max()
        assert np.array_equal(outcomes["TIME"][place], run["time"])


def test_the_lake_problem_of_the_workbench_has_the_same_results(ema: Any):
    """Its own function, with natural inflows that hardly vary, for random scenarios and releases."""
    lake_problem = importlib.import_module("ema_workbench.examples.example_lake_model").lake_problem
    model = importlib.import_module("sdmodel.ema").SdModel("lake", LAKE)
    bounds = {"b": (0.1, 0.45), "q": (2, 4.5), "mean": (0.01, 0.05), "delta": (0.93, 0.99)}
    model.uncertainties = [ema.RealParameter(name, *ends) for name, ends in bounds.items()]
    model.levers = [ema.RealParameter(str(i), 0, 0.1, variable_name=f"planned release[y{i}]") for i in range(100)]
    model.constants = [ema.Constant("alpha", 0.41)]
    model.outcomes = [
        ema.ScalarOutcome("max_P", variable_name="Pollution", function=np.max),
        ema.ScalarOutcome("utility", variable_name="yearly utility", function=np.sum),
    ]
    experiments, outcomes = ema.perform_experiments(model, 5, 3)
    assert len(experiments) == 15
    for place, row in enumerate(experiments.drop(columns=["scenario", "policy", "model"]).to_dict("records")):
        highest, utility, _, _ = lake_problem(stdev=1e-12, alpha=0.41, nsamples=2, **row)
        assert outcomes["max_P"][place] == pytest.approx(highest, rel=1e-8)
        assert outcomes["utility"][place] == pytest.approx(utility, rel=1e-12)


def test_other_processes_and_copies_give_the_same_numbers(ema: Any):
    """A pool of two, and a model that was pickled after it ran."""
    model = tiny(ema)
    with ema.MultiprocessingEvaluator(model, n_processes=2) as evaluator:
        check(*evaluator.perform_experiments(6), {})
    check(*ema.perform_experiments(model, 2), {})
    check(*ema.perform_experiments(pickle.loads(pickle.dumps(model)), 2), {})  # noqa: S301 - made here


def test_parameters_of_all_kinds_reach_the_model(ema: Any):
    """Integers, switches, categories and constants; one number for all labels, or an array."""
    model = importlib.import_module("sdmodel.ema").SdModel("kinds", MODEL)
    model.outcomes = [ema.ArrayOutcome("both", variable_name="stock")]
    model.uncertainties = [ema.IntegerParameter("extra", 3, 4), ema.BooleanParameter("start[first]")]
    model.levers = [ema.CategoricalParameter("start[second]", [7.0, 8.0])]
    model.constants = [ema.Constant("rate", 0.25)]
    experiments, outcomes = ema.perform_experiments(model, 4, 2)
    for place, row in enumerate(experiments.to_dict("records")):
        starts = {name: float(row[name]) for name in ("start[first]", "start[second]")}
        run = simulate(MODEL, {"extra": row["extra"], "rate": 0.25, **starts})
        assert np.array_equal(outcomes["both"][place], run["stock"])
    model = tiny(ema)
    check(*ema.perform_experiments(model, 2, ema.Policy("all", start=5)), {"start": 5})
    both = {"start[first]": 4, "start[second]": 6}
    check(*ema.perform_experiments(model, 2, ema.Policy("each", start=np.array([4, 6]))), both)


def test_a_policy_brings_files_for_itself_alone(ema: Any, tmp_path: Path):
    """A change file, and the next policy does not have it; what experiments set comes before it."""
    changes = tmp_path / "more.cin"
    changes.write_text("extra = 9\n", "utf-8")
    model = tiny(ema)
    policies = [ema.Policy("changed", cin_file=changes), ema.Policy("own"), ema.Policy("nine", extra=9)]
    experiments, outcomes = ema.perform_experiments(model, 3, policies)
    for first, constants in ((0, {"extra": 9}), (3, {}), (6, {"extra": 9})):
        part = slice(first, first + 3)
        check(experiments[part], {name: values[part] for name, values in outcomes.items()}, constants)
    model = tiny(ema, cin_file=changes)
    check(*ema.perform_experiments(model, 2), {"extra": 9})
    check(*ema.perform_experiments(model, 2, ema.Policy("none", extra=1)), {"extra": 1})


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"rat": 1}, "'rat' .* did you mean"),
        ({"extra": "high"}, "'high' is not a value of 'extra'; give a number"),
        ({"start": [1, 2, 3]}, "'start'; give a number, or an array of 2"),
    ],
)
def test_what_the_model_does_not_take_is_an_error(ema: Any, policy: dict[str, Any], message: str):
    """The workbench passes on the message, with the name."""
    with pytest.raises(ema.EMAError, match=message):
        ema.perform_experiments(tiny(ema), 1, ema.Policy("wrong", **policy))


def test_without_the_workbench_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    """At the import, before any work."""
    monkeypatch.setitem(sys.modules, "ema_workbench", None)
    monkeypatch.delitem(sys.modules, "sdmodel.ema", raising=False)
    with pytest.raises(SimulationError, match=r'needs ema_workbench.*pip install "sdmodel\[ema\]"'):
        importlib.import_module("sdmodel.ema")
