"""Vensim's sensitivity control files (`.vsc`) and files of samples (`.tab`), as in its manual, "Sensitivity Control"."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ...errors import Fault, Place, ScenarioError, format_count
from ...extras import LazyModule
from ...files import is_plain_file
from ...model import Element, Model, display_name, key, nearest, number_text, quote_name, takes_model
from ...scenario import (
    DEFAULT_SEED,
    DEFAULT_SIMULATIONS,
    DISTRIBUTIONS,
    NOTHING,
    Distribution,
    Samples,
    Sampling,
    SamplingMethod,
    Steps,
    Variation,
    constant_cells,
    distribution_fault,
    distribution_syntax,
    is_policy_lever,
)
from ..read.segments import QUOTED, blank_comments
from ..read.syntax import NAME, parse_number, split_labels
from .lines import content_lines, read_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

_LETTERS: dict[str, SamplingMethod] = {"UMLGF"[index]: method for index, method in enumerate(get_args(SamplingMethod))}
_LINE = re.compile(rf"\s*+{NAME}=\s*+(?P<law>[^(=]*?)\s*+\((?P<arguments>(?:{QUOTED}|[^()\"])*+)\)\s*+$")
_LEADING = re.compile(rf"\s*+{NAME}=\s*+")
_NAMED = re.compile(rf"{QUOTED}|\[[^\]]*\]")
"""What may hold commas in a name: quotes, and labels in brackets."""
_ARGUMENT = re.compile(rf"(?:^|,)\s*+((?:{QUOTED}|[^,\"])*+)")
_KNOWN = (*DISTRIBUTIONS, "VECTOR")
_CORRELATED = "put correlated constants in a file of samples, with method F"
_REFUSED = {
    "RANDOM_0_1": "write RANDOM_UNIFORM(0,1)",
    "RANDOM_LOGNORMAL": "vary the logarithm by RANDOM_NORMAL and take EXP of it in the model",
    "RANDOM_MULTIVARIATE_NORMAL": _CORRELATED,
    "MULTIVARIATE_NORMAL": _CORRELATED,
}
"""Distributions that Vensim does not have, or that one line cannot define, and what to write instead."""
_UNCERTAIN = "Uncertainties"
"""The group of constants that vary by default."""
_FAULTS = 20
"""Maximum number of faults that are reported; a file with more is not a file of samples."""


def read_samples(path: str | os.PathLike[str]) -> Samples:
    """Return the names in the first row of a tab-delimited file and the numbers below them; an empty cell is NaN.

    Raises
    ------
    ScenarioError
        If there are no names or no rows, or with the rows that have too few or too many cells or other text.
    """
    name = os.fspath(path)
    lines = list(content_lines(read_text(path), name))
    if len(lines) < 2:  # noqa: PLR2004 - names and a sample
        what = "the file has no samples; write names in the first row and numbers below, separated by tabs"
        raise ScenarioError([Fault(name, what)])
    header, first = lines[0]
    names = header.split("\t")
    if len(names) == 1 and "," in _NAMED.sub("", header):
        raise ScenarioError([Fault(first, "names are separated by commas; separate names and numbers by tabs")])
    starts = np.cumsum([1, *(len(column) + 1 for column in names)])
    places = tuple(Place(name, first.line, int(start)) for start in starts[: len(names)])
    nameless = [place for place, column in zip(places, names, strict=True) if not column.strip()]
    faults = [Fault(place, "a column has no name; give it one, or remove it") for place in nameless]
    values = np.empty((len(lines) - 1, len(names)))
    for row, (line, place) in enumerate(lines[1:]):
        found = _row(line, len(names), Place(name, place.line))
        if isinstance(found, Fault):
            faults.append(found)
            if len(faults) >= _FAULTS:
                break
        else:
            values[row] = found
    if faults:
        raise ScenarioError(faults)
    return Samples(tuple(column.strip() for column in names), values, name, places)


def _row(line: str, width: int, place: Place) -> list[float] | Fault:
    """Return the numbers of one row, or what is wrong with it at which column."""
    parts = line.split("\t")
    if len(parts) != width:
        what = f"the number of cells, {len(parts)}, is not the number of names, {width}; write one cell per name"
        return Fault(place, what)
    numbers, column = [], 1
    for part in parts:
        try:
            value = parse_number(part) if part.strip() else math.nan
        except ValueError as error:
            return Fault(Place(place.path, place.line, column), f"{error}; write numbers with a decimal point")
        if math.isinf(value):
            return Fault(Place(place.path, place.line, column), "a number is too large; write at most 1e308")
        numbers.append(value)
        column += len(part) + 1
    return numbers


def samples_text(names: Sequence[str], values: NDArray[np.float64]) -> str:
    """Return a file of samples from names and values, shape (samples, names); reading it gives the same.

    Raises
    ------
    ScenarioError
        If a sample has no number at all: its line would be blank, and readers skip blank lines.
    """
    empty = np.flatnonzero(np.isnan(values).all(axis=1))
    if empty.size:
        raise ScenarioError([Fault("samples", f"sample {empty[0] + 1} has no numbers; leave it out")])
    rows = ("\t".join("" if math.isnan(value) else number_text(value) for value in row) for row in values.tolist())
    return "\n".join(["\t".join(names), *rows]) + "\n"


def read_sampling(path: str | os.PathLike[str]) -> Sampling:
    r"""Read a Vensim sensitivity control file (`.vsc`), which says how to sample an ensemble.

    Parameters
    ----------
    path : str or path
        A file whose first line is `simulations,method,seed,file,...` and whose other lines are
        `constant = DISTRIBUTION(min,max,...)`. Method is U (univariate), M (multivariate), L (Latin hypercube),
        G (grid) or F (a file of samples, looked up in the same folder).

    Returns
    -------
    Sampling
        The method, the number of simulations, the seed, the distribution of each constant in its own units, and
        the samples of method F.

    Raises
    ------
    ScenarioError
        If the file cannot be read, or with every line that does not fit, including those of the file of samples.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sdmodel import read_sampling
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "prices.vsc")
    ...     _ = path.write_text("500,L,1234,,0\nprice = RANDOM_NORMAL(0, 10, 5, 1.5)")
    ...     sampling = read_sampling(path)
    >>> sampling.method, sampling.count, sampling.seed
    ('latin hypercube', 500, 1234)
    >>> sampling.variations[0].distribution.arguments
    (0.0, 10.0, 5.0, 1.5)
    """
    text = read_text(path)
    name = os.fspath(path)
    lines = [(line, Place(name, place.line)) for line, place in content_lines(blank_comments(text), name)]
    if not lines:
        raise ScenarioError([Fault(name, "the file is empty; write a first line such as '200,L,1234,,0'")])
    faults: list[Fault] = []
    first = _first_line(*lines[0], faults)
    found = [_variation(line, place) for line, place in lines[1:]]
    faults += [variation for variation in found if isinstance(variation, Fault)]
    samples = None
    if first.method == "file" and first.file:
        neighbour = Path(path).parent / first.file
        given = is_plain_file(Path(first.file)) and not is_plain_file(neighbour)
        try:
            samples = read_samples(first.file if given else neighbour)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    variations = tuple(variation for variation in found if isinstance(variation, Variation))
    return Sampling(first.method, first.count, first.seed, variations, samples, first.file, first.rest, name, text)


def plausible_file(model: str | os.PathLike[str]) -> Path | None:
    """Return the sensitivity file of a model's name beside it, which has the plausible ranges of its constants, if there is one."""
    path = Path(model).with_suffix(".vsc")
    return path if is_plain_file(path) else None


def plausible_sampling(model: Model) -> Sampling | None:
    """Read the sensitivity file beside a model: its constants with their plausible ranges and shapes; None without a file.

    Raises ScenarioError like `read_sampling`.
    """
    path = plausible_file(model.path)
    return None if path is None else read_sampling(path)


@takes_model
def default_sampling(model: Model) -> Sampling:
    r"""Return how the constants of a model vary where no sensitivity file is named.

    The sensitivity file beside the model, `MODEL.vsc` beside `MODEL.mdl`, says how, without its lines for policy levers:
    their values are a choice, not chance. Without such a file, or if it has no other lines, the constants of
    the group "Uncertainties" vary uniformly over their ranges in the model. Without such constants either, a model with random
    functions samples none, and its members differ by their random numbers alone.

    Parameters
    ----------
    model : Model
        A model, as `read_model` returns it.

    Returns
    -------
    Sampling
        For `make_design`. Its `path` is that of the file, or empty.

    Raises
    ------
    ScenarioError
        If the file is not right, or without one the group has no constant with a range.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sdmodel as sd
    >>> from sdmodel.testing import model_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "m.mdl").write_text(model_text("price = 1 ~ Dollar ~ |\ndemand = 2 ~ Unit ~ |"))
    ...     _ = Path(folder, "m.vsc").write_text("100,L,1\nprice = RANDOM_UNIFORM(0.5,2)")
    ...     sampling = sd.default_sampling(sd.read_model(Path(folder, "m.mdl")))
    >>> sampling.count, [variation.name for variation in sampling.variations]
    (100, ['price'])
    """
    uncertain = split_levers(model, plausible_sampling(model))[0]
    if uncertain is None and model.draws and not _with_ranges(model, _UNCERTAIN):
        return NOTHING
    return sampling_of_ranges(model) if uncertain is None else uncertain


def split_levers(model: Model, sampling: Sampling | None) -> tuple[Sampling | None, Sampling | None]:
    """Split a sampling into its lines for uncertain constants and those for policy levers; None for a part without lines.

    A file of samples is not split, since its columns belong together: all of it counts as uncertain.
    """
    if sampling is None or sampling.method == "file":
        return sampling, None
    levers = tuple(line for line in sampling.variations if line.name in model and is_policy_lever(model[line.name]))
    if not levers:
        return sampling, None
    others = tuple(line for line in sampling.variations if line not in levers)
    parts = (replace(sampling, variations=lines, text="") if lines else None for lines in (others, levers))
    uncertain, chosen = (part and replace(part, text=sampling_text(part)) for part in parts)
    return uncertain, chosen


def _first_line(line: str, place: Place, faults: list[Fault]) -> Sampling:
    """Return what the first line says: the number of simulations, the method, the seed and the file."""
    fields = [field.strip() for field in line.split(",")]
    columns = [1, *(index + 2 for index, mark in enumerate(line) if mark == ",")]
    if "=" in line or len(fields) < 2:  # noqa: PLR2004 - a number and a method
        cure = "write 'simulations,method,seed,file,warnings', such as 200,L,1234,,0"
        faults.append(Fault(place, f"the first line must give the method; {cure}"))
        return Sampling("multivariate")
    number, letter, start, file, *rest = [*fields, *[""] * (4 - len(fields))]
    method = _LETTERS.get(letter.upper()[:1])
    count, seed = _whole(number, DEFAULT_SIMULATIONS), _whole(start, DEFAULT_SEED)
    wrong: list[tuple[int, str]] = []
    if method is None:
        letters = ", ".join(f"{known} ({meaning})" for known, meaning in _LETTERS.items())
        wrong.append((1, f"'{letter}' is not a method; write one of {letters}"))
    if method != "file" and (count is None or count < 1):
        wrong.append((0, f"the number of simulations is '{number}'; write a whole number from 1"))
    if seed is None:
        wrong.append((2, f"the seed is '{start}'; write a whole number"))
    if method == "file" and not file:
        wrong.append((1, "method F needs a file of samples; write its name in the fourth place"))
    faults += [Fault(Place(place.path, place.line, columns[index]), what) for index, what in wrong]
    return Sampling(
        method or "multivariate",
        DEFAULT_SIMULATIONS if count is None else count,
        DEFAULT_SEED if seed is None else seed,
        file=file.strip('"'),
        rest=tuple(rest),
    )


def _whole(text: str, default: int) -> int | None:
    """Return a whole number, the default for an empty text, or None for anything else."""
    try:
        value = parse_number(text) if text else float(default)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _variation(line: str, place: Place) -> Variation | Fault:
    """Return the constant and the distribution of one line, or what is wrong with it at which column."""
    found = _LINE.match(line)
    if found is None:
        return _misread(line, place)
    name = display_name(found["name"])
    start = Place(place.path, place.line, found.start("name") + len(found["name"]) - len(found["name"].lstrip()) + 1)
    law = key(found["law"]).upper()
    at = Place(place.path, place.line, found.start("law") + 1)
    if law in _REFUSED:
        return Fault(at, f"{law} is not supported; {_REFUSED[law]}")
    if law not in _KNOWN:
        close = nearest(law, _KNOWN)
        cure = f"did you mean {distribution_syntax(close)}?" if close else f"write one of {', '.join(_KNOWN)}"
        return Fault(at, f"'{' '.join(found['law'].split())}' is not a distribution; {cure}")
    parts = list(_ARGUMENT.finditer(found["arguments"]))
    lookup = display_name(parts.pop(2)[1]) if law == "RANDOM_LOOKUP" and len(parts) > 2 else ""  # noqa: PLR2004 - after the bounds
    numbers: list[float] = []
    for part in parts:
        try:
            numbers.append(parse_number(part[1]))
        except ValueError as error:
            where = Place(place.path, place.line, found.start("arguments") + part.start(1) + 1)
            return Fault(where, f"{error}; write {distribution_syntax(law)} with numbers")
    if law == "VECTOR" and len(numbers) != 3:  # noqa: PLR2004 - bounds and increment
        return Fault(at, f"VECTOR has {format_count(len(numbers), 'number')}; write {distribution_syntax('VECTOR')}")
    distribution = Steps(*numbers) if law == "VECTOR" else Distribution(law, tuple(numbers), lookup)
    wrong = distribution_fault(distribution)
    return Fault(at, wrong) if wrong else Variation(name, split_labels(found["subscripts"]), distribution, start)


def _misread(line: str, place: Place) -> Fault:
    """Return why a line does not give a distribution to a constant."""
    leading = _LEADING.match(line)
    if leading is None:
        column = len(line) - len(line.lstrip()) + 1
        what = "this line gives no distribution; write 'constant = RANDOM_UNIFORM(min,max)', an odd name in quotes"
        return Fault(Place(place.path, place.line, column), what)
    name = display_name(leading["name"])
    what = f"'{name}' needs a distribution on the same line; write '{quote_name(name)} = RANDOM_UNIFORM(min,max)'"
    return Fault(Place(place.path, place.line, leading.end() + 1), what)


def sampling_text(sampling: Sampling) -> str:
    """Return the text of a `.vsc` file; reading it gives the same sampling."""
    letter = next(letter for letter, method in _LETTERS.items() if method == sampling.method)
    fields = (str(sampling.count), letter, str(sampling.seed), sampling.file, *sampling.rest)
    lines = [",".join(fields)]
    for variation in sampling.variations:
        law = variation.distribution
        if isinstance(law, Steps):
            name, arguments = "VECTOR", [*map(number_text, (law.minimum, law.maximum, law.increment))]
        else:
            name, arguments = law.name, [*map(number_text, law.arguments)]
            arguments[2:2] = [quote_name(law.lookup)] if law.lookup else []
        lines.append(f"{quote_name(variation.name, variation.subscripts)}={name}({','.join(arguments)})")
    return "\n".join(lines) + "\n"


def sampling_of_ranges(
    model: Model,
    names: Iterable[str] | None = None,
    *,
    group: str = _UNCERTAIN,
    method: SamplingMethod = "latin hypercube",
    count: int = DEFAULT_SIMULATIONS,
    seed: int = DEFAULT_SEED,
) -> Sampling:
    """Return a sampling of constants uniformly over their ranges in the model: the named ones, or those of a group.

    From a group it takes the constants that have both bounds, the lower below the upper.

    Raises
    ------
    ScenarioError
        If a name is not a constant with two bounds, or the group has no such constant.
    """
    faults: list[Fault] = []
    if names is None:
        chosen = _with_ranges(model, group)
        if not chosen:
            what = f"no constant of a group '{group}' has a range; write a .vsc file with the constants to vary, or vary all (--vary 20%, in Python vary_constants)"
            faults.append(Fault(model.path, what))
    else:
        chosen = [model.elements[constant_cells(model, name)[0].key] for name in names]
        what = "'{}' has no range to sample from; write [min,max] after its units in the model"
        faults += [Fault(element.place, what.format(element.name)) for element in chosen if not _bounds(element)]
    if faults:
        raise ScenarioError(faults)
    variations = (Variation(element.name, (), Distribution("RANDOM_UNIFORM", _bounds(element))) for element in chosen)
    sampling = Sampling(method, count, seed, tuple(variations), rest=("0",))
    return replace(sampling, text=sampling_text(sampling))


def _with_ranges(model: Model, group: str) -> list[Element]:
    return [element for element in model if key(element.group) == key(group) and _bounds(element)]


def _bounds(element: Element) -> tuple[float, ...]:
    """Return both bounds of a constant that may change, or nothing."""
    range_ = element.range
    if element.kind != "constant" or element.fixed or range_ is None:
        return ()
    low, high = range_.minimum, range_.maximum
    return (low, high) if low is not None and high is not None and low < high else ()
