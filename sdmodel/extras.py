"""Optional packages: loaded where they are used, with the install command in the error if they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import Complaint


def load_extra(name: str, *, extra: str, task: str, error: Complaint) -> ModuleType:
    """Import a module that belongs to an extra of this package and that `task` needs.

    Raises `error` if the module is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        message = f'{task} needs {package}, which is not installed; pip install "sdmodel[{extra}]"'
        raise error(message) from None
