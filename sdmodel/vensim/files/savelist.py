"""Save lists: which elements of a model a run keeps, one name a line in a `.lst` file."""

from __future__ import annotations

import os
import re

from ...errors import Fault, Place, ScenarioError
from ..read.segments import QUOTED, blanked
from .changes import read_text

_NAME = re.compile(rf"\s*+(?:{QUOTED}\s*+|[^\"\[\]=|~]++)(?:\[(?:{QUOTED}|[^\"\[\]])*+\]\s*+)?$")
_LINES = re.compile(r"\r\n?|\n")


def read_savelist(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names in a save list, as written, subscripts in brackets included; comments stand in braces.

    Raises
    ------
    ScenarioError
        With every line that is no name, or if there is none at all.
    """
    names, faults = [], []
    for number, line in enumerate(_LINES.split(blanked(read_text(path))), 1):
        if not line.strip():
            continue
        if _NAME.match(line):
            names.append(" ".join(line.split()))
        else:
            what = "this is no name; write one name a line, one with odd characters in quotes"
            faults.append(Fault(Place(os.fspath(path), number, len(line) - len(line.lstrip()) + 1), what))
    if not names and not faults:
        faults.append(Fault(os.fspath(path), "the list names nothing; write one name a line"))
    if faults:
        raise ScenarioError(faults)
    return tuple(names)
