"""A model as ordered assignments, as LLVM assembly, and as machine code."""

from .compiled import Grid, Program, compile_model
from .driver import MOST_PARTS, NEVER
from .layout import Arguments
from .machine import host

__all__ = ["MOST_PARTS", "NEVER", "Arguments", "Grid", "Program", "compile_model", "host"]
