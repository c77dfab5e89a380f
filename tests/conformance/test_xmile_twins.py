"""Public models in XMILE: they give the expected numbers, or are refused with a reason."""

from __future__ import annotations

from collections import Counter

import pytest
from expected_outputs import MODELS, differences, read_expected

from sdmodel.errors import SdmodelError
from sdmodel.reading import read_model
from sdmodel.simulation import simulate

TWINS = sorted(path.relative_to(MODELS).as_posix() for path in MODELS.rglob("*.xmile"))
LOST = "the program that wrote the file has lost numbers here"
REFUSED = {
    "tests/macro_multi_expression/test_macro_multi_expression.xmile": "'EXPRESSION MACRO' is neither a function nor a lookup",
    "tests/macro_multi_macros/test_macro_multi_macros.xmile": "'EXPRESSION MACRO' is neither a function nor a lookup",
    "tests/macro_stock/test_macro_stock.xmile": "'EXPRESSION MACRO' is neither a function nor a lookup",
    "tests/non_negative_flows/test_non_negative_flows.xmile": ":45:11: this end tag does not close <flow>, which line 34 opens",
    "tests/non_negative_flows/test_non_negative_flows_behavior.xmile": ":49:11: this end tag does not close <flow>, which line 38 opens",
    **{
        f"tests/{name}/test_{file}.xmile": LOST
        for name, file in {
            "subscript_1d_arrays": "subscript_1d_arrays",
            "subscript_constant_call": "subscript_constant_call",
            "subscript_mixed_assembly": "subscript_mixed_assembly",
            "subscript_multiples": "multiple_subscripts",
            "subscript_subranges_equal": "subscript_subrange_equal",
            "subscript_updimensioning": "subscript_updimensioning",
            "subscripted_flows": "subscripted_flows",
        }.items()
    },
}
"""Twins that are refused, with part of the message: files without their macros, XML that is not well-formed, lost numbers."""

DIFFERS = {
    "tests/active_initial/test_active_initial.xmile": "the file lacks the initial value that the expected output has",
    "tests/pi/test_pi.xmile": "the sine of pi is a rounding error, not zero",
    "tests/rounding/test_rounding.xmile": "INT and MOD round down, as XMILE says; the output is Vensim's, which rounds towards zero",
    "tests/smooth_and_stock/test_smooth_and_stock.xmile": "the file lacks elements that the expected output has",
}
"""Twins whose numbers differ from the output beside them, with the cause."""

pytestmark = pytest.mark.skipif(not TWINS, reason="the public test models are missing beside the project")


@pytest.mark.parametrize("name", [name for name in TWINS if name not in REFUSED])
def test_model_in_xmile_gives_the_expected_numbers(name):
    """With Euler, as the outputs were made; the table of differences is exact."""
    path = MODELS / name
    run = simulate(read_model(path), integrator="euler")
    output = next(file for file in (path.parent / "output.tab", path.parent / "output.csv") if file.exists())
    found = differences(run, read_expected(output))
    assert bool(found) == (name in DIFFERS), "\n".join(found[:8])


@pytest.mark.parametrize("name", [name for name in REFUSED if name in TWINS])
def test_models_that_cannot_be_read_are_refused_by_name(name):
    """Nothing is left out silently."""
    with pytest.raises(SdmodelError) as refusal:
        read_model(MODELS / name)
    assert REFUSED[name] in str(refusal.value)


def test_most_twins_are_read():
    """The tables list existing files, and those that are read and equal are counted."""
    assert {*REFUSED, *DIFFERS} <= set(TWINS)
    counts = Counter("refused" if name in REFUSED else "differs" if name in DIFFERS else "equal" for name in TWINS)
    assert counts == {"equal": 40, "refused": 12, "differs": 4}
