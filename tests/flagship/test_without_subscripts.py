"""The model for programs without subscripts: other names, the same numbers."""

from __future__ import annotations

import numpy as np

from sdmodel.model import display, without_subscripts
from sdmodel.simulation import simulate
from sdmodel.vensim import mdl_text, model_from_text


def test_written_without_subscripts_the_model_gives_the_same_numbers(model):
    """Every cell of every variable, bit for bit, and no bracket is left in an equation."""
    scalars = without_subscripts(model)
    made = model_from_text(mdl_text(scalars.model))
    assert not made.subscripts
    assert len(made) == len(scalars.names)
    before, after = simulate(model), simulate(made)
    compared = 0
    for cell, name in scalars.names.items():
        if model.elements[cell.key].kind != "lookup":
            variable = before[model.identifiers[cell.key]]
            labels = {dim: display(model.labels[each]) for dim, each in zip((d for d in variable.dims if d != "time"), cell.labels, strict=True)}  # fmt: skip
            found = after[made.identifiers[made[name].key]]
            np.testing.assert_array_equal(found.values, variable.sel(labels).values, err_msg=name)
            compared += 1
    assert compared > 600
