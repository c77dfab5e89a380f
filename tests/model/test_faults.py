"""Faults of a model that was read: all in one pass, each with its place and what to do."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace
from types import MappingProxyType

import pytest

from sdmodel.checking import check_model
from sdmodel.errors import ModelError
from sdmodel.model import Cell, Start, check_units, equation_text, make_reference, unfinished_equations
from sdmodel.simulation import simulate
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import OpenDocument, mdl_text, model_from_text

# equations, and the message about them
CASES = {
    "a = Grid Dely\nGrid Delay = 1": "'Grid Dely' is not defined; did you mean 'Grid Delay'?",
    "a = 1\na = 2": "'a' is defined a second time; first at line",
    "a = f(1)": "'f' is neither a function nor a lookup",
    "a = SMOTH(1, 2)": "did you mean SMOOTH?",
    "a = IF(Time > 3, 1, 2)": "IF is not a function of Vensim; write IF THEN ELSE(condition, x, y)",
    "a = TABHL(t, Time, 0, 1, 1)\nt((0,0),(1,1))": "TABHL is not a function of Vensim; write the name of the lookup, as in table(x)",
    "a = IF Time > 3 THEN 1 ELSE 2": "'THEN' is not an operator of Vensim; write 'IF THEN ELSE(condition, x, y)'",
    "a = TRUE": "'TRUE' is not defined; write 1",
    "a = IF THEN ELSE(Time = False, 1, 2)": "'False' is not defined; write 0",
    "b = 1\na = 1 + NOT b": "'NOT b' is not defined; write :NOT:",
    "Big = 7\na = Big % 3": "'Big % 3' is not defined; write MODULO(Big, 3)",
    "Big = 7\na = (Big) % 3": "'%' is not an operator of Vensim; write 'MODULO(x, y)'",
    "b = 1\na = IF THEN ELSE(b & b, 1, 2)": "'b & b' is not defined; write :AND:",
    "b = 1\na = IF THEN ELSE(b > 0 && b < 2, 1, 2)": "'&&' is not an operator of Vensim; write ':AND:'",
    "b = 1\na = IF THEN ELSE(!b, 1, 2)": "'!' is not an operator of Vensim; write ':NOT:'",
    "d: A, B\nt[d]((0,1),(1,2))\ni = 1\na = t[i](3)": "'i' is a variable, and what is in brackets cannot change in a run; write "
    "SUM(IF THEN ELSE(d! = i, t[d!](x), 0))",
    "d: A, B\nv[d] = 1, 2\ni = 1\na = v[i]": "'i' is a variable, and what is in brackets cannot change in a run; write VECTOR ELM "
    "MAP(v[A], i - 1)",
    "d: A, B\nv[d] = 1, 2\ni = 1\na = v[i](3)": "write VECTOR ELM MAP(v[A], i - 1); 'v' is not a lookup and takes no argument in parentheses",
    "d: A, B\nv[d, d] = 1\ni = 1\na = v[i, A]": "'i' is a variable, and what is in brackets cannot change in a run; write a range or a label",
    "b = 1\na = b AND Time": "'b AND Time' is not defined; write :AND:",
    "a = Time != 3": "'!=' is not an operator of Vensim; write '<>'",
    "a = IF THEN ELSE(Time!=3, 1, 2)": "'!=' is not an operator of Vensim; write '<>'",
    "a = LN(Time) != 3": "'!=' is not an operator of Vensim; write '<>'",
    "f((0,0),(1,1))\na = f": "'f' is a lookup; give it an argument",
    "b = 1\na = b(2)": "'b' is not a lookup",
    "d: A, B\nx[d] = 1, 2, 3": "has 2 elements here but 3 numbers",
    "d: A\nx[d] = 1, 2": "has 1 element here but 2 numbers",
    "d: A, B\nx[d] = 1, 2\ny = x": "has 1 subscript but 0 here",
    "d: A, B\nx[d] = 1, 2\ncycle C = x[C]": "'C' is neither a subscript range nor a label",
    "d: A, B\nx[d] = 1, 2\nnext year = x[Far Year]": "'Far Year' is neither a subscript range nor a label",
    "income = 1\na = income + INCO": "'INCO' is not defined; did you mean 'income'?",
    "a = 1\nb = 2\nx = a * 2 :IGNORE: b": "the equation is incomplete: :IGNORE: lists causes it does not use yet",
    "d: A, B\nx[d] = 1\ny = x[2nd]": "'2nd' is neither a subscript range nor a label",
    "d: A, B\ne: C, D\nx[d] = 1, 2\ny[e] = x[d]": "is neither on the left-hand side nor mapped from it",
    "d: A, B\nx[A] = 1\ny = x[B]": "'x[B]' has no equation",
    "x[q] = 1": "'q' is neither a subscript range nor a label",
    "d: A, B\nx[d] = 1\nx[A] = 2": "'x[A]' is defined a second time",
    "Time = 3": "Time is the name of the time of a run; give this element another name",
    "time: A, B\nx[time] = 1": "time is the name of the time of a run; give the range another name",
    "d: A, B\nd = 3": "'d' is the name of a subscript range too",
    "d: A, B\nA = 3": "'A' is the name of a label too",
    "d: A, B\nx = d": "the range 'd' is neither on the left-hand side nor mapped from it",
    "d: A, B\nx = 2 * ABS(d)": "the range 'd' is neither on the left-hand side nor mapped from it",
    "d: A, B\ne: C, D\nx[e] = ABS(d)": "the range 'd' is neither on the left-hand side nor mapped from it",
    "d: A, B\nv[d] = 1\nx = SUM(v[d!] * d)": "the range 'd' is neither on the left-hand side nor mapped from it",
    "d: A, B, C -> e\ne: P, Q\nv[e] = 1\nw[d] = v[e]": "'d' has 3 labels and 'e' 2; map ranges of the same length",
    "d: A, B -> e\ne: P, Q, R\nv[e] = 1\nw[d] = v[e]": "'d' has 2 labels and 'e' 3; map ranges of the same length",
    "x = LOOKUP FORWARD(3, 2)": "'3' is not a lookup; this argument of the function must be the name of a lookup",
    "x = LOOKUP BACKWARD(1 + 1, 2)": "is not a lookup; this argument of the function must be the name of a lookup",
    "x = LOOKUP EXTRAPOLATE(3, 2)": "'3' is not a lookup",
    "f((0,0),(1,1))\nx = f(1) + f": "'f' is a lookup; give it an argument",
    "x = ELMCOUNT(3)": "ELMCOUNT counts the labels of a range, and '3' is not a range",
    "d: A, B\nx = ELMCOUNT(A)": "ELMCOUNT counts the labels of a range, and 'A' is not a range",
    "d: A, B\nx[d] = A[d]": "'A' has no subscripts; leave them out",
    "d: A, B\nx[d] = d[d]": "'d' has no subscripts; leave them out",
    "d: A, B\nx[d] = Time[d]": "'Time' has no subscripts; leave them out",
    "d: A, B\nx = SUM(A!)": "'A' has no subscripts; leave them out",
    "d: A, B\nx = d!": "'d!' is outside of SUM, PROD, VMIN and VMAX; write ! only inside of them",
    "y = 3\nx = SUM(y!)": "'y' has 0 subscripts but 1 here; write 0",
    "x = SUM(q!)": "'q' is not defined; define it, or declare data with 'q ~~|'",
    "x = SUM(1)": "SUM does not run over a range; mark one with !, as in SUM(x[range!])",
    "d: A, B\nv[d] = 1\nx[d] = VMAX(v[d])": "VMAX does not run over a range; mark one with !",
    "d: A, B\nv[d] = 1\nx = v[d!]": "'d!' is outside of SUM, PROD, VMIN and VMAX; write ! only inside of them",
    "d: A, A\nv[d] = 1\nx = SUM(v[d!])": "the range 'd' lists 'A' twice; SUM needs a range that lists each label once",
    "d: A, a\nx = ELMCOUNT(d)": "the range 'd' lists 'a' twice; ELMCOUNT needs a range that lists each label once",
    "d: (k1-k3), k2\nv[d] = 1\nx = VMAX(v[d!])": "the range 'd' lists 'k2' twice; VMAX needs a range",
    "d: A, B, A\nv[d] = 1, 2, 3": "'v' has 2 elements here but 3 numbers; give one for each element",
    "d: A, B, A -> e\ne: P, Q\nv[d] = 1": "3 labels cannot map to 2; list one for each",
    '"" = 1': "a name in quotes is empty; write it between them",
    'x = " " + 1': "a name in quotes is empty; write it between them",
    "x = DELAY N(Time, 6, 0, 0.4)": "the order of 'x' is 0.4 at the start; it must be a whole number",
    "d: (k1-k11)\nv[d,d,d,d,d,d,d] = 1": "more than 10,000,000 cells with 'v'; give it fewer subscripts",
    "d: (k1-k100000)\nx = 1\nv[d,d,d,d] = x": "more than 10,000,000 cells with 'v'",
    "d: (k1-k2000)\ne: (m1-m2000)\nf: (n1-n200)\nv[d] = 1\nw[e] = 1\nu[f] = 1\nx = SUM(v[d!] * w[e!] * u[f!])": "more than 1,000,000,000 terms with 'x'; sum over",
    "d: (k1-k20000)\nv[d] = DELAY N(Time, 1000, 0, 900)": "more than 10,000,000 hidden stocks with 'v'; lower their order",
    f"x = 1\na = x{' < x' * 300}": "more than 20 comparisons in a row; join them with :AND:",
    f"x = 1\na = {'(' * 50}x{' < x) < x < x < x' * 50}": "nests too deep; split it into several",
}


@pytest.mark.parametrize("equations", CASES)
def test_faults_have_a_place_and_a_cure(equations):
    """Each fault is reported as `file:line:column: what is wrong; what to do`."""
    with pytest.raises(ModelError) as caught:
        tiny_model(equations)
    message = str(caught.value)
    assert CASES[equations] in message
    assert message.startswith("tiny.mdl:")


def test_all_faults_are_reported_in_the_order_of_the_file():
    """A user can correct all of them before the next check."""
    with pytest.raises(ModelError) as caught:
        tiny_model("a = b\nc = d\ne = 1\ne = 2")
    lines = [fault.where.line for fault in caught.value.faults]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_model_without_time_settings_is_refused():
    """INITIAL TIME, FINAL TIME and TIME STEP are required."""
    text = model_text("a = 1").replace("FINAL TIME", "LAST TIME")
    with pytest.raises(ModelError, match="FINAL TIME is not defined"):
        model_from_text(text, "m.mdl")


def test_suggestions_are_limited():
    """A thousand misspelt names are all reported; only the first ones get a suggestion, which takes time."""
    with pytest.raises(ModelError) as caught:
        tiny_model("\n".join(f"left {n} = right {n}" for n in range(1000)))
    messages = [fault.what for fault in caught.value.faults]
    assert len(messages) == 1000
    assert sum("did you mean" in message for message in messages) <= 20


def test_range_as_a_number():
    """ELMCOUNT counts any range, and a range of the left-hand side stands for the position of its label."""
    run = simulate(tiny_model("d: A, B, C\nn = ELMCOUNT(d)\nx[d] = d + Time\ny = SUM(x[d!]) * B"))
    assert (float(run.n.values.ravel()[0]), run.x[0].values.tolist(), float(run.y[0])) == (3, [1, 2, 3], 12)


def test_undefined_cells_are_found_through_sums_mappings_and_exceptions():
    """A reference to a cell without an equation is reported before anything runs."""
    cases = (
        "x[A] = 1\ny = SUM(x[d!])",
        "x[d] :EXCEPT: [C] = 1\ny[d] = x[d]",
        "e: P, Q, R -> d\nx[B] = 1\nx[C] = 1\ny[e] = x[d]",
    )
    for equations in cases:
        with pytest.raises(ModelError, match=r"'x\[[AC]\]' has no equation|'x\[B\]' has no equation"):
            tiny_model(f"d: A, B, C\n{equations}")
    whole = "d: A, B, C\nx[d] :EXCEPT: [C] = 1\ny[d] :EXCEPT: [C] = x[d]\ne: A, B\nz = SUM(x[e!])"
    assert simulate(tiny_model(whole)).z.values.ravel()[0] == 2


def test_thousands_of_conditions_can_be_joined():
    """:AND: and :OR: do not nest, however many there are."""
    run = simulate(
        tiny_model(f"x = 1\na = x < 0{' :OR: x < 0' * 3000}\nb = x{' :AND: x' * 3000}\nc = 1 < 2 < 3", final=1)
    )
    assert [float(run[name].values.ravel()[0]) for name in "abc"] == [0, 1, 1]


def test_long_chain_to_a_setting_needs_no_recursion():
    """The settings of a run may depend on any number of auxiliaries, and on conditions."""
    lines = "\n".join(f"x{n} = IF THEN ELSE(x{n + 1} > 0, x{n + 1}, x{n + 2})" for n in range(1000))
    model = tiny_model(f"{lines}\nx1000 = 2\nx1001 = 5")
    start = Start(model)
    assert start.read(Cell("x0")) == 2
    assert Cell("x1001") not in start.known


def test_cycle_at_the_start_is_not_a_number():
    """A cell that depends on itself is NaN, and the search ends."""
    model = tiny_model("a = 1\nb = 2\ns = INTEG(a, b)")
    cycle = {"a": "b", "b": "a"}
    elements = {
        name: replace(
            element,
            kind="auxiliary",
            equations=(replace(element.equations[0], expression=make_reference(cycle[name])),),
        )
        if name in cycle
        else element
        for name, element in model.elements.items()
    }
    assert math.isnan(Start(replace(model, elements=MappingProxyType(elements))).read(Cell("s")))


UNFINISHED = """
births = A FUNCTION OF(People, -crowding) ~ people/Year ~ |
People = INTEG(births - deaths, A FUNCTION OF()) ~ people ~ |
deaths = People / life ~ ~ |
life = 70 ~ Year ~ |
crowding ~ ~ |
"""


def test_a_model_may_have_incomplete_equations():
    """It is read, copied, edited and checked; only a run needs what is missing, and lists all of it."""
    model = tiny_model(UNFINISHED)
    copied = pickle.loads(pickle.dumps(copy.copy(model)))  # noqa: S301 - its own bytes
    assert equation_text(copied, copied["births"].equations[0].expression) == "A FUNCTION OF(People, -crowding)"
    assert copied["births"].kind == "flow"
    with pytest.raises(ModelError) as caught:
        simulate(model)
    names = [fault.what.split("'")[1] for fault in caught.value.faults]
    assert names == ["births", "People", "crowding"]
    assert str(caught.value.faults[0]) == (
        "tiny.mdl:3:10: the equation of 'births' is incomplete: A FUNCTION OF says only what it depends on; write how"
    )
    assert "'crowding' is a data variable without data" in caught.value.faults[2].what
    assert check_units(model).mismatches == ()
    assert {finding.rule for finding in check_model(model, level="error")} == {"incomplete", "data"}
    document = OpenDocument.from_bytes(model.text.encode(), "m.mdl")
    document["births"].equation = "0.02 * People"
    assert (document.faults, [fault.what.split("'")[1] for fault in unfinished_equations(document.model)]) == (
        [],
        ["People"],
    )


def test_a_list_of_causes_beside_the_equation_itself_is_left_alone():
    """Vensim's files have both where a sketch has arrows that the equation does not use."""
    model = tiny_model("x = A FUNCTION OF( ) ~~|\nx = 2 * y ~ m ~ |\ny = 3 ~~|")
    assert (model["x"].units, float(simulate(model)["x"].max())) == ("m", 6)
    with pytest.raises(ModelError, match="defined a second time"):
        tiny_model("x = A FUNCTION OF( ) ~~|\nx = 2 ~~|\nx = 3 ~~|")


def test_labels_may_be_numbers():
    """Vensim reads them without quotes, and a copy has them in quotes."""
    model = tiny_model("d: 1, 20, 3rd year\nx[d] = 4, 5, 6\ny = x[20] + SUM(x[d!]) + x[3rd year]")
    for own in (model, model_from_text(mdl_text(model))):
        assert own.subscripts["d"].labels == ("1", "20", "3rd year")
        assert simulate(own)["y"].values[0] == 26


def test_faults_of_incomplete_models_are_found():
    """Names that are not defined are faults, in equations that are complete and in those that are not."""
    with pytest.raises(ModelError, match="'spare' is not defined"):
        tiny_model("x = A FUNCTION OF(spare)")
