"""Files of many random models, run by the package and by the interpreter, and what differs."""

from __future__ import annotations

import math
import random
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import xarray as xr
from interpreter import Cell, Run
from model_tree import Call, Equation, Number, Settings, Whole, Writer
from random_models import models, settings

from sdmodel.simulation import simulate
from sdmodel.vensim import model_from_text

AGREED = 1e-9
"""The allowed relative difference; two mathematical libraries differ in the last digit."""
NEAR_ZERO = 1e-11
"""The allowed difference of numbers near zero: the rounding errors of numbers around one."""
AMPLIFIED = 1e3
"""The allowed difference as a multiple of what one last digit of a library's function changes."""

Values = dict[Cell, list[float]]


@dataclass(slots=True)
class File:
    """Several models in one file: the tree, the text, and how many were left out because they do not stay finite."""

    whole: Whole
    times: Settings
    text: str
    count: int
    left_out: int
    varied: dict[str, list[float]] = field(default_factory=dict)


def make_file(seed: int, count: int, *, special: bool = False, noisy: bool = False) -> File:
    """A file of random models; without `special`, only those whose numbers stay finite."""
    chance = random.Random(seed)
    times = settings(chance)
    made = list(models(chance, count, times, special=special, noisy=noisy))
    kept = [whole for whole in made if special or all(map(finite, Run(whole, times).run().values()))]
    whole = Whole({}, [])
    for part in kept:
        whole.ranges |= part.ranges
        whole.equations += part.equations
    text = Writer(chance).model(whole, times)
    scalars = [equation for equation in whole.equations if not equation.subscripts and is_literal(equation)]
    chosen = chance.sample(scalars, min(len(scalars), 3 + count // 4))
    varied = {equation.name: [round(chance.uniform(0, 4), 2) for _ in range(3)] for equation in chosen}
    return File(whole, times, text, len(kept), len(made) - len(kept), varied)


def is_literal(equation: Equation) -> bool:
    """Whether an equation is a number, with a sign or without."""
    node = equation.node.parts[0] if isinstance(equation.node, Call) and equation.node.name == "neg" else equation.node
    return isinstance(node, Number)


def finite(values: list[float]) -> bool:
    return all(map(math.isfinite, values))


def package_values(file: File, constants: dict[str, list[float]] | None = None) -> list[Values]:
    """What the package makes of a file, for one run or for each member."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = simulate(model_from_text(file.text, "random.mdl"), constants)
    found: list[Values] = [{} for _ in range(run.sizes.get("member", 1))]
    arrays = {variable.attrs["long_name"]: variable for variable in run.data_vars.values()}
    for name, labels in Run(file.whole, file.times).cells:
        if name not in arrays:
            continue
        for member, values in enumerate(found):
            values[name, labels] = cell_values(run, arrays[name], labels, member)
    return found


def cell_values(run: xr.Dataset, array: xr.DataArray, labels: tuple[str, ...], member: int) -> list[float]:
    dims = [dim for dim in array.dims if dim not in {"time", "member"}]
    array = array.sel(dict(zip(dims, labels, strict=True)))
    array = array.isel(member=member) if "member" in array.dims else array
    return array.values.tolist() if "time" in array.dims else [float(array)] * run.sizes["time"]


def right_values(
    file: File, constants: dict[str, float] | None = None, member: int = 0
) -> tuple[Values, Values, Values]:
    """What the interpreter makes of a file: as it is, and with the last digits of functions moved up and down."""
    cells = {(name, ()): value for name, value in (constants or {}).items()}
    first, second, third = (saved(Run(file.whole, file.times, cells, nudge, member)) for nudge in (0.0, 1.0, -2.0))
    return first, second, third


def saved(run: Run) -> Values:
    """The values of a run at the saved times."""
    return {cell: values[:: run.settings.every] for cell, values in run.run().items()}


@dataclass(slots=True)
class Difference:
    """The first time at which a cell differs."""

    cell: Cell
    step: int
    found: float
    right: float
    equation: str

    def __str__(self) -> str:
        return f"{self.cell} at step {self.step}: {self.found!r}, should be {self.right!r}; {self.equation}"


def differences(
    file: File, found: Values, right: tuple[Values, Values, Values], counts: Counter[str]
) -> Iterator[Difference]:
    """The cells that differ by more than rounding explains; `counts` counts numbers, and those where rounding decides."""
    writer = Writer(random.Random(0))
    cells = Run(file.whole, file.times).cells
    for cell, values in found.items():
        for step, value in enumerate(values):
            exact, *others = (part[cell][step] for part in right)
            counts["numbers"] += 1
            counts["not finite"] += not math.isfinite(exact)
            if same(value, exact):
                continue
            if any(not same(other, exact) for other in others):
                counts["rounding decides"] += 1
                spread = max(abs(other - exact) for other in others)
                if (
                    not math.isfinite(spread)
                    or spread > AGREED * abs(exact)
                    or abs(value - exact) <= AMPLIFIED * spread
                ):
                    continue
            yield Difference(cell, step, value, exact, writer.equation(cells[cell][0]))
            break


def same(one: float, other: float) -> bool:
    """Whether two numbers agree; which number that is not finite it is, is not promised."""
    if not math.isfinite(one) or not math.isfinite(other):
        return math.isfinite(one) == math.isfinite(other)
    return one == other or abs(one - other) <= max(AGREED * abs(other), NEAR_ZERO)


def check(file: File, counts: Counter[str], *, members: bool) -> list[str]:
    """All differences between the package and the interpreter for one file."""
    counts["models"] += file.count
    counts["left out"] += file.left_out
    counts["rk4" if file.times.rk4 else "euler"] += file.count
    (found,) = package_values(file)
    differing = list(differences(file, found, right_values(file), counts))
    lines = [str(difference) for difference in differing]
    if differing:
        lines.append(alone(file, differing[0].cell[0].strip('"').split()[0]).text)
    if members and file.varied:
        for member, values in enumerate(package_values(file, file.varied)):
            constants = {name: given[member] for name, given in file.varied.items()}
            right = right_values(file, constants, member)
            lines += [f"member {member}: {line}" for line in differences(file, values, right, counts)]
    return lines


def alone(file: File, prefix: str, seed: int = 0) -> File:
    """Only the model of a file whose names begin with a prefix: what a report of a difference needs."""
    own = [equation for equation in file.whole.equations if equation.name.strip('"').startswith(f"{prefix} ")]
    ranges = {name: labels for name, labels in file.whole.ranges.items() if name.startswith(f"{prefix}R")}
    whole = Whole(ranges, own)
    return replace(file, whole=whole, text=Writer(random.Random(seed)).model(whole, file.times), count=1, left_out=0)
