"""Ensembles shared among processes: two dask workers against one, and processes against the threads of one process.

Each ratio is that of the best times of several rounds, in turns, so that both sides see the same machine.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

import sdmodel as sd
from sdmodel.scenario import Distribution, Sampling, Variation, make_design
from sdmodel.vensim import read_savelist, sampling_of_ranges

MODELS = Path(__file__).resolve().parents[1] / "models"
ROUNDS = 2


def _seconds(model, design, folder, saved, executor) -> float:
    """The time of an ensemble in a new folder."""
    path = folder / "shared.zarr"
    start = time.perf_counter()
    sd.run_ensemble(model, design, path, save=saved, executor=executor)
    seconds = time.perf_counter() - start
    shutil.rmtree(path)
    return seconds


def _best(model, design, folder, saved, executors) -> list[float]:
    """The best time with each executor, in turns; the first round compiles, and does not count."""
    rounds = [[_seconds(model, design, folder, saved, own) for own in executors] for _ in range(ROUNDS + 1)]
    return [min(column) for column in zip(*rounds[1:], strict=True)]


@pytest.mark.filterwarnings("ignore")
def test_two_dask_workers_against_one(tmp_path):
    distributed = pytest.importorskip("distributed")
    model, saved = sd.read_model(MODELS / "ai_compute.mdl"), read_savelist(MODELS / "ai_compute.lst")
    design = make_design(model, sampling_of_ranges(model), count=16_384)
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": "ERROR"}
    with (
        distributed.LocalCluster(n_workers=1, **options) as small,
        distributed.Client(small) as one,
        distributed.LocalCluster(n_workers=2, **options) as large,
        distributed.Client(large) as two,
    ):
        alone, together = _best(model, design, tmp_path, saved, (one, two))
    print(f"two workers do {alone / together:.2f} times as much as one ({together:.1f} s, {alone:.1f} s)")
    assert alone > 1.7 * together


def test_processes_against_threads(tmp_path):
    """A million members of a small model, where sharing costs most."""
    settings = "INITIAL TIME = 0 ~~| FINAL TIME = 50 ~~| TIME STEP = 0.125 ~~| SAVEPER = 5 ~~|"
    model = sd.model_from_text(f"Stock = INTEG(Stock*rate - Stock/life, 10) ~~| rate = 0.2 ~~| life = 5 ~~| {settings}")
    life = Variation("life", (), Distribution("RANDOM_UNIFORM", (1.0, 9.0)))
    design = make_design(model, Sampling("multivariate", 1_000_000, 5, (life,)))
    with sd.WorkerProcesses(2) as executor:
        threads, processes = _best(model, design, tmp_path, ["Stock"], (None, executor))
    print(f"processes take {processes / threads:.2f} times as long as threads ({processes:.1f} s, {threads:.1f} s)")
    assert processes < 1.3 * threads
