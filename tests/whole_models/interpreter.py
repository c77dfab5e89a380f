"""Runs a whole model from its tree in plain floats, straight from Vensim's manual; nothing of the package is used.

A value is computed when it is asked for and remembered for the stage of the integrator, so there is no order of equations. What is
not finite decides nothing: a function that could hide it gives nan. What is not used, such as the other branch of IF THEN ELSE,
stays unread.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

import noise
from model_tree import Call, Equation, Node, Number, Ref, Settings, Table, Whole, walk

Binding = tuple[tuple[str, str], ...]
Cell = tuple[str, tuple[str, ...]]
Key = tuple[int, Binding]

ROUNDING = 3e-16
"""About one unit in the last place: how far functions of two mathematical libraries may differ."""
SLACK = 1e-6
"""A divisor below this counts as zero in ZIDZ and XIDZ; the same share of a step lets a pulse train start in time."""


def divide(dividend: float, divisor: float) -> float:
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


def logarithm(x: float) -> float:
    return -math.inf if x == 0 else math.log(x)


def power(base: float, exponent: float) -> float:
    odd = exponent == math.floor(exponent) and math.fmod(exponent, 2) != 0 if math.isfinite(exponent) else False
    if base == 0 and exponent < 0:
        return math.copysign(math.inf, base) if odd else math.inf
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and odd else math.inf


def whole(x: float) -> float:
    return float(math.trunc(x)) if math.isfinite(x) and abs(x) < 2**53 else x


def quantum(x: float, size: float) -> float:
    return x if size <= 0 else size * whole(divide(x, size))


def look_up(way: str, table: Table, x: float) -> float:
    xs, ys = [point[0] for point in table.points], [point[1] for point in table.points]
    if way == "LOOKUP FORWARD":
        return ys[min(bisect_left(xs, x), len(xs) - 1)]
    if way == "LOOKUP BACKWARD":
        return ys[max(bisect_right(xs, x) - 1, 0)]
    if way == "LOOKUP" and x <= xs[0]:
        return ys[0]
    if way == "LOOKUP" and x >= xs[-1]:
        return ys[-1]
    left = min(max(bisect_right(xs, x) - 1, 0), len(xs) - 2)
    return ys[left] + (x - xs[left]) * ((ys[left + 1] - ys[left]) / (xs[left + 1] - xs[left]))


def area(table: Table, x: float) -> float:
    """The area from the first point to x, by trapezoids."""
    points = table.points
    total, left = 0.0, 0
    while left + 1 < len(points) and points[left + 1][0] <= x:
        (x0, y0), (x1, y1) = points[left], points[left + 1]
        total += (x1 - x0) * (y0 + y1) / 2
        left += 1
    x0, y0 = points[left]
    return total + (x - x0) * ((y0 + look_up("LOOKUP", table, x)) * 0.5)


EXACT: dict[str, Callable[..., float]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": divide,
    "neg": lambda x: -x,
    "=": lambda x, y: float(x == y),
    "<>": lambda x, y: float(x != y),
    "<": lambda x, y: float(x < y),
    "<=": lambda x, y: float(x <= y),
    ">": lambda x, y: float(x > y),
    ">=": lambda x, y: float(x >= y),
    ":AND:": lambda x, y: float(x != 0 and y != 0),
    ":OR:": lambda x, y: float(x != 0 or y != 0),
    ":NOT:": lambda x: float(x == 0),
    "ABS": abs,
    "MIN": lambda x, y: min(y, x),
    "MAX": lambda x, y: max(y, x),
    "SQRT": math.sqrt,
    "INTEGER": whole,
    "MODULO": math.fmod,
    "QUANTUM": quantum,
    "ZIDZ": lambda x, y: math.nan if not math.isfinite(x) else 0.0 if abs(y) < SLACK else x / y,
    "XIDZ": lambda x, y, z: math.nan if not math.isfinite(x) else z if abs(y) < SLACK else x / y,
    "GAME": lambda x: x,
}
"""Functions whose last digit every machine gives alike."""

ROUNDED: dict[str, Callable[..., float]] = {
    "^": power,
    "POWER": power,
    "EXP": math.exp,
    "LN": logarithm,
    "LOG": lambda x, base: divide(logarithm(x), logarithm(base)),
    "SIN": math.sin,
    "COS": math.cos,
    "TAN": math.tan,
    "ARCSIN": math.asin,
    "ARCCOS": math.acos,
    "ARCTAN": math.atan,
    "SINH": math.sinh,
    "COSH": math.cosh,
    "TANH": math.tanh,
}
"""Functions of a mathematical library."""

REDUCTIONS: dict[str, Callable[[float, float], float]] = {
    "SUM": EXACT["+"],
    "PROD": EXACT["*"],
    "VMIN": EXACT["MIN"],
    "VMAX": EXACT["MAX"],
}


STRICT: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("=", "<>", "<", "<=", ">", ">=", ":AND:", ":OR:", "MIN", "MAX", "VMIN", "VMAX", "POWER", "^"), (0, 1)
    ),
    **dict.fromkeys((":NOT:", "EXP", "ARCTAN", "TANH"), (0,)),
    **dict.fromkeys(("LOG", "MODULO", "QUANTUM"), (1,)),
    **dict.fromkeys(("PULSE", "PULSE TRAIN"), (0, 1, 2, 3)),
    "STEP": (1,),
    "RAMP": (1, 2),
}
"""The arguments of functions that would hide a number that is not finite; the result is then nan. Only a division by an infinite
number may give a finite one, 0."""


def guarded(name: str, function: Callable[..., float], values: tuple[float, ...]) -> float:
    """A function of numbers: nan where an argument that must be finite is not, or where the function is not defined."""
    if not all(math.isfinite(value) for place, value in enumerate(values) if place in STRICT.get(name, ())):
        return math.nan
    try:
        return function(*values)
    except ValueError:
        return math.nan
    except OverflowError:  # of EXP, COSH and SINH, of which the last is negative for a negative number
        return math.copysign(math.inf, values[0]) if name == "SINH" else math.inf


@dataclass(slots=True)
class Run:
    """One run of a model; `nudge` moves the results of `ROUNDED` functions, to find out where the last digit decides."""

    model: Whole
    settings: Settings
    constants: dict[Cell, float] = field(default_factory=dict)
    nudge: float = 0.0
    member: int = 0
    equations: dict[str, list[Equation]] = field(init=False, default_factory=dict)
    cells: dict[Cell, tuple[Equation, Binding, int]] = field(init=False, default_factory=dict)
    states: dict[Key, Call] = field(init=False, default_factory=dict)
    bindings: dict[Key, Binding] = field(init=False, default_factory=dict)
    levels: dict[Key, list[float]] = field(init=False, default_factory=dict)
    inputs: dict[Key, list[float]] = field(init=False, default_factory=dict)
    lags: dict[Key, float] = field(init=False, default_factory=dict)
    held: dict[Key, float] = field(init=False, default_factory=dict)
    at_start: dict[Cell, float] = field(init=False, default_factory=dict)
    cache: dict[Cell, float] = field(init=False, default_factory=dict)
    starting: bool = field(init=False, default=True)
    count: int = field(init=False, default=0)
    now: float = field(init=False, default=0.0)
    begun: float = field(init=False, default=0.0)
    places: dict[int, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for equation in self.model.equations:
            self.number_draws(equation)
            for index, (labels, binding) in enumerate(self.covered(equation)):
                self.cells[equation.name, labels] = equation, binding, index

    def number_draws(self, equation: Equation) -> None:
        """Give every random function of an equation its place; pink noise has two, of its start and of its noise."""
        count = 1
        for node in walk(equation.node) if equation.node else ():
            if isinstance(node, Call) and node.name in noise.ARGUMENTS:
                self.places[id(node)] = f"{equation.name.strip(chr(34)).lower().replace(' ', '_')}#{count}"
                count += 1 + (node.name == "RANDOM PINK NOISE")

    @property
    def step(self) -> float:
        return float(self.settings.step)

    def covered(self, equation: Equation) -> Iterator[tuple[tuple[str, ...], Binding]]:
        """The labels of the cells that an equation defines, and what each range means there."""
        for labels in product(*(self.labels(subscript) for subscript in equation.subscripts)):
            excepted = any(
                all(label in self.labels(place) for label, place in zip(labels, places, strict=True))
                for places in equation.exceptions
            )
            if not excepted:
                yield labels, tuple(zip(equation.subscripts, labels, strict=True))

    def labels(self, subscript: str) -> tuple[str, ...]:
        return self.model.ranges.get(subscript, (subscript,))

    # ---- time

    def time(self, halves: int) -> float:
        """The time after some half steps, exact in decimals."""
        return float(Fraction(self.settings.initial) + halves * Fraction(self.settings.step) / 2)

    def run(self) -> dict[Cell, list[float]]:
        """The values of all cells at the times of the steps."""
        steps = round((Fraction(self.settings.final) - Fraction(self.settings.initial)) / Fraction(self.settings.step))
        values: dict[Cell, list[float]] = {cell: [] for cell in self.cells if not self.is_table(cell)}
        self.now = self.begun = self.time(0)
        for equation in self.model.equations:
            for _, binding in self.covered(equation):
                if equation.node is not None:
                    self.register(equation.node, binding)
        for key in self.states:
            self.prepare(key)
        for cell in values:
            self.cell(cell)
        self.starting = False
        for count in range(steps + 1):
            self.count = count
            self.stage(2 * count)
            for cell, line in values.items():
                line.append(self.cell(cell))
            if count < steps:
                pink = self.remember()
                self.integrate()
                self.held |= pink
        return values

    def stage(self, halves: int) -> None:
        self.now = self.time(halves)
        self.begun = self.time(2 * self.count)
        self.cache = {}

    def remember(self) -> dict[Key, float]:
        """Keep what DELAY FIXED and SAMPLE IF TRUE need of this step; return pink noise at the next one."""
        pink: dict[Key, float] = {}
        for key, call in self.states.items():
            if call.name == "DELAY FIXED":
                self.inputs[key].append(self.value(call.parts[0], self.bindings[key]))
            elif call.name == "SAMPLE IF TRUE":
                self.held[key] = self.value(call, self.bindings[key])
            elif call.name == "RANDOM PINK NOISE":
                pink[key] = self.pinker(call, self.bindings[key])
        return pink

    def rates(self) -> dict[Key, list[float]]:
        return {key: self.rate(key) for key in self.levels}

    def moved(self, base: dict[Key, list[float]], rates: dict[Key, list[float]], by: float) -> dict[Key, list[float]]:
        return {key: [level + by * rate for level, rate in zip(base[key], rates[key], strict=True)] for key in base}

    def integrate(self) -> None:
        base, step = self.levels, self.step
        first = self.rates()
        if not self.settings.rk4:
            self.levels = self.moved(base, first, step)
            return
        slopes = [first]
        for halves, part in ((1, step / 2), (1, step / 2), (2, step)):
            self.levels = self.moved(base, slopes[-1], part)
            self.stage(2 * self.count + halves)
            slopes.append(self.rates())
        mean = {
            key: [a + 2 * b + 2 * c + d for a, b, c, d in zip(*(slope[key] for slope in slopes), strict=True)]
            for key in base
        }
        self.levels = self.moved(base, mean, step / 6)

    # ---- states

    def register(self, node: Node, binding: Binding) -> None:
        """Find every function with a memory, also where it is not read at first."""
        if not isinstance(node, Call):
            return
        if node.name in MEMORIES or node.name in {"INITIAL", "REINITIAL"}:
            self.states[id(node), binding] = node
            self.bindings[id(node), binding] = binding
        inner = self.inner(node, binding) if node.name in REDUCTIONS else [binding]
        for part in node.parts:
            for place in inner:
                self.register(part, place)

    def inner(self, node: Call, binding: Binding) -> list[Binding]:
        """What the ranges with `!` below a reduction mean, in turn."""
        names: dict[str, None] = {}
        waiting: list[Node] = [node.parts[0]]
        while waiting:
            part = waiting.pop(0)
            if isinstance(part, Ref):
                names.update(dict.fromkeys(name for name in part.subscripts if name.endswith("!")))
            elif isinstance(part, Call):
                waiting = [*part.parts, *waiting]
        ranges = [self.model.ranges[name.rstrip("!")] for name in names]
        return [(*binding, *zip(names, labels, strict=True)) for labels in product(*ranges)]

    def prepare(self, key: Key) -> None:
        """Set a function with a memory to its start."""
        if key in self.levels or key in self.lags or key in self.held:
            return
        call, binding = self.states[key], self.bindings[key]
        parts = [lambda part=part: self.value(part, binding) for part in call.parts]
        if call.name in {"INITIAL", "REINITIAL"}:
            self.first(call.parts[0], binding)
        elif call.name == "DELAY FIXED":
            lag = parts[1]() / self.step
            self.lags[key] = max(1.0, float(math.floor(lag + 0.5 + SLACK))) if math.isfinite(lag) else math.nan
            self.held[key], self.inputs[key] = parts[2](), []
        elif call.name == "SAMPLE IF TRUE":
            self.held[key] = parts[2]()
        elif call.name == "RANDOM PINK NOISE":
            self.held[key] = parts[0]() + parts[1]() * noise.truncated_normal(self.share(call, binding))
        elif call.name == "INTEG":
            self.levels[key] = [parts[1]()]
        elif call.name == "TREND":
            self.levels[key] = [divide(parts[0](), 1 + parts[2]() * parts[1]())]
        elif call.name == "FORECAST":
            self.levels[key] = [parts[0]()]
        else:
            order = self.order(call)
            start = parts[2 if len(parts) > 2 else 0]()
            start = start * (parts[1]() / order) if call.name.startswith("DELAY") else start
            self.levels[key] = [start] * order

    @staticmethod
    def order(call: Call) -> int:
        if call.name.endswith(" N"):
            order = call.parts[3]
            assert isinstance(order, Number)
            return round(order.value)
        return 3 if "3" in call.name else 1

    def rate(self, key: Key) -> list[float]:
        call, binding, levels = self.states[key], self.bindings[key], self.levels[key]
        value = self.value(call.parts[0], binding)
        if call.name == "INTEG":
            return [value]
        time = self.value(call.parts[1], binding) / self.order(call)
        rates = []
        for level in levels:
            if call.name.startswith("DELAY"):
                out = divide(level, time)
                rates.append(value - out)
                value = out
            else:
                rates.append(divide(value - level, time))
                value = level
        return rates

    def state(self, call: Call, binding: Binding) -> float:
        """The value of a function with a memory."""
        key = id(call), binding
        self.prepare(key)
        if call.name == "SAMPLE IF TRUE":
            chosen = self.value(call.parts[0], binding)
            if not math.isfinite(chosen):
                return math.nan
            return self.value(call.parts[1], binding) if chosen else self.held[key]
        if call.name == "RANDOM PINK NOISE":
            return self.held[key]
        if call.name == "DELAY FIXED":
            lag = self.lags[key]
            if math.isnan(lag):
                return math.nan
            return self.held[key] if self.starting or self.count < lag else self.inputs[key][self.count - int(lag)]
        last = self.levels[key][-1]
        if call.name in {"TREND", "FORECAST"}:
            value, time = (self.value(part, binding) for part in call.parts[:2])
            if call.name == "TREND":
                return EXACT["ZIDZ"](*(value - last, time * abs(last)))
            growth = EXACT["ZIDZ"](*(value - last, time * last))
            return value * (1 + growth * self.value(call.parts[2], binding))
        if call.name.startswith("DELAY"):
            return divide(last, self.value(call.parts[1], binding) / self.order(call))
        return last

    # ---- random numbers

    def share(self, call: Call, binding: Binding, *, further: int = 0) -> float:
        """The uniform number of a call in a cell, and in a term of a sum, at this step."""
        name, _, count = self.places[id(call)].partition("#")
        place = f"{name}#{int(count) + further}[{','.join(label.lower() for _, label in binding)}]"
        stream = self.value(call.parts[-1], binding) if call.parts else 0.0
        return noise.uniform(place, self.count, self.member, int(stream))

    def drawn(self, call: Call, binding: Binding) -> float:
        """The result of a random function."""
        parts, table = call.parts[:-1], None
        if call.name == "RANDOM LOOKUP":
            density, *parts = parts
            table = self.cells[self.named(density, binding)][0].node.points
        values = [self.value(part, binding) for part in parts]
        return noise.draw(call.name, self.share(call, binding), values, table) * (1 + self.nudge * ROUNDING)

    def pinker(self, call: Call, binding: Binding) -> float:
        """Pink noise at the next step: a share of the way towards white noise."""
        mean, deviation, time = (self.value(part, binding) for part in call.parts[:3])
        share = self.step / max(time, self.step)
        size = deviation * math.sqrt((2 - share) / share)
        white = mean + size * noise.truncated_normal(self.share(call, binding, further=1))
        level = self.held[id(call), binding]
        return level + share * (white - level)

    # ---- values

    def is_table(self, cell: Cell) -> bool:
        return isinstance(self.cells[cell][0].node, Table)

    def cell(self, cell: Cell) -> float:
        known = self.at_start if self.starting else self.cache
        if cell not in known:
            equation, binding, index = self.cells[cell]
            if cell in self.constants:
                known[cell] = self.constants[cell]
            elif equation.node is None:
                known[cell] = equation.values[index].value
            else:
                known[cell] = self.value(equation.node, binding)
        return known[cell]

    def named(self, ref: Ref, binding: Binding) -> Cell:
        meaning = dict(binding)
        return ref.name, tuple(meaning.get(subscript, subscript) for subscript in ref.subscripts)

    def value(self, node: Node, binding: Binding) -> float:
        """The value of an expression now, or at the start while that is computed."""
        match node:
            case Number():
                return node.value
            case Ref(name="Time"):
                return self.now
            case Ref(name="TIME STEP"):
                return self.step
            case Ref(name="INITIAL TIME"):
                return self.time(0)
            case Ref():
                return self.cell(self.named(node, binding))
            case Call():
                if node.name in EXACT:
                    return guarded(node.name, EXACT[node.name], tuple(self.value(part, binding) for part in node.parts))
                if node.name in ROUNDED:
                    result = guarded(
                        node.name, ROUNDED[node.name], tuple(self.value(part, binding) for part in node.parts)
                    )
                    return result * (1 + self.nudge * ROUNDING)
                return self.special(node, binding)
        raise TypeError(node)

    def special(self, call: Call, binding: Binding) -> float:
        """A function that does not take the numbers of all its arguments."""
        name, parts = call.name, call.parts
        if name in MEMORIES:
            return self.state(call, binding)
        if name in noise.ARGUMENTS:
            return self.drawn(call, binding)
        if name in REDUCTIONS:
            values = [self.value(parts[0], place) for place in self.inner(call, binding)]
            total = (
                values[0] if len(values) > 1 or name in {"SUM", "PROD"} else guarded(name, EXACT["+"], (values[0], 0.0))
            )
            for value in values[1:]:
                total = guarded(name, REDUCTIONS[name], (total, value))
            return total
        if name == "IF THEN ELSE":
            chosen = self.value(parts[0], binding)
            return self.value(parts[1 if chosen else 2], binding) if math.isfinite(chosen) else math.nan
        if name.startswith("LOOKUP"):
            return self.of_table(call, binding)
        if name == "ELMCOUNT":
            return float(len(self.model.ranges[parts[0].name]))
        if name == "ACTIVE INITIAL":
            return self.value(parts[1 if self.starting else 0], binding)
        if name in {"INITIAL", "REINITIAL"}:
            return self.first(parts[0], binding)
        return guarded(name, self.of_time(name), tuple(self.value(part, binding) for part in parts))

    def of_table(self, call: Call, binding: Binding) -> float:
        """A function of a table, given or by its name."""
        table = call.parts[0]
        if isinstance(table, Ref):
            table = self.cells[self.named(table, binding)][0].node
        values = [self.value(part, binding) for part in call.parts[1:]]
        if not all(map(math.isfinite, values)):
            return math.nan
        if call.name == "LOOKUP AREA":
            return area(table, values[1]) - area(table, values[0])
        return look_up(call.name, table, values[0])

    def first(self, node: Node, binding: Binding) -> float:
        """The value at the start, which is remembered."""
        key = id(node), binding
        if key not in self.held:
            assert self.starting
            self.held[key] = self.value(node, binding)
        return self.held[key]

    # ---- functions of time: they see the time at which the step begins, the manual's "time plus" half a step later

    def of_time(self, name: str) -> Callable[..., float]:
        return {"STEP": self.rise, "RAMP": self.ramp, "PULSE": self.pulse, "PULSE TRAIN": self.train}[name]

    def rise(self, height: float, start: float) -> float:
        return height if self.begun + self.step / 2 > start else 0.0

    def ramp(self, slope: float, start: float, end: float) -> float:
        if self.begun <= start:
            return 0.0
        return slope * (self.begun - start) if self.begun < end else slope * (end - start)

    def pulse(self, start: float, width: float) -> float:
        plus = self.begun + self.step / 2
        return float(start < plus < start + (width if width != 0 else self.step))

    def train(self, start: float, width: float, interval: float, end: float) -> float:
        """Pulses of at least one step, the last begun at `end` or before it."""
        since = self.begun + self.step / 2 - start
        if since < -SLACK * self.step or self.begun - self.step / 2 >= end:
            return 0.0
        if interval == 0:
            return 1.0
        pulses = math.floor((since + SLACK * self.step) / interval)
        return float(since + SLACK * self.step - pulses * interval < max(width, self.step))


MEMORIES = frozenset(
    {
        "INTEG", "SMOOTH", "SMOOTHI", "SMOOTH3", "SMOOTH3I", "SMOOTH N", "DELAY1", "DELAY1I", "DELAY3", "DELAY3I", "DELAY N",
        "DELAY FIXED", "TREND", "FORECAST", "SAMPLE IF TRUE", "RANDOM PINK NOISE",
    }
)  # fmt: skip
"""Functions whose value depends on earlier steps."""
