"""Colours and numbers of runs in diagrams: each name stands on the colour of its place, with its number below."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from sdmodel.errors import FigureError
from sdmodel.figures import Shade, Shades, plot_diagram
from sdmodel.model import Arrow, Sketch, View, Word

WORDS = (
    Word(1, "variable", "Level", 100, 100, 40, 20, "box"),
    Word(2, "variable", "rate", 300, 100, 30, 10, "clear"),
    Word(3, "variable", "gone", 300, 200, 30, 10, "clear"),
)
SKETCH = Sketch("a.mdl", "0" * 64, (View("V", WORDS, (Arrow(4, 2, 1),)),), {"level": "stock", "rate": "constant"})


def _shades(colours, **places):
    shades = {name: Shade(place, f"{name} text") for name, place in places.items()}
    return Shades(colours, "what it means", ("low end", "high end"), shades)


def _grounds(figure):
    return {
        each.get_gid(): to_hex(each.get_facecolor()) for each in figure.axes[0].patches if isinstance(each, Rectangle)
    }


@pytest.mark.parametrize("colours", ["value", "change"])
def test_each_name_stands_on_its_colour_with_its_number(colours):
    """What is in no run stays white; both ends of the scale and its meaning are told."""
    figure = plot_diagram(SKETCH, shades=_shades(colours, level=1.0, rate=0.0))
    grounds = _grounds(figure)
    assert len({grounds["variable-1-box"], grounds["variable-2-ground"], "#ffffff"}) == 3
    assert grounds["variable-3-ground"] == "#ffffff"
    texts = {each.get_gid(): each.get_text() for each in figure.axes[0].texts}
    assert (texts["number-1"], texts["number-2"]) == ("level text", "rate text")
    assert "number-3" not in texts
    assert {"what it means", "low end", "high end"} <= {each.get_text() for each in figure.texts}
    assert [each.get_label() for each in figure.axes[1:]] == ["scale"]


def test_no_change_is_white_and_falls_and_rises_have_other_hues():
    """The middle of the scale of changes is nearly white."""
    from matplotlib.colors import to_rgb

    colours = {}
    for place in (0.0, 0.5, 1.0):
        figure = plot_diagram(SKETCH, shades=_shades("change", level=place))
        colours[place] = np.array(to_rgb(_grounds(figure)["variable-1-box"]))
    assert colours[0.5].min() > 0.95
    assert colours[0.0][0] > colours[0.0][2]
    assert colours[1.0][2] > colours[1.0][0]


def test_what_does_not_move_is_grey():
    """A constant has a number and no place."""
    assert _grounds(plot_diagram(SKETCH, shades=_shades("value", rate=None)))["variable-2-ground"] == "#efefef"


def test_a_place_beyond_the_scale_is_refused():
    """The figure computes nothing, so it cuts nothing off either."""
    with pytest.raises(FigureError, match="no place on its colours"):
        plot_diagram(SKETCH, shades=_shades("value", rate=1.5))
