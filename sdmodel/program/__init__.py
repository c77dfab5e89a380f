"""A model as ordered assignments, as LLVM's assembly, as machine code."""

from .compiled import Program, compile_model
from .driver import NEVER
from .machine import host

__all__ = ["NEVER", "Program", "compile_model", "host"]
