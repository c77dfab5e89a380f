"""What commands return and how it is printed: tables, JSON or CSV on stdout; notes and progress on stderr."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich import box
from rich import table as rich_table
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from ..errors import SdmodelError, StoreError
from ..files import Location
from ..numerals import json_value

_WIDE = 240
"""Characters of a line where stdout is not a terminal and COLUMNS is not set."""
_LONG_WORD = 30
"""A column of names is as wide as its longest word, up to this."""
_SENTENCE = 24
"""The least width of a column of sentences."""
_FIRST_WORDS = 24
"""The least width of a column that is cut."""
_BETWEEN = 3
"""Blanks between columns, with the border."""
_QUIET_SECONDS = 1.0
"""Progress is shown once work takes longer than this."""

FORMATS = ("table", "json", "csv")

ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    `columns` maps each heading to its kind: `left` and `right` are never broken, `fold` breaks between words, `text` holds
    sentences, and of `cut` only as many first words are shown as fit on the line. On a narrow terminal the columns `spare`
    are left out, the first of them first.
    """

    columns: Mapping[str, str]
    rows: Iterable[Sequence[str]]
    spare: Sequence[str] = ()


Part = Table | str


@dataclass(frozen=True)
class Result:
    """What a command found: `parts` to read, a `record` for programs, and the files that it wrote.

    `parts` and `record` are functions, so that only the requested form is made. CSV holds the list `rows` of the record
    (by default its first list of objects), one line per number in a series. `stored` is a run or ensemble that this command
    stored: an error while printing then says that it is safe.
    """

    record: Callable[[], Any]
    parts: Callable[[], Iterable[Part]]
    rows: str = ""
    stored: Location | None = None
    figures: Sequence[Path] = ()
    exit_code: int = 0


def output_options(command: Callable[..., Result | None]) -> Callable[..., None]:
    """Add `--format` and `--json` to a command that returns a result, and print what it returns."""

    def wrapper(*, output_format: str, as_json: bool, **options: Any) -> None:
        result = command(**options)
        if result is not None:
            print_result(result, "json" if as_json else output_format)
            click.get_current_context().exit(result.exit_code)

    take_over(command, wrapper)

    json_option = click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
    format_option = click.option(
        "--format",
        "output_format",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="Print tables to read, or JSON or CSV for programs.",
    )
    return format_option(json_option(wrapper))


def take_over(command: Callable[..., Any], wrapper: Callable[..., Any]) -> None:
    """Give a wrapper the name, the docstring and the options of the command that it calls."""
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]


def wants_table() -> bool:
    """Whether the running command prints tables, not JSON or CSV."""
    context = click.get_current_context(silent=True)
    options = context.params if context else {}
    return not options.get("as_json") and options.get("output_format", "table") == "table"


def print_result(result: Result, output_format: str) -> None:
    """Print a result as tables, JSON or CSV."""
    with stored_safely(result.stored) if result.stored else contextlib.nullcontext():
        if output_format == "json":
            click.echo(json_text(result.record()))
        elif output_format == "csv":
            click.echo(csv_text(_main_list(result.record(), result.rows)), nl=False)
        else:
            for part in result.parts():
                print_part(part)
            if result.stored:
                click.echo(f"stored as {result.stored}")
            for figure in result.figures:
                click.echo(f"plotted in {figure}")


def print_part(part: Part) -> None:
    """Print a table, or a line of text."""
    if isinstance(part, str):
        click.echo(part)
    else:
        _print_table(part)


@contextlib.contextmanager
def stored_safely(path: Location) -> Iterator[None]:
    """Add to any error after a run is stored that it is stored, and where."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as cause:
        if cause.filename is not None:
            raise
        reason = f"is stored as {path}, but stdout cannot be written ({cause.strerror})"
        message = f"run '{path.stem}': {reason}; `sdmodel show {path.stem}` prints it again"
        raise StoreError(message) from cause
    except SdmodelError as error:
        message = f"run '{path.stem}': is stored as {path}, but {error}"
        raise StoreError(message) from error


# Tables


def _print_table(table: Table) -> None:
    """Print a table within the width of a line; if its columns do not fit even without the spare ones, in several blocks."""
    width = line_width()
    rows = [list(row) for row in table.rows]
    if any(len(row) != len(table.columns) for row in rows):  # equal headings would move the numbers below them
        message = f"{len(table.columns)} headings for rows of {max(map(len, rows))} cells"
        raise ValueError(message)
    texts = {name: [name, *(row[place] for row in rows)] for place, name in enumerate(table.columns)}
    least = {name: _least_width(kind, texts[name]) for name, kind in table.columns.items()}
    dropped: list[str] = []
    if _total({name: size for name, size in least.items() if name not in table.spare}) <= width:
        for name in filter(least.__contains__, table.spare):
            if _total(least) <= width:
                break
            dropped.append(name)
            del least[name]
    for block in _blocks(least, width):
        _print_block(table.columns, texts, {name: least[name] for name in block}, width)
    if dropped:
        note(f"not shown for lack of width: {', '.join(dropped)}; widen the window, or use --format csv")


def _blocks(least: Mapping[str, int], width: int) -> list[list[str]]:
    """The columns of each block: all in one if they fit, else the first column again before as many others as fit."""
    names = list(least)
    if _total(least) <= width or len(names) < 3:  # noqa: PLR2004 - two columns cannot be split further
        return [names]
    first, *others = names
    blocks: list[list[str]] = [[first]]
    for name in others:
        if len(blocks[-1]) > 1 and _total({column: least[column] for column in (*blocks[-1], name)}) > width:
            blocks.append([first])
        blocks[-1].append(name)
    return blocks


def _print_block(
    kinds: Mapping[str, str], texts: Mapping[str, Sequence[str]], least: Mapping[str, int], width: int
) -> None:
    """Print columns side by side. Rich alone would shrink columns below their least width."""
    console = Console(width=width, no_color=not sys.stdout.isatty())
    table = rich_table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
    widths = _final_widths(least, texts, width - _total(least))
    texts = {
        name: [_cut(text, widths[name] or least[name]) for text in texts[name]] if kinds[name] == "cut" else texts[name]
        for name in least
    }
    first = next(iter(widths))
    if (first_width := widths[first]) is not None and kinds[first] == "fold":
        texts = dict(texts) | {first: _spread(texts[first], first_width, console)}
    for name, column_width in widths.items():
        justify: Any = "right" if kinds[name] == "right" else "left"
        table.add_column(Text(name), justify=justify, overflow="fold", width=column_width)
    rows = list(zip(*(texts[name][1:] for name in least), strict=True))
    lines = _lines_of_rows(rows, kinds, widths)
    for row in () if lines else rows:
        table.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(table)
    lines = [*capture.get().rstrip().splitlines(), *lines]
    click.echo("\n".join(line.rstrip() for line in lines).strip("\n") + "\n")


def _spread(texts: Sequence[str], width: int, console: Console) -> list[str]:
    """A column whose empty cells belong to the cell above: a long text continues in them, so that no row grows."""
    spread = list(texts)
    for place in range(1, len(texts) - 1):
        if cell_len(spread[place]) > width and not texts[place + 1]:
            own, *rest = map(str, Text(spread[place]).wrap(console, width, overflow="fold"))
            spread[place : place + 2] = [own.rstrip(), " ".join(rest)]
    return spread


def _lines_of_rows(
    rows: Sequence[Sequence[str]], kinds: Mapping[str, str], widths: Mapping[str, int | None]
) -> list[str]:
    """Rows of one line each, as Rich prints them but fifty times as fast; none if a cell needs Rich to break it."""
    lines = []
    for row in rows:
        cells = []
        for (name, width), text in zip(widths.items(), map(str.rstrip, row), strict=True):
            blanks = (-1 if width is None else width) - cell_len(text)
            if blanks < 0 or not text.isprintable():
                return []
            cells.append(" " * blanks + text if kinds[name] == "right" else text + " " * blanks)
        lines.append(" " + (" " * _BETWEEN).join(cells))
    return lines


def _cut(text: str, width: int) -> str:
    """As many first words of a text as fit, or letters of a long word."""
    if cell_len(text) <= width:
        return text
    words = textwrap.shorten(text, width, placeholder=" \N{HORIZONTAL ELLIPSIS}")
    fits = len(words) > 1 and cell_len(words) <= width  # letters of some scripts take two cells
    return words if fits else f"{set_cell_size(text, width - 1)}\N{HORIZONTAL ELLIPSIS}"


def _least_width(kind: str, texts: Iterable[str]) -> int:
    """The width of the longest line, or of the longest word where a column breaks between words."""
    breaks = kind in ("fold", "text")
    pieces = [piece for text in texts for piece in (text.split() if breaks else text.splitlines())]
    longest = max(map(cell_len, pieces), default=0)
    if kind == "cut":
        return min(longest, _FIRST_WORDS)
    return max(min(longest, _LONG_WORD), _SENTENCE if kind == "text" else 0) if breaks else longest


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _BETWEEN * len(widths) - 1


def _final_widths(least: Mapping[str, int], texts: Mapping[str, Sequence[str]], spare: int) -> dict[str, int | None]:
    """Give the width left over to the first column that can use it, then to the next."""
    if spare < 0:
        return dict.fromkeys(least)
    widths: dict[str, int | None] = {}
    for name, width in least.items():
        longest = max(cell_len(line) for text in texts[name] for line in text.splitlines() or [""])
        more = min(max(0, longest - width), spare)
        widths[name] = width + more
        spare -= more
    return widths


def columns_beside(names: Sequence[str], units: Sequence[str], *, width: int, least: int, most: int) -> int:
    """The number of columns of a width that fit on a line beside names and units."""
    longest = min(_LONG_WORD, max(map(cell_len, names), default=0)) + max(map(cell_len, units), default=0)
    return max(least, min(most, (line_width() - longest - 2 * _BETWEEN) // width))


def line_width() -> int:
    """The number of characters on a line: of the terminal, else COLUMNS, else wide enough for every table."""
    if not wants_table():  # numbers for programs do not depend on a terminal
        return _WIDE
    if sys.stdout.isatty():
        return Console().width
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdigit() and int(given) else _WIDE


# JSON and CSV


def json_text(value: Any) -> str:
    """A value as JSON; numbers that are not finite become null, which every JSON reader accepts."""
    return json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False)


def csv_text(items: Iterable[Mapping[str, Any]]) -> str:
    """Records as CSV: nested fields get dotted names, and a series becomes one line per number."""
    lines = [line for item in items for line in _csv_lines(item)]
    names = list(dict.fromkeys(name for line in lines for name in line))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _csv_cell(value) for name, value in line.items()} for line in lines)
    return file.getvalue()


def _main_list(record: Any, name: str) -> list[Mapping[str, Any]]:
    """The list of a record that becomes CSV; a record without a list is one line itself."""
    if isinstance(record, list):
        return record
    if name:
        return list(record[name])
    lists = (value for value in record.values() if isinstance(value, list) and value and isinstance(value[0], Mapping))
    return next(lists, [record])


def _csv_lines(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record as flat lines: one for each number of its longest series and for each of its nested records.

    Only the first list of records is nested; others are in JSON alone.
    """
    fields = dict(_flat(item, ""))
    lists = {name: value for name, value in fields.items() if isinstance(value, list | tuple)}
    nested = [name for name, value in lists.items() if value and isinstance(value[0], Mapping)]
    series = {name: value for name, value in lists.items() if _is_series(value)}
    length = max(map(len, series.values()), default=1)
    lines = []
    for place in range(length):
        line = {}
        for name, value in fields.items():
            if name in series and len(value) == length:
                line[name.removesuffix("s")] = value[place]
            elif name not in nested:
                line[name] = "; ".join(map(str, value)) if name in lists else value
        lines.append(line)
    if not nested:
        return lines
    inner = [line for record in fields[nested[0]] for line in _csv_lines(record)]
    return [
        outer | {(f"{nested[0]}.{name}" if name in outer else name): value for name, value in line.items()}
        for outer in lines
        for line in inner
    ]


def _flat(item: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_series(value: Sequence[Any]) -> bool:
    return bool(value) and all(number is None or isinstance(number, int | float) for number in value)


def _csv_cell(value: Any) -> Any:
    """A value as CSV has it: numbers to the last digit, nothing for None and for numbers that do not exist."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return "" if value is None else value


# Notes and progress


def note(text: str) -> None:
    """Print something that is not part of the result to stderr."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


@contextlib.contextmanager
def busy(task: str) -> Iterator[None]:
    """Show on a terminal that work goes on, once it takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    status = Console(stderr=True).status(task)
    timer = threading.Timer(_QUIET_SECONDS, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()


@contextlib.contextmanager
def progress_bar(task: str, unit: str = "members") -> Iterator[ProgressCallback | None]:
    """A function to call with the number done and the total, which draws a bar on stderr; None if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    shown = bar.add_task(task, total=None, rate="")
    start, first = time.monotonic(), -1

    def update(done: int, total: int) -> None:
        nonlocal first
        first = done if first < 0 else first  # members of an ensemble that is resumed do not count towards the speed
        seconds = time.monotonic() - start
        if seconds > _QUIET_SECONDS:
            bar.start()
            bar.update(shown, completed=done, total=total, rate=f"{(done - first) / seconds:,.0f} {unit}/s")

    try:
        yield update
    finally:
        bar.stop()
