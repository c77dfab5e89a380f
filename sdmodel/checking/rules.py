"""The table of rules: what each is called, how much it weighs, what it says, and what finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .balance import find_lost_flows
from .behaviour import find_broken, find_outside, find_remarks
from .documentation import find_uncommented, find_unsourced
from .extremes import find_extremes
from .findings import Finding, Level
from .lags import find_short
from .measures import find_misfits, find_unitless
from .notation import find_ambiguous, find_buried
from .steps import find_method_error, find_step_error
from .subject import Subject
from .tables import find_passed, find_spilling, find_turning
from .usage import find_crowds, find_hidden, find_unused

Find = Callable[[Subject], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `level` is the most that it weighs, `dynamic` whether it needs the model to run.

    Rules may share a function, which then finds what goes against any of them; there is none for what keeps a model from
    being read, which is told whatever is asked.
    """

    name: str
    level: Level
    says: str
    find: Find | None = None
    dynamic: bool = False


_ROWS = (
    # What keeps a model from being read
    Rule("syntax", "error", "The text can be read as a model, and every part of it means something."),
    Rule("undefined", "error", "Every name, function, subscript and label in an equation is defined."),
    Rule("doubly-defined", "error", "Nothing is defined twice."),
    Rule("simultaneous", "error", "No variable depends on itself within a moment."),
    Rule("unsupported", "error", "Every function and kind of variable is one that runs here."),
    Rule("run", "error", "The times of the model make a run.", find_remarks, dynamic=True),
    # What its text tells
    Rule("units", "error", "Units fit together in every equation.", find_misfits),
    Rule("unused", "warning", "What nothing uses is :SUPPLEMENTARY or in the save list beside the model.", find_unused),
    Rule("time-constant", "warning", "A delay takes at least two time steps for each of its stages.", find_short),
    Rule("comment", "advice", "Every variable has a comment.", find_uncommented),
    Rule("source", "advice", "The comment of a number says where it comes from.", find_unsourced),
    Rule("no-units", "advice", "Every variable has units.", find_unitless),
    Rule("buried-number", "advice", "Numbers other than 0, 1 and 2 are constants of their own.", find_buried),
    Rule("operators", "advice", "Parentheses stand where programs disagree on the order of operators.", find_ambiguous),
    Rule("causes", "advice", "A variable has at most seven causes.", find_crowds),
    Rule("no-view", "advice", "Every variable is in a view of the sketch.", find_hidden),
    Rule("table-turns", "advice", "A table only rises or only falls.", find_turning),
    Rule("table-graph", "advice", "The points of a table lie within its graph.", find_spilling),
    # What a run tells
    Rule("not-finite", "error", "Every value of the run as it stands is a finite number.", find_broken, dynamic=True),
    Rule("range", "warning", "Every value stays within the range in its units field.", find_outside, dynamic=True),
    Rule("balance", "warning", "A stock changes by what flows in and out.", find_lost_flows, dynamic=True),
    Rule("table-end", "advice", "No table is looked up beyond its ends.", find_passed, dynamic=True),
    Rule("time-step", "warning", "Half the TIME STEP moves no stock by more than 1 %.", find_step_error, dynamic=True),
    Rule("method", "warning", "Euler and Runge-Kutta agree to 1 % on every stock.", find_method_error, dynamic=True),
    Rule("extreme", "warning", "Every value stays finite at extreme constants.", find_extremes, dynamic=True),
    Rule(
        "negative", "warning", "No stock that cannot be negative is, at extreme constants.", find_extremes, dynamic=True
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _ROWS})
"""Every rule by name, in the order in which they are tried."""
