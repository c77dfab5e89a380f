"""A model made ready to be asked the same questions for many values of its constants, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model import Integrator, Model
from ..simulation import Progress, Repetition, ScenarioLike, prepare
from .factors import Factor
from .questions import Question

_BYTES = 2**26
"""Memory for what is kept of the members that are computed together."""
_LEAST, _MOST = 256, 16_384
"""Members that are computed together: enough for all processors, few enough to tell progress."""


@dataclass(frozen=True, eq=False)
class Trial:
    """Factors, questions, and the simulation between them; `rows` tells where among what it keeps each answer is."""

    factors: tuple[Factor, ...]
    questions: tuple[Question, ...]
    repetition: Repetition
    rows: tuple[int, ...]

    @property
    def base(self) -> NDArray[np.float64]:
        """What the factors are when nothing moves them, shape (factors,), in the units of each."""
        return np.array([each.value for each in self.factors])

    def answers(
        self, points: NDArray[np.float64], *, progress: Progress | None = None, together: int | None = None
    ) -> NDArray[np.float64]:
        """The outcomes, shape (members, questions), for factors of shape (members, factors), each in its own units.

        They are the same however many members are computed `together`. What is not finite is not a number. `progress` is
        told of the members before the first of them is computed, too.
        """
        times = self.repetition.times
        kept = 8 * len(times) * (1 + max(self.rows))
        size = together or int(np.clip(_BYTES // kept, _LEAST, _MOST))
        found = np.empty((len(points), len(self.questions)))
        if progress:
            progress(0, len(points))
        for first in range(0, len(points), size):
            part = slice(first, first + size)
            values = self.repetition.values(points[part])
            with np.errstate(all="ignore"):
                for place, (question, row) in enumerate(zip(self.questions, self.rows, strict=True)):
                    found[part, place] = question.outcome.of(times, values[:, row])
            if progress:
                progress(min(first + size, len(points)), len(points))
        found[~np.isfinite(found)] = np.nan
        return found


def make_trial(
    model: Model,
    factors: Sequence[Factor],
    questions: Sequence[Question],
    *,
    scenario: ScenarioLike | None = None,
    integrator: Integrator | None = None,
) -> Trial:
    """The model made ready; where all questions are about dates, the simulation ends at the last of them."""
    kept = list(dict.fromkeys(each.cell for each in questions))
    dates = [each.outcome.at for each in questions]
    repetition = prepare(
        model,
        {each.cell: _reached(each) for each in factors},
        kept,
        scenario=scenario,
        integrator=integrator,
        until=max(np.inf if each is None else each for each in dates),
    )
    return Trial(tuple(factors), tuple(questions), repetition, tuple(kept.index(each.cell) for each in questions))


def _reached(factor: Factor) -> tuple[float, float]:
    """Between what a factor may be, with the value that it has, which need not lie within its bounds."""
    low, high = factor.bounds
    return min(low, factor.value), max(high, factor.value)
