"""Which variables of one document are those of another under a new name: only where nothing speaks against it."""

from __future__ import annotations

from collections.abc import Mapping

from .outline import Key, Outline, Variable
from .parts import Meaning, renamed

_HIDDEN = "?"


def find_renames(old: Outline, new: Outline) -> dict[Key, Key]:
    """The new key of each variable that has another name now, by its old key.

    A variable that is gone and one that is new are the same if their blocks and units are, with all new names put in, if
    those who used the one use the other and nobody else does, and if such a user, or the comment, is otherwise as it was.
    """
    gone = {key: each for key, each in old.variables.items() if key not in new.variables}
    come = {key: each for key, each in new.variables.items() if key not in old.variables}
    pairs = _alike(gone, come)
    while True:
        wrong = [key for key in pairs if not _holds(key, pairs, old, new)]
        if not wrong:
            return pairs
        pairs = {key: found for key, found in pairs.items() if key not in wrong}


def names_within(pairs: Mapping[Key, Key], scope: str) -> dict[str, str]:
    """The new names by the old ones, as far as they hold in one macro, or outside of macros."""
    return {old[1]: new[1] for old, new in pairs.items() if old[0] == scope}


def meanings_renamed(variable: Variable, pairs: Mapping[Key, Key]) -> tuple[Meaning, ...]:
    """What the blocks of a variable say with the new names put in."""
    names = names_within(pairs, variable.scope)
    if names.keys().isdisjoint(variable.names):
        return variable.meanings
    return tuple(renamed(each, names) for each in variable.meanings)


def _alike(gone: Mapping[Key, Variable], come: Mapping[Key, Variable]) -> dict[Key, Key]:
    """Pairs of the same shape, as far as each has one partner; where several have it, comments tell them apart."""
    hidden = {name: _HIDDEN for _, name in (*gone, *come)}
    shapes: dict[tuple[object, ...], tuple[list[Variable], list[Variable]]] = {}
    for side, variables in enumerate((gone, come)):
        for each in variables.values():
            shapes.setdefault(_shape(each, hidden), ([], []))[side].append(each)
    pairs: dict[Key, Key] = {}
    for before, after in shapes.values():
        if len(before) == len(after) == 1:
            pairs[before[0].key] = after[0].key
            continue
        for each in before:
            found = [one for one in after if one.comment == each.comment]
            rivals = [one for one in before if one.comment == each.comment]
            if each.comment and len(found) == len(rivals) == 1:
                pairs[each.key] = found[0].key
    return pairs


def _shape(variable: Variable, hidden: Mapping[str, str]) -> tuple[object, ...]:
    """What a variable says whatever the names that are gone or new."""
    meanings = tuple(renamed(each, hidden) for each in variable.meanings)
    return variable.scope, variable.plain_units, variable.range, meanings


def _holds(key: Key, pairs: Mapping[Key, Key], old: Outline, new: Outline) -> bool:
    """Whether everything else in both documents agrees that a variable is another one's new name."""
    before, after = old.variables[key], new.variables[pairs[key]]
    if meanings_renamed(before, pairs) != after.meanings:
        return False
    users = {user: pairs.get(user, user) for user in old.users(key)}
    using = set(new.users(after.key))
    staying = {user for user in users.values() if user in new.variables}
    known = {pairs.get(each, each) for each in old.variables}
    if not staying <= using or any(user in known and user not in staying for user in using):
        return False
    untouched = any(
        meanings_renamed(old.variables[was], pairs) == new.variables[now].meanings
        for was, now in users.items()
        if now in staying
    )
    return untouched or bool(before.comment and before.comment == after.comment)
