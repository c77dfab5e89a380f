"""Writes a model and its views as an XMILE file that Stella and other programs open; reading it gives the same numbers.

Every stock gets flows: a rate that is more than flows added and subtracted becomes a net flow. What an equation of XMILE cannot hold
gets a variable of its own. An array whose cells differ is written cell by cell.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

from sympy import Expr, Indexed, S, Symbol

from ..errors import Fault, ModelError, format_count
from ..model import (
    RUN_SETTINGS,
    Cell,
    Element,
    Equation,
    Model,
    Numbers,
    Start,
    SubscriptFault,
    Table,
    VensimFunction,
    View,
    bindings,
    data_as_lookups,
    data_gaps,
    data_variables,
    key,
    kind_of,
    missing_data,
    negate,
    number_text,
    references_in,
    signed_terms,
    split_reference,
    takes_model,
    unfinished_equations,
    walk,
)
from .diagrams import view_lines
from .equations import FORWARD, CellsNeededError, Equations, attribute, identifier, named, shown_name
from .measures import units_text

_METHODS = {"euler": "Euler", "diff": "Euler", "rk2": "RK2", "rk2-auto": "RK2", "rk4": "RK4", "rk4-auto": "RK45"}
_TYPES = {
    "LOOKUP": "continuous",
    "LOOKUP EXTRAPOLATE": "extrapolate",
    "LOOKUP BACKWARD": "discrete",
    FORWARD: "discrete",
}
"""The type of graphical function that reads as each function does; LOOKUP FORWARD is discrete with x turned round."""
_READERS = {**{name: name for name in _TYPES}, "LOOKUP AREA": "LOOKUP", "LOOKUP INVERT": "LOOKUP"}
"""The function that reads a table as each function does that has one."""
_NAMESPACES = (
    'xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0" xmlns:isee="http://iseesystems.com/XMILE" '
    'xmlns:sdmodel="https://sdmodel.org/XMILE"'
)
_SETTINGS = frozenset(map(key, RUN_SETTINGS))
_LARGEST_DIMENSION = 9


@dataclass(frozen=True, slots=True)
class XmileText:
    """The text of a file, and notes on what it says otherwise than the model, or not at all."""

    text: str
    notes: tuple[str, ...] = ()


@takes_model
def xmile_text(model: Model, views: Sequence[View] = ()) -> XmileText:
    r"""Write a model as the text of an XMILE file (OASIS, version 1.0).

    Parameters
    ----------
    model : Model
        The model to write. Its data variables need their data, which the file then holds.
    views : sequence of View
        The views of its sketch; other programs show one view, so that they are written below one another.

    Returns
    -------
    XmileText
        The `text` of the file, and `notes` on what has no counterpart in XMILE.

    Raises
    ------
    ModelError
        If an equation is incomplete, data are missing, or the times of the run cannot be computed.

    Examples
    --------
    >>> from sdmodel.testing import tiny_model
    >>> from sdmodel.xmile import xmile_text
    >>> written = xmile_text(tiny_model("Water = INTEG(-leak, 100)\nleak = 0.1*Water"))
    >>> print(*[line.strip() for line in written.text.splitlines() if "Water" in line][:2], sep="\n")
    <stock name="Water">
    <eqn>0.1*Water</eqn>
    """
    if faults := [*unfinished_equations(model), *missing_data(model), *data_gaps(model)]:
        raise ModelError(faults)
    return _Writer(model).document(views)


class _Writer:
    """Writes one model."""

    def __init__(self, model: Model) -> None:
        self.model, self.notes = data_as_lookups(model), list[str]()
        self.tables = self.table_names()
        self.equations = Equations(self.model, self.tables)
        self.flows: dict[str, list[tuple[str, int]]] = {}
        self.tags: dict[str, str] = {}
        self.net: list[Element] = []

    def document(self, views: Sequence[View]) -> XmileText:
        model = self.model
        self.find_flows()
        shown = [element for element in (*model, *self.net) if self.is_shown(element)]
        blocks = {element.key: [*self.variable(element)] for element in shown}
        place = 0
        while place < len(self.equations.added):  # writing one may add another
            element = self.equations.added[place]
            blocks[element.key] = [*self.variable(element)]
            shown.append(element)
            place += 1
        for element in self.equations.points.values():
            blocks[element.key] = [*self.variable(element)]
            shown.append(element)
        self.tags = {element.key: self.tag(element) for element in shown}
        everything = replace(model, elements={**model.elements, **{element.key: element for element in shown}})
        lines = ['<?xml version="1.0" encoding="utf-8"?>', f'<xmile version="1.0" {_NAMESPACES}>']
        lines += [f"\t{line}" for line in (*self.header(views), *self.specs(), *self.units(), *self.dimensions())]
        lines += ["\t<model>", "\t\t<variables>"]
        lines += [f"\t\t\t{line}" for block in blocks.values() for line in block]
        lines += [f"\t\t\t{line}" for line in self.groups(shown)]
        lines += ["\t\t</variables>", "\t\t<views>"]
        if views:
            lines += [f"\t\t\t{line}" for line in view_lines(everything, views, self.tags)]
        lines += ["\t\t</views>", "\t</model>", "</xmile>", ""]
        for name, users in self.equations.lost.items():
            what = f"{name} has no counterpart in XMILE and keeps its name in {format_count(len(users), 'equation')}"
            self.notes.append(f"{what}, such as that of '{users[0]}'")
        if late := self.equations.within_steps:
            what = "by Runge-Kutta, a formula for PULSE TRAIN may change within a step, which it does not in the model"
            self.notes.append(f"{what}; integrate by Euler's method, or compare the numbers of '{late[0]}'")
        if model.reality_checks:
            first, count = model.reality_checks[0].name, len(model.reality_checks)
            self.notes.append(f"Reality Checks have no counterpart in XMILE: {count} left out, such as '{first}'")
        return XmileText("\n".join(lines), tuple(self.notes))

    def is_shown(self, element: Element) -> bool:
        """Whether an element is written as a variable: the settings of the run are not, unless an equation reads SAVEPER."""
        if element.key in _SETTINGS:
            return element.key == "saveper" and self.is_read("saveper")
        return element.kind != "lookup" or not self.is_data(element)

    def is_data(self, element: Element) -> bool:
        return any(points.key == element.key for _, points in data_variables(self.model))

    def is_read(self, name: str) -> bool:
        equations = (equation for element in self.model if element.key != name for equation in element.equations)
        return any(
            split_reference(part)[0] == name for equation in equations for part in references_in(equation.expression)
        )

    def tag(self, element: Element) -> str:
        if element.kind == "stock":
            return "stock"
        used = {name for flows in self.flows.values() for name, _ in flows}
        return "flow" if element.key in used else "gf" if element.kind == "lookup" else "aux"

    # Flows and lookups

    def find_flows(self) -> None:
        """Find the flows of every stock; a flow fills one stock and drains one, so that others get a net flow."""
        taken: set[tuple[str, int]] = set()
        for element in [own for own in self.model if own.kind == "stock"]:
            found = self.plain_flows(element)
            if found is None or taken & set(found):
                net = self.net_flow(element)
                self.net.append(net)
                found = [(net.key, 1)]
            taken |= set(found)
            self.flows[element.key] = found

    def plain_flows(self, stock: Element) -> list[tuple[str, int]] | None:
        """Return the flows and signs of a rate that only adds and subtracts flows, the same in all cells; else None."""
        found: list[list[tuple[str, int]]] = []
        for equation in stock.equations:
            rate, own = self.rate(stock, equation), list[tuple[str, int]]()
            if rate != 0:
                for term, sign in signed_terms(rate):
                    name, subscripts = split_reference(term) if isinstance(term, Symbol | Indexed) else ("", ())
                    flow = self.model.elements.get(name)
                    same = (
                        flow is not None and subscripts == equation.subscripts and flow.dimensions == stock.dimensions
                    )
                    if not same or flow is None or flow.kind not in ("flow", "constant", "auxiliary"):
                        return None
                    own.append((name, sign))
            found.append(own)
        if any(own != found[0] for own in found) or len(set(found[0])) != len(found[0]):
            return None
        return found[0] if len({name for name, _ in found[0]}) == len(found[0]) else None

    def rate(self, stock: Element, equation: Equation) -> Expr:
        """Return the rate in the cells of an equation: nothing where other cells are stocks and these are constant."""
        expression = equation.expression
        if isinstance(expression, VensimFunction) and expression.name == "INTEG":
            return expression.args[0]
        read = {split_reference(part)[0] for part in references_in(expression)}
        if equation.calls or any(name not in self.model or self.model[name].kind != "constant" for name in read):
            what = f"'{stock.name}' is a stock in some cells and not in these, which XMILE has no form for"
            raise ModelError([Fault(equation.place, f"{what}; make two variables of it")])
        return S.Zero

    def net_flow(self, stock: Element) -> Element:
        name = f"{stock.name} net flow"
        while key(name) in self.model.elements:
            name += " 2"
        equations = tuple(replace(equation, expression=self.rate(stock, equation)) for equation in stock.equations)
        kind = kind_of([equation.expression for equation in equations])
        units = f"{stock.units}/{self.time_units()}" if stock.units and self.time_units() else ""
        return Element(
            name,
            kind,
            equations,
            stock.dimensions,
            units=units,
            group=stock.group,
            comment=f"What changes {stock.name}.",
        )

    def table_names(self) -> dict[tuple[str, str], str]:
        """Return the name under which each lookup is read in each way: its own for the first, another for others."""
        found: dict[tuple[str, str], str] = {}
        ways: dict[str, list[str]] = defaultdict(list)
        for part in (
            part for element in self.model for equation in element.equations for part in walk(equation.expression)
        ):
            if isinstance(part, VensimFunction) and part.name in _READERS and "table" in part.row.kinds:
                table, way = part.args[0], _READERS[part.name]
                name = "" if isinstance(table, Table) else split_reference(table)[0]
                if (way, name) not in found:
                    ways[name].append(way)
                    shown = shown_name(self.model.elements[name]) if name else ""
                    plain = len(ways[name]) == 1 and way != FORWARD
                    found[way, name] = shown if plain else f"{shown} {'forward' if way == FORWARD else _TYPES[way]}"
        return found

    # Variables

    def variable(self, element: Element) -> Iterator[str]:
        """Yield the lines of a variable; a lookup that is read in several ways is written once for each."""
        if element.kind == "lookup":
            ways = [(way, name) for (way, own), name in self.tables.items() if own == element.key]
            for way, name in ways or [("LOOKUP", shown_name(element))]:
                yield from self.block("gf", replace(element, name=name), self.table_body(element, way))
            return
        tag = self.tag(element)
        yield from self.block(tag, element, self.body(element))

    def block(self, tag: str, element: Element, body: Iterator[str]) -> Iterator[str]:
        name = attribute(element.name)
        shown = "aux" if tag == "gf" else tag
        yield f'<{shown} name="{name}">'
        if element.comment:
            text = escape(element.comment.replace("\\", "\\\\"), quote=False).replace("\n", "\\n")
            yield f"\t<doc>{text}</doc>"
        if element.dimensions:
            yield "\t<dimensions>"
            yield from (f'\t\t<dim name="{named(self.model.subscripts[name].name)}"/>' for name in element.dimensions)
            yield "\t</dimensions>"
        yield from (f"\t{line}" for line in body)
        if tag == "stock":
            for name, sign in self.flows[element.key]:
                flow = next(own for own in (*self.model, *self.net) if own.key == name)
                end = "inflow" if sign > 0 else "outflow"
                yield f"\t<{end}>{escape(identifier(flow.name), quote=False)}</{end}>"
        if element.units:
            yield f"\t<units>{escape(units_text(element.units), quote=False)}</units>"
        if element.range is not None:
            low, high, step = element.range.minimum, element.range.maximum, element.range.step
            ends = [("min", low), ("max", high), ("sdmodel:step", step)]
            shown_ends = " ".join(f'{name}="{number_text(value)}"' for name, value in ends if value is not None)
            yield f"\t<range {shown_ends}/>"
        yield f"</{shown}>"

    def body(self, element: Element) -> Iterator[str]:
        """Yield the equations of a variable: one for all cells where that is possible, else one for each."""
        first = element.equations[0]
        if not first.subscripts:
            yield from self.lines(element, first, {}, by_cell=False)
            return
        if len(element.equations) == 1 and first.subscripts == element.dimensions and not first.exceptions:
            whole = dict(zip(first.subscripts, first.subscripts, strict=True))
            try:
                yield from [*self.lines(element, first, whole, by_cell=False)]
            except (CellsNeededError, SubscriptFault):
                pass
            else:
                return
        for equation in element.equations:
            for place, (labels, binding) in enumerate(bindings(self.model.subscripts, equation)):
                shown = ", ".join(named(self.model.labels.get(label, label)) for label in labels)
                yield f'<element subscript="{shown}">'
                cell = self.at_cell(equation, place)
                yield from (f"\t{line}" for line in self.lines(element, cell, binding, by_cell=True))
                yield "</element>"

    def at_cell(self, equation: Equation, place: int) -> Equation:
        expression = equation.expression
        if isinstance(expression, Numbers):
            return replace(equation, expression=Numbers([expression.at(place)]))
        return equation

    def lines(
        self, element: Element, equation: Equation, binding: Mapping[str, str], *, by_cell: bool
    ) -> Iterator[str]:
        """Yield the lines of one equation: its text, a graphical function, and another value at the start."""
        expression, initial, table = equation.expression, None, None
        if isinstance(expression, Numbers):
            if len(expression.values) > 1:
                raise CellsNeededError
            yield f"<eqn>{number_text(expression.values[0])}</eqn>"
            return
        if isinstance(expression, VensimFunction) and expression.name == "INTEG":
            expression = expression.args[1]
        elif isinstance(expression, VensimFunction) and expression.name == "ACTIVE INITIAL":
            expression, initial = expression.args
        elif isinstance(expression, VensimFunction) and expression.name in _TYPES:
            table = self.table_of(expression.args[0], binding)
            if table is not None:
                way, expression = expression.name, expression.args[1]
                expression = negate(expression) if way == FORWARD else expression
        yield f"<eqn>{self.text(expression, element, binding, by_cell=by_cell)}</eqn>"
        if initial is not None:
            yield f"<init_eqn>{self.text(initial, element, binding, by_cell=by_cell)}</init_eqn>"
        if table is not None:
            yield from self.gf(table, way)

    def text(self, expression: Expr, element: Element, binding: Mapping[str, str], *, by_cell: bool) -> str:
        return escape(self.equations.text(expression, element, binding, by_cell=by_cell), quote=False)

    def table_of(self, expression: Expr, binding: Mapping[str, str]) -> Table | None:
        """Return the table that stands in an equation, or the points of a data variable; None for a lookup with a name."""
        if isinstance(expression, Table):
            return expression
        name, subscripts = split_reference(expression)
        lookup = self.model.elements.get(name)
        if lookup is None or not self.is_data(lookup):
            return None
        labels = tuple(binding.get(subscript, subscript) for subscript in subscripts)
        for equation in lookup.equations:
            if equation.subscripts == labels or any(
                labels == cell for cell, _ in bindings(self.model.subscripts, equation)
            ):
                return equation.expression if isinstance(equation.expression, Table) else None
        raise CellsNeededError

    def table_body(self, element: Element, way: str) -> Iterator[str]:
        first = element.equations[0]
        if len(element.equations) == 1 and first.subscripts == element.dimensions and not first.exceptions:
            yield from self.gf(first.expression, way)
            return
        for equation in element.equations:
            for labels, _ in bindings(self.model.subscripts, equation):
                shown = ", ".join(named(self.model.labels.get(label, label)) for label in labels)
                yield f'<element subscript="{shown}">'
                yield from (f"\t{line}" for line in self.gf(equation.expression, way))
                yield "</element>"

    def gf(self, table: Expr, way: str) -> Iterator[str]:
        """Yield a graphical function; XMILE asks for two equal values at the end of a discrete one."""
        turn = -1 if way == FORWARD else 1
        points = sorted(((turn * x, y) for x, y in table.points), key=lambda point: point[0])
        if _TYPES[way] == "discrete" and len(points) > 1 and points[-1][1] != points[-2][1]:
            points.append((2 * points[-1][0] - points[-2][0], points[-1][1]))
        kind = "" if way == "LOOKUP" else f' type="{_TYPES[way]}"'
        yield f"<gf{kind}>"
        if table.limits is not None:
            (_, low), (_, high) = table.limits
            if low < high:
                yield f'\t<yscale min="{number_text(low)}" max="{number_text(high)}"/>'
        for tag, values in (("xpts", [x for x, _ in points]), ("ypts", [y for _, y in points])):
            yield f"\t<{tag}>{','.join(map(number_text, values))}</{tag}>"
        yield "</gf>"

    # The rest of the file

    def header(self, views: Sequence[View]) -> Iterator[str]:
        from .. import __version__

        yield "<header>"
        yield '\t<options namespace="std, isee">'
        if self.model.subscripts:
            most = max((len(element.dimensions) for element in self.model), default=1)
            yield f'\t\t<uses_arrays maximum_dimensions="{max(1, min(most, _LARGEST_DIMENSION))}"/>'
        if views:
            yield "\t\t<has_model_views/>"
        yield "\t</options>"
        yield "\t<vendor>sdmodel</vendor>"
        yield f'\t<product version="{__version__}" lang="en">sdmodel</product>'
        yield "</header>"

    def specs(self) -> Iterator[str]:
        start = Start(self.model)
        times: dict[str, str] = {}
        for name in RUN_SETTINGS:
            own = self.model.elements.get(key(name))
            value = start.read(Cell(key(name))) if own else float(times.get("TIME STEP", "1"))
            if not isinstance(value, float | int) or not math.isfinite(value):
                raise ModelError(
                    [Fault(own.place if own else self.model.path, f"{name} cannot be computed; give it a number")]
                )
            times[name] = number_text(float(value))
            if own and not own.equations[0].expression.is_Number and name != "SAVEPER":
                self.notes.append(f"{name} is written as its value, {times[name]}, since XMILE has numbers there")
        if (method := self.model.integrator) in ("diff", "rk2-auto"):
            self.notes.append(
                f"the integration method '{method}' has no counterpart in XMILE; it is written as {_METHODS[method]}"
            )
        units = escape(self.time_units())
        first, last, step, save = (times[name] for name in RUN_SETTINGS)
        own = self.model.elements.get("saveper")
        same = own is None or own.equations[0].expression == Symbol("time_step")
        saved = "" if same else f' isee:save_interval="{save}"'
        yield f'<sim_specs method="{_METHODS[method]}" time_units="{units}"{saved}>'
        yield f"\t<start>{first}</start>"
        yield f"\t<stop>{last}</stop>"
        yield f"\t<dt>{step}</dt>"
        yield "</sim_specs>"

    def time_units(self) -> str:
        settings = (self.model.elements.get(key(name)) for name in RUN_SETTINGS)
        return next((own.units for own in settings if own is not None and own.units), "")

    def units(self) -> Iterator[str]:
        if not self.model.synonyms:
            return
        yield "<model_units>"
        for name, *others in self.model.synonyms:
            yield f'\t<unit name="{escape(name)}">'
            yield from (f"\t\t<alias>{escape(other, quote=False)}</alias>" for other in others)
            yield "\t</unit>"
        yield "</model_units>"

    def dimensions(self) -> Iterator[str]:
        if not self.model.subscripts:
            return
        yield "<dimensions>"
        for subscript in self.model.subscripts.values():
            yield f'\t<dim name="{attribute(subscript.name)}">'
            yield from (f'\t\t<elem name="{attribute(label)}"/>' for label in subscript.labels)
            yield "\t</dim>"
        yield "</dimensions>"

    def groups(self, shown: Sequence[Element]) -> Iterator[str]:
        comments = {group.name: group.comment for group in self.model.groups}
        members: dict[str, list[Element]] = defaultdict(list)
        for element in shown:
            members[element.group].append(element)
        for name, own in members.items():
            if not name:
                continue
            yield f'<group name="{attribute(name)}">'
            if comments.get(name):
                yield f"\t<doc>{escape(comments[name], quote=False)}</doc>"
            yield from (f'\t<entity name="{named(element.name)}"/>' for element in own)
            yield "</group>"
