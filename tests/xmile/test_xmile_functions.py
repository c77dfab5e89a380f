"""Stella's functions against the examples of its help, closed formulas and SciPy; what is read stays the same when it is written."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sdmodel.errors import ModelError
from sdmodel.model import Model, check_units
from sdmodel.simulation import RunWarning, simulate
from sdmodel.testing import build_xmile
from sdmodel.vensim import mdl_text, model_from_text
from sdmodel.xmile import read_xmile, xmile_text

FUNCTIONS = {
    "PMT(0.01, 36, 10000, 0)": [-332.143098128] * 5,
    "FV(rate, 36, -332.143098128, 10000)": [0] * 5,
    "PV(rate, 36, -332.143098128, 0)": [10000] * 5,
    "FV(0, 10, -5, -20) + PMT(nothing, 10, 30, 20)": [65] * 5,
    "NPV(10, 2)": [10 + 10 * sum(3.0**-later for later in range(1, count + 1)) for count in range(5)],
    "NPV(10, 2, 0)": [10 * sum(3.0**-later for later in range(1, count + 1)) for count in range(5)],
    "IRR(IF TIME = 1 THEN -10 ELSE 4, 7)": [7, -0.6, -0.136675, 0.0970103, 0.218623],
    "COUNTER(1, 4)": [1, 2, 3, 1, 2],
    "ROOTN(-27, 3) + ROOTN(144, 2) + ROOTN(-27, rate*300)": [6] * 5,
    "CGROWTH(10)": [0.1] * 5,
    "DERIVN(TIME^3, 0)": [1, 8, 27, 64, 125],
    "DERIVN(TIME, 1)": [0, 1, 1, 1, 1],
    "DERIVN(TIME^3, 2)": [0, 0, 12, 18, 24],
    "FACTORIAL(5) + FACTORIAL(0)": [121] * 5,
    "COMBINATIONS(5, 3)": [10] * 5,
    "PERMUTATIONS(5, 3)": [60] * 5,
    "ENDVAL(TIME, 7) + ENDVAL(TIME + 2) + RUNCOUNT": [10] * 5,
    "EXP(LOGN(3))": [3] * 5,
    "HISTORY(TIME^2, TIME - 2)": [0, 0, 1, 4, 9],
    "HISTORY(TIME^2, lag + TIME)": [0] * 5,
    "HISTORY(TIME^2, TIME - lag)": [0, 0, 1, 4, 9],
    "HISTORY(TIME^2, 1 + lag)": [0, 0, 9, 9, 9],
    "HISTORY(TIME, TIME)": [1, 2, 3, 4, 5],
    "isee.RANK(sizes, 2) + std.MAX(0, std.PI - std.TIME) - vensim.ZIDZ(1, 0)": [
        4 + max(0, np.pi - time) for time in range(1, 6)
    ],
    "RANK(sizes, 2)": [4] * 5,
    "RANK(sizes[*], TIME)": [2, 4, 1, 3, 0],
    "RANK(grid[2, *]*-1, 1) + RANK(grid[*, 3], 2)": [6] * 5,
    "RANK(equal, TIME)": [1, 3, 2, 4, 0],
    "RANK(equal, TIME, 0 - sizes)": [3, 1, 4, 2, 0],
    "grid[2, RANK(grid[1, *], 4)]": [24] * 5,
    "STDDEV(sizes)": [np.std([6, 2, 8, 5])] * 5,
    "STDDEV(grid[1, *]) + ARRAYSTDDEV(grid[*, *])": [np.std([1, 2, 3, 4]) + np.std([11, 12, 13, 14, 21, 22, 23, 24])]
    * 5,
    "ARRAYSUM(sizes[*]) + ARRAYMEAN(sizes) + ARRAYMAX(sizes) - ARRAYMIN(sizes)": [21 + 5.25 + 6] * 5,
    "INTERPOLATE(fives, 0.3)": [22] * 5,
    "INTERPOLATE(grid, TIME - 1, 1/6)": [11.5, 21.5, 21.5, 21.5, 21.5],
    "INTERPOLATE(grid[2, *], -1)": [21] * 5,
    "LOOKUPAREA(graph, 1, 3)": [6] * 5,
    "LOOKUPAREA(graph, 3, 1)": [6] * 5,
    "LOOKUPAREA(graph) + LOOKUPAREA(graph, 2)": [16] * 5,
    "LOOKUPAREA(graph, TIME - 6, -9)": [0] * 5,
    "LOOKUPAREA(graph, TIME, 0)": [1.5, 4, 7.5, 12, 12],
    "LOOKUPAREA(line, TIME + 2, -2)": [7.5, 12, 17.5, 24, 31.5],
    "LOOKUPINV(graph, TIME)": [0, 1, 2, 3, 4],
    "LOOKUPINV(graph, TIME*2)": [1, 3, 4, 4, 4],
    "LOOKUPINV(falling, TIME - 3) + LOOKUPINV(graph, -1)": [4, 4, 4, 4, 3],
    "LOOKUPINV(line, TIME*2) + LOOKUPINV(line, -2)": [-2, 0, 2, 4, 6],
}
"""Expressions with their values at times 1 to 5, with a DT of 1."""

VARIABLES = """
<aux name="rate"><eqn>0.01</eqn></aux><aux name="lag"><eqn>2</eqn></aux><aux name="nothing"><eqn>TIME - TIME</eqn></aux>
<aux name="sizes"><dimensions><dim name="Letter"/></dimensions><element subscript="a"><eqn>6</eqn></element>
 <element subscript="b"><eqn>2</eqn></element><element subscript="c"><eqn>8</eqn></element><element subscript="d"><eqn>5</eqn></element></aux>
<aux name="equal"><dimensions><dim name="Letter"/></dimensions><eqn>IF Letter = 1 OR Letter = 3 THEN 1 ELSE 2</eqn></aux>
<aux name="grid"><dimensions><dim name="Row"/><dim name="Letter"/></dimensions><eqn>10*Row + Letter</eqn></aux>
<aux name="graph"><eqn>TIME</eqn><gf><xscale min="0" max="4"/><ypts>1,2,3,4,5</ypts></gf></aux>
<aux name="line"><gf type="extrapolate"><xscale min="0" max="4"/><ypts>1,2,3,4,5</ypts></gf></aux>
<aux name="falling"><gf><xscale min="0" max="4"/><ypts>5,4,3,2,1</ypts></gf></aux>
<aux name="fives"><dimensions><dim name="Five"/></dimensions><eqn>10*Five</eqn></aux>
"""


def read_text(text: str) -> Model:
    """Return the model in the text of a file."""
    return read_xmile(text.encode(), "model.xmile")


@pytest.fixture(scope="module")
def model():
    """A model with all expressions."""
    lines = [f'<aux name="expression {place}"><eqn>{text}</eqn></aux>' for place, text in enumerate(FUNCTIONS)]
    sizes = {"Letter": "abcd", "Row": 2, "Five": 5}
    return read_text(build_xmile(VARIABLES + "".join(lines), dimensions=sizes))


@pytest.fixture(scope="module")
def runs(model):
    """Runs of the model as it is read, and after it is written for Vensim and for other programs."""
    written = (model_from_text(mdl_text(model)), read_text(xmile_text(model).text))
    return [simulate(own) for own in (model, *written)]


@pytest.mark.parametrize("place", range(len(FUNCTIONS)), ids=list(FUNCTIONS))
def test_function_has_the_value_of_the_help(runs, place):
    """Financial, mathematical and array functions, and those of the past."""
    expected = list(FUNCTIONS.values())[place]
    for run in runs:
        values = run[f"expression_{place}"].values
        known = [at for at, value in enumerate(expected) if value is not None]
        found = values[known] if values.ndim else np.full(len(known), float(values))
        assert found == pytest.approx([expected[at] for at in known], rel=1e-5, abs=1e-6)


CHANCES = {
    "LOGNORMAL(0, 0.5, 3)": stats.lognorm(0.5),
    "LOGNORMAL(1, 9, 3, 2, 4)": stats.truncnorm((np.log(2) - 1) / 9, (np.log(4) - 1) / 9, 1, 9),
    "BETA(2, 3, 4)": stats.beta(2, 3),
    "NORMAL(0, 1, , NAN, 1)": stats.truncnorm(-9, 1),
    "LOGNORMAL(0, 0.5, 12, 0, NAN)": stats.lognorm(0.5),
    "GAMMA(2, 3, 5)": stats.gamma(2, scale=3),
    "TRIANGULAR(1, 2, 6, 6)": stats.triang(0.2, 1, 5),
    "WEIBULL(2, 3, 7)": stats.weibull_min(2, scale=3),
    "PARETO(3, 2, 8)": stats.pareto(3, scale=2),
    "LOGISTIC(5, 2, 9)": stats.logistic(5, 2),
}
COUNTS = {"BINOMIAL(10, 0.3, 10)": stats.binom(10, 0.3), "MONTECARLO(50, 11)": stats.bernoulli(0.25)}


@pytest.fixture(scope="module")
def draws():
    """Draws of all distributions, one each half of a unit of time."""
    texts = [*CHANCES, *COUNTS]
    lines = [f'<aux name="draw {place}"><eqn>{text}</eqn></aux>' for place, text in enumerate(texts)]
    specs = "<sim_specs><start>0</start><stop>2000</stop><dt>0.5</dt></sim_specs>"
    model = read_text(build_xmile("".join(lines), specs=specs))
    with pytest.warns(RunWarning, match="random numbers"):
        run = simulate(model)
    return {text: run[f"draw_{place}"].values for place, text in enumerate(texts)}


@pytest.mark.parametrize("text", CHANCES)
def test_draws_have_their_distribution(draws, text):
    """Numbers of a continuous distribution, of which bounds cut off a part."""
    numbers = np.log(draws[text]) if text.endswith("2, 4)") else draws[text]
    assert stats.kstest(numbers, CHANCES[text].cdf).pvalue > 1e-3


@pytest.mark.parametrize("text", COUNTS)
def test_counts_have_their_distribution(draws, text):
    """Numbers of successes, and events with a probability in percent per unit of time."""
    numbers, own = draws[text], COUNTS[text]
    assert numbers.mean() == pytest.approx(own.mean(), abs=4 * own.std() / np.sqrt(len(numbers)))
    assert numbers.std() == pytest.approx(own.std(), rel=0.1)


UNITS = {
    "NPV(cash, 0.1)": "$*Year",
    "NPV(cash, 0.1, 5)": "$*Year",
    "IRR(cash)": "1",
    "CGROWTH(3)": "1/Year",
    "DERIVN(cash, 2)": "$/Year^2",
    "COUNTER(0, 12)": "Year",
    "HISTORY(cash, TIME - 1)": "$",
    "HISTORY(cash, 2)": "$",
    "PMT(0.01, 36, cash, 0)": "$",
    "ROOTN(cash^2, 2)": "$",
    "MONTECARLO(50)": "1",
    "STDDEV(list)": "$",
    "RANK(list, 2)": "1",
    "INTERPOLATE(list, 0.3)": "$",
}


@pytest.mark.parametrize("text", UNITS)
def test_formulas_of_functions_have_consistent_units(text):
    """Time steps stand in exponents and beside numbers; a model that Stella finds consistent has no mismatch."""
    variables = (
        f'<aux name="x"><eqn>{text}</eqn><units>{UNITS[text]}</units></aux><aux name="cash"><eqn>7</eqn><units>$</units></aux>'
        '<aux name="list"><dimensions><dim name="Five"/></dimensions><eqn>cash*Five</eqn><units>$</units></aux>'
    )
    specs = '<sim_specs time_units="Year"><start>0</start><stop>2</stop><dt>0.5</dt></sim_specs>'
    assert check_units(read_text(build_xmile(variables, specs=specs, dimensions={"Five": 5}))).mismatches == ()


def test_a_cell_with_nan_has_no_value():
    """Stella writes NAN for cells without an equation; what reads one is refused, and the equation of the others leaves it out."""
    cells = "".join(
        f'<element subscript="{cell}"><eqn>{text}</eqn></element>'
        for cell, text in {"a": "TIME", "b": "NAN", "c": "2"}.items()
    )
    variables = (
        f'<aux name="x"><dimensions><dim name="Letter"/></dimensions>{cells}</aux><aux name="y"><eqn>x[a] + x[c]</eqn></aux>'
        f'<aux name="z"><dimensions><dim name="Letter"/></dimensions><eqn>7</eqn>{cells.replace("TIME", "NAN")}</aux>'
    )
    run = simulate(read_text(build_xmile(variables, dimensions={"Letter": "abcd"})))
    assert run["y"].values.tolist() == [3, 4, 5, 6, 7]
    assert np.isnan(run["x"].values[:, 1]).all()
    assert run["z"].values.ravel()[-4:].tolist() == pytest.approx([np.nan, np.nan, 2, 7], nan_ok=True)
    with pytest.raises(ModelError, match=r"'x\[b\]' has no equation; define it or leave it out"):
        read_text(build_xmile(variables.replace("x[a] +", "x[b] +"), dimensions={"Letter": "abcd"}))
