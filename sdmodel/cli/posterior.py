"""Sampling the posterior of `sdmodel calibrate`: shown while it runs, stored from time to time, and continued."""

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
    default_walkers,
    fingerprints,
    read_chain,
    sample_posterior,
    write_chain,
)
from .output import progress_bar

_STORE_SECONDS = 5.0
"""Time between two stores of the chain; longer if storing takes more than a tenth of it."""


@dataclass(frozen=True)
class PosteriorOptions:
    """Whether and how to sample the posterior, and where the calibration and the ensemble of its draws are stored."""

    stem: Path
    sample: bool
    walkers: int | None
    steps: int
    samples: int
    ensemble: Path | None
    resume: bool
    force: bool

    @property
    def chain(self) -> Path:
        """The file of the chain."""
        return self.stem.with_name(self.stem.name + CHAIN)


@dataclass
class _ChainWriter:
    """Stores a chain from time to time, so that an interruption loses little."""

    path: Path
    fingerprints: dict[str, str]
    force: bool
    stored_steps: int
    last: Chain | None = None
    due: float = field(default_factory=time.monotonic)

    def update(self, chain: Chain) -> None:
        """Store the chain if enough time has passed."""
        self.last = chain
        if time.monotonic() >= self.due:
            self.store()

    def store(self) -> None:
        """Store the chain as it is."""
        if self.last is None or self.last.steps == self.stored_steps:
            return
        start = time.monotonic()
        write_chain(self.path, self.last, self.fingerprints, force=self.force)
        self.force, self.stored_steps = True, self.last.steps
        self.due = time.monotonic() + max(_STORE_SECONDS, 10 * (time.monotonic() - start))


def run_posterior(found: Calibration, options: PosteriorOptions) -> Calibration:
    """The calibration with its posterior; if sampling is interrupted, the chain so far is stored."""
    walkers = default_walkers(len(found.parameters)) if options.walkers is None else options.walkers
    identity = fingerprints(found, walkers)
    chain = read_chain(options.chain, identity) if options.resume else None
    steps = chain.steps if chain else 0
    writer = _ChainWriter(options.chain, identity, options.force or options.resume, steps)
    done = steps * walkers
    with memory_errors_reported(), progress_bar("sampling the posterior") as bar, contextlib.ExitStack() as stack:
        stack.callback(writer.store)

        def update(more: int) -> None:
            nonlocal done
            done += more
            if bar:
                bar(done, options.steps * walkers)

        return sample_posterior(
            found, steps=options.steps, walkers=walkers, chain=chain, checkpoint=writer.update, progress=update
        )


@contextlib.contextmanager
def memory_errors_reported() -> Iterator[None]:
    """Report in one line if the work does not fit into memory."""
    try:
        yield
    except MemoryError:
        message = "this many starts, walkers and steps do not fit into memory; ask for fewer"
        raise CalibrationError(message) from None
