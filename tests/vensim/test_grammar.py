"""The equation grammar: each form of Vensim's language, operator precedence, and syntax faults."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.exceptions import UnexpectedInput
from sympy import Expr, Float, Indexed, Integer

from sdmodel.errors import ModelError
from sdmodel.model import (
    FUNCTIONS,
    NA,
    Model,
    Numbers,
    Table,
    VensimFunction,
    add,
    evaluate,
    inverse,
    make_reference,
    multiply,
    negate,
    power,
)
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text
from sdmodel.vensim.read.grammar import DEPTH
from sdmodel.vensim.read.table import Token, Tree, lark_parser, parser

NAMES = ("a", "b c", "größe", "l'été", "x.1", "US$", '"odd | name"', "Plan 9 b")
DEFINITIONS = "".join(f"{name} = 1 ~~|" for name in NAMES) + "f((0,0),(1,1)) ~~|d: k1, k2 ~~|v[d] = 1, 2 ~~|"


def _expression(text: str, more: str = "") -> Expr:
    return _model(f"result = {text}\n{more}")["result"].equations[0].expression


def _model(equations: str) -> Model:
    return tiny_model(equations)


def _value(text: str) -> float:
    return evaluate({}, _expression(text), {}, lambda _: 0.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2^2", -4),
        ("4^3^2", 262144),
        ("2^-3", 0.125),
        ("2^-2^-1", 2 ** -(2**-1)),
        ("- -3", 3),
        ("10 - 4 - 3", 3),
        ("12 / 4 * 3", 9),
        ("2 + 3 * 4", 14),
        ("-2 * 3", -6),
        (":NOT: 1 > 2", 1),
        (":NOT: 0 :AND: 0", 0),
        ("1 + 2 > 2", 1),
        ("2 > 1 :AND: 0", 0),
        ("1 :OR: 1 :AND: 0", 1),
        ("(1 :OR: 1) :AND: 0", 0),
        ("3 = 3", 1),
        ("3 <> 3", 0),
        ("+3 - +2", 1),
        ("1e-010 * 1E+010", 1),
        (".5 + 5.", 5.5),
    ],
)
def test_operators_bind_as_in_vensim(text, value):
    """Each row follows Vensim's output or its manual; other readers differ on several."""
    assert _value(text) == pytest.approx(value)


def test_long_sums_and_products_are_one_node():
    """A chain does not nest, so the stack does not limit its length."""
    count = 5000
    total = _expression(" + ".join(["Time"] * count))
    product = _expression(" * ".join(["Time"] * count))
    assert len(total.args) == len(product.args) == count


def test_expressions_keep_the_form_of_the_author():
    """Nothing is evaluated, sorted or collected."""
    time_ = make_reference("time")
    assert _expression("Time - Time / Time * 2") == add(time_, negate(multiply(time_, inverse(time_), Integer(2))))
    assert _expression("Time - (Time + 1)") == add(time_, negate(add(time_, Integer(1))))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_all_kinds_are_read(name):
    """Names may have spaces, apostrophes, dollars, dots and letters of any language; anything else needs quotes."""
    model = _model(f"{DEFINITIONS}result = 2 * {name.upper() if 'ß' not in name else name} ~~|")
    assert model["result"].equations[0].expression == multiply(Integer(2), make_reference(model[name].key))


def test_names_of_functions_ignore_case_spaces_and_underscores():
    """Variables do too."""
    assert _expression("if_then  ELSE(b_C > 1, Max (1,2), 3)", "B c = 1").args[1].name == "MAX"


def test_comments_and_continuations_may_be_anywhere():
    """Comments nest, and places after them are exact."""
    model = model_from_text(
        model_text("a = {one {two} | ~} 1 + \\\n\t\t b {end} \\\r\n + b ~ u ~ c |\nb {here} = 2 ~~|")
    )
    assert model["a"].equations[0].expression == add(Integer(1), make_reference("b"), make_reference("b"))
    place = model["a"].equations[0].places["b"]
    assert (place.line, place.column) == (4, 4)


def test_missing_values_are_a_number():
    """`:NA:` can be used in arithmetic."""
    assert float(_expression(":na:")) == NA


@pytest.mark.parametrize(
    "table",
    [
        "[(0,-1)-(10,10)],(0,1),(2,3.5)",
        "[(0,-1)-(10,10),(5,5),(6,6)], (0,1), (2, 3.5)",
        " (0,1)\n,( 2 ,+ 3.5)",
        "0,2,1,3.5",
    ],
)
def test_lookups_are_read_in_every_form(table):
    """With corners, with reference points, without both, and with every x before every y."""
    (equation,) = _model(f"f({table}) ~~|")["f"].equations
    limits = ((0.0, -1.0), (10.0, 10.0)) if "[" in table else None
    assert equation.expression == Table([(0, 1), (2, 3.5)], limits)


def test_lookups_are_called_by_name_by_function_and_inline():
    """The forms are `f(x)`, `LOOKUP FORWARD(f, x)` and `WITH LOOKUP`."""
    points, time_ = Table([(0, 1), (2, -3)]), make_reference("time")
    assert _expression("WITH LOOKUP ( Time, ((0,1),(2,- 3)))") == FUNCTIONS["LOOKUP"].build(points, time_)
    model = _model("f((0,1),(2,3))\ny = f(Time)\nz = lookup forward(f, Time)")
    assert model["y"].equations[0].expression == FUNCTIONS["LOOKUP"].build(make_reference("f"), time_)
    assert model["z"].equations[0].expression == FUNCTIONS["LOOKUP FORWARD"].build(make_reference("f"), time_)


@pytest.mark.parametrize("text", ["1,2;3,4;", "1, 2;\n 3 , +4", "TABBED ARRAY(1 2\n 3 4)"])
def test_numbers_of_an_array_are_read_row_by_row(text):
    """Commas, semicolons or tabs separate them."""
    blocks = f"d: k1, k2 ~~|\ne: m1, m2 ~~|\nresult[d,e] = {text} ~~|"
    assert _model(blocks)["result"].equations[0].expression == Numbers([1, 2, 3, 4])


def test_subscripts_are_keys_and_keep_the_mark_of_a_range():
    """SUM runs over the range in `dim!`."""
    model = _model(f"{DEFINITIONS}total = SUM(v[D!]) ~~|one = v[K1] ~~|")
    assert model["total"].equations[0].expression == FUNCTIONS["SUM"].build(make_reference("v", "d!"))
    assert model["one"].equations[0].expression == make_reference("v", "k1")


@pytest.mark.parametrize(
    ("equation", "where", "words"),
    [
        ("a = 1 +", 7, "is incomplete after '\\+'"),
        ("a = (1 + 2", 10, "add '\\)'"),
        ("a = 1 + 2)", 9, "closes nothing"),
        ("a = 1 * / 2", 8, "missing before '/'"),
        ("a = 3 Time", 6, "operator is missing before 'Time'"),
        ("a =", 3, "is incomplete"),
        ("a = MIN(1, 2, 3)", 4, "MIN takes 2 arguments, not 3; nest it, as in MIN\\(x1, MIN\\(x2, x3\\)\\)"),
        ("a = MAX(1)", 4, "MAX takes 2 arguments, not 1; write MAX\\(x1, x2\\)"),
        ("a = MAXX(1, 2)", 4, "did you mean MAX"),
        ("a = GET XLS DATA('f', 'b', 'A', 'B2')", 4, "'f': there is no such file; put it beside the model"),
        ("a = GET XLS DATA('f', 'b', 'A', 'B2') + 1", 4, "GET XLS DATA must be the whole right-hand side"),
        ("a = GET 123 DATA('f', 'b', 0, 1)", 4, "GET 123 DATA is not supported; export it as text"),
        ("a = GET 123 DATA(1, 2, 3, 4, 5)", 4, "GET 123 DATA is not supported"),
        ("a = 'text' + 1", 4, "is text"),
        ("a = 1e999", 4, "is too large"),
        ("f((0,0),(1,))", 7, "not allowed here|missing"),
        ("f(1,2,3)", 2, "odd number of values"),
        ("f([(0,0)],(0,0),(1,1))", 2, "corners"),
        (
            "a :RAW: := GET XLS DATA('x')",
            11,
            "texts in single quotes or string variables; write GET XLS DATA.'file', 'tab', 'time row or column', 'cell'",
        ),
        ("a := TIME SHIFT(Time, 3)", 5, "TIME SHIFT takes a data variable"),
        ("a := TIME SHIFT()", 5, "TIME SHIFT takes 2 arguments, not 0; write TIME SHIFT.data, shift."),
        (
            "a := CUMULATE(Time)",
            5,
            "CUMULATE takes a data variable that is declared without an equation or reads a file",
        ),
        ("a := CUMULATEF()", 5, "CUMULATEF takes 1 argument, not 0; write CUMULATEF.data."),
        (
            "a := 1 + CUMULATE(Time)",
            9,
            "CUMULATE must be the whole right-hand side of a data equation; .* name := CUMULATE",
        ),
        ("a = CUMULATE(Time)", 4, "CUMULATE must be the whole right-hand side of a data equation"),
        ("d: (k1-m2)", 4, "is not a range"),
        ("d: (k1-k999999999)", 4, "more than"),
        ("d <-> e", 6, "is not a range"),
        ("d: d", 0, "lists itself"),
        ("d: k -> e", 8, "not a range to map to"),
        (
            "d: GET DIRECT SUBSCRIPT('a', 'b')",
            3,
            "texts in single quotes or string variables; write GET DIRECT SUBSCRIPT",
        ),
    ],
)
def test_syntax_faults_have_a_place(equation, where, words):
    """The column is that of the first part that does not fit."""
    with pytest.raises(ModelError, match=words) as caught:
        _model(f"{equation} ~ u ~ c |")
    place = caught.value.faults[0].where
    assert (place.line, place.column) == (3, where + 1)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "ABS(" * 300 + "1" + ")" * 300,
        "2^" * 300 + "1",
        "-" * 300 + "1",
        ":NOT: " * 300 + "1",
    ],
    ids=["parentheses", "calls", "powers", "signs", "negations"],
)
def test_deep_nesting_is_a_fault(text):
    """A hostile file must not exhaust the stack."""
    with pytest.raises(ModelError, match="levels deep"):
        _expression(text)


def test_realistic_nesting_is_read():
    """A choice among dozens of cases is a chain of IF THEN ELSE."""
    depth = DEPTH - 10
    assert _value("IF THEN ELSE(Time > 1, 2, " * depth + "3" + ")" * depth) == 3


NUMBERS = st.one_of(
    st.integers(0, 10**6).map(Integer),
    st.floats(1e-9, 1e9).filter(lambda value: value != int(value)).map(Float),
)
LEAVES = st.one_of(
    NUMBERS,
    st.sampled_from([make_reference("a"), make_reference("b_c"), make_reference("time"), make_reference("v", "k1")]),
)


def _branches(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    def call(name: str) -> st.SearchStrategy[Expr]:
        return st.tuples(*[inner] * len(FUNCTIONS[name].arguments)).map(lambda values: FUNCTIONS[name].build(*values))

    return st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda values: add(*values)),
        st.lists(inner, min_size=2, max_size=4).map(lambda values: multiply(*values)),
        st.tuples(inner, inner).map(lambda pair: multiply(pair[0], inverse(pair[1]))),
        st.tuples(inner, inner).map(lambda pair: power(*pair)),
        inner.filter(lambda value: not value.is_Number).map(negate),
        *(
            call(name)
            for name in ("MAX", "IF THEN ELSE", "=", "<=", "<>", ":AND:", ":OR:", ":NOT:", "ZIDZ", "PULSE TRAIN")
        ),
    )


def _text(expression: Expr) -> str:
    """The tree in Vensim's language, with parentheses around everything that could bind differently."""
    if expression.is_Float:
        return repr(float(expression))
    if expression.is_Number or expression.is_Symbol or isinstance(expression, Indexed):
        return str(expression).replace("_", " ")
    parts = [_text(argument) for argument in expression.args]
    if isinstance(expression, VensimFunction):
        return _call_text(expression.name, parts)
    if expression.is_Mul and expression.args[0] == -1 and len(parts) == 2:
        return f"(-{parts[1]})"
    if expression.is_Mul:
        return f"({parts[0]}{''.join(map(_factor_text, expression.args[1:]))})"
    return f"({(' + ' if expression.is_Add else ' ^ ').join(parts)})"


def _call_text(name: str, parts: list[str]) -> str:
    if name == ":NOT:":
        return f"(:NOT: {parts[0]})"
    return f"{name}({', '.join(parts)})" if name[0].isalpha() else f"({parts[0]} {name} {parts[1]})"


def _factor_text(factor: Expr) -> str:
    return (
        f" / {_text(factor.base)}"
        if factor.is_Pow and factor.exp == -1 and factor.exp.is_Integer
        else f" * {_text(factor)}"
    )


@settings(deadline=None, max_examples=60)
@given(st.recursive(LEAVES, _branches, max_leaves=20))
def test_trees_round_trip(expression):
    """Reading is the inverse of writing, however expressions nest."""
    more = "a = 1\nb c = 1\nd: k1, k2\nv[d] = 1, 2\n"
    assert _expression(_text(expression), more) == expression


_PIECES = (
    *NAMES, "f(", "(", ")", "[d]", "[d!]", "d!", ",", "+", "-", "*", "/", "^", "=", "<>", ">=", ":AND:", ":or:", ":NOT:", ":NA:",
    "1", "2.5e-3", "1, 2", "3;", "'text'", "WITH LOOKUP(a, ", "((0,0),(1,1))", "[(0,0)-(1,1)],(0,0)", "TABBED ARRAY(1 2)",
    ":EXCEPT:", "==", ":=", ":", "<->", "->", ":IS:", ":INTERPOLATE:", ":TEST INPUT:", "MAX(a, 1)", " ", "\n", "\xa0", "\u2003a", "?", '"', "%",
)  # fmt: skip
"""Parts of equations, and what cannot be part of one."""


def _is_like_lark(own: object, other: object) -> bool:
    """Whether a tree equals one of lark's, with the places of its tokens."""
    if isinstance(own, Token):
        places = (own.type, own.start_pos, own.end_pos) == (other.type, other.start_pos, other.end_pos)
        return str(own) == str(other) and places
    assert isinstance(own, Tree)
    same = own.data == str(other.data) and len(own.children) == len(other.children)
    return same and all(map(_is_like_lark, own.children, other.children))


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=14), st.sampled_from(["a = ", "a[d] = ", "d: ", ""]))
def test_the_parser_makes_the_trees_of_lark(pieces: list[str], left: str):
    """It refuses what lark refuses, and takes the rest apart in the same way."""
    text = left + " ".join(pieces)
    found = parser().parse(text)
    try:
        expected = lark_parser().parse(text)
    except UnexpectedInput:
        assert found is None
    else:
        assert found is not None
        assert _is_like_lark(found, expected)


def test_two_bars_are_an_operator_of_other_languages():
    """A bar ends an equation, so what follows it is not read as the next one."""
    text = model_text("y = 2\nx = IF THEN ELSE(y > 3 || y < 1, 1, 0)\nz = x + y")
    with pytest.raises(ModelError) as caught:
        model_from_text(text, "or.mdl")
    assert [fault.what for fault in caught.value.faults] == ["'||' is not an operator of Vensim; write ':OR:'"]
