"""An element taken out of a model's file, with its words and arrows in the sketch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from ...errors import Fault, ModelError
from ...model import display, key
from ..document import Document
from ..read.heads import asked
from ..read.segments import Segment
from ..sketch.records import records_of, shown_key
from .edits import Edit
from .layout import removed, standings
from .mentions import mentions
from .naming import CLOCK

_TOLD = 5


def without(document: Document, name: str) -> list[Edit]:
    """The edits that remove what defines a name, all of its blocks, and what shows it in the sketch."""
    wanted = asked(name)
    parts = document.find(wanted.name)
    if wanted.key in map(key, CLOCK):
        raise ModelError([Fault(document.path, f"'{wanted.name}': every model has it; keep it")])
    if wanted.subscripts:
        what = f"'{display(name)}': an element is removed with all of its parts; leave out the subscripts"
        raise ModelError([Fault(document.path, what)])
    users = list(dict.fromkeys(_users(document, wanted.key, parts)))
    if users:
        told = ", ".join(f"'{each}'" for each in users[:_TOLD]) + (
            f" and {len(users) - _TOLD} more" * (len(users) > _TOLD)
        )
        raise ModelError(
            [Fault(document.place(parts[0].start), f"'{wanted.name}' is used by {told}; change those first")]
        )
    return [*removed(document.segments, parts), *_from_sketch(document, wanted.key)]


def _users(document: Document, wanted: str, parts: Sequence[Segment]) -> Iterator[str]:
    """The names of what mentions a key, its own blocks left out."""
    for each in standings(document.text, document.segments):
        if each.segment.kind == "block" and each.segment not in parts:
            sought = f"{wanted}$" if each.in_macro else wanted
            if any(found.key == sought for found in mentions(document.slice(each.segment.main))):
                yield display(document.head(each.segment).name)


def _from_sketch(document: Document, wanted: str) -> Iterator[Edit]:
    """What shows a variable: its words, their arrows, its valve with pipes, and the clouds and ghosts that served it alone."""
    for _, each in groupby(records_of(document), key=lambda record: record.view):
        view = list(each)
        gone = {record.number for record in view if shown_key(document, record) == wanted}
        gone |= {
            valve.number
            for valve, label in pairwise(view)
            if valve.is_valve and label.is_attached and label.number in gone
        }
        arrows = [record for record in view if record.ends]
        cut = [arrow for arrow in arrows if gone.intersection(arrow.ends)]
        joined = {number for arrow in arrows if arrow not in cut for number in arrow.ends}
        loose = {number for arrow in cut for number in arrow.ends} - joined
        gone |= {record.number for record in view if (record.is_cloud or record.is_shadow) and record.number in loose}
        for record in view:
            if record in cut or (record.number in gone and not record.ends):
                yield Edit(record.span, "")
