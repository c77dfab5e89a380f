"""The model written without subscripts: other names, the same numbers."""

from __future__ import annotations

import numpy as np

from sdmodel.model import display_name, without_subscripts
from sdmodel.simulation import simulate
from sdmodel.vensim import mdl_text, model_from_text


def test_model_without_subscripts_has_the_same_numbers(model, base):
    """Every cell of every variable, bit for bit; no equation has a bracket."""
    scalars = without_subscripts(model)
    written = model_from_text(mdl_text(scalars.model))
    assert not written.subscripts
    assert len(written) == len(scalars.names)
    before, after = base, simulate(written)
    compared = 0
    for cell, name in scalars.names.items():
        if model.elements[cell.key].kind != "lookup":
            variable = before[model.identifiers[cell.key]]
            labels = {dim: display_name(model.labels[label]) for dim, label in zip((d for d in variable.dims if d != "time"), cell.labels, strict=True)}  # fmt: skip
            found = after[written.identifiers[written[name].key]]
            np.testing.assert_array_equal(found.values, variable.sel(labels).values, err_msg=name)
            compared += 1
    assert compared > 350
