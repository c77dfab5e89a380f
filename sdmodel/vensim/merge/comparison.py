"""Comparison of two documents by meaning, variable by variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from ...errors import ModelError, Place
from ..document import AnyDocument
from ..edit.blocks import range_text
from ..read.syntax import comment_of, one_line
from .parts import (
    Key,
    Meaning,
    Part,
    Variable,
    Variables,
    find_renames,
    names_in_scope,
    rename_in_meaning,
    right_text,
    variables_of,
)
from .tails import settings_differences, sketch_differences

DifferenceKind = Literal[
    "added", "removed", "renamed", "equation", "subscripts", "units", "range", "comment", "group", "supplementary",
    "layout", "settings", "view", "sketch",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two documents: its kind and name, the old and new text, and their places (None if absent)."""

    kind: DifferenceKind
    name: str
    old: str
    new: str
    old_place: Place | None = None
    new_place: Place | None = None


def compare_documents(old: AnyDocument, new: AnyDocument, *, layout: bool = False) -> tuple[Difference, ...]:
    """Compare two versions of a model by meaning.

    Equations are compared as they are read: blanks, line breaks, and the spelling of names and numbers do not count.
    A renamed variable is one difference if all that used the old name use the new one; otherwise one variable is removed
    and one is added.

    Parameters
    ----------
    old, new : Document or OpenDocument
        The two versions, from `open_document`, or from `Document.from_bytes`.
    layout : bool
        Also report variables that differ only in blanks, line breaks and spelling.

    Returns
    -------
    tuple of Difference
        Variables, groups and macros in the order of the file, then settings, then views of the sketch.

    Raises
    ------
    ModelError
        If the text of one of them cannot be split into blocks.

    Examples
    --------
    >>> import sdmodel as sd
    >>> from sdmodel.vensim import Document
    >>> texts = b"a = 1 ~ m ~ | b = 2*a ~~|", b"a=1 ~ km ~ | b = 3*a ~~| c = 4 ~~|"
    >>> old, new = (Document.from_bytes(text, "model.mdl") for text in texts)
    >>> [(found.kind, found.name, found.old, found.new) for found in sd.compare_documents(old, new)]
    [('units', 'a', 'm', 'km'), ('equation', 'b', '2*a', '3*a'), ('added', 'c', '', '4')]
    """
    old, new = old.document, new.document
    if faults := old.faults + new.faults:
        raise ModelError(faults)
    before, after = variables_of(old), variables_of(new)
    pairs = find_renames(before, after)
    found = [*_variables(before, after, pairs, layout=layout), *_headers(before, after)]
    found.sort(key=_position)
    settings = (Difference("settings", name, was, now) for name, was, now in settings_differences(old, new))
    names = names_in_scope(pairs, "")
    views = (Difference(kind, *rest) for kind, *rest in sketch_differences(old, new, names))  # type: ignore[arg-type]
    return (*found, *settings, *views)


def _position(difference: Difference) -> tuple[int, int]:
    place = difference.new_place or difference.old_place
    return (place.line, place.column) if place else (0, 0)


def _variables(before: Variables, after: Variables, pairs: Mapping[Key, Key], *, layout: bool) -> Iterator[Difference]:
    for key, variable in before.by_key.items():
        if key not in after.by_key and key not in pairs:
            yield Difference("removed", variable.name, _summary(variable), "", variable.first.place)
    origins = {new: old for old, new in pairs.items()}
    for key, variable in after.by_key.items():
        old = before.by_key.get(origins.get(key, key))
        if old is None:
            yield Difference("added", variable.name, "", _summary(variable), None, variable.first.place)
            continue
        found = list(_compare(old, variable, pairs))
        texts = [[part.text.strip() for part in side.parts] for side in (old, variable)]
        if not found and layout and texts[0] != texts[1]:
            found = [Difference("layout", variable.name, "", "", old.first.place, variable.first.place)]
        yield from found


def _summary(variable: Variable) -> str:
    """Return the equations of a variable, one per line, and its units."""
    lefts = (f"{_left(part)} " if part.subscripts else "" for part in variable.parts)
    equations = "\n".join(left + right_text(part) for left, part in zip(lefts, variable.parts, strict=True))
    return f"{equations} ~ {variable.units}" if variable.units else equations


def _compare(old: Variable, new: Variable, pairs: Mapping[Key, Key]) -> Iterator[Difference]:
    places = old.first.place, new.first.place
    if old.key != new.key:
        yield Difference("renamed", new.name, old.name, new.name, *places)
    yield from _equations(old, new, names_in_scope(pairs, old.first.scope))
    no_yes = "no", "yes"
    fields: tuple[tuple[DifferenceKind, str, str, bool], ...] = (
        ("units", old.units, new.units, old.plain_units != new.plain_units),
        ("range", range_text(old.range), range_text(new.range), old.range != new.range),
        ("comment", old.comment, new.comment, old.comment.split() != new.comment.split()),
        ("group", old.first.group, new.first.group, old.first.group != new.first.group),
        ("supplementary", no_yes[old.supplementary], no_yes[new.supplementary], old.supplementary != new.supplementary),
    )
    for kind, was, now, differs in fields:
        if differs:
            yield Difference(kind, new.name, was, now, *places)


def _equations(old: Variable, new: Variable, names: Mapping[str, str]) -> Iterator[Difference]:
    """Compare the blocks of a variable: those of the same subscripts, then the others in order."""
    was = _by_subscripts(old, names)
    now = _by_subscripts(new, {})
    for left in [left for left in now if left in was]:
        yield from _bodies(new.name, was.pop(left), now.pop(left))
    for one, other in zip_longest(was.values(), now.values()):
        if one is None:
            yield Difference("added", _subscripted(new.name, other[0]), "", right_text(other[0]), None, other[0].place)
        elif other is None:
            yield Difference("removed", _subscripted(new.name, one[0]), right_text(one[0]), "", one[0].place)
        else:
            before, after = one[0], other[0]
            yield Difference("subscripts", new.name, _left(before), _left(after), before.place, after.place)
            yield from _bodies(new.name, one, other)


_Block = tuple[Part, Meaning]


def _by_subscripts(variable: Variable, names: Mapping[str, str]) -> dict[tuple[object, ...], _Block]:
    """Return the blocks with their meanings by their left-hand subscripts, those of the same subscripts numbered."""
    found: dict[tuple[object, ...], _Block] = {}
    for part, meaning in zip(variable.parts, variable.meanings, strict=True):
        left, body = rename_in_meaning(meaning, names) if names else meaning
        number = sum(same == left for same, _ in found)
        found[left, number] = (part, body)
    return found


def _bodies(name: str, was: _Block, now: _Block) -> Iterator[Difference]:
    (old, before), (new, after) = was, now
    if before != after:
        kind: DifferenceKind = "subscripts" if old.is_range and new.is_range else "equation"
        yield Difference(kind, _subscripted(name, new), right_text(old), right_text(new), old.place, new.place)


def _left(part: Part) -> str:
    return f"[{','.join(part.subscripts)}]" if part.subscripts else "none"


def _subscripted(name: str, part: Part) -> str:
    return f"{name}{_left(part)}" if part.subscripts else name


def _headers(before: Variables, after: Variables) -> Iterator[Difference]:
    """Compare the headers of groups and macros, the first of each name."""
    was: dict[tuple[str, str], Part] = {}
    now: dict[tuple[str, str], Part] = {}
    for found, variables in ((was, before), (now, after)):
        for part in variables.others:
            if part.kind in ("group", "macro"):
                found.setdefault((part.kind, part.key), part)
    for key in dict.fromkeys([*was, *now]):
        old, new = was.get(key), now.get(key)
        (text, plain), (new_text, new_plain) = _header_text(old), _header_text(new)
        if old and new and plain == new_plain:
            continue
        changed: DifferenceKind = "comment" if key[0] == "group" else "equation"
        kind: DifferenceKind = "added" if old is None else "removed" if new is None else changed
        name = f"{key[0]} {(new or was[key]).name}"
        yield Difference(kind, name, text, new_text, old.place if old else None, new.place if new else None)


def _header_text(part: Part | None) -> tuple[str, str]:
    if part is None:
        return "", ""
    if part.kind == "group":
        text = comment_of(part.document.slice(part.segment.comment))
        return text, " ".join(text.split())
    text = one_line(part.text)
    return text, "".join(text.split()).lower()
