"""Runs compared with each other and with data, and statistics over the members of ensembles."""

from .agreement import (
    AGREEMENT,
    TheilShares,
    band,
    band_coverage,
    band_width,
    crps,
    crps_skill,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_error,
    root_mean_square_error,
    squared_correlation,
    theil_shares,
)
from .contributions import (
    MEASURES,
    Measure,
    differences_from_base,
    interaction_weights,
    largest_contributors,
    measure_weights,
    outcome_ranges,
    share_with_largest_range,
)
from .differences import (
    ConstantDifference,
    GroupRow,
    LargestDifference,
    Snapshot,
    ValueRange,
    common_times,
    differing_constants,
    group_by_lever,
    group_rows,
    interpolate,
    largest_differences,
    metadata_differences,
    run_differences,
    separate_runs,
    take_snapshots,
)
from .members import LEFT_OUT, PairedDifferences, are_paired, paired_differences, quantiles, share_where
from .outcomes import STATISTICS, Outcome, Position, outcome_of, position_of, relative_changes

__all__ = [
    "AGREEMENT", "LEFT_OUT", "MEASURES", "STATISTICS", "ConstantDifference", "GroupRow", "LargestDifference",
    "Measure", "Outcome", "PairedDifferences", "Position", "Snapshot", "TheilShares", "ValueRange", "are_paired",
    "band", "band_coverage", "band_width", "common_times", "crps", "crps_skill", "differences_from_base",
    "differing_constants", "group_by_lever", "group_rows", "interaction_weights", "interpolate",
    "largest_contributors", "largest_differences", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_error", "measure_weights", "metadata_differences", "outcome_of", "outcome_ranges", "paired_differences",
    "position_of", "quantiles", "relative_changes", "root_mean_square_error", "run_differences", "separate_runs",
    "share_where", "share_with_largest_range", "squared_correlation", "take_snapshots", "theil_shares",
]  # fmt: skip
