"""Ensembles shared among processes: the same bytes as on one machine, whatever order they come in and whoever dies."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdmodel.analysis import attribute_levers, find_sensitivities, sweep_levers
from sdmodel.ensemble import run_ensemble
from sdmodel.errors import Fault, Place, ScenarioError, SimulationError, StoreError
from sdmodel.model import Model
from sdmodel.scenario import Design, Distribution, Sampling, Scenario, Variation, make_design
from sdmodel.simulation import simulate
from sdmodel.store import ensemble_record, open_for_append, open_for_writing, open_run
from sdmodel.testing import tiny_model
from sdmodel.vensim import read_change
from sdmodel.workers import WorkerProcesses, run_tasks

MODEL = tiny_model(
    "Stock = INTEG(Stock*rate - Stock/lifetime, 10)\ndoubled = EXP(Stock/100)\nrate = 0.2\nlifetime = 5",
    final=20, step=0.125, saveper=1,
)  # fmt: skip
SAVED = ["Stock", "doubled"]
COUNT = 24_577
"""Members in 7 blocks, of which the last has one member, whose code would round otherwise alone."""


def _design(method: Any = "multivariate", count: int = COUNT, model: Model = MODEL) -> Design:
    variations = (
        Variation("lifetime", (), Distribution("RANDOM_UNIFORM", (1, 9))),
        Variation("rate", (), Distribution("RANDOM_NORMAL", (0, 2, 0.2, 0.1))),
    )
    return make_design(model, Sampling(method, count, 5, variations))


def _files(path: Path) -> dict[str, bytes]:
    """All files of an ensemble, without the moment when it was made."""
    files = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    record = json.loads(files.pop("zarr.json"))["attributes"]
    kept = {name: value for name, value in record.items() if name not in ("created", "document_sha256")}
    return files | {"record": json.dumps(kept).encode()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the ensemble that one process makes."""
    return _files(run_ensemble(MODEL, _design(), tmp_path_factory.mktemp("alone") / "a.zarr", save=SAVED))


class _Sent(ThreadPoolExecutor):
    """Threads that get everything as another process would: pickled."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def work() -> Any:
            own, values, options = pickle.loads(sent)  # noqa: S301 - made here
            return pickle.loads(pickle.dumps(own(*values, **options)))  # noqa: S301 - made here

        sent = pickle.dumps((fn, args, kwargs))
        return super().submit(work)


class _Shuffled(Executor):
    """Does what it is asked for in a random order, as soon as nothing more comes."""

    def __init__(self, seed: int) -> None:
        self.random, self.waiting = random.Random(seed), list[tuple[Future[Any], Callable[[], Any]]]()
        self.timer: threading.Timer | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        if self.timer:
            self.timer.cancel()
        self.timer = threading.Timer(0.05, self._work)
        self.timer.start()
        return future

    def _work(self) -> None:
        waiting, self.waiting = self.waiting, []
        self.random.shuffle(waiting)
        for future, work in waiting:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except Exception as error:  # noqa: BLE001 - as an executor does
                    future.set_exception(error)


class _Killer:
    """Progress that kills a process once a third of the members is stored."""

    def __init__(self, process: Callable[[], int]) -> None:
        self.process, self.killed, self.reported = process, 0, list[int]()

    def __call__(self, done: int, count: int) -> None:
        self.reported.append(done)
        if not self.killed and done > count / 3:
            self.killed = self.process()
            os.kill(self.killed, signal.SIGKILL)


@pytest.mark.slow
def test_a_process_that_dies_loses_nothing(tmp_path: Path, alone: dict[str, bytes]):
    """New processes, by spawn: another takes the place of the one that is killed."""
    with WorkerProcesses(2) as executor:
        killer = _Killer(lambda: next(iter(executor._pool._processes)))
        path = run_ensemble(MODEL, _design(), tmp_path / "a.zarr", save=SAVED, executor=executor, progress=killer)
    assert killer.killed
    assert killer.reported == sorted(set(killer.reported))
    assert killer.reported[-1] == COUNT
    assert _files(path) == alone


@pytest.mark.slow
def test_a_dask_worker_that_dies_loses_nothing(tmp_path: Path, alone: dict[str, bytes]):
    """A cluster of two processes, of which one is killed in the middle."""
    distributed = pytest.importorskip("distributed", reason="needs dask")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": "ERROR"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        killer = _Killer(lambda: next(iter(cluster.workers.values())).pid)
        path = run_ensemble(MODEL, _design(), tmp_path / "a.zarr", save=SAVED, executor=client, progress=killer)
    assert killer.killed
    assert _files(path) == alone


@pytest.mark.parametrize("seed", [1, 2])
def test_blocks_come_in_any_order(tmp_path: Path, alone: dict[str, bytes], seed: int):
    """An interrupted ensemble shows exactly the members that are stored, and the rest is made later, by whoever it is."""

    class StopError(Exception):
        pass

    def stop(done: int, count: int) -> None:
        if done > count / 2:
            raise StopError

    path = tmp_path / "a.zarr"
    with contextlib.suppress(StopError):
        run_ensemble(MODEL, _design(), path, save=SAVED, executor=_Shuffled(seed), progress=stop)
    record = ensemble_record(path)[0]
    bits = int(record["blocks_done"], 16)
    stored = [place for place in range(7) if bits >> place & 1]
    assert stored != list(range(len(stored)))
    run = open_run(path)
    members = run["member"].values
    assert members.tolist() == [member for member in range(COUNT) if member // 4096 in stored]
    assert record["members_done"] == len(members)
    expected = simulate(MODEL, _design().dataset().isel(member=members), save=SAVED)
    assert np.array_equal(run["stock"], expected["stock"])
    with _Sent(1) as executor:
        run_ensemble(MODEL, _design(), path, save=SAVED, resume=True, executor=executor if seed == 1 else None)
    assert _files(path) == alone


def test_members_that_are_not_finite_are_counted_in_any_order(tmp_path: Path):
    """And the first of them are listed, as if they had come in order."""
    model = tiny_model("Stock = INTEG(Stock*Stock*rate, start)\nstart = 1\nrate = 0.3\nlifetime = 1", final=20)
    paths = [
        run_ensemble(model, _design(model=model), tmp_path / f"{name}.zarr", save=["Stock"], executor=executor)
        for name, executor in (("alone", None), ("shared", _Shuffled(3)))
    ]
    alone, shared = (ensemble_record(path)[0] for path in paths)
    assert 0 < alone["members_not_finite"] < COUNT
    for name in ("members_not_finite", "first_not_finite", "members_done"):
        assert shared[name] == alone[name]
    assert "blocks_done" not in shared


@pytest.mark.parametrize("method", ["univariate", "latin hypercube", "file"])
def test_every_design_is_shared(tmp_path: Path, method: str):
    """A Latin hypercube and a file of samples send only the constants of the members that are asked for."""
    if method == "file":
        (tmp_path / "s.tab").write_text("lifetime\trate\n" + "".join(f"{n % 7 + 1}\t0.{n % 9}\n" for n in range(9000)))
        (tmp_path / "s.vsc").write_text("9000,F,1,s.tab,0\n")
        from sdmodel.vensim import read_sampling

        design = make_design(MODEL, read_sampling(tmp_path / "s.vsc"))
    else:
        design = _design(method, 9000)
    small = len(pickle.dumps(design.part(4096, 4200)))
    assert small < (4200 - 4096) * 16 + 4000
    assert np.array_equal(design.part(4096, 4200).values(4100, 4200), design.values(4100, 4200))
    with _Sent(2) as executor:
        paths = [
            run_ensemble(MODEL, design, tmp_path / f"{place}.zarr", save=["Stock"], executor=own)
            for place, own in enumerate((None, executor))
        ]
    assert _files(paths[0]) == _files(paths[1])


def test_a_worker_does_not_write_into_another_ensemble(tmp_path: Path):
    """One that has taken the name of the ensemble that it works for."""
    path = run_ensemble(MODEL, _design(count=3), tmp_path / "a.zarr", save=SAVED)
    with open_for_append(path) as ensemble:
        mark = ensemble.fingerprint
    assert open_for_writing(path, mark).count == 3
    run_ensemble(MODEL, _design(count=4), path, save=SAVED, force=True)
    with pytest.raises(StoreError, match=r"a\.zarr: was removed or replaced by another process"):
        open_for_writing(path, mark)


def test_analyses_are_shared():
    """Runs, sweeps, attributions and sensitivities have the same numbers from other processes."""
    design = _design(count=2049)
    policy = Scenario("policy", (read_change("rate = 0.3"), read_change("lifetime = 8")))
    calls: list[Callable[..., Any]] = [
        lambda **options: simulate(MODEL, design.dataset(), **options),
        lambda **options: simulate(MODEL, {"rate": [0.1, 0.2]}, integrator="diff", **options),
        lambda **options: sweep_levers(MODEL, {"rate": [0.1, 0.3], "lifetime": [2, 3]}, **options),
        lambda **options: attribute_levers(MODEL, policy, save=["Stock"], **options),
        lambda **options: find_sensitivities(
            MODEL, "Stock", sampling=Sampling("multivariate", variations=(
                Variation("rate", (), Distribution("RANDOM_UNIFORM", (0.1, 0.3))),
            )), **options,
        ),
    ]  # fmt: skip
    with _Sent(2) as executor:
        for call in calls:
            done: list[int] = []
            alone, shared = call(), call(executor=executor, progress=lambda count, _, done=done: done.append(count))
            assert done
            assert shared.assign_attrs(created="").identical(alone.assign_attrs(created=""))


def _fail(path: Path, failures: int) -> int:
    """Fail so many times; a file counts."""
    with path.open("a") as file:
        file.write("x")
    if path.stat().st_size <= failures:
        message = "no luck"
        raise RuntimeError(message)
    return path.stat().st_size


def test_work_that_fails_is_done_again(tmp_path: Path):
    """Up to three times; then one line says what failed."""
    with ThreadPoolExecutor(1) as executor:
        assert list(run_tasks(executor, _fail, [(tmp_path / "a", 2)])) == [3]
        with pytest.raises(SimulationError, match=r"failed 3 times in other processes \(RuntimeError: no luck\)"):
            list(run_tasks(executor, _fail, [(tmp_path / "b", 9)]))


def _refuse() -> None:
    raise ScenarioError([Fault(Place("a.cin", 3), "it is wrong"), Fault("b", "too")])


def test_an_error_of_the_user_is_raised_at_once():
    """From another process it has the same text."""
    with _Sent(1) as executor, pytest.raises(ScenarioError, match=r"a\.cin:3:1: it is wrong\nb: too"):
        list(run_tasks(executor, _refuse, [()]))


class _Broken(ThreadPoolExecutor):
    """An executor whose process has died, and that does not replace it."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("A process was terminated abruptly. More"))
        return future


def test_an_executor_that_stays_broken_ends_the_work():
    """With one line."""
    with pytest.raises(SimulationError, match=r"has died \(A process was terminated abruptly\); use fewer"):
        list(run_tasks(_Broken(1), abs, [(1,), (2,)]))


def test_processes_end_at_ctrl_c_and_work_goes_on_after_what_is_given_up():
    """A process that dies must not meet futures that are cancelled, for which Python 3.11 waits without end."""
    with WorkerProcesses(1) as executor:
        assert executor.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_DFL
        given_up = run_tasks(executor, abs, [(-1,)] * 20)
        next(given_up)
        given_up.close()
        assert list(run_tasks(executor, abs, [(-1,)])) == [1]


def test_an_executor_that_is_shut_down_is_refused():
    """With one line."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(SimulationError, match="the executor takes no more work .*; make another one"):
        list(run_tasks(executor, abs, [(1,)]))


def test_what_is_not_an_executor_is_refused():
    """A number of processes, for instance."""
    with pytest.raises(SimulationError, match="executor is int; give an executor of concurrent.futures, or a dask"):
        simulate(MODEL, {"rate": [0.1, 0.2]}, executor=4)  # type: ignore[arg-type]
    with pytest.raises(SimulationError, match="0 is not a number of processes"):
        WorkerProcesses(0)
