"""Optional packages: checked before any work, loaded where they are used, with the install command in the error."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import MappingProxyType, ModuleType

from .errors import Complaint, SdmodelError

EXTRAS = MappingProxyType({"calibrate": ("emcee", "arviz_stats"), "sensitivity": ("SALib",)})
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
