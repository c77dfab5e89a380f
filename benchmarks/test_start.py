"""The time of a cold `python -m sdmodel run` and `runs`, the share of imports, and the memory of an ensemble.

Each is measured in a new process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sdmodel.testing import benchmark_text

_LOADED = """
import contextlib, json, sys
from sdmodel.cli import main
with contextlib.suppress(SystemExit):
    main(["run", "large.mdl", "--name", "loaded"])
json.dump([name for name in sys.modules if name != "__main__"], open("loaded.json", "w"))
"""

_IMPORT = """
import importlib, json, sys
for name in json.load(open("loaded.json")):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""

_PEAK = r"""
import json, re, sys
from pathlib import Path
import numpy as np
import sdmodel as sd

def peak():
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

def ensemble(members, **options):
    return sd.simulate(model, {"lifetime 7": np.linspace(20.0, 60.0, members)}, save=["Level 7"], **options)

members = int(sys.argv[1])
model = sd.read_model("large.mdl")
ensemble(64)
before = peak()
try:
    ensemble(members, memory=1)
except sd.SimulationError as refusal:
    size, unit = re.search(r"needs (\S+) ([KMG])iB of memory", str(refusal)).groups()
    estimated = float(size) * 2**{"K": 10, "M": 20, "G": 30}[unit]
runs = ensemble(members)
print(json.dumps({"members": members, "kept": runs.nbytes, "estimated": estimated, "used": peak() - before}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the large model, and after a run the list of its imports."""
    (tmp_path / "large.mdl").write_text(benchmark_text(), "utf-8")
    return tmp_path


def _python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"SDMODEL_CACHE": str(folder / "cache")},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
    )
    return done.stdout


@pytest.mark.benchmark(group="from nothing to a stored run")
class TestColdStart:
    def test_run(self, benchmark, folder):
        def run():
            _python(folder, "-m", "sdmodel", "run", "large.mdl", "--name", "cold", "--force")

        benchmark.pedantic(run, rounds=5, warmup_rounds=1)
        assert (folder / "runs" / "cold.nc").is_file()

    def test_levers(self, benchmark, folder):
        benchmark.pedantic(_python, (folder, "-m", "sdmodel", "levers", "large.mdl"), rounds=5, warmup_rounds=1)

    def test_imports(self, benchmark, folder):
        _python(folder, "-c", _LOADED)
        benchmark.pedantic(_python, (folder, "-c", _IMPORT), rounds=5, warmup_rounds=1)

    def test_runs(self, benchmark, folder):
        _python(folder, "-m", "sdmodel", "run", "large.mdl", "--name", "0")
        for number in range(1, 2000):
            shutil.copy(folder / "runs" / "0.nc", folder / "runs" / f"{number}.nc")
        listed = benchmark.pedantic(
            _python, (folder, "-m", "sdmodel", "runs", "--format", "csv"), rounds=5, warmup_rounds=1
        )
        assert len(listed.splitlines()) == 2001


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the peak memory of a process")
@pytest.mark.benchmark(group="memory of an ensemble")
@pytest.mark.parametrize("members", [10_000, 30_000, 100_000])
def test_memory_estimate(benchmark, folder, members):
    """`memory=` limits a number that is estimated before anything runs; this measures how good the estimate is."""
    answer = benchmark.pedantic(_python, (folder, "-c", _PEAK, f"{members}"), rounds=1)
    benchmark.extra_info |= json.loads(answer)
