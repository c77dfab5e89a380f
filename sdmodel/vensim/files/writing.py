"""Change files (`.cin`) as they are written, so that what is read back is the same to the last digit."""

from __future__ import annotations

from collections.abc import Sequence

from ...model import digits, table_points
from ...scenario import Change
from .spelling import spelt


def scenario_text(changes: Sequence[Change], *, comment: str = "", notes: Sequence[str] = ()) -> str:
    """A change file with a comment at its head and, behind each change, a note in braces where one is given.

    `notes` has a text for each change, empty where there is nothing to say; without notes there are none.
    """
    said = notes or [""] * len(changes)
    lines = [_line(change) + _braced(note, "  ") for change, note in zip(changes, said, strict=True)]
    head = [_braced(comment)] if comment.strip() else []
    return "\n".join(["{UTF-8}", *head, *lines]) + "\n"


def _braced(text: str, before: str = "") -> str:
    """A comment in braces, which it cannot hold itself, on one line and without marks that are no text."""
    words = " ".join("".join(each if each.isprintable() and each not in "{}" else " " for each in text).split())
    return f"{before}{{{words}}}" if words else ""


def _line(change: Change) -> str:
    name = spelt(change.name, change.subscripts)
    if change.table is not None:
        return f"{name}({table_points(change.table)})"
    return f"{name} = {', '.join(map(digits, change.values))}"
