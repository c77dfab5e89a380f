"""The observations that commands compare a model with, and the file that maps them to variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import xarray as xr

from ..analysis import model_of_run
from ..errors import Fault, ObservationError
from ..files import Location
from ..inference import (
    Series,
    find_series_file,
    join_observations,
    join_series,
    parse_time,
    read_observations,
    read_series,
    series_between,
)
from ..model import Model, key, suggest
from .locations import model_path
from .options import Decorator, option_group
from .output import note

_OBSERVATIONS = Path("data", "observations.csv")


@dataclass(frozen=True)
class DataOptions:
    """Files of observations, files that map them to variables, and the series to use."""

    observations: tuple[str, ...]
    mapping: tuple[str, ...]
    names: tuple[str, ...]
    since: str | None = None
    until: str | None = None

    def series(self, model: Model, path: Path) -> tuple[Series, ...]:
        """The series for a model, whose file is `path`; notes say which observations are not used."""
        data = [Path(name) for name in self.observations] or [path.parent / _OBSERVATIONS]
        mapping = [Path(name) for name in self.mapping] or list(filter(None, [find_series_file(path)]))
        if not mapping:
            what = f"has no file {path.stem}.series.csv beside it; write one, or name another with --series"
            raise ObservationError([Fault(str(path), what)])
        if not self.observations and not data[0].is_file():
            what = f"has no observations beside it in {_OBSERVATIONS}; name them with -d FILE"
            raise ObservationError([Fault(str(path), what)])
        known = join_observations([read_observations(file) for file in data])
        found = choose_series(join_series([read_series(file, known, model) for file in mapping]), self.names)
        return self.between(found)

    def between(self, chosen: Sequence[Series]) -> tuple[Series, ...]:
        """The series between --since and --until; notes say which observations are not used."""
        since = -math.inf if self.since is None else parse_time(self.since, "--since")
        until = math.inf if self.until is None else parse_time(self.until, "--until")
        found = series_between(chosen, since, until)
        used = {one.name for one in found}
        for series in chosen:
            if series.name not in used:
                note(f"'{series.name}': left out, since it has no observation between --since and --until")
        for series in found:
            for left_out in series.left_out:
                note(f"'{series.name}': observations used: {series.times.size}; not used: {left_out}")
        return found


def data_options() -> Decorator:
    """-d, --series, --on, --since and --until as `data`: DataOptions."""
    return option_group(
        "data",
        DataOptions,
        click.option(
            "-d",
            "observations",
            multiple=True,
            metavar="FILE",
            help="Observations; may be repeated, and a file may continue the series of another (default: data/observations.csv beside the model).",
        ),
        click.option(
            "--series",
            "mapping",
            multiple=True,
            metavar="FILE",
            help="Which observations belong to which variable, and with what error; may be repeated (default: MODEL.series.csv beside the model).",
        ),
        click.option("--on", "names", multiple=True, metavar="SERIES", help="Use only this series; may be repeated."),
        click.option("--since", metavar="TIME", help="Use observations from this date or time on."),
        click.option("--until", metavar="TIME", help="Use observations up to this date or time."),
    )


def series_of_run(stored: xr.Dataset, path: Location) -> tuple[Series, ...]:
    """The series beside the model of a run, whose file is `path`; none if there are no such files."""
    file = stored_model_file(stored)
    mapping, data = find_series_file(file), file.parent / _OBSERVATIONS
    if mapping is None or not data.is_file():
        return ()
    return read_series(mapping, read_observations(data), model_of_run(stored, str(path)))


def stored_model_file(stored: xr.Dataset) -> Path:
    """The model file of a run; the project's model of that name if the recorded path does not exist here."""
    recorded = Path(str(stored.attrs["model"]))
    if recorded.is_file():
        return recorded
    project = model_path(None)
    return project if project.name == recorded.name else recorded


def choose_series(series: Sequence[Series], names: Sequence[str]) -> tuple[Series, ...]:
    """The series of those names, or all."""
    known = {key(one.name): one for one in series}
    faults = []
    for name in names:
        if key(name) not in known:
            cure = suggest(name, [one.name for one in series], f"there are {', '.join(one.name for one in series)}")
            faults.append(Fault("--on", f"'{name}' is not a series; {cure}"))
    if faults:
        raise ObservationError(faults)
    return tuple(dict.fromkeys(known[key(name)] for name in names)) or tuple(series)
