"""Formulas of a mapping, with every name in them known: to the model on one side, to the observations on the other."""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr

from ..errors import Fault, ScenarioError
from ..model import Element, Model, display, key, labels_of, nearest, references, referred
from ..vensim import read_formula
from .observations import Observations, series_key
from .sheet import Entry

_TIME = "time"


def model_formula(entry: Entry, model: Model, faults: list[Fault]) -> Expr | None:
    """The formula over a model that an entry holds, or nothing; what is wrong with it joins `faults`."""
    return _formula(entry, lambda name, subscripts: _wrong_element(name, subscripts, model), faults)


def data_formula(entry: Entry, observations: Observations, faults: list[Fault]) -> Expr | None:
    """The formula over observed series that an entry holds, or nothing; what is wrong with it joins `faults`."""
    return _formula(entry, lambda name, subscripts: _wrong_data(name, subscripts, observations), faults)


def series_in(expression: Expr) -> list[str]:
    """The keys of the series that a formula mentions, each once."""
    return list(dict.fromkeys(series_key(*referred(each)) for each in references(expression)))


def model_units(expression: Expr, model: Model) -> str:
    """The units of a formula that is one variable of the model by itself; of a longer one nothing is said."""
    if not (expression.is_Symbol or expression.is_Indexed):
        return ""
    element = model.elements.get(referred(expression)[0])
    return element.units if element is not None else ""


def _formula(entry: Entry, wrong: Callable[[str, tuple[str, ...]], str], faults: list[Fault]) -> Expr | None:
    try:
        expression = read_formula(entry.text, str(entry.place))
    except ScenarioError as error:
        faults += [Fault(entry.place, fault.what) for fault in error.faults]
        return None
    named = list(dict.fromkeys(map(referred, references(expression))))
    found = [what for what in (wrong(*each) for each in named) if what]
    if all(name == _TIME for name, _ in named):
        found = [f"'{entry.text:.40}' names nothing; write a formula over at least one variable"]
    faults += [Fault(entry.place, what) for what in found]
    return None if found else expression


def _wrong_data(name: str, subscripts: tuple[str, ...], observations: Observations) -> str:
    """Why a name is no series of the observations, or nothing."""
    if series_key(name, subscripts) in observations.series:
        return ""
    shown = f"{name}[{','.join(subscripts)}]" if subscripts else name
    close = nearest(shown, [each.name for each in observations.series.values()])
    cure = f"did you mean '{close}'?" if close else "write a name as it stands there"
    return f"'{shown}' is not a series of {observations.path}; {cure}"


def _wrong_element(name: str, subscripts: tuple[str, ...], model: Model) -> str:
    """Why a name is no number of the model at each time, or nothing."""
    element = model.elements.get(name)
    if element is None or element.hidden:
        if name == _TIME and not subscripts:
            return ""
        close = nearest(name, [each.name for each in model if not each.hidden])
        cure = f"did you mean '{display(close)}'?" if close else f"name a variable of {model.path}"
        return f"'{name.replace('_', ' ')}' is not in the model; {cure}"
    if element.kind == "lookup":
        return f"'{display(element.name)}' is a lookup; name a variable that uses it"
    return _wrong_labels(element, subscripts, model)


def _wrong_labels(element: Element, subscripts: tuple[str, ...], model: Model) -> str:
    """A series is one number at each time, so each subscript must be one label."""
    name = display(element.name)
    if len(subscripts) != len(element.dimensions):
        ranges = ", ".join(display(model.subscripts[each].name) for each in element.dimensions)
        if not ranges:
            return f"'{name}' has no subscripts; leave the brackets out"
        return f"'{name}' has the subscripts {ranges}; write one label for each: {name}[label]"
    for dimension, label in zip(element.dimensions, subscripts, strict=True):
        known = {each: display(model.labels[each]) for each in labels_of(model.subscripts, dimension)}
        if key(label) not in known:
            close = nearest(label, known.values())
            cure = f"did you mean '{close}'?" if close else f"it has {', '.join(known.values())}"
            return f"'{name}' has no label '{label}'; {cure}"
    return ""
