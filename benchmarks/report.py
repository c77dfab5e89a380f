"""Runs the benchmarks and writes their results into `docs/performance.md`: `python benchmarks/report.py`.

Times of one machine say little about another, so everything is compared with sdmodel's own time in the same run.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "docs" / "performance.md"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
PACKAGES = ("sdmodel", "llvmlite", "numpy", "xarray", "sympy", "lark", "pysd", "pysimlin")

Times = Mapping[str, Mapping[str, float]]
"""Seconds by group and by name of the test."""


def main() -> None:
    """Measure, then replace the text between the two marks of the document."""
    results = run_benchmarks()
    before, rest = DOCUMENT.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{report(results)}\n{END}{after}", "utf-8")
    print(DOCUMENT)


def run_benchmarks() -> dict[str, Any]:
    """Run the benchmarks and return the results of pytest-benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "results.json")
        command = [sys.executable, "-m", "pytest", "benchmarks", "-n", "0", "-q", f"--benchmark-json={file}"]
        subprocess.run(command, cwd=PROJECT, check=True)
        return json.loads(file.read_text("utf-8"))


def report(results: Mapping[str, Any]) -> str:
    """Write the text between the marks of the document."""
    times = _times(results["benchmarks"])
    parts = [
        machine(results["machine_info"]),
        engines(times),
        one_core(times),
        stream(times),
        levers(times),
        arrays(results["benchmarks"]),
        yardsticks(results["benchmarks"]),
        cold_start(times),
    ]
    parts += [growth(results["benchmarks"]), light_calls(times, results["benchmarks"]), memory(results["benchmarks"])]
    return "\n".join(parts)


def _times(benchmarks: Sequence[Mapping[str, Any]]) -> Times:
    """Return the median of each test, which a busy moment of the machine affects least."""
    times: dict[str, dict[str, float]] = {}
    for benchmark in benchmarks:
        name = benchmark["name"].split("[")[0].removeprefix("test_")
        times.setdefault(benchmark["group"], {})[name] = benchmark["stats"]["median"]
    return times


def machine(info: Mapping[str, Any]) -> str:
    """Describe the machine and the versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    processor = info.get("cpu", {}).get("brand_raw", platform.processor())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"Machine: {processor}, {cores} cores, {system}.\nVersions: {versions}.\n"


def engines(times: Times) -> str:
    """Compare each engine's time with sdmodel's own time."""
    rows = [[group, seconds(own), *others] for group, own, others in _compared(times)]
    return table(["", "sdmodel", "PySD takes", "Simlin takes"], rows)


def _compared(times: Times) -> Iterator[tuple[str, float, list[str]]]:
    single = times["one run, all variables saved"]
    thousand = times["1,000 members, one variable saved"]
    for group, found in times.items():
        if "sdmodel" not in found:
            continue
        members = int(group.split()[0].replace(",", "")) if "members" in group else 1
        estimates = {"pysd": single["pysd"] * members, "simlin": thousand["simlin"] * members / 1_000}
        own = found["sdmodel"]
        estimated = estimates if members > 1 or "numbers" in group else {}
        yield group, own, [_multiple(name, found, estimated, own) for name in ("pysd", "simlin")]


def _multiple(name: str, found: Mapping[str, float], estimates: Mapping[str, float], own: float) -> str:
    """Write a measured multiple, one estimated from single runs with a `~`, or `-`."""
    if name in found:
        return f"{ratio(found[name] / own)} as long"
    return f"~ {ratio(estimates[name] / own)} as long" if name in estimates else "-"


def one_core(times: Times) -> str:
    """Compare a member of an ensemble with a single run."""
    found = times["one core, numbers alone"]
    member = found["many"] / 10_000
    rows = [
        ["a single run", seconds(found["single"]), "1"],
        ["a member among 10,000", seconds(member), ratio(member / found["single"])],
    ]
    return table(["on one core, numbers alone", "time", "against a single run"], rows)


def stream(times: Times) -> str:
    """Compare members of an ensemble of `ai_compute.mdl` in memory and written to disk with a single run."""
    group = "an ensemble of 60,000 members"
    found = times[group]
    members = {"memory": found["memory"] / 60_000, "stream": found["stream"] / 60_000}
    rows = [
        ["a single run, with its dataset", seconds(found["single"]), "1", ""],
        ["a member in memory", seconds(members["memory"]), ratio(members["memory"] / found["single"]), "1"],
        [
            "a member written to disk",
            seconds(members["stream"]),
            ratio(members["stream"] / found["single"]),
            ratio(members["stream"] / members["memory"]),
        ],
    ]
    return table([f"{group} of `ai_compute.mdl`, headlines saved", "time", "against a run", "against memory"], rows)


def levers(times: Times) -> str:
    """Compare all subsets of ten levers with as many members of an ensemble."""
    found = times["ten levers"]
    rows = [
        ["1,024 members, two headlines saved", seconds(found["members"]), "1"],
        [
            "attribution to ten levers: all 1,024 subsets",
            seconds(found["subsets"]),
            ratio(found["subsets"] / found["members"]),
        ],
    ]
    return table(["`ai_compute.mdl`", "time", "against members"], rows)


def arrays(benchmarks: Sequence[Mapping[str, Any]]) -> str:
    """List the times of a model over two subscript ranges, by the numbers of labels."""
    found = {own["name"]: own["stats"]["median"] for own in benchmarks if own["group"] == "an epidemic"}
    rows = []
    for size in ("50-10", "200-100", "1000-100"):
        member = found.get(f"test_run[{size}-80]")
        rows.append(
            [
                size.replace("-", " x "),
                seconds(found[f"test_ready[{size}]"]),
                seconds(found[f"test_run[{size}-1]"]),
                seconds(member / 80) if member else "-",
            ]
        )
    head = ["an epidemic in regions x ages, 400 steps", "plan and compile", "a run", "a member of 80"]
    return table(head, rows)


def yardsticks(benchmarks: Sequence[Mapping[str, Any]]) -> str:
    """Compare the numbers of a run with a plain C program of the same model; empty where there is no C compiler."""
    names = {
        "test_large_model[one variable]": "the large model, one variable saved",
        "test_large_model[all variables]": "the large model, all variables saved",
        "test_epidemic[50-10]": "an epidemic, 50 x 10",
        "test_epidemic[200-100]": "an epidemic, 200 x 100",
        "test_epidemic[1000-100]": "an epidemic, 1000 x 100",
    }
    found = {own["name"]: own["extra_info"] for own in benchmarks if own["group"] == "yardsticks in C"}
    rows = [
        [name, seconds(found[test]["ours"]), seconds(found[test]["c"]), ratio(found[test]["ours"] / found[test]["c"])]
        for test, name in names.items()
        if test in found
    ]
    return table(["a run, numbers alone, processor time", "sdmodel", "C", "sdmodel against C"], rows) if rows else ""


def light_calls(times: Times, benchmarks: Sequence[Mapping[str, Any]]) -> str:
    """Compare a call of a compiled model with the time inside the machine code, and a dataset with its numbers."""
    shares = {own["group"]: own["extra_info"].get("share") for own in benchmarks}
    rows = [
        [
            "a call of `ai_compute.mdl`, compiled",
            seconds(times["light calls"]["light_calls"]),
            ratio(shares["light calls"]),
            "the machine code",
        ],
        [
            "the dataset of the model of 250 elements",
            seconds(times["dataset"]["dataset"]),
            ratio(shares["dataset"]),
            "a call for all its numbers",
        ],
    ]
    return table(["", "time", "ratio", "against"], rows)


def cold_start(times: Times) -> str:
    """Compare the command with its imports."""
    found = times["from nothing to a stored run"]
    rows = [
        ["`python -m sdmodel run` in all", seconds(found["run"]), "1"],
        [
            "importing the same modules only",
            seconds(found["imports"]),
            ratio(found["imports"] / found["run"]),
        ],
        ["`python -m sdmodel levers`", seconds(found["levers"]), ratio(found["levers"] / found["run"])],
        [
            "`python -m sdmodel runs` over 2,000 stored runs",
            seconds(found["runs"]),
            ratio(found["runs"] / found["run"]),
        ],
    ]
    return table(["in a new process", "time", "share of the whole"], rows)


def growth(benchmarks: Sequence[Mapping[str, Any]]) -> str:
    """Compare models of several sizes; the exponent is that of the growth since the row before."""
    sizes = {"elements of a model": ("params", "elements"), "cells of a model": ("extra_info", "cells")}
    tables = []
    for group, (where, name) in sizes.items():
        found = [(own[where][name], own["stats"]["min"]) for own in benchmarks if own["group"] == group]
        rows, before = [], None
        for count, time in sorted(found):
            exponent = "" if before is None else f"{math.log(time / before[1]) / math.log(count / before[0]):.2f}"
            rows.append([f"{count:,}", seconds(time), seconds(time / count), exponent])
            before = count, time
        what = "time to read it" if name == "elements" else "time to read and compile it"
        tables.append(table([group, what, f"one of the {name}", "exponent"], rows))
    return "\n".join(tables)


def memory(benchmarks: Sequence[Mapping[str, Any]]) -> str:
    """Compare the memory that an ensemble adds to its process with the estimate made before it runs."""
    found = [own["extra_info"] for own in benchmarks if own["group"] == "memory of an ensemble"]
    rows = [
        [f"{own['members']:,}", *(_mebibytes(own[name]) for name in ("kept", "estimated", "used"))] for own in found
    ]
    return table(
        ["members, one variable saved", "the result itself", "estimated beforehand", "added to the process"], rows
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def seconds(time: float) -> str:
    """Write a time to two digits in a suitable unit."""
    factor, unit = next((scale for scale in ((1, "s"), (1e3, "ms")) if time * scale[0] >= 1), (1e6, "µs"))
    return f"{_rounded(time * factor)} {unit}"


def ratio(value: float) -> str:
    """Write a multiple to two digits."""
    return f"{_rounded(value)} times" if value >= 1 else f"{_rounded(value)}"


def _rounded(value: float) -> str:
    return f"{float(f'{value:.2g}'):,.10g}"


def _mebibytes(count: float) -> str:
    return f"{count / 2**20:,.0f} MiB"


if __name__ == "__main__":
    main()
