"""What may change between runs: levers, scenarios and designs."""

from __future__ import annotations

from .application import constant_cells, constant_values, with_constants, with_tables
from .columns import Column, columns_of, parted
from .designs import Design, make_design
from .distributions import DISTRIBUTIONS, Distribution, Steps, signature, wrong_with
from .records import Change, Scenario, merge
from .sampling import SEED, SIMULATIONS, Method, Samples, Sampling, Variation
from .searches import Free, Optimisation, Payoff, Term

__all__ = [
    "DISTRIBUTIONS",
    "SEED",
    "SIMULATIONS",
    "Change",
    "Column",
    "Design",
    "Distribution",
    "Free",
    "Method",
    "Optimisation",
    "Payoff",
    "Samples",
    "Sampling",
    "Scenario",
    "Steps",
    "Term",
    "Variation",
    "columns_of",
    "constant_cells",
    "constant_values",
    "make_design",
    "merge",
    "parted",
    "signature",
    "with_constants",
    "with_tables",
    "wrong_with",
]
