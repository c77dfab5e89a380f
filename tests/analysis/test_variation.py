"""Every constant of a model varied by a share of its value."""

from __future__ import annotations

from pathlib import Path

import pytest

import sdmodel as sd
from sdmodel.scenario import Sampling
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text

EQUATIONS = """
region: north, south ~~|
share[region] = 0.5 ~ dmnl ~|
size[region] = 2, 4 ~ m ~|
loss = -10 ~ m ~|
rate = 0.9 ~ dmnl [0,1] ~|
nothing = 0 ~ m ~|
unknown = :NA: ~ m ~|
switch = 1 ~ dmnl ~|
never == 3 ~ m ~|
end = 4 ~ Month ~|
order = 3 ~ dmnl ~|
used = IF THEN ELSE(switch = 1, share[north]*size[south]*rate, loss + nothing + never + unknown) ~~|
late = DELAY N(used, 2, 0, order) ~~|
"""


@pytest.fixture(scope="module")
def model() -> sd.Model:
    text = model_text(EQUATIONS).replace("FINAL TIME = ", "FINAL TIME = end + 0*", 1)
    assert "end + 0*" in text
    return model_from_text(text, "regions.mdl")


def _ends(sampling: Sampling) -> dict[str, tuple[float, ...]]:
    lines = sampling.variations
    return {"|".join((line.name, *line.subscripts)): line.distribution.arguments for line in lines}


def test_ends(model: sd.Model) -> None:
    """Each constant goes as far either way; its range limits it, and labels with other values have lines of their own."""
    with pytest.warns(sd.RunWarning, match="not varied"):
        found = _ends(sd.vary_constants(model, 0.2))
    assert {name: pytest.approx(ends) for name, ends in found.items()} == {
        "share": (0.4, 0.6),
        "size|north": (1.6, 2.4),
        "size|south": (3.2, 4.8),
        "loss": (-12, -8),
        "rate": (0.72, 1),
    }


def test_what_cannot_vary_is_named(model: sd.Model) -> None:
    with pytest.warns(sd.RunWarning) as caught:
        sd.vary_constants(model, 0.2)
    assert str(caught[0].message).startswith("not varied: nothing, unknown, switch, end, order; each is 0 ")


def test_a_scenario_moves_the_middle(model: sd.Model, tmp_path: Path) -> None:
    changes = tmp_path / "low.cin"
    changes.write_text("loss = -20\nsize[north] = 4\n")
    with pytest.warns(sd.RunWarning):
        found = _ends(sd.vary_constants(model, 0.5, scenario=changes))
    assert found["loss"] == (-30, -10)
    assert found["size"] == (2, 6)  # both labels alike now


def test_the_text_gives_the_same_sampling(tmp_path: Path) -> None:
    """What a run stores of its sampling is a `.vsc` file of the same lines."""
    sampling = sd.vary_constants(tiny_model('"odd: name" = 3\nflow = "odd: name"'), 0.1)
    file = tmp_path / "all.vsc"
    file.write_text(sampling.text)
    assert sd.read_sampling(file).variations == sampling.variations


@pytest.mark.parametrize("share", [0, -0.1, float("inf"), float("nan")])
def test_a_share_is_above_zero(share: float) -> None:
    with pytest.raises(sd.AnalysisError, match="give a number above 0"):
        sd.vary_constants(tiny_model("rate = 1"), share)


def test_no_constant() -> None:
    with pytest.warns(sd.RunWarning), pytest.raises(sd.AnalysisError, match="no constant that can vary"):
        sd.vary_constants(tiny_model("rate = 0"), 0.1)
