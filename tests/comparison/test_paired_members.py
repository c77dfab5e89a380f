"""Members of two ensembles pair by pair: quantiles of their differences equal NumPy's, however they are read."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sdmodel.comparison import are_paired, paired_differences
from sdmodel.comparison import members as members_module
from sdmodel.comparison.members import LEFT_OUT
from sdmodel.dataset import PROBABILITY
from sdmodel.errors import DatasetError

ANY = st.one_of(st.floats(-1e3, 1e3), st.sampled_from([np.nan, np.inf]))
LEVELS = [0.05, 0.5, 0.95]


def _ensemble(values: np.ndarray, *, step: float = 1.0, **attributes: str) -> xr.Dataset:
    """An ensemble of one variable, shape (times, members)."""
    stock = (("time", "member"), values, {"long_name": "Stock", "units": "GW"})
    times = 2020 + step * np.arange(len(values))
    return xr.Dataset({"stock": stock}, {"time": times, "member": np.arange(values.shape[1])}, attributes)


@settings(deadline=None)
@given(arrays.arrays(float, st.tuples(st.just(2), st.integers(1, 4), st.integers(1, 8)), elements=ANY))
def test_quantiles_of_differences_use_members_with_numbers(values: np.ndarray):
    """And the shares above and below zero are of the same members."""
    found = paired_differences(_ensemble(values[0]), _ensemble(values[1]), ["Stock"], LEVELS)
    with np.errstate(invalid="ignore"):
        differences = np.where(np.isfinite(values).all(axis=0), values[1] - values[0], np.nan)
    for time, row in enumerate(differences):
        known = row[~np.isnan(row)]
        expected = np.quantile(known, LEVELS) if known.size else np.full(3, np.nan)
        assert found.quantiles["Stock"].isel(time=time).values == pytest.approx(expected, abs=1e-9, nan_ok=True)
        for shares, side in ((found.above, known > 0), (found.below, known < 0)):
            share = side.mean() if known.size else np.nan
            assert float(shares["Stock"][time]) == pytest.approx(share, nan_ok=True)
    assert found.quantiles["Stock"].dims == (PROBABILITY, "time")
    assert found.quantiles["Stock"].attrs["units"] == "GW"
    assert found.quantiles["Stock"].attrs[LEFT_OUT] == np.isnan(differences).sum(axis=1).max()


def test_quantiles_of_differences_are_not_differences_of_quantiles():
    """A lever that adds one to each member adds one to the median of differences, though the bands overlap."""
    spread = np.linspace(0, 1000, 101)[None]
    found = paired_differences(_ensemble(spread), _ensemble(spread[:, ::-1] + 1), "Stock", LEVELS).quantiles["Stock"]
    assert list(found.values[:, 0]) == pytest.approx([-899, 1, 901])
    shifted = paired_differences(_ensemble(spread), _ensemble(spread + 1), "Stock", LEVELS)
    assert list(shifted.quantiles["Stock"].values[:, 0]) == pytest.approx([1, 1, 1])
    assert shifted.above["Stock"].item() == 1


def test_quantiles_of_ratios_are_of_pairs():
    """Doubling each member is a ratio of two, whatever the spread, and counts as above."""
    spread = np.linspace(1, 1000, 101)[None]
    found = paired_differences(_ensemble(spread), _ensemble(2 * spread), "Stock", LEVELS, ratios=["Stock"])
    assert list(found.quantiles["Stock"].values[:, 0]) == pytest.approx([2, 2, 2])
    assert found.quantiles["Stock"].attrs["units"] == "Dmnl"
    assert (found.above["Stock"].item(), found.below["Stock"].item()) == (1, 0)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 3000))
def test_differences_do_not_depend_on_the_size_of_pieces(times: int, members: int, piece: int):
    """One time after the other or all together, on time axes that differ."""
    generator = np.random.default_rng(times)
    first, second = (
        _ensemble(generator.normal(size=(times, members))),
        _ensemble(generator.normal(size=(3, members)), step=0.75),
    )
    whole = paired_differences(first, second, "Stock", LEVELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members_module, "_DIFFERENCE_BYTES", piece)
        pieces = paired_differences(first, second, "Stock", LEVELS)
    xr.testing.assert_identical(whole.quantiles, pieces.quantiles)
    xr.testing.assert_identical(whole.above, pieces.above)


def test_a_single_run_is_paired_with_every_member():
    """On either side."""
    values = np.array([[1.0, 2, 3, 4]])
    many, single = _ensemble(values), _ensemble(values[:, :1]).isel(member=0, drop=True)
    assert are_paired(single, many)
    over = paired_differences(single, many, "Stock", [0, 1])
    under = paired_differences(many, single, "Stock", [0, 1])
    assert over.members == under.members == 4
    assert over.quantiles["Stock"].values.ravel().tolist() == [0, 3]
    assert under.quantiles["Stock"].values.ravel().tolist() == [-3, 0]


def test_members_are_paired_by_their_design():
    """By its hash if there is one, or else by the sampled constants; of an unfinished ensemble the stored members count."""
    values = np.arange(8.0).reshape(2, 4)
    plain = _ensemble(values)
    assert are_paired(_ensemble(values, design_sha256="a"), _ensemble(values + 1, design_sha256="a"))
    assert not are_paired(_ensemble(values, design_sha256="a"), _ensemble(values, design_sha256="b"))
    assert not are_paired(plain, _ensemble(values, design_sha256="b"))
    ensembles = [plain.assign(delay=("member", [1.0, 2, 3, last], {"kind": "constant"})) for last in (4, 4, 5)]
    assert are_paired(ensembles[0], ensembles[1])
    assert not are_paired(ensembles[0], ensembles[2])
    assert not are_paired(ensembles[0], plain)
    assert are_paired(plain, _ensemble(values + 1))  # results may differ,
    levers = [ensembles[0].assign(lever=((), value, {"kind": "constant"})) for value in (1.0, 2.0)]
    assert are_paired(*levers)  # and so may a constant that all members share
    assert paired_differences(plain, plain.isel(member=[0, 1]), "stock", [0.5]).members == 2


def test_requested_labels_and_times():
    """Between stored times linearly; a time outside one of the runs is refused."""
    values = np.zeros((3, 2, 4))
    tier = ("tier", ["a", "b"], {"kind": "subscript"})
    first = _ensemble(np.zeros((3, 4))).assign_coords(tier=tier).assign(price=(("time", "tier", "member"), values))
    second = first.assign(price=(("time", "tier", "member"), values + np.arange(3.0)[:, None, None]))
    found = paired_differences(first, second, ["price", "price[b]"], [0.5], at=[2021.5, 2020.25])
    assert found.quantiles["price"].sizes == {PROBABILITY: 1, "time": 2, "tier": 2}
    assert found.quantiles["price[b]"].values.ravel().tolist() == [0.25, 1.5]
    with pytest.raises(DatasetError, match="2023 is outside the times of both runs, 2020 to 2022"):
        paired_differences(first, second, "price", [0.5], at=[2023])
    with pytest.raises(DatasetError, match="is not a probability"):
        paired_differences(first, second, "price", [2])
