"""The same model without subscripts: every cell becomes a variable, and every sum over a range is written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sympy import Expr

from ..errors import Fault, ModelError
from .algebra import NA, Numbers, OpaqueCall, VensimFunction, make_reference, number, walk
from .data.lookups import data_as_lookups
from .functions.data import ROWS
from .names import display_name, key, numbered
from .records import Element, Model, takes_model
from .subscripts import TIME, Cell, SubscriptFault, bindings, write_out

_MOST = 20_000
"""Maximum number of cells of a model that is written out."""


@dataclass(frozen=True, eq=False)
class FlatModel:
    """A model without subscripts.

    `names` maps each cell of the original model to the name of its variable; `renamed` lists the names that got a number
    because something else has the plain name.
    """

    model: Model
    names: Mapping[Cell, str]
    renamed: tuple[str, ...]


@takes_model
def without_subscripts(model: Model) -> FlatModel:
    r"""Return the same model without subscripts: every cell becomes a variable of its own.

    The variable of `price[chat]` is called `price chat`; a number is added if something else has that name. Each variable
    has the units, range, comment and group of its element, and reductions such as `SUM` are written out term by term. Data is in
    lookups.

    Parameters
    ----------
    model : Model
        A model, with or without subscripts.

    Returns
    -------
    FlatModel
        `model`, the model without subscripts; `names`, the name of each cell's variable; and `renamed`, the names that
        got a number.

    Raises
    ------
    ModelError
        If a range has no label in an equation, a function such as GET DATA MEAN asks for more of data than its value at a time, or
        the model has more than 20,000 cells, or was read without its files of data.

    Examples
    --------
    >>> from sdmodel import without_subscripts
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("region: North, South\nsales[region] = 2, 3\ntotal = SUM(sales[region!])")
    >>> flat = without_subscripts(model)
    >>> [element.name for element in flat.model][:3]
    ['sales North', 'sales South', 'total']
    """
    if model.unread_files:
        raise ModelError(model.unread_files)
    model = data_as_lookups(model)
    names, renamed = _names(model)

    def variable(cell: Cell) -> Expr:
        if not cell.labels:
            return make_reference(cell.key)
        return make_reference(key(names[cell])) if cell in names else number(NA)

    elements: dict[str, Element] = {}
    for element in model:
        for equation in element.equations:
            whole = equation.expression
            for index, (labels, binding) in enumerate(bindings(model.subscripts, equation)):
                name = names[Cell(element.key, labels)]
                try:
                    is_list = isinstance(whole, Numbers)
                    expression = number(whole.at(index)) if is_list else write_out(model, whole, binding, variable)
                except SubscriptFault as fault:
                    raise ModelError([Fault(equation.place, str(fault))]) from None
                if any(isinstance(part, OpaqueCall) for part in walk(expression)):
                    raise ModelError([Fault(equation.place, _of_arrays(whole))])
                if asking := next((part for part in walk(expression) if _asks_data(part)), None):
                    what = f"{asking.name} asks for more than a value at a time of data, which becomes a lookup"
                    raise ModelError([Fault(equation.place, f"{what}; write its value as a constant")])
                alone = replace(equation, expression=expression, subscripts=(), exceptions=())
                elements[key(name)] = replace(element, name=name, equations=(alone,), dimensions=(), hidden=False)
    flat = replace(model, elements=MappingProxyType(elements), subscripts=MappingProxyType({}))
    return FlatModel(flat, MappingProxyType(names), renamed)


def _asks_data(part: Expr) -> bool:
    return isinstance(part, VensimFunction) and part.row in ROWS


def _of_arrays(expression: Expr) -> str:
    name = next(part.name for part in walk(expression) if isinstance(part, VensimFunction) and part.row.takes_arrays)
    what = f"{name} works on a whole array, which a model without subscripts cannot have"
    return f"{what}; write it with IF THEN ELSE and SUM"


def _names(model: Model) -> tuple[dict[Cell, str], tuple[str, ...]]:
    """Return the name of each cell's variable, and the names that had to be changed."""
    cells = [
        Cell(element.key, labels)
        for element in model
        for equation in element.equations
        for labels, _ in bindings(model.subscripts, equation)
    ]
    if len(cells) > _MOST:
        message = f"the model has {len(cells):,} cells, too many to write out; at most {_MOST:,}"
        raise ModelError([Fault(model.path, message)])
    taken = {element.key for element in model if not element.dimensions} | {TIME.key}
    names: dict[Cell, str] = {}
    renamed: list[str] = []
    for cell in dict.fromkeys(cells):
        element = model.elements[cell.key]
        labels = (model.labels.get(label, label) for label in cell.labels)
        plain = " ".join(map(display_name, (element.name, *labels)))
        name = next(own for own in numbered(plain, " ") if not (cell.labels and key(own) in taken))
        taken.add(key(name))
        names[cell] = name
        if name != plain:
            renamed.append(name)
    return names, tuple(renamed)
