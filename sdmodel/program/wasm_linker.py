"""The linker for WebAssembly: the object that LLVM emits becomes a module that a browser or another engine loads.

An object is a module whose section `linking` names its symbols and whose section `reloc.CODE` lists every number in the code that
depends on where something is. LLVM writes these numbers as LEB128 of five bytes; here they become as short as they can, since
branches name blocks and not distances. There is one object, so the indices of its functions and types stay. Its imports of memory and
stack pointer become definitions; its imports of functions stay. Memory begins with the stack, then come data, then symbols without
contents.

References: the binary format of the WebAssembly specification (https://webassembly.github.io/spec/core/binary/), and for objects the
tool conventions (https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md), version 2 of the linking metadata.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

PAGE = 2**16
"""Memory is a whole number of pages of this many bytes."""

_HEADER = b"\0asm" + struct.pack("<I", 1)
_STACK = 2**14
"""Bytes for the stack, which holds only results of functions that return two truth values."""
_ALIGNED = 64
"""No data of a model has a larger alignment."""


class _Section(IntEnum):
    CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT = range(13)


class _External(IntEnum):
    """What an import or export is; symbols number functions and globals in another way."""

    FUNCTION, TABLE, MEMORY, GLOBAL = range(4)


class _Kind(IntEnum):
    """What a symbol is."""

    FUNCTION, DATA, GLOBAL = range(3)


class _Symbol(NamedTuple):
    """A symbol with its index, or for data its address."""

    kind: int
    name: str
    value: int


_SYMBOL_TABLE = 8
_UNDEFINED, _EXPLICIT_NAME = 0x10, 0x40
"""Flags of a symbol: the object lacks it; its name is written although the object lacks it."""
_FUNCTION_INDEX, _MEMORY_ADDRESS, _SIGNED_MEMORY_ADDRESS, _TYPE_INDEX, _GLOBAL_INDEX = 0, 3, 4, 6, 7
"""The relocations in code without pointers to functions, all LEB128."""
_MORE = 0x80
"""The bit of a byte in LEB128 that says that more follow."""
_I32_CONST, _END, _I32, _MUTABLE, _HAS_MAXIMUM = 0x41, 0x0B, 0x7F, 1, 1


@dataclass(frozen=True, slots=True)
class Linked:
    """A module: its bytes, the functions that it imports, the addresses of its data symbols, and the bytes of its memory."""

    code: bytes
    imports: tuple[str, ...]
    addresses: Mapping[str, int]
    memory: int


def link(emitted: bytes, *, exports: Sequence[str], reserved: Mapping[str, int]) -> Linked:
    """Make a module of an object.

    A function `module.name` that the object lacks is imported from that module. `exports` are functions of the object. `reserved`
    are symbols that the object lacks, with the bytes of zeroed memory that each gets.
    """
    contents, custom = _sections(emitted)
    functions = list(_imported_functions(contents[_Section.IMPORT]))
    segments = [(_STACK + offset, data) for offset, data in _segments(contents.get(_Section.DATA, b"\0"))]
    end = max((start + len(data) for start, data in segments), default=_STACK)
    places = {}
    for name, size in reserved.items():
        places[name] = -(-end // _ALIGNED) * _ALIGNED
        end = places[name] + size
    pages = -(-end // PAGE)
    names = [name for name, _ in functions]
    symbols = list(_symbols(custom["linking"], names, [start for start, _ in segments], places))
    indices = {symbol.name: symbol.value for symbol in symbols if symbol.kind == _Kind.FUNCTION}
    exported = [_name(name) + bytes([_External.FUNCTION]) + _unsigned(indices[name]) for name in exports]
    written = {
        _Section.TYPE: contents[_Section.TYPE],
        _Section.IMPORT: _vector(_import(name) + kind for name, kind in functions),
        _Section.FUNCTION: contents[_Section.FUNCTION],
        _Section.MEMORY: _vector([bytes([_HAS_MAXIMUM]) + _unsigned(pages) * 2]),
        _Section.GLOBAL: _vector([bytes([_I32, _MUTABLE]) + _constant(_STACK)]),
        _Section.EXPORT: _vector([_name("memory") + bytes([_External.MEMORY, 0]), *exported]),
        _Section.CODE: _linked_code(contents[_Section.CODE], list(_relocations(custom.get("reloc.CODE"), symbols))),
        _Section.DATA: _vector(b"\0" + _constant(start) + _unsigned(len(data)) + data for start, data in segments),
    }
    code = _HEADER + b"".join(bytes([number]) + _unsigned(len(body)) + body for number, body in written.items())
    addresses = {symbol.name: symbol.value for symbol in symbols if symbol.kind == _Kind.DATA}
    return Linked(code, tuple(names), addresses, pages * PAGE)


@dataclass
class _Reader:
    """Bytes that are read from front to back."""

    data: bytes
    at: int = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def unsigned(self) -> int:
        return self._leb()[0]

    def signed(self) -> int:
        value, bits = self._leb()
        return value - (1 << bits) if value >> (bits - 1) else value

    def _leb(self) -> tuple[int, int]:
        """A number in LEB128, and its number of bits."""
        value = bits = 0
        while True:
            (byte,) = self.take(1)
            value |= byte % _MORE << bits
            bits += 7
            if not byte & _MORE:
                return value, bits

    def content(self) -> bytes:
        """Bytes after their number."""
        return self.take(self.unsigned())

    def name(self) -> str:
        return self.content().decode()


def _sections(emitted: bytes) -> tuple[dict[int, bytes], dict[str, bytes]]:
    """The sections of an object by number, and its custom sections by name."""
    reader = _Reader(emitted)
    if reader.take(len(_HEADER)) != _HEADER:
        message = "LLVM emitted no WebAssembly object"
        raise ValueError(message)
    numbered, custom = {}, {}
    while reader:
        number, body = reader.unsigned(), reader.content()
        if number == _Section.CUSTOM:
            inner = _Reader(body)
            name = inner.name()
            custom[name] = inner.data[inner.at :]
        else:
            numbered[number] = body
    if "reloc.DATA" in custom or _Section.ELEMENT in numbered:
        message = "the object has pointers in data or to functions"
        raise ValueError(message)
    return numbered, custom


def _imported_functions(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The name of each imported function, and how the import goes on: its kind and type."""
    reader = _Reader(body)
    for _ in range(reader.unsigned()):
        reader.name()
        name, begin, kind = reader.name(), reader.at, reader.unsigned()
        if kind == _External.FUNCTION:
            reader.unsigned()
            yield name, body[begin : reader.at]
        elif kind == _External.MEMORY:
            reader.take(1)
            reader.unsigned()
        elif kind == _External.GLOBAL and name == "__stack_pointer":
            reader.take(2)
        else:
            message = f"the object imports {name}, which is not a function"
            raise ValueError(message)


def _segments(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The offset of each data segment in the memory of the object, and its contents."""
    reader = _Reader(body)
    for _ in range(reader.unsigned()):
        reader.take(2)  # the segment is placed at a constant
        offset = reader.signed()
        reader.take(1)
        yield offset, reader.content()


def _symbols(
    linking: bytes, imported: Sequence[str], segments: Sequence[int], places: Mapping[str, int]
) -> Iterator[_Symbol]:
    """The symbols of an object in order, from the names of its functions and the addresses of its data."""
    reader = _Reader(linking)
    reader.unsigned()  # the version
    table = b"\0"
    while reader:
        kind, body = reader.unsigned(), reader.content()
        table = body if kind == _SYMBOL_TABLE else table
    reader = _Reader(table)
    for _ in range(reader.unsigned()):
        kind, flags = reader.unsigned(), reader.unsigned()
        if kind == _Kind.DATA:
            name = reader.name()
            if flags & _UNDEFINED:
                yield _Symbol(kind, name, places[name])
            else:
                segment, offset, _ = (reader.unsigned() for _ in range(3))
                yield _Symbol(kind, name, segments[segment] + offset)
        elif kind in {_Kind.FUNCTION, _Kind.GLOBAL}:
            index = reader.unsigned()
            named = not flags & _UNDEFINED or flags & _EXPLICIT_NAME
            own = imported[index] if kind == _Kind.FUNCTION and flags & _UNDEFINED else ""
            yield _Symbol(kind, reader.name() if named else own, index)
        else:
            message = f"the object has a symbol of kind {kind}"
            raise ValueError(message)


def _relocations(body: bytes | None, symbols: Sequence[_Symbol]) -> Iterator[tuple[int, bytes]]:
    """The offsets in the code where numbers of five bytes stand, and what replaces each."""
    reader = _Reader(body or b"\0\0")
    reader.unsigned()  # the position of the code section
    for _ in range(reader.unsigned()):
        kind, offset, index = (reader.unsigned() for _ in range(3))
        if kind == _TYPE_INDEX:
            yield offset, _unsigned(index)
        elif kind in {_FUNCTION_INDEX, _GLOBAL_INDEX}:
            yield offset, _unsigned(symbols[index].value)
        elif kind in {_MEMORY_ADDRESS, _SIGNED_MEMORY_ADDRESS}:
            encode = _unsigned if kind == _MEMORY_ADDRESS else _signed
            yield offset, encode(symbols[index].value + reader.signed())
        else:
            message = f"the object has a relocation of kind {kind}"
            raise ValueError(message)


_PADDED = 5
"""The bytes of a number that a relocation replaces."""


def _linked_code(body: bytes, relocations: Sequence[tuple[int, bytes]]) -> bytes:
    """The code section with its relocations applied."""
    reader = _Reader(body)
    offsets = [offset for offset, _ in relocations]
    functions = []
    for _ in range(reader.unsigned()):
        size = reader.unsigned()
        at, end = reader.at, reader.at + size
        reader.at = end
        parts = []
        for offset, number in relocations[bisect_left(offsets, at) : bisect_left(offsets, end)]:
            parts += [body[at:offset], number]
            at = offset + _PADDED
        code = b"".join([*parts, body[at:end]])
        functions.append(_unsigned(len(code)) + code)
    return _vector(functions)


def _unsigned(value: int) -> bytes:
    """A whole number from 0 up in LEB128."""
    found = bytearray()
    while value >= _MORE:
        found.append(value % _MORE | _MORE)
        value >>= 7
    return bytes([*found, value])


def _signed(value: int) -> bytes:
    """A whole number in signed LEB128, in which the highest bit of the last byte is the sign."""
    found = bytearray()
    while not -_MORE <= 2 * value < _MORE:
        found.append(value % _MORE | _MORE)
        value >>= 7
    return bytes([*found, value % _MORE])


def _name(text: str) -> bytes:
    data = text.encode()
    return _unsigned(len(data)) + data


def _import(name: str) -> bytes:
    """The module and the name of an imported function."""
    module, _, own = name.partition(".")
    if not own:
        message = f"the object calls {name}, which no module has"
        raise ValueError(message)
    return _name(module) + _name(own)


def _vector(items: Iterable[bytes]) -> bytes:
    parts = list(items)
    return _unsigned(len(parts)) + b"".join(parts)


def _constant(value: int) -> bytes:
    """An expression with the value of an address."""
    return bytes([_I32_CONST]) + _signed(value) + bytes([_END])
