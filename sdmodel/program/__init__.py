"""A model as ordered assignments, as LLVM assembly, as machine code, and as a WebAssembly module."""

from .compiled import Grid, Grids, Program, compile_program
from .driver import MOST_PARTS, NEVER
from .layout import MEMBER_CELL, SEED_CELL, Arguments
from .machine import host
from .wasm import EXPORTS, STATUS, EmbeddedRun, emit_module

__all__ = [
    "EXPORTS", "MEMBER_CELL", "MOST_PARTS", "NEVER", "SEED_CELL", "STATUS", "Arguments", "EmbeddedRun", "Grid", "Grids", "Program",
    "compile_program", "emit_module", "host",
]  # fmt: skip
