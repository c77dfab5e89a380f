"""How equations are written: buried numbers, and forms that other programs read differently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.checking import check_model
from sdmodel.testing import build_xmile, tiny_model
from sdmodel.xmile import read_xmile

# the equation of `x`, and what the finding says
FORMS = {
    "-a^b": "a minus sign before a power",
    "c + a*-b^2": "a minus sign before a power",
    "MAX(-a^2, b)": "a minus sign before a power",
    "-MAX(a, b)^2": "a minus sign before a power",
    "a^b^c": "a power of a power",
    "a^+b^c": "a power of a power",
    "a^(b)^c": "a power of a power",
    ":NOT: a > b": "':NOT:' before a comparison",
    ":not: a + 1 = b :AND: c": "':NOT:' before a comparison",
    "a > b :AND: b > c :OR: c": "':AND:' and ':OR:' side by side",
    "IF THEN ELSE(a :or: b :and: c, 1, 0)": "':AND:' and ':OR:' side by side",
}
PLAIN = (
    "a - b^2",
    "a*b^c",
    "(-a)^b",
    "-(a^b)",
    "a^(b^c)",
    "(a^b)^c",
    "a^b*c^a",
    "a^b - c^a",
    "a^-b",
    ":NOT: (a > b)",
    "(:NOT: a) > b",
    ":NOT: a :AND: b > c",
    "(a > b :AND: b > c) :OR: c",
    "a :AND: b :AND: c",
    "MIN(a :AND: b, b :OR: c)",
    "a {-a^b, a :AND: b :OR: c} + b",
    '"odd ^ - name"*b',
)


OTHERS = 'a = 1\nb = 1\nc = 1\n"odd ^ - name" = 1'


def _messages(equation: str, rule: str, other: str = "1") -> list[str]:
    """Check a model in which x has the equation, and y another one."""
    found = check_model(tiny_model(f"x = {equation}\ny = {other}\n{OTHERS}"), only=[rule], static=True)
    return [finding.message for finding in found if finding.variable in ("x", "y")]


@pytest.mark.parametrize("equation", FORMS)
def test_forms_that_other_programs_read_differently_are_reported(equation: str):
    """Each form on which open readers disagree, wherever it is."""
    assert _messages(equation, "operators") == [
        f"'x' has {FORMS[equation]}, which other programs read differently; put parentheses there"
    ]


@pytest.mark.parametrize("equation", PLAIN)
def test_forms_that_all_programs_read_alike_are_not_reported(equation: str):
    """Parentheses make every form unambiguous; names in quotes and comments in braces are not operators."""
    assert _messages(equation, "operators") == []


NAMES = st.sampled_from(["a", "b", "c", "1", "2.5e-3", "MAX(a, b)"])
OPERATIONS = st.sampled_from(["+", "-", "*", "/", "^", ":AND:", ":OR:", "<", ">=", "="])
WHOLE = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, OPERATIONS, inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda part: f"(-{part})"),
        inner.map(lambda part: f"(:NOT: {part})"),
    ),
    max_leaves=12,
)


@given(WHOLE)
def test_completely_parenthesized_equation_is_never_reported(equation: str):
    """With all parentheses nothing depends on precedence."""
    assert _messages(equation, "operators") == []


@given(WHOLE, WHOLE)
def test_forms_are_found_around_any_operands(one: str, two: str):
    """The operands of a form may be anything that is one operand."""
    power, logic = _messages(f"-{one}^{two}", "operators", f"a > {one} :AND: {two} :OR: b")
    assert ("'x'" in power, "'y'" in logic) == (True, True)


@given(st.lists(st.floats(1e-3, 1e6).map(lambda value: float(f"{value:.3g}")), min_size=1, max_size=5))
def test_every_buried_number_is_reported_once(values: list[float]):
    """0, 1 and 2 are structural; every other number of an equation is listed, each once."""
    equation = " + ".join(f"a*{value!r}" for value in values) + " + 0 + 1 + 2 + b^2 + c^0.5"
    buried = [repr(value) for value in dict.fromkeys(values) if value not in {1.0, 2.0}]
    (message,) = _messages(equation, "buried-number") or [None]
    assert (message is None) == (not buried)
    assert not buried or message.startswith(f"'x' has the number{'s' * (len(buried) > 1)} {', '.join(buried)} in")


@pytest.mark.parametrize(
    ("equation", "number"),
    [
        ("INTEG(a, 180)", "180"),
        ("a^3", "3"),
        ("SMOOTH(a, 7)", "7"),
        ("-5*a", "-5"),
        ("a*(-5)", "-5"),
        ("a - 590", "590"),
        ("a - 590 + 590*b", "590"),
        ("a + 1234567.50", "1234567.50"),
        ("DELAY N(a, b, c, 3)", ""),
        ("WITH LOOKUP(a, ((0,0),(9,9)))", ""),
        ("a*:NA:", ""),
        ("a/b", ""),
        ("12", ""),
    ],
)
def test_initial_values_exponents_and_delays_count_but_tables_orders_and_constants_do_not(equation: str, number: str):
    """A number is buried wherever its meaning has no name."""
    messages = _messages(equation, "buried-number")
    assert len(messages) == bool(number)
    assert not number or f"number {number} in" in messages[0]


def test_only_vensim_marks_what_nothing_uses():
    """An XMILE file has no `:SUPPLEMENTARY`."""
    model = read_xmile(build_xmile('<aux name="k"><eqn>TIME</eqn></aux>').encode(), "m.stmx")
    (found,) = (finding.message for finding in check_model(model) if finding.rule == "unused")
    assert found == "'k' is used by nothing; use it or delete it"
