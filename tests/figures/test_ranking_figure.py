"""The figure of a ranking: its bars, bands and arrows, and names that do not overlap."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.text import Annotation, Text

from sdmodel.analysis import rank_levers
from sdmodel.errors import FigureError
from sdmodel.figures import plot_ranking, render_figure
from sdmodel.scenario import Distribution, Sampling, Variation, make_design
from sdmodel.testing import tiny_model

MODEL = tiny_model(
    "\n".join([
        "Stock = INTEG(" + " + ".join(f"k * lever {n} * {n}" for n in range(1, 9)) + ", 0)",
        "cost = " + " + ".join(f"lever {n} * {9 - n}" for n in range(1, 9)),
        "k = 1",
        *(f"lever {n} = 1" for n in range(1, 9)),
    ])
)  # fmt: skip
LEVERS = {f"lever {n}": (0.5, 1.5) for n in range(1, 9)}


@pytest.fixture(scope="module")
def found():
    """A ranking of eight levers over members, with a cost."""
    laws = (Variation("k", (), Distribution("RANDOM_UNIFORM", (0.5, 2.0))),)
    design = make_design(MODEL, Sampling("multivariate", variations=laws), count=20, seed=1)
    return rank_levers(MODEL, "Stock", levers=LEVERS, also=["cost"], design=design)


def test_bars_are_effects_in_the_order_of_the_ranking(found):
    """One per lever and one for all together, each with a line over 90 % of the members and its share."""
    bars, trade = plot_ranking(found).axes
    widths = [bar.get_width() for bar in bars.patches]
    assert widths == pytest.approx(found["effect"].isel(outcome=0).values)
    labels = [label.get_text().split("\u00a0")[0] for label in bars.get_yticklabels()]
    assert labels == found["lever"].values.tolist()
    (lines,) = bars.collections
    ends = np.array([segment[:, 0] for segment in lines.get_segments()])
    assert ends == pytest.approx(found["effect_spread"].isel(outcome=0).transpose("lever", ...).values[:, [0, -1]])
    shares = [text.get_text() for text in bars.texts]
    assert shares[:3] == ["first in", "100 %", "0 %"]
    assert "smaller is better" in trade.get_xlabel()


def test_arrows_lead_from_the_baseline_to_each_lever(found):
    """In the units of both outcomes."""
    _, trade = plot_ranking(found).axes
    arrows = [text for text in trade.texts if isinstance(text, Annotation) and not text.get_text()]
    base = found["baseline"].values
    assert all(arrow.xyann == pytest.approx(base) for arrow in arrows)
    ends = sorted(tuple(arrow.xy) for arrow in arrows)
    assert np.array(ends) == pytest.approx(np.array(sorted(map(tuple, base + found["effect"].values))))


def test_names_beside_arrows_do_not_overlap(found):
    figure = plot_ranking(found)
    render_figure(figure, "png")
    named = [text for text in figure.axes[1].texts if text.get_text()]
    assert {text.get_text() for text in named} >= {"lever 8", "lever 1", "all together"}
    boxes = [Text.get_window_extent(text) for text in named]  # without the lines that lead to them
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_ranking_without_other_outcomes_has_bars_only():
    """Levers without gain or numbers say so."""
    hole = tiny_model("x = 1\ny = 5\nz = 0\nout = y + z + 0 * LN(1 - ABS(x - 1))")
    with pytest.warns(UserWarning, match="not finite"):
        found = rank_levers(hole, "out", levers={"x": (0, 2), "y": (4, 6), "z": (0, 1)})
    (bars,) = plot_ranking(found, title="ranks").axes
    assert [text.get_text() for text in bars.texts] == ["no gain", "not finite"]


def test_long_rankings_show_the_first_levers():
    """And say how many there are; nothing to show is an error."""
    names = [f"c{n}" for n in range(30)]
    model = tiny_model("\n".join([*(f"{name} = 1" for name in names), "out = " + " + ".join(names)]))
    found = rank_levers(model, "out", levers={name: (0, place + 2) for place, name in enumerate(names)})
    (bars,) = plot_ranking(found).axes
    assert len(bars.patches) == 21
    assert "the first 20 of 30 levers" in bars.get_xlabel()
    with pytest.raises(FigureError, match="has no lever"):
        plot_ranking(found.isel(lever=[-1]))
