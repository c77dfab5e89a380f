"""The types that a user's checker sees: `mypy --strict` on a short script finds them, not `Any`."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

SCRIPT = """\
import numpy as np
import sdmodel as sd

model = sd.read_model("models/ai_compute.mdl")
element = model["price elasticity"]
run = sd.simulate(model, {"price elasticity": 0.8}, scenario="fast.cin")
light = sd.compile_model(model, save=["Annual Revenue"], constants=["price elasticity"])
found = light([0.8])["Annual Revenue"]
game = sd.open_simulation(model, start=run, at=2026.0)
game.step()
game.set({"price elasticity": 0.9})
design = sd.make_design(model, sd.read_sampling("later.vsc"), count=10)
levers = sd.find_levers(model)
path = sd.save_run(run, "run.nc")
again = sd.open_run(path)
try:
    sd.compare_runs({"one": run, "two": again})
except sd.SdmodelError as error:
    print(error, np.max(found))
"""
TYPES = {
    "model": "sdmodel.model.records.Model",
    "element": "sdmodel.model.records.Element",
    "run": "xarray.core.dataset.Dataset",
    "light": "sdmodel.simulation.prepared.PreparedSimulation",
    "found": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.float64]]",  # of any number of dimensions
    "game.state": "dict[str, float]",
    "game.time": "float",
    "design": "sdmodel.scenario.designs.Design",
    "levers": "tuple[sdmodel.scenario.levers.Lever, ...]",
    "path": "pathlib.Path",
    "again": "xarray.core.dataset.Dataset",
}


def test_a_script_has_types(tmp_path: Path, monkeypatch):
    """Every value of it, and a wrong argument is an error."""
    revealed = "".join(f"reveal_type({name})\n" for name in TYPES)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + revealed + "sd.simulate(3)\n", "utf-8")
    project = Path(__file__).resolve().parents[1]
    monkeypatch.setenv("MYPYPATH", str(project))
    options = ["--strict", "--config-file=", f"--cache-dir={project / '.mypy_cache'}", "--follow-imports=silent"]
    output, errors, _ = api.run([*options, str(script)])
    found = [re.sub(r"builtins\.|\b(?=pathlib)", "", text) for text in re.findall(r'Revealed type is "(.*)"', output)]
    assert not errors
    assert found == list(TYPES.values()), output
    faults = [line for line in output.splitlines() if ": error:" in line]
    assert len(faults) == 1, output
    assert 'Argument 1 to "simulate" has incompatible type "int"; expected "Model"' in faults[0]
