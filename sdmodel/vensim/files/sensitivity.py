"""Vensim's sensitivity control files (`.vsc`), which say how an ensemble is drawn (manual, "Sensitivity Control")."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ...errors import Fault, Place, ScenarioError
from ...files import is_plain_file
from ...model import Element, Model, digits, display, key, nearest
from ...scenario import (
    DISTRIBUTIONS,
    SEED,
    SIMULATIONS,
    Distribution,
    Method,
    Sampling,
    Steps,
    Variation,
    constant_cells,
    signature,
    wrong_with,
)
from ..read.segments import QUOTED, blanked
from .changes import read_text
from .samples import read_samples
from .spelling import LINES, NAME, number_of, parts_of, quoted, spelt

_LETTERS: dict[str, Method] = {"UMLGF"[index]: method for index, method in enumerate(get_args(Method))}
_LINE = re.compile(rf"\s*+(?:{NAME})=\s*+(?P<drawn>[^(=]*?)\s*+\((?P<arguments>(?:{QUOTED}|[^()\"])*+)\)\s*+$")
_LEADING = re.compile(rf"\s*+(?:{NAME})=\s*+")
_COMMA = re.compile(rf"{QUOTED}|(,)")
_KNOWN = (*DISTRIBUTIONS, "VECTOR")
_CORRELATED = "give correlated constants as a file of samples, by method F"
_REFUSED = {
    "RANDOM_0_1": "write RANDOM_UNIFORM(0,1)",
    "RANDOM_LOGNORMAL": "vary the logarithm by RANDOM_NORMAL and take EXP of it in the model",
    "RANDOM_MULTIVARIATE_NORMAL": _CORRELATED,
    "MULTIVARIATE_NORMAL": _CORRELATED,
}
"""Distributions that are not Vensim's own, or that one line cannot tell, and what to write in their place."""


def read_sampling(path: str | os.PathLike[str]) -> Sampling:
    """How a `.vsc` file draws an ensemble, with the file of samples that it names, looked for beside it.

    Raises
    ------
    ScenarioError
        With every line that cannot be read, and every fault of the file of samples.
    """
    text = read_text(path)
    name = os.fspath(path)
    lines = [(number, line) for number, line in enumerate(LINES.split(blanked(text)), 1) if line.strip()]
    if not lines:
        raise ScenarioError([Fault(name, "the file is empty; write a first line such as '200,L,1234,,0'")])
    faults: list[Fault] = []
    first = _first_line(lines[0][1], Place(name, lines[0][0]), faults)
    found = [_variation(line, Place(name, number)) for number, line in lines[1:]]
    faults += [each for each in found if isinstance(each, Fault)]
    samples = None
    if first.method == "file" and first.file:
        beside = Path(path).parent / first.file
        try:
            samples = read_samples(
                beside if is_plain_file(beside) or not is_plain_file(Path(first.file)) else first.file
            )
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    variations = tuple(each for each in found if isinstance(each, Variation))
    return Sampling(first.method, first.count, first.seed, variations, samples, first.file, first.rest, name, text)


def _first_line(line: str, place: Place, faults: list[Fault]) -> Sampling:
    """What the first line says: how many simulations, by which method, from which seed and file."""
    fields = [field.strip() for field in line.split(",")]
    columns = [1, *(index + 2 for index, mark in enumerate(line) if mark == ",")]
    if "=" in line or len(fields) < 2:  # noqa: PLR2004 - a number and a method
        what = (
            "the first line must say how to draw; write 'simulations,method,seed,file,warnings', such as 200,L,1234,,0"
        )
        faults.append(Fault(place, what))
        return Sampling("multivariate")
    asked, letter, begun, file, *rest = [*fields, *[""] * (4 - len(fields))]
    method = _LETTERS.get(letter.upper()[:1])
    count, seed = _whole(asked, SIMULATIONS), _whole(begun, SEED)
    wrong: list[tuple[int, str]] = []
    if method is None:
        letters = ", ".join(f"{each} ({meant})" for each, meant in _LETTERS.items())
        wrong.append((1, f"'{letter}' is no method; write one of {letters}"))
    if method != "file" and (count is None or count < 1):
        wrong.append((0, f"the number of simulations is '{asked}'; give a whole number from 1"))
    if seed is None:
        wrong.append((2, f"the seed is '{begun}'; give a whole number"))
    if method == "file" and not file:
        wrong.append((1, "method F names no file of samples; write its name in the fourth place"))
    faults += [Fault(Place(place.path, place.line, columns[index]), what) for index, what in wrong]
    return Sampling(
        method or "multivariate",
        SIMULATIONS if count is None else count,
        SEED if seed is None else seed,
        file=file.strip('"'),
        rest=tuple(rest),
    )


def _whole(text: str, default: int) -> int | None:
    """A whole number, the default for nothing, or None for what is none."""
    if not text:
        return default
    try:
        value = number_of(text)
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and value == int(value) else None


def _variation(line: str, place: Place) -> Variation | Fault:
    """One line as a constant and what it is drawn from, or what is wrong with it at which column."""
    found = _LINE.match(line)
    if found is None:
        return _misshapen(line, place)
    name = display(found["name"])
    start = Place(place.path, place.line, found.start("name") + len(found["name"]) - len(found["name"].lstrip()) + 1)
    drawn = key(found["drawn"]).upper()
    at = Place(place.path, place.line, found.start("drawn") + 1)
    if drawn not in _KNOWN:
        return Fault(at, _unknown(drawn, found["drawn"]))
    parts = _arguments(found["arguments"], found.start("arguments") + 1)
    lookup = display(parts.pop(2)[0]) if drawn == "RANDOM_LOOKUP" and len(parts) > 2 else ""  # noqa: PLR2004 - behind the bounds
    numbers: list[float] = []
    for part, column in parts:
        try:
            numbers.append(number_of(part))
        except ValueError as error:
            what = f"{error}; write {signature(drawn)} with numbers"
            return Fault(Place(place.path, place.line, column), what)
    if drawn == "VECTOR" and len(numbers) != 3:  # noqa: PLR2004 - bounds and increment
        return Fault(at, f"VECTOR is given {len(numbers)} numbers; write {signature('VECTOR')}")
    distribution = Steps(*numbers) if drawn == "VECTOR" else Distribution(drawn, tuple(numbers), lookup)
    wrong = wrong_with(distribution)
    return Fault(at, wrong) if wrong else Variation(name, parts_of(found["subscripts"]), distribution, start)


def _arguments(text: str, column: int) -> list[tuple[str, int]]:
    """What stands between the commas outside of quotes, each with the column of its first mark."""
    ends = [mark.start() for mark in _COMMA.finditer(text) if mark[1]]
    spans = zip([0, *(end + 1 for end in ends)], [*ends, len(text)], strict=True)
    parts = [(text[start:end], start) for start, end in spans]
    return [(part, column + start + len(part) - len(part.lstrip())) for part, start in parts]


def _unknown(drawn: str, written: str) -> str:
    """What to say of a distribution that there is not."""
    if drawn in _REFUSED:
        return f"{drawn} cannot be drawn from here; {_REFUSED[drawn]}"
    close = nearest(drawn, _KNOWN)
    cure = f"did you mean {signature(close)}?" if close else f"write one of {', '.join(_KNOWN)}"
    return f"'{' '.join(written.split())}' is no distribution; {cure}"


def _misshapen(line: str, place: Place) -> Fault:
    """What keeps a line from naming a constant and a distribution."""
    leading = _LEADING.match(line)
    if leading is None:
        column = len(line) - len(line.lstrip()) + 1
        what = "this varies nothing; write 'constant = RANDOM_UNIFORM(min,max)', an odd name in quotes"
        return Fault(Place(place.path, place.line, column), what)
    name = display(leading["name"])
    what = f"'{name}' needs a distribution in one line; write '{quoted(name)} = RANDOM_UNIFORM(min,max)'"
    return Fault(Place(place.path, place.line, leading.end() + 1), what)


def sampling_text(sampling: Sampling) -> str:
    """A `.vsc` file that is read back as the same."""
    letter = next(letter for letter, method in _LETTERS.items() if method == sampling.method)
    fields = (str(sampling.count), letter, str(sampling.seed), sampling.file, *sampling.rest)
    return "\n".join([",".join(fields), *map(_line, sampling.variations)]) + "\n"


def _line(variation: Variation) -> str:
    drawn = variation.distribution
    if isinstance(drawn, Steps):
        name, arguments = "VECTOR", [digits(each) for each in (drawn.minimum, drawn.maximum, drawn.increment)]
    else:
        name, arguments = drawn.name, [digits(each) for each in drawn.arguments]
        arguments[2:2] = [quoted(drawn.lookup)] if drawn.lookup else []
    return f"{spelt(variation.name, variation.subscripts)}={name}({','.join(arguments)})"


def sampling_of_ranges(
    model: Model,
    names: Iterable[str] | None = None,
    *,
    group: str = "Uncertainties",
    method: Method = "latin hypercube",
    count: int = SIMULATIONS,
    seed: int = SEED,
) -> Sampling:
    """A sampling that draws constants evenly between the bounds of their units field: those named, or those of a group.

    Of a group it takes the constants that have both bounds, one below the other.

    Raises
    ------
    ScenarioError
        If a name is no constant with two bounds, or the group has none.
    """
    faults: list[Fault] = []
    if names is None:
        chosen = [each for each in model if key(each.group) == key(group) and _bounds(each)]
        if not chosen:
            what = f"no constant of a group '{group}' has a range; write a .vsc file that says what varies"
            faults.append(Fault(model.path, what))
    else:
        chosen = [model.elements[constant_cells(model, name)[0].key] for name in names]
        what = "'{}' has no range to draw from; write [min,max] behind its units in the model"
        faults += [Fault(each.place, what.format(each.name)) for each in chosen if not _bounds(each)]
    if faults:
        raise ScenarioError(faults)
    variations = (Variation(each.name, (), Distribution("RANDOM_UNIFORM", _bounds(each))) for each in chosen)
    sampling = Sampling(method, count, seed, tuple(variations), rest=("0",))
    return replace(sampling, text=sampling_text(sampling))


def _bounds(element: Element) -> tuple[float, ...]:
    """Both bounds of a constant that may change, or none."""
    range_ = element.range
    if element.kind != "constant" or element.fixed or range_ is None:
        return ()
    low, high = range_.minimum, range_.maximum
    return (low, high) if low is not None and high is not None and low < high else ()
