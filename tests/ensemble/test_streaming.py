"""Streamed ensembles: the same numbers however they are made, and nothing lost when they are interrupted."""

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
"""A model in which the stock of some members becomes infinite."""


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
    return {str(file.relative_to(path)): file.read_bytes() for file in path.glob("*/c/**/*") if file.is_file()}


@pytest.fixture(scope="module")
def many_members(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """12289 members, made with the default memory and all threads."""
    model = _model()
    path = tmp_path_factory.mktemp("many") / "a.zarr"
    return open_run(run_ensemble(model, _design(model, 12289), path, save=["doubled"])).load()


def test_an_ensemble_equals_a_run_of_simulate(tmp_path: Path):
    """Its values, attributes, coordinates and record are those of a run with the same constants."""
    model = _model()
    design = _design(model, 5000)
    stored = open_run(run_ensemble(model, design, tmp_path / "a.zarr", save=["Stock", "start"]))
    run = simulate(model, design.dataset(), save=["Stock", "start", "lifetime", "rate"])
    assert list(stored.data_vars) == list(run.data_vars)
    for name in run.variables:
        assert stored[name].variable.identical(run[name].variable), name
    same = set(run.attrs) - {"created", "changes"}
    kept, expected = (xr.Dataset(attrs={name: own.attrs[name] for name in same}) for own in (stored, run))
    assert kept.identical(expected)
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
def test_numbers_do_not_depend_on_memory_or_threads(
    tmp_path_factory: pytest.TempPathFactory, many_members: xr.Dataset, count: int, memory: str, threads: int
):
    """Nor on the number of members: a single one has the same numbers as among others."""
    model = _model()
    folder = tmp_path_factory.mktemp("same")
    one = run_ensemble(model, _design(model, count), folder / "a.zarr", save="doubled", memory=memory, threads=threads)
    first, second = open_run(one).load(), many_members.isel(member=slice(0, count))
    for name in first.variables:
        assert np.array_equal(first[name], second[name]), name


KILLED = 36000


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of the ensemble that the test below interrupts."""
    model = _model()
    path = tmp_path_factory.mktemp("whole") / "b.zarr"
    return _numbers(run_ensemble(model, _design(model, KILLED), path, save=["Stock", "doubled"]))


@pytest.mark.parametrize("share", [0, 0.5, 0.9])
def test_a_killed_ensemble_resumes_where_it_was(tmp_path: Path, uninterrupted: dict[str, bytes], share: float):
    """After SIGKILL at any moment the record is right, and resuming gives the bytes of an uninterrupted ensemble."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_streaming import KILLED, _design, _model, run_ensemble
model = _model()
run_ensemble(model, _design(model, KILLED), sys.argv[1], save=["Stock", "doubled"], memory="28MiB",
             progress=lambda done, count: print(done, flush=True))
"""
    path = tmp_path / "a.zarr"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(done for done in map(int, process.stdout) if done > share * KILLED)
        process.send_signal(signal.SIGKILL)
    model = _model()
    design = _design(model, KILLED)
    done = int(ensemble_record(path)[0]["members_done"])
    assert done < KILLED
    assert done >= share * KILLED - 12000
    if done:
        before = open_run(path).load()
        expected = simulate(model, design.dataset(0, done), save=["Stock", "doubled", "lifetime", "rate"])
        for name in expected.data_vars:
            assert np.array_equal(before[name], expected[name]), name
    run_ensemble(model, design, path, save=["Stock", "doubled"], resume=True)
    assert _numbers(path) == uninterrupted
    assert open_run(path).attrs["members_done"] == KILLED
    assert not list(path.rglob("*.partial"))


@pytest.mark.slow
def test_a_process_killed_before_any_rename_loses_nothing(tmp_path: Path):
    """One process per renamed file: what is recorded by then is right, and the rest is made later."""
    code = f"""
import os, pathlib, signal, sys, zarr
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_streaming import WILD, _design, _model, run_ensemble, simulate
model = _model(WILD, step=1, saveper=1)
design = _design(model, 12000, name="start")
simulate(model, design.dataset(0, 2), save=["Stock"])  # compiled once for all children
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


def _interrupted(model: Model, design: Design, path: Path, **options) -> int:
    """Interrupt an ensemble and return the number of stored members."""

    def stop(done: int, count: int) -> None:
        if done > 0.6 * count:
            raise _StopError

    with pytest.raises(_StopError):
        run_ensemble(model, design, path, memory="40MiB", progress=stop, **options)
    return int(ensemble_record(path)[0]["members_done"])


def test_an_interrupted_ensemble_keeps_its_blocks(tmp_path: Path):
    """Pending blocks are stored even after an error; finished members are not computed again."""
    model, path = _model(final=50), tmp_path / "a.zarr"
    design = _design(model, 30000)
    done = _interrupted(model, design, path, save=["Stock"])
    assert 0 < done < 30000
    reported: list[int] = []
    run_ensemble(model, design, path, save=["Stock"], resume=True, progress=lambda done, _: reported.append(done))
    assert min(reported) > done
    whole = run_ensemble(model, design, tmp_path / "b.zarr", save=["Stock"])
    assert _numbers(path) == _numbers(whole)
    reported.clear()
    run_ensemble(model, design, path, save=["Stock"], resume=True, progress=lambda done, _: reported.append(done))
    assert reported == []


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """An interrupted ensemble and its model."""
    base = _model(final=50)
    path = tmp_path_factory.mktemp("unfinished") / "a.zarr"
    _interrupted(base, _design(base, 30000), path, save=["Stock"])
    return base, path


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
        ("the list of saved variables", lambda: {"save": ["doubled"]}),
        ("the list of saved variables", lambda: {"name": "start"}),
    ],
)  # fmt: skip
def test_an_ensemble_resumes_only_with_the_same_settings(
    tmp_path: Path, unfinished: tuple[Model, Path], what: str, change
):
    """One line says what differs, and stored members stay."""
    base, path = unfinished
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
    message = str(caught.value)
    assert "\n" not in message
    assert "a.zarr: cannot be resumed, " in message
    assert what in message
    assert "--force" in message
    assert _numbers(path) == before


def test_an_ensemble_is_not_overwritten(tmp_path: Path):
    """Unless forced; `resume` starts a new one if there is none."""
    model, path = _model(), tmp_path / "a.zarr"
    run_ensemble(model, _design(model, 3), path, resume=True)
    with pytest.raises(StoreError, match="exists already"):
        run_ensemble(model, _design(model, 3), path)
    run_ensemble(model, _design(model, 4), path, force=True)
    assert open_run(path).sizes["member"] == 4


@contextlib.contextmanager
def _full_disk() -> Iterator[list[bool]]:
    """Restore the limit of the size of files, which a test lowers to 20 kB as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        yield []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_an_ensemble_resumes_after_a_full_disk(tmp_path: Path):
    """Stored members stay, and one line says how many they are and how to continue."""
    model, path = _model(final=50), tmp_path / "a.zarr"
    design = _design(model, 30000)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def fill(done: int, count: int) -> None:
        if done > count / 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    with _full_disk(), pytest.raises(StoreError) as caught:
        run_ensemble(model, design, path, save=["Stock"], memory="40MiB", progress=fill)
    done = int(ensemble_record(path)[0]["members_done"])
    message = str(caught.value)
    assert 0 < done < 30000
    assert "\n" not in message
    assert f"a.zarr: cannot be written (File too large); {done:,} of 30,000 members are stored, make room" in message
    assert "--resume" in message
    run_ensemble(model, design, path, save=["Stock"], resume=True)
    whole = run_ensemble(model, design, tmp_path / "b.zarr", save=["Stock"])
    assert _numbers(path) == _numbers(whole)


def test_members_that_are_not_finite_are_counted(tmp_path: Path):
    """In the record, block by block, whether a stock fails or only a saved value is infinite for a while."""
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


def test_samples_outside_a_range_are_reported(tmp_path: Path):
    """Once for all members, as a warning with the constant's name; constants within their ranges are not mentioned."""
    blocks = "x = 1 ~ m [0,5] ~ | y = 1 ~ m [0,50] ~ | rate = 1 ~ ~ | Stock = INTEG(x*rate + y, 0) ~ ~ |"
    model = tiny_model(blocks)
    variations = tuple(Variation(name, (), Distribution("RANDOM_UNIFORM", (0, 9))) for name in ("x", "y"))
    design = make_design(model, Sampling("multivariate", 5000, 1, variations))
    with pytest.warns(RunWarning) as caught:
        run_ensemble(model, design, tmp_path / "a.zarr", save=["Stock"])
    assert [str(warning.message) for warning in caught] == ["some members have values outside the range of 'x'"]


def test_a_scenario_holds_for_all_members(tmp_path: Path):
    """Its numbers and its tables, in every slab; sampled constants override it."""
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


def test_sampled_constants_are_stored_along_members(tmp_path: Path):
    """Even if all members of a block share a number; the labels of a constant stay together."""
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
    [("1KB", r"memory: 0\.000954 MiB cannot hold 4096 members; allow \d\dMiB or"), ("lots", "write a size like")],
)
def test_too_little_memory_is_reported(tmp_path: Path, memory: str, words: str):
    """Before anything is made."""
    model = _model()
    with pytest.raises(Exception, match=words):
        run_ensemble(model, _design(model, 5000), tmp_path / "a.zarr", memory=memory)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux reports the peak of memory")
def test_fifty_thousand_members_need_less_than_their_numbers(tmp_path: Path):
    """A process that streams five variables, 640 MB of numbers, stays below 640 MiB, all imports included."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_streaming import _design, run_ensemble, tiny_model
lines = [f"Level {{n}} = INTEG(rate - Level {{n}}/lifetime, {{n}})" for n in range(5)]
model = tiny_model("\\n".join([*lines, "rate = 2", "lifetime = 5"]), final=80, step=0.25, saveper=0.25)
run_ensemble(model, _design(model, 50_000), sys.argv[1], save=[f"Level {{n}}" for n in range(5)])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    path = tmp_path / "a.zarr"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert open_run(path).nbytes > 6.4e8
    assert int(done.stdout) < 640 * 1024


def test_plain_xarray_opens_an_ensemble(tmp_path: Path):
    """Names, dimensions, units and dates."""
    model = _model(initial=2020, final=2030)
    path = run_ensemble(model, _design(model, 10), tmp_path / "a.zarr", save=["Stock"])
    with xr.open_zarr(path, consolidated=False, chunks=None) as plain:
        assert plain["stock"].dims == ("time", "member")
        assert plain["stock"].attrs["long_name"] == "Stock"
        assert str(plain["date"].values[0]).startswith("2020-01-01")
    assert os.path.lexists(path)
