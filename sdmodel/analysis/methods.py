"""Methods of sensitivity analysis: which points to simulate, and what the outcomes say about each factor.

A tornado moves one factor after the other between its ends. Morris's elementary effects and Sobol's indices come from SALib.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AnalysisError
from ..extras import load_extra
from .experiment import Factor

Measures = Mapping[str, NDArray[Any]]
"""Numbers by name: of shape (factors,), (factors, factors) for pairs, or () for all factors together."""

_PLACES = np.linspace(0.0, 1.0, 5)
"""Places between its ends at which a tornado tries a constant: a peak inside is not visible at the ends."""
_ROUNDING, _CONSTANT = 1e-9, 1e-12
"""Share of an outcome by which it may turn back, and share by which it may vary in all, because of rounding."""
_LARGEST = 50_000_000
"""Largest number of values in the points of a method: 400 MB."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The size of an analysis, and its seed.

    Morris takes `trajectories` over `levels`, Sobol base `samples`, with `second_order` for pairs too.
    """

    seed: int
    trajectories: int = 20
    levels: int = 4
    samples: int = 1024
    second_order: bool = False


@dataclass(frozen=True, eq=False)
class Layout:
    """Points of shape (runs, factors), in the units of each factor.

    `together` successive points form a group: if one of them has no outcome, the whole group is left out; a method with
    groups of 1 leaves out single points. `measure` computes measures from the outcomes and the flags, shape (runs,), of the
    runs that they come from.
    """

    points: NDArray[np.float64]
    together: int
    measure: Callable[[NDArray[np.float64], NDArray[np.bool_]], Measures]


def tornado(factors: Sequence[Factor], base: NDArray[np.float64], settings: Settings) -> Layout:
    """Move each factor to five places from its low end to its high end, evenly by probability, others at the base."""
    points = np.tile(base, (len(factors) * _PLACES.size, 1))
    for place, factor in enumerate(factors):
        points[place * _PLACES.size : (place + 1) * _PLACES.size, place] = factor.between(_PLACES)
    return Layout(points, 1, _tornado_measures)


def _tornado_measures(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> Measures:
    """`low` and `high` are the outcomes at the ends, `least` and `most` the finite extremes, `swing` their difference.

    A swing that rounding explains is 0. `bent` says whether the outcome goes both up and down between the ends.
    """
    outcomes = np.full(kept.size, np.nan)
    outcomes[kept] = answers
    rows = outcomes.reshape(-1, _PLACES.size)
    several = np.isfinite(rows).sum(axis=1) > 1
    least, most = np.fmin.reduce(rows, axis=1), np.fmax.reduce(rows, axis=1)
    swing = np.where(several, most - least, np.nan)
    swing[swing <= _CONSTANT * np.fmax(np.abs(least), np.abs(most))] = 0.0
    return {
        "low": rows[:, 0],
        "high": rows[:, -1],
        "least": least,
        "most": most,
        "swing": swing,
        "bent": np.array([_bends(row[np.isfinite(row)]) for row in rows]),
    }


def _bends(row: NDArray[np.float64]) -> bool:
    """Whether outcomes go both up and down."""
    steps, small = np.diff(row), _ROUNDING * np.abs(row).max(initial=0.0)
    return bool((steps > small).any() and (steps < -small).any())


def morris(factors: Sequence[Factor], base: NDArray[np.float64], settings: Settings) -> Layout:
    """Sample trajectories on which one factor after the other takes a step (Morris, Technometrics 33, 1991).

    `mu`, `mu_star` and `sigma` are the mean of the effects, of their sizes (Campolongo et al., Environmental Modelling &
    Software 22, 2007) and their standard deviation, in units of the outcome for the whole way between the ends of a factor;
    `mu_star_conf` is half of the 95 % interval.
    """
    count, levels = settings.trajectories, settings.levels
    if count < 2:  # noqa: PLR2004 - a deviation needs two
        message = f"trajectories: {count} is too few; give at least 2, better 20"
        raise AnalysisError(message)
    if levels < 2 or levels % 2:  # noqa: PLR2004 - a step is half of them
        message = f"levels: {levels} is not an even number; Morris's method needs one, such as 4"
        raise AnalysisError(message)
    group = len(factors) + 1
    _check_size(count * group, factors, f"fewer trajectories than {count:,}")
    sampler, analyzer, problem = _salib("sample.morris"), _salib("analyze.morris"), _problem(factors)
    shares = sampler.sample(problem, count, num_levels=levels, seed=settings.seed)
    points = np.column_stack([factor.between(shares[:, place]) for place, factor in enumerate(factors)])

    def measure(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> Measures:
        found = analyzer.analyze(problem, shares[kept], answers, num_levels=levels, seed=settings.seed)
        return {name: np.asarray(found[name], dtype=float) for name in ("mu", "mu_star", "mu_star_conf", "sigma")}

    return Layout(points, group, measure)


def sobol(factors: Sequence[Factor], base: NDArray[np.float64], settings: Settings) -> Layout:
    """Sample Sobol's sequence in Saltelli's scheme (Computer Physics Communications 181, 2010) from whole distributions.

    `S1` is the share of the outcome's variance due to a factor alone, `ST` includes its interactions with others, `S2` is
    the share of a pair beyond its single shares; each `_conf` is half of the 95 % interval. `mean` and `sd` are those of the
    outcome. An outcome that does not vary has no shares.
    """
    count, pairs = settings.samples, settings.second_order
    if count < 2 or count & (count - 1):  # noqa: PLR2004 - the first power that has a variance
        near = 1 << max(2, count.bit_length())
        message = (
            f"samples: {count:,} is not a power of two, which Sobol's sequence needs; give {near // 2:,} or {near:,}"
        )
        raise AnalysisError(message)
    group = (2 if pairs else 1) * len(factors) + 2
    _check_size(count * group, factors, f"fewer samples than {count:,}")
    sampler, analyzer, problem = _salib("sample.sobol"), _salib("analyze.sobol"), _problem(factors)
    shares = sampler.sample(problem, count, calc_second_order=pairs, seed=settings.seed)
    points = np.column_stack([factor.quantile(shares[:, place]) for place, factor in enumerate(factors)])

    def measure(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> Measures:
        independent = np.concatenate([answers[::group], answers[group - 1 :: group]])
        measures: dict[str, Any] = {"mean": np.array(independent.mean()), "sd": np.array(independent.std())}
        names = ("S1", "S1_conf", "ST", "ST_conf", *(("S2", "S2_conf") if pairs else ()))
        if np.ptp(answers) <= _CONSTANT * np.abs(answers).max():
            shape = {True: (len(factors), len(factors)), False: (len(factors),)}
            return measures | {name: np.full(shape[name.startswith("S2")], np.nan) for name in names}
        found = analyzer.analyze(problem, answers, calc_second_order=pairs, seed=settings.seed)
        return measures | {name: np.asarray(found[name], dtype=float) for name in names}

    return Layout(points, group, measure)


def _problem(factors: Sequence[Factor]) -> dict[str, Any]:
    """Describe the factors to SALib, all as shares of their distributions."""
    names = [factor.name for factor in factors]
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _check_size(runs: int, factors: Sequence[Factor], cure: str) -> None:
    if runs * len(factors) > _LARGEST:
        message = f"{runs:,} runs of {len(factors)} constants are too many; ask for {cure}, or vary fewer constants"
        raise AnalysisError(message)


def _salib(name: str) -> Any:
    return load_extra(f"SALib.{name}", extra="sensitivity", task="the method", error=AnalysisError)
