"""Every public Vensim model gives Vensim's numbers, or is refused by name; PySD is a second engine."""

from __future__ import annotations

import functools
from contextlib import nullcontext

import numpy as np
import pytest
import xarray as xr
from expected_outputs import MODELS, differences, model_files, output_files, read_expected

from sdmodel.errors import ModelError, ReferenceEngineError, SimulationError
from sdmodel.model import Model
from sdmodel.reading import read_model
from sdmodel.reference import simulate_with_pysd
from sdmodel.simulation import RunWarning, compile_wasm, simulate
from sdmodel.testing import wasm_difference

AGREED = 1e-9
"""The allowed relative difference of two engines that take the same steps in double precision."""

REFUSED = {
    "tests/get_constants/test_get_constants.mdl": "'data.csv': there is no such file; did you mean 'data down.csv'?",
}
"""Models that are refused, with part of the message; a model that runs must be removed from the table."""

DIFFERS = {
    "samples/Query_file/Query_file.mdl": "random numbers: Vensim draws others",
    "tests/get_time_value/test_get_time_value.mdl": "the output is that of the other model of the folder",
    "samples/Roessler_Chaos/roessler_chaos.mdl": "chaotic: Vensim's single precision takes another path after about 90 months",
    "tests/get_constants_incomplete_subscript/test_get_constants_incomplete_subscript.mdl": "the output begins at time 1, not at INITIAL TIME, 0",
    "tests/exponentiation/exponentiation.mdl": "the newer file comes from another text: its `test` uses -4, the model's 4",
}
"""Models whose numbers differ from an output file, with the cause; all others must match in every column."""

REPORTED = {
    "samples/Query_file/Query_file.mdl": "the random numbers of the seed 4487556 are sdmodel's own",
    "samples/pendulum/Single_Pendulum.mdl": "SAVEPER, 0.1, is not a multiple of TIME STEP",
    "tests/control_vars/test_control_vars.mdl": "TIME STEP changes during the run, between 0.5 and 1, and the run ends at 50",
    "tests/dynamic_final_time/test_dynamic_final_time.mdl": "FINAL TIME changes during the run, which ends at 28",
    "tests/get_data/test_get_data.mdl": "data down.xls is not there; data down.xlsx is read instead",
}
"""Models whose run comes with a warning, with its beginning; no other run has one."""

PYSD_DIFFERS = {
    "samples/Query_file/Query_file.mdl": "random numbers: PySD draws others",
    "tests/get_constants_incomplete_subscript/test_get_constants_incomplete_subscript.mdl": "PySD gives labels without an equation a value",
    "samples/pendulum/Single_Pendulum.mdl": "PySD saves only where a step falls on a multiple of SAVEPER",
    "tests/arguments/test_arguments.mdl": "PySD reduces the order of a DELAY3 over 2 time steps; Vensim does not",
}
"""Models for which PySD gives other numbers than sdmodel, with the cause."""

PYSD_FAILS = {
    "tests/get_time_value/test_get_time_value.mdl": "PySD knows no dates of the model's own time",
    "tests/get_data/test_get_data.mdl": "PySD does not read a workbook in the newer format in place of the older one",
    "tests/data_from_other_model/test_data_from_other_model.mdl": "PySD needs the names of data files before it reads a model",
    "tests/data_from_other_model/model_to_generate_data.mdl": "PySD cannot broadcast stocks defined label by label",
}
"""Models that sdmodel runs and PySD does not."""

DATA = {
    "tests/data_from_other_model/test_data_from_other_model.mdl": ["tests/data_from_other_model/data.tab"],
}
"""The data files of models that do not name them."""

FILES = [path.relative_to(MODELS).as_posix() for path in model_files()]
SUPPORTED = [name for name in FILES if name not in REFUSED]

pytestmark = pytest.mark.skipif(not FILES, reason="the public test models are missing beside the project")


def our_model(name: str) -> Model:
    return read_model(MODELS / name, data=[MODELS / file for file in DATA.get(name, ())])


@functools.cache
def our_run(name: str) -> xr.Dataset:
    with pytest.warns(RunWarning, match=REPORTED[name]) if name in REPORTED else nullcontext():
        return simulate(our_model(name))


WASM_REFUSED = {
    "tests/control_vars/test_control_vars.mdl": "TIME STEP changes during the run",
    "tests/dynamic_final_time/test_dynamic_final_time.mdl": "FINAL TIME changes during the run",
}
"""Models that run, but not as a WebAssembly module, with part of the message."""


@pytest.mark.parametrize("name", SUPPORTED)
def test_webassembly_gives_the_numbers_of_native_code(name):
    """To 1e-12 of the largest value of each series."""
    model = our_model(name)
    if name in WASM_REFUSED:
        with pytest.raises(SimulationError, match=WASM_REFUSED[name]):
            compile_wasm(model)
        return
    assert wasm_difference(model, our_run(name)) < 1e-12


@pytest.mark.parametrize("name", SUPPORTED)
def test_supported_model_gives_vensims_numbers(name, record_property):
    """Every column of every output file, to single precision; the table of differences is exact."""
    run = our_run(name)
    outputs = output_files(MODELS / name)
    found = [f"{path.name}: {difference}" for path in outputs for difference in differences(run, read_expected(path))]
    outcome = "differ with cause" if name in DIFFERS else "match" if outputs else "run but have no output to match"
    record_property("conformance", outcome if bool(found) == (name in DIFFERS) else "do not match")
    if name in DIFFERS:
        assert found, f"{name} matches now; take it out of DIFFERS"
    else:
        assert not found, "\n".join(found[:8])


@pytest.mark.parametrize("name", [name for name in REFUSED if name in FILES])
def test_unsupported_model_is_refused_by_name(name, record_property):
    """A model is never run wrongly: the unsupported feature is named."""
    with pytest.raises((ModelError, SimulationError)) as refusal:
        our_run(name)
    record_property("conformance", "refused by name")
    assert REFUSED[name] in str(refusal.value)


BY_PYSD = [
    pytest.param(name, marks=pytest.mark.nightly if place % 3 != 2 and output_files(MODELS / name) else ())
    for place, name in enumerate(SUPPORTED)
]
"""PySD takes half a second for each model: where there are Vensim's own numbers, two of three models wait for the night."""


@pytest.mark.parametrize("name", BY_PYSD)
def test_pysd_gives_the_same_numbers(name):
    """Both take the same Euler steps in double precision; the tables of differences are exact."""
    if name in PYSD_FAILS:
        with pytest.raises(ReferenceEngineError):
            simulate_with_pysd(MODELS / name)
        return
    found = disagreements(our_run(name), simulate_with_pysd(MODELS / name))
    if name in PYSD_DIFFERS:
        assert found, f"{name} agrees now; take it out of PYSD_DIFFERS"
    else:
        assert not found, "\n".join(found[:8])


def test_tables_list_models_of_the_collection():
    """An entry for a missing file would prove nothing."""
    assert {*REFUSED, *DIFFERS, *REPORTED, *PYSD_DIFFERS, *PYSD_FAILS} <= set(FILES)


def disagreements(ours: xr.Dataset, theirs: xr.Dataset) -> list[str]:
    """One line per variable that differs between two runs; variables of only one (lookups, states) do not count."""
    times = ours["time"].to_numpy()
    if (
        times.shape != theirs["time"].shape
        or np.abs(times - theirs["time"].to_numpy()).max() > AGREED * np.abs(times).max()
    ):
        return [f"times {times[0]:g} to {times[-1]:g} ({times.size}) and {theirs.sizes['time']} rows"]
    shared = [str(name) for name in ours.data_vars if name in theirs.data_vars]
    assert shared, "the runs have no variable in common"
    return [
        line for name in shared if (line := largest_difference(name, ours[name].to_numpy(), theirs[name].to_numpy()))
    ]


def largest_difference(name, ours, theirs):
    """A line about the largest difference of one variable, empty without any; `:NA:` is not a number in PySD."""
    known = ~(np.isnan(theirs) & (ours < -1e32)) & ~(np.isnan(theirs) & np.isnan(ours)) & ~(ours == theirs)
    if not known.any():
        return ""
    size = np.nanmax(np.abs(ours))
    far = np.where(known, np.abs(ours - theirs), 0.0)
    worst = np.unravel_index(np.argmax(np.where(np.isnan(far), np.inf, far)), far.shape)
    return (
        "" if far[worst] <= AGREED * size else f"{name} at {worst}: ours {ours[worst]:.12g}, PySD {theirs[worst]:.12g}"
    )
