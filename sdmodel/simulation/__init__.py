"""Simulation of compiled models: runs, ensembles in memory, and prepared simulations."""

from ..resources import check_memory, memory_bytes
from .execution import Progress
from .simulation import (
    NotFiniteWarning,
    PreparedSimulation,
    RunWarning,
    ScenarioLike,
    load_scenario,
    prepare_simulation,
    simulate,
)

__all__ = [
    "NotFiniteWarning", "PreparedSimulation", "Progress", "RunWarning", "ScenarioLike", "check_memory",
    "load_scenario", "memory_bytes", "prepare_simulation", "simulate",
]  # fmt: skip
