"""Runs on disk: a netCDF file for a run, a Zarr folder for an ensemble, and the catalogue of a folder of them."""

from .addresses import checked_path, exists, is_address
from .catalogue import Catalogue, StoredRun, check_folder, ensemble_path, find_run, list_runs, open_run, run_path
from .ensembles import (
    Block,
    Ensemble,
    add_members,
    create_ensemble,
    ensemble_record,
    is_ensemble,
    members_per_block,
    open_for_append,
    open_for_writing,
    record_blocks,
    write_members,
)
from .exports import EXPORT_ENDINGS, export_run, to_pandas
from .netcdf import save_new_run, save_run

__all__ = [
    "EXPORT_ENDINGS", "Block", "Catalogue", "Ensemble", "StoredRun", "add_members", "check_folder", "checked_path",
    "create_ensemble", "ensemble_path", "ensemble_record", "exists", "export_run", "find_run", "is_address", "is_ensemble",
    "list_runs", "members_per_block", "open_for_append", "open_for_writing", "open_run", "record_blocks", "run_path",
    "save_new_run", "save_run", "to_pandas", "write_members",
]  # fmt: skip
