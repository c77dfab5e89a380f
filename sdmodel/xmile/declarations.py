"""What an XMILE file declares: dimensions, variables of the model and of its modules, graphical functions and macros."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import Fault, Place, format_count
from ..model import Subscript, SubscriptMapping, Table, key, nearest
from .extensions import KIND
from .measures import Measures, measures_of
from .names import CLASH, label_of, name_key, plain_name, split_names, split_qualified
from .scope import Gf, Macro, Variable, by_module
from .tree import NOT_READ, Node

KINDS = ("stock", "flow", "aux", "gf", "vensim:data")
"""The tags of variables."""
_PLACEHOLDER = ((0.0, 1.0), (1.0, 1.0))
_DEEPEST = 50
"""Maximum nesting of modules."""
_MOST_LABELS = 1_000_000
_MOST_MODULES = 1_000
NUMBER = r"\s*+[-+]?(?:\d++\.?\d*+|\.\d++)(?:[eE][-+]?\d++)?\s*+"
"""The pattern of a number between blanks."""
_REFUSED: Mapping[str, str] = {
    "queue": "a queue is not supported; model it with stocks and DELAY",
    "oven": "an oven is not supported; model it with stocks and DELAY",
}


@dataclass(slots=True)
class Declarations:
    """The declarations of a file by key; `groups` are pairs of a name and a comment, `group_of` has the group of each variable."""

    subscripts: dict[str, Subscript] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    group_of: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    modules: int = 0
    modules_in: list[tuple[Node, str]] = field(default_factory=list)
    """All modules, each with what is before its name."""
    measures: Measures = field(default_factory=Measures)

    def fault(self, where: Place, what: str) -> None:
        """Add a fault."""
        self.faults.append(Fault(where, what))


def declarations_of(root: Node) -> tuple[Declarations, Node | None]:
    """Return what a file declares, and the node of its main model."""
    found = Declarations()
    dims = [dim for part in root.all("dimensions") for dim in part.all("dim")]
    for dim in dims:
        _declare_dimension(dim, found)
    found.measures = measures_of(root)
    for node in root.all("macro"):
        _declare_macro(node, found)
    for part in (part for data in root.all("data", "isee:data") for part in data.all("import")):
        if part.attribute("enabled").lower() == "false":
            continue
        name = part.attribute("resource") or part.attribute("worksheet") or part.text.strip()
        found.notes.append(f"data is not imported from '{name:.60}'; values are those of the file")
    models = [*root.all("model")]
    named = {name_key(node.attribute("name")): node for node in models if node.attribute("name")}
    main = next((node for node in models if not node.attribute("name")), models[0] if models else None)
    if main is None:
        found.fault(root.place, "the file has no <model>; save the model again in the program that made it")
        return found, None
    used = {name_key(main.attribute("name"))} if main.attribute("name") else set()
    _rename_labels(found, main)
    for dim in dims:
        _map_dimension(dim, found)
    _declare_model(main, "", named, used, found)
    nested = by_module(found.variables)
    for module, prefix in found.modules_in:
        _connect(module, prefix, found, nested)
    _note_placeholders(root, found)
    for name, node in named.items():
        if name not in used:
            found.notes.append(f"the model '{node.attribute('name')}' is in no module and is left out")
    return found, main


def _note_placeholders(root: Node, found: Declarations) -> None:
    """Note the two points that xmutil, a converter of Vensim's models, writes in place of data."""
    if not any("xmutil" in header.text_of("vendor") for header in root.all("header")):
        return
    names = [own.name for own in found.variables.values() if any(gf.table.points == _PLACEHOLDER for gf in own.tables)]
    if names:
        what = f"xmutil has written two points in place of the data of {format_count(len(names), 'variable')}, such as '{names[0]}'"
        found.notes.append(f"{what}; convert the .mdl file with `sdmodel convert` instead")


def _declare_dimension(node: Node, found: Declarations, whole: Sequence[str] = ()) -> None:
    """Declare a dimension, and those that Vensim's export has inside of it: ranges of some of its labels, or of the `whole`."""
    name = plain_name(node.attribute("name"))
    labels = [plain_name(label.attribute("name")) for label in node.all("elem")]
    if whole and not labels and node.attributes.get(KIND) in ("equivalent", "copy"):
        labels = [*whole]
    size = node.attribute("size")
    if not labels and size:
        count = int(size) if size.isdigit() else 0
        if not 0 < count <= _MOST_LABELS:
            found.fault(
                node.place, f"the size of dimension '{name}' is {size}; write a whole number from 1 to {_MOST_LABELS:,}"
            )
            count = 1
        labels = [str(number) for number in range(1, count + 1)]
    if not name or not labels:
        found.fault(node.place, f"the dimension '{name}' has no name or no labels; give it both")
        return
    seen = Counter(map(key, labels))
    repeated = next((label for label in labels if seen[key(label)] > 1), "")
    if repeated or key(name) in found.subscripts:
        what = f"the label '{repeated}' of '{name}'" if repeated else f"the dimension '{name}'"
        found.fault(node.place, f"{what} is declared twice; delete one")
        return
    found.subscripts[key(name)] = Subscript(name, tuple(labels), comment=node.text_of("doc"), place=node.place)
    for part in node.all("dim"):
        _declare_dimension(part, found, labels)


def _map_dimension(node: Node, found: Declarations) -> None:
    """Add the mapping of a dimension in Vensim's export, which lists what each label stands for."""
    own = found.subscripts.get(name_key(node.attribute("name")))
    pairs = [(name_key(part.attribute("from")), name_key(part.attribute("to"))) for part in node.all("vensim:map")]
    if own is not None and pairs:
        ranges = found.subscripts
        parts = {label_of(own, source): _part_of(target, ranges) for source, target in pairs}
        wanted = {label for labels in parts.values() for label in labels}
        family = next((name for name, other in ranges.items() if wanted <= other.positions.keys()), None)
        if family is None or any(label not in parts for label in own.keys):
            found.fault(node.place, f"the mapping of '{own.name}' does not lead to labels of one dimension; correct it")
            return
        mapping = SubscriptMapping(family, tuple(parts[label] for label in own.keys))
        ranges[key(own.name)] = replace(own, mappings=(mapping,))
    for part in node.all("dim"):
        _map_dimension(part, found)


def _part_of(name: str, ranges: Mapping[str, Subscript]) -> tuple[str, ...]:
    """Return the labels that a name stands for: those of a dimension, or one."""
    if name in ranges:
        return ranges[name].keys
    return next(((label,) for other in ranges.values() if (label := label_of(other, name)) is not None), (name,))


def _declare_macro(node: Node, found: Declarations) -> None:
    if node.attribute("filter"):
        found.notes.append(f"the option filter '{node.attribute('name')}' is left out")
        return
    name = plain_name(node.attribute("name"))
    if node.find("sim_specs") is not None:
        found.fault(
            node.place, f"the macro '{name}' runs over times of its own, which is not supported; write stocks instead"
        )
        return
    parameters = [(name_key(part.text), part.attribute("default")) for part in node.all("parm")]
    defaults = {own: default for own, default in parameters if default}
    found.macros[key(name)] = Macro(name, node, tuple(own for own, _ in parameters), defaults)


def _declare_model(node: Node, prefix: str, models: Mapping[str, Node], used: set[str], found: Declarations) -> None:
    """Declare the variables of a model, and those of its modules with the name of the module before theirs."""
    found.modules += 1
    if found.modules > _MOST_MODULES:
        if found.modules == _MOST_MODULES + 1:
            found.fault(
                node.place, f"the file has more than {_MOST_MODULES:,} modules; a module may not contain itself"
            )
        return
    for variables in node.all("variables"):
        _note_left_out(variables, found)
        for child in variables.children:
            if child.tag in KINDS:
                declare_variable(child, prefix, found)
            elif child.tag == "module":
                _declare_module(child, prefix, models, used, found)
        for group in variables.all("group"):
            _declare_group(group, prefix, found)
    for variables in node.all("variables"):
        for module in variables.all("module"):
            found.modules_in.append((module, prefix))


def _note_left_out(variables: Node, found: Declarations) -> None:
    """Note what stands among variables and does not take part in a run."""
    known = (*KINDS, "module", "group")
    texts = [part for part in variables.children if part.attributes.get(KIND) == "string"]
    others = {
        part.tag: [*variables.all(part.tag)]
        for part in variables.children
        if part.tag not in known and not part.tag.startswith("isee:")
    }
    what = {"vensim:rc": "Reality Checks", "text": "text variables"}
    for tag, parts in (({"text": texts} if texts else {}) | others).items():
        first = plain_name(parts[0].attribute("name"))
        found.notes.append(f"{what.get(tag, f'<{tag}>')}: {len(parts)} left out, such as '{first}'")


def _declare_module(node: Node, prefix: str, models: Mapping[str, Node], used: set[str], found: Declarations) -> None:
    name = plain_name(node.attribute("name"))
    wanted = name_key(node.attribute("model_name") or node.attribute("name"))
    file = node.attribute("resource") or ("" if wanted in models else node.attribute("url"))
    if file:
        reason = node.attributes.get(NOT_READ, "it is not opened; put its <model> into this file")
        found.fault(node.place, f"the module '{name}' is in the file '{file:.200}': {reason}")
    elif wanted not in models:
        close = nearest(name, [model.attribute("name") for model in models.values()])
        cure = f"did you mean '{close}'?" if close else "add the model, or delete the module"
        found.fault(node.place, f"the file has no <model> with the name '{name}'; {cure}")
    elif prefix.count(".") > _DEEPEST:
        found.fault(node.place, f"the module '{name}' contains itself, or modules nest too deep; delete it")
    else:
        used.add(wanted)
        inner = f"{prefix}{name}."
        found.groups.setdefault(inner.rstrip("."), node.text_of("doc"))
        _declare_model(models[wanted], inner, models, used, found)


def declare_variable(node: Node, prefix: str, found: Declarations) -> None:
    """Declare one variable; a text variable of Vensim's only served to read files."""
    if node.attributes.get(KIND) == "string":
        return
    name = plain_name(node.attribute("name"))
    if not name:
        found.fault(node.place, f"this <{node.tag}> has no name; give it one")
        return
    variable = Variable(f"{prefix}{name}", node, prefix)
    for tag, what in _REFUSED.items():
        if (part := node.find(tag)) is not None:
            found.fault(part.place, f"'{name}': {what}")
    for child in node.children:
        if child.tag in KINDS and child.tag != "gf":
            what = f'<{child.tag} name="{child.attribute("name")}"> is inside of <{node.tag} name="{name}">'
            found.fault(child.place, f"{what}; close <{node.tag}> before it")
    if variable.key in found.variables:
        first = found.variables[variable.key].node.place.line
        found.fault(node.place, f"'{variable.name}' is defined a second time; first at line {first}; delete one")
        return
    variable.dimensions = _dimensions(variable, found)
    variable.tables = [*_tables(variable, found)]
    found.variables[variable.key] = variable
    if prefix:
        found.group_of[variable.key] = prefix.rstrip(".")


def _dimensions(variable: Variable, found: Declarations) -> tuple[str, ...]:
    """Return the dimensions of a variable; a dimension that it has twice counts as a copy the second time."""
    own: list[str] = []
    for dim in (dim for part in variable.node.all("dimensions") for dim in part.all("dim")):
        name = name_key(dim.attribute("name"))
        if name not in found.subscripts:
            close = nearest(name, [subscript.name for subscript in found.subscripts.values()])
            cure = f"did you mean '{close}'?" if close else "define it in <dimensions>"
            found.fault(dim.place, f"'{dim.attribute('name')}' is not a dimension; {cure}")
            return ()
        original, number = found.subscripts[name], 1
        while name in own:
            number += 1
            name = key(f"{original.name} {number}")
            found.subscripts.setdefault(name, replace(original, name=f"{original.name} {number}"))
        own.append(name)
    return tuple(own)


def labels_of_element(variable: Variable, node: Node, found: Declarations) -> tuple[str, ...] | None:
    """Return the labels of one cell of a variable, or None after reporting that they are wrong."""
    given = [name_key(text) for text in split_names(node.attribute("subscript"), ",")]
    labels: list[str] = []
    for dimension, label in zip(variable.dimensions, given, strict=False):
        subscript = found.subscripts[dimension]
        own = label_of(subscript, label)
        part = found.subscripts.get(label)
        if own is None and part is not None and part.positions.keys() <= subscript.positions.keys():
            own = label  # a range of some labels, as Vensim's export has them
        if own is None and label.isdigit() and 0 < int(label) <= len(subscript.keys):
            own = subscript.keys[int(label) - 1]
        if own is None:
            what = f"'{variable.name}[{node.attribute('subscript')}]': '{label}' is not a label of '{subscript.name}'"
            close = nearest(label, subscript.labels)
            found.fault(
                node.place, f"{what}; {f'did you mean {close!r}?' if close else 'add it there, or delete this element'}"
            )
            return None
        labels.append(own)
    if len(given) != len(variable.dimensions):
        what = f"'{variable.name}' has {format_count(len(variable.dimensions), 'dimension')} but {format_count(len(given), 'subscript')} here; write one for each"
        found.fault(node.place, what)
        return None
    return tuple(labels)


def _tables(variable: Variable, found: Declarations) -> Iterator[Gf]:
    """Yield the graphical functions of a variable: one for all cells, or one for each element that has its own."""
    node = variable.node
    if node.tag == "gf":
        yield from _table(variable, node, (), found)
    elif (own := node.find("gf")) is not None:
        yield from _table(variable, own, (), found)
    for element in node.all("element"):
        if (own := element.find("gf")) is not None and (labels := labels_of_element(variable, element, found)):
            yield from _table(variable, own, labels, found)


def _table(variable: Variable, node: Node, labels: tuple[str, ...], found: Declarations) -> Iterator[Gf]:
    faults = len(found.faults)
    ys, xs, scale = _numbers(node.find("ypts"), found), _numbers(node.find("xpts"), found), node.find("xscale")
    if len(found.faults) > faults:
        return
    if ys is None or (xs is None and scale is None):
        if node.find("ypts") is not None or node.tag == "gf":
            what = f"the graphical function of '{variable.name}' has no points; give it <ypts>, and <xpts> or <xscale>"
            found.fault(node.place, what)
        return
    corners = [_scale(node.find(tag)) for tag in ("xscale", "yscale")]
    if xs is None:
        low, high = corners[0] or (math.nan, math.nan)
        steps = max(len(ys) - 1, 1)
        xs = [low + (high - low) * place / steps for place in range(len(ys))]
    if len(xs) != len(ys) or not all(map(math.isfinite, (*xs, *ys))):
        what = (
            f"the graphical function of '{variable.name}' has {len(xs)} x and {len(ys)} y; give a finite y for each x"
        )
        found.fault(node.place, what)
        return
    across, up = (corner if corner and corner[0] < corner[1] else None for corner in corners)
    left, right = across or (min(xs), max(xs))
    limits = None if up is None else ((left, up[0]), (right, up[1]))
    how = node.attribute("type").lower() or ("discrete" if node.is_set("discrete") else "continuous")
    yield Gf(Table(list(zip(xs, ys, strict=True)), limits), how, labels)


def _numbers(node: Node | None, found: Declarations) -> list[float] | None:
    if node is None:
        return None
    mark = node.attributes.get("sep", ",")
    values = []
    for part in node.text.split(mark or ",") if node.text.strip() else ():
        if not re.fullmatch(NUMBER, part):
            found.fault(node.place_at(0), f"'{part.strip()}' is not a number; write numbers with '{mark}' between them")
            return None
        values.append(float(part))
    return values or None


def _scale(node: Node | None) -> tuple[float, float] | None:
    try:
        low, high = (float(node.attribute(name)) for name in ("min", "max")) if node else (math.nan, math.nan)
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _declare_group(node: Node, prefix: str, found: Declarations) -> None:
    """Put the variables of a group, also called a sector, into it."""
    name = prefix + plain_name(node.attribute("name"))
    found.groups.setdefault(name, node.text_of("doc"))
    for entity in node.all("entity"):
        own = key(prefix + name_key(entity.attribute("name")))
        if own in found.variables and found.group_of.get(own, prefix.rstrip(".")) == prefix.rstrip("."):
            found.group_of[own] = name


def _connect(module: Node, prefix: str, found: Declarations, nested: Mapping[str, str]) -> None:
    """Connect the inputs of a module to the variables that they stand for."""
    inner = f"{prefix}{plain_name(module.attribute('name'))}."
    for connect in module.all("connect"):
        target = _find(connect.attribute("to"), (inner, prefix, ""), found, nested)
        source = _find(connect.attribute("from"), (prefix, "", inner), found, nested)
        for name, own in ((connect.attribute("to"), target), (connect.attribute("from"), source)):
            if own is None:
                close = nearest(name, [variable.name for variable in found.variables.values()])
                cure = f"did you mean '{close}'?" if close else "correct the name, or delete the connection"
                found.fault(connect.place, f"the connection names '{name}', which is not defined; {cure}")
        if target is not None and source is not None and target != source:
            found.variables[target].source = source


def _find(text: str, prefixes: tuple[str, ...], found: Declarations, nested: Mapping[str, str]) -> str | None:
    """Return the key of a variable by its name in the first of some modules that has it; a period at the start means above."""
    parts = [part for part in split_qualified(text) if part]
    name = ".".join(plain_name(part) for part in parts)
    places = prefixes[1:] if text.startswith(".") and len(prefixes) > 1 else prefixes
    known = (key(own + name) for own in (*places, *prefixes) if key(own + name) in found.variables)
    return next(known, nested.get(key(name)))


def _rename_labels(found: Declarations, main: Node) -> None:
    """Give labels that are also names of variables or dimensions another name, since Vensim allows each name once."""
    variables = (child for part in main.all("variables") for child in part.children)
    taken = {name_key(node.attribute("name")) for node in variables} | found.subscripts.keys() | {"time"}
    for name, subscript in found.subscripts.items():
        if clashes := [label for label in subscript.labels if key(label) in taken]:
            labels = tuple(f"{label}{CLASH}" if label in clashes else label for label in subscript.labels)
            found.subscripts[name] = replace(subscript, labels=labels)
            shown = ", ".join(clashes[:3])
            found.notes.append(
                f"labels of '{subscript.name}' that are names of variables too end in '{CLASH}': {shown}"
            )
