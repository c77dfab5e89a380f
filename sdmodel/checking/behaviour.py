"""What the model does as it stands: numbers that are none, and ranges that are left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..model import Element
from .findings import Finding
from .subject import Subject
from .trial import first_broken


def find_remarks(subject: Subject) -> Iterator[Finding]:
    """What a run of the model as it stands remarks on, such as a FINAL TIME that no step reaches."""
    for remark in filter(None, str(subject.asked.attrs.get("remarks", "")).splitlines()):
        yield Finding("warning", "run", subject.model["FINAL TIME"].place, "", remark)


def find_broken(subject: Subject) -> Iterator[Finding]:
    """The first value that is not a finite number."""
    told = str(subject.base.attrs.get("not_finite", ""))
    if told:
        name, time = first_broken(subject.base) or ("", float("nan"))
        place = subject.model[name].place if name in subject.model else subject.model.path
        yield Finding("error", "not-finite", place, name, told, {"time": time})


def find_outside(subject: Subject) -> Iterator[Finding]:
    """What leaves the range in its units field, as Vensim warns of while it runs."""
    for element in subject.model:
        bounds = element.range
        if bounds is None or element.hidden or element.kind == "lookup":
            continue
        if bounds.minimum is not None and bounds.maximum is not None and bounds.minimum > bounds.maximum:
            what = (
                f"the range of '{element.name}' goes from {bounds.minimum:g} down to {bounds.maximum:g}; exchange them"
            )
            yield Finding("warning", "range", element.place, element.name, what)
            continue
        values = _as_it_stands(subject, element)
        for limit, beyond, word in (
            (bounds.minimum, np.less, "below its minimum"),
            (bounds.maximum, np.greater, "above its maximum"),
        ):
            if limit is not None and beyond(values, limit).any():
                yield _outside(subject, element, beyond(values, limit), limit, word)


def _outside(subject: Subject, element: Element, odd: NDArray[np.bool_], limit: float, word: str) -> Finding:
    """The first time at which a value is beyond a bound, with the farthest of them all."""
    values = _as_it_stands(subject, element)
    first = int(odd.reshape(len(odd), -1).any(axis=1).argmax())
    distance = np.where(odd, np.abs(values - limit), -1.0)
    farthest = float(values.flat[int(distance.argmax())])
    start = float(values[first][odd[first]].flat[0])
    numbers = {"value": start, "bound": limit, "farthest": farthest}
    when = ""
    if len(values) > 1:
        time = float(subject.base["time"].values[first])
        numbers["time"] = time
        when = f" at {time:g}" + (f" and {farthest:g} at its farthest" if farthest != start else "")
    what = f"'{element.name}' is {start:g}{when}, {word} {limit:g}; correct the range or what drives it"
    return Finding("warning", "range", element.place, element.name, what, numbers)


def _as_it_stands(subject: Subject, element: Element) -> NDArray[np.float64]:
    """The values of an element in the run; those of a constant are the model's own, for the run has another SAVEPER."""
    if element.kind != "constant":
        return subject.values(subject.base, element.key)
    return np.array([[value for cell, value in subject.plan.constants.items() if cell.key == element.key]])
