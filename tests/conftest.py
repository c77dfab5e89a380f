"""What every test finds: types checked while it runs, and the shared models where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from beartype import BeartypeConf
from beartype.claw import beartype_package
from hypothesis import HealthCheck, settings

# What functions take and give is checked, a whole number being good for any number; assignments are left out, since
# tables keyed by SymPy's classes cannot be checked.
beartype_package("sdmodel", conf=BeartypeConf(claw_is_pep526=False, is_pep484_tower=True))

# no test is timed: how long an example takes, or is made, tells of the machine and its other work
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models and data that stands beside a developer's checkout; no part of the project."""
    folder = PROJECT.parent / "shared"
    if not (folder / "test-models").is_dir():
        pytest.skip(f"{folder} is not there")
    return folder
