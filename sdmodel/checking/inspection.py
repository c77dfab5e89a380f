"""Everything at once: a model, the rules that are wanted, and what they find."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ..errors import CheckError, ModelError, Place, SimulationError
from ..model import Model, nearest
from ..scenario import Scenario, constant_values, merge, with_constants, with_tables
from ..vensim import read_model, read_scenario
from .faults import fault_findings
from .findings import Finding, Level, at_least, ordered
from .rules import RULES, Rule
from .subject import CLOCK, Subject

_RUN = "run"


def check_model(
    model: Model | str | os.PathLike[str],
    *,
    scenario: Scenario | str | Path | Sequence[Scenario | str | Path] = (),
    only: Collection[str] = (),
    skip: Collection[str] = (),
    level: Level = "advice",
    static: bool = False,
) -> tuple[Finding, ...]:
    """Every fault and doubt of a model, by level and place; `static` leaves out what needs the model to run.

    A model that cannot be read, or that cannot run though a rule needs it, gives its faults whatever else is asked. `only`
    and `skip` name rules; `level` is the least that is told.

    Raises
    ------
    CheckError
        If there is no rule of such a name.
    ScenarioError
        If the scenario cannot be read, or changes what the model does not let it.
    """
    rules = _chosen(only, skip)
    try:
        subject = Subject(changed(model if isinstance(model, Model) else read_model(model), scenario))
    except ModelError as error:
        return ordered(fault_findings(error))
    wanted = {rule.name for rule in rules} | {_RUN}
    found = [each for each in _findings(subject, rules, static=static) if each.rule in wanted]
    return at_least(ordered(found), level)


def _chosen(only: Collection[str], skip: Collection[str]) -> list[Rule]:
    for name in (*only, *skip):
        if name not in RULES:
            close = nearest(name, RULES)
            cure = f"did you mean '{close}'?" if close else f"there are {', '.join(RULES)}"
            message = f"'{name}' is no rule; {cure}"
            raise CheckError(message)
    return [rule for rule in RULES.values() if (not only or rule.name in only) and rule.name not in skip]


def changed(model: Model, scenario: Scenario | str | Path | Sequence[Scenario | str | Path]) -> Model:
    """The model with what a scenario changes written into it."""
    several = [scenario] if isinstance(scenario, Scenario | str | Path) else list(scenario)
    if not several:
        return model
    changes = merge([each if isinstance(each, Scenario) else read_scenario(each) for each in several])
    return with_constants(with_tables(model, changes), constant_values(model, changes))


def _findings(subject: Subject, rules: Sequence[Rule], *, static: bool) -> Iterator[Finding]:
    """What the rules find; several rules may have one function, which is called once."""
    finds = {rule.find: rule.dynamic for rule in rules if rule.find is not None}
    for find in (find for find, dynamic in finds.items() if not dynamic):
        yield from find(subject)
    dynamic = [find for find, dynamic in finds.items() if dynamic and not static]
    try:
        if dynamic:
            subject.base  # noqa: B018 - made here, so that what keeps it from being made is told once
    except SimulationError as error:
        yield Finding("error", _RUN, _clock_place(subject, str(error)), "", str(error))
        return
    for find in dynamic:
        yield from find(subject)


def _clock_place(subject: Subject, told: str) -> Place | str:
    """The place of the time with which a message begins, else the file."""
    named = (subject.model[name].place for name in CLOCK if told.startswith(name) and name in subject.model)
    return next(named, subject.model.path)
