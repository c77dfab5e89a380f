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
from .alignment import common_times, interpolated
from .differences import (
    ConstantDifference,
    Extent,
    Gap,
    Standing,
    differences_from,
    differing_constants,
    gaps_of,
    standings_of,
)
from .groups import (
    GroupRow,
    group_rows,
    grouped_by,
    single_runs,
)
from .members import LEFT_OUT, quantiles, share_where
from .outcomes import STATISTICS, Outcome, outcome_of
from .pairs import PairedDifferences, are_paired, paired_differences
from .positions import Position, position_of, relative_changes
from .records import mismatches
from .shares import (
    MEASURES,
    Measure,
    first_in_rank,
    interaction_weights,
    measure_weights,
)
from .sweeps import from_base, lever_ranges, shares_first

__all__ = [
    "AGREEMENT",
    "LEFT_OUT",
    "MEASURES",
    "STATISTICS",
    "ConstantDifference",
    "Extent",
    "Gap",
    "GroupRow",
    "Measure",
    "Outcome",
    "PairedDifferences",
    "Position",
    "Standing",
    "TheilShares",
    "are_paired",
    "band",
    "band_width",
    "common_times",
    "covered_share",
    "crps",
    "crps_skill",
    "differences_from",
    "differing_constants",
    "first_in_rank",
    "from_base",
    "gaps_of",
    "group_rows",
    "grouped_by",
    "interaction_weights",
    "interpolated",
    "lever_ranges",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_error",
    "measure_weights",
    "mismatches",
    "outcome_of",
    "paired_differences",
    "position_of",
    "quantiles",
    "relative_changes",
    "root_mean_square_error",
    "share_where",
    "shares_first",
    "single_runs",
    "squared_correlation",
    "standings_of",
    "theil_shares",
]
