"""System dynamics for any Vensim model: read, simulate, compare; what is heavy loads where it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import attribute_levers, compare_members, compare_runs, find_sensitivities, sweep_levers
    from .checking import check_model, find_loops, find_paths
    from .comparison import quantiles, share_where
    from .ensemble import run_ensemble
    from .errors import LoopError, ModelError, ScenarioError, SdmodelError, SimulationError, StoreError
    from .figures import plot_diagram
    from .inference import calibrate_model, fit_run, read_observations, read_series
    from .model import CausalPath, Model, lay_out, without_subscripts
    from .reference import read_xmile
    from .report import write_report
    from .scenario import find_levers, make_design
    from .simulation import simulate
    from .store import export_run, open_run, save_run
    from .vensim import (
        compare_documents,
        format_document,
        mdl_text,
        merge_documents,
        open_document,
        read_formula,
        read_model,
        read_sampling,
        read_scenario,
        read_sketch,
    )

__version__ = "0.1.0"

_HOMES = {
    "Model": ("model", "Model"),
    "CausalPath": ("model", "CausalPath"),
    "LoopError": ("errors", "LoopError"),
    "ModelError": ("errors", "ModelError"),
    "ScenarioError": ("errors", "ScenarioError"),
    "SdmodelError": ("errors", "SdmodelError"),
    "SimulationError": ("errors", "SimulationError"),
    "StoreError": ("errors", "StoreError"),
    "attribute_levers": ("analysis", "attribute_levers"),
    "calibrate_model": ("inference", "calibrate_model"),
    "check_model": ("checking", "check_model"),
    "find_levers": ("scenario", "find_levers"),
    "compare_members": ("analysis", "compare_members"),
    "compare_runs": ("analysis", "compare_runs"),
    "export_run": ("store", "export_run"),
    "find_loops": ("checking", "find_loops"),
    "find_paths": ("checking", "find_paths"),
    "find_sensitivities": ("analysis", "find_sensitivities"),
    "compare_documents": ("vensim", "compare_documents"),
    "format_document": ("vensim", "format_document"),
    "merge_documents": ("vensim", "merge_documents"),
    "fit_run": ("inference", "fit_run"),
    "lay_out": ("model", "lay_out"),
    "make_design": ("scenario", "make_design"),
    "open_document": ("vensim", "open_document"),
    "mdl_text": ("vensim", "mdl_text"),
    "open_run": ("store", "open_run"),
    "plot_diagram": ("figures", "plot_diagram"),
    "quantiles": ("comparison", "quantiles"),
    "read_formula": ("vensim", "read_formula"),
    "read_model": ("vensim", "read_model"),
    "read_observations": ("inference", "read_observations"),
    "read_sampling": ("vensim", "read_sampling"),
    "read_scenario": ("vensim", "read_scenario"),
    "read_sketch": ("vensim", "read_sketch"),
    "read_series": ("inference", "read_series"),
    "read_xmile": ("reference", "read_xmile"),
    "run_ensemble": ("ensemble", "run_ensemble"),
    "save_run": ("store", "save_run"),
    "share_where": ("comparison", "share_where"),
    "simulate": ("simulation", "simulate"),
    "write_report": ("report", "write_report"),
    "sweep_levers": ("analysis", "sweep_levers"),
    "without_subscripts": ("model", "without_subscripts"),
}
"""Where each public name lives."""

__all__ = [
    "CausalPath",
    "LoopError",
    "Model",
    "ModelError",
    "ScenarioError",
    "SdmodelError",
    "SimulationError",
    "StoreError",
    "attribute_levers",
    "calibrate_model",
    "check_model",
    "compare_documents",
    "compare_members",
    "compare_runs",
    "export_run",
    "find_levers",
    "find_loops",
    "find_paths",
    "find_sensitivities",
    "fit_run",
    "format_document",
    "lay_out",
    "make_design",
    "mdl_text",
    "merge_documents",
    "open_document",
    "open_run",
    "plot_diagram",
    "quantiles",
    "read_formula",
    "read_model",
    "read_observations",
    "read_sampling",
    "read_scenario",
    "read_series",
    "read_sketch",
    "read_xmile",
    "run_ensemble",
    "save_run",
    "share_where",
    "simulate",
    "sweep_levers",
    "without_subscripts",
    "write_report",
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
