"""Changes to a model as text: Vensim's `.cin` files, results of its optimiser, and `name=value` on a command line."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import Fault, Place, ScenarioError
from ...model import Table, display_name, number_text, table_text
from ...scenario import Change, Scenario
from ..read.segments import QUOTED, blank_comments
from ..read.tokens import BOUND, LINE_END, NAME, NUMBER, label_keys, numbers_in, quote_cell
from .lines import read_text, without_faults

_HEAD = rf"\s*+\*?\s*+{NAME}"
_POINT = rf"\(\s*+{NUMBER}\s*+,\s*+{NUMBER}\s*+\)"
_VALUES = re.compile(
    rf"(?:{BOUND}<=)?{_HEAD}=\s*+(?P<values>{NUMBER}(?:\s*+[,;]\s*+{NUMBER})*)\s*+(?:;\s*+)?(?:<={BOUND})?$"
)
_TABLE = re.compile(
    rf"{_HEAD}\(\s*+(?P<limits>\[[-+.,()\deE\s]*+\]\s*+,?\s*+)?"
    rf"(?P<points>{_POINT}(?:\s*+,\s*+{_POINT})*|{NUMBER}(?:\s*+,\s*+{NUMBER})+)\s*+\)\s*+$"
)
_LEADING = re.compile(rf"(?:{BOUND}<=)?{_HEAD}(?:=|\()\s*+")
_SKIPPED = re.compile(r"\s*(?::|$)|[^=(]*:IS:", re.IGNORECASE)
_BRACKET = re.compile(rf"{QUOTED}|[()\[\]]")
_COMMENT = re.compile(r"\s*\{([^{}]*)\}")


def read_scenario(path: str | os.PathLike[str]) -> Scenario:
    r"""Read a scenario from a Vensim changes file (`.cin`) or a file of optimiser results.

    Parameters
    ----------
    path : str or path
        A file with one change per line: `name = value`, `name[label] = value, value` for an array, or
        `name((x,y),(x,y))` for a lookup. Values are in the variable's units; comments are in braces.

    Returns
    -------
    Scenario
        The changes in file order. Its name is the file's name without `.cin`; its comment comes from the braces
        before the first change.

    Raises
    ------
    ScenarioError
        If the file cannot be read, or with every line that is not a change. Whether the model has the variables is
        checked by a run.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sdmodel import read_scenario
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "fast permits.cin")
    ...     _ = path.write_text("{Permits take half the time.}\npermit time = 1.5")
    ...     scenario = read_scenario(path)
    >>> scenario.name, scenario.comment
    ('fast permits', 'Permits take half the time.')
    >>> [(change.name, change.values) for change in scenario.changes]
    [('permit time', (1.5,))]
    """
    return scenario_from_text(read_text(path), os.fspath(path))


def scenario_from_text(text: str, name: str = "scenario.cin") -> Scenario:
    """Return the scenario in the text of a `.cin` file; faults name `name` as their file.

    Raises
    ------
    ScenarioError
        With every line that is not a change.
    """
    if text.count("{") != text.count("}"):
        raise ScenarioError([Fault(name, "a comment in braces is not closed; add '}'")])
    changes = without_faults(_change(line, Place(name, number)) for number, line in _joined_lines(blank_comments(text)))
    return Scenario(name=Path(name).stem, changes=changes, comment=_leading_comment(text), text=text)


def read_change(text: str, where: str = "--set") -> Change:
    """Return the change that one `name=value` describes; faults name `where` as their source.

    Raises
    ------
    ScenarioError
        If the text is not a change.
    """
    return without_faults([_change(text, Place(where, 1))])[0]


def _joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield changes with their first line numbers; lines are joined inside brackets and around commas."""
    pending: list[str] = []
    start = depth = 0
    for number, line in enumerate(LINE_END.split(text), 1):
        if pending and not _continues(pending[-1], depth, line):
            yield start, "\n".join(pending)
            pending = []
        if pending or not _SKIPPED.match(line):
            start, depth = (start, depth) if pending else (number, 0)
            pending.append(line)
            depth += sum(1 if mark in "([" else -1 for mark in _BRACKET.findall(line) if len(mark) == 1)
    if pending:
        yield start, "\n".join(pending)


def _continues(before: str, depth: int, line: str) -> bool:
    if depth > 0 or not line.strip():
        return depth > 0
    return before.rstrip().endswith((",", "=", "<=")) or line.lstrip().startswith((",", ")"))


def _change(text: str, place: Place) -> Change | Fault:
    """Return one change, or what is wrong with it at which column."""
    found = _VALUES.match(text) or _TABLE.match(text)
    if found is None:
        return _misread(text, place)
    name = display_name(found["name"])
    subscripts = label_keys(found["subscripts"])
    groups = found.groupdict()
    start = Place(place.path, place.line, found.start("name") + 1)
    numbers = numbers_in(groups.get("values") or groups["points"])
    if not all(map(math.isfinite, numbers)):
        return Fault(start, "a number is too large; write at most 1e308")
    if "values" in groups:
        return Change(name, subscripts, tuple(numbers), place=start)
    if len(numbers) % 2:
        return Fault(start, "the table has an odd number of values; list every x and then every y")
    half = len(numbers) // 2
    xs, ys = (numbers[::2], numbers[1::2]) if "(" in found["points"] else (numbers[:half], numbers[half:])
    corners = numbers_in(found["limits"] or "")
    limits = ((corners[0], corners[1]), (corners[2], corners[3])) if len(corners) >= 4 else None  # noqa: PLR2004
    return Change(name, subscripts, table=Table(list(zip(xs, ys, strict=True)), limits), place=start)


def _misread(text: str, place: Place) -> Fault:
    """Return why a line is not a change, at the first column that does not fit."""
    leading = _LEADING.match(text)
    if leading is None:
        column = len(text) - len(text.lstrip()) + 1
        return Fault(Place(place.path, place.line, column), "this is not a change; write 'name = value'")
    before = text[: leading.end()].count("\n")
    column = leading.end() - (text.rfind("\n", 0, leading.end()) + 1) + 1
    name = display_name(leading["name"])
    if not text[leading.end() :].strip():
        what = f"'{name}' has no value; write '{name} = ' and a number after it"
    else:
        what = f"'{name}' takes only numbers, or a table as '{name}((x,y),(x,y))'; write those"
    return Fault(Place(place.path, place.line + before, column), what)


def _leading_comment(text: str) -> str:
    """Return the text of the comments in braces before the first change."""
    position, found = 0, []
    while comment := _COMMENT.match(text, position):
        found.append(" ".join(comment[1].split()))
        position = comment.end()
    return " ".join(part for part in found if part and part.upper() != "UTF-8")


def scenario_text(changes: Sequence[Change], *, comment: str = "", notes: Sequence[str] = ()) -> str:
    """Return the text of a `.cin` file with a comment at the top and an optional note in braces after each change.

    `notes` has one text per change, empty for a change without a note; leave it out for no notes at all. Reading the
    file gives the same changes, to the last digit.
    """
    lines = [
        _change_text(change) + _braced(note, "  ")
        for change, note in zip(changes, notes or [""] * len(changes), strict=True)
    ]
    head = [_braced(comment)] if comment.strip() else []
    return "\n".join(["{UTF-8}", *head, *lines]) + "\n"


def _braced(text: str, before: str = "") -> str:
    """Return a comment in braces on one line, without braces and unprintable characters inside it."""
    words = " ".join("".join(mark if mark.isprintable() and mark not in "{}" else " " for mark in text).split())
    return f"{before}{{{words}}}" if words else ""


def _change_text(change: Change) -> str:
    name = quote_cell(change.name, change.subscripts)
    if change.table is not None:
        return f"{name}({table_text(change.table)})"
    return f"{name} = {', '.join(map(number_text, change.values))}"
