"""Whole models as plain trees, and their text for Vensim.

Nothing here comes from the package: the trees, the text and the interpreter are a second reading of Vensim's manual.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Number:
    """A literal, with the digits that the file shows."""

    text: str

    @property
    def value(self) -> float:
        return float(self.text)


@dataclass(frozen=True, eq=False, slots=True)
class Ref:
    """A variable; a subscript is a label, a range, or a range with `!`."""

    name: str
    subscripts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """The points of a lookup."""

    points: Points


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """An operator or function; `name` is as Vensim writes it, and `neg` is the sign before a number."""

    name: str
    parts: tuple[Node, ...]


Node = Number | Ref | Table | Call


@dataclass(frozen=True, eq=False, slots=True)
class Equation:
    """What one block of a file says: `values` are the numbers of a constant with labels, in the order of the labels."""

    name: str
    subscripts: tuple[str, ...]
    node: Node | None
    exceptions: tuple[tuple[str, ...], ...] = ()
    values: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The times of a run, as the file shows them, the integrator, and how many steps lie between saved times."""

    initial: str
    final: str
    step: str
    rk4: bool
    every: int = 1


@dataclass(slots=True)
class Whole:
    """A whole model."""

    ranges: dict[str, tuple[str, ...]] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)


INFIX = {
    ":OR:": 1,
    ":AND:": 2,
    "=": 4,
    "<>": 4,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "^": 8,
}
"""How tightly each operator binds."""
NOT, SIGN, ATOM = 3, 7, 9


def walk(node: Node) -> Iterator[Node]:
    """A tree and all trees in it."""
    yield node
    if isinstance(node, Call):
        for part in node.parts:
            yield from walk(part)


@dataclass(slots=True)
class Writer:
    """Writes models with few or many brackets, blanks and capitals, as people do."""

    chance: random.Random

    def model(self, whole: Whole, settings: Settings) -> str:
        """The text of a complete file."""
        blocks = [f"{name}: {', '.join(labels)} ~~|" for name, labels in whole.ranges.items()]
        equations = [self.equation(equation) for equation in whole.equations]
        self.chance.shuffle(equations)
        control = {
            "FINAL TIME": settings.final,
            "INITIAL TIME": settings.initial,
            "SAVEPER": "TIME STEP" if settings.every == 1 else f"{settings.every}*TIME STEP",
            "TIME STEP": settings.step,
        }
        blocks += equations + [f"{name} = {value}\n\t~\tMonth\n\t~\t\n\t|" for name, value in control.items()]
        sketch = "\\\\\\---/// Sketch information - do not modify anything except names\nV300  Do not put anything below\n*View 1\n"
        method = 5 if settings.rk4 else 0
        ending = f"///---\\\\\\\n:L\x7f<%^E!@\n15:0,0,0,{method},0,0\n"
        return "{UTF-8}\n" + "\n\n".join(blocks) + "\n\n" + sketch + ending

    def equation(self, equation: Equation) -> str:
        """One block."""
        head = equation.name + self.labels(equation.subscripts)
        if equation.exceptions:
            head += " :EXCEPT: " + ", ".join(map(self.labels, equation.exceptions))
        if isinstance(equation.node, Table):
            body = f"({self.points(equation.node.points)})"
        elif equation.node is not None:
            body = " = " + self.node(equation.node, 0)
        else:
            body = " = " + ", ".join(number.text for number in equation.values)
        return self.chance.choice(
            ("{0} ~ ~ |", "{0}\n\t~\tDmnl [-5,5]\n\t~\tA comment, {{with}} signs: = 1.\n\t|", "{0} ~~|")
        ).format(head + body)

    @staticmethod
    def labels(subscripts: tuple[str, ...]) -> str:
        """Subscripts in brackets, if there are any."""
        return f"[{','.join(subscripts)}]" if subscripts else ""

    @staticmethod
    def points(points: Points) -> str:
        """The points of a lookup."""
        return ", ".join(f"({x!r},{y!r})" for x, y in points)

    def name(self, name: str) -> str:
        """A name, with other capitals or blanks that mean the same."""
        if self.chance.random() < 0.8:
            return name
        changed = name.upper() if self.chance.random() < 0.5 else name.replace(" ", "_")
        return changed if not name.startswith('"') else name

    def node(self, node: Node, level: int) -> str:
        """An expression where operators looser than `level` need brackets."""
        match node:
            case Number():
                return node.text
            case Ref():
                return self.name(node.name) + self.labels(node.subscripts)
            case Table():
                return f"({self.points(node.points)})"
        own, text = self.call(node)
        brackets = own < level or (own < ATOM and self.chance.random() < 0.08)
        return f"({text})" if brackets else text

    def call(self, node: Call) -> tuple[int, str]:
        """How tightly a call binds, and its text."""
        name, parts = node.name, node.parts
        blank = (
            self.chance.choice(("", " "))
            if self.chance.random() < 0.95
            else self.chance.choice((" {why} ", " \\\n\t\t"))
        )
        if name in INFIX:
            own = INFIX[name]
            # comparisons do not chain, powers group to the right, and a sign may follow an operator
            left, right = (own + 1, own + 1) if own == 4 else (ATOM, SIGN) if name == "^" else (own, own + 1)
            return own, f"{self.node(parts[0], left)}{blank}{name}{blank}{self.node(parts[1], right)}"
        if name == ":NOT:":
            return NOT, f":NOT: {self.node(parts[0], NOT)}"
        if name == "neg":
            return SIGN, f"- {self.node(parts[0], SIGN)}" if blank else f"-{self.node(parts[0], SIGN + 1)}"
        if name == "LOOKUP":
            table, x = parts
            if isinstance(table, Table):
                return ATOM, f"WITH LOOKUP({self.node(x, 0)}, {self.node(table, 0)})"
            return ATOM, f"{self.node(table, 0)}({self.node(x, 0)})"
        shown = name.title() if self.chance.random() < 0.1 else name
        return ATOM, f"{shown}{blank}({f',{blank}'.join(self.node(part, 0) for part in parts)})"
