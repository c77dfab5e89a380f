"""Units of models: mismatches are reported once at their place, correct units are not, and missing units are inferred."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmodel.model import FUNCTIONS, check_units, formula_units
from sdmodel.model.units.dimensions import read_rule
from sdmodel.testing import block_text, model_text
from sdmodel.vensim import model_from_text, read_formula

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
    ("data", "Widget"),
)

# The equation and its units, an @ at the place; the sub-expression, the expected unit and the actual unit.
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
    ("x = GET DATA LAST TIME(data) - GET DATA FIRST TIME(data)", "Year"),
    ("x = GET DATA AT TIME(data, y)", "Widget"),
    ("x = :NA:", "Widget"),
    ("x[North] = w\nx[South] = 3", "Widget"),
)


def made(equations, *, around=AROUND):
    """Return the model of equations with units, each in a block of four lines and a blank line."""
    return model_from_text(model_text("\n\n".join(block_text(text, units=own) for text, own in (*around, *equations))))


def found(equations, *, around=AROUND):
    return check_units(made(equations, around=around)).mismatches


def place_of(index, equation):
    """Return the line and column of the @ in the equation of that index."""
    return 3 + 5 * index, equation.index("@") + 1


@pytest.mark.parametrize(("equation", "units", "expression", "left", "right"), FAULTS, ids=[row[0] for row in FAULTS])
def test_mismatch_is_reported_once_with_place_and_both_units(equation, units, expression, left, right):
    """The mismatch is that of the innermost wrong sub-expression; nothing around it is reported again."""
    (mismatch,) = found([(equation.replace("@", ""), units)])
    assert (mismatch.expression, mismatch.left, mismatch.right) == (expression, left, right)
    assert (mismatch.place.line, mismatch.place.column) == place_of(len(AROUND), equation)
    assert (mismatch.level, mismatch.variable) == ("error", "x")
    assert "; " in mismatch.message


@pytest.mark.parametrize(("equation", "units"), SOUND, ids=[row[0] for row in SOUND])
def test_correct_units_are_not_reported(equation, units):
    """Numbers take the unit that their neighbours need, and are pure numbers in products."""
    parts = equation.split("\n")
    assert found([(text, units) for text in parts]) == ()


@pytest.mark.parametrize(("equation", "units"), SOUND, ids=[row[0] for row in SOUND])
def test_correct_equation_is_reported_with_other_units(equation, units):
    """Correct equations are really checked: all but bare numbers are reported if the units are changed."""
    bare = {"3", "-3", "2*1000", "10^6", ":NA:", "WITH LOOKUP(Time, ((0,0),(1,1)))"}
    parts = equation.split("\n")
    mismatches = found([(text, f"{units}*Frog") for text in parts])
    assert bool(mismatches) == (equation.split(" = ")[1] not in bare)


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=FUNCTIONS)
def test_unit_rules_of_all_functions_can_be_read(row):
    """There is a pattern per argument, and every letter follows from one argument and the unit of time."""
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
def test_message_says_which_factor_is_missing(found_unit, wanted, cure):
    """The cure is the factor between the two units, called a time if it is one."""
    (mismatch,) = found([("a = 1", found_unit), ("x = a", wanted)])
    assert cure in mismatch.message


def test_input_of_a_lookup_should_be_a_pure_number():
    """Vensim warns about an input with units; a lookup of time is a time series and is not reported."""
    (mismatch,) = found([("x = f(w)", "Widget")])
    assert (mismatch.level, mismatch.expression, mismatch.left, mismatch.right) == ("warning", "f(w)", "Dmnl", "Widget")
    assert mismatch.place.column == 7
    assert found([("x = f(Time - 3)", "Widget")]) == ()


def test_unreadable_units_are_reported_only_at_their_element():
    """Every text that is not a unit is reported at its element, and not again where the element is used."""
    mismatches = found(
        [("a = 1", "Widget/"), ("b = 1", "(Widget"), ("c = 1", "Year^Widget"), ("x = a + b + c", "Widget")]
    )
    assert [(mismatch.variable, mismatch.expression, mismatch.level) for mismatch in mismatches] == [
        ("a", "Widget/", "error"),
        ("b", "(Widget", "error"),
        ("c", "Year^Widget", "error"),
    ]


def test_time_settings_share_a_unit():
    """INITIAL TIME gives the model's unit of time; another unit of FINAL TIME is reported."""
    text = model_text(block_text("x = Time", units="Month")).replace("~\tYear", "~\tMonth", 1)
    mismatches = check_units(model_from_text(text)).mismatches
    assert [(mismatch.variable, mismatch.left, mismatch.right) for mismatch in mismatches] == [
        ("FINAL TIME", "Month", "Year"),
        ("TIME STEP", "Month", "Year"),
        ("SAVEPER", "Month", "Year"),
    ]


def test_missing_units_follow_from_equations():
    """Forwards from an equation, backwards from a use, and through chains; otherwise the unit stays open."""
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
    assert report.mismatches == ()
    assert dict(report.inferred) == {
        "forwards": "Widget/Person",
        "rate": "1/Year",
        "second": "Widget",
        "first": "Widget^2",
        "stock": "Widget",
        "inflow": "Widget/Year",
    }
    assert set(report.open) == {"alone", "also_alone"}


def test_contradiction_about_missing_units_names_its_lines():
    """The lines are the smallest set that is contradictory, not all lines that use `k`."""
    equations = [("k = 1", ""), ("other = k*p*0 + p", ""), ("a = w + k", "Widget"), ("b = y + k", "Year")]
    (mismatch,) = found([row for row in equations if "other" not in row[0]])
    assert (mismatch.variable, mismatch.expression, mismatch.left, mismatch.right) == ("b", "y + k", "Year", "Widget")
    line = 3 + 5 * (len(AROUND) + 1)
    assert f"follow from line {line}" in mismatch.message
    assert mismatch.message.count(",") == 2


def test_unit_follows_from_the_equation_before_its_uses():
    """The mismatch is reported where an element is used wrongly, not where it is defined, whatever the names are."""
    for first, second in (("aa", "bb"), ("bb", "aa")):
        (mismatch,) = found([(f"{first} = y + z + {second}", ""), (f"{second} = w", "")])
        assert (mismatch.variable, mismatch.left, mismatch.right) == (first, "Year", "Widget")


def test_declared_units_stop_a_mismatch_from_spreading():
    """Equations after a mismatch are checked with the units in the model."""
    chain = [("a = w*y", "Widget"), *((f"a{n} = {'a' if n == 0 else f'a{n - 1}'}*1", "Widget") for n in range(20))]
    (mismatch,) = found(chain)
    assert mismatch.variable == "a"


def test_model_without_units_gets_only_warnings():
    """If only time has a unit, no statement of the model is certainly contradicted."""
    (mismatch,) = found([("x = SIN(Time)", "")], around=())
    assert mismatch.level == "warning"
    assert found([("a = 1", ""), ("x = INTEG(a - b, 3)", ""), ("b = x/c", ""), ("c = 4", "")], around=()) == ()


def test_macro_is_checked_where_it_is_called():
    """The elements of a macro have the units of each call; a mismatch inside is reported at its equation there."""
    macro = ":MACRO: GAP(goal, actual, t)\nGAP = (goal - actual)/t\n\t~\tgoal/t\n\t~\t\n\t|\n:END OF MACRO:\n\n"
    blocks = "\n\n".join(block_text(text, units=own) for text, own in AROUND)
    calls = block_text("x = GAP(w, v, y)", units="Widget/Year"), block_text("u = GAP(p, p, y)", units="Person/Year")
    sound = model_text("\n\n".join((blocks, *calls))).replace("{UTF-8}\n\n", "{UTF-8}\n\n" + macro)
    assert check_units(model_from_text(sound)).mismatches == ()
    (mismatch,) = check_units(model_from_text(sound.replace("GAP(w, v, y)", "GAP(w, p, y)"))).mismatches
    assert (mismatch.expression, mismatch.left, mismatch.right) == ("w - p", "Widget", "Person")


def test_long_chain_without_units_needs_no_recursion():
    """Units of a chain of more elements than Python's stack has frames follow from its end."""
    count = 2 * sys.getrecursionlimit()
    forwards = [(f"x{n} = x{n + 1}*2", "") for n in range(count)]
    report = check_units(made([*forwards, (f"x{count} = w", "")]))
    assert report.mismatches == ()
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
    """Return the element that has that unit."""
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
    """Generate an expression of that unit from operations that keep it; its leaves are elements with that unit."""
    if depth == 0 or max(map(abs, unit)) > LARGEST // 2 - 1:
        return name_of(unit)
    return draw(st.sampled_from(KINDS))(lambda of: draw(expressions(of, depth - 1)), unit, draw(SMALL))


@st.composite
def clean_models(draw) -> list[tuple[str, str]]:
    """Generate equations with correct units."""
    units = draw(st.lists(SMALL, min_size=1, max_size=4))
    return [(f"x{number} = {draw(expressions(unit))}", unit_text(unit)) for number, unit in enumerate(units)]


def leaves_of(equations):
    """Return the elements at the leaves of expressions, with their units."""
    named = {tuple(map(int, leaf)) for text, _ in equations for leaf in LEAF.findall(text)}
    return tuple(
        (f"{name_of(unit)} = 1", unit_text(unit)) for unit in sorted((a - LARGEST, b - LARGEST) for a, b in named)
    )


@settings(max_examples=60, deadline=None)
@given(clean_models(), st.data())
def test_correct_models_have_no_mismatch_and_a_planted_one_is_found(equations, data):
    """A frog added to any element makes exactly that sum wrong, whatever is around it."""
    around = leaves_of(equations)
    assert found(equations, around=around) == ()
    index = data.draw(st.integers(0, len(equations) - 1))
    text, units = equations[index]
    leaf = data.draw(st.sampled_from(list(LEAF.finditer(text))))
    start, name = leaf.start(), leaf.group()
    changed = f"{text[:start]}({name} + {name} + frog){text[leaf.end() :]}"
    planted = [*equations[:index], (changed, units), *equations[index + 1 :]]
    mismatches = found(planted, around=(("frog = 1", "Frog"), *around))
    column = start + len(f"({name} + {name} + ") + 1
    line = 3 + 5 * (1 + len(around) + index)
    assert [(mismatch.place.line, mismatch.place.column, mismatch.right) for mismatch in mismatches] == [
        (line, column, "Frog")
    ]


def told_by(equations, around=AROUND):
    return sorted(
        (mismatch.variable, mismatch.expression, mismatch.left, mismatch.right, mismatch.level)
        for mismatch in found(equations, around=around)
    )


FAULTY = [(row[0].replace("@", "").replace("x", f"x{n}", 1), row[1]) for n, row in enumerate(FAULTS) if "x =" in row[0]]


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(FAULTY) + len(AROUND) - 1)))
def test_order_of_the_file_does_not_matter(order):
    """The same mismatches are found in any order of the equations."""
    everything = [*AROUND[1:], *FAULTY]
    shuffled = [everything[index] for index in order]
    assert told_by(shuffled, around=AROUND[:1]) == told_by(everything, around=AROUND[:1])


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([("Widget", "Frog"), ("Widget", "kg*m/s"), ("Person", "Widget^2"), ("Year", "Month")]))
def test_names_of_units_do_not_matter(change):
    """Renaming a unit everywhere changes no mismatch, unless the new name is already in use."""
    old, new = change
    swapped = [(text, units.replace(old, f"({new})") if units else units) for text, units in (*AROUND, *FAULTY)]
    text = model_text("\n\n".join(block_text(text, units=own) for text, own in swapped))
    if old == "Year":
        text = text.replace("~\tYear", "~\tMonth")
    before = [(mismatch.variable, mismatch.expression) for mismatch in found(FAULTY)]
    assert [
        (mismatch.variable, mismatch.expression) for mismatch in check_units(model_from_text(text)).mismatches
    ] == before


def test_names_of_elements_do_not_matter():
    """Elements that are renamed so that their order is reversed have the same mismatches."""
    names = {f"x{n}": f"e{999 - n}" for n in range(len(FAULTS))}
    renamed = [(text.replace(text.split(" =")[0], names[text.split(" =")[0]], 1), units) for text, units in FAULTY]
    before = [(names[mismatch.variable], mismatch.left, mismatch.right, mismatch.place) for mismatch in found(FAULTY)]
    after = [(mismatch.variable, mismatch.left, mismatch.right, mismatch.place) for mismatch in found(renamed)]
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert [row[3].line for row in after] == [row[3].line for row in before]


@pytest.mark.parametrize(
    ("opening", "closing", "depth"),
    [("MAX(w, ", ")", 90), ("(w + ", ")*1", 60), ("w^(1/(n + ", "))", 30), ("-", "", 90)],
)
def test_deepest_equations_are_checked(opening, closing, depth):
    """The units of the deepest equation that can be read are checked and reported."""
    assert found([(f"x = {opening * depth}y{closing * depth}", "Widget")])


@pytest.mark.parametrize(
    ("formula", "units", "over_time"),
    [
        ("r", "Widget/Year", "Widget"),
        ("2*w - r*y", "Widget", "Widget*Year"),
        ("wd[North]/y", "Widget/Year", "Widget"),
        ("MAX(w, 3)", "Widget", "Widget*Year"),
        ("Time/y", "Dmnl", "Year"),
    ],
)
def test_formula_has_the_units_of_its_variables(formula, units, over_time):
    """Also integrated over time; faults of the model itself are not the formula's."""
    model = model_from_text(
        model_text("\n\n".join(block_text(text, units=own) for text, own in (*AROUND, ("bad = w + y", "Person"))))
    )
    expression = read_formula(formula)
    assert formula_units(model, expression) == (units, ())
    assert formula_units(model, expression, over_time=True) == (over_time, ())
    _, (mismatch,) = formula_units(model, read_formula(f"({formula})*0 + p"))
    assert "'p' is in Person" in mismatch
