"""Morris's elementary effects and Sobol's indices, sampled and worked out by SALib in shares of each constant's distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AnalysisError
from ..extras import load_extra
from .factors import Factor
from .layouts import Layout, Measures, Settings

_LARGEST = 50_000_000
"""Numbers that the points of a method may be: 400 MB."""
_LEVEL = 1e-12
"""The part of an outcome by which it may vary for what rounding leaves, as good as not at all."""


def morris(factors: Sequence[Factor], base: NDArray[np.float64], settings: Settings) -> Layout:
    """Trajectories on which one factor after the other takes a step (Morris, Technometrics 33, 1991).

    `mu`, `mu_star` and `sigma` are the mean of the effects, of their sizes (Campolongo et al., Environmental Modelling &
    Software 22, 2007) and their standard deviation, in units of the outcome for all the way between the ends of a factor;
    `mu_star_conf` is half of the interval of 95 %.
    """
    count, levels = settings.trajectories, settings.levels
    if count < 2:  # noqa: PLR2004 - a deviation needs two
        message = f"trajectories: {count} are too few; Morris's method takes at least 2, and 20 tell more"
        raise AnalysisError(message)
    if levels < 2 or levels % 2:  # noqa: PLR2004 - a step goes over half of them
        message = f"levels: {levels} is no even number; Morris's method takes one, such as 4"
        raise AnalysisError(message)
    group = len(factors) + 1
    _check_size(count * group, factors, f"fewer trajectories than {count:,}")
    sampler, analyzer, problem = _salib("sample.morris"), _salib("analyze.morris"), _problem(factors)
    shares = sampler.sample(problem, count, num_levels=levels, seed=settings.seed)
    points = np.column_stack([each.between(shares[:, place]) for place, each in enumerate(factors)])

    def measure(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> Measures:
        found = analyzer.analyze(problem, shares[kept], answers, num_levels=levels, seed=settings.seed)
        return {name: np.asarray(found[name], dtype=float) for name in ("mu", "mu_star", "mu_star_conf", "sigma")}

    return Layout(points, group, measure)


def sobol(factors: Sequence[Factor], base: NDArray[np.float64], settings: Settings) -> Layout:
    """Sobol's sequence in Saltelli's scheme (Computer Physics Communications 181, 2010), through each whole distribution.

    `S1` is the share of the outcome's variance that a factor decides by itself, `ST` with all that it does together with
    others, `S2` what two decide together beyond their own; each `_conf` is half of the interval of 95 %. `mean` and `sd` are
    those of the outcome. Of an outcome that does not vary there are no shares.
    """
    count, pairs = settings.samples, settings.second_order
    if count < 2 or count & (count - 1):  # noqa: PLR2004 - the first power that has a variance
        near = 1 << max(2, count.bit_length())
        message = f"samples: {count:,} is no power of two, as Sobol's sequence takes it; give {near // 2:,} or {near:,}"
        raise AnalysisError(message)
    group = (2 if pairs else 1) * len(factors) + 2
    _check_size(count * group, factors, f"fewer samples than {count:,}")
    sampler, analyzer, problem = _salib("sample.sobol"), _salib("analyze.sobol"), _problem(factors)
    shares = sampler.sample(problem, count, calc_second_order=pairs, seed=settings.seed)
    points = np.column_stack([each.quantile(shares[:, place]) for place, each in enumerate(factors)])

    def measure(answers: NDArray[np.float64], kept: NDArray[np.bool_]) -> Measures:
        apart = np.concatenate([answers[::group], answers[group - 1 :: group]])
        found: dict[str, Any] = {"mean": np.array(apart.mean()), "sd": np.array(apart.std())}
        names = ("S1", "S1_conf", "ST", "ST_conf", *(("S2", "S2_conf") if pairs else ()))
        if np.ptp(answers) <= _LEVEL * np.abs(answers).max():
            shape = {True: (len(factors), len(factors)), False: (len(factors),)}
            return found | {name: np.full(shape[name.startswith("S2")], np.nan) for name in names}
        told = analyzer.analyze(problem, answers, calc_second_order=pairs, seed=settings.seed)
        return found | {name: np.asarray(told[name], dtype=float) for name in names}

    return Layout(points, group, measure)


def _problem(factors: Sequence[Factor]) -> dict[str, Any]:
    """The factors as SALib knows them, all in shares of their distributions."""
    names = [each.name for each in factors]
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _check_size(runs: int, factors: Sequence[Factor], cure: str) -> None:
    """Make sure that the points fit into memory."""
    if runs * len(factors) > _LARGEST:
        message = f"{runs:,} runs of {len(factors)} constants are too many; ask for {cure}, or move fewer constants"
        raise AnalysisError(message)


def _salib(name: str) -> Any:
    """A module of SALib."""
    return load_extra(f"SALib.{name}", extra="sensitivity", task="the method", error=AnalysisError)
