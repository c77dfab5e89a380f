"""Lookups as assembly: the points of each table in memory, and one function per way of looking up and number of points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from string import Template

from ..model import Table
from .ir import Function, literal

UNROLLED = 24
"""Up to this number of points, all are compared without a branch; a longer table is searched for each member."""


@dataclass
class Tables:
    """The tables and lookup functions that a module needs so far, and the numbers of its next parts."""

    width: int
    stored: dict[Table, int] = field(default_factory=dict)
    functions: dict[tuple[str, int], str] = field(default_factory=dict)
    parts: Iterator[int] = field(default_factory=lambda: count(1))

    def write(self, function: Function, way: str, table: Table, x: str) -> str:
        """Write the value of a table at x, for each member."""
        index = self.stored.setdefault(table, len(self.stored))
        points = len(table.points)
        if points == 1:
            return function.constant(table.points[0][1])
        called = self.functions.setdefault((way, points), f"look_{way}_{points}")
        return function.put(f"call {function.number} @{called}({function.number} {x}, ptr @table_{index})")

    def text(self) -> str:
        """The tables and the functions that look up in them."""
        tables = [_stored(index, table) for table, index in self.stored.items()]
        functions = [_lookup(self.width, name, way, points) for (way, points), name in self.functions.items()]
        return "\n".join([*tables, *functions])


def _stored(index: int, table: Table) -> str:
    """The x, y and slopes of a table, one after another; the slope after the last point is 0."""
    points = sorted(table.points, key=lambda point: point[0])
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    slopes = [(ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]) if xs[i + 1] > xs[i] else 0.0 for i in range(len(points) - 1)]
    values = ", ".join(f"double {literal(value)}" for value in (*xs, *ys, *slopes, 0.0))
    return f"@table_{index} = private unnamed_addr constant [{3 * len(points)} x double] [{values}], align 64"


def _lookup(width: int, name: str, way: str, points: int) -> str:
    if width == 1:
        return _scan(name, way, points)
    f = Function(width)
    by_member = points > UNROLLED
    result = f.call_by_member(f"{name}_one", "%x", rest=", ptr %p") if by_member else _compare_all(f, way, points)
    text = f.text(f"internal {f.number} @{name}({f.number} %x, ptr %p) nounwind", f"ret {f.number} {result}")
    return text + (_scan(f"{name}_one", way, points) if by_member else "")


def _point(f: Function, row: str, points: int, index: int) -> str:
    """The x, y or slope of a point, for every member."""
    offset = {"x": 0, "y": points, "slope": 2 * points}[row] + index
    where = f.put(f"getelementptr inbounds double, ptr %p, i64 {offset}")
    return f.spread(f.put(f"load double, ptr {where}"))


def _compare_all(f: Function, way: str, points: int) -> str:
    """Compare every point with x; the last that is not beyond x stays chosen."""
    x = "%x"
    if way in {"forward", "backward"}:
        result = _point(f, "y", points, 0)
        for index in range(1, points):
            edge = _point(f, "x", points, index if way == "backward" else index - 1)
            beyond = f.compare(">=" if way == "backward" else ">", x, edge)
            result = f.choose(beyond, _point(f, "y", points, index), result)
        return result
    if way == "between":
        low, high = _point(f, "x", points, 0), _point(f, "x", points, points - 1)
        x = f.choose(f.compare("<", x, low), low, x)
        x = f.choose(f.compare(">", x, high), high, x)
    x0, y0, slope = (_point(f, row, points, 0) for row in ("x", "y", "slope"))
    for index in range(1, points - 1 if way == "extrapolate" else points):
        px, py, ps = (_point(f, row, points, index) for row in ("x", "y", "slope"))
        beyond = f.compare(">=", x, px)
        x0, y0, slope = (f.choose(beyond, p, c) for p, c in ((px, x0), (py, y0), (ps, slope)))
    return f.binary("+", y0, f.binary("*", f.binary("-", x, x0), slope))


def _scan(name: str, way: str, points: int) -> str:
    """The lookup of one member: a search that halves the table each time, then the same arithmetic."""
    body = _POINT if way in {"forward", "backward"} else _SEGMENT.substitute(count=points)
    edge = ("ogt", -1) if way == "forward" else ("oge", 0)
    search = _search(points - 1 if way == "extrapolate" else points, edge)
    head = _CLAMPED.substitute(last=points - 1) if way == "between" else "  %xc = fadd double %x, 0x8000000000000000"
    return f"""define internal double @{name}(double %x, ptr %p) nounwind {{
entry:
{head}
  %ys = getelementptr inbounds double, ptr %p, i64 {points}
{search}
{body}
}}
"""


_CLAMPED = Template("""\
  %x_first = load double, ptr %p
  %p_last = getelementptr inbounds double, ptr %p, i64 $last
  %x_last = load double, ptr %p_last
  %below = fcmp olt double %x, %x_first
  %xa = select i1 %below, double %x_first, double %x
  %above = fcmp ogt double %xa, %x_last
  %xc = select i1 %above, double %x_last, double %xa""")

_POINT = """\
  %py = getelementptr inbounds double, ptr %ys, i64 %lo
  %y = load double, ptr %py
  ret double %y"""

_SEGMENT = Template("""\
  %px = getelementptr inbounds double, ptr %p, i64 %lo
  %py = getelementptr inbounds double, ptr %ys, i64 %lo
  %ps = getelementptr inbounds double, ptr %py, i64 $count
  %x0 = load double, ptr %px
  %y0 = load double, ptr %py
  %s = load double, ptr %ps
  %dx = fsub double %xc, %x0
  %dy = fmul double %dx, %s
  %y = fadd double %y0, %dy
  ret double %y""")


def _search(last: int, edge: tuple[str, int]) -> str:
    """Find `%lo`, the last index below `last` with an edge that x has reached, by a comparison with a point.

    `edge` is the sign of the comparison, and the distance of the point from the index. A short table becomes a tree of comparisons with branches that the processor learns to predict; a long one becomes a loop.
    """
    if last > UNROLLED:
        return _LOOP.substitute(last=last, sign=edge[0], shift=edge[1])
    lines = [f"  br label %n0_{last}"]
    leaves: list[tuple[int, str]] = []
    _branch(lines, leaves, 0, last, edge)
    return "\n".join([*lines, "at:", f"  %lo = phi i64 {', '.join(f'[ {low}, %{label} ]' for low, label in leaves)}"])


def _branch(lines: list[str], leaves: list[tuple[int, str]], low: int, high: int, edge: tuple[str, int]) -> None:
    """The part of the tree that decides between the indices from `low` up to `high`."""
    label, middle = f"n{low}_{high}", (low + high) // 2
    lines.append(f"{label}:")
    if high - low == 1:
        leaves.append((low, label))
        lines.append("  br label %at")
        return
    sign, shift = edge
    lines += [
        f"  %p_{label} = getelementptr inbounds double, ptr %p, i64 {middle + shift}",
        f"  %x_{label} = load double, ptr %p_{label}",
        f"  %c_{label} = fcmp {sign} double %xc, %x_{label}",
        f"  br i1 %c_{label}, label %n{middle}_{high}, label %n{low}_{middle}",
    ]
    _branch(lines, leaves, low, middle, edge)
    _branch(lines, leaves, middle, high, edge)


_LOOP = Template("""\
  br label %next
next:
  %lo = phi i64 [ 0, %entry ], [ %lo2, %on ]
  %hi = phi i64 [ $last, %entry ], [ %hi2, %on ]
  %gap = sub i64 %hi, %lo
  %more = icmp ugt i64 %gap, 1
  br i1 %more, label %on, label %at
on:
  %half = lshr i64 %gap, 1
  %mid = add i64 %lo, %half
  %edge = add i64 %mid, $shift
  %pm = getelementptr inbounds double, ptr %p, i64 %edge
  %xm = load double, ptr %pm
  %reached = fcmp $sign double %xc, %xm
  %lo2 = select i1 %reached, i64 %mid, i64 %lo
  %hi2 = select i1 %reached, i64 %hi, i64 %mid
  br label %next
at:""")
