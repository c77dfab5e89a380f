"""A second opinion on a model's numbers: the same file run by PySD, asked for by name and never silently."""

from .pysd_run import PYSD_NOTE, PysdRecord, record_with_pysd, simulate_with_pysd

__all__ = ["PYSD_NOTE", "PysdRecord", "record_with_pysd", "simulate_with_pysd"]
