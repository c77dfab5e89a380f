"""Small text files, line by line; a save list (`.lst`) is the simplest, with one name per line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
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


def read_savelist(path: str | os.PathLike[str], model: Model | None = None) -> tuple[str, ...]:
    """Return the names in a save list as written, with any subscripts in brackets; comments are in braces.

    Raises
    ------
    ScenarioError
        If a line is not a name, or not the name of a variable of `model` if one is given, or the list is empty.
    """
    name = os.fspath(path)
    wrong = "this is not a name; write one name per line, one with odd characters in quotes"
    found = (
        (_fault_in(line, place, model) or " ".join(line.split())) if _NAME.match(line) else Fault(place, wrong)
        for line, place in content_lines(blank_comments(read_text(path)), name)
    )
    return without_faults(found, name, "the list has no names; write one per line")


def _fault_in(line: str, place: Place, model: Model | None) -> Fault | None:
    """What is wrong with a name that a model does not have."""
    if model is None or split_name(line, model.elements)[0] in model:
        return None
    known = [element.name for element in model if not element.hidden and element.kind != "lookup"]
    close = nearest(split_name(line)[0], known)
    cure = f"did you mean '{close}'?" if close else "name a variable of the model"
    return Fault(place, f"'{' '.join(line.split())}' is not in the model; {cure}")
