"""Which names may be given: legal in Vensim, and not taken."""

from __future__ import annotations

import re

from ...errors import Fault, ModelError
from ...model import FUNCTIONS, REFUSED, Model, display, key
from ..document import Document
from ..files.spelling import quoted, spelt
from ..read.heads import asked
from ..read.statements import read_statements

CLOCK = ("INITIAL TIME", "FINAL TIME", "TIME STEP", "SAVEPER")
"""Names by which Vensim knows the times of a run."""
NOW = "Time"
"""The name of the time in the model, which no block defines."""
_FORMS = ("WITH LOOKUP", "TABBED ARRAY", "A FUNCTION OF")
_RESERVED = frozenset(map(key, (*FUNCTIONS, *REFUSED, *_FORMS, *CLOCK, NOW)))
_REFUSED = re.compile(r'[|~"\\]|[^\S ]')


def new_head(text: str, document: Document, model: Model, *, old: str = "") -> str:
    """A new name with its subscripts as the file has it, in quotes where it needs them; `old` is the key that it replaces."""
    head = asked(text)
    wrong = _wrong_with(head.name, document, model, old)
    if wrong:
        raise ModelError([Fault(document.path, f"'{display(text)}': {wrong}")])
    return spelt(head.name, head.subscripts)


def _wrong_with(name: str, document: Document, model: Model, old: str) -> str:
    wanted = key(name)
    odd = _REFUSED.search(name)
    if not name.strip() or wanted == "_":
        return "a name needs letters; write some"
    if odd:
        told = f"'{odd[0]}'" if odd[0].isprintable() else "a line break or tab"
        return f"a name cannot hold {told}, by which programs divide the file; leave it out"
    if wanted in _RESERVED:
        return "is a word of Vensim's; choose another name"
    if wanted == old:
        return ""
    return f"is taken {_taken(wanted, document, model)}; choose another name" if _taken(wanted, document, model) else ""


def _taken(wanted: str, document: Document, model: Model) -> str:
    """What has a name already, or nothing."""
    if wanted in document:
        return f"at {document.place(document.find(quoted(wanted))[0].start)}"
    if wanted in label_keys(model):
        return "by a label of a subscript range"
    return "by a macro" if wanted in read_statements(document).macros else ""


def label_keys(model: Model) -> frozenset[str]:
    """The keys of all labels of a model's subscript ranges."""
    return frozenset(key(label) for subscript in model.subscripts.values() for label in subscript.labels)
