"""The shape of the package: what keeps it easy to see, beside the layers that import-linter checks."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "sdmodel"
MODULES = sorted(PACKAGE.rglob("*.py"))


def _name(module: Path) -> str:
    return str(module.relative_to(PROJECT))


def _exported(door: Path) -> list[str]:
    """What a front door offers: the names of its `__all__`."""
    values = (
        node.value
        for node in ast.parse(door.read_text("utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    )
    return [name for value in values for name in ast.literal_eval(value)]


def _stages() -> list[str]:
    """The folders and modules of the package, one for each stage."""
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    return sorted(found - {"__init__", "__main__"})


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_no_module_is_longer_than_seven_hundred_lines(module: Path):
    """A longer module holds two ideas."""
    assert len(module.read_text("utf-8").splitlines()) <= 700


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_every_module_says_what_it_is_for(module: Path):
    """The first line of a module is the sentence that a reader needs."""
    assert ast.get_docstring(ast.parse(module.read_text("utf-8")))


def test_no_module_is_a_drawer_for_odds_and_ends():
    """A name that says nothing collects what belongs somewhere else."""
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert not [_name(module) for module in MODULES if module.stem in drawers or module.parent.name in drawers]


def test_no_public_name_is_also_the_name_of_a_module():
    """`from sdmodel.stage import x` means one thing."""
    modules = {part for module in MODULES for part in (module.stem, module.parent.name)}
    doors = sorted(PACKAGE.rglob("__init__.py"))
    assert not {f"{_name(door)}: {name}" for door in doors for name in _exported(door) if name in modules}


def test_the_module_map_of_the_readme_names_every_stage_and_no_other():
    """A map that misses a place, or shows one that is gone, is worse than none."""
    readme = (PROJECT / "README.md").read_text("utf-8")
    section = readme.split("## Where things are", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `sdmodel/")]
    named = [row.split("`")[1].removeprefix("sdmodel/").removesuffix(".py").rstrip("/") for row in rows]
    assert sorted(named) == _stages()


def test_every_stage_has_its_place_among_the_layers():
    """The layers are exhaustive only while they name what exists, and nothing else."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {name.strip() for layer in layers for name in layer.split("|")}
    assert named - {"__main__"} == set(_stages())


def test_test_modules_have_names_of_their_own():
    """`tests/<stage>/` mirrors the package without being packages, so that a name stands once."""
    names = [path.name for path in (PROJECT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_outsiders_enter_a_stage_by_its_front_door(module: Path):
    """Across stages a module imports from the stage itself, never from a module inside it."""
    inside = len(module.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == inside and node.module:
            assert "." not in node.module, f"{node.module}: import from {node.module.split('.')[0]} itself"
