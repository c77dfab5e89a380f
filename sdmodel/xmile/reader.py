"""Reads a whole model from an XMILE file; reports every fault of a file in one error."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from types import MappingProxyType

from sympy import Expr, Indexed, S, Symbol

from ..errors import Fault, ModelError, Place, format_count
from ..files import decode_text
from ..model import (
    NO_POINTS,
    NOW,
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
    VensimFunction,
    add,
    computed_data,
    copy_ranges,
    data_reference,
    data_value,
    find_faults,
    inverse,
    key,
    kind_of,
    labels_of,
    make_reference,
    multiply,
    negate,
    number,
    points_name,
    split_reference,
    transform,
    with_copies,
    with_flows,
    with_slices,
)
from .conveyors import Conveyor, find_conveyors, settle_conveyors
from .declarations import NUMBER, Declarations, declarations_of, declare_variable, labels_of_element
from .diagrams import views_of
from .extensions import EXCEPT, data_parts, excepted_cells, further_results, is_data, net_flow, units_in_macro
from .functions import TIMES, UnsupportedError, row
from .limits import limit_outflows
from .names import name_key, plain_name, quoted
from .scope import Macro, Names, Scope, Variable, gf_of_cell, is_lookup, table_element
from .syntax import Term, without_comments
from .translation import flow_of, read_cells, read_equation, read_gf, translate
from .tree import Node, OpenFile, add_module_files, modernize, parse_xml

_METHODS: Mapping[str, Integrator] = {"euler": "euler", "rk2": "rk2", "rk4": "rk4", "rk45": "rk4-auto"}
_CONTROL = "Control"
_SETTING_TAGS = {"INITIAL TIME": "start", "FINAL TIME": "stop", "TIME STEP": "dt"}
_DEFAULTS = {"start": 1.0, "stop": 13.0, "dt": 1.0}
_LIST = re.compile(rf"{NUMBER}(?:[,;]{NUMBER})+;?\s*")
_MOST_CALLS = 10_000
"""Maximum number of calls of macros with variables."""


def read_xmile(content: bytes, path: str, open_file: OpenFile | None = None) -> Model:
    """Read a model from the bytes of an XMILE file, and from the files that its modules are in if they are opened.

    Raises
    ------
    ModelError
        If the content is not a model in XMILE; the error lists every fault, in the order of the file.
    """
    root = modernize(parse_xml(content, path))
    if root.tag != "xmile":
        what = f"the file is XML, but its first element is <{root.tag}> and not <xmile>; name a model in XMILE"
        raise ModelError([Fault(root.place, what)])
    if open_file is not None:
        add_module_files(root, open_file)
    found, main = declarations_of(root)
    if main is None:
        raise ModelError(found.faults)
    reader = _Reader(root, main, found)
    model = Model(
        path=path,
        elements=MappingProxyType(reader.elements()),
        subscripts=MappingProxyType(found.subscripts),
        groups=tuple(Group(name, comment) for name, comment in reader.groups.items()),
        synonyms=found.measures.synonyms,
        integrator=reader.integrator(),
        text=decode_text(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    faults = [*found.faults, *reader.names.faults]
    if faults or (faults := [*find_faults(model)]):
        raise ModelError(dict.fromkeys(faults))
    return replace(model, notes=tuple(found.notes))


def read_xmile_sketch(content: bytes, path: str) -> Sketch:
    """Read the views of an XMILE file, and the kinds of its variables as far as its equations can be read.

    Raises
    ------
    ModelError
        If the content is not XML.
    """
    root = modernize(parse_xml(content, path))
    try:
        kinds = {element.key: element.kind for element in read_xmile(content, path) if not element.hidden}
    except ModelError:  # the tags say enough for a diagram
        tags: Mapping[str, Kind] = {"stock": "stock", "flow": "flow", "aux": "auxiliary", "gf": "lookup"}
        kinds = {name: tags[variable.node.tag] for name, variable in declarations_of(root)[0].variables.items()}
    return Sketch(path, hashlib.sha256(content).hexdigest(), views_of(root), MappingProxyType(kinds))


class _Reader:
    """Makes the elements of a model from the declarations of a file."""

    def __init__(self, root: Node, main: Node, found: Declarations) -> None:
        self.root, self.main, self.found = root, main, found
        self.names = Names(found.variables, found.subscripts, found.macros, self.expand)
        self.declare_results()
        self.conveyors = find_conveyors(found)
        self.conveyed = {name: read for conveyor in self.conveyors for name, read in conveyor.equations()}
        self.unknown: set[str] = set()
        for variable in found.variables.values():
            self.check_flows(variable)
            if next(variable.node.all("conveyor", "queue", "oven"), None) is not None:
                self.unknown |= set(variable.outflows) - self.conveyed.keys()
        self.groups: dict[str, str] = dict(found.groups)
        specs = [part for node in (main, root) for part in node.all("sim_specs")]
        self.specs = specs[0] if specs else None
        self.behaviour = {
            kind: any(_says_yes(scope.find("non_negative")) for scope in self._behaviours(kind))
            for kind in ("stock", "flow")
        }
        self.drains = {
            flow
            for variable in found.variables.values()
            if variable.node.tag == "stock" and self.is_limited(variable.node)
            for flow in variable.outflows
        }

    def declare_results(self) -> None:
        """Declare the variables that calls of macros define besides their value."""
        for owner in [*self.found.variables.values()] if self.found.macros else ():
            for term in further_results(owner):
                name = f"{owner.prefix}{plain_name(term.text)}"
                result = Variable(name, owner.node, owner.prefix, owner.dimensions, is_result=True)
                known = self.found.variables.setdefault(result.key, result)
                if (
                    known.node is not owner.node or not known.is_result
                ):  # another equation of the variable may name it too
                    self.found.fault(
                        owner.node.place, f"'{name}' is defined a second time, by a call of a macro; delete one"
                    )

    def check_flows(self, stock: Variable) -> None:
        """Report a stock among the flows of another."""
        for part in stock.node.all("inflow", "outflow"):
            flow = self.found.variables.get(key(stock.prefix + plain_name(part.text)))
            if flow is not None and flow.node.tag == "stock":
                self.found.fault(part.place_at(0), f"'{flow.name}' is a stock, not a flow; name a flow")

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
        method = _METHODS[known[0]] if known else "euler"
        if self.conveyors and method != "euler":
            what = f"conveyors move once in a time step, within which {method} takes their inflows more than once"
            self.found.notes.append(f"{what}; use --integrator euler where what comes in must come out")
        return method

    def elements(self) -> dict[str, Element]:
        """Return all elements by key: those of the file, those that were added for them, and the settings of the run."""
        variables = self.found.variables.items()
        elements = {name: self.element(variable) for name, variable in variables if not variable.is_result}
        elements |= self.names.results
        if not (self.found.faults or self.names.faults):
            elements = settle_conveyors(self.conveyors, elements, self.found, self.conveyor)
            elements = limit_outflows(elements, self.found.variables, self.is_limited)
        for element in self.names.added:
            elements.setdefault(element.key, element)
        elements |= self.settings(elements)
        return with_flows({name: self.with_slices(element, elements) for name, element in elements.items()})

    def with_slices(self, element: Element, elements: Mapping[str, Element]) -> Element:
        """Return an element with slices in calls of functions that work on whole arrays."""

        def change(part: Expr) -> Expr | None:
            takes = isinstance(part, VensimFunction) and part.row.takes_arrays
            return with_slices(part, elements, self.found.subscripts) if takes else None

        if not any(call.row.takes_arrays for equation in element.equations for call in equation.calls):
            return element
        equations = (replace(own, expression=transform(own.expression, change)) for own in element.equations)
        return replace(element, equations=tuple(equations))

    # Equations

    def element(self, variable: Variable) -> Element:
        node = variable.node
        if (table := self.names.with_table(variable)) is not None and is_lookup(table):
            element = table_element(variable.name, table)
        else:
            equations = tuple(self.equations(variable))
            kind = kind_of([equation.expression for equation in equations])
            kind = "flow" if node.tag == "flow" and kind == "auxiliary" else kind
            element = Element(variable.name, kind, equations, variable.dimensions)
        return replace(
            element,
            units=self.found.measures.spell(node.text_of("units")),
            range=_range(node),
            comment=_comment(node),
            group=self.group(variable),
        )

    def group(self, variable: Variable) -> str:
        return self.found.group_of.get(variable.key, "")

    def equations(self, variable: Variable) -> Iterator[Equation]:
        node, found = variable.node, self.found
        if variable.source:
            term = Term("name", 0, f".{quoted(found.variables[variable.source].name)}")
            yield from self.cells(
                variable, variable.dimensions, node, lambda scope: translate(term, scope), variable.source
            )
            return
        if (read := self.conveyed.get(variable.key)) is not None:
            yield from self.cells(variable, variable.dimensions, node, read, "")
            return
        if variable.key in self.unknown and not node.text_of("eqn"):
            return  # the fault of its stock is reported
        if is_data(node):
            yield from self.data(variable)
            return
        yield from self.written(variable)

    def written(self, variable: Variable) -> Iterator[Equation]:
        """Yield the equations of a variable that the file has: those of its cells, and that of all others."""
        node, found = variable.node, self.found
        own_equation = node.find("eqn")
        cells = [(labels_of_element(variable, part, found), part) for part in node.all("element")]
        named = [
            (labels, part) for labels, part in cells if labels and (part.find("eqn") is not None or not own_equation)
        ]
        if (several := _one_per_cell(variable, found)) is not None:
            named = several
        whole = None if self.is_changed(variable) else _number_list(variable, named, found)
        if whole is not None:
            yield whole
        elif named and any(part.find("eqn") is not None for _, part in named):
            valued = [
                cell for cell in named if cell[1].text_of("eqn").upper() != "NAN"
            ]  # in Stella, a cell without a value
            for labels, part in valued or named:
                yield from self.of_node(variable, labels, part)
            if own_equation and own_equation.text.strip() and several is None:
                yield from self.of_the_rest(variable, [labels for labels, _ in named])
        elif node.find(EXCEPT) is not None:
            yield from self.of_the_rest(variable, [])
        elif own_equation is None or not without_comments(own_equation.text).strip():
            if not variable.source:
                where = node if own_equation is None else own_equation
                found.fault(where.place, f"'{variable.name}' has no equation; write it, or connect the module's input")
        else:
            yield from self.of_node(variable, variable.dimensions, node)

    def of_the_rest(self, variable: Variable, named: Sequence[tuple[str, ...]]) -> Iterator[Equation]:
        """Yield the equations of the cells of a variable that have none of their own."""
        ranges = self.found.subscripts
        excepted = (labels_of_element(variable, cell, self.found) for cell in excepted_cells(variable.node))
        named = [*dict.fromkeys([*named, *filter(None, excepted)])]
        cells = {cell for labels in named for cell in product(*(labels_of(ranges, label) for label in labels))}
        if len(cells) < math.prod(len(ranges[name].keys) for name in variable.dimensions):
            for equation in self.of_node(variable, variable.dimensions, variable.node):
                if equation.subscripts == variable.dimensions:
                    yield replace(equation, exceptions=tuple(named))
                elif equation.subscripts not in cells:
                    yield equation

    def data(self, variable: Variable) -> Iterator[Equation]:
        """Yield the equations of a data variable of Vensim's, which has points of its own or is computed from other data."""
        points: list[Equation] = []
        for labels, keyword, equation in self.data_equations(variable):
            text = " ".join(equation.text.split())
            if text:

                def read(scope: Scope, equation: Node = equation, keyword: str = keyword) -> Expr:
                    return computed_data(read_equation(scope, equation), keyword, self.data_behind)

                yield from self.cells(variable, labels, equation, read, text)
            else:
                points.append(Equation(NO_POINTS, labels, place=equation.place))
                value = data_value(data_reference(variable.key, *labels), NOW, keyword)
                yield Equation(value, labels, place=equation.place)
        if points:
            name = points_name(variable.name)
            self.names.added.append(Element(name, "lookup", tuple(points), variable.dimensions, hidden=True))

    def data_equations(self, variable: Variable) -> Iterator[tuple[tuple[str, ...], str, Node]]:
        """Yield the cells, the keyword and the equation of each part of a data variable; the equation is empty where it has points."""
        cells = [(labels_of_element(variable, part, self.found), part) for part in variable.node.all("element")]
        named = [(labels, part) for labels, part in cells if labels and part.find("eqn") is not None]
        for labels, part in named or [(variable.dimensions, variable.node)]:
            yield labels, *data_parts(part.find("eqn"), part)

    def data_behind(self, expression: Expr) -> tuple[str, tuple[str, ...]] | None:
        """Return the data variable with points that an expression names, with its subscripts, or None."""
        name, subscripts = split_reference(expression) if isinstance(expression, Symbol | Indexed) else ("", ())
        variable = self.found.variables.get(name)
        if variable is None or not is_data(variable.node):
            return None
        has_points = all(not equation.text.strip() for *_, equation in self.data_equations(variable))
        return (name, subscripts) if has_points else None

    def of_node(self, variable: Variable, subscripts: tuple[str, ...], node: Node) -> Iterator[Equation]:
        """Yield the equations in a node: of the whole variable, or of one of its cells."""
        equation = node.find("eqn")
        if equation is None or not without_comments(equation.text).strip():
            self.found.fault(node.place, f"'{variable.name}' has no equation here; write it")
            return
        text = " ".join(equation.text.split())
        if variable.dimensions and not self.is_changed(variable) and _LIST.fullmatch(equation.text):
            values = [float(part.text) for part in _listed(equation)]
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

    def is_changed(self, variable: Variable) -> bool:
        """Whether the value of a variable is not that of its equation alone."""
        is_limited = variable.key in self.drains or self.is_limited(variable.node)
        return variable.node.tag == "stock" or bool(variable.tables) or is_limited

    def is_limited(self, node: Node) -> bool:
        """Whether a stock or flow may not become negative."""
        own = node.find("non_negative")
        return self.behaviour.get(node.tag, False) if own is None else _says_yes(own)

    def rate(self, variable: Variable, scope: Scope) -> Expr:
        """Return what flows into a stock minus what flows out; into a stock, a flow may be converted to other units."""
        net = net_flow(variable.node)
        terms = [] if net is None else [read_equation(scope, net)]
        for part in variable.node.all("inflow", "outflow"):
            scope_here = replace(scope, node=part)
            name = quoted(plain_name(part.text))
            found = scope.find(name)
            if found is None:
                self.found.fault(
                    part.place_at(0), f"'{plain_name(part.text)}' is not defined; define the flow, or delete this line"
                )
                continue
            flow = flow_of(name, scope_here)
            multiplier = self.found.variables[found].node.find("multiplier")
            if part.tag == "inflow" and multiplier is not None and multiplier.text.strip():
                flow = multiply(flow, read_equation(scope, multiplier))
            terms.append(flow if part.tag == "inflow" else negate(flow))
        return add(*terms)

    def conveyor(self, conveyor: Conveyor) -> dict[str, Element]:
        """Return the elements of a conveyor whose equations the file does not write."""
        self.conveyed |= dict(conveyor.equations())
        return {name: self.element(self.found.variables[name]) for name, _ in conveyor.equations()}

    # Macros

    def expand(self, macro: Macro, values: Sequence[Expr], scope: Scope, results: Sequence[Term]) -> Expr:
        """Return the value of a call of a macro; its variables become hidden elements, and `results` name others that it has."""
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
        if macro.node.find("variables") is None and not results:
            return read_equation(inside, result)
        return self._instance(macro, result, inside, results)

    def _instance(self, macro: Macro, result: Node, scope: Scope, results: Sequence[Term]) -> Expr:
        """Return the result of a macro with variables, which get names of their own for each call."""
        self.names.calls += 1
        if self.names.calls > _MOST_CALLS:
            message = f"the model has more than {_MOST_CALLS:,} calls of macros; use fewer"
            raise UnsupportedError(message)
        outside = tuple(name for name in scope.subscripts if name in self.names.subscripts)
        copies = copy_ranges((scope.own or {}).values(), outside, self.found.subscripts, self.names.variables)
        if copies and results:
            message = (
                f"the macro '{macro.name}' has several results and a whole array; call it in an equation of its own"
            )
            raise UnsupportedError(message)
        ranges = (*outside, *copies.values())
        scope = replace(scope, subscripts=(*scope.subscripts, *copies.values()))
        inner = Declarations(subscripts=self.found.subscripts)
        for part in macro.node.all("variables"):
            for child in part.children:
                if child.tag in ("stock", "flow", "aux"):
                    declare_variable(child, "", inner)
        self.found.faults += inner.faults
        new = {name: f"{macro.name} {self.names.calls} {variable.name}" for name, variable in inner.variables.items()}
        own = {name: with_copies(value, copies) for name, value in (scope.own or {}).items()}
        own |= {name: make_reference(key(shown), *ranges) for name, shown in new.items()}
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
                net = net_flow(variable.node)
                terms = [] if net is None else [read_equation(inside, net)]
                terms += [
                    own[key(plain_name(part.text))] if part.tag == "inflow" else negate(own[key(plain_name(part.text))])
                    for part in variable.node.all("inflow", "outflow")
                    if key(plain_name(part.text)) in own
                ]
                rate = add(*terms)
                expression = row("INTEG", rate, expression)
            equations = (Equation(expression, ranges, text=" ".join(equation.text.split()), place=variable.node.place),)
            kind = kind_of([expression])
            self.names.added.append(
                Element(
                    new[name],
                    kind,
                    equations,
                    ranges,
                    units=self.found.measures.spell(units_in_macro(variable.node.text_of("units"), macro.parameters)),
                    hidden=True,
                )
            )
        self.add_results(macro, [*inner.variables.values()], results, inside)
        return with_copies(read_equation(inside, result), {copy: mark for mark, copy in copies.items()})

    def add_results(self, macro: Macro, variables: Sequence[Variable], results: Sequence[Term], inside: Scope) -> None:
        """Define the variables that a call names after a colon as the outputs of the macro besides its result."""
        first = macro.node.text_of("eqn")
        outputs = [own for own in variables if own.node.attribute("access") == "output" and own.key != name_key(first)]
        if results and len(results) != len(outputs):
            shown = ": ".join((", ".join(macro.parameters), ", ".join(own.name for own in outputs)))
            message = f"the macro has {format_count(len(outputs), 'further result')}; write {macro.name}({shown})"
            raise UnsupportedError(message)
        for term, output in zip(results, outputs, strict=False):
            name = f"{inside.owner.prefix}{plain_name(term.text)}"
            value = (inside.own or {})[output.key]
            equation = Equation(value, inside.subscripts, text=output.name, place=inside.owner.node.place)
            found = self.names.results.get(key(name), Element(name, "auxiliary", (), inside.owner.dimensions))
            self.names.results[key(name)] = replace(found, equations=(*found.equations, equation))

    # Settings

    def settings(self, elements: Mapping[str, Element]) -> dict[str, Element]:
        """Return the elements that control a run, from the specifications of the simulation."""
        specs, units = self.specs, ""
        if specs is None:
            self.found.fault(
                self.root.place, "the file has no <sim_specs>; give the model its start, stop and time step"
            )
        else:
            units = self.found.measures.spell(specs.attribute("time_units"))
        found = {}
        for name, tag in _SETTING_TAGS.items():
            found[name] = self._specified(tag, elements)
        save = self._saving_interval(specs) if specs else ""
        found["SAVEPER"] = number(float(save)) if _is_positive(save) else TIMES["dt"]
        if save and not _is_positive(save) and name_key(save) not in ("time_step", "dt"):
            self.found.notes.append(f"the saving interval '{save}' is not a number; every time step is saved")
        settings = {}
        for name in RUN_SETTINGS:
            own = elements.get(key(name))
            equation = Equation(
                found[name],
                text=f"{float(found[name]):g}" if found[name].is_Number else str(found[name]).replace("_", " "),
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

    def _saving_interval(self, specs: Node) -> str:
        """Return the time between saved values, as Stella, Vensim or XMILE's other programs write it."""
        step = specs.find("savestep")
        found = step.text.strip() if step else ""
        found = f"{1 / float(found)!r}" if step and step.is_set("reciprocal") and _is_positive(found) else found
        return specs.attribute("save_interval") or specs.text_of("vensim:saveper") or found

    def _place(self, name: str) -> Place:
        node = self.specs.find(_SETTING_TAGS[name]) if self.specs and name in _SETTING_TAGS else None
        return (node or self.specs or self.root).place

    def _specified(self, tag: str, elements: Mapping[str, Element]) -> Expr:
        """Return a number, or the variable that Stella takes it from."""
        node = self.specs.find(tag) if self.specs else None
        if node is None:
            return number(_DEFAULTS[tag])
        named = None if re.fullmatch(NUMBER, node.text) else elements.get(name_key(node.text))
        if named is not None and not named.dimensions:
            return inverse(make_reference(named.key)) if node.is_set("reciprocal") else make_reference(named.key)
        try:
            value = float(node.text)
        except ValueError:
            value = math.nan
        if node.is_set("reciprocal") and value:
            value = 1 / value
        if not math.isfinite(value) or (tag == "dt" and value <= 0):
            limit = " above 0" if tag == "dt" else ""
            cure = f"write a number{limit}, or the name of a variable without subscripts"
            self.found.fault(node.place_at(0), f"<{tag}> is '{node.text.strip():.60}'; {cure}")
            return number(_DEFAULTS[tag])
        return number(value)


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
    if not named:
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
    """Return a node for each cell of an array whose equations, one per cell as in Vensim's export, or list have the order of labels."""
    equations = [*variable.node.all("eqn")]
    if len(equations) == 1 and _LIST.fullmatch(equations[0].text):
        equations = _listed(equations[0])
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


def _listed(equation: Node) -> list[Node]:
    """Return an equation for each number of a list."""
    return [replace(equation, text=part) for part in re.split("[,;]", equation.text.strip().rstrip(";"))]


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
