"""What Vensim's own export of XMILE adds in a namespace of its own: net flows, data variables, and results of macros after a colon.

Elements of that namespace have the prefix `vensim`. Net flows may also stand without it, as Ventana proposes for the standard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .syntax import SyntaxProblemError, Term, parse_expression
from .tree import Node

if TYPE_CHECKING:
    from .scope import Variable

KIND = "vensim:kind"
EXCEPT = "vensim:except"
_NET_FLOW = ("vensim:netflow", "netflow")
_DATA = re.compile(r"\s*(?P<keyword>:(?:INTERPOLATE|RAW|HOLD\s+BACKWARD|LOOK\s+FORWARD):)?\s*(?::?=)?", re.IGNORECASE)
_FILE = re.compile(r"\b(GET[\s_]+(?:DIRECT|XLS|123|ODBC|VDF)[\s_]+\w+)\s*\(", re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_PARTS = re.compile(r"[^\W\d]\w*")


def net_flow(stock: Node) -> Node | None:
    """Return the net flow of a stock that is an expression, or None."""
    return next(stock.all(*_NET_FLOW), None)


def excepted_cells(node: Node) -> Iterator[Node]:
    """Yield an element with the subscripts of each part of an array that its equation excepts."""
    part = node.find(EXCEPT)
    for labels in () if part is None else _BRACKETS.findall(part.text):
        yield Node("element", {"subscript": labels}, part.place_at(0) if part else node.place)


def is_data(node: Node) -> bool:
    """Whether a variable has its values from data."""
    return node.attributes.get(KIND) == "data" or node.tag == "vensim:data"


def data_parts(equation: Node | None, where: Node) -> tuple[str, Node]:
    """Return the keyword of a data variable, such as `:RAW:`, and its equation, which is empty if its points are given to the model."""
    node = equation or where
    text = "" if equation is None else equation.text
    found = _DATA.match(text)
    keyword, end = (found["keyword"] or "", found.end()) if found else ("", 0)
    return keyword, replace(node, text=re.sub(r"\S", " ", text[:end]) + text[end:])


def file_function(text: str) -> str:
    """Return the function with which an equation reads a file, or an empty text."""
    found = _FILE.search(text)
    return " ".join(found[1].replace("_", " ").upper().split()) if found else ""


def further_results(variable: Variable) -> Iterator[Term]:
    """Yield the names that the equations of a variable give to further results of macros."""
    nodes = (variable.node, *variable.node.all("element"))
    for equation in (part for node in nodes for part in node.all("eqn") if ":" in part.text):
        try:
            waiting = [parse_expression(equation.text)]
        except (SyntaxProblemError, RecursionError):
            continue  # a fault where it is read
        while waiting:
            term = waiting.pop()
            yield from (output for output in term.outputs if output.kind == "name")
            waiting.extend(term.parts)


def units_in_macro(text: str, parameters: tuple[str, ...]) -> str:
    """Return the units of a variable of a macro; Vensim's may be those of a parameter by its name, which only a call has."""
    return "" if any(part.lower() in parameters for part in _PARTS.findall(text)) else text
