"""The walk of `sdmodel calibrate --posterior`: shown as it goes, stored from time to time, and taken up again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CalibrationError
from ..inference import (
    CHAIN,
    Calibration,
    Chain,
    least_walkers,
    marks,
    read_chain,
    with_posterior,
    write_chain,
)
from .progress import members_bar

_BETWEEN = 5.0
"""Seconds between two times at which the walk is stored; longer if that takes a tenth of them."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of a posterior, and where a calibration and the ensemble of its draws go."""

    stem: Path
    wanted: bool
    walkers: int | None
    steps: int
    samples: int
    ensemble: Path | None
    resume: bool
    force: bool

    @property
    def chain(self) -> Path:
        """Where the walk is stored."""
        return self.stem.with_name(self.stem.name + CHAIN)


@dataclass
class _Keeper:
    """Stores a walk from time to time, so that hardly anything is lost by an interruption."""

    path: Path
    marks: dict[str, str]
    force: bool
    told: int
    last: Chain | None = None
    due: float = field(default_factory=time.monotonic)

    def keep(self, chain: Chain) -> None:
        """Store the walk if the last time is long enough ago."""
        self.last = chain
        if time.monotonic() >= self.due:
            self.store()

    def store(self) -> None:
        """Store the walk as far as it is."""
        if self.last is None or self.last.steps == self.told:
            return
        began = time.monotonic()
        write_chain(self.path, self.last, self.marks, force=self.force)
        self.force, self.told = True, self.last.steps
        self.due = time.monotonic() + max(_BETWEEN, 10 * (time.monotonic() - began))


def sampled_posterior(found: Calibration, wish: Wish) -> Calibration:
    """The calibration with its posterior; whatever ends the walk early, what was walked stays."""
    walkers = least_walkers(len(found.parameters)) if wish.walkers is None else wish.walkers
    belongs = marks(found, walkers)
    chain = read_chain(wish.chain, belongs) if wish.resume else None
    done = chain.steps if chain else 0
    keeper = _Keeper(wish.chain, belongs, wish.force or wish.resume, done)
    count = {"done": done * walkers}
    with enough_memory(), members_bar("sampling the posterior") as tell, _kept(keeper):

        def told(more: int) -> None:
            count["done"] += more
            if tell:
                tell(count["done"], wish.steps * walkers)

        return with_posterior(found, steps=wish.steps, walkers=walkers, chain=chain, saved=keeper.keep, told=told)


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Tell in one line of what does not fit into memory."""
    try:
        yield
    except MemoryError:
        message = "so many starts, walkers and steps do not fit into memory; ask for fewer"
        raise CalibrationError(message) from None


@contextlib.contextmanager
def _kept(keeper: _Keeper) -> Iterator[None]:
    try:
        yield
    finally:
        keeper.store()
