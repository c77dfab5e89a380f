"""Calibrates ai_compute.mdl anew: `python models/calibrate.py` repeats all of it, with the same numbers.

base      constants of the base run, found by the search and written into the model
variants  the same with other judgement of what nobody has measured: change files that fit the past as well
ensemble  the members that all fit the past: draws of the posterior, with draws of what acts only later
tables    the tables of README.md
"""

from __future__ import annotations

import argparse
import csv
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tables import renew

import sdmodel as sd
from sdmodel.cli import main as sdmodel
from sdmodel.errors import SdmodelError
from sdmodel.files import write_file
from sdmodel.model import key
from sdmodel.scenario import Change
from sdmodel.vensim import Document, scenario_text

HERE = Path(__file__).resolve().parent
MODEL = HERE / "ai_compute.mdl"
RUNS = HERE.parent / "runs"
JUDGEMENT = HERE / "data" / "judgement.csv"
SEED = "1"
STEPS = 48000
DIGITS = 4
FOLLOWING = ("premium markup", "internal share", "fab increment", "software efficiency growth")
"""Levers and uncertainties that stand where their historical twin stands."""
EQUAL = ("premium markup", "internal share", "penetration ceiling[chat]")
"""Those of which nothing suggests a jump at the policy start date: the same in each member before and after it."""
VARIANTS: Mapping[str, Mapping[str, float]] = {
    "less-ghost": {"judgement_ghost_compute": 3.0, "judgement_ai_sites_completed": 9.0},
    "more-ghost": {"judgement_ghost_compute": 9.0, "judgement_ai_sites_completed": 5.0},
}


def calibrate_base() -> None:
    """Write the best constants into the model."""
    found = _best("base-calibration", JUDGEMENT)
    document, model = sd.open_document(MODEL), sd.read_model(MODEL)
    for change in found:
        _write(document, model, change)
    document.save()


def calibrate_variants() -> None:
    """Store a change file for each variant of the judgement."""
    for name, wanted in VARIANTS.items():
        judged = RUNS / f"{name}.csv"
        with JUDGEMENT.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with judged.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({**row, "value": wanted.get(row["series"], row["value"])} for row in rows)
        found = _best(name, judged)
        told = " and ".join(
            f"{value:g} for {series.removeprefix('judgement_').replace('_', ' ')}" for series, value in wanted.items()
        )
        comment = f"A variant that fits the past as base does, calibrated with another judgement: {told}."
        text = scenario_text(found, comment=comment)
        write_file(HERE / "variants" / f"{name}.cin", text.encode(), force=True, error=SdmodelError)


def calibrate_ensemble(steps: int, *, resume: bool) -> None:
    """Store draws of the posterior as an ensemble, and the record of how they were found."""
    name = "history-matched"
    _sdmodel(
        "calibrate", MODEL, *_held_against(JUDGEMENT), "--prior", HERE / "ensembles" / f"{name}-priors.vsc", "--posterior",
        "--steps", str(steps), "--beyond", HERE / "ensembles" / "later.vsc", *_equal(), "--seed", SEED,
        "--ensemble", HERE / "ensembles" / f"{name}.vsc", "--name", name, "--runs", RUNS,
        "--force", *(["--resume"] if resume else []),
    )  # fmt: skip
    shutil.copyfile(RUNS / f"{name}.json", HERE / "ensembles" / f"{name}.json")


def _best(name: str, judged: Path) -> list[Change]:
    """The best values of the free constants, and of those that follow them, to the digits that are kept."""
    _sdmodel(
        "calibrate", MODEL, *_held_against(judged), "--prior", HERE / "ensembles" / "calibration-priors.vsc", "--seed", SEED,
        "--name", name, "--runs", RUNS, "--force",
    )  # fmt: skip
    free = [
        replace(each, values=tuple(float(f"{value:.{DIGITS}g}") for value in each.values))
        for each in sd.read_scenario(RUNS / f"{name}.cin").changes
    ]
    twins = {each.name: each for each in free}
    return free + [replace(twins[f"historical {each}"], name=each) for each in FOLLOWING]


def _write(document: Document, model: sd.Model, change: Change) -> None:
    """Put a value into the text of the model; one of a list of values into its place."""
    entry, (value,) = document[change.name], change.values
    text = f"{value:.{DIGITS}g}"
    if change.subscripts:
        (dimension,) = model.elements[key(change.name)].dimensions
        values = entry.equation.split(",")
        values[model.subscripts[dimension].labels.index(change.subscripts[0])] = text
        text = ",".join(each.strip() for each in values)
    entry.equation = text


def _held_against(judged: Path) -> list[str | Path]:
    return ["-d", HERE / "data" / "observations.csv", "-d", judged, "--series", MODEL.with_suffix(".series.csv"),
            "--series", MODEL.with_suffix(".judgement.csv")]  # fmt: skip


def _equal() -> list[str]:
    return [part for each in EQUAL for part in ("--equal", f"{each}=historical {each}")]


def _sdmodel(*arguments: str | Path) -> None:
    """Run a command of sdmodel, and show it.

    Raises
    ------
    SystemExit
        If it fails.
    """
    words = [str(each.relative_to(HERE.parent)) if isinstance(each, Path) else each for each in arguments]
    sys.stderr.write(f"sdmodel {shlex.join(words)}\n")
    try:
        sdmodel(words)
    except SystemExit as end:
        if end.code:
            raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is asked for, or all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="base, variants, ensemble or tables (default: all)")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each walker of the posterior")
    parser.add_argument("--resume", action="store_true", help="go on with a posterior that was interrupted")
    wanted = parser.parse_args(arguments)
    parts = wanted.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    RUNS.mkdir(exist_ok=True)
    os.chdir(HERE.parent)  # records name files as seen from there
    for part in PARTS:
        if part in parts:
            PARTS[part](wanted)


PARTS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "base": lambda _: calibrate_base(),
    "variants": lambda _: calibrate_variants(),
    "ensemble": lambda wanted: calibrate_ensemble(wanted.steps, resume=wanted.resume),
    "tables": lambda _: renew(),
}

if __name__ == "__main__":
    main()
