"""Random whole models: stocks, flows, auxiliaries, constants, lookups, subscripts, delays and test inputs.

A model reads only what comes before it in its list, or stocks, so that it has no loop at one time. Names begin with a prefix, so that
one file can hold many models.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from model_tree import Call, Equation, Node, Number, Points, Ref, Settings, Table, Whole

ORDINARY = ("0", "1", "2", "0.5", "3.25", "10", "1e-3", "7.", "100", ".75", "1E2", "0.1", "4")
EXTREME = ("0", "-0", "1e-320", "1e308", "-1e308", "1e-7", "-3", "1e154", "5e-324", "0.3")
WORDS = ("price", "wood stock", "rate of change", "Été", "x", "demand", "share", "gap", "pressure 2", "level")


def settings(chance: random.Random) -> Settings:
    """Times and an integrator; TIME STEP has an exact binary value, or divides 1 in decimals."""
    step = chance.choice(("1", "0.5", "0.25", "0.125", "0.1", "0.2", "2"))
    initial = chance.choice(("0", "1990", "-3", "0.5", "2000"))
    every = chance.choice((1, 1, 2, 3))
    count = chance.randint(12, 24) // every * every
    final = float(initial) + count * float(step)
    return Settings(initial, f"{final:.10g}", step, chance.random() < 0.4, every)


def call(name: str, *parts: Node) -> Call:
    return Call(name, parts)


def number(value: float) -> Node:
    """A literal, with a sign before it if it is negative."""
    return call("neg", Number(repr(-value))) if str(value).startswith("-") else Number(repr(value))


@dataclass(slots=True)
class Generator:
    """Makes one model; with `special`, also numbers at the ends of their range and functions outside their domain.

    If it is `noisy`, random functions too.
    """

    chance: random.Random
    prefix: str
    settings: Settings
    special: bool = False
    noisy: bool = False
    whole: Whole = field(init=False, default_factory=Whole)
    known: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    dead_ends: set[str] = field(init=False, default_factory=set)
    serial: int = field(init=False, default=0)
    density: str = field(init=False, default="")

    # ---- the parts of a model

    def model(self) -> Whole:
        """A whole model."""
        chance = self.chance
        for _ in range(chance.choice((0, 1, 1, 2))):
            self.add_range()
        for _ in range(chance.randint(2, 4)):
            self.constant()
        for _ in range(chance.randint(1, 2)):
            self.table()
        if self.noisy:
            self.density = self.name()
            self.whole.equations.append(Equation(self.density, (), Table(((-2.0, 1.0), (1.5, 3.0), (4.0, 0.5)))))
        stocks = [self.name() for _ in range(chance.randint(1, 4))]
        shapes = {name: self.shape() for name in stocks}
        starts = {name: self.start() for name in stocks}
        self.known |= shapes
        lags = [(self.name(), self.start(), self.start()) for _ in range(chance.randint(0, 2))]
        self.known |= {name: () for name, *_ in lags}
        for _ in range(chance.randint(5, 10)):
            self.auxiliary()
        for name in stocks:
            self.define(name, shapes[name], lambda ranges, own=name: self.flow(own, ranges, starts[own]))
        for name, first, second in lags:
            self.define(name, (), lambda _, first=first, second=second: self.lag(first, second))
        return self.whole

    def name(self) -> str:
        self.serial += 1
        plain = f"{self.prefix} {self.chance.choice(WORDS)} {self.serial}"
        return f'"{plain}, in % (a.b)"' if self.chance.random() < 0.1 else plain

    def add_range(self) -> None:
        tag = f"{self.prefix}R{len(self.whole.ranges)}"
        labels = tuple(f"{tag}x{index}" for index in range(self.chance.randint(2, 4)))
        self.whole.ranges[tag] = labels
        if len(labels) > 2:
            self.whole.ranges[f"{tag}part"] = labels[: self.chance.randint(1, len(labels) - 1)]

    def ranges(self) -> list[str]:
        return [name for name in self.whole.ranges if not name.endswith("part")]

    def shape(self) -> tuple[str, ...]:
        ranges = self.ranges()
        count = min(len(ranges), self.chance.choice((0, 0, 1, 1, 2)))
        return tuple(self.chance.sample(ranges, count))

    def literal(self) -> Node:
        chance = self.chance
        if self.special and chance.random() < 0.35:
            text = chance.choice(EXTREME)
            return call("neg", Number(text[1:])) if text.startswith("-") else Number(text)
        if chance.random() < 0.02:
            return Number(chance.choice(("1e-300", "0", "1e100", "3e-7")))
        text = chance.choice(ORDINARY) if chance.random() < 0.7 else f"{chance.uniform(0, 20):.3f}"
        return call("neg", Number(text)) if chance.random() < 0.15 else Number(text)

    def start(self) -> Node:
        """An initial value: a literal, or a scalar from what is known so far."""
        names = [name for name, shape in self.known.items() if not shape]
        return Ref(self.chance.choice(names)) if names and self.chance.random() < 0.5 else self.literal()

    def constant(self) -> None:
        name, shape = self.name(), self.shape()
        self.known[name] = shape
        if not shape:
            self.whole.equations.append(Equation(name, (), self.literal()))
            return
        if len(shape) == 1 and self.chance.random() < 0.6:
            values = tuple(Number(f"{self.chance.uniform(-5, 9):.2f}") for _ in self.whole.ranges[shape[0]])
            self.whole.equations.append(Equation(name, shape, None, (), values))
            return
        self.known.pop(name)
        self.define(name, shape, lambda _: self.literal())
        self.known[name] = shape

    def points(self) -> Points:
        chance = self.chance
        x = round(chance.uniform(-5, 0), 2)
        points = []
        for _ in range(chance.randint(2, 6)):
            points.append((x, round(chance.uniform(-4, 8), 2)))
            x = round(x + chance.uniform(0.1, 4), 2)
        return tuple(points)

    def table(self) -> None:
        name = self.name()
        shape = tuple(self.shape()[:1]) if self.chance.random() < 0.4 else ()
        self.tables[name] = shape
        for labels in self.whole.ranges[shape[0]] if shape else ("",):
            self.whole.equations.append(Equation(name, (labels,) if labels else (), Table(self.points())))

    def define(self, name: str, shape: tuple[str, ...], build: Callable[[tuple[str, ...]], Node]) -> None:
        """Equations that together define all cells: one, one for each label, or one with an exception."""
        chance, equations = self.chance, self.whole.equations
        way = chance.random() if shape else 1.0
        first, rest = shape[:1], shape[1:]
        labels = self.whole.ranges[first[0]] if first else ()
        part = f"{first[0]}part" if first else ""
        if way < 0.2:
            equations += [Equation(name, (label, *rest), build(rest)) for label in labels]
        elif way < 0.4 and part in self.whole.ranges:
            others = [label for label in labels if label not in self.whole.ranges[part]]
            equations.append(Equation(name, (part, *rest), build((part, *rest))))
            equations += [Equation(name, (label, *rest), build(rest)) for label in others]
        elif way < 0.5:
            label = chance.choice(labels)
            equations.append(Equation(name, shape, build(shape), ((label, *rest),)))
            equations.append(Equation(name, (label, *rest), build(rest)))
        else:
            equations.append(Equation(name, shape, build(shape)))

    def auxiliary(self) -> None:
        name, shape = self.name(), self.shape()
        dead_end = []

        def build(ranges: tuple[str, ...]) -> Node:
            if self.chance.random() < 0.35:
                memory = self.memory(ranges)
                dead_end.append(isinstance(memory, Call) and memory.name == "SAMPLE IF TRUE" and self.settings.rk4)
                return memory
            return self.expression(ranges, self.chance.randint(1, 4))

        self.define(name, shape, build)
        if not any(dead_end):  # the manual does not say whether SAMPLE IF TRUE looks inside a step
            self.known[name] = shape

    def flow(self, name: str, ranges: tuple[str, ...], start: Node) -> Node:
        """A stock that moves towards something, is filled by something bounded, or grows a little."""
        own, chance = Ref(name, self.subscripts(self.known[name], ranges)), self.chance
        other = self.expression(ranges, 2)
        rate = chance.choice(
            (
                lambda: call("/", call("-", other, own), Number("8")),
                lambda: call(
                    "-", call("MAX", number(-20.0), call("MIN", Number("20"), other)), call("*", own, Number("0.2"))
                ),
                lambda: call("*", own, number(chance.choice((0.05, -0.1)))),
                lambda: other,
            )
        )()
        return call("INTEG", rate, start)

    def lag(self, first: Node, second: Node) -> Node:
        """A function of the past that may read what comes after it: it closes loops."""
        value, time = (
            self.expression((), 2),
            self.steady_time(),
        )  # a time that is computed could depend on this at the start
        return self.chance.choice(
            (
                call("DELAY FIXED", value, time, first),
                call("SMOOTHI", value, time, second),
                call("DELAY1I", value, time, first),
            )
        )

    # ---- expressions

    def time(self, least: float = 3.0) -> Node:
        """A delay time of some steps."""
        if self.special and self.chance.random() < 0.3:
            return self.expression((), 1)
        steps = self.chance.choice((least, least + 1, least + 2.5, least + 7))
        return Number(repr(steps * float(self.settings.step)))

    def moment(self) -> Node:
        """A time at a step, or between two."""
        step = float(self.settings.step)
        return number(
            round(
                float(self.settings.initial)
                + self.chance.randint(-2, 20) * step
                + self.chance.choice((0, 0, 0.25)) * step,
                6,
            )
        )

    def memory(self, ranges: tuple[str, ...]) -> Node:
        """A function with a memory."""
        chance, value, first = self.chance, self.expression(ranges, 2), self.start()
        name = chance.choice(
            (
                "SMOOTH", "SMOOTHI", "SMOOTH3", "SMOOTH3I", "DELAY1", "DELAY1I", "DELAY3", "DELAY3I", "DELAY FIXED", "TREND",
                "FORECAST", "SAMPLE IF TRUE", "INITIAL", "REINITIAL", "ACTIVE INITIAL", "DELAY N", "SMOOTH N",
            )
        )  # fmt: skip
        if name in {"SMOOTH", "SMOOTH3", "DELAY1", "DELAY3"}:
            return call(name, value, self.time(4))
        if name.endswith("I") or (name.endswith(" N") and self.settings.rk4):
            return call(name if name.endswith("I") else "SMOOTH3I", value, self.time(4), first)
        if name.endswith(" N"):
            return call(name, value, self.steady_time(), first, Number(chance.choice("123")))
        if name == "DELAY FIXED":
            lags = ("0", "-1") if chance.random() < 0.1 else ()
            return call(name, value, Number(lags[0]) if lags else self.time(chance.choice((0.4, 1.0, 2.3, 4.0))), first)
        if name == "TREND":
            return call(
                name, call("+", call("ABS", value), Number("1")), self.time(), number(chance.choice((0.0, 0.1, -0.05)))
            )
        if name == "FORECAST":
            return call(name, call("+", call("ABS", value), Number("1")), self.time(), self.time(1))
        if name == "SAMPLE IF TRUE":
            return call(name, self.condition(ranges, 1), value, first)
        if name == "ACTIVE INITIAL":
            return call(name, value, first)
        return call(name, value)

    def steady_time(self) -> Node:
        return Number(repr(self.chance.choice((4.0, 6.0, 9.5)) * float(self.settings.step)))

    def subscripts(self, shape: tuple[str, ...], ranges: tuple[str, ...]) -> tuple[str, ...]:
        """Subscripts for a variable in an equation over some ranges: its own range, or a label."""
        found = []
        for own in shape:
            same = [name for name in ranges if name in {own, f"{own}part"}]
            found.append(same[0] if same and self.chance.random() < 0.9 else self.chance.choice(self.whole.ranges[own]))
        return tuple(found)

    def reference(self, ranges: tuple[str, ...]) -> Node:
        chance = self.chance
        if not self.known or chance.random() < 0.15:
            return Ref(chance.choice(("Time", "Time", "TIME STEP", "INITIAL TIME")))
        name = chance.choice(list(self.known))
        return Ref(name, self.subscripts(self.known[name], ranges))

    def leaf(self, ranges: tuple[str, ...]) -> Node:
        if self.noisy and self.chance.random() < 0.25:
            return self.noise()
        return self.literal() if self.chance.random() < 0.25 else self.reference(ranges)

    def noise(self) -> Node:
        """A random function with arguments of its domain, in a stream, free or truncated."""
        chance = self.chance
        few = [number(chance.choice((1.5, 2.5, 4.0))) for _ in range(2)]
        low, high = map(number, chance.choice(((-50.0, 900.0), (1.25, 6.5), (2.0, 9.0))))
        shift, stretch = map(number, chance.choice(((0.0, 1.0), (0.5, 2.0), (1.0, 1.0))))
        stream = Number(chance.choice("0017"))
        rest = {
            "RANDOM 0 1": (), "RANDOM UNIFORM": (low, high), "RANDOM NORMAL": (low, high, *few),
            "RANDOM EXPONENTIAL": (low, high, shift, stretch), "RANDOM GAMMA": (low, high, few[0], shift, stretch),
            "RANDOM BETA": (low, number(40.0), *few, number(1.0), number(3.0)), "RANDOM WEIBULL": (low, high, few[0], shift, stretch),
            "RANDOM TRIANGULAR": (low, high, number(-3.0), number(2.5), number(8.0)), "RANDOM POISSON": (low, high, few[0], shift, stretch),
            "RANDOM BINOMIAL": (low, high, number(0.375), number(9.0), shift, stretch),
            "RANDOM NEGATIVE BINOMIAL": (low, number(900.0), number(0.375), number(2.0), shift, stretch),
            "RANDOM LOOKUP": (Ref(self.density), low, high, shift, stretch),
            "RANDOM PINK NOISE": (few[0], number(0.75), self.steady_time()),
        }  # fmt: skip
        name = chance.choice(list(rest))
        return call(name, *rest[name], *([] if name == "RANDOM 0 1" else [stream]))

    def condition(self, ranges: tuple[str, ...], depth: int) -> Node:
        chance, way = self.chance, self.chance.random()
        if depth and way < 0.25:
            return call(
                chance.choice((":AND:", ":OR:")), self.condition(ranges, depth - 1), self.condition(ranges, depth - 1)
            )
        if depth and way < 0.35:
            return call(":NOT:", self.condition(ranges, depth - 1))
        if way < 0.45:
            return self.leaf(ranges)
        if way < 0.6:
            return call("=", call("MODULO", call("INTEGER", self.clock()), Number("3")), Number(chance.choice("012")))
        sign = chance.choice(("<", "<=", ">", ">=", "=", "<>"))
        return call(sign, self.expression(ranges, depth), self.expression(ranges, depth))

    @staticmethod
    def clock() -> Node:
        return call("/", call("-", Ref("Time"), Ref("INITIAL TIME")), Ref("TIME STEP"))

    def expression(self, ranges: tuple[str, ...], depth: int) -> Node:
        """A random expression over some ranges."""
        if depth <= 0:
            return self.leaf(ranges)
        chance = self.chance
        makers = (self.arithmetic, self.function, self.choice, self.lookup, self.of_time, self.reduction)
        return chance.choices(makers, (8, 4, 2, 2, 1, 1))[0](ranges, depth)

    def some(self, ranges: tuple[str, ...], depth: int) -> Node:
        return self.expression(ranges, depth - self.chance.randint(1, 2))

    def arithmetic(self, ranges: tuple[str, ...], depth: int) -> Node:
        x, y = self.some(ranges, depth), self.some(ranges, depth)
        sign = self.chance.choice(("+", "-", "*", "/", "+", "-", "*", "neg", "^"))
        if sign == "neg":
            return call("neg", x)
        if sign == "/" and not self.special:
            y = call("+", Number("2"), call("ABS", y))
        if sign == "^":
            exponent = number(self.chance.choice((2.0, 3.0, 0.5, -1.0, 1.5, 0.0)))
            return call("^", x if self.special else call("+", Number("1"), call("ABS", x)), exponent)
        return call(sign, x, y)

    def function(self, ranges: tuple[str, ...], depth: int) -> Node:
        chance = self.chance
        x, y = self.some(ranges, depth), self.some(ranges, depth)
        size = x if self.special else call("ABS", x)
        return chance.choice(
            (
                lambda: call("ABS", x),
                lambda: call("MIN", x, y),
                lambda: call("MAX", x, y),
                lambda: call("SQRT", size),
                lambda: call("EXP", x if self.special else call("MIN", x, Number("3"))),
                lambda: call("LN", x if self.special else call("+", Number("1"), size)),
                lambda: call("LOG", x if self.special else call("+", Number("1"), size), Number("10")),
                lambda: call(
                    "POWER",
                    x if self.special else call("+", size, Number("0.5")),
                    number(chance.choice((2.0, 0.3, -1.0))),
                ),
                lambda: call(chance.choice(("SIN", "COS", "TANH", "ARCTAN")), x),
                lambda: call(chance.choice(("ARCSIN", "ARCCOS")), x if self.special else call("SIN", x)),
                lambda: call(chance.choice(("SINH", "COSH", "TAN")), x if self.special else call("TANH", x)),
                lambda: call("INTEGER", x),
                lambda: call("MODULO", x, y if self.special else number(chance.choice((3.0, 0.7, -2.0)))),
                lambda: call("QUANTUM", x, y if self.special else number(chance.choice((0.5, 0.0, 3.0)))),
                lambda: call("ZIDZ", x, y),
                lambda: call("XIDZ", x, y, self.literal()),
                lambda: call("GAME", x),
            )
        )()

    def choice(self, ranges: tuple[str, ...], depth: int) -> Node:
        return call(
            "IF THEN ELSE", self.condition(ranges, depth - 1), self.some(ranges, depth), self.some(ranges, depth)
        )

    def lookup(self, ranges: tuple[str, ...], depth: int) -> Node:
        x, way = self.some(ranges, depth), self.chance.random()
        if not self.tables or way < 0.3:
            return call("LOOKUP", Table(self.points()), x)
        name = self.chance.choice(list(self.tables))
        table = Ref(name, self.subscripts(self.tables[name], ranges))
        if way < 0.7:
            return call("LOOKUP", table, x)
        if way < 0.76:
            return call("LOOKUP AREA", table, x, self.literal())
        return call(self.chance.choice(("LOOKUP FORWARD", "LOOKUP BACKWARD", "LOOKUP EXTRAPOLATE")), table, x)

    def of_time(self, ranges: tuple[str, ...], _: int) -> Node:
        chance, step = self.chance, float(self.settings.step)
        width = number(chance.choice((0.0, 1.0, 2.0, 0.4, 3.0)) * step)
        interval = number(chance.choice((2.0, 3.0, 5.0)) * step)
        return chance.choice(
            (
                lambda: call("STEP", self.leaf(ranges), self.moment()),
                lambda: call("RAMP", self.leaf(ranges), self.moment(), self.moment()),
                lambda: call("PULSE", self.moment(), width),
                lambda: call("PULSE TRAIN", self.moment(), width, interval, self.moment()),
            )
        )()

    def reduction(self, ranges: tuple[str, ...], depth: int) -> Node:
        """A sum, product or extreme over one range, or the number of its labels."""
        free = [name for name in self.ranges() if name not in ranges and f"{name}part" not in ranges]
        candidates = [(name, own) for name, shape in self.known.items() for own in shape if own in free]
        if not candidates:
            return self.arithmetic(ranges, depth)
        name, own = self.chance.choice(candidates)
        if self.chance.random() < 0.1:
            return call("ELMCOUNT", Ref(own))
        over = f"{own}part" if f"{own}part" in self.whole.ranges and self.chance.random() < 0.3 else own
        inner = tuple(self.chance.choice(self.over(shape_range, over, own, ranges)) for shape_range in self.known[name])
        term: Node = Ref(name, inner)
        if self.chance.random() < 0.4:
            term = call(self.chance.choice("+-*"), term, self.leaf(ranges))
        return call(self.chance.choice(("SUM", "SUM", "PROD", "VMIN", "VMAX")), term)

    def over(self, shape_range: str, over: str, own: str, ranges: tuple[str, ...]) -> list[str]:
        if shape_range == own:
            return [f"{over}!"]
        return [name for name in ranges if name in {shape_range, f"{shape_range}part"}] or list(
            self.whole.ranges[shape_range]
        )


def models(
    chance: random.Random, count: int, times: Settings, *, special: bool = False, noisy: bool = False
) -> Iterator[Whole]:
    """Models for one file, with names of their own."""
    for index in range(count):
        yield Generator(chance, f"m{index}", times, special, noisy).model()
