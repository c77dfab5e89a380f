"""The errors that a user can cause: one class per stage, with messages of the form `where: what is wrong; what to do`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_MAX_LISTED = 200
"""The most faults that one message lists; a file with more usually repeats one fault in every line."""
_MAX_WHAT, _MAX_LINE, _MAX_END, _MAX_CURE = 240, 400, 80, 160
"""The most characters of what is wrong with what to do, and of a line; of the end that is kept of a longer one; and of what to
do, which is that end if it fits."""
_MAX_ITEMS = 8


def shorten(text: str, most: int = _MAX_WHAT) -> str:
    """Return a line of a message that is not too long to read: the middle of a longer one is left out, what to do stays."""
    if len(text) <= most:
        return text
    cure = len(text.rpartition("; ")[2]) + len("; ")
    end = cure if _MAX_END < cure <= _MAX_CURE else _MAX_END
    return f"{text[: _MAX_WHAT - end]} ... {text[-end:]}"


def list_some(items: Sequence[str], *, join: str = ", ") -> str:
    """Return a list for a message: of many items the first ones and the last, and how many there are between them."""
    rest = len(items) - _MAX_ITEMS
    return join.join([*items[: _MAX_ITEMS - 1], f"({rest:,} more)", items[-1]] if rest > 1 else items)


def format_count(count: int, noun: str) -> str:
    """Return a number of things for a message: `1 member`, `2,000 members`, `3 entries`, `4 searches`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}es" if noun.endswith(("x", "ch")) else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


class Place(NamedTuple):
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
        what = shorten(self.what)
        return f"{self.where}: {what}" if str(self.where) else what


@dataclass(frozen=True, slots=True)
class FileFault(Fault):
    """What is wrong with a file that a model has data from; all but its numbers can be known without it."""


class SdmodelError(Exception):
    """An error that the user can correct; the parent of all errors that sdmodel raises on purpose."""

    def __str__(self) -> str:
        return "\n".join(shorten(line, _MAX_LINE) for line in super().__str__().split("\n"))


Complaint = Callable[[str], SdmodelError]
"""What makes an error from its message: the class of the error, or `from_text` of a class whose errors hold faults."""


class FaultsError(SdmodelError):
    """Several faults reported together, in the order of the file; `faults` holds all of them, and `lister` says what lists them."""

    lister = ""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(
            sorted(
                faults, key=lambda fault: fault.where if isinstance(fault.where, Place) else Place(fault.where, 0, 0)
            )
        )
        rest = len(self.faults) - _MAX_LISTED
        lines = [
            *map(str, self.faults[:_MAX_LISTED]),
            *([f"and {format_count(rest, 'more fault')}"] if rest > 0 else []),
        ]
        super().__init__("\n".join(lines))

    def summary(self, most: int) -> str:
        """Return the message, with at most this number of lines for faults; if it needs more, those that say the same share one."""
        if len(self.faults) <= most:
            return str(self)
        counts = Counter(fault.what for fault in self.faults)
        first = {fault.what: fault for fault in reversed(self.faults)}
        shown = [fault for fault in self.faults if first[fault.what] is fault][:most]
        lines = [f"{fault} [{counts[fault.what]:,} times]" if counts[fault.what] > 1 else str(fault) for fault in shown]
        rest = len(self.faults) - sum(counts[fault.what] for fault in shown)
        more = f"and {format_count(rest, 'more fault')}" + (f"; {self.lister}" if self.lister else "")
        return "\n".join([*lines, *([more] if rest else [])])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.faults,)  # so that it can come from another process

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the error with one fault, whose place is in the text."""
        return cls([Fault("", text)])


class ModelError(FaultsError):
    """A model cannot be read, or its equations are wrong."""

    lister = "`sdmodel check` lists them all"


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


class OutOfMemoryError(SimulationError, MemoryError):
    """Work needs more memory than is free, or than the limit that the user sets."""


def reports_memory(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Make a function report lack of memory as an OutOfMemoryError, in one line."""

    @wraps(work)
    def reporting(*args: _P.args, **options: _P.kwargs) -> _T:
        try:
            return work(*args, **options)
        except SdmodelError:
            raise
        except MemoryError as cause:
            raise OutOfMemoryError(out_of_memory(cause)) from cause

    return reporting


def out_of_memory(cause: MemoryError) -> str:
    """Return the message about a lack of memory that came up during the work."""
    detail = f" ({cause})" if str(cause) else ""
    return f"there is not enough memory{detail}; use fewer members, variables or times, or close other programs"


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
