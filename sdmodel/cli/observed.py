"""What commands hold a model against: observations and the file that maps them, beside the model unless named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import Fault, ObservationError
from ..inference import Series, read_observations, read_series, series_beside
from ..model import Model, key, nearest
from .tables import note

_OBSERVATIONS = Path("data", "observations.csv")

observations_option = click.option(
    "-d", "observations", metavar="FILE", help="The observations (default: data/observations.csv beside the model)."
)
series_option = click.option(
    "--series",
    "mapping",
    metavar="FILE",
    help="What observations say of which variable, and how far they may lie from it (default: MODEL.series.csv beside the model).",
)
names_option = click.option(
    "--on",
    "names",
    multiple=True,
    metavar="SERIES",
    help="Hold the model against this series only, and others so named.",
)


def observed_series(
    model: Model, path: Path, observations: str | None, mapping: str | None, names: Sequence[str] = ()
) -> tuple[Series, ...]:
    """The series that a model, whose file is `path`, is held against, of those names if any; what they leave out is told.

    Raises
    ------
    ObservationError
        If a file is neither named nor beside the model, or has faults.
    """
    data = Path(observations) if observations else path.parent / _OBSERVATIONS
    pairs = Path(mapping) if mapping else series_beside(path)
    if pairs is None:
        what = f"has no file {path.stem}.series.csv beside it; write one, or name another with --series"
        raise ObservationError([Fault(str(path), what)])
    if not observations and not data.is_file():
        what = f"has no observations beside it in {_OBSERVATIONS}; name them with -d FILE"
        raise ObservationError([Fault(str(path), what)])
    series = chosen_series(read_series(pairs, read_observations(data), model), names)
    for each in series:
        for told in each.left_out:
            note(f"'{each.name}': observations used: {each.times.size}; not used: {told}")
    return series


def chosen_series(series: Sequence[Series], names: Sequence[str]) -> tuple[Series, ...]:
    """The series of those names, or all.

    Raises
    ------
    ObservationError
        If there are none of some names.
    """
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
