"""Reading time grows in proportion to the text, whatever the text: ten times the text takes about ten times as long."""

from __future__ import annotations

import contextlib

import pytest
from test_arrays import epidemic

from sdmodel.errors import ModelError
from sdmodel.program import compile_program
from sdmodel.testing import benchmark_text, model_text
from sdmodel.vensim import Document, model_from_text

ELEMENTS = [500, 5_000, 50_000, 100_000]
REGIONS = [16, 160, 1_600]
CUT = ['"', "{", "~", "|", ":MACRO:", " ", "x ~ ~ |\n"]
READ = ["+ a ", "1", "(1,2),", "a ", "{x}", ": "]


@pytest.mark.parametrize("count", [5_000, 50_000])
@pytest.mark.parametrize("piece", CUT)
@pytest.mark.benchmark(group="grow")
def test_cut(benchmark, piece, count):
    data = ("a = " + piece * count).encode()
    benchmark(lambda: "b" in Document.from_bytes(data, "m.mdl"))


@pytest.mark.parametrize("count", [1_000, 10_000])
@pytest.mark.parametrize("piece", READ)
@pytest.mark.benchmark(group="grow")
def test_read(benchmark, piece, count):
    text = model_text(f"a = 1 {piece * count} ~ ~ |")

    def read() -> None:
        with contextlib.suppress(ModelError):
            model_from_text(text, "m.mdl")

    benchmark(read)


@pytest.mark.parametrize("elements", ELEMENTS)
@pytest.mark.benchmark(group="elements of a model")
def test_elements(benchmark, elements):
    text = benchmark_text(elements=elements, lookups=elements * 55 // 250, stocks=elements * 40 // 250)
    benchmark.pedantic(
        model_from_text, (text, "m.mdl"), rounds=3 if elements < 10_000 else 1, warmup_rounds=elements < 1_000
    )


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.benchmark(group="cells of a model")
def test_cells(benchmark, regions):
    """Read an epidemic in regions and a hundred age groups, and compile it; 1,600 regions have a million cells."""

    def ready() -> int:
        program = compile_program(epidemic(regions, 100))
        program.code(1)
        return len(program.layout.row)

    benchmark.extra_info["cells"] = benchmark.pedantic(ready, rounds=2, warmup_rounds=1)
