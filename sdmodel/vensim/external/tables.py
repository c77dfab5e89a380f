"""Tables in files: text with a delimiter, and sheets of workbooks. Only stored values are read; nothing is computed."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import Fault, FileFault, Place
from ...files import OLE_MARK, ZIP_MARK, decode_text
from ...model import nearest
from ...numerals import number_cure
from ..read.syntax import parse_number

_MOST_BYTES = 2**30
"""Maximum size of a workbook when it is unpacked."""
_LINES_CHECKED = 50
"""Number of lines in which the separator is looked for."""
_AREA = re.compile(
    r"(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^!']+))!\$?(?P<first>[A-Z]+\$?\d+)(?::\$?(?P<last>[A-Z]+\$?\d+))?$"
)
_CELL = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})$", re.ASCII)
_OTHER_FORMATS: Mapping[str, str] = {
    "content.xml": "an OpenDocument file (.ods)",
    "xl/workbook.bin": "a binary workbook (.xlsb)",
    "word/document.xml": "a document of Word",
    "ppt/presentation.xml": "a presentation",
    "Index/Document.iwa": "a table of Numbers",
}
"""What the packages of other formats contain, and what they are."""
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|table|\?xml|meta)", re.IGNORECASE)
_SEPARATORS: Mapping[str, str] = {",": "commas", ";": "semicolons", "\t": "tabs"}


class TableProblemError(Exception):
    """What is wrong with a file, a sheet or a cell, and what to do, after the name of the file."""


class FileProblemError(TableProblemError):
    """The same, with the name of the file."""


def fault_of(problem: TableProblemError, place: Place) -> Fault:
    """Return the fault of an equation that reads a file: that of the file itself, or of how the equation is written."""
    return (FileFault if isinstance(problem, FileProblemError) else Fault)(place, str(problem))


@dataclass(frozen=True, slots=True)
class Odd:
    """The content of a cell that is neither a number nor text: what it is, and what to do."""

    what: str


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of cells, from 0, with its ends included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def is_row(self) -> bool:
        """Whether it is wider than high."""
        return self.bottom - self.top < self.right - self.left


@dataclass
class Sheet:
    """The rows of a table; `formulas` are those of the same sheet with formulas in place of their values."""

    title: str
    rows: Sequence[Sequence[Any]]
    workbook: Workbook | None = None

    @property
    def width(self) -> int:
        """The number of columns."""
        return max(map(len, self.rows), default=0)

    def value(self, row: int, column: int) -> float | str | Odd | None:
        """The content of a cell: a number, text, something odd, or None if it is empty."""
        found = self.rows[row][column] if row < len(self.rows) and column < len(self.rows[row]) else None
        if found is None and self.workbook is not None and self.workbook.has_formula(self.title, row, column):
            return Odd("has a formula without a stored value; save the workbook in a spreadsheet program")
        if isinstance(found, str):
            return _text(found)
        if isinstance(found, bool):
            return Odd(f"is {str(found).upper()}, not a number; write 1 or 0")
        if isinstance(found, dt.date | dt.time | dt.timedelta):
            return Odd(f"is a date or time ({found}), not a number; write a number in the model's unit of time")
        return found if isinstance(found, Odd) or found is None else float(found)

    def number(self, row: int, column: int) -> float | None:
        """The number in a cell, or None if it is empty; raises TableProblemError for anything else."""
        found = self.value(row, column)
        if isinstance(found, Odd):
            message = f"{self.cell(row, column)} {found.what}"
            raise TableProblemError(message)
        if isinstance(found, str):
            cure = number_cure(found, "write a number or leave it empty")
            what = f"has the text '{shorten_text(found)}', not a number; {cure}"
            message = f"{self.cell(row, column)} {what}"
            raise TableProblemError(message)
        return found

    def cell(self, row: int, column: int) -> str:
        """The name of a cell for a message, with its sheet."""
        name = f"cell {_letters(column)}{row + 1}"
        return f"sheet '{self.title}', {name}" if self.title else name


def shorten_text(text: str) -> str:
    """The beginning of the text of a cell, on one line, for a message."""
    return f"{' '.join(text.split()):.40}"


def _text(text: str) -> float | str | None:
    plain = text.strip()
    if not plain:
        return None
    try:
        return parse_number(plain)
    except ValueError:
        return plain


class Workbook:
    """A workbook: sheets by name, and the areas that it names. This one is a text file: a single sheet and no names."""

    def __init__(self, content: bytes, delimiter: str) -> None:
        """Read a text file."""
        text = decode_text(content).removeprefix("\ufeff")
        if "\x00" in text:
            message = "this is neither text nor a workbook (.xlsx, .xls); export it as one of these"
            raise TableProblemError(message)
        if not text.strip():
            message = "the file is empty; export it again"
            raise TableProblemError(message)
        if other := _other_separator(text, delimiter):
            shown = {"\t": "\\t"}.get(other, other)
            message = f"the file has {_SEPARATORS[other]} between its cells; write '{shown}' as the tab"
            raise TableProblemError(message)
        try:
            self._rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            message = f"the file is not a table ({error}); export it again"
            raise TableProblemError(message) from None

    def sheet(self, name: str) -> Sheet:  # noqa: ARG002 - a text file has one
        """The sheet of that name; case does not matter."""
        return Sheet("", self._rows)

    def named(self, name: str, sheet: str) -> tuple[Sheet, Area] | None:  # noqa: ARG002
        """The area that a workbook names, for a sheet or for all."""
        return None

    def has_formula(self, sheet: str, row: int, column: int) -> bool:  # noqa: ARG002
        """Whether an empty cell has a formula whose value is not stored."""
        return False


class _Sheets(Workbook):
    """A workbook with several sheets."""

    titles: Sequence[str]

    def sheet(self, name: str) -> Sheet:
        found = next((title for title in self.titles if title.casefold() == name.strip().casefold()), None)
        if found is None:
            close = nearest(name, self.titles)
            cure = f"did you mean '{close}'?" if close else f"it has {', '.join(map(repr, self.titles[:8]))}"
            message = f"there is no sheet '{name}'; {cure}"
            raise TableProblemError(message)
        return self._sheet(found)

    def _sheet(self, title: str) -> Sheet:
        raise NotImplementedError


class _OpenXml(_Sheets):
    """A workbook in the format .xlsx, whose formulas and macros are not run."""

    def __init__(self, content: bytes) -> None:
        size, has_charts = 0, False
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                has_charts = any(name.startswith("xl/chartsheets/") for name in packed.namelist())
                size = sum(part.file_size for part in packed.infolist())
            if size <= _MOST_BYTES:
                self._content = content
                self._values = self._open(data_only=True)
                self._formulas: Any = None
        except Exception as error:  # openpyxl raises errors of many kinds for files that it cannot read
            message = f"the workbook cannot be read ({type(error).__name__}); save it again as .xlsx"
            if has_charts and isinstance(error, AttributeError):
                message = "the workbook has a chart sheet without a chart, so it cannot be read; delete that sheet"
            raise TableProblemError(message) from error
        if size > _MOST_BYTES:
            message = f"the workbook unpacks to {size / 2**30:.1f} GiB, more than 1 GiB; make it smaller"
            raise TableProblemError(message)
        self.titles = [sheet.title for sheet in self._values.worksheets]
        if not self.titles:
            message = "the workbook has no sheet of cells that can be read; save it as .xlsx, not as Strict Open XML"
            raise TableProblemError(message)
        self._found: dict[tuple[str, bool], Sheet] = {}
        self._texts: dict[str, frozenset[tuple[int, int]]] = {}

    def _open(self, *, data_only: bool) -> Any:
        from openpyxl import load_workbook

        with _without_warnings():
            return load_workbook(
                io.BytesIO(self._content), read_only=True, data_only=data_only, keep_links=False, keep_vba=False
            )

    def _sheet(self, title: str) -> Sheet:
        return self._read(title, formulas=False)

    def _read(self, title: str, *, formulas: bool) -> Sheet:
        if (title, formulas) not in self._found:
            if formulas and self._formulas is None:
                self._formulas = self._open(data_only=False)
            sheet = (self._formulas if formulas else self._values)[title]
            sheet.reset_dimensions()  # what the file says about its size may be wrong
            try:
                with _without_warnings():
                    rows = list(sheet.iter_rows(values_only=True))
            except Exception as error:
                message = f"sheet '{title}' cannot be read ({type(error).__name__}); save the workbook again as .xlsx"
                raise TableProblemError(message) from error
            self._found[title, formulas] = Sheet(title, rows, None if formulas else self)
        return self._found[title, formulas]

    def has_formula(self, sheet: str, row: int, column: int) -> bool:
        rows = self._read(sheet, formulas=True).rows
        found = rows[row][column] if row < len(rows) and column < len(rows[row]) else None
        is_formula = found is not None and (not isinstance(found, str) or found.startswith("="))
        return is_formula and (row, column) not in self._empty_texts(sheet)

    def _empty_texts(self, title: str) -> frozenset[tuple[int, int]]:
        """The cells of a sheet whose stored value is a text without characters, as that of `=IF(A1=0,"",A1)` may be."""
        if title not in self._texts:
            rows = enumerate(self._values[title].iter_rows())
            empty = ((row, place) for row, cells in rows for place, cell in enumerate(cells) if cell.data_type == "str")
            with _without_warnings():
                self._texts[title] = frozenset(empty)
        return self._texts[title]

    def named(self, name: str, sheet: str) -> tuple[Sheet, Area] | None:
        for own in (self._values[sheet].defined_names if sheet in self.titles else {}, self._values.defined_names):
            found = next((area for key, area in own.items() if key.casefold() == name.casefold()), None)
            place = _AREA.match(found.attr_text) if found is not None else None
            if found is not None and "#REF!" in found.attr_text:
                message = f"'{name}' names cells that were deleted ({found.attr_text:.60}); correct it in the workbook"
                raise TableProblemError(message)
            if found is not None and place is None:
                message = f"'{name}' names {found.attr_text:.60}, not one rectangle of cells; define it as one in the workbook"
                raise TableProblemError(message)
            if place is not None:
                title = (place["quoted"] or "").replace("''", "'") or place["plain"]
                first, last = (_position(corner) for corner in (place["first"], place["last"] or place["first"]))
                return self.sheet(title), Area(*first, *last)
        return None


class _OldExcel(_Sheets):
    """A workbook in the older format .xls."""

    def __init__(self, content: bytes) -> None:
        import xlrd

        self._xlrd = xlrd
        try:
            self._book = xlrd.open_workbook(file_contents=content, logfile=io.StringIO(), on_demand=True)
        except Exception as error:  # xlrd raises errors of many kinds for files that it cannot read
            message = f"the workbook cannot be read ({type(error).__name__}); save it again as .xlsx"
            raise TableProblemError(message) from error
        self.titles = self._book.sheet_names()
        self._found: dict[str, Sheet] = {}

    def _sheet(self, title: str) -> Sheet:
        if title not in self._found:
            sheet = self._book.sheet_by_name(title)
            rows = [[self._value(cell) for cell in sheet.row(index)] for index in range(sheet.nrows)]
            self._found[title] = Sheet(title, rows)
        return self._found[title]

    def _value(self, cell: Any) -> Any:
        kinds: Mapping[int, str] = {
            self._xlrd.XL_CELL_DATE: "is a date, not a number; write a number in the model's unit of time",
            self._xlrd.XL_CELL_ERROR: "has an error value, not a number; correct its formula",
            self._xlrd.XL_CELL_BOOLEAN: "is true or false, not a number; write 1 or 0",
        }
        if cell.ctype in kinds:
            return Odd(kinds[cell.ctype])
        return None if cell.ctype in {self._xlrd.XL_CELL_EMPTY, self._xlrd.XL_CELL_BLANK} else cell.value

    def named(self, name: str, sheet: str) -> tuple[Sheet, Area] | None:  # noqa: ARG002 - names are of the whole workbook
        for found in self._book.name_map.get(name.lower(), []):
            try:
                where, top, bottom, left, right = found.area2d()
            except self._xlrd.XLRDError:  # a name that is not an area
                continue
            return self.sheet(where.name), Area(top, left, bottom - 1, right - 1)
        return None


def _other_format(content: bytes) -> str:
    """Return what a package is that is not a workbook, or nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            names = {*packed.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError):
        return ""
    return next((what for name, what in _OTHER_FORMATS.items() if name in names), "")


def _other_separator(text: str, delimiter: str) -> str:
    """Return what separates cells in place of the delimiter: in every line as often, where the first has no delimiter; or nothing."""
    lines = [line for line in text.splitlines()[:_LINES_CHECKED] if line.strip()]
    counts = {own: {line.count(own) for line in lines} for own in _SEPARATORS if own != delimiter}
    regular = [own for own, found in counts.items() if len(found) == 1 and min(found) > 0]
    return regular[0] if len(lines) > 1 and delimiter not in lines[0] and len(regular) == 1 else ""


def open_workbook(content: bytes, delimiter: str) -> Workbook:
    """Read the content of a file as a workbook if it is one, otherwise as text with a delimiter."""
    if other := "a web page" if _WEB_PAGE.match(content) else _other_format(content):
        message = f"the file is {other}, which is not read; save it as .xlsx in a spreadsheet program"
        raise TableProblemError(message)
    if content.startswith(OLE_MARK) and _ENCRYPTED in content:
        message = "the workbook is protected by a password; save it without"
        raise TableProblemError(message)
    if content.startswith(ZIP_MARK):
        return _OpenXml(content)
    return _OldExcel(content) if content.startswith(OLE_MARK) else Workbook(content, delimiter)


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep openpyxl from warning of styles and rules for input that it leaves out, which no number depends on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _position(cell: str) -> tuple[int, int]:
    found = _CELL.match(cell)
    if found is None:
        message = f"'{cell}' is not a cell; write one such as B2"
        raise TableProblemError(message)
    return int(found[2]) - 1, column_number(found[1])


def cell_position(text: str) -> tuple[int, int] | None:
    """The row and column of a cell such as `B2`, from 0, or None if the text is not a cell."""
    return _position(text) if _CELL.match(text) and int(_CELL.match(text)[2]) else None  # type: ignore[index]


def column_number(letters: str) -> int:
    """The number of a column by its letters, from 0."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _letters(column: int) -> str:
    text, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
