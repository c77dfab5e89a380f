"""The models for tests have the properties they claim."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.testing import benchmark_text, model_text, tiny_model
from sdmodel.vensim import model_from_text


def test_equations_are_lines_or_blocks():
    """Both ways give the same elements."""
    lines = tiny_model("Stock = INTEG(\n  inflow, 1)\n\ninflow = 2")
    blocks = tiny_model("Stock = INTEG(inflow, 1) ~~|\ninflow = 2 ~~|")
    assert list(lines.elements) == list(blocks.elements)
    assert [element.equations[0].expression for element in lines] == [
        element.equations[0].expression for element in blocks
    ]


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
def test_a_tiny_model_has_the_requested_settings(integrator):
    """Times and integrator are in the text, where every engine finds them."""
    model = tiny_model("x = INTEG(-x, 1)", initial=1, final=3, step=0.5, saveper=1, integrator=integrator)
    run = sd.simulate(model)
    step = {"euler": 0.5, "rk4": 1 - 0.5 + 0.5**2 / 2 - 0.5**3 / 6 + 0.5**4 / 24}[integrator]
    np.testing.assert_array_equal(run["time"], [1, 2, 3])
    np.testing.assert_allclose(run["x"], [1, step**2, step**4], rtol=1e-14)


@pytest.mark.parametrize(("elements", "lookups", "stocks"), [(250, 55, 40), (400, 80, 60), (80, 10, 9)])
def test_the_large_model_has_the_requested_size(elements, lookups, stocks):
    """Every element is counted once; a smooth holds one level, a third-order delay three."""
    text = benchmark_text(elements=elements, lookups=lookups, stocks=stocks)
    model = model_from_text(text, "large.mdl")
    kinds = Counter(element.kind for element in model if not element.hidden)
    assert sum(kinds.values()) == elements
    assert kinds["lookup"] == lookups
    assert kinds["stock"] + text.count("SMOOTH(") + 3 * text.count("DELAY3(") == stocks


def test_the_large_model_is_always_the_same():
    """A measurement can be repeated only on the same model."""
    assert benchmark_text() == benchmark_text()


def test_a_large_model_too_small_for_its_parts_is_refused():
    """Forty stocks with their flows and lifetimes do not fit into a hundred elements."""
    with pytest.raises(ValueError, match="100 elements are too few"):
        benchmark_text(elements=100)


def test_the_large_model_moves_and_stays_finite():
    """A model at rest, or one that diverges, tests nothing."""
    run = sd.simulate(model_from_text(benchmark_text(), "large.mdl"))
    assert run.sizes["time"] == 401
    for name, values in run.data_vars.items():
        assert np.isfinite(values).all(), name
        if values.attrs["kind"] in {"stock", "flow"}:
            assert np.ptp(values.to_numpy()) > 0, name


def test_the_large_model_gives_the_numbers_of_simlin(tmp_path: Path):
    """An independent engine in another language agrees to rounding."""
    simlin = pytest.importorskip("simlin", reason="pysimlin has no wheel for this platform")
    file = tmp_path / "large.mdl"
    file.write_text(benchmark_text(), "utf-8")
    run = sd.simulate(sd.read_model(file))
    with simlin.load(file).simulate() as other:
        other.run_to_end()
        shared = [name for name in other.get_var_names() if name in run and "time" in run[name].dims]
        assert len(shared) > 100
        for name in shared:
            np.testing.assert_allclose(run[name], other.get_series(name), rtol=1e-11, err_msg=name)


def test_model_text_ends_with_the_integrator():
    """Vensim keeps its choice in line 15 of the settings."""
    assert model_text("x = 1", integrator="rk4").endswith("15:0,0,0,5,0,0\n")
    assert model_text("x = 1").endswith("15:0,0,0,0,0,0\n")
