"""A whole model file from a model and its views, as Vensim lays it out, so that what is read back is the same model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..model import (  # fmt: skip
    Element,
    Equation,
    Model,
    Numbers,
    Range,
    Subscript,
    Table,
    View,
    digits,
    labels_of,
    quoted,
    table_points,
    written,
)
from .sketch.writing import sketch_text

_WIDTH = 80
_STARS = "*" * 56
_METHODS = {"euler": 0, "rk4": 5}
_BEHIND = frozenset({", ", "; ", "),", " + ", " - ", "*"})
"""Where a long equation may be broken."""
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|[,;] |\),(?! )| [-+] |.', re.DOTALL)
_APART = re.compile(r"[|~\x00-\x09\x0b-\x1f\x7f]+")
_TAIL = ("19:100,0", "27:0,", "34:0,", "4:Time")


def mdl_text(model: Model, views: Sequence[View] = ()) -> str:
    """The text of a `.mdl` file: every equation written anew from its algebra, in the groups of the model, and the sketch.

    Elements that stand for calls of macros are written like others. Ranges are written without mappings.
    """
    parts = ["{UTF-8}", *map(_range, model.subscripts.values())]
    names = [group.name for group in model.groups]
    comments = {group.name: group.comment for group in reversed(model.groups)}
    for name in dict.fromkeys(["", *names, *(element.group for element in model)]):
        members = [element for element in model if element.group == name]
        if name and (members or name in names):
            parts.append(f"{_STARS}\n\t.{name}\n{_STARS}~\n\t\t{_comment(comments.get(name, ''))}\n\t|")
        parts += [block for element in members for block in _blocks(model, element)]
    return "\n\n".join(parts) + "\n\n" + sketch_text(views) + "\n".join([*_settings(model), ""])


def _settings(model: Model) -> Iterator[str]:
    """The lines behind the sketch: the mark with its DEL, units that mean the same, the integrator, the span of time."""
    yield ":L\x7f<%^E!@"
    yield "9:Current"
    yield from (f"22:{','.join(names)}" for names in model.synonyms)
    yield f"15:0,0,0,{_METHODS[model.integrator]},0,0"
    yield from _TAIL


def _range(subscript: Subscript) -> str:
    labels = ", ".join(map(quoted, subscript.labels))
    return f"{quoted(subscript.name)}:\n\t{_folded(labels)}\n\t~\t\n\t~\t{_comment(subscript.comment)}\n\t|"


def _blocks(model: Model, element: Element) -> Iterator[str]:
    """The blocks of an element, one for each equation; the first says what the element is."""
    for place, equation in enumerate(element.equations):
        first = place == 0
        units = (element.units + _bounds(element.range)).strip() if first else ""
        comment = _comment(element.comment) if first else ""
        tail = "\n\t~\t:SUPPLEMENTARY" if first and element.supplementary else ""
        yield f"{_equation(model, element, equation)}\n\t~\t{units}\n\t~\t{comment}{tail}\n\t|"


def _equation(model: Model, element: Element, equation: Equation) -> str:
    """Both sides of an equation; what is longer than a line goes on below."""
    left = quoted(element.name) + _brackets(model, equation.subscripts)
    if equation.exceptions:
        left += f" :EXCEPT: {', '.join(_brackets(model, each) for each in equation.exceptions)}"
    expression = equation.expression
    if isinstance(expression, Table):
        return f"{left}(\n\t{_folded(table_points(expression))})"
    right = _array(model, equation) if isinstance(expression, Numbers) else written(model, expression)
    return f"{left} {'==' if element.fixed else '='}\n\t{_folded(right)}"


def _brackets(model: Model, names: Sequence[str]) -> str:
    """Subscripts of the left-hand side in the author's spelling."""
    spelt = (
        model.subscripts[each].name if each in model.subscripts else model.labels.get(each, each) for each in names
    )
    return f"[{','.join(map(quoted, spelt))}]" if names else ""


def _array(model: Model, equation: Equation) -> str:
    """The numbers of an array, row by row where it has several ranges."""
    values = [digits(each) for each in equation.expression.values]
    sizes = [len(labels_of(model.subscripts, name)) for name in equation.subscripts]
    ranges = [size for size in sizes if size > 1]
    if len(ranges) < 2 or len(values) == 1:  # noqa: PLR2004 - a table
        return ", ".join(values)
    across = ranges[-1]
    rows = (", ".join(values[at : at + across]) for at in range(0, len(values), across))
    return "; ".join(rows) + ";"


def _bounds(limits: Range | None) -> str:
    """The range in brackets, `?` where it has no bound."""
    if limits is None:
        return ""
    numbers = [limits.minimum, limits.maximum, *([limits.step] if limits.step is not None else [])]
    return f" [{','.join('?' if each is None else digits(each) for each in numbers)}]"


def _comment(text: str) -> str:
    """A comment without the marks that would end it, on lines that fit a page."""
    return "\n\t\t".join(_folded(line, blanks=True) for line in _APART.sub(" ", text).splitlines())


def _folded(text: str, *, blanks: bool = False) -> str:
    """A text with continuations behind commas and operators, or at blanks, where it is longer than a line."""
    lines = [""]
    for chunk in re.findall(r"\S+\s*", text) if blanks else _chunks(text):
        if lines[-1] and len(lines[-1]) + len(chunk.rstrip()) > _WIDTH:
            lines.append("")
        lines[-1] += chunk
    return "\\\n\t\t".join(lines)


def _chunks(text: str) -> Iterator[str]:
    """The parts of an equation that stay on one line, names in quotes among them."""
    chunk = ""
    for piece in _PIECES.findall(text):
        chunk += piece
        if piece in _BEHIND:
            yield chunk
            chunk = ""
    yield chunk
