"""Removing an element from a model file, with its words and arrows in the sketch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ...errors import Fault, ModelError
from ...model import display_name, key
from ..document import Document
from ..read.segments import Segment
from ..read.syntax import parse_name
from ..sketch.records import ARROW, VALVE, Record, view_texts
from .edits import Edit
from .layout import grouped_segments, remove_blocks
from .names import CLOCK, find_names

_LISTED = 5
"""Users that a message lists."""


def remove_element(document: Document, name: str) -> list[Edit]:
    """Return the edits that remove all blocks that define a name, and what shows it in the sketch."""
    wanted = parse_name(name)
    blocks = document.find(wanted.name)
    if wanted.key in map(key, CLOCK):
        raise ModelError([Fault(document.path, f"'{wanted.name}': every model needs it; keep it")])
    if wanted.subscripts:
        what = f"'{display_name(name)}': an element is removed with all of its blocks; leave out the subscripts"
        raise ModelError([Fault(document.path, what)])
    users = list(dict.fromkeys(_users(document, wanted.key, blocks)))
    if users:
        listed = ", ".join(f"'{user}'" for user in users[:_LISTED])
        more = f" and {len(users) - _LISTED} more" * (len(users) > _LISTED)
        what = f"'{wanted.name}' is used by {listed}{more}; change those first"
        raise ModelError([Fault(document.place(blocks[0].start), what)])
    return [*remove_blocks(document.segments, blocks), *_remove_from_sketch(document, wanted.key)]


def _users(document: Document, wanted: str, blocks: Sequence[Segment]) -> Iterator[str]:
    """Return the names of the elements that use a key, except in its own blocks."""
    for grouped in grouped_segments(document.text, document.segments):
        segment = grouped.segment
        if segment.kind == "block" and segment not in blocks:
            used = f"{wanted}$" if grouped.in_macro else wanted
            if any(found.key == used for found in find_names(document.slice(segment.main))):
                yield display_name(document.head(segment).name)


def _remove_from_sketch(document: Document, wanted: str) -> Iterator[Edit]:
    """Remove a variable's words, their arrows, its valve with pipes, and the clouds and shadows that only it needed."""
    for view in view_texts(document):
        words = [record for record in view.records if record.is_word]
        arrows = [record for record in view.records if record.ends]
        gone = {word.number for word in words if word.shown == wanted} | set(_valves(view.records, wanted))
        cut = [arrow for arrow in arrows if gone.intersection(arrow.ends)]
        joined = {number for arrow in arrows if arrow not in cut for number in arrow.ends}
        loose = {number for arrow in cut for number in arrow.ends} - joined
        gone |= {word.number for word in words if (word.is_cloud or word.is_shadow) and word.number in loose}
        yield from (Edit(record.span, "") for record in (*cut, *(word for word in words if word.number in gone)))


def _valves(records: Sequence[Record], wanted: str) -> Iterator[int]:
    """Return the numbers of the valves to which a variable's name is attached; the name follows its valve."""
    known = (record for record in records if record.is_word or record.kind == ARROW)
    for valve, name in pairwise(known):
        if valve.kind == VALVE and name.is_attached and name.shown == wanted:
            yield valve.number
