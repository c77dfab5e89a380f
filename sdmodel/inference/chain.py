"""The walk of a sampler on disk: whole after any interruption, and enough to go on as if there had been none."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..files import write_file

_WORDS = 624
"""Words of a Mersenne twister's state."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The steps that walkers have made: `points` of shape (steps, walkers, parameters) in the constants' units.

    `heights` are the logarithms of the posterior density there, over the scales on which the prior is standard normal,
    shape (steps, walkers). Behind the last step `dice` is the state of the random numbers, as NumPy's `RandomState` tells
    it, and `latent` are the places on these scales, shape (walkers, parameters).
    """

    points: NDArray[np.float64]
    heights: NDArray[np.float64]
    dice: tuple[Any, ...]
    latent: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.points)

    @property
    def acceptance(self) -> float:
        """The share of proposals that were taken."""
        moved = (self.points[1:] != self.points[:-1]).any(axis=2)
        return float(moved.mean()) if moved.size else 0.0


def write_chain(path: Path, chain: Chain, marks: Mapping[str, str], *, force: bool) -> None:
    """Store a walk with the `marks` of what it belongs to, at once or not at all.

    Raises
    ------
    CalibrationError
        If it cannot be written.
    """
    name, words, position, has_gauss, gauss = chain.dice
    buffer = io.BytesIO()
    np.savez(
        buffer,
        points=chain.points,
        heights=chain.heights,
        latent=chain.latent,
        words=np.asarray(words, dtype=np.uint32),
        dice=np.array([position, has_gauss, gauss], dtype=float),
        marks=np.array(json.dumps(dict(marks) | {"dice": name})),
    )
    write_file(path, buffer.getbuffer(), force=force, error=CalibrationError)


def read_chain(path: Path, marks: Mapping[str, str]) -> Chain:
    """A stored walk, which must belong to what `marks` tell of.

    Raises
    ------
    CalibrationError
        If there is none, it cannot be read, or it belongs to something else; it says what differs.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            parts = {name: stored[name] for name in ("points", "heights", "latent", "words", "dice", "marks")}
        found = json.loads(str(parts["marks"]))
        chain = _chain(parts, found)
    except FileNotFoundError:
        message = f"{path}: there is no calibration to resume; leave out --resume"
        raise CalibrationError(message) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as cause:
        message = f"{path}: is not the state of a calibration ({type(cause).__name__}); begin again with --force"
        raise CalibrationError(message) from cause
    differing = [name for name, mark in marks.items() if found.get(name) != mark]
    if differing:
        message = f"{path}: was made with another {' and '.join(differing)}; repeat it with the same, or begin again with --force"
        raise CalibrationError(message)
    return chain


def _chain(parts: Mapping[str, NDArray[Any]], marks: Mapping[str, str]) -> Chain:
    """What is stored, if its parts fit together."""
    points, heights, words, dice = (parts[name] for name in ("points", "heights", "words", "dice"))
    fits = points.ndim == 3 and heights.shape == points.shape[:2] and words.shape == (_WORDS,) and dice.shape == (3,)  # noqa: PLR2004 - steps, walkers, parameters; position, flag, number
    fits = fits and parts["latent"].shape in {points.shape[1:], (0, 0)}
    if not fits or not len(points) or not np.isfinite(points).all():
        message = "the parts do not fit"
        raise ValueError(message)
    return Chain(
        points, heights, (str(marks["dice"]), words, int(dice[0]), int(dice[1]), float(dice[2])), parts["latent"]
    )
