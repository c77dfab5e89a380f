"""The types that a user's checker sees. Mypy checks this script in strict mode with the package; nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import sdmodel as sd
from sdmodel.model import Element
from sdmodel.scenario import Design, Lever

model = sd.read_model("models/ai_compute.mdl")
assert_type(model, sd.Model)
assert_type(model["price elasticity"], Element)
run = sd.simulate(model, {"price elasticity": 0.8}, scenario="fast.cin")
assert_type(run, xr.Dataset)
light = sd.compile_model(model, save=["Annual Revenue"], constants=["price elasticity"])
assert_type(light, sd.PreparedSimulation)
assert_type(light([0.8])["Annual Revenue"], NDArray[np.float64])
game = sd.open_simulation(model, start=run, at=2026.0)
game.step()
game.set({"price elasticity": 0.9})
assert_type(game.state, dict[str, float])
assert_type(game.time, float)
design = sd.make_design(model, sd.read_sampling("later.vsc"), count=10)
assert_type(design, Design)
assert_type(sd.find_levers(model), tuple[Lever, ...])
path = sd.save_run(run, "run.nc")
assert_type(path, Path)
assert_type(sd.open_run(path), xr.Dataset)
try:
    sd.compare_runs({"one": run, "two": sd.open_run(path)})
except sd.SdmodelError as error:
    assert_type(error, sd.SdmodelError)
sd.simulate(3)  # type: ignore[arg-type]  # an error, or else this comment is one
