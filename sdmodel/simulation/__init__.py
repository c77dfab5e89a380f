"""Simulation of compiled models: runs, ensembles in memory, and prepared simulations."""

from ..resources import check_memory, memory_bytes
from ..vensim import ScenarioLike, load_scenario, under_scenario
from .continuation import EARLIER, RUN_SEED, recorded_beginning
from .data import points_from, with_data
from .execution import Progress
from .jobs import deciding_cells
from .prepared import PreparedSimulation, compile_model, prepare_simulation, with_member_numbers
from .setup import Beginning
from .simulation import RANDOM_NUMBERS, NotFiniteWarning, RunWarning, simulate
from .stepping import OpenSimulation, open_simulation
from .wasm import WasmModule, compile_wasm

__all__ = [
    "EARLIER", "RANDOM_NUMBERS", "RUN_SEED", "Beginning", "NotFiniteWarning", "OpenSimulation", "PreparedSimulation", "Progress",
    "RunWarning", "ScenarioLike", "WasmModule", "check_memory", "compile_model", "compile_wasm", "deciding_cells", "load_scenario", "memory_bytes",
    "open_simulation", "points_from", "prepare_simulation", "recorded_beginning", "simulate", "under_scenario",
    "with_data", "with_member_numbers",
]  # fmt: skip
