"""Whether the units of a model fit together, and what those are that its author leaves open.

An element without units has an unknown one, which the equations settle where they can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..algebra import references, referred
from ..records import Element, Model
from .dimensions import Form, UnitsProblem, is_known, vocabulary_of
from .inference import Check, Doubt, Site, unit_of
from .unknowns import Unknowns

_CLOCK = ("initial_time", "time_step", "final_time", "saveper")
"""Elements in the model's unit of time, the first that has units deciding which that is."""


@dataclass(frozen=True, slots=True)
class UnitReport:
    """What the units of a model come to: what does not fit, in the order of the file, and what an element without units has.

    `inferred` is by key, and holds what the equations settle; `open` are the keys of elements that nothing settles.
    """

    doubts: tuple[Doubt, ...]
    inferred: Mapping[str, str]
    open: tuple[str, ...]


def unit_faults(model: Model) -> tuple[Doubt, ...]:
    """Where the units of a model do not fit together, in the order of the file."""
    return check_units(model).doubts


def check_units(model: Model) -> UnitReport:
    """What does not fit in the units of a model, and the units of elements that have none of their own."""
    check = _begin(model)
    for element in _ordered(model, check.without):
        for equation in element.equations:
            _check_equation(Site(check, element, equation))
    _check_inputs(check)
    settled = {name: check.unknowns.resolve(check.units[name]) for name in check.without}
    shown = {name: unit for name, unit in settled.items() if not model.elements[name].hidden}
    return UnitReport(
        doubts=tuple(sorted(dict.fromkeys(check.doubts), key=lambda doubt: (doubt.place, doubt.message))),
        inferred=MappingProxyType({name: check.words.text(unit) for name, unit in shown.items() if is_known(unit)}),
        open=tuple(name for name, unit in shown.items() if not is_known(unit)),
    )


def _begin(model: Model) -> Check:
    """The check of a model before its first equation: units as the author gives them, unknown ones for the rest."""
    words = vocabulary_of([each.units for each in model if not each.hidden], model.synonyms)
    check = Check(model, words, Unknowns())
    units = {name: _declared(check, element) for name, element in model.elements.items()}
    check.without = [name for name, unit in units.items() if unit is None]
    for name in sorted(units):
        check.units[name] = check.unknowns.fresh() if units[name] is None else units[name]  # type: ignore[assignment]
    if set(model.elements) - set(check.without) <= set(_CLOCK):
        check.level = "warning"
    _set_clock(check)
    return check


def _declared(check: Check, element: Element) -> Form | None:
    """The unit that the author gives; what a macro says of its own elements is about the places it is called from."""
    if element.hidden:
        return None
    try:
        return check.words.unit(element.units)
    except UnitsProblem as problem:
        doubt = Doubt(element.place, "error", element.name, element.units, "", "", str(problem))
        check.doubts.append(doubt)
        return check.unknowns.fresh()


def _set_clock(check: Check) -> None:
    """Finds the model's unit of time, and holds everything that is one against it."""
    clock = [name for name in _CLOCK if name in check.units]
    told = [name for name in clock if name not in check.without]
    check.time = check.units[[*told, *clock][0]] if clock else check.unknowns.fresh()
    for name in clock:
        element = check.model.elements[name]
        if not check.unknowns.equate(check.time, check.units[name], element.place):
            first = check.model.elements[told[0]].name
            left, right = check.words.text(check.time), check.words.text(check.units[name])
            what = f"'{element.name}' is in {right}, '{first}' in {left}; give both the model's unit of time"
            check.doubts.append(Doubt(element.place, "error", element.name, element.name, left, right, what))


def _ordered(model: Model, without: Sequence[str]) -> Iterator[Element]:
    """Elements without units, each after those it reads, so that equations settle them before their use does; then the rest.

    Names decide what else is left open, so that the order of the file makes no difference.
    """
    left = set(without)
    stack = sorted(left, reverse=True)
    opened: set[str] = set()
    while stack:
        name = stack[-1]
        inner = [] if name in opened or name not in left else _read_by(model.elements[name], left, opened)
        opened.add(name)
        stack += reversed(inner)
        if not inner:
            stack.pop()
            if name in left:
                left.discard(name)
                yield model.elements[name]
    yield from (model.elements[name] for name in sorted(set(model.elements) - set(without)))


def _read_by(element: Element, among: set[str], but: set[str]) -> list[str]:
    named = {referred(each)[0] for equation in element.equations for each in references(equation.expression)}
    return sorted((named & among) - but - {element.key})


def _check_equation(site: Site) -> None:
    """Holds what an equation comes to against the unit of its element."""
    unknowns = site.check.unknowns
    own = site.check.units[site.element.key]
    whole = site.equation.expression
    unit = unit_of(whole, site, own)
    if unknowns.is_literal(unit) or site.same(own, unit):
        return
    what = f"'{site.element.name}' is in {site.text(own)}, its equation in {site.text(unit)}"
    site.tell(site.equation.place, whole, own, unit, what)


def _check_inputs(check: Check) -> None:
    """Inputs of lookups that are no pure numbers, so that a change of unit would need other tables.

    Vensim warns of them (https://www.vensim.com/documentation/22280.html). A lookup of time is a series, whose dates have
    no other form.
    """
    for site, call, found in check.inputs:
        unit = check.unknowns.resolve(found)
        if not unit or not is_known(unit) or unit == check.unknowns.resolve(check.time):
            continue
        part = call.args[1]
        what = f"'{site.word(part)}', the input of a lookup, is in {site.text(unit)}"
        cure = f"divide it by a normal value in {site.text(unit)}, so that the table holds for any unit"
        place, text = site.place(part, call), site.word(call)
        doubt = Doubt(
            place, "warning", site.element.name, text, check.words.text({}), site.text(unit), f"{what}; {cure}"
        )
        check.doubts.append(doubt)
