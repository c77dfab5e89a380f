"""Vensim's payoff definitions as series, where they say the same as a likelihood does."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..errors import Fault, ObservationError, ScenarioError
from ..model import Cell, Model, evaluate_arrays, plan
from ..scenario import Payoff, Term
from ..vensim import read_formula
from .mapping import series_of_rows
from .observations import Observations
from .series import Series
from .sheet import Entry, Row

_KINDS: Mapping[str, tuple[str, float]] = {"C": ("absolute", -1), "CL": ("log", -1), "CK": ("absolute", 0.5)}
"""The error model of each kind, and the power of its weight that is one standard deviation (manual, "Extended Payoffs":
*C weighs differences, *CL those of logarithms, and the weight of *CK is a variance)."""


def series_of_payoff(payoff: Payoff, observations: Observations, model: Model) -> tuple[Series, ...]:
    """The series that the calibration terms of a payoff make of observations, each in its own units.

    The sum of ((model - data) weight)^2 that Vensim makes small is -2 times a normal log likelihood with the standard
    deviation 1/weight. Observations outside the run are left out, as Vensim does.

    Raises
    ------
    ObservationError
        With every term that is no such sum, and every name that is unknown.
    """
    faults: list[Fault] = []
    rows = [row for term in payoff.terms if (row := _row(term, model, faults)) is not None]
    found = series_of_rows(rows, observations, model, faults)
    if faults:
        raise ObservationError(dict.fromkeys(faults))
    return found


def _row(term: Term, model: Model, faults: list[Fault]) -> Row | None:
    """A term as a line of a mapping file would say it."""
    if term.kind not in _KINDS:
        known = ", ".join(f"*{each}" for each in _KINDS)
        cure = (
            f"write one of {known}, or a series file" if term.kind.startswith("C") else "only data calibrate; remove it"
        )
        faults.append(Fault(term.place, f"*{term.kind} is no sum of squares over data; {cure}"))
        return None
    weight = _weight(term, model)
    if isinstance(weight, Fault):
        faults.append(weight)
        return None
    kind, power = _KINDS[term.kind]
    constants = plan(model).constants
    ends = {name: repr(constants[Cell(time)]) for name, time in (("since", "initial_time"), ("until", "final_time"))}
    texts = {"name": term.model, "model": term.model, "data": term.data, "error": kind, "size": repr(weight**power)}
    return {name: Entry(text, term.place) for name, text in (texts | ends | {"note": "", "correlation": ""}).items()}


def _weight(term: Term, model: Model) -> float | Fault:
    """A weight that is a number, or is made of constants of the model."""
    constants = plan(model).constants
    try:
        expression = read_formula(term.weight, str(term.place))
        value = float(evaluate_arrays(expression, lambda name, labels: constants[Cell(name, labels)]))
    except ScenarioError as error:
        return Fault(term.place, error.faults[0].what)
    except KeyError as missing:
        what = f"the weight '{term.weight}' depends on '{missing.args[0].key}', no constant; write a number"
        return Fault(term.place, what)
    if math.isfinite(value) and value > 0:
        return value
    return Fault(term.place, f"the weight '{term.weight}' is {value:g}; write a number above 0")
