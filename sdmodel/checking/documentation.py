"""Rules about documentation: comments, sources, units, and what no view shows or no equation uses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model import key
from .checked_model import CheckedModel
from .findings import Finding

_WORDS = (
    "source", "judgement", "judgment", "assumed", "assumption", "estimat", "guess", "calibrat", "fitted", "measur", "observed", "observation",
    "data", "survey", "census", "statistic", "report", "publish", "literature", "paper", "according to", "based on",
    "taken from", "derived", "definition", "convention", "conversion", "arbitrary", "hypothetical", "illustrat", "expert",
    "experiment", "et al", "table", "ibid", "p.", "pp.",
)  # fmt: skip
"""Beginnings of words that say where a number comes from, including assumptions."""
_SOURCE = re.compile(
    rf"\b(?i:{'|'.join(map(re.escape, _WORDS))})"
    r"|https?://|www\.|\bdoi\b"  # an address
    r"|^[^\s:.;][^:.;]{1,60}:\s"  # a comment that begins with a name and a colon
    r"|\b[A-Z][\w'-]+,? \(?(?:1[89]|20)\d\d\b"  # an author and a year
    r"|\b[A-Za-z0-9]+_\w+\b",  # the name of a series
    re.MULTILINE,
)
_SHOWN = re.compile(r'10,\d+,(?P<name>"(?:[^"\\]|\\.)*"|[^,\r\n]*),')
"""The record of a variable in a sketch."""


def find_uncommented(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements without a comment."""
    for element in checked.elements:
        if not element.comment:
            what = f"'{element.name}' has no comment; say what it means"
            yield Finding("advice", "comment", element.place, element.name, what)


def find_unsourced(checked: CheckedModel) -> Iterator[Finding]:
    """Find constants and lookups whose comment does not say where their numbers come from.

    A comment names a source if it has an address, an author with a year, the name of a series (`like_this`), a name and a
    colon at its start, or a word such as source, judgement, assumed, estimated, fitted, measured, reported, definition.
    """
    for element in checked.elements:
        if element.kind in {"constant", "lookup"} and element.comment and not _SOURCE.search(element.comment):
            what = f"the comment of '{element.name}' names no source; say where the number comes from, or 'judgement'"
            yield Finding("advice", "source", element.place, element.name, what)


def find_unitless(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements without units, and the units that follow from the equations."""
    for element in checked.elements:
        if not element.units:
            inferred = checked.units.inferred.get(element.key)
            cure = f"its equations give it {inferred}" if inferred else "give them, or 'Dmnl' for a pure number"
            yield Finding("advice", "no-units", element.place, element.name, f"'{element.name}' has no units; {cure}")


def find_unused(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements that no other element reads, as Vensim's model check does.

    Elements marked `:SUPPLEMENTARY` or in the save list of headline variables are not reported.
    """
    for element in checked.elements:
        if element.key not in checked.used and element.key not in checked.headlines and not element.supplementary:
            what = f"'{element.name}' is used by nothing; use it, delete it, or mark it :SUPPLEMENTARY"
            yield Finding("warning", "unused", element.place, element.name, what)


def find_hidden(checked: CheckedModel) -> Iterator[Finding]:
    """Find elements that are in no view of the sketch, if the model has a sketch with variables."""
    document = checked.document
    records = (_SHOWN.match(document.text, part.start) for part in document.segments if part.kind == "record")
    shown = {key(record["name"]) for record in records if record}
    for element in checked.elements if shown else ():
        if element.key not in shown:
            what = f"'{element.name}' is in no view; add it to the view where it belongs"
            yield Finding("advice", "no-view", element.place, element.name, what)
