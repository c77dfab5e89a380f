"""The command line as a process: how fast it starts, and how it ends when others end it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "sdmodel"]


@pytest.fixture
def environment(project: Path) -> dict[str, str]:
    """The environment of a shell in which this checkout is what Python imports."""
    return os.environ | {"PYTHONPATH": str(project), "NO_COLOR": "1", "COLUMNS": "100"}


def test_help_starts_without_what_is_heavy(environment: dict[str, str]):
    """Of other packages only click is imported: help comes at once."""
    code = "import sys; from sdmodel.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    heavy = {"numpy", "xarray", "sympy", "matplotlib", "llvmlite", "rich", "lark", "netCDF4", "pysd", "pandas"}
    assert "Commands:" in done.stdout
    assert not heavy & set(done.stdout.splitlines()[-1].split())


def test_a_run_needs_no_figures_and_no_second_engine(tea: Path, environment: dict[str, str]):
    """What is not asked for is not imported."""
    code = "import sys; from sdmodel.cli import main\ntry: main(['run'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=tea
    )
    assert "stored as" in done.stdout
    assert not {"matplotlib", "pysd", "scipy", "dask"} & set(done.stdout.splitlines()[-1].split())


def test_a_fault_has_no_traceback(tea: Path, environment: dict[str, str]):
    """One line on stderr and exit code 1, in a process of its own."""
    command = [*COMMAND, "run", "nowhere.mdl"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tea)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_leaves_early_is_no_fault(tea: Path, environment: dict[str, str]):
    """`sdmodel levers | head -1` ends quietly."""
    process = subprocess.Popen(
        [*COMMAND, "levers"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tea
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=30), told) == (1, "")


def test_an_interrupted_command_ends_with_130_and_stores_nothing(tea: Path, environment: dict[str, str]):
    """Ctrl-C while it waits for a model that comes through a pipe."""
    os.mkfifo(tea / "slow.mdl")
    process = subprocess.Popen(
        [*COMMAND, "run", "slow.mdl"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tea,
    )
    writer = _opened_for_writing(tea / "slow.mdl")
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=30)
    os.close(writer)
    assert (process.returncode, out, told.strip()) == (130, "", "interrupted")
    assert not (tea / "runs").exists()


def _opened_for_writing(pipe: Path) -> int:
    """The pipe, as soon as somebody reads from it."""
    for _ in range(600):
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            time.sleep(0.05)
    pytest.fail("nobody reads the pipe")
