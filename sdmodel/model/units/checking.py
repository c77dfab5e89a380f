"""Check that the units of a model fit together, and infer the units of elements that have none.

An element without units has an unknown unit, which the equations determine where they can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..algebra import references_in, split_reference
from ..records import Element, Model
from .dimensions import Form, UnitSyntaxError, is_known, vocabulary_of
from .inference import Check, Site, UnitMismatch, Unknowns, unit_of

_CLOCK = ("initial_time", "time_step", "final_time", "saveper")
"""Elements in the model's unit of time; the first that has units determines it."""


@dataclass(frozen=True, slots=True)
class UnitReport:
    """The mismatches in the units of a model, in the order of the file, and the units of elements without units.

    `inferred` maps keys to the units that follow from the equations; `open` lists the keys whose units follow from nothing.
    """

    mismatches: tuple[UnitMismatch, ...]
    inferred: Mapping[str, str]
    open: tuple[str, ...]


def check_units(model: Model) -> UnitReport:
    """Check the units of a model and infer those of elements without units."""
    check = _begin(model)
    for element in _ordered(model, check.without):
        for equation in element.equations:
            _check_equation(Site(check, element, equation))
    _check_inputs(check)
    resolved = {name: check.unknowns.resolve(check.units[name]) for name in check.without}
    shown = {name: unit for name, unit in resolved.items() if not model.elements[name].hidden}
    return UnitReport(
        mismatches=tuple(
            sorted(dict.fromkeys(check.mismatches), key=lambda mismatch: (mismatch.place, mismatch.message))
        ),
        inferred=MappingProxyType({name: check.words.text(unit) for name, unit in shown.items() if is_known(unit)}),
        open=tuple(name for name, unit in shown.items() if not is_known(unit)),
    )


def _begin(model: Model) -> Check:
    """Return the check before the first equation: the units in the model, and unknown units for the rest."""
    words = vocabulary_of([element.units for element in model if not element.hidden], model.synonyms)
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
    """Return the units in the model; the units of hidden elements depend on where their macro is called."""
    if element.hidden:
        return None
    try:
        return check.words.unit(element.units)
    except UnitSyntaxError as problem:
        mismatch = UnitMismatch(element.place, "error", element.name, element.units, "", "", str(problem))
        check.mismatches.append(mismatch)
        return check.unknowns.fresh()


def _set_clock(check: Check) -> None:
    """Find the model's unit of time and compare the units of all run settings with it."""
    clock = [name for name in _CLOCK if name in check.units]
    declared = [name for name in clock if name not in check.without]
    check.time = check.units[[*declared, *clock][0]] if clock else check.unknowns.fresh()
    for name in clock:
        element = check.model.elements[name]
        if not check.unknowns.equate(check.time, check.units[name], element.place):
            first = check.model.elements[declared[0]].name
            left, right = check.words.text(check.time), check.words.text(check.units[name])
            what = f"'{element.name}' is in {right}, '{first}' in {left}; give both the model's unit of time"
            check.mismatches.append(UnitMismatch(element.place, "error", element.name, element.name, left, right, what))


def _ordered(model: Model, without: Sequence[str]) -> Iterator[Element]:
    """Yield elements without units, each after those it reads so that its equation determines it first; then the rest.

    Elements are sorted by name, so that the order of the file makes no difference.
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
    named = {split_reference(part)[0] for equation in element.equations for part in references_in(equation.expression)}
    return sorted((named & among) - but - {element.key})


def _check_equation(site: Site) -> None:
    """Compare the units of an equation with those of its element."""
    unknowns = site.check.unknowns
    own = site.check.units[site.element.key]
    whole = site.equation.expression
    unit = unit_of(whole, site, own)
    if unknowns.is_literal(unit) or site.same(own, unit):
        return
    what = f"'{site.element.name}' is in {site.text(own)}, its equation in {site.text(unit)}"
    site.report(site.equation.place, whole, own, unit, what)


def _check_inputs(check: Check) -> None:
    """Report inputs of lookups that are not pure numbers: a change of units would need other tables.

    Vensim warns of them too (https://www.vensim.com/documentation/22280.html). A lookup of time is a time series and is
    not reported.
    """
    for site, call, found in check.inputs:
        unit = check.unknowns.resolve(found)
        if not unit or not is_known(unit) or unit == check.unknowns.resolve(check.time):
            continue
        part = call.args[1]
        what = f"'{site.source(part)}', the input of a lookup, is in {site.text(unit)}"
        cure = f"divide it by a normal value in {site.text(unit)}, so that the table holds for any unit"
        place, text = site.place(part, call), site.source(call)
        mismatch = UnitMismatch(
            place, "warning", site.element.name, text, check.words.text({}), site.text(unit), f"{what}; {cure}"
        )
        check.mismatches.append(mismatch)
