"""Tests the readers of files with a coverage-guided fuzzer: `python fuzzing/readers.py -max_total_time=600 CORPUS`.

The readers, and what they must do whatever the bytes, are those of `inputs.py`, which needs no fuzzer. This one also looks for hangs
(`-timeout=20`) and for memory that grows (`-rss_limit_mb`). It needs atheris, which is in no extra because it has no wheels for
some systems: `pip install atheris`. The fuzzer adds interesting inputs to the folder CORPUS; start with copies of models.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sdmodel"]):
    from inputs import problem, readers

    READERS = readers(Path(tempfile.mkdtemp(prefix="fuzzing-")))


def test_one_input(data: bytes) -> None:
    """Called by the fuzzer: the first byte chooses a reader."""
    if data and (wrong := problem(READERS[data[0] % len(READERS)], data[1:])):
        raise AssertionError(wrong)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
