"""Runs compared with a baseline: what was changed, what moved, when and by how much.

Constants and lookups that a run was stored without come from its record: the text of its model, and its changes.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr

from ..comparison import (
    ConstantDifference,
    LargestDifference,
    PairedDifferences,
    Snapshot,
    are_paired,
    common_times,
    differing_constants,
    largest_differences,
    metadata_differences,
    paired_differences,
    take_snapshots,
)
from ..dataset import (
    MEMBER,
    TIME,
    check_run,
    make_run,
    member_dims,
    model_content,
    model_encoding,
    recorded_texts,
    with_labels,
)
from ..errors import AnalysisError, ScenarioError, SdmodelError, StoreError
from ..model import NA, Cell, Model, Table, display_name, has_points, key, labels_of, plan, split_name
from ..reading import model_from_text
from ..scenario import Change, Scenario, constant_values, course_text, merge_scenarios, with_tables
from ..vensim import read_change, scenario_from_text, scenario_text

_LISTED = 4
"""Names that are listed where there are more."""
_OVER = " = over "
"""Marks the line of a record for a constant that varies over members; its dimensions follow."""


@dataclass(frozen=True)
class LookupDifference:
    """A lookup that is not the same in all runs: its table in each run, None where the run's model has none."""

    name: str
    subscripts: tuple[str, ...]
    tables: tuple[Table | None, ...]


@dataclass(frozen=True, eq=False)
class Changes:
    """What differs between runs besides their results: constants, lookups, and remarks about models, times and so on."""

    constants: tuple[ConstantDifference, ...]
    lookups: tuple[LookupDifference, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Single runs compared with the first of them: changes, values at dates, and differences, the largest share first.

    `differences` has one entry for every label of every variable that moves and every run but the first, including zeros.
    """

    runs: tuple[str, ...]
    changes: Changes
    snapshots: tuple[Snapshot, ...]
    differences: tuple[LargestDifference, ...]
    remarks: tuple[str, ...]


def compare_runs(
    runs: Mapping[str, xr.Dataset],
    *,
    on: Sequence[str] = (),
    headlines: Sequence[str] | None = None,
    at: Sequence[float] | None = None,
) -> Comparison:
    r"""Compare single runs with the first of them.

    Parameters
    ----------
    runs : mapping of str to Dataset
        Two or more runs by name.
    on : sequence of str, optional
        Variables whose differences are computed; all that the runs share by default.
    headlines : sequence of str, optional
        Variables whose values are listed at the times `at`; those of `on` by default.
    at : sequence of float, optional
        Times in the model's unit; the last time of all runs by default. Values between stored times are interpolated
        linearly.

    Returns
    -------
    Comparison
        `changes` (constants and lookups that differ), `snapshots` (values at the times) and `differences` (the largest
        difference of each variable, sorted by its share of the baseline), all in the units of each variable.

    Raises
    ------
    AnalysisError
        If there are fewer than two runs, or one has members or other dimensions of its own.
    DatasetError
        If a run lacks one of the variables.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(rate, 0)\nrate = 2")
    >>> found = sd.compare_runs({"base": sd.simulate(model), "fast": sd.simulate(model, {"rate": 3})})
    >>> [(difference.name, difference.absolute) for difference in found.differences]
    [('Stock', 10.0)]
    >>> [constant.name for constant in found.changes.constants]
    ['rate']
    """
    _check_several(runs)
    for name, run in runs.items():
        if member_dims(run):
            cure = "compare_members compares ensembles" if MEMBER in run.dims else "select one of its runs with isel"
            message = f"run '{name}': has the dimensions {', '.join(member_dims(run))}; {cure}"
            raise AnalysisError(message)
    first, *others = runs
    differences: list[LargestDifference] = []
    remarks: list[str] = []
    for name in others:
        found, left_out = largest_differences(runs[first], runs[name], on, run=name)
        differences += found
        if not common_times(runs[first], runs[name]).size:
            remarks.append(f"{first} and {name} share no time; only constants are compared")
        if left_out:
            count = "1 variable is" if len(left_out) == 1 else f"{len(left_out)} variables are"
            names = _listed([f"'{variable}'" for variable in left_out])
            what = f"missing in {first} or {name}, or with other subscripts there"
            remarks.append(f"{count} not compared, {what}: {names}")
    last = min(float(run[TIME].values[-1]) for run in runs.values())
    snapshots = take_snapshots(runs, on if headlines is None else headlines, [last] if at is None else at)
    differences.sort(key=lambda difference: difference.order)
    return Comparison(tuple(runs), changes_between(runs), tuple(snapshots), tuple(differences), tuple(remarks))


def compare_members(
    before: xr.Dataset,
    after: xr.Dataset,
    on: str | Iterable[str],
    probabilities: Sequence[float] = (0.05, 0.5, 0.95),
    *,
    at: Sequence[float] | None = None,
) -> PairedDifferences:
    r"""Compare the members of two ensembles of the same design, pair by pair.

    Parameters
    ----------
    before, after : Dataset
        Two ensembles with the same sampled constants; one of the two may be a single run.
    on : str or iterable of str
        Variables to compare.
    probabilities : sequence of float, default (0.05, 0.5, 0.95)
        Probabilities of the quantiles, from 0 to 1.
    at : sequence of float, optional
        Times in the model's unit; all common times by default.

    Returns
    -------
    PairedDifferences
        Quantiles of the differences between paired members, in the units of each variable (not differences of quantiles),
        and the share of members that are above.

    Raises
    ------
    AnalysisError
        If neither run has members, or the ensembles have different designs, so that nothing pairs their members.
    DatasetError
        If a run lacks one of the variables, a probability is not between 0 and 1, or a time is not in both runs.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(rate + offset, 0)\nrate = 2\noffset = 0")
    >>> found = sd.compare_members(sd.simulate(model), sd.simulate(model, {"offset": [1, 2, 3]}), "Stock", [0.5])
    >>> found.quantiles["Stock"].isel(time=-1).values.tolist()
    [20.0]
    """
    _check_several({"the first": before, "the second": after})
    if MEMBER not in before.dims and MEMBER not in after.dims:
        message = "neither run has members; compare_runs compares single runs"
        raise AnalysisError(message)
    if not are_paired(before, after):
        message = "the ensembles have different designs, so that nothing pairs their members; make both with the same"
        raise AnalysisError(message)
    return paired_differences(before, after, on, probabilities, at=at)


def _check_several(runs: Mapping[str, xr.Dataset]) -> None:
    if len(runs) < 2:  # noqa: PLR2004 - a comparison needs two
        message = f"{len(runs)} run cannot be compared; name another one"
        raise AnalysisError(message)
    for name, run in runs.items():
        check_run(run, f"run '{name}'")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (" and others" if len(names) > _LISTED else "")


def changes_between(runs: Mapping[str, xr.Dataset]) -> Changes:
    """Return the constants and lookups that differ between runs; those that were not stored come from the runs' records.

    If a record is incomplete, a remark says so, and the stored constants are compared.
    """
    remarks = metadata_differences(runs)
    whole: dict[str, xr.Dataset] = {}
    for name, run in runs.items():
        try:
            whole[name] = _with_recorded_constants(run, f"run '{name}'")
        except SdmodelError as fault:
            whole[name] = run
            remarks.append(f"run '{name}': only the constants that it was stored with are compared ({fault})")
    recorded = [name for name, run in whole.items() if run is not runs[name]]
    if recorded:
        remarks.append(f"constants not stored with {_listed(recorded)} come from the record: model, scenario, changes")
    try:
        lookups = _differing_lookups(runs)
        for name, run in runs.items():
            courses = (change for change in _recorded_changes(run).changes if change.course)
            remarks += [
                f"run '{name}': {with_labels(own.name, own.subscripts)} = {course_text(own)}" for own in courses
            ]
    except SdmodelError as fault:
        lookups = []
        remarks.append(f"lookups are not compared ({fault})")
    return Changes(tuple(differing_constants(whole)), tuple(lookups), tuple(remarks))


def change_text(changes: Changes, before: str, after: str) -> str:
    """Write the change file that turns the first of two single runs, named `before` and `after`, into the second.

    Constants that a run lacks, that have a time course or are not finite cannot be changed and are left out.
    """
    found = [
        Change(constant.constant, constant.labels, (second[1],))
        for constant in changes.constants
        for first, second in [constant.values]
        if first is not None and second is not None and math.isfinite(second[1])
    ]
    tables = [(lookup, lookup.tables[1]) for lookup in changes.lookups if lookup.tables[0] is not None]
    found += [Change(lookup.name, lookup.subscripts, table=table) for lookup, table in tables if table is not None]
    return scenario_text(found, comment=f"The changes that turn the run '{before}' into the run '{after}'.")


def model_of_run(run: xr.Dataset, name: str) -> Model:
    """Return the model of a stored run, from the run's record; `name` is what a fault calls the run.

    It is read without data, which the run itself has: the files are not recorded.

    Raises
    ------
    StoreError
        If the record lacks the model's text.
    """
    content = model_content(run)
    if content is None:
        message = f"{name}: its record does not contain the text of its model; run {run.attrs['model']} again"
        raise StoreError(message)
    return _cached_model(content, str(run.attrs["model"]), encoding=model_encoding(run), texts=recorded_texts(run))


_cached_model = functools.lru_cache(maxsize=2)(functools.partial(model_from_text, without_data=True))
"""Runs that are compared usually share a model."""


def _recorded_changes(run: xr.Dataset) -> Scenario:
    """Return what a run changed, from its record: its scenario, then what else was set to numbers or tables."""
    lines = [line for line in str(run.attrs.get("changes", "")).splitlines() if line.strip() and _OVER not in line]
    scenario = scenario_from_text(str(run.attrs.get("scenario", "")))
    return merge_scenarios([scenario, Scenario("", tuple(map(_change, lines)))])


def _change(line: str) -> Change:
    """Read a change from a record, whose name may lack the quotes that it needs in a file."""
    try:
        return read_change(line)
    except ScenarioError:
        name, *rest = re.split(r"\s*([\[=(])", line, maxsplit=1)
        return read_change(f'"{name}"{"".join(rest)}')


def _with_recorded_constants(run: xr.Dataset, name: str) -> xr.Dataset:
    """Add to a run the constants of its model that it was stored without, with the values of its record.

    Constants that vary over members or time and were not stored stay missing.
    """
    model = model_of_run(run, name)
    lines = (line.rpartition(_OVER)[0] for line in str(run.attrs.get("changes", "")).splitlines())
    varied = {key(split_name(line, model.elements)[0]) for line in lines if line}
    varied |= {key(change.name) for change in _recorded_changes(run).changes if change.course}
    constants = (element for element in model if element.kind == "constant" and element.key not in varied)
    missing = [element for element in constants if model.identifiers[element.key] not in run.variables]
    if not missing:
        return run
    changes = _recorded_changes(run)
    known = {**plan(model).constants, **constant_values(with_tables(model, changes), changes)}
    values = {}
    for element in missing:
        axes = [labels_of(model.subscripts, dimension) for dimension in element.dimensions]
        numbers = np.array([known.get(Cell(element.key, labels), np.nan) for labels in product(*axes)])
        if not (model.unread_files and np.isnan(numbers).all()):
            values[element.key] = np.where(numbers <= NA, np.nan, numbers).reshape([len(axis) for axis in axes])
    return run.assign(make_run(model, run[TIME].values, values).data_vars)


def _differing_lookups(runs: Mapping[str, xr.Dataset]) -> list[LookupDifference]:
    """Return the lookups that scenarios replace differently, from the records of the runs."""
    changes = {name: _recorded_changes(run) for name, run in runs.items()}
    if not any(change.table and not change.course for scenario in changes.values() for change in scenario.changes):
        return []
    tables = [_tables(model_of_run(run, name), changes[name]) for name, run in runs.items()]
    found = []
    for lookup in dict.fromkeys(lookup for by_lookup in tables for lookup in by_lookup):
        by_run = tuple(by_lookup.get(lookup) for by_lookup in tables)
        if any(table != by_run[0] for table in by_run):
            found.append(LookupDifference(*lookup, by_run))
    return found


def _tables(model: Model, scenario: Scenario) -> dict[tuple[str, tuple[str, ...]], Table]:
    return {
        (display_name(element.name), equation.subscripts): equation.expression
        for element in with_tables(model, scenario)
        for equation in element.equations
        if element.kind == "lookup" and isinstance(equation.expression, Table) and has_points(equation.expression)
    }
