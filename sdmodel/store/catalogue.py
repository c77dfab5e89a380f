"""What runs a folder holds, read from their attributes only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netCDF4 import Dataset

from ..dataset import PROVENANCE, TIME
from ..errors import Fault, StoreError
from ..model.names import nearest
from .netcdf import ORDER, SUFFIX, UNREADABLE

_LONG = frozenset({"model_text", ORDER})


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One stored run: its name, its file, where it comes from, and the lengths of its dimensions.

    `members` are those dimensions along which the runs in it differ.
    """

    name: str
    path: Path
    attributes: Mapping[str, str]
    dims: Mapping[str, int]
    members: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The runs of a folder, oldest first, and the files there that are not runs or are damaged."""

    runs: tuple[StoredRun, ...]
    faults: tuple[Fault, ...]


def runs_in(folder: str | os.PathLike[str]) -> Catalogue:
    """All runs of a folder; what cannot be read is named beside them. A folder that is not there holds none."""
    found = [_stored(path) for path in sorted(Path(folder).glob(f"[!.]*{SUFFIX}"))]
    runs = sorted(
        (each for each in found if isinstance(each, StoredRun)), key=lambda run: (run.attributes["created"], run.name)
    )
    return Catalogue(tuple(runs), tuple(each for each in found if isinstance(each, Fault)))


def find_run(name: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """The file of a run: a path as it stands, or the name of a run of the folder.

    Raises
    ------
    StoreError
        If there is none; it says which name is the nearest.
    """
    direct = Path(name)
    if direct.suffix == SUFFIX and direct.is_file():
        return direct
    path = run_path(str(name), folder)
    if path.is_file():
        return path
    known = sorted(each.stem for each in Path(folder).glob(f"[!.]*{SUFFIX}"))
    close = nearest(str(name).removesuffix(SUFFIX), known)
    cure = f"did you mean '{close}'?" if close else "`sdmodel runs` lists those there are"
    message = f"run '{name}': is not in {Path(folder)}; {cure}"
    raise StoreError(message)


def run_path(name: str, folder: str | os.PathLike[str]) -> Path:
    """Where the run of that name is, or will be.

    Raises
    ------
    StoreError
        If the name is that of another folder, or hidden.
    """
    stem = name.removesuffix(SUFFIX)
    if not stem or stem != Path(stem).name or stem.startswith("."):
        message = f"run '{name}': this is not a name for a file, without folder or leading dot; choose another"
        raise StoreError(message)
    return Path(folder) / f"{stem}{SUFFIX}"


def _stored(path: Path) -> StoredRun | Fault:
    """The record of one file, or what is wrong with it."""
    try:
        with Dataset(path) as file:
            attributes = {name: str(file.getncattr(name)) for name in file.ncattrs() if name not in _LONG}
            dims = {name: dimension.size for name, dimension in file.dimensions.items()}
            members = {name: size for name, size in dims.items() if name != TIME and not _is_subscript(file, name)}
    except UNREADABLE:
        return Fault(str(path), "cannot be read as a run, it is damaged or of another kind; make it again or remove it")
    if not all(name in attributes for name in PROVENANCE):
        return Fault(str(path), "is not a run of a model; keep other files elsewhere")
    return StoredRun(path.stem, path, attributes, dims, members)


def _is_subscript(file: Dataset, name: str) -> bool:
    return name in file.variables and getattr(file.variables[name], "kind", "") == "subscript"
