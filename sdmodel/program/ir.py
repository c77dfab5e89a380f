"""LLVM assembly, written line by line: functions under construction, and the elementary functions that they call.

Registers have numbers for names, so no text of a model gets into the assembly.

Elementary functions come from the vector library of glibc where there is one, else from the C library. One member alone takes the
scalar functions of the C library, which are quicker for it; they agree with the vector library to the last bits or nearly so. All
members of an ensemble take the vector library, so that their numbers do not depend on how the ensemble is split.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from types import MappingProxyType

LIBM: Mapping[str, int] = MappingProxyType(
    {"exp": 1, "log": 1, "pow": 2}
    | dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"), 1)
)
"""Functions of the C library, with the number of arguments of each."""

_INTRINSICS = MappingProxyType(dict.fromkeys(("fabs", "floor", "trunc", "sqrt"), 1))
"""Functions that the processor has itself, with the number of arguments of each; all are exact."""

_BINARY = MappingProxyType({"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv", "%": "frem"})
_COMPARISONS = MappingProxyType({"=": "oeq", "<>": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"})

_APART = 8
"""This many numbers of a cell are read one by one as quickly as they are collected in registers."""
_MANY = 5
"""A row of as many registers is not unrolled."""
_MOST_AXES = 100
_LOOP_PARAMETERS = "ptr noalias %ws, ptr noalias %to, double %t, double %s, double %h"
LOOP_ARGUMENTS = "ptr %ws, ptr %ws, double %t, double %s, double %h"
"""What a loop over cells takes: the workspace, which it reads, and where it writes; no cell that it writes is one that it reads."""
OPTIONAL = " ; row {}"
"""The mark of an instruction that writes to a row, and that may be left out if nothing reads the row."""


@dataclass
class Function:
    """The body of one function under construction, for `width` members side by side."""

    width: int
    lines: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """The type of one number per member."""
        return numbers(self.width)

    @property
    def boolean(self) -> str:
        """The type of one truth value per member."""
        return "i1" if self.width == 1 else f"<{self.width} x i1>"

    def put(self, instruction: str) -> str:
        """Add an instruction with a result, unless it is there already, and return the register of the result.

        Reading the workspace twice is the same too: nothing in a function changes a row that it has read.
        """
        if instruction not in self.written:
            self.written[instruction] = name = f"%v{len(self.written)}"
            self.lines.append(f"  {name} = {instruction}")
        return self.written[instruction]

    def load(self, row: int) -> str:
        """Read a row of the workspace."""
        where = self.put(f"getelementptr inbounds double, ptr %ws, i64 {row * self.width}")
        return self.put(f"load {self.number}, ptr {where}, align {8 * self.width}")

    def store(self, value: str, row: int, *, optional: bool = False) -> None:
        """Write to a row of the workspace, with a mark if that is `optional`."""
        where = self.put(f"getelementptr inbounds double, ptr %ws, i64 {row * self.width}")
        mark = OPTIONAL.format(row) if optional else ""
        self.lines.append(f"  store {self.number} {value}, ptr {where}, align {8 * self.width}{mark}")

    def constant(self, value: float) -> str:
        """The same number for every member."""
        return splat(value, self.width)

    def binary(self, sign: str, left: str, right: str) -> str:
        """Write `+`, `-`, `*`, `/` or `%` of two numbers."""
        return self.put(f"{_BINARY[sign]} {self.number} {left}, {right}")

    def union(self, left: str, right: str) -> str:
        """Write the bits that are set in either of two numbers: with zero the other number, with nan nan."""
        whole = "i64" if self.width == 1 else f"<{self.width} x i64>"
        bits = [self.put(f"bitcast {self.number} {value} to {whole}") for value in (left, right)]
        return self.put(f"bitcast {whole} {self.put(f'or {whole} {bits[0]}, {bits[1]}')} to {self.number}")

    def negative(self, value: str) -> str:
        """Write the negative of a number."""
        return self.put(f"fneg {self.number} {value}")

    def compare(self, sign: str, left: str, right: str) -> str:
        """Write a comparison, with a truth value as result; with nan only `<>` is true."""
        return self.put(f"fcmp {_COMPARISONS[sign]} {self.number} {left}, {right}")

    def logic(self, word: str, left: str, right: str) -> str:
        """Write `and` or `or` of two truth values."""
        return self.put(f"{word} {self.boolean} {left}, {right}")

    def invert(self, truth: str) -> str:
        """Write the opposite of a truth value."""
        return self.put(f"xor {self.boolean} {truth}, {'true' if self.width == 1 else 'splat (i1 true)'}")

    def choose(self, condition: str, then: str, otherwise: str) -> str:
        """Write a choice between two numbers, both of which are computed."""
        return self.put(f"select {self.boolean} {condition}, {self.number} {then}, {self.number} {otherwise}")

    def call(self, name: str, *arguments: str) -> str:
        """Write a call of an elementary function, for each member."""
        return self.put(f"call {self.number} @m_{name}({', '.join(f'{self.number} {value}' for value in arguments)})")

    def spread(self, scalar: str) -> str:
        """Write the same number, known only at run time, for every member."""
        if self.width == 1:
            return scalar
        first = self.put(f"insertelement {self.number} poison, double {scalar}, i64 0")
        zeros = f"<{self.width} x i32> zeroinitializer"
        return self.put(f"shufflevector {self.number} {first}, {self.number} poison, {zeros}")

    def call_by_member(self, name: str, *values: str, rest: str = "") -> str:
        """Write a call of a function of single numbers for each member in turn; `rest` are arguments that all share."""
        if self.width == 1:
            return self.put(f"call double @{name}({', '.join(f'double {value}' for value in values)}{rest})")
        result = "poison"
        for lane in range(self.width):
            scalars = [self.put(f"extractelement {self.number} {value}, i64 {lane}") for value in values]
            one = self.put(f"call double @{name}({', '.join(f'double {scalar}' for scalar in scalars)}{rest})")
            result = self.put(f"insertelement {self.number} {result}, double {one}, i64 {lane}")
        return result

    def text(self, signature: str, result: str = "ret void") -> str:
        """The finished function."""
        return _define(signature, self.lines, result)


def numbers(width: int) -> str:
    """The type of one number for each of `width` members."""
    return "double" if width == 1 else f"<{width} x double>"


def suffix(width: int) -> str:
    """The ending of the name of an intrinsic function for `width` members."""
    return "f64" if width == 1 else f"v{width}f64"


def literal(value: float) -> str:
    """A number to the last bit, as LLVM reads it."""
    return f"0x{struct.pack('>d', value).hex().upper()}"


def value_of(register: str) -> float | None:
    """The number of an operand that is a literal."""
    _, is_literal, digits = register.rpartition("0x")
    return struct.unpack(">d", bytes.fromhex(digits.rstrip(")")))[0] if is_literal else None


def splat(value: float, width: int) -> str:
    """The same number for every member."""
    return literal(value) if width == 1 else f"splat (double {literal(value)})"


@dataclass(frozen=True, slots=True)
class Mathematics:
    """The vector library of this machine: how many members it takes at a time, and its name for each function.

    `fused` processors multiply and add with one rounding, and `picks` those that can pick eight numbers from registers by index.
    """

    lanes: int
    vector: Mapping[str, str]
    fused: bool = False
    picks: bool = False

    def text(self, width: int) -> str:
        """Definitions of every elementary function for rows of `width` members."""
        functions = [self._definition(name, count, width) for name, count in (_INTRINSICS | LIBM).items()]
        return "\n".join([*functions, _division_text(width)] if self.fused else functions)

    def _definition(self, name: str, count: int, width: int) -> str:
        """An intrinsic function, that of the vector library, or that of the C library for each member in turn."""
        f = Function(width)
        arguments = [f"%a{index}" for index in range(count)]
        if name in _INTRINSICS:
            symbol, kind, attributes = f"llvm.{name}.{suffix(width)}", f.number, ""
        elif width == self.lanes and name in self.vector:
            symbol, kind, attributes = self.vector[name], f.number, " nounwind memory(none)"
        else:
            symbol, kind, attributes = name, "double", " nounwind memory(none)"
        if kind == f.number:
            result = f.put(f"call {kind} @{symbol}({', '.join(f'{kind} {argument}' for argument in arguments)})")
        else:
            result = f.call_by_member(name, *arguments)
        head = f"internal {f.number} @m_{name}({', '.join(f'{f.number} {argument}' for argument in arguments)})"
        declared = f"declare {kind} @{symbol}({', '.join([kind] * count)}){attributes}"
        return f"{declared}\n{f.text(f'{head} alwaysinline nounwind', f'ret {f.number} {result}')}"


_DIVISION = Template("""
declare $T @llvm.fma.$S($T, $T, $T)

; a / b to the last bit, where y is the reciprocal of b to the last bit, or nan if b is beyond DIVISORS
define internal $T @m_divide($T %a, $T %b, $T %y) nounwind alwaysinline {
entry:
  %about = fmul $T %a, %y
  %minus_b = fneg $T %b
  %rest = call $T @llvm.fma.$S($T %minus_b, $T %about, $T %a)
  %quotient = call $T @llvm.fma.$S($T %rest, $T %y, $T %about)
  %bits = bitcast $T %quotient to $I
  %unsigned = shl $I %bits, $one
  %beyond = sub $I %unsigned, $least
  %bad = icmp ugt $I %beyond, $range
  $any
  br i1 %some, label %divide, label %done, !prof !{!"branch_weights", i32 1, i32 1000}
divide:
  %divided = fdiv $T %a, %b
  br label %done
done:
  %result = phi $T [ %quotient, %entry ], [ %divided, %divide ]
  ret $T %result
}
""")
"""Division by a number whose reciprocal is known, by Markstein's algorithm.

Proof that the result is the rounded quotient, for a, b > 0; signs do not matter. Let u = 2^-53. Scale a and b by powers of two to
[1, 2), which nothing depends on as long as nothing overflows or underflows. Then q = a/b is in (1/2, 2), |y - 1/b| <= u/2, and
`about` is on the grid of numbers around q, of spacing g = 2u for q >= 1, else u. Its error e is at most g/2 + a u/2, which is below
g for q >= 1, and below 3g/2 - 2u^2 or so otherwise, since a < b <= 2 - 2u. `rest` is b (q - about), a multiple R of 2ug. With b = 2uB,
B a whole number below 2^53, (q - about)/g = R/B, and the computed sum is about + g (R/B)(1 + t), |t| <= B u^2.

(1) If |R| <= B, `rest` is exact. q is never midway between two numbers of the grid, so |R| differs from B/2 by at least 1/2, and R/B
from 1/2 by at least 1/(2B), while (R/B) t is at most (B + 1)/2B * B u^2 = (B + 1) u^2/2 near that, which is less, as B (B + 1) < u^-2.
So the sum and q are on the same side of the midpoint, and round to the same number. (For a = b, `about` may be 1 - u, between the
numbers of the grid; the sum still rounds to 1.)
(2) If |R| > B, then q < 1, and the sum must stay within 3g/2 of `about`. It is at most (1/2 + a/2)(1 + B u^2) + u for the rounding of
`rest`, in units of g, which is below 3/2 unless a > 2 - 5u, that is for (a, b) = (2 - 4u, 2 - 2u) alone, for which the tests show it.

A quotient with a size from 2^-450 to 2^500, and b from 2^-500 to 2^500, keep all of that far from overflow and underflow. Any other
quotient, also zero, infinity and nan, is divided.
"""

DIVISORS = (2.0**-500, 2.0**500)
"""The sizes of divisors that are replaced by their reciprocals."""


def _division_text(width: int) -> str:
    """Division by a number whose reciprocal is known."""
    least, most = (2 * int.from_bytes(struct.pack(">d", bound), "big") for bound in (2.0**-450, 2.0**500))
    whole = "i64" if width == 1 else f"<{width} x i64>"
    values = {"one": 1, "least": least, "range": most - least}
    bits = f"%mask = bitcast <{width} x i1> %bad to i{width}\n  %some = icmp ne i{width} %mask, 0"
    return _DIVISION.substitute(
        {name: value if width == 1 else f"splat (i64 {value})" for name, value in values.items()},
        T=numbers(width),
        I=whole,
        S=suffix(width),
        any="%some = or i1 %bad, false" if width == 1 else bits,
    )


def loop_text(
    name: str,
    axes: Sequence[tuple[int, int]],
    entry: Sequence[str],
    body: Sequence[str],
    lanes: int,
    apart: int = 0,
    odd: str = "",
) -> str:
    """A function with loops over some axes, each with its length, within each other; `entry` is what comes before them.

    If `odd` is a type of numbers, the body keeps one at `%odd`, which is zero at first, and the function returns the last.

    LLVM unrolls a short innermost loop. If the row fills registers of `lanes` numbers, it must fill them from the row then, and
    not from several rows, whose numbers are not next to each other. Cells of which many numbers are `apart` from those of the next
    cell are computed one by one, unless divisions are worth more.
    """
    *outer, (last, length) = axes
    single = set[int]()  # axes along which LLVM must not compute cells together
    if outer and 1 < lanes <= length < _MANY * lanes:
        single.add(outer[-1][0])
    if lanes > 1 and apart >= max(_APART, 2 * sum("fdiv" in line for line in body)):
        single.add(last)
    nodes = {axis: _MOST_AXES * int(name.rpartition("_")[2]) + axis for axis in single}
    remarks = [
        f'!{node} = distinct !{{!{node}, !{{!"llvm.loop.vectorize.enable", i1 false}}}}\n' for node in nodes.values()
    ]
    lines = [*body]
    for axis, count in reversed(axes):
        lines = _loop(f"%k{axis}", count, lines, f", !llvm.loop !{nodes[axis]}" if axis in nodes else "")
    before = [f"  %odd = alloca {odd}", f"  store {odd} zeroinitializer, ptr %odd"] if odd else []
    after = [f"  %last = load {odd}, ptr %odd"] if odd else []
    head = f"internal {odd or 'void'} @{name}({_LOOP_PARAMETERS}) nounwind noinline"
    whole = ["entry:", *before, *entry, *lines, *after]
    return "".join(remarks) + _define(head, whole, f"ret {odd} %last" if odd else "ret void")


def _loop(counter: str, length: int, body: Sequence[str], remark: str) -> list[str]:
    """A loop in which a register counts from 0; the remark is for LLVM."""
    label = counter[1:]
    return [
        f"  br label %{label}_begin",
        f"{label}_begin:",
        f"  br label %{label}_body",
        f"{label}_body:",
        f"  {counter} = phi i64 [ 0, %{label}_begin ], [ {counter}_next, %{label}_last ]",
        *body,
        f"  br label %{label}_last",
        f"{label}_last:",
        f"  {counter}_next = add i64 {counter}, 1",
        f"  {counter}_more = icmp ult i64 {counter}_next, {length}",
        f"  br i1 {counter}_more, label %{label}_body, label %{label}_end{remark}",
        f"{label}_end:",
    ]


def _define(signature: str, lines: Sequence[str], result: str = "ret void") -> str:
    return "\n".join([f"define {signature} {{", *lines, f"  {result}", "}", ""])
