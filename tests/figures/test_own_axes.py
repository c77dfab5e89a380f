"""Figures on axes of the caller's own figure."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import FigureError
from sdmodel.scenario import Distribution, Sampling, Scenario, Variation
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change

sys.path.append(str(Path(__file__).parent))
from box_datasets import boxes

MODEL = tiny_model("level = INTEG(inflow*share, 0)\ninflow = 1\nshare = 1\ntwice = 2*level")
NAMES = ["level", "twice"]
UNIFORM = Distribution("RANDOM_UNIFORM", (0.5, 2.0))
SAMPLING = Sampling("multivariate", 8, 1, (Variation("inflow", (), UNIFORM), Variation("share", (), UNIFORM)))
POLICY = Scenario("policy", (read_change("inflow = 2"), read_change("share = 3")))


def _differences(axes):
    base, more = sd.simulate(MODEL), sd.simulate(MODEL, {"inflow": 2})
    return sd.plot_differences("base", base, {"more": (more - base).assign_attrs(more.attrs)}, NAMES, axes=axes)


def _contributions():
    found = sd.attribute_levers(MODEL, POLICY, save=NAMES)
    return [sd.contributions_to(found, name) for name in NAMES]


def _sensitivities(method):
    return sd.find_sensitivities(MODEL, NAMES, method=method, sampling=SAMPLING, trajectories=4, samples=4, seed=1)


def _map(axes):
    swept = sd.sweep_levers(MODEL, {"inflow": [1, 2], "share": [1, 3]}, save=NAMES)
    return sd.plot_heat_map(swept[NAMES].isel(time=-1).assign_attrs(swept.attrs), axes=axes)


MEMBERS = {"inflow": [1.0, 2.0, 4.0]}
PLOTS = {
    "runs": (2, lambda axes: sd.plot_runs(sd.simulate(MODEL), NAMES, axes=axes)),
    "bands": (
        2,
        lambda axes: sd.plot_bands(
            sd.quantiles(sd.simulate(MODEL, MEMBERS), NAMES, [0.05, 0.5, 0.95]), NAMES, axes=axes
        ),
    ),
    "differences": (2, _differences),
    "wedges": (4, lambda axes: sd.plot_wedges(_contributions(), axes=axes)),
    "contributions": (
        2,
        lambda axes: sd.plot_contributions([p.at(10) for p in _contributions()], when="10", axes=axes),
    ),
    "ranking": (
        2,
        lambda axes: sd.plot_ranking(
            sd.rank_levers(MODEL, "level", also=["twice"], levers={"inflow": (0, 2), "share": (0, 1)}), axes=axes
        ),
    ),
    "sweep": (2, lambda axes: sd.plot_sweep(sd.sweep_levers(MODEL, {"inflow": [1, 2]}), NAMES, axes=axes)),
    "map": (2, _map),
    "boxes": (2, lambda axes: sd.plot_boxes(boxes(count=1), axes=axes)),
    "tornado": (2, lambda axes: sd.plot_tornado(_sensitivities("tornado"), axes=axes)),
    "morris": (2, lambda axes: sd.plot_morris(_sensitivities("morris"), axes=axes)),
    "sobol": (2, lambda axes: sd.plot_sobol(_sensitivities("sobol"), axes=axes)),
}


@pytest.mark.parametrize("kind", PLOTS)
def test_a_figure_is_drawn_on_given_axes(kind):
    """Each panel fills one of them, the caller's title stays, and a legend stands in the first if there is one at all."""
    count, plot = PLOTS[kind]
    page, axes = plt.subplots(2, count // 2, figsize=(9, 6))
    page.suptitle("mine")
    try:
        assert plot(axes) is page
        assert page.get_suptitle() == "mine"
        assert not page.legends
        assert tuple(page.get_size_inches()) == (9, 6)
        for panel in np.ravel(axes):
            assert panel.has_data(), kind
        page.draw_without_rendering()
        with pytest.raises(FigureError, match=f"axes: 1 are given for {count} panels; give {count}"):
            plot(np.ravel(axes)[0])
    finally:
        plt.close(page)


@pytest.mark.wrong_types
@pytest.mark.parametrize("kind", PLOTS)
def test_a_figure_is_not_axes(kind):
    page = plt.figure()
    try:
        with pytest.raises(FigureError, match="axes: Figure is not matplotlib axes; give those"):
            PLOTS[kind][1](page)
    finally:
        plt.close(page)


def test_other_panels_of_the_figure_are_left_alone():
    """One variable on one axes of two."""
    page, (mine, other) = plt.subplots(1, 2)
    try:
        sd.plot_runs(sd.simulate(MODEL), "level", axes=mine)
        assert (mine.get_title(loc="left"), other.has_data()) == ("level", False)
    finally:
        plt.close(page)
