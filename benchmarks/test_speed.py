"""The time to read, compile and run a model, compared with PySD and Simlin on the same model in the same process.

The name of a group is the row of the report, the name of the engine its column.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pysd
import pytest

import sdmodel as sd
from sdmodel.program import Arguments, compile_program
from sdmodel.simulation.execution import Job, execute
from sdmodel.simulation.inputs import Inputs, read_inputs
from sdmodel.simulation.timing import timing_of

simlin = pytest.importorskip("simlin", reason="pysimlin has no wheel for this platform")

pytestmark = pytest.mark.filterwarnings("ignore")

FLAGSHIP = Path(__file__).resolve().parents[1] / "models" / "ai_compute.mdl"
LEVER, OUTCOME = "lifetime 7", "Level 7"


def _lifetimes(members: int) -> np.ndarray:
    return np.linspace(20.0, 60.0, members)


@pytest.fixture(scope="module")
def model(path: Path) -> sd.Model:
    """The model, compiled by a first run."""
    model = sd.read_model(path)
    sd.simulate(model)
    return model


@pytest.fixture(scope="module")
def pysd_model(path: Path) -> Any:
    return pysd.read_vensim(str(path))


@pytest.mark.benchmark(group="read the file")
class TestReading:
    def test_sdmodel(self, benchmark, path):
        benchmark.pedantic(sd.read_model, (path,), rounds=10, warmup_rounds=1)

    def test_pysd(self, benchmark, path):
        benchmark.pedantic(pysd.read_vensim, (str(path),), rounds=2)

    def test_simlin(self, benchmark, path):
        benchmark.pedantic(simlin.load, (path,), rounds=10, warmup_rounds=1)


@pytest.mark.benchmark(group="compile the model")
class TestCompiling:
    """PySD translates while it reads, so it has no row here."""

    def test_sdmodel(self, benchmark, path):
        def ready(model):
            return compile_program(model).code(1)

        benchmark.pedantic(ready, setup=lambda: ((sd.read_model(path),), {}), rounds=10, warmup_rounds=1)

    def test_simlin(self, benchmark, path):
        def ready(model):
            with model.simulate():
                pass

        benchmark.pedantic(ready, setup=lambda: ((simlin.load(path),), {}), rounds=10, warmup_rounds=1)


@pytest.mark.benchmark(group="one run, all variables saved")
class TestOneRun:
    def test_sdmodel(self, benchmark, model):
        run = benchmark.pedantic(sd.simulate, (model,), rounds=30, warmup_rounds=2)
        assert np.isfinite(run["level_7"]).all()

    def test_pysd(self, benchmark, pysd_model):
        frame = benchmark.pedantic(pysd_model.run, rounds=1)
        assert np.isfinite(frame[OUTCOME]).all()

    def test_simlin(self, benchmark, path):
        with simlin.load(path).simulate() as sim:
            names = sim.get_var_names()

            def run():
                sim.reset()
                sim.run_to_end()
                return {name: sim.get_series(name) for name in names}

            series = benchmark.pedantic(run, rounds=30, warmup_rounds=2)
        assert np.isfinite(series["level_7"]).all()


@pytest.mark.benchmark(group="one run, one variable saved")
class TestOneElement:
    """PySD computes every element whatever is kept."""

    def test_sdmodel(self, benchmark, model):
        benchmark.pedantic(sd.simulate, (model,), {"save": [OUTCOME]}, rounds=100, warmup_rounds=5)

    def test_simlin(self, benchmark, path):
        with simlin.load(path).simulate() as sim:
            benchmark.pedantic(_simlin_member, (sim, 30.0), rounds=100, warmup_rounds=5)


@pytest.mark.benchmark(group="one run, numbers alone")
class TestNumbers:
    """The run without a dataset, as in the inner loop of an optimiser."""

    def test_sdmodel(self, benchmark, model):
        job, inputs = _job(model, 1)
        outcome = benchmark.pedantic(execute, (job, inputs), rounds=500, warmup_rounds=20)
        assert np.isfinite(outcome.values).all()

    def test_simlin(self, benchmark, path):
        with simlin.load(path).simulate() as sim:

            def run():
                sim.reset()
                sim.run_to_end()

            benchmark.pedantic(run, rounds=500, warmup_rounds=20)


@pytest.mark.benchmark(group="light calls")
def test_light_calls(benchmark):
    """The time of a call of a compiled model against the time inside the machine code, both of the same calls."""
    run = sd.compile_model(sd.read_model(FLAGSHIP), save=["Annual Revenue"], constants=["price elasticity"])
    run([0.8])
    program, spent = run._job.program, []  # noqa: SLF001 - the code that the call runs
    code = program.code(1)

    def timed(arguments: Arguments) -> None:
        began = time.perf_counter()
        code.run(arguments)
        spent.append(time.perf_counter() - began)

    program._codes[1, False, b""] = replace(code, run=timed)  # noqa: SLF001 - timed where it is called
    benchmark.pedantic(run, ([0.8],), rounds=300, warmup_rounds=20)
    calls = benchmark.stats.stats.data
    share = float(np.median(np.array(calls) / spent[-len(calls) :]))
    benchmark.extra_info["share"] = share
    assert share <= 1.3


@pytest.mark.benchmark(group="dataset")
def test_dataset(benchmark, model):
    """The time of a run as a dataset of every variable against that of the same numbers, in turn."""
    numbers = sd.compile_model(
        model, save=[element.name for element in model if element.kind not in {"constant", "lookup"}]
    )
    spent = []

    def compute_numbers() -> None:
        began = time.perf_counter()
        numbers()
        spent.append(time.perf_counter() - began)

    benchmark.pedantic(sd.simulate, (model,), setup=compute_numbers, rounds=300, warmup_rounds=20)
    calls = benchmark.stats.stats.data
    share = float(np.median(np.array(calls) / spent[-len(calls) :]))
    benchmark.extra_info["share"] = share
    assert share <= 2.5


@pytest.mark.benchmark(group="1,000 members, one variable saved")
class TestThousandMembers:
    def test_sdmodel(self, benchmark, model):
        constants = {LEVER: _lifetimes(1_000)}
        runs = benchmark.pedantic(sd.simulate, (model, constants), {"save": [OUTCOME]}, rounds=10, warmup_rounds=1)
        assert runs["level_7"].sizes["member"] == 1_000

    def test_simlin(self, benchmark, path):
        with simlin.load(path).simulate() as sim:

            def run():
                return [_simlin_member(sim, value) for value in _lifetimes(1_000)]

            rows = benchmark.pedantic(run, rounds=1)
        assert np.ptp([row[-1] for row in rows]) > 0


@pytest.mark.benchmark(group="100,000 members, one variable saved")
class TestHundredThousandMembers:
    """The others would take minutes to days; the report estimates them from single runs."""

    def test_sdmodel(self, benchmark, model):
        constants = {LEVER: _lifetimes(100_000)}
        runs = benchmark.pedantic(sd.simulate, (model, constants), {"save": [OUTCOME]}, rounds=2)
        assert runs["level_7"].sizes["member"] == 100_000


@pytest.mark.benchmark(group="one core, numbers alone")
class TestOneCore:
    """The cost of a member compared with a single run, on one core."""

    def test_single(self, benchmark, model):
        job, inputs = _job(model, 1)
        benchmark.pedantic(execute, (job, inputs), rounds=500, warmup_rounds=20)

    def test_many(self, benchmark, model):
        job, inputs = _job(model, 10_000)
        benchmark.pedantic(execute, (job, inputs), {"threads": 1}, rounds=5, warmup_rounds=1)


def _job(model: sd.Model, members: int) -> tuple[Job, Inputs]:
    """Return what `simulate` passes to the engine for a number of members and one saved variable."""
    constants = {LEVER: _lifetimes(members)} if members > 1 else {}
    inputs = read_inputs(model, {}, constants)
    program = compile_program(model)
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied)
    given = program.given
    rows = np.array(program.grid(model[OUTCOME]).rows, dtype=np.int64)
    varied = np.array([program.row(cell) for cell in inputs.varied], dtype=np.int64)
    return Job(program, timing, rows, integrator="euler", given=given, varied_rows=varied), inputs


def _simlin_member(sim: Any, value: float) -> np.ndarray:
    """Run one member: reset, set one constant, run all steps, read one variable."""
    sim.reset()
    sim.set_value("lifetime_7", value)
    sim.run_to_end()
    return sim.get_series("level_7")
