"""Calibrates ai_compute.mdl: `python models/calibrate.py` repeats the whole calibration, with the same numbers.

base      constants of the base run, found by the search and written into the model
variants  the same with other judgements of what nobody has measured: change files that fit the past equally well
ensemble  members that all fit the past: posterior draws, with samples of constants that act only in the future
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

from tables import update_tables

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
"""Levers and uncertainties that have the value of their historical twin."""
EQUAL = ("premium markup", "internal share", "penetration ceiling[chat]")
"""Those for which nothing suggests a jump at the policy start date: in each member the same before and after it."""
VARIANTS: Mapping[str, Mapping[str, float]] = {
    "less-ghost": {"judgement_ghost_compute": 3.0, "judgement_ai_sites_completed": 9.0},
    "more-ghost": {"judgement_ghost_compute": 9.0, "judgement_ai_sites_completed": 5.0},
}


def calibrate_base() -> None:
    """Write the best constants into the model."""
    document, model = sd.open_document(MODEL), sd.read_model(MODEL)
    for change in _best("base-calibration", JUDGEMENT):
        _write(document, model, change)
    document.save()


def calibrate_variants() -> None:
    """Write a change file for each variant of the judgement."""
    for name, values in VARIANTS.items():
        judged = RUNS / f"{name}.csv"
        with JUDGEMENT.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with judged.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({**row, "value": values.get(row["series"], row["value"])} for row in rows)
        found = _best(name, judged)
        judgement = " and ".join(
            f"{value:g} for {series.removeprefix('judgement_').replace('_', ' ')}" for series, value in values.items()
        )
        comment = f"A variant that fits the past as base does, calibrated with another judgement: {judgement}."
        text = scenario_text(found, comment=comment)
        write_file(HERE / "variants" / f"{name}.cin", text.encode(), force=True, error=SdmodelError)


def calibrate_ensemble(steps: int, *, resume: bool) -> None:
    """Write posterior draws as an ensemble, and the record of the calibration."""
    name = "history-matched"
    _sdmodel(
        "calibrate", MODEL, *_data_options(JUDGEMENT), "--prior", HERE / "ensembles" / f"{name}-priors.vsc", "--posterior",
        "--steps", str(steps), "--beyond", HERE / "ensembles" / "later.vsc", *_equal_options(), "--seed", SEED,
        "--ensemble", HERE / "ensembles" / f"{name}.vsc", "--name", name, "--runs", RUNS,
        "--force", *(["--resume"] if resume else []),
    )  # fmt: skip
    shutil.copyfile(RUNS / f"{name}.json", HERE / "ensembles" / f"{name}.json")


def _best(name: str, judged: Path) -> list[Change]:
    """Return the best values of the free constants, rounded, and of the constants that follow them."""
    _sdmodel(
        "calibrate", MODEL, *_data_options(judged), "--prior", HERE / "ensembles" / "calibration-priors.vsc", "--seed", SEED,
        "--name", name, "--runs", RUNS, "--force",
    )  # fmt: skip
    free = [
        replace(change, values=tuple(float(f"{value:.{DIGITS}g}") for value in change.values))
        for change in sd.read_scenario(RUNS / f"{name}.cin").changes
    ]
    by_name = {change.name: change for change in free}
    return free + [replace(by_name[f"historical {name}"], name=name) for name in FOLLOWING]


def _write(document: Document, model: sd.Model, change: Change) -> None:
    """Write a value into the model's text, for a subscripted constant into its place in the list."""
    entry, (value,) = document[change.name], change.values
    text = f"{value:.{DIGITS}g}"
    if change.subscripts:
        (dimension,) = model.elements[key(change.name)].dimensions
        values = entry.equation.split(",")
        values[model.subscripts[dimension].labels.index(change.subscripts[0])] = text
        text = ",".join(value.strip() for value in values)
    entry.equation = text


def _data_options(judged: Path) -> list[str | Path]:
    return ["-d", HERE / "data" / "observations.csv", "-d", judged, "--series", MODEL.with_suffix(".series.csv"),
            "--series", MODEL.with_suffix(".judgement.csv")]  # fmt: skip


def _equal_options() -> list[str]:
    return [word for name in EQUAL for word in ("--equal", f"{name}=historical {name}")]


def _sdmodel(*arguments: str | Path) -> None:
    """Run a command of sdmodel, and print it to stderr."""
    words = [str(word.relative_to(HERE.parent)) if isinstance(word, Path) else word for word in arguments]
    sys.stderr.write(f"sdmodel {shlex.join(words)}\n")
    try:
        sdmodel(words)
    except SystemExit as end:
        if end.code:
            raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the given parts of the calibration, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="base, variants, ensemble or tables (default: all)")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each walker of the posterior")
    parser.add_argument("--resume", action="store_true", help="continue a posterior that was interrupted")
    options = parser.parse_args(arguments)
    parts = options.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    RUNS.mkdir(exist_ok=True)
    os.chdir(HERE.parent)  # records contain file names relative to this folder
    for part in PARTS:
        if part in parts:
            PARTS[part](options)


PARTS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "base": lambda _: calibrate_base(),
    "variants": lambda _: calibrate_variants(),
    "ensemble": lambda options: calibrate_ensemble(options.steps, resume=options.resume),
    "tables": lambda _: update_tables(),
}

if __name__ == "__main__":
    main()
