"""The question that users ask first: which lever reduces ghost compute most, at what cost."""

from __future__ import annotations

import warnings

import sdmodel as sd
from sdmodel.simulation import RunWarning

POWER = {
    "site construction time multiplier",
    "grid connection time multiplier",
    "on site power multiplier",
    "retrofit multiplier",
}


def test_every_policy_lever_has_a_plausible_range(model):
    """So that the ranking needs no slider, and no lever is at the end of one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RunWarning)
        found = sd.rank_levers(model, "total ghost compute", at=2028, also=["Annual Revenue"])
    levers = [lever for lever in sd.find_levers(model) if lever.kind == "policy lever"]
    assert found["lever"].size == len(levers) + 1
    for lever in levers:
        row = found.sel(lever=lever.name)
        assert row["source"].item() == "file"
        assert lever.minimum <= row["low"] < row["high"] <= lever.maximum
        assert row["low"] <= row["present"] <= row["high"]


def test_power_reduces_ghost_compute_and_raises_revenue(model):
    """Levers that bring power do both; fewer chips cost revenue."""
    found = sd.rank_levers(model, "total ghost compute", at=2028, also=["Annual Revenue"])
    for lever in POWER:
        ghost, revenue = found["effect"].sel(lever=lever).values
        assert ghost < 0 < revenue
    assert found["effect"].sel(lever="chip supply multiplier", outcome="Annual Revenue") < 0
    assert found["effect"].isel(outcome=0).sel(lever="all together") < found["effect"].isel(outcome=0, lever=0)
