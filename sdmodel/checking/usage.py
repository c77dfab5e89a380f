"""What is used, what is shown, and what depends on too much."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model import key, references, referred
from .findings import Finding
from .subject import Subject

_MOST_CAUSES = 7
_SHOWN = re.compile(r'10,\d+,(?P<name>"(?:[^"\\]|\\.)*"|[^,\r\n]*),')


def find_unused(subject: Subject) -> Iterator[Finding]:
    """What nothing reads, as Vensim's model check tells it; `:SUPPLEMENTARY` and the save list of headlines silence it."""
    for element in subject.elements:
        if element.key not in subject.used and element.key not in subject.headlines and not element.supplementary:
            what = f"'{element.name}' is used by nothing; use it, delete it, or mark it :SUPPLEMENTARY"
            yield Finding("warning", "unused", element.place, element.name, what)


def find_hidden(subject: Subject) -> Iterator[Finding]:
    """What no view of the sketch shows, if the model has a sketch with variables."""
    document = subject.document
    records = (_SHOWN.match(document.text, each.start) for each in document.segments if each.kind == "record")
    shown = {key(found["name"]) for found in records if found}
    for element in subject.elements if shown else ():
        if element.key not in shown:
            what = f"'{element.name}' is in no view; put it into the view where it belongs"
            yield Finding("advice", "no-view", element.place, element.name, what)


def find_crowds(subject: Subject) -> Iterator[Finding]:
    """What has more causes than a reader holds in mind at once (Miller 1956: seven, more or less)."""
    for element in subject.elements:
        if element.kind not in {"auxiliary", "flow"}:
            continue
        causes = {referred(part)[0] for each in element.equations for part in references(each.expression)}
        causes -= {element.key, *subject.model.subscripts, *subject.model.labels}
        if len(causes) > _MOST_CAUSES:
            what = f"'{element.name}' has {len(causes)} causes; name parts of it as variables of their own"
            yield Finding("advice", "causes", element.place, element.name, what, {"causes": float(len(causes))})
