"""The command line as a process: start-up, pipes, terminals and signals."""

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
    """The environment of a shell in which Python imports this checkout."""
    return os.environ | {"PYTHONPATH": str(project), "NO_COLOR": "1", "COLUMNS": "100"}


def test_help_imports_no_heavy_package(environment: dict[str, str]):
    """Only click is imported, so that help appears immediately."""
    code = "import sys; from sdmodel.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    heavy = {"numpy", "xarray", "sympy", "matplotlib", "llvmlite", "rich", "lark", "netCDF4", "pysd", "pandas"}
    assert "Commands:" in done.stdout
    assert not heavy & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["levers"], ["diff", "models/ai_compute.mdl", "models/ai_compute.mdl"]])
def test_questions_about_the_text_import_no_numbers(words: list[str], tea: Path, environment: dict[str, str]):
    """Neither NumPy nor what needs it is loaded for what a model file says."""
    code = f"import sys; from sdmodel.cli import main\ntry: main({words!r})\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=tea
    )
    assert not {"numpy", "xarray", "pandas", "llvmlite", "netCDF4"} & set(done.stdout.splitlines()[-1].split())


def test_run_imports_neither_figures_nor_pysd(tea: Path, environment: dict[str, str]):
    """Unused packages are not imported; dask is hidden, since xarray imports it wherever it is installed."""
    code = "import sys; sys.modules['dask'] = None; from sdmodel.cli import main\n"
    code += "try: main(['run'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=tea
    )
    assert "stored as" in done.stdout
    assert not {"matplotlib", "pysd", "scipy"} & set(done.stdout.splitlines()[-1].split())


def test_user_error_has_no_traceback(tea: Path, environment: dict[str, str]):
    """One line on stderr and exit code 1."""
    command = [*COMMAND, "run", "nowhere.mdl"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tea)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1


def test_closed_pipe_is_not_an_error(tea: Path, environment: dict[str, str]):
    """`sdmodel levers | head -1` ends quietly."""
    process = subprocess.Popen(
        [*COMMAND, "levers"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tea
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=30), errors) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a device of Linux")
@pytest.mark.parametrize("words", [["run"], ["--help"], ["levers"]])
def test_full_disk_behind_stdout_is_one_line(words: list[str], tea: Path, environment: dict[str, str]):
    """The exit code is 1, and the run is stored."""
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


@pytest.mark.parametrize(("width", "shown"), [(80, {"run", "by", "changes"}), (150, {"hash", "made", "model"})])
def test_tables_on_a_terminal_have_whole_words(
    width: int, shown: set[str], tea: Path, environment: dict[str, str], sdmodel
):
    """Lines break between words; a narrow terminal shows fewer columns and says which are missing."""
    change = ("--set", "room temperature = 65", "--set", "cooling time = 1.25")
    assert sdmodel("run", *change).exit_code == 0
    runs, levers = _on_a_terminal(["runs", "levers"], width, environment, tea)
    assert max(map(len, (*runs.splitlines(), *levers.splitlines()))) <= width
    assert set(runs.split()) >= shown | {"temperature", "ai_compute"}
    assert set(levers.split()) >= {"Low", "80.", "thermometer."}
    assert ("not shown for lack of width" in runs) == (width == 80)


def _on_a_terminal(commands: list[str], width: int, environment: dict[str, str], folder: Path) -> list[str]:
    """What each command prints on a terminal of this width, all in one process."""
    code = f"""
from sdmodel.cli import main
for command in {commands}:
    try:
        main([command])
    except SystemExit as end:
        assert not end.code
    print("\\f", flush=True)
"""
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    plain = {name: value for name, value in environment.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=plain, cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    printed = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while chunk := os.read(master, 65536):
            printed += chunk
    os.close(master)
    assert process.wait(timeout=30) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.decode()).split("\f")[: len(commands)]


def test_interrupted_command_exits_with_130_and_stores_nothing(tea: Path, environment: dict[str, str]):
    """Ctrl-C while it reads a model from a pipe."""
    os.mkfifo(tea / "slow.mdl")
    handler = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job ignores it
    process = subprocess.Popen(
        [sys.executable, "-c", f"{handler}; from sdmodel.cli import main; main(['run', 'slow.mdl'])"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tea,
    )
    writer = _opened_for_writing(tea / "slow.mdl")
    output, errors = _interrupted(process)
    os.close(writer)
    assert (process.returncode, output, errors.strip()) == (130, "", "interrupted")
    assert not (tea / "runs").exists()


def _interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The output of a process that is interrupted. Between opening and reading, Python misses the first signal."""
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=3)
    process.kill()
    return process.communicate()


def _opened_for_writing(pipe: Path) -> int:
    """The pipe, once another process reads from it."""
    for _ in range(600):
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            time.sleep(0.05)
    pytest.fail("nobody reads the pipe")
