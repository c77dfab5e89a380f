"""A check that a run has the same numbers in whatever way it is made."""

from __future__ import annotations

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.testing import wasm_difference


def _values(run, name):
    return np.asarray(run[name], dtype=float)


def _check(model, integrator, constant, values, *, at):
    run = sd.simulate(model, integrator=integrator)
    for time in at:
        again = sd.simulate(model, start=run, at=time)
        for name in run.data_vars:
            np.testing.assert_array_equal(_values(again, name), _values(run.sel(time=again["time"]), name), name)
    many = sd.simulate(model, {constant: [*values, values[0]]}, integrator=integrator)
    assert "member" in many
    first, other, last = (many.isel(member=place) for place in (0, 1, -1))
    assert not first.drop_vars([constant]).equals(other.drop_vars([constant]))
    for name in run.data_vars:
        np.testing.assert_array_equal(_values(last, name), _values(first, name), name)
        np.testing.assert_allclose(_values(first, name), _values(run, name), rtol=1e-9, atol=1e-12, err_msg=name)
    assert wasm_difference(model, run) < 1e-12


@pytest.fixture(scope="session")
def check_other_ways():
    """Check members, the first of which has the model's own constants, runs that go on at some times, and WebAssembly."""
    return _check
