"""What a reader is not told: what a variable means, where a number comes from, what it is measured in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .findings import Finding
from .subject import Subject

_WORDS = (
    "source", "judgement", "judgment", "assumed", "assumption", "estimat", "guess", "calibrat", "fitted", "measur", "observed", "observation",
    "data", "survey", "census", "statistic", "report", "publish", "literature", "paper", "according to", "based on",
    "taken from", "derived", "definition", "convention", "conversion", "arbitrary", "hypothetical", "illustrat", "expert",
    "experiment", "et al", "table", "ibid", "p.", "pp.",
)  # fmt: skip
"""Beginnings of words by which authors say where a number comes from, an assumption among them."""
_SOURCE = re.compile(
    rf"\b(?i:{'|'.join(map(re.escape, _WORDS))})"
    r"|https?://|www\.|\bdoi\b"  # an address
    r"|^[^\s:.;][^:.;]{1,60}:\s"  # a comment that begins with a name and a colon
    r"|\b[A-Z][\w'-]+,? \(?(?:1[89]|20)\d\d\b"  # an author and a year
    r"|\b[A-Za-z0-9]+_\w+\b",  # the name of a series
    re.MULTILINE,
)


def find_uncommented(subject: Subject) -> Iterator[Finding]:
    """What has no comment."""
    for element in subject.elements:
        if not element.comment:
            what = f"'{element.name}' has no comment; say what it means"
            yield Finding("advice", "comment", element.place, element.name, what)


def find_unsourced(subject: Subject) -> Iterator[Finding]:
    """Constants and tables whose comment does not say where their numbers come from.

    A comment does if it has an address, an author with a year, the name of a series (`like_this`), a name and a colon at
    its start, or a word such as source, judgement, assumed, estimated, fitted, measured, reported, definition.
    """
    for element in subject.elements:
        if element.kind in {"constant", "lookup"} and element.comment and not _SOURCE.search(element.comment):
            what = f"the comment of '{element.name}' names no source; say where the number comes from, or 'judgement'"
            yield Finding("advice", "source", element.place, element.name, what)
