"""Tests the readers of text files with a coverage-guided fuzzer: `python fuzzing/readers.py -max_total_time=600 CORPUS`.

Whatever the bytes, a reader must raise only errors of sdmodel, return every byte, not hang (`-timeout=20`) and not use up
memory (`-rss_limit_mb`). It needs atheris, which is in no extra because it has no wheels for some systems: `pip install
atheris`. The fuzzer adds interesting inputs to the folder CORPUS; start with copies of models.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sdmodel"]):
    from sdmodel.errors import SdmodelError
    from sdmodel.vensim import (
        Document,
        format_document,
        model_from_text,
        read_data,
        read_sampling,
        read_savelist,
        read_scenario,
        sketch_from_text,
    )

FOLDER = Path(tempfile.mkdtemp(prefix="fuzzing-"))


def lossless(data: bytes) -> None:
    """A document keeps every byte, and its canonical form can be computed."""
    document = Document.from_bytes(data, "fuzzed.mdl")
    if bytes(document) != data:
        message = "bytes were lost"
        raise AssertionError(message)
    format_document(document)


def from_bytes(read: Callable[[Path], object], suffix: str) -> Callable[[bytes], object]:
    """Turn a reader of files into a reader of bytes."""
    path = FOLDER / f"fuzzed{suffix}"

    def read_bytes(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return read_bytes


READERS: tuple[Callable[[bytes], object], ...] = (
    lossless,
    model_from_text,
    sketch_from_text,
    from_bytes(read_scenario, ".cin"),
    from_bytes(read_sampling, ".vsc"),
    from_bytes(read_savelist, ".lst"),
    from_bytes(read_data, ".dat"),
)


def test_one_input(data: bytes) -> None:
    """Called by the fuzzer: the first byte chooses a reader, those of models more often than others."""
    if not data:
        return
    chosen = data[0] % (2 * len(READERS))
    try:
        READERS[chosen % 3 if chosen >= len(READERS) else chosen](data[1:])
    except SdmodelError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
