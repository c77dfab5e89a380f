"""Functions of data that read data computed from other data, as its points would be in a model of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError, ScenarioError
from sdmodel.testing import tiny_model, wasm_difference

FIRST, SECOND, RARE = {0: 1.0, 2: 5.0, 3: 7.0}, {0: 3.0, 2: 1.0, 5: 2.0}, {2: 8.0, 5: 6.0}
GIVEN = {
    name: pd.Series(list(points.values()), index=[*points])
    for name, points in {"raw[a]": FIRST, "raw[b]": SECOND, "rare": RARE}.items()
}
RANGES = "c: a, b ~~|\nraw[c] ~~|\nrare :RAW: ~~|\nk = 2 ~~|\n"
COMPUTED = (
    "x[c] := raw[c]*k + Time ~~|\ny[a] := x[a] + x[b] ~~|\ny[b] := SUM(raw[c!])/k ~~|\nz :RAW: := rare/k ~~|\n"
    "later := TIME SHIFT(raw[a], 2) ~~|\ntotal := CUMULATE(raw[a]) ~~|\ndouble := total*k + later*0 ~~|\n"
)


def _between(points: dict[int, float], time: float) -> float:
    return float(np.interp(time, [*points], [*points.values()]))


def _points(k: float) -> dict[str, dict[int, float]]:
    """The points of what is computed, by hand."""
    x = {name: {t: k * own + t for t, own in points.items()} for name, points in (("x[a]", FIRST), ("x[b]", SECOND))}
    every = sorted({*FIRST, *SECOND})
    return {
        **x,
        "y[a]": {t: k * (_between(FIRST, t) + _between(SECOND, t)) + 2 * t for t in every},
        "y[b]": {t: (_between(FIRST, t) + _between(SECOND, t)) / k for t in every},
        "z": {t: own / k for t, own in RARE.items()},
        "double": {t: k * own for t, own in ((-2, 1.0), (0, 1.0), (1, 3.5), (2, 6.0), (3, 13.0))},
    }


CALLS = (
    "GET DATA FIRST TIME({})",
    "GET DATA LAST TIME({})",
    "GET DATA TOTAL POINTS({})",
    "GET DATA AT TIME({}, Time)",
    *(f"GET DATA BETWEEN TIMES({{}}, Time - 1.5, {mode})" for mode in (-1, 0, 1)),
    *(f"GET DATA {name}({{}}, 0, Time)" for name in ("TOTAL POINTS", "MIN", "MAX", "MEAN", "STDV")),
    "GET DATA MEAN({}, 50, 60)",
    "INITIAL(GET DATA AT TIME({0}, GET DATA LAST TIME({0})))",
)


@pytest.mark.filterwarnings("ignore::sdmodel.simulation.RunWarning")
@pytest.mark.parametrize("k", [2.0, 3.0])
def test_computed_data_has_the_points_of_what_it_reads(k: float):
    """Each function gives the same as with data that has these points, also after a constant has changed."""
    points = _points(k)
    names = {name: f"d{place}" for place, name in enumerate(points)}
    asked = [(f"r{place}_{own}", call, name) for place, call in enumerate(CALLS) for name, own in names.items()]
    model = tiny_model(RANGES + COMPUTED + "".join(f"{own} = {call.format(name)} ~~|\n" for own, call, name in asked))
    plain = tiny_model(
        "".join(f"{own} ~~|\n" for own in names.values())
        + "".join(f"{own} = {call.format(names[name])} ~~|\n" for own, call, name in asked)
    )
    run = sd.simulate(model, constants={"k": k}, data=GIVEN)
    known = {names[name]: pd.Series(list(own.values()), index=[*own]) for name, own in points.items()}
    expected = sd.simulate(plain, data=known)
    for own, call, name in asked:
        np.testing.assert_allclose(run[own], expected[own], rtol=1e-12, err_msg=call.format(name))


def test_ranges_exceptions_and_the_end_of_the_run():
    """A call over a range has a value for each label; a run may end with its data."""
    model = tiny_model(
        "c: a, b, d ~~|\nraw[c] ~~|\nx[c] :EXCEPT: [b] := raw[c] + 1 ~~|\nx[b] := 10*raw[b] ~~|\n"
        "last[c] = GET DATA LAST TIME(x[c]) ~~|\nmost = VMAX(last[c!]) ~~|\nmean[c] = GET DATA MEAN(x[c], 0, most) ~~|\n"
    )
    series = {
        f"raw[{label}]": pd.Series([1.0, 3.0], index=[0, end])
        for label, end in zip(("a", "b", "d"), (2, 4, 3), strict=True)
    }
    run = sd.simulate(model, data=series)
    assert run["last"][-1].values.tolist() == [2, 4, 3]
    assert run["mean"][0].values.tolist() == [3, 20, 3]


def test_a_value_of_data_at_a_fixed_time_is_a_constant():
    """It adds no points."""
    model = tiny_model(
        "raw ~~|\nx := raw - GET DATA AT TIME(raw, 4) + GET DATA MEAN(raw, 0, 9) ~~|\n"
        "first = GET DATA FIRST TIME(x) ~~|\nmean = GET DATA MEAN(x, -9, 9) ~~|\n"
    )
    run = sd.simulate(model, data={"raw": pd.Series([1.0, 3.0], index=[0, 4])})
    assert [float(run[name][-1]) for name in ("first", "mean")] == [0, 1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("s = INTEG(1, 0) ~~|\nx := raw*s ~~|\n", "known before the run, and 's' has INTEG; read data"),
        ("x := Time*2 ~~|\n", "known before the run, and 'x' depends on no data"),
        ("x := TIME SHIFT(raw, k) ~~|\nk = 2 ~~|\n", "and 'x' adds something else than a number to Time"),
        ("x := raw*2 ~~|\nmiddle = GET DATA MEDIAN(x, 0, 9) ~~|\n", "GET DATA MEDIAN cannot read 'x'"),
        (
            "c: a, b ~~|\ny[c] := raw*3 ~~|\nx := raw*2 ~~|\nt = SUM(GET DATA LAST TIME(y[c!])) ~~|\n",
            "runs along a range with !; give its value a variable",
        ),
    ],
)
def test_what_has_no_points_before_the_run_is_refused(lines: str, message: str):
    """With the line and the way out."""
    with pytest.raises(ModelError, match=message):
        sd.simulate(
            tiny_model(f"raw ~~|\n{lines}last = GET DATA LAST TIME(x) ~~|\n"),
            data={"raw": pd.Series([1.0, 3.0], index=[0, 4])},
        )


def test_courses_of_members_and_other_languages():
    """Points that differ between members are refused, and so is XMILE, which has no such function."""
    model = tiny_model("raw ~~|\nk = 2 ~~|\nx := raw*k ~~|\nmean = GET DATA MEAN(x, 0, 9) ~~|\n")
    with pytest.raises(ScenarioError, match="'raw' has a course of its own in each member, which GET DATA MEAN cannot"):
        sd.simulate(model, data={"raw": pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=[0.0, 5.0])})
    whole = sd.with_data(model, {"raw": pd.Series([1.0, 3.0], index=[0, 4])})
    assert wasm_difference(whole, sd.simulate(whole)) == 0
    assert "GET DATA MEAN(x, 0, 9)" in sd.mdl_text(whole)
    with pytest.raises(ModelError, match="no counterpart of GET DATA MEAN, which reads all points of data"):
        sd.xmile_text(whole)
