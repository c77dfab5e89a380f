"""A model from the text of an `.mdl` file; every fault of the file is told at once."""

from __future__ import annotations

import hashlib
import os
from types import MappingProxyType

from ...errors import Fault, ModelError
from ...files import decoded
from ...model import Model, faults_of
from ..document import Document, read_bytes
from .elements import elements_of
from .fields import integrator_of, synonyms_of
from .macros import expand
from .ranges import subscripts_of
from .statements import ELEMENTS, RANGES, read_statements
from .translation import Names


def read_model(path: str | os.PathLike[str]) -> Model:
    """The model in a file.

    Raises
    ------
    ModelError
        With every fault of the file, in its order.
    """
    return model_from_text(read_bytes(path), os.fspath(path))


def model_from_text(text: str | bytes, path: str = "model.mdl") -> Model:
    """The model that a text holds, with `path` as the place that its faults name.

    Raises
    ------
    ModelError
        With every fault of the text, in its order.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    model, faults = model_of(Document.from_bytes(data, path))
    if faults:
        raise ModelError(dict.fromkeys(faults))
    return model


def model_of(document: Document) -> tuple[Model, list[Fault]]:
    """What a document says as a model, as far as it can be read, and all that is wrong with it.

    Whether names fit together is only asked of a text that is sound, since a block that cannot be read hides names.
    """
    found = read_statements(document)
    ranges, faults = subscripts_of(document, [each for each in found.model if each.kind in RANGES], found.unread)
    defining = [each for each in found.model if each.kind in ELEMENTS]
    names = Names(document, {each.key for each in defining} | found.unread, ranges, found.macros, expand)
    elements = elements_of(defining, names)
    settings = [document.text[each.start : each.end] for each in document.segments if each.kind == "setting"]
    model = Model(
        path=document.path,
        elements=MappingProxyType(elements),
        subscripts=MappingProxyType(ranges),
        groups=tuple(found.groups),
        synonyms=synonyms_of(settings),
        integrator=integrator_of(settings),
        text=decoded(bytes(document)),
        sha256=hashlib.sha256(bytes(document)).hexdigest(),
    )
    faults = [*found.faults, *faults, *names.faults]
    return model, faults if found.faults else [*faults, *names.doubts, *faults_of(model)]
