"""The values of a lever as users type them: `name=lo:hi:n`, `name=lo:hi:n:log`, `name=a,b,c`, `name=lo:hi` or `name`."""

from __future__ import annotations

import math
import re

from ...errors import Fault, ScenarioError
from ...model import display
from ...scenario import Grid
from .spelling import NAME, number_of, parts_of

_LEVER = re.compile(rf"{NAME}(?:=(?P<values>.*))?$", re.DOTALL)
_FORMS = "'name=low:high:count', 'name=value,value' or 'name' for the range in the model"
_LOGARITHMIC = "log"
_DIGITS = 9
"""So many digits of a count are read: more of them are too many values anyway."""


def read_grid(text: str, where: str = "--lever") -> Grid:
    """The values that are asked for of a lever; `where` is what a fault names.

    Raises
    ------
    ScenarioError
        If the text is no lever with values.
    """
    found = _LEVER.match(text)
    if found is None or not found["name"].strip():
        raise ScenarioError([Fault(where, f"{text!r} is no lever; write {_FORMS}")])
    name, subscripts = display(found["name"]), parts_of(found["subscripts"])
    if found["values"] is None:
        return Grid(name, subscripts, where=where)
    wrong = f"'{name}' gets no values; write {_FORMS}"
    if found["values"].strip():
        try:
            return _grid(name, subscripts, found["values"], where)
        except ValueError as fault:
            wrong = f"'{name}={found['values'].strip()}': {fault}; write {_FORMS}"
    raise ScenarioError([Fault(where, wrong)])


def _grid(name: str, subscripts: tuple[str, ...], text: str, where: str) -> Grid:
    """The grid that stands behind the equals sign."""
    if ":" not in text:
        values = tuple(_number(each) for each in text.split(","))
        return Grid(name, subscripts, values, where=where)
    parts = [each.strip() for each in text.split(":")]
    logarithmic = parts[-1].lower() == _LOGARITHMIC
    low, *others = parts[:-1] if logarithmic else parts
    if not 1 <= len(others) <= 2:  # noqa: PLR2004 - the other bound, and a count
        message = "colons stand between two bounds, a count and 'log'"
        raise ValueError(message)
    high, count = others[0], others[1] if others[1:] else None
    if count is not None and not count.isdecimal():
        message = f"{count!r} is no count of values"
        raise ValueError(message)
    number = None if count is None else int(count[:_DIGITS])
    return Grid(name, subscripts, (), _number(low), _number(high), number, logarithmic, where)


def _number(text: str) -> float:
    value = number_of(text)
    if not math.isfinite(value):
        message = f"{text.strip()} is too large a number"
        raise ValueError(message)
    return value
