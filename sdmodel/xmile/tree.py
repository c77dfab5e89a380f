"""XML as a tree whose every text knows its lines and columns, read with the parser of the standard library.

A file is not trusted: one with a document type declaration is refused before anything of it is read, so that there are no
entities that multiply (the "billion laughs") and none that name other files. Nothing is ever fetched. A module may be in another
file, which is read if the caller opens it.

The draft of XMILE that STELLA and iThink 10 write is brought to the form of XMILE 1.0: the draft has variables right in `<model>`, the
place of each in its own `<display>`, and in elements what 1.0 has in attributes.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pyexpat import ErrorString, ExpatError, ParserCreate

from ..errors import Fault, ModelError, Place

_IN_MODEL = ("stock", "flow", "aux", "gf", "module", "group")
_SPECIFICATIONS = ("method", "time_units", "save_interval")
_MOST_NODES = 1_000_000
_MOST_FILES = 200
"""Maximum number of files that modules are in."""
_DEEPEST = 100
_MISMATCH = 7
"""Expat's number for an end tag that does not belong to the open element."""


@dataclass(slots=True, eq=False)
class Node:
    """An element: its name without the prefix of XMILE's namespace, its attributes, its children and its own text."""

    tag: str
    attributes: dict[str, str]
    place: Place
    children: list[Node] = field(default_factory=list)
    text: str = ""
    _starts: list[int] = field(default_factory=list)
    _places: list[tuple[int, int]] = field(default_factory=list)

    def find(self, tag: str) -> Node | None:
        """Return the first child of that name."""
        return next(self.all(tag), None)

    def all(self, *tags: str) -> Iterator[Node]:
        """Return the children with one of these names."""
        return (child for child in self.children if child.tag in tags)

    def text_of(self, tag: str) -> str:
        """Return the text of the first child of that name, without blanks around it; empty if there is none."""
        child = self.find(tag)
        return "" if child is None else child.text.strip()

    def attribute(self, name: str) -> str:
        """Return an attribute with or without a prefix, or an empty text."""
        found = (value for own, value in self.attributes.items() if own.rpartition(":")[2] == name)
        return next(found, "").strip()

    def is_set(self, name: str) -> bool:
        """Return whether an attribute says `true`."""
        return self.attribute(name).lower() == "true"

    def append(self, data: str, line: int, column: int) -> None:
        """Add to the text what begins at a place."""
        self._starts.append(len(self.text))
        self._places.append((line, column))
        self.text += data

    def place_at(self, offset: int) -> Place:
        """Return the place of a character of the text."""
        if not self._starts:
            return self.place
        part = max(0, bisect_right(self._starts, offset) - 1)
        line, column = self._places[part]
        return Place(self.place.path, line, column + offset - self._starts[part])


def parse_xml(content: bytes, path: str) -> Node:
    """Return the root of an XML document.

    Raises
    ------
    ModelError
        If it is not well-formed, or has a document type declaration; with the line and column.
    """
    return _Builder(path).parse(content)


class _Builder:
    """Collects the elements that the parser reports."""

    def __init__(self, path: str) -> None:
        self.path, self.open, self.nodes = path, list[Node](), 0
        self.root: Node | None = None
        self.prefix = ""
        self.parser = ParserCreate()
        self.parser.buffer_text = False
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.data
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.ExternalEntityRefHandler = None

    def place(self) -> Place:
        return Place(self.path, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)

    def parse(self, content: bytes) -> Node:
        try:
            self.parser.Parse(content, True)
        except ExpatError as error:
            place = Place(self.path, error.lineno, error.offset + 1)
            raise ModelError([Fault(place, self.problem(error))]) from None
        except (LookupError, ValueError) as error:
            what = f"the encoding that the first line names cannot be read ({error}); save the file in UTF-8"
            raise ModelError([Fault(Place(self.path, 1), what)]) from None
        if self.root is None:  # expat reports an empty document itself
            raise ModelError([Fault(Place(self.path, 1), "the file has no element; name an XMILE file")])
        return self.root

    def problem(self, error: ExpatError) -> str:
        if error.code == _MISMATCH and self.open:
            opened = self.open[-1]
            what = f"this end tag does not close <{opened.tag}>, which line {opened.place.line} opens"
            return f"{what}; write </{opened.tag}> where it ends"
        return f"this is not well-formed XML ({ErrorString(error.code)}); correct it, or save the model again"

    def refuse(self, *_: object) -> None:
        what = "a document type declaration is not allowed, since it can multiply text and name other files"
        raise ModelError([Fault(self.place(), f"{what}; delete <!DOCTYPE ...>")])

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.root is None:
            prefix, colon, _ = tag.rpartition(":")
            self.prefix = prefix + colon
        node = Node(tag.removeprefix(self.prefix), attributes, self.place())
        self.nodes += 1
        if self.nodes > _MOST_NODES or len(self.open) >= _DEEPEST:
            much = f"more than {_MOST_NODES:,} elements" if self.nodes > _MOST_NODES else f"more than {_DEEPEST} levels"
            raise ModelError(
                [Fault(node.place, f"the file has {much}, which no model needs; check where it comes from")]
            )
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def end(self, _: str) -> None:
        self.open.pop()

    def data(self, data: str) -> None:
        if self.open:
            self.open[-1].append(data, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)


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


OpenFile = Callable[[str], tuple[str, bytes] | str]
"""Gives the path and the content of a file beside a model, or why it is not read."""
NOT_READ = "not read"
"""The attribute of a module with the reason why its file is not read."""


def add_module_files(root: Node, open_file: OpenFile) -> None:
    """Add what the files of modules declare: their models, and the dimensions, macros and units that the model does not have.

    Raises
    ------
    ModelError
        If such a file is not XML.
    """
    waiting, opened = [(root, "")], {""}
    while waiting:
        part, folder = waiting.pop()
        for module in _modules_of(part):
            wanted = module.attribute("model_name") or module.attribute("name")
            has_model = any(model.attribute("name") == wanted for model in root.all("model"))
            given = module.attribute("resource") or ("" if has_model else module.attribute("url"))
            name = posixpath.normpath(posixpath.join(folder, given)) if given else ""
            if name not in opened:
                content = open_file(name) if len(opened) <= _MOST_FILES else f"more than {_MOST_FILES} files; use fewer"
                if isinstance(content, str):
                    module.attributes[NOT_READ] = content
                    continue
                opened.add(name)
                other = modernize(parse_xml(content[1], content[0]))
                _merge(root, other, wanted)
                waiting.append((other, posixpath.dirname(name)))
            module.attributes = {
                own: value for own, value in module.attributes.items() if own not in ("resource", "url")
            }


def _modules_of(root: Node) -> Iterator[Node]:
    for model in root.all("model"):
        for variables in model.all("variables"):
            yield from variables.all("module")


def _merge(root: Node, other: Node, wanted: str) -> None:
    """Add what another file declares and the first does not; its model gets the name of the module."""
    models = [*other.all("model")]
    main = next((model for model in models if model.attribute("name") in ("", wanted)), models[0] if models else None)
    if main is not None:
        main.attributes = {**main.attributes, "name": wanted}
    known = {(part.tag, _declared(part)) for part in _declarations(root)}
    for whole in other.all("dimensions", "model_units"):
        whole.children = [part for part in whole.children if (part.tag, _declared(part)) not in known]
    new = [part for part in other.all("model", "macro") if (part.tag, _declared(part)) not in known]
    root.children += [*other.all("dimensions", "model_units"), *new]


def _declarations(root: Node) -> Iterator[Node]:
    for part in root.children:
        yield from part.children if part.tag in ("dimensions", "model_units") else [part]


def _declared(part: Node) -> tuple[str, ...]:
    """Return the name of what an element declares, and of a dimension its labels: another one of the name is a fault."""
    labels = [label.attribute("name") for label in part.all("elem")] if part.tag == "dim" else []
    return (part.attribute("name"), part.attribute("size") if part.tag == "dim" else "", *labels)
