"""Renaming a variable, a subscript range or a label everywhere in a model file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import Fault, ModelError
from ...model import Model, display_name, key, nearest
from ..document import Document
from ..read.segments import QUOTED, Span, blank_comments
from ..read.syntax import parse_name
from ..sketch.records import view_texts
from .edits import Edit
from .layout import grouped_segments
from .names import CLOCK, NOW, find_names, label_keys, new_head, replace_names

_LINES = {
    "graph": re.compile(rf"(?P<before>:(?:VAR|X-AXIS|Y-AXIS)\s+)(?P<name>{QUOTED}|[^\r\n\[|]*)", re.IGNORECASE),
    "setting": re.compile(rf"(?P<before>[456]:)(?P<name>{QUOTED}|[^\r\n\[]*)"),
}
"""Lines below the sketch that hold a name; settings 4, 5 and 6 are the selections of Vensim's workbench."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """An old key and a new name; a label is also used in brackets, a variable is not."""

    old: str
    new: str
    is_label: bool


def plan_renaming(document: Document, model: Model, old: str, new: str) -> Renaming:
    """Check that a name can be replaced by another one."""
    labels = label_keys(model)
    wanted = key(parse_name(old).name)
    wrong = ""
    if wanted in map(key, (*CLOCK, NOW)):
        wrong = "Vensim needs this name; keep it"
    elif parse_name(old).subscripts or parse_name(new).subscripts:
        wrong = "a name is renamed with all of its subscripts; leave out the subscripts"
    elif wanted in labels and wanted not in document:
        wrong = _numbered_label(document, wanted)
    elif wanted not in document:
        close = nearest(old, [element.name for element in model] + sorted(labels))
        cure = f"did you mean '{close}'?" if close else "see the names that the model defines"
        wrong = f"is not defined; {cure}"
    if wrong:
        raise ModelError([Fault(document.path, f"'{display_name(old)}': {wrong}")])
    name = new_head(new, document, model, old=wanted)
    return Renaming(wanted, name, wanted in labels or wanted in model.subscripts)


def _numbered_label(document: Document, label: str) -> str:
    """Refuse a label of a numbered row such as `(a1-a9)`, of which only the ends are written."""
    for block in document.blocks:
        main = blank_comments(document.slice(block.main))
        if document.head(block).sign == ":" and any(found.key == label for found in find_names(main)):
            row = re.search(r"\([^():,]*-[^():,]*\)", main)
            if row is None or all(found.key != label for found in find_names(row[0])):
                return ""
    return "is one of a numbered row of labels; list the labels one by one first"


def rename_in_document(document: Document, change: Renaming) -> list[Edit]:
    """Return the edits that rename in equations, the sketch, graphs and settings."""
    for segment in document.segments:
        text = document.text[segment.start : segment.end]
        if segment.kind == "broken" and any(found.key == change.old for found in find_names(text)):
            what = "this part cannot be read, and it uses the name; mend it first"
            raise ModelError([Fault(document.place(segment.start), what)])
    return [*_in_equations(document, change), *_in_sketch(document, change), *_below_sketch(document, change)]


def _in_equations(document: Document, change: Renaming) -> Iterator[Edit]:
    for grouped in grouped_segments(document.text, document.segments):
        segment = grouped.segment
        if segment.kind != "block":
            continue
        names = find_names(document.slice(segment.main), start=segment.main.start)
        if grouped.in_macro:  # a macro uses the model's names with a dollar behind them
            found = replace_names(names, f"{change.old}$", f"{change.new}$", is_label=change.is_label)
            if found and change.new.startswith('"'):
                what = (
                    f"the macro uses '{change.old}$', and a name in quotes cannot have the dollar; choose a plain one"
                )
                raise ModelError([Fault(document.place(found[0].span.start), what)])
            yield from found
        else:
            yield from replace_names(names, change.old, change.new, is_label=change.is_label)


def _in_sketch(document: Document, change: Renaming) -> Iterator[Edit]:
    for view in view_texts(document):
        for record in view.records:
            if record.name and record.shown == change.old:
                start, end = record.name
                yield Edit(Span(start, start + len(document.text[start:end].rstrip())), change.new)


def _below_sketch(document: Document, change: Renaming) -> Iterator[Edit]:
    for segment in document.segments:
        if segment.kind in _LINES:
            found = _LINES[segment.kind].match(document.text, segment.start, segment.end)
            if found and key(found["name"]) == change.old:
                start = found.start("name")
                yield Edit(Span(start, start + len(found["name"].rstrip())), change.new)
