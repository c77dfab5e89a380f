"""Vensim's optimisation control files (`.voc`) and payoff definitions (`.vpd`), as its manual describes them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from types import MappingProxyType

from ...errors import Fault, Place, ScenarioError
from ...model import display, key
from ...scenario import Free, Optimisation, Payoff, Term
from ..read.segments import QUOTED, blanked
from .changes import read_text
from .spelling import LINES, NAME, NUMBER, number_of, parts_of

_BOUND = rf"\s*+(?:{NUMBER})\s*+"
_FREE = re.compile(
    rf"(?:(?P<low>{_BOUND})<=)?(?:{NAME})(?:=(?P<initial>{_BOUND}))?(?:<=(?P<high>{_BOUND}))?"
    r"(?:\|\s*+(?P<kind>\w+)\s*+=(?P<tolerance>[^|]*))?$"
)
_SETTING = re.compile(r"\s*:\s*(?P<name>\w+)\s*(?:=\s*(?P<value>.*?)\s*)?$")
_COMMENT = re.compile(r"\s*:COM\b", re.IGNORECASE)
_TOLERANCES = frozenset({"FRAC", "ABS"})
_KIND = re.compile(r"\s*\*\s*(?P<kind>[A-Za-z]+)\s*$")
_WORDS = {"CALIBRATION": "C", "POLICY": "P"}
_CALIBRATION = re.compile(r"C(?:[LX]?[GKORYHBPD]?|[GKORYHBPD][LX])")
_POLICY = re.compile(r"[PR][LX]?[FI]?")
_MARK = re.compile(rf"{QUOTED}|[\"\[\]()|/]")


def read_optimisation(path: str | os.PathLike[str]) -> Optimisation:
    """The settings of a `.voc` file, and the constants that it lets a search move (manual, "Optimization Control").

    Raises
    ------
    ScenarioError
        With every line that is neither, and every one that asks for what cannot be done.
    """
    settings: dict[str, str] = {}
    free: list[Free] = []
    faults: list[Fault] = []
    known: dict[tuple[str, tuple[str, ...]], int] = {}
    for line, place in _lines(path):
        setting = _SETTING.match(line)
        if _COMMENT.match(line):
            continue
        if setting:
            settings[setting["name"].upper()] = setting["value"] or ""
            continue
        found = _free(line, place)
        if isinstance(found, Fault):
            faults.append(found)
            continue
        names = (key(found.name), tuple(map(key, found.subscripts)))
        if names in known:
            faults.append(
                Fault(place, f"'{found.name}' is searched twice, first at line {known[names]}; keep one of the two")
            )
        known.setdefault(names, place.line)
        free.append(found)
    if not free and not faults:
        what = "nothing is free; write a line such as '0 <= constant = 1 <= 2'"
        faults.append(Fault(os.fspath(path), what))
    if faults:
        raise ScenarioError(faults)
    return Optimisation(tuple(free), MappingProxyType(settings))


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[str, Place]]:
    """The lines of a file that say something, comments in braces blanked, and where each begins."""
    for number, line in enumerate(LINES.split(blanked(read_text(path))), 1):
        if line.strip():
            yield line, Place(os.fspath(path), number, len(line) - len(line.lstrip()) + 1)


def _free(line: str, place: Place) -> Free | Fault:
    found = _FREE.match(line)
    if found is None or not (found["low"] or found["initial"] or found["high"]):
        return Fault(
            place,
            "this is neither a setting nor a constant to search; write 'low <= name = initial <= high', bounds as numbers",
        )
    if found["kind"] and found["kind"].upper() not in _TOLERANCES:
        return Fault(
            place, f"'{found['kind']}' behind a bar cannot be heeded; give bounds alone, or a FRAC or ABS tolerance"
        )
    low, initial, high = (number_of(found[each]) if found[each] else None for each in ("low", "initial", "high"))
    name = display(found["name"])
    if not all(math.isfinite(each) for each in (low, initial, high) if each is not None):
        return Fault(place, f"'{name}': a number is too large; write at most 1e308")
    if low is not None and high is not None and not low < high:
        return Fault(
            place, f"'{name}': the lower bound {low:g} is not below the upper {high:g}; give the smaller one first"
        )
    if initial is not None and not (low is None or low <= initial) & (high is None or initial <= high):
        return Fault(place, f"'{name}': the initial value {initial:g} is outside of its bounds; move one of them")
    tolerance = f"{found['kind'].upper()}={found['tolerance'].strip()}" if found["kind"] else ""
    return Free(name, parts_of(found["subscripts"]), low, initial, high, tolerance, place)


def read_payoff(path: str | os.PathLike[str]) -> Payoff:
    """The terms of a `.vpd` file, each with the kind that stands above it (manual, "Payoff Definitions").

    Raises
    ------
    ScenarioError
        With every line that is no term, and every kind that Vensim does not have.
    """
    terms: list[Term] = []
    faults: list[Fault] = []
    kind = ""
    for line, place in _lines(path):
        header = _KIND.match(line)
        if header:
            kind = _kind(header["kind"].upper())
            if not kind:
                faults.append(
                    Fault(place, f"'*{header['kind']}' is no kind of payoff; write *C for calibration or *P for policy")
                )
                kind = "?"
            continue
        found = _term(line, kind, place)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            terms.append(found)
    if not terms and not faults:
        faults.append(Fault(os.fspath(path), "the payoff has no terms; write '*C' and below it 'variable|data/weight'"))
    if faults:
        raise ScenarioError(faults)
    return Payoff(tuple(terms))


def _kind(written: str) -> str:
    """The code of a kind, of which a whole word has only the first letter, or nothing."""
    code = _WORDS.get(written, written)
    return code if _CALIBRATION.fullmatch(code) or _POLICY.fullmatch(code) else ""


def _term(line: str, kind: str, place: Place) -> Term | Fault:
    """One term: its parts are set off by the first bar and the last slash outside of names and brackets."""
    marks = _marks(line)
    if marks is None:
        return Fault(place, "a quote is not closed; write one on either side of an odd name")
    bar = next((at for at, mark in marks if mark == "|"), None)
    slash = next((at for at, mark in reversed(marks) if mark == "/" and (bar is None or at > bar)), None)
    whole, weight = (line, "1") if slash is None else (line[:slash], line[slash + 1 :])
    model, data = (whole, "") if bar is None else (whole[:bar], whole[bar + 1 :])
    what = ""
    if not kind:
        what = "no kind stands above this term; write *C for calibration or *P for policy on a line before"
    elif not model.strip() or not weight.strip():
        what = "a term needs a variable and, behind a slash, a weight; write both"
    elif kind.startswith("C") and not data.strip():
        what = "a term of a calibration needs data; write 'variable|data/weight'"
    elif kind[0] in "PR" and data.strip():
        what = "a term of a policy has no data; write 'variable/weight', or *C above it"
    return Fault(place, what) if what else Term(model.strip(), data.strip(), weight.strip(), kind, place)


def _marks(line: str) -> list[tuple[int, str]] | None:
    """The bars and slashes outside of names and brackets, with their places; None if a quote is not closed."""
    depth, found = 0, []
    for mark in _MARK.finditer(line):
        if mark[0] == '"':
            return None
        depth += (mark[0] in "([") - (mark[0] in ")]")
        if depth == 0 and mark[0] in "|/":
            found.append((mark.start(), mark[0]))
    return found
