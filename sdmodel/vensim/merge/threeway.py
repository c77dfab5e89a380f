"""Three versions of a list into one: what each side changed, in the order that one of them gives."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from .pieces import with_line_ends

Id = TypeVar("Id", bound=Hashable)
Value = TypeVar("Value")


def same_text(one: str | None, other: str | None) -> bool:
    """Whether two texts are the same, whatever their line ends."""
    if one is None or other is None:
        return one is other
    return with_line_ends(one, "\n") == with_line_ends(other, "\n")


def merged_value(
    base: Value, ours: Value, theirs: Value, *, same: Callable[[Value, Value], bool] = operator.eq
) -> tuple[Value, bool]:
    """The value that one side changed, or both to the same; ours, and that they clash, if they changed it differently."""
    if same(ours, base) and not same(theirs, base):
        return theirs, False
    return ours, not (same(ours, theirs) or same(theirs, base))


def merged_order(
    base: Sequence[Id],
    ours: Sequence[Id],
    theirs: Sequence[Id],
    present: Mapping[Id, object],
    *,
    begins: Callable[[Id], bool] = lambda _: False,
    moved: Sequence[Id] = (),
) -> list[Id]:
    """Those that are present, in the order of the side that changed it; what only the other has follows what it did there.

    `begins` tells what begins a section: it must not take in what the first side added to the one before. `moved` are
    those whose place the other side tells.
    """
    first, second = (theirs, ours) if _common(ours, base, theirs) == _common(base, ours, theirs) else (ours, theirs)
    again = set(moved) if first is ours else set()
    order = [each for each in first if each in present and each not in again]
    known = set(second)
    place = 0
    places = {each: number for number, each in enumerate(order)}
    for each in second:
        if each not in present:
            continue
        if each in places:
            place = places[each] + 1
            continue
        while begins(each) and place < len(order) and order[place] not in known and not begins(order[place]):
            place += 1
        order.insert(place, each)
        place += 1
        places = {one: number for number, one in enumerate(order)}
    return order


def _common(order: Sequence[Id], *others: Sequence[Id]) -> list[Id]:
    known = [set(each) for each in others]
    return [each for each in order if all(each in one for one in known)]
