"""What the fields beside an equation say: units with a range, comments, groups; and the settings that change results."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from ...model import Integrator, Range

_CONTINUATION = re.compile(r"\\[ \t]*(?:\r\n?|\n)[ \t]*")
_LINES = re.compile(r"\r\n?|\n")
_RANGE = re.compile(r"^(.*?)\[([^\[\]]*)\]\s*$", re.DOTALL)
_GROUP = re.compile(r"\*+\s*\.?([^\r\n*]*)")
_RUNGE_KUTTA = {"1", "3", "4", "5"}


def one_line(text: str) -> str:
    """The text with its continuations joined, on one line, with single blanks."""
    return " ".join(_CONTINUATION.sub("", text).split())


def comment_of(field: str) -> str:
    """A comment with its continuations joined; the line breaks that the author meant stay."""
    lines = (" ".join(line.split()) for line in _LINES.split(_CONTINUATION.sub("", field)))
    return "\n".join(lines).strip()


def units_of(field: str) -> tuple[str, Range | None]:
    """Units as written, and the range in brackets behind them; brackets that hold no range belong to the units."""
    text = one_line(field)
    found = _RANGE.match(text)
    if found is None:
        return text, None
    try:
        bounds = [_bound(part) for part in found[2].split(",")]
    except ValueError:
        return text, None
    if len(bounds) > 3:  # noqa: PLR2004 - a range has a minimum, a maximum and a step
        return text, None
    return found[1].strip(), Range(*bounds)


def _bound(text: str) -> float | None:
    text = text.strip()
    value = math.nan if text in {"", "?"} else float(text)
    return value if math.isfinite(value) else None


def group_of(header: str) -> str:
    """The name in a group's header, without the leading dot."""
    found = _GROUP.match(header)
    return " ".join(found[1].split()) if found else ""


def synonyms_of(settings: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The names of units that mean the same, from the lines that begin with `22:`."""
    rows = (line[3:].split(",") for line in settings if line.startswith("22:"))
    return tuple(tuple(name.strip() for name in row if name.strip()) for row in rows)


def integrator_of(settings: Iterable[str]) -> Integrator:
    """The method of line `15:`, `euler` without one.

    Vensim has Euler (0, 2), fourth-order Runge-Kutta (1 fixed, 5 with automatic steps) and second order (3, 4). All of
    Runge-Kutta's are run as fourth order at the model's TIME STEP, which is nearer to the true solution than any of them.
    """
    for line in settings:
        if line.startswith("15:"):
            parts = [part.strip() for part in line[3:].split(",")]
            return "rk4" if len(parts) > 3 and parts[3] in _RUNGE_KUTTA else "euler"  # noqa: PLR2004 - the fourth place
    return "euler"
