"""What conda installs is what pip installs: `environment.yml` and the recipe against `pyproject.toml`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

import sdmodel
from sdmodel.extras import EXTRAS

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
METADATA = SETTINGS["project"]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "universal-pathlib": "universal_pathlib"}
"""Packages of other names on conda-forge; a matplotlib without Qt is enough."""


def parts(line: str) -> tuple[str, str]:
    """The name and the versions of a requirement, as pip or conda writes it."""
    name, versions = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])? *([<>=!~\d.,]*)", line).groups()  # type: ignore[union-attr]
    return name.lower(), versions


def conda(lines: list[str]) -> dict[str, str]:
    """Requirements of pip by their names on conda-forge."""
    return {CONDA_NAMES.get(name, name): versions for name, versions in map(parts, lines)}


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    """The recipe, as conda-build reads it."""
    text = (PROJECT / "recipe" / "meta.yaml").read_text("utf-8")
    return yaml.safe_load(jinja2.Template(text, undefined=jinja2.StrictUndefined).render(PYTHON="python"))


PYTHON = {"python": METADATA["requires-python"]}
EXTRA = METADATA["optional-dependencies"]


def test_the_environment_has_the_dependencies():
    """Those of the package and of two extras, with the same versions; the package itself is the checkout."""
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text("utf-8"))
    *lines, last = environment["dependencies"]
    expected = conda([*METADATA["dependencies"], *EXTRA["calibrate"], *EXTRA["sensitivity"]])
    assert dict(map(parts, lines)) == PYTHON | {"pip": ""} | expected
    assert last == {"pip": ["-e ."]}
    assert environment["channels"] == ["conda-forge"]


def test_the_recipe_has_the_dependencies(recipe: dict[str, Any]):
    """Run, host and, for the extras, the versions with which it works if they are there."""
    needs = recipe["requirements"]
    assert dict(map(parts, needs["run"])) == PYTHON | conda(METADATA["dependencies"])
    assert dict(map(parts, needs["host"])) == PYTHON | {"pip": ""} | conda(SETTINGS["build-system"]["requires"])
    extras = [line for extra in EXTRAS for line in EXTRA[extra] if ";" not in line]  # the recipe serves all systems
    assert dict(map(parts, needs["run_constrained"])) == conda(extras)


def test_the_recipe_says_what_the_package_says(recipe: dict[str, Any]):
    """Name, version, command, summary and licence; the commands that it tests exist."""
    assert recipe["package"] == {"name": METADATA["name"], "version": sdmodel.__version__}
    scripts = [f"{name} = {place}" for name, place in METADATA["scripts"].items()]
    assert recipe["build"]["entry_points"] == scripts
    about = {"summary": METADATA["description"], "license": METADATA["license"]}
    assert recipe["about"] == about | {"license_file": METADATA["license-files"][0]}
    assert recipe["build"]["noarch"] == "python"  # no dependency depends on the system


def test_no_dependency_depends_on_the_system():
    """One recipe serves all systems, which `noarch` promises."""
    assert not [line for line in METADATA["dependencies"] if ";" in line]


def test_the_source_archive_has_both():
    """Whoever has the archive can build from it."""
    assert {"/environment.yml", "/recipe"} <= set(SETTINGS["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
