"""What PySD does for us: a second opinion on a model's numbers, and models in XMILE; asked for by name and never silently."""

from .pysd_run import PYSD_NOTE, PysdRecord, record_with_pysd, simulate_with_pysd
from .xmile import XMILE_ENDINGS, read_xmile

__all__ = ["PYSD_NOTE", "XMILE_ENDINGS", "PysdRecord", "read_xmile", "record_with_pysd", "simulate_with_pysd"]
