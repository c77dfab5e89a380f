"""Numbers as text for people."""

from __future__ import annotations

import math

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
