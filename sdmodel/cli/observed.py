"""What commands hold a model against: observations and the file that maps them, beside the model unless named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import xarray as xr

from ..analysis import recorded_model
from ..errors import Fault, ObservationError
from ..inference import Series, joined_observations, joined_series, read_observations, read_series, series_beside
from ..model import Model, key, nearest
from .project import model_path
from .tables import note

_OBSERVATIONS = Path("data", "observations.csv")

observations_option = click.option(
    "-d",
    "observations",
    multiple=True,
    metavar="FILE",
    help="Observations, of several files together (default: data/observations.csv beside the model).",
)
series_option = click.option(
    "--series",
    "mapping",
    multiple=True,
    metavar="FILE",
    help="What observations say of which variable, and how far they may lie from it; several files together (default: MODEL.series.csv beside the model).",
)
names_option = click.option(
    "--on",
    "names",
    multiple=True,
    metavar="SERIES",
    help="Hold the model against this series only, and others so named.",
)


def observed_series(
    model: Model, path: Path, observations: Sequence[str], mapping: Sequence[str], names: Sequence[str] = ()
) -> tuple[Series, ...]:
    """The series that a model, whose file is `path`, is held against, of those names if any; what they leave out is told."""
    data = [Path(each) for each in observations] or [path.parent / _OBSERVATIONS]
    pairs = [Path(each) for each in mapping] or list(filter(None, [series_beside(path)]))
    if not pairs:
        what = f"has no file {path.stem}.series.csv beside it; write one, or name another with --series"
        raise ObservationError([Fault(str(path), what)])
    if not observations and not data[0].is_file():
        what = f"has no observations beside it in {_OBSERVATIONS}; name them with -d FILE"
        raise ObservationError([Fault(str(path), what)])
    known = joined_observations([read_observations(each) for each in data])
    series = chosen_series(joined_series([read_series(each, known, model) for each in pairs]), names)
    for each in series:
        for told in each.left_out:
            note(f"'{each.name}': observations used: {each.times.size}; not used: {told}")
    return series


def series_of_run(stored: xr.Dataset, path: Path) -> tuple[Series, ...]:
    """The series that lie beside the model of a run, whose file is `path`, or none."""
    file = stored_model_file(stored)
    pairs, data = series_beside(file), file.parent / _OBSERVATIONS
    if pairs is None or not data.is_file():
        return ()
    return read_series(pairs, read_observations(data), recorded_model(stored, str(path)))


def stored_model_file(stored: xr.Dataset) -> Path:
    """Where the model of a run is, whose record may name a place as another folder saw it; the project's if that is gone."""
    named = Path(str(stored.attrs["model"]))
    if named.is_file():
        return named
    project = model_path(None)
    return project if project.name == named.name else named


def chosen_series(series: Sequence[Series], names: Sequence[str]) -> tuple[Series, ...]:
    """The series of those names, or all."""
    known = {key(each.name): each for each in series}
    faults = []
    for name in names:
        if key(name) not in known:
            close = nearest(name, [each.name for each in series])
            cure = f"did you mean '{close}'?" if close else f"there are {', '.join(each.name for each in series)}"
            faults.append(Fault("--on", f"'{name}' is no series; {cure}"))
    if faults:
        raise ObservationError(faults)
    return tuple(dict.fromkeys(known[key(name)] for name in names)) or tuple(series)
