"""Vensim's optimisation control files (`.voc`) and payoff definitions (`.vpd`), as in its manual."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from types import MappingProxyType

from ...errors import Fault, Place
from ...model import display_name, key
from ...scenario import FreeConstant, Optimisation, Payoff, PayoffTerm
from ..read.segments import QUOTED, blank_comments
from ..read.syntax import BOUND, NAME, parse_number, split_labels
from .lines import content_lines, read_text, without_faults

_FREE = re.compile(
    rf"(?:(?P<low>{BOUND})<=)?{NAME}(?:=(?P<initial>{BOUND}))?(?:<=(?P<high>{BOUND}))?"
    r"(?:\|\s*+(?P<kind>\w+)\s*+=(?P<tolerance>[^|]*))?$"
)
_SETTING = re.compile(r"\s*:\s*(?P<name>\w+)\s*(?:=\s*(?P<value>.*?)\s*)?$")
_COMMENT = re.compile(r"\s*:COM\b", re.IGNORECASE)
_TOLERANCES = frozenset({"FRAC", "ABS"})
_KIND = re.compile(r"\s*\*\s*(?P<kind>[A-Za-z]+)\s*$")
_WORDS = {"CALIBRATION": "C", "POLICY": "P"}
_CODE = re.compile(r"C(?:[LX]?[GKORYHBPD]?|[GKORYHBPD][LX])|[PR][LX]?[FI]?")
_MARK = re.compile(rf"{QUOTED}|[\"\[\]()|/]")


def read_optimisation(path: str | os.PathLike[str]) -> Optimisation:
    """Return the settings of a `.voc` file and the constants to search (manual, "Optimization Control").

    Raises
    ------
    ScenarioError
        With every line that is neither, and every setting that is not supported.
    """
    settings: dict[str, str] = {}
    name = os.fspath(path)
    found = _constants(content_lines(blank_comments(read_text(path)), name), settings)
    empty = "the file has no constants to search; write a line such as '0 <= constant = 1 <= 2'"
    return Optimisation(without_faults(found, name, empty), MappingProxyType(settings))


def _constants(lines: Iterable[tuple[str, Place]], settings: dict[str, str]) -> Iterator[FreeConstant | Fault]:
    """Yield the constants to search; add the settings between them to `settings`."""
    known: dict[tuple[str, tuple[str, ...]], int] = {}
    for line, place in lines:
        if _COMMENT.match(line):
            continue
        if setting := _SETTING.match(line):
            settings[setting["name"].upper()] = setting["value"] or ""
            continue
        found = _free(line, place)
        if isinstance(found, FreeConstant):
            first = known.setdefault((key(found.name), tuple(map(key, found.subscripts))), place.line)
            if first != place.line:
                yield Fault(place, f"'{found.name}' is searched twice, first on line {first}; keep one of the two")
        yield found


def _free(line: str, place: Place) -> FreeConstant | Fault:
    found = _FREE.match(line)
    if found is None or not (found["low"] or found["initial"] or found["high"]):
        what = "this is neither a setting nor a constant with bounds as numbers; write 'low <= name = initial <= high'"
        return Fault(place, what)
    name, kind = display_name(found["name"]), (found["kind"] or "").upper()
    low, initial, high = (parse_number(found[part]) if found[part] else None for part in ("low", "initial", "high"))
    what = ""
    if kind and kind not in _TOLERANCES:
        return Fault(place, f"'{found['kind']}' after the bar is not supported; use FRAC, ABS or bounds alone")
    if any(number is not None and not math.isfinite(number) for number in (low, initial, high)):
        what = "a number is too large; write at most 1e308"
    elif low is not None and high is not None and not low < high:
        what = f"the lower bound {low:g} is not below the upper {high:g}; give the smaller one first"
    elif initial is not None and not (low is None or low <= initial) & (high is None or initial <= high):
        what = f"the initial value {initial:g} is outside of its bounds; move one of them"
    if what:
        return Fault(place, f"'{name}': {what}")
    tolerance = f"{kind}={found['tolerance'].strip()}" if kind else ""
    return FreeConstant(name, split_labels(found["subscripts"]), low, initial, high, tolerance, place)


def read_payoff(path: str | os.PathLike[str]) -> Payoff:
    """Return the terms of a `.vpd` file, each with the kind given above it (manual, "Payoff Definitions").

    Raises
    ------
    ScenarioError
        With every line that is not a term, and every kind that Vensim does not have.
    """
    name = os.fspath(path)
    found = _terms(content_lines(blank_comments(read_text(path)), name))
    empty = "the payoff has no terms; write '*C' and below it 'variable|data/weight'"
    return Payoff(without_faults(found, name, empty))


def _terms(lines: Iterable[tuple[str, Place]]) -> Iterator[PayoffTerm | Fault]:
    kind = ""
    for line, place in lines:
        header = _KIND.match(line)
        if header is None:
            yield _term(line, kind, place)
            continue
        kind = header["kind"].upper()
        kind = _WORDS.get(kind, kind)
        if not _CODE.fullmatch(kind):
            what = f"'*{header['kind']}' is not a kind of payoff; write *C for calibration or *P for policy"
            yield Fault(place, what)
            kind = "?"  # the terms below it are not faults


def _term(line: str, kind: str, place: Place) -> PayoffTerm | Fault:
    """Return one term, split at the first bar and the last slash outside of names and brackets."""
    depth, marks = 0, []
    for found in _MARK.finditer(line):
        if found[0] == '"':
            return Fault(place, "a quote is not closed; put quotes on both sides of an odd name")
        depth += (found[0] in "([") - (found[0] in ")]")
        if depth == 0 and found[0] in "|/":
            marks.append((found.start(), found[0]))
    bar = next((at for at, mark in marks if mark == "|"), None)
    slash = next((at for at, mark in reversed(marks) if mark == "/" and (bar is None or at > bar)), None)
    whole, weight = (line, "1") if slash is None else (line[:slash], line[slash + 1 :])
    model, data = (whole, "") if bar is None else (whole[:bar], whole[bar + 1 :])
    what = ""
    if not kind:
        what = "there is no kind above this term; write *C for calibration or *P for policy on a line before it"
    elif not model.strip() or not weight.strip():
        what = "a term needs a variable and, after a slash, a weight; write both"
    elif kind.startswith("C") and not data.strip():
        what = "a calibration term needs data; write 'variable|data/weight'"
    elif kind[0] in "PR" and data.strip():
        what = "a policy term has no data; write 'variable/weight', or *C above it"
    return Fault(place, what) if what else PayoffTerm(model.strip(), data.strip(), weight.strip(), kind, place)
