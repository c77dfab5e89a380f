"""Paths of the flagship model, and helpers to read its runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from sdmodel.model import key

FOLDER = Path(__file__).resolve().parents[2] / "models"
MODEL = FOLDER / "ai_compute.mdl"
README = FOLDER / "README.md"
SERIES = FOLDER / "ai_compute.series.csv"
OBSERVATIONS = FOLDER / "data" / "observations.csv"
HISTORY_MATCHED = FOLDER / "ensembles" / "history-matched.vsc"
RANGES = FOLDER / "ai_compute.vsc"
SCENARIOS = sorted(path.stem for path in (FOLDER / "scenarios").glob("*.cin"))
HEADLINES = [line.strip() for line in (FOLDER / "ai_compute.lst").read_text("utf-8").splitlines() if line.strip()]

POLICY_START = 2025.75
WHOLE_RUN = "Acts on the whole run"
"""A comment that declares an uncertainty as acting on the past too; it is sampled with constants that keep the fit."""


def scenario_path(name: str) -> Path:
    return FOLDER / "scenarios" / f"{name}.cin"


def of(run: xr.Dataset, name: str) -> xr.DataArray:
    """A variable by its name in the model, summed over its subscripts."""
    found = run[key(name)]
    return found.sum([dim for dim in found.dims if dim not in {"time", "member"}])


def at(run: xr.Dataset, name: str, time: float) -> float:
    """The value of a variable of a single run, linear between saved times."""
    found = of(run, name)
    return float(np.interp(time, run["time"].to_numpy(), found.to_numpy()))


def change(run: xr.Dataset, other: xr.Dataset, name: str, time: float) -> float:
    """The relative change of a variable from one run to another."""
    return at(other, name, time) / at(run, name, time) - 1


def peak(run: xr.Dataset, name: str) -> float:
    """The largest value of a variable of a single run."""
    return float(of(run, name).max())


def since(run: xr.Dataset, first: float, last: float | None = None) -> xr.Dataset:
    """A run from one time to another, by default to its end."""
    return run.sel(time=slice(first, last))
