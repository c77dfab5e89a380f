"""What may change between runs: levers, scenarios and designs."""

from __future__ import annotations

from .application import (
    cell_values,
    constant_cells,
    constant_values,
    with_constants,
    with_tables,
)
from .coalitions import (
    Subsets,
    antithetic_orders,
    every_subset,
    prefixes,
)
from .columns import Column, columns_of, parted
from .designs import Design, make_design
from .distributions import (
    DISTRIBUTIONS,
    Distribution,
    Steps,
    signature,
    wrong_with,
)
from .grids import Grid, grid_values
from .levers import Lever, find_levers
from .records import Change, Scenario, merge
from .sampling import (
    SEED,
    SIMULATIONS,
    Method,
    Samples,
    Sampling,
    Variation,
)
from .searches import (
    Free,
    Optimisation,
    Payoff,
    Term,
)

__all__ = [
    "DISTRIBUTIONS",
    "SEED",
    "SIMULATIONS",
    "Change",
    "Column",
    "Design",
    "Distribution",
    "Free",
    "Grid",
    "Lever",
    "Method",
    "Optimisation",
    "Payoff",
    "Samples",
    "Sampling",
    "Scenario",
    "Steps",
    "Subsets",
    "Term",
    "Variation",
    "antithetic_orders",
    "cell_values",
    "columns_of",
    "constant_cells",
    "constant_values",
    "every_subset",
    "find_levers",
    "grid_values",
    "make_design",
    "merge",
    "parted",
    "prefixes",
    "signature",
    "with_constants",
    "with_tables",
    "wrong_with",
]
