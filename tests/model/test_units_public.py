"""Units of whole models: no false alarms if the units are correct, and the true mismatches if they are not."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from sdmodel.model import check_units
from sdmodel.reading import read_model

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
"""Public models that give units to most elements, and whose units fit."""

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
"""Public models with true mismatches, each checked by hand: the variable, the expected unit, the actual unit."""


@pytest.mark.parametrize("name", CLEAN)
def test_public_models_with_correct_units_have_no_mismatch(shared, name):
    """What Vensim accepts is accepted, without warnings."""
    assert check_units(read_model(shared / "test-models" / name)).mismatches == ()


@pytest.mark.parametrize("name", FAULTY)
def test_true_mismatches_of_public_models_are_found_and_no_others(shared, name):
    """Each mismatch once, with both units."""
    mismatches = check_units(read_model(shared / "test-models" / name)).mismatches
    assert [(mismatch.variable, mismatch.left, mismatch.right) for mismatch in mismatches] == FAULTY[name]
    assert {mismatch.level for mismatch in mismatches} == {"error"}


def test_units_of_the_projects_models_fit(project):
    """Every element of the project's own models has units, and they agree with its equation."""
    for path in sorted((project / "models").glob("*.mdl")):
        assert check_units(read_model(path)).mismatches == (), path.name


def test_wrong_unit_of_any_stock_or_flow_is_found(project):
    """The flagship has no mismatch although everything in it is checked."""
    model = read_model(project / "models" / "ai_compute.mdl")
    checked = [element for element in model if element.kind in {"stock", "flow"}]
    missed = []
    for element in checked:
        elements = MappingProxyType({**model.elements, element.key: replace(element, units="Frog")})
        if not check_units(replace(model, elements=elements)).mismatches:
            missed.append(element.name)
    assert len(checked) > 20
    assert missed == []
