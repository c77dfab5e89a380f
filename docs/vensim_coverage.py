"""Writes `docs/vensim-coverage.md` from the table of functions: `python docs/vensim_coverage.py`; `--check` only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from sdmodel.model import FUNCTIONS, REFUSED, WHOLE_EQUATIONS

PAGE = Path(__file__).with_name("vensim-coverage.md")

INTRODUCTION = """# Functions of Vensim's manual

<!-- written by `python docs/vensim_coverage.py`; change that, or the rows in sdmodel/model/functions -->

Of the functions in Vensim's manual, {runs} run and {refused} are refused by name, with what to use instead. A function that
runs does so in single runs and ensembles, by every integrator, in runs that go on from another, and in WebAssembly.

Each function in the first table has an example with the value of the manual in `tests/model/test_functions.py`, where its
scalar, NumPy and compiled values, its derivative, its units and its LaTeX are compared too; most also occur in the random
models of `tests/whole_models`. The last column names a file in `tests` that computes the function a second time.

## Functions that run
"""

WHOLE = """
## Functions that are whole equations

They stand alone on the right-hand side; see `tests/vensim/test_external.py` and `tests/vensim/test_data.py`.
"""

TESTS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "DELAY BATCH", "DELAY INFORMATION", "DELAY MATERIAL", "DELAYP", "DEPRECIATE BY SCHEDULE", "DEPRECIATE STRAIGHTLINE", "GAMMA LN", "GET TIME VALUE", "LOOKUP AREA", "LOOKUP INVERT",
            "LOOKUP SLOPE", "MESSAGE", "NPV", "NPVE", "SIMULTANEOUS", "SINTEG",
        ),
        "tests/simulation/test_manual_functions.py",
    ),
    "FIND ZERO": "tests/simulation/test_find_zero.py",
    "SHIFT IF TRUE": "tests/simulation/test_shifts.py",
    **dict.fromkeys(
        ("DELAY CONVEYOR", "DELAY PROFILE", "INTERNAL RATE OF RETURN", *(name for name in FUNCTIONS if name.startswith("QUEUE"))),
        "tests/simulation/test_past_functions.py"),
    **dict.fromkeys(("DELAY N", "SMOOTH N"), "tests/model/test_delay_orders.py"),
    **dict.fromkeys(
        (
            "ALLOCATE AVAILABLE", "ALLOCATE BY PRIORITY", "ALLOC P", "DEMAND AT PRICE", "FIND MARKET PRICE", "INVERT MATRIX", "MARKETP",
            "SUPPLY AT PRICE", "VECTOR ELM MAP", "VECTOR LOOKUP", "VECTOR RANK", "VECTOR REORDER", "VECTOR SELECT", "VECTOR SORT ORDER",
        ),
        "tests/program/test_array_functions.py",
    ),
}  # fmt: skip
"""A test of each function besides those that all functions have."""

DIFFERENCES: Mapping[str, str] = {
    "ALLOCATE AVAILABLE": "more digits than Vensim for the normal curve; constant elasticity is read as the price of the quantity, the "
    "price at which it is cut off, and the elasticity, which the manual leaves open; whole numbers (types from 10) are not allocated",
    "FIND ZERO": "Newton's method, whatever the method and the most rounds that are given; the first guess is the vector of the step before; "
    "elements that are skipped keep their initial values; where no vector is within the tolerance, it is not finite and the run names it",
    "GET DATA LAST TIME": "data that is computed from other data has a point at every time at which some of that has one",
    "GET DATA MEDIAN": "not of data that is computed from other data",
    "INTERNAL RATE OF RETURN": "fiscal periods begin at INITIAL TIME, the amounts of the one of now count as far as it has come, and one has at "
    "least a time step; the initial amount counts at its own time, from that time on; of a rate above zero and one below, it is the first",
    "DELAY CONVEYOR": "the manual says the first value in two ways; the profile decides, which gives total by initial conveyance time where it is "
    "level, and the manual's detailed example; a step moves the belt by the conveyance time of that step, at least a time step",
    "DELAY PROFILE": "each input has the delay time of its own step; a step has the part of the profile from half a step before to half a step "
    "after; before the start, inputs grew by the same part in each step; the part of a profile before 0 does not count",
    "QUEUE FIFO": "the first elements have ages of whole steps, from one on; an empty queue has the age 0; a part of the level is rounding "
    "below 1e-9 of it; with a TIME STEP that changes, ages count in steps of now",
    **dict.fromkeys(
        ("QUEUE ATTRIB MAX", "QUEUE ATTRIB MIN"),
        "the quantity may be left out, for all elements; no public page of the manual has it",
    ),
    "QUEUE AGE AVERAGE": "the quantity may be left out, as in the manual's example",
    "QUEUE ATTRIB QUANTITY": "an attribute that is not above zero takes nothing of the sum",
    "SHIFT IF TRUE": "the stocks move at the beginning of a time step, also the first one, before anything else is computed there; the size must "
    "be known before the run, and a size that goes beyond the stock is refused; links and loops leave out that one place goes to the next",
    "INVERT MATRIX": "a singular matrix has no inverse, where Vensim gives numbers",
    "DELAY BATCH": "Vensim does not say how large a batch is if more has been collected; here it has just its size",
    "DELAY INFORMATION": "an input has the delay time of the moment at which it is put in; no public output of Vensim shows it",
    "DELAY MATERIAL": "an input has the delay time of the moment at which it is put in; no public output of Vensim shows it",
    "DEPRECIATE BY SCHEDULE": "the initial depreciation is read as a rate, in the fiscal period of the start and each one after it, which "
    "the manual leaves open; a single number holds for all of them",
    "DEPRECIATE STRAIGHTLINE": "fiscal periods begin at INITIAL TIME; equal to Vensim's output for periods of a step",
    "DELAYP": "the variable after `:` is a stock of its own, as the manual recommends",
    "GAMMA LN": "more digits than Vensim, whose GAMMA LN(2) is -3e-11 instead of 0",
    "GET TIME VALUE": "the computer's clock (relative to 2) is refused, since such a run cannot be repeated; the day of the week "
    "in years of 360 days is a guess",
    "LOOKUP SLOPE": "at the first and last point the slope of the only segment there; the manual says nothing",
    "MESSAGE": "the text is not shown",
    "REINITIAL": "as INITIAL: a run computes its start once",
    "SIMULTANEOUS": "the loop is extrapolated to the value that it reproduces, which is Vensim's wherever going around the loop ends "
    "there; the guess is the value of the step before, which the manual leaves open; a loop inside the loop is refused",
    "SINTEG": "rounds to the nearest multiple; the manual does not say which way",
    "GAME": "the player's value is not asked for",
}
"""What is known to differ from Vensim, or what its manual leaves open."""


def page() -> str:
    """The text of the page."""
    rows = [
        (
            f"`{row.name}({', '.join(row.written)})`" if row.name[0].isalpha() else f"`{row.name}`",
            row.meaning,
            DIFFERENCES.get(row.name, ""),
            f"`{TESTS[row.name].removeprefix('tests/')}`" if row.name in TESTS else "",
        )
        for row in sorted(FUNCTIONS.values(), key=lambda row: (row.name[0].isalpha(), row.name))
    ]
    whole = [
        (f"`{name}`", "reads a file" if name.startswith("GET") else "a whole equation")
        for name in sorted(WHOLE_EQUATIONS)
    ]
    refused = [(f"`{name}`", REFUSED[name]) for name in sorted(REFUSED)]
    parts = [
        INTRODUCTION.format(runs=len(rows) + len(whole), refused=len(refused)),
        _table(("Function", "Value", "Difference from Vensim, or what its manual leaves open", "Also tested in"), rows),
        WHOLE,
        _table(("Function", "Use"), whole),
        "\n## Functions that are refused\n",
        _table(("Function", "Instead"), refused),
    ]
    return "\n".join(parts) + "\n"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), "utf-8")
    elif PAGE.read_text("utf-8") != page():
        sys.exit(f"{PAGE}: out of date; run python docs/vensim_coverage.py")
