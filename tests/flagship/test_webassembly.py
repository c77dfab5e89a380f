"""The model as a WebAssembly module, for a page."""

from __future__ import annotations

import shutil

import pytest

import sdmodel as sd
from sdmodel.testing import WasmInstance, differences_from_run, run_in_node


@pytest.fixture(scope="module")
def module(model):
    return sd.compile_wasm(model)


@pytest.fixture(scope="module")
def changes(module):
    """Every constant of a policy lever a little higher."""
    return {record["cell"]: record["value"] * 1.05 for record in module.description["inputs"][::7]}


def test_module_is_small(module):
    """The code of a page is below 40 kB."""
    assert len(module.code) < 40_000


def test_module_gives_the_numbers_of_native_code(module, model, changes):
    """All variables, to 1e-12 of the largest value of each, as the model is and with constants changed."""
    instance = WasmInstance(module)
    for constants in ({}, changes):
        finite, series = instance.run(constants)
        assert finite
        run = sd.simulate(model, constants)
        assert max(differences_from_run(module.description, series, run).values()) < 1e-12


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_gives_the_same_numbers(module, model, changes):
    """With the functions of `Math` of a browser."""
    run = sd.simulate(model, changes)
    assert max(differences_from_run(module.description, run_in_node(module, changes), run).values()) < 1e-12
