"""Calls of macros inside SUM, PROD, VMIN and VMAX over marked ranges, and heads of macros broken over lines."""

from __future__ import annotations

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.testing import model_text
from sdmodel.vensim import mdl_text, model_from_text

MACROS = r"""
:MACRO: HALF(x)
HALF = x/2 ~~|
:END OF MACRO:
:MACRO: AVERAGE(x, time)
AVERAGE = SMOOTH3(x, time) ~~|
:END OF MACRO:
:MACRO: LARGEST(x)
LARGEST = SAMPLE IF TRUE(x > LARGEST, x, x) ~~|
:END OF MACRO:
:MACRO: STORE(x)
STORE = level + late ~~|
level = INTEG(x - level/2, x) ~~|
late = DELAY FIXED(x, 2, 0) ~~|
:END OF MACRO:
:MACRO: SHARE(x)
SHARE = HALF(x)/SUM(v[R!]) ~~|
:END OF MACRO:
:MACRO: ABOVE(x)
ABOVE = SUM(IF THEN ELSE(v[R!] > x, v[R!] * x, 0)) ~~|
:END OF MACRO:
:MACRO: DEEP(x)
DEEP = VMAX(HALF(v[R!] * x)) ~~|
:END OF MACRO:
"""
EQUATIONS = r"""
R: r1, r2, r3 ~~|
P: r1, r2 ~~|
S: s1, s2, s3 -> R ~~|
v[R] = 1, 3, 5 ~~|
w[R] = v[R] * (5 - Time) ~~|
u[S] = 2, 4, 6 ~~|
g[R,S] = v[R] * u[S] ~~|
"""
PAIRS = {
    "SUM(HALF(v[R!]))": "SUM(v[R!]/2)",
    "PROD(HALF(v[R!]))": "PROD(v[R!]/2)",
    "VMIN(HALF(v[R!]) + 1)": "VMIN(v[R!]/2 + 1)",
    "VMAX(2 - HALF(w[R!]))": "VMAX(2 - w[R!]/2)",
    "SUM(HALF(v[P!]))": "SUM(v[P!]/2)",
    "SUM(HALF(g[R!,S!]))": "SUM(g[R!,S!]/2)",
    "SUM(HALF(1))": None,
    "SUM(HALF(P! * v[R!]))": "SUM(P! * v[R!]/2)",
    "SUM(P!)": "3",
    "SUM(IF THEN ELSE(R! < 2.5, R! * v[R!], 0))": "1*1 + 2*3",
    "SUM(v[R!] * HALF(3))": "SUM(v[R!] * 1.5)",
    "SUM(AVERAGE(w[R!], 2))": "SUM(SMOOTH3(w[R!], 2))",
    "SUM(LARGEST(v[R!] * SIN(Time)))": "SUM(by hand[R!])",
    "SUM(STORE(w[R!]))": "SUM(level[R!] + DELAY FIXED(w[R!], 2, 0))",
    "SUM(SHARE(v[R!]))": "0.5",
    "SUM(HALF(HALF(v[R!]) + SUM(HALF(v[P!]))))": "SUM((v[R!]/2 + SUM(v[P!]/2))/2)",
    "SUM(HALF(SUM(v[R!]) + v[R!]))": "SUM((9 + v[R!])/2)",
    "SUM(ABOVE(v[R!]))": "3*1 + 5*1 + 5*3",
    "SUM(DEEP(v[R!]))": "2.5*SUM(v[R!])",
}
SUBSCRIPTED = {
    "SUM(HALF(v[R!] * v[R]))": "SUM(v[R!]/2 * v[R])",
    "SUM(HALF(u[S!] * v[R] + u[S]))": "SUM((u[S!] * v[R] + u[S])/2)",
    "SUM(HALF(SUM(g[R!,S!]) * v[R!] + v[R]))": "SUM((SUM(g[R!,S!]) * v[R!] + v[R])/2)",
    "SUM(IF THEN ELSE(R! < R, v[R!], 0))": "IF THEN ELSE(R = 1, 0, IF THEN ELSE(R = 2, 1, 4))",
    "SUM(HALF(v[R]) + v[R!])": "3*v[R]/2 + SUM(v[R!])",
}
HELPERS = r"""
by hand[R] = SAMPLE IF TRUE(v[R] * SIN(Time) > by hand[R], v[R] * SIN(Time), v[R] * SIN(Time)) ~~|
level[R] = INTEG(w[R] - level[R]/2, w[R]) ~~|
"""


def test_macros_inside_reductions_equal_their_equations_written_by_hand():
    blocks = [
        f"{name} {number}{left} = {text} ~~|"
        for left, pairs in (("", PAIRS), ("[R]", SUBSCRIPTED))
        for number, pair in enumerate(pairs.items())
        if pair[1] is not None
        for name, text in zip((f"call{'s' * len(left)}", f"hand{'s' * len(left)}"), pair, strict=True)
    ]
    model = model_from_text(model_text("\n".join([MACROS, EQUATIONS, HELPERS, *blocks]), integrator="rk4"))
    run = sd.simulate(model)
    names = [str(name) for name in run if str(name).startswith("call")]
    assert len(names) == len(PAIRS) + len(SUBSCRIPTED) - 1
    for name in names:
        np.testing.assert_allclose(run[name], run[name.replace("call", "hand")], rtol=1e-13, err_msg=name)
    flat = sd.without_subscripts(model)
    written = model_from_text(mdl_text(model).replace("s1, s2, s3\n", "s1, s2, s3 -> R\n"))
    for again in (sd.simulate(flat.model), sd.simulate(written)):
        for name in names:
            if not run[name].dims[1:]:
                np.testing.assert_array_equal(again[name], run[name], err_msg=name)


def test_copies_of_ranges_take_no_name_of_the_model():
    """A label, an element and another range have the names that the copies would get."""
    taken = "R: R in macros, r2 ~~|\nR in macros again = 4 ~~|\nv[R] = 1, 2 ~~|\n"
    text = f"{MACROS.partition(':MACRO: AVERAGE')[0]}{taken}x = SUM(HALF(v[R!])) ~~|"
    model = model_from_text(model_text(text))
    assert list(sd.simulate(model)["x"].values) == [1.5] * 11
    assert [subscript.name for subscript in model.subscripts.values()] == ["R", "R in macros again again"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = SUM(HALF(1)) ~~|", "SUM does not run over a range; mark one"),
        ("x = HALF(v[R!]) ~~|", "'r!' is outside of SUM"),
        ("x = SUM(HALF(v[Q!])) ~~|", "'q' is not a subscript range"),
        ("x = SUM(TWO(v[R!] : y)) ~~|", "'TWO' has several results and a range marked with '!'; call it in its own"),
    ],
)
def test_calls_in_sums_that_have_no_meaning_are_faults(text, words):
    two = ":MACRO: TWO(x : y)\nTWO = x ~~|\ny = x ~~|\n:END OF MACRO:\n"
    with pytest.raises(ModelError, match=words):
        model_from_text(model_text(f"{MACROS}{two}{EQUATIONS}{text}"))


@pytest.mark.parametrize(
    "head",
    [
        "M(inp : one, two\\\n\t\t, three)",
        "M(inp :\\\n one,\\\n\ttwo, three)",
        "M\\\n\t(inp : one, two, three)",
        "M(inp {what (comes) in} : one, two, three {out})",
        "M(\n\tinp\n\t:\n\tone,\n\ttwo,\n\tthree\n)",
        'M(inp : "one", "two", "three")',
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_head_of_a_macro_may_continue_on_the_next_line(head, end):
    body = "M = inp ~~|\none = inp*2 ~~|\ntwo = inp*3 ~~|\nthree = inp*4 ~~|\n:END OF MACRO:\n"
    text = model_text(f":MACRO: {head}\n{body}a = M(4 : o, t, h) ~~|\nb = t + h ~~|\n").replace("\n", end)
    run = sd.simulate(model_from_text(text))
    assert [float(run[name][0]) for name in "ab"] == [4, 28]
    assert sd.compare_documents(*[sd.vensim.Document.from_bytes(text.encode(), "m.mdl")] * 2) == ()


def test_names_in_a_macros_head_may_have_brackets_and_colons():
    text = (
        ':MACRO: "M (1)"("a:b" : "c)")\n"M (1)" = "a:b" ~~|\n"c)" = 2*"a:b" ~~|\n:END OF MACRO:\nx = "M (1)"(3 : y) ~~|'
    )
    run = sd.simulate(model_from_text(model_text(text)))
    assert [float(run[name][0]) for name in "xy"] == [3, 6]
