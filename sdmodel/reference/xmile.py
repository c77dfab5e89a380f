"""Models in XMILE: read by PySD, said in our algebra and written as Vensim's text, which our own reader then reads.

XMILE is OASIS's interchange format for system dynamics (version 1.0, 2015). PySD runs the numbers in a model's text as
Python while it parses them.
"""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import Fault, ModelError, ReferenceError
from ..files import read_bytes
from ..model import SETTINGS, Element, Equation, Group, Integrator, Kind, Model, Range, Subscript, key, lay_out
from ..vensim import mdl_text, model_from_text
from .xmile_algebra import Unknown, Words, expression_of

XMILE_ENDINGS = frozenset({".xmile", ".stmx", ".xml", ".itmx"})
"""What the names of models in XMILE end in."""

_METHODS = re.compile(r"<sim_specs[^>]*\bmethod\s*=\s*[\"']([^\"']*)", re.IGNORECASE)
_CODED = re.compile(r"<(module|macro|conveyor|queue|oven)\b")
_EQUATION = re.compile(r"<eqn>(.*?)</eqn>", re.DOTALL | re.IGNORECASE)
_SIGNED_POWER = re.compile(
    r"(?:^|[-+*/^(,<>=]|\b(?:and|or|not|if|then|else)\b)\s*-\s*[\d.]+(?:e[-+]?\d+)?\s*\^", re.IGNORECASE
)
"""A negative number to a power, as in `-2^2`, of which PySD takes the sign first, which XMILE does last."""
_CONTROL = "Control"


@dataclass(slots=True)
class _Draft:
    """A model while its parts are gathered, with what cannot be said in Vensim's language."""

    path: str
    words: Words
    elements: dict[str, Element] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_xmile(path: str | Path) -> tuple[Model, tuple[str, ...]]:
    """The model in an XMILE file, as our reader reads it from the Vensim text that stands for it, and what changed on the way.

    Raises
    ------
    ModelError
        With everything that Vensim's language, or this program, has no word for, each by name.
    ReferenceError
        If PySD cannot read the file.
    """
    source = Path(path)
    content = read_bytes(source, error=ModelError, wanted="an XMILE model")
    text = content.decode("utf-8", "replace")
    if faults := [Fault(str(source), what) for what in _refused(text)]:
        raise ModelError(faults)
    section = _parsed(source, content)
    draft = _Draft(str(source), _words(section))
    for element in section.elements:
        _take(draft, element)
    if draft.faults:
        raise ModelError(dict.fromkeys(draft.faults))
    made = Model(
        path=str(source),
        elements=MappingProxyType(draft.elements | {each.key: each for each in draft.words.made}),
        subscripts=MappingProxyType(draft.words.ranges),
        groups=(Group(_CONTROL, "Simulation control."),),
        integrator=_integrator(text),
    )
    return model_from_text(mdl_text(made, lay_out(made)), str(source.with_suffix(".mdl"))), tuple(draft.words.notes)


def _refused(text: str) -> Iterator[str]:
    """What PySD would leave out or read otherwise, without a word."""
    cure = "write the model without, or convert it in the program that made it"
    yield from (f"XMILE's <{name}> is not supported; {cure}" for name in sorted(set(_CODED.findall(text))))
    for equation in _EQUATION.findall(text):
        if _SIGNED_POWER.search(equation.strip()):
            told = " ".join(equation.split())[:60]
            yield f"'{told}': PySD takes the sign of a number before its power; put the power in parentheses"


def _parsed(path: Path, content: bytes) -> Any:
    """The parts of a model as PySD's parser finds them; it reads a copy under a name of ours."""
    from pysd.translators.xmile.xmile_file import XmileFile

    with tempfile.TemporaryDirectory(prefix="sdmodel-xmile-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = Path(folder, "model.xmile")
        copy.write_bytes(content)
        try:
            file = XmileFile(copy)
            file.parse()
            return file.get_abstract_model().sections[0]
        except Exception as fault:
            said = " ".join(str(fault).split())[:200].replace(str(copy), path.name) or "it gives no reason"
            message = f"{path}: PySD cannot read the model: {type(fault).__name__}: {said}; convert it in the program that made it"
            raise ReferenceError(message) from fault


def _words(section: Any) -> Words:
    """The names of a model: its ranges, and which of its elements are tables."""
    ranges = {key(each.name): Subscript(each.name, tuple(each.subscripts)) for each in section.subscripts}
    tables = {key(_name(each)): each.components[0].ast.type for each in section.elements if _is_table(each)}
    names = {key(_name(each)) for each in section.elements}
    parts = ((key(_name(each)), each.components[0].subscripts[0]) for each in section.elements if each.components)
    return Words(ranges, tables, names, {name: tuple(map(key, subscripts)) for name, subscripts in parts})


def _is_table(element: Any) -> bool:
    return bool(element.components) and type(element.components[0].ast).__name__ == "LookupsStructure"


def _name(element: Any) -> str:
    r"""A name on one line; XMILE writes its line breaks as `\n`."""
    return " ".join(str(element.name).replace("\\n", " ").split())


def _take(draft: _Draft, element: Any) -> None:
    """One element with its equations, or what keeps it from being written."""
    name = _name(element)
    equations: list[Equation] = []
    for component in element.components:
        subscripts = tuple(map(key, component.subscripts[0]))
        draft.words.begin(name, subscripts)
        try:
            equations += _equations(draft.words, component, subscripts)
        except Unknown as unknown:
            what = f"'{name}': {unknown}; write it otherwise, or convert the model in the program that made it"
            draft.faults.append(Fault(draft.path, what))
    control = name.upper() in (*SETTINGS, "SAVEPER")
    draft.elements[key(name)] = Element(
        name=name.upper() if control else name,
        kind=_kind(element),
        equations=tuple(equations),
        units=element.units or "",
        range=_limits(element.limits),
        comment=element.documentation or "",
        group=_CONTROL if control else "",
    )


def _kind(element: Any) -> Kind:
    return "lookup" if _is_table(element) else "auxiliary"


def _equations(words: Words, component: Any, subscripts: tuple[str, ...]) -> Iterator[Equation]:
    """The equations of one component: an array of numbers with more than two ranges takes one for each label of the first."""
    if component.subscripts[1]:
        message = "exceptions of an array are not supported"
        raise Unknown(message)
    yield Equation(expression_of(words, component.ast), subscripts)


def _limits(limits: Sequence[float | None]) -> Range | None:
    """The range of an element, if it has one."""
    bounds = [None if each is None or not math.isfinite(each) else float(each) for each in limits]
    return Range(bounds[0], bounds[1]) if any(each is not None for each in bounds) else None


def _integrator(text: str) -> Integrator:
    """Runge-Kutta where the file asks for it; PySD does not tell."""
    found = _METHODS.search(text)
    return "rk4" if found and found[1].lower().startswith("rk") else "euler"
