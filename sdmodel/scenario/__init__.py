"""What may change between runs: levers, scenarios and designs."""

from .application import constant_cells, constant_values, with_constants, with_tables
from .records import Change, Scenario, merge

__all__ = ["Change", "Scenario", "constant_cells", "constant_values", "merge", "with_constants", "with_tables"]
