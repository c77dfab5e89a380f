"""Simulation of compiled models: runs, ensembles in memory, and prepared simulations."""

from .execution import Progress
from .prepared import PreparedSimulation, prepare_simulation
from .simulation import (
    NotFiniteWarning,
    RunWarning,
    ScenarioLike,
    load_scenario,
    memory_bytes,
    simulate,
)

__all__ = [
    "NotFiniteWarning", "PreparedSimulation", "Progress", "RunWarning", "ScenarioLike", "load_scenario",
    "memory_bytes", "prepare_simulation", "simulate",
]  # fmt: skip
