"""What the page holds, as plain lists and texts: the model's variables, levers, scenarios, panels, observations and members."""

from __future__ import annotations

import contextlib
import itertools
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dataset import TIME, check_run, labels_along, long_name, member_dims, subscript_dims
from ..errors import DatasetError, ModelError, ReportError, ScenarioError, SdmodelError
from ..figures import find_layout, read_layout
from ..inference import (
    MeasuredError,
    Series,
    error_bars,
    error_sizes,
    find_series_file,
    read_observations,
    read_series,
)
from ..model import (
    Cell,
    Element,
    Model,
    Range,
    Sketch,
    View,
    cell_name,
    display_name,
    is_reference,
    key,
    labels_of,
    lay_out,
    quoted_cell,
    references_in,
    split_name,
    split_reference,
    suggest,
)
from ..reading import views_of_model
from ..scenario import Design, Scenario, cell_values, constant_values, find_levers, plausible_ranges
from ..vensim import plausible_sampling, read_savelist, read_scenario, save_list_of
from .diagrams import views_of_page

if TYPE_CHECKING:
    import xarray as xr

_MOST_CELLS, _MOST_SLIDERS, _MOST_STOCKS, _MOST_LINES = 20_000, 300, 12, 8
"""A page with more numbers is slow to open and large to send; more sliders, headlines and lines cannot be read."""
_MOST_LAID_OUT = 100
"""The layout of a larger model takes seconds."""
_MANY_CELLS = 8
"""The sliders of a constant with more cells are a group of their own."""
_COMMENT = re.compile(r"\{([^{}]*)\}")
_GROUPS = {"policy lever": "Policy levers", "uncertainty": "Uncertainties", "switch": "Switches"}
_STEPS = 100
"""The steps of a slider whose constant has no step."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Places:
    """Where the page finds the numbers of a model: the places of inputs and outputs of the compiled module, by cell."""

    model: Model
    inputs: Mapping[Cell, int]
    outputs: Mapping[Cell, int]

    @classmethod
    def of(cls, model: Model, description: Mapping[str, Any]) -> Places:
        """Read the places from the description of the module."""

        def by_cell(kind: str) -> dict[Cell, int]:
            cells = ((key(one["name"]), tuple(map(key, one["labels"]))) for one in description[kind])
            return {Cell(*cell): place for place, cell in enumerate(cells)}

        return cls(model, by_cell("inputs"), by_cell("outputs"))

    def cells(self, name: str) -> list[Cell]:
        """Return the cells of a variable, or those that labels select; none if the model lacks them."""
        whole, labels = split_name(name, self.model.elements)
        element = self.model.elements.get(key(whole))
        if element is None or (labels and len(labels) != len(element.dimensions)):
            return []
        axes = [labels_of(self.model.subscripts, own) for own in (map(key, labels) if labels else element.dimensions)]
        return [cell for own in itertools.product(*axes) if (cell := Cell(element.key, own)) in self.outputs]

    @cached_property
    def variables(self) -> dict[str, int]:
        """The place of each variable on the page, by key, in the order of the model."""
        computed = {cell.key for cell in self.outputs}
        shown = [element for element in self.model if not element.hidden]
        known = [element for element in shown if element.key in computed or element.kind == "lookup"]
        return {element.key: place for place, element in enumerate(known)}


@dataclass(frozen=True)
class Additions:
    """What a page shows besides the model: headlines, scenarios by name, members, model errors and stored runs."""

    headlines: Sequence[str] = ()
    scenarios: Mapping[str, Scenario] | None = None
    design: Design | None = None
    errors: Sequence[MeasuredError] = ()
    runs: Mapping[str, xr.Dataset] | None = None


def page_contents(model: Model, description: Mapping[str, Any], additions: Additions) -> Record:
    """Return everything on the page but the compiled module and the constants of the members."""
    if len(description["outputs"]) > _MOST_CELLS:
        what = f"has {len(description['outputs']):,} numbers at each time, more than the {_MOST_CELLS:,} that a page can show"
        message = f"{model.path}: {what}; make the ranges of its subscripts shorter"
        raise ReportError(message)
    places = Places.of(model, description)
    names = _headlines(places, additions.headlines)
    panels, marks = _panels(places, names)
    headlines = [line for name in names for line in _panel_lines(places, name, "")]
    shown = {line["output"] for line in (*headlines, *(line for panel in panels for line in panel["lines"]))}
    return {
        "model": {
            "name": Path(model.path).stem,
            "file": Path(model.path).name,
            "sha256": model.sha256,
        },
        "module": description,
        "quoted": _quoted(places),
        "subscripts": {name: list(own.keys) for name, own in model.subscripts.items()},
        "variables": _variables(places),
        "levers": _levers(places),
        "scenarios": _scenarios(places, additions.scenarios),
        "panels": panels,
        "marks": marks,
        "headlines": headlines,
        "observations": _observations(places),
        "errors": _errors(places, additions.errors, description["time"]["saved"]),
        "runs": [_run(places, name, run, shown) for name, run in (additions.runs or {}).items()],
        "members": _members(places, additions.design),
        "views": views_of_page(_sketch(model), places.variables),
    }


def _quoted(places: Places) -> dict[str, str]:
    """Return the names of inputs as a change file needs them, where they differ from those that people read."""
    names = {
        place: (quoted_cell(places.model, cell), cell_name(places.model, cell)) for cell, place in places.inputs.items()
    }
    return {str(place): quoted for place, (quoted, plain) in names.items() if quoted != plain}


def _line(places: Places, cell: Cell, label: str = "") -> Record:
    return {"output": places.outputs[cell], "label": label}


def _headlines(places: Places, names: Sequence[str]) -> list[str]:
    """Return the named variables, else those of the save list beside the model, else stocks or what else moves."""
    model = places.model
    for name in names:
        if not places.cells(name):
            cure = suggest(name, model.names, "name a variable of the model")
            message = f"--on: '{name}' is not a variable of {model.path}; {cure}"
            raise DatasetError(message)
    beside = None if names else save_list_of(model.path)
    listed = read_savelist(beside) if beside else ()
    shown = [element for element in model if not element.hidden and key(element.group) != "control"]
    stocks = [element.name for element in shown if element.kind == "stock"][:_MOST_STOCKS]
    moving = [element.name for element in shown if element.kind in ("auxiliary", "flow")][:_MOST_STOCKS]
    constants = [element.name for element in shown][:_MOST_STOCKS]
    found = ([name for name in own if places.cells(name)] for own in (names, listed, stocks, moving, constants))
    return next((own for own in found if own), [])


def _panels(places: Places, headlines: Sequence[str]) -> tuple[list[Record], list[Record]]:
    """Return the panels and the marked times of the layout beside the model, else one panel per headline."""
    file = find_layout(places.model.path)
    layout = read_layout(file) if file else None
    panels: list[Record] = []
    for panel in layout.panels if layout else ():
        lines = [line for name, label in panel.lines.items() for line in _panel_lines(places, name, label)]
        panels += [{"title": panel.title, "scale": panel.scale, "lines": lines}] if lines else []
    for name in headlines if not panels else ():
        panels.append({"title": display_name(name), "scale": "", "lines": _panel_lines(places, name, "")})
    marks = [
        _line(places, cell, display_name(label))
        for name, label in (layout.marks.items() if layout else ())
        for cell in places.cells(name)[:1]
    ]
    return panels, marks


def _panel_lines(places: Places, name: str, label: str) -> list[Record]:
    cells = places.cells(name)
    if len(cells) == 1:
        return [_line(places, cells[0], label)]
    chosen = [cells[int(at)] for at in np.linspace(0, len(cells) - 1, min(len(cells), _MOST_LINES)).round()]
    spelling = places.model.labels
    labels = (", ".join(display_name(spelling[own]) for own in cell.labels) for cell in chosen)
    return [
        _line(places, cell, f"{label} {own}".strip() if label else own)
        for cell, own in zip(chosen, labels, strict=True)
    ]


def _variables(places: Places) -> list[Record]:
    """Return name, meaning, equation, causes and uses of every variable and lookup, and the places of its numbers."""
    model, known = places.model, places.variables
    causes = {name: _causes(places, model.elements[name]) for name in known}
    uses: dict[int, list[int]] = {}
    for name, own in causes.items():
        for cause in own:
            uses.setdefault(cause, []).append(known[name])
    cells: dict[str, list[int]] = {}
    for cell, place in places.outputs.items():
        cells.setdefault(cell.key, []).append(place)
    found = []
    for name, place in known.items():
        element = model.elements[name]
        found.append(
            {
                "name": display_name(element.name),
                "key": name,
                "kind": element.kind,
                "units": element.units,
                "comment": " ".join(element.comment.split()),
                "group": element.group,
                "equation": [" ".join(equation.text.split()) for equation in element.equations],
                "outputs": cells.get(name, []),
                "causes": causes[name],
                "uses": uses.get(place, []),
            }
        )
    return found


def _causes(places: Places, element: Element) -> list[int]:
    """Return the places of the variables in the equations of an element; for what is inside a SMOOTH, those in it."""
    found: dict[int, None] = {}
    for equation in element.equations:
        for reference in references_in(equation.expression):
            cause = places.model.elements.get(split_reference(reference)[0])
            if cause is not None and (place := places.variables.get(places.model.owner_of(cause).key)) is not None:
                found.setdefault(place)
    return list(found)


def _levers(places: Places) -> list[Record]:
    """Return one slider for each cell of each lever."""
    model = places.model
    plausible = _plausible(model)
    found: list[Record] = []
    for lever in find_levers(model):
        element = model[lever.name]
        cells = [cell for cell in places.cells(lever.name) if cell in places.inputs]
        own = display_name(element.name) if len(cells) > _MANY_CELLS else element.group or "Constants"
        for cell in cells:
            if len(found) < _MOST_SLIDERS:
                group = _GROUPS.get(lever.kind) or own
                found.append(_lever(places, element, cell, group, plausible.get(cell)))
    return found


def _plausible(model: Model) -> dict[Cell, tuple[float, float]]:
    """Return the plausible ranges in the file beside the model; a file with faults is left out with a warning."""
    try:
        sampling = plausible_sampling(model)
        return plausible_ranges(model, sampling) if sampling else {}
    except ScenarioError as error:
        warnings.warn(f"plausible ranges are not shown: {error}", stacklevel=2)
        return {}


def _lever(places: Places, element: Element, cell: Cell, group: str, plausible: tuple[float, float] | None) -> Record:
    own = element.range or Range()
    value = cell_values(places.model, [cell])[cell]
    low = own.minimum if own.minimum is not None else min(0.0, 2 * value)
    high = own.maximum if own.maximum is not None else max(2 * value, 0.0 if value else 1.0)
    low, high = min(low, value), max(high, value)
    return {
        "input": places.inputs[cell],
        "group": group,
        "range": [low, high],
        "declared": own.minimum is not None and own.maximum is not None,
        "step": own.step or _round_step((high - low) / _STEPS),
        "plausible": plausible and [max(low, plausible[0]), min(high, plausible[1])],
        "variable": places.variables[element.key],
    }


def _round_step(size: float) -> float:
    """Return the power of ten at or below a size, so that a slider gives short numbers."""
    return float(f"1e{np.floor(np.log10(size)):.0f}") if size > 0 else 1.0


def _scenarios(places: Places, given: Mapping[str, Scenario] | None) -> list[Record]:
    """Return the given scenarios, else those in the folder beside the model; what the page cannot change is named."""
    found = []
    for name, scenario in (_scenarios_beside(places.model) if given is None else given).items():
        try:
            values = constant_values(places.model, replace(scenario, texts=()))
        except ScenarioError as error:
            if given is not None:
                raise
            warnings.warn(f"scenario '{name}' is left out: {error}", stacklevel=2)
            continue
        fixed = [cell_name(places.model, cell) for cell in values if cell not in places.inputs]
        fixed += [display_name(change.name) for change in scenario.changes if change.table is not None]
        fixed += [change.name for change in scenario.texts]
        if fixed:
            what = f"the page cannot change {', '.join(fixed)}"
            warnings.warn(f"scenario '{name}' is left out: {what}; `sdmodel run` can", stacklevel=2)
            continue
        about = _COMMENT.search(scenario.text)
        changes = [[places.inputs[cell], value] for cell, value in values.items()]
        found.append({"name": name, "about": " ".join(about[1].split()) if about else "", "changes": changes})
    return found


def _scenarios_beside(model: Model) -> dict[str, Scenario]:
    folder = Path(model.path).parent / "scenarios"
    found = {}
    for path in sorted(folder.glob("*.cin")):
        try:
            found[path.stem] = read_scenario(path)
        except ScenarioError as error:
            warnings.warn(f"scenario '{path.stem}' is left out: {error}", stacklevel=2)
    return found


def _observations(places: Places) -> list[Record]:
    """Return the observed points of each series about a single variable, from the files beside the model."""
    path = Path(places.model.path)
    mapping, data = find_series_file(path), path.parent / "data" / "observations.csv"
    if mapping is None or not data.is_file():
        return []
    try:
        series = read_series(mapping, read_observations(data), places.model)
    except SdmodelError as error:
        warnings.warn(f"observations are not shown: {error}", stacklevel=2)
        return []
    return list(filter(None, (_observed(places, one) for one in series)))


def _observed(places: Places, series: Series) -> Record | None:
    formula = series.model
    cell = Cell(*split_reference(formula)) if is_reference(formula) else None
    if cell is None or cell not in places.outputs:
        return None
    low, high = error_bars(series)
    points = zip(series.times, series.values, low, high, strict=True)
    return {
        "name": series.name,
        "output": places.outputs[cell],
        "points": [[_number(value) for value in point] for point in points],
        "sources": list(series.sources),
        "note": series.note,
    }


def _number(value: float) -> float | None:
    """Return a number for JSON, which has none that is not finite."""
    return float(value) if np.isfinite(value) else None


def _errors(places: Places, errors: Sequence[MeasuredError], times: Sequence[float]) -> list[Record]:
    sizes = {Cell(*one): size for one, size in error_sizes(errors, np.asarray(times, dtype=float)).items()}
    return [
        {"output": places.outputs[cell], "sizes": np.round(size, 6).tolist()}
        for cell, size in sizes.items()
        if cell in places.outputs
    ]


def _run(places: Places, name: str, run: xr.Dataset, shown: Collection[int]) -> Record:
    """Return the series of a stored run, those that the page shows in panels and headlines."""
    check_run(run, name)
    if member_dims(run):
        message = (
            f"run '{name}': varies along {', '.join(member_dims(run))}; a page shows single runs, so name one of those"
        )
        raise ReportError(message)
    series: dict[str, list[float | None]] = {}
    for identifier in run.data_vars:
        variable = run[identifier]
        if TIME not in variable.dims:
            continue
        dims = subscript_dims(variable)
        array = variable.transpose(*dims, TIME).values
        owner = key(long_name(variable))
        for place, labels in labels_along(variable, dims):
            cell = Cell(owner, tuple(map(key, labels)))
            if places.outputs.get(cell) in shown:
                series[str(places.outputs[cell])] = [_number(value) for value in array[place]]
    return {
        "name": name,
        "about": "; ".join(
            filter(None, (str(run.attrs.get("scenario_name", "")), *str(run.attrs.get("changes", "")).splitlines()))
        ),
        "sha256": str(run.attrs["model_sha256"]),
        "times": [float(time) for time in run[TIME].values],
        "series": series,
    }


def _members(places: Places, design: Design | None) -> Record | None:
    """Return which inputs the members vary; their constants are added as bytes."""
    if design is None:
        return None
    fixed = [name for cell, name in zip(design.cells, design.names, strict=True) if cell not in places.inputs]
    if fixed:
        message = (
            f"the ensemble varies {', '.join(fixed[:3])}, which a page cannot change; leave it out of the .vsc file"
        )
        raise ReportError(message)
    return {
        "inputs": [places.inputs[cell] for cell in design.cells],
        "count": design.count,
        "method": design.method,
        "seed": design.seed,
    }


def _sketch(model: Model) -> Sketch:
    """Return the sketch of a model; a small model without one is laid out."""
    views: tuple[View, ...] = ()
    with contextlib.suppress(ModelError):  # a model that is not from a Vensim file
        views = views_of_model(model)
    shown = [element for element in model if not element.hidden]
    if not any(view.words for view in views):
        views = lay_out(model) if len(shown) <= _MOST_LAID_OUT else ()
        if not views:
            warnings.warn(f"{model.path}: has no sketch, so the page has no diagram", stacklevel=2)
    return Sketch(model.path, model.sha256, views, {element.key: element.kind for element in shown})
