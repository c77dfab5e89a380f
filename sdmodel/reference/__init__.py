"""PySD as a reference: a second opinion on a model's numbers. It runs only on request."""

from .pysd import PYSD_NOTE, PysdRecord, record_with_pysd, simulate_with_pysd

__all__ = ["PYSD_NOTE", "PysdRecord", "record_with_pysd", "simulate_with_pysd"]
