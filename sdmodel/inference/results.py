"""The files of a calibration, in Vensim's formats: a change file, samples with their sensitivity file, and a record.

The samples are members that fit the past: posterior draws, with the constants that the calibration did not free.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError, Fault, ScenarioError, format_count
from ..files import already_exists, replace_files, unwritable
from ..model import Cell, Model, cell_name, key, quoted_cell, split_name
from ..numerals import json_value
from ..scenario import Change, Design, Distribution, Sampling, SamplingMethod, Variation, constant_cells, make_design
from ..vensim import samples_text, sampling_text, scenario_text
from .calibration import Calibration
from .optimum import close_pairs, leading_constants
from .parameters import Equality, Parameter
from .posterior import Posterior, posterior_draws

CHAIN = ".chain.npz"
RECORD = ".json"
ENDINGS = (".cin", ".tab", ".vsc", RECORD, CHAIN)
"""Endings of a calibration's files; samples and chain exist only with a posterior."""

_EQUAL = "--equal"
_SIDE = r'((?:"(?:[^"\\]|\\.)*"|[^"=])+)'
_EQUALITY = re.compile(rf"{_SIDE}={_SIDE}", re.DOTALL)
_HYPERCUBE: SamplingMethod = "latin hypercube"
_PACKAGES = ("sdmodel", "numpy", "scipy", "emcee", "arviz-stats")


def check_can_write(stem: Path, *, force: bool, ensemble: Path | None = None, replace: bool = False) -> None:
    """Check, before any work, that a calibration can be stored under a name, and its members as a named ensemble.

    `force` allows replacing the calibration, `replace` the ensemble.

    Raises
    ------
    CalibrationError
        If one of the files exists already.
    """
    pair = (ensemble, ensemble.with_suffix(".tab")) if ensemble and not replace else ()
    cures = dict.fromkeys(pair, "name another file with --ensemble, or --force to replace it")
    own = () if force else tuple(_with_ending(stem, ending) for ending in ENDINGS)
    cures |= dict.fromkeys(own, "choose another --name, --resume an interrupted run, or --force to replace it")
    for path, cure in cures.items():
        if os.path.lexists(path):
            message = f"{path}: exists already; {cure}"
            raise CalibrationError(message)


def write_results(
    calibration: Calibration,
    stem: Path,
    *,
    samples: int,
    force: bool,
    settings: Mapping[str, Any],
    beyond: ExtraConstants | None = None,
    ensemble: Path | None = None,
    replace: bool = False,
) -> list[Path]:
    """Write the best point as a change file, the samples and sensitivity file of a posterior, and a record.

    The samples also contain the constants of `beyond`. They are written next to the other files, or as `ensemble`, a `.vsc`
    file, which is replaced only with `replace`. The record is written last, so that where it exists the other files are
    complete. Returned are the paths, including the chain's.

    Raises
    ------
    CalibrationError
        If a file exists already and `force` is not given, or cannot be written.
    """
    files = {_with_ending(stem, ".cin"): _change_text(calibration, stem.name)}
    posterior, beyond = calibration.posterior, beyond or ExtraConstants()
    control = ensemble or _with_ending(stem, ".vsc")
    if posterior is not None:
        seed = max(calibration.seed, 1)
        free = calibration.parameters
        names, values = ensemble_samples(calibration.model, free, posterior, beyond, count=samples, seed=seed)
        table = control.with_suffix(".tab")
        files[table] = samples_text(names, values)
        files[control] = sampling_text(Sampling("file", len(values), seed, file=table.name))
    record = calibration_record(calibration, beyond)
    record |= {"settings": dict(settings), "ensemble": str(control) if posterior else None}
    files[_with_ending(stem, RECORD)] = json.dumps(json_value(record), indent=2, allow_nan=False) + "\n"
    changes: dict[Path, tuple[bytes | None, bytes]] = {}
    for path, text in files.items():
        allowed = force if path.parent == stem.parent and path.name.startswith(f"{stem.name}.") else replace
        if os.path.lexists(path) and not allowed:
            raise CalibrationError(already_exists(path))
        changes[path] = (_content(path), text.encode())
    for folder in dict.fromkeys(path.parent for path in (control, *files)):  # the record with what is beside it, last
        replace_files(
            {path: change for path, change in changes.items() if path.parent == folder}, error=CalibrationError
        )
    chain = _with_ending(stem, CHAIN)
    return [*files, *([chain] if posterior is not None and chain.exists() else [])]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise CalibrationError(unwritable(path, cause)) from cause


def calibration_record(calibration: Calibration, beyond: ExtraConstants | None = None) -> dict[str, Any]:
    """Return everything that a calibration found, as numbers and texts; some numbers may not be finite."""
    search, names = calibration.search, [parameter.name for parameter in calibration.parameters]
    record: dict[str, Any] = {
        "model": calibration.model.path,
        "model_sha256": calibration.model.sha256,
        "scenario": calibration.scenario.text,
        "integrator": calibration.integrator,
        "seed": calibration.seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": dict(filter(None, map(_version, _PACKAGES))),
        "constants": [_constant(calibration, place) for place in range(len(calibration.parameters))],
        "series": [
            {
                "name": series.name, "model": series.model_text, "units": series.units, "observations": row.count,
                "error": series.error.kind, "size": series.error.size, "correlation": series.error.correlation,
                "rmse_before": row.rmse[0], "rmse_best": row.rmse[1],
                "deviations_before": row.deviations[0], "deviations_best": row.deviations[1],
            }
            for series, row in zip(calibration.problem.series, calibration.agreement, strict=True)
        ],
        "search": {
            "starts": search.starts, "evaluations": search.evaluations, "failed": search.failed,
            "minus_log_posterior_before": search.before, "minus_log_posterior_best": search.best.cost,
            "followed": [{"minus_log_posterior": end.cost, "converged": end.converged, "values": end.values.tolist()}
                         for end in search.ends],
            "distinct": len(search.distinct), "reached": search.reached, "valley": search.valley,
        },
        "identification": {
            "freedom": calibration.identification.freedom,
            "directions": [
                {
                    "singular_value": direction.strength, "variance_left": direction.left, "identified": direction.identified,
                    "parts": dict(zip(names, direction.parts, strict=True)), "leading": dict(leading_constants(direction, names)),
                }
                for direction in calibration.identification.directions
            ],
            "close_pairs": close_pairs(correlations(calibration), names),
        },
    }  # fmt: skip
    model = calibration.model
    if beyond and beyond.path:
        lines = sampling_text(Sampling(_HYPERCUBE, variations=beyond.sampled)).splitlines()[1:]
        record["beyond"] = {
            "file": beyond.path, "sha256": hashlib.sha256(beyond.text.encode()).hexdigest(), "method": _HYPERCUBE,
            "seed": max(calibration.seed, 1), "drawn": lines, "left_to_the_posterior": list(beyond.left_to_posterior),
        }  # fmt: skip
    if beyond and beyond.equal:
        record["equal"] = {cell_name(model, tie.cell): cell_name(model, tie.source) for tie in beyond.equal}
    return record | ({"posterior": _posterior(calibration.posterior)} if calibration.posterior else {})


def _with_ending(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _change_text(calibration: Calibration, name: str) -> str:
    """Write the best point as changes, each with its value before, its bounds, and whether one binds."""
    changes = list(calibration.scenario.changes)
    notes, search = ["given"] * len(changes), calibration.search
    for parameter, value, bound in zip(
        calibration.parameters, search.best.values.tolist(), search.binding, strict=True
    ):
        binds = f"; at its {'lower' if bound == 'low' else 'upper'} bound, beyond which the fit would improve"
        changes.append(Change(calibration.model.elements[parameter.cell.key].name, parameter.cell.labels, (value,)))
        note = f"{parameter.units}; before {parameter.initial:g}; from {parameter.low:g} to {parameter.high:g}"
        notes.append(note + (binds if bound else ""))
    for equality in calibration.problem.equal:
        place = [parameter.cell for parameter in calibration.parameters].index(equality.source)
        name_of_cell = calibration.model.elements[equality.cell.key].name
        changes.append(Change(name_of_cell, equality.cell.labels, (float(search.best.values[place]),)))
        notes.append(f"equal to {cell_name(calibration.model, equality.source)}")
    about = ", ".join(series.name for series in calibration.problem.series)
    costs = f"minus log posterior {search.best.cost:.6g}, before {search.before:.6g}"
    comment = (
        f"Calibration {name} of {calibration.model.path} on {about}: {format_count(calibration.problem.observations, 'observation')}, "
        f"{costs}."
    )
    return scenario_text(changes, comment=comment, notes=notes, texts=calibration.scenario.texts)


def _constant(calibration: Calibration, place: int) -> dict[str, Any]:
    parameter, posterior = calibration.parameters[place], calibration.posterior
    prior = parameter.prior
    record = {
        "name": parameter.name, "units": parameter.units, "low": parameter.low, "high": parameter.high, "before": parameter.initial,
        "best": float(calibration.search.best.values[place]), "bound": calibration.search.binding[place],
        "prior": f"{prior.name}({','.join(map(repr, prior.arguments))})" if prior else "uniform", "prior_sd": parameter.spread(), "gain": calibration.identification.gains[place],
    }  # fmt: skip
    if posterior is None:
        return record
    marginal = posterior.marginals[place]
    names = ("mean", "sd", "median", "rhat", "ess_bulk", "ess_tail", "gain", "contraction", "near_low", "near_high")
    summary = {name: getattr(marginal, name) for name in names}
    return record | {"posterior": summary | {"interval90": [marginal.low, marginal.high]}}


def correlations(calibration: Calibration) -> NDArray[np.float64]:
    """Return the correlations of the constants, shape (parameters, parameters), from the posterior or near the best point."""
    if calibration.posterior is not None:
        return calibration.posterior.correlations
    spread = np.sqrt(np.diag(calibration.identification.covariance))
    return calibration.identification.covariance / np.outer(spread, spread)


def _posterior(posterior: Posterior) -> dict[str, Any]:
    marginals = posterior.marginals
    return {
        "walkers": posterior.chain.points.shape[1],
        "steps": posterior.chain.steps,
        "burn": posterior.burn,
        "autocorrelation_time": posterior.autocorrelation_time,
        "acceptance": posterior.chain.acceptance,
        "rhat_worst": max(marginal.rhat for marginal in marginals),
        "ess_least": min(min(marginal.ess_bulk, marginal.ess_tail) for marginal in marginals),
        "identified": [marginal.name for marginal in marginals if marginal.identified],
        "not_identified": [marginal.name for marginal in marginals if marginal.not_identified],
        "pressed_on_a_bound": [marginal.name for marginal in marginals if marginal.at_bound],
        "converged": not posterior.doubts,
        "doubts": list(posterior.doubts),
    }


def _version(name: str) -> tuple[str, str] | None:
    try:
        return name, metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class ExtraConstants:
    """The constants of a member besides its posterior draw: those `sampled` independently, and those `equal` to free ones.

    `left_to_posterior` names the constants of the sensitivity file that are free, so that the posterior decides them. `path`
    and `text` are the file's.
    """

    sampled: tuple[Variation, ...] = ()
    equal: tuple[Equality, ...] = ()
    left_to_posterior: tuple[str, ...] = ()
    path: str = ""
    text: str = ""

    @property
    def sampled_cells(self) -> list[Cell]:
        """The cells that are sampled independently, in the order of the samples."""
        return [Cell(key(variation.name), tuple(map(key, variation.subscripts))) for variation in self.sampled]


def extra_constants(
    model: Model, parameters: Sequence[Parameter], sampling: Sampling | None = None, equalities: Iterable[str] = ()
) -> ExtraConstants:
    """Return what a sensitivity file samples besides the free constants, and what `equalities` (`name=free name`) tie to them.

    Raises
    ------
    ScenarioError
        If a name is not a constant, an equality refers to a constant that is not free, or a constant would have two values;
        every such case is listed.
    """
    free = {parameter.cell for parameter in parameters}
    faults: list[Fault] = []
    sampled, left = _sampled(model, free, sampling, faults)
    equal: dict[Cell, Cell] = {}
    where = sampling.path if sampling else "the file"
    for text in equalities:
        try:
            pairs = _pairs(model, text)
        except ScenarioError as error:
            faults += error.faults
            continue
        for cell, source in pairs:
            name, other = cell_name(model, cell), cell_name(model, source)
            unfree = f"'{other}', the constant that '{name}' should equal, is not free; free it, or name one that is"
            reasons = (
                (cell in free, f"'{name}' is free itself; leave out this equality, or do not free it"),
                (cell in equal, f"'{name}' is already equal to another constant; keep one of the two"),
                (cell in sampled, f"'{name}' is sampled by {where}; remove it there, or leave out this equality"),
                (source not in free, unfree),
            )
            faults += [Fault(_EQUAL, what) for applies, what in reasons if applies][:1]
            equal[cell] = source
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    ties = tuple(Equality(cell, source) for cell, source in equal.items())
    path, text = (sampling.path, sampling.text) if sampling else ("", "")
    extra = ExtraConstants(tuple(sampled.values()), ties, tuple(cell_name(model, cell) for cell in left), path, text)
    if extra.sampled:
        _hypercube(model, extra, 1, 1)  # reports what cannot be sampled before any work
    return extra


def ensemble_samples(
    model: Model, parameters: Sequence[Parameter], posterior: Posterior, extra: ExtraConstants, *, count: int, seed: int
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the members' constants: names as in a file of samples, and values, shape (members, names), in their units.

    There are as many members as posterior draws, at most `count`. The other sampled constants form a Latin hypercube of
    that many members, seeded with `seed`.
    """
    values = posterior_draws(posterior.chain, posterior.burn, count)
    places = {parameter.cell: place for place, parameter in enumerate(parameters)}
    names = [quoted_cell(model, parameter.cell) for parameter in parameters]
    names += [quoted_cell(model, equality.cell) for equality in extra.equal]
    parts = [values, values[:, [places[equality.source] for equality in extra.equal]]]
    if extra.sampled:
        design = _hypercube(model, extra, len(values), seed)
        names += design.names
        parts.append(design.values(0, design.count).T)
    return names, np.concatenate(parts, axis=1)


def _hypercube(model: Model, extra: ExtraConstants, count: int, seed: int) -> Design:
    """Make the design of the independently sampled constants; seed 0 would mean a random one."""
    return make_design(model, Sampling(_HYPERCUBE, count, max(seed, 1), extra.sampled, path=extra.path))


def _sampled(
    model: Model, free: set[Cell], sampling: Sampling | None, faults: list[Fault]
) -> tuple[dict[Cell, Variation], list[Cell]]:
    """Return the variations of a file by cell, without the free cells, and the free cells."""
    sampled: dict[Cell, Variation] = {}
    left: list[Cell] = []
    if sampling is None:
        return sampled, left
    if not sampling.variations:
        what = "samples no constant from a distribution; write lines such as 'constant = RANDOM_UNIFORM(min,max)'"
        faults.append(Fault(sampling.path or "--beyond", what))
    for variation in sampling.variations:
        if not isinstance(variation.distribution, Distribution):
            what = f"'{variation.name}' takes steps, from which no member can be sampled; use RANDOM_UNIFORM instead of VECTOR"
            faults.append(Fault(variation.place, what))
        try:
            cells = constant_cells(model, variation.name, variation.subscripts, where=variation.place)
        except ScenarioError as error:
            faults += error.faults
            continue
        repeated = (cell_name(model, cell) for cell in cells if cell in sampled)
        faults += [Fault(variation.place, f"'{name}' is sampled twice; keep one of its lines") for name in repeated]
        left += [cell for cell in cells if cell in free]
        sampled |= {cell: replace(variation, subscripts=cell.labels) for cell in cells if cell not in free}
    return sampled, left


def _pairs(model: Model, text: str) -> list[tuple[Cell, Cell]]:
    """Return the pairs of cells that `name=free name` makes equal: one by one, or all to the only one on the right."""
    match = _EQUALITY.fullmatch(text)
    if match is None or not all(map(str.strip, match.groups())):
        cure = 'write "constant=free constant", with labels in brackets if it has any'
        raise ScenarioError([Fault(_EQUAL, f"'{text:.60}' is not an equality; {cure}")])
    sides: list[list[Cell]] = []
    faults: list[Fault] = []
    for side in match.groups():
        try:
            sides.append(constant_cells(model, *split_name(side, model.elements), where=_EQUAL))
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    left, right = sides
    if len(right) == 1:
        return [(cell, right[0]) for cell in left]
    if [cell.labels for cell in left] != [cell.labels for cell in right]:
        what = f"'{text:.60}' has different labels on the left and on the right; write labels on both sides"
        raise ScenarioError([Fault(_EQUAL, what)])
    return list(zip(left, right, strict=True))
