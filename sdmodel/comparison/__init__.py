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
from .shares import MEASURES, Measure, first_in_rank, interaction_weights, measure_weights
from .standings import Standing, relative_changes, standing_of

__all__ = [
    "AGREEMENT",
    "LEFT_OUT",
    "MEASURES",
    "STATISTICS",
    "Measure",
    "Outcome",
    "Standing",
    "TheilShares",
    "band",
    "band_width",
    "covered_share",
    "crps",
    "crps_skill",
    "first_in_rank",
    "interaction_weights",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_error",
    "measure_weights",
    "outcome_of",
    "quantiles",
    "relative_changes",
    "root_mean_square_error",
    "share_where",
    "squared_correlation",
    "standing_of",
    "theil_shares",
]
