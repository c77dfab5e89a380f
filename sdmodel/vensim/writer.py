"""Writes a whole model file from a model and its views, as Vensim lays it out; reading it gives the same model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from ..errors import Fault, ModelError
from ..model import (
    Element,
    Equation,
    Model,
    Numbers,
    Range,
    RealityCheck,
    Subscript,
    SubscriptMapping,
    Table,
    View,
    data_equation,
    data_keyword,
    data_variables,
    equation_source,
    labels_of,
    number_text,
    quote_name,
    table_text,
    takes_model,
)
from .read.syntax import METHODS
from .sketch.views import sketch_text

_WIDTH = 80
_STARS = "*" * 56
_METHODS = {integrator: code for code, integrator in METHODS.items()}
_BREAKS = frozenset({", ", "; ", "),", " + ", " - ", "*"})
"""A long equation may continue on a new line after these."""
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|[,;] |\),(?! )| [-+] |.', re.DOTALL)
_FORBIDDEN = re.compile(r"[|~\x00-\x09\x0b-\x1f\x7f]+")
_FILLED = re.compile(r"X[\s_]+IF[\s_]+MISSING\s*\(", re.IGNORECASE)
_TAIL = ("19:100,0", "27:0,", "34:0,", "4:Time")


@takes_model
def mdl_text(model: Model, views: Sequence[View] = ()) -> str:
    r"""Write a model as the text of a Vensim `.mdl` file.

    Equations come from the model's algebra, so their layout may differ from the file that the model was read from.
    The variables that macro calls create are written like others, a range that is an alias of another one with its labels.
    Data variables are written without their points, which come from the same files again. Comments lose `|`, `~` and characters that no file can hold.

    Parameters
    ----------
    model : Model
        The model to write.
    views : sequence of View
        The views of its sketch, in order; without any, the file has an empty sketch.

    Returns
    -------
    str
        The text of a file that `read_model` reads as the same model.

    Raises
    ------
    ModelError
        If a label is mapped to several labels that no range lists together, or the model was read without its files of data.

    Examples
    --------
    >>> from sdmodel import mdl_text
    >>> from sdmodel.testing import tiny_model
    >>> text = mdl_text(tiny_model("Water = INTEG(-leak, 100)\nleak = 0.1*Water"))
    >>> text.splitlines()[2:4]
    ['Water =', '\tINTEG(-leak, 100)']
    """
    if model.unread_files:
        raise ModelError(model.unread_files)
    hidden = {points.key: replace(points, name=element.name) for element, points in data_variables(model)}
    model = replace(model, elements=MappingProxyType({**model.elements, **hidden}))
    parts = ["{UTF-8}"]
    for subscript in model.subscripts.values():
        labels = ", ".join(map(quote_name, subscript.labels))
        mapped = ", ".join(_mapping(model, subscript, mapping) for mapping in subscript.mappings)
        text = _folded(f"{labels} -> {mapped}" if mapped else labels)
        parts.append(f"{quote_name(subscript.name)}:\n\t{text}\n\t~\t\n\t~\t{_comment(subscript.comment)}|")
    names = [group.name for group in model.groups]
    comments = {group.name: group.comment for group in reversed(model.groups)}
    for name in dict.fromkeys(["", *names, *(element.group for element in model)]):
        if name:
            parts.append(f"{_STARS}\n\t.{name}\n{_STARS}~\n\t\t{_comment(comments.get(name, ''))}|")
        parts += [
            block
            for element_key, element in model.elements.items()
            if element.group == name and element_key not in hidden
            for block in _blocks(model, element)
        ]
    parts += [_reality_block(model, check) for check in model.reality_checks]
    synonyms = [f"22:{','.join(names)}" for names in model.synonyms]
    settings = [":L\x7f<%^E!@", "9:Current", *synonyms, f"15:0,0,0,{_METHODS[model.integrator]},0,0", *_TAIL, ""]
    return "\n\n".join(parts) + "\n\n" + sketch_text(views) + "\n".join(settings)


def _blocks(model: Model, element: Element) -> Iterator[str]:
    """Yield the blocks of an element, one per equation; the first has units, comment and mark."""
    for place, equation in enumerate(element.equations):
        first = place == 0
        units = (element.units + _bounds(element.range)).strip() if first else ""
        comment = _comment(element.comment if first else "")
        tail = "~\t:SUPPLEMENTARY\n\t" if first and element.supplementary else ""
        left = quote_name(element.name) + _brackets(model, equation.subscripts)
        if equation.exceptions:
            left += f" :EXCEPT: {', '.join(_brackets(model, names) for names in equation.exceptions)}"
        expression = equation.expression
        if (keyword := data_keyword(model, expression)) is not None:
            words = (left, keyword, f":=\n\t{_folded(equation.text)}" if equation.text else "")
            both = " ".join(filter(None, words))
        elif _FILLED.match(equation.text):  # its formula is longer
            both = f"{left} :RAW: :=\n\t{_folded(equation.text)}"
        elif (computed := data_equation(model, expression)) is not None:
            both = f"{left} {computed[0]} :=\n\t{_folded(equation_source(model, computed[1]))}"
        elif isinstance(expression, Table):
            both = f"{left}(\n\t{_folded(table_text(expression))})"
        else:
            right = _array(model, equation) if isinstance(expression, Numbers) else equation_source(model, expression)
            both = f"{left} {'==' if element.fixed else '='}\n\t{_folded(right)}"
        yield f"{both}\n\t~\t{units}\n\t~\t{comment}{tail}|"


def _reality_block(model: Model, check: RealityCheck) -> str:
    """Return the block of a constraint or test input."""
    left = quote_name(check.name) + _brackets(model, check.subscripts)
    text = f"{left} :TEST INPUT:\n\t{_folded(check.condition)}"
    if check.kind == "constraint":
        text = f"{left} :THE CONDITION:\n\t{_folded(check.condition)}\n\t:IMPLIES:\n\t{_folded(check.consequence)}"
    return f"{text}\n\t~\t\n\t~\t{_comment(check.comment)}|"


def _mapping(model: Model, subscript: Subscript, mapping: SubscriptMapping) -> str:
    """Return what follows the arrow: the target alone, or with an item for each label, a range for several at once."""
    ranges = {found.keys: found.name for found in model.subscripts.values()}
    items = [
        quote_name(mapping.target if mapping.target not in model.subscripts else model.subscripts[mapping.target].name)
    ]
    for label, targets in zip(subscript.labels, mapping.labels, strict=False):
        name = model.labels.get(targets[0]) if len(targets) == 1 else ranges.get(targets)
        if name is None:
            what = f"'{label}' of '{subscript.name}' maps to labels that no range lists together; declare such a range"
            raise ModelError([Fault(subscript.place, what)])
        items.append(quote_name(name))
    return f"({items[0]}: {', '.join(items[1:])})" if mapping.labels else items[0]


def _brackets(model: Model, names: Sequence[str]) -> str:
    """Return the subscripts of a left-hand side in the author's spelling."""
    ranges, labels = model.subscripts, model.labels
    shown = (ranges[name].name if name in ranges else labels.get(name, name) for name in names)
    return quote_name("x", tuple(shown))[1:]


def _array(model: Model, equation: Equation) -> str:
    """Return the numbers of an array, row by row if it has several ranges."""
    values = [number_text(value) for value in equation.expression.values]
    sizes = [len(labels_of(model.subscripts, name)) for name in equation.subscripts]
    _, *across = [size for size in sizes if size > 1] or [1]
    if not across or len(values) == 1:
        return ", ".join(values)
    rows = (", ".join(values[at : at + across[-1]]) for at in range(0, len(values), across[-1]))
    return "; ".join(rows) + ";"


def _bounds(limits: Range | None) -> str:
    if limits is None:
        return ""
    numbers = [limits.minimum, limits.maximum, *([limits.step] if limits.step is not None else [])]
    return f" [{','.join('?' if number is None else number_text(number) for number in numbers)}]"


def _comment(text: str) -> str:
    """Return a comment without characters that would end it, folded to the line width, and the start of a line after it."""
    folded = "\n\t\t".join(_folded(line, blanks=True) for line in _FORBIDDEN.sub(" ", text).splitlines())
    return (
        f"{folded} " if folded.endswith("\\") else f"{folded}\n\t"
    )  # a backslash before a line break is a continuation


def _folded(text: str, *, blanks: bool = False) -> str:
    """Fold a long text with continuations at blanks, or after commas and operators outside of names in quotes."""
    chunks = re.findall(r"\S+\s*", text) if blanks else [""]
    for piece in () if blanks else _PIECES.findall(text):
        chunks[-1] += piece
        chunks += [""] * (piece in _BREAKS)
    lines = [""]
    for chunk in chunks:
        if lines[-1] and len(lines[-1]) + len(chunk.rstrip()) > _WIDTH:
            lines.append("")
        lines[-1] += chunk
    return "\\\n\t\t".join(lines)
