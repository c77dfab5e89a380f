"""Models in XMILE: parsed by PySD, translated to our algebra and written as Vensim text, which our own reader then reads.

XMILE is OASIS's interchange format for system dynamics (version 1.0, 2015). PySD evaluates the numbers in a model's text as
Python code while it parses them. What Vensim's language lacks is refused by name.
"""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from sympy import Expr, S

from ..errors import Fault, ModelError, ReferenceEngineError
from ..files import read_bytes
from ..model import (
    FUNCTIONS,
    RUN_SETTINGS,
    Element,
    Equation,
    Group,
    Integrator,
    Kind,
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

    `added` holds elements that were added because Vensim needs a name for them, `notes` the changes on the way. `name` and
    `subscripts` are those of the element whose equation is being translated.
    """

    ranges: dict[str, Subscript]
    tables: Mapping[str, str]
    names: set[str]
    arrays: Mapping[str, tuple[str, ...]]
    added: list[Element] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    name: str = ""
    subscripts: tuple[str, ...] = ()

    def begin(self, name: str, subscripts: tuple[str, ...]) -> None:
        """Set the element whose equation is translated next."""
        self.name, self.subscripts = name, subscripts


def expression_of(context: Context, tree: Any) -> Expr:
    """Translate a syntax tree of PySD to an expression."""
    if isinstance(tree, int | float | np.number):
        return _number(float(tree))
    if isinstance(tree, np.ndarray):
        return Numbers(tree.ravel().tolist())
    kind = type(tree).__name__.removesuffix("Structure")
    if kind not in _TREES:
        message = f"{kind} is not supported"
        raise UnsupportedError(message)
    return _TREES[kind](context, tree)


def _number(value: float) -> Expr:
    if not math.isfinite(value):
        message = f"the number {value} is not supported"
        raise UnsupportedError(message)
    return number(value)


def _reference(context: Context, tree: Any) -> Expr:
    """Translate a name: an element, a range, or XMILE's name for a time."""
    name = key(tree.reference)
    subscripts = tuple(map(key, tree.subscripts.subscripts)) if tree.subscripts else ()
    if name not in context.names and name in _TIMES:
        return make_reference(_TIMES[name])
    if any(subscript in ("*", "_") for subscript in subscripts):
        message = f"'{tree.reference}[*]' is not supported"
        raise UnsupportedError(message)
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
    """Translate the points of a table and the corners of its graph."""
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
    if how not in _LOOKUPS:
        message = f"a table read by '{how}' is not supported"
        raise UnsupportedError(message)
    return FUNCTIONS[_LOOKUPS[how]].build(table, x)


def _stock(context: Context, tree: Any) -> Expr:
    """Translate a stock; a non-negative stock loses at most its content in a step, which is exact by Euler's method."""
    rate, initial = expression_of(context, tree.flow), expression_of(context, tree.initial)
    if tree.non_negative:
        own = make_reference(key(context.name), *context.subscripts)
        rate = FUNCTIONS["MAX"].build(rate, negate(divide(own, _TIME_STEP)))
        context.notes.append(f"'{context.name}' may not become negative: its net flow is kept above -stock/TIME STEP")
    return FUNCTIONS["INTEG"].build(rate, initial)


def _lag(plain: Mapping[float, str], general: str) -> Callable[[Context, Any], Expr]:
    """Return the translator of delays or smooths, by their order."""

    def build(context: Context, tree: Any) -> Expr:
        time = tree.delay_time if hasattr(tree, "delay_time") else tree.smooth_time
        parts = [expression_of(context, part) for part in (tree.input, time, tree.initial)]
        if isinstance(tree.order, int | float) and tree.order in plain:
            return FUNCTIONS[plain[tree.order]].build(*parts)
        return FUNCTIONS[general].build(*parts, expression_of(context, tree.order))

    return build


def _forecast(context: Context, tree: Any) -> Expr:
    if tree.initial_trend != 0:
        message = "FORCST with an initial trend is not supported"
        raise UnsupportedError(message)
    return _built("FORECAST", context, (tree.input, tree.average_time, tree.horizon))


def _built(name: str, context: Context, arguments: Sequence[Any]) -> Expr:
    return FUNCTIONS[name].build(*(expression_of(context, argument) for argument in arguments))


def _call(context: Context, tree: Any) -> Expr:
    """Translate a call of a function, or of a table by its name."""
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
        message = f"the function {name.upper()} with {len(arguments)} arguments is not supported"
        raise UnsupportedError(message)
    return row.build(*(expression_of(context, argument) for argument in arguments))


def _whole(context: Context, tree: Any) -> Expr:
    """Translate an array to a reference over all of its ranges, as the argument of a reduction in Vensim."""
    ranges = context.arrays.get(key(getattr(tree, "reference", "")), ())
    if not ranges or tree.subscripts or not set(ranges) <= set(context.ranges):
        message = "a function over anything but a whole array is not supported"
        raise UnsupportedError(message)
    return make_reference(key(tree.reference), *(f"{name}!" for name in ranges))


def _pulse(start: Expr, magnitude: Expr) -> Expr:
    """Translate XMILE's pulse, which delivers its magnitude within one step."""
    return multiply(magnitude, inverse(_TIME_STEP), FUNCTIONS["PULSE"].build(start, S.Zero))


def _pulses(start: Expr, interval: Expr, magnitude: Expr) -> Expr:
    train = FUNCTIONS["PULSE TRAIN"].build(start, S.Zero, interval, make_reference("final_time"))
    return multiply(magnitude, inverse(_TIME_STEP), train)


def _log(x: Expr) -> Expr:
    return FUNCTIONS["LOG"].build(x, number(10))


_ROWS = {key(name): row for name, row in FUNCTIONS.items()}
_REDUCTIONS = {"vmin_xmile": "VMIN", "vmax_xmile": "VMAX", "sum": "SUM", "prod": "PROD"}
_CALLS: Mapping[str, Callable[..., Expr]] = MappingProxyType(
    {
        "pi": lambda: number(math.pi),
        "log10": _log,
        "xpulse": _pulse,
        "xpulse_train": _pulses,
        "xramp": lambda slope, start: FUNCTIONS["RAMP"].build(slope, start, make_reference("final_time")),
    }
)
"""Functions that XMILE has under another name, or with other arguments."""

_TREES: Mapping[str, Callable[[Context, Any], Expr]] = MappingProxyType(
    {
        "Reference": _reference,
        "Arithmetic": _arithmetic,
        "Logic": _logic,
        "Call": _call,
        "Lookups": _table,
        "InlineLookups": _inline,
        "Integ": _stock,
        "Initial": lambda context, tree: _built("INITIAL", context, (tree.initial,)),
        "Game": lambda context, tree: _built("GAME", context, (tree.expression,)),
        "Delay": _lag({1: "DELAY1I", 3: "DELAY3I"}, "DELAY N"),
        "DelayN": _lag({}, "DELAY N"),
        "Smooth": _lag({1: "SMOOTHI", 3: "SMOOTH3I"}, "SMOOTH N"),
        "SmoothN": _lag({}, "SMOOTH N"),
        "DelayFixed": lambda context, tree: _built("DELAY FIXED", context, (tree.input, tree.delay_time, tree.initial)),
        "Trend": lambda context, tree: _built("TREND", context, (tree.input, tree.average_time, tree.initial_trend)),
        "Forecast": _forecast,
    }
)
"""The translator of each of PySD's structures."""


@dataclass(slots=True)
class _Draft:
    """A model under construction, with the faults found so far."""

    path: str
    context: Context
    elements: dict[str, Element] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


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
    draft = _Draft(str(source), _context(section))
    for element in section.elements:
        _take(draft, element)
    if draft.faults:
        raise ModelError(dict.fromkeys(draft.faults))
    translated = Model(
        path=str(source),
        elements=MappingProxyType(draft.elements | {element.key: element for element in draft.context.added}),
        subscripts=MappingProxyType(draft.context.ranges),
        groups=(Group(_CONTROL, "Simulation control."),),
        integrator=_integrator(text),
    )
    return model_from_text(mdl_text(translated, lay_out(translated)), str(source.with_suffix(".mdl"))), tuple(
        draft.context.notes
    )


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
            message = f"{path}: PySD cannot read the model: {type(fault).__name__}: {text}; convert it in the program that made it"
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


def _take(draft: _Draft, element: Any) -> None:
    """Add one element with its equations to the draft, or the faults in it."""
    name = _name(element)
    equations: list[Equation] = []
    for component in element.components:
        subscripts = tuple(map(key, component.subscripts[0]))
        draft.context.begin(name, subscripts)
        try:
            equations += _equations(draft.context, component, subscripts)
        except UnsupportedError as unsupported:
            what = f"'{name}': {unsupported}; write it in another way, or convert the model in the program that made it"
            draft.faults.append(Fault(draft.path, what))
    control = name.upper() in RUN_SETTINGS
    draft.elements[key(name)] = Element(
        name=name.upper() if control else name,
        kind=_kind(element),
        equations=tuple(equations),
        units=element.units or "",
        range=_limits(element.limits),
        comment=element.documentation or "",
        group=_CONTROL if control else "",
    )


def _kind(element: Any) -> Kind:
    return "lookup" if _is_table(element) else "auxiliary"


def _equations(context: Context, component: Any, subscripts: tuple[str, ...]) -> Iterator[Equation]:
    """Yield the equation of one component."""
    if component.subscripts[1]:
        message = "exceptions of an array are not supported"
        raise UnsupportedError(message)
    yield Equation(expression_of(context, component.ast), subscripts)


def _limits(limits: Sequence[float | None]) -> Range | None:
    """Return the range of an element, if it has one."""
    low, high = (None if limit is None or not math.isfinite(limit) else float(limit) for limit in limits[:2])
    return None if low is None and high is None else Range(low, high)


def _integrator(text: str) -> Integrator:
    """Return Runge-Kutta if the file asks for it; PySD does not read the method."""
    found = _METHODS.search(text)
    return "rk4" if found and found[1].lower().startswith("rk") else "euler"
