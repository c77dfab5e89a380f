"""What is known while equations are read: variables and macros as a file declares them, and what names mean in an equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sympy import Expr

from ..errors import Fault, Place
from ..model import Element, Equation, Subscript, Table, key, make_reference
from .names import name_key, plain_name
from .syntax import Term
from .tree import Node


@dataclass(frozen=True, slots=True)
class Gf:
    """A graphical function: its table, how it is read, and the labels of the cell that it serves (empty for all)."""

    table: Table
    how: str
    subscripts: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Variable:
    """A variable as the file declares it; `prefix` is the path of its module, `dimensions` are keys of ranges."""

    name: str
    node: Node
    prefix: str
    dimensions: tuple[str, ...] = ()
    tables: list[Gf] = field(default_factory=list)
    source: str = ""
    """The key of the variable that a module's input is connected to."""
    is_result: bool = False
    """Whether the call of a macro defines it."""

    @property
    def key(self) -> str:
        """The name in the form in which two spellings are equal."""
        return key(self.name)

    @property
    def outflows(self) -> list[str]:
        """The keys of the outflows of a stock, in their order."""
        return [key(self.prefix + plain_name(part.text)) for part in self.node.all("outflow")]


def is_lookup(variable: Variable) -> bool:
    """Whether a variable is a graphical function alone, without an equation for its argument."""
    nodes = (variable.node, *variable.node.all("element"))
    return bool(variable.tables) and not any(node.text_of("eqn") for node in nodes)


def gf_of_cell(variable: Variable, subscripts: tuple[str, ...]) -> Gf | None:
    """Return the graphical function that serves one cell, or all cells; None if it depends on the cell or there is none."""
    return next((gf for gf in variable.tables if gf.subscripts in ((), subscripts)), None)


def table_element(name: str, variable: Variable, only: Gf | None = None) -> Element:
    """Return a lookup with the graphical functions of a variable, or with one of them and without dimensions."""
    place = variable.node.place
    if only is not None:
        return Element(name, "lookup", (Equation(only.table, (), place=place),), ())
    equations = tuple(Equation(gf.table, gf.subscripts or variable.dimensions, place=place) for gf in variable.tables)
    return Element(name, "lookup", equations, variable.dimensions)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro: its parameters with the text of their default values, its result and its variables."""

    name: str
    node: Node
    parameters: tuple[str, ...]
    defaults: Mapping[str, str]


def by_module(variables: Mapping[str, Variable]) -> Mapping[str, str]:
    """Return the keys of variables in modules of modules by the name of their own module, which the standard allows once."""
    found: dict[str, list[str]] = {}
    for name, variable in variables.items():
        outer, period, _ = variable.prefix.rstrip(".").rpartition(".")
        if period:
            found.setdefault(key(variable.name.removeprefix(f"{outer}.")), []).append(name)
    return {short: names[0] for short, names in found.items() if len(names) == 1}


@dataclass(slots=True)
class Names:
    """What all equations of a file share: what it declares, and what is collected while they are read.

    `results` are the variables that calls of macros define besides their value, by key.
    """

    variables: dict[str, Variable]
    subscripts: dict[str, Subscript]
    macros: Mapping[str, Macro]
    expand: Callable[[Macro, Sequence[Expr], Scope, Sequence[Term]], Expr]
    added: list[Element] = field(default_factory=list)
    results: dict[str, Element] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    parts: int = 0
    calls: int = 0
    nested: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.nested = by_module(self.variables)

    def fault(self, where: Place, what: str) -> None:
        """Add a fault."""
        self.faults.append(Fault(where, what))

    def with_table(self, variable: Variable) -> Variable | None:
        """Return the variable, or the one that a module's input is connected to in the end, if it has a graphical function."""
        for _ in self.variables:
            if not variable.source:
                break
            variable = self.variables[variable.source]
        return variable if variable.tables else None


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of an expression: whose equation it is, in which cells, and what names mean there.

    `subscripts` are those of the left-hand side, one per dimension: a range, or a label. `own` gives the meaning of the names
    of a macro, `marks` is whether a whole array may stand for its cells, `places` collects the first mention of names. `chosen` takes
    the dimensions of a reference whose label is computed during a run, each with the number of the label; None where that cannot be.
    """

    names: Names
    node: Node
    owner: Variable
    subscripts: tuple[str, ...]
    own: Mapping[str, Expr] | None = None
    open_macros: tuple[str, ...] = ()
    marks: bool = False
    places: dict[str, Place] = field(default_factory=dict)
    chosen: list[tuple[str, Expr]] | None = None

    def place(self, term: Term) -> Place:
        """Return the place of a term in the file."""
        return self.node.place_at(term.at)

    @property
    def bound(self) -> Mapping[str, str]:
        """The label or range that each dimension of the left-hand side stands for."""
        return dict(zip(self.owner.dimensions, self.subscripts, strict=False))

    @property
    def is_cell(self) -> bool:
        """Whether the equation is that of one cell."""
        return not any(name in self.names.subscripts for name in self.subscripts)

    def keep(self, what: str, expression: Expr, dimensions: tuple[str, ...]) -> str:
        """Add a hidden variable with an expression, and return its key."""
        name = f"{self.owner.name} {what} {len(self.names.added) + 1}"
        while key(name) in self.names.variables:
            name += " 2"
        equation = Equation(expression, dimensions, text=what, place=self.node.place)
        self.names.added.append(Element(name, "auxiliary", (equation,), dimensions, hidden=True))
        return key(name)

    def keep_table(self, variable: Variable, subscripts: tuple[str, ...], only: Gf | None) -> Expr:
        """Add a lookup with the graphical functions of a variable, or with that of one cell, and return a reference to it."""
        name = " ".join([variable.name, *(subscripts if only else ()), "table"])
        while key(name) in self.names.variables:
            name += " 2"
        if all(element.key != key(name) for element in self.names.added):
            self.names.added.append(table_element(name, variable, only))
        return make_reference(key(name), *(() if only else subscripts))

    def find(self, text: str) -> str | None:
        """Return the key of the variable that a name means in this module, or None."""
        own, variables = name_key(text.removeprefix(".")), self.names.variables
        if text.startswith("."):  # from the outermost module
            return own if own in variables else None
        within = key(self.owner.prefix + own)
        found = (within, own) if "." in text else (within,)
        return next((name for name in found if name in variables), self.names.nested.get(own))

    def table(self, text: str) -> Variable | None:
        """Return the variable whose graphical function a name means: that of its source for an input of a module; or None."""
        found = self.find(text)
        return None if found is None else self.names.with_table(self.names.variables[found])
