"""A bar on stderr while members are simulated: how many are done, how many a second, how long it will take."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

Told = Callable[[int, int], None]

_PATIENCE = 1.0


@contextlib.contextmanager
def members_bar(task: str, what: str = "members") -> Iterator[Told | None]:
    """What to tell of members, or of `what` else, done, of how many; nothing is shown before a second, nor where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
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
    began, first = time.monotonic(), -1

    def tell(done: int, count: int) -> None:
        nonlocal first
        first = done if first < 0 else first  # of an ensemble that goes on, what was there before is nobody's speed
        passed = time.monotonic() - began
        if passed > _PATIENCE:
            bar.start()
            bar.update(shown, completed=done, total=count, rate=f"{(done - first) / passed:,.0f} {what}/s")

    try:
        yield tell
    finally:
        bar.stop()
