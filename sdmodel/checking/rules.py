"""The table of rules, and the check of a model by all or some of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import CheckError, ModelError, SimulationError
from ..model import RUN_SETTINGS, Model, missing_data, nearest
from ..reading import read_model
from ..vensim import ScenarioLike
from .behaviour import find_lost_flows, find_not_finite, find_outside_range, find_remarks, find_table_ends
from .checked_model import CheckedModel, with_scenario
from .data import find_missing_data, find_uncovered_times, find_unread_files
from .extremes import find_extremes
from .findings import LEVELS, Finding, Level, fault_findings, ordered
from .integration import find_method_error, find_short_delays, find_step_error
from .notation import (
    find_ambiguous,
    find_buried,
    find_hidden,
    find_many_causes,
    find_points_outside_graph,
    find_turning_tables,
    find_uncommented,
    find_unfinished,
    find_unit_mismatches,
    find_unitless,
    find_unsourced,
    find_unused,
)
from .uncertainty import find_outside_band

Find = Callable[[CheckedModel], Iterable[Finding]]
_RUN = "run"
_NEEDED_TO_RUN = frozenset({"file", "data", "incomplete"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `level` is the highest level of its findings, `dynamic` whether it needs a run of the model.

    Rules may share a function, which then finds what breaks any of them. Rules about what keeps a model from being read
    have no function: their findings are always reported.
    """

    name: str
    level: Level
    says: str
    find: Find | None = None
    dynamic: bool = False


_ROWS = (
    # What keeps a model from being read
    Rule("syntax", "error", "The text can be read as a model, and every part of it has a meaning."),
    Rule("undefined", "error", "Every name, function, subscript and label in an equation is defined."),
    Rule("doubly-defined", "error", "Nothing is defined twice."),
    Rule("simultaneous", "error", "No variable depends on itself at the same moment."),
    Rule("unsupported", "error", "Every function and kind of variable is supported."),
    Rule("run", "error", "The time settings of the model are valid.", find_remarks, dynamic=True),
    # Its data and its text
    Rule(
        "file",
        "error",
        "Every file that the model reads is there, and holds what the model needs.",
        find_unread_files,
    ),
    Rule("incomplete", "error", "No equation is A FUNCTION OF its causes, without how.", find_unfinished),
    Rule("data", "error", "Every data variable has data.", find_missing_data),
    Rule("data-times", "warning", "Data covers all times of the run.", find_uncovered_times),
    Rule("units", "error", "Units fit together in every equation.", find_unit_mismatches),
    Rule("unused", "warning", "Unused variables are :SUPPLEMENTARY or in the model's save list.", find_unused),
    Rule("time-constant", "warning", "A delay takes at least two time steps per stage.", find_short_delays),
    Rule("comment", "advice", "Every variable has a comment.", find_uncommented),
    Rule("source", "advice", "The comment of a number says where it comes from.", find_unsourced),
    Rule("no-units", "advice", "Every variable has units.", find_unitless),
    Rule("buried-number", "advice", "Numbers other than 0, 1 and 2 are constants of their own.", find_buried),
    Rule("operators", "advice", "Parentheses stand where programs disagree on the order of operators.", find_ambiguous),
    Rule("causes", "advice", "A variable has at most seven causes.", find_many_causes),
    Rule("no-view", "advice", "Every variable is in a view of the sketch.", find_hidden),
    Rule("table-turns", "advice", "A table only rises or only falls.", find_turning_tables),
    Rule("table-graph", "advice", "The points of a table lie within its graph.", find_points_outside_graph),
    # Runs of the model
    Rule("not-finite", "error", "Every value of the unchanged model's run is finite.", find_not_finite, dynamic=True),
    Rule(
        "range", "warning", "Every value stays within the range in its units field.", find_outside_range, dynamic=True
    ),
    Rule("balance", "warning", "A stock changes by the sum of its flows.", find_lost_flows, dynamic=True),
    Rule("table-end", "advice", "No table is read beyond its ends.", find_table_ends, dynamic=True),
    Rule("time-step", "warning", "Half the TIME STEP moves no stock by more than 1 %.", find_step_error, dynamic=True),
    Rule("method", "warning", "Euler and Runge-Kutta agree to 1 % on every stock.", find_method_error, dynamic=True),
    Rule("band", "warning", "The run lies in the 90 % band of its plausible ranges.", find_outside_band, dynamic=True),
    Rule("extreme", "warning", "Every value stays finite at extreme constants.", find_extremes, dynamic=True),
    Rule("negative", "warning", "No physical stock turns negative at extreme constants.", find_extremes, dynamic=True),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _ROWS})
"""Every rule by name, in the order in which they are checked."""


def check_model(
    model: Model | str | os.PathLike[str],
    *,
    scenario: ScenarioLike = (),
    only: Collection[str] = (),
    skip: Collection[str] = (),
    level: Level = "advice",
    static: bool = False,
) -> tuple[Finding, ...]:
    r"""Check a model and return every fault and doubtful point, by level and then by place.

    Faults that keep a model from being read, or from running although a rule needs a run, are always returned.

    Parameters
    ----------
    model : Model, str or Path
        A model, or the path of a model file.
    scenario : Scenario, str, Path or a sequence of these, optional
        One or several scenarios, or their files; the model is checked with their changes.
    only : collection of str, optional
        The names of the rules to check (default: all); `sdmodel check --rules` lists them.
    skip : collection of str, optional
        The names of rules not to check.
    level : {"advice", "warning", "error"}
        The lowest level of findings to return.
    static : bool
        Leave out the rules that need to run the model.

    Returns
    -------
    tuple[Finding, ...]
        The findings, each with `level`, `rule`, `place`, `variable`, `message` and the measured `numbers`.

    Raises
    ------
    CheckError
        If there is no rule of a given name.
    ScenarioError
        If the scenario cannot be read, or changes what the model does not allow.

    Examples
    --------
    >>> from sdmodel import check_model
    >>> from sdmodel.testing import tiny_model
    >>> model = tiny_model("Stock = INTEG(-outflow, 100)\noutflow = Stock/life\nlife = 5\nspare = 1")
    >>> for finding in check_model(model, level="warning", static=True):
    ...     print(finding.level, finding.rule, finding.message)
    warning unused 'spare' is used by nothing; use it, delete it, or mark it :SUPPLEMENTARY
    """
    for name in (*only, *skip):
        if name not in RULES:
            close = nearest(name, RULES)
            cure = f"did you mean '{close}'?" if close else f"the rules are {', '.join(RULES)}"
            message = f"'{name}' is not a rule; {cure}"
            raise CheckError(message)
    rules = [rule for rule in RULES.values() if (not only or rule.name in only) and rule.name not in skip]
    try:
        checked = CheckedModel(
            with_scenario(model if isinstance(model, Model) else read_model(model, without_data=True), scenario)
        )
    except ModelError as error:
        return ordered(fault_findings(error))
    names = {rule.name for rule in rules} | {_RUN} | (_NEEDED_TO_RUN - set(skip))
    levels = LEVELS[: LEVELS.index(level) + 1]
    found = ordered(finding for finding in _findings(checked, rules, static=static) if finding.rule in names)
    return tuple(finding for finding in found if finding.level in levels)


def _findings(checked: CheckedModel, rules: Sequence[Rule], *, static: bool) -> Iterator[Finding]:
    """Yield what the rules find; a function that several rules share is called once."""
    finds = {rule.find: rule.dynamic for rule in rules if rule.find is not None}
    for find in (find for find, dynamic in finds.items() if not dynamic):
        yield from find(checked)
    dynamic = [find for find, dynamic in finds.items() if dynamic and not static]
    if any(missing_data(checked.model)) or checked.unfinished:
        for find in (find_unread_files, find_missing_data, find_unfinished) if dynamic else ():
            yield from (finding for finding in find(checked) if finding.level == "error")
        return
    try:
        if dynamic:
            checked.base_run  # noqa: B018 - run here, so that what keeps the model from running is reported once
    except SimulationError as error:
        model, message = checked.model, str(error)  # which may begin with the name of a setting
        places = [model[name].place for name in RUN_SETTINGS if message.startswith(name) and name in model]
        yield Finding("error", _RUN, places[0] if places else model.path, "", message)
        return
    for find in dynamic:
        yield from find(checked)
