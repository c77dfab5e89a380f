"""The catalogue of the runs in a folder, read from their attributes only, and the files that belong to their names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr
from netCDF4 import Dataset

from ..dataset import MEMBER, PROVENANCE, TIME
from ..errors import Fault, StoreError
from ..files import Location, is_plain_file
from ..model import suggest
from .addresses import checked_path, is_address
from .checksums import read_seal
from .ensembles import ENSEMBLE_SUFFIX, ensemble_record, is_ensemble, open_ensemble
from .netcdf import DAMAGED, LONG, SUFFIX, UNREADABLE, check_ends, open_netcdf, read_record

if TYPE_CHECKING:
    from upath import UPath

_COMPARED = 2**27
"""Bytes of runs whose contents a list compares with their checksums, which takes a tenth of a second; the rest when opened."""
_MAX_NAME = 200
"""Bytes of a name: file systems allow 255, and a temporary file needs some more than the name."""
_SPECIAL = frozenset('/\\*?"<>|:')
"""Characters with a meaning of their own to shells or file systems."""
_WINDOWS = os.name == "nt"
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
)
"""Names that mean a device on Windows, whatever their ending: what is written there is lost."""
_NOT_A_FILE = "is a folder, a pipe or a broken link, not a file; remove it or choose another name"
_NOT_AN_ENSEMBLE = "is not the folder of an ensemble; remove it or choose another name"
_NOT_A_RUN = "is not a run of a model; keep other files elsewhere"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A stored run or ensemble: its name, its file or folder, its attributes, and the sizes of its dimensions.

    `members` are the dimensions along which the runs in it differ.
    """

    name: str
    path: Path
    attributes: Mapping[str, str]
    dims: Mapping[str, int]
    members: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The runs of a folder, oldest first, and the files that are not runs or are damaged."""

    runs: tuple[StoredRun, ...]
    faults: tuple[Fault, ...]


def list_runs(folder: str | os.PathLike[str]) -> Catalogue:
    """List the runs of a folder, and what cannot be read; a folder that does not exist has none.

    Raises StoreError if the folder is a file.
    """
    check_folder(folder)
    found, room = [], _COMPARED
    for path in _files(folder):
        with contextlib.suppress(OSError):
            room -= path.stat().st_size
        found.append(_entry(path, whole=room >= 0))
    runs = (entry for entry in found if isinstance(entry, StoredRun))
    ordered = sorted(runs, key=lambda run: (run.attributes["created"], run.name))
    faults = (entry for entry in found if isinstance(entry, Fault) and os.path.lexists(str(entry.where)))
    return Catalogue(tuple(ordered), tuple(faults))  # without what another process has removed meanwhile


def open_run(path: str | os.PathLike[str] | UPath) -> xr.Dataset:
    """Open a stored run or ensemble.

    A run is read into memory; the values of an ensemble are read from the disk only where they are needed.

    Parameters
    ----------
    path : path
        The netCDF file of a run, or the Zarr folder of an ensemble, which may be an address such as "s3://bucket/a.zarr".

    Returns
    -------
    xarray.Dataset
        The run as it was saved. An unfinished ensemble has the members that are stored so far.

    Raises
    ------
    StoreError
        If there is no such run, or it is damaged, or the file is not a run.

    Examples
    --------
    >>> import tempfile
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = sd.save_run(sd.simulate(tiny_model("level = INTEG(1, 0)", final=2)), f"{folder}/first.nc")
    ...     sd.open_run(path)["level"].values.tolist()
    [0.0, 1.0, 2.0]
    """
    source = checked_path(path)
    return open_ensemble(source) if is_ensemble(source) else open_netcdf(source)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Check that runs can be stored in a folder, which need not exist yet.

    Raises StoreError if it is something else, or inside something else.
    """
    place, fault = Path(folder), ""
    for path in (place, *place.absolute().parents):
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as cause:
            fault = str(getattr(cause, "strerror", cause))
        else:
            fault = "" if path.is_dir() else f"{path} is not a folder"
        break
    if fault:
        message = f"{str(place)!r:.80}: cannot hold runs ({fault}); name a folder"
        raise StoreError(message)


def _files(folder: str | os.PathLike[str]) -> list[Path]:
    return sorted(path for suffix in (SUFFIX, ENSEMBLE_SUFFIX) for path in Path(folder).glob(f"[!.]*{suffix}"))


def find_run(name: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Location:
    """Find the file of a run, given its path or its name in the folder.

    Raises StoreError if there is no such run; the message suggests the nearest name.
    """
    direct = checked_path(name)
    if _is_run(direct):
        return direct
    if is_address(direct):
        message = f"{direct}: there is no such ensemble; check the address"
        raise StoreError(message)
    text = str(name)  # without an ending, it may be a run or an ensemble
    paths = [] if text.endswith(ENSEMBLE_SUFFIX) else [run_path(text, folder)]
    paths += [] if text.endswith(SUFFIX) else [ensemble_path(text, folder)]
    check_folder(folder)
    found = [path for path in paths if _is_run(path)]
    if len(found) > 1:
        both = " or ".join(path.name for path in found)
        message = f"run '{name}': a run and an ensemble have this name; write {both}"
        raise StoreError(message)
    if found:
        return found[0]
    taken = next((path for path in paths if os.path.lexists(path)), None)
    if taken is not None:
        message = f"{taken}: {_NOT_A_FILE if taken.suffix == SUFFIX else _NOT_AN_ENSEMBLE}"
        raise StoreError(message)
    known = [path.stem for path in _files(folder) if _is_run(path)]
    stem = text.removesuffix(SUFFIX).removesuffix(ENSEMBLE_SUFFIX)
    cure = suggest(stem, known, "`sdmodel runs` lists the stored runs")
    message = f"run '{name}': is not in {Path(folder)}; {cure}"
    raise StoreError(message)


def _is_run(path: Location) -> bool:
    """Whether a path is the kind of file or folder that its ending says."""
    return (path.suffix == SUFFIX and is_plain_file(path)) or is_ensemble(path)


def run_path(name: str, folder: str | os.PathLike[str]) -> Path:
    """Return the file of the run with that name, whether or not it exists.

    Raises StoreError if the name is empty, too long or hidden, has blanks at its ends, or characters with a special
    meaning.
    """
    return Path(folder) / f"{_stem(name.removesuffix(SUFFIX), name)}{SUFFIX}"


def ensemble_path(name: str, folder: str | os.PathLike[str]) -> Path:
    """Return the folder of the ensemble with that name, whether or not it exists.

    Raises StoreError if the name cannot be one, as for a run.
    """
    return Path(folder) / f"{_stem(name.removesuffix(ENSEMBLE_SUFFIX), name)}{ENSEMBLE_SUFFIX}"


def _stem(stem: str, name: str) -> str:
    plain = stem.isprintable() and stem == stem.strip() and not _SPECIAL & set(stem)
    device = _WINDOWS and stem.partition(".")[0].rstrip().casefold() in _DEVICES
    if not stem or not plain or device or stem.startswith(".") or len(os.fsencode(stem)) > _MAX_NAME:
        cure = f"choose another, of at most {_MAX_NAME} letters, digits, - and _, without folder or leading dot"
        message = f"run {name!r:.60}: this is not a name for a file; {cure}"
        raise StoreError(message)
    return stem


def _entry(path: Path, *, whole: bool) -> StoredRun | Fault:
    """The entry of one file or folder in the catalogue, or what is wrong with it, in all of it or in its record."""
    if path.suffix == ENSEMBLE_SUFFIX:
        return _ensemble_entry(path)
    if not is_plain_file(path):  # opening a pipe would wait forever
        return Fault(str(path), _NOT_A_FILE)
    try:
        record = read_seal(path, whole=whole)
        if record is None:
            check_ends(path)
            with Dataset(path) as file:
                record = read_record(file)
    except UNREADABLE:
        return Fault(str(path), DAMAGED)
    if not record["timed"] or not all(name in record["attributes"] for name in PROVENANCE):
        return Fault(str(path), _NOT_A_RUN)
    return StoredRun(path.stem, path, record["attributes"], record["dims"], record["members"])


def _ensemble_entry(path: Path) -> StoredRun | Fault:
    if not is_ensemble(path):
        return Fault(str(path), _NOT_AN_ENSEMBLE)
    try:
        record, dims = ensemble_record(path)
    except StoreError as fault:
        return Fault(str(path), str(fault).removeprefix(f"{path}: "))
    if TIME not in dims or not all(name in record for name in PROVENANCE):
        return Fault(str(path), _NOT_A_RUN)
    attributes = {name: str(value) for name, value in record.items() if name not in LONG}
    return StoredRun(path.stem, path, attributes, dims, {MEMBER: dims[MEMBER]})
