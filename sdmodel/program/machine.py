"""The processor and the vector library of this machine, and the compiler that turns assembly into code for them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager

from ..errors import SimulationError
from .ir import LIBM, Mathematics
from .layout import Arguments

_VECTOR_LIBRARY = "libmvec.so.1"
_VECTOR_ABI = (("avx512f", "e", 8), ("avx2", "d", 4), ("sse2", "b", 2))
"""Feature of the processor, letter in the vector function ABI, doubles per register."""

_WORTHWHILE = 500_000
"""Longer assembly than this, in characters, is not optimised for one member: it would take longer than it saves."""

_WASM = "wasm32-unknown-unknown"

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
    mathematics = Mathematics(
        width, _vector_functions(letter, width), fused=bool(features.get("fma")), picks=bool(features.get("avx512f"))
    )
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


def assemble(text: str, *, alone: bool) -> Code:
    """Compile a module of assembly.

    Code for one member `alone` gets LLVM's quick passes. In vector code what must be inlined is marked (elementary functions, lookups,
    divisions), equal instructions are written once, and it gains nothing measurable from more passes, which double the time to compile.
    """
    this = host()
    # of its own: a module leaves types and metadata behind, and the global one would grow
    context = llvm.create_context()
    module = llvm.parse_assembly(text, context)
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=this.cpu, features=this.features, opt=2, jit=True, codemodel="jitdefault"
    )
    _optimise(module, machine, inline=alone and len(text) < _WORTHWHILE, loops="@loop_" in text)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.context = context  # the engine frees the module, and needs the context of the module for it
    engine.finalize_object()
    return Code(_KERNEL(engine.get_function_address("kernel")), engine)


def _optimise(module: Any, machine: Any, *, inline: bool, loops: bool = False) -> None:
    """Run LLVM's quick passes on a module, with `loops` also those that vectorise them; or else only what must be inlined is inlined."""
    options = llvm.create_pipeline_tuning_options(speed_level=2 if loops else 1)
    options.loop_vectorization = loops
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager() if inline else llvm.create_new_module_pass_manager()
    if not inline:
        passes.add_always_inliner_pass()
    passes.add_strip_dead_prototype_pass()
    passes.run(module, builder)
    NewPassManager._dispose(passes)  # noqa: SLF001 - the class inherits a method of that name that does nothing
    passes.detach()


def emit_wasm(text: str, kept: Collection[str]) -> bytes:
    """Compile a module of assembly for one member to a WebAssembly object with the functions `kept` and what they call.

    Raises SimulationError if this LLVM has no such target.
    """
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(_WASM)
    except RuntimeError as error:
        message = "the installed llvmlite cannot emit WebAssembly; install the wheel from PyPI"
        raise SimulationError(message) from error
    machine = target.create_target_machine(opt=2, codemodel="default")
    with llvm.create_context() as context, llvm.parse_assembly(text, context) as module:
        module.triple, module.data_layout = _WASM, str(machine.target_data)
        for function in module.functions:
            if not function.is_declaration and function.name not in kept:
                function.linkage = "internal"
        _optimise(module, machine, inline=True)
        return bytes(machine.emit_object(module))
