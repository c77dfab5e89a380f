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
from .wasm import WasmModule, compile_wasm

__all__ = [
    "NotFiniteWarning", "PreparedSimulation", "Progress", "RunWarning", "ScenarioLike", "WasmModule", "check_memory",
    "compile_wasm", "load_scenario", "memory_bytes", "prepare_simulation", "simulate",
]  # fmt: skip
