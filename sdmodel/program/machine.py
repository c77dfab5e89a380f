"""The processor and the vector library of this machine, and the compiler that turns assembly into code for them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager

from .. import __version__
from ..cache import cached, find_cached
from .ir import LIBM, Mathematics
from .layout import Arguments

_VECTOR_LIBRARY = "libmvec.so.1"
_VECTOR_ABI = (("avx512f", "e", 8), ("avx2", "d", 4), ("sse2", "b", 2))
"""Feature of the processor, letter in the vector function ABI, doubles per register."""

_WORTHWHILE = 500_000
"""Longer assembly than this, in characters, is not optimised for one member: it would take longer than it saves."""

_PASSES = "O1"
_QUICK, _OPTIMISED = 0, 2
"""How hard LLVM works to turn assembly into instructions."""
_KIND = "code"

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.POINTER(Arguments))


@dataclass(frozen=True, slots=True)
class Host:
    """The processor that code is made for, and how many members fill one of its registers."""

    cpu: str
    features: str
    width: int
    mathematics: Mathematics


@cache
def host() -> Host:
    """The machine on which this runs."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    try:
        features = llvm.get_host_cpu_features()
    except RuntimeError:  # the processor is newer than LLVM
        features = llvm.FeatureMap()
    letter, width = next(((a, w) for name, a, w in _VECTOR_ABI if features.get(name)), ("", 2))
    mathematics = Mathematics(width, _vector_functions(letter, width))
    return Host(llvm.get_host_cpu_name(), features.flatten(), width, mathematics)


def _vector_functions(letter: str, width: int) -> MappingProxyType[str, str]:
    """The names of functions in the vector library, by those in the C library; empty where the library is not found."""
    names = {name: f"_ZGV{letter}N{width}{'v' * count}_{name}" for name, count in LIBM.items() if letter}
    try:
        llvm.load_library_permanently(_VECTOR_LIBRARY)
    except RuntimeError:
        names = {}
    return MappingProxyType({name: symbol for name, symbol in names.items() if llvm.address_of_symbol(symbol)})


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """Machine code in memory: `run` takes `Arguments`, from any thread, and holds no lock while it runs."""

    run: Callable[[Arguments], None]
    engine: Any
    optimised: bool


def assemble(text: str, *, alone: bool, quick: bool) -> Code:
    """Compile a module of assembly, or take its machine code from the user's cache.

    Elementary functions are inlined, and in code for one member alone lookups too; vector code gains nothing from more.
    `quick` code, which is compiled without optimisation, computes the same numbers in about twice the time; optimised code
    replaces it if it is in the cache.
    """
    this = host()
    passes = _PASSES if alone and len(text) < _WORTHWHILE else ""
    made_for = f"{__version__} {llvm.llvm_version_info} {llvm.get_default_triple()} {this.cpu} {this.features} {passes}"
    context = (
        llvm.create_context()
    )  # of its own: a module leaves types and metadata behind, and the global one would grow
    identity = f"{made_for} {_OPTIMISED}\n{text}"
    found = find_cached(_KIND, identity) if quick else None
    level = _OPTIMISED if found or not quick else _QUICK
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=this.cpu, features=this.features, opt=level, jit=True, codemodel="jitdefault"
    )
    if found is None:
        identity = f"{made_for} {level}\n{text}"
        found = cached(_KIND, identity, lambda: _compile(text, context, machine, passes, level))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly("", context), machine)
    engine.context = context  # the engine frees the module, and needs the context of the module for it
    engine.add_object_file(llvm.ObjectFileRef.from_data(found))
    engine.finalize_object()
    return Code(_KERNEL(engine.get_function_address("run")), engine, level == _OPTIMISED)


def _compile(text: str, context: Any, machine: Any, passes: str, level: int) -> bytes:
    """Return the machine code of a module, as an object file."""
    module = llvm.parse_assembly(text, context)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    if passes and level == _OPTIMISED:
        manager = builder.getModulePassManager()
    else:
        manager = llvm.create_new_module_pass_manager()
        manager.add_always_inliner_pass()
        if passes:  # it replaces some powers by other functions, which round differently; the passes of optimised code do so too
            manager.add_instruction_combine_pass()
    manager.run(module, builder)
    NewPassManager._dispose(manager)  # noqa: SLF001 - the class inherits a method of that name that does nothing
    manager.detach()
    found: bytes = machine.emit_object(module)
    return found
