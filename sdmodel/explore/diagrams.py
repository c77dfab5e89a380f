"""The views of a sketch as plain numbers and texts, from which the page draws them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..figures import PlacedView, place_view
from ..model import Sketch, View, key

_TOLERANCE = 0.6
"""How far, in units of the view, a simplified line may lie from the original."""


def views_of_page(sketch: Sketch, variables: dict[str, int]) -> list[dict[str, Any]]:
    """Return the views that show something; `variables` are the places of the page's variables by key."""
    return [_view(sketch, view, variables) for view in sketch.views if any(not word.hidden for word in view.words)]


def _view(sketch: Sketch, view: View, variables: dict[str, int]) -> dict[str, Any]:
    placed = place_view(view, sketch.kinds)
    return {
        "name": view.name,
        "unit": view.density / 96,
        "words": [_word(item, variables) for item in placed.words.values() if item.label.text or item.is_symbol],
        "lines": [_line(line, placed) for line in placed.lines],
    }


def _word(placed: Any, variables: dict[str, int]) -> dict[str, Any]:
    word, region = placed.word, placed.region
    found = {
        "kind": placed.kind or "" if word.kind == "variable" else word.kind,
        "at": [word.x, word.y],
        "half": [round(region.half_width, 1), round(region.half_height, 1)],
        "text": placed.label.text.splitlines(),
        "size": round(placed.label.font.size, 1),
    }
    flags = {
        "box": placed.boxed, "round": region.round, "shadow": word.shadow, "upright": word.upright,
        "bold": placed.label.font.bold,
    }  # fmt: skip
    found |= {name: 1 for name, value in flags.items() if value}
    if word.kind == "variable" and key(word.text) in variables:
        found["variable"] = variables[key(word.text)]
    return found


def _line(line: Any, placed: PlacedView) -> dict[str, Any]:
    arrow = line.arrow
    found: dict[str, Any] = {"points": np.rint(_simplified(line.points)).astype(int).ravel().tolist()}
    flags = {"pipe": arrow.pipe, "head": arrow.head or not arrow.pipe, "delay": arrow.delayed, "initial": arrow.initial}
    found |= {name: 1 for name, value in flags.items() if value}
    if arrow.number in placed.signs:
        x, y = placed.signs[arrow.number]
        found |= {"sign": arrow.polarity.replace("-", "\N{MINUS SIGN}"), "at": [round(x), round(y)]}
    return found


def _simplified(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a line with as few of its points as keep its course (Douglas and Peucker, 1973)."""
    keep = np.zeros(len(points), dtype=bool)
    keep[[0, -1]] = True
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:  # noqa: PLR2004 - nothing lies between neighbours
            continue
        along = points[last] - points[first]
        size = float(np.hypot(*along))
        inner = points[first + 1 : last] - points[first]
        cross = inner[:, 0] * along[1] - inner[:, 1] * along[0]
        distances = np.abs(cross) / size if size else np.hypot(*inner.T)
        farthest = int(distances.argmax())
        if distances[farthest] > _TOLERANCE:
            middle = first + 1 + farthest
            keep[middle] = True
            waiting += [(first, middle), (middle, last)]
    return points[keep]
