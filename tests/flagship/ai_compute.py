"""Where the flagship model lies, and how the tests read a run of it."""

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
UNCERTAINTIES = FOLDER / "ensembles" / "uncertainties.vsc"
SCENARIOS = sorted(path.stem for path in (FOLDER / "scenarios").glob("*.cin"))
VARIANTS = sorted((FOLDER / "variants").glob("*.cin"))
HEADLINES = [line.strip() for line in (FOLDER / "ai_compute.lst").read_text("utf-8").splitlines() if line.strip()]

POLICY_START = 2025.75
WHOLE_RUN = "Acts on the whole run"
"""What the comment of an uncertainty says that passes no gate: it moves the past, and is drawn with what keeps the fit."""

OTHERWISE = 25.0
CLOSE = {"weekly users": 10.0, "chips sold": 10.0}
"""Largest mean absolute percentage error of a series; `OTHERWISE` for all others."""


def scenario_path(name: str) -> Path:
    return FOLDER / "scenarios" / f"{name}.cin"


def of(run: xr.Dataset, name: str) -> xr.DataArray:
    """A variable by the model's name for it, summed over its subscripts if it has any."""
    found = run[key(name)]
    return found.sum([each for each in found.dims if each not in {"time", "member"}])


def at(run: xr.Dataset, name: str, time: float) -> float:
    """The value of a variable of a single run, linear between saved times."""
    found = of(run, name)
    return float(np.interp(time, run["time"].to_numpy(), found.to_numpy()))


def peak(run: xr.Dataset, name: str) -> float:
    """The largest value of a variable of a single run."""
    return float(of(run, name).max())


def since(run: xr.Dataset, first: float, last: float | None = None) -> xr.Dataset:
    """The part of a run from one time on, to another."""
    return run.sel(time=slice(first, last))
