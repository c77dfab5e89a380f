"""The functions that read files: GET DIRECT, GET XLS and GET VDF, each DATA, CONSTANTS and LOOKUPS, or SUBSCRIPT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import TypeVar

from ...errors import format_count
from ...model import NO_POINTS, Cell, Subscript, Table, join_name, key, labels_of, nearest, split_name
from ...numerals import is_error_value, number_cure
from .access import Access
from .series import run_in
from .tables import (
    Area,
    FileProblemError,
    Odd,
    Sheet,
    TableProblemError,
    Workbook,
    cell_position,
    column_number,
    shorten_text,
)

_T = TypeVar("_T")
Remark = Callable[[str], None]
"""What takes a remark about a cell that is read in spite of what is odd about it."""

_ARGUMENTS = {
    "DATA": ("file", "tab", "time row or column", "cell"),
    "LOOKUPS": ("file", "tab", "row or column", "cell"),
    "CONSTANTS": ("file", "tab", "cell"),
    "SUBSCRIPT": ("file", "tab", "first cell", "last cell", "prefix"),
}
_OF_RUNS = {
    "DATA": ("file", "variable", "start", "slope"),
    "LOOKUPS": ("file", "variable", "start", "slope"),
    "CONSTANTS": ("file", "variable", "time"),
}
_TEXTS_OF_RUNS = 2
"""The number of arguments of GET VDF that are texts; numbers follow them."""
_MOST_COLUMN_LETTERS = 3


def what_is_read(function: str) -> str:
    """The last word of the name of a function that reads files: DATA, CONSTANTS, LOOKUPS or SUBSCRIPT."""
    return function.upper().replace("_", " ").split()[-1]


def reads_runs(function: str) -> bool:
    """Whether a function reads runs and data sets, as GET VDF does, and not tables."""
    return "VDF" in function.upper()


def signature(function: str) -> str:
    """The function with its arguments, for a message."""
    name, names = " ".join(function.upper().replace("_", " ").split()), _arguments(function)
    texts = _TEXTS_OF_RUNS if reads_runs(function) else len(names)
    return f"{name}({', '.join([*map(repr, names[:texts]), *names[texts:]])})"


def _arguments(function: str) -> tuple[str, ...]:
    return (_OF_RUNS if reads_runs(function) else _ARGUMENTS)[what_is_read(function)]


def takes(function: str, are_numbers: Sequence[bool]) -> bool:
    """Whether a function takes these arguments, each a number or a text; the prefix of labels may be left out."""
    count = len(_arguments(function))
    texts = _TEXTS_OF_RUNS if reads_runs(function) else count
    full = [place >= texts for place in range(count)]
    return list(are_numbers) in ([full, full[:-1]] if what_is_read(function) == "SUBSCRIPT" else [full])


def read_constants(access: Access, arguments: Sequence[str], sizes: Sequence[int]) -> list[float]:
    """Return the numbers of an array constant, row by row; `sizes` are the numbers of labels of its ranges.

    The last range runs across and the one before it down, or the other way round with `*` after the cell. More than two ranges need
    several equations, as in Vensim (Vensim reference manual, "Subscripted Constants"). An empty cell among numbers is 0, with a remark.
    """
    file, tab, cell = arguments

    def read(workbook: Workbook, sheet: Sheet, remark: Remark) -> list[float]:
        transposed, name = cell.strip().endswith("*"), cell.strip().rstrip("*").strip()
        if len(sizes) > 2:  # noqa: PLR2004 - a sheet is flat
            message = "a sheet has only rows and columns; write one equation per label of the first range"
            raise TableProblemError(message)
        rows, columns = [1, 1, *sizes][-2:]
        home, area = _area(workbook, sheet, name)
        if area.bottom > area.top or area.right > area.left:
            shape = (area.bottom - area.top + 1, area.right - area.left + 1)
            wanted = (columns, rows) if transposed else (rows, columns)
            if shape != wanted:
                what = f"the area '{name}' has {format_count(shape[0], 'row')} and {format_count(shape[1], 'column')}, and the variable needs {wanted[0]} and {wanted[1]}"
                cure = "correct the area, or add or remove the * after it, which exchanges rows and columns"
                message = f"sheet '{home.title}': {what}; {cure}"
                raise TableProblemError(message)
        across = [(area.top + row, area.left + column) for row in range(rows) for column in range(columns)]
        down = [(area.top + column, area.left + row) for row in range(rows) for column in range(columns)]
        places = down if transposed else across
        values = [home.number(*place) for place in places]
        empty = [place for place, value in zip(places, values, strict=True) if value is None]
        if len(empty) == len(values):
            message = f"{home.cell(*empty[0])} is empty; write a number there"
            raise TableProblemError(message)
        for place in empty:
            remark(f"{home.cell(*place)} is empty and read as 0, as in Vensim; write a number there")
        return [0.0 if value is None else value for value in values]

    return _reading(access, file, tab, read)


def read_series(access: Access, function: str, arguments: Sequence[str], count: int) -> list[Table]:
    """Return the points of `count` cells, in the order of their labels, from neighbouring rows or columns.

    In Vensim's output files, those of GET DIRECT end before the first gap in the times, and those of GET XLS go on after it.
    """
    file, tab, axis, cell = arguments
    direct = "DIRECT" in function.upper()

    def read(workbook: Workbook, sheet: Sheet, remark: Remark) -> list[Table]:
        home, area = _area(workbook, sheet, cell.strip())
        named = workbook.named(axis.strip(), sheet.title)
        text = axis.strip()
        if named is not None:
            times, where = named
            across = where.is_row
            length = max(where.bottom - where.top, where.right - where.left) + 1
            first = (where.top, where.left)
            long, wide = (
                (area.right - area.left, area.bottom - area.top)
                if across
                else (area.bottom - area.top, area.right - area.left)
            )
            if cell_position(cell.strip()) is None and (long + 1, wide + 1) != (length, count):
                what = f"the area '{cell.strip()}' does not fit the {format_count(length, 'value')} of '{text}' and {format_count(count, 'cell')} of the variable"
                message = f"sheet '{home.title}': {what}; give areas of the same length"
                raise TableProblemError(message)
        elif text.isdigit() and int(text):
            times, across, length, first = home, True, home.width - area.left, (int(text) - 1, area.left)
        elif text.isalpha() and text.isascii() and len(text) <= _MOST_COLUMN_LETTERS:
            times, across, length, first = home, False, len(home.rows) - area.top, (area.top, column_number(text))
        else:
            message = (
                f"'{text}' is neither a row, a column nor an area that the workbook names; write one such as 1 or A"
            )
            raise TableProblemError(message)
        return [
            _points(
                times,
                first,
                home,
                (area.top + n, area.left) if across else (area.top, area.left + n),
                length,
                remark,
                across=across,
                to_gap=direct,
            )
            for n in range(count)
        ]

    return _reading(access, file, tab, read)


def _points(
    times: Sheet,
    first: tuple[int, int],
    home: Sheet,
    start: tuple[int, int],
    length: int,
    remark: Remark,
    *,
    across: bool,
    to_gap: bool,
) -> Table:
    """Return one series without the points whose time is not a number or whose value is empty or, with a remark, a text, as Vensim does.

    With `to_gap`, it ends before the first time after others that is not a number; with a remark, if there is another one later.
    """
    down, right = (0, 1) if across else (1, 0)
    found: dict[float, float] = {}
    begun, odd = False, ""
    places = [
        ((first[0] + down * step, first[1] + right * step), (start[0] + down * step, start[1] + right * step))
        for step in range(max(length, 0))
    ]
    for place, (at, where) in enumerate(places):
        time, value = times.value(*at), home.value(*where)
        if begun and to_gap and not (isinstance(time, float) or (isinstance(time, Odd) and value is not None)):
            if _has_points(times, home, places[place:]):
                what = f"{times.cell(*at)} is not a time and ends the series, as in Vensim"
                remark(f"{what}; write a number there, or use GET XLS")
            break
        begun = begun or isinstance(time, float)
        if isinstance(time, float) and isinstance(value, str):
            what = f"{home.cell(*where)} has the text '{shorten_text(value)}'"
            odd = odd or f"{what}, not a number; {number_cure(value, 'write a number')}"
            remark(f"{what}, left out as in Vensim; {number_cure(value, 'write a number there, or nothing')}")
        elif isinstance(time, float) and (known := home.number(*where)) is not None:
            if time in found:
                remark(f"{times.cell(*at)} repeats the time {time:g}, and its value counts; write each time once")
            found[time] = known
        elif isinstance(time, Odd) and value is not None:
            message = f"{times.cell(*at)} {time.what}"
            raise TableProblemError(message)
        elif isinstance(time, str) and isinstance(value, float):
            odd = odd or f"{times.cell(*at)} has the text '{shorten_text(time)}', not a time; write a number"
    if not found:
        nothing = f"{home.cell(*start)}: no number stands there or after it with a time; check the cell and the row or column of times"
        raise TableProblemError(odd or nothing)
    return Table(sorted(found.items()))


def _has_points(times: Sheet, home: Sheet, places: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> bool:
    """Whether some of the places have a time and a value."""
    return any(isinstance(times.value(*at), float) and home.value(*where) is not None for at, where in places)


def read_runs(
    access: Access, function: str, arguments: Sequence[str], subscripts: Mapping[str, Subscript], count: int
) -> list[Table]:
    """Return the points of `count` cells from a run or data set; some cells of data may have none.

    A subscript in the name of the variable that is a range of the model stands for its labels there, whatever the ranges of the file
    are (Vensim's manual, "GET VDF DATA").
    """
    name, own = split_name(arguments[1])
    cells = [Cell(key(name), labels) for labels in product(*(labels_of(subscripts, key(label)) for label in own))]
    if len(cells) != count:
        what = f"'{arguments[1]}' has {format_count(len(cells), 'cell')}, and the variable needs {count}"
        message = f"{what}; name a variable with the same ranges"
        raise TableProblemError(message)
    file = arguments[0].strip()
    try:
        known = run_in(access, file)
    except TableProblemError as error:
        message = f"'{file}': {error}"
        raise FileProblemError(message) from None
    missing = [cell for cell in cells if cell not in known]
    if missing and (len(missing) == count or what_is_read(function) != "DATA"):
        names = {cell.key for cell in known}
        close = nearest(name, names) if key(name) not in names else None
        cure = f"did you mean '{close}'?" if close else "add it, or correct the name and its subscripts"
        message = f"'{file}': the file has no '{join_name(missing[0].key, missing[0].labels)}'; {cure}"
        raise FileProblemError(message)
    return [known.get(cell, NO_POINTS) for cell in cells]


def read_labels(access: Access, arguments: Sequence[str]) -> list[str]:
    """Return the labels of a range: across and then down from the first cell to the last, without empty cells.

    Without a number in the last cell, its column or row alone limits them, and they end where the sheet does.
    """
    file, tab, first, last, *rest = arguments
    prefix = rest[0] if rest else ""

    def read(workbook: Workbook, sheet: Sheet, remark: Remark) -> list[str]:
        home, area = _area(workbook, sheet, first.strip())
        end, text = cell_position(last.strip()), last.strip()
        if end is None and text.isdigit():
            end = int(text) - 1, home.width - 1
        elif end is None and text.isalpha() and text.isascii() and len(text) <= _MOST_COLUMN_LETTERS:
            end = len(home.rows) - 1, column_number(text)
        elif end is None and not text:
            end = len(home.rows) - 1, home.width - 1
        if end is None:
            other = _area(workbook, sheet, text)[1]
            end = other.bottom, other.right
        if area.bottom > area.top or area.right > area.left:
            end = area.bottom, area.right
        places = [(row, column) for row in range(area.top, end[0] + 1) for column in range(area.left, end[1] + 1)]
        if not (labels := _labels_at(home, places, prefix)):
            message = f"{home.cell(area.top, area.left)}: no label stands there or after it; correct the cells"
            raise TableProblemError(message)
        return labels

    return _reading(access, file, tab, read)


def _labels_at(sheet: Sheet, places: Sequence[tuple[int, int]], prefix: str) -> list[str]:
    """Return the labels in some cells, which may not repeat one."""
    labels: dict[str, str] = {}
    for place in places:
        label = _label(sheet, place, prefix)
        if key(label) in labels:
            message = f"{sheet.cell(*place)} repeats the label '{shorten_text(label)}'; delete one of them"
            raise TableProblemError(message)
        if label:
            labels[key(label)] = label
    return list(labels.values())


def _label(sheet: Sheet, place: tuple[int, int], prefix: str) -> str:
    """Return the label in a cell, with a prefix; an empty text if there is none."""
    found = sheet.value(*place)
    if isinstance(found, Odd) or (isinstance(found, str) and is_error_value(found)):
        what = found.what if isinstance(found, Odd) else f"has the error value {found}, not a name; correct its formula"
        message = f"{sheet.cell(*place)} {what.partition(', not a number')[0]}"
        raise TableProblemError(message if ";" in message else f"{message}, not a label; write a name")
    return "" if found is None else f"{prefix}{found:g}" if isinstance(found, float) else f"{prefix}{found}"


def _reading(access: Access, file: str, tab: str, read: Callable[[Workbook, Sheet, Remark], _T]) -> _T:
    """Read from a file; its name precedes whatever is wrong. What is only odd is recorded with the file."""
    name = file.strip()
    try:
        name = access.file_name(file)
        delimiter = tab if len(tab) == 1 else "," if name.lower().endswith(".csv") else "\t"
        workbook = access.workbook(name, "\t" if tab.strip().lower() == "\\t" else delimiter)
        return read(workbook, workbook.sheet(tab), partial(access.remark, name))
    except TableProblemError as error:
        message = f"'{name}': {error}" if not str(error).startswith("sheet") else f"'{name}', {error}"
        raise FileProblemError(message) from None


def _area(workbook: Workbook, sheet: Sheet, text: str) -> tuple[Sheet, Area]:
    """Return the area that a cell begins or a name means."""
    named = workbook.named(text, sheet.title)
    if named is not None:
        return named
    found = cell_position(text)
    if found is None:
        first = text.partition(":")[0].strip()
        cure = f"write its first cell, {first}" if ":" in text and cell_position(first) else "write one such as B2"
        message = f"'{text}' is neither a cell nor an area that the workbook names; {cure}"
        raise TableProblemError(message)
    return sheet, Area(*found, *found)
