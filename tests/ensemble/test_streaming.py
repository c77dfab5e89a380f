"""Streams of members: the same numbers however they are made, and nothing lost whenever they are broken off."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdmodel.ensemble import run_ensemble
from sdmodel.errors import EnsembleError, StoreError
from sdmodel.model import Model
from sdmodel.scenario import Design, Distribution, Samples, Sampling, Variation, make_design
from sdmodel.simulation import RunWarning, simulate
from sdmodel.store import ensemble_record, open_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change, read_scenario

EQUATIONS = """
    Stock = INTEG(inflow - outflow, start)
    inflow = table(Time)*rate
    outflow = Stock/lifetime
    doubled = EXP(Stock/100)
    table((0,1),(10,3))
    start = 10
    rate = 2
    lifetime = 5
"""

WILD = """
    Stock = INTEG(Stock*Stock*rate, start)
    start = 1
    rate = 1
    lifetime = 1
"""
"""A model some members of which break off."""


def _model(equations: str = EQUATIONS, **settings_: float) -> Model:
    return tiny_model(equations, **{"step": 0.125, "saveper": 0.125, **settings_})


def _design(model: Model, count: int, *, seed: int = 5, high: float = 9, name: str = "lifetime") -> Design:
    variations = (
        Variation(name, (), Distribution("RANDOM_UNIFORM", (1, high))),
        Variation("rate", (), Distribution("RANDOM_NORMAL", (0, 4, 2, 0.5))),
    )
    return make_design(model, Sampling("multivariate", count, seed, variations))


def _numbers(path: Path) -> dict[str, bytes]:
    """The bytes of every chunk of an ensemble."""
    return {str(each.relative_to(path)): each.read_bytes() for each in path.glob("*/c/**/*") if each.is_file()}


def test_an_ensemble_is_what_simulate_makes(tmp_path: Path):
    """Its values, attributes of variables, coordinates and record are those of a run of the same constants."""
    model = _model()
    design = _design(model, 5000)
    stored = open_run(run_ensemble(model, design, tmp_path / "a.zarr", save=["Stock", "start"]))
    run = simulate(model, design.dataset(), save=["Stock", "start", "lifetime", "rate"])
    assert list(stored.data_vars) == list(run.data_vars)
    for name in run.variables:
        assert stored[name].variable.identical(run[name].variable), name
    same = set(run.attrs) - {"created", "changes"}
    assert {name: stored.attrs[name] for name in same} == {name: run.attrs[name] for name in same}
    assert stored.attrs["changes"] == ""
    assert stored.attrs["design"] == design.text
    assert stored.attrs["design_sha256"] == design.digest
    assert stored.attrs["seed"] == 5
    assert (stored.attrs["members_done"], stored.attrs["members_not_finite"]) == (5000, 0)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.sampled_from([1, 2, 3, 4097, 9000, 12289]),
    memory=st.sampled_from(["30MiB", "60MiB", "1GiB"]),
    threads=st.sampled_from([1, 2, 3]),
)
def test_numbers_depend_on_neither_memory_nor_threads(
    tmp_path_factory: pytest.TempPathFactory, count: int, memory: str, threads: int
):
    """Nor on how many members there are: one alone is what it is among others."""
    model = _model()
    folder = tmp_path_factory.mktemp("same")
    one = run_ensemble(model, _design(model, count), folder / "a.zarr", save="doubled", memory=memory, threads=threads)
    two = run_ensemble(model, _design(model, 12289), folder / "b.zarr", save=["doubled"])
    first, second = open_run(one).load(), open_run(two).isel(member=slice(0, count)).load()
    for name in first.variables:
        assert np.array_equal(first[name], second[name]), name


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.75, 0.9])
def test_a_killed_ensemble_goes_on_where_it_was(tmp_path: Path, share: float):
    """After SIGKILL at any moment, what is recorded is right, and going on gives the bytes of an undisturbed ensemble."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_streaming import _design, _model, run_ensemble
model = _model(final=20)
run_ensemble(model, _design(model, 60000), sys.argv[1], save=["Stock", "doubled"], memory="60MiB",
             progress=lambda done, count: print(done, flush=True))
"""
    path = tmp_path / "a.zarr"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(done for done in map(int, process.stdout) if done > share * 60000)
        process.send_signal(signal.SIGKILL)
    model = _model(final=20)
    design = _design(model, 60000)
    done = int(ensemble_record(path)[0]["members_done"])
    assert done < 60000
    assert done >= share * 60000 - 20000
    if done:
        before = open_run(path).load()
        expected = simulate(model, design.dataset(0, done), save=["Stock", "doubled", "lifetime", "rate"])
        for name in expected.data_vars:
            assert np.array_equal(before[name], expected[name]), name
    run_ensemble(model, design, path, save=["Stock", "doubled"], resume=True)
    whole = run_ensemble(model, design, tmp_path / "b.zarr", save=["Stock", "doubled"])
    assert _numbers(path) == _numbers(whole)
    assert open_run(path).attrs["members_done"] == 60000
    assert not list(path.rglob("*.partial"))


@pytest.mark.slow
def test_a_process_killed_before_any_file_gets_its_name_loses_nothing(tmp_path: Path):
    """One process for each name that a file is given: what is recorded by then is right, and the rest is made later."""
    code = f"""
import os, pathlib, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_streaming import WILD, _design, _model, run_ensemble
model = _model(WILD, step=1, saveper=1)
design = _design(model, 12000, name="start")
named = pathlib.Path.replace
def replace(self, target):
    if left.pop() is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return named(self, target)
pathlib.Path.replace = replace
for moment in range(100):
    left = [0] * 1000 + [None] + [0] * moment
    child = os.fork()
    if not child:
        run_ensemble(model, design, f"{{sys.argv[1]}}/{{moment}}.zarr", save=["Stock"])
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        print(moment)
        break
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    moments = int(done.stdout)
    model = _model(WILD, step=1, saveper=1)
    design = _design(model, 12000, name="start")
    record = ensemble_record(tmp_path / f"{moments}.zarr")[0]
    assert record["members_not_finite"] > 0
    whole = _numbers(tmp_path / f"{moments}.zarr")
    expected = open_run(tmp_path / f"{moments}.zarr").load()
    seen = set()
    for moment in range(moments):
        path = tmp_path / f"{moment}.zarr"
        count = int(ensemble_record(path)[0]["members_done"]) if path.exists() else -1
        seen.add(count)
        if count > 0:
            xr.testing.assert_equal(open_run(path).load(), expected.isel(member=slice(0, count)))
        run_ensemble(model, design, path, save=["Stock"], resume=True)
        assert _numbers(path) == whole
        again = ensemble_record(path)[0]
        assert {name: again[name] for name in again if name != "created"} == {
            name: record[name] for name in record if name != "created"
        }
    assert seen == {-1, 0, 4096, 8192}
    assert not list(tmp_path.glob(".*"))


class _StopError(Exception):
    pass


def _broken_off(model: Model, design: Design, path: Path, **options) -> int:
    """An ensemble that breaks off on the way; how many members it has stored."""

    def stop(done: int, count: int) -> None:
        if done > 0.6 * count:
            raise _StopError

    with pytest.raises(_StopError):
        run_ensemble(model, design, path, memory="40MiB", progress=stop, **options)
    return int(ensemble_record(path)[0]["members_done"])


def test_what_is_interrupted_keeps_its_blocks(tmp_path: Path):
    """Whatever breaks off the work, what was in hand is stored; what is whole is not made again."""
    model, path = _model(final=50), tmp_path / "a.zarr"
    design = _design(model, 30000)
    done = _broken_off(model, design, path, save=["Stock"])
    assert 0 < done < 30000
    told: list[int] = []
    run_ensemble(model, design, path, save=["Stock"], resume=True, progress=lambda done, _: told.append(done))
    assert min(told) > done
    whole = run_ensemble(model, design, tmp_path / "b.zarr", save=["Stock"])
    assert _numbers(path) == _numbers(whole)
    told.clear()
    run_ensemble(model, design, path, save=["Stock"], resume=True, progress=lambda done, _: told.append(done))
    assert told == []


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("the model", lambda: {"model": _model(EQUATIONS.replace("start = 10", "start = 11"), final=50)}),
        ("the scenario", lambda: {"scenario": "start = 12"}),
        ("the design", lambda: {"seed": 6}),
        ("the design", lambda: {"high": 8}),
        ("the number of members", lambda: {"count": 20000}),
        ("the integrator", lambda: {"integrator": "rk4"}),
        ("TIME STEP", lambda: {"scenario": "TIME STEP = 0.0625"}),
        ("the list of what is saved", lambda: {"save": ["doubled"]}),
        ("the list of what is saved", lambda: {"name": "start"}),
    ],
)  # fmt: skip
def test_an_ensemble_goes_on_only_as_it_began(tmp_path: Path, what: str, change):
    """One line says what differs, and what is stored stays."""
    base = _model(final=50)
    path = tmp_path / "a.zarr"
    _broken_off(base, _design(base, 30000), path, save=["Stock"])
    before = _numbers(path)
    given_ = {"model": base, "seed": 5, "high": 9.0, "count": 30000, "name": "lifetime", "integrator": "euler"}
    given_ |= {"save": ["Stock"], "scenario": ""} | change()
    model, text = given_["model"], given_["scenario"]
    scenario = tmp_path / "s.cin"
    scenario.write_text(text, "utf-8")
    design = _design(model, given_["count"], seed=given_["seed"], high=given_["high"], name=given_["name"])
    with pytest.raises(EnsembleError) as caught:
        run_ensemble(
            model, design, path, save=given_["save"], integrator=given_["integrator"], resume=True,
            scenario=read_scenario(scenario) if text else None,
        )  # fmt: skip
    told = str(caught.value)
    assert "\n" not in told
    assert "a.zarr: cannot go on, " in told
    assert what in told
    assert "--force" in told
    assert _numbers(path) == before


def test_an_ensemble_is_not_overwritten(tmp_path: Path):
    """Unless forced; with `resume` where there is none, one is made."""
    model, path = _model(), tmp_path / "a.zarr"
    run_ensemble(model, _design(model, 3), path, resume=True)
    with pytest.raises(StoreError, match="exists already"):
        run_ensemble(model, _design(model, 3), path)
    run_ensemble(model, _design(model, 4), path, force=True)
    assert open_run(path).sizes["member"] == 4


@contextlib.contextmanager
def _full_disk() -> Iterator[list[bool]]:
    """A disk that becomes full when the list gets an item: then no file may have more than 20 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        yield []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_one_line_and_the_ensemble_goes_on_later(tmp_path: Path):
    """What is stored stays, and the line says how many members that are and how to go on."""
    model, path = _model(final=50), tmp_path / "a.zarr"
    design = _design(model, 30000)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def fill(done: int, count: int) -> None:
        if done > count / 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    with _full_disk(), pytest.raises(StoreError) as caught:
        run_ensemble(model, design, path, save=["Stock"], memory="40MiB", progress=fill)
    done = int(ensemble_record(path)[0]["members_done"])
    told = str(caught.value)
    assert 0 < done < 30000
    assert "\n" not in told
    assert f"a.zarr: cannot be written (File too large); {done:,} of 30,000 members are stored, make room" in told
    assert "--resume" in told
    run_ensemble(model, design, path, save=["Stock"], resume=True)
    whole = run_ensemble(model, design, tmp_path / "b.zarr", save=["Stock"])
    assert _numbers(path) == _numbers(whole)


def test_members_that_are_not_finite_are_counted_and_named(tmp_path: Path):
    """In the record, block by block, whether a stock breaks or only what is saved does for a while."""
    model = _model(WILD, step=1, saveper=1)
    design = _design(model, 10000, name="start")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored = open_run(run_ensemble(model, design, tmp_path / "a.zarr", memory="40MiB"))
    odd = np.flatnonzero(~np.isfinite(stored["stock"].values).all(axis=0))
    assert 0 < odd.size < 10000
    assert stored.attrs["members_not_finite"] == odd.size
    assert stored.attrs["first_not_finite"] == " ".join(map(str, odd[:5]))
    assert "not_finite" not in stored.attrs


def test_what_is_drawn_outside_its_range_is_told(tmp_path: Path):
    """Once for all members, with the constant's name, as a warning; what is in its range is not told."""
    blocks = "x = 1 ~ m [0,5] ~ | y = 1 ~ m [0,50] ~ | rate = 1 ~ ~ | Stock = INTEG(x*rate + y, 0) ~ ~ |"
    model = tiny_model(blocks)
    variations = tuple(Variation(name, (), Distribution("RANDOM_UNIFORM", (0, 9))) for name in ("x", "y"))
    design = make_design(model, Sampling("multivariate", 5000, 1, variations))
    with pytest.warns(RunWarning) as caught:
        run_ensemble(model, design, tmp_path / "a.zarr", save=["Stock"])
    assert [str(each.message) for each in caught] == ["some members have values outside the range of 'x'"]


def test_a_scenario_holds_for_all_members(tmp_path: Path):
    """Its numbers and its tables, in every slab; what is drawn goes over it."""
    model = _model(final=50)
    design = _design(model, 12000)
    scenario = tmp_path / "s.cin"
    scenario.write_text("start = 50\ntable((0,2),(10,1))\nlifetime = 1\n", "utf-8")
    stored = open_run(
        run_ensemble(model, design, tmp_path / "a.zarr", save=["Stock"], scenario=scenario, memory="40MiB")
    )
    run = simulate(model, design.dataset(), scenario=scenario, save=["Stock", "lifetime", "rate"])
    assert np.array_equal(stored["stock"], run["stock"])
    assert stored.attrs["scenario"] == run.attrs["scenario"]
    assert read_change("start = 50").values == (50.0,)


def test_drawn_constants_are_stored_along_members_even_if_they_do_not_differ(tmp_path: Path):
    """Members of a block that share a number are members all the same; labels of a constant stay together."""
    blocks = """
        tier: low, high ~ ~ |
        price[tier] = 1, 2 ~ ~ |
        rate = 3 ~ ~ |
        Stock[tier] = INTEG(price[tier]*rate, 0) ~ ~ |
    """
    model = tiny_model(blocks)
    samples = Samples(("rate", "price[high]"), np.array([[4, 1.5], [4, 1.25], [4, 1.75]]))
    design = make_design(model, Sampling("file", samples=samples))
    stored = open_run(run_ensemble(model, design, tmp_path / "a.zarr", save=["Stock"]))
    assert stored["rate"].dims == ("member",)
    assert set(stored["rate"].values) == {4.0}
    assert stored["price"].dims == ("tier", "member")
    assert set(stored["price"].sel(tier="low").values) == {1.0}
    assert np.array_equal(stored["price"].sel(tier="high"), [1.5, 1.25, 1.75])


@pytest.mark.parametrize(
    ("memory", "words"),
    [("1KB", r"memory: 0\.000954 MiB do not hold 4096 members; allow \d\dMiB or"), ("lots", "write a size like")],
)
def test_memory_that_holds_no_block_is_told(tmp_path: Path, memory: str, words: str):
    """Before anything is made."""
    model = _model()
    with pytest.raises(Exception, match=words):
        run_ensemble(model, _design(model, 5000), tmp_path / "a.zarr", memory=memory)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the height of memory is told by Linux")
def test_a_hundred_thousand_members_need_no_gibibyte(tmp_path: Path):
    """The process that streams ten variables of as many members, 2.6 GB of numbers, stays below it, all imports included."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_streaming import _design, run_ensemble, tiny_model
lines = [f"Level {{n}} = INTEG(rate - Level {{n}}/lifetime, {{n}})" for n in range(10)]
model = tiny_model("\\n".join([*lines, "rate = 2", "lifetime = 5"]), final=80, step=0.25, saveper=0.25)
run_ensemble(model, _design(model, 100_000), sys.argv[1], save=[f"Level {{n}}" for n in range(10)])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    path = tmp_path / "a.zarr"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert open_run(path).nbytes > 2.5e9
    assert int(done.stdout) * 1024 < 2**30


def test_an_ensemble_opens_as_any_zarr_does(tmp_path: Path):
    """Plain xarray reads it, names, dimensions, units and dates."""
    model = _model(initial=2020, final=2030)
    path = run_ensemble(model, _design(model, 10), tmp_path / "a.zarr", save=["Stock"])
    with xr.open_zarr(path, consolidated=False, chunks=None) as plain:
        assert plain["stock"].dims == ("time", "member")
        assert plain["stock"].attrs["long_name"] == "Stock"
        assert str(plain["date"].values[0]).startswith("2020-01-01")
    assert os.path.lexists(path)
