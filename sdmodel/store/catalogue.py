"""What runs a folder holds, read from their attributes only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netCDF4 import Dataset

from ..dataset import PROVENANCE, TIME
from ..errors import Fault, StoreError
from ..model import nearest
from .netcdf import ORDER, SUFFIX, UNREADABLE, is_plain_file

_LONG = frozenset({"model_text", ORDER})
_LONGEST = 200
"""Bytes of a name: file systems allow 255, of which a temporary file needs some more."""
_SPECIAL = frozenset('/\\*?"<>|:')
"""What means something else to a shell or a file system."""


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
    return sorted(Path(folder).glob(f"[!.]*{SUFFIX}"))


def find_run(name: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """The file of a run: a path as it stands, or the name of a run of the folder.

    Raises
    ------
    StoreError
        If there is none; it says which name is the nearest.
    """
    direct = Path(name)
    if direct.suffix == SUFFIX and is_plain_file(direct):
        return direct
    path = run_path(str(name), folder)
    check_folder(folder)
    if is_plain_file(path):
        return path
    if os.path.lexists(path):
        message = f"{path}: {_NO_FILE}"
        raise StoreError(message)
    known = [each.stem for each in _files(folder) if is_plain_file(each)]
    close = nearest(str(name).removesuffix(SUFFIX), known)
    cure = f"did you mean '{close}'?" if close else "`sdmodel runs` lists those there are"
    message = f"run '{name}': is not in {Path(folder)}; {cure}"
    raise StoreError(message)


def run_path(name: str, folder: str | os.PathLike[str]) -> Path:
    """Where the run of that name is, or will be.

    Raises
    ------
    StoreError
        If the name is empty, too long or hidden, has blanks at its ends, or signs that file systems or shells take otherwise.
    """
    stem = name.removesuffix(SUFFIX)
    plain = stem.isprintable() and stem == stem.strip() and not _SPECIAL & set(stem)
    if not stem or not plain or stem.startswith(".") or len(os.fsencode(stem)) > _LONGEST:
        cure = f"choose another, of at most {_LONGEST} letters, digits, - and _, without folder or leading dot"
        message = f"run {name!r:.60}: this is not a name for a file; {cure}"
        raise StoreError(message)
    return Path(folder) / f"{stem}{SUFFIX}"


_NO_FILE = "is a folder, a pipe or a broken link, not a file; remove it or choose another name"


def _stored(path: Path) -> StoredRun | Fault:
    """The record of one file, or what is wrong with it."""
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


def _is_subscript(file: Dataset, name: str) -> bool:
    return name in file.variables and getattr(file.variables[name], "kind", "") == "subscript"
