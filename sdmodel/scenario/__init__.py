"""What may change between runs: levers, scenarios and designs."""

from __future__ import annotations

from .application import cell_values, constant_cells, constant_values, with_constants, with_tables
from .columns import parted
from .designs import Design, make_design
from .distributions import DISTRIBUTIONS, Distribution, Steps, signature, wrong_with
from .grids import Grid, grid_values
from .records import Change, Scenario, merge
from .sampling import SEED, SIMULATIONS, Method, Samples, Sampling, Variation
from .searches import Free, Optimisation, Payoff, Term

__all__ = [
    "DISTRIBUTIONS",
    "SEED",
    "SIMULATIONS",
    "Change",
    "Design",
    "Distribution",
    "Free",
    "Grid",
    "Method",
    "Optimisation",
    "Payoff",
    "Samples",
    "Sampling",
    "Scenario",
    "Steps",
    "Term",
    "Variation",
    "cell_values",
    "constant_cells",
    "constant_values",
    "grid_values",
    "make_design",
    "merge",
    "parted",
    "signature",
    "with_constants",
    "with_tables",
    "wrong_with",
]
