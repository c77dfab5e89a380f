"""Which variables of a model a command is about: those that its user names, else the headlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..dataset import TIME
from ..errors import Fault, ScenarioError
from ..model import Model, key, labels_of, nearest, references, referred
from ..vensim import read_formula, read_savelist
from .making import Order
from .project import savelist_beside
from .tables import note

_STOCKS = 12


def wanted_names(order: Order, model: Model) -> tuple[str, ...]:
    """What is asked for by an order, else what the save list beside its model names, else its stocks."""
    if order.save:
        _check_labels(model, order.save)
        return order.save
    beside = savelist_beside(order.model)
    listed = tuple(name for name in read_savelist(beside) if name.partition("[")[0] in model) if beside else ()
    stocks = tuple(each.name for each in model if each.kind == "stock" and not each.hidden)
    if not listed and len(stocks) > _STOCKS:
        note(f"{_STOCKS} of {len(stocks)} stocks are stored; choose with --on or --save")
    return listed or stocks[:_STOCKS]


def mentioned_names(model: Model, statements: Sequence[str]) -> list[str]:
    """The names in statements, all of which the model must have."""
    found: list[str] = []
    faults: list[Fault] = []
    for text in statements:
        for name, labels in map(referred, references(read_formula(text, "--where"))):
            if name in model.elements:
                found.append(model.identifiers[name])
                faults += _label_faults(model, name, labels, "--where")
            elif name != TIME:
                close = nearest(name, [each.name for each in model if not each.hidden])
                cure = f"did you mean '{close}'?" if close else "name variables of the model"
                faults.append(Fault("--where", f"'{name.replace('_', ' ')}' is not in the model; {cure}"))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return found


def _check_labels(model: Model, names: Sequence[str]) -> None:
    """Make sure that variables have the labels that they are asked for with."""
    faults: list[Fault] = []
    for text in names:
        name, _, inside = text.strip().rpartition("[")
        if inside.endswith("]") and name in model:
            labels = [key(each) for each in inside.removesuffix("]").split(",")]
            faults += _label_faults(model, key(name), labels, "--on")
    if faults:
        raise ScenarioError(faults)


def _label_faults(model: Model, name: str, labels: Sequence[str], where: str) -> Iterator[Fault]:
    """Labels, if there are some, that an element of the model does not have."""
    element = model.elements[name]
    if labels and len(labels) != len(element.dimensions):
        message = f"'{element.name}' has {len(element.dimensions)} subscripts, not {len(labels)}; write as many"
        yield Fault(where, message)
        return
    for label, dimension in zip(labels, element.dimensions, strict=False):  # a name without labels is all of it
        known = labels_of(model.subscripts, dimension)
        if not set(labels_of(model.subscripts, label)).issubset(known):
            cure = f"did you mean '{nearest(label, known)}'?" if nearest(label, known) else f"it has {', '.join(known)}"
            yield Fault(where, f"'{element.name}' has no label '{label}'; {cure}")
