"""The model that every engine runs, in a temporary folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sdmodel.testing import benchmark_text

sys.path.insert(0, str(Path(__file__).parent))  # for the modules that benchmarks share
os.environ["SDMODEL_CACHE"] = "off"  # compiling is measured, not reading what was compiled


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The large model; PySD writes its translation next to it."""
    file = tmp_path_factory.mktemp("models") / "large.mdl"
    file.write_text(benchmark_text(), "utf-8")
    return file
