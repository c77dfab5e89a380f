"""Models from text: records, places, all faults in one error, hostile text, ranges and macros."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import Integer

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.model import FUNCTIONS, Group, Range, Subscript, SubscriptMapping, add, key, make_reference, multiply
from sdmodel.reading import read_model
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text
from sdmodel.vensim.read import elements

HOSTILE = [
    "__import__('os').system('x')",
    "{{0}} {0.__class__}",
    "%s %(x)d",
    "\\",
    "'\"'''",
    "${IFS}",
    "\x1b[31m",
    "</script>",
]

WHOLE = """{UTF-8}
a price[region] = 1, 2, 3
	~	USD/Year [0, ?, 0.5]
	~	What a thing \\
		costs.
		In dollars.
	|
region: (r1-r3)
	~
	~	Where.
	|
********************************************************
	.Stocks and flows
********************************************************~
		What is counted.
	|
Pot[region] = INTEG(pouring[region] - drinking[region], 0) ~ cup ~ ~ :SUPPLEMENTARY |
pouring[region] = a price[region] * 2 ~ cup/Year ~ |
drinking[region] = 0.5 * Pot[region] ~~|
f((0,0),(1,1)) ~~|
never == 5 ~~|
note :IS: a | text ~ ~ |
check :THE CONDITION: Pot[r1] = 0 :IMPLIES: pouring[r1] = 0 ~~|
push :TEST INPUT: Pot[r1] = 7 ~~|
********************************************************
	.Control
********************************************************~
		Time.
	|
INITIAL TIME = 0 ~ Year ~|FINAL TIME = 9 ~ Year ~|TIME STEP = 1 ~ Year ~|SAVEPER = TIME STEP ~ Year ~|
\\\\\\---/// Sketch
V300
*View 1
///---\\\\\\
:L\x7f<%^E!@
22:$,Dollar,Dollars
15:0,0,0,5,0,0
22:Year,Years
""".replace("a | text", "a text")


def test_records_have_what_the_author_wrote():
    """Kinds, ranges, units, comments, groups and settings are in file order."""
    model = model_from_text(WHOLE, "whole.mdl")
    kinds = {element.key: element.kind for element in model}
    assert list(kinds)[:6] == ["a_price", "pot", "pouring", "drinking", "f", "never"]
    assert [kinds[name] for name in list(kinds)[:6]] == ["constant", "stock", "flow", "flow", "lookup", "constant"]
    price = model["A Price"]
    assert (price.units, price.range) == ("USD/Year", Range(0, None, 0.5))
    assert price.comment == "What a thing costs.\nIn dollars."
    assert price.dimensions == ("region",)
    assert price.equations[0].text == "1, 2, 3"
    assert (price.group, model["pot"].group, model["saveper"].group) == ("", "Stocks and flows", "Control")
    assert model.groups == (Group("Stocks and flows", "What is counted."), Group("Control", "Time."))
    assert model["pot"].supplementary
    assert [element.name for element in model if element.fixed] == ["never"]
    assert model.synonyms == (("$", "Dollar", "Dollars"), ("Year", "Years"))
    assert model.integrator == "rk4"
    assert model.sha256 == hashlib.sha256(WHOLE.encode()).hexdigest()
    assert model.subscripts["region"].labels == ("r1", "r2", "r3")
    assert model.subscripts["region"].comment == "Where."


def test_strings_and_reality_checks_are_skipped():
    """The document keeps them."""
    model = model_from_text(WHOLE)
    assert not {"note", "check", "push"} & set(model.elements)


@pytest.mark.parametrize(
    ("code", "integrator"),
    [(0, "euler"), (1, "rk4-auto"), (2, "diff"), (3, "rk2-auto"), (4, "rk2"), (5, "rk4"), ("", "euler")],
)
def test_settings_choose_the_integrator(code, integrator):
    """Every number has its own; a place that is empty is that of Euler."""
    assert model_from_text(WHOLE.replace("15:0,0,0,5", f"15:0,0,0,{code}")).integrator == integrator


def test_models_need_no_sketch_and_settings():
    """People and other programs write such files."""
    text = "INITIAL TIME = 0 ~~|FINAL TIME = 1~~|TIME STEP = 1 ~~|SAVEPER = 1 ~~|\r\n a=1~~|\r\n"
    model = model_from_text(text)
    assert model.integrator == "euler"
    assert model["a"].kind == "constant"


def test_places_are_exact():
    """They are line and column of each name's first mention, whatever the line ends."""
    model = model_from_text(
        model_text("s = INTEG(\r\n\tin flow - s,\r\n\t\t0) ~ ~ |\nin flow = s * Time ~ ~ |"), "m.mdl"
    )
    places = model["s"].equations[0].places
    assert str(model["s"].place) == "m.mdl:3:1"
    assert str(places["in_flow"]) == "m.mdl:4:2"
    assert str(places["s"]) == "m.mdl:4:12"
    assert str(model["in flow"].equations[0].places["time"]) == "m.mdl:6:15"


@pytest.mark.parametrize(
    ("encoding", "name"), [("cp932", "能力表の予定"), ("big5", "教育功能人口許可"), ("gbk", "亇數目與總數變亊")]
)
def test_signs_with_the_bytes_of_marks_show_the_encoding(encoding, name):
    """Such as `|` in a Japanese sign, which is a fault where the file is read as Western text; other files keep that encoding."""
    assert set(name.encode(encoding)) & set(b"|~\\[]{}")
    content = model_text(f"{name} = 3\ny = {name} * 2 + {name}").encode(encoding)
    model = model_from_text(content)
    assert (model[name].kind, model.encoding) == ("constant", encoding)
    assert model_from_text(model_text("人口 = 3").encode("gbk")).encoding == "cp1252"
    with pytest.raises(ModelError, match="m.mdl:[0-9]+:5: 'z' is not defined"):
        model_from_text(model_text(f"{name} = 3\ny = z * {name}").encode(encoding), "m.mdl")


def test_a_file_without_line_ends_is_read_up_to_its_sketch():
    """Line ends of old Macintosh files get lost, also those of continued lines; the settings after the sketch still count."""
    text = (
        "stock= INTEG (\t-stock/\\\t\t2,\t\t8)\t~\t\t~\t\t|"
        + "*" * 9
        + "\t.Control"
        + "*" * 9
        + "~\tParameters\t|FINAL TIME  = 4~~|"
        "INITIAL TIME  = 0~~|SAVEPER  =  TIME STEP~~|TIME STEP  = 1~~|\\\\\\---/// Sketch information - do not modify "
        "anything except namesV300  Do not put anything below this section*View 110,1,stock,1,2,40,20,3,3///---\\\\\\:L<%^E!@\n"
        "9:Current\n15:0,0,0,5,0,0\n"
    )
    model = model_from_text(text)
    assert (model["stock"].kind, model.integrator) == ("stock", "rk4")
    assert model["stock"].equations[0].text == "INTEG ( -stock/2, 8)"


def test_all_faults_of_a_file_are_reported_in_order():
    """A user corrects a file once, not once for each fault."""
    blocks = ["a = 1 +", "b = MAX(1)", "c = unknown thing(2)", "d = (3", "e: e", "g := 1 +"]
    with pytest.raises(ModelError) as caught:
        model_from_text(model_text("".join(f"{block} ~ ~ |\n" for block in blocks) + "h = 2 ~ x"))
    lines = [fault.where.line for fault in caught.value.faults]
    assert lines == [3, 4, 5, 6, 7, 8, 9]


def test_undefined_names_are_reported_with_other_faults_of_readable_blocks():
    """Semantic faults come together with those of the translation."""
    with pytest.raises(ModelError) as caught:
        tiny_model("a = MAX(1)\nb = nowhere + 1")
    assert [fault.where.line for fault in caught.value.faults] == [3, 8]


def test_unreadable_blocks_cause_no_fault_elsewhere():
    """They still define their names, so equations that use them are not faults."""
    with pytest.raises(ModelError) as caught:
        tiny_model("f((0,0),(1,))\ny = f(Time)\nz = y +")
    assert [fault.where.line for fault in caught.value.faults] == [3, 13]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(text):
    """A model file is untrusted: names, units, comments and groups are data."""
    name = text.replace('"', "").replace("\\", "/")
    field = text.replace("|", "").replace("~", "")
    stars = "*" * 56
    blocks = (
        f'{stars}\n\t.{field}\n{stars}~\n\t\t{field}\n\t|\n"{name}" = 3 ~ {field} ~ {field} |\ny = 2 * "{name}" ~~|'
    )
    model = model_from_text(model_text(blocks))
    element = model[f'"{name}"']
    shown = " ".join(field.split())
    assert (element.units, element.comment, element.group) == (shown, shown, shown)
    assert model["y"].equations[0].expression.args[1] == make_reference(element.key)


@given(st.text(st.characters(exclude_characters='"\\\r\n', exclude_categories=["C", "Z"]), min_size=1, max_size=20))
def test_any_quoted_text_is_a_name(name):
    """Only names that Vensim or the model already uses are excluded."""
    assume(key(name) not in {"time", "initial_time", "final_time", "time_step", "saveper", "result_of_it"})
    model = model_from_text(model_text(f'"{name}" = 3 ~ ~ |\nresult of it = "{name}" + 1 ~ ~ |'))
    first, second, *_ = model
    assert second.equations[0].expression.args[0] == make_reference(first.key)


PIECES = st.sampled_from(
    ["a", "b c", "d", "=", "==", ":=", ":", "(", ")", "[", "]", "[d]", "[d!]", "{", "}", '"', "~~|", "~", "|", "1", "2.5", ",", ";", "+",
     "-", "*", "/", "^", "<", ":NOT:", ":AND:", ":NA:", ":EXCEPT:", ":IS:", "->", "<->", "!", "MAX(", "INTEG(", "SUM(", "(0,0),(1,1)",
     "[(0,0)-(1,1)]", "WITH LOOKUP(", "TABBED ARRAY(1 2)", ":MACRO: m(x)", "m(", ":END OF MACRO:", "d: k1, k2 ~~|", "(k1-k3)", "'t'"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_any_text_is_a_model_or_has_faults_with_a_place(text):
    """A crash would hide what is wrong."""
    try:
        model_from_text(model_text(f"x = 1 ~~|{text}"), "m.mdl")
    except ModelError as error:
        places = {str(fault.where) for fault in error.faults}
    else:
        places = {"m.mdl:1:1"}
    assert all(place.startswith("m.mdl:") for place in places)


def test_ranges_list_labels_numbers_and_other_ranges():
    """`(c01-c05)` keeps its zeros; a range in a list stands for its labels; an alias has the labels of its range."""
    model = tiny_model("d: a, sub, (c08-c10) -> e\nsub: s1, s2\ne <-> d")
    d = model.subscripts["d"]
    assert d.labels == ("a", "s1", "s2", "c08", "c09", "c10") == model.subscripts["e"].labels
    assert d.mappings[0] == SubscriptMapping("e")


def test_mappings_with_a_list_pair_item_by_item():
    """A range in the list stands for all its labels."""
    model = tiny_model("d: a, b -> (e: e1, rest)\ne: e1, e2, e3\nrest: e2, e3")
    assert model.subscripts["d"] == Subscript(
        "d", ("a", "b"), (SubscriptMapping("e", (("e1",), ("e2", "e3"))),), place=model.subscripts["d"].place
    )


def test_dimensions_are_the_smallest_ranges_with_all_labels():
    """A named range wins; labels find their range; two positions may have the same range."""
    blocks = "all: a, b, c\nsame: a, b, c\npair: a, b\nx[same] = 1\ny[a] = 1\ny[b] = 2\nz[pair] = 1\nz[c] = 2\nm[a, pair] = 1\nm[b, pair] = 2"
    model = tiny_model(blocks)
    found = {name: model[name].dimensions for name in "xyzm"}
    assert found == {"x": ("same",), "y": ("pair",), "z": ("all",), "m": ("pair", "pair")}


def test_labels_of_different_ranges_are_a_fault():
    """An element has one range at each position."""
    with pytest.raises(ModelError, match="no subscript range contains all of 'a', 'c'"):
        tiny_model("d: a, b\ne: c\nx[a] = 1\nx[c] = 2")


def test_equations_have_their_exceptions():
    """`:EXCEPT:` takes one or more lists."""
    model = tiny_model("d: a, b, c\nx[d] :EXCEPT: [a], [b] = 1\nx[a] = 2\nx[b] = 3")
    assert model["x"].equations[0].exceptions == (("a",), ("b",))


def test_lookups_with_subscripts_have_one_equation_per_label():
    """Tables differ by label."""
    model = tiny_model("d: a, b\nf[a]((0,0),(1,1))\nf[b]((0,0),(1,2))\ny[d] = f[d](Time)")
    assert (model["f"].kind, len(model["f"].equations), model["f"].dimensions) == ("lookup", 2, ("d",))
    assert model["y"].equations[0].expression == FUNCTIONS["LOOKUP"].build(
        make_reference("f", "d"), make_reference("time")
    )


MACRO = ":MACRO: LAG(input, delay)\nLAG = INTEG((input - LAG)/delay, start) ~~|\nstart = input * factor$ ~~|\n:END OF MACRO:\n"


def test_macro_calls_create_hidden_elements():
    """Each call has its own, with the caller's ranges; `name$` is a name of the model."""
    text = model_text(
        MACRO + "d: a, b ~~|\nfactor = 2 ~~|\nx[d] = 1 + LAG(y[d], 3) ~~|\ny[d] = 1, 2 ~~|\nz = LAG(factor, 4) ~~|"
    )
    model = model_from_text(text)
    hidden = [element for element in model if element.hidden]
    assert [(element.kind, element.dimensions) for element in hidden] == [
        ("stock", ("d",)), ("auxiliary", ("d",)), ("stock", ()), ("auxiliary", ()),
    ]  # fmt: skip
    stock, start, *_ = hidden
    assert model["x"].equations[0].expression == add(Integer(1), make_reference(stock.key, "d"))
    assert start.equations[0].expression == multiply(make_reference("y", "d"), make_reference("factor"))


OUTPUTS = """
:MACRO: f(a: more)
f = a ~~|
more = a * 10 ~~|
:END OF MACRO:
:MACRO: g(a)
g = f(a + 1: own) + own ~~|
:END OF MACRO:
r: r1, r2 ~~|
x[r] = 1, 2 ~~|
"""


def test_outputs_of_macro_calls_have_subscripts_of_their_own():
    """Several calls may define one output in parts; the output of a call inside a macro belongs to that call."""
    model = tiny_model(OUTPUTS + "y[r1] = f(x[r1]: p[r1]) ~~|\ny[r2] = f(5: p[r2]) ~~|\nw[r] = f(x[r]: q[r]) ~~|\n"
                       "own = 1000 ~~|\nv[r] = g(x[r]) ~~|\nz = g(3) + own ~~|")  # fmt: skip
    found = sd.simulate(model).isel(time=-1)
    values = {name: found[name].to_numpy().tolist() for name in "pqvz"}
    assert values == {"p": [10, 50], "q": [10, 20], "v": [22, 33], "z": 1044}
    assert (model["p"].dimensions, model["p"].hidden, model["q"].dimensions) == (("r",), False, ("r",))


def test_a_macro_call_computes_nothing_for_excepted_cells():
    """Neither for its own elements nor for its outputs, and no exception of another label counts."""
    text = """
    r: r1, r2 ~~|
    q: q1, q2, q3 ~~|
    rest: q2, q3 ~~|
    some[r, rest] = 1, 2; 3, 4; ~~|
    :MACRO: f(a: more)
    f = INTEG(a, 0) ~~|
    more = a * 10 ~~|
    :END OF MACRO:
    y[r, q] :EXCEPT: [r, q1] = f(some[r, q]: p[r, q]) ~~|
    y[r, q1] = 7 ~~|
    z[r1, q] :EXCEPT: [r2, q2], [r1, q1] = f(some[r1, q]: more) ~~|
    z[r1, q1] = f(5: five) ~~|
    s = SUM(y[r!, q!]) + SUM(z[r1, q!]) + SUM(p[r!, rest!]) + SUM(more[rest!]) ~~|
    """
    found = sd.simulate(tiny_model(text, final=1)).isel(time=-1)
    assert found["s"] == (10 + 14) + (3 + 5) + 100 + 30
    assert np.isnan(found["p"].sel(q="q1")).all()


@pytest.mark.parametrize(
    ("equations", "words"),
    [("z = f(3: q) + f(4: q) ~~|", "20: 'q' is defined a second time"), ("z = f(3: x) ~~|", "'x' has 0 subscripts")],
)
def test_an_output_that_is_defined_already_is_a_fault(equations, words):
    with pytest.raises(ModelError, match=words):
        tiny_model(OUTPUTS + equations)


def test_hidden_elements_have_new_names():
    """The author may have used the same words."""
    model = model_from_text(
        model_text(MACRO + "factor = 2 ~~|\nx = LAG(factor, 3) ~~|\nLAG 1 LAG = 7 ~~|\nLAG 1 start = 8 ~~|")
    )
    assert not model["lag 1 lag"].hidden
    assert len([element for element in model if element.hidden]) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{MACRO}x = LAG(1) ~~|", "different arguments; write LAG\\(input, delay\\)"),
        (":MACRO: M(a)\nM = M(a) ~~|\n:END OF MACRO:\nx = M(1) ~~|", "calls itself"),
        (":MACRO: M(a)\nk = a ~~|\n:END OF MACRO:\nx = M(1) ~~|", "does not define 'm'"),
        (":MACRO: M(a)\nM = a ~~|\nx = 1 ~~|", "does not end"),
        ("x = 1 ~~|\n:END OF MACRO:\n", "no macro is open"),
        (
            ":MACRO: M(a)\nM: p, q ~~|\n:END OF MACRO:\nx = M(1) ~~|",
            "a subscript range; declare it outside of the macro",
        ),
        (
            ":MACRO: M(a)\nM <-> d ~~|\n:END OF MACRO:\nx = M(1) ~~|",
            "a subscript range; declare it outside of the macro",
        ),
    ],
)
def test_macros_that_cannot_be_expanded_are_faults(text, words):
    """Each message says what to do."""
    with pytest.raises(ModelError, match=words):
        model_from_text(model_text(text))


@pytest.mark.parametrize("most", [200, pytest.param(elements.MOST_CALLS, marks=pytest.mark.nightly)])
def test_endless_macro_calls_are_a_fault(monkeypatch, most):
    """Each macro calls the previous one twice: a short file has a trillion calls."""
    monkeypatch.setattr(elements, "MOST_CALLS", most)
    levels = [":MACRO: M0(a)\nM0 = a ~~|\n:END OF MACRO:\n"]
    levels += [f":MACRO: M{n}(a)\nM{n} = M{n - 1}(a) + M{n - 1}(a) ~~|\n:END OF MACRO:\n" for n in range(1, 40)]
    with pytest.raises(ModelError, match=f"more than {most:,} macro calls"):
        model_from_text(model_text("".join(levels) + "x = M39(1) ~~|"))


def test_public_models_are_read_or_refused(shared):
    """The only reasons to refuse one are functions that are not supported, and missing files."""
    for file in sorted((shared / "test-models").rglob("*.mdl")):
        assert all("not supported" in what or "no such file" in what for what in _faults(file)), file.name


def _faults(file):
    try:
        read_model(file)
    except ModelError as error:
        return [fault.what for fault in error.faults]
    return []


@pytest.mark.parametrize(
    "declared",
    [
        "F: a, b, a -> S",
        "F: a, b, a -> (S: s1, s2, s3)",
        "F: A,b,\\\n\t\t a->S",
        "F: a, b, a -> T, S",
        "F: (k1-k1), b, k1 -> S",
    ],
)
def test_label_that_a_range_lists_twice_maps_to_both_places(declared):
    """Several labels of the equation read one label of the range."""
    label = "k1" if "k1" in declared else "a"
    text = f"""
    R: {label}, b ~~|
    {declared} ~~|
    S: s1, s2, s3 ~~|
    T: t1, t2, t3 ~~|
    v[R] = 1, 2 ~~|
    w[S] = 10, 20, 30 ~~|
    x[S] = v[F] * w[S] ~~|
    y[F] = 5 ~~|
    z[S] = y[F] + SUM(w[S!]) ~~|
    """
    model = model_from_text(model_text(text))
    run = sd.simulate(model)
    assert run["x"].values[0].tolist() == [10, 40, 30]
    assert run["z"].values[0].tolist() == [65, 65, 65]
    assert model.subscripts["f"].labels == (label if "A" not in declared else "A", "b")


@pytest.mark.parametrize("back", ["", " -> S"])
def test_labels_map_by_position_to_a_range_that_lists_one_twice(back):
    """In both directions; an equation for the labels that are listed once finds the one that maps to each."""
    text = f"S: s1, s2, s3, s4 -> F ~~|\nF: a, b, a, c{back} ~~|\nv[F] = 7 + F ~~|\nx[S] = 10 * v[F] ~~|\nw[S] = 1, 2, 3, 4 ~~|\n"
    text += "y[F] :EXCEPT: [a] = w[S] ~~|\ny[a] = w[s1] + w[s3] ~~|\n"
    run = sd.simulate(model_from_text(model_text(text)))
    assert run["x"].values[0].tolist() == [80, 90, 80, 100]
    assert run["y"].values[0].tolist() == [4, 2, 4]


def test_times_of_a_run_may_be_said_twice_in_the_same_way():
    """Simlin writes them among the variables and among the settings; other values are a fault."""
    text = model_text("FINAL TIME = 4 ~ Month ~|\nx = 1 ~~|\n", final=4)
    assert model_from_text(text)["FINAL TIME"].units == "Month"
    with pytest.raises(ModelError, match="'FINAL TIME' is defined a second time; first at line"):
        model_from_text(text.replace("= 4 ~ Month", "= 5 ~ Month"))


def test_tabxl_extends_a_lookup():
    """As xmutil reads models that come from DYNAMO."""
    run = sd.simulate(tiny_model("a = TABXL(t, Time + 2)\nt((0,0),(1,1),(2,3))", final=1))
    assert run["a"].values.tolist() == [3, 5]
