"""The tables of README.md, made from the model, its scenarios and its ensembles: `python models/tables.py` updates them.

A table is between the lines `<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import sdmodel as sd
from sdmodel.errors import SdmodelError
from sdmodel.files import write_file
from sdmodel.model import key, references_in, split_reference
from sdmodel.vensim import read_savelist

HERE = Path(__file__).resolve().parent
MODEL = HERE / "ai_compute.mdl"
README = HERE / "README.md"
SCENARIOS = ("base", "essay", "naive", "agi", "power-first", "funding-stop", "cheap-wins", "chip-glut", "slow-cadence")
VARIANTS = ("less-ghost", "more-ghost")
_BLOCK = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COMMENT = re.compile(r"(?P<source>.*?); low (?P<low>\S+), high (?P<high>\S+?)\. (?P<meaning>.*)")
WIDE, EDGE = 0.9, 0.05


def constants_table() -> str:
    """List every constant with its source, by group, in the order of the model."""
    model, parts = _model(), []
    for group in model.groups:
        constants = [
            element for element in model.elements.values() if element.group == group.name and element.kind == "constant"
        ]
        if constants:
            rows = [
                _constant_row(element.name, _value(element), element.units, element.comment) for element in constants
            ]
            head = ("constant", "value", "units", "low", "high", "source", "meaning")
            parts.append(f"### {group.name.lstrip('.')}\n\n{_table(head, rows)}")
    return "\n".join(parts)


def _constant_row(name: str, value: str, units: str, comment: str) -> tuple[str, ...]:
    """Return the row of a constant; its comment must begin with source, low and high."""
    found = _COMMENT.fullmatch(" ".join(comment.split()))
    if found is None:
        message = f"'{name}': its comment must read 'SOURCE; low X, high Y. MEANING'"
        raise ValueError(message)
    return name, value, units, found["low"], found["high"], found["source"], found["meaning"]


def _value(element: Any) -> str:
    """Return the constant's value as written in the model."""
    return ", ".join(" ".join(equation.text.split()).replace(",", ", ") for equation in element.equations)


def scenarios_table() -> str:
    """Show the main headlines of each scenario."""
    head = ("scenario", "ghost 2027, total / excess", "highest ghost (when)", "installed 2030", "revenue 2027", "revenue 2030",
            "revenue per GW 2030", "capex 2030", "written off by 2032")  # fmt: skip
    rows = []
    for name, run in _runs(SCENARIOS, "scenarios"):
        ghost = run["total_ghost_compute"]
        top = int(ghost.values.argmax())
        rows.append(
            (
                name,
                _ghost(run, 2027),
                f"{float(ghost[top]):.0f} GW ({float(ghost['time'][top]):.1f})",
                f"{_at(run, 'installed compute total', 2030):.0f} GW",
                f"{_at(run, 'Annual Revenue', 2027):,.0f}",
                f"{_at(run, 'Annual Revenue', 2030):,.0f}",
                f"{_at(run, 'revenue per GW', 2030):.1f}",
                f"{_at(run, 'capex', 2030):,.0f}",
                f"{_at(run, 'Cumulative Write Off', 2032):.0f} GW",
            )
        )
    return _table(head, rows)


def variants_table() -> str:
    """Show how well each variant fits the past, and what it says about the future, compared with base."""
    head = ("constants", "MAPE chips sold, users, worst other", "ghost September 2025", "ghost 2027, total / excess", "revenue 2027",
            "revenue 2030")  # fmt: skip
    rows = []
    for name, run in [*_runs(("base",), "scenarios"), *_runs(VARIANTS, "variants")]:
        errors = {row.name: row.measures["mape"] for row in sd.fit_run(run, _series()).rows}
        others = max(value for series, value in errors.items() if series not in {"chips sold", "weekly users"})
        rows.append(
            (
                name,
                f"{errors['chips sold']:.1f} %, {errors['weekly users']:.1f} %, {others:.0f} %",
                f"{_at(run, 'total ghost compute', 2025.75):.1f} GW",
                _ghost(run, 2027),
                f"{_at(run, 'Annual Revenue', 2027):.0f}",
                f"{_at(run, 'Annual Revenue', 2030):.0f}",
            )
        )
    return _table(head, rows)


def fit_table() -> str:
    """Show how far base is from the observations, by series."""
    (_, run), *_ = _runs(("base",), "scenarios")
    rows = []
    for row in sd.fit_run(run, _series()).rows:
        few = np.isnan(row.measures["r2"])
        shares = "too few" if few else " / ".join(f"{row.measures[share]:.2f}" for share in ("um", "us", "uc"))
        r2 = "too few" if few else f"{row.measures['r2']:.3f}"
        rows.append((row.name, str(row.count), f"{row.measures['mape']:.1f} %", shares, r2))
    return _table(("series", "observations", "MAPE", "Theil bias / spread / covariation", "R2"), rows)


def history_matched_table() -> str:
    """Show what the members that all fit the past say about the future: median and central 90 %."""
    run = _history_matched()
    dates = (2026, 2027, 2028, 2030, 2032)
    rows = []
    for name in ("total ghost compute", "excess ghost compute", "installed compute total", "token volume total", "list price",
                 "Annual Revenue", "revenue per GW", "capex", "Cumulative Write Off"):  # fmt: skip
        cells = [np.quantile(_values(run, name, date), (0.05, 0.5, 0.95)) for date in dates]
        units = run[key(name)].attrs["units"]
        rows.append((name, units, *(f"{mid:,.3g} ({low:,.3g} – {high:,.3g})" for low, mid, high in cells)))
    return _table(("headline", "units", *map(str, dates)), rows)


def coverage_table() -> str:
    """Show how many observations lie in the central 90 % of the history-matched members with errors, and how wide that is."""
    fit = sd.fit_run(_history_matched(), _series())
    series = {one.name: one for one in _series()}
    rows, inside, count = [], 0.0, 0
    for row in fit.rows:
        (band,) = (candidate for candidate in row.bands if candidate.probability == WIDE)
        inside, count = inside + band.predictive_coverage * row.count, count + row.count
        level = float(np.mean(np.abs(series[row.name].values)))
        rows.append(
            (
                row.name,
                str(row.count),
                f"{band.predictive_coverage:.0%}",
                f"{band.predictive_width / level:.0%}",
                f"{band.width / level:.0%}",
            )
        )
    rows.append(("all", str(count), f"{inside / count:.0%}", "", ""))
    return _table(
        ("series", "observations", "inside", "mean width over mean observation", "of which members alone"), rows
    )


def identification_table() -> str:
    """Show what the data say about each free constant, from the record of the calibration."""
    record = json.loads((HERE / "ensembles" / "history-matched.json").read_text(encoding="utf-8"))
    rows = []
    for constant in record["constants"]:
        posterior = constant["posterior"]
        low, high = posterior["interval90"]
        edge = ", ".join(f"{posterior[side]:.0%} at the {word} bound" for side, word in (("near_low", "lower"), ("near_high", "upper"))
                         if posterior[side] > EDGE)  # fmt: skip
        rows.append(
            (constant["name"], f"{posterior['median']:.3g} ({low:.3g} – {high:.3g})", constant["units"],
             f"{constant['low']:g} – {constant['high']:g}", f"{posterior['contraction']:.0%}", edge, f"{posterior['rhat']:.2f}")
        )  # fmt: skip
    rows.sort(key=lambda row: float(row[4].rstrip("%")))
    return _table(
        ("constant", "median (90 %)", "units", "bounds", "prior spread that is left", "bounds that bind", "R-hat"),
        rows,
    )


TABLES: dict[str, Callable[[], str]] = {
    "scenarios": scenarios_table,
    "fit": fit_table,
    "variants": variants_table,
    "history-matched": history_matched_table,
    "coverage": coverage_table,
    "identification": identification_table,
    "constants": constants_table,
}
"""The function that makes each table."""


def with_current_tables(text: str) -> str:
    """Return a text in which all tables are current."""
    return _BLOCK.sub(lambda block: f"{block[1]}{TABLES[block['name']]()}{block[3]}", text)


def _runs(names: Iterable[str], folder: str) -> list[tuple[str, xr.Dataset]]:
    """Return runs of change files by name."""
    return [(name, _run(HERE / folder / f"{name}.cin")) for name in names]


@functools.cache
def _run(scenario: Path) -> xr.Dataset:
    return sd.simulate(_model(), scenario=scenario)


@functools.cache
def _model() -> sd.Model:
    return sd.read_model(MODEL)


@functools.cache
def _series() -> tuple[Any, ...]:
    return sd.read_series(
        MODEL.with_suffix(".series.csv"), sd.read_observations(HERE / "data" / "observations.csv"), _model()
    )


@functools.cache
def _history_matched() -> xr.Dataset:
    """Run all members, with the variables that the tables and the observations need."""
    design = sd.make_design(_model(), sd.read_sampling(HERE / "ensembles" / "history-matched.vsc"))
    observed = {split_reference(part)[0] for one in _series() for part in references_in(one.model)}
    return sd.simulate(_model(), design.dataset(), save=[*read_savelist(MODEL.with_suffix(".lst")), *sorted(observed)])


def _at(run: xr.Dataset, name: str, date: float) -> float:
    return float(_values(run, name, date))


def _values(run: xr.Dataset, name: str, date: float) -> np.ndarray:
    return np.asarray(run[key(name)].interp(time=date))


def _ghost(run: xr.Dataset, date: float) -> str:
    return f"{_at(run, 'total ghost compute', date):.1f} / {_at(run, 'excess ghost compute', date):.1f} GW"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def update_tables() -> None:
    """Make all tables again and write them."""
    write_file(README, with_current_tables(README.read_text(encoding="utf-8")).encode(), force=True, error=SdmodelError)


def main() -> int:
    """Update the tables; with --check only report whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a table is not current")
    if not parser.parse_args().check:
        update_tables()
        return 0
    text = README.read_text(encoding="utf-8")
    same = with_current_tables(text) == text
    sys.stdout.write("the tables are current\n" if same else "a table is not current; run python models/tables.py\n")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
