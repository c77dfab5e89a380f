"""What can go wrong because of what a user wrote: one class per stage, told as `where: what is wrong; what to do`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A spot in a text file; line and column count from 1."""

    path: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, with its place (or the name of a run, an option, a file) and its cure."""

    where: Place | str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if str(self.where) else self.what


class SdmodelError(Exception):
    """A fault that a user can mend; anything else keeps its traceback."""


_MOST_TOLD = 200
"""So many faults fill several screens; a file with more has the same one in every line."""


class FaultsError(SdmodelError):
    """Several faults of one file, told together in the order of the file; `faults` has all of them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=_order))
        rest = len(self.faults) - _MOST_TOLD
        told = [*map(str, self.faults[:_MOST_TOLD]), *([f"and {rest:,} more faults"] if rest > 0 else [])]
        super().__init__("\n".join(told))


def _order(fault: Fault) -> tuple[str, int, int]:
    where = fault.where
    return (where.path, where.line, where.column) if isinstance(where, Place) else (where, 0, 0)


class ModelError(FaultsError):
    """A model that cannot be read, or that cannot mean what it says."""


class ScenarioError(FaultsError):
    """Changes that the model does not allow."""


class ObservationError(FaultsError):
    """Observations, or what they are held against, that cannot be used."""


class PageError(FaultsError):
    """What a figure is to show, written so that it cannot be drawn."""


class LoopError(SdmodelError):
    """A feedback loop that is asked for and that the model does not have."""


class SimulationError(SdmodelError):
    """A run that cannot be made, or that broke off."""


class DatasetError(SdmodelError):
    """A dataset that is not a run, or lacks what is asked of it."""


class StoreError(SdmodelError):
    """A stored run that cannot be read or written."""


class ReferenceError(SdmodelError):
    """The second opinion cannot be had."""


class CheckError(SdmodelError):
    """A check that there is none of."""


class FigureError(SdmodelError):
    """A figure that cannot be drawn."""


class EnsembleError(SdmodelError):
    """An ensemble that cannot be made, or cannot go on."""


class CalibrationError(SdmodelError):
    """A calibration that cannot be made, or cannot go on."""


class AnalysisError(SdmodelError):
    """A question about levers that cannot be answered as it is put."""


class ReportError(SdmodelError):
    """A report that cannot be made."""
