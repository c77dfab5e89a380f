"""Values of runs in diagrams: a colour behind each name, and a number below it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from sdmodel.errors import FigureError
from sdmodel.figures import ShadedValue, Shading, plot_diagram
from sdmodel.model import Arrow, Sketch, View, Word

WORDS = (
    Word(1, "variable", "Level", 100, 100, 40, 20, "box"),
    Word(2, "variable", "rate", 300, 100, 30, 10, "clear"),
    Word(3, "variable", "gone", 300, 200, 30, 10, "clear"),
)
SKETCH = Sketch("a.mdl", "0" * 64, (View("V", WORDS, (Arrow(4, 2, 1),)),), {"level": "stock", "rate": "constant"})


def _shading(colours, **positions):
    values = {name: ShadedValue(position, f"{name} text") for name, position in positions.items()}
    return Shading(colours, "what it means", ("low end", "high end"), values)


def _backgrounds(figure):
    return {
        patch.get_gid(): to_hex(patch.get_facecolor())
        for patch in figure.axes[0].patches
        if isinstance(patch, Rectangle)
    }


@pytest.mark.parametrize("colours", ["value", "change"])
def test_names_have_colours_and_numbers(colours):
    """A variable that no run has stays white; both ends of the scale and its meaning are written."""
    figure = plot_diagram(SKETCH, shading=_shading(colours, level=1.0, rate=0.0))
    backgrounds = _backgrounds(figure)
    assert len({backgrounds["variable-1-box"], backgrounds["variable-2-ground"], "#ffffff"}) == 3
    assert backgrounds["variable-3-ground"] == "#ffffff"
    texts = {text.get_gid(): text.get_text() for text in figure.axes[0].texts}
    assert (texts["number-1"], texts["number-2"]) == ("level text", "rate text")
    assert "number-3" not in texts
    assert {"what it means", "low end", "high end"} <= {text.get_text() for text in figure.texts}
    assert [axes.get_label() for axes in figure.axes[1:]] == ["scale"]


def test_scale_of_changes_has_white_between_two_hues():
    from matplotlib.colors import to_rgb

    colours = {}
    for position in (0.0, 0.5, 1.0):
        figure = plot_diagram(SKETCH, shading=_shading("change", level=position))
        colours[position] = np.array(to_rgb(_backgrounds(figure)["variable-1-box"]))
    assert colours[0.5].min() > 0.95
    assert colours[0.0][0] > colours[0.0][2]
    assert colours[1.0][2] > colours[1.0][0]


def test_no_change_has_no_colour():
    """A word without a value is white too, and keeps the colour of its kind."""
    figure = plot_diagram(SKETCH, shading=_shading("change", rate=None, level=0.2))
    assert _backgrounds(figure)["variable-2-ground"] == "#ffffff"
    texts = {text.get_gid(): text.get_text() for text in figure.axes[0].texts}
    assert texts["number-2"] == "rate text"


def test_arrows_end_at_the_number_below_a_name():
    """The number would hide the head of an arrow from below."""
    words = (WORDS[0], Word(2, "variable", "rate", 100, 300, 30, 10, "clear"))
    sketch = Sketch("a.mdl", "0" * 64, (View("V", words, (Arrow(4, 2, 1),)),), SKETCH.kinds)
    tips = []
    for shading in (None, _shading("value", level=1.0)):
        figure = plot_diagram(sketch, shading=shading)
        (head,) = [patch for patch in figure.axes[0].patches if patch.get_gid() == "influence-4-head"]
        tips.append(head.get_xy()[:, 1].min())
        numbers = [text for text in figure.axes[0].texts if text.get_gid() == "number-1"]
        if numbers:
            figure.draw_without_rendering()
            box = numbers[0].get_window_extent()
            assert figure.axes[0].transData.transform((100, tips[-1]))[1] <= box.y0 + 1
    assert tips[1] > tips[0]


def test_view_without_values_has_no_scale():
    """Its colours would have no meaning."""
    figure = plot_diagram(SKETCH, shading=_shading("value", other=1.0))
    assert len(figure.axes) == 1


def test_constant_variables_are_grey():
    assert _backgrounds(plot_diagram(SKETCH, shading=_shading("value", rate=None)))["variable-2-ground"] == "#efefef"


def test_position_beyond_the_scale_is_refused():
    """The figure computes nothing, so it does not clip either."""
    with pytest.raises(FigureError, match="is not a position on its colour scale"):
        plot_diagram(SKETCH, shading=_shading("value", rate=1.5))
