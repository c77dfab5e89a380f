"""Public models in XMILE: converted, they give the expected numbers, or are refused with a reason."""

from __future__ import annotations

from collections import Counter

import pytest
from expected_outputs import MODELS, differences, read_expected

from sdmodel.errors import SdmodelError
from sdmodel.reference import read_xmile
from sdmodel.simulation import simulate

TWINS = sorted(path.relative_to(MODELS).as_posix() for path in MODELS.rglob("*.xmile"))
LOST = "Rule 'expr_type' didn't match at '???'"
REFUSED = {
    "samples/bpowers-hares_and_lynxes_modules/model.xmile": "<module> is not supported",
    "tests/arithmetics_exp/test_arithmetics_exp.xmile": "put the power in parentheses",
    "tests/exponentiation/exponentiation.xmile": "put the power in parentheses",
    "tests/macro_multi_expression/test_macro_multi_expression.xmile": "The non-matching portion of the text begins with ' MACRO(",
    "tests/macro_multi_macros/test_macro_multi_macros.xmile": "The non-matching portion of the text begins with ' MACRO(",
    "tests/macro_stock/test_macro_stock.xmile": "The non-matching portion of the text begins with ' MACRO(",
    "tests/min_max_1arg/test_min_max_1arg.xmile": "over anything but a whole array is not supported",
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
"""Twins that are refused, with part of the message; `???` stands for lost numbers of an array."""

DIFFERS = {
    "tests/active_initial/test_active_initial.xmile": "the file lacks the initial value that the expected output has",
    "tests/pi/test_pi.xmile": "the sine of pi is a rounding error, not zero",
    "tests/smooth_and_stock/test_smooth_and_stock.xmile": "the file lacks elements that the expected output has",
}
"""Twins whose numbers differ from the output beside them, with the cause."""

pytestmark = pytest.mark.skipif(not TWINS, reason="the public test models are missing beside the project")


@pytest.mark.parametrize("name", [name for name in TWINS if name not in REFUSED])
def test_converted_model_gives_the_expected_numbers(name):
    """With Euler, as the outputs were made; the table of differences is exact."""
    path = MODELS / name
    model, _ = read_xmile(path)
    run = simulate(model, integrator="euler")
    output = next(file for file in (path.parent / "output.tab", path.parent / "output.csv") if file.exists())
    found = differences(run, read_expected(output))
    assert bool(found) == (name in DIFFERS), "\n".join(found[:8])


@pytest.mark.parametrize("name", [name for name in REFUSED if name in TWINS])
def test_models_that_cannot_be_converted_are_refused_by_name(name):
    """Nothing is left out silently."""
    with pytest.raises(SdmodelError) as refusal:
        read_xmile(MODELS / name)
    assert REFUSED[name] in str(refusal.value)


def test_most_twins_are_converted():
    """The tables list existing files, and the converted and equal ones are counted."""
    assert {*REFUSED, *DIFFERS} <= set(TWINS)
    counts = Counter("refused" if name in REFUSED else "differs" if name in DIFFERS else "equal" for name in TWINS)
    assert counts == {"equal": 39, "refused": 14, "differs": 3}
