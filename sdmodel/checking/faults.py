"""What keeps a model from being read, as findings: every fault with the name of its rule."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Fault, ModelError
from .findings import Finding

_SIGNS = {
    "simultaneous": ("simultaneous equations",),
    "doubly-defined": ("is defined a second time",),
    "undefined": (
        "is not defined",
        "is neither a function nor a lookup",
        "is neither a subscript range nor a label",
        "has no equation",
    ),
    "unsupported": ("is not supported",),
}
"""What the message of a fault says, by the rule it goes against."""
OTHER = "syntax"


def fault_findings(error: ModelError) -> Iterator[Finding]:
    """Every fault of a model that cannot be read; a fault is always an error."""
    for fault in error.faults:
        yield Finding("error", _rule(fault), fault.where, _named(fault.what), fault.what)


def _rule(fault: Fault) -> str:
    return next((rule for rule, signs in _SIGNS.items() if any(sign in fault.what for sign in signs)), OTHER)


def _named(what: str) -> str:
    """The name in quotes with which a message begins, or none."""
    return what[1:].partition("'")[0] if what.startswith("'") else ""
