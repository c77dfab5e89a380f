"""What waits for its first use, so that a start is quick: modules, names of a package, optional packages, and results for a model.

Optional packages are checked before any work; if one is missing, the error has the install command.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from importlib.util import find_spec
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .errors import Complaint, SdmodelError

_Owner = TypeVar("_Owner")
_Result = TypeVar("_Result")

EXTRAS = MappingProxyType({
    "calibrate": ("emcee", "arviz_stats"),
    "dask": ("distributed",),
    "ema": ("ema_workbench",),
    "parquet": ("pyarrow",),
    "remote": ("upath",),
    "sensitivity": ("SALib",),
    "vdf": ("simlin",),
})  # fmt: skip
"""The modules of each extra of this package."""


def check_extra(extra: str, *, task: str, error: Complaint) -> None:
    """Check before any work that the modules of an extra, which `task` needs, are installed; this does not import them.

    Raises `error` if one is not installed; the message says how to install it.
    """
    for name in EXTRAS[extra]:
        if find_spec(name) is None:
            raise _missing(name, extra, task, error)


def load_extra(name: str, *, extra: str, task: str, error: Complaint) -> ModuleType:
    """Import a module that belongs to an extra of this package and that `task` needs.

    Raises `error` if the module is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise _missing(name, extra, task, error) from None


def _missing(name: str, extra: str, task: str, error: Complaint) -> SdmodelError:
    package = name.partition(".")[0]
    return error(f'{task} needs {package}, which is not installed; pip install "sdmodel[{extra}]"')


class LazyModule(ModuleType):
    """A module that is imported at the first use of one of its names."""

    def __getattr__(self, name: str) -> Any:
        """Import the module, and keep what the name stands for."""
        found = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, found)
        return found


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package that imports names when they are first used; `modules` has the names by module."""
    module_of = {name: module for module, names in modules.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in module_of:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        found = getattr(importlib.import_module(f".{module_of[name]}", package), name)
        setattr(sys.modules[package], name, found)
        return found

    return find


def made_once(make: Callable[[_Owner], _Result]) -> Callable[[_Owner], _Result]:
    """Let a function of a model, its plan or its program keep each result as long as its argument lives."""
    made: WeakKeyDictionary[_Owner, _Result] = WeakKeyDictionary()

    @wraps(make)
    def find(owner: _Owner) -> _Result:
        if owner not in made:
            made[owner] = make(owner)
        return made[owner]

    return find
