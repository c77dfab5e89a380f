"""The structure of the package, beyond the layers that import-linter checks."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

from sdmodel.extras import EXTRAS

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "sdmodel"
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({module.parent for module in MODULES})

OTHER_NAMES = {"pysimlin": "simlin", "universal_pathlib": "upath"}
"""The modules of packages that have other names."""


def _name(module: Path) -> str:
    return str(module.relative_to(PROJECT))


def _exported(door: Path) -> list[str]:
    """The names in the `__all__` of an `__init__` module."""
    package = ".".join(door.parent.relative_to(PROJECT).parts)
    return list(getattr(importlib.import_module(package), "__all__", ()))


def _stages() -> list[str]:
    """The stages: the folders and modules directly in the package."""
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    return sorted(found - {"__init__", "__main__"})


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_no_module_is_longer_than_seven_hundred_lines(module: Path):
    """A longer module holds two ideas."""
    assert len(module.read_text("utf-8").splitlines()) <= 700


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_no_folder_has_more_than_fifteen_modules(folder: Path):
    """A larger folder holds several rooms."""
    assert len([module for module in folder.glob("*.py") if module.stem != "__init__"]) <= 15


@pytest.mark.parametrize("folder", FOLDERS, ids=_name)
def test_no_two_modules_of_a_stage_differ_by_an_ending(folder: Path):
    """Nobody remembers which of `renames` and `renaming` is which."""
    stems = sorted(re.sub(r"(ing|ings|ed|er|s|es|ions?|ment|al)$", "", module.stem) for module in folder.glob("*.py"))
    assert stems == sorted(set(stems))


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_every_module_says_what_it_is_for(module: Path):
    """Its docstring is the sentence that a reader needs first."""
    assert ast.get_docstring(ast.parse(module.read_text("utf-8")))


def test_no_module_has_a_name_that_says_nothing():
    """Such a module collects what belongs somewhere else."""
    names = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert not [_name(module) for module in MODULES if module.stem in names or module.parent.name in names]


def test_no_public_name_is_also_the_name_of_a_module():
    """`from sdmodel.stage import x` is unambiguous."""
    modules = {part for module in MODULES for part in (module.stem, module.parent.name)}
    doors = sorted(PACKAGE.rglob("__init__.py"))
    assert not {f"{_name(door)}: {name}" for door in doors for name in _exported(door) if name in modules}


def test_the_module_map_names_every_stage_and_no_other():
    """A map that lacks a stage, or shows one that is gone, misleads."""
    text = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
    section = text.split("## Where things are", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `sdmodel/")]
    named = [row.split("`")[1].removeprefix("sdmodel/").removesuffix(".py").rstrip("/") for row in rows]
    assert sorted(named) == _stages()


def test_every_stage_is_in_a_layer():
    """The layers name what exists, and nothing else."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {name.strip() for layer in layers for name in layer.split("|")}
    assert named - {"__main__"} == set(_stages())


def test_extras_are_those_of_the_package_file():
    """What `check_extra` looks for is what an install of the extra brings."""
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        packages = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in extras[extra]}
        assert {OTHER_NAMES.get(package, package) for package in packages} == set(modules)


def test_test_modules_have_unique_names():
    """The folders of tests are not packages, so names must be unique."""
    names = [path.name for path in (PROJECT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_other_stages_import_from_the_stage_itself(module: Path):
    """Across stages, a module imports from the stage, never from a module inside it."""
    inside = len(module.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == inside and node.module:
            assert "." not in node.module, f"{node.module}: import from {node.module.split('.')[0]} itself"
