"""LLVM's assembly language, written line by line; names are numbers, so no text of a model ever gets in."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field


@dataclass
class Function:
    """The body of one function under construction, for `width` members side by side."""

    width: int
    lines: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def number(self) -> str:
        """The type of a number for each member."""
        return numbers(self.width)

    @property
    def truth(self) -> str:
        """The type of a truth value for each member."""
        return "i1" if self.width == 1 else f"<{self.width} x i1>"

    def put(self, instruction: str) -> str:
        """Adds an instruction with a result and returns the result's name."""
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def load(self, row: int) -> str:
        """The numbers in a row of the workspace."""
        where = self.put(f"getelementptr inbounds double, ptr %ws, i64 {row * self.width}")
        return self.put(f"load {self.number}, ptr {where}, align {8 * self.width}")

    def store(self, value: str, row: int) -> None:
        """Puts numbers into a row of the workspace."""
        where = self.put(f"getelementptr inbounds double, ptr %ws, i64 {row * self.width}")
        self.lines.append(f"  store {self.number} {value}, ptr {where}, align {8 * self.width}")

    def constant(self, value: float) -> str:
        """One number, the same for every member."""
        return splat(value, self.width)

    def binary(self, operation: str, left: str, right: str) -> str:
        """An arithmetic instruction on two numbers."""
        return self.put(f"{operation} {self.number} {left}, {right}")

    def compare(self, condition: str, left: str, right: str) -> str:
        """Whether an ordered comparison holds."""
        return self.put(f"fcmp {condition} {self.number} {left}, {right}")

    def choose(self, condition: str, then: str, otherwise: str) -> str:
        """One of two numbers; both are known."""
        return self.put(f"select {self.truth} {condition}, {self.number} {then}, {self.number} {otherwise}")

    def call(self, name: str, *arguments: str) -> str:
        """An elementary function, for each member."""
        return self.put(f"call {self.number} @m_{name}({', '.join(f'{self.number} {each}' for each in arguments)})")

    def spread(self, scalar: str) -> str:
        """One number, known only at run time, for every member."""
        if self.width == 1:
            return scalar
        first = self.put(f"insertelement {self.number} poison, double {scalar}, i64 0")
        zeros = f"<{self.width} x i32> zeroinitializer"
        return self.put(f"shufflevector {self.number} {first}, {self.number} poison, {zeros}")

    def text(self, signature: str, result: str = "ret void") -> str:
        """The finished function."""
        return "\n".join([f"define {signature} {{", *self.lines, f"  {result}", "}", ""])


def numbers(width: int) -> str:
    """The type of one number for each of `width` members."""
    return "double" if width == 1 else f"<{width} x double>"


def literal(value: float) -> str:
    """A number to the last bit, as LLVM reads it."""
    return f"0x{struct.pack('>d', value).hex().upper()}"


def splat(value: float, width: int) -> str:
    """The same number for every member."""
    return literal(value) if width == 1 else f"splat (double {literal(value)})"
