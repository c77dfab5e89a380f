"""A new name for a variable, a subscript range or a label, everywhere in a model's file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import Fault, ModelError
from ...model import Model, display, key, nearest
from ..document import Document
from ..read.heads import asked
from ..read.segments import QUOTED, Span, blanked
from ..sketch.records import records_of, shown_key
from .edits import Edit
from .layout import standings
from .mentions import mentions, respelt
from .naming import CLOCK, NOW, label_keys, new_head

_GRAPHED = re.compile(rf"(?P<before>:(?:VAR|X-AXIS|Y-AXIS)\s+)(?P<name>{QUOTED}|[^\r\n\[|]*)", re.IGNORECASE)
_SET = re.compile(rf"(?P<before>[456]:)(?P<name>{QUOTED}|[^\r\n\[]*)")
_LINES = {"graph": _GRAPHED, "setting": _SET}
"""What stands before a name in lines behind the sketch; settings 4, 5 and 6 are what Vensim's workbench has selected."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """An old key and a new spelling; a label is mentioned in brackets too, a variable is not."""

    old: str
    new: str
    is_label: bool


def renaming(document: Document, model: Model, old: str, new: str) -> Renaming:
    """What gets which name."""
    labels = label_keys(model)
    wanted = key(asked(old).name)
    wrong = ""
    if wanted in map(key, (*CLOCK, NOW)):
        wrong = "Vensim knows it by this name; keep it"
    elif asked(old).subscripts or asked(new).subscripts:
        wrong = "a name is renamed with all of its parts; leave out the subscripts"
    elif wanted in labels and wanted not in document:
        wrong = _numbered(document, wanted)
    elif wanted not in document:
        close = nearest(old, [each.name for each in model] + sorted(labels))
        cure = f"did you mean '{close}'?" if close else "see the names that the model defines"
        wrong = f"is not defined; {cure}"
    if wrong:
        raise ModelError([Fault(document.path, f"'{display(old)}': {wrong}")])
    spelling = new_head(new, document, model, old=wanted)
    return Renaming(wanted, spelling, wanted in labels or wanted in model.subscripts)


def _numbered(document: Document, label: str) -> str:
    """What keeps a label from being renamed: it may be one of a numbered row, which is written by its ends alone."""
    for each in document.blocks:
        main = blanked(document.slice(each.main))
        if document.head(each).sign == ":" and any(found.key == label for found in mentions(main)):
            row = re.search(r"\([^():,]*-[^():,]*\)", main)
            if row is None or all(found.key != label for found in mentions(row[0])):
                return ""
    return "is one of a numbered row of labels; list the labels one by one first"


def renamed(document: Document, change: Renaming) -> list[Edit]:
    """The edits that rename in equations, the sketch, graphs and settings."""
    for segment in document.segments:
        text = document.text[segment.start : segment.end]
        if segment.kind == "broken" and any(each.key == change.old for each in mentions(text)):
            what = "what cannot be read here mentions the name; mend it first"
            raise ModelError([Fault(document.place(segment.start), what)])
    return [*_in_equations(document, change), *_in_sketch(document, change), *_behind_sketch(document, change)]


def _in_equations(document: Document, change: Renaming) -> Iterator[Edit]:
    for each in standings(document.text, document.segments):
        segment = each.segment
        if segment.kind != "block":
            continue
        named = mentions(document.slice(segment.main), start=segment.main.start)
        if each.in_macro:  # its own names end as they are, the model's with a dollar
            found = respelt(named, f"{change.old}$", f"{change.new}$", is_label=change.is_label)
            if found and change.new.startswith('"'):
                what = f"the macro mentions '{change.old}$', and a name in quotes cannot have the dollar; choose a plain one"
                raise ModelError([Fault(document.place(found[0].span.start), what)])
            yield from found
        else:
            yield from respelt(named, change.old, change.new, is_label=change.is_label)


def _in_sketch(document: Document, change: Renaming) -> Iterator[Edit]:
    for record in records_of(document):
        if shown_key(document, record) == change.old:
            start, end = record.name
            yield Edit(Span(start, start + len(document.text[start:end].rstrip())), change.new)


def _behind_sketch(document: Document, change: Renaming) -> Iterator[Edit]:
    """What graphs and settings mention, line by line."""
    for segment in document.segments:
        if segment.kind in _LINES:
            found = _LINES[segment.kind].match(document.text, segment.start, segment.end)
            if found and key(found["name"]) == change.old:
                start = found.start("name")
                yield Edit(Span(start, start + len(found["name"].rstrip())), change.new)
