"""The processor and the vector library of this machine, and the compiler that turns assembly into code for them."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding.newpassmanagers import NewPassManager

from .. import __version__
from ..cache import cached, find_cached
from ..errors import SimulationError
from .ir import LIBM, Mathematics
from .layout import Arguments

_VECTOR_LIBRARY = "libmvec.so.1"
_VECTOR_ABI = (("avx512f", "e", 8), ("avx2", "d", 4), ("sse2", "b", 2))
"""Feature of the processor, letter in the vector function ABI, doubles per register."""

_WORTHWHILE = 500_000
"""Longer assembly than this, in characters, is not optimised for one member: it would take longer than it saves."""

_OPTIMISED, _COMBINED, _INLINED, _LOOPS = "O1", "combined", "inlined", "O2 with loops and rows"
"""Passes of LLVM: the quick ones; those of a first run, which compute the same numbers; only those that are needed."""
_QUICK, _BEST = 0, 2
"""How hard LLVM works to choose instructions."""
_KIND = "code"
_WASM = "wasm32-unknown-unknown"

_LINKED = sys.platform == "linux" and platform.machine() == "x86_64"
"""Whether LLVM's newer linker loads the code, all parts side by side: then code reads its constants by short addresses, and a run
takes 6 to 10% less. Elsewhere, where that is not tested, the older one does, and addresses are long."""

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
    optimised: bool


def assemble(text: str, *, alone: bool, quick: bool) -> Code:
    """Compile a module of assembly, or take its machine code from the user's cache.

    In code for one member `alone`, elementary functions and lookups are inlined, and loops over cells are vectorised. In vector
    code what must be inlined is marked (elementary functions, lookups, divisions), equal instructions are written once, and it
    gains nothing measurable from more passes, which double the time to compile. `quick` code, which is compiled without
    optimisation, computes the same numbers in about twice the time; optimised code replaces it if it is in the cache.
    """
    this = host()
    plain = not alone or len(text) >= _WORTHWHILE
    loops = not plain and "@loop_" in text
    quick = quick and not loops  # loops are compiled soon, and slow without their passes
    passes = _INLINED if plain else _LOOPS if loops else _COMBINED if quick else _OPTIMISED
    best = _OPTIMISED if passes == _COMBINED else passes
    made_for = (
        f"{__version__} {_LINKED} {llvm.llvm_version_info} {llvm.get_default_triple()} {this.cpu} {this.features}"
    )
    found = find_cached(_KIND, _identity(made_for, best, _BEST, text)) if quick else None
    level = _BEST if found or not quick else _QUICK
    model, relocation = ("small", "pic") if _LINKED else ("jitdefault", "default")
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=this.cpu, features=this.features, opt=level, jit=True, codemodel=model, reloc=relocation
    )
    if found is None:
        found = cached(_KIND, _identity(made_for, passes, level, text), lambda: _compile(text, machine, passes))
    address, owner = (_link if _LINKED else _load)(found, machine)
    return Code(_KERNEL(address), owner, level == _BEST)


def _link(found: bytes, machine: Any) -> tuple[int, Any]:
    """Return the address of the kernel in an object file, and what keeps it in memory."""
    linker = llvm.create_lljit_compiler(machine, use_jit_link=True)
    library = llvm.JITLibraryBuilder().add_object_img(found).export_symbol("kernel").add_current_process()
    linked = library.link(linker, "model")
    linked.linker = linker  # freed after what it has linked
    return linked["kernel"], linked


def _load(found: bytes, machine: Any) -> tuple[int, Any]:
    """The same, by the older linker."""
    context = llvm.create_context()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly("", context), machine)
    engine.context = context  # the engine frees the module, and needs the context of the module for it
    engine.add_object_file(llvm.ObjectFileRef.from_data(found))
    engine.finalize_object()
    return engine.get_function_address("kernel"), engine


def _identity(made_for: str, passes: str, level: int, text: str) -> str:
    """What decides the machine code of a text."""
    return f"{made_for} {passes} {level}\n{text}"


def _compile(text: str, machine: Any, passes: str) -> bytes:
    """Return the machine code of a module, as an object file."""
    # a context of its own: a module leaves types and metadata behind, and the global one would grow
    with llvm.create_context() as context, llvm.parse_assembly(text, context) as module:
        _run_passes(module, machine, passes)
        return bytes(machine.emit_object(module))


def _run_passes(module: Any, machine: Any, passes: str) -> None:
    """Run LLVM's passes on a module; all of them inline elementary functions and drop what is not called.

    Optimised code replaces some powers by other functions, which round differently; combined instructions do so too.
    """
    options = llvm.create_pipeline_tuning_options(speed_level=2 if passes == _LOOPS else 1)
    options.loop_vectorization = passes in {_OPTIMISED, _LOOPS}
    options.slp_vectorization = passes == _LOOPS
    builder = llvm.create_pass_builder(machine, options)
    ready = passes in {_OPTIMISED, _LOOPS}
    manager = builder.getModulePassManager() if ready else llvm.create_new_module_pass_manager()
    if not ready:
        manager.add_always_inliner_pass()
        manager.add_sroa_pass()  # what a loop keeps on the stack goes to a register
    if passes == _COMBINED:
        manager.add_instruction_combine_pass()
    manager.add_strip_dead_prototype_pass()
    manager.run(module, builder)
    NewPassManager._dispose(manager)  # noqa: SLF001 - the class inherits a method of that name that does nothing
    manager.detach()


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
        _run_passes(module, machine, _OPTIMISED)
        return bytes(machine.emit_object(module))
