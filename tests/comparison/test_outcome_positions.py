"""The position of a variable at a date: within its own range, and against another run."""

from __future__ import annotations

import numpy as np
import pytest

from sdmodel.comparison import Outcome, position_of, relative_changes
from sdmodel.errors import DatasetError
from sdmodel.simulation import simulate
from sdmodel.testing import tiny_model

RUN = simulate(tiny_model("d: A, B\nk[d] = 1, 2\nq[d] = k[d]*Time\nfall = 5 - Time\nc = 3\ntwo = 2*c"))


def test_a_place_is_between_the_smallest_and_the_largest_over_time():
    """For an array, the mean over its labels; between stored times it is interpolated."""
    position = position_of(RUN["q"], Outcome(at=2.5))
    np.testing.assert_allclose(position.values, [2.5, 5.0])
    assert position.place == pytest.approx(0.25)
    assert position_of(RUN["fall"], Outcome(at=0)).place == 1
    assert position_of(RUN["fall"], Outcome(at=10)).place == 0


@pytest.mark.parametrize("name", ["c", "two"])
def test_a_constant_has_no_place(name):
    """Nor has a variable that depends on constants alone."""
    assert np.isnan(position_of(RUN[name], Outcome(at=3)).place)


def test_a_change_is_a_share_of_the_size_before():
    """With the sign of the change, whatever the sign of the value; from zero it is infinite, and no change is zero."""
    change = relative_changes(RUN["fall"], -RUN["fall"] * 2, Outcome(at=10))
    np.testing.assert_allclose(change, [3.0])
    assert relative_changes(RUN["fall"], RUN["fall"], Outcome(at=5)).tolist() == [0]
    assert relative_changes(RUN["fall"], RUN["fall"] + 1, Outcome(at=5)).tolist() == [np.inf]
    with pytest.raises(DatasetError, match="2 cells in one run and 1"):
        relative_changes(RUN["q"], RUN["fall"], Outcome(at=5))
