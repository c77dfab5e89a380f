"""Work in other processes, on this machine or others: an executor of `concurrent.futures`, or a dask client.

Results come in any order. Work whose process dies is done again.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from .errors import SdmodelError, SimulationError
from .extras import load_extra

_MOST_WAITING = 4096
"""The most tasks that are submitted at a time: enough for a large cluster, few enough to keep in memory."""
_TRIES = 3
"""How often a task may fail, and how often in a row processes may die, before the work ends."""
_CONNECT = 10.0
"""Seconds to wait for the scheduler of a cluster."""

_Result = TypeVar("_Result")
_Task = tuple[tuple[Any, ...], int]
"""The arguments of a task, and how often it has failed."""


class DaskClient(Protocol):
    """What is used of a `distributed.Client`."""

    def get_executor(self, **options: Any) -> Executor:
        """Return an executor that runs on the workers of the client."""


Workers: TypeAlias = Executor | DaskClient
"""Who shares the work."""


class WorkerProcesses(Executor):
    """Processes of this machine that share work; another takes the place of one that dies.

    They are new processes that share nothing with this one, on any system. A script that makes them must guard its own work with
    `if __name__ == "__main__":`, as for `multiprocessing`.

    Parameters
    ----------
    count : int
        The number of processes, at least 1.

    Raises
    ------
    SimulationError
        If `count` is not such a number.

    Examples
    --------
    >>> import sdmodel as sd
    >>> with sd.WorkerProcesses(1) as executor:
    ...     executor.submit(abs, -3).result()
    3
    """

    def __init__(self, count: int) -> None:
        if not isinstance(count, int) or count < 1:
            message = f"{count!r} is not a number of processes; give a whole number, at least 1"
            raise SimulationError(message)
        self._count = count
        self._pool = self._new_pool()

    def _new_pool(self) -> Executor:
        import multiprocessing
        import signal
        from concurrent.futures import ProcessPoolExecutor

        # Ctrl-C ends them without a word; this process, which it reaches too, reports it
        quiet = (signal.SIGINT, signal.SIG_DFL)
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, mp_context=spawn, initializer=signal.signal, initargs=quiet)

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Call a function in one of the processes."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:  # one of its processes has died
            self._pool.shutdown(cancel_futures=True)
            self._pool = self._new_pool()
            return self._pool.submit(fn, *args, **kwargs)

    def abandon(self) -> None:
        """Give up what is submitted; what runs ends by itself.

        Python 3.11 never ends if a process dies while its pool holds futures that others have cancelled.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as in Executor
        """End the processes."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def run_tasks(
    workers: Workers, function: Callable[..., _Result], tasks: Iterable[tuple[Any, ...]]
) -> Iterator[_Result]:
    """Call a function in other processes, once with the arguments of each task, and yield the results as they are ready.

    A task that fails is submitted again, unless by an SdmodelError, which is raised. If the caller stops early, tasks that have
    not begun are cancelled.

    Raises SimulationError if a task fails three times, or an executor does not replace a process that has died.
    """
    work = _Work(workers, function, iter(tasks))
    try:
        while (future := work.next_done()) is not None:
            if work.accept(future):
                yield future.result()
    finally:
        if work.running and isinstance(workers, WorkerProcesses):
            workers.abandon()
        else:
            for future in work.running:
                future.cancel()


class _Work(Generic[_Result]):
    """Tasks that wait, run, and have failed; `ready` receives each future that is done."""

    def __init__(self, workers: Workers, function: Callable[..., _Result], waiting: Iterator[tuple[Any, ...]]) -> None:
        self.pool, self.function, self.waiting = _executor(workers), function, waiting
        self.again: deque[_Task] = deque()
        self.running: dict[Future[_Result], _Task] = {}
        self.ready: SimpleQueue[Future[_Result]] = SimpleQueue()
        self.breaks = 0

    def next_done(self) -> Future[_Result] | None:
        """Submit what can be, and wait for a future that is done; None if no task is left."""
        while True:
            try:
                self._submit()
            except BrokenExecutor as cause:
                raise SimulationError(_died(cause)) from cause
            if not self.running:
                return None
            future = self.ready.get()
            if future in self.running:  # else it was lost, and its task waits again
                return future

    def _submit(self) -> None:
        while len(self.running) < _MOST_WAITING:
            if not self.again:
                arguments = next(self.waiting, None)
                if arguments is None:
                    return
                self.again.append((arguments, 0))
            try:
                future = self.pool.submit(self.function, *self.again[0][0])
            except RuntimeError as cause:
                if "after shutdown" not in str(
                    cause
                ):  # but that a process has died, or a script does not guard its work
                    raise
                message = f"the executor takes no more work ({cause}); make another one"
                raise SimulationError(message) from cause
            self.running[future] = self.again.popleft()
            future.add_done_callback(self.ready.put)

    def accept(self, future: Future[_Result]) -> bool:
        """Whether a future has a result; else its task waits again."""
        arguments, failures = self.running.pop(future)
        error = CancelledError("it was cancelled") if future.cancelled() else future.exception()
        if error is None:
            self.breaks = 0
            return True
        if isinstance(error, SdmodelError):
            raise error
        if isinstance(error, BrokenExecutor):  # a process has died, and with it all that was submitted
            self.breaks += 1
            if self.breaks == _TRIES:
                raise SimulationError(_died(error)) from error
            self.again.extend([(arguments, failures), *self.running.values()])
            self.running.clear()
            return False
        if failures + 1 == _TRIES:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            message = f"a part of the work failed {_TRIES} times in other processes ({what}); run it without them"
            raise SimulationError(message) from error
        self.again.append((arguments, failures + 1))
        return False


def _executor(workers: Workers) -> Executor:
    if isinstance(workers, Executor):
        return workers
    if hasattr(workers, "get_executor"):  # the scheduler of dask gives the work of a process that dies to another
        return workers.get_executor(pure=False, retries=_TRIES)
    message = f"executor is {type(workers).__name__}; give an executor of concurrent.futures, or a dask client"
    raise SimulationError(message)


def _died(cause: BaseException) -> str:
    what = str(cause).partition(".")[0]
    guard = "guard the work of a script with if __name__ == '__main__'"
    return f"a process that shares the work has died ({what}); use fewer of them or less memory, {guard}, or take WorkerProcesses"


@contextlib.contextmanager
def dask_client(address: str) -> Iterator[DaskClient]:
    """Connect to the scheduler of a dask cluster.

    Raises SimulationError if dask is not installed, or there is no scheduler at the address.
    """
    distributed = load_extra("distributed", extra="dask", task="--dask", error=SimulationError)
    try:
        client = distributed.Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as cause:
        message = f"--dask: there is no scheduler at {address}; start one with `dask scheduler`, or check the address"
        raise SimulationError(message) from cause
    with client:
        yield client
