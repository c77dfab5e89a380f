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
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 240
_PATIENCE = 1.0


def print_table(columns: Mapping[str, str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under columns, which are `left`, `right`, `fold` (may take several lines) or `text` (the room left over).

    What is not a terminal gets as much width as the table asks for, so that no line is cut.
    """
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE, no_color=True)
    filled = sys.stdout.isatty() and "text" in columns.values()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=filled)
    for name, kind in columns.items():
        table.add_column(
            Text(name),
            justify="right" if kind == "right" else "left",
            no_wrap=kind not in ("fold", "text"),
            overflow="fold",
            ratio=1 if filled and kind == "text" else None,
        )
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n")


def terminal_width() -> int:
    """How many characters a line may have."""
    return Console().width if sys.stdout.isatty() else _WIDE


def print_json(value: Any) -> None:
    """Print a value as JSON; what is not finite is null, which every reader of JSON takes."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def note(text: str) -> None:
    """Tell the user something that is no result."""
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


def number(value: float) -> str:
    """A number with four significant digits, as people write it."""
    size = abs(value)
    if not math.isfinite(value) or size == 0:
        return "0" if size == 0 else str(value)
    if size >= 1e9 or size < 1e-4:  # noqa: PLR2004 - beyond these a power of ten is easier to read
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if size >= 1000:  # noqa: PLR2004 - thousands have separators
        return f"{value:,.0f}"
    return f"{value:.4g}"


def exact(value: float) -> str:
    """A number as its author wrote it."""
    return f"{value:.12g}"


def _plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
