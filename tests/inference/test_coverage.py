"""Posterior intervals compared with known truth: constants sampled from priors, observations from their error models."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from sdmodel.errors import Place
from sdmodel.inference import (
    ErrorModel,
    Series,
    calibrate_model,
    evaluate_series,
    free_constants,
    predictive_draws,
    sample_posterior,
)
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_formula

TIMES = np.linspace(0.7, 19.3, 15)
LONGEST = 16_000


@dataclass(frozen=True)
class Case:
    """A small model, the bounds of its constants, and its observed variables with their error model."""

    equations: str
    free: tuple[str, ...]
    observed: tuple[str, ...]
    error: ErrorModel


CASES = {
    "logistic growth": Case(
        """
        Population = INTEG(growth rate*Population*(1 - Population/capacity), start)
        growth rate = 0.5
        capacity = 100
        start = 5
        """,
        ("growth rate=0.2:1.2", "capacity=50:150", "start=1:10"),
        ("Population",),
        ErrorModel("absolute", 4.0),
    ),
    "epidemic": Case(
        """
        Susceptible = INTEG(-infecting, 1000)
        Infected = INTEG(infecting - Infected/duration, first)
        infecting = contacts*Infected*Susceptible/1000
        contacts = 1
        duration = 3
        first = 5
        """,
        ("contacts=0.7:2", "duration=2:6", "first=1:20"),
        ("Infected",),
        ErrorModel("log", 0.2),
    ),
    "cup of tea": Case(
        """
        Tea = INTEG((room - Tea)/cooling time, served)
        room = 20
        cooling time = 5
        served = 85
        """,
        ("room=10:30", "cooling time=2:10", "served=70:95"),
        ("Tea",),
        ErrorModel("absolute", 1.5),
    ),
    "two stocks": Case(
        """
        Backlog = INTEG(orders - Backlog/lead time, 20)
        Installed = INTEG(Backlog/lead time - Installed/lifetime, begun)
        orders = 10
        lead time = 2
        lifetime = 8
        begun = 30
        """,
        ("orders=5:15", "lead time=1:5", "lifetime=4:15", "begun=10:60"),
        ("Backlog", "Installed"),
        ErrorModel("relative", 0.08),
    ),
    "cumulative count": Case(
        """
        Sold = INTEG(sales, 2)
        sales = first sales*EXP(growth*Time)
        first sales = 1
        growth = 0.15
        """,
        ("first sales=0.5:4", "growth=0.02:0.3"),
        ("Sold",),
        ErrorModel("log", 0.15, 4.0),
    ),
}


def _covered(case: Case, seed: int) -> list[bool]:
    """Whether the 90 % interval of each constant contains its true value."""
    model = tiny_model(case.equations, final=20, step=0.125, saveper=0.25, integrator="rk4")
    rng = np.random.default_rng(seed)
    parameters = free_constants(model, case.free)
    truth = {own.name: rng.uniform(own.low, own.high) for own in parameters}
    blank = np.ones(len(TIMES))
    series = [
        Series(name, read_formula(name), name, TIMES, blank, case.error, "", Place("case", 1)) for name in case.observed
    ]
    exact = evaluate_series(series, simulate(model, truth))
    series = [replace(own, values=part) for own, part in zip(series, np.split(exact[:, 0], len(series)), strict=True)]
    observed = predictive_draws(series, exact, 10_000 + seed)[
        :, 0
    ]  # another seed, so that errors do not depend on the truth
    series = [replace(own, values=part) for own, part in zip(series, np.split(observed, len(series)), strict=True)]
    found = calibrate_model(model, series, parameters, starts=32, seed=seed)
    steps, chain, doubts = 0, None, ("no steps yet",)
    while doubts and steps < LONGEST:
        steps += 2000
        found = sample_posterior(found, steps=steps, walkers=32, chain=chain)
        assert found.posterior is not None
        chain, doubts = found.posterior.chain, found.posterior.doubts
    assert not doubts, doubts
    assert found.posterior is not None
    return [own.low <= truth[own.name] <= own.high for own in found.posterior.marginals]


@pytest.mark.nightly
def test_ninety_per_cent_intervals_have_their_nominal_coverage():
    """In fifty cases, ten of each of five models, 85 to 95 % of the constants lie in their intervals."""
    covered = {name: [_covered(case, 100 + number) for number in range(10)] for name, case in CASES.items()}
    rates = {name: float(np.mean(found)) for name, found in covered.items()}
    every = np.concatenate([np.ravel(found) for found in covered.values()])
    sys.stdout.write(f"{every.mean():.1%} of {len(every)} intervals contain the truth: {rates}\n")
    assert 0.85 <= every.mean() <= 0.95, rates
