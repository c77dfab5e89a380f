"""Several searches side by side: whatever they ask for at one time is evaluated as one ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problem import penalised

_STEP = 1e-4
"""Half the distance of a difference quotient, as a share of the way between the bounds: wide enough to see over rounding."""
_TOLERANCE = 1e-10

Evaluate = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Points of shape (members, parameters) in, residuals of shape (residuals, members) out."""


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What a search waits for, and where its answer goes."""

    place: int
    points: NDArray[np.float64]
    answers: SimpleQueue[Any]


@dataclass(frozen=True, slots=True)
class Ending:
    """Where one search ends: shares of the way between the bounds, half the sum of squares there, how often it asked."""

    shares: NDArray[np.float64]
    cost: float
    rounds: int
    converged: bool


def minimise_together(evaluate: Evaluate, starts: NDArray[np.float64], *, rounds: int = 100) -> list[Ending]:
    """The minima of the sum of squares that SciPy's trust-region search finds from each start, within [0, 1].

    Every search has a thread of its own that only waits or does algebra; a question is answered when all that still run
    have asked, in their order, so that the numbers are the same each time. `rounds` bounds the steps of each.
    Branch, Coleman and Li (1999), SIAM J. Sci. Comput. 21:1-23, is the search.
    """
    inbox: SimpleQueue[_Question | None] = SimpleQueue()
    queues: list[SimpleQueue[Any]] = [SimpleQueue() for _ in starts]
    with ThreadPoolExecutor(max(1, len(starts))) as pool:
        try:
            futures = [
                pool.submit(_search, place, start, inbox, answers, rounds)
                for place, (start, answers) in enumerate(zip(starts, queues, strict=True))
            ]
            for future in futures:
                future.add_done_callback(lambda _: inbox.put(None))  # however it ends
            _answer_all(evaluate, inbox, len(starts))
        except BaseException as fault:  # a thread that waits must hear of whatever it is, or it would wait for ever
            for answers in queues:
                answers.put(fault)
            raise
        return [future.result() for future in futures]


def differences(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points around one from which its Jacobian is made: itself, then each parameter a bit lower, then a bit higher."""
    count = len(shares)
    points = np.tile(shares, (2 * count + 1, 1))
    index = np.arange(count)
    points[1 + index, index] = np.maximum(shares - _STEP, 0)
    points[1 + count + index, index] = np.minimum(shares + _STEP, 1)
    return points


def jacobian(points: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """The derivatives of residuals to shares, shape (residuals, parameters), from those at the points of `differences`.

    Where one side fails the other one and the middle serve; where both do, the derivative is taken for 0.
    """
    count = points.shape[1]
    index = np.arange(count)
    fine = np.asarray(np.isfinite(found).all(axis=0))
    low = np.where(fine[1 : count + 1], 1 + index, 0)
    high = np.where(fine[count + 1 :], 1 + count + index, 0)
    apart = points[high, index] - points[low, index]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(apart > 0, (found[:, high] - found[:, low]) / apart, 0.0)


def _search(
    place: int, start: NDArray[np.float64], inbox: SimpleQueue[_Question | None], answers: SimpleQueue[Any], rounds: int
) -> Ending:
    """One search, which asks for its numbers."""
    from scipy.optimize import least_squares

    def ask(points: NDArray[np.float64]) -> NDArray[np.float64]:
        inbox.put(_Question(place, points, answers))
        answer = answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    found = least_squares(
        lambda shares: penalised(ask(shares[np.newaxis]))[0][:, 0],
        np.clip(start, _STEP, 1 - _STEP),
        jac=lambda shares: jacobian(differences(shares), ask(differences(shares))),
        bounds=(0, 1),
        ftol=_TOLERANCE,
        xtol=_TOLERANCE,
        gtol=_TOLERANCE,
        max_nfev=rounds,
    )
    return Ending(np.clip(found.x, 0, 1), float(found.cost), int(found.nfev), found.status > 0)


def _answer_all(evaluate: Evaluate, inbox: SimpleQueue[_Question | None], running: int) -> None:
    """Answer what all running searches ask, until none runs."""
    waiting: dict[int, _Question] = {}
    while running:
        question = inbox.get()
        if question is None:
            running -= 1
        else:
            waiting[question.place] = question
        if waiting and len(waiting) == running:
            asked = [waiting[place] for place in sorted(waiting)]
            waiting.clear()
            _answer(evaluate, asked)


def _answer(evaluate: Evaluate, asked: Sequence[_Question]) -> None:
    """Answer some questions by one evaluation."""
    parts = [each.points for each in asked]
    found = evaluate(np.concatenate(parts))
    ends = np.cumsum([len(part) for part in parts])[:-1]
    for each, answer in zip(asked, np.split(found, ends, axis=1), strict=True):
        each.answers.put(answer)
