"""Where things are: the model that is meant, the folder of its runs, the names of its headlines."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import click

from ..errors import Fault, ModelError

_MODEL = Path("models", "ai_compute.mdl")
_RUNS = "runs"

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
    """The model's file: the one given, or the project's, or the one installed with the package.

    Raises
    ------
    ModelError
        If none is given and none is found.
    """
    if given is not None:
        return Path(given)
    root = _root()
    if root is not None:
        return _shortened(root / _MODEL)
    package = Path(str(resources.files("sdmodel")))
    for home in (package, package.parent):  # a wheel carries the model inside, a checkout beside the package
        if (home / _MODEL).is_file():
            return home / _MODEL
    raise ModelError([Fault(str(_MODEL), "is neither here nor in a folder above; name a model")])


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


def _root() -> Path | None:
    """The nearest folder, from the working directory upwards, that has the project's model."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / _MODEL).is_file()), None)


def _shortened(path: Path) -> Path:
    """The path as seen from the working directory, where it is inside it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
