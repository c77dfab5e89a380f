"""What a calibration found, as tables: the constants, the fit before and after, and what the data leave open."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ...inference import Calibration, Posterior, close_pairs, correlations, leading
from ...numerals import number
from ..tables import note, print_table

_SIDES = {"low": "lower", "high": "upper", "": ""}


def print_calibration(found: Calibration, files: Sequence[Path], going_on: str = "") -> None:
    """Print what a calibration found, and where it is stored; doubts go to stderr.

    `going_on` is the command that makes the walk of a posterior longer.
    """
    _print_constants(found)
    if found.posterior:
        _print_identified(found.posterior)
    _print_agreement(found)
    for line in _identified(found):
        click.echo(line)
    click.echo(_searched(found))
    for each in files:
        click.echo(f"stored as {each}")
    for doubt in _doubts(found, files, going_on):
        note(doubt)


def _print_constants(found: Calibration) -> None:
    columns = {"constant": "fold", "units": "fold", "before": "right", "best": "right", "low": "right", "high": "right"}
    if found.posterior:
        columns |= {"median": "right", "90 % interval": "right", "R-hat": "right", "ESS": "right"}
    columns |= {"data say": "right", "on bound": "left"}
    rows = (_constant_cells(found, place) for place in range(len(found.parameters)))
    print_table(columns, rows, spare=("units", "before"))


def _constant_cells(found: Calibration, place: int) -> list[str]:
    each = found.parameters[place]
    best = float(found.search.best.values[place])
    cells = [each.name, each.units, *map(_short, (each.initial, best, each.low, each.high))]
    gain = found.identification.gains[place]
    if found.posterior:
        marginal = found.posterior.marginals[place]
        gain = marginal.gain
        effective = min(marginal.ess_bulk, marginal.ess_tail)
        interval = f"{_short(marginal.low)} to {_short(marginal.high)}"
        cells += [_short(marginal.median), interval, f"{marginal.rhat:.3f}", f"{effective:.0f}"]
    return [*cells, f"{max(0.0, gain):.0%}", _SIDES[found.search.binding[place]]]


def _print_identified(posterior: Posterior) -> None:
    """What the data leave of each constant's prior, and whether draws crowd at a bound."""
    columns = {"constant": "fold", "sd left": "right", "data": "left", "near lower": "right", "near upper": "right"}
    columns |= {"crowded": "left", "R-hat": "right", "ESS bulk": "right", "ESS tail": "right"}
    rows = [
        [
            each.name,
            f"{each.contraction:.0%}",
            "identify" if each.identified else "say nothing" if each.untold else "say something",
            f"{each.near_low:.1%}",
            f"{each.near_high:.1%}",
            "at a bound" if each.pressed else "",
            f"{each.rhat:.3f}",
            f"{each.ess_bulk:.0f}",
            f"{each.ess_tail:.0f}",
        ]
        for each in sorted(posterior.marginals, key=lambda each: each.contraction)
    ]
    print_table(columns, rows)


def _print_agreement(found: Calibration) -> None:
    columns = {
        "series": "fold", "units": "fold", "n": "right", "RMSE before": "right", "RMSE best": "right",
        "errors before": "right", "errors best": "right",
    }  # fmt: skip
    rows = (
        [
            each.name,
            each.units,
            str(each.count),
            *map(_short, each.rmse),
            *(f"{_short(away)} sd" for away in each.deviations),
        ]
        for each in found.agreement
    )
    print_table(columns, rows, spare=("units",))


def _identified(found: Calibration) -> Iterator[str]:
    """What the data decide, and the directions that they leave to the prior."""
    names = [each.name for each in found.parameters]
    said = found.identification
    yield f"near the best point the data decide {said.freedom:.1f} of {len(names)} directions"
    for each in said.directions:
        if not each.identified:
            parts = ", ".join(f"{part:+.2f} {name}" for name, part in leading(each, names))
            yield f"not identified, {each.left:.0%} of the prior variance left: {parts}"
    for one, other, together in close_pairs(correlations(found), names):
        yield f"hardly told apart, correlation {together:+.2f}: {one}, {other}"


def _searched(found: Calibration) -> str:
    search = found.search
    if search.valley:
        minima = "they end at one height in different places, which the data do not tell apart"
    elif len(search.distinct) == 1:
        minima = "all end in one minimum"
    else:
        minima = f"they end in {len(search.distinct)} minima, the next {search.distinct[1].cost - search.best.cost:.3g} above"
    line = (
        f"{search.evaluations} simulations from {search.starts} starts; of {len(search.ends)} followed downhill "
        f"{search.reached} reach the best; {minima}"
    )
    if found.posterior is None:
        return line
    posterior = found.posterior
    steps, walkers = posterior.chain.points.shape[:2]
    return (
        f"{line}\nposterior: {walkers} walkers, {steps} steps, the first {posterior.burn} left out; "
        f"autocorrelation time {posterior.memory:.0f} steps, {posterior.chain.acceptance:.0%} of the proposals taken"
    )


def _doubts(found: Calibration, files: Sequence[Path], going_on: str) -> Iterator[str]:
    """What a reader must know before the numbers are used."""
    search = found.search
    bound = [each.name for each, side in zip(found.parameters, search.binding, strict=True) if side]
    if bound:
        yield f"on a bound that keeps the fit from improving: {', '.join(bound)}; widen it if that is plausible"
    if search.failed:
        yield f"{search.failed} of {search.evaluations} simulations of the search could not be held against the data: not finite, or not above 0 under a log error"
    if not search.best.converged:
        yield "the best search ended before it converged; more --starts may help"
    if found.posterior is None:
        return
    for doubt in found.posterior.doubts:
        yield f"not converged: {doubt}"
    if found.posterior.doubts:
        yield f"to go on: {going_on}"
    least = min(min(each.ess_bulk, each.ess_tail) for each in found.posterior.marginals)
    table = next(path for path in files if path.suffix == ".vsc")
    under = ", under the changes of this command (-c, --set)" if found.scenario.changes else ""
    yield f"`sdmodel ensemble -e {shlex.quote(str(table))}` runs the draws{under}, worth {least:.0f} independent ones"


def _short(value: float) -> str:
    return number(float(f"{value:.4g}")) if math.isfinite(value) else "not finite"
