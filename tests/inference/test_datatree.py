"""The posterior for ArviZ: its groups, their numbers and units, and what ArviZ makes of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sdmodel import read_formula, sample_posterior, to_datatree
from sdmodel.errors import CalibrationError, Place
from sdmodel.inference import Calibration, ErrorModel, Series, calibrate_model, free_constants
from sdmodel.testing import tiny_model

MODEL = tiny_model(
    "r: North, south ~~|\ny = base + slope[North]*Time ~ kg ~|\nbase = 1 ~ kg ~|\nslope[r] = 1, 2 ~ kg/Year ~|\n"
    "other[r] = 3 + 0*slope[r] ~~|\ntable[r, r] = 1, 2; 3, 4; ~~|\n"
)
TIMES, OBSERVED = np.array([0.25, 1.0, 3.5, 6.25, 9.75]), np.array([3.1, 4.7, 10.2, 15.4, 22.9])
CHAINS = ("chain", "draw")


@pytest.fixture(scope="module")
def found() -> Calibration:
    """A line through five points, with constants of no, one and two subscripts."""
    series = Series(
        "mass/year", read_formula("y"), "y", TIMES, OBSERVED, ErrorModel("absolute", 0.8), "kg", Place("s", 1)
    )
    free = ["base=-40:40", "slope[North]=-20:20", "table[North,south]=0:9", "table[south,North]=0:9"]
    calibration = calibrate_model(MODEL, [series], free_constants(MODEL, free), starts=4)
    return sample_posterior(calibration, steps=60, walkers=16)


def test_the_groups_hold_the_chain(found: Calibration):
    """Each step of each walker once, before and after the warm-up, in the units of each constant."""
    tree = to_datatree(found)
    posterior, chain = found.posterior, found.posterior.chain
    for group, steps in (("", slice(posterior.burn, None)), ("warmup_", slice(posterior.burn))):
        draws = tree[f"{group}posterior"]
        assert draws["base"].dims == CHAINS
        assert np.array_equal(draws["base"], chain.points[steps, :, 0].T)
        assert np.array_equal(draws["slope"].sel(slope_dim_0="North"), chain.points[steps, :, 1].T)
        assert np.array_equal(tree[f"{group}sample_stats"]["lp"], chain.log_densities[steps].T)
    table = tree["posterior"]["table"]
    assert table.sizes == {"chain": 16, "draw": 60 - posterior.burn, "table_dim_0": 2, "table_dim_1": 2}
    assert np.array_equal(table.sel(table_dim_0="south", table_dim_1="North"), chain.points[posterior.burn :, :, 3].T)
    assert table.sel(table_dim_0="North", table_dim_1="North").isnull().all()
    assert (tree["posterior"]["slope"].attrs["units"], tree["posterior"]["slope"].attrs["long_name"]) == (
        "kg/Year",
        "slope",
    )


def test_the_observations_are_there_with_their_times(found: Calibration):
    """In their units; a name of a file has no slash."""
    observed = to_datatree(found)["observed_data"]["mass per year"]
    assert np.array_equal(observed, OBSERVED)
    assert np.array_equal(observed["mass per year_time"], TIMES)
    assert (observed.attrs["units"], observed.attrs["formula"]) == ("kg", "y")


def test_the_file_keeps_everything(found: Calibration, tmp_path: Path):
    """NetCDF, with the record of the calibration."""
    tree = to_datatree(found)
    tree.to_netcdf(tmp_path / "posterior.nc")
    with xr.open_datatree(tmp_path / "posterior.nc") as again:
        for group in tree.children:
            xr.testing.assert_identical(again[group].to_dataset(), tree[group].to_dataset())
        assert (again.attrs["model_sha256"], again.attrs["inference_library"]) == (MODEL.sha256, "emcee")


def test_a_calibration_without_a_posterior_is_refused(found: Calibration):
    """With what to do."""
    from dataclasses import replace

    with pytest.raises(CalibrationError, match="has no posterior; sample one"):
        to_datatree(replace(found, posterior=None))


def test_arviz_reads_the_file_and_agrees_on_the_diagnostics(found: Calibration, tmp_path: Path):
    """The groups are known to it, and its R-hat and effective sample sizes are those of the calibration."""
    arviz = pytest.importorskip("arviz", reason="arviz is not installed")
    to_datatree(found).to_netcdf(tmp_path / "posterior.nc")
    data = arviz.from_netcdf(tmp_path / "posterior.nc")
    summary = arviz.summary(data, var_names=["base", "slope"], round_to="none")
    for row, marginal in zip(("base", "slope[North]"), found.posterior.marginals, strict=False):
        assert float(summary.loc[row, "mean"]) == pytest.approx(marginal.mean)
        assert float(summary.loc[row, "r_hat"]) == pytest.approx(marginal.rhat, rel=1e-6)
        assert float(summary.loc[row, "ess_bulk"]) == pytest.approx(marginal.ess_bulk, rel=1e-6)
    assert {"posterior", "sample_stats", "observed_data"} <= {str(group).strip("/") for group in _groups(data)}


def _groups(data: object) -> list[str]:
    """The names of the groups, in ArviZ before and after it took up xarray's trees."""
    groups = data.groups  # type: ignore[attr-defined]
    return list(groups() if callable(groups) else groups)
