"""The readers of files, valid inputs of each, and random changes of them: `python fuzzing/inputs.py 1000` tries a thousand.

Whatever the bytes, a reader returns or raises an error of sdmodel that names the file; it never raises another error, ends the
process, or takes longer than ten seconds. Some readers also use what they read: they simulate a model, or draw a sketch. All run in
a process of their own, which is ended if it takes longer.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLES = PROJECT / "docs" / "examples"
SECONDS = 10.0
"""How long a reader may take."""
LONGEST = 420
"""The most characters in a line of a message."""

MODEL = """{UTF-8}
region: north, south, (r1-r3) -> (zone: z1, z2, z3, z4, z5) ~ ~ |
zone: z1, z2, (z3-z5) ~ ~ |
all <-> region ~ ~ |
:MACRO: DOUBLE(x, y : twice)
DOUBLE = 2*x + y ~ ~ |
twice = 3*x ~ ~ |
:END OF MACRO:
stock[region] = INTEG(inflow[region] - DELAY3(stock[region], 4), start[region]) ~ Person [0,?] ~ A stock. |
inflow[region] :EXCEPT: [north] = MAX(0, table(Time)) * share ~ Person/Month ~ |
inflow[north] = IF THEN ELSE(Time > 3 :AND: :NOT: share = 0, STEP(1, 2), -2^2) ~ Person/Month ~ |
table([(0,0)-(10,5)],(0,1),(5,3),(10,1e0)) ~ Dmnl ~ :SUPPLEMENTARY |
start[region] = 1, 2, 3.5, 4, 5 ~ Person ~ |
"share, of {all}" = 0.5 ~ Dmnl [0,1,0.1] ~ |
share = DOUBLE("share, of {all}", 1 : other) + SUM(start[region!]) ~ Dmnl ~ |
********************************************************
	.Control
********************************************************~
		Simulation control
	|
FINAL TIME = 10 ~ Month ~ |
INITIAL TIME = 0 ~ Month ~ |
SAVEPER = TIME STEP ~ Month ~ |
TIME STEP = 0.5 ~ Month ~ |
\\\\\\---/// Sketch information - do not modify anything except names
V300  Do not put anything below this section - it will be ignored
*View 1
$192-192-192,0,Times New Roman|12||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|72,72,100,0
10,1,stock,307,235,40,20,3,3,0,0,0,0,0,0
12,2,48,479,235,10,8,0,3,0,0,-1,0,0,0
1,3,5,2,4,0,0,22,0,0,0,-1--1--1,,1|(441,235)|
11,5,48,408,235,6,8,34,3,0,0,1,0,0,0
10,6,inflow,408,251,49,8,40,3,0,0,-1,0,0,0
///---\\\\\\
:L\x7f<%^E!@
15:0,0,0,5,0,0
22:$,Dollar,Dollars
"""
CHANGES = (
    "distancing = 0.4\n\"a b\"[x,y] = 1, 2\ntable((0,1),(5,2.5),\n (10,3))\nname :IS: 'text'\n0 <= rate = 0.1 <= 1\n"
)
SAMPLING = (
    "200,L,42,vars.lst,0\nrate=RANDOM_UNIFORM(0,1)\nx[north]=RANDOM_NORMAL(-1,1,0,0.5)\nseed=VECTOR(1,10,1)\n"
    "w=RANDOM_TRIANGULAR(0,5,1,2,3)\nx=RANDOM_LOOKUP(0,9,table,0,1)\n"
)
SEARCH = ":OPTIMIZER=Powell\n:SENSITIVITY=PAYOFF_VALUE=4\n:COM a remark\n{a comment}\n.05 <= rate = 3E-1 <= 1\n4<=speed<=10|frac=0.1\n-2<=x[i,j]=0<=2\n"
PAYOFF = "*C\nmodel|data/weight\nTotal Cases|cases/0.1\n*CG\nx[north]|y[north]/2\n*P\nprofit/1\n*PF\nstock[a]\n"
DATA = "rate\n0\t1\n1\t2.5\nstock[north]\n0\t10\n0.5\t11\n10\t1e3\n"
TABLE = "Time\t0\t1\t2\nrate\t1\t2\t\nstock[north]\t10\t11\t12\n"
SAMPLES = "rate\tx[north]\n0.1\t2\n0.2\t3\n1e-3\t-4\n"
SAVED = "stock\ninflow[north]\n\nTotal Cases\n"
OBSERVATIONS = '# a comment\nseries,date,value,unit,source\ncases,7,400,Person,a\ncases,2025-06-30,,,\ndeaths,14.5,1e3,Person,"b, c"\n'
SERIES = (
    "name,model,data,error,size,since,until,correlation\ncases,Total Cases,reported_cases,relative,5%,10,,\n"
    'beds,beds needed/2,reported_cases*2,log,0.1,,150,3\nbalance,"MAX(beds needed, 0)",reported_cases,absolute,7,,,\n'
)
SCENARIO = "distancing = 0.4\nvaccination rate=0.01\npolicy start = 20\n"
PRIOR = "100,L,1,,0\ninfectivity=RANDOM_UNIFORM(0.02,0.05)\nillness duration=RANDOM_NORMAL(4,10,6,0.5)\n"
BOUNDS = "0.01<=infectivity=0.03<=0.05\n4<=illness duration<=10\n"
PAGE = "# panels\npanel,model,label,scale\nBeds,beds needed,,\nCases,Infectious[children],children,log\n,policy start,from here,\n"
FORMULAS = 'SUM(stock[region!])*2^-3/MAX(a, IF THEN ELSE(b > 1 :OR: :NOT: c, 0, "d e"[x]))'


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of bytes, the ending of its files, and valid inputs."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    binary: bool = False


def readers(folder: Path) -> tuple[Reader, ...]:
    """Return all readers; what they read is written to files in a folder."""
    from sdmodel.checking import check_model
    from sdmodel.figures import plot_diagram, read_layout, render_figure
    from sdmodel.inference import free_constants, read_observations, read_series
    from sdmodel.reading import read_model
    from sdmodel.scenario import make_design
    from sdmodel.simulation import simulate
    from sdmodel.store import open_run
    from sdmodel.vensim import (
        Document,
        format_document,
        model_from_text,
        read_change,
        read_data,
        read_formula,
        read_grid,
        read_optimisation,
        read_payoff,
        read_samples,
        read_sampling,
        read_savelist,
        read_scenario,
        sketch_from_text,
        text_for_diff,
    )

    model = read_model(EXAMPLES / "epidemic.mdl")
    observed = read_observations(EXAMPLES / "data" / "observations.csv")

    def of_file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
        path = folder / f"fuzzed{suffix}"

        def read_bytes(data: bytes) -> object:
            path.write_bytes(data)
            return read(path)

        return read_bytes

    def of_text(read: Callable[[str, str], object]) -> Callable[[bytes], object]:
        return lambda data: read(data.decode("utf-8", "replace"), "fuzzed")

    def lossless(data: bytes) -> None:
        document = Document.from_bytes(data, "fuzzed.mdl")
        if bytes(document) != data:
            message = "bytes were lost"
            raise AssertionError(message)
        format_document(document)
        text_for_diff(document)

    def loaded(path: Path) -> object:
        with open_run(path) as run:
            return run.load()

    def drawn(data: bytes) -> None:
        sketch = sketch_from_text(data, "fuzzed.mdl")
        for view in sketch.views[:1]:
            render_figure(plot_diagram(sketch, view), "svg")

    def simulated(data: bytes) -> object:
        return simulate(model_from_text(data, "fuzzed.mdl"), memory="200MB", threads=1)

    run, parts = _stored(folder)
    text = {
        "document": (lossless, MODEL, (EXAMPLES / "epidemic.mdl").read_text("utf-8")),
        "model": (
            lambda data: model_from_text(data, "fuzzed.mdl"),
            MODEL,
            (EXAMPLES / "epidemic.mdl").read_text("utf-8"),
        ),
        "sketch": (lambda data: sketch_from_text(data, "fuzzed.mdl"), MODEL),
        ".cin": (of_file(".cin", read_scenario), CHANGES),
        ".vsc": (of_file(".vsc", read_sampling), SAMPLING),
        ".lst": (of_file(".lst", read_savelist), SAVED),
        ".dat": (of_file(".dat", read_data), DATA),
        ".voc": (of_file(".voc", read_optimisation), SEARCH),
        ".vpd": (of_file(".vpd", read_payoff), PAYOFF),
        "samples": (of_file(".tab", read_samples), SAMPLES),
        "observations": (of_file(".csv", read_observations), OBSERVATIONS),
        "observed .dat": (of_file(".obs.dat", read_observations), DATA),
        "observed table": (of_file(".obs.tab", read_observations), TABLE),
        "series": (of_file(".series.csv", lambda path: read_series(path, observed, model)), SERIES),
        "figure": (of_file(".figure.csv", read_layout), PAGE),
        "formula": (of_text(read_formula), FORMULAS),
        "simulated model": (simulated, MODEL),
        "checked model": (of_file(".mdl", lambda path: check_model(path, static=True)), MODEL),
        "drawn sketch": (drawn, MODEL),
        "scenario of a model": (of_file(".run.cin", lambda path: simulate(model, scenario=path)), SCENARIO),
        "design of a model": (of_file(".run.vsc", lambda path: make_design(model, read_sampling(path))), PRIOR),
        "search in a model": (
            of_file(".run.voc", lambda path: free_constants(model, listed=read_optimisation(path).free)),
            BOUNDS,
        ),
        "change": (of_text(read_change), "x[a,b]=1,2,3"),
        "lever": (of_text(read_grid), "rate=0:1:5"),
    }
    found = [Reader(name, read, tuple(seed.encode() for seed in seeds)) for name, (read, *seeds) in text.items()]
    found.append(Reader("netCDF", of_file(".nc", loaded), (run.read_bytes(),), binary=True))
    found.append(_zarr(loaded, parts))
    return tuple(found)


def _stored(folder: Path) -> tuple[Path, Path]:
    """A stored run and a stored ensemble of a small model."""
    from sdmodel.ensemble import run_ensemble
    from sdmodel.scenario import Distribution, Sampling, Variation, make_design
    from sdmodel.simulation import simulate
    from sdmodel.store import save_run
    from sdmodel.testing import tiny_model

    model = tiny_model("d: A, B\ns[d] = INTEG(rate*s[d], 1)\nrate = 0.1")
    run = save_run(simulate(model), folder / "seed.nc", force=True)
    variations = (Variation("rate", (), Distribution("RANDOM_UNIFORM", (0.0, 1.0))),)
    parts = run_ensemble(model, make_design(model, Sampling("multivariate", 5, 1, variations)), folder / "seed.zarr")
    return Path(run), Path(parts)


def _zarr(read: Callable[[Path], object], store: Path) -> Reader:
    """A reader of an ensemble of which one file is changed: the first byte of the input says which."""
    files = sorted(path for path in store.rglob("*") if path.is_file())
    content = {file: file.read_bytes() for file in files}

    def read_bytes(data: bytes) -> object:
        file = files[data[0] % len(files)] if data else files[0]
        file.write_bytes(data[1:])
        try:
            return read(store)
        finally:
            file.write_bytes(content[file])

    return Reader("Zarr", read_bytes, tuple(bytes([i % 256]) + content[f] for i, f in enumerate(files)), binary=True)


# ---- random changes

TOKENS = (
    "[", "]", "(", ")", "{", "}", "|", "~", '"', "'", ",", ";", ":", "!", "=", "<=", "->", "<->", "\\", "\t", "\n", "\r", "#",
    "\x00", "\ufeff", "\u2028", "\x7f", "é", "𝄞", ":EXCEPT:", ":MACRO:", ":END OF MACRO:", ":NA:", ":IS:", ":AND:", "INTEG(",
    "DELAY N(", "SUM(", "GET XLS DATA(", "RANDOM_NORMAL(", "Time", "TIME STEP", "nan", "inf", "-inf", "1e999", "-1e999", "1e-320",
    "99999999999999999999", "-0", "0", "%", "$", "*C", "*View 2", "\\\\\\---///", "{UTF-8}", "2025-02-30", "1:5:0", "(r1-r999999)",
)  # fmt: skip


def _line(data: bytes, chance: random.Random) -> tuple[int, int]:
    """The ends of a random line."""
    at = chance.randrange(len(data) + 1)
    return data.rfind(b"\n", 0, at) + 1, end + 1 if (end := data.find(b"\n", at)) >= 0 else len(data)


def _span(data: bytes, chance: random.Random, most: int = 40) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + chance.randint(1, most))


def mutate(reader: Reader, chance: random.Random) -> bytes:
    """Return a valid input with one to four random changes."""
    data = chance.choice(reader.seeds)
    head = data[:1] if reader.name == "Zarr" else b""
    body = data[len(head) :]
    for _ in range(chance.choice((1, 1, 2, 4))):
        body = _changed(body, chance.choice(reader.seeds), chance, binary=reader.binary)
    return head + body


def _changed(data: bytes, other: bytes, chance: random.Random, *, binary: bool) -> bytes:
    begin, end = _span(data, chance)
    first, last = _line(data, chance)
    bits = bytearray(data)
    if bits:
        bits[chance.randrange(len(bits))] ^= 1 << chance.randrange(8)
    token = chance.choice(TOKENS).encode("utf-8", "surrogatepass")
    changes = [
        bytes(bits),
        data[:begin],
        data[:begin] + data[end:],
        data[:begin] + data[begin:end] * chance.choice((2, 3, 50)) + data[end:],
        data[:begin] + bytes(chance.randrange(256) for _ in range(4)) + data[end:],
        data[:begin] + other[slice(*_span(other, chance, 200))] + data[begin:],
        data[:begin] + b"\x00" * (end - begin) + data[end:],
    ]
    if not binary:
        changes += [
            data[:begin] + token + data[begin:],
            data[:begin] + token + data[end:],
            data[:begin] + token * 300 + data[begin:],
            data[:first] + data[last:],
            data[:first] + data[first:last] * 2 + data[last:],
            data[first:last] + data[:first] + data[last:],
            _number(data, token, chance),
            data.swapcase(),
            data.replace(b"\n", chance.choice((b"\r\n", b"\r", b" "))),
            data.decode("utf-8", "replace").encode(chance.choice(("utf-16", "latin-1", "utf-8-sig")), "replace"),
        ]
    return chance.choice(changes)


def _number(data: bytes, token: bytes, chance: random.Random) -> bytes:
    """The data with another token in the place of a digit."""
    places = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
    if not places:
        return data + token
    place = chance.choice(places)
    return data[:place] + token + data[place + 1 :]


def inputs(every: Sequence[Reader], count: int, seed: int) -> Iterator[tuple[Reader, bytes]]:
    """Yield random inputs, the readers in turn."""
    chance = random.Random(seed)
    for index in range(count):
        reader = every[index % len(every)]
        yield reader, mutate(reader, chance)


# ---- trying them


def problem(reader: Reader, data: bytes) -> str:
    """Return what is wrong with how a reader takes an input, or nothing."""
    from sdmodel.errors import SdmodelError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reader.read(data)
        except SdmodelError as error:
            return _message_problem(reader, str(error))
        except Exception:  # noqa: BLE001 - any other error is what is looked for
            return traceback.format_exc(limit=-4)
    return ""


def _message_problem(reader: Reader, message: str) -> str:
    place = "seed" if reader.name == "Zarr" else "fuzzed"
    for line in message.splitlines():
        if place not in line and not line.startswith("and "):
            return f"no place: {line!r}"
        if len(line) > LONGEST:
            return f"a line of {len(line)} characters: {line[:200]!r}"
    return "" if message else "an empty message"


def _serve(pipe: Connection) -> None:
    """Try the inputs that come through a pipe, and send back what is wrong."""
    with tempfile.TemporaryDirectory(prefix="fuzzing-") as folder:
        every = {reader.name: reader for reader in readers(Path(folder))}
        pipe.send([(reader.name, reader.seeds, reader.binary) for reader in every.values()])
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                name, data = pipe.recv()
                pipe.send(problem(every[name], data))


@dataclass(slots=True)
class Trial:
    """A process that tries inputs; it is replaced when it ends or takes too long."""

    process: multiprocessing.process.BaseProcess | None = None
    pipe: Connection | None = None
    readers: tuple[Reader, ...] = field(default=())

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.readers = tuple(Reader(name, len, seeds, binary) for name, seeds, binary in self.pipe.recv())

    def _stop(self) -> None:
        if self.process is not None and self.pipe is not None:
            self.pipe.close()  # the process then ends by itself, unless it hangs
            self.process.join(2)
            self.process.kill()
            self.process.join()
            self.process = None

    def problem(self, reader: Reader, data: bytes) -> str:
        """As the function of this name, and also whether the process ends or takes too long."""
        if self.process is None:
            self._start()
        assert self.pipe is not None  # noqa: S101 - it is started
        try:
            self.pipe.send((reader.name, data))
            if self.pipe.poll(SECONDS):
                return str(self.pipe.recv())
            found = f"takes longer than {SECONDS:g} s"
        except (EOFError, ConnectionError):
            found = "ends the process"
        self._stop()
        return found


def fuzz(count: int, seed: int, keep: Path | None = None) -> tuple[Counter[str], list[str]]:
    """Try inputs; return how many each reader got, and one text for each problem. Inputs with one are kept in a folder."""
    counts: Counter[str] = Counter()
    found = []
    with Trial() as trial:
        for index, (reader, data) in enumerate(inputs(trial.readers, count, seed)):
            counts[reader.name] += 1
            wrong = trial.problem(reader, data)
            if not wrong:
                continue
            found.append(f"input {index} of seed {seed}, {reader.name}: {wrong}")
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{seed}-{index}-{reader.name.strip('.').replace(' ', '-')}").write_bytes(data)
    return counts, found


def main() -> int:
    """Try random inputs and print what is wrong; return the exit code."""
    parser = argparse.ArgumentParser(description="Try random changes of valid files on all readers.")
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that show a problem")
    options = parser.parse_args()
    counts, found = fuzz(options.count, options.seed, options.keep)
    print(*found, sep="\n")
    print(f"{counts.total()} inputs of {len(counts)} readers, {len(found)} problems")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
