"""Settings and fixtures for all tests: types checked at run time on request, and the shared models where they are."""

from __future__ import annotations

import atexit
import importlib
import os
import pkgutil
import shutil
import sys
import tempfile
import typing
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# no example is timed: how long it takes depends on the machine and its other work
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

PROJECT = Path(__file__).resolve().parents[1]


def _check_types() -> None:
    """Let beartype check all functions of the package, whole numbers being valid for any number.

    Assignments are left out, since tables keyed by SymPy's classes cannot be checked, and so are modules whose named tuples have
    fields of the module's own types, or whose classes inherit fields of types that they do not import, which beartype cannot find.
    The package is imported twice: at first to load the packages that it uses, then to load the types that its modules import only
    for type checkers.
    """
    from beartype import BeartypeConf
    from beartype.claw import beartype_package

    _import_all()
    for name in ("lark", "upath.core"):  # which the package imports where it is used
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sdmodel"]:
        del sys.modules[name]
    skipped = ("sdmodel.program.fusion", "sdmodel.vensim.read.segments", "sdmodel.vensim.read.statements")
    beartype_package(
        "sdmodel", conf=BeartypeConf(claw_is_pep526=False, claw_skip_package_names=skipped, is_pep484_tower=True)
    )
    importlib.import_module("sdmodel")  # its own imports for type checkers are of everything
    typing.TYPE_CHECKING = True
    try:
        _import_all()
    finally:
        typing.TYPE_CHECKING = False


def _import_all() -> None:
    package = importlib.import_module("sdmodel")
    for module in pkgutil.walk_packages(package.__path__, "sdmodel."):
        lacking = module.name == "sdmodel.ema" and find_spec("ema_workbench") is None
        if not lacking and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where types are checked, let a test with wrong types on purpose fail by this alone."""
    if "SDMODEL_CHECK_TYPES" in os.environ:
        from beartype.roar import BeartypeCallHintViolation

        for item in items:
            if item.get_closest_marker("wrong_types"):
                item.add_marker(pytest.mark.xfail(raises=BeartypeCallHintViolation, strict=False))


if "PYTEST_XDIST_WORKER" not in os.environ:  # a cache that starts empty, shared by the processes that run the tests
    os.environ["SDMODEL_CACHE"] = tempfile.mkdtemp(prefix="sdmodel-cache-")
    atexit.register(shutil.rmtree, os.environ["SDMODEL_CACHE"], ignore_errors=True)
sys.path.append(
    str(PROJECT)
)  # so that other processes can import the tests; the installed package comes before the checkout
os.environ.pop("COLUMNS", None)  # tables are as wide as they are, whatever runs the tests

if os.environ.get("SDMODEL_CHECK_TYPES"):  # before any other conftest imports the package
    _check_types()


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models and data beside a developer's checkout, which is not part of the project."""
    folder = PROJECT.parent / "shared"
    if not (folder / "test-models").is_dir():
        pytest.skip(f"{folder} does not exist")
    return folder
