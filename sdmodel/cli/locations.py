"""Where files are: the model, its scenarios and save list, the folder of runs, and whether a file may be written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from ..errors import Fault, FigureError, ModelError, ScenarioError, SdmodelError
from ..model import Model
from ..vensim import read_model

_MODEL = Path("models", "ai_compute.mdl")
_SCENARIOS = Path("models", "scenarios")
_RUNS = "runs"
_MODEL_ENDINGS = frozenset({".mdl", ".txt", ""})
"""What names of models end in; a pipe has no ending."""


def model_path(given: str | None) -> Path:
    """The given model, or the project's, or the one installed with the package."""
    if given is not None:
        _check_exists(given, _MODEL.parent, ".mdl", ModelError)
        return Path(given)
    root = _project_root()
    if root is not None:
        return _relative(root / _MODEL)
    package = Path(str(resources.files("sdmodel")))
    for home in (package, package.parent):  # a wheel holds the model inside the package, a checkout beside it
        if (home / _MODEL).is_file():
            return home / _MODEL
    raise ModelError([Fault(str(_MODEL), "not found here or in any folder above; name a model")])


def scenario_path(given: str) -> Path:
    """The given change file; a scenario of the project named without its folder is suggested."""
    _check_exists(given, _SCENARIOS, ".cin", ScenarioError)
    return Path(given)


def load_model(path: Path) -> Model:
    """Read a model; for a file that is not named like one, the first fault is enough."""
    try:
        return read_model(path)
    except ModelError as error:
        if path.suffix.lower() in _MODEL_ENDINGS or not path.is_file():
            raise
        first = error.faults[0].what.partition(";")[0]
        raise ModelError([Fault(str(path), f"not a Vensim model: {first}; name a .mdl file")]) from error


def runs_folder(given: str | None) -> Path:
    """The given folder of runs, or the project's, or `runs` in the working directory."""
    if given is not None:
        return Path(given)
    root = _project_root()
    return Path(_RUNS) if root is None else _relative(root / _RUNS)


def save_list_of(model: Path) -> Path | None:
    """The save list of the model's name beside it, which lists its headline variables, if there is one."""
    path = model.with_suffix(".lst")
    return path if path.is_file() else None


def check_not_there(
    paths: Iterable[Path], *, force: bool, cure: str = "name another with -o", error: type[SdmodelError] = FigureError
) -> None:
    """Refuse to overwrite files, before any work is done."""
    for path in paths:
        if os.path.lexists(path) and not force:
            message = f"{path}: exists already; {cure}, or --force to replace it"
            raise error(message)


def _check_exists(given: str, folder: Path, suffix: str, error: type[ModelError | ScenarioError]) -> None:
    """If there is no such file, suggest the project's file of that name."""
    root = _project_root()
    if root is None or os.path.lexists(given):
        return
    path = root / folder / (Path(given).name.removesuffix(suffix) + suffix)
    if path.is_file():
        raise error([Fault(given, f"there is no such file; did you mean {_relative(path)}?")])


def _project_root() -> Path | None:
    """The nearest folder, from the working directory upwards, that has the project's model."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / _MODEL).is_file()), None)


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
