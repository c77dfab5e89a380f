"""Feedback loops and causal paths of a model in its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ..errors import LoopError
from ..extras import made_once
from ..model import (
    CausalPath,
    Links,
    Model,
    causal_paths,
    drawn_links,
    find_links,
    independent_loops,
    plan,
    stock_loops,
    takes_model,
    unfinished_equations,
)
from ..reading import views_of_model
from ..resources import check_memory
from ..vensim import ScenarioLike
from .checked_model import CheckedModel, run_quietly, with_scenario

_LINKED = 3500
"""About the bytes that the links of a cell take."""


@takes_model
def find_loops(
    model: Model,
    through: str | Sequence[str] = (),
    *,
    scenario: ScenarioLike = (),
    limit: int = 1,
    independent: bool = False,
) -> tuple[CausalPath, ...]:
    r"""Find the shortest feedback loop through some variables, and others of the same length.

    The model is run. The polarity of a loop is that of the product of the partial derivatives along it, at each saved time
    of the run. A causal loop diagram, with equations that are `A FUNCTION OF` their causes, is not run: its links have the polarity
    that is drawn at their arrows, or that of a flow into or out of a stock, and are unknown without one.

    Parameters
    ----------
    model : Model
        The model.
    through : str or sequence of str, optional
        Variables that the loop passes, in this order: `name`, or `name[label]` where only that label counts. By default,
        the shortest loop through each stock is returned, or of a causal loop diagram the independent loops.
    scenario : Scenario, str, Path or a sequence of these, optional
        One or several scenarios, or their files, to run the model with.
    limit : int, default 1
        Maximum number of loops; loops that act at more times come first.

    independent : bool, default False
        Return a set of loops, the shortest first, that together have every link of feedback that acts in the run; each has a
        link that none before it has (Oliva 2004). It is for a call without `through`.

    Returns
    -------
    tuple[CausalPath, ...]
        The loops, each with its variables, links and polarity.

    Raises
    ------
    LoopError
        If a variable is not in the model or does not change, no loop passes all of them, or both `through` and `independent` are
        given.
    ScenarioError
        If the scenario cannot be read, or changes what the model does not allow.
    SimulationError
        If the model cannot be run, or its links need more memory than is free (OutOfMemoryError).

    Examples
    --------
    >>> from sdmodel import find_loops
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("People = INTEG(births - deaths, 100)\nbirths = People*0.03\ndeaths = People*0.02")
    >>> (loop,) = find_loops(model, ["People", "births"])
    >>> loop.variables, loop.polarity
    (('People', 'births'), 'R')
    >>> [(loop.variables, loop.polarity) for loop in find_loops(model, independent=True)]
    [(('People', 'births'), 'R'), (('People', 'deaths'), 'B')]

    References
    ----------
    Oliva, R. (2004), Model structure analysis through graph theory: partition heuristics and feedback structure decomposition,
    System Dynamics Review 20(4).
    """
    links = _links(with_scenario(model, scenario))
    names = [through] if isinstance(through, str) else list(through)
    if names and independent:
        message = "independent loops are those of the whole model; leave out the variables"
        raise LoopError(message)
    if names:
        return causal_paths(links, names, closed=True, limit=limit)
    return tuple(independent_loops(links) if independent or is_unfinished(model) else stock_loops(links))


@takes_model
def find_paths(
    model: Model, through: str | Sequence[str], *, scenario: ScenarioLike = (), limit: int = 1
) -> tuple[CausalPath, ...]:
    r"""Find the shortest causal path from one variable to another, and others of the same length.

    Parameters
    ----------
    model : Model
        The model, which is run.
    through : sequence of str
        The first and the last variable of the path, with any variables that it passes between them, in this order.
    scenario : Scenario, str, Path or a sequence of these, optional
        One or several scenarios, or their files, to run the model with.
    limit : int, default 1
        Maximum number of paths; paths that act at more times come first.

    Returns
    -------
    tuple[CausalPath, ...]
        The paths, each with its variables, links and polarity: the sign of the effect of its first variable on its last.

    Raises
    ------
    LoopError
        If a variable is not in the model or does not change, or no path passes all of them.
    ScenarioError
        If the scenario cannot be read, or changes what the model does not allow.
    SimulationError
        If the model cannot be run, or its links need more memory than is free (OutOfMemoryError).

    Examples
    --------
    >>> from sdmodel import find_paths
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("People = INTEG(births - deaths, 100)\nbirths = People*0.03\ndeaths = People*0.02")
    >>> (path,) = find_paths(model, ["deaths", "births"])
    >>> path.variables, path.polarity
    (('deaths', 'People', 'births'), '-')
    """
    names = [through] if isinstance(through, str) else list(through)
    return causal_paths(_links(with_scenario(model, scenario)), names, closed=False, limit=limit)


def is_unfinished(model: Model) -> bool:
    """Whether equations only list causes, as in a causal loop diagram, so that the model does not run."""
    return any(unfinished_equations(model))


@made_once
def _links(model: Model) -> Links:
    """Return the links of a model in its run, or those of its diagram if equations are incomplete."""
    if is_unfinished(model):
        return drawn_links(
            model, {link: sign for view in views_of_model(model) for link, sign in view.polarities.items()}
        )
    computed = plan(model)
    count = sum(map(len, (*computed.at_start, *computed.at_step)))
    check_memory(count * _LINKED, None, "the search for loops", "use fewer labels in the subscript ranges")
    elements = {name: replace(element, hidden=False) for name, element in computed.model.elements.items()}
    shown = CheckedModel(replace(computed.model, elements=MappingProxyType(elements), unread_files=()))
    run = run_quietly(shown.model)
    times = np.asarray(run["time"].values, dtype=float)
    cells = [assignment.cell for assignment in (*computed.start, *computed.step)]
    values = {cell: np.broadcast_to(shown.cell_values(run, cell), times.shape) for cell in cells}
    return find_links(computed, times, values)
