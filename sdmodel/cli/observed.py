"""What commands hold a model against: observations and the file that maps them, beside the model unless named."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import Fault, ObservationError
from ..inference import Series, read_observations, read_series, series_beside
from ..model import Model
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


def observed_series(model: Model, path: Path, observations: str | None, mapping: str | None) -> tuple[Series, ...]:
    """The series that a model, whose file is `path`, is held against; what they leave out is told.

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
    series = read_series(pairs, read_observations(data), model)
    for each in series:
        for told in each.left_out:
            note(f"'{each.name}': observations used: {each.times.size}; not used: {told}")
    return series
