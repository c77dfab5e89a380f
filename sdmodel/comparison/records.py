"""What the records of runs say against comparing them: other models, times, integrators, engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr

from ..dataset import TIME


def _model(run: xr.Dataset) -> str:
    return f"{Path(str(run.attrs['model'])).name} ({str(run.attrs['model_sha256'])[:8]})"


def _step(run: xr.Dataset) -> str:
    return f"{float(run.attrs['time_step']):.10g}" if "time_step" in run.attrs else ""


def _times(run: xr.Dataset) -> str:
    times = np.asarray(run[TIME].values, dtype=float)
    ends = f"{times[0]:.10g} to {times[-1]:.10g}"
    every = f" every {np.diff(times).mean():.6g}" if len(times) > 1 else ""
    return f"{ends}{every} {run[TIME].attrs.get('units', '')}".strip()


_Tell = Callable[[xr.Dataset], str]


def _told(name: str) -> _Tell:
    return lambda run: str(run.attrs[name])


_ASPECTS: Mapping[str, tuple[_Tell, _Tell, str]] = MappingProxyType(
    {
        "model": (_told("model_sha256"), _model, "equations may differ as well as constants"),
        "stored times": (
            _times,
            _times,
            "compared at those of the first that the others reach, linearly between theirs",
        ),
        "time step": (_step, _step, "a part of the gaps is the integration's"),
        "integrator": (_told("integrator"), _told("integrator"), "a part of the gaps is the integration's"),
        "engine": (_told("engine"), _told("engine"), "a part of the gaps is the engine's"),
    }
)
"""What runs may differ in besides constants: by what it is recognised, how it is told, and what it means for a comparison."""


def mismatches(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """What runs differ in besides their constants, a sentence each, with the value that each has."""
    found = []
    for aspect, (recognise, tell, meaning) in _ASPECTS.items():
        known: dict[str, list[str]] = {}
        for name, run in runs.items():
            known.setdefault(recognise(run), []).append(name)
        if len(known) > 1:
            each = "; ".join(f"{tell(runs[names[0]]) or 'not told'} in {', '.join(names)}" for names in known.values())
            found.append(f"the {aspect} differ{'' if aspect.endswith('s') else 's'}: {each}; {meaning}")
    return found
