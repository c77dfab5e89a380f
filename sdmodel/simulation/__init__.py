"""Programs times scenarios: runs."""

from .diagnosis import NotFiniteWarning, RunWarning
from .execution import Progress
from .simulation import simulate

__all__ = ["NotFiniteWarning", "Progress", "RunWarning", "simulate"]
