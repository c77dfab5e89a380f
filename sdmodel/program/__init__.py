"""A model as ordered assignments, as LLVM assembly, and as machine code."""

from .compiled import Program, compile_model
from .driver import NEVER
from .layout import Arguments
from .machine import host

__all__ = ["NEVER", "Arguments", "Program", "compile_model", "host"]
