"""Changes to a model as text: Vensim's `.cin` files, results of its optimiser, and `name=value` on a command line.

On a command line, the values of a lever are `name=lo:hi:n`, `name=lo:hi:n:log`, `name=a,b,c`, `name=lo:hi` or `name`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from ...errors import Fault, Place, ScenarioError
from ...model import Table, display_name, number_text, quote_name, split_name, table_text
from ...scenario import (
    Change,
    Course,
    Grid,
    Scenario,
    TextChange,
    course_fault,
    course_text,
    evenly_spaced,
    merge_scenarios,
)
from ..read.segments import QUOTED, blank_comments
from ..read.syntax import (
    BARE,
    BOUND,
    LABEL,
    LINE_END,
    NAME,
    NUMBER,
    label_keys,
    numbers_in,
    parse_number,
    split_labels,
)
from .lines import read_text, without_faults

_EXCEPTION = rf"\s*+\[{LABEL}(?:,{LABEL})*+\]\s*+"
_HEAD = rf"\s*+\*?\s*+{NAME}(?i::EXCEPT:(?P<exceptions>{_EXCEPTION}(?:,{_EXCEPTION})*+))?"
_LIMIT = rf"(?:{BOUND}|(?!\s*+[-+.\d]){BARE})"
"""What a value is searched between: a number, or in Vensim the name of a constant."""
_TOLERANCE = rf"(?:\|?\s*+(?i:FRAC|ABS)\s*+(?:=\s*+{NUMBER}\s*+)?)?"
"""The end of a line of an optimisation file, which Vensim reads in change files too (manual, "Constant Input Files")."""
_POINT = rf"\(\s*+{NUMBER}\s*+,\s*+{NUMBER}\s*+\)"
_VALUES = re.compile(
    rf"(?:{_LIMIT}<=)?{_HEAD}=\s*+(?P<values>{NUMBER}(?:\s*+[,;]\s*+{NUMBER})*+)\s*+(?:;\s*+)?(?:<={_LIMIT})?{_TOLERANCE}$"
)
_TABLE = re.compile(
    rf"{_HEAD}\(\s*+(?P<limits>\[[-+.,()\deE\s]*+\]\s*+,?\s*+)?"
    rf"(?P<points>{_POINT}(?:\s*+,\s*+{_POINT})*|{NUMBER}(?:\s*+,\s*+{NUMBER})+)\s*+\)\s*+$"
)
_TABBED = re.compile(rf"{_HEAD}=\s*+(?i:TABBED[\s_]++ARRAY)\s*+\((?P<values>\s*+{NUMBER}(?:\s++{NUMBER})*+)\s*+\)\s*+$")
_STEPS = re.compile(
    rf"{_HEAD}=\s*+(?P<steps>{NUMBER}(?:\s*+(?i:until)\s++{NUMBER}\s*+,\s*+(?i:then)\s++{NUMBER})++)\s*+$"
)
_LINEAR = re.compile(
    rf"{_HEAD}=\s*+(?i:linear)\s*+:(?P<linear>\s*+{NUMBER}\s*+(?i:at)\s++{NUMBER}(?:\s*+,\s*+{NUMBER}\s*+(?i:at)\s++{NUMBER})*+)\s*+$"
)
_BY_MEMBER = re.compile(
    rf"{_HEAD}=\s*+by\s++member\s*+:\s*+(?P<way>steps|linear|data)\s++at\s++(?P<times>{NUMBER}(?:\s*+,\s*+{NUMBER})*+)"
    rf"(?:\s++to\s++(?P<last>{NUMBER})\s++by\s++(?P<step>{NUMBER}))?\s*+$"
)
"""A time course that differs between members, as the record of a run has it; the points are in constants of their own."""
_COURSE_WORD = re.compile(r"\b(?:until|linear)\b", re.IGNORECASE)
_LEADING = re.compile(rf"(?:{_LIMIT}<=)?{_HEAD}(?:=|\()\s*+")
_SKIPPED = re.compile(r"\s*(?:[:!]|$|(?P<name>[^=(]*?)\s*:IS:(?P<text>.*))", re.IGNORECASE)
"""A line without a change of numbers: a setting, a comment, or the change of a text."""
_TEXT = re.compile(r"\s*'([^']*)'\s*(?:~.*)?$")
_LABELS = re.compile(rf"\[(?:{QUOTED}|[^\"\]])*+\]")
_BRACKET = re.compile(rf"{QUOTED}|[()\[\]]")
_COMMENT = re.compile(r"\s*\{([^{}]*)\}")
_LEVER = re.compile(rf"{NAME}(?:=(?P<values>.*))?$", re.DOTALL)
_BOUNDED = re.compile(rf'(?P<name>(?:[^"=]|{QUOTED})*)(?:=(?P<bounds>.*))?', re.DOTALL)
_FORMS = "'name=low:high:count', 'name=value,value' or 'name' for the range in the model"
_MOST_TIMES = 1_000_000
"""The most times of a course that are written as a range."""
_DIGITS = 9
"""Digits of a count that are read; a longer count is too large anyway."""

ScenarioLike = Scenario | str | Path | Sequence[Scenario | str | Path]
"""One scenario or several in order, as objects or as files."""


def load_scenario(scenario: ScenarioLike | None) -> Scenario:
    """Merge scenarios, given as objects or as files to read, into one; the last change to a constant wins."""
    if scenario is None:
        return Scenario("")
    if isinstance(scenario, Scenario) and not scenario.text:  # merged, it would be the same
        return scenario
    several = [scenario] if isinstance(scenario, Scenario | str | Path) else scenario
    return merge_scenarios([item if isinstance(item, Scenario) else read_scenario(item) for item in several])


def read_scenario(path: str | os.PathLike[str]) -> Scenario:
    r"""Read a scenario from a Vensim changes file (`.cin`) or a file of optimiser results.

    Parameters
    ----------
    path : str or path
        A file with one change per line: `name = value`, `name[label] = value, value` for an array, or
        `name((x,y),(x,y))` for a lookup; `name = 4 until 2027, then 1` or `name = linear: 4 at 2025, 1 at 2027` for a time course
        of a constant, which Vensim does not read; also `TABBED ARRAY` and `:EXCEPT:`, as in a model, and the lines of optimisation
        files, whose bounds are ignored. Values are in the variable's units; comments are in braces, or lines after `!`.
        `name :IS: 'text'` changes a string variable, which may name the file, sheet or cell that data is read from.

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
    plain = blank_comments(text)
    changes = without_faults(_change(line, Place(name, number)) for number, line in _joined_lines(plain))
    lines = ((number, _SKIPPED.match(line)) for number, line in enumerate(LINE_END.split(plain), 1))
    texts = without_faults(_text_change(own, Place(name, number)) for number, own in lines if own and own["name"])
    position, comments = 0, []
    while found := _COMMENT.match(text, position):
        comments.append(" ".join(found[1].split()))
        position = found.end()
    comment = " ".join(part for part in comments if part and part.upper() != "UTF-8")
    return Scenario(name=Path(name).stem, changes=changes, comment=comment, text=text, texts=texts)


def _text_change(line: re.Match[str], place: Place) -> TextChange | Fault:
    start = Place(place.path, place.line, line.start("name") + 1)
    name, text = display_name(line["name"]), _TEXT.match(line["text"])
    if text is None:
        return Fault(start, f"the new text of '{name}' stands between single quotes; write {name} :IS: 'text'")
    return TextChange(name, text[1], start)


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
        comma = pending and (pending[-1].rstrip().endswith((",", "=", "<=")) or line.lstrip().startswith((",", ")")))
        if pending and depth <= 0 and not (comma and line.strip()):
            yield start, "\n".join(pending)
            pending = []
        if pending or not _SKIPPED.match(line):
            start, depth = (start, depth) if pending else (number, 0)
            pending.append(line)
            depth += sum(1 if mark in "([" else -1 for mark in _BRACKET.findall(line) if len(mark) == 1)
    if pending:
        yield start, "\n".join(pending)


def _change(text: str, place: Place) -> Change | Fault:
    found = next(
        filter(None, (form.match(text) for form in (_VALUES, _TABBED, _TABLE, _STEPS, _LINEAR, _BY_MEMBER))), None
    )
    if found is None:
        return _misread(text, place)
    name = display_name(found["name"])
    subscripts = label_keys(found["subscripts"])
    exceptions = tuple(label_keys(labels[1:-1]) for labels in _LABELS.findall(found["exceptions"] or ""))
    groups = found.groupdict()
    start = Place(place.path, place.line, found.start("name") + 1)
    numbers = numbers_in(
        next(groups[name] for name in ("values", "points", "steps", "linear", "times") if groups.get(name))
    )
    if not all(map(math.isfinite, numbers)):
        return Fault(start, "a number is too large; write at most 1e308")
    if "values" in groups:
        return Change(name, subscripts, tuple(numbers), place=start, exceptions=exceptions)
    if "times" in groups:
        if groups["last"]:
            numbers = [*numbers[:-1], *_range_of_times(numbers[-1], *numbers_in(f"{groups['last']} {groups['step']}"))]
        points, way = [(time, 0.0) for time in numbers], cast("Course", groups["way"])
        if wrong := course_fault(points):
            return Fault(start, wrong)
        return Change(name, subscripts, (), Table(points), start, exceptions, way, by_member=True)
    if "points" not in groups:
        course: Course = "steps" if "steps" in groups else "linear"
        points = _course_points(numbers, course)
        if wrong := course_fault(points):
            return Fault(start, wrong)
        return Change(name, subscripts, table=Table(points), place=start, exceptions=exceptions, course=course)
    if len(numbers) % 2:
        return Fault(start, "the table has an odd number of values; list every x and then every y")
    half = len(numbers) // 2
    xs, ys = (numbers[::2], numbers[1::2]) if "(" in found["points"] else (numbers[:half], numbers[half:])
    corners = numbers_in(found["limits"] or "")
    limits = ((corners[0], corners[1]), (corners[2], corners[3])) if len(corners) >= 4 else None  # noqa: PLR2004
    table = Table(list(zip(xs, ys, strict=True)), limits)
    return Change(name, subscripts, table=table, place=start, exceptions=exceptions)


def _range_of_times(first: float, last: float, step: float) -> tuple[float, ...]:
    """The times of a range; what is not one has a first time twice, which no course has."""
    if not (step > 0 and last > first and (last - first) / step < _MOST_TIMES):
        return first, first
    return evenly_spaced(first, last, step)


def _course_points(numbers: Sequence[float], course: Course) -> list[tuple[float, float]]:
    """The times and values of a time course; the first of steps holds from ever before."""
    if course == "linear":
        return [(time, value) for value, time in zip(numbers[::2], numbers[1::2], strict=True)]
    return list(zip((-math.inf, *numbers[1::2]), numbers[::2], strict=True))


def looks_like_course(text: str) -> bool:
    """Whether a value is meant as a time course."""
    return _COURSE_WORD.search(text) is not None


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
    elif looks_like_course(text[leading.end() :]):
        forms = f"'{name} = 4 until 2027, then 1' or '{name} = linear: 4 at 2025, 1 at 2027'"
        what = f"this is not a time course of '{name}'; write {forms}"
    else:
        what = f"'{name}' takes only numbers, or a table as '{name}((x,y),(x,y))'; write those"
    return Fault(Place(place.path, place.line + before, column), what)


def scenario_text(
    changes: Sequence[Change], *, comment: str = "", notes: Sequence[str] = (), texts: Sequence[TextChange] = ()
) -> str:
    """Return the text of a `.cin` file with a comment at the top and an optional note in braces after each change.

    `notes` has one text per change, empty for a change without a note; leave it out for no notes at all. Reading the
    file gives the same changes, to the last digit.
    """
    lines = ["{UTF-8}"]
    if comment.strip():
        lines.append(_braced(comment))
    for change, note in zip(changes, notes or [""] * len(changes), strict=True):
        lines.append(f"{change_text(change)}{_braced(note, '  ')}")
    lines += [f"{quote_name(change.name)} :IS: '{change.text}'" for change in texts]
    return "\n".join(lines) + "\n"


def change_text(change: Change) -> str:
    """Return a change as a line of a file."""
    if change.course:
        right = f" = {course_text(change)}"
    elif change.table is not None:
        right = f"({table_text(change.table)})"
    else:
        right = f" = {', '.join(map(number_text, change.values))}"
    excepted = ",".join(f"[{','.join(map(quote_name, labels))}]" for labels in change.exceptions)
    return quote_name(change.name, change.subscripts) + f" :EXCEPT: {excepted}" * bool(excepted) + right


def _braced(text: str, before: str = "") -> str:
    """Return a comment in braces on one line, without braces and unprintable characters inside it."""
    words = " ".join("".join(mark if mark.isprintable() and mark not in "{}" else " " for mark in text).split())
    return f"{before}{{{words}}}" if words else ""


def read_grid(text: str, where: str = "--lever") -> Grid:
    """Read a lever and its values; faults name `where` as their source.

    Raises
    ------
    ScenarioError
        If the text is not a lever with values.
    """
    found = _LEVER.match(text)
    if found is None or not found["name"].strip():
        raise ScenarioError([Fault(where, f"{text!r} is not a lever; write {_FORMS}")])
    name, subscripts = display_name(found["name"]), split_labels(found["subscripts"])
    if found["values"] is None:
        return Grid(name, subscripts, where=where)
    wrong = f"'{name}' has no values; write {_FORMS}"
    if found["values"].strip():
        try:
            return _grid(name, subscripts, found["values"], where)
        except ValueError as error:
            wrong = f"'{name}={found['values'].strip()}': {error}; write {_FORMS}"
    raise ScenarioError([Fault(where, wrong)])


def read_bounds(text: str, where: str) -> tuple[str, tuple[str, ...], tuple[float, float] | None]:
    """Read `name`, `name=low:high` or `name[label]=low:high`: the name, its labels, and the bounds if there are any."""
    match = _BOUNDED.fullmatch(text)
    if match is None or match["bounds"] is None:
        return (*split_name(text), None)
    low, colon, high = match["bounds"].partition(":")
    try:
        return (*split_name(match["name"]), (float(low), float(high)))
    except ValueError:
        wrong = "has bounds that are not numbers" if colon else "has no bounds"
        cure = f'write "{match["name"].strip()}=low:high"'
        raise ScenarioError([Fault(where, f"'{text.strip()}' {wrong}; {cure}")]) from None


def _grid(name: str, subscripts: tuple[str, ...], text: str, where: str) -> Grid:
    if ":" not in text:
        values = tuple(_number(part) for part in text.split(","))
        return Grid(name, subscripts, values, where=where)
    parts = [part.strip() for part in text.split(":")]
    logarithmic = parts[-1].lower() == "log"
    low, *others = parts[:-1] if logarithmic else parts
    if not 1 <= len(others) <= 2:  # noqa: PLR2004 - the other bound, and a count
        message = "colons separate two bounds, a count and 'log'"
        raise ValueError(message)
    high, count = others[0], others[1] if others[1:] else None
    if count is not None and not count.isdecimal():
        message = f"{count!r} is not a number of values"
        raise ValueError(message)
    number = None if count is None else int(count[:_DIGITS])
    return Grid(name, subscripts, (), _number(low), _number(high), number, logarithmic, where)


def _number(text: str) -> float:
    value = parse_number(text)
    if not math.isfinite(value):
        message = f"{text.strip()} is too large"
        raise ValueError(message)
    return value
