"""Boxes of scenario discovery, made without the workbench that finds them."""

from __future__ import annotations

import numpy as np
import xarray as xr

NAN = np.nan


def boxes(
    names: tuple[str, ...] = ("rate", "delay", "idle"), units: tuple[str, ...] = ("USD", "Day", "dmnl"), count: int = 2
) -> xr.Dataset:
    """Two boxes of three constants, of which the last is never restricted; the trade-off of the second is shorter."""
    table = {
        "low": [[2.0, NAN, NAN], [NAN, 10.0, NAN]],
        "high": [[4.0, 30.0, NAN], [3.0, NAN, NAN]],
        "low_p": [[1e-9, NAN, NAN], [NAN, 0.2, NAN]],
        "high_p": [[0.5, 1e-12, NAN], [1e-3, NAN, NAN]],
    }
    steps = {
        "coverage": [[1.0, 0.9, 0.7], [0.3, 0.2, NAN]],
        "density": [[0.4, 0.6, 0.85], [0.2, 0.8, NAN]],
        "mass": [[1.0, 0.8, 0.5], [0.5, 0.2, NAN]],
        "restricted": [[0.0, 1.0, 2.0], [0.0, 2.0, NAN]],
    }
    found = xr.Dataset(
        {name: (("box", "parameter"), values) for name, values in table.items()}
        | {f"step_{name}": (("box", "trade_off"), values) for name, values in steps.items()}
        | {
            "coverage": ("box", [0.7, 0.2]), "density": ("box", [0.85, 0.8]), "plain_density": ("box", [0.62, 0.8]), "mass": ("box", [0.5, 0.2]),
            "members": ("box", [50, 20]), "cases": ("box", [42, 16]), "step": ("box", [2, 1]),
            "least": ("parameter", [0.0, 0.0, 0.0]), "most": ("parameter", [4.0, 40.0, 1.0]),
        },
        {"box": [1, 2], "parameter": list(names), "parameter_units": ("parameter", list(units))},
        {"model": "models/a.mdl", "model_sha256": "0123456789abcdef", "outcome": "beds max above 9", "threshold": 9.0,
         "side": "above", "wanted_density": 0.8, "least_mass": 0.05, "doubtful_above": 0.05, "members": 100, "cases": 60, "left_out": 0},
    )  # fmt: skip
    return found.isel(box=slice(count))
