"""Twenty edits without effect on the numbers give the same numbers in sdmodel and in Simlin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from ai_compute import MODEL

import sdmodel as sd
from sdmodel.vensim import OpenDocument, unformatted_parts


@pytest.fixture(scope="module")
def edited() -> OpenDocument:
    """The model after twenty edits that leave its numbers alone."""
    opened = sd.open_document(MODEL)
    opened[
        "price elasticity"
    ].comment = "How demand answers to price, in logarithms; see the report on prices for more of it."
    opened["Chips On Order"].comment = "Ordered and not yet\nshipped."
    opened["Fab Capacity"].units = "GW/year"
    opened["ordering"].units = "GigaWatt/Year"
    opened["price elasticity"].range = (0.1, 2, 0.05)
    opened["scarcity switch"].range = None
    opened["order coverage"].range = (0, None)
    opened["fab increment"].group = "Moved"
    opened["price elasticity"].equation = f"{opened['price elasticity'].equation}0"
    opened["spending limit"].equation = f"({opened['spending limit'].equation})"
    opened.add("unused ratio", "ordering/Fab Capacity + 0*Time", units="dmnl", comment="Unused.")
    opened.add("unused constant", "3", group="Moved", range=(0, 5))
    opened.add("unused effect", "[(0,0)-(2,2)],(0,0),(1,1),(2,1.5)")
    opened.add("Unused Stock", "5", kind="stock", units="GW")
    opened.add("unused flow", "Unused Stock/unused constant", source="Unused Stock", sink="", units="GW/Year")
    opened.rename("ordering", "orders, placed")
    opened.rename("orders, placed", "ordering")
    opened.rename("consumer", "person")
    opened.rename("person", "consumer")
    opened.remove("unused ratio")
    assert opened.document.edits == 20
    opened.check()
    return opened


def test_the_model_is_laid_out_as_fmt_writes_it():
    """So that `sdmodel fmt` after an edit changes only what was edited."""
    assert not unformatted_parts(sd.open_document(MODEL).document)


@pytest.mark.slow
def test_edits_keep_our_numbers(edited: OpenDocument, base: xr.Dataset):
    """To the last bit."""
    after = sd.simulate(edited.model)
    assert all(np.array_equal(base[name], after[name]) for name in base.data_vars)


@pytest.mark.slow
def test_edits_keep_simlins_numbers(edited: OpenDocument, tmp_path: Path):
    """Another reader of the format accepts the edited file."""
    simlin = pytest.importorskip("simlin", reason="pysimlin has no wheel for this platform")
    file = tmp_path / "edited.mdl"
    edited.save(file)

    def run(path: Path) -> Mapping[str, Any]:
        found: Mapping[str, Any] = simlin.load(str(path)).run(analyze_loops=False).results
        return found

    before, after = run(MODEL), run(file)
    assert len(set(before)) > 300
    for name in before:
        assert np.allclose(before[name], after[name], rtol=1e-12, atol=0, equal_nan=True), name
