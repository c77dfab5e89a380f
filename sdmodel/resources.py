"""Memory and processors: what is free on the machine and in its container, and whether work fits into it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from .errors import OutOfMemoryError, SimulationError

_SIZE = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?i?B?)\s*", re.IGNORECASE)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SHARE = 0.8
"""The part of the free memory that one piece of work may use unless the user sets a limit."""
_LITTLE = 2**26
"""Work below this is not checked: to look at the free memory takes longer than a short run."""
_UNKNOWN = 4 * 2**30
_GROUPS = (  # the folder, controller, files of limit and usage, and the name of the cache that the kernel gives back
    ("sys/fs/cgroup", "", "memory.max", "memory.current", "inactive_file"),
    ("sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Versions 2 and 1 of Linux's control groups, which limit containers (kernel manual, "cgroup-v2" and "memory")."""


def free_memory(root: Path = Path("/")) -> int:
    """Return the bytes that this process can still get: from the machine, its container and its own limit."""
    found = [*_of_machine(root), *_of_groups(root), *_of_process()]
    return max(0, min(found, default=_UNKNOWN))


def _of_machine(root: Path) -> Iterator[int]:
    available = re.search(r"^MemAvailable:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if available:
        yield int(available[1]) * 1024
        return
    with contextlib.suppress(ValueError, OSError, AttributeError):  # unknown on this system
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _of_groups(root: Path) -> Iterator[int]:
    """What is free in each control group of the process and in those around it; a limit in any of them holds."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, own = (*line.split(":", 2), "", "")[:3]
        for folder, controller, limit_file, usage_file, cache in _GROUPS:
            if controller in controllers.split(","):
                base = root / folder
                inner = base / own.strip("/")  # which is not there if the container has its own view of the groups
                for group in (inner, *(parent for parent in inner.parents if parent.is_relative_to(base))):
                    limit, usage = _text(group / limit_file).strip(), _text(group / usage_file).strip()
                    if limit.isdecimal() and usage.isdecimal():
                        given_back = re.search(rf"^{cache} (\d+)", _text(group / "memory.stat"), re.MULTILINE)
                        yield int(limit) - int(usage) + (int(given_back[1]) if given_back else 0)


def _of_process() -> Iterator[int]:
    """What is left of the address space if it is limited, as by `ulimit -v`."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _text(Path("/proc/self/statm")).partition(" ")[0]
    if limit != resource.RLIM_INFINITY and pages:
        yield limit - int(pages) * resource.getpagesize()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def available_threads() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_memory(needed: float, limit: str | float | None, what: str, cure: str) -> None:
    """Check that work fits into a limit, by default most of the free memory.

    Raises OutOfMemoryError, a SimulationError, with what needs how much, and what to do.
    """
    if limit is None and needed < _LITTLE:
        return
    allowed = free_memory() * _SHARE if limit is None else memory_bytes(limit)
    if needed > allowed:
        source = f" ({_SHARE:.0%} of what is free)" if limit is None else ""
        message = (
            f"{what} needs {format_bytes(needed)} of memory, above the limit of {format_bytes(allowed)}{source}; {cure}"
        )
        raise OutOfMemoryError(message)


def format_bytes(size: float) -> str:
    """Return a size for people, in MiB or GiB."""
    return f"{size / 2**30:,.2f} GiB" if size >= 2**30 else f"{size / 2**20:,.3g} MiB"


def memory_bytes(size: str | float) -> int:
    """Convert a size such as "1GiB" or "500MB" to bytes.

    Raises SimulationError if the text is not a size.
    """
    match = _SIZE.fullmatch(str(size))
    if match is None:
        message = f"memory is '{size}'; write a size like '1GiB' or '500MB'"
        raise SimulationError(message)
    unit = match["unit"].lower()
    base = 1024 if "i" in unit else 1000
    return round(float(match["number"]) * base ** _UNITS[unit.rstrip("ib")])
