"""PySD as a reference: a second opinion on a model's numbers, and the reader of XMILE. It runs only on request."""

from .pysd import PYSD_NOTE, PysdRecord, record_with_pysd, simulate_with_pysd
from .xmile import XMILE_ENDINGS, read_xmile

__all__ = ["PYSD_NOTE", "XMILE_ENDINGS", "PysdRecord", "read_xmile", "record_with_pysd", "simulate_with_pysd"]
