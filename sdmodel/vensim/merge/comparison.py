"""Comparison of two documents by meaning, variable by variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ...errors import ModelError, Place
from ..document import Document
from ..edit.blocks import range_text
from ..read.syntax import comment_of, one_line
from ..sketch.differences import sketch_differences
from .parts import Meaning, Part, rename_in_meaning, right_text, whole_text
from .settings import settings_differences
from .variables import Key, Variable, Variables, find_renames, names_in_scope, variables_of

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


def compare_documents(old: Document, new: Document, *, layout: bool = False) -> tuple[Difference, ...]:
    """Compare two versions of a model by meaning.

    Equations are compared as they are read: blanks, line breaks, and the spelling of names and numbers do not count.
    A renamed variable is one difference if all that used the old name use the new one; otherwise one variable is removed
    and one is added.

    Parameters
    ----------
    old, new : Document
        The two versions, from `read_document` or `Document.from_bytes`.
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
            yield Difference("removed", variable.name, _summary(variable), "", variable.place)
    origins = {new: old for old, new in pairs.items()}
    for key, variable in after.by_key.items():
        old = before.by_key.get(origins.get(key, key))
        if old is None:
            yield Difference("added", variable.name, "", _summary(variable), None, variable.place)
            continue
        found = list(_compare(old, variable, pairs))
        if not found and layout and _texts(old) != _texts(variable):
            found = [Difference("layout", variable.name, "", "", old.place, variable.place)]
        yield from found


def _summary(variable: Variable) -> str:
    """Return the equations of a variable, one per line, and its units."""
    equations = "\n".join(
        " ".join([*([_left(part)] if part.subscripts else []), right_text(variable.document, part)])
        for part in variable.parts
    )
    return f"{equations} ~ {variable.units}" if variable.units else equations


def _texts(variable: Variable) -> list[str]:
    return [whole_text(variable.document, part).strip() for part in variable.parts]


def _compare(old: Variable, new: Variable, pairs: Mapping[Key, Key]) -> Iterator[Difference]:
    places = old.place, new.place
    if old.key != new.key:
        yield Difference("renamed", new.name, old.name, new.name, *places)
    yield from _equations(old, new, names_in_scope(pairs, old.scope))
    no_yes = "no", "yes"
    fields: tuple[tuple[DifferenceKind, str, str, bool], ...] = (
        ("units", old.units, new.units, old.plain_units != new.plain_units),
        ("range", range_text(old.range), range_text(new.range), old.range != new.range),
        ("comment", old.comment, new.comment, old.comment.split() != new.comment.split()),
        ("group", old.group, new.group, old.group != new.group),
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
        yield from _bodies(old, new, was.pop(left), now.pop(left))
    for (before, one), (after, other) in zip(was.values(), now.values(), strict=False):
        places = _place(old, before), _place(new, after)
        yield Difference("subscripts", new.name, _left(before), _left(after), *places)
        yield from _bodies(old, new, (before, one), (after, other))
    both = min(len(was), len(now))
    for part, _ in list(was.values())[both:]:
        text = right_text(old.document, part)
        yield Difference("removed", _subscripted(new.name, part), text, "", _place(old, part))
    for part, _ in list(now.values())[both:]:
        text = right_text(new.document, part)
        yield Difference("added", _subscripted(new.name, part), "", text, None, _place(new, part))


_Block = tuple[Part, Meaning]


def _by_subscripts(variable: Variable, names: Mapping[str, str]) -> dict[tuple[object, ...], _Block]:
    """Return the blocks with their meanings by their left-hand subscripts, those of the same subscripts numbered."""
    found: dict[tuple[object, ...], _Block] = {}
    for part, meaning in zip(variable.parts, variable.meanings, strict=True):
        left, body = rename_in_meaning(meaning, names) if names else meaning
        number = sum(other[0] == left for other in found)
        found[left, number] = (part, body)
    return found


def _bodies(old: Variable, new: Variable, was: _Block, now: _Block) -> Iterator[Difference]:
    if was[1] != now[1]:
        texts = right_text(old.document, was[0]), right_text(new.document, now[0])
        kind: DifferenceKind = "subscripts" if was[0].is_range and now[0].is_range else "equation"
        name = _subscripted(new.name, now[0])
        yield Difference(kind, name, *texts, _place(old, was[0]), _place(new, now[0]))


def _place(variable: Variable, part: Part) -> Place:
    return variable.document.place(part.segment.start)


def _left(part: Part) -> str:
    return f"[{','.join(part.subscripts)}]" if part.subscripts else "none"


def _subscripted(name: str, part: Part) -> str:
    return f"{name}{_left(part)}" if part.subscripts else name


@dataclass(frozen=True, slots=True)
class _Header:
    """The header of a group or a macro: its name and text, the text without layout, and its place."""

    name: str
    text: str
    plain: str
    place: Place


def _headers(before: Variables, after: Variables) -> Iterator[Difference]:
    """Compare the headers of groups and macros."""
    was, now = _headers_of(before), _headers_of(after)
    for key in dict.fromkeys([*was, *now]):
        old, new = was.get(key), now.get(key)
        if old is None and new is not None:
            yield Difference("added", new.name, "", new.text, None, new.place)
        elif old is not None and new is None:
            yield Difference("removed", old.name, old.text, "", old.place)
        elif old is not None and new is not None and old.plain != new.plain:
            kind: DifferenceKind = "comment" if key[0] == "group" else "equation"
            yield Difference(kind, new.name, old.text, new.text, old.place, new.place)


def _headers_of(variables: Variables) -> dict[tuple[str, str], _Header]:
    """Return the first header of each group and of each macro."""
    document = variables.document
    found: dict[tuple[str, str], _Header] = {}
    for part in variables.others:
        if part.kind == "group":
            text = comment_of(document.slice(part.segment.comment))
            plain = " ".join(text.split())
        elif part.kind == "macro":
            text = one_line(whole_text(document, part))
            plain = "".join(text.split()).lower()
        else:
            continue
        header = _Header(f"{part.kind} {part.name}", text, plain, document.place(part.segment.start))
        found.setdefault((part.kind, part.key), header)
    return found
