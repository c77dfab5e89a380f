"""The command line as a process: how fast it starts, and how it ends when others end it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
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
    assert (process.wait(timeout=30), told) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a device of Linux")
@pytest.mark.parametrize("words", [["run"], ["--help"], ["levers"]])
def test_a_full_disk_behind_stdout_is_one_line(words: list[str], tea: Path, environment: dict[str, str]):
    """The exit code tells, and the run is stored all the same."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *words], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tea
        )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be written (No space left on device); " in done.stderr
    if words == ["run"]:
        assert "is stored as runs/ai_compute.nc" in done.stderr
        assert (tea / "runs" / "ai_compute.nc").is_file()


@pytest.mark.parametrize(("width", "shown"), [(80, {"run", "hash", "by", "changes"}), (150, {"hash", "made", "model"})])
def test_a_terminal_has_whole_words_in_its_tables(width: int, shown: set[str], tea: Path, environment: dict[str, str]):
    """Lines are folded at blanks; a narrow terminal has fewer columns, and says which are left out."""
    change = ["--set", "room temperature = 65", "--set", "cooling time = 1.25"]
    subprocess.run([*COMMAND, "run", *change], env=environment, cwd=tea, check=True, capture_output=True)
    for command in ("runs", "levers"):
        told = _on_a_terminal([*COMMAND, command], width, environment, tea)
        assert max(map(len, told.splitlines())) <= width
        words = set(told.split())
        assert words >= (
            shown | {"temperature", "ai_compute"} if command == "runs" else {"judgement:", "warm", "thermometer."}
        )
    assert ("not shown for lack of width" in _on_a_terminal([*COMMAND, "runs"], width, environment, tea)) == (
        width == 80
    )


def _on_a_terminal(command: list[str], width: int, environment: dict[str, str], folder: Path) -> str:
    """What a command prints on a terminal of that width."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    plain = {name: value for name, value in environment.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(command, env=plain, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    told = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(ours, 65536):
            told += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", told.decode())


def test_an_interrupted_command_ends_with_130_and_stores_nothing(tea: Path, environment: dict[str, str]):
    """Ctrl-C while it waits for a model that comes through a pipe."""
    os.mkfifo(tea / "slow.mdl")
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job ignores it
    process = subprocess.Popen(
        [sys.executable, "-c", f"{heeding}; from sdmodel.cli import main; main(['run', 'slow.mdl'])"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tea,
    )
    writer = _opened_for_writing(tea / "slow.mdl")
    out, told = _interrupted(process)
    os.close(writer)
    assert (process.returncode, out, told.strip()) == (130, "", "interrupted")
    assert not (tea / "runs").exists()


def _interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process says when it is interrupted; between opening and reading, Python does not notice the first time."""
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=3)
    process.kill()
    return process.communicate()


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
