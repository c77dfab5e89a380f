"""System dynamics for any Vensim model: read, simulate, compare; what is heavy loads where it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import check_model
    from .errors import ModelError, ScenarioError, SdmodelError, SimulationError, StoreError
    from .model import Model
    from .simulation import simulate
    from .store import open_run, save_run
    from .vensim import read_document as open_document
    from .vensim import read_model, read_scenario

__version__ = "0.1.0"

_HOMES = {
    "Model": ("model", "Model"),
    "ModelError": ("errors", "ModelError"),
    "ScenarioError": ("errors", "ScenarioError"),
    "SdmodelError": ("errors", "SdmodelError"),
    "SimulationError": ("errors", "SimulationError"),
    "StoreError": ("errors", "StoreError"),
    "check_model": ("checking", "check_model"),
    "open_document": ("vensim", "read_document"),
    "open_run": ("store", "open_run"),
    "read_model": ("vensim", "read_model"),
    "read_scenario": ("vensim", "read_scenario"),
    "save_run": ("store", "save_run"),
    "simulate": ("simulation", "simulate"),
}
"""Where each public name lives."""

__all__ = [
    "Model",
    "ModelError",
    "ScenarioError",
    "SdmodelError",
    "SimulationError",
    "StoreError",
    "check_model",
    "open_document",
    "open_run",
    "read_model",
    "read_scenario",
    "save_run",
    "simulate",
]


def __dir__() -> list[str]:
    """The public names, for completion."""
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    """The public name, loaded when it is first asked for."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f".{module}", __name__), attribute)
