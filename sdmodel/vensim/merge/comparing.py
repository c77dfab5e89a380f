"""Two documents held against each other: what differs in meaning, variable by variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ...errors import ModelError, Place
from ...model import Range
from ..document import Document
from ..read.fields import comment_of, one_line
from ..sketch.differences import sketch_differences
from .outline import Key, Outline, Variable, outline_of
from .parts import Meaning, Part, renamed, right_text, whole_text
from .renames import find_renames, names_within
from .settings import settings_differences

DifferenceKind = Literal[
    "added", "removed", "renamed", "equation", "subscripts", "units", "range", "comment", "group", "supplementary",
    "layout", "settings", "view", "sketch",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: of what, the old text and the new, and where each stands; None where there is none."""

    kind: DifferenceKind
    name: str
    old: str
    new: str
    old_place: Place | None = None
    new_place: Place | None = None


def compare_documents(old: Document, new: Document, *, layout: bool = False) -> tuple[Difference, ...]:
    """What differs in meaning between two documents: variables in the order of the file, then settings and sketch.

    Equations are compared as they are read, so that blanks, line breaks, the spelling of names and of numbers do not
    count. A new name is told as such where all that used the old one use the new; else one is removed and one added.
    With `layout`, variables of which only such things differ are told too.

    Raises
    ------
    ModelError
        If the text of one of them cannot be cut into blocks.
    """
    if faults := old.faults + new.faults:
        raise ModelError(faults)
    before, after = outline_of(old), outline_of(new)
    pairs = find_renames(before, after)
    found = [*_variables(before, after, pairs, layout=layout), *_headed(before, after)]
    found.sort(key=_order)
    settings = (Difference("settings", name, was, now) for name, was, now in settings_differences(old, new))
    names = names_within(pairs, "")
    views = (Difference(kind, *rest) for kind, *rest in sketch_differences(old, new, names))  # type: ignore[arg-type]
    return (*found, *settings, *views)


def _order(difference: Difference) -> tuple[int, int]:
    place = difference.new_place or difference.old_place
    return (place.line, place.column) if place else (0, 0)


def _variables(before: Outline, after: Outline, pairs: Mapping[Key, Key], *, layout: bool) -> Iterator[Difference]:
    """What differs between the variables of two documents."""
    for key, variable in before.variables.items():
        if key not in after.variables and key not in pairs:
            yield Difference("removed", variable.name, _whole(variable), "", variable.place)
    origins = {new: old for old, new in pairs.items()}
    for key, variable in after.variables.items():
        old = before.variables.get(origins.get(key, key))
        if old is None:
            yield Difference("added", variable.name, "", _whole(variable), None, variable.place)
            continue
        found = list(_compared(old, variable, pairs))
        if not found and layout and _texts(old) != _texts(variable):
            found = [Difference("layout", variable.name, "", "", old.place, variable.place)]
        yield from found


def _whole(variable: Variable) -> str:
    """The equations of a variable, a line each, and its units."""
    equations = "\n".join(
        " ".join([*([_left(part)] if part.subscripts else []), right_text(variable.document, part)])
        for part in variable.parts
    )
    return f"{equations} ~ {variable.units}" if variable.units else equations


def _texts(variable: Variable) -> list[str]:
    return [whole_text(variable.document, part).strip() for part in variable.parts]


def _compared(old: Variable, new: Variable, pairs: Mapping[Key, Key]) -> Iterator[Difference]:
    """What differs between a variable and what it was."""
    places = old.place, new.place
    if old.key != new.key:
        yield Difference("renamed", new.name, old.name, new.name, *places)
    yield from _equations(old, new, names_within(pairs, old.scope))
    fields: tuple[tuple[DifferenceKind, str, str, bool], ...] = (
        ("units", old.units, new.units, old.plain_units != new.plain_units),
        ("range", _range(old.range), _range(new.range), old.range != new.range),
        ("comment", old.comment, new.comment, old.comment.split() != new.comment.split()),
        ("group", old.group, new.group, old.group != new.group),
        ("supplementary", _yes(old.supplementary), _yes(new.supplementary), old.supplementary != new.supplementary),
    )
    for kind, was, now, differs in fields:
        if differs:
            yield Difference(kind, new.name, was, now, *places)


def _range(limits: Range | None) -> str:
    if limits is None:
        return ""
    bounds = [limits.minimum, limits.maximum, *([limits.step] if limits.step is not None else [])]
    return f"[{','.join('?' if each is None else f'{each:.12g}' for each in bounds)}]"


def _yes(flag: bool) -> str:  # noqa: FBT001 - the only thing there is to say
    return "yes" if flag else "no"


def _equations(old: Variable, new: Variable, names: Mapping[str, str]) -> Iterator[Difference]:
    """What differs between the blocks of a variable: those of the same subscripts, then the others in order."""
    was = _by_subscripts(old, names)
    now = _by_subscripts(new, {})
    for left in [each for each in now if each in was]:
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
    """The blocks with what they say, by their left-hand subscripts; those of the same ones numbered."""
    found: dict[tuple[object, ...], _Block] = {}
    for part, meaning in zip(variable.parts, variable.meanings, strict=True):
        left, body = renamed(meaning, names) if names else meaning
        number = sum(each[0] == left for each in found)
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
class _Head:
    """A group's header or a macro's: what it is called, what it says, what of that counts, and where it stands."""

    name: str
    text: str
    counts: str
    place: Place


def _headed(before: Outline, after: Outline) -> Iterator[Difference]:
    """Groups and macros that are gone or new, or whose headers say something else."""
    was, now = _heads(before), _heads(after)
    for each in dict.fromkeys([*was, *now]):
        old, new = was.get(each), now.get(each)
        if old is None and new is not None:
            yield Difference("added", new.name, "", new.text, None, new.place)
        elif old is not None and new is None:
            yield Difference("removed", old.name, old.text, "", old.place)
        elif old is not None and new is not None and old.counts != new.counts:
            kind: DifferenceKind = "comment" if each[0] == "group" else "equation"
            yield Difference(kind, new.name, old.text, new.text, old.place, new.place)


def _heads(outline: Outline) -> dict[tuple[str, str], _Head]:
    """The first header of each group and of each macro."""
    document = outline.document
    found: dict[tuple[str, str], _Head] = {}
    for part in outline.others:
        if part.kind == "group":
            text = comment_of(document.slice(part.segment.comment))
            counts = " ".join(text.split())
        elif part.kind == "macro":
            text = one_line(whole_text(document, part))
            counts = "".join(text.split()).lower()
        else:
            continue
        head = _Head(f"{part.kind} {part.name}", text, counts, document.place(part.segment.start))
        found.setdefault((part.kind, part.key), head)
    return found
