"""Initial values of stocks that a user sets: hidden constants of a variant of the model, which is compiled once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import Fault, ScenarioError
from ..model import (
    FUNCTIONS,
    Cell,
    Element,
    Equation,
    Model,
    Numbers,
    VensimFunction,
    cell_name,
    display_name,
    key,
    make_reference,
    split_name,
    suggest,
)
from ..scenario import select_cells
from .inputs import Inputs, set_cells

INITIAL = "initial"
"""The attribute of a run with the initial values of stocks that were set, as JSON: numbers by name."""
_WHERE = "start"
_VARIANTS: WeakKeyDictionary[Model, dict[frozenset[str], Model]] = WeakKeyDictionary()


def with_initial_values(model: Model, names: Iterable[str]) -> Model:
    """Return the variant of a model in which the initial values of some stocks may be set; the model itself for no names.

    Raises ScenarioError if a name is not that of a stock.
    """
    stocks = frozenset(_stock(model, name)[0].key for name in names)
    if not stocks:
        return model
    variants = _VARIANTS.setdefault(model, {})
    if stocks not in variants:
        elements = dict(model.elements)
        for name in stocks:
            elements |= _variant(model.elements[name])
        variants[stocks] = replace(model, elements=MappingProxyType(elements))
    return variants[stocks]


def read_initial_values(model: Model, inputs: Inputs, given: Mapping[str, Any]) -> None:
    """Add initial values by name to the inputs of a run of such a variant."""
    for name, value in given.items():
        element, labels = _stock(model, name)
        is_set, chosen = _hidden(element)
        selected = [cell.labels for cell in select_cells(model, element, labels, _WHERE)]
        cells = [Cell(chosen, own) for own in selected]
        set_cells(model, inputs, element.name, cells, value, whole=not labels)
        inputs.fixed |= {Cell(is_set, own): 1.0 for own in selected}


def initial_record(model: Model, inputs: Inputs) -> str | None:
    """Return the initial values in the inputs of a run, by name, as JSON; None if none is set."""
    found: dict[str, float | str] = dict.fromkeys(
        (cell_name(model, cell) for cell in inputs.varied if _is_chosen(model, cell)), "differs between members"
    )
    found |= {cell_name(model, cell): value for cell, value in inputs.fixed.items() if _is_chosen(model, cell)}
    return json.dumps(found) if found else None


def _is_chosen(model: Model, cell: Cell) -> bool:
    return model.elements[cell.key].hidden and cell.key.endswith("#initial")


def _hidden(element: Element) -> tuple[str, str]:
    return f"{element.key}#is_set", f"{element.key}#initial"


def _variant(stock: Element) -> dict[str, Element]:
    """A stock whose initial value is a hidden constant where another one is 1, and these two constants."""
    names = _hidden(stock)
    equations = []
    for equation in stock.equations:
        own = equation.expression
        is_set, chosen = (make_reference(name, *equation.subscripts) for name in names)
        rate, initial = own.args
        start = FUNCTIONS["IF THEN ELSE"].build(is_set, chosen, initial)
        equations.append(replace(equation, expression=own.func(rate, start)))
    numbers = Equation(Numbers([0.0]), stock.dimensions)
    constants = {
        name: Element(name, "constant", (numbers,), stock.dimensions, units=stock.units, hidden=True) for name in names
    }
    return {stock.key: replace(stock, equations=tuple(equations)), **constants}


def _stock(model: Model, name: str) -> tuple[Element, tuple[str, ...]]:
    """The stock that a name means, and the labels in the name."""
    whole, labels = split_name(str(name), model.elements)
    identifiers = {identifier: own for own, identifier in model.identifiers.items()}
    element = model.elements.get(key(whole)) or model.elements.get(identifiers.get(whole, ""))
    if element is None or element.hidden or element.kind != "stock":
        stocks = [own.name for own in model if own.kind == "stock" and not own.hidden]
        cure = suggest(whole, stocks, "name stocks")
        raise ScenarioError([Fault(_WHERE, f"'{display_name(whole)}' is not a stock of the model; {cure}")])
    first = element.equations[0].expression
    if not (isinstance(first, VensimFunction) and first.name == "INTEG"):
        raise ScenarioError([Fault(_WHERE, f"'{element.name}' is not a plain INTEG; change its equation in the model")])
    return element, labels
