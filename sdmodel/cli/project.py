"""Where things are: the model that is meant, the folder of its runs, the names of its headlines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import click

from ..errors import Fault, FigureError, ModelError, ScenarioError
from ..model import Model
from ..vensim import read_model

_MODEL = Path("models", "ai_compute.mdl")
_SCENARIOS = Path("models", "scenarios")
_RUNS = "runs"

_MISSING = "there is no such file; did you mean {}?"
_ENDINGS = frozenset({".mdl", ".txt", ""})
"""What the names of models end in; a pipe has no ending."""

model_argument = click.argument("model", required=False, metavar="[MODEL]")
runs_option = click.option(
    "--runs", "folder", metavar="DIR", help="The folder of the runs (default: `runs` of the project)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
force_option = click.option("--force", is_flag=True, help="Replace what exists.")


def on_option(what: str) -> Callable[[Any], Any]:
    """The option that names variables, once for each."""
    return click.option("--on", "names", multiple=True, metavar="NAME", help=f"{what}; `name[label]` picks a label.")


def model_path(given: str | None) -> Path:
    """The model's file: the one given, or the project's, or the one installed with the package."""
    if given is not None:
        meant = _meant(given, _MODEL.parent, ".mdl")
        if meant:
            raise ModelError([Fault(given, _MISSING.format(meant))])
        return Path(given)
    root = _root()
    if root is not None:
        return _shortened(root / _MODEL)
    package = Path(str(resources.files("sdmodel")))
    for home in (package, package.parent):  # a wheel carries the model inside, a checkout beside the package
        if (home / _MODEL).is_file():
            return home / _MODEL
    raise ModelError([Fault(str(_MODEL), "is neither here nor in a folder above; name a model")])


def scenario_path(given: str) -> Path:
    """The change file that is given."""
    meant = _meant(given, _SCENARIOS, ".cin")
    if meant:
        raise ScenarioError([Fault(given, _MISSING.format(meant))])
    return Path(given)


def model_read(path: Path) -> Model:
    """The model in a file; of a file that does not call itself one, the first fault says enough."""
    try:
        return read_model(path)
    except ModelError as error:
        if path.suffix.lower() in _ENDINGS or not path.is_file():
            raise
        first = error.faults[0].what.partition(";")[0]
        raise ModelError([Fault(str(path), f"is not a Vensim model: {first}; name a .mdl file")]) from error


def _meant(given: str, folder: Path, suffix: str) -> Path | None:
    """The project's file of that name, if what is given is none itself."""
    root = _root()
    if root is None or os.path.lexists(given):
        return None
    name = Path(given).name.removesuffix(suffix) + suffix
    return _shortened(root / folder / name) if (root / folder / name).is_file() else None


def runs_folder(given: str | None) -> Path:
    """The folder of runs: the one given, or the project's, or one in the working directory."""
    if given is not None:
        return Path(given)
    root = _root()
    return Path(_RUNS) if root is None else _shortened(root / _RUNS)


def savelist_beside(model: Path) -> Path | None:
    """The save list that goes with a model and names its headlines, if there is one."""
    path = model.with_suffix(".lst")
    return path if path.is_file() else None


def check_drawable(targets: Iterable[Path], *, force: bool) -> None:
    """Make sure that nothing is in the way of pictures before anything is drawn."""
    for target in targets:
        if os.path.lexists(target) and not force:
            message = f"{target}: exists already; name another with -o, or --force to replace it"
            raise FigureError(message)


def _root() -> Path | None:
    """The nearest folder, from the working directory upwards, that has the project's model."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / _MODEL).is_file()), None)


def _shortened(path: Path) -> Path:
    """The path as seen from the working directory, where it is inside it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
