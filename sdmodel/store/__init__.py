"""Runs on disk: a netCDF file for a run, a Zarr folder for an ensemble, and the catalogue of a folder of them."""

from .catalogue import Catalogue, StoredRun, check_folder, ensemble_path, find_run, list_runs, open_run, run_path
from .ensembles import (
    Ensemble,
    add_members,
    create_ensemble,
    ensemble_record,
    is_ensemble,
    members_per_block,
    open_for_append,
)
from .exports import EXPORT_ENDINGS, export_run
from .netcdf import save_new_run, save_run

__all__ = [
    "EXPORT_ENDINGS", "Catalogue", "Ensemble", "StoredRun", "add_members", "check_folder", "create_ensemble",
    "ensemble_path", "ensemble_record", "export_run", "find_run", "is_ensemble", "list_runs",
    "members_per_block", "open_for_append", "open_run", "run_path", "save_new_run", "save_run",
]  # fmt: skip
