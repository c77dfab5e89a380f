"""Functions of whole arrays and of the past as assembly: one routine for each function and size of its arrays, which its calls share.

A routine reads each array from rows of the workspace that the call lists, since the cells of a variable may be anywhere. What it
computes in between is in rows of its own, the last ones of the workspace. It reads the past of a delay from the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model import AXES, FunctionRow, Table
from .ir import Function
from .layout import Layout

_SIGN = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Rows:
    """An array of a call: a list in memory of the rows of its numbers, and the number that the call names, as an operand."""

    listed: str
    rows: int
    columns: int = 1
    place: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """The past of a delay in a call: the column of its input in the history, as an operand."""

    column: str


LookUp = Callable[[Function, str, Table, str], str]
"""Writes a lookup into a function: the way to look up, a table, and x."""
Operand = Any
"""A register, `Rows`, a `Past`, or a table, for which the routine is written."""


@dataclass(frozen=True, slots=True)
class _Array:
    """An array within a routine: the numbers in listed rows, or in rows of scratch memory that begin at one."""

    rows: int
    columns: int
    listed: str = ""
    begin: int = 0


@dataclass
class _Routine(Function):
    """The body of a routine under construction, an `ArrayEmitter`.

    Loops are repeated until a count is reached, so that each body is computed at least once, and whatever it computes without the
    counter is known after the loop too. `free` is the next row of scratch memory.
    """

    layout: Layout = field(kw_only=True)
    search: LookUp = field(kw_only=True)
    block: str = "entry"
    counters: int = 0
    free: int = field(init=False)

    def __post_init__(self) -> None:
        self.free = self.layout.scratch

    @property
    def steps(self) -> str:
        """Write the number of steps since the start."""
        return self.load(self.layout.step_row or 0)

    def begin_past(self) -> None:
        """Write what `past` needs, before all else: the address of the history, and the step as a whole number."""
        step, history = (row * self.width for row in (self.layout.step_row or 0, self.layout.history_row or 0))
        self.lines += [
            f"  %p_step = getelementptr inbounds double, ptr %ws, i64 {step}",
            "  %step_real = load double, ptr %p_step",
            "  %step = fptosi double %step_real to i64",
            f"  %p_history = getelementptr inbounds double, ptr %ws, i64 {history}",
            "  %history_at = load i64, ptr %p_history",
            "  %history = inttoptr i64 %history_at to ptr",
        ]

    def past(self, series: str, ago: str) -> str:
        line = self.put(f"sub i64 %step, {ago}")
        line = self.put(f"select i1 {self.put(f'icmp sgt i64 {line}, 0')}, i64 {line}, i64 0")
        first = self.put(f"mul i64 {line}, {len(self.layout.columns)}")
        place = self.put(f"mul i64 {self.put(f'add i64 {first}, {series}')}, {self.width}")
        where = self.put(f"getelementptr inbounds double, ptr %history, i64 {place}")
        return self._fresh(f"load {self.number}, ptr {where}, align 8")

    def look_up(self, way: str, table: Table, x: str) -> str:
        return self.search(self, way, table, x)

    def repeat(self, body: Callable[..., Sequence[str]], *state: str) -> tuple[str, ...]:
        self.counters += 1
        name, before = f"r{self.counters}", self.block
        self.lines += [f"  br label %{name}", f"{name}:"]
        begin, self.block = len(self.lines), name
        own = [f"%{name}_s{index}" for index, _ in enumerate(state)]
        more, *values = body(f"%{name}_i", *own)
        active = f"%{name}_active"
        following = [self.choose(active, new, old) for new, old in zip(values, own, strict=True)]
        on = self.logic("and", active, more)
        yes = "true" if self.width == 1 else "splat (i1 true)"
        self.lines[begin:begin] = [
            f"  %{name}_i = phi i64 [ 1, %{before} ], [ %{name}_n, %{self.block} ]",
            f"  {active} = phi {self.boolean} [ {yes}, %{before} ], [ {on}, %{self.block} ]",
            *(
                f"  {register} = phi {self.number} [ {first}, %{before} ], [ {then}, %{self.block} ]"
                for register, first, then in zip(own, state, following, strict=True)
            ),
        ]
        if self.width > 1:
            bits = self.put(f"bitcast {self.boolean} {on} to i{self.width}")
            on = self.put(f"icmp ne i{self.width} {bits}, 0")
        self.lines += [
            f"  %{name}_n = add i64 %{name}_i, 1",
            f"  br i1 {on}, label %{name}, label %{name}_end",
            f"{name}_end:",
        ]
        self.block = f"{name}_end"
        return tuple(following)

    def scratch(self, rows: int, columns: int = 1) -> _Array:
        made = _Array(rows, columns, begin=self.free)
        self.free += rows * columns
        return made

    def get(self, array: _Array, place: str | int, column: str | int = 0) -> str:
        return self._load(self._address(array, self._flat(array, place, column)))

    def put_at(self, array: _Array, value: str, place: str | int, column: str | int = 0) -> None:
        where = self._address(array, self._flat(array, place, column))
        self.lines.append(f"  store {self.number} {value}, ptr {where}, align {8 * self.width}")

    def pick(self, array: _Array, place: str) -> str:
        result = "poison"
        for lane, where in enumerate(self._lanes(array, place)):
            one = self._fresh(f"load double, ptr {where}")
            result = one if self.width == 1 else self._insert(result, one, lane)
        return result

    def place(self, array: _Array, value: str, place: str) -> None:
        for lane, where in enumerate(self._lanes(array, place)):
            self.lines.append(f"  store double {self._extract(value, lane)}, ptr {where}")

    def loop(self, count: int, body: Callable[..., Sequence[str]], *state: str) -> tuple[str, ...]:
        self.counters += 1
        name, before = f"l{self.counters}", self.block
        self.lines += [f"  br label %{name}", f"{name}:"]
        begin, self.block = len(self.lines), name
        own = [f"%{name}_s{index}" for index, _ in enumerate(state)]
        following = body(f"%{name}_i", *own)
        self.lines[begin:begin] = [
            f"  %{name}_i = phi i64 [ 0, %{before} ], [ %{name}_n, %{self.block} ]",
            *(
                f"  {register} = phi {self.number} [ {first}, %{before} ], [ {then}, %{self.block} ]"
                for register, first, then in zip(own, state, following, strict=True)
            ),
        ]
        self.lines += [
            f"  %{name}_n = add i64 %{name}_i, 1",
            f"  %{name}_more = icmp ult i64 %{name}_n, {count}",
            f"  br i1 %{name}_more, label %{name}, label %{name}_end",
            f"{name}_end:",
        ]
        self.block = f"{name}_end"
        return tuple(following)

    def real(self, counter: str) -> str:
        return self.spread(self.put(f"uitofp i64 {counter} to double"))

    def shifted(self, counter: str, by: int) -> str:
        return self.put(f"add i64 {counter}, {by}")

    def halfway(self, low: str, high: str) -> str:
        """Numbers in their order are whole numbers in their order, once the bits of negative ones but their sign are inverted."""
        whole = "i64" if self.width == 1 else f"<{self.width} x i64>"
        ordered = [self._in_order(self.put(f"bitcast {self.number} {end} to {whole}"), whole) for end in (low, high)]
        both = self.put(f"and {whole} {ordered[0]}, {ordered[1]}")
        either = self.put(f"xor {whole} {ordered[0]}, {ordered[1]}")
        half = self.put(f"ashr {whole} {either}, {self._whole(1)}")
        middle = self._in_order(self.put(f"add {whole} {both}, {half}"), whole)
        return self.put(f"bitcast {whole} {middle} to {self.number}")

    def strict(self, value: str, *arguments: str) -> str:
        for argument in arguments:
            value = self.union(value, self.binary("-", argument, argument))
        return value

    def zero_of(self, array: _Array) -> str:
        """Write 0, or nan if a number of an array is not finite."""
        count = array.rows * array.columns
        flat = _Array(count, 1, array.listed, array.begin)

        def body(place: str, zero: str) -> Sequence[str]:
            value = self.get(flat, place)
            return [self.union(zero, self.binary("-", value, value))]

        (zero,) = self.loop(count, body, self.constant(0.0))
        return zero

    def copy(self, array: _Array, zero: str, places: str, rows: str, count: str) -> None:
        """Write numbers of an array to listed rows; nan where the zero is nan."""
        name = f"c{self.counters}"
        self.lines += [
            f"  br label %{name}",
            f"{name}:",
            f"  %{name}_i = phi i64 [ 0, %{self.block} ], [ %{name}_n, %{name} ]",
        ]
        begin = _Array(array.rows * array.columns, 1, array.listed, array.begin)
        value = self.get(begin, self._fresh(f"load i64, ptr {self._item(places, f'%{name}_i')}"))
        offset = self._fresh(f"load i64, ptr {self._item(rows, f'%{name}_i')}")
        where = self._fresh(f"getelementptr inbounds double, ptr %ws, i64 {offset}")
        self.lines += [
            f"  store {self.number} {self.union(value, zero)}, ptr {where}, align {8 * self.width}",
            f"  %{name}_n = add i64 %{name}_i, 1",
            f"  %{name}_more = icmp ult i64 %{name}_n, {count}",
            f"  br i1 %{name}_more, label %{name}, label %{name}_end",
            f"{name}_end:",
        ]

    def _fresh(self, instruction: str) -> str:
        """Add an instruction again, since what it reads may have changed."""
        self.written.pop(instruction, None)
        self.counters += 1
        name = f"%f{self.counters}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def _in_order(self, bits: str, whole: str) -> str:
        sign = self.put(f"ashr {whole} {bits}, {self._whole(63)}")
        return self.put(f"xor {whole} {bits}, {self.put(f'and {whole} {sign}, {self._whole(_SIGN)}')}")

    def _whole(self, value: int) -> str:
        return str(value) if self.width == 1 else f"splat (i64 {value})"

    def _flat(self, array: _Array, place: str | int, column: str | int) -> str | int:
        if array.columns == 1:
            return place
        if isinstance(place, int) and isinstance(column, int):
            return place * array.columns + column
        return self.put(f"add i64 {self.put(f'mul i64 {place}, {array.columns}')}, {column}")

    def _item(self, listed: str, place: str | int) -> str:
        return self.put(f"getelementptr inbounds i64, ptr {listed}, i64 {place}")

    def _address(self, array: _Array, place: str | int) -> str:
        """The address of the first member's number at a place."""
        if array.listed:
            offset = self.put(f"load i64, ptr {self._item(array.listed, place)}")
        else:
            offset = self.put(f"add i64 {self.put(f'mul i64 {place}, {self.width}')}, {array.begin * self.width}")
        return self.put(f"getelementptr inbounds double, ptr %ws, i64 {offset}")

    def _load(self, where: str) -> str:
        return self._fresh(f"load {self.number}, ptr {where}, align {8 * self.width}")

    def _lanes(self, array: _Array, place: str) -> list[str]:
        """The address of the number at the place of each member."""
        found = []
        for lane in range(self.width):
            index = self.put(f"fptoui double {self._extract(place, lane)} to i64")
            first = self._address(array, index)
            found.append(self.put(f"getelementptr inbounds double, ptr {first}, i64 {lane}") if lane else first)
        return found

    def _extract(self, value: str, lane: int) -> str:
        return value if self.width == 1 else self.put(f"extractelement {self.number} {value}, i64 {lane}")

    def _insert(self, into: str, value: str, lane: int) -> str:
        return self.put(f"insertelement {self.number} {into}, double {value}, i64 {lane}")


@dataclass
class Routines:
    """The routines that a module needs so far, and the lists in memory that its calls pass; `search` writes their lookups."""

    width: int
    layout: Layout
    search: LookUp = field(init=False)
    routines: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict)
    lists: dict[tuple[int, ...], str] = field(default_factory=dict)

    def listed(self, numbers: Sequence[int]) -> str:
        """The name of a list of whole numbers in memory."""
        return self.lists.setdefault(tuple(numbers), f"@list_{len(self.lists)}")

    def rows(self, rows: Sequence[int], columns: int = 1, place: str = "") -> Rows:
        """An array of a call, from the rows of its numbers."""
        return Rows(self.listed([row * self.width for row in rows]), len(rows) // columns, columns, place)

    def call(self, function: Function, row: FunctionRow, operands: Sequence[Operand]) -> str:
        """Write a call of a function that returns a number, for each member."""
        name = self._routine(row, operands)
        return function.put(f"call {function.number} @{name}({self._passed(function, operands)})")

    def spread(
        self, function: Function, row: FunctionRow, operands: Sequence[Operand], results: Mapping[int, int]
    ) -> None:
        """Write a call of a function that returns an array; `results` are the rows of its numbers, by their places."""
        name, count = self._routine(row, operands), len(results)
        rows = self.listed([row * self.width for row in results.values()])
        passed = f"{self._passed(function, operands)}, ptr {self.listed([*results])}, ptr {rows}, i64 {count}"
        function.lines.append(f"  call void @{name}({passed})")

    def text(self) -> str:
        """The routines and the lists."""
        lists = [
            f"{name} = private unnamed_addr constant [{len(numbers)} x i64] [{', '.join(f'i64 {n}' for n in numbers)}]"
            for numbers, name in self.lists.items()
        ]
        return "\n".join([*lists, *(text for _, text in self.routines.values())])

    def _passed(self, function: Function, operands: Sequence[Operand]) -> str:
        passed = ["ptr %ws"]
        for operand in operands:
            if isinstance(operand, Rows):
                passed.append(f"ptr {operand.listed}")
                passed += [f"{function.number} {operand.place}"] if operand.place else []
            elif isinstance(operand, Past):
                passed.append(f"i64 {operand.column}")
            elif isinstance(operand, str):
                passed.append(f"{function.number} {operand}")
        return ", ".join(passed)

    def _routine(self, row: FunctionRow, operands: Sequence[Operand]) -> str:
        shapes = [(own.rows, own.columns) for own in operands if isinstance(own, Rows)]
        tables = [own.points for own, kind in zip(operands, row.kinds, strict=True) if kind == "table"]
        key = (row.name, *shapes, *tables)
        if key not in self.routines:
            name = f"routine_{len(self.routines)}"
            self.routines[key] = name, self._text(name, row, operands)
        return self.routines[key][0]

    def _text(self, name: str, row: FunctionRow, operands: Sequence[Operand]) -> str:
        f = _Routine(self.width, layout=self.layout, search=self.search)
        f.lines.append("entry:")
        if row.reads_past:
            f.begin_past()
        parameters, arguments, zero = ["ptr noalias %ws"], list[Any](), f.constant(0.0)
        for index, (operand, kind) in enumerate(zip(operands, row.kinds, strict=True)):
            register = f"%a{index}"
            if isinstance(operand, Rows):
                parameters.append(f"ptr {register}")
                array = _Array(operand.rows, operand.columns, register)
                if AXES[kind]:
                    zero = f.union(zero, f.zero_of(array))
                else:
                    parameters.append(f"{f.number} {register}_place")
                arguments.append(array if AXES[kind] else (array, f"{register}_place"))
            elif isinstance(operand, Past):
                parameters.append(f"i64 {register}")
                arguments.append(register)
            elif isinstance(operand, Table):
                arguments.append(operand)
            else:
                parameters.append(f"{f.number} {register}")
                arguments.append(register)
                zero = f.union(zero, f.binary("-", register, register)) if kind == "finite" else zero
        result = row.emit(f, *arguments)
        if row.spreads:
            parameters += ["ptr %places", "ptr %rows", "i64 %count"]
            f.copy(result, zero, "%places", "%rows", "%count")
            return f.text(f"internal void @{name}({', '.join(parameters)}) nounwind noinline")
        found = f.union(result, zero)
        return f.text(
            f"internal {f.number} @{name}({', '.join(parameters)}) nounwind noinline", f"ret {f.number} {found}"
        )
