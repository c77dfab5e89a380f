"""Runs on disk: one netCDF file a run, complete or absent, and the catalogue of a folder of them."""

from .catalogue import Catalogue, StoredRun, check_folder, find_run, run_path, runs_in
from .netcdf import open_run, save_new_run, save_run

__all__ = [
    "Catalogue",
    "StoredRun",
    "check_folder",
    "find_run",
    "open_run",
    "run_path",
    "runs_in",
    "save_new_run",
    "save_run",
]
