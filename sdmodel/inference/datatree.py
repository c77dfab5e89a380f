"""The posterior of a calibration in the groups that ArviZ reads: chains of draws, statistics of the walk, observations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .. import __version__
from ..errors import CalibrationError
from ..files import write_file
from ..model import Model, split_name
from .calibration import Calibration
from .parameters import Parameter
from .posterior import Posterior
from .series import Series

_CHAINS = ("chain", "draw")
_STATISTICS = {"long_name": "logarithm of the posterior density over the latent scales, up to a constant"}


def to_datatree(calibration: Calibration) -> xr.DataTree:
    r"""Return a posterior in the groups of ArviZ's schema, for its diagnostics, comparisons and plots.

    Each walker is a chain. ArviZ opens the file that `to_netcdf` of the tree writes; it is not needed here.

    Parameters
    ----------
    calibration : Calibration
        A calibration with a posterior, as `sdmodel.inference.sample_posterior` returns it.

    Returns
    -------
    xarray.DataTree
        `posterior`: the free constants by their names in Python, dimensions `chain`, `draw` and the labels that are free, in
        the units of each; a combination of labels that is not free is NaN. `sample_stats`: `lp`, the logarithm of the posterior
        density up to a constant, over latent scales on which each prior is normal. `warmup_posterior` and
        `warmup_sample_stats`: the steps before, which diagnostics leave out. `observed_data`: a variable per series, in its
        units, over its times. The root has the model, its hash, the changes, the integrator and the seed.

    Raises
    ------
    CalibrationError
        If the calibration has no posterior.

    References
    ----------
    "InferenceData schema specification", ArviZ documentation.

    Examples
    --------
    >>> import numpy as np
    >>> import sdmodel as sd
    >>> from sdmodel.errors import Place
    >>> from sdmodel.inference import ErrorModel, Series, free_constants, sample_posterior
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(rate, 0)\nrate = 2")
    >>> times, values, error = np.array([1.0, 2.0]), np.array([3.0, 6.0]), ErrorModel("absolute", 0.5)
    >>> seen = Series("seen", sd.read_formula("Stock"), "Stock", times, values, error, "kg", Place("example", 1))
    >>> found = sd.calibrate_model(model, [seen], free_constants(model, ["rate=0:10"]), starts=4)
    >>> tree = sd.to_datatree(sample_posterior(found, steps=20, walkers=8))
    >>> sorted(tree.children), dict(tree["posterior"].sizes)
    (['observed_data', 'posterior', 'sample_stats', 'warmup_posterior', 'warmup_sample_stats'], {'chain': 8, 'draw': 15})
    """
    posterior = calibration.posterior
    if posterior is None:
        message = (
            "the calibration: has no posterior; sample one with `sample_posterior`, or `sdmodel calibrate --posterior`"
        )
        raise CalibrationError(message)
    made = {"created_at": datetime.now(UTC).isoformat(timespec="seconds")}
    made |= {"creation_library": "sdmodel", "creation_library_version": __version__, "inference_library": "emcee"}
    made |= {"inference_library_version": metadata.version("emcee")}
    groups: dict[str, xr.Dataset] = {}
    for prefix, steps in (("", slice(posterior.burn, None)), ("warmup_", slice(posterior.burn))):
        draws = _draws(calibration.model, calibration.parameters, posterior, steps)
        densities = posterior.chain.log_densities[steps].T
        groups[f"{prefix}posterior"] = draws.assign_attrs(made)
        statistics = xr.Dataset({"lp": (_CHAINS, densities, _STATISTICS)}, {dim: draws[dim] for dim in _CHAINS})
        groups[f"{prefix}sample_stats"] = statistics.assign_attrs(made)
    groups["observed_data"] = _observed(calibration.problem.series).assign_attrs(made)
    tree = xr.DataTree.from_dict(groups)
    record = {"model": calibration.model.path, "model_sha256": calibration.model.sha256, "seed": calibration.seed}
    record |= {"scenario": calibration.scenario.text, "integrator": calibration.integrator}
    tree.attrs = made | {name: value for name, value in record.items() if value is not None}
    return tree


def write_datatree(calibration: Calibration, path: Path, *, force: bool = False) -> Path:
    """Write a posterior as a netCDF file for ArviZ, completely or not at all.

    Raises
    ------
    CalibrationError
        If the calibration has no posterior, or the file exists and `force` is not given, or it cannot be written.
    """
    content = to_datatree(calibration).to_netcdf()
    write_file(path, content, force=force, error=CalibrationError)
    return path


def _draws(model: Model, parameters: Iterable[Parameter], posterior: Posterior, steps: slice) -> xr.Dataset:
    """The steps of each walker, constant by constant."""
    points = posterior.chain.points[steps]
    columns: dict[str, list[tuple[Parameter, NDArray[np.float64]]]] = {}
    for place, parameter in enumerate(parameters):
        columns.setdefault(parameter.cell.key, []).append((parameter, points[:, :, place].T))
    variables = {model.identifiers[name]: _variable(model, name, cells) for name, cells in columns.items()}
    coords: dict[str, Any] = {"chain": np.arange(points.shape[1]), "draw": np.arange(len(points))}
    return xr.Dataset(variables).assign_coords(coords)


def _variable(model: Model, name: str, cells: list[tuple[Parameter, NDArray[np.float64]]]) -> xr.DataArray:
    """One constant over chains and draws, and over those of its labels that are free."""
    identifier, element = model.identifiers[name], model.elements[name]
    labels = [split_name(parameter.name)[1] for parameter, _ in cells]
    axes = [list(dict.fromkeys(own)) for own in zip(*labels, strict=True)]
    dims = [f"{identifier}_dim_{axis}" for axis in range(len(axes))]
    values = np.full((*map(len, axes), *cells[0][1].shape), np.nan)
    for own, (_, drawn) in zip(labels, cells, strict=True):
        values[tuple(axis.index(label) for axis, label in zip(axes, own, strict=True))] = drawn
    attributes = {"long_name": element.name, "units": element.units}
    found = xr.DataArray(values, dict(zip(dims, axes, strict=True)), (*dims, *_CHAINS), attrs=attributes)
    return found.transpose(*_CHAINS, *dims)


def _observed(series: Iterable[Series]) -> xr.Dataset:
    """The observations of each series over its own times."""
    found = {}
    for item in series:
        name = item.name.replace("/", " per ")
        attributes = {"units": item.units, "formula": item.model_text}
        found[name] = xr.DataArray(item.values, {f"{name}_time": item.times}, (f"{name}_time",), attrs=attributes)
    return xr.Dataset(found)
