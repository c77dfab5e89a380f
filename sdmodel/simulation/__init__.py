"""Programs times scenarios: runs."""

from .diagnosis import NotFiniteWarning, RunWarning
from .execution import Progress
from .repetition import Repetition, prepare
from .simulation import ScenarioLike, memory_bytes, merged, simulate

__all__ = [
    "NotFiniteWarning",
    "Progress",
    "Repetition",
    "RunWarning",
    "ScenarioLike",
    "memory_bytes",
    "merged",
    "prepare",
    "simulate",
]
