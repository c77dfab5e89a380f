"""What runs a folder holds, read from their attributes only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from netCDF4 import Dataset

from ..dataset import MEMBER, PROVENANCE, TIME
from ..errors import Fault, StoreError
from ..files import is_plain_file
from ..model import nearest
from .ensembles import ENSEMBLE_SUFFIX, ensemble_record, is_ensemble, open_ensemble
from .forms import ORDER, UNREADABLE
from .netcdf import SUFFIX, open_netcdf, path_given

_LONG = frozenset({"model_text", ORDER})
_LONGEST = 200
"""Bytes of a name: file systems allow 255, of which a temporary file needs some more."""
_SPECIAL = frozenset('/\\*?"<>|:')
"""What means something else to a shell or a file system."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One stored run or ensemble: its name, its file or folder, where it comes from, the lengths of its dimensions.

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
    """All runs of a folder; what cannot be read is named beside them. A folder that is not there holds none.

    Raises
    ------
    StoreError
        If the folder is a file.
    """
    check_folder(folder)
    found = [_stored(path) for path in _files(folder)]
    runs = sorted(
        (each for each in found if isinstance(each, StoredRun)), key=lambda run: (run.attributes["created"], run.name)
    )
    return Catalogue(tuple(runs), tuple(each for each in found if isinstance(each, Fault)))


def open_run(path: str | os.PathLike[str]) -> xr.Dataset:
    """The run that a file holds, read into memory, or the ensemble of a folder, read only where it is asked for.

    Of an ensemble that is not finished, the members that are done.

    Raises
    ------
    StoreError
        If there is no such run, or it is damaged, or is none.
    """
    source = path_given(path)
    return open_ensemble(source) if is_ensemble(source) else open_netcdf(source)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Make sure that runs can be in a folder, which need not be there yet.

    Raises
    ------
    StoreError
        If it is something else, or inside something else.
    """
    place = Path(folder)
    fault = _fault_of(place)
    if fault:
        message = f"{str(place)!r:.80}: cannot hold runs ({fault}); name a folder"
        raise StoreError(message)


def _fault_of(folder: Path) -> str:
    """Why a folder neither is one nor can be made, or nothing: what is nearest above it must be a folder."""
    for each in (folder, *folder.absolute().parents):
        try:
            os.lstat(each)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as cause:
            return str(getattr(cause, "strerror", cause))
        return "" if each.is_dir() else f"{each} is no folder"
    return ""


def _files(folder: str | os.PathLike[str]) -> list[Path]:
    return sorted(each for suffix in (SUFFIX, ENSEMBLE_SUFFIX) for each in Path(folder).glob(f"[!.]*{suffix}"))


def find_run(name: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """The file of a run: a path as it stands, or the name of a run of the folder.

    Raises
    ------
    StoreError
        If there is none; it says which name is the nearest.
    """
    direct = Path(name)
    if _is_run(direct):
        return direct
    paths = _of_name(str(name), folder)
    check_folder(folder)
    found = [each for each in paths if _is_run(each)]
    if len(found) > 1:
        message = (
            f"run '{name}': a run and an ensemble have this name; write {' or '.join(str(each.name) for each in found)}"
        )
        raise StoreError(message)
    if found:
        return found[0]
    taken = next((each for each in paths if os.path.lexists(each)), None)
    if taken is not None:
        message = f"{taken}: {_NO_FILE if taken.suffix == SUFFIX else _NO_ENSEMBLE}"
        raise StoreError(message)
    known = [each.stem for each in _files(folder) if _is_run(each)]
    close = nearest(str(name).removesuffix(SUFFIX).removesuffix(ENSEMBLE_SUFFIX), known)
    cure = f"did you mean '{close}'?" if close else "`sdmodel runs` lists those there are"
    message = f"run '{name}': is not in {Path(folder)}; {cure}"
    raise StoreError(message)


def _is_run(path: Path) -> bool:
    """Whether what has a name is what its ending says."""
    return (path.suffix == SUFFIX and is_plain_file(path)) or is_ensemble(path)


def _of_name(name: str, folder: str | os.PathLike[str]) -> list[Path]:
    """What a name may stand for: with an ending that, without one either."""
    if name.endswith(ENSEMBLE_SUFFIX):
        return [ensemble_path(name, folder)]
    run = run_path(name, folder)
    return [run] if name.endswith(SUFFIX) else [run, ensemble_path(name, folder)]


def run_path(name: str, folder: str | os.PathLike[str]) -> Path:
    """Where the run of that name is, or will be.

    Raises
    ------
    StoreError
        If the name is empty, too long or hidden, has blanks at its ends, or signs that file systems or shells take otherwise.
    """
    return Path(folder) / f"{_stem(name.removesuffix(SUFFIX), name)}{SUFFIX}"


def ensemble_path(name: str, folder: str | os.PathLike[str]) -> Path:
    """Where the ensemble of that name is, or will be.

    Raises
    ------
    StoreError
        As for a run.
    """
    return Path(folder) / f"{_stem(name.removesuffix(ENSEMBLE_SUFFIX), name)}{ENSEMBLE_SUFFIX}"


def _stem(stem: str, name: str) -> str:
    """The name of a file without its ending, made sure that it is one."""
    plain = stem.isprintable() and stem == stem.strip() and not _SPECIAL & set(stem)
    if not stem or not plain or stem.startswith(".") or len(os.fsencode(stem)) > _LONGEST:
        cure = f"choose another, of at most {_LONGEST} letters, digits, - and _, without folder or leading dot"
        message = f"run {name!r:.60}: this is not a name for a file; {cure}"
        raise StoreError(message)
    return stem


_NO_FILE = "is a folder, a pipe or a broken link, not a file; remove it or choose another name"
_NO_ENSEMBLE = "is no folder of an ensemble; remove it or choose another name"


def _stored(path: Path) -> StoredRun | Fault:
    """The record of one file or folder, or what is wrong with it."""
    if path.suffix == ENSEMBLE_SUFFIX:
        return _stored_ensemble(path)
    if not is_plain_file(path):  # to open a pipe would wait for ever
        return Fault(str(path), _NO_FILE)
    try:
        with Dataset(path) as file:
            attributes = {name: str(file.getncattr(name)) for name in file.ncattrs() if name not in _LONG}
            dims = {name: dimension.size for name, dimension in file.dimensions.items()}
            members = {name: size for name, size in dims.items() if name != TIME and not _is_subscript(file, name)}
            timed = TIME in file.variables and file.variables[TIME].dimensions == (TIME,)
    except UNREADABLE:
        return Fault(str(path), "cannot be read as a run, it is damaged or of another kind; make it again or remove it")
    if not timed or not all(name in attributes for name in PROVENANCE):
        return Fault(str(path), "is not a run of a model; keep other files elsewhere")
    return StoredRun(path.stem, path, attributes, dims, members)


def _stored_ensemble(path: Path) -> StoredRun | Fault:
    if not is_ensemble(path):
        return Fault(str(path), _NO_ENSEMBLE)
    try:
        attributes, dims = ensemble_record(path)
    except StoreError as fault:
        return Fault(str(path), str(fault).removeprefix(f"{path}: "))
    if TIME not in dims or not all(name in attributes for name in PROVENANCE):
        return Fault(str(path), "is not a run of a model; keep other files elsewhere")
    told = {name: str(value) for name, value in attributes.items() if name not in _LONG}
    return StoredRun(path.stem, path, told, dims, {MEMBER: dims[MEMBER]})


def _is_subscript(file: Dataset, name: str) -> bool:
    return name in file.variables and getattr(file.variables[name], "kind", "") == "subscript"
