"""The cost of a member of `ai_compute.mdl`: alone, in an ensemble in memory, and in an ensemble written to disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import sdmodel as sd
from sdmodel.ensemble import run_ensemble
from sdmodel.scenario import make_design
from sdmodel.vensim import read_savelist, sampling_of_ranges

MODELS = Path(__file__).resolve().parents[1] / "models"
MEMBERS = 60_000


@pytest.fixture(scope="module")
def model() -> sd.Model:
    return sd.read_model(MODELS / "ai_compute.mdl")


@pytest.fixture(scope="module")
def saved() -> tuple[str, ...]:
    return read_savelist(MODELS / "ai_compute.lst")


@pytest.fixture(scope="module")
def design(model):
    return make_design(model, sampling_of_ranges(model), count=MEMBERS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.benchmark(group="an ensemble of 60,000 members")
class TestStream:
    def test_single(self, benchmark, model, saved):
        benchmark.pedantic(sd.simulate, (model,), {"save": saved}, rounds=20, warmup_rounds=1)

    def test_memory(self, benchmark, model, saved, design):
        benchmark.pedantic(
            lambda: sd.simulate(model, design.dataset(), save=[*saved, *design.names]), rounds=3, warmup_rounds=1
        )

    def test_stream(self, benchmark, model, saved, design, tmp_path):
        benchmark.pedantic(
            lambda: run_ensemble(model, design, tmp_path / "many.zarr", save=saved, force=True),
            rounds=3,
            warmup_rounds=1,
        )
        shutil.rmtree(tmp_path / "many.zarr")
