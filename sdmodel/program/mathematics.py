"""Elementary functions for a row of members: glibc's vector library where there is one, the C library elsewhere.

One member alone takes the C library's scalar functions, which are quicker for it; they agree with the
vector library's to the last bits or next to them. Members of an ensemble all take the vector library's, so that their numbers
do not depend on how the ensemble is split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .ir import Function

LIBM: Mapping[str, int] = MappingProxyType(
    {
        "exp": 1,
        "log": 1,
        "pow": 2,
        "sin": 1,
        "cos": 1,
        "tan": 1,
        "asin": 1,
        "acos": 1,
        "atan": 1,
        "sinh": 1,
        "cosh": 1,
        "tanh": 1,
    }
)
"""Functions of the C library, with how many numbers each takes."""

INTRINSICS = ("fabs", "floor", "trunc", "sqrt")
"""Functions that the processor has itself; all are exact."""


@dataclass(frozen=True, slots=True)
class Mathematics:
    """The vector library of this machine: how many members it takes at once and what it calls each function."""

    lanes: int
    vector: Mapping[str, str]

    def text(self, width: int) -> str:
        """Definitions of every elementary function for rows of `width` members."""
        parts = [_intrinsic(name, width) for name in INTRINSICS]
        for name, count in LIBM.items():
            vectorised = width == self.lanes and name in self.vector
            parts.append(self._vector(name, count) if vectorised else _by_member(name, count, width))
        return "\n".join(parts)

    def _vector(self, name: str, count: int) -> str:
        f = Function(self.lanes)
        symbol = self.vector[name]
        declared = f"declare {f.number} @{symbol}({', '.join([f.number] * count)}) nounwind memory(none)"
        arguments = ", ".join(f"{f.number} %a{index}" for index in range(count))
        return f"{declared}\n{_define(f, name, count, f.put(f'call {f.number} @{symbol}({arguments})'))}"


def _define(f: Function, name: str, count: int, result: str) -> str:
    parameters = ", ".join(f"{f.number} %a{index}" for index in range(count))
    head = f"internal {f.number} @m_{name}({parameters}) alwaysinline nounwind"
    return f.text(head, f"ret {f.number} {result}")


def _intrinsic(name: str, width: int) -> str:
    f = Function(width)
    suffix = "f64" if width == 1 else f"v{width}f64"
    result = f.put(f"call {f.number} @llvm.{name}.{suffix}({f.number} %a0)")
    return f"declare {f.number} @llvm.{name}.{suffix}({f.number})\n{_define(f, name, 1, result)}"


def _by_member(name: str, count: int, width: int) -> str:
    """The C library's function for each member in turn."""
    declared = f"declare double @{name}({', '.join(['double'] * count)}) nounwind memory(none)"
    f = Function(width)
    if width == 1:
        result = f.put(f"call double @{name}({', '.join(f'double %a{index}' for index in range(count))})")
        return f"{declared}\n{_define(f, name, count, result)}"
    result = "poison"
    for lane in range(width):
        scalars = [f.put(f"extractelement {f.number} %a{index}, i64 {lane}") for index in range(count)]
        value = f.put(f"call double @{name}({', '.join(f'double {each}' for each in scalars)})")
        result = f.put(f"insertelement {f.number} {result}, double {value}, i64 {lane}")
    return f"{declared}\n{_define(f, name, count, result)}"
