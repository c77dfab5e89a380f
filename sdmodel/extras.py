"""Packages that are installed only by who asks for them: loaded where they are used, their absence told with its cure."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import SdmodelError


def load_extra(name: str, *, extra: str, task: str, error: type[SdmodelError]) -> ModuleType:
    """A module that an extra of the package brings, for a `task` that needs it.

    Raises
    ------
    SdmodelError
        Of the class `error`, if it is not installed; it says how to.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        message = f'{task} needs {package}, which is not installed; pip install "sdmodel[{extra}]"'
        raise error(message) from None
