"""Statistics over members: quantiles equal NumPy's, shares equal a count, however the members are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sdmodel.comparison import LEFT_OUT, quantiles, share_where
from sdmodel.comparison import members as members_module
from sdmodel.dataset import PROBABILITY
from sdmodel.errors import DatasetError, StoreError
from sdmodel.store import add_members, create_ensemble, open_for_append, open_run
from sdmodel.vensim import read_formula

ANY = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([np.nan, np.inf, -np.inf]))
MANY = arrays.arrays(float, arrays.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=ANY)
ATTRIBUTES = dict.fromkeys(("model", "model_sha256", "integrator", "engine", "created"), "x")


def _run(values: np.ndarray, **others: np.ndarray) -> xr.Dataset:
    """A run of one variable, shape (times, members), with other variables."""
    variables = {"stock": values} | others
    return xr.Dataset(
        {
            name: (("time", "member"), array, {"long_name": name.title(), "units": "GW"})
            for name, array in variables.items()
        },
        {"time": 2000.0 + np.arange(len(values)), "member": np.arange(values.shape[1])},
        ATTRIBUTES,
    )


@given(MANY, st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_quantiles_equal_numpys_over_finite_values(values: np.ndarray, levels: list[float]):
    """Members without a number are left out, and the largest number of them is recorded."""
    found = quantiles(_run(values), "Stock", levels)["Stock"]
    finite = np.where(np.isfinite(values), values, np.nan)
    for time, row in enumerate(finite):
        known = row[~np.isnan(row)]
        expected = np.quantile(known, levels) if known.size else np.full(len(levels), np.nan)
        assert found.isel(time=time).values == pytest.approx(expected, rel=1e-12, abs=1e-9, nan_ok=True)
    assert found.dims == (PROBABILITY, "time")
    assert found.attrs["units"] == "GW"
    assert found.attrs[LEFT_OUT] == np.isnan(finite).sum(axis=1).max()


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 2000))
def test_quantiles_do_not_depend_on_the_size_of_pieces(times: int, members: int, piece: int):
    """One time after the other or all together."""
    values = np.random.default_rng(times).normal(size=(times, members))
    whole = quantiles(_run(values), "stock", [0.05, 0.5, 0.95])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members_module, "_READ_BYTES", piece)
        patch.setattr(members_module, "free_memory", lambda: 0)
        patch.setattr(members_module, "_SORTED_BYTES", 2 * piece)
        pieces = quantiles(_run(values), "stock", [0.05, 0.5, 0.95])
    xr.testing.assert_identical(whole, pieces)


def test_labels_and_constants_have_quantiles():
    """A subscripted variable has quantiles for each label; a number that all members share is its own quantile."""
    values = np.arange(24.0).reshape(3, 2, 4)
    run = _run(np.zeros((3, 4))).assign_coords(tier=("tier", ["a", "b"], {"kind": "subscript"}))
    run = run.assign(price=(("time", "tier", "member"), values), sampled=("member", [4.0, 1, 2, 3]), one=((), 7.0))
    found = quantiles(run, ["price", "sampled", "one", "price[b]"], [0, 0.5, 1])
    assert found["price"].dims == (PROBABILITY, "time", "tier")
    assert np.array_equal(found["price"], np.quantile(values, [0, 0.5, 1], axis=-1))
    assert list(found["sampled"].values) == [1, 2.5, 4]
    assert list(found["one"].values) == [7, 7, 7]
    assert np.array_equal(found["price[b]"], found["price"].isel(tier=1))
    assert run["price"].values[0, 0, 0] == 0.0


@pytest.mark.parametrize("levels", [[], [1.5], [-0.1], [float("nan")]])
def test_wrong_probabilities_are_reported(levels: list[float]):
    """And variables that the run does not have."""
    with pytest.raises(DatasetError, match="quantiles: .* is not a probability; give numbers from 0 to 1"):
        quantiles(_run(np.zeros((2, 2))), "stock", levels)
    with pytest.raises(DatasetError, match="'Stok' is not in the run; did you mean 'Stock'"):
        quantiles(_run(np.zeros((2, 2))), "Stok", [0.5])


@given(MANY, st.integers(1, 9))
def test_shares_equal_a_count(values: np.ndarray, block: int):
    """Of the members with a number at a time; ever and always of those with a number at all times."""
    run = _run(values).assign_attrs(members_in_a_block=block)
    found = share_where(run, read_formula("Stock > 0 :AND: Stock < 1000"))
    finite = np.isfinite(values)
    holds = (values > 0) & (values < 1000) & finite
    for time in range(len(values)):
        count = int(finite[time].sum())
        assert int(found["counted"][time]) == count
        assert float(found[time]) == (
            pytest.approx(holds[time].sum() / count) if count else pytest.approx(np.nan, nan_ok=True)
        )
    throughout = finite.all(axis=0)
    assert int(found["throughout"]) == throughout.sum()
    if throughout.any():
        assert float(found["ever"]) == pytest.approx(holds[:, throughout].any(axis=0).mean())
        assert float(found["always"]) == pytest.approx(holds[:, throughout].all(axis=0).mean())
    else:
        assert np.isnan(found["ever"])
        assert np.isnan(found["always"])


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Stock > Other", [1 / 3, 2 / 3]),
        ("Time > 2000", [0, 1]),
        ("sampled > 1", [1 / 3]),
        ("1", [1]),
        ("Stock*0", [0, 0]),
        ("Stock > Other :AND: Time = 2000 :OR: sampled = 0", [2 / 3, 1 / 3]),
    ],
)
def test_a_condition_may_use_everything_in_the_run(text: str, share: list[float]):
    """Variables, time, sampled constants and plain numbers."""
    run = _run(np.array([[1.0, 2, 3], [4, 5, 6]]), other=np.array([[2.0, 2, 2], [5, 4, 3]]))
    run = run.assign(sampled=("member", [0.0, 1, 2]))
    assert list(np.atleast_1d(share_where(run, read_formula(text)).values)) == pytest.approx(share)


def test_a_single_run_is_one_member():
    """A condition holds in it or does not."""
    run = _run(np.array([[1.0], [3.0]])).isel(member=0, drop=True)
    found = share_where(run, read_formula("Stock > 2"))
    assert list(found.values) == [0, 1]
    assert (float(found["ever"]), float(found["always"])) == (1, 0)


def test_a_condition_on_a_missing_variable_is_reported():
    """With the nearest name."""
    with pytest.raises(DatasetError, match=r"'stok' is not in the run; did you mean"):
        share_where(_run(np.zeros((2, 2))), read_formula("stok > 1"))


@pytest.mark.parametrize("work", [
    lambda run: quantiles(run, ["stock"], [0.25, 0.75]),
    lambda run: share_where(run, read_formula("stock > 0")),
])  # fmt: skip
def test_a_stored_ensemble_gives_the_same_statistics(tmp_path: Path, work: Callable):
    """Block by block from the disk, or from memory."""
    run = _run(np.random.default_rng(1).normal(size=(50, 9000)))
    create_ensemble(run.isel(member=[0, 1]), tmp_path / "a.zarr", count=9000)
    with open_for_append(tmp_path / "a.zarr") as ensemble:
        add_members(ensemble, run)
    xr.testing.assert_equal(work(open_run(tmp_path / "a.zarr")), work(run))


@pytest.mark.parametrize("work", [
    lambda run: quantiles(run, ["stock"], [0.25, 0.75]),
    lambda run: share_where(run, read_formula("stock > 0")),
])  # fmt: skip
def test_damaged_members_are_reported_in_one_line(tmp_path: Path, work: Callable):
    """Damage shows only when the numbers are read."""
    run = _run(np.random.default_rng(1).normal(size=(5, 90)))
    create_ensemble(run.isel(member=[0, 1]), tmp_path / "a.zarr", count=90)
    with open_for_append(tmp_path / "a.zarr") as ensemble:
        add_members(ensemble, run)
    chunk = tmp_path / "a.zarr" / "stock" / "c" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[40] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(StoreError, match=r"a\.zarr/stock: cannot be read, it is damaged; make") as caught:
        work(open_run(tmp_path / "a.zarr"))
    assert "\n" not in str(caught.value)
