"""A back-test as tables, a record and a figure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import xarray as xr

from ...dataset import describe_model
from ...errors import CalibrationError, format_count
from ...files import write_file
from ...inference import (
    ALL_HORIZONS,
    ALL_SERIES,
    HORIZONS,
    SCORE_HEADINGS,
    WIDTHS,
    Score,
    backtest_panels,
    errors_text,
    model_errors,
    score_backtest,
    score_cells,
)
from ..output import Part, Table, note
from .panels import first_panels


def backtest_parts(found: xr.Dataset, horizons: Sequence[float] = HORIZONS) -> Iterator[Part]:
    """The scores by series, then by horizon; notes say what the numbers are."""
    scores = score_backtest(found, horizons=horizons)
    note(
        "mean absolute errors of natural logarithms: 0.10 is about 10 %; log CRPS also scores the spread of a forecast"
    )
    yield _table("series", [score for score in scores if score.horizon == ALL_HORIZONS], lambda score: score.series)
    whole = [score for score in scores if score.series == ALL_SERIES and score.horizon != ALL_HORIZONS]
    yield _table("horizon", whole, lambda score: score.horizon)
    yield _verdict(scores)
    doubtful = [f"{cut:.7g}" for cut, doubts in zip(found["cut"].values, found["doubts"].values, strict=True) if doubts]
    if doubtful:
        note(f"the posterior has not converged at {', '.join(doubtful)}; more --steps would help")
    missing = [f"{cut:.7g}" for cut, done in zip(found["cut"].values, found["done"].values, strict=True) if not done]
    if missing:
        note(f"the cuts at {', '.join(missing)} have not been run; continue with --resume")


def _table(first: str, scores: Sequence[Score], label: Any) -> Table:
    columns = {first: "fold"} | dict.fromkeys(SCORE_HEADINGS, "right")
    return Table(columns, [[label(score), *score_cells(score)] for score in scores], spare=("PIT", "in 50 %"))


def _verdict(scores: Sequence[Score]) -> str:
    """One sentence: whether the model forecasts better than the last value and the last trend."""
    whole = scores[-1]
    rivals = {"the last value": whole.persistence, "the trend of the last two values": whole.trend}
    parts = []
    for name, score in rivals.items():
        if math.isnan(score):
            continue
        word = "better" if whole.log_crps < score else "worse"
        parts.append(f"{word} than {name} ({whole.log_crps:.2f} against {score:.2f})")
    compared = f" {' and '.join(parts)}" if parts else ""
    return f"{format_count(whole.count, 'forecast')}:{compared or f' log CRPS {whole.log_crps:.2f}'}"


def backtest_record(found: xr.Dataset, horizons: Sequence[float] = HORIZONS) -> dict[str, Any]:
    """The scores for programs."""
    scores = []
    for score in score_backtest(found, horizons=horizons):
        row = asdict(score)
        for name, suffix in (("coverage", ""), ("coverage_with_error", "_with_error")):
            row |= {f"in_{100 * width:g}{suffix}": share for width, share in zip(WIDTHS, row.pop(name), strict=True)}
        scores.append(row)
    return {"cuts": found["cut"].values.tolist(), "done": found["done"].values.astype(bool).tolist(), "scores": scores}


def write_errors(found: xr.Dataset, target: Path, horizons: Sequence[float] = HORIZONS, *, force: bool) -> Path:
    """Write the RMS logarithmic error of the forecasts by series and horizon as a CSV file."""
    text = errors_text(model_errors(found, horizons=horizons))
    write_file(target, text.encode(), force=force, error=CalibrationError)
    return target


def plot_backtest_to(
    found: xr.Dataset, target: Path, *, title: str, names: Sequence[str] = (), every: bool = True, force: bool = False
) -> Path:
    """Plot the forecasts of every cut and what came, of named series, or of the first six or `every` one."""
    from ...figures import save_figure

    return save_figure(backtest_figure(found, title=title, names=names, every=every), target, force=force)


def backtest_figure(found: xr.Dataset, *, title: str, names: Sequence[str] = (), every: bool = True) -> Any:
    """The figure of a back-test, of all series or of those named."""
    from ...figures import plot_backtest

    panels = backtest_panels(found, names)
    shown = first_panels(list(panels), every=every or bool(names))
    return plot_backtest({name: panels[name] for name in shown}, title=title, origin=[describe_model(found)])
