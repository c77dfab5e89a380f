"""The errors that a user can cause: one class per stage, with messages of the form `where: what is wrong; what to do`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MAX_LISTED = 200
"""The most faults that one message lists; a file with more usually repeats one fault in every line."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a text file; line and column count from 1."""

    path: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, what to do about it, and its place (or the name of a run, an option or a file)."""

    where: Place | str
    what: str

    def __post_init__(self) -> None:
        """Keep the fault on one line: what is quoted from a file may hold line breaks and control characters."""
        shown = "".join(sign if sign.isprintable() else " " for sign in self.what)
        object.__setattr__(self, "what", shown)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if str(self.where) else self.what


class SdmodelError(Exception):
    """An error that the user can correct; the parent of all errors that sdmodel raises on purpose."""


class FaultsError(SdmodelError):
    """Several faults reported together, in the order of the file; `faults` holds all of them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(
            sorted(
                faults, key=lambda fault: fault.where if isinstance(fault.where, Place) else Place(fault.where, 0, 0)
            )
        )
        rest = len(self.faults) - _MAX_LISTED
        lines = [*map(str, self.faults[:_MAX_LISTED]), *([f"and {rest:,} more faults"] if rest > 0 else [])]
        super().__init__("\n".join(lines))


class ModelError(FaultsError):
    """A model cannot be read, or its equations are wrong."""


class ScenarioError(FaultsError):
    """A change, lever or design does not fit the model."""


class ObservationError(FaultsError):
    """Observations, or the series they are compared with, cannot be used."""


class LayoutError(FaultsError):
    """A file that lays out several figures on a page is wrong."""


class LoopError(SdmodelError):
    """The model does not have the requested feedback loop."""


class SimulationError(SdmodelError):
    """A run cannot be made, or stopped early."""


class DatasetError(SdmodelError):
    """A dataset is not a run, or lacks a requested variable."""


class StoreError(SdmodelError):
    """A stored run cannot be read or written."""


class ReferenceEngineError(SdmodelError):
    """PySD, the reference engine, cannot run or read a model."""


class CheckError(SdmodelError):
    """The requested check does not exist."""


class FigureError(SdmodelError):
    """A figure cannot be plotted."""


class EnsembleError(SdmodelError):
    """An ensemble cannot be made or resumed."""


class CalibrationError(SdmodelError):
    """A calibration cannot be made or resumed."""


class AnalysisError(SdmodelError):
    """An analysis of levers cannot be made as requested."""


class ReportError(SdmodelError):
    """A report cannot be written."""
