"""Runs against a baseline: what was changed, what moved, when and by how much."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from ..comparison import (
    ConstantDifference,
    Gap,
    PairedDifferences,
    Standing,
    are_paired,
    common_times,
    differing_constants,
    gaps_of,
    mismatches,
    paired_differences,
    standings_of,
)
from ..dataset import MEMBER, check_run, member_dims
from ..errors import AnalysisError, SdmodelError
from ..scenario import Change
from ..vensim import scenario_text
from .recorded import LookupDifference, differing_lookups, with_recorded_constants

_NAMED = 4
"""So many names are told where there are more."""


@dataclass(frozen=True, eq=False)
class Changes:
    """What differs between runs besides their numbers: constants, lookups, and remarks on models, times and the like."""

    constants: tuple[ConstantDifference, ...]
    lookups: tuple[LookupDifference, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Single runs against the first of them: what was changed, values at dates, and gaps, the largest share first.

    `gaps` has one for every label of every variable that moves and every run but the first, those of size zero among them.
    """

    runs: tuple[str, ...]
    changes: Changes
    standings: tuple[Standing, ...]
    gaps: tuple[Gap, ...]
    remarks: tuple[str, ...]


def compare_runs(
    runs: Mapping[str, xr.Dataset],
    *,
    on: Sequence[str] = (),
    headlines: Sequence[str] | None = None,
    at: Sequence[float] | None = None,
) -> Comparison:
    """Single runs, by name, against the first of them, in the units of each variable.

    `on` names the variables whose gaps are told, all that the runs share by default. `headlines` are those whose values
    stand side by side at the times `at`, in the model's unit of time: those of `on` by default, at the last time of all.
    Between stored times values are interpolated linearly.

    Raises
    ------
    AnalysisError
        If there are fewer than two runs, or one has members or other dimensions of its own.
    DatasetError
        If a run lacks one of the variables.
    """
    _check_several(runs)
    for name, run in runs.items():
        if member_dims(run):
            cure = "compare_members compares ensembles" if MEMBER in run.dims else "select one of its runs with isel"
            message = f"run '{name}': differs along {', '.join(member_dims(run))}; {cure}"
            raise AnalysisError(message)
    first, *others = runs
    gaps: list[Gap] = []
    remarks: list[str] = []
    for name in others:
        found, apart = gaps_of(runs[first], runs[name], on, run=name)
        gaps += found
        remarks += [*_untimed(runs, first, name), *_apart(first, name, apart)]
    asked = on if headlines is None else headlines
    standings = standings_of(runs, asked, [_last(runs)] if at is None else at)
    gaps.sort(key=lambda gap: gap.order)
    return Comparison(tuple(runs), changes_between(runs), tuple(standings), tuple(gaps), tuple(remarks))


def compare_members(
    before: xr.Dataset,
    after: xr.Dataset,
    on: str | Iterable[str],
    probabilities: Sequence[float] = (0.05, 0.5, 0.95),
    *,
    at: Sequence[float] | None = None,
) -> PairedDifferences:
    """Quantiles of how far members of an ensemble are above those of another with the same constants drawn, pair by pair.

    They are quantiles of the differences, not differences of quantiles. One of the two may be a single run.

    Raises
    ------
    AnalysisError
        If neither has members, or they are of different designs, so that nothing pairs them.
    DatasetError
        If a run lacks one of the variables, a probability is not between 0 and 1, or a time is not in both runs.
    """
    _check_several({"the first": before, "the second": after})
    if MEMBER not in before.dims and MEMBER not in after.dims:
        message = "neither run has members; compare_runs compares single runs"
        raise AnalysisError(message)
    if not are_paired(before, after):
        message = "the ensembles are of different designs, so that nothing pairs their members; draw both by the same"
        raise AnalysisError(message)
    return paired_differences(before, after, on, probabilities, at=at)


def changes_between(runs: Mapping[str, xr.Dataset]) -> Changes:
    """What was changed between runs: constants and lookups, those that were not stored by the records of the runs.

    A record that does not tell is remarked on, and what is stored is compared.
    """
    remarks = mismatches(runs)
    whole: dict[str, xr.Dataset] = {}
    for name, run in runs.items():
        try:
            whole[name] = with_recorded_constants(run, f"run '{name}'")
        except SdmodelError as fault:
            whole[name] = run
            remarks.append(f"run '{name}': only the constants that it was stored with are compared ({fault})")
    recorded = [name for name, run in whole.items() if run is not runs[name]]
    if recorded:
        named = f"{', '.join(recorded[:_NAMED])}{' and others' if len(recorded) > _NAMED else ''}"
        remarks.append(f"constants not stored with {named} are told by the record: model, scenario, changes")
    try:
        lookups = differing_lookups(runs)
    except SdmodelError as fault:
        lookups = []
        remarks.append(f"lookups are not compared ({fault})")
    return Changes(tuple(differing_constants(whole)), tuple(lookups), tuple(remarks))


def change_text(changes: Changes, before: str, after: str) -> str:
    """The change file that makes the second of two single runs out of the first, which have these names.

    What a run does not have, or has no number for, cannot be changed and is left out.
    """
    found = [
        Change(each.constant, each.labels, (second[1],))
        for each in changes.constants
        for first, second in [each.values]
        if first is not None and second is not None and math.isfinite(second[1])
    ]
    tables = [(each, each.tables[1]) for each in changes.lookups if each.tables[0] is not None]
    found += [Change(each.name, each.subscripts, table=table) for each, table in tables if table is not None]
    return scenario_text(found, comment=f"What makes the run '{after}' out of the run '{before}'.")


def _check_several(runs: Mapping[str, xr.Dataset]) -> None:
    """Make sure that there are runs to compare."""
    if len(runs) < 2:  # noqa: PLR2004 - one has nothing to be compared with
        message = f"{len(runs)} run cannot be compared; name another one besides"
        raise AnalysisError(message)
    for name, run in runs.items():
        check_run(run, f"run '{name}'")


def _last(runs: Mapping[str, xr.Dataset]) -> float:
    """The last time that all runs reach."""
    return min(float(run["time"].values[-1]) for run in runs.values())


def _untimed(runs: Mapping[str, xr.Dataset], first: str, name: str) -> list[str]:
    """What is to be said where two runs have no time in common."""
    return (
        []
        if common_times(runs[first], runs[name]).size
        else [f"{first} and {name} share no time; only constants are compared"]
    )


def _apart(first: str, name: str, apart: Sequence[str]) -> list[str]:
    """What is to be said of variables that cannot be compared."""
    if not apart:
        return []
    told = ", ".join(f"'{each}'" for each in apart[:_NAMED]) + (" and others" if len(apart) > _NAMED else "")
    count = "1 variable is" if len(apart) == 1 else f"{len(apart)} variables are"
    return [f"{count} not compared, not being in both {first} and {name}, or having other subscripts there: {told}"]
