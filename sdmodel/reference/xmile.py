"""Models in XMILE: parsed by PySD, translated to our algebra and written as Vensim text, which our own reader then reads.

XMILE is OASIS's interchange format for system dynamics (version 1.0, 2015). PySD evaluates the numbers in a model's text as
Python code while it parses them. What Vensim's language lacks is refused by name.
"""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from sympy import Expr, S

from ..errors import Fault, ModelError, ReferenceEngineError
from ..files import read_bytes
from ..model import (
    FUNCTIONS,
    MARK,
    RUN_SETTINGS,
    Element,
    Equation,
    Group,
    Integrator,
    Model,
    Numbers,
    Range,
    Subscript,
    Table,
    add,
    divide,
    inverse,
    key,
    lay_out,
    make_reference,
    multiply,
    negate,
    number,
    power,
)
from ..vensim import mdl_text, model_from_text

XMILE_ENDINGS = frozenset({".xmile", ".stmx", ".xml", ".itmx"})
"""The endings of file names of models in XMILE."""

_METHODS = re.compile(r"<sim_specs[^>]*\bmethod\s*=\s*[\"']([^\"']*)", re.IGNORECASE)
_INTEGRATORS: Mapping[str, Integrator] = {"euler": "euler", "rk2": "rk2", "rk4": "rk4", "rk45": "rk4-auto"}
_UNSUPPORTED = re.compile(r"<(module|macro|conveyor|queue|oven)\b")
_EQUATION = re.compile(r"<eqn>(.*?)</eqn>", re.DOTALL | re.IGNORECASE)
_SIGNED_POWER = re.compile(
    r"(?:^|[-+*/^(,<>=]|\b(?:and|or|not|if|then|else)\b)\s*-\s*[\d.]+(?:e[-+]?\d+)?\s*\^", re.IGNORECASE
)
"""A negative number to a power, as in `-2^2`: PySD applies the sign first, XMILE the power."""
_CONTROL = "Control"
_TIMES = MappingProxyType({"time": "time", "dt": "time_step", "starttime": "initial_time", "stoptime": "final_time"})
_TIME_STEP = make_reference("time_step")
_LOOKUPS = {"interpolate": "LOOKUP", "extrapolate": "LOOKUP EXTRAPOLATE", "hold_backward": "LOOKUP BACKWARD"}
"""The function that reads a table, by PySD's name for the interpolation."""


class UnsupportedError(Exception):
    """A part of an XMILE equation that Vensim's language cannot express."""


@dataclass(slots=True)
class Context:
    """The names of a model by key: ranges, tables with their interpolation, all elements, and the ranges of arrays.

    `added` holds elements that were added because Vensim needs a name for them, `notes` the changes on the way, `faults`
    what is not supported. `name` and `subscripts` are those of the element whose equation is being translated.
    """

    ranges: dict[str, Subscript]
    tables: Mapping[str, str]
    names: set[str]
    arrays: Mapping[str, tuple[str, ...]]
    added: list[Element] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    name: str = ""
    subscripts: tuple[str, ...] = ()


def _refuse(part: str, verb: str = "is") -> NoReturn:
    message = f"{part} {verb} not supported"
    raise UnsupportedError(message)


def expression_of(context: Context, tree: Any) -> Expr:
    """Translate a syntax tree of PySD to an expression."""
    if isinstance(tree, int | float | np.number):
        return number(float(tree)) if math.isfinite(tree) else _refuse(f"the number {float(tree)}")
    if isinstance(tree, np.ndarray):
        return Numbers(tree.ravel().tolist())
    kind = type(tree).__name__.removesuffix("Structure")
    return _TREES[kind](context, tree) if kind in _TREES else _refuse(kind)


def _reference(context: Context, tree: Any) -> Expr:
    """Translate a name: an element, a range, or XMILE's name for a time."""
    name = key(tree.reference)
    subscripts = tuple(map(key, tree.subscripts.subscripts)) if tree.subscripts else ()
    if name not in context.names and name in _TIMES:
        return make_reference(_TIMES[name])
    if any(subscript in ("*", "_") for subscript in subscripts):
        _refuse(f"'{tree.reference}[*]'")
    if not subscripts and len(context.arrays.get(name, ())) == len(context.subscripts):
        subscripts = context.subscripts  # within an array, the name of another array alone means the same cell
    return make_reference(name, *subscripts)


def _arithmetic(context: Context, tree: Any) -> Expr:
    """Translate sums and products from left to right, and powers from right to left."""
    first, *rest = (expression_of(context, argument) for argument in tree.arguments)
    operators = tree.operators
    if operators == ["negative"]:
        return negate(first)
    if operators[0] == "^":
        *bases, whole = [first, *rest]
        for base in reversed(bases):
            whole = power(base, whole)
        return whole
    pairs = list(zip(operators, rest, strict=True))
    if operators[0] in "+-":
        return add(first, *(term if operator == "+" else negate(term) for operator, term in pairs))
    return multiply(first, *(factor if operator == "*" else inverse(factor) for operator, factor in pairs))


def _logic(context: Context, tree: Any) -> Expr:
    """Translate comparisons and logical operators, from left to right."""
    first, *rest = (expression_of(context, argument) for argument in tree.arguments)
    if tree.operators == [":NOT:"]:
        return FUNCTIONS[":NOT:"].build(first)
    for operator, operand in zip(tree.operators, rest, strict=True):
        first = FUNCTIONS[operator.upper()].build(first, operand)
    return first


def _table(context: Context, tree: Any) -> Expr:
    points = list(zip(map(float, tree.x), map(float, tree.y), strict=True))
    (left, right), (low, high) = tree.x_limits, tree.y_limits
    return Table(points, ((float(left), float(low)), (float(right), float(high))))


def _inline(context: Context, tree: Any) -> Expr:
    """Translate a table inside an equation; one without linear interpolation becomes a lookup, as Vensim requires."""
    x, points, how = expression_of(context, tree.argument), _table(context, tree.lookups), tree.lookups.type
    if how == "interpolate":
        return FUNCTIONS["LOOKUP"].build(points, x)
    name = f"{context.name} table"
    while key(name) in context.names:
        name += " 2"
    context.names.add(key(name))
    context.added.append(Element(name, "lookup", (Equation(points, context.subscripts),)))
    return _look_up(how, make_reference(key(name), *context.subscripts), x)


def _look_up(how: str, table: Expr, x: Expr) -> Expr:
    return FUNCTIONS[_LOOKUPS[how]].build(table, x) if how in _LOOKUPS else _refuse(f"a table read by '{how}'")


def _stock(context: Context, tree: Any) -> Expr:
    """Translate a stock; a non-negative stock loses at most its content in a step, which is exact by Euler's method."""
    rate, initial = expression_of(context, tree.flow), expression_of(context, tree.initial)
    if tree.non_negative:
        own = make_reference(key(context.name), *context.subscripts)
        rate = FUNCTIONS["MAX"].build(rate, negate(divide(own, _TIME_STEP)))
        context.notes.append(f"'{context.name}' may not become negative: its net flow is kept above -stock/TIME STEP")
    return FUNCTIONS["INTEG"].build(rate, initial)


def _lag(plain: Mapping[float, str], general: str) -> Callable[[Context, Any], Expr]:

    def build(context: Context, tree: Any) -> Expr:
        time = tree.delay_time if hasattr(tree, "delay_time") else tree.smooth_time
        parts = [expression_of(context, part) for part in (tree.input, time, tree.initial)]
        if isinstance(tree.order, int | float) and tree.order in plain:
            return FUNCTIONS[plain[tree.order]].build(*parts)
        return FUNCTIONS[general].build(*parts, expression_of(context, tree.order))

    return build


def _forecast(context: Context, tree: Any) -> Expr:
    if tree.initial_trend != 0:
        _refuse("FORCST with an initial trend")
    return _function("FORECAST", "input", "average_time", "horizon")(context, tree)


def _function(name: str, *arguments: str) -> Callable[[Context, Any], Expr]:
    """Return the translator to a function of the parts of a structure that have these names."""
    build = FUNCTIONS[name].build
    return lambda context, tree: build(*(expression_of(context, getattr(tree, argument)) for argument in arguments))


def _call(context: Context, tree: Any) -> Expr:
    name, arguments = key(tree.function.reference), tree.arguments
    if name in context.tables:
        (x,) = (expression_of(context, argument) for argument in arguments)
        return _look_up(context.tables[name], _reference(context, tree.function), x)
    if not arguments and name in _TIMES:
        return make_reference(_TIMES[name])
    if name in _REDUCTIONS and len(arguments) == 1:
        return FUNCTIONS[_REDUCTIONS[name]].build(_whole(context, arguments[0]))
    if name in _CALLS:
        return _CALLS[name](*(expression_of(context, argument) for argument in arguments))
    row = _ROWS.get(name)
    if row is None or len(row.arguments) != len(arguments):
        _refuse(f"the function {name.upper()} with {len(arguments)} arguments")
    return row.build(*(expression_of(context, argument) for argument in arguments))


def _whole(context: Context, tree: Any) -> Expr:
    """Translate an array to a reference over all of its ranges, as the argument of a reduction in Vensim."""
    ranges = context.arrays.get(key(getattr(tree, "reference", "")), ())
    if not ranges or tree.subscripts or not set(ranges) <= set(context.ranges):
        _refuse("a function over anything but a whole array")
    return make_reference(key(tree.reference), *(f"{name}{MARK}" for name in ranges))


def _pulse(magnitude: Expr, name: str, *arguments: Expr) -> Expr:
    """Translate XMILE's pulses, which deliver their magnitude within one step."""
    return multiply(magnitude, inverse(_TIME_STEP), FUNCTIONS[name].build(*arguments))


_ROWS = {key(name): row for name, row in FUNCTIONS.items()}
_REDUCTIONS = {"vmin_xmile": "VMIN", "vmax_xmile": "VMAX", "sum": "SUM", "prod": "PROD"}
_END = make_reference("final_time")
_CALLS: dict[str, Callable[..., Expr]] = {
    "pi": lambda: number(math.pi),
    "log10": lambda x: FUNCTIONS["LOG"].build(x, number(10)),
    "xpulse": lambda start, magnitude: _pulse(magnitude, "PULSE", start, S.Zero),
    "xpulse_train": lambda start, interval, magnitude: _pulse(magnitude, "PULSE TRAIN", start, S.Zero, interval, _END),
    "xramp": lambda slope, start: FUNCTIONS["RAMP"].build(slope, start, _END),
}
"""Functions that XMILE has under another name, or with other arguments."""

_TREES: dict[str, Callable[[Context, Any], Expr]] = {
    "Reference": _reference,
    "Arithmetic": _arithmetic,
    "Logic": _logic,
    "Call": _call,
    "Lookups": _table,
    "InlineLookups": _inline,
    "Integ": _stock,
    "Initial": _function("INITIAL", "initial"),
    "Game": _function("GAME", "expression"),
    "Delay": _lag({1: "DELAY1I", 3: "DELAY3I"}, "DELAY N"),
    "DelayN": _lag({}, "DELAY N"),
    "Smooth": _lag({1: "SMOOTHI", 3: "SMOOTH3I"}, "SMOOTH N"),
    "SmoothN": _lag({}, "SMOOTH N"),
    "DelayFixed": _function("DELAY FIXED", "input", "delay_time", "initial"),
    "Trend": _function("TREND", "input", "average_time", "initial_trend"),
    "Forecast": _forecast,
}
"""The translator of each of PySD's structures."""


def read_xmile(path: str | Path) -> tuple[Model, tuple[str, ...]]:
    """Read a model in XMILE (Stella, iThink) by translating it to Vensim.

    PySD parses the file and evaluates the numbers in it as Python code: read only files that you trust. The
    translation gets a laid-out sketch. Modules, macros, conveyors, queues and ovens are refused.

    Parameters
    ----------
    path : str or Path
        The file, usually with the ending `.xmile` or `.stmx`.

    Returns
    -------
    model : Model
        The model as read from its Vensim text, which is `model.text`.
    notes : tuple[str, ...]
        What the translation changed, such as stocks that XMILE forbids to become negative.

    Raises
    ------
    ModelError
        With every part that Vensim's language or this program does not support, by name.
    ReferenceError
        If PySD cannot read the file.

    Examples
    --------
    >>> from sdmodel import read_xmile
    >>> model, notes = read_xmile("teacup.stmx")  # doctest: +SKIP
    >>> [element.name for element in model if element.kind == "stock"]  # doctest: +SKIP
    ['Teacup Temperature']
    """
    source = Path(path)
    content = read_bytes(source, error=ModelError, wanted="an XMILE model")
    text = content.decode("utf-8", "replace")
    if faults := [Fault(str(source), what) for what in _refused(text)]:
        raise ModelError(faults)
    section = _parse(source, content)
    context = _context(section)
    elements = {element.key: element for element in [_element(context, found) for found in section.elements]}
    if context.faults:
        raise ModelError([Fault(str(source), what) for what in dict.fromkeys(context.faults)])
    found = _METHODS.search(text)  # which PySD does not read
    method = found[1].lower() if found else "euler"
    if method not in _INTEGRATORS:
        context.notes.append(
            f"the method '{found[1] if found else method}' is not known here; choose an integrator, since the model asks for Euler now"
        )
    translated = Model(
        path=str(source),
        elements=MappingProxyType(elements | {element.key: element for element in context.added}),
        subscripts=MappingProxyType(context.ranges),
        groups=(Group(_CONTROL, "Simulation control."),),
        integrator=_INTEGRATORS.get(method, "euler"),
    )
    written = mdl_text(translated, lay_out(translated))
    return model_from_text(written, str(source.with_suffix(".mdl"))), tuple(context.notes)


def _refused(text: str) -> Iterator[str]:
    """Yield what PySD would leave out or read wrongly without a warning."""
    cure = "write the model without it, or convert it in the program that made it"
    yield from (f"XMILE's <{name}> is not supported; {cure}" for name in sorted(set(_UNSUPPORTED.findall(text))))
    for equation in _EQUATION.findall(text):
        if _SIGNED_POWER.search(equation.strip()):
            start = " ".join(equation.split())[:60]
            yield f"'{start}': PySD applies the sign of a number before its power; put the power in parentheses"


def _parse(path: Path, content: bytes) -> Any:
    """Return the parts of a model found by PySD's parser, which reads a copy under a fixed name."""
    from pysd.translators.xmile.xmile_file import XmileFile

    with tempfile.TemporaryDirectory(prefix="sdmodel-xmile-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = Path(folder, "model.xmile")
        copy.write_bytes(content)
        try:
            file = XmileFile(copy)
            file.parse()
            return file.get_abstract_model().sections[0]
        except Exception as fault:
            text = " ".join(str(fault).split())[:200].replace(str(copy), path.name) or "it gives no reason"
            text = f"{type(fault).__name__}: {text}; convert it in the program that made it"
            message = f"{path}: PySD cannot read the model: {text}"
            raise ReferenceEngineError(message) from fault


def _context(section: Any) -> Context:
    """Return the names of a model: its ranges and elements, and which of them are tables and arrays."""
    ranges = {key(found.name): Subscript(found.name, tuple(found.subscripts)) for found in section.subscripts}
    elements = {key(_name(element)): element for element in section.elements}
    tables = {name: element.components[0].ast.type for name, element in elements.items() if _is_table(element)}
    arrays = {name: element.components[0].subscripts[0] for name, element in elements.items() if element.components}
    return Context(ranges, tables, set(elements), {name: tuple(map(key, own)) for name, own in arrays.items()})


def _is_table(element: Any) -> bool:
    return bool(element.components) and type(element.components[0].ast).__name__ == "LookupsStructure"


def _name(element: Any) -> str:
    r"""Return a name on one line; XMILE writes its line breaks as `\n`."""
    return " ".join(str(element.name).replace("\\n", " ").split())


def _element(context: Context, element: Any) -> Element:
    """Return one element with its equations; what is not supported in them is added to the faults."""
    name = _name(element)
    equations: list[Equation] = []
    for component in element.components:
        context.name, context.subscripts = name, tuple(map(key, component.subscripts[0]))
        try:
            if component.subscripts[1]:
                _refuse("exceptions of an array", "are")
            equations.append(Equation(expression_of(context, component.ast), context.subscripts))
        except UnsupportedError as unsupported:
            cure = "write it in another way, or convert the model in the program that made it"
            context.faults.append(f"'{name}': {unsupported}; {cure}")
    low, high = (None if limit is None or not math.isfinite(limit) else float(limit) for limit in element.limits[:2])
    control = name.upper() in RUN_SETTINGS
    return Element(
        name=name.upper() if control else name,
        kind="lookup" if _is_table(element) else "auxiliary",
        equations=tuple(equations),
        units=element.units or "",
        range=None if low is None and high is None else Range(low, high),
        comment=element.documentation or "",
        group=_CONTROL if control else "",
    )
