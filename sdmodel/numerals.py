"""Numbers as people write and read them."""

from __future__ import annotations

import math

_YEARS = frozenset({"year", "years", "yr", "yrs", "date"})


def number(value: float, units: str = "") -> str:
    """A number with four significant digits, as people write it; a date in years without a separator."""
    size = abs(value)
    if not math.isfinite(value) or size == 0:
        return "0" if size == 0 else str(value)
    if size >= 1e9 or size < 1e-4:  # noqa: PLR2004 - beyond these a power of ten is easier to read
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if size >= 1000:  # noqa: PLR2004 - thousands have separators
        return f"{value:.6g}" if units.casefold() in _YEARS else f"{value:,.0f}"
    return f"{value:.4g}"


def exact(value: float) -> str:
    """A number as its author wrote it."""
    return f"{value:.12g}"


def signed(value: float, units: str = "") -> str:
    """A difference as people write it, with its sign."""
    text = number(value, units)
    return f"+{text}" if value > 0 else text
