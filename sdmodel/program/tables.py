"""Lookups as assembly: the points of each table in memory, and one function per way of looking up and shape of table.

One member alone remembers the segment that each lookup used last, and mostly stays there: two comparisons and one line. Members side
by side would need a segment each. Where points are spaced evenly, or nearly so, the number of the point before x follows from x: one
multiplication gives that point or the next, and a comparison decides. Elsewhere it is searched for by halves, without a branch. The
rows of a short table are in registers, where the processor has an instruction that picks a number for each member.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from string import Template
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..model import Table, UnequalError
from .arrays import Routines
from .ir import Function, Mathematics, literal, suffix

UNROLLED = 24
"""Up to this number of points, the search for one member alone is a tree of comparisons; a longer table takes a loop."""

_INLINED = 2000
"""Lookups are inlined if there are at most this many, which the compiler handles in a second; as many remember."""

_IN_REGISTERS = 32
"""Up to this number of points, a row of a table is in registers where the processor can pick from those."""

_UNEVEN = 0.4
"""The most that points may be off an even row, in distances between them: below a half, rounding finds the point or the next."""

_ROUNDING = 1.5 * 2.0**52
"""The sum of this number and a small one has the whole number nearest to the small one in its lowest bits."""

_LENGTH = 8
"""Rows of a table are filled up to this length or a larger power of two, so that the lowest bits of any number are an index."""

_HEAD = 8
"""The numbers before the rows of a table: its first and last x, and the number of points per unit of x."""


_PLACE = 5
"""The numbers that a lookup of one member remembers: the x at which a segment of the table begins and ends, and its line."""

_SEGMENTS = MappingProxyType({"between": ("olt", 0), "extrapolate": ("false", -1), "backward": ("false", 0)})
"""The ways to look up that remember: how an x before all points compares with the first, where the line is level there, and how many
fewer segments than points there are."""


@dataclass(frozen=True, slots=True)
class TableChoice:
    """The tables of the cells of a loop, and the register with the place of the table of a cell among them."""

    tables: tuple[Table, ...]
    place: str

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """What a function asks for that must know its table while it is written; raises UnequalError."""
        raise UnequalError


@dataclass
class Tables:
    """The tables, lookup functions and routines that a module needs so far, which rows it reads, and the numbers of its next parts."""

    width: int
    mathematics: Mathematics
    routines: Routines
    stored: dict[Table, tuple[int, bool]] = field(default_factory=dict)
    remembered: int = 0
    functions: dict[tuple[str, int, bool], str] = field(default_factory=dict)
    choices: dict[tuple[int, ...], str] = field(default_factory=dict)
    calls: int = 0
    parts: Iterator[int] = field(default_factory=lambda: count(1))
    read: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        """Let routines look up in the tables; no row is read yet."""
        self.routines.search = self.write
        self.read = np.zeros(self.routines.layout.rows, dtype=bool)

    def write(self, function: Function, way: str, table: Table, x: str) -> str:
        """Write the value of a table at x, for each member."""
        points = len(table.points)
        if points == 1:
            return function.constant(table.points[0][1])
        index, even = self._store(table)
        return self._call(function, (way, points, even), x, f"@table_{index}")

    def write_choice(self, function: Function, way: str, choice: TableChoice, x: str) -> str:
        """Write the value at x of the table of a cell; shorter tables repeat their last point, which changes no value within."""
        points = max(2, *(len(table.points) for table in choice.tables))
        if way == "extrapolate" and any(len(table.points) < points for table in choice.tables):
            raise UnequalError
        stored = [self._store(_lengthened(table, points)) for table in choice.tables]
        listed = tuple(index for index, _ in stored)
        name = self.choices.setdefault(listed, f"@choice_{len(self.choices)}")
        where = function.put(f"getelementptr inbounds ptr, ptr {name}, i64 {choice.place}")
        table = function.put(f"load ptr, ptr {where}")
        return self._call(function, (way, points, all(even for _, even in stored)), x, table)

    def _store(self, table: Table) -> tuple[int, bool]:
        if table not in self.stored:
            self.stored[table] = len(self.stored), self.width > 1 and _is_even(table.by_x)
        return self.stored[table]

    def _call(self, function: Function, shape: tuple[str, int, bool], x: str, table: str) -> str:
        way, points, even = shape
        called = self.functions.setdefault(shape, f"look_{way}_{points}{'_even' if even else ''}")
        self.calls += 1
        return function.put(f"call {function.number} @{called}({function.number} {x}, ptr {table})")

    def remember(self, function: Function, way: str, table: Table, x: str) -> tuple[str, bool]:
        """Write the value of a table at x for one member, in a function with `%places`; whether it is nan where x is not finite.

        It is taken from the segment that this lookup used the last time, if x is still there.
        """
        points = len(table.points)
        if points == 1 or way not in _SEGMENTS or self.remembered >= _INLINED:
            return self.write(function, way, table, x), False
        index, _ = self.stored.setdefault(table, (len(self.stored), False))
        place = function.put(f"getelementptr inbounds double, ptr %places, i64 {_PLACE * self.remembered}")
        self.remembered += 1
        sizes = f"i64 {points}, i64 {_length(points)}"
        return function.put(
            f"call double @at_{way}(double {x}, ptr @table_{index}, {sizes}, ptr {place})"
        ), way == "between"

    @property
    def places(self) -> int:
        """How many numbers all lookups remember, at `%places`."""
        return _PLACE * self.remembered

    def text(self) -> str:
        """The tables and the functions that look up in them."""
        attributes = "nounwind alwaysinline" if self.width > 1 and self.calls <= _INLINED else "nounwind"
        tables = [_stored(index, table) for table, (index, _) in self.stored.items()]
        functions = [self._lookup(name, shape, attributes) for shape, name in self.functions.items()]
        functions += [_remembering(way) for way in (_SEGMENTS if self.remembered else ())]
        choices = [
            f"{name} = private unnamed_addr constant [{len(own)} x ptr] [{', '.join(f'ptr @table_{index}' for index in own)}]"
            for own, name in self.choices.items()
        ]
        return "\n".join([*tables, *choices, *_declared(self.width), *functions, self.routines.text()])

    def _lookup(self, name: str, shape: tuple[str, int, bool], attributes: str) -> str:
        way, points, even = shape
        if self.width == 1:
            return _scan(name, way, points, attributes)
        f = Function(self.width)
        rows = _Rows(f, points, self.mathematics.picks and self.width == _LENGTH and points <= _IN_REGISTERS)
        value = _direct(rows, way) if even else _search_all(rows, way)
        return f.text(f"internal {f.number} @{name}({f.number} %x, ptr %p) {attributes}", f"ret {f.number} {value}")


def _lengthened(table: Table, points: int) -> Table:
    """The table with its last point repeated."""
    ordered = table.by_x
    return Table([*ordered, *ordered[-1:] * (points - len(ordered))]) if len(ordered) < points else table


def _density(points: Sequence[tuple[float, float]]) -> float:
    """The number of points per unit of x, or 0 for points of which nothing can be said."""
    length = points[-1][0] - points[0][0]
    return (len(points) - 1) / length if length > 0 else 0.0


def _is_even(points: Sequence[tuple[float, float]]) -> bool:
    """Whether every point is near its place in an even row."""
    density = _density(points)
    return 0 < density < float("inf") and all(
        abs((x - points[0][0]) * density - index) <= _UNEVEN for index, (x, _) in enumerate(points)
    )


def _length(points: int) -> int:
    """The length of the rows of a table."""
    return max(_LENGTH, 1 << (points - 1).bit_length())


def _stored(index: int, table: Table) -> str:
    """The head of a table and its rows: x, y and slopes; the slope after the last point is 0."""
    points = table.by_x
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    slopes = [(ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]) if xs[i + 1] > xs[i] else 0.0 for i in range(len(points) - 1)]
    head = [xs[0], xs[-1], _density(points)]
    blank = _length(len(points)) - len(points)
    numbers = [*head, *[0.0] * (_HEAD - len(head)), *xs, *[float("inf")] * blank, *ys, *[0.0] * blank]
    values = ", ".join(f"double {literal(value)}" for value in (*numbers, *slopes, *[0.0] * (blank + 1)))
    count = _HEAD + 3 * _length(len(points))
    return f"@table_{index} = private unnamed_addr constant [{count} x double] [{values}], align 64"


@dataclass
class _Rows:
    """The numbers of a table at `%p`, and instructions that pick one for each member, by its index."""

    f: Function
    points: int
    in_registers: bool

    @property
    def length(self) -> int:
        """The length of a row."""
        return _length(self.points)

    @property
    def index(self) -> str:
        """The type of one index per member."""
        return "i64" if self.f.width == 1 else f"<{self.f.width} x i64>"

    def whole(self, value: int) -> str:
        """The same index for every member."""
        return str(value) if self.f.width == 1 else f"splat (i64 {value})"

    def head(self, place: int) -> str:
        """A number from the head of the table, for every member."""
        where = self.f.put(f"getelementptr inbounds double, ptr %p, i64 {place}")
        return self.f.spread(self.f.put(f"load double, ptr {where}"))

    def pick(self, row: str, index: str, shift: int = 0) -> str:
        """The number of a row at an index, or `shift` places from it; only the lowest bits of an index count."""
        f, begin = self.f, _HEAD + {"x": 0, "y": 1, "slope": 2}[row] * self.length + shift
        if self.in_registers:
            parts = []
            for place in range(begin, begin + self.length, _LENGTH):
                where = f.put(f"getelementptr inbounds double, ptr %p, i64 {place}")
                parts.append(f.put(f"load {f.number}, ptr {where}, align 8"))
            return self._permute(parts, index)
        low = f.put(f"and {self.index} {index}, {self.whole(self.length - 1)}")
        row_at = f.put(f"getelementptr inbounds double, ptr %p, i64 {begin}")
        if f.width < _LENGTH:  # quicker than an instruction that reads several places, and the indices are taken once
            return self._load_by_member(row_at, low)
        where = f.put(f"getelementptr inbounds double, ptr {row_at}, {self.index} {low}")
        every = f"<{f.width} x i1> splat (i1 true), {f.number} poison"
        return f.put(f"call {f.number} {_GATHER.substitute(W=f.width)}(<{f.width} x ptr> {where}, i32 8, {every})")

    def _load_by_member(self, row_at: str, index: str) -> str:
        """Load the number of each member by itself."""
        result = "poison"
        for lane in range(self.f.width):
            place = self.f.put(f"extractelement {self.index} {index}, i64 {lane}")
            where = self.f.put(f"getelementptr inbounds double, ptr {row_at}, i64 {place}")
            one = self.f.put(f"load double, ptr {where}")
            result = self.f.put(f"insertelement {self.f.number} {result}, double {one}, i64 {lane}")
        return result

    def _permute(self, parts: list[str], index: str) -> str:
        """Pick from one register or from two; of four, a bit of the index says from which two."""
        f = self.f
        if len(parts) == 1:
            return f.put(f"call {f.number} {_PICK_ONE}({f.number} {parts[0]}, {self.index} {index})")
        picked = [
            f.put(f"call {f.number} {_PICK_TWO}({f.number} {one}, {self.index} {index}, {f.number} {two})")
            for one, two in zip(parts[::2], parts[1::2], strict=True)
        ]
        if len(picked) == 1:
            return picked[0]
        bit = f.put(f"and {self.index} {index}, {self.whole(2 * _LENGTH)}")
        return f.choose(f.put(f"icmp ne {self.index} {bit}, {self.whole(0)}"), picked[1], picked[0])

    def limit(self, index: str, last: int) -> str:
        """The index, at most the last; of the index only the lowest bits count."""
        low = self.f.put(f"and {self.index} {index}, {self.whole(self.length - 1)}")
        return self.either(self.f.put(f"icmp ult {self.index} {low}, {self.whole(last)}"), low, self.whole(last))

    def move(self, condition: str, index: str, by: int) -> str:
        """The index, moved where a condition holds."""
        moved = self.f.put(f"add {self.index} {index}, {self.whole(by)}")
        return self.either(condition, moved, index)

    def either(self, condition: str, then: str, otherwise: str) -> str:
        """One of two indices."""
        return self.f.put(f"select {self.f.boolean} {condition}, {self.index} {then}, {self.index} {otherwise}")


def _direct(rows: _Rows, way: str) -> str:
    """A lookup in an even row: round to the nearest point, which is the one that is wanted, or the one beside it."""
    f = rows.f
    first, x = rows.head(0), _clamp(rows)
    places = f.binary("-", x, first)
    kind = f.number
    near = f.put(
        f"call {kind} {_FUSE.substitute(S=suffix(f.width))}({kind} {places}, {kind} {rows.head(2)}, {kind} {f.constant(_ROUNDING)})"
    )
    index = f.put(f"bitcast {kind} {near} to {rows.index}")
    point = rows.pick("x", index)
    if way == "forward":
        return rows.pick("y", rows.move(f.compare(">", x, point), index, 1))
    index = rows.either(f.compare(">=", x, point), index, f.put(f"add {rows.index} {index}, {rows.whole(-1)}"))
    return _value(rows, way, index, x)


def _search_all(rows: _Rows, way: str) -> str:
    """A lookup for members side by side: halve the row for each at the same time."""
    f, x = rows.f, "%x"
    if way == "between":
        x = _clamp(rows)
    sign, shift = (">", -1) if way == "forward" else (">=", 0)
    index, step = rows.whole(0), rows.length // 2
    while step:
        further = f.put(f"or {rows.index} {index}, {rows.whole(step)}")
        index = rows.either(f.compare(sign, x, rows.pick("x", further, shift)), further, index)
        step //= 2
    return rows.pick("y", rows.limit(index, rows.points - 1)) if way == "forward" else _value(rows, way, index, x)


def _clamp(rows: _Rows) -> str:
    """The x of each member, or the end of the table that it is beyond."""
    f, first, last = rows.f, rows.head(0), rows.head(1)
    x = f.choose(f.compare("<", "%x", first), first, "%x")
    return f.choose(f.compare(">", x, last), last, x)


def _value(rows: _Rows, way: str, index: str, x: str) -> str:
    """The value at x, from the point before it."""
    f = rows.f
    if way != "between":
        last, x = rows.points - (2 if way == "extrapolate" else 1), "%x"
        index = rows.limit(index, last)
    if way == "backward":
        return rows.pick("y", index)
    change = f.binary("*", f.binary("-", x, rows.pick("x", index)), rows.pick("slope", index))
    return f.binary("+", rows.pick("y", index), change)


_PICK_ONE = "@llvm.x86.avx512.permvar.df.512"
_PICK_TWO = "@llvm.x86.avx512.vpermi2var.pd.512"
_GATHER = Template("@llvm.masked.gather.v${W}f64.v${W}p0")
_FUSE = Template("@llvm.fmuladd.$S")


def _declared(width: int) -> list[str]:
    """The declarations of what lookups call."""
    kind = Function(width).number
    found = [f"declare {kind} {_FUSE.substitute(S=suffix(width))}({kind}, {kind}, {kind})"]
    if width > 1:
        found.append(f"declare {kind} {_GATHER.substitute(W=width)}(<{width} x ptr>, i32, <{width} x i1>, {kind})")
    if width == _LENGTH:
        index = f"<{width} x i64>"
        found.append(f"declare {kind} {_PICK_ONE}({kind}, {index})")
        found.append(f"declare {kind} {_PICK_TWO}({kind}, {index}, {kind})")
    return found


def _scan(name: str, way: str, points: int, attributes: str) -> str:
    """The lookup of one member: a search that halves the table each time, then the same arithmetic."""
    body = _POINT if way in {"forward", "backward"} else _SEGMENT.substitute(count=_length(points))
    edge = ("ogt", -1) if way == "forward" else ("oge", 0)
    search = _search(points - 1 if way == "extrapolate" else points, edge)
    head = _CLAMPED.substitute(last=points - 1) if way == "between" else "  %xc = fadd double %x, 0x8000000000000000"
    return f"""define internal double @{name}(double %x, ptr %table) {attributes} {{
entry:
  %p = getelementptr inbounds double, ptr %table, i64 {_HEAD}
{head}
  %ys = getelementptr inbounds double, ptr %p, i64 {_length(points)}
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


def _remembering(way: str) -> str:
    """A lookup that first tries the segment that it remembers at `%place`."""
    below, fewer = _SEGMENTS[way]
    value = _LEVEL if way == "backward" else _LINE
    return _REMEMBERED.substitute(
        way=way,
        below=below,
        fewer=fewer,
        open="or i1 %below, false" if way == "between" else "icmp eq i64 %lo, 0",
        head=_HEAD,
        value=value,
    )


_LEVEL = "%y = fadd double %y0, 0x8000000000000000"

_LINE = """\
%p_x0 = getelementptr inbounds double, ptr %place, i64 2
  %p_slope = getelementptr inbounds double, ptr %place, i64 4
  %x0 = load double, ptr %p_x0
  %slope = load double, ptr %p_slope
  %dx = fsub double %x, %x0
  %dy = fmul double %dx, %slope
  %y = fadd double %y0, %dy"""

_REMEMBERED = Template("""\
; x mostly stays between the same two points from step to step; what is not finite gives nan by the arithmetic of a level line
define internal double @at_$way(double %x, ptr %table, i64 %points, i64 %length, ptr %place) nounwind alwaysinline {
entry:
  %p_high = getelementptr inbounds double, ptr %place, i64 1
  %low = load double, ptr %place
  %high = load double, ptr %p_high
  %after = fcmp oge double %x, %low
  %before = fcmp olt double %x, %high
  %within = and i1 %after, %before
  br i1 %within, label %known, label %search, !prof !{!"branch_weights", i32 1000, i32 1}
search:
  call preserve_allcc void @find_$way(double %x, ptr %table, i64 %points, i64 %length, ptr %place)
  br label %known
known:
  %p_y0 = getelementptr inbounds double, ptr %place, i64 3
  %y0 = load double, ptr %p_y0
  $value
  ret double %y
}

define internal preserve_allcc void @find_$way(double %x, ptr %table, i64 %points, i64 %length, ptr noalias %place) nounwind noinline cold memory(argmem: readwrite) {
entry:
  %xs = getelementptr inbounds double, ptr %table, i64 $head
  %end = add i64 %points, $fewer
  %x_first = load double, ptr %xs
  %below = fcmp $below double %x, %x_first
  %xc = select i1 %below, double %x_first, double %x
  br label %next
next:
  %lo = phi i64 [ 0, %entry ], [ %lo2, %halve ]
  %hi = phi i64 [ %end, %entry ], [ %hi2, %halve ]
  %gap = sub i64 %hi, %lo
  %more = icmp ugt i64 %gap, 1
  br i1 %more, label %halve, label %found
halve:
  %half = lshr i64 %gap, 1
  %mid = add i64 %lo, %half
  %p_mid = getelementptr inbounds double, ptr %xs, i64 %mid
  %x_mid = load double, ptr %p_mid
  %reached = fcmp oge double %xc, %x_mid
  %lo2 = select i1 %reached, i64 %mid, i64 %lo
  %hi2 = select i1 %reached, i64 %hi, i64 %mid
  br label %next
found:
  %p_x = getelementptr inbounds double, ptr %xs, i64 %lo
  %x0 = load double, ptr %p_x
  %p_y = getelementptr inbounds double, ptr %p_x, i64 %length
  %y0 = load double, ptr %p_y
  %p_s = getelementptr inbounds double, ptr %p_y, i64 %length
  %slope_here = load double, ptr %p_s
  %slope = select i1 %below, double 0.0, double %slope_here
  %is_open = $open
  %low = select i1 %is_open, double 0xFFF0000000000000, double %x0
  %p_next = getelementptr inbounds double, ptr %xs, i64 %hi
  %is_last = icmp eq i64 %hi, %end
  %x_next = load double, ptr %p_next
  %high_here = select i1 %is_last, double 0x7FF0000000000000, double %x_next
  %high = select i1 %below, double %x0, double %high_here
  %q1 = getelementptr inbounds double, ptr %place, i64 1
  %q2 = getelementptr inbounds double, ptr %place, i64 2
  %q3 = getelementptr inbounds double, ptr %place, i64 3
  %q4 = getelementptr inbounds double, ptr %place, i64 4
  store double %low, ptr %place
  store double %high, ptr %q1
  store double %x0, ptr %q2
  store double %y0, ptr %q3
  store double %slope, ptr %q4
  ret void
}
""")
