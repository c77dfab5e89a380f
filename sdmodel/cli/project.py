"""The project around the working directory: its model and its folder of runs. Imports nothing that takes long to load."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ..errors import Fault, ModelError

MODEL = Path("models", "ai_compute.mdl")
_RUNS = "runs"
MODEL_ENDINGS = frozenset({".mdl", ".stmx", ".xmile", ".itmx"})
"""What names of models end in, where a name may also be that of something else."""


def default_model() -> Path:
    """The project's model, or the one installed with the package."""
    root = project_root()
    return installed_models() / MODEL.name if root is None else relative(root / MODEL)


def default_runs() -> Path:
    """The project's folder of runs, or `runs` in the working directory."""
    root = project_root()
    return Path(_RUNS) if root is None else relative(root / _RUNS)


def installed_models() -> Path:
    """The folder of the model that comes with the package."""
    package = Path(str(resources.files("sdmodel")))
    for home in (package, package.parent):  # a wheel holds the model inside the package, a checkout beside it
        if (home / MODEL).is_file():
            return home / MODEL.parent
    raise ModelError([Fault(str(MODEL), "not found here or in any folder above; name a model")])


def project_root() -> Path | None:
    """The nearest folder, from the working directory upwards, that has the project's model."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / MODEL).is_file()), None)


def relative(path: Path) -> Path:
    """A path from the working directory, if it is in there."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
