"""Calibrates ai_compute.mdl: `python models/calibrate.py` repeats the whole calibration, with the same numbers.

base      constants of the base run, found by the search and written into the model
backtest  forecasts from four past dates, scored; the model error by series and horizon
ensemble  members that all fit the past: posterior draws, with samples of constants that act only in the future
tables    the tables of README.md
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tables import run_sdmodel, update_tables

import sdmodel as sd
from sdmodel.model import key
from sdmodel.scenario import Change
from sdmodel.vensim import OpenDocument

HERE = Path(__file__).resolve().parent
MODEL = HERE / "ai_compute.mdl"
RUNS = HERE.parent / "runs"
PRIORS = HERE / "ensembles" / "history-matched-priors.vsc"
BEYOND = HERE / "ensembles" / "beyond.vsc"
"""Constants about which the past says nothing: members sample them, the posterior does not."""
SEED = "1"
STEPS, CUT_STEPS = 9000, 600
"""Steps of each walker of the posterior, and at each cut of the back-test."""
CUTS = ("2024-12-31", "2025-03-31", "2025-06-30", "2025-09-30")
DIGITS = 4


def calibrate_base() -> None:
    """Write the best constants into the model."""
    document, model = sd.open_document(MODEL), sd.read_model(MODEL)
    for change in _best("base-calibration"):
        _write(document, model, change)
    document.save()


def backtest(steps: int) -> None:
    """Forecast from past dates, and write the model error by series and horizon."""
    cuts = [word for cut in CUTS for word in ("--cut", cut)]
    run_sdmodel(
        "backtest", MODEL, *_data_options(), "--prior", PRIORS, "--beyond", BEYOND, *cuts, "--starts", "8", "--steps", str(steps), "--seed", SEED,
        "--error", MODEL.with_suffix(".error.csv"), "--name", "ai_compute-backtest", "--runs", RUNS, "--force",
    )  # fmt: skip


def calibrate_ensemble(steps: int, *, resume: bool) -> None:
    """Write posterior draws as an ensemble, and the record of the calibration."""
    name = "history-matched"
    run_sdmodel(
        "calibrate", MODEL, *_data_options(), "--prior", PRIORS, "--posterior", "--starts", "16", "--steps", str(steps),
        "--beyond", BEYOND, "--seed", SEED, "--ensemble", HERE / "ensembles" / f"{name}.vsc",
        "--name", name, "--runs", RUNS, "--force", *(["--resume"] if resume else []),
    )  # fmt: skip
    shutil.copyfile(RUNS / f"{name}.json", HERE / "ensembles" / f"{name}.json")


def _best(name: str) -> list[Change]:
    """Return the best values of the free constants, rounded."""
    run_sdmodel(
        "calibrate", MODEL, *_data_options(), "--prior", PRIORS, "--starts", "16", "--seed", SEED, "--name", name,
        "--runs", RUNS, "--force",
    )  # fmt: skip
    return [
        replace(change, values=tuple(float(f"{value:.{DIGITS}g}") for value in change.values))
        for change in sd.read_scenario(RUNS / f"{name}.cin").changes
    ]


def _write(document: OpenDocument, model: sd.Model, change: Change) -> None:
    """Write a value into the model's text, for a subscripted constant into its place in the list."""
    entry, (value,) = document[change.name], change.values
    text = f"{value:.{DIGITS}g}"
    if change.subscripts:
        (dimension,) = model.elements[key(change.name)].dimensions
        values = entry.equation.split(",")
        values[model.subscripts[dimension].labels.index(change.subscripts[0])] = text
        text = ",".join(value.strip() for value in values)
    entry.equation = text


def _data_options() -> list[str | Path]:
    return ["-d", HERE / "data" / "observations.csv", "--series", MODEL.with_suffix(".series.csv")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the given parts of the calibration, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="base, backtest, ensemble or tables (default: all)")
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
    "backtest": lambda options: backtest(min(options.steps, CUT_STEPS)),
    "ensemble": lambda options: calibrate_ensemble(options.steps, resume=options.resume),
    "tables": lambda _: update_tables(),
}

if __name__ == "__main__":
    main()
