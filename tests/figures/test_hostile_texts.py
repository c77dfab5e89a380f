"""Names, units and titles of any kind are drawn as they are, in every figure and in the report."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.text import Text

import sdmodel.figures
from sdmodel import (
    attribute_levers,
    find_sensitivities,
    lay_out,
    mdl_text,
    model_from_text,
    rank_levers,
    simulate,
    sweep_levers,
    write_report,
)
from sdmodel.cli.views.attribution import parts_of
from sdmodel.comparison import VariableAttribution
from sdmodel.figures import (
    Observed,
    plot_backtest,
    plot_bands,
    plot_boxes,
    plot_contributions,
    plot_diagram,
    plot_differences,
    plot_fit,
    plot_heat_map,
    plot_morris,
    plot_ranking,
    plot_runs,
    plot_sobol,
    plot_sweep,
    plot_tornado,
    plot_wedges,
    render_figure,
)
from sdmodel.scenario import Change, Distribution, Sampling, Scenario, Variation
from sdmodel.vensim import sketch_from_text

sys.path.append(str(Path(__file__).parent))
from box_datasets import boxes

STOCK, RATE, OTHER, HIDDEN = "$x^2$", r"\frac{1}{2} $k$", "<script>&amp", "_a"
HEBREW, UNITS = "\u05de\u05d7\u05d9\u05e8 $", r"$/t^\beta$"
RUNS = ("_base $1$", r"$\alpha", "<b>")
"""Names of runs; matplotlib reads dollars as mathematics and leaves names with an underscore out of legends."""
TEXT = f"""{{UTF-8}}
r: "_north", "$s$, t" ~~|
"{STOCK}" = INTEG("{RATE}"*"{STOCK}" + "{OTHER}" + "{HIDDEN}", 1) ~ {UNITS} ~ |
"{RATE}" = 0.5 ~ $/$ [0,1] ~ |
"{OTHER}" = 1 ~ $ [0,2] ~ |
"{HIDDEN}" = 1e7 ~ $_a$ [0,2e7] ~ |
"{HEBREW}"[r] = "{STOCK}"*{{a comment}} 1, 2 ~ $ ~ |
INITIAL TIME = 0 ~ $y$ ~ |
FINAL TIME = 4 ~ $y$ ~ |
TIME STEP = 1 ~ $y$ ~ |
SAVEPER = 1 ~ $y$ ~ |
""".replace(f'"{HEBREW}"[r] = "{STOCK}"*{{a comment}} 1, 2', f'"{HEBREW}"[r] = "{STOCK}"*r')
MODEL = model_from_text(TEXT)
NAMES = [STOCK, HEBREW]
LAWS = [Variation(name, (), Distribution("RANDOM_UNIFORM", (0.1, 1.0))) for name in (RATE, OTHER, HIDDEN)]
SCENARIO = Scenario("$s$", tuple(Change(name, (), (0.25,)) for name in (RATE, OTHER, HIDDEN)))


def _runs() -> dict[str, xr.Dataset]:
    return {name: simulate(MODEL, {RATE: 0.1 * place, OTHER: 0.5 * place}) for place, name in enumerate(RUNS, 1)}


def _sensitivities(method: str) -> xr.Dataset:
    sampling = Sampling("multivariate", 8, 1, tuple(LAWS))
    return find_sensitivities(MODEL, STOCK, method=method, sampling=sampling, trajectories=4, samples=4, seed=1)


def _contributions(*, last: bool) -> list[VariableAttribution]:
    part = parts_of(attribute_levers(MODEL, SCENARIO, save=[STOCK]), [STOCK])[0]
    return [part.at("last") if last else part]


def _fit() -> Figure:
    panel = xr.Dataset(
        {
            "middle": ("time", [1.0, 2.0]),
            "low": (("probability", "time"), [[0.5, 1.0]]),
            "high": (("probability", "time"), [[1.5, 3.0]]),
            "observed": ("observation", [1.0], {"units": UNITS}),
            "least": ("observation", [0.5]),
            "most": ("observation", [1.5]),
        },
        {"time": ("time", [0.0, 1.0], {"units": "$y$"}), "probability": [0.5], "at": ("observation", [0.5])},
    )
    return plot_fit({STOCK: panel}, title=RUNS[0], origin=RUNS[1])


def _backtest() -> Figure:
    panel = xr.Dataset(
        {
            **{
                part: (("cut", "time"), [[1.0, value]])
                for part, value in (("low", 1.0), ("middle", 2.0), ("high", 3.0))
            },
            "observed": ("observation", [1.0, 2.0], {"units": UNITS}),
        },
        {"cut": [0.0], "time": ("time", [0.0, 1.0], {"units": "$y$"}), "at": ("observation", [0.5, 1.0])},
    )
    return plot_backtest({STOCK: panel}, title=RUNS[0], origin=[RUNS[1]])


def _differences() -> Figure:
    runs = _runs()
    before = runs.pop(RUNS[0])
    found = {name: (run - before).assign_attrs(run.attrs) for name, run in runs.items()}
    for name, difference in found.items():
        for variable in difference.data_vars:
            difference[variable].attrs = runs[name][variable].attrs
    return plot_differences(RUNS[0], before, found, NAMES)


def _several_runs() -> Figure:
    observed = [
        Observed(f"_{name}", name, np.array([1.0]), np.array([2.0]), np.array([1.0]), np.array([3.0]), ("$source$",))
        for name in (STOCK, STOCK)
    ]
    return plot_runs(_runs(), [STOCK, HEBREW, HIDDEN], observed=observed, title=RUNS[1])


def _ranking() -> Figure:
    levers = {RATE: (0.1, 0.9), OTHER: (0.5, 2.0), HIDDEN: (1e6, 2e7)}
    return plot_ranking(rank_levers(MODEL, STOCK, levers=levers, value=f'"{STOCK}" + 1'), title=RUNS[0])


def _map() -> xr.Dataset:
    swept = sweep_levers(MODEL, {RATE: [0.1, 0.2], OTHER: [1, 2]}, save=[STOCK])
    return swept[[MODEL.identifiers[MODEL[STOCK].key]]].isel(time=-1).assign_attrs(swept.attrs)


def _sketch() -> Figure:
    sketch = sketch_from_text(mdl_text(MODEL, lay_out(MODEL)))
    return plot_diagram(sketch, sketch.views[0])


FIGURES: dict[Callable[..., Figure], tuple[Callable[[], Figure], tuple[str, ...]]] = {
    plot_runs: (_several_runs, (STOCK, HEBREW, "_north", "$s$, t", f"_{STOCK}", *RUNS, UNITS)),
    plot_bands: (lambda: plot_bands(_runs(), NAMES, title=RUNS[0]), (STOCK, HEBREW, *RUNS, UNITS, "_north", "$s$, t")),
    plot_differences: (_differences, (STOCK, HEBREW, f"{RUNS[0]} (zero)", UNITS)),
    plot_fit: (_fit, (STOCK, UNITS, *RUNS[:2])),
    plot_backtest: (_backtest, (STOCK, UNITS, *RUNS[:2])),
    plot_tornado: (
        lambda: plot_tornado(_sensitivities("tornado"), title=RUNS[0]),
        (STOCK, RATE, HIDDEN, UNITS, RUNS[0]),
    ),
    plot_morris: (lambda: plot_morris(_sensitivities("morris"), title=RUNS[0]), (STOCK, RUNS[0])),
    plot_sobol: (lambda: plot_sobol(_sensitivities("sobol"), title=RUNS[0]), (STOCK, RATE, HIDDEN, RUNS[0])),
    plot_boxes: (
        lambda: plot_boxes(
            boxes((RATE, OTHER, HIDDEN), ("$/$", UNITS, "")).assign_attrs(outcome=f"{STOCK} last above 2"),
            title=RUNS[0],
        ),
        (f"{RATE} ($/$)", f"{OTHER} ({UNITS})", f"{STOCK} last above 2", RUNS[0]),
    ),
    plot_sweep: (
        lambda: plot_sweep(sweep_levers(MODEL, {RATE: [0.1, 0.2]}, save=NAMES), NAMES, title=RUNS[0]),
        (STOCK, f'{HEBREW}["$s$, t"]', f"{RATE} ($/$)", RUNS[0], UNITS),
    ),
    plot_heat_map: (lambda: plot_heat_map(_map(), title=RUNS[0]), (STOCK, f"{RATE} ($/$)", f"{OTHER} ($)", RUNS[0])),
    plot_wedges: (
        lambda: plot_wedges(_contributions(last=False), names=RUNS[:2], title=RUNS[2]),
        (STOCK, RATE, OTHER, HIDDEN, *RUNS, UNITS),
    ),
    plot_contributions: (
        lambda: plot_contributions(_contributions(last=True), when="$now$", title=RUNS[0]),
        (f"{STOCK}, $now$", RATE, OTHER, HIDDEN, RUNS[0]),
    ),
    plot_ranking: (_ranking, (STOCK, RATE, OTHER, HIDDEN, RUNS[0], UNITS, f'value of "{STOCK}" + 1')),
    plot_diagram: (_sketch, (STOCK, RATE, HEBREW, OTHER, HIDDEN)),
}
"""For each kind of figure, how to plot one with hostile texts, and texts that it must show."""


def _shown(figure: Figure) -> list[str]:
    """The texts of a figure, each with its line breaks as blanks."""
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    for text in texts:
        assert not text.get_parse_math(), text
        assert not text.get_usetex(), text
    return [" ".join(text.get_text().split()) for text in texts]


def test_every_kind_of_figure_is_tested():
    exported = {getattr(sdmodel.figures, name) for name in sdmodel.figures.__all__ if name.startswith("plot_")}
    assert exported == FIGURES.keys()


@pytest.mark.parametrize("plot", FIGURES, ids=lambda plot: plot.__name__)
def test_texts_are_drawn_as_they_are(plot: Callable[..., Figure]):
    """No text is read as mathematics, whatever the user's settings; nothing is left out; the figure can be stored."""
    make, expected = FIGURES[plot]
    with mpl.rc_context({"text.parse_math": True, "text.usetex": True, "axes.formatter.use_mathtext": True}):
        figure = make()
        assert render_figure(figure, "svg").startswith(b"<?xml")
        texts = _shown(figure)
    for text in expected:
        assert any(text == found or text in found for found in texts), (text, texts)
    assert not any(r"\mathdefault" in text or r"\times" in text for text in _shown(figure))


def test_characters_that_no_font_has_are_drawn_as_boxes():
    """Names of any script, and characters that cannot be printed, are plotted without a warning."""
    for name in ("\u0928\u093f \u0926\u0930", "\u4ef7\u683c", "\U0001f600", "a\x1b[31m", "\u202eabc"):
        model = model_from_text(TEXT.replace(f'"{STOCK}"', f'"{name}"'))
        figure = plot_runs({name: simulate(model)}, [name], title=name)
        assert render_figure(figure, "png").startswith(b"\x89PNG")
        assert name in _shown(figure)


def test_the_report_escapes_what_html_would_read(tmp_path: Path):
    """Names and titles are text, not elements of the page."""
    page = write_report(_runs(), tmp_path / "report.html", on=[*NAMES, OTHER], title="<i>title</i>").read_text()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>title" not in page
    assert html.escape(OTHER) in page
