"""The memory limit: what is free on the machine and in its container, what a run needs, and what a lack of it says."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from sdmodel import OutOfMemoryError, SimulationError, simulate
from sdmodel.resources import check_memory, free_memory
from sdmodel.simulation import prepare_simulation
from sdmodel.simulation.execution import bytes_needed
from sdmodel.testing import tiny_model

MACHINE = "MemTotal: 16000000 kB\nMemAvailable:  8000000 kB\n"
FREE = 8_000_000 * 1024


def _machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": MACHINE, "proc/self/cgroup": groups, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("groups", "files", "free"),
    [
        ("", {}, FREE),
        ("0::/\n", {f"{V2}/memory.max": "max\n", f"{V2}/memory.current": "5\n"}, FREE),
        ("0::/\n", {f"{V2}/memory.max": "1000\n", f"{V2}/memory.current": "400\n"}, 600),
        (
            "0::/\n",
            {
                f"{V2}/memory.max": "1000",
                f"{V2}/memory.current": "400",
                f"{V2}/memory.stat": "anon 7\ninactive_file 50\n",
            },
            650,
        ),
        # the limit of a group around the one of the process
        (
            "0::/a/b\n",
            {
                f"{V2}/a/memory.max": "900",
                f"{V2}/a/memory.current": "400",
                f"{V2}/a/b/memory.max": "max",
                f"{V2}/a/b/memory.current": "300",
            },
            500,
        ),
        # a container that sees its own group as the root, while the kernel names the host's
        ("0::/docker/0123\n", {f"{V2}/memory.max": "1000", f"{V2}/memory.current": "100"}, 900),
        (
            "5:cpu:/x\n4:memory:/x\n",
            {f"{V1}/x/memory.limit_in_bytes": "2000", f"{V1}/x/memory.usage_in_bytes": "500"},
            1500,
        ),
        (
            "4:memory:/\n",
            {f"{V1}/memory.limit_in_bytes": str(2**63 - 4096), f"{V1}/memory.usage_in_bytes": "500"},
            FREE,
        ),
        ("0::/\n", {f"{V2}/memory.max": "1000", f"{V2}/memory.current": "1400"}, 0),
    ],
)
def test_the_free_memory_is_that_of_the_container(tmp_path: Path, groups: str, files: dict[str, str], free: int):
    """Both versions of control groups, a limit in a group further up, and the cache that the kernel gives back."""
    assert free_memory(_machine(tmp_path, groups, files)) == free


def test_the_limit_of_the_process_counts():
    """A shell's `ulimit -v` limits the address space, whatever the machine has."""
    pytest.importorskip("resource")
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));"
        "from sdmodel.resources import free_memory; print(free_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert 0 < int(done.stdout) < 2**31


def test_times_are_not_made_before_the_limit_speaks():
    """300 million steps need 4.5 GiB for their times alone: the error comes first, and names the cure of this part."""
    model = tiny_model("x = INTEG(1, 0)", final=3e8, saveper=1e7)
    tracemalloc.start()
    with pytest.raises(
        OutOfMemoryError, match=r"needs 4\.47 GiB .* above the limit of 1\.00 GiB; make TIME STEP longer"
    ):
        simulate(model, memory="1GiB")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("equations", "settings", "constants", "cure"),
    [
        ("x = Time", {}, {"k": np.ones(100_000)}, "save fewer variables"),
        ("x = Time", {"final": 1e6, "saveper": 1e5}, {}, "make TIME STEP longer"),
        (
            "r: (A1-A50)\nx[r] = DELAY FIXED(Time, 2, 0)",
            {"final": 1e5, "saveper": 1e4},
            {},
            "use a longer TIME STEP or fewer DELAY FIXED",
        ),
    ],
)
def test_the_cure_is_that_of_the_largest_part(equations: str, settings: dict, constants: dict, cure: str):
    """Members, steps and delays need memory for different reasons."""
    with pytest.raises(SimulationError, match=f"above the limit of 1 MiB; {cure}"):
        simulate(tiny_model(f"{equations}\nk = 1", **settings), constants, memory="1MiB", threads=1)


@pytest.mark.parametrize(
    ("equations", "members", "settings"),
    [
        ("x = INTEG(k, 0)", 20_000, {"final": 200}),
        ("x = INTEG(k, 0)", 1, {"final": 1e6}),
        ("r: (A1-A20)\nx[r] = DELAY FIXED(Time, 2, 0)", 1, {"final": 1e5, "saveper": 1e4}),
    ],
)
def test_the_estimate_is_what_a_run_takes(equations: str, members: int, settings: dict):
    """The estimated peak is at least that of NumPy's arrays, and not many times as much."""
    model = tiny_model(f"{equations}\nk = 1", **settings)
    cells = [cell for cell in prepare_simulation(model, {}, [])._job.program.layout.row if cell.key == "x"]
    prepared = prepare_simulation(model, {}, cells)
    estimate = sum(bytes_needed(prepared._job, max(members, 2), 1).values())
    tracemalloc.start()
    prepared.values(np.empty((members, 0)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.3 * estimate < peak < 1.2 * estimate


def test_a_lack_of_memory_is_one_line(tmp_path: Path):
    """An allocation that fails is an error of sdmodel with the size that was wanted, in Python and on the command line."""
    pytest.importorskip("resource")
    code = """
import resource, sys
import sdmodel
from sdmodel.cli.group import main
from sdmodel.testing import model_text, tiny_model
from pathlib import Path
settings = {"final": 3e8, "saveper": 1e7}
model = tiny_model("x = INTEG(1, 0)", **settings)
Path(sys.argv[1], "long.mdl").write_text(model_text("x = INTEG(1, 0)", **settings))
sdmodel.simulate(tiny_model("x = 1"))
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
try:
    sdmodel.simulate(model, memory="100GiB")
except sdmodel.OutOfMemoryError as error:
    print(error, file=sys.stderr)
main(["run", sys.argv[1] + "/long.mdl", "--runs", sys.argv[1]])
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    first, second = done.stderr.splitlines()
    assert "not enough memory" in first
    assert "4.47 GiB" in first
    assert "needs 4.47 GiB of memory, above the limit of" in second
    assert done.returncode == 1


def test_little_work_is_not_checked(monkeypatch: pytest.MonkeyPatch):
    """A short run does not read the files of the system."""
    monkeypatch.setattr("sdmodel.resources.free_memory", lambda: 0)
    check_memory(1000, None, "the run", "wait")
    with pytest.raises(
        OutOfMemoryError, match=r"needs 1\.00 GiB of memory, above the limit of 0 MiB \(80% of what is free\)"
    ):
        check_memory(2**30, None, "the run", "wait")
