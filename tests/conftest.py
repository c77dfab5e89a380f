"""Settings and fixtures for all tests: types checked at run time on request, and the shared models where they are."""

from __future__ import annotations

import importlib
import pkgutil
import typing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# no example is timed: how long it takes depends on the machine and its other work
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

PROJECT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--check-types", action="store_true", help="Check all arguments and results with beartype (slow).")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--check-types"):
        _check_types()


def _check_types() -> None:
    """Let beartype check all functions of the package, whole numbers being valid for any number.

    Assignments are left out, since tables keyed by SymPy's classes cannot be checked. Types that modules import only for
    type checkers are imported as well, after all other packages, whose own such imports would fail.
    """
    from beartype import BeartypeConf
    from beartype.claw import beartype_package

    for name in (
        "arviz_stats",
        "dask",
        "emcee",
        "llvmlite",
        "matplotlib.figure",
        "pandas",
        "pysd",
        "SALib",
        "sympy",
        "xarray",
        "zarr",
    ):
        importlib.import_module(name)
    beartype_package("sdmodel", conf=BeartypeConf(claw_is_pep526=False, is_pep484_tower=True))
    typing.TYPE_CHECKING = True
    try:
        package = importlib.import_module("sdmodel")
        for module in pkgutil.walk_packages(package.__path__, "sdmodel."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    finally:
        typing.TYPE_CHECKING = False


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
