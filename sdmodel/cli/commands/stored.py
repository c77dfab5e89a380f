"""`sdmodel runs`, `show` and `rerun`: stored runs listed, shown in full, and repeated from their own records."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import xarray as xr

from ...analysis import ATTRIBUTION, RANKING, attributed_variables
from ...dataset import (
    ANALYSIS,
    MEMBER,
    POINTS,
    SOURCES,
    TEXT,
    TIME,
    bare_variables,
    base_positions,
    find_in_order,
    long_name,
    member_dims,
    model_content,
    model_encoding,
    recorded_texts,
    spelled_names,
)
from ...errors import ModelError, StoreError, format_count
from ...files import Location, is_plain_file, read_bytes
from ...inference import BACKTEST
from ...model import GIVEN_DATA, Model, Source, with_points
from ...numerals import format_exact, format_number
from ...reading import model_from_text
from ...scenario import POINTS_TEXT
from ...simulation import points_from
from ...store import StoredRun, find_run, is_ensemble, list_runs, open_run
from ...vensim import scenario_from_text
from ..locations import runs_folder
from ..options import bands_option, runs_option, where_option
from ..output import Part, Result, Table, busy, note, output_options
from ..requests import HEADLINES, Engine, RunRequest, integrator_of, make_run
from ..views.attribution import attribution_parts, attribution_record, moment_of
from ..views.backtest import backtest_parts, backtest_record
from ..views.headlines import Line, headline_lines, headline_names, headline_tables
from ..views.members import (
    constant_tables,
    note_broken,
    note_unfinished,
    share_tables,
    shares_of,
    spread_tables,
    spreads_of,
)
from ..views.ranking import ranking_parts, ranking_record
from ..views.sweep import lever_records

_COLUMNS = {
    "run": "fold", "made": "left", "model": "fold", "hash": "left", "scenario": "fold", "changes": "fold",
    "by": "left", "members": "right",
}  # fmt: skip
_SPARE = ("hash", "made", "members", "by", "model")
_FIRST_ATTRIBUTES = (
    "model", "model_sha256", "scenario_name", "scenario", "changes", "integrator", "engine", "time_step", "saveper",
)  # fmt: skip
_HIDDEN_ATTRIBUTES = frozenset({TEXT, HEADLINES, POINTS})
_FEW = 4
"""Up to this many variables of an attribution are shown in full."""
_STRETCHES = 3
_LINES = 12
"""Lines of a scenario or a design that `show` prints in its table."""
_NOT_NUMBERS = re.compile(r"=\s*(?:over |\()")
"""Changes that are lookups or vary over members."""


@click.command("runs", epilog="Example: sdmodel runs --format csv")
@runs_option
@output_options
def runs(folder: str | None) -> Result:
    """List the stored runs, oldest first: model and its hash, scenario, changes, integrator and engine.

    Ensembles are listed too; an unfinished one with the number of members stored so far. Files in the folder that are not
    runs, or are damaged, are named on stderr.
    """
    place = runs_folder(folder)
    catalogue = list_runs(place)
    for fault in catalogue.faults:
        note(str(fault))

    def parts() -> Iterator[Part]:
        if catalogue.runs:
            yield Table(_COLUMNS, [_catalogue_row(stored) for stored in catalogue.runs], _SPARE)
        else:
            note(f"{place} holds no runs yet; `sdmodel run` makes one")

    return Result(lambda: [_catalogue_record(stored) for stored in catalogue.runs], parts)


def _catalogue_record(stored: StoredRun) -> dict[str, object]:
    return {"run": stored.name, "path": str(stored.path), "dims": dict(stored.dims), **stored.attributes}


def _catalogue_row(stored: StoredRun) -> list[str]:
    record = stored.attributes
    scenario = record.get("scenario_name", "") or (record.get("scenario", "") and "(unnamed)")
    return [
        stored.name,
        record["created"][:16].replace("T", " "),
        Path(record["model"]).name,
        record["model_sha256"][:8],
        scenario,
        "; ".join(record.get("changes", "").splitlines()),
        record["integrator"] if record["engine"] == "native" else f"{record['integrator']}, {record['engine']}",
        _members(stored),
    ]


def _members(stored: StoredRun) -> str:
    """The number of members, and of how many if an ensemble is unfinished; for an analysis, its kind."""
    if ANALYSIS in stored.attributes:
        return stored.attributes[ANALYSIS]
    if not stored.members:
        return ""
    count = math.prod(stored.members.values())
    total = stored.attributes.get("members_wanted", str(count))
    return str(count) if total == str(count) else f"{count} of {total}"


# show


@click.command("show", epilog="Example: sdmodel show base")
@click.argument("run", metavar="RUN")
@where_option
@bands_option
@runs_option
@output_options
def show(run: str, statements: tuple[str, ...], bands: tuple[float, ...], folder: str | None) -> Result:
    """Show a stored run in full: its record, headline variables, constants, and the start and end of all other variables.

    For an ensemble, show quantiles of its headline variables and of the sampled constants. RUN is the name of a stored run
    or the path of its file.
    """
    path = find_run(run, runs_folder(folder))
    stored = open_run(path)
    kind = stored.attrs.get(ANALYSIS)
    if kind == ATTRIBUTION:
        names = attributed_variables(stored)
        moments = (moment_of(stored, names),)
        whole = attribution_parts(stored, names, moments, brief=len(names) > _FEW)
        return _analysis(path, stored, whole, lambda: attribution_record(stored, names, moments), "variables")
    if kind == BACKTEST:
        return _analysis(path, stored, backtest_parts(stored), lambda: backtest_record(stored), "scores")
    if kind == RANKING:
        return _analysis(path, stored, ranking_parts(stored), lambda: ranking_record(stored), "levers")
    if is_ensemble(path):
        return _ensemble(path, stored, statements, bands)
    return _single_run(path, stored, statements)


def _analysis(
    path: Location, stored: xr.Dataset, parts: Iterable[Part], record: Callable[[], dict[str, Any]], rows: str
) -> Result:
    """The record of an analysis, and what it found as its own command shows it."""
    own = _record(path, stored)
    return Result(lambda: own | record(), lambda: itertools.chain([_record_table(path, own)], parts), rows)


def _ensemble(path: Location, stored: xr.Dataset, statements: Sequence[str], bands: Sequence[float]) -> Result:
    names = headline_names(stored)

    def is_sampled(item: xr.Variable) -> bool:  # without the points of time courses, which are many
        points = str(item.attrs.get("equation", "")).startswith(POINTS_TEXT)
        return TIME not in item.dims and MEMBER in item.dims and not points

    sampled = spelled_names(stored, is_sampled)
    with busy("reading the members"):
        spreads, shares = spreads_of(stored, names, bands), shares_of(stored, statements)
        constants = spreads_of(stored, sampled, bands)
    note_unfinished(stored)
    note_broken(stored)
    record = _record(path, stored)

    def parts() -> Iterator[Part]:
        yield _record_table(path, record)
        yield from spread_tables(spreads, bands, stored)
        yield from constant_tables(constants, bands)
        yield from share_tables(shares)

    def whole() -> dict[str, Any]:
        quantiles = {"headlines": [vars(item) for item in spreads], "constants": [vars(item) for item in constants]}
        return record | quantiles | {"shares": [vars(share) for share in shares]}

    return Result(whole, parts)


def _single_run(path: Location, stored: xr.Dataset, statements: Sequence[str]) -> Result:
    levers, stored = lever_records(stored), _at_base(path, stored)
    shares = shares_of(stored, statements)
    members = math.prod(stored.sizes[dim] for dim in member_dims(stored))
    if members > 1:
        note(f"numbers are medians of {members} members")
    lines = headline_lines(stored, headline_names(stored), quiet=True)
    ends = stored.isel({TIME: sorted({0, stored.sizes[TIME] - 1})})
    variables = headline_lines(ends, [str(name) for name in stored.data_vars])
    record = _record(path, stored)

    def parts() -> Iterator[Part]:
        yield _record_table(path, record)
        yield from headline_tables(lines, stored)
        yield from share_tables(shares)
        named = [line.name for line in variables]
        kinds = {
            name: str(own.attrs.get("kind", "")) for name, own in zip(named, find_in_order(stored, named), strict=True)
        }
        constants = [line for line in variables if kinds[line.name] == "constant"]
        others = [line for line in variables if kinds[line.name] != "constant"]
        if constants:
            rows = [[line.name, format_exact(line.values[0]), line.units] for line in constants]
            yield Table({"constant": "fold", "value": "right", "units": "fold"}, rows)
        if others:
            columns = {"variable": "fold", "kind": "left", "units": "fold", "start": "right", "end": "right"}
            yield Table(columns, [[line.name, kinds[line.name], line.units, *_ends(line)] for line in others])

    def whole() -> dict[str, Any]:
        found = record | {"headlines": [vars(line) for line in lines], "variables": [vars(line) for line in variables]}
        found |= {"levers": levers} if levers else {}
        return found | ({"shares": [vars(share) for share in shares]} if statements else {})

    return Result(whole, parts, "variables")


def _at_base(path: Location, stored: xr.Dataset) -> xr.Dataset:
    """For a sweep, the run at the levers' own values, with a note; any other run as it is."""
    places = base_positions(stored)
    if places:
        levers = ", ".join(
            f"{long_name(stored[dim])} {format_exact(float(stored[dim][at]))}" for dim, at in places.items()
        )
        note(f"numbers are those at the levers' own values, {levers}; `sdmodel plot {path.stem}` plots the others")
    return stored.isel(places)


def _record(path: Location, run: xr.Dataset) -> dict[str, Any]:
    """The record of a run, the most important attributes first, without empty ones."""
    names = dict.fromkeys(name for name in (*_FIRST_ATTRIBUTES, *map(str, run.attrs)) if name not in _HIDDEN_ATTRIBUTES)
    attributes = {name: run.attrs[name] for name in names if run.attrs.get(name, "") != ""}
    return {"run": path.stem, "path": str(path), "attributes": attributes}


def _record_table(path: Location, record: dict[str, Any]) -> Table:
    rows = [[name, _describe_attribute(name, str(value))] for name, value in record["attributes"].items()]
    return Table({"": "left", path.stem: "fold"}, rows)


def _describe_attribute(name: str, value: str) -> str:
    if name.endswith("_sha256"):
        return value[:12]
    if name == "earlier":
        with contextlib.suppress(ValueError, TypeError, KeyError):  # a damaged record is shown as it is
            parts = [
                (own["until"], "; ".join(f"{own['scenario']}\n{own['changes']}".split("\n")))
                for own in json.loads(value)
            ]
            return "\n".join(f"until {until:.10g}: {changes.strip('; ') or 'the model'}" for until, changes in parts)
    return _first_lines(value)


def _first_lines(text: str) -> str:
    """The lines of a text; of many, the first, and how to see the rest."""
    lines = [line.rstrip() for line in text.splitlines()]
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"... and {format_count(len(lines) - _LINES, 'more line')}; --json has all"]
    return "\n".join(lines)


def _ends(line: Line) -> list[str]:
    return [format_number(line.values[place], line.units) for place in (0, -1)]


# rerun


@dataclass(frozen=True)
class LargestDifference:
    """The largest difference between two runs, also as a share of the variable's largest value, and its time."""

    name: str
    difference: float
    share: float
    time: float | None


@click.command("rerun", epilog="Example: sdmodel rerun base")
@click.argument("run", metavar="RUN")
@click.option(
    "--members",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Number of members of an ensemble to repeat.",
)
@runs_option
@output_options
def rerun(run: str, members: int, folder: str | None) -> Result:
    """Repeat a stored run from the model text, scenario, changes, integrator and engine in its own record, and compare.

    For an ensemble, repeat members from its start, middle and end. Nothing is stored. If a number differs, the largest
    difference is printed and the exit code is 1. RUN is the name of a stored run or the path of its file.
    """
    path = find_run(run, runs_folder(folder))
    stored = open_run(path)
    if ANALYSIS in stored.attrs:
        kind = str(stored.attrs[ANALYSIS])
        article = "an" if kind.startswith(("a", "e", "i", "o", "u")) else "a"
        message = f"run '{path.stem}': is {article} {kind}, not a run; repeat the command that made it"
        raise StoreError(message)
    many = is_ensemble(path)
    count = stored.sizes[MEMBER] if many else 0
    stored = _some_members(stored, members).load() if many else stored
    repeated = _repeat(path, stored, save=tuple(map(str, stored.data_vars)) if many else None)
    largest = _largest_difference(stored, repeated)
    if largest is not None:
        note(f"it was made with {stored.attrs.get('versions', 'unknown versions')}")

    def parts() -> Iterator[Part]:
        if largest is None:
            part = f" in {min(count, members):,} of {format_count(count, 'member')}" if many else ""
            same = (
                "its only variable is" if len(stored.data_vars) == 1 else f"all {len(stored.data_vars)} variables are"
            )
            yield f"run '{path.stem}': {same} equal{part}, to the last digit"
            return
        when = "" if largest.time is None else f" at {largest.time:.10g}"
        share = f"{100 * largest.share:.2g} % of its largest value"
        yield f"run '{path.stem}': '{largest.name}' differs most, by {format_number(largest.difference)}{when}, {share}"

    def record() -> dict[str, Any]:
        found = {"run": path.stem, "equal": largest is None, "largest": largest and vars(largest)}
        return found | ({"members": min(count, members), "of": count} if many else {})

    return Result(record, parts, exit_code=0 if largest is None else 1)


def _some_members(stored: xr.Dataset, members: int) -> xr.Dataset:
    """Members of an ensemble from three stretches: at its start, in its middle and at its end.

    A single member is taken twice, since the code for one run alone rounds differently from the code for several.
    """
    count = stored.sizes[MEMBER]
    if members >= count:
        return stored.isel({MEMBER: [0, 0] if count == 1 else slice(None)})
    length = -(-members // _STRETCHES)
    starts = np.linspace(0, count - length, _STRETCHES).astype(int)
    chosen = np.unique(np.concatenate([np.arange(start, start + length) for start in starts]))[:members]
    return stored.isel({MEMBER: np.repeat(chosen, 2) if chosen.size == 1 else chosen})


def _repeat(path: Location, stored: xr.Dataset, *, save: tuple[str, ...] | None = None) -> xr.Dataset:
    record = stored.attrs
    content = model_content(stored)
    if content is None:
        message = f"{path}: its record does not hold the text of its model; run {record['model']} again"
        raise StoreError(message)
    from ...simulation import RANDOM_NUMBERS, RUN_SEED, recorded_beginning

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.mdl")  # paths in a record are not trusted
        try:
            model.write_bytes(content)
        except OSError as cause:
            reason = f"cannot be written ({cause.strerror}); make room there, or set TMPDIR to another folder"
            message = f"{folder}: {reason}"
            raise StoreError(message) from cause
        request = RunRequest(
            model,
            (scenario_from_text(str(record.get("scenario", ""))),),
            tuple(line for line in str(record.get("changes", "")).splitlines() if not _NOT_NUMBERS.search(line)),
            integrator_of(stored),
            cast("Engine", str(record["engine"])),
            save,
            seed=int(record[RUN_SEED]) if RUN_SEED in record else None,
        )
        start, at = recorded_beginning(stored)
        request = replace(request, start=start, at=at)
        if at is not None:  # the record of the run before it has their beginning
            request = replace(request, scenarios=(), changes=())
        noisy = MEMBER in stored.dims and RANDOM_NUMBERS in record
        return make_run(
            request,
            _varying_constants(stored),
            model=_with_its_data(path, stored, content),
            members=stored[MEMBER].values.tolist() if noisy else None,
        )


def _with_its_data(path: Location, stored: xr.Dataset, content: bytes) -> Model | None:
    """The model of a run with its encoding and the data that it had; None if it had neither. A file that has changed is an error."""
    record = stored.attrs
    home = Path(str(record["model"])).parent
    lines = (line.partition(" ") for line in str(record.get(SOURCES, "")).splitlines())
    sources = [Source(own[1:], sha256, is_series=own[0] == "*") for sha256, _, own in lines]
    files = [own for own in sources if own.path != GIVEN_DATA]
    for source in files:
        # the path is not trusted: only a file that has the content of the run is read as data
        content_now = read_bytes(home / source.path, error=ModelError) if is_plain_file(home / source.path) else b""
        if hashlib.sha256(content_now).hexdigest() != source.sha256:
            what = "has changed since" if content_now else "is missing"
            message = f"run '{path.stem}': {home / source.path}, which it has data from, {what}; restore the file, or make the run again"
            raise StoreError(message)
    encoding = model_encoding(stored)
    if not sources and encoding is None:
        return None
    series = [home / own.path for own in files if own.is_series]
    folders = [(home / own.path).parent for own in files]
    model = model_from_text(
        content, str(record["model"]), data=series, allow_files=folders, encoding=encoding, texts=recorded_texts(stored)
    )
    return with_points(model, points_from(str(record[POINTS]))) if POINTS in record else model


def _varying_constants(stored: xr.Dataset) -> dict[str, Any]:
    variables = [stored[name] for name in stored.variables]
    return {long_name(item): item for item in variables if item.attrs.get("kind") == "constant" and member_dims(item)}


def _largest_difference(stored: xr.Dataset, repeated: xr.Dataset) -> LargestDifference | None:
    """The variable that differs most relative to its size; None if all numbers are equal."""
    again = bare_variables(repeated)
    differing = [
        name
        for name, own in bare_variables(stored).items()
        if name not in again or own.dims != again[name].dims or not np.array_equal(own, again[name], equal_nan=True)
    ]
    found = [_difference(stored[name], repeated.get(name)) for name in differing]
    return max((item for item in found if item is not None), key=lambda item: item.share, default=None)


def _difference(stored: xr.DataArray, repeated: xr.DataArray | None) -> LargestDifference | None:
    """The largest difference of a variable; infinite if its shape differs, or only one of two values is a number."""
    name = long_name(stored)
    if repeated is not None and set(repeated.dims) < set(stored.dims):
        lacking = [stored.sizes[dim] for dim in stored.dims if dim not in repeated.dims]
        if stored.attrs.get("kind") == "constant" or set(lacking) == {1}:
            repeated = repeated.broadcast_like(stored)  # the repeated members may all have the same number, or be one
    if repeated is None or dict(stored.sizes) != dict(repeated.sizes):
        return LargestDifference(name, np.inf, np.inf, None)
    before, after = stored.values, repeated.transpose(*stored.dims).values
    if np.array_equal(before, after, equal_nan=True):
        return None
    with np.errstate(invalid="ignore"):
        differences = np.where((before == after) | (np.isnan(before) & np.isnan(after)), 0.0, np.abs(before - after))
    differences = np.nan_to_num(differences, nan=np.inf)
    place = np.unravel_index(int(differences.argmax()), differences.shape)
    largest = float(differences[place])
    size = float(np.nanmax(np.abs(np.where(np.isfinite(before), before, np.nan)), initial=0.0))
    time = float(stored[TIME].values[place[stored.dims.index(TIME)]]) if TIME in stored.dims else None
    return LargestDifference(name, largest, largest / size if size else np.inf, time)
