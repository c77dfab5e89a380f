"""The table of functions: every row is complete, and its pieces agree with each other and with the Vensim manual."""

from __future__ import annotations

import math
import random
import warnings
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pytest
import sympy as sp

from sdmodel.errors import ModelError
from sdmodel.model import (
    FUNCTIONS,
    NA,
    REFUSED,
    UNFINISHED,
    WHOLE_EQUATIONS,
    Absent,
    Cell,
    FunctionRow,
    Model,
    Slice,
    Start,
    Table,
    evaluate,
    evaluate_arrays,
    make_reference,
    number,
    unknown_function,
    with_points,
)
from sdmodel.model.functions.allocation import _halfway
from sdmodel.model.functions.lookups import look_up
from sdmodel.model.units.dimensions import read_rule
from sdmodel.simulation import NotFiniteWarning, simulate
from sdmodel.testing import tiny_model

CERTAIN = {name: row for name, row in FUNCTIONS.items() if not row.draws}
"""The functions whose value follows from their arguments; tests/simulation/test_random_numbers.py has the others."""
ALONE = {
    name: row
    for name, row in CERTAIN.items()
    if name not in {"FIND ZERO", "SHIFT IF TRUE"} and not name.startswith(("QUEUE AGE", "QUEUE ATTRIB"))
}
"""Those that take any arguments: what the others read is defined by a function too."""

# A call of each function in an equation of its own, with the value that the Vensim manual gives at Time 2 (TIME STEP 1).
RETURN = 0.3 + (0.09 + 0.6) ** 0.5 - 1
"""What 60 and 60 earn on 100: 100 x^2 = 60 x + 60."""
EXAMPLES = {
    "=": ("IF THEN ELSE(x = 2.5, 1, 0)", 1),
    "<>": ("IF THEN ELSE(x <> 2.5, 1, 0)", 0),
    "<": ("IF THEN ELSE(x < 3, 1, 0)", 1),
    "<=": ("IF THEN ELSE(x <= 2.5, 1, 0)", 1),
    ">": ("IF THEN ELSE(x > 3, 1, 0)", 0),
    ">=": ("IF THEN ELSE(x >= 2.5, 1, 0)", 1),
    ":AND:": ("IF THEN ELSE(x > 1 :AND: x < 2, 1, 0)", 0),
    ":OR:": ("IF THEN ELSE(x < 1 :OR: x > 2, 1, 0)", 1),
    ":NOT:": ("IF THEN ELSE(:NOT: x > 1, 1, 0)", 0),
    "IF THEN ELSE": ("IF THEN ELSE(x, 3, 4)", 3),
    "ABS": ("ABS(-x)", 2.5),
    "MIN": ("MIN(x, 2)", 2),
    "MAX": ("MAX(x, 2)", 2.5),
    "EXP": ("EXP(x)", math.exp(2.5)),
    "LN": ("LN(x)", math.log(2.5)),
    "LOG": ("LOG(x, 10)", math.log10(2.5)),
    "SQRT": ("SQRT(x)", math.sqrt(2.5)),
    "POWER": ("POWER(x, 3)", 2.5**3),
    "SIN": ("SIN(x)", math.sin(2.5)),
    "COS": ("COS(x)", math.cos(2.5)),
    "TAN": ("TAN(x)", math.tan(2.5)),
    "ARCSIN": ("ARCSIN(x/10)", math.asin(0.25)),
    "ARCCOS": ("ARCCOS(x/10)", math.acos(0.25)),
    "ARCTAN": ("ARCTAN(x)", math.atan(2.5)),
    "SINH": ("SINH(x)", math.sinh(2.5)),
    "COSH": ("COSH(x)", math.cosh(2.5)),
    "TANH": ("TANH(x)", math.tanh(2.5)),
    "INTEGER": ("INTEGER(-9.9)", -9),
    "MODULO": ("MODULO(-10, 3)", -1),
    "QUANTUM": ("QUANTUM(-1.9, 1)", -1),
    "ZIDZ": ("ZIDZ(x, 1e-7)", 0),
    "XIDZ": ("XIDZ(x, 1e-7, 5)", 5),
    "STEP": ("STEP(3, 2)", 3),
    "RAMP": ("RAMP(2, 1, 5)", 2),
    "PULSE": ("PULSE(2, 1)", 1),
    "PULSE TRAIN": ("PULSE TRAIN(0, 1, 2, 2)", 1),
    "LOOKUP": ("table(x)", 15),
    "LOOKUP EXTRAPOLATE": ("LOOKUP EXTRAPOLATE(table, 2*x)", 40),
    "LOOKUP FORWARD": ("LOOKUP FORWARD(table, x)", 20),
    "LOOKUP BACKWARD": ("LOOKUP BACKWARD(table, x)", 10),
    "INTEG": ("INTEG(x, 1)", 6),
    "INITIAL": ("INITIAL(Time + x)", 2.5),
    "REINITIAL": ("REINITIAL(Time + x)", 2.5),
    "ACTIVE INITIAL": ("ACTIVE INITIAL(Time + x, 1)", 4.5),
    "SAMPLE IF TRUE": ("SAMPLE IF TRUE(Time = 1, Time, 7)", 1),
    "DELAY FIXED": ("DELAY FIXED(Time, 1, 9)", 1),
    "SMOOTH": ("SMOOTH(STEP(4, 1), 2)", 2),
    "SMOOTHI": ("SMOOTHI(4, 2, 0)", 3),
    "SMOOTH3": ("SMOOTH3(STEP(27, 1), 3)", 0),
    "SMOOTH3I": ("SMOOTH3I(27, 3, 0)", 0),
    "SMOOTH N": ("SMOOTH N(STEP(4, 0), 4, 0, 2)", 1),
    "DELAY1": ("DELAY1(STEP(4, 1), 2)", 2),
    "DELAY1I": ("DELAY1I(4, 2, 0)", 3),
    "DELAY3": ("DELAY3(STEP(27, 1), 3)", 0),
    "DELAY3I": ("DELAY3I(27, 3, 0)", 0),
    "DELAY N": ("DELAY N(STEP(4, 0), 4, 0, 2)", 1),
    "TREND": ("TREND(4, 2, 0.5)", 1 / 14),
    "FORECAST": ("FORECAST(4 + STEP(4, 1), 2, 1)", 8 * (1 + (8 - 6) / (2 * 6))),
    "GAME": ("GAME(x)", 2.5),
    "SUM": ("SUM(v[d!])", 6),
    "PROD": ("PROD(v[d!])", 6),
    "VMIN": ("VMIN(v[d!])", 1),
    "VMAX": ("VMAX(v[d!])", 3),
    "ELMCOUNT": ("ELMCOUNT(d)", 3),
    "GAMMA LN": ("GAMMA LN(4)", math.log(6)),
    "LOOKUP AREA": ("LOOKUP AREA(table, x, 4)", 28.75),
    "LOOKUP INVERT": ("LOOKUP INVERT(table, 15)", 2.5),
    "LOOKUP SLOPE": ("LOOKUP SLOPE(table, 2, 0)", 10),
    "GET TIME VALUE": ("GET TIME VALUE(1, 3.5, 1)", 2003),
    "MESSAGE": ("MESSAGE('past the start', Time)", 1),
    "DELAYP": ("DELAYP(STEP(27, 1), 3)", 0),
    "NPV": ("NPV(11, 0.1, 0, 2)", 2 * (11 + 10 + 10 / 1.1)),
    "INTERNAL RATE OF RETURN": ("INTERNAL RATE OF RETURN(60 - STEP(60, 2), 1, -100, 0)", RETURN),
    "NPVE": ("NPVE(11, 0.1, 0, 1)", 10 + 10 / 1.1 + 10 / 1.21),
    "DEPRECIATE STRAIGHTLINE": ("DEPRECIATE STRAIGHTLINE(STEP(6, 1), 3, 1, 3)", (0 + 6 + 6) / 3),
    "DEPRECIATE BY SCHEDULE": (
        "DEPRECIATE BY SCHEDULE(STEP(6, 1), v[A], x, 3, Time)",
        (1 * 6 + 2 * 6 + 3 * 0) / 6 + 2.5,
    ),
    "SIMULTANEOUS": ("loop", 5),
    "SHIFT IF TRUE": ("moved", 3),
    "QUEUE FIFO": ("line", 12),
    "QUEUE AGE OLDEST": ("QUEUE AGE OLDEST(line)", 4),
    "QUEUE AGE AVERAGE": ("QUEUE AGE AVERAGE(line, 4)", (1 * 4 + 3 * 3) / 4),
    "QUEUE AGE IN RANGE": ("QUEUE AGE IN RANGE(line, 2, 3)", 7),
    "QUEUE FIFO ATTRIB": ("work", 12),
    "QUEUE ATTRIB AVERAGE": ("QUEUE ATTRIB AVERAGE(work, 0)", (4 * 9 + 8 * 7) / 12),
    "QUEUE ATTRIB MAX": ("QUEUE ATTRIB MAX(work)", 9),
    "QUEUE ATTRIB MIN": ("QUEUE ATTRIB MIN(work)", 7),
    "QUEUE ATTRIB IN RANGE": ("QUEUE ATTRIB IN RANGE(work, 8, :NA:)", 4),
    "QUEUE ATTRIB QUANTITY": ("QUEUE ATTRIB QUANTITY(work, 4*7 + 2*9)", 6),
    "DELAY CONVEYOR": ("DELAY CONVEYOR(Time + 1, 2, 0, flat, 6, 2)", 1),
    "DELAY PROFILE": ("DELAY PROFILE(flat, Time + 4, 1, 0, 0)", 0.75 * 5 + 0.25 * 4),
    "FIND ZERO": ("found[B]", 2),
    "SINTEG": ("SINTEG(x, 1, 0, 5, :NA:, :NA:, :NA:)", 5),
    "DELAY INFORMATION": ("DELAY INFORMATION(Time, 2 - STEP(1, 1), 9)", 1),
    "DELAY MATERIAL": ("DELAY MATERIAL(Time + 4, 2 - STEP(1, 1), 9, 0)", 9),
    "DELAY BATCH": ("DELAY BATCH(4, 4, 1, 0, 0, 0)", 4),
    "GET DATA AT TIME": ("GET DATA AT TIME(obs, 3)", 20),
    "GET DATA BETWEEN TIMES": ("GET DATA BETWEEN TIMES(obs, x, -1)", 10),
    "GET DATA FIRST TIME": ("GET DATA FIRST TIME(obs)", 1),
    "GET DATA LAST TIME": ("GET DATA LAST TIME(obs)", 3),
    "GET DATA MIN": ("GET DATA MIN(obs, 2, 3)", 10),
    "GET DATA MAX": ("GET DATA MAX(obs, 0, x)", 10),
    "GET DATA MEAN": ("GET DATA MEAN(obs, 0, 4)", 10),
    "GET DATA MEDIAN": ("GET DATA MEDIAN(obs, 0, 2) + GET DATA MEDIAN(obs, 0, 4)", 15),
    "GET DATA STDV": ("GET DATA STDV(obs, 0, 4)", (200 / 3) ** 0.5),
    "GET DATA TOTAL POINTS": ("GET DATA TOTAL POINTS(obs, 2, 4)", 2),
    "VECTOR SELECT": ("VECTOR SELECT(v[d!], v[d!], 0, 0, 0)", 14),
    "VECTOR ELM MAP": ("VECTOR ELM MAP(v[A], x - 1.5)", 2),
    "VECTOR SORT ORDER": ("SUM(order[d!] * v[d!])", 1 * 1 + 0 * 2 + 2 * 3),
    "VECTOR RANK": ("SUM(rank[d!] * v[d!])", 2 * 1 + 1 * 2 + 3 * 3),
    "VECTOR REORDER": ("VECTOR REORDER(v[A], 2)", 3),
    "VECTOR LOOKUP": ("VECTOR LOOKUP(v[A], x, 0, 4, 0)", 2.25),
    "INVERT MATRIX": ("100 * inverse[r1, r1] + 10 * inverse[r1, r2] + inverse[r2, r1]", -200 + 10 + 1.5),
    "ALLOCATE AVAILABLE": ("SUM(shipments[branch!])", 800),
    "ALLOCATE BY PRIORITY": ("100 * delivered[B] + delivered[C]", 153),
    "MARKETP": ("MARKETP(v[A], v[A], 3, 1, 4)", 2.0),
    "ALLOC P": ("ALLOC P(8, x, 2, 3)", 2),
    "FIND MARKET PRICE": ("FIND MARKET PRICE(even[A], curve[A,ptype], even[A], curve[A,ptype])", 2.0),
    "DEMAND AT PRICE": ("DEMAND AT PRICE(8, curve[B,ptype], 2.5)", 8 * math.erfc(0.5 / math.sqrt(2)) / 2),
    "SUPPLY AT PRICE": ("SUPPLY AT PRICE(8, curve[B,ptype], 2.5)", 8 * (1 - math.erfc(0.5 / math.sqrt(2)) / 2)),
}

_AROUND = """
d: A, B, C
v[d] = 1, 2, 3
x = 2.5
table((1,0),(2,10),(3,20))
obs
y = {}
order[d] = VECTOR SORT ORDER(revenue[d], 1)
rank[d] = VECTOR RANK(revenue[d], 1)
revenue[d] = 5000, 3000, 8000
loop = SIMULTANEOUS(x + loop/2, 1)
found[d] = FIND ZERO(ones[d], found[d]^3 - v[d]^3, ones[d], ones[d], ELMCOUNT(d), 0, 1e-9, 100, 0)
ones[d] = 1
flat((0,1),(1,1))
line = QUEUE FIFO(4, 1, flat, 6, 2)
work = QUEUE FIFO ATTRIB(4, 1, 5, 2, flat, flat, 6, 3, 2)
shelf[d] = INTEG(0, v[d])
moved = SHIFT IF TRUE(shelf[A], Time > 1, ELMCOUNT(d), 0, 9)
two: r1, r2
again: r1, r2
matrix[two, again] = 1, 2; 3, 4
inverse[two, again] = INVERT MATRIX(matrix[two, again], 2)
even[d] = 2
branch: Boston, Dayton, Fresno
pprofile: ptype, ppriority, pwidth, pextra
demand[branch] = 500, 300, 750
priority[branch, pprofile] = 1, 5, 2, 0; 1, 7, 4, 0; 1, 3, 4, 0
shipments[branch] = ALLOCATE AVAILABLE(demand[branch], priority[branch, ptype], 800)
delivered[d] = ALLOCATE BY PRIORITY(v[d], v[d], ELMCOUNT(d), 1, 4.5)
curve[d, pprofile] = 3, 1, 1, 0; 3, 2, 1, 0; 3, 3, 1, 0
"""


@pytest.fixture(scope="module")
def manual_values():
    """Every example as a variable of one model, at its last time."""
    calls = "\n".join(f"y{index} = {call}" for index, (call, _) in enumerate(EXAMPLES.values()))
    points = {Cell("obs"): Table([(1, 0), (2, 10), (3, 20)])}
    run = simulate(with_points(tiny_model(_AROUND.format("0") + calls, final=2), points))
    return {name: float(run[f"y{index}"][-1]) for index, name in enumerate(EXAMPLES)}


@pytest.mark.parametrize("name", CERTAIN)
def test_every_function_gives_the_value_of_the_manual(name, manual_values):
    """A function in the table runs, and gives the number that Vensim gives."""
    assert manual_values[name] == pytest.approx(EXAMPLES[name][1], rel=1e-12)


# What follows checks any row: a new row needs no test of its own for these.

_NAMES = ("a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7")
_D, _E = sp.symbols("d e")
_ARRAYS = {
    "vector": Slice(make_reference("v", "d"), _D),
    "matrix": Slice(make_reference("square", "d", "e"), _D, _E),
    "array": Slice(make_reference("v", "b"), _D),
    "profile": Slice(make_reference("square", "b", "e"), _E),
}
"""What a function gets for each kind of array, and for a vector with the name `profile`."""
_PLACES = ({}, {"d": "b"}, {"d": "b", "e": "l"})
"""The cell at which a function is evaluated that returns a number, a vector or a matrix."""
_TABLE = Table([(-3, 1), (0, 2), (0.5, -1), (2, 4)])
_CONTROL = MappingProxyType({"initial_time": 1.0, "time_step": 0.25})
_AROUND_ROWS = """
d: A, B, C
e: K, L, M
v[A] = a0
v[B] = a1
v[C] = a2
square[d, K] = 1, 3, 4
square[d, L] = a0 + d
square[d, M] = 2, 1, 3
"""
_CONSTANTS = "\n".join(f"{name} = 1" for name in _NAMES)
_NUDGE = 1e-6


def _points() -> list[dict[str, float]]:
    """Values of the arguments inside and outside the domains of functions, and away from round numbers, where corners are."""
    chance = random.Random(1)
    ranges = [(sign * size, size) for size in (0.9, 3, 12) for sign in (0, -1, -1)] * 3
    return [{name: round(chance.uniform(low, high), 2) + 0.0007 for name in _NAMES} for low, high in ranges]


_POINTS = _points()


def _kinds(row: FunctionRow) -> list[str]:
    pairs = zip(row.kinds, row.arguments, strict=True)
    return [
        {("profile", "vector"): "profile", ("profile", "table"): "spread"}.get((argument, kind), kind)
        for kind, argument in pairs
    ]


def _call(row: FunctionRow) -> sp.Expr:
    """A call of a function on the arguments that each kind needs."""
    spread = Table([(0, 1), (1, 3), (2, 0.5)])
    special = {
        "table": _TABLE,
        "spread": spread,
        "range": make_reference("d"),
        "terms": make_reference("v", "d!"),
        **_ARRAYS,
    }
    names = map(make_reference, (*_NAMES, "a0"))
    kinds = _kinds(row)
    arguments = [special.get(kind, name) for kind, name in zip(kinds, names, strict=False)]
    if row.arguments[-1] in {"order", "way"}:
        arguments[-1] = number(2)
    return row.build(*arguments)


def _model_of(rows: list[FunctionRow], arguments: str = _CONSTANTS) -> Model:
    """A model with a variable `y0`, `y1` ... for each row, which calls it."""
    subscripts = ("", "[d]", "[d, e]")
    equations = "\n".join(f"y{index}{subscripts[row.spreads]} = a0 + a1" for index, row in enumerate(rows))
    model = tiny_model(f"{_AROUND_ROWS}\n{arguments}\n{equations}", initial=1, final=1, step=0.25)
    elements = dict(model.elements)
    for index, row in enumerate(rows):
        element = elements[f"y{index}"]
        elements[element.key] = replace(element, equations=(replace(element.equations[0], expression=_call(row)),))
    return replace(model, elements=MappingProxyType(elements))


def _compiled(rows: list[FunctionRow]) -> list[np.ndarray]:
    """The value of each row at each point, as machine code computes it for an ensemble."""
    return _compute(rows, _model_of(rows), {name: [point[name] for point in _POINTS] for name in _NAMES})


def _compute(rows: list[FunctionRow], model: Model, varied: dict[str, list[float]]) -> list[np.ndarray]:
    with warnings.catch_warnings():  # outside a function's domain the value is nan
        warnings.simplefilter("ignore", NotFiniteWarning)
        run = simulate(model, varied)
    count = len(next(iter(varied.values())))
    found = [
        run[f"y{index}"].isel({"time": 0, **dict.fromkeys("de", 1)}, missing_dims="ignore")
        for index, _ in enumerate(rows)
    ]
    return [np.broadcast_to(own.values, count) for own in found]


def _same(found: float, expected: float, rel: float = 1e-12) -> bool:
    """Whether two numbers agree; where one cannot be computed, the other is not finite."""
    if expected == NA:  # a run shows a missing value as nan
        return found == NA or math.isnan(found)
    if not math.isfinite(expected):
        return not math.isfinite(found)
    return found == pytest.approx(expected, rel=rel, abs=1e-12)


def _check_derivatives(row: FunctionRow, call: sp.Expr, point: dict[str, float]) -> int:
    """Compare each partial derivative with the slope of the values, and return how many could be compared."""
    compared = 0

    def value(expression: sp.Expr, at: dict[str, float]) -> float:
        at = at | {"time": _CONTROL["initial_time"], "time_step": _CONTROL["time_step"]}
        return evaluate({}, expression, {}, lambda cell: at[cell.key])

    for name in (symbol.name for symbol in call.free_symbols):
        low, middle, high = (value(call, point | {name: point[name] + side}) for side in (-_NUDGE, 0, _NUDGE))
        before, after = (middle - low) / _NUDGE, (high - middle) / _NUDGE
        smooth = abs(after - before) <= 1e-3 * (1 + abs(before)) and max(map(abs, (low, middle, high))) < 1e3
        if smooth or low == middle == high:
            slope = value(call.diff(make_reference(name)), point)
            assert slope == pytest.approx((high - low) / (2 * _NUDGE), rel=1e-3, abs=1e-4), (row.name, name, point)
            compared += 1
    return compared


def _shows_its_start(row: FunctionRow, point: dict[str, float]) -> bool:
    """Whether the first value of a run is that of the start: not where the start differs, nor after a negative delay."""
    if row.expand:
        return min(point.values()) > 0
    return row.memory is None or row.memory.reads_at_step == ()


def check_row(row: FunctionRow, compiled: np.ndarray) -> None:
    """Hold the pieces of a row together: scalar, NumPy and compiled values, derivatives, units and LaTeX."""
    model, call = _model_of([row]), _call(row)
    expected = []
    for point, found in zip(_POINTS, compiled, strict=True):
        given = {Cell(name): value for name, value in point.items()}
        expected.append(evaluate(model.subscripts, call, _PLACES[row.spreads], Start(model, given).read))
        if _shows_its_start(row, point):
            assert _same(found, expected[-1], 1e-12 if row.expand is None else 1e-9), (row.name, point)
        if "terms" in row.kinds and not row.rewrite:
            terms = [number(point[name]) for name in _NAMES[:3]]
            assert _same(evaluate({}, row.written_out(terms), {}, Start(model).read), expected[-1])
    if row.algebra:  # SymPy's form of the function is what was computed so far
        direct = [
            row.evaluate(point["a0"]) for point, value in zip(_POINTS, expected, strict=True) if math.isfinite(value)
        ]
        assert direct == [value for value in expected if math.isfinite(value)], row.name
    assert np.isfinite(expected).sum() >= 3, f"{row.name}: hardly any point lies in the domain of the function"
    if not isinstance(row.arrays, Absent):
        found = evaluate_arrays(call, lambda name, _: np.array([point[name] for point in _POINTS]))
        assert all(map(_same, np.broadcast_to(found, len(_POINTS)), expected)), row.name
    if row.algebra or not (isinstance(row.derivative, Absent) or row.memory):
        compared = sum(_check_derivatives(row, call, point) for point in _POINTS)
        assert compared >= 3 or not call.free_symbols, row.name
    rule = read_rule(row.units)
    assert len(rule.patterns) == len(row.arguments), row.name
    assert set(rule.result or ()) <= {*rule.letters, "t"}, row.name
    assert "a_{0}" in sp.latex(row.build(*[make_reference(f"a{index}") for index, _ in enumerate(row.arguments)])), (
        row.name
    )


@pytest.fixture(scope="module")
def compiled():
    """The values of all rows at all points, from one model."""
    return dict(zip(ALONE, _compiled(list(ALONE.values())), strict=True))


@pytest.mark.parametrize("name", ALONE)
def test_the_pieces_of_every_row_agree(name, compiled):
    """Python, NumPy, machine code and the derivative compute one function, wherever the row has them."""
    check_row(FUNCTIONS[name], compiled[name])


_NOT_FINITE = [
    {name: value if name == odd else 2.5 for name in _NAMES}
    for odd in _NAMES
    for value in (math.nan, math.inf, -math.inf)
]
"""Points at which one argument is not finite."""


@pytest.fixture(scope="module")
def compiled_from_not_finite():
    """The values of all rows where one argument is not finite, from one model: the argument is divided by zero."""
    varied = {
        f"n{name}": [0.0 if math.isnan(p[name]) else min(max(p[name], -1), 2.5) for p in _NOT_FINITE] for name in _NAMES
    }
    varied |= {f"z{name}": [1.0 if math.isfinite(point[name]) else 0.0 for point in _NOT_FINITE] for name in _NAMES}
    quotients = "\n".join(f"{name} = n{name} / z{name}\nn{name} = 1\nz{name} = 1" for name in _NAMES)
    rows = list(ALONE.values())
    return dict(zip(ALONE, _compute(rows, _model_of(rows, quotients), varied), strict=True))


@pytest.mark.parametrize("name", [name for name, row in ALONE.items() if row.at_start is None])
def test_no_function_hides_a_number_that_is_not_finite(name, compiled_from_not_finite):
    """In Python, NumPy and machine code; an unused branch is harmless, and only a division by an infinite number gives 0."""
    row, call, model = FUNCTIONS[name], _call(FUNCTIONS[name]), _model_of([])
    kinds = ("number",) * 3 if row.kinds == ("terms",) else row.kinds
    expected = []
    for point, found in zip(_NOT_FINITE, compiled_from_not_finite[name], strict=True):
        given = {Cell(argument): value for argument, value in point.items()}
        expected.append(evaluate(model.subscripts, call, _PLACES[row.spreads], Start(model, given).read))
        assert _same(found, expected[-1]), point
        if row.takes_arrays or row.rewrite:  # more than one argument reads the same number
            continue
        odd = next(index for index, argument in enumerate(_NAMES) if not math.isfinite(point[argument]))
        if kinds[odd : odd + 1] and kinds[odd] in {"number", "finite", "condition"}:
            divides = row.arguments[odd : odd + 1] == ("divisor",) and not math.isnan(point[_NAMES[odd]])
            assert found == 0 if divides else not math.isfinite(found), point
    if not isinstance(row.arrays, Absent):
        found = evaluate_arrays(call, lambda name, _: np.array([point[name] for point in _NOT_FINITE]))
        assert all(map(_same, np.broadcast_to(found, len(_NOT_FINITE)), expected))


def _calls_with_a_bad_argument(*, times: bool) -> list[str]:
    """Calls of every function with a memory in which one argument is not finite, and is needed."""
    calls = [
        "ACTIVE INITIAL(bad, 2)",
        "SAMPLE IF TRUE(bad, 2, 2)",
        "SAMPLE IF TRUE(1, bad, 2)",
        "SAMPLE IF TRUE(0, 2, bad)",
    ]
    for name, row in ALONE.items():
        if row.at_start is None or name in {"ACTIVE INITIAL", "SAMPLE IF TRUE"}:
            continue
        for index, argument in enumerate(row.arguments):
            if argument == "order" or (argument.endswith((" time", " trend")) and not times):
                continue
            flows = {"rate", "input", "initial"}
            if argument == "missing" or (name in {"SINTEG", "DELAY BATCH"} and argument not in flows):  # may not matter
                continue
            if "profile" in argument or (name.startswith("QUEUE") and argument not in {"inflow", "outflow", "initial"}):
                continue
            values = ["two[A]" if own == "schedule" else "table" if "profile" in own else "2" for own in row.arguments]
            values[index] = "bads[A]" if argument == "schedule" else "bad"
            calls.append(f"{name}({', '.join(values)})")
    return calls


@pytest.mark.parametrize("integrator", ["euler", "rk4"])
@pytest.mark.parametrize("bad", ["0/zero", "1/zero", "-1/zero"])
def test_no_memory_hides_a_number_that_is_not_finite(bad, integrator):
    """A rate, an input, a delay time or an initial value reaches the value of the function; a delay may last for ever."""
    calls = _calls_with_a_bad_argument(times=bad == "0/zero")
    equations = [f"y{index} = {call}" for index, call in enumerate(calls)]
    model = tiny_model(
        "\n".join(
            [
                f"bad = {bad}",
                "zero = 0",
                "good = SMOOTH3(2, 2)",
                "d: A, B",
                "two[d] = 2",
                "table((0,1),(1,1))",
                "bads[d] = bad",
                *equations,
            ]
        ),
        final=6,
    )
    with pytest.warns(NotFiniteWarning, match="'bad' is not finite from time 0"):
        run = simulate(model, integrator=integrator)
    assert [call for index, call in enumerate(calls) if np.isfinite(run[f"y{index}"][1:]).all()] == []
    assert run["good"].values.tolist() == [2.0] * 7  # what does not depend on it stays


class _Interpreter:
    """A second back end for the table: its registers are Python numbers instead of text."""

    begun, dt = _CONTROL["initial_time"], _CONTROL["time_step"]
    late, early = begun + dt / 2, begun - dt / 2
    _signs: ClassVar = {
        "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod, "=": np.equal, "<>": np.not_equal,
        "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    }  # fmt: skip

    def constant(self, value):
        return np.float64(value)

    def binary(self, sign, left, right):
        return self._signs[sign](left, right)

    compare = binary

    def logic(self, word, left, right):
        return left and right if word == "and" else left or right

    def invert(self, truth):
        return not truth

    def choose(self, condition, then, otherwise):
        return then if condition else otherwise

    def call(self, name, *arguments):
        names = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "pow": "power"}
        return getattr(np, names.get(name, name))(*arguments)

    def strict(self, value, *arguments):
        return value if np.isfinite(arguments).all() else np.nan

    def look_up(self, way, table, x):
        return look_up(way, table, float(x))

    def scratch(self, rows, columns=1):
        return np.full((rows, columns), np.nan).view(_Numbers)

    def get(self, array, place, column=0):
        return np.float64(array[place, column])

    def put_at(self, array, value, place, column=0):
        array[place, column] = value

    def pick(self, array, place):
        return np.float64(array.flat[int(place)])

    def place(self, array, value, place):
        array.flat[int(place)] = value

    def loop(self, count, body, *state):
        for counter in range(count):
            state = body(counter, *state)
        return tuple(state)

    real = constant

    def shifted(self, counter, by):
        return counter + by

    def halfway(self, low, high):
        return np.float64(_halfway(float(low), float(high)))


class _Numbers(np.ndarray):
    """An array as `emit` sees it."""

    @property
    def rows(self):
        return self.shape[0]

    @property
    def columns(self):
        return self.shape[1]


@pytest.mark.parametrize("name", [name for name, row in ALONE.items() if not isinstance(row.emit, Absent)])
def test_code_is_written_for_any_back_end(name):
    """What a row emits uses nothing but an `Emitter`: another back end computes the same from it."""
    row, f = FUNCTIONS[name], _Interpreter()
    kinds = _kinds(row)
    for point in _POINTS[:: 9 if row.takes_arrays else 1]:  # loops in loops are slow in Python
        values = [np.float64(point[argument]) for argument in _NAMES]
        special = {"condition": lambda x: x != 0, "table": lambda _: _TABLE, "range": lambda _: 3.0}
        vector = np.array([values[:3]]).T.view(_Numbers)
        matrix = np.array([[1, 3, 4], values[0] + np.arange(1.0, 4.0), [2, 1, 3]]).T.view(_Numbers)
        special |= {"vector": lambda _, own=vector: own, "matrix": lambda _, own=matrix: own}
        special["array"] = lambda _, own=vector: (own, np.float64(1))
        special["profile"] = lambda _, own=matrix: own[1].reshape(3, 1)
        arguments = [
            special.get(kind, np.float64)(value) for kind, value in zip(kinds, [*values, values[0]], strict=False)
        ]
        if row.arguments[-1] == "way":
            arguments[-1] = np.float64(2)
        with np.errstate(all="ignore"):
            if "terms" in row.kinds:
                found = row.emit(f, row.emit(f, *values[:2]), values[2])
            else:
                found = row.emit(f, *arguments)
        found = found[1, row.spreads - 1] if row.spreads else found
        given = {Cell(argument): value for argument, value in point.items()}
        model = _model_of([])
        expected = evaluate(model.subscripts, _call(row), _PLACES[row.spreads], Start(model, given).read)
        assert _same(float(found), float(expected)), point


class _OneRound(_Interpreter):
    """Counts lookups and the loops' arithmetic, each loop in one round: the size of the code."""

    def __init__(self):
        self.size = 0

    def binary(self, sign, left, right):
        self.size += 1
        return super().binary(sign, left, right)

    def loop(self, count, body, *state):
        return super().loop(min(count, 1), body, *state)


@pytest.mark.parametrize("name", sorted(name for name in FUNCTIONS if name.startswith("GET DATA")))
def test_code_about_data_does_not_grow_with_the_data(name):
    """The points are in a table, which the code goes through: those of ten years of days are no more code than three."""
    row, sizes = FUNCTIONS[name], []
    for count in (3, 3000):
        f, points = _OneRound(), Table([(float(time), float(time % 7)) for time in range(count)])
        row.emit(f, points, *map(f.constant, (0.0, 2.0, 1.0)[: len(row.arguments) - 1]))
        sizes.append(f.size)
    assert sizes[0] == sizes[1]


def _halve(**pieces) -> FunctionRow:
    """A row of a made-up function, `HALVE(x, y)`."""
    complete = {
        "signature": "HALVE(x, y)",
        "meaning": "the mean of two numbers",
        "units": "u, u -> u",
        "evaluate": lambda x, y: (x + y) / 2,
        "arrays": lambda x, y: (x + y) / 2,
        "emit": lambda f, x, y: f.binary("/", f.binary("+", x, y), f.constant(2.0)),
        "derivative": lambda *_: (sp.S.Half, sp.S.Half),
    }
    return FunctionRow(**complete | pieces)


def test_a_new_function_is_one_row():
    """A row works in every part of the program without being named anywhere else."""
    row = _halve()
    check_row(row, _compiled([row])[0])


@pytest.mark.parametrize(
    ("piece", "wrong"),
    [
        ("evaluate", lambda x, y: x + y),
        ("arrays", lambda x, y: x - y),
        ("emit", lambda f, x, y: f.binary("*", x, y)),
        ("derivative", lambda *_: (sp.S.One, sp.S.Half)),
        ("units", "u, u -> v"),
        ("latex", "{1}"),
    ],
)
def test_a_piece_that_disagrees_is_found(piece, wrong):
    """The check of a row is strict: one wrong piece fails it."""
    row = _halve(**{piece: wrong})
    values = _compiled([row])[0]
    with pytest.raises(AssertionError):
        check_row(row, values)


@pytest.mark.parametrize("piece", ["evaluate", "arrays", "emit", "derivative"])
def test_a_row_without_a_piece_or_a_reason_is_refused(piece):
    """An incomplete row fails when it is made, not when it is used, and the error names the function and the piece."""
    with pytest.raises(ValueError, match=f"function HALVE: '{piece}' is missing; give it, or Absent"):
        _halve(**{piece: Absent("")})
    assert getattr(_halve(**{piece: Absent("not possible")}), piece).reason == "not possible"


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ({"signature": "(x, y)"}, "without a name.*a name, an argument or the meaning is empty; give it"),
        ({"signature": "HALVE(x, )"}, "a name, an argument or the meaning is empty; give it"),
        ({"meaning": ""}, "a name, an argument or the meaning is empty; give it"),
        ({"units": "u -> u"}, "'units' is 'u -> u'; give one unit for each of 2 arguments"),
        ({"units": "u, u"}, "'units' is"),
        ({"kinds": ("number",)}, "'kinds' has 1 entries; give one for each of 2 arguments"),
        ({"kinds": ("terms", "number")}, "'written_out' is missing"),
        ({"expand": lambda _, *arguments: arguments[0]}, "'at_start' is missing"),
        ({"latex": "{2}"}, "'latex' does not fit the arguments"),
    ],
)
def test_a_row_whose_pieces_do_not_fit_is_refused(pieces, message):
    """The error names the problem and what to do."""
    with pytest.raises(ValueError, match=message):
        _halve(**pieces)


def test_an_absent_piece_gives_its_reason():
    """Using what a function does not have is never a KeyError."""
    with pytest.raises(NotImplementedError, match="expanded into stocks"):
        FUNCTIONS["SMOOTH"].emit(None, "%x", "%t")
    with pytest.raises(NotImplementedError, match="a stock's derivatives are those of its rate"):
        FUNCTIONS["INTEG"].build(make_reference("x"), make_reference("y")).diff(make_reference("x"))


@pytest.mark.parametrize("name", REFUSED)
def test_every_refused_function_is_named_with_an_alternative(name):
    """A function of Vensim that does not run here is refused by name, with what to use instead."""
    for written in (name, name.lower(), name.replace(" ", "_"), f" {name.replace(' ', '  ')}"):
        assert unknown_function(written) == f"{name} is not supported; {REFUSED[name]}"
    assert name not in FUNCTIONS
    with pytest.raises(ModelError, match=f"{name} is not supported; ") as caught:
        tiny_model(f"x = {name}(1, 2)")
    assert len(caught.value.faults) == 1


MANUAL = """
A FUNCTION OF, ABS, ACTIVE INITIAL, ALLOCATE AVAILABLE, ALLOCATE BY PRIORITY, ALLOC P, ARCCOS, ARCSIN, ARCTAN, COS, COSH, CUMULATE,
CUMULATEF, DELAY BATCH, DELAY CONVEYOR, DELAY FIXED, DELAY INFORMATION, DELAY MATERIAL, DELAY N, DELAY PROFILE, DELAY1, DELAY1I,
DELAY3, DELAY3I, DEMAND AT PRICE, DEPRECIATE BY SCHEDULE, DEPRECIATE STRAIGHTLINE, ELMCOUNT, EXP, FIND MARKET PRICE, FIND ZERO,
FORECAST, GAME, GAMMA LN, GET 123 CONSTANTS, GET 123 DATA, GET 123 LOOKUPS, GET DATA AT TIME, GET DATA BETWEEN TIMES,
GET DATA FIRST TIME, GET DATA LAST TIME, GET DATA MAX, GET DATA MEAN, GET DATA MIN, GET DATA STDV, GET DATA TOTAL POINTS,
GET DIRECT CONSTANTS, GET DIRECT DATA, GET DIRECT LOOKUPS, GET DIRECT SUBSCRIPT, GET ODBC CONSTANTS, GET ODBC DATA, GET TIME VALUE,
GET VDF CONSTANTS, GET VDF DATA, GET VDF LOOKUPS, GET XLS CONSTANTS, GET XLS DATA, GET XLS LOOKUPS, GET XLS SUBSCRIPT, IF THEN ELSE,
INITIAL, INTEG, INTEGER, INTERNAL RATE OF RETURN, INVERT MATRIX, LN, LOG, LOOKUP AREA, LOOKUP BACKWARD, LOOKUP EXTRAPOLATE,
LOOKUP FORWARD, LOOKUP INVERT, LOOKUP SLOPE, MARKETP, MAX, MESSAGE, MIN, MODULO, NPV, NPVE, POWER, PROD, PULSE, PULSE TRAIN, QUANTUM,
QUEUE AGE AVERAGE, QUEUE AGE IN RANGE, QUEUE AGE OLDEST, QUEUE ATTRIB AVERAGE, QUEUE ATTRIB IN RANGE, QUEUE ATTRIB MAX,
QUEUE ATTRIB MIN, QUEUE ATTRIB QUANTITY, QUEUE FIFO, QUEUE FIFO ATTRIB, RAMP, RAMP FROM TO, RANDOM 0 1, RANDOM BETA, RANDOM BINOMIAL,
RANDOM EXPONENTIAL, RANDOM GAMMA, RANDOM LOOKUP, RANDOM NEGATIVE BINOMIAL, RANDOM NORMAL, RANDOM PINK NOISE, RANDOM POISSON,
RANDOM TRIANGULAR, RANDOM UNIFORM, RANDOM WEIBULL, RC COMPARE, RC COMPARE CHECK, RC DECAY, RC DECAY CHECK, RC GROW, RC GROW CHECK,
RC RAMP, RC RAMP CHECK, RC STEP, RC STEP CHECK, REINITIAL, SAMPLE IF TRUE, SAMPLE UNTIL, SHIFT IF TRUE, SIMULTANEOUS, SIN, SINH, SINTEG,
SMOOTH, SMOOTH N, SMOOTH3, SMOOTH3I, SMOOTHI, SQRT, SSHAPE, STEP, SUM, SUPPLY AT PRICE, TAN, TANH, TIME BASE, TIME SHIFT, TREND,
VECTOR ELM MAP, VECTOR LOOKUP, VECTOR RANK, VECTOR REORDER, VECTOR SELECT, VECTOR SORT ORDER, VMAX, VMIN, XIDZ, ZIDZ
"""
"""The functions of the Vensim manual (Reference Guide, "Summary List of Functions", and the pages of its groups)."""


def test_every_function_of_the_manual_runs_or_is_refused_by_name():
    names = {" ".join(name.split()) for name in MANUAL.split(",")}
    assert names <= (known := {*FUNCTIONS, *REFUSED, *WHOLE_EQUATIONS, UNFINISHED}), names - known


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("FIND ZEROS", "did you mean FIND ZERO?"),
        ("random norma", "did you mean RANDOM NORMAL?"),
        ("QUEUE AGE", "did you mean QUEUE AGE OLDEST?"),
        ("GET 123 DAT", "GET 123 DATA, if you mean that, is not supported: export it as text"),
        ("STP", "did you mean STEP?"),
        ("SMOTH3", "did you mean SMOOTH3?"),
        ("Zweck", "define it or correct the name"),
    ],
)
def test_suggestion_is_never_another_function_than_the_nearest_one(name, words):
    assert unknown_function(name).startswith(f"'{name}' is neither a function nor a lookup; {words}")


@pytest.mark.parametrize("numbers", ["1, 2", "", "a b", "1 2 x"])
def test_tabbed_array_without_an_array_says_how_to_write_it(numbers):
    with pytest.raises(
        ModelError, match="TABBED ARRAY takes only numbers, with blanks between|an array needs|operator"
    ):
        tiny_model(f"x = TABBED ARRAY({numbers})")


def test_a_table_keeps_its_points_in_the_order_of_the_file():
    """A lookup is what the file says; only the program sorts it."""
    assert Table([(2, 1), (0, 5)]).points == ((2.0, 1.0), (0.0, 5.0))
    assert str(number(3)) == "3"
