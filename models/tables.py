"""The tables and findings of README.md, made from the model, its scenarios, ensembles and back-tests.

`python models/tables.py` updates them. A table is between the lines `<!-- table: NAME -->` and `<!-- end -->`.
`--scores RUN.nc` first stores the scores of a back-test in backtests/version-2.csv.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import json
import math
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import sdmodel as sd
from sdmodel.cli import main as sdmodel
from sdmodel.errors import SdmodelError
from sdmodel.files import write_file
from sdmodel.inference import evaluate_series, residuals
from sdmodel.model import key, references_in, split_reference
from sdmodel.scenario import Design
from sdmodel.vensim import read_savelist

HERE = Path(__file__).resolve().parent
MODEL = HERE / "ai_compute.mdl"
README = HERE / "README.md"
RANGES = MODEL.with_suffix(".vsc")
BACKTESTS = HERE / "backtests"
PICTURES = HERE.parent / "docs" / "images"
SCENARIOS = (
    "base", "essay", "naive", "agi", "agents-everywhere", "power-first", "cheap-wins", "slow-cadence", "chip-glut",
    "vendor-financing-stops", "funding-stop",
)  # fmt: skip
HEADLINES = (
    "total ghost compute", "excess ghost compute", "installed compute total", "token volume total", "list price",
    "Annual Revenue", "revenue per GW", "capex", "Cumulative Write Off",
)  # fmt: skip
NO_NEW_SITES = {"site construction time multiplier": 1e9, "on site power multiplier": 0, "retrofit multiplier": 0}
SWITCHED = {"budget switch": 0, "scarcity switch": 0}
EQUATIONS = (
    ("Chips wait for powered sites", "installing", 0),
    ("The grid is a queue", "connecting", 0),
    ("Waiting brings on-site power", "on site power share", 0),
    ("Use has a ceiling", "tokens per task", 0),
    ("Scarce compute goes to the highest payer", "served fraction", 0),
    ("Margins follow competition and scarcity", "indicated log margin", 0),
    ("Budgets move slowly", "reallocating", 0),
    ("Metered revenue", "metered revenue", 0),
    ("Buyers extrapolate", "Desired Compute", 0),
    ("Money is what was earned, lent or invested", "spending limit", 0),
)
"""The equations that carry the result: a title, a variable, and which of its equations."""
CONCLUSIONS: Mapping[str, tuple[tuple[str, Mapping[str, float], str, float], ...]] = {
    "Ghost compute waits for buildings first": (
        ("sites are built in eight months", {"site construction time multiplier": 0.4}, "total ghost compute", 2028),
        (
            "grid connections come four times as fast",
            {"grid connection time multiplier": 0.25},
            "total ghost compute",
            2028,
        ),
        (
            "four times as many sites bring their own power",
            {"on site power multiplier": 4},
            "total ghost compute",
            2028,
        ),
        ("chips run two weeks after delivery", {"installation lag": 0.04}, "total ghost compute", 2028),
        ("chips run six months after delivery", {"installation lag": 0.5}, "total ghost compute", 2028),
        ("1.6 GW of facility for a GW of chips", {"facility power per chip TDP": 1.6}, "total ghost compute", 2028),
    ),
    "Compute limits revenue": (
        ("no new sites from October 2025", NO_NEW_SITES, "Annual Revenue", 2030),
        ("compute limits nothing", {"scarcity switch": 0}, "Annual Revenue", 2030),
    ),
    "Budgets decide the size of revenue": (
        ("budgets limit nothing", {"budget switch": 0}, "Annual Revenue", 2030),
        ("neither budgets nor compute limit", SWITCHED, "Annual Revenue", 2030),
        ("budgets move a third as fast", {"reallocation multiplier": 0.3}, "Annual Revenue", 2030),
        ("budgets move three times as fast", {"reallocation multiplier": 3}, "Annual Revenue", 2030),
        ("prices over cost are halved", {"markup multiplier": 0.5}, "Annual Revenue", 2030),
        ("agents reach half as far", {"agent ceiling multiplier": 0.5}, "Annual Revenue", 2030),
        ("nobody new from October 2025", {"penetration multiplier": 0.05}, "Annual Revenue", 2030),
        ("elasticity 0.6", {"price elasticity": 0.6}, "Annual Revenue", 2030),
        ("elasticity 1.4", {"price elasticity": 1.4}, "Annual Revenue", 2030),
    ),
    "Open models take volume, not dollars": (
        ("open models catch up at once: volume", {"open model lag multiplier": 0.02}, "mean cheap share", 2027),
        ("open models catch up at once: revenue", {"open model lag multiplier": 0.02}, "Annual Revenue", 2027),
    ),
    "Lenders and hurdles decide capital spending": (
        ("no new debt", {"debt limit multiplier": 0}, "capex", 2028),
        ("a hurdle rate of 40 % a year", {"hurdle rate": 0.4}, "capex", 2028),
        ("vendors lend nothing", {"vendor financing share": 0}, "capex", 2028),
    ),
}
"""What each conclusion rests on: what is changed, the constants, and the headline that shows it at a date."""
FORECASTS = (
    ("capital spending of hyperscalers, 2027", ("hyperscaler_capex_forecast",), 1, "billion USD", "hyperscaler capex", 2027.5,
     "five firms; ours are four"),
    ("AI data centres, end of 2030", ("datacentre_capacity_world", "ai_share_of_datacentre_workload"), 0.01, "GW",
     "installed compute total", 2031, "capacity times AI's share of workload; with China"),
    ("all data centres, mean of 2030", ("datacentre_electricity_world",), 1 / 8.76, "GW", "installed compute total", 2030.5,
     "mean power from TWh; AI or not; with China"),
    ("price of tokens, 2030", ("price_goldman_2030",), 1, "USD per million", "list price", 2030.5, "which tokens is not stated"),
    ("revenue that the build-out needs, 2030", ("required_revenue_bain_2030",), 1, "billion USD", "Annual Revenue", 2030.5,
     "a need, not a prediction"),
    ("revenue for a return of 10 %", ("required_revenue_jpmorgan",), 1, "billion USD", "Annual Revenue", 2030.5,
     "a need, not a prediction"),
)  # fmt: skip
"""Forecasts of others: words, series whose product is the value, scale, units, our variable, its time, what differs."""
_BLOCK = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COMMENT = re.compile(r"(?P<source>.*?); low (?P<low>\S+), high (?P<high>\S+?)\. (?P<meaning>.*)")
WIDE, EDGE, GOOD = 0.9, 0.05, 0.25
VARIED = (
    ("total ghost compute", 2028, "ghost compute 2028"), ("Annual Revenue", 2030, "revenue 2030"), ("capex", 2028, "capex 2028"),
)  # fmt: skip
"""Headlines, dates and words of the members that disagree most."""
SPREAD = 0.6, 1.5
"""How far a label of a subscripted constant varies, relative to its own value."""
UNRANGED = frozenset((
    "Control", "Switches", "Essay ledger", "generations behind", "launch date", "revenue conversion", "reference date",
    "funding stop date",
))  # fmt: skip
"""Groups and constants that are not uncertain: settings, switches, the essay's own sum, definitions, public records."""


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
            "revenue per GW 2030", "capex 2030", "written off by 2030")  # fmt: skip
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
                f"{_at(run, 'Cumulative Write Off', 2030):.0f} GW",
            )
        )
    return _table(head, rows)


def fit_table() -> str:
    """Show how far base is from the observations, by series."""
    (_, run), *_ = _runs(("base",), "scenarios")
    found = np.ravel(residuals(_series(), evaluate_series(_series(), run)))
    ends = np.cumsum([len(one.times) for one in _series()])
    rows = []
    for row, errors in zip(sd.fit_run(run, _series()).rows, np.split(found, ends[:-1]), strict=True):
        few = np.isnan(row.measures["r2"])
        shares = "too few" if few else " / ".join(f"{row.measures[share]:.2f}" for share in ("um", "us", "uc"))
        rows.append(
            (row.name, str(row.count), f"{row.measures['mape']:.1f} %", f"{np.sqrt(np.mean(errors**2)):.2f}", shares)
        )
    return _table(
        ("series", "observations", "MAPE", "RMS in standard deviations", "Theil bias / spread / covariation"), rows
    )


def history_matched_table() -> str:
    """Show what the members that all fit the past say about the future: median and central 90 %."""
    run = _history_matched()
    dates = (2026, 2027, 2028, 2029, 2030)
    rows = []
    for name in HEADLINES:
        cells = [np.quantile(_values(run, name, date), (0.05, 0.5, 0.95)) for date in dates]
        units = run[key(name)].attrs["units"]
        rows.append((name, units, *(f"{_number(mid)} ({_number(low)} – {_number(high)})" for low, mid, high in cells)))
    return _table(("headline", "units", *map(str, dates)), rows)


def variants_table() -> str:
    """Show members that fit the past about as well as any, and disagree most about each headline.

    They are chosen from the quarter of the members with the least sum of squared residuals. The constants are those that
    lie furthest from the median of all members, in standard deviations of the members.
    """
    run = _history_matched()
    squares = np.sum(residuals(_series(), evaluate_series(_series(), run)) ** 2, axis=0)
    good = np.flatnonzero(squares <= np.quantile(squares, GOOD))
    design = _past_members()
    values = design.values(0, design.count)
    places = (values - np.median(values, axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    rows = []
    for headline, date, words in VARIED:
        own = _values(run, headline, date)[good]
        for end, member in (("least", good[own.argmin()]), ("most", good[own.argmax()])):
            furthest = np.abs(places[:, member]).argsort()[::-1][:3]
            constants = "; ".join(f"{design.names[k]} {_number(values[k, member])}" for k in furthest)
            found = [_number(float(_values(run, name, when)[member])) for name, when, _ in VARIED]
            rows.append((f"{end} {words}", f"{squares[member]:.0f}", *found, constants))
    return _table(("member with", "sum of squares", *(words for *_, words in VARIED), "furthest from the median"), rows)


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
    rows = []
    for constant in _record()["constants"]:
        posterior = constant["posterior"]
        low, high = posterior["interval90"]
        edge = ", ".join(f"{posterior[side]:.0%} at the {word} bound" for side, word in (("near_low", "lower"), ("near_high", "upper"))
                         if posterior[side] > EDGE)  # fmt: skip
        rows.append(
            (constant["name"], f"{_number(posterior['median'])} ({_number(low)} – {_number(high)})", constant["units"],
             f"{constant['low']:g} – {constant['high']:g}", f"{posterior['contraction']:.0%}", edge, f"{posterior['rhat']:.2f}")
        )  # fmt: skip
    rows.sort(key=lambda row: float(row[4].rstrip("%")))
    largest = max(constant["posterior"]["rhat"] for constant in _record()["constants"])
    ending = f"\nThe largest R-hat is {largest:.2f}; walkers that agree have 1.05 or less.\n"
    return (
        ending
        + "\n"
        + _table(
            ("constant", "median (90 %)", "units", "bounds", "prior spread that is left", "bounds that bind", "R-hat"),
            rows,
        )
    )


def equations_list() -> str:
    """List the equations that carry the result, as the model has them."""
    lines = []
    for number, (title, name, place) in enumerate(EQUATIONS, start=1):
        element = _model().elements[key(name)]
        equation = element.equations[place]
        labels = f"[{','.join(equation.subscripts)}]" if equation.subscripts else ""
        lines.append(
            f"{number}. **{title}.** {' '.join(element.comment.split())}\n   `{element.name}{labels} = {equation.text}`\n"
        )
    return "".join(lines)


def levers_table() -> str:
    """Show how far each lever, uncertainty and switch moves three headlines, at the ends of its plausible range."""
    shown = (("total ghost compute", 2028), ("Annual Revenue", 2030), ("capex", 2028))
    base, rows = _changed(()), []
    for group in ("Policy levers", "Uncertainties", "Switches"):
        for element in _model().elements.values():
            if element.group != group or element.kind != "constant":
                continue
            *_, low, high, _, _ = _constant_row(element.name, "", element.units, element.comment)
            ends = [float(low), float(high)]
            runs = [_changed(((element.name, end),)) for end in ends]
            cells = [
                " / ".join(f"{_at(run, name, date) / _at(base, name, date) - 1:+.0%}" for run in runs)
                for name, date in shown
            ]
            rows.append((f"`{element.name}`", f"{ends[0]:g} / {ends[1]:g}", *cells))
    return _table(("lever", "low / high", "ghost 2028", "revenue 2030", "capex 2028"), rows)


def conclusions_table() -> str:
    """Show what moves each conclusion, with the headline in base and changed."""
    base, rows = _changed(()), []
    for conclusion, changes in CONCLUSIONS.items():
        for words, constants, name, date in changes:
            values = [_at(run, name, date) for run in (base, _changed(tuple(constants.items())))]
            if _model().elements[key(name)].units == "dmnl":
                cells = [f"{value:.0%}" for value in values]
            else:
                cells = [f"{value:,.0f}" for value in values]
            rows.append((conclusion, words, f"{name}, {date}", *cells))
    return _table(("conclusion", "if", "headline", "base", "changed"), rows)


def findings_list() -> str:
    """State the main results in words, with numbers from the runs."""
    base, power = _changed(()), _run(HERE / "scenarios" / "power-first.cin")
    built = _changed((("site construction time multiplier", 0.4),))
    grid = _changed((("grid connection time multiplier", 0.25),))
    bands = _history_matched()
    ghost, revenue = "total ghost compute", "Annual Revenue"

    def band(name: str, date: float, digits: int = 0) -> str:
        low, mid, high = np.quantile(_values(bands, name, date), (0.05, 0.5, 0.95))
        return f"{mid:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"

    hurdle = _values(bands, "revenue per GW", 2030) > _values(bands, "hurdle revenue per GW", 2030)
    return "".join(
        f"* {line}\n"
        for line in (
            (
                f"**Ghost compute.** Base has {_at(base, ghost, 2026):.0f} GW at the start of 2026, {_at(base, ghost, 2028):.0f} "
                f"at the start of 2028 and {_at(base, ghost, 2030):.0f} at the start of 2030; by then "
                f"{_at(base, 'Cumulative Write Off', 2030):.0f} GW are written off. The members that fit the past say "
                f"{band(ghost, 2028)} GW for 2028."
            ),
            (
                f"**What shrinks it.** Building sites in eight months leaves {_at(built, ghost, 2028):.0f} GW in 2028, grid "
                f"connections four times as fast leave {_at(grid, ghost, 2028):.0f}, and both together with more on-site power "
                f"{_at(power, ghost, 2028):.0f}."
            ),
            (
                f"**Revenue.** Base has {_at(base, revenue, 2027):,.0f} billion USD a year at the start of 2027 and "
                f"{_at(base, revenue, 2030):,.0f} at the start of 2030; the members say {band(revenue, 2027)} and "
                f"{band(revenue, 2030)}."
            ),
            (
                f"**Does it pay?** A GW earns {_at(base, 'revenue per GW', 2030):.1f} billion USD in 2030 in base, where the "
                f"hurdle is {_at(base, 'hurdle revenue per GW', 2030):.1f}. It earns more than the hurdle in "
                f"{float(np.mean(hurdle)):.0%} of the members."
            ),
            (
                f"**The essay's sum.** Revenue at the end of 2026 is {_at(base, 'share of essay sum', 2027):.0%} of the essay's "
                f"{_at(base, 'naive revenue', 2027):,.0f} billion USD in base, and "
                f"{band('share of essay sum', 2027, 2)} of it in the members."
            ),
        )
    )


def backtest_table() -> str:
    """Show the scores of both versions, and of version 2 with priors like those of version 1."""
    found = [
        {(row["series"], row["horizon"]): row for row in _rows(BACKTESTS / f"{name}.csv")}
        for name in ("version-1", "version-2", "version-2-centred-priors")
    ]
    rows = []
    for series, horizon in dict.fromkeys([*found[1], *found[0]]):
        if series == "all series" and horizon != "all":
            name = f"all, more than {horizon[2:]} ahead" if horizon.startswith(">") else f"all, up to {horizon} ahead"
        elif horizon == "all":
            name = series
        else:
            continue
        scores = [version.get((series, horizon)) for version in found]
        naive = [_score(scores[1], column) for column in ("persistence", "trend")]
        both = [" / ".join(_score(row, column) for row in scores) for column in ("log_crps", "bias", "in_90")]
        rows.append((name, " / ".join(_score(row, "count") for row in scores[:2]), both[0], *naive, *both[1:]))
    shared = [series for series, horizon in found[0] if horizon == "all" and series != "all series"]
    means = [_mean_score([version[series, "all"] for series in shared]) for version in found]
    count = f"{sum(int(found[0][series, 'all']['count']) for series in shared)}"
    rows.append(("series that all have", count, " / ".join(f"{mean:.2f}" for mean in means), "", "", "", ""))
    return _table(("series", "forecasts", "log CRPS", "last value", "trend", "bias", "in 90 %"), rows)


def _mean_score(rows: Sequence[Mapping[str, str]]) -> float:
    """The mean log CRPS of all forecasts of several series."""
    return float(np.average([float(row["log_crps"]) for row in rows], weights=[int(row["count"]) for row in rows]))


def _score(row: Mapping[str, str] | None, column: str) -> str:
    """Write one score of a back-test; empty where there is none."""
    if row is None or row[column] == "nan":
        return "–"
    style = {"count": ".0f", "bias": "+.2f", "in_90": ".0%"}.get(column, ".2f")
    return f"{float(row[column]):{style}}"


def forecasts_table() -> str:
    """Show what others predict beside base and the members."""
    (_, base), *_ = _runs(("base",), "scenarios")
    given, rows = {row["series"]: row for row in _rows(HERE / "data" / "forecasts.csv")}, []
    for words, parts, scale, units, name, date, note in FORECASTS:
        value = scale * math.prod(float(given[part]["value"]) for part in parts)
        low, mid, high = np.quantile(_values(_history_matched(), name, date), (0.05, 0.5, 0.95))
        rows.append(
            (words, given[parts[0]]["source"], f"{_number(value)} {units}", f"{name}, {date:g}",
             _number(_at(base, name, date)), f"{_number(mid)} ({_number(low)} – {_number(high)})", note)
        )  # fmt: skip
    return _table(("forecast", "by", "value", "our variable", "base", "members", "what differs"), rows)


def draw_forecasts(path: Path) -> None:
    """Draw what others predict over the bands of the members."""
    from matplotlib.figure import Figure

    given = {row["series"]: row for row in _rows(HERE / "data" / "forecasts.csv")}
    names = list(dict.fromkeys(forecast[4] for forecast in FORECASTS))
    figure = Figure(figsize=(9.6, 7.6), layout="constrained")
    for axes, name in zip(figure.subplots(2, 2).flat, names, strict=True):
        times = np.arange(2024, 2031.01, 0.25)
        levels = np.array(
            [np.quantile(_values(_history_matched(), name, time), (0.05, 0.25, 0.5, 0.75, 0.95)) for time in times]
        )
        axes.fill_between(
            times, levels[:, 0], levels[:, 4], color="C0", alpha=0.2, lw=0, label="90 and 50 % of members"
        )
        axes.fill_between(times, levels[:, 1], levels[:, 3], color="C0", alpha=0.3, lw=0)
        axes.plot(times, levels[:, 2], color="C0", label="median")
        others = (forecast for forecast in FORECASTS if forecast[4] == name)
        for marker, (words, parts, scale, _, _, date, _) in zip("osD^", others, strict=False):
            value = scale * math.prod(float(given[part]["value"]) for part in parts)
            by = given[parts[0]]["source"].split(" via ")[0]
            axes.plot(date, value, marker, color="C1" if marker == "o" else "C3", label=f"{words} ({by})")
        axes.set_title(f"{name}, {_model().elements[key(name)].units.replace('_', ' ')}", loc="left", fontsize=9)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.08))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def run_sdmodel(*arguments: str | Path) -> None:
    """Run a command of sdmodel, and print it to stderr."""
    words = [str(word.relative_to(HERE.parent)) if isinstance(word, Path) else word for word in arguments]
    sys.stderr.write(f"sdmodel {shlex.join(words)}\n")
    try:
        sdmodel(words)
    except SystemExit as end:
        if end.code:
            raise


def draw_pictures() -> None:
    """Draw the pictures of the model in the documents again, those of the back-test from the run in `runs/`."""
    plots = {
        "scenarios": ("plot", "base", "power-first", "essay", "funding-stop", "--on", "total ghost compute",
                      "--on", "installed compute total", "--on", "Annual Revenue"),
        "ai_compute": ("plot", "base", "essay", "naive", "agi", "--all"),
        "backtest": ("plot", "ai_compute-backtest", "--all"),
        "ai_compute_overview": ("diagram", "--view", "Overview"),
    }  # fmt: skip
    for name in ("base", "power-first", "essay", "funding-stop", "naive", "agi"):
        run_sdmodel("run", MODEL, "-c", name, "--name", name, "--force")
    for name, words in plots.items():
        run_sdmodel(*words, "-o", PICTURES / f"{name}.png", "--force")
    draw_forecasts(PICTURES / "forecasts.png")


def store_scores(backtest: Path, name: str = "version-2") -> None:
    """Write the scores of a back-test."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("series", "horizon", "count", "log_crps", "persistence", "trend", "bias", "rms", "in_50", "in_90",
                     "in_90_with_error", "pit"))  # fmt: skip
    for score in sd.score_backtest(sd.open_run(backtest)):
        numbers = (score.log_crps, score.persistence, score.trend, score.bias, score.rms, *score.coverage,
                   score.coverage_with_error[1], score.pit)  # fmt: skip
        writer.writerow((score.series, score.horizon, score.count, *(f"{number:.4g}" for number in numbers)))
    write_file(BACKTESTS / f"{name}.csv", text.getvalue().encode(), force=True, error=SdmodelError)


def plausible_ranges() -> str:
    """Return the plausible range of every uncertain constant and lever, as the text of `ai_compute.vsc`.

    Where observations narrow a constant, these are the middle 90 % of its posterior; where members sample it from its
    prior, that prior (`ensembles/beyond.vsc`). All others have the lows and highs of their comments, and a label of such a
    constant varies between `SPREAD` of its own value within them. The mode is the value of the model.
    """
    model = _model()
    beyond = (HERE / "ensembles" / "beyond.vsc").read_text(encoding="utf-8").splitlines()
    sampled = {line.rpartition("=")[0] for line in beyond}
    narrowed = {one["name"]: one["posterior"]["interval90"] for one in _record()["constants"]}
    lines = list(beyond)
    for element in model.elements.values():
        if element.kind != "constant" or {element.group, element.name} & UNRANGED:
            continue
        *_, low, high, _, _ = _constant_row(element.name, "", element.units, element.comment)
        labels = model.subscripts[element.dimensions[0]].labels if element.dimensions else ("",)
        values = [float(value) for value in _value(element).split(",")]
        for label, value in zip(labels, values, strict=True):
            name = f"{element.name}[{label}]" if label else element.name
            spread = (SPREAD[0] * value, SPREAD[1] * value) if label else (float(low), float(high))
            below, above = narrowed.get(name, (max(float(low), spread[0]), min(float(high), spread[1])))
            if name not in sampled and min(below, value) < max(above, value):
                ends = min(below, value), max(above, value)
                numbers = ",".join(f"{number:.6g}" for number in (*ends, ends[0], value, ends[1]))
                lines.append(f"{name}=RANDOM_TRIANGULAR({numbers})")
    return "\n".join([*lines, ""])


TABLES: dict[str, Callable[[], str]] = {
    "scenarios": scenarios_table,
    "equations": equations_list,
    "findings": findings_list,
    "conclusions": conclusions_table,
    "lever-effects": levers_table,
    "backtest": backtest_table,
    "forecasts": forecasts_table,
    "fit": fit_table,
    "history-matched": history_matched_table,
    "variants": variants_table,
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
def _changed(constants: tuple[tuple[str, float], ...]) -> xr.Dataset:
    """Return a run of base with some constants changed, also beyond their ranges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sd.simulation.RunWarning)
        return sd.simulate(_model(), dict(constants))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def _model() -> sd.Model:
    return sd.read_model(MODEL)


@functools.cache
def _series() -> tuple[Any, ...]:
    return sd.read_series(
        MODEL.with_suffix(".series.csv"), sd.read_observations(HERE / "data" / "observations.csv"), _model()
    )


@functools.cache
def _record() -> dict[str, Any]:
    """Read the record of the calibration that made the members."""
    record: dict[str, Any] = json.loads((HERE / "ensembles" / "history-matched.json").read_text(encoding="utf-8"))
    return record


@functools.cache
def _past_members() -> Design:
    """Read the constants of the members that fit the past."""
    return sd.make_design(_model(), sd.read_sampling(HERE / "ensembles" / "history-matched.vsc"))


@functools.cache
def _history_matched() -> xr.Dataset:
    """Run all members, with the variables that the tables and the observations need."""
    observed = {split_reference(part)[0] for one in _series() for part in references_in(one.model)}
    return sd.simulate(
        _model(),
        _past_members().dataset(),
        save=[*read_savelist(MODEL.with_suffix(".lst")), *sorted(observed), "hyperscaler capex"],
    )


def _at(run: xr.Dataset, name: str, date: float) -> float:
    return float(_values(run, name, date))


def _values(run: xr.Dataset, name: str, date: float) -> np.ndarray:
    return np.asarray(run[key(name)].interp(time=date))


def _ghost(run: xr.Dataset, date: float) -> str:
    return f"{_at(run, 'total ghost compute', date):.1f} / {_at(run, 'excess ghost compute', date):.1f} GW"


def _number(value: float) -> str:
    """Three digits, and whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def update_tables() -> None:
    """Make all tables and the plausible ranges again, and write them."""
    write_file(RANGES, plausible_ranges().encode(), force=True, error=SdmodelError)
    write_file(README, with_current_tables(README.read_text(encoding="utf-8")).encode(), force=True, error=SdmodelError)


def main() -> int:
    """Update the tables; with --check only report whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a table is not current")
    parser.add_argument(
        "--scores", type=Path, metavar="RUN.nc", help="a stored back-test whose scores become version 2's"
    )
    parser.add_argument(
        "--pictures", action="store_true", help="also draw the pictures in docs/images, from the back-test in runs/"
    )
    options = parser.parse_args()
    if options.pictures:
        draw_pictures()
    if options.scores:
        store_scores(options.scores)
    if not options.check:
        update_tables()
        return 0
    text = README.read_text(encoding="utf-8")
    same = with_current_tables(text) == text and plausible_ranges() == RANGES.read_text(encoding="utf-8")
    sys.stdout.write(
        "the tables are current\n"
        if same
        else "a table or ai_compute.vsc is not current; run python models/tables.py\n"
    )
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
