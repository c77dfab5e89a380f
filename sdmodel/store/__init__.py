"""Runs on disk: a netCDF file for a run, a Zarr folder for an ensemble, and the catalogue of a folder of them."""

from .catalogue import Catalogue, StoredRun, check_folder, ensemble_path, find_run, open_run, run_path, runs_in
from .ensembles import (
    Ensemble,
    add_members,
    added_to,
    block_members,
    create_ensemble,
    ensemble_record,
    is_ensemble,
    loaded,
)
from .exports import EXPORT_ENDINGS, export_run
from .netcdf import save_new_run, save_run

__all__ = [
    "EXPORT_ENDINGS",
    "Catalogue",
    "Ensemble",
    "StoredRun",
    "add_members",
    "added_to",
    "block_members",
    "check_folder",
    "create_ensemble",
    "ensemble_path",
    "ensemble_record",
    "export_run",
    "find_run",
    "is_ensemble",
    "loaded",
    "open_run",
    "run_path",
    "runs_in",
    "save_new_run",
    "save_run",
]
