"""Units of whole models: no false alarm where the units are right, and true faults by name where they are not."""

from __future__ import annotations

import re

import pytest

from sdmodel.model import unit_faults
from sdmodel.vensim import model_from_text, read_model

CLEAN = (
    "samples/SIR/SIR.mdl",
    "samples/simple_harmonic_oscillator/simple_harmonic_oscillator.mdl",
    "samples/teacup/teacup.mdl",
    "samples/teacup/teacup_mdl.mdl",
    "tests/limits/test_limits.mdl",
    "tests/macro_cross_reference/test_macro_cross_reference.mdl",
    "tests/macro_multi_expression/test_macro_multi_expression.mdl",
    "tests/macro_multi_macros/test_macro_multi_macros.mdl",
    "tests/macro_stock/test_macro_stock.mdl",
    "tests/macro_trailing_definition/test_macro_trailing_definition.mdl",
    "tests/multiple_lines_def/test_multiple_lines_def.mdl",
    "tests/odd_number_quotes/teacup_3quotes.mdl",
)
"""Public models whose authors give units to most elements, and whose units fit."""

FAULTY = {
    "samples/Lotka_Volterra/Lotka_Volterra.mdl": [("Predator Births", "Foxes/Year", "Foxes^2/(Fox*Year)")],
    "samples/Workforce/workforce.mdl": [
        ("Expert Task Completion", "Tasks/Week", "1/Week"),
        ("Expert-Hours Spent on Rookie Supervision per Week", "Hours*Persons/Week", "Hours*Persons"),
        ("Rookie Task Completion", "Tasks/Week", "1/Week"),
        ("Rookie-Hours on Task per Week", "Hours*Persons/Week", "Person Hours"),
        ("Rookie-Hours Worked per Week", "Person Hours", "Hours*Persons/Week"),
        ("Task Completion", "Tasks/Week", "Tasks"),
    ],
    "samples/pendulum/Single_Pendulum.mdl": [
        ("Angular component of Gravity", "Dmnl", "radians"),
        ("Angular Position", "radians/Second", "1/Second"),
    ],
    "tests/smooth_and_stock/test_smooth_and_stock.mdl": [("Smoothed Input", "Minute", "Meetings")],
    "tests/subscript_mapping_vensim/test_subscript_mapping_vensim.mdl": [
        ("POPULATION", "People/Month", "People/year"),
        ("POPULATION", "People/Month", "People/year"),
    ],
    "tests/unicode_characters/unicode_test_model.mdl": [("this is a spanish variable with ñ ç", "D", "Dmnl")],
}
"""Public models with faults that were looked at one by one and are true: the variable, the unit asked for, the one found."""


@pytest.mark.parametrize("name", CLEAN)
def test_a_public_model_whose_units_fit_has_no_finding(shared, name):
    """What Vensim would pass is passed, warnings included."""
    assert unit_faults(read_model(shared / "test-models" / name)) == ()


@pytest.mark.parametrize("name", FAULTY)
def test_the_true_faults_of_a_public_model_are_found_and_no_other(shared, name):
    """Each fault once, with both units."""
    told = unit_faults(read_model(shared / "test-models" / name))
    assert [(each.variable, each.left, each.right) for each in told] == FAULTY[name]
    assert {each.level for each in told} == {"error"}


def test_the_units_of_the_models_of_the_project_fit(project):
    """Every element of the project's own models has units, and they agree with its equation."""
    for path in sorted((project / "models").glob("*.mdl")):
        assert unit_faults(read_model(path)) == (), path.name


def test_a_wrong_unit_of_any_stock_or_flow_of_the_projects_model_is_found(project):
    """That nothing is found in the model does not come from nothing being looked at."""
    path = project / "models" / "ai_compute.mdl"
    text = path.read_text("utf-8")
    checked = [each.name for each in read_model(path) if each.kind in {"stock", "flow"}]
    missed = []
    for name in checked:
        field = text.index("~\t", re.search(rf"\n{re.escape(name)}(\[[^\]]*\])? =", text).start()) + 2
        spoilt = f"{text[:field]}Frog{text[text.index(chr(10), field) :]}"
        if not unit_faults(model_from_text(spoilt)):
            missed.append(name)
    assert len(checked) > 20
    assert missed == []
