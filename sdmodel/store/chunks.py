"""The files that hold the numbers of an ensemble: which there must be, told without reading any of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..dataset import MEMBER

RECORD = "zarr.json"
"""The file in which Zarr describes a folder or an array."""


def missing_chunks(path: Path, done: int) -> list[str]:
    """The files that the members which are done should have and lack, relative to the folder.

    Zarr takes a file that is not there for one whose numbers are all the filling. As every file is written, whatever is
    in it, one that lacks is lost.
    """
    found = []
    for record in sorted(path.glob(f"*/{RECORD}")):
        array = json.loads(record.read_bytes())
        found += [f"{record.parent.name}/{each}" for each in _missing(record.parent, array, done)]
    return found


def _missing(folder: Path, array: Mapping[str, Any], done: int) -> list[str]:
    """Of one array: there is one file a block of members, or a single one."""
    dims = len(array["shape"])
    if not dims:
        return [] if (folder / "c").is_file() else ["c"]
    blocked = folder.name != MEMBER and array["dimension_names"][-1] == MEMBER
    place = "/".join(["c", *["0"] * (dims - 1)])
    blocks = -(-done // array["chunk_grid"]["configuration"]["chunk_shape"][-1]) if blocked else 1
    there = {each.name for each in (folder / place).iterdir()} if (folder / place).is_dir() else set()
    return [f"{place}/{block}" for block in range(blocks) if str(block) not in there]
