"""Changes to a model as text: Vensim's `.cin` files, the results of its optimiser, and `name=value` of a command line."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ... import files
from ...errors import Fault, Place, ScenarioError
from ...model import Table, display, key
from ...scenario import Change, Scenario
from ..read.segments import QUOTED, blanked

_NUMBER = r"(?:[-+]\s*+)?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"
_BARE = r"[^\"\[\](){}=<>,;:|~!]++"
_SUBSCRIPT = rf"(?:\s*+{QUOTED}\s*+|{_BARE})"
_POINT = rf"\(\s*+{_NUMBER}\s*+,\s*+{_NUMBER}\s*+\)"
_HEAD = rf"\s*+\*?\s*+(?P<name>{QUOTED}\s*+|{_BARE})(?:\[(?P<subscripts>{_SUBSCRIPT}(?:,{_SUBSCRIPT})*+)\]\s*+)?"
_VALUES = re.compile(
    rf"(?:\s*+{_NUMBER}\s*+<=)?{_HEAD}=\s*+(?P<values>{_NUMBER}(?:\s*+[,;]\s*+{_NUMBER})*)"
    rf"\s*+(?:;\s*+)?(?:<=\s*+{_NUMBER}\s*+)?$"
)
_TABLE = re.compile(
    rf"{_HEAD}\(\s*+(?P<limits>\[[-+.,()\deE\s]*+\]\s*+,?\s*+)?"
    rf"(?P<points>{_POINT}(?:\s*+,\s*+{_POINT})*|{_NUMBER}(?:\s*+,\s*+{_NUMBER})+)\s*+\)\s*+$"
)
_EACH = re.compile(_NUMBER)
_LEADING = re.compile(rf"(?:\s*+{_NUMBER}\s*+<=)?{_HEAD}(?:=|\()\s*+")
_SKIPPED = re.compile(r"\s*(?::|$)|[^=(]*:IS:", re.IGNORECASE)
_OPEN = re.compile(rf"{QUOTED}|[()\[\]]")
_COMMENT = re.compile(r"\{([^{}]*)\}")
_LINES = re.compile(r"\r\n?|\n")


class _Line(NamedTuple):
    """One change, over as many lines of the file as it takes, and the line on which it begins."""

    text: str
    number: int


def read_scenario(path: str | os.PathLike[str]) -> Scenario:
    """The changes that a `.cin` file, or what Vensim's optimiser found, makes.

    Raises
    ------
    ScenarioError
        With every line that is no change.
    """
    return scenario_from_text(read_text(path), os.fspath(path))


def scenario_from_text(text: str, name: str = "scenario.cin") -> Scenario:
    """The changes that the text of a `.cin` file makes; `name` is the file that faults name.

    Raises
    ------
    ScenarioError
        With every line that is no change.
    """
    if text.count("{") != text.count("}"):
        raise ScenarioError([Fault(name, "a comment in braces is not closed; add '}'")])
    found = [_change(line.text, Place(name, line.number)) for line in _joined(blanked(text))]
    faults = [each for each in found if isinstance(each, Fault)]
    if faults:
        raise ScenarioError(faults)
    changes = tuple(each for each in found if isinstance(each, Change))
    return Scenario(name=Path(name).stem, changes=changes, comment=_comment(text), text=text)


def read_change(text: str, where: str = "--set") -> Change:
    """The change that one `name=value` makes; `where` is what a fault names.

    Raises
    ------
    ScenarioError
        If it is no change.
    """
    found = _change(text, Place(where, 1))
    if isinstance(found, Fault):
        raise ScenarioError([found])
    return found


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a small file that goes with a model, in whichever encoding it keeps to."""
    return files.read_text(path, error=ScenarioError)


def _joined(text: str) -> Iterator[_Line]:
    """The changes of a file, those joined that run over several lines: inside brackets, or behind or before a comma."""
    pending: list[str] = []
    start = depth = 0
    for number, line in enumerate(_LINES.split(text), 1):
        if pending and not _continues(pending[-1], depth, line):
            yield _Line("\n".join(pending), start)
            pending = []
        if pending or not _SKIPPED.match(line):
            start, depth = (start, depth) if pending else (number, 0)
            pending.append(line)
            depth += sum(1 if mark in "([" else -1 for mark in _OPEN.findall(line) if len(mark) == 1)
    if pending:
        yield _Line("\n".join(pending), start)


def _continues(before: str, depth: int, line: str) -> bool:
    if depth > 0 or not line.strip():
        return depth > 0
    return before.rstrip().endswith((",", "=", "<=")) or line.lstrip().startswith((",", ")"))


def _change(text: str, place: Place) -> Change | Fault:
    """One change, or what is wrong with it at which column."""
    found = _VALUES.match(text) or _TABLE.match(text)
    if found is None:
        return _fault(text, place)
    subscripts = tuple(key(part) for part in (found["subscripts"] or "").split(",") if part.strip())
    groups = found.groupdict()
    start = Place(place.path, place.line, found.start("name") + 1)
    numbers = _numbers(groups.get("values") or groups["points"])
    if not all(map(math.isfinite, numbers)):
        return Fault(start, "a number is too large; write at most 1e308")
    if "values" in groups:
        return Change(display(found["name"]), subscripts, tuple(numbers), place=start)
    if len(numbers) % 2:
        return Fault(start, "the table has an odd count of numbers; list every x and then every y")
    points = _points(numbers, pairs="(" in found["points"])
    corners = _numbers(found["limits"] or "")
    limits = ((corners[0], corners[1]), (corners[2], corners[3])) if len(corners) >= 4 else None  # noqa: PLR2004
    return Change(display(found["name"]), subscripts, table=Table(points, limits), place=start)


def _points(numbers: list[float], *, pairs: bool) -> list[tuple[float, float]]:
    half = len(numbers) // 2
    return list(
        zip(numbers[::2], numbers[1::2], strict=True) if pairs else zip(numbers[:half], numbers[half:], strict=True)
    )


def _numbers(text: str) -> list[float]:
    return [float("".join(part.split())) for part in _EACH.findall(text)]


def _fault(text: str, place: Place) -> Fault:
    """What keeps a line from being a change, at the first column that does not fit."""
    leading = _LEADING.match(text)
    if leading is None:
        column = len(text) - len(text.lstrip()) + 1
        return Fault(Place(place.path, place.line, column), "this is no change; write 'name = value'")
    before = text[: leading.end()].count("\n")
    column = leading.end() - (text.rfind("\n", 0, leading.end()) + 1) + 1
    name = display(leading["name"])
    if not text[leading.end() :].strip():
        what = f"'{name}' gets no value; write '{name} = ' and a number behind it"
    else:
        what = f"'{name}' takes numbers only, or a table as '{name}((x,y),(x,y))'; write those"
    return Fault(Place(place.path, place.line + before, column), what)


def _comment(text: str) -> str:
    """What the file says of itself: its comments in braces before the first change."""
    position, found = 0, []
    while comment := _COMMENT.match(text, len(text) - len(text[position:].lstrip())):
        found.append(" ".join(comment[1].split()))
        position = comment.end()
    return " ".join(each for each in found if each and each.upper() != "UTF-8")
