"""The files of a calibration, in Vensim's formats: a change file, samples with their sensitivity file, and a record."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CalibrationError
from ..files import write_file
from ..scenario import Change, Sampling
from ..vensim import samples_text, sampling_text, scenario_text
from .calibration import Calibration
from .diagnostics import Posterior
from .members import ExtraConstants, ensemble_samples, extra_record
from .optimum import close_pairs, leading_constants
from .parameters import Parameter

CHAIN = ".chain.npz"
RECORD = ".json"
ENDINGS = (".cin", ".tab", ".vsc", RECORD, CHAIN)
"""Endings of a calibration's files; samples and chain exist only with a posterior."""

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
    existing = next((path for path in pair if os.path.lexists(path)), None)
    if existing is not None:
        message = f"{existing}: exists already; name another file with --ensemble, or --force to replace it"
        raise CalibrationError(message)
    paths = (_with_ending(stem, ending) for ending in ENDINGS if not force)
    existing = next((path for path in paths if os.path.lexists(path)), None)
    if existing is not None:
        message = (
            f"{existing}: exists already; choose another --name, --resume an interrupted run, or --force to replace it"
        )
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
        names, values = ensemble_samples(
            calibration.model, calibration.parameters, posterior, beyond, count=samples, seed=seed
        )
        table = control.with_suffix(".tab")
        files[table] = samples_text(names, values)
        files[control] = sampling_text(Sampling("file", len(values), seed, file=table.name))
    record = calibration_record(calibration, beyond)
    record |= {"settings": dict(settings), "ensemble": str(control) if posterior else None}
    files[_with_ending(stem, RECORD)] = json.dumps(_json_value(record), indent=2, allow_nan=False) + "\n"
    for path, text in files.items():
        allowed = force if path.parent == stem.parent and path.name.startswith(f"{stem.name}.") else replace
        write_file(path, text.encode(), force=allowed, error=CalibrationError)
    chain = _with_ending(stem, CHAIN)
    return [*files, *([chain] if posterior is not None and chain.exists() else [])]


def calibration_record(calibration: Calibration, beyond: ExtraConstants | None = None) -> dict[str, Any]:
    """Return everything that a calibration found, as numbers and texts; some numbers may not be finite."""
    search = calibration.search
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
        "identification": _identification(calibration),
    }  # fmt: skip
    record |= extra_record(calibration.model, beyond, calibration.seed) if beyond else {}
    return record | ({"posterior": _posterior(calibration.posterior)} if calibration.posterior else {})


def _with_ending(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _change_text(calibration: Calibration, name: str) -> str:
    """Write the best point as changes, each with its value before, its bounds, and whether one binds."""
    changes, notes = [], []
    for place, parameter in enumerate(calibration.parameters):
        value = float(calibration.search.best.values[place])
        bound = calibration.search.binding[place]
        binds = f"; at its {'lower' if bound == 'low' else 'upper'} bound, beyond which the fit would improve"
        changes.append(Change(calibration.model.elements[parameter.cell.key].name, parameter.cell.labels, (value,)))
        notes.append(
            f"{parameter.units}; before {parameter.initial:g}; from {parameter.low:g} to {parameter.high:g}{binds if bound else ''}"
        )
    about = ", ".join(series.name for series in calibration.problem.series)
    comment = (
        f"Calibration {name} of {calibration.model.path} on {about}: {calibration.problem.observations} observations, "
        f"minus log posterior {calibration.search.best.cost:.6g}, before {calibration.search.before:.6g}. Apply it after "
        "the scenario that it was made under, if any."
    )
    return scenario_text(changes, comment=comment, notes=notes)


def _constant(calibration: Calibration, place: int) -> dict[str, Any]:
    parameter, posterior = calibration.parameters[place], calibration.posterior
    record = {
        "name": parameter.name, "units": parameter.units, "low": parameter.low, "high": parameter.high, "before": parameter.initial,
        "best": float(calibration.search.best.values[place]), "bound": calibration.search.binding[place],
        "prior": _prior(parameter), "prior_sd": parameter.spread(), "gain": calibration.identification.gains[place],
    }  # fmt: skip
    if posterior is None:
        return record
    marginal = posterior.marginals[place]
    names = ("mean", "sd", "median", "rhat", "ess_bulk", "ess_tail", "gain", "contraction", "near_low", "near_high")
    summary = {name: getattr(marginal, name) for name in names}
    return record | {"posterior": summary | {"interval90": [marginal.low, marginal.high]}}


def _prior(parameter: Parameter) -> str:
    if parameter.prior is None:
        return "uniform"
    return f"{parameter.prior.name}({','.join(map(repr, parameter.prior.arguments))})"


def _identification(calibration: Calibration) -> dict[str, Any]:
    names = [parameter.name for parameter in calibration.parameters]
    return {
        "freedom": calibration.identification.freedom,
        "directions": [
            {
                "singular_value": direction.strength, "variance_left": direction.left, "identified": direction.identified,
                "parts": dict(zip(names, direction.parts, strict=True)), "leading": dict(leading_constants(direction, names)),
            }
            for direction in calibration.identification.directions
        ],
        "close_pairs": close_pairs(correlations(calibration), names),
    }  # fmt: skip


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


def _json_value(value: Any) -> Any:
    """Convert a value to one that JSON can represent; numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(name): _json_value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
