"""Variation of every constant of a model by a share of its value, for models that do not say what is plausible."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace

from ..errors import AnalysisError, list_some
from ..model import (
    NA,
    NOISE_SEED,
    RC_START_TIME,
    RUN_SETTING_KEYS,
    Cell,
    Model,
    Numbers,
    Range,
    Table,
    VensimFunction,
    cell_name,
    display_name,
    is_reference,
    key,
    split_reference,
    takes_model,
    walk,
)
from ..scenario import Distribution, Sampling, Variation, cell_values, constant_cells, constant_values
from ..simulation import RunWarning, ScenarioLike, deciding_cells, under_scenario
from ..vensim import sampling_text

_EQUALITY = frozenset({"=", "<>"})
_SETTINGS = RUN_SETTING_KEYS | {key(RC_START_TIME), NOISE_SEED}


@takes_model
def vary_constants(model: Model, share: float, *, scenario: ScenarioLike | None = None) -> Sampling:
    r"""Return a sampling of every constant of a model, uniformly within a share of its value.

    It suits a model that says nothing of plausible values. A range in the model limits it. Left out, with a warning that names
    them, are constants that are 0, those that are compared with `=` or `<>`, as switches are, and those that decide the times of
    a run or the order of a delay.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.
    share : float
        How far each constant goes from its value either way, as a share of it: 0.2 for 20 %.
    scenario : Scenario, path or sequence of them, optional
        Changes to the constants, which then vary around their new values.

    Returns
    -------
    Sampling
        A Latin hypercube over the constants, in the units of each, as `make_design`, `find_sensitivities` and `run_ensemble`
        take it.

    Raises
    ------
    AnalysisError
        If the share is not a number above 0, or no constant can vary.
    ScenarioError
        If the scenario does not fit the model.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("stock = INTEG(rate * stock, start)\nrate = 0.1\nstart = 50")
    >>> [(line.name, line.distribution.arguments) for line in sd.vary_constants(model, 0.2).variations]
    [('rate', (0.08, 0.12)), ('start', (40.0, 60.0))]
    """
    if not 0 < share < math.inf:
        message = f"the share is {share:g}; give a number above 0, such as 0.2 for 20 %"
        raise AnalysisError(message)
    model, changes = under_scenario(model, scenario)
    excluded = deciding_cells(model, constant_values(model, changes)) | {Cell(name) for name in _compared(model)}
    left_out, lines = [], list[Variation]()
    for element in model:
        if element.kind != "constant" or element.fixed or element.hidden or element.key in _SETTINGS:
            continue
        values = cell_values(model, constant_cells(model, element.name), changes)
        ends = {cell: _ends(value, share, element.range or Range()) for cell, value in values.items()}
        varied = {cell: own for cell, own in ends.items() if own[0] < own[1] and not excluded & {cell, Cell(cell.key)}}
        left_out += [cell_name(model, cell) for cell in ends if cell not in varied]
        alike = len(varied) == len(ends) and len(set(varied.values())) == 1
        for cell, own in list(varied.items())[: 1 if alike else None]:
            labels = () if alike else tuple(map(display_name, cell.labels))
            lines.append(Variation(element.name, labels, Distribution("RANDOM_UNIFORM", own)))
    if left_out:
        why = "each is 0 or at the end of its range, is compared with = or <>, or decides times or orders of delays"
        warnings.warn(f"not varied: {list_some(left_out)}; {why}", RunWarning, stacklevel=3)
    if not lines:
        message = f"{model.path}: has no constant that can vary by a share of its value"
        raise AnalysisError(message)
    sampling = Sampling("latin hypercube", variations=tuple(lines), rest=("0",))
    return replace(sampling, text=sampling_text(sampling))


def _ends(value: float, share: float, limits: Range) -> tuple[float, float]:
    """The ends of a variation within the range of a constant; twice the same if it cannot vary."""
    low, high = sorted((value * (1 - share), value * (1 + share)))
    low = low if limits.minimum is None else max(low, limits.minimum)
    high = high if limits.maximum is None else min(high, limits.maximum)
    return (low, high) if low > NA and high < math.inf else (value, value)


def _compared(model: Model) -> Iterator[str]:
    """The keys of all elements that an equation compares with `=` or `<>`."""
    for element in model:
        for equation in element.equations:
            if isinstance(equation.expression, Table | Numbers):
                continue
            for part in walk(equation.expression):
                if isinstance(part, VensimFunction) and part.name in _EQUALITY:
                    yield from (split_reference(side)[0] for side in part.args if is_reference(side))
