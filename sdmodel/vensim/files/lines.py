"""Small text files, line by line; a save list (`.lst`) is the simplest, with one name per line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from ... import files
from ...errors import Fault, Place, ScenarioError
from ...model import Model, nearest, split_name
from ..read.segments import QUOTED, blank_comments
from ..read.syntax import LINE_END

T = TypeVar("T")

_NAME = re.compile(rf"\s*+(?:{QUOTED}\s*+|[^\"\[\]=|~]++)(?:\[(?:{QUOTED}|[^\"\[\]])*+\]\s*+)?$")


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a small file that accompanies a model, in UTF-8, UTF-16 or Latin-1."""
    return files.read_text(path, error=ScenarioError)


def content_lines(text: str, path: str) -> Iterator[tuple[str, Place]]:
    """Yield the lines that are not blank, each with the place of its first character that is not a blank."""
    for number, line in enumerate(LINE_END.split(text), 1):
        if line.strip():
            yield line, Place(path, number, len(line) - len(line.lstrip()) + 1)


def without_faults(found: Iterable[T | Fault], path: str = "", empty: str = "") -> tuple[T, ...]:
    """Return what a file has, or raise its faults; `empty` is the fault of a file that has nothing."""
    items = list(found)
    faults = [item for item in items if isinstance(item, Fault)]
    if empty and not items:
        faults.append(Fault(path, empty))
    if faults:
        raise ScenarioError(faults)
    return tuple(item for item in items if not isinstance(item, Fault))


def save_list_of(model: str | os.PathLike[str]) -> Path | None:
    """Return the save list of a model's name beside it, which lists its headline variables, if there is one."""
    path = Path(model).with_suffix(".lst")
    return path if files.is_plain_file(path) else None


def read_savelist(path: str | os.PathLike[str], model: Model | None = None) -> tuple[str, ...]:
    """Return the names in a save list as written, with any subscripts in brackets; comments are in braces.

    Raises
    ------
    ScenarioError
        If a line is not a name, or not the name of a variable of `model` if one is given, or the list is empty.
    """
    listed = read_placed_names(path)
    if model is not None:
        check_names(listed, model)
    return tuple(name for name, _ in listed)


def read_placed_names(path: str | os.PathLike[str]) -> tuple[tuple[str, Place], ...]:
    """Return the names in a save list with their places, for `check_names`.

    Raises
    ------
    ScenarioError
        If a line is not a name, or the list is empty.
    """
    name = os.fspath(path)
    wrong = "this is not a name; write one name per line, one with odd characters in quotes"
    found = (
        (" ".join(line.split()), place) if _NAME.match(line) else Fault(place, wrong)
        for line, place in content_lines(blank_comments(read_text(path)), name)
    )
    return without_faults(found, name, "the list has no names; write one per line")


def check_names(listed: Iterable[tuple[str, Place]], model: Model) -> None:
    """Check that a model has the names of a save list.

    Raises
    ------
    ScenarioError
        With every name that it does not have.
    """
    known = [element.name for element in model if not element.hidden and element.kind != "lookup"]
    faults = []
    for name, place in listed:
        if split_name(name, model.elements)[0] not in model:
            close = nearest(split_name(name)[0], known)
            cure = f"did you mean '{close}'?" if close else "name a variable of the model"
            faults.append(Fault(place, f"'{name}' is not in the model; {cure}"))
    without_faults(faults)
