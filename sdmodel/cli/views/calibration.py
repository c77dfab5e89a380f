"""A calibration as tables: the constants, the fit before and after, and what the data leave open."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import format_count
from ...inference import Calibration, Posterior, close_pairs, correlations, leading_constants
from ...numerals import format_number
from ..output import Part, Table, note

_SIDES = {"low": "lower", "high": "upper", "": ""}


def calibration_parts(found: Calibration, files: Sequence[Path], continuing: str = "") -> Iterator[Part]:
    """The results of a calibration and where they are stored; doubts are notes.

    `continuing` is the command that makes the chain of a posterior longer.
    """
    yield _constants(found)
    if found.posterior:
        yield _marginals(found.posterior)
    yield _agreement(found)
    yield from _identification(found)
    yield _search(found)
    for path in files:
        yield f"stored as {path}"
    for doubt in _doubts(found, files, continuing):
        note(doubt)


def _constants(found: Calibration) -> Table:
    columns = {"constant": "fold", "units": "fold", "before": "right", "best": "right", "low": "right", "high": "right"}
    if found.posterior:
        columns |= {"median": "right", "90 % interval": "right", "R-hat": "right", "ESS": "right"}
    columns |= {"learned": "right", "on bound": "left"}
    rows = [_constant_cells(found, place) for place in range(len(found.parameters))]
    return Table(columns, rows, spare=("units", "before"))


def _constant_cells(found: Calibration, place: int) -> list[str]:
    constant = found.parameters[place]
    best = float(found.search.best.values[place])
    cells = [constant.name, constant.units, *map(_short, (constant.initial, best, constant.low, constant.high))]
    gain = found.identification.gains[place]
    if found.posterior:
        marginal = found.posterior.marginals[place]
        gain = marginal.gain
        effective = min(marginal.ess_bulk, marginal.ess_tail)
        interval = f"{_short(marginal.low)} to {_short(marginal.high)}"
        cells += [_short(marginal.median), interval, f"{marginal.rhat:.3f}", f"{effective:.0f}"]
    return [*cells, f"{max(0.0, gain):.0%}", _SIDES[found.search.binding[place]]]


def _marginals(posterior: Posterior) -> Table:
    columns = {"constant": "fold", "sd left": "right", "data": "left", "near lower": "right", "near upper": "right"}
    columns |= {"crowded": "left", "R-hat": "right", "ESS bulk": "right", "ESS tail": "right"}
    rows = [
        [
            marginal.name,
            f"{marginal.contraction:.0%}",
            "identify" if marginal.identified else "say nothing" if marginal.not_identified else "say something",
            f"{marginal.near_low:.1%}",
            f"{marginal.near_high:.1%}",
            "at a bound" if marginal.at_bound else "",
            f"{marginal.rhat:.3f}",
            f"{marginal.ess_bulk:.0f}",
            f"{marginal.ess_tail:.0f}",
        ]
        for marginal in sorted(posterior.marginals, key=lambda marginal: marginal.contraction)
    ]
    return Table(columns, rows)


def _agreement(found: Calibration) -> Table:
    columns = {
        "series": "fold", "units": "fold", "n": "right", "RMSE before": "right", "RMSE best": "right",
        "errors before": "right", "errors best": "right",
    }  # fmt: skip
    rows = [
        [
            series.name,
            series.units,
            str(series.count),
            *map(_short, series.rmse),
            *(f"{_short(deviation)} sd" for deviation in series.deviations),
        ]
        for series in found.agreement
    ]
    return Table(columns, rows, spare=("units",))


def _identification(found: Calibration) -> Iterator[str]:
    """How many directions the data determine, and which they leave to the prior."""
    names = [constant.name for constant in found.parameters]
    identification = found.identification
    yield f"near the best point the data determine {identification.freedom:.1f} of {format_count(len(names), 'direction')}"
    for direction in identification.directions:
        if not direction.identified:
            terms = ", ".join(f"{weight:+.2f} {name}" for name, weight in leading_constants(direction, names))
            yield f"not identified, {direction.left:.0%} of the prior variance left: {terms}"
    for one, other, correlation in close_pairs(correlations(found), names):
        yield f"hard to tell apart, correlation {correlation:+.2f}: {one}, {other}"


def _search(found: Calibration) -> str:
    search = found.search
    if search.valley:
        minima = "they end at equally good points in different places, which the data do not distinguish"
    elif len(search.distinct) == 1:
        minima = "all end in one minimum"
    else:
        minima = f"they end in {len(search.distinct)} minima, the next {search.distinct[1].cost - search.best.cost:.3g} above"
    line = (
        f"{format_count(search.evaluations, 'simulation')} from {format_count(search.starts, 'start')}; of {format_count(len(search.ends), 'search')} downhill "
        f"{search.reached} reach the best point; {minima}"
    )
    if found.posterior is None:
        return line
    posterior = found.posterior
    steps, walkers = posterior.chain.points.shape[:2]
    return (
        f"{line}\nposterior: {walkers} walkers, {steps} steps, the first {posterior.burn} discarded; "
        f"autocorrelation time {posterior.autocorrelation_time:.0f} steps, {posterior.chain.acceptance:.0%} of the proposals accepted"
    )


def _doubts(found: Calibration, files: Sequence[Path], continuing: str) -> Iterator[str]:
    """What to know before using the numbers."""
    search = found.search
    bound = [constant.name for constant, side in zip(found.parameters, search.binding, strict=True) if side]
    if bound:
        yield f"on a bound that keeps the fit from improving: {', '.join(bound)}; widen it if that is plausible"
    if search.failed:
        failed = f"{search.failed} of {format_count(search.evaluations, 'simulation')} of the search"
        yield f"{failed} could not be compared with the data: not finite, or not above 0 under a log error"
    if not search.best.converged:
        yield "the best search ended before it converged; more --starts may help"
    if found.posterior is None:
        return
    for doubt in found.posterior.doubts:
        yield f"not converged: {doubt}"
    if found.posterior.doubts:
        yield f"to continue: {continuing}"
    least = min(min(marginal.ess_bulk, marginal.ess_tail) for marginal in found.posterior.marginals)
    table = next(path for path in files if path.suffix == ".vsc")
    under = ", under the changes of this command (-c, --set)" if found.scenario.changes else ""
    command = f"`sdmodel ensemble -e {shlex.quote(str(table))}`"
    yield f"{command} runs the posterior draws{under}, worth {least:.0f} independent ones"


def _short(value: float) -> str:
    return format_number(float(f"{value:.4g}")) if math.isfinite(value) else "not finite"
