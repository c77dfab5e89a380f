"""Units of models: what does not fit is told once, at its place; what fits is left in peace; what is open is inferred."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sdmodel.model.units.signatures import read_rule

from sdmodel.model import FUNCTIONS, check_units, unit_faults
from sdmodel.testing import block_text, model_text
from sdmodel.vensim import model_from_text

AROUND = (
    ("d: North, South", ""),
    ("w = 1", "Widget"),
    ("v = 2", "Widget"),
    ("y = 1", "Year"),
    ("z = 2", "Year"),
    ("p = 1", "Person"),
    ("r = 1", "Widget/Year"),
    ("n = 1", "Dmnl"),
    ("wd[d] = 1, 2", "Widget"),
    ("yd[d] = 1, 2", "Year"),
    ("f((0,0),(1,1))", "Widget"),
)

# The equation and its units, an @ before what is told; the sub-expression, the unit asked for and the one found.
FAULTS = (
    ("@x = w", "Year", "w", "Year", "Widget"),
    ("@x = w*y", "Widget", "w*y", "Widget", "Widget*Year"),
    ("@x = w/y", "Widget", "w/y", "Widget", "Widget/Year"),
    ("@x = -w", "Year", "-w", "Year", "Widget"),
    ("@x = 2*w", "Dmnl", "2*w", "Dmnl", "Widget"),
    ("@x = 1/y", "Year", "1/y", "Year", "1/Year"),
    ("@x = w^2", "Widget", "w^2", "Widget", "Widget^2"),
    ("@x = w^0.5", "Widget", "w^0.5", "Widget", "Widget^(1/2)"),
    ("@x = (w*w*w)^(1/3)", "Year", "(w*w*w)^(1/3)", "Year", "Widget"),
    ("@x = SQRT(w)", "Widget", "SQRT(w)", "Widget", "Widget^(1/2)"),
    ("@x = POWER(w, 2)", "Widget", "POWER(w, 2)", "Widget", "Widget^2"),
    ("@x = wd[North]", "Person", "wd[North]", "Person", "Widget"),
    ("x = SUM(@wd[d!])", "Person", "SUM(wd[d!])", "Person", "Widget"),
    ("@x = f(n)", "Person", "f(n)", "Person", "Widget"),
    ("@x = Time", "Widget", "Time", "Widget", "Year"),
    ("@x = TIME STEP*w", "Widget", "TIME STEP*w", "Widget", "Widget*Year"),
    ("x = w + @y", "Widget", "w + y", "Widget", "Year"),
    ("x = @y + w", "Widget", "y + w", "Widget", "Year"),
    ("x = w - @y", "Widget", "w - y", "Widget", "Year"),
    ("x = (w + @y)/p", "Widget/Person", "w + y", "Widget", "Year"),
    ("x = w + v + @y", "Year", "w + v + y", "Widget", "Year"),
    ("x = w + @r*y*y", "Widget", "w + r*y*y", "Widget", "Widget*Year"),
    ("x = w*(n + @y)", "Widget", "n + y", "Dmnl", "Year"),
    ("x = n*MIN(w, @y)", "Widget", "MIN(w, y)", "Widget", "Year"),
    ("x = MAX(@y, w)", "Widget", "MAX(y, w)", "Widget", "Year"),
    ("x = MAX(@y, 0)", "Widget", "MAX(y, 0)", "Widget", "Year"),
    ("x = w > @y", "Dmnl", "w > y", "Widget", "Year"),
    ("x = w = @y", "Dmnl", "w = y", "Widget", "Year"),
    ("x = IF THEN ELSE(@w, 1, 0)", "Dmnl", "IF THEN ELSE(w, 1, 0)", "Dmnl", "Widget"),
    ("x = IF THEN ELSE(n > 0, w, @y)", "Widget", "IF THEN ELSE(n > 0, w, y)", "Widget", "Year"),
    ("x = n > 0 :AND: @w", "Dmnl", "n > 0 :AND: w", "Dmnl", "Widget"),
    ("x = :NOT: @w", "Dmnl", ":NOT: w", "Dmnl", "Widget"),
    ("x = EXP(@y)", "Dmnl", "EXP(y)", "Dmnl", "Year"),
    ("x = n*LN(@w/y)", "Dmnl", "LN(w/y)", "Dmnl", "Widget/Year"),
    ("x = SIN(@2*Time)", "Dmnl", "SIN(2*Time)", "Dmnl", "Year"),
    ("x = n^@w", "Dmnl", "n^w", "Dmnl", "Widget"),
    ("x = @w^n", "Dmnl", "w^n", "Dmnl", "Widget"),
    ("x = 2^(@w/y)", "Dmnl", "2^(w/y)", "Dmnl", "Widget/Year"),
    ("x = INTEG(@w, v)", "Widget", "INTEG(w, v)", "Widget/Year", "Widget"),
    ("x = INTEG(r, @y)", "Widget", "INTEG(r, y)", "Widget", "Year"),
    ("x = INTEG(r - @w, v)", "Widget", "r - w", "Widget/Year", "Widget"),
    ("x = SMOOTH(w, @p)", "Widget", "SMOOTH(w, p)", "Year", "Person"),
    ("x = SMOOTHI(w, y, @p)", "Widget", "SMOOTHI(w, y, p)", "Widget", "Person"),
    ("x = DELAY3(r, @w)", "Widget/Year", "DELAY3(r, w)", "Year", "Widget"),
    ("x = DELAY N(r, y, r, @w)", "Widget/Year", "DELAY N(r, y, r, w)", "Dmnl", "Widget"),
    ("x = DELAY FIXED(r, y, @w)", "Widget/Year", "DELAY FIXED(r, y, w)", "Widget/Year", "Widget"),
    ("@x = TREND(w, y, 0)", "Dmnl", "TREND(w, y, 0)", "Dmnl", "1/Year"),
    ("x = FORECAST(w, y, @n)", "Widget", "FORECAST(w, y, n)", "Year", "Dmnl"),
    ("x = STEP(w, @p)", "Widget", "STEP(w, p)", "Year", "Person"),
    ("x = RAMP(@r, 1, 2)", "Person", "RAMP(r, 1, 2)", "Person/Year", "Widget/Year"),
    ("x = PULSE(@w, 1)", "Dmnl", "PULSE(w, 1)", "Year", "Widget"),
    ("x = @ZIDZ(w, y) + w", "Widget/Year", "ZIDZ(w, y) + w", "Widget/Year", "Widget"),
    ("x = @XIDZ(w, y, w)", "Widget/Year", "XIDZ(w, y, w)", "Widget/Year", "Widget"),
    ("x = MODULO(w, @y)", "Widget", "MODULO(w, y)", "Widget", "Year"),
    ("x = SUM(wd[d!] + @yd[d!])", "Widget", "wd[d!] + yd[d!]", "Widget", "Year"),
    ("x[d] = wd[d] + @yd[d]", "Widget", "wd[d] + yd[d]", "Widget", "Year"),
    ("x = SAMPLE IF TRUE(n > 0, w, @y)", "Widget", "SAMPLE IF TRUE(n > 0, w, y)", "Widget", "Year"),
    ("x = ACTIVE INITIAL(w, @y)", "Widget", "ACTIVE INITIAL(w, y)", "Widget", "Year"),
    ("@x = ELMCOUNT(d)*w", "Year", "ELMCOUNT(d)*w", "Year", "Widget"),
    ("@x = WITH LOOKUP(n, ((0,0),(1,1)))*w", "Year", "WITH LOOKUP(n, ...)*w", "Year", "Widget"),
    ("@x = STEP(0.1, 2)*w", "Year", "STEP(0.1, 2)*w", "Year", "Widget"),
    ("@x = RAMP(0.1, 2, 5)*w", "Year", "RAMP(0.1, 2, 5)*w", "Year", "Widget"),
)

# What has no fault in it: the equation and its units.
SOUND = (
    ("x = 3", "Widget"),
    ("x = -3", "Widget"),
    ("x = 2*1000", "Widget"),
    ("x = 10^6", "Widget"),
    ("x = 1 + w", "Widget"),
    ("x = (1 + n)*w", "Widget"),
    ("x = MAX(0, w)", "Widget"),
    ("x = IF THEN ELSE(w > 0, 1, 0)*w", "Widget"),
    ("x = IF THEN ELSE(Time > 3, w, 0)", "Widget"),
    ("x = w*STEP(0.1, 2)", "Widget"),
    ("x = w*(1 + RAMP(0.1, 2, 5))", "Widget"),
    ("x = w*PULSE(2, 1)/TIME STEP", "Widget/Year"),
    ("x = INTEG(r - w/y, 10)", "Widget"),
    ("x = DELAY N(r, 3, 5, 2)", "Widget/Year"),
    ("x = TREND(w, y, 0)", "1/Year"),
    ("x = w*2^(Time/y)", "Widget"),
    ("x = w*EXP(-Time/y)", "Widget"),
    ("x = (w*w)^0.5", "Widget"),
    ("x = SQRT(w*v)", "Widget"),
    ("x = w*(w/v)^n", "Widget"),
    ("x = f(w/v)", "Widgets"),
    ("x = f(Time)", "widget"),
    ("x = WITH LOOKUP(Time, ((0,0),(1,1)))", "Person"),
    ("x = SUM(wd[d!])/ELMCOUNT(d)", "Widget"),
    ("x[d] = d*wd[d]", "Widget"),
    ("x = ZIDZ(w, r)", "Year"),
    ("x = :NA:", "Widget"),
    ("x[North] = w\nx[South] = 3", "Widget"),
)


def made(equations, *, around=AROUND):
    """The model that equations with their units make, each in a block of four lines and a blank one."""
    return model_from_text(model_text("\n\n".join(block_text(each, units=own) for each, own in (*around, *equations))))


def found(equations, *, around=AROUND):
    return unit_faults(made(equations, around=around))


def place_of(index, equation):
    """Line and column of the @ in the equation of that index."""
    return 3 + 5 * index, equation.index("@") + 1


@pytest.mark.parametrize(("equation", "units", "expression", "left", "right"), FAULTS, ids=[each[0] for each in FAULTS])
def test_a_fault_of_units_is_told_once_with_its_place_and_both_units(equation, units, expression, left, right):
    """The finding names the innermost sub-expression that is wrong, and nothing around it is told again."""
    (doubt,) = found([(equation.replace("@", ""), units)])
    assert (doubt.expression, doubt.left, doubt.right) == (expression, left, right)
    assert (doubt.place.line, doubt.place.column) == place_of(len(AROUND), equation)
    assert (doubt.level, doubt.variable) == ("error", "x")
    assert "; " in doubt.message


@pytest.mark.parametrize(("equation", "units"), SOUND, ids=[each[0] for each in SOUND])
def test_what_fits_is_left_in_peace(equation, units):
    """Numbers take the unit that their neighbours ask for, and are pure numbers where they multiply."""
    parts = equation.split("\n")
    assert found([(each, units) for each in parts]) == ()


@pytest.mark.parametrize(("equation", "units"), SOUND, ids=[each[0] for each in SOUND])
def test_what_fits_does_not_fit_once_its_units_are_others(equation, units):
    """No sound equation is sound because nothing is looked at: all but bare numbers are found out under other units."""
    bare = {"3", "-3", "2*1000", "10^6", ":NA:", "WITH LOOKUP(Time, ((0,0),(1,1)))"}
    parts = equation.split("\n")
    told = found([(each, f"{units}*Frog") for each in parts])
    assert bool(told) == (equation.split(" = ")[1] not in bare)


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_of_the_table_has_a_rule_that_can_be_read(row):
    """As many patterns as arguments, and every letter can be told from one argument alone and the unit of time."""
    rule = read_rule(row.units)
    assert len(rule.patterns) == len(row.arguments)
    known = {"t"}
    for letter in rule.letters:
        assert any(
            pattern is not None and letter in pattern and set(pattern) <= {letter, "t"} for pattern in rule.patterns
        )
        known.add(letter)
    assert set(rule.result or ()) <= known


@pytest.mark.parametrize(
    ("found_unit", "wanted", "cure"),
    [
        ("Widget", "Widget/Year", "divide it by a time in Year"),
        ("Widget/Year", "Widget", "multiply it by a time in Year"),
        ("Widget", "Dmnl", "divide it by something in Widget"),
        ("Widget", "Person", "multiply it by something in Person/Widget"),
        ("Widget/Person", "Widget", "multiply it by something in Person"),
    ],
)
def test_a_finding_says_what_is_missing(found_unit, wanted, cure):
    """The cure is the factor between the two units, a time where it is one."""
    (doubt,) = found([("a = 1", found_unit), ("x = a", wanted)])
    assert cure in doubt.message


def test_the_input_of_a_lookup_should_be_a_pure_number():
    """Vensim warns of an input with units; a lookup of time is a series of data and stays as it is."""
    (doubt,) = found([("x = f(w)", "Widget")])
    assert (doubt.level, doubt.expression, doubt.left, doubt.right) == ("warning", "f(w)", "Dmnl", "Widget")
    assert doubt.place.column == 7
    assert found([("x = f(Time - 3)", "Widget")]) == ()


def test_units_that_cannot_be_read_are_told_and_stop_there():
    """Every text that is no unit is told at its element; what uses it is not told too."""
    told = found([("a = 1", "Widget/"), ("b = 1", "(Widget"), ("c = 1", "Year^Widget"), ("x = a + b + c", "Widget")])
    assert [(each.variable, each.expression, each.level) for each in told] == [
        ("a", "Widget/", "error"),
        ("b", "(Widget", "error"),
        ("c", "Year^Widget", "error"),
    ]


def test_settings_of_time_share_a_unit():
    """INITIAL TIME gives the model's unit of time; another in FINAL TIME is told."""
    text = model_text(block_text("x = Time", units="Month")).replace("~\tYear", "~\tMonth", 1)
    told = unit_faults(model_from_text(text))
    assert [(each.variable, each.left, each.right) for each in told] == [
        ("FINAL TIME", "Month", "Year"),
        ("TIME STEP", "Month", "Year"),
        ("SAVEPER", "Month", "Year"),
    ]


def test_an_element_without_units_has_those_that_its_equations_settle():
    """Forwards from an equation, backwards from a use, through chains; what nothing settles stays open."""
    report = check_units(
        made(
            [
                ("forwards = w/p", ""),
                ("rate = 0.1", ""),
                ("x = rate*w", "Widget/Year"),
                ("second = first^0.5", ""),
                ("first = 4", ""),
                ("y2 = second*second*second", "Widget^3"),
                ("stock = INTEG(inflow, 0)", ""),
                ("inflow = (w - stock)/y", ""),
                ("alone = 3", ""),
                ("also alone = alone*2", ""),
            ]
        )
    )
    assert report.doubts == ()
    assert dict(report.inferred) == {
        "forwards": "Widget/Person",
        "rate": "1/Year",
        "second": "Widget",
        "first": "Widget^2",
        "stock": "Widget",
        "inflow": "Widget/Year",
    }
    assert set(report.open) == {"alone", "also_alone"}


def test_a_contradiction_about_an_element_without_units_names_the_lines_that_make_it():
    """The lines are the fewest that contradict each other: those that use `k` for something, not all that use it."""
    equations = [("k = 1", ""), ("other = k*p*0 + p", ""), ("a = w + k", "Widget"), ("b = y + k", "Year")]
    (doubt,) = found([each for each in equations if "other" not in each[0]])
    assert (doubt.variable, doubt.expression, doubt.left, doubt.right) == ("b", "y + k", "Year", "Widget")
    line = 3 + 5 * (len(AROUND) + 1)
    assert f"follow from line {line}" in doubt.message
    assert doubt.message.count(",") == 2


def test_an_equation_settles_a_unit_before_its_uses_do():
    """The fault is told where an element is used wrongly, not where it is defined, whatever the names are."""
    for first, second in (("aa", "bb"), ("bb", "aa")):
        (doubt,) = found([(f"{first} = y + z + {second}", ""), (f"{second} = w", "")])
        assert (doubt.variable, doubt.left, doubt.right) == (first, "Year", "Widget")


def test_units_declared_on_the_way_stop_a_fault_from_spreading():
    """What is downstream of a fault is held against the units that the author gives."""
    chain = [("a = w*y", "Widget"), *((f"a{n} = {'a' if n == 0 else f'a{n - 1}'}*1", "Widget") for n in range(20))]
    (doubt,) = found(chain)
    assert doubt.variable == "a"


def test_a_model_without_units_gets_warnings_alone():
    """Where only time has a unit, nothing that the author says is contradicted for sure."""
    (doubt,) = found([("x = SIN(Time)", "")], around=())
    assert doubt.level == "warning"
    assert found([("a = 1", ""), ("x = INTEG(a - b, 3)", ""), ("b = x/c", ""), ("c = 4", "")], around=()) == ()


def test_a_macro_is_checked_where_it_is_called():
    """The elements of a macro have the units of each call; a fault inside it is told at its equation there."""
    macro = ":MACRO: GAP(goal, actual, t)\nGAP = (goal - actual)/t\n\t~\tgoal/t\n\t~\t\n\t|\n:END OF MACRO:\n\n"
    blocks = "\n\n".join(block_text(each, units=own) for each, own in AROUND)
    calls = block_text("x = GAP(w, v, y)", units="Widget/Year"), block_text("u = GAP(p, p, y)", units="Person/Year")
    sound = model_text("\n\n".join((blocks, *calls))).replace("{UTF-8}\n\n", "{UTF-8}\n\n" + macro)
    assert unit_faults(model_from_text(sound)) == ()
    (doubt,) = unit_faults(model_from_text(sound.replace("GAP(w, v, y)", "GAP(w, p, y)")))
    assert (doubt.expression, doubt.left, doubt.right) == ("w - p", "Widget", "Person")


def test_a_long_chain_of_elements_without_units_needs_no_recursion():
    """Thousands of elements in a row are settled from their end, and in the order of either end."""
    count = 3000
    forwards = [(f"x{n} = x{n + 1}*2", "") for n in range(count)]
    report = check_units(made([*forwards, (f"x{count} = w", "")]))
    assert report.doubts == ()
    assert report.inferred["x0"] == "Widget"


# Expressions that are right by construction: a unit is a pair of exponents, of Widget and of Year.
Exponents = tuple[int, int]


def unit_text(unit: Exponents) -> str:
    above = [f"{name}^{power}" for name, power in zip(("Widget", "Year"), unit, strict=True) if power > 0]
    below = [f"{name}^{-power}" for name, power in zip(("Widget", "Year"), unit, strict=True) if power < 0]
    return "*".join(above or ["1"]) + (f"/({'*'.join(below)})" if below else "")


LARGEST = 10
SMALL = st.tuples(st.integers(-1, 1), st.integers(-1, 1))
LEAF = re.compile(r"q(\d\d)w(\d\d)")


def name_of(unit: Exponents) -> str:
    """The element that has that unit."""
    return f"q{unit[0] + LARGEST:02}w{unit[1] + LARGEST:02}"


def times(left: Exponents, right: Exponents, power: int = 1) -> Exponents:
    return left[0] + power * right[0], left[1] + power * right[1]


# What keeps a unit, made by `of`, which gives an expression of any unit; `other` is some unit.
KINDS = (
    lambda of, unit, _: f"({of(unit)} + {of(unit)})",
    lambda of, unit, _: f"({of(unit)} - {of(unit)} + 3)",
    lambda of, unit, other: f"({of(other)}*{of(times(unit, other, -1))})",
    lambda of, unit, other: f"({of(times(unit, other))}/{of(other)})",
    lambda of, unit, other: f"IF THEN ELSE({of(other)} > {of(other)}, {of(unit)}, {of(unit)})",
    lambda of, unit, _: f"MAX({of(unit)}, {of(unit)})",
    lambda of, unit, _: f"({of(unit)}*EXP({of((0, 0))}))",
    lambda of, unit, _: f"SMOOTH({of(unit)}, {of((0, 1))})",
    lambda of, unit, _: f"SQRT({of(times(unit, unit))})",
    lambda of, unit, _: f"(-{of(unit)}*{of((0, 0))}^1.5)",
    lambda of, unit, other: f"ZIDZ({of(times(unit, other))}, {of(other)})",
    lambda of, unit, _: f"STEP({of(unit)}, {of((0, 1))})",
    lambda of, unit, _: f"({of(unit)}*(1 + PULSE({of((0, 1))}, 2)))",
    lambda of, unit, _: f"DELAY N({of(unit)}, {of((0, 1))}, {of(unit)}, 3)",
)


@st.composite
def expressions(draw, unit: Exponents, depth: int = 3) -> str:
    """An expression of that unit, with constructions that keep one; its leaves are elements that have it."""
    if depth == 0 or max(map(abs, unit)) > LARGEST // 2 - 1:
        return name_of(unit)
    return draw(st.sampled_from(KINDS))(lambda of: draw(expressions(of, depth - 1)), unit, draw(SMALL))


@st.composite
def clean_models(draw) -> list[tuple[str, str]]:
    """Equations that are right."""
    units = draw(st.lists(SMALL, min_size=1, max_size=4))
    return [(f"x{number} = {draw(expressions(unit))}", unit_text(unit)) for number, unit in enumerate(units)]


def leaves_of(equations):
    """The elements that stand at the ends of expressions, with their units."""
    named = {tuple(map(int, each)) for text, _ in equations for each in LEAF.findall(text)}
    return tuple(
        (f"{name_of(unit)} = 1", unit_text(unit)) for unit in sorted((a - LARGEST, b - LARGEST) for a, b in named)
    )


@settings(max_examples=60, deadline=None)
@given(clean_models(), st.data())
def test_a_model_that_is_right_has_no_finding_and_a_planted_fault_is_found_where_it_is(equations, data):
    """A frog added to any element makes exactly that sum wrong, whatever stands around it."""
    around = leaves_of(equations)
    assert found(equations, around=around) == ()
    index = data.draw(st.integers(0, len(equations) - 1))
    text, units = equations[index]
    leaf = data.draw(st.sampled_from(list(LEAF.finditer(text))))
    start, name = leaf.start(), leaf.group()
    spoilt = f"{text[:start]}({name} + {name} + frog){text[leaf.end() :]}"
    planted = [*equations[:index], (spoilt, units), *equations[index + 1 :]]
    told = found(planted, around=(("frog = 1", "Frog"), *around))
    column = start + len(f"({name} + {name} + ") + 1
    line = 3 + 5 * (1 + len(around) + index)
    assert [(each.place.line, each.place.column, each.right) for each in told] == [(line, column, "Frog")]


def told_by(equations, around=AROUND):
    return sorted(
        (each.variable, each.expression, each.left, each.right, each.level) for each in found(equations, around=around)
    )


FAULTY = [
    (each[0].replace("@", "").replace("x", f"x{n}", 1), each[1]) for n, each in enumerate(FAULTS) if "x =" in each[0]
]


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(FAULTY) + len(AROUND) - 1)))
def test_the_order_of_a_file_does_not_change_what_is_found(order):
    """Findings are about the model, not about how it is written down."""
    everything = [*AROUND[1:], *FAULTY]
    shuffled = [everything[index] for index in order]
    assert told_by(shuffled, around=AROUND[:1]) == told_by(everything, around=AROUND[:1])


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([("Widget", "Frog"), ("Widget", "kg*m/s"), ("Person", "Widget^2"), ("Year", "Month")]))
def test_other_names_for_units_leave_the_findings(change):
    """A unit put in the place of another everywhere makes nothing right or wrong, unless it is one that stands there."""
    old, new = change
    swapped = [(text, units.replace(old, f"({new})") if units else units) for text, units in (*AROUND, *FAULTY)]
    text = model_text("\n\n".join(block_text(each, units=own) for each, own in swapped))
    if old == "Year":
        text = text.replace("~\tYear", "~\tMonth")
    before = [(each.variable, each.expression) for each in found(FAULTY)]
    assert [(each.variable, each.expression) for each in unit_faults(model_from_text(text))] == before


def test_other_names_for_elements_leave_the_findings():
    """Names decide nothing: elements renamed so that their order turns round have the same faults."""
    names = {f"x{n}": f"e{999 - n}" for n in range(len(FAULTS))}
    renamed = [(text.replace(text.split(" =")[0], names[text.split(" =")[0]], 1), units) for text, units in FAULTY]
    before = [(names[each.variable], each.left, each.right, each.place) for each in found(FAULTY)]
    after = [(each.variable, each.left, each.right, each.place) for each in found(renamed)]
    assert [each[:3] for each in after] == [each[:3] for each in before]
    assert [each[3].line for each in after] == [each[3].line for each in before]


@pytest.mark.parametrize(
    ("opening", "closing", "depth"),
    [("MAX(w, ", ")", 90), ("(w + ", ")*1", 60), ("w^(1/(n + ", "))", 30), ("-", "", 90)],
)
def test_what_nests_as_deep_as_it_may_is_checked_too(opening, closing, depth):
    """The deepest equation that is read has its units checked and told."""
    assert found([(f"x = {opening * depth}y{closing * depth}", "Widget")])
