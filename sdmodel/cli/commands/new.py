"""`sdmodel new`: a copy of the model that comes with the package, to work on."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from ...errors import ModelError
from ...files import place_folder, temporary_folder, unwritable
from ..locations import installed_models


@click.command("new", epilog="Example: sdmodel new my-model")
@click.argument("folder")
def new(folder: str) -> None:
    """Copy the model that comes with sdmodel into FOLDER, with its scenarios, ensembles, lists and data.

    The files are in `FOLDER/models`, which must not exist. Commands that run in FOLDER then use this copy and store runs in
    `FOLDER/runs`; the copy can be edited, the model in the installed package cannot.
    """
    source, target = installed_models(), Path(folder, "models")
    made = target if os.path.lexists(folder) else Path(folder)  # a new folder appears with all that is in it
    try:
        with temporary_folder(made) as copy:
            count = _copy_files(source, copy / target.relative_to(made))
            place_folder(copy, made, force=False)
    except (OSError, ValueError) as cause:
        taken = f"{made}: exists already; choose another folder"
        raise ModelError.from_text(taken if os.path.lexists(made) else unwritable(made, cause)) from cause
    enter = [] if Path(folder).resolve() == Path.cwd() else [f"cd {shlex.quote(folder)}"]
    steps = [*enter, "sdmodel levers", "sdmodel run -c power-first", 'sdmodel edit set "price elasticity = 0.9"']
    click.echo("\n  ".join([f"{target}: {count} files copied; continue with", *steps]))


def _copy_files(source: Path, target: Path) -> int:
    """Copy the files of a folder, whose permissions stay behind: installed files may be read-only."""
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    for path in files:
        place = target / path.relative_to(source)
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True)
        place.write_bytes(path.read_bytes())
    return len(files)
