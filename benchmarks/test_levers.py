"""The cost of an attribution: all subsets of ten levers of `ai_compute.mdl`, compared with as many members."""

from __future__ import annotations

from pathlib import Path

import pytest

import sdmodel as sd
from sdmodel.scenario import Scenario
from sdmodel.vensim import read_change, sampling_of_ranges

MODELS = Path(__file__).resolve().parents[1] / "models"
SAVED = ("total ghost compute", "Annual Revenue")
TEN = (
    "grid connection time multiplier = 0.25",
    "site construction time multiplier = 0.4",
    "on site power multiplier = 4",
    "retrofit multiplier = 2.5",
    "supply line weight multiplier = 2",
    "debt limit multiplier = 2",
    "hurdle rate = 0.05",
    "markup multiplier = 1.5",
    "free share multiplier = 0.5",
    "reallocation multiplier = 3",
)


@pytest.fixture(scope="module")
def model() -> sd.Model:
    return sd.read_model(MODELS / "ai_compute.mdl")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.benchmark(group="ten levers")
class TestLevers:
    def test_members(self, benchmark, model):
        design = sd.make_design(model, sampling_of_ranges(model), count=1024).dataset()
        benchmark.pedantic(lambda: sd.simulate(model, design, save=SAVED), rounds=5, warmup_rounds=1)

    def test_subsets(self, benchmark, model):
        scenario = Scenario("ten", tuple(map(read_change, TEN)))
        benchmark.pedantic(lambda: sd.attribute_levers(model, scenario, save=SAVED), rounds=5, warmup_rounds=1)
