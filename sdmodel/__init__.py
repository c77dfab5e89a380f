"""System dynamics for any Vensim model: read, simulate, compare; heavy packages load where they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .extras import lazy_names

if TYPE_CHECKING:  # the names of the table below, for type checkers
    from .analysis import attribute_levers as attribute_levers
    from .analysis import compare_members as compare_members
    from .analysis import compare_runs as compare_runs
    from .analysis import contributions_to as contributions_to
    from .analysis import discover_scenarios as discover_scenarios
    from .analysis import find_sensitivities as find_sensitivities
    from .analysis import rank_levers as rank_levers
    from .analysis import sweep_levers as sweep_levers
    from .analysis import vary_constants as vary_constants
    from .checking import check_model as check_model
    from .checking import check_reality as check_reality
    from .checking import find_loops as find_loops
    from .checking import find_paths as find_paths
    from .comparison import VariableAttribution as VariableAttribution
    from .comparison import quantiles as quantiles
    from .comparison import share_where as share_where
    from .ensemble import run_ensemble as run_ensemble
    from .errors import AnalysisError as AnalysisError
    from .errors import CalibrationError as CalibrationError
    from .errors import CheckError as CheckError
    from .errors import DatasetError as DatasetError
    from .errors import EnsembleError as EnsembleError
    from .errors import FaultsError as FaultsError
    from .errors import FigureError as FigureError
    from .errors import LayoutError as LayoutError
    from .errors import LoopError as LoopError
    from .errors import ModelError as ModelError
    from .errors import ObservationError as ObservationError
    from .errors import OutOfMemoryError as OutOfMemoryError
    from .errors import ReferenceEngineError as ReferenceEngineError
    from .errors import ReportError as ReportError
    from .errors import ScenarioError as ScenarioError
    from .errors import SdmodelError as SdmodelError
    from .errors import SimulationError as SimulationError
    from .errors import StoreError as StoreError
    from .explore import write_explorer as write_explorer
    from .figures import Observed as Observed
    from .figures import Panel as Panel
    from .figures import plot_backtest as plot_backtest
    from .figures import plot_bands as plot_bands
    from .figures import plot_boxes as plot_boxes
    from .figures import plot_contributions as plot_contributions
    from .figures import plot_diagram as plot_diagram
    from .figures import plot_differences as plot_differences
    from .figures import plot_fit as plot_fit
    from .figures import plot_heat_map as plot_heat_map
    from .figures import plot_morris as plot_morris
    from .figures import plot_ranking as plot_ranking
    from .figures import plot_runs as plot_runs
    from .figures import plot_sobol as plot_sobol
    from .figures import plot_sweep as plot_sweep
    from .figures import plot_tornado as plot_tornado
    from .figures import plot_wedges as plot_wedges
    from .inference import backtest_model as backtest_model
    from .inference import backtest_panels as backtest_panels
    from .inference import calibrate_model as calibrate_model
    from .inference import fit_panels as fit_panels
    from .inference import fit_run as fit_run
    from .inference import read_observations as read_observations
    from .inference import read_series as read_series
    from .inference import sample_posterior as sample_posterior
    from .inference import score_backtest as score_backtest
    from .inference import to_datatree as to_datatree
    from .model import CausalPath as CausalPath
    from .model import Model as Model
    from .model import lay_out as lay_out
    from .model import without_subscripts as without_subscripts
    from .reading import model_from_text as model_from_text
    from .reading import read_model as read_model
    from .reading import read_sketch as read_sketch
    from .reading import read_xmile as read_xmile
    from .report import write_report as write_report
    from .scenario import find_levers as find_levers
    from .scenario import make_design as make_design
    from .simulation import NotFiniteWarning as NotFiniteWarning
    from .simulation import OpenSimulation as OpenSimulation
    from .simulation import PreparedSimulation as PreparedSimulation
    from .simulation import RunWarning as RunWarning
    from .simulation import WasmModule as WasmModule
    from .simulation import compile_model as compile_model
    from .simulation import compile_wasm as compile_wasm
    from .simulation import open_simulation as open_simulation
    from .simulation import simulate as simulate
    from .simulation import with_data as with_data
    from .store import export_run as export_run
    from .store import open_run as open_run
    from .store import save_run as save_run
    from .store import to_pandas as to_pandas
    from .vensim import compare_documents as compare_documents
    from .vensim import default_sampling as default_sampling
    from .vensim import format_document as format_document
    from .vensim import mdl_text as mdl_text
    from .vensim import merge_documents as merge_documents
    from .vensim import open_document as open_document
    from .vensim import read_formula as read_formula
    from .vensim import read_sampling as read_sampling
    from .vensim import read_scenario as read_scenario
    from .workers import WorkerProcesses as WorkerProcesses
    from .xmile import XmileText as XmileText
    from .xmile import xmile_text as xmile_text

__version__ = "0.2.0"

_NAMES = {
    "analysis": "attribute_levers compare_members compare_runs contributions_to discover_scenarios find_sensitivities rank_levers sweep_levers vary_constants",
    "checking": "check_model check_reality find_loops find_paths",
    "comparison": "VariableAttribution quantiles share_where",
    "ensemble": "run_ensemble",
    "errors": "AnalysisError CalibrationError CheckError DatasetError EnsembleError FaultsError FigureError LayoutError "
    "LoopError ModelError ObservationError OutOfMemoryError ReferenceEngineError ReportError ScenarioError SdmodelError SimulationError "
    "StoreError",
    "explore": "write_explorer",
    "figures": "Observed Panel plot_backtest plot_bands plot_boxes plot_contributions plot_diagram plot_differences plot_fit plot_heat_map "
    "plot_morris plot_ranking plot_runs plot_sobol plot_sweep plot_tornado plot_wedges",
    "inference": "backtest_model backtest_panels calibrate_model fit_panels fit_run read_observations read_series sample_posterior score_backtest to_datatree",
    "model": "CausalPath Model lay_out without_subscripts",
    "reading": "model_from_text read_model read_sketch read_xmile",
    "report": "write_report",
    "scenario": "find_levers make_design",
    "simulation": "NotFiniteWarning OpenSimulation PreparedSimulation RunWarning WasmModule compile_model compile_wasm "
    "open_simulation simulate with_data",
    "store": "export_run open_run save_run to_pandas",
    "vensim": "compare_documents default_sampling format_document mdl_text merge_documents open_document read_formula "
    "read_sampling read_scenario",
    "workers": "WorkerProcesses",
    "xmile": "XmileText xmile_text",
}
"""The public names by stage."""

__all__ = sorted(" ".join(_NAMES.values()).split())  # noqa: PLE0605 - the table has the names
__getattr__ = lazy_names(__name__, _NAMES)


def __dir__() -> list[str]:
    """List the public names, for completion."""
    return [*__all__, "__version__"]
