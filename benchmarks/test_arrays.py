"""A model over two subscript ranges: the time until it is ready, and of a run and a member, numbers alone."""

from __future__ import annotations

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.program import compile_program
from sdmodel.program.machine import host
from sdmodel.simulation.execution import execute
from sdmodel.simulation.inputs import read_inputs
from sdmodel.simulation.jobs import make_job
from sdmodel.simulation.timing import timing_of
from sdmodel.testing import tiny_model

pytestmark = pytest.mark.benchmark(group="an epidemic")

_EQUATIONS = """
susceptible[Region, Age] = INTEG(-infection[Region, Age], population[Region, Age] - 1)
infected[Region, Age] = INTEG(infection[Region, Age] - recovery[Region, Age], 1)
recovered[Region, Age] = INTEG(recovery[Region, Age], 0)
population[Region, Age] = 1000
contacts[Age] = 5
infectivity = 0.05
duration[Region] = 6
total infected[Region] = SUM(infected[Region, Age!])
total population[Region] = SUM(population[Region, Age!])
infection[Region, Age] = susceptible[Region, Age] * contacts[Age] * infectivity * total infected[Region] / total population[Region]
recovery[Region, Age] = infected[Region, Age] / duration[Region]
all infected = SUM(total infected[Region!])
"""


def epidemic(regions: int, ages: int) -> sd.Model:
    """An epidemic in regions and age groups, over 400 Euler steps."""
    ranges = f"Region: {', '.join(f'r{n}' for n in range(regions))}\nAge: {', '.join(f'a{n}' for n in range(ages))}"
    return tiny_model(ranges + _EQUATIONS, final=100, step=0.25)


SIZES = [(50, 10), (200, 100), (1000, 100)]


@pytest.mark.parametrize(("regions", "ages"), SIZES)
def test_ready(benchmark, regions, ages):
    def ready(model):
        return compile_program(model).code(1)

    benchmark.pedantic(ready, setup=lambda: ((epidemic(regions, ages),), {}), rounds=2)


def _job(regions: int, ages: int, members: int):
    model = epidemic(regions, ages)
    inputs = read_inputs(model, {}, {"infectivity": np.linspace(0.03, 0.06, members)} if members > 1 else {})
    program = compile_program(model)
    timing = timing_of(program.layout.plan, inputs.fixed, inputs.varied)
    return make_job(program, timing, inputs, program.grid(model["all infected"]).rows, "euler"), inputs


@pytest.mark.parametrize(("regions", "ages", "members"), [(*size, 1) for size in SIZES] + [(50, 10, 80)])
def test_run(benchmark, regions, ages, members):
    job, inputs = _job(regions, ages, members)
    width = 1 if members == 1 else host().width
    job.program.code(width, steps=10**9, saved=job.rows)  # optimised for what is saved, as after many steps
    outcome = benchmark.pedantic(execute, (job, inputs), {"threads": 1}, rounds=20, warmup_rounds=2)
    assert np.isfinite(outcome.values).all()
