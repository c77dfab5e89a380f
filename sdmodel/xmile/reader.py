"""Reads a whole model from an XMILE file; reports every fault of a file in one error."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import MappingProxyType

from sympy import Expr, S

from ..errors import Fault, ModelError, Place, format_count
from ..files import decode_text
from ..model import (
    RUN_SETTINGS,
    Element,
    Equation,
    Group,
    Integrator,
    Kind,
    Model,
    Numbers,
    Range,
    Sketch,
    add,
    divide,
    find_faults,
    key,
    kind_of,
    make_reference,
    multiply,
    negate,
    number,
    references_in,
    split_reference,
    with_flows,
)
from .declarations import Declarations, declarations_of, declare_variable, labels_of_element
from .diagrams import views_of
from .functions import UnsupportedError, row
from .syntax import Term, without_comments
from .translation import (
    Macro,
    Names,
    Scope,
    Variable,
    gf_of_cell,
    is_lookup,
    plain_name,
    read_cells,
    read_equation,
    read_gf,
    table_element,
    translate,
)
from .tree import Node, parse_xml

_METHODS: Mapping[str, Integrator] = {"euler": "euler", "rk2": "rk2", "rk4": "rk4", "rk45": "rk4-auto"}
_CONTROL = "Control"
_SETTING_TAGS = {"INITIAL TIME": "start", "FINAL TIME": "stop", "TIME STEP": "dt"}
_DEFAULTS = {"start": 1.0, "stop": 13.0, "dt": 1.0}
_LIST = re.compile(r"[-+\d.eE\s]+(?:[,;][-+\d.eE\s]+)+;?\s*")
_TIME_STEP = make_reference("time_step")
_MOST_CALLS = 10_000
"""Maximum number of calls of macros with variables."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A model and notes about what was left out or changed to read it."""

    model: Model
    notes: tuple[str, ...] = ()


def read_xmile(content: bytes, path: str) -> Reading:
    """Read a model from the bytes of an XMILE file.

    Raises
    ------
    ModelError
        If the content is not a model in XMILE; the error lists every fault, in the order of the file.
    """
    root = parse_xml(content, path)
    if root.tag != "xmile":
        what = f"the file is XML, but its first element is <{root.tag}> and not <xmile>; name a model in XMILE"
        raise ModelError([Fault(root.place, what)])
    found, main = declarations_of(root)
    if main is None:
        raise ModelError(found.faults)
    reader = _Reader(root, main, found)
    model = Model(
        path=path,
        elements=MappingProxyType(reader.elements()),
        subscripts=MappingProxyType(found.subscripts),
        groups=tuple(Group(name, comment) for name, comment in reader.groups.items()),
        synonyms=tuple(found.synonyms),
        integrator=reader.integrator(),
        text=decode_text(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    faults = [*found.faults, *reader.names.faults]
    if faults or (faults := [*find_faults(model)]):
        raise ModelError(dict.fromkeys(faults))
    return Reading(model, tuple(found.notes))


def read_xmile_sketch(content: bytes, path: str) -> Sketch:
    """Read the views of an XMILE file, and the kinds of its variables as far as its equations can be read.

    Raises
    ------
    ModelError
        If the content is not XML.
    """
    root = parse_xml(content, path)
    try:
        kinds = {element.key: element.kind for element in read_xmile(content, path).model if not element.hidden}
    except ModelError:  # the tags say enough for a diagram
        tags: Mapping[str, Kind] = {"stock": "stock", "flow": "flow", "aux": "auxiliary", "gf": "lookup"}
        kinds = {name: tags[variable.node.tag] for name, variable in declarations_of(root)[0].variables.items()}
    return Sketch(path, hashlib.sha256(content).hexdigest(), views_of(root), MappingProxyType(kinds))


class _Reader:
    """Makes the elements of a model from the declarations of a file."""

    def __init__(self, root: Node, main: Node, found: Declarations) -> None:
        self.root, self.main, self.found = root, main, found
        self.names = Names(found.variables, found.subscripts, found.macros, self.expand)
        self.conveyors: dict[str, Variable] = {}
        for variable in found.variables.values():
            if (conveyor := variable.node.find("conveyor")) is not None:
                self.add_conveyor(variable, conveyor)
        self.groups: dict[str, str] = dict(found.groups)
        specs = [part for node in (main, root) for part in node.all("sim_specs")]
        self.specs = specs[0] if specs else None
        self.behaviour = {
            kind: any(_says_yes(scope.find("non_negative")) for scope in self._behaviours(kind))
            for kind in ("stock", "flow")
        }

    def _behaviours(self, kind: str) -> Iterator[Node]:
        for node in (self.main, self.root):
            for behaviour in node.all("behavior"):
                yield behaviour
                yield from behaviour.all(kind)

    def integrator(self) -> Integrator:
        asked = [part.strip().lower() for part in (self.specs.attribute("method") if self.specs else "").split(",")]
        known = [method for method in asked if method in _METHODS]
        if not known and any(asked):
            shown = ", ".join(asked)
            self.found.notes.append(f"the integration method '{shown}' is not known; it is run with rk4")
            return "rk4"
        return _METHODS[known[0]] if known else "euler"

    def elements(self) -> dict[str, Element]:
        """Return all elements by key: those of the file, those that were added for them, and the settings of the run."""
        elements = {name: self.element(variable) for name, variable in self.found.variables.items()}
        self.check_conveyors(elements)
        elements = self.limited(elements)
        for element in self.names.added:
            elements.setdefault(element.key, element)
        elements |= self.settings(elements)
        return with_flows(elements)

    # Equations

    def element(self, variable: Variable) -> Element:
        node = variable.node
        if is_lookup(variable) and not variable.source:
            element = table_element(variable.name, variable)
        else:
            equations = tuple(self.equations(variable))
            kind = kind_of([equation.expression for equation in equations])
            kind = "flow" if node.tag == "flow" and kind == "auxiliary" else kind
            element = Element(variable.name, kind, equations, variable.dimensions)
        return replace(
            element, units=node.text_of("units"), range=_range(node), comment=_comment(node), group=self.group(variable)
        )

    def group(self, variable: Variable) -> str:
        return self.found.group_of.get(variable.key, "")

    def equations(self, variable: Variable) -> Iterator[Equation]:
        node, found = variable.node, self.found
        if variable.source:
            term = Term("name", 0, f".{_quoted(found.variables[variable.source].name)}")
            yield from self.cells(
                variable, variable.dimensions, node, lambda scope: translate(term, scope), variable.source
            )
            return
        if variable.key in self.conveyors:
            stock = self.conveyors[variable.key]
            yield from self.cells(
                variable, variable.dimensions, stock.node, lambda scope: self.belt_end(stock, scope), ""
            )
            return
        own_equation = node.find("eqn")
        cells = [(labels_of_element(variable, part, found), part) for part in node.all("element")]
        named = [
            (labels, part) for labels, part in cells if labels and (part.find("eqn") is not None or not own_equation)
        ]
        if (several := _one_per_cell(variable, found)) is not None:
            named = several
        whole = _number_list(variable, named, found)
        if whole is not None:
            yield whole
        elif named and any(part.find("eqn") is not None for _, part in named):
            for labels, part in named:
                yield from self.of_node(variable, labels, part)
        elif own_equation is None or not without_comments(own_equation.text).strip():
            if not variable.source:
                where = node if own_equation is None else own_equation
                found.fault(where.place, f"'{variable.name}' has no equation; write it, or connect the module's input")
        else:
            yield from self.of_node(variable, variable.dimensions, node)

    def of_node(self, variable: Variable, subscripts: tuple[str, ...], node: Node) -> Iterator[Equation]:
        """Yield the equations in a node: of the whole variable, or of one of its cells."""
        equation = node.find("eqn")
        if equation is None or not without_comments(equation.text).strip():
            self.found.fault(node.place, f"'{variable.name}' has no equation here; write it")
            return
        text = " ".join(equation.text.split())
        if variable.dimensions and _LIST.fullmatch(equation.text):
            values = [float(part) for part in re.split(r"[,;]", equation.text.strip().rstrip(";"))]
            yield Equation(Numbers(values), subscripts, text=text, place=equation.place_at(0))
            return
        initial = node.find("init_eqn") or variable.node.find("init_eqn")

        def read(scope: Scope) -> Expr:
            expression = read_equation(scope, equation)
            if variable.tables and (gf_of_cell(variable, scope.subscripts) or not scope.is_cell):
                expression = _or_fault(scope, lambda: read_gf(variable, scope.subscripts, expression, scope))
            if variable.node.tag == "stock":
                return row("INTEG", self.rate(variable, scope), expression)
            if self.is_limited(variable.node):
                expression = row("MAX", S.Zero, expression)
            if initial is not None and initial.text.strip():
                expression = row("ACTIVE INITIAL", expression, read_equation(scope, initial))
            return expression

        yield from self.cells(variable, subscripts, equation, read, text)

    def cells(
        self, variable: Variable, subscripts: tuple[str, ...], node: Node, read: Callable[[Scope], Expr], text: str
    ) -> Iterator[Equation]:
        """Yield one equation, or one per cell where it depends on the cell's position."""
        scope = Scope(self.names, node, variable, subscripts)
        for own, expression in read_cells(scope, lambda inner: _or_fault(inner, lambda: read(inner))):
            yield Equation(expression, own, text=text, place=node.place_at(0), places=MappingProxyType(scope.places))

    def is_limited(self, node: Node) -> bool:
        """Whether a stock or flow may not become negative."""
        own = node.find("non_negative")
        return self.behaviour.get(node.tag, False) if own is None else _says_yes(own)

    def rate(self, variable: Variable, scope: Scope) -> Expr:
        """Return what flows into a stock minus what flows out; into a stock, a flow may be converted to other units."""
        terms = []
        for part in variable.node.all("inflow", "outflow"):
            scope_here = replace(scope, node=part)
            name = _quoted(plain_name(part.text))
            found = scope.find(name)
            if found is None:
                self.found.fault(
                    part.place_at(0), f"'{plain_name(part.text)}' is not defined; define the flow, or delete this line"
                )
                continue
            flow = translate(Term("name", 0, name), scope_here)
            multiplier = self.found.variables[found].node.find("multiplier")
            if part.tag == "inflow" and multiplier is not None and multiplier.text.strip():
                flow = multiply(flow, read_equation(scope, multiplier))
            terms.append(flow if part.tag == "inflow" else negate(flow))
        return add(*terms) if len(terms) > 1 else terms[0] if terms else S.Zero

    # Stocks that may not become negative, and conveyors

    def limited(self, elements: dict[str, Element]) -> dict[str, Element]:
        """Return elements in which the outflows of non-negative stocks take no more than there is, in their order.

        An outflow takes at most what is in the stock and flows in during a time step, less what the outflows before it take (Stella's
        rule). An inflow that itself depends on the outflow does not count. A stock that shares an outflow has its net flow limited.
        """
        drains: dict[str, list[str]] = {}
        for variable in self.found.variables.values():
            for part in variable.node.all("outflow") if variable.node.tag == "stock" else ():
                drains.setdefault(key(variable.prefix + plain_name(part.text)), []).append(variable.key)
        for name, variable in self.found.variables.items():
            if (
                variable.node.tag == "stock"
                and not variable.source
                and self.is_limited(variable.node)
                and name in elements
            ):
                outflows = [key(variable.prefix + plain_name(part.text)) for part in variable.node.all("outflow")]
                alone = all(len(drains[flow]) == 1 and flow in elements for flow in outflows)
                if not variable.node.all("outflow"):
                    continue
                elements |= self._limit_flows(name, outflows, elements) if alone else self._limit_net(name, elements)
        return elements

    def _limit_net(self, name: str, elements: Mapping[str, Element]) -> dict[str, Element]:
        def limit(equation: Equation) -> Equation:
            rate, initial = equation.expression.args
            most = negate(divide(make_reference(name, *equation.subscripts), _TIME_STEP))
            return replace(equation, expression=row("INTEG", row("MAX", rate, most), initial))

        element = elements[name]
        return {name: replace(element, equations=tuple(map(limit, element.equations)))}

    def _limit_flows(self, name: str, outflows: Sequence[str], elements: Mapping[str, Element]) -> dict[str, Element]:
        changed: dict[str, Element] = {}
        inflows = _references(elements[name].equations[0].expression.args[0]) if elements[name].equations else []
        for place, flow in enumerate(outflows):
            element = elements[flow]
            shape = element.dimensions
            counted = [part for part in inflows if part not in outflows and elements[part].dimensions == shape]
            counted = [part for part in counted if flow not in _causes(part, elements)]
            limit = partial(_limited, name, counted, outflows[:place])
            if shape == elements[name].dimensions:
                changed[flow] = replace(element, kind="flow", equations=tuple(map(limit, element.equations)))
        return changed

    def add_conveyor(self, stock: Variable, conveyor: Node) -> None:
        """Remember the outflow of a conveyor, which has no equation of its own; what DELAY cannot do is refused."""
        outflows = [*stock.node.all("outflow")]
        refused = [part for part in conveyor.children if part.tag != "len" and part.text.strip()]
        if refused or len(outflows) != 1 or conveyor.find("len") is None:
            limit = (
                f"with <{refused[0].tag}>"
                if refused
                else "with leaks"
                if len(outflows) > 1
                else "without <len> or outflow"
            )
            cure = "only a conveyor with a transit time and one outflow is; model the rest with stocks and DELAY"
            self.found.fault(conveyor.place, f"'{stock.name}': a conveyor {limit} is not supported; {cure}")
            return
        self.conveyors[key(stock.prefix + plain_name(outflows[0].text))] = stock

    def belt_end(self, stock: Variable, scope: Scope) -> Expr:
        """Return what leaves a conveyor: its inflow one transit time ago, and its first content spread over that time."""
        terms = [translate(Term("name", 0, _quoted(plain_name(part.text))), scope) for part in stock.node.all("inflow")]
        transit, content = stock.node.find("conveyor"), stock.node.find("eqn")
        length = transit.find("len") if transit else None
        if length is None or content is None:
            message = f"the conveyor '{stock.name}' has no transit time or no content; write <len> and <eqn>"
            raise UnsupportedError(message)
        time = read_equation(scope, length)
        inflow = add(*terms) if len(terms) > 1 else terms[0] if terms else S.Zero
        return row("DELAY FIXED", inflow, time, divide(read_equation(scope, content), time))

    def check_conveyors(self, elements: Mapping[str, Element]) -> None:
        """Report conveyors whose transit time changes: what is on one keeps the time that it came with, which DELAY cannot do."""
        for flow, stock in self.conveyors.items():
            for equation in elements[flow].equations if flow in elements else ():
                time = equation.expression.args[1] if equation.expression.args else S.Zero
                changing = [
                    name for name in _references(time) if name not in elements or elements[name].kind != "constant"
                ]
                if changing:
                    what = f"'{stock.name}': the transit time of this conveyor changes, since '{changing[0]}' does"
                    self.found.fault(stock.node.place, f"{what}; use a constant")

    # Macros

    def expand(self, macro: Macro, values: Sequence[Expr], scope: Scope) -> Expr:
        """Return the value of a call of a macro; its variables become hidden elements."""
        if key(macro.name) in scope.open_macros:
            message = f"the macro '{macro.name}' calls itself, which is not supported; write it without"
            raise UnsupportedError(message)
        own = dict(zip(macro.parameters, values, strict=False))
        inside = replace(
            scope, own=own, open_macros=(*scope.open_macros, key(macro.name)), node=macro.node, marks=False
        )
        for name in macro.parameters[len(values) :]:
            if name not in macro.defaults:
                break
            default = Node("eqn", {}, macro.node.place, text=macro.defaults[name])
            own[name] = read_equation(inside, default)
        if len(own) != len(macro.parameters) or len(values) > len(macro.parameters):
            message = f"the macro takes other arguments; write {macro.name}({', '.join(macro.parameters)})"
            raise UnsupportedError(message)
        result = macro.node.find("eqn")
        if result is None:
            message = f"the macro '{macro.name}' has no equation; write its result"
            raise UnsupportedError(message)
        if macro.node.find("variables") is None:
            return read_equation(inside, result)
        return self._instance(macro, result, inside)

    def _instance(self, macro: Macro, result: Node, scope: Scope) -> Expr:
        """Return the result of a macro with variables, which get names of their own for each call."""
        self.names.calls += 1
        if self.names.calls > _MOST_CALLS:
            message = f"the model has more than {_MOST_CALLS:,} calls of macros; use fewer"
            raise UnsupportedError(message)
        ranges = tuple(name for name in scope.subscripts if name in self.names.subscripts)
        inner = Declarations(subscripts=self.found.subscripts)
        for part in macro.node.all("variables"):
            for child in part.children:
                if child.tag in ("stock", "flow", "aux"):
                    declare_variable(child, "", inner)
        self.found.faults += inner.faults
        new = {name: f"{macro.name} {self.names.calls} {variable.name}" for name, variable in inner.variables.items()}
        own = {**(scope.own or {}), **{name: make_reference(key(shown), *ranges) for name, shown in new.items()}}
        inside = replace(scope, own=own)
        for name, variable in inner.variables.items():
            equation = variable.node.find("eqn")
            if equation is None or variable.dimensions or variable.tables:
                self.found.fault(
                    variable.node.place, f"'{variable.name}' of the macro '{macro.name}' must be a plain equation"
                )
                continue
            expression = read_equation(inside, equation)
            if variable.node.tag == "stock":
                terms = [
                    own[key(plain_name(part.text))] if part.tag == "inflow" else negate(own[key(plain_name(part.text))])
                    for part in variable.node.all("inflow", "outflow")
                    if key(plain_name(part.text)) in own
                ]
                rate = add(*terms) if len(terms) > 1 else terms[0] if terms else S.Zero
                expression = row("INTEG", rate, expression)
            equations = (Equation(expression, ranges, text=" ".join(equation.text.split()), place=variable.node.place),)
            kind = kind_of([expression])
            self.names.added.append(
                Element(new[name], kind, equations, ranges, units=variable.node.text_of("units"), hidden=True)
            )
        return read_equation(inside, result)

    # Settings

    def settings(self, elements: Mapping[str, Element]) -> dict[str, Element]:
        """Return the elements that control a run, from the specifications of the simulation."""
        specs, units = self.specs, ""
        if specs is None:
            self.found.fault(
                self.root.place, "the file has no <sim_specs>; give the model its start, stop and time step"
            )
        else:
            units = specs.attribute("time_units")
        found = {}
        for name, tag in _SETTING_TAGS.items():
            found[name] = number(self._specified(tag))
        save = specs.attribute("save_interval") if specs else ""
        found["SAVEPER"] = number(float(save)) if _is_positive(save) else _TIME_STEP
        settings = {}
        for name in RUN_SETTINGS:
            own = elements.get(key(name))
            equation = Equation(
                found[name],
                text=f"{float(found[name]):g}" if found[name].is_Number else "TIME STEP",
                place=self._place(name),
            )
            if own is not None and name == "SAVEPER" and not save:
                settings[key(name)] = replace(own, name=name, group=_CONTROL)
                continue
            kind: Kind = "constant" if found[name].is_Number else "auxiliary"
            plain = Element(name, kind, (equation,), units=own.units if own and own.units else units, group=_CONTROL)
            settings[key(name)] = plain if own is None else replace(plain, comment=own.comment, range=own.range)
        self.groups.setdefault(_CONTROL, "")
        return settings

    def _place(self, name: str) -> Place:
        node = self.specs.find(_SETTING_TAGS[name]) if self.specs and name in _SETTING_TAGS else None
        return (node or self.specs or self.root).place

    def _specified(self, tag: str) -> float:
        node = self.specs.find(tag) if self.specs else None
        if node is None:
            return _DEFAULTS[tag]
        try:
            value = float(node.text)
        except ValueError:
            value = math.nan
        if node.is_set("reciprocal") and value:
            value = 1 / value
        if not math.isfinite(value) or (tag == "dt" and value <= 0):
            self.found.fault(
                node.place_at(0), f"<{tag}> is '{node.text.strip()}'; write a number{' above 0' if tag == 'dt' else ''}"
            )
            return _DEFAULTS[tag]
        return value


def _or_fault(scope: Scope, read: Callable[[], Expr]) -> Expr:
    """Return an expression, or zero after reporting what is not supported in it."""
    try:
        return read()
    except UnsupportedError as unsupported:
        scope.names.fault(scope.node.place_at(0), f"'{scope.owner.name}': {unsupported}")
        return S.Zero


def _number_list(
    variable: Variable, named: Sequence[tuple[tuple[str, ...], Node]], found: Declarations
) -> Equation | None:
    """Return one equation for an array of which every cell is a number, as Vensim writes it."""
    if variable.node.tag == "stock" or variable.tables or not named:
        return None
    values: dict[tuple[str, ...], float] = {}
    for labels, part in named:
        try:
            values[labels] = float(part.text_of("eqn"))
        except ValueError:
            return None
    cells = list(product(*(found.subscripts[name].keys for name in variable.dimensions)))
    if len(values) != len(named) or len(cells) < 2 or any(cell not in values for cell in cells):  # noqa: PLR2004 - one cell is a number
        return None
    if not all(map(math.isfinite, values.values())):
        return None
    numbers = [values[cell] for cell in cells]
    text = ", ".join(f"{value:.15g}" for value in numbers)
    return Equation(Numbers(numbers), variable.dimensions, text=text, place=variable.node.place)


def _one_per_cell(variable: Variable, found: Declarations) -> list[tuple[tuple[str, ...], Node]] | None:
    """Return a node for each cell of an array with an equation per cell in the order of its labels, as Vensim exports one."""
    equations = [*variable.node.all("eqn")]
    if len(equations) < 2 or not variable.dimensions:  # noqa: PLR2004 - one equation serves all cells
        return None
    cells = [*product(*(found.subscripts[name].keys for name in variable.dimensions))]
    if len(equations) != len(cells):
        what = f"'{variable.name}' has {format_count(len(equations), 'equation')} for {format_count(len(cells), 'cell')}; write one, or one for each cell"
        found.fault(equations[0].place_at(0), what)
    return [
        (labels, Node("element", {}, equation.place, [equation]))
        for labels, equation in zip(cells, equations, strict=False)
    ]


def _says_yes(node: Node | None) -> bool:
    """Whether a mark is there and does not say `false`."""
    return node is not None and node.text.strip().lower() != "false"


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def _range(node: Node) -> Range | None:
    """Return the range of a slider, from `<range>`; its step is an attribute that only sdmodel writes."""
    found = node.find("range")
    if found is None:
        return None
    ends = []
    for name in ("min", "max", "step"):
        try:
            ends.append(float(found.attribute(name)))
        except ValueError:
            ends.append(math.nan)
    low, high, step = (value if math.isfinite(value) else None for value in ends)
    return None if low is None and high is None else Range(low, high, step)


def _comment(node: Node) -> str:
    text = node.text_of("doc").replace("\\n", "\n").replace("\\t", " ").replace("\\\\", "\\")
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _references(expression: Expr) -> list[str]:
    return [split_reference(part)[0] for part in references_in(expression)]


def _limited(stock: str, inflows: Sequence[str], before: Sequence[str], equation: Equation) -> Equation:
    """Return the equation of an outflow that takes at most what a stock has and gets in a time step, after other outflows."""
    own = equation.subscripts
    most = [divide(make_reference(stock, *own), _TIME_STEP), *(make_reference(flow, *own) for flow in inflows)]
    most += [negate(make_reference(flow, *own)) for flow in before]
    return replace(equation, expression=row("MIN", equation.expression, add(*most) if len(most) > 1 else most[0]))


def _causes(name: str, elements: Mapping[str, Element]) -> set[str]:
    """Return what a variable depends on at the same time, itself included: a stock depends on nothing."""
    found, waiting = {name}, [name]
    while waiting:
        element = elements.get(waiting.pop())
        if element is None or element.kind == "stock":
            continue
        for cause in (part for equation in element.equations for part in _references(equation.expression)):
            if cause not in found:
                found.add(cause)
                waiting.append(cause)
    return found
