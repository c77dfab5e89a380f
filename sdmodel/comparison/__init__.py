"""Runs against each other and against data: statistics of numbers, and of the members of an ensemble together."""

from .agreement import (
    AGREEMENT,
    TheilShares,
    band,
    band_width,
    covered_share,
    crps,
    crps_skill,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_error,
    root_mean_square_error,
    squared_correlation,
    theil_shares,
)
from .members import LEFT_OUT, quantiles, share_where
from .outcomes import STATISTICS, Outcome, outcome_of
from .sweeps import from_base, lever_ranges, shares_first

__all__ = [
    "AGREEMENT",
    "LEFT_OUT",
    "STATISTICS",
    "Outcome",
    "TheilShares",
    "band",
    "band_width",
    "covered_share",
    "crps",
    "crps_skill",
    "from_base",
    "lever_ranges",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_error",
    "outcome_of",
    "quantiles",
    "root_mean_square_error",
    "share_where",
    "shares_first",
    "squared_correlation",
    "theil_shares",
]
