"""Names that one side of a merge gave to variables, put into the versions that still have the old ones."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import ModelError
from ...model import quote_name
from ..document import Document
from ..edit.names import Renaming, rename_in_document
from .parts import Key, Variables, find_renames, renamed_meanings, variables_of


def with_new_names(
    base: Document, ours: Document, theirs: Document, notes: list[str]
) -> tuple[Document, Document, Document]:
    """Return the three versions, each with the names that the others gave to variables and ranges.

    So a renaming touches no equation that the other side changed, and what the other side added uses the new name. A name
    that the other side also changed or removed stays as it is, and so does one whose new name the other side has already.
    """
    before, *after = map(variables_of, (base, ours, theirs))
    pairs = [find_renames(before, variables) if before.by_key else {} for variables in after]
    sides = [ours, theirs]
    for own, other in ((0, 1), (1, 0)):
        changes = {}
        for old, new in pairs[own].items():
            if not old[0] and old in after[other].by_key and not _is_known(new[1], after[other]):
                named = after[own].by_key[new]
                changes[old] = Renaming(old[1], quote_name(named.name), named.first.is_range)
        changes = _possible(changes, base, sides[other])
        base, sides[other] = _renamed(base, changes), _renamed(sides[other], changes)
        for old, change in changes.items():
            if _has_changed_users(old, before, after[other], pairs[other]):
                shown = f"'{before.by_key[old].name}' is renamed {change.new}"
                notes.append(f"{shown}, also in what the other side changed")
    return base, sides[0], sides[1]


def _possible(changes: Mapping[Key, Renaming], *documents: Document) -> dict[Key, Renaming]:
    """Return the changes without those of names that a part has which cannot be read, or a macro."""
    for document in documents:
        try:
            rename_in_document(document, *changes.values())
        except ModelError:
            if len(changes) == 1:
                return {}
            return {old: change for old, change in changes.items() if _possible({old: change}, *documents)}
    return dict(changes)


def _is_known(name: str, variables: Variables) -> bool:
    """Whether a version defines a name or uses it."""
    return any(name == own or name in variable.names for (_, own), variable in variables.by_key.items())


def _has_changed_users(name: Key, before: Variables, after: Variables, pairs: Mapping[Key, Key]) -> bool:
    """Whether an equation that uses a name is new or changed, not only by renamings."""
    origins = {pairs.get(own, own): variable for own, variable in before.by_key.items()}
    return any(
        user not in origins or renamed_meanings(origins[user], pairs) != after.by_key[user].meanings
        for user in after.users(name)
    )


def _renamed(document: Document, changes: Mapping[Key, Renaming]) -> Document:
    if not changes:
        return document
    renamed = Document(document.path, document.text, document.encoding)
    renamed.change(rename_in_document(renamed, *changes.values()))
    return renamed
