"""Numbers as text for people, and what to write in place of what only people read as a number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

YEAR_UNITS = frozenset({"year", "years", "yr", "yrs"})
"""Units of time, in lower case, that count in years."""
_WHOLE_FROM = 1000.0
"""From this size on, per cent are printed without decimals."""


def format_number(value: float, units: str = "") -> str:
    """Format a number with four significant digits and separators for thousands; a year gets no separator."""
    size = abs(value)
    if not math.isfinite(value) or size == 0:
        return "0" if size == 0 else str(value)
    if size >= 1e9 or size < 1e-4:  # noqa: PLR2004 - beyond these a power of ten is easier to read
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if size >= 1000:  # noqa: PLR2004 - thousands have separators
        return f"{value:.6g}" if units.casefold() in YEAR_UNITS | {"date"} else f"{value:,.0f}"
    return f"{value:.4g}"


def format_exact(value: float) -> str:
    """Format a number as it was written, without the digits that binary rounding adds."""
    return f"{value:.12g}"


def format_percent(value: float) -> str:
    """Format a difference in per cent with its sign; nothing if it is not a number."""
    return f"{value:+,.{0 if abs(value) >= _WHOLE_FROM else 1}f} %" if math.isfinite(value) else ""


def format_band(low: float, high: float, units: str = "") -> str:
    """Format a band by its ends, or as one number if they look the same."""
    ends = format_number(low, units), format_number(high, units)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} – {ends[1]}"


def format_signed(value: float, units: str = "") -> str:
    """Format a difference like `format_number`, with a plus sign if it is positive."""
    return f"{'+' if value > 0 else ''}{format_number(value, units)}"


def json_value(value: Any) -> Any:
    """Return a value that every JSON reader accepts: numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(name): json_value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return list(map(json_value, value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


_ERROR_VALUE = re.compile(r"#(?:N/A|GETTING_DATA|[A-Z/0]+[!?])")
_PERCENT = re.compile(r"([-+]?\d+(?:[.,]\d+)?)\s*%")
_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
_SEPARATED = re.compile(r"[-+]?\d{1,3}(?:(?P<mark>[ ,.'_’\u00a0\u2009\u202f])\d{3})(?:(?P=mark)\d{3})*(?:[.,]\d+)?")


def is_error_value(text: str) -> bool:
    """Whether a text is what spreadsheet programs show in place of a value, such as `#N/A`."""
    return _ERROR_VALUE.fullmatch(text.strip()) is not None


def number_cure(text: str, otherwise: str) -> str:
    """Return what to do about a text where a number is needed, if people read it as one, else `otherwise`."""
    plain = text.strip()
    if is_error_value(plain):
        return "that is an error value; correct its formula, or leave it empty"
    if found := _PERCENT.fullmatch(plain):
        return f"write {float(found[1].replace(',', '.')) / 100:.12g}"
    separated = _SEPARATED.fullmatch(plain)
    if separated and not (separated["mark"] == "," and plain.count(",") == 1 and "." not in plain):
        return "write it without separators of thousands"
    if _COMMA.fullmatch(plain):
        with_point = plain.replace(",", ".")
        return f"write {plain.replace(',', '')} or {with_point}" if separated else f"write {with_point}, with a point"
    return otherwise
