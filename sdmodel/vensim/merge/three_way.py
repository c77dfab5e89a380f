"""Three-way merges of values and of orders: the changes of each side relative to a common base."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from .tokens import with_line_ends

Id = TypeVar("Id", bound=Hashable)
Value = TypeVar("Value")


def same_text(one: str | None, other: str | None) -> bool:
    """Whether two texts are the same except for their line ends."""
    if one is None or other is None:
        return one is other
    return with_line_ends(one, "\n") == with_line_ends(other, "\n")


def merge_value(
    base: Value, ours: Value, theirs: Value, *, same: Callable[[Value, Value], bool] = operator.eq
) -> tuple[Value, bool]:
    """Return the value that one side changed or both changed alike, else ours; and whether the changes conflict."""
    if same(ours, base) and not same(theirs, base):
        return theirs, False
    return ours, not (same(ours, theirs) or same(theirs, base))


def merge_order(
    base: Sequence[Id],
    ours: Sequence[Id],
    theirs: Sequence[Id],
    present: Mapping[Id, object],
    *,
    begins: Callable[[Id], bool] = lambda _: False,
    moved: Sequence[Id] = (),
) -> list[Id]:
    """Return what is present in the order of the side that changed the order.

    An item that only the other side has follows its predecessor there. An item that `begins` a section does not take in
    what the first side added to the section before it. The other side places the items in `moved`.
    """
    common = set(base) & set(ours) & set(theirs)
    unchanged = [item for item in ours if item in common] == [item for item in base if item in common]
    first, second = (theirs, ours) if unchanged else (ours, theirs)
    again = set(moved) if first is ours else set()
    order = [item for item in first if item in present and item not in again]
    known = set(second)
    position = 0
    positions = {item: number for number, item in enumerate(order)}
    for item in second:
        if item not in present:
            continue
        if item in positions:
            position = positions[item] + 1
            continue
        while begins(item) and position < len(order) and order[position] not in known and not begins(order[position]):
            position += 1
        order.insert(position, item)
        position += 1
        positions = {placed: number for number, placed in enumerate(order)}
    return order
