"""What commands print: tables and JSON on stdout, notes and progress on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 240
_LONG_WORD, _TEXT = 30, 30
"""A column of words is as wide as its longest word, unless that is very long; one of sentences is at least so wide."""
_BETWEEN = 3
"""The width between columns."""
_PATIENCE = 1.0


def print_table(columns: Mapping[str, str], rows: Iterable[Sequence[str]], *, spare: Sequence[str] = ()) -> None:
    """Print rows under columns, which are `left`, `right`, `fold` (may take several lines) or `text` (sentences).

    On a terminal too narrow for whole words, the columns `spare` are left out, the first of them first. What is not a
    terminal gets as much width as the table asks for, so that no line is cut.
    """
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE, no_color=True)
    cells = list(rows)
    texts = {name: [name, *(row[place] for row in cells)] for place, name in enumerate(columns)}
    least = {name: _least(kind, texts[name]) for name, kind in columns.items()}
    dropped: list[str] = []
    for name in spare:
        if _together(least) <= console.width:
            break
        dropped.append(name)
        del least[name]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width in _shared(least, texts, console.width - _together(least)).items():
        right = columns[name] == "right"
        table.add_column(Text(name), justify="right" if right else "left", overflow="fold", width=width)
    for row in zip(*(texts[name][1:] for name in least), strict=True):
        table.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n")
    if dropped:
        note(f"a wider terminal shows {', '.join(dropped)} too")


def _least(kind: str, cells: Iterable[str]) -> int:
    """The width that a column needs: of its longest line, or of its longest word where lines are folded at blanks."""
    folds = kind in ("fold", "text")
    parts = [part for text in cells for part in (text.split() if folds else text.splitlines())]
    widest = max(map(cell_len, parts), default=0)
    return max(min(widest, _LONG_WORD), _TEXT if kind == "text" else 0) if folds else widest


def _together(widths: Mapping[str, int]) -> int:
    """The width of a table whose columns have those widths."""
    return sum(widths.values()) + _BETWEEN * len(widths) - 1


def _shared(least: Mapping[str, int], texts: Mapping[str, Sequence[str]], room: int) -> dict[str, int | None]:
    """The widths of columns when the room left over goes to the first, then the next; none of its own if there is less."""
    if room < 0:
        return dict.fromkeys(least)
    widths: dict[str, int | None] = {}
    for name, width in least.items():
        wished = max(cell_len(line) for text in texts[name] for line in text.splitlines() or [""])
        more = min(max(0, wished - width), room)
        widths[name] = width + more
        room -= more
    return widths


def terminal_width() -> int:
    """How many characters a line may have."""
    return Console().width if sys.stdout.isatty() else _WIDE


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    """A value as JSON; what is not finite is null, which every reader of JSON takes."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def note(text: str) -> None:
    """Tell the user something that is no result, and that nothing depends on."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


@contextlib.contextmanager
def patience(task: str) -> Iterator[None]:
    """Show that work goes on, on a terminal, once it takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    status = Console(stderr=True).status(task)
    timer = threading.Timer(_PATIENCE, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()


def _plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
