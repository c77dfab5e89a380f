"""Feeds the readers of text what a coverage-guided fuzzer makes of it: `python fuzzing/readers.py -max_total_time=600 CORPUS`.

Whatever the bytes: no exception but ours, every byte given back, no hang (`-timeout=20`), no flood of memory (`-rss_limit_mb`).
It asks for atheris, which no extra brings, since it has no wheel for every system: `pip install atheris`. A folder CORPUS
grows with what was found interesting; begin with copies of models.
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
    """A document gives every byte back, also in canonical form a model reads."""
    document = Document.from_bytes(data, "fuzzed.mdl")
    if bytes(document) != data:
        message = "bytes were lost"
        raise AssertionError(message)
    format_document(document)


def written(read: Callable[[Path], object], suffix: str) -> Callable[[bytes], object]:
    """A reader of files as one of bytes."""
    path = FOLDER / f"fuzzed{suffix}"

    def of_bytes(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return of_bytes


READERS: tuple[Callable[[bytes], object], ...] = (
    lossless,
    model_from_text,
    sketch_from_text,
    written(read_scenario, ".cin"),
    written(read_sampling, ".vsc"),
    written(read_savelist, ".lst"),
    written(read_data, ".dat"),
)


def one(data: bytes) -> None:
    """What the fuzzer calls: the first byte chooses a reader, models more often than others."""
    if not data:
        return
    chosen = data[0] % (2 * len(READERS))
    try:
        READERS[chosen % 3 if chosen >= len(READERS) else chosen](data[1:])
    except SdmodelError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
