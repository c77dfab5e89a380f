"""Values of a lever as users type them: `name=lo:hi:n`, `name=lo:hi:n:log`, `name=a,b,c`, `name=lo:hi` or `name`."""

from __future__ import annotations

import math
import re

from ...errors import Fault, ScenarioError
from ...model import display_name
from ...scenario import Grid
from ..read.tokens import NAME, parse_number, split_labels

_LEVER = re.compile(rf"{NAME}(?:=(?P<values>.*))?$", re.DOTALL)
_FORMS = "'name=low:high:count', 'name=value,value' or 'name' for the range in the model"
_LOGARITHMIC = "log"
_DIGITS = 9
"""Digits of a count that are read; a longer count is too large anyway."""


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


def _grid(name: str, subscripts: tuple[str, ...], text: str, where: str) -> Grid:
    """Return the grid that the text after the equals sign describes."""
    if ":" not in text:
        values = tuple(_number(part) for part in text.split(","))
        return Grid(name, subscripts, values, where=where)
    parts = [part.strip() for part in text.split(":")]
    logarithmic = parts[-1].lower() == _LOGARITHMIC
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
