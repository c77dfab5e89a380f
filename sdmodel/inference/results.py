"""What a calibration leaves behind, in Vensim's forms: a change file, samples with the file that draws them, and a record."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
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
from .identification import close_pairs, leading
from .members import Beyond, beyond_record, samples_of
from .parameters import Parameter

CHAIN = ".chain.npz"
RECORD = ".json"
ENDINGS = (".cin", ".tab", ".vsc", RECORD, CHAIN)
"""How the files of a calibration end; those of samples and the chain are there if there is a posterior."""

_VERSIONS = ("sdmodel", "numpy", "scipy", "emcee", "arviz-stats")


def check_free(stem: Path, *, force: bool, ensemble: Path | None = None, replace: bool = False) -> None:
    """Make sure, before any work, that a calibration may be stored under a name, and its members as an ensemble of another.

    `force` allows to replace the calibration, `replace` the ensemble.

    Raises
    ------
    CalibrationError
        If there is one already.
    """
    pair = (ensemble, ensemble.with_suffix(".tab")) if ensemble and not replace else ()
    taken = next((path for path in pair if os.path.lexists(path)), None)
    if taken is not None:
        message = f"{taken}: exists already; name another file with --ensemble, or --force to replace it"
        raise CalibrationError(message)
    if force:
        return
    there = next((path for path in map(_path(stem), ENDINGS) if os.path.lexists(path)), None)
    if there is not None:
        message = (
            f"{there}: exists already; choose another --name, --resume what was interrupted, or --force to replace it"
        )
        raise CalibrationError(message)


def write_results(
    calibration: Calibration,
    stem: Path,
    *,
    samples: int,
    force: bool,
    settings: Mapping[str, Any],
    beyond: Beyond | None = None,
    ensemble: Path | None = None,
    replace: bool = False,
) -> list[Path]:
    """Store a calibration: the best point as a change file; with a posterior, samples and a file that draws them; a record.

    The samples have the constants `beyond` the free ones, too. They stand beside the others, or where `ensemble`, a `.vsc`
    file, says, which only `replace` replaces. The record comes last, so that where it is the others are whole. What is
    given back are their paths, and that of the walk.

    Raises
    ------
    CalibrationError
        If a file is there already and `force` is not given, or cannot be written.
    """
    own = _path(stem)
    files = {own(".cin"): _change_text(calibration, stem.name)}
    posterior, beyond = calibration.posterior, beyond or Beyond()
    control = ensemble or own(".vsc")
    if posterior is not None:
        seed = max(calibration.seed, 1)
        names, values = samples_of(
            calibration.model, calibration.parameters, posterior, beyond, count=samples, seed=seed
        )
        table = control.with_suffix(".tab")
        files[table] = samples_text(names, values)
        files[control] = sampling_text(Sampling("file", len(values), seed, file=table.name))
    told = record(calibration, beyond) | {"settings": dict(settings), "ensemble": str(control) if posterior else None}
    files[own(RECORD)] = json.dumps(_plain(told), indent=2, allow_nan=False) + "\n"
    for path, text in files.items():
        allowed = force if path.parent == stem.parent and path.name.startswith(f"{stem.name}.") else replace
        write_file(path, text.encode(), force=allowed, error=CalibrationError)
    chain = [own(CHAIN)] if posterior is not None and own(CHAIN).exists() else []
    return [*files, *chain]


def record(calibration: Calibration, beyond: Beyond | None = None) -> dict[str, Any]:
    """All that a calibration found, as numbers and words; what is not finite is left to whoever writes it."""
    search = calibration.search
    found: dict[str, Any] = {
        "model": calibration.model.path,
        "model_sha256": calibration.model.sha256,
        "scenario": calibration.scenario.text,
        "integrator": calibration.integrator,
        "seed": calibration.seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": dict(filter(None, map(_version, _VERSIONS))),
        "constants": [_constant(calibration, place) for place in range(len(calibration.parameters))],
        "series": [
            {
                "name": each.name, "model": each.model_text, "units": each.units, "observations": row.count,
                "error": each.error.kind, "size": each.error.size, "correlation": each.error.correlation, "rmse_before": row.rmse[0], "rmse_best": row.rmse[1],
                "deviations_before": row.deviations[0], "deviations_best": row.deviations[1],
            }
            for each, row in zip(calibration.problem.series, calibration.agreement, strict=True)
        ],
        "search": {
            "starts": search.starts, "evaluations": search.evaluations, "failed": search.failed,
            "minus_log_posterior_before": search.before, "minus_log_posterior_best": search.best.cost,
            "followed": [{"minus_log_posterior": each.cost, "converged": each.converged, "values": each.values.tolist()}
                         for each in search.ends],
            "distinct": len(search.distinct), "reached": search.reached, "valley": search.valley,
        },
        "identification": _identification(calibration),
    }  # fmt: skip
    found |= beyond_record(calibration.model, beyond, calibration.seed) if beyond else {}
    return found | ({"posterior": _posterior(calibration.posterior)} if calibration.posterior else {})


def _path(stem: Path) -> Callable[[str], Path]:
    return lambda ending: stem.with_name(stem.name + ending)


def _change_text(calibration: Calibration, name: str) -> str:
    """The best point as changes, each with what it was, its bounds, and whether one binds."""
    changes, notes = [], []
    for place, each in enumerate(calibration.parameters):
        value = float(calibration.search.best.values[place])
        bound = calibration.search.binding[place]
        binds = f"; at its {'lower' if bound == 'low' else 'upper'} bound, beyond which the fit would improve"
        changes.append(Change(calibration.model.elements[each.cell.key].name, each.cell.labels, (value,)))
        notes.append(
            f"{each.units}; before {each.initial:g}; from {each.low:g} to {each.high:g}{binds if bound else ''}"
        )
    about = ", ".join(each.name for each in calibration.problem.series)
    comment = (
        f"Calibration {name} of {calibration.model.path} on {about}: {calibration.problem.observations} observations, "
        f"minus log posterior {calibration.search.best.cost:.6g}, before {calibration.search.before:.6g}. It goes behind "
        "the scenario that it was made under, if any."
    )
    return scenario_text(changes, comment=comment, notes=notes)


def _constant(calibration: Calibration, place: int) -> dict[str, Any]:
    each, posterior = calibration.parameters[place], calibration.posterior
    found = {
        "name": each.name, "units": each.units, "low": each.low, "high": each.high, "before": each.initial,
        "best": float(calibration.search.best.values[place]), "bound": calibration.search.binding[place],
        "prior": _prior(each), "prior_sd": each.spread(), "gain": calibration.identification.gains[place],
    }  # fmt: skip
    if posterior is None:
        return found
    marginal = posterior.marginals[place]
    said = {name: getattr(marginal, name) for name in ("mean", "sd", "median", "rhat", "ess_bulk", "ess_tail", "gain")}
    said |= {"contraction": marginal.contraction, "near_low": marginal.near_low, "near_high": marginal.near_high}
    return found | {"posterior": said | {"interval90": [marginal.low, marginal.high]}}


def _prior(parameter: Parameter) -> str:
    if parameter.prior is None:
        return "uniform"
    return f"{parameter.prior.name}({','.join(map(repr, parameter.prior.arguments))})"


def _identification(calibration: Calibration) -> dict[str, Any]:
    names = [each.name for each in calibration.parameters]
    found = calibration.identification
    return {
        "freedom": found.freedom,
        "directions": [
            {
                "singular_value": each.strength, "variance_left": each.left, "identified": each.identified,
                "parts": dict(zip(names, each.parts, strict=True)), "leading": dict(leading(each, names)),
            }
            for each in found.directions
        ],
        "close_pairs": close_pairs(correlations(calibration), names),
    }  # fmt: skip


def correlations(calibration: Calibration) -> NDArray[np.float64]:
    """How constants go together after the data, shape (parameters, parameters): by the draws, else near the best point."""
    if calibration.posterior is not None:
        return calibration.posterior.correlations
    spread = np.sqrt(np.diag(calibration.identification.covariance))
    return calibration.identification.covariance / np.outer(spread, spread)


def _posterior(posterior: Posterior) -> dict[str, Any]:
    return {
        "walkers": posterior.chain.points.shape[1],
        "steps": posterior.chain.steps,
        "burn": posterior.burn,
        "autocorrelation_time": posterior.memory,
        "acceptance": posterior.chain.acceptance,
        "rhat_worst": max(each.rhat for each in posterior.marginals),
        "ess_least": min(min(each.ess_bulk, each.ess_tail) for each in posterior.marginals),
        "identified": [each.name for each in posterior.marginals if each.identified],
        "not_identified": [each.name for each in posterior.marginals if each.untold],
        "pressed_on_a_bound": [each.name for each in posterior.marginals if each.pressed],
        "converged": not posterior.doubts,
        "doubts": list(posterior.doubts),
    }


def _version(name: str) -> tuple[str, str] | None:
    try:
        return name, metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    """A value that JSON has a form for."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
