"""The draft of XMILE that STELLA and iThink 10 write, in terms of XMILE 1.0.

The draft has variables right in `<model>`, the place of each in its own `<display>`, and in elements what 1.0 has in attributes.
"""

from __future__ import annotations

from collections.abc import Iterator

from .tree import Node

_IN_MODEL = ("stock", "flow", "aux", "gf", "module", "group")
_SPECIFICATIONS = ("method", "time_units", "save_interval")


def modernize(root: Node) -> Node:
    """Move the parts of a draft to where XMILE 1.0 has them, and return the root; a file in XMILE 1.0 stays as it is."""
    for specs in (part for node in (root, *root.all("model")) for part in node.all("sim_specs")):
        specs.attributes |= {tag: text for tag in _SPECIFICATIONS if (text := specs.text_of(tag))}
    arrays = (
        part
        for header in root.all("header")
        for kind in header.all("smile", "options")
        for part in kind.all("uses_arrays")
    )
    root.children += [dimensions for part in arrays for dimensions in part.all("dimensions")]
    for model in root.all("model"):
        if model.find("variables") is None and (own := [*model.all(*_IN_MODEL)]):
            model.children.append(Node("variables", {}, model.place, own))
            view = Node("view", {}, model.place, [*_symbols(own), *_drawn(model)])
            model.children.append(Node("views", {}, model.place, [view]))
    return root


def _symbols(variables: list[Node]) -> Iterator[Node]:
    for variable in variables:
        if (display := variable.find("display")) is not None and variable.tag != "group":
            attributes = {"name": variable.attribute("name"), **display.attributes}
            yield Node(variable.tag, attributes, display.place, display.children)


def _drawn(model: Node) -> Iterator[Node]:
    """Yield what the display of a draft has besides variables."""
    return (part for display in model.all("display") for part in display.all("connector", "alias", "text_box"))
