"""Names in XMILE: quotes, line breaks, modules before a period, and labels with their dimension."""

from __future__ import annotations

import re

from ..model import Subscript, key

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": " ", "t": " "}
"""What the letters after a backslash mean; another character means itself."""


def plain_name(text: str) -> str:
    r"""Return a name as people read it: without quotes, on one line; XMILE writes a line break as `\n`."""
    text = text.strip()
    bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    bare = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), bare)
    shown = " ".join(bare.split())
    return shown if " " in shown else shown.replace("_", " ").strip() or shown


_NAMESPACES = ("std", "isee", "vensim", "user")


def name_key(text: str) -> str:
    """Return the form of a name in which two spellings are equal; parts of a qualified name may be in quotes."""
    return key(".".join(plain_name(part) for part in split_qualified(text)))


def without_namespace(text: str) -> str:
    """Return the name of a function or constant without the namespace of the standard or of a vendor, as in `isee.HISTORY`."""
    space, _, name = text.partition(".")
    return name if name and key(space) in _NAMESPACES else text


def split_qualified(text: str) -> list[str]:
    """Split a qualified name at its periods, except those in quotes."""
    return split_names(text, ".")


def split_names(text: str, separator: str) -> list[str]:
    """Split names at a sign, except where it is in quotes."""
    parts, quoted, escaped = [""], False, False
    for sign in text:
        quoted ^= sign == '"' and not escaped
        escaped = sign == "\\" and not escaped
        if sign == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


CLASH = " label"
"""What is added to a label that is the name of a variable too."""


def label_of(subscript: Subscript, name: str) -> str | None:
    """Return the key of a label by its key in the file, with or without its dimension before it, or None."""
    bare = name.removeprefix(f"{key(subscript.name)}.")
    return next((own for own in (bare, key(bare + CLASH)) if own in subscript.positions), None)


def quoted(name: str) -> str:
    """Return a name in quotes, as an expression has it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
