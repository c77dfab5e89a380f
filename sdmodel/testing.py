"""What tests need: complete model files from a few equations, a large model that resembles a published world model, and an engine for WebAssembly modules.

The files open in Vensim and in other open engines, so that all of them can run the same model.
"""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import importlib
import json
import random
import subprocess
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .dataset import find_variable, subscript_dims
from .model import RUN_SETTINGS, Model
from .simulation import WasmModule, compile_wasm
from .vensim import model_from_text

_SKETCH = r"""\\\---/// Sketch information - do not modify anything except names
V300  Do not put anything below this section - it will be ignored
*View 1
$192-192-192,0,Times New Roman|12||0-0-0|0-0-0|0-0-255|-1--1--1|-1--1--1|72,72,100,0
///---\\\
"""
_METHODS = {"euler": 0, "rk4-auto": 1, "diff": 2, "rk2-auto": 3, "rk2": 4, "rk4": 5}


_TIMES_OF_XMILE = '<sim_specs method="Euler" time_units="Months"><start>1</start><stop>5</stop><dt>1</dt></sim_specs>'


def build_xmile(
    variables: str, *, specs: str = _TIMES_OF_XMILE, rest: str = "", dimensions: Mapping[str, str | int] | None = None
) -> str:
    """Return a file with these variables; a dimension has its labels as letters, or a number of them."""
    dims = "".join(
        f'<dim name="{name}" size="{labels}"/>'
        if isinstance(labels, int)
        else f'<dim name="{name}">{"".join(f"<elem name={label!r}/>" for label in labels)}</dim>'
        for name, labels in (dimensions or {}).items()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<xmile version="1.0" xmlns="http://docs.oasis-open.org/xmile/ns/XMILE/v1.0">\n'
        f"{specs}<dimensions>{dims}</dimensions>\n<model><variables>{variables}</variables></model>\n{rest}</xmile>"
    )


def model_text(
    equations: str,
    *,
    initial: float = 0,
    final: float = 10,
    step: float = 1,
    saveper: float | None = None,
    integrator: str = "euler",
) -> str:
    """Return the text of a complete `.mdl` file with some equations; times are in years.

    The equations are Vensim's blocks, or, if none ends with `|`, one per line (an indented line continues the one before).
    """
    blocks = textwrap.dedent(equations).strip()
    if "|" not in blocks:
        blocks = "\n\n".join(block_text(line) for line in blocks.replace("\n ", " ").splitlines() if line.strip())
    control = zip(RUN_SETTINGS, (initial, final, step, "TIME STEP" if saveper is None else saveper), strict=True)
    stars = "*" * 56
    group = f"{stars}\n\t.Control\n{stars}~\n\t\tSimulation control.\n\t|"
    settings = (block_text(f"{name} = {value}", units="Year") for name, value in control)
    return (
        "\n\n".join(("{UTF-8}", blocks, group, *settings, _SKETCH))
        + f":L\x7f<%^E!@\n15:0,0,0,{_METHODS[integrator]},0,0\n"
    )


def block_text(equation: str, *, units: str = "", comment: str = "") -> str:
    """Return one equation as a block of a model file."""
    return f"{equation}\n\t~\t{units}\n\t~\t{comment}\n\t|"


def tiny_model(equations: str, **settings: Any) -> Model:
    """Return a model with some equations, written as for `model_text`, which also takes the other arguments."""
    return model_from_text(model_text(equations, **settings), "tiny.mdl")


@dataclass(frozen=True, slots=True)
class _Stock:
    """A stock of the large model: its number, its initial level, and its lifetime in years."""

    number: int
    start: float
    lifetime: float

    @property
    def ratio(self) -> str:
        """The level divided by its initial level, a number around 1."""
        return f"Level {self.number}/{self.start}"


_MIXES: tuple[Callable[[str, str], str], ...] = (
    lambda a, b: f"(({a}) + ({b}))/2",
    lambda a, b: f"2*({a})*({b})/(({a}) + ({b}))",
    lambda a, b: f"MIN({a}, 1.2*({b}))",
    lambda a, b: f"MAX({a}, 0.8*({b}))",
    lambda a, b: f"0.3 + {a} - 0.3*({b})",
    lambda a, b: f"IF THEN ELSE(Time > 1975, {a}, {b})",
    lambda a, b: f"IF THEN ELSE({a} > 1.15, {b}, 1 + (({b}) - 1)*0.5)",
    lambda a, b: f"({a})*({b})/(0.5 + 0.5*({a}))",
    lambda a, b: f"1 + 0.4*(({a}) - 1) + 0.4*(({b}) - 1)",
    lambda a, b: f"EXP(0.3*({a} - 1))*(0.5 + 0.5*({b}))",
    lambda a, b: f"0.6 + 0.6*LN(1 + {a})*MIN({b}, 1.5)",
    lambda a, b: f"({a})^0.7*(1 + 0.2*(({b}) - 1))",
)


def benchmark_text(*, elements: int = 250, lookups: int = 55, stocks: int = 40) -> str:
    """Return a model of coupled stocks with the proportions of a published world model: 400 Euler steps from 1900 to 2100.

    `elements` counts everything with an equation, including the four of the control block. `stocks` counts every level,
    including those inside smooths (one) and third-order delays (three). Each stock has bounded inflows and a lifetime much
    longer than a step, so that every value stays finite. The same arguments give the same text. Raises ValueError if there
    are too few elements for the lookups and stocks.
    """
    lags = stocks // 10
    written = stocks - 4 * lags
    mixes = elements - 4 - 4 * written - 2 * lags - 2 * lookups
    if mixes < 1 or lookups < 1 or written < 1:
        message = f"{elements} elements are too few for {lookups} lookups and {stocks} stocks"
        raise ValueError(message)
    sampler = random.Random(1972)
    made = [
        _Stock(n + 1, _fraction(sampler.uniform(50, 500)), _fraction(sampler.uniform(8, 60))) for n in range(written)
    ]
    counts = {"effect": lookups, "mix": mixes, "delayed": lags, "smoothed": lags}
    names = [f"{kind} {n + 1}" for kind, count in counts.items() for n in range(count)]
    names.sort(key=lambda _: sampler.random())  # each may depend on those before it
    blocks: list[str] = []
    for position, name in enumerate(names):
        blocks += _auxiliary(sampler, name, made, names, position)
    effects = [name for name in names if name.startswith("effect")]
    for stock in made:
        blocks += _stock_with_flows(sampler, stock, made, effects)
    return model_text("\n\n".join(blocks), initial=1900, final=2100, step=0.5)


def _fraction(value: float) -> float:
    """The number rounded to an odd multiple of 0.05: never whole, since PySD makes a whole initial value an integer state."""
    return round(value // 0.1 * 0.1 + 0.05, 2)


def _auxiliary(sampler: random.Random, name: str, stocks: list[_Stock], names: list[str], position: int) -> list[str]:
    """The equations of one auxiliary: an effect with its table, a lag, or a mix of two numbers.

    It depends on two numbers around 1: a stock divided by its initial level, and one of the `position` auxiliaries before this.
    """
    kind, number = name.split()
    first = stocks[int(sampler.random() * len(stocks))].ratio
    known = names if position else [stock.ratio for stock in stocks if stock.ratio != first]
    count = position or len(known)
    second = known[int(sampler.random() * count)] if count else "1.1"
    if kind == "effect":
        # five to twelve points of a rising or falling effect, which is 1 where its cause is 1
        count = 5 + int(sampler.random() * 8)
        slope = sampler.uniform(0.15, 0.45) * (1 if sampler.random() < 0.5 else -1)  # noqa: PLR2004 - equally likely
        xs = [round(2.5 * n / (count - 1), 3) for n in range(count)]
        points = ", ".join(f"({x:g},{1 + slope * (x - 1) / (0.5 + abs(x - 1)):.4f})" for x in xs)
        table = block_text(f"effect {number} table({points})", units="Dmnl")
        argument = first if sampler.random() < 0.5 else second  # noqa: PLR2004 - equally likely
        return [table, block_text(f"{name} = effect {number} table({argument})", units="Dmnl")]
    if kind == "mix":
        return [block_text(f"{name} = {_MIXES[int(number) % len(_MIXES)](first, second)}", units="Dmnl")]
    lag = "DELAY3" if kind == "delayed" else "SMOOTH"
    return [block_text(f"{name} = {lag}({first}, {_fraction(sampler.uniform(6, 24))})", units="Dmnl")]


def _stock_with_flows(sampler: random.Random, stock: _Stock, stocks: list[_Stock], effects: list[str]) -> list[str]:
    """A stock with its lifetime, outflow, and inflow, which depends on the stock, another stock's outflow, or neither."""
    number, start, lifetime = stock.number, stock.start, stock.lifetime
    one, two, three = (effects[int(sampler.random() * len(effects))] for _ in range(3))
    before = stocks[number - 2]
    sources = (
        f"Level {number}*MAX(0, 2 - Level {number}/{1.5 * start:g})/lifetime {number}*{one}*{two}",
        f"outflow {before.number}*{start / before.start * before.lifetime / lifetime:.6g}*{one}",
        f"{start}/lifetime {number}*{one}*{two}",
        f"{start}/lifetime {number}*(1 + STEP(0.5, {1910 + 5 * number}) - STEP(0.5, {1935 + 5 * number}))*{one}",
    )
    return [
        block_text(f"Level {number} = INTEG(inflow {number} - outflow {number}, {start})", units="Dmnl"),
        block_text(f"inflow {number} = {sources[number % len(sources)]}", units="1/Year"),
        block_text(f"outflow {number} = Level {number}/lifetime {number}*{three}", units="1/Year"),
        block_text(f"lifetime {number} = {lifetime}", units="Year"),
    ]


class WasmInstance:
    """A module of `compile_wasm` in wasmtime; its functions of `Math` are those of the C library, as in native code."""

    def __init__(self, module: WasmModule) -> None:
        wasmtime: Any = importlib.import_module("wasmtime")
        self.description = module.description
        self._store = wasmtime.Store()
        linker, number = wasmtime.Linker(self._store.engine), wasmtime.ValType.f64()
        library = ctypes.CDLL(ctypes.util.find_library("m"))
        for name in self.description["imports"]["Math"]:
            function, count = getattr(library, name), 2 if name == "pow" else 1
            function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * count
            linker.define_func("Math", name, wasmtime.FuncType([number] * count, [number]), function)
        code = wasmtime.Module(self._store.engine, module.code)
        self._exports = linker.instantiate(self._store, code).exports(self._store)

    def _call(self, name: str) -> int:
        return int(self._exports[name](self._store))

    def _numbers(self, offset: int, count: int = 1) -> NDArray[np.float64]:
        """Numbers in the memory of the module, which may be changed."""
        memory = self._exports["memory"]
        return np.frombuffer(memory.get_buffer_ptr(self._store, memory.data_len(self._store)), float, count, offset)

    def run(
        self, changes: Mapping[str, float] | None = None, member: int = 0
    ) -> tuple[bool, list[NDArray[np.float64]]]:
        """Whether all is finite, and the series of each output; inputs that do not change have their values in the model."""
        for offset in (own for name, own in self.description["random"].items() if name == "member"):
            self._numbers(offset)[0] = member
        for record in self.description["inputs"]:
            self._numbers(record["offset"])[0] = (changes or {}).get(record["cell"], record["value"])
        finite, count = not self._call("run"), len(self.description["time"]["saved"])
        return finite, [self._numbers(record["offset"], count).copy() for record in self.description["outputs"]]

    def find_fault(self) -> tuple[str, float] | None:
        """The cell that fails first, and when."""
        found = self._call("find_fault")
        time = float(self._numbers(self.description["status"]["fault_time"])[0])
        return None if found < 0 else (self.description["cells"][found], time)

    def status(self, name: str) -> float:
        """A number of the status."""
        return float(self._numbers(self.description["status"][name])[0])


_SCRIPT = """
const {code, description, changes} = JSON.parse(require('fs').readFileSync(0));
WebAssembly.instantiate(Buffer.from(code, 'base64'), {Math}).then(({instance}) => {
  const {memory, run} = instance.exports;
  for (const {cell, offset} of description.inputs)
    if (cell in changes) new Float64Array(memory.buffer, offset, 1)[0] = changes[cell];
  run();
  for (const {offset} of description.outputs)
    process.stdout.write(new Uint8Array(memory.buffer, offset, 8 * description.time.saved.length));
});
"""


def run_in_node(module: WasmModule, changes: Mapping[str, float] | None = None) -> list[NDArray[np.float64]]:
    """The series of each output of a WebAssembly module, computed by node, which must be on the path."""
    given = {
        "code": base64.b64encode(module.code).decode(),
        "description": module.description,
        "changes": changes or {},
    }
    command = ["node", "-e", _SCRIPT]
    done = subprocess.run(command, input=json.dumps(given).encode(), capture_output=True, check=True)  # noqa: S603 - its own script
    return list(np.frombuffer(done.stdout).reshape(len(module.description["outputs"]), -1))


def differences_from_run(
    description: Mapping[str, Any], series: Sequence[NDArray[np.float64]], run: xr.Dataset
) -> dict[str, float]:
    """How far each output of a WebAssembly module is from a run of `simulate`, as a share of the largest value of its series.

    It is infinite where only one of them is nan or infinite, or where the run is zero and the output is not.
    """
    found = {}
    for record, values in zip(description["outputs"], series, strict=True):
        variable = find_variable(run, record["name"])
        expected = variable.sel(dict(zip(subscript_dims(variable), record["labels"], strict=True))).values
        with np.errstate(all="ignore"):
            distance = np.where(values == expected, 0.0, np.abs(values - expected))  # infinity equals itself
            distance[np.isnan(values) & np.isnan(expected)] = 0.0
            share = distance.max() / np.abs(expected[np.isfinite(expected)]).max(initial=0.0) if distance.any() else 0.0
        found[record["cell"]] = float(np.nan_to_num(share, nan=np.inf, posinf=np.inf))
    return found


def wasm_difference(model: Model, run: xr.Dataset) -> float:
    """How far a model's WebAssembly module is at most from a run of it, as `differences_from_run` says it.

    It is infinite if only one of them notices a number that is not finite.
    """
    module = compile_wasm(model, integrator=run.attrs["integrator"])
    finite, series = WasmInstance(module).run()
    found = max(differences_from_run(module.description, series, run).values())
    return found if finite == ("not_finite" not in run.attrs) else np.inf
