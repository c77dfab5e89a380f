"""Requests for runs: the model, its changes, the engine and the variables to save; and the run with its full record."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ..errors import Fault, Place, ReferenceEngineError, ScenarioError, format_count
from ..model import Integrator, Model, key, labels_of, references_in, split_name, split_reference, suggest
from ..scenario import Scenario, merge_scenarios
from ..vensim import check_names, read_change, read_formula, read_savelist, read_scenario, save_list_of
from .locations import load_model, scenario_path
from .output import busy, note

if TYPE_CHECKING:
    import xarray as xr

    from ..simulation import Beginning

Engine = Literal["native", "pysd"]

HEADLINES = "headlines"
"""The attribute of a run that lists its headline variables, one per line."""
NOT_FINITE = "not_finite"
"""The attribute of a run that says where it stops being finite."""

_IN_FILE_NAMES = " .+()=,@-"
_LONGEST_NAME = 120
"""Bytes of a default name, to which a number may be added."""
_STOCKS = 12


@dataclass(frozen=True)
class RunRequest:
    """The run to make: a model file, scenarios, `name=value` changes, how to compute it, and what to save.

    `listed` are those of the saved names that are in a save list, with their places. `start` is a run to go on from at the time
    `at`, or holds initial values of stocks. `seed` is that of random functions.
    """

    model: Path
    scenarios: tuple[Scenario, ...] = ()
    changes: tuple[str, ...] = ()
    integrator: Integrator | None = None
    engine: Engine = "native"
    save: tuple[str, ...] | None = None
    listed: tuple[tuple[str, Place], ...] = ()
    start: Beginning | None = None
    at: float | None = None
    seed: int | None = None

    def load_model(self, scenario: Scenario | None = None, *, without_data: bool = False) -> Model:
        """The model under the texts of its scenario, or of another one; an error if the save list names something that it does not have.

        `without_data` is as for `read_model`.
        """
        texts = (self.scenario if scenario is None else scenario).texts
        model = load_model(self.model, texts, without_data=without_data)
        check_names(self.listed, model)
        return model

    @property
    def scenario(self) -> Scenario:
        """All changes of files and of the command line, the latter last."""
        return merge_scenarios((*self.scenarios, Scenario("", tuple(read_change(change) for change in self.changes))))

    @property
    def default_name(self) -> str:
        """The name of a run that the user does not name: its scenarios, else its model."""
        return plain_name("+".join(scenario.name for scenario in self.scenarios) or self.model.stem)


def make_run(
    request: RunRequest,
    constants: Mapping[str, Any] | None = None,
    *,
    model: Model | None = None,
    members: Sequence[int] | None = None,
) -> xr.Dataset:
    """Run a request, with everything in the attributes that is needed to repeat it.

    `constants` vary over members, and random numbers over the numbers `members`; `model` is the model of the request, if it is
    read already.
    """
    model = model or request.load_model()
    with warnings_as_notes() as silent, busy(f"running {request.model.name}"):
        run = _simulate(request, model, constants, members)
        silent.append(run.attrs.get(NOT_FINITE, ""))
    return run.assign_attrs(record_of(request, model))


def record_of(request: RunRequest, model: Model) -> dict[str, str]:
    """The attributes of a run that only commands know."""
    record: dict[str, str] = {"engine": request.engine}
    if request.at is None:  # else the run keeps the changes of the run before it too
        record |= {
            "scenario": merge_scenarios(request.scenarios).text,
            "scenario_name": "+".join(scenario.name for scenario in request.scenarios),
            "changes": "\n".join(request.changes),
        }
    path = save_list_of(request.model)
    listed: Sequence[str] = read_savelist(path) if path else ()
    missing = [name for name in listed if split_name(name, model.elements)[0] not in model]
    if missing:
        note(f"{path}: the model has no {', '.join(missing)}; correct the save list")
    return record | {HEADLINES: "\n".join(name for name in listed if name not in missing)}


def integrator_of(run: xr.Dataset) -> Integrator:
    """The integrator of a stored run."""
    return cast("Integrator", str(run.attrs["integrator"]))


def plain_name(name: str, *, longest: int = _LONGEST_NAME, default: str = "run") -> str:
    """A name for a file: without unusual characters, and short enough to be numbered."""
    letters = (
        (mark if mark.isalnum() or f"v{mark}".isidentifier() or mark in _IN_FILE_NAMES else "\n") for mark in name
    )
    plain = "-".join(filter(None, "".join(letters).split("\n"))).strip(" .-") or default
    return plain.encode()[:longest].decode(errors="ignore")


@contextlib.contextmanager
def warnings_as_notes(category: type[Warning] = UserWarning) -> Iterator[list[str]]:
    """Print each different warning of a kind once, after the work, as a note; except those added to the list it yields."""
    silent: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield silent
    for text in dict.fromkeys(str(warning.message) for warning in caught if issubclass(warning.category, category)):
        if text not in silent:
            note(text)


def read_scenarios(paths: Sequence[str], model: Path) -> tuple[Scenario, ...]:
    """Read change files, or scenarios of a model by their names."""
    return tuple(read_scenario(scenario_path(path, model)) for path in paths)


def _simulate(
    request: RunRequest, model: Model, constants: Mapping[str, Any] | None, members: Sequence[int] | None
) -> xr.Dataset:
    scenario, integrator, save = request.scenario, request.integrator, request.save
    if request.engine == "pysd":
        from ..dataset import named_encoding
        from ..reference import PYSD_NOTE, simulate_with_pysd

        if any(source.is_series for source in model.sources):
            message = f"{request.model}: PySD does not get the data of --data or of the model's settings; use the native engine"
            raise ReferenceEngineError(message)
        note(PYSD_NOTE)
        return simulate_with_pysd(
            request.model,
            constants,
            scenario=scenario,
            integrator=integrator,
            save=save,
            encoding=named_encoding(model),
        )
    from ..simulation import simulate

    start, at, seed = request.start, request.at, request.seed
    return simulate(
        model, constants, scenario=scenario, integrator=integrator, save=save, start=start, at=at, seed=seed, members=members,
    )  # fmt: skip


# Names of variables


def names_to_save(request: RunRequest, model: Model) -> tuple[str, ...]:
    """The variables of the request, else those of the save list beside the model, else its stocks."""
    if request.save:
        _check_labels(model, request.save)
        return request.save
    path = save_list_of(request.model)
    listed = tuple(name for name in read_savelist(path) if split_name(name, model.elements)[0] in model) if path else ()
    stocks = tuple(element.name for element in model if element.kind == "stock" and not element.hidden)
    if not listed and len(stocks) > _STOCKS:
        note(f"the first {_STOCKS} of {len(stocks)} stocks are stored; choose variables with --on or --save")
    return listed or stocks[:_STOCKS]


def names_in(model: Model, statements: Sequence[str]) -> list[str]:
    """The variables that statements mention; the model must have them all."""
    found: list[str] = []
    faults: list[Fault] = []
    for text in statements:
        for name, labels in map(split_reference, references_in(read_formula(text, "--where"))):
            if name in model.elements:
                found.append(model.identifiers[name])
                faults += _label_faults(model, name, labels, "--where")
            elif name != "time":
                cure = suggest(name, model.names, "name variables of the model")
                faults.append(Fault("--where", f"'{name.replace('_', ' ')}' is not in the model; {cure}"))
    if faults:
        raise ScenarioError(dict.fromkeys(faults))
    return found


def _check_labels(model: Model, names: Sequence[str]) -> None:
    faults: list[Fault] = []
    for text in names:
        name, labels = split_name(text, model.elements)
        if labels and name in model:
            faults += _label_faults(model, key(name), tuple(map(key, labels)), "--on")
    if faults:
        raise ScenarioError(faults)


def _label_faults(model: Model, name: str, labels: Sequence[str], where: str) -> Iterator[Fault]:
    element = model.elements[name]
    if labels and len(labels) != len(element.dimensions):
        message = f"'{element.name}' has {format_count(len(element.dimensions), 'subscript')}, not {len(labels)}; give as many labels"
        yield Fault(where, message)
        return
    for label, dimension in zip(labels, element.dimensions, strict=False):  # without labels, the whole array is meant
        known = labels_of(model.subscripts, dimension)
        if not set(labels_of(model.subscripts, label)).issubset(known):
            cure = suggest(label, known, f"it has {', '.join(known)}")
            yield Fault(where, f"'{element.name}' has no label '{label}'; {cure}")
