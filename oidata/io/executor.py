"""Where tasks run: in processes of this machine, or on a Dask cluster; both are concurrent.futures executors.

A task is a function of a module, and may run twice: a cluster repeats what it lost with a worker, though that may only
have been cut off and still be writing. So what a task leaves behind must be the same each time, and appear all at once.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from concurrent.futures import FIRST_COMPLETED, CancelledError, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_all_start_methods, get_context
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeVar

from oidata.errors import ClusterError, UsageError
from oidata.io import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor, Future
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection

    from distributed import Client

Job = TypeVar("Job")
Result = TypeVar("Result")

_TICK_S: Final = 0.5
_AGAIN: Final = "Run the same command again: what is finished is kept."
# What Dask logs is also raised. Who configures distributed.logging, or imports distributed first, keeps it.
_LOGGING: Final = {"logging": dict.fromkeys(("distributed", "distributed.client", "tornado.application"), "critical")}
_CONFIG: Final = {"distributed.admin.large-graph-warning-threshold": "1GiB"}  # jobs hold tables, and not by mistake


@dataclass(frozen=True)
class Workers:
    """Where tasks run: an executor, and how many tasks it runs at once."""

    executor: Executor
    number: int

    def run(
        self, task: Callable[[Job], Result], jobs: Iterable[Job], tick: Callable[[], None] = lambda: None
    ) -> Iterator[Result]:
        """The results of `task` for all jobs, as they finish: a slow one holds up none of the others.

        At most 2 x number jobs are under way, so that jobs may be large and many. `tick` is called after each wait, of
        half a second at most. The first error is raised and cancels the others, but for those that run or that a
        process already holds.
        """
        todo = iter(jobs)
        under_way: set[Future[Result]] = set()
        try:
            while True:
                for job in islice(todo, 2 * self.number - len(under_way)):
                    under_way.add(self.executor.submit(task, job))
                if not under_way:
                    return
                done, under_way = wait(under_way, _TICK_S, FIRST_COMPLETED)
                tick()
                for future in done:
                    yield future.result()
        finally:
            for future in under_way:
                future.cancel()


def workers(
    scheduler: str = "", num_processes: int | None = None, *, preload: Sequence[str] = (), timeout_s: float = 20.0
) -> AbstractContextManager[Workers]:
    """Workers of the Dask cluster whose scheduler is at tcp://host:port, or, without one, of this machine.

    On this machine these are `num_processes` processes, by default one per core; one alone is a thread of this process.
    `preload` names modules that the tasks need: imported once, not by each process. On a cluster a worker that is lost
    costs its tasks, which run again elsewhere; while there is none at all, they wait for one.

    Raises UsageError for an address that is none, and where processes cannot start. Raises ClusterError for a scheduler
    that does not answer, or has no workers, within `timeout_s`; where Dask is not installed; for a process that ends,
    a scheduler that is lost, and a task over which several workers of a cluster die.
    """
    if scheduler:
        return _cluster(scheduler, timeout_s)
    number = num_processes or num_cores()
    return _thread() if number == 1 else _processes(number, preload)


def num_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def process_pool(number: int, preload: Sequence[str] = ()) -> Iterator[ProcessPoolExecutor]:
    """Processes of this machine, which end with this one however it ends, and at once on Ctrl-C.

    Raises UsageError where they cannot start.
    """
    # Not forked from this process, which may run threads.
    context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
    context.set_forkserver_preload(list(preload))
    theirs, ours = context.Pipe(duplex=False)
    with theirs, ours, ProcessPoolExecutor(number, context, _begin, (theirs,)) as pool:
        try:
            _check_start(pool)
            yield pool
        except KeyboardInterrupt:
            ours.close()
            raise


def _begin(lifeline: Connection) -> None:
    """In a new process: leave Ctrl-C to the parent, and end when the parent lets go of the other end of `lifeline`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    try:
        lifeline.recv_bytes()  # nothing is ever sent
    finally:
        os._exit(1)


def _check_start(pool: ProcessPoolExecutor) -> None:
    """Raise UsageError if a process ends before it has done anything: each begins by running the main script."""
    try:
        pool.submit(int).result()
    except BrokenProcessPool as error:
        message = "No process can be started: each runs the main script first, and that fails."
        raise UsageError(message, 'Put what the script does under `if __name__ == "__main__":`.') from error


@contextmanager
def _processes(number: int, preload: Sequence[str]) -> Iterator[Workers]:
    with process_pool(number, preload) as pool:
        try:
            yield Workers(pool, number)
        except BrokenProcessPool as error:
            raise ClusterError("A worker process ended unexpectedly: memory may not have sufficed.", _AGAIN) from error


@contextmanager
def _thread() -> Iterator[Workers]:
    pool = ThreadPoolExecutor(1, "oidata-worker")
    is_interrupted = False
    try:
        yield Workers(pool, 1)
    except KeyboardInterrupt:
        is_interrupted = True
        raise
    finally:
        pool.shutdown(wait=not is_interrupted)


@contextmanager
def _cluster(scheduler: str, timeout_s: float) -> Iterator[Workers]:
    """The workers of a Dask cluster. What goes wrong is told in our words, and by nobody else."""
    _check_address(scheduler)
    try:
        import dask

        with dask.config.set(_LOGGING):
            from distributed import Client, KilledWorker
    except ImportError as error:
        hint = "Install it: pip install 'oidata[dask]'"
        raise ClusterError("A cluster needs Dask, which is not installed.", hint) from error
    _check_scheduler(scheduler, timeout_s)
    with dask.config.set(_CONFIG), Client(scheduler, timeout=timeout_s, set_as_default=False) as client:
        number = _num_threads(client, scheduler, timeout_s)
        executor = client.get_executor(pure=False)
        _check_installation(executor, scheduler)
        try:
            yield Workers(executor, number)
        except KilledWorker as error:
            task, last = str(error.task).partition("-")[0], error.last_worker.address
            message = f"{error.allowed_failures + 1} workers died over one {task}, the last at {last}."
            raise ClusterError(message, "Look into its log; memory may not have sufficed.") from error
        except CancelledError as error:
            raise ClusterError(f"The scheduler at {scheduler} is gone.", _AGAIN) from error


def _check_address(scheduler: str) -> None:
    if not re.fullmatch(r"tcp://([^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):\d{1,5}", scheduler):
        raise UsageError(f"{scheduler!r} is no address of a Dask scheduler.", "Give it as tcp://host:8786.")


def _check_scheduler(scheduler: str, timeout_s: float) -> None:
    """Raise ClusterError unless a scheduler answers. Dask's client waits for ever for a server that never does."""
    try:
        kind = loop.run(_kind_of_server(scheduler, timeout_s))
    except Exception as error:  # Dask makes anything of what another server says
        hint = "It is the address that the scheduler logs when it starts, not that of its dashboard."
        raise ClusterError(f"No Dask scheduler answers at {scheduler}.", hint) from error
    if kind != "Scheduler":
        raise ClusterError(f"At {scheduler} is a Dask {kind.lower()}.", "Give the address of the scheduler.")


async def _kind_of_server(address: str, timeout_s: float) -> str:
    from distributed import rpc

    async with asyncio.timeout(timeout_s), rpc(address) as server:
        return str((await server.identity())["type"])


def _num_threads(client: Client, scheduler: str, timeout_s: float) -> int:
    try:
        client.wait_for_workers(1, timeout_s)
    except TimeoutError as error:
        hint = f"Start one: dask worker {scheduler}"
        raise ClusterError(f"The scheduler at {scheduler} has no workers.", hint) from error
    return sum(client.nthreads().values())


def _check_installation(executor: Executor, scheduler: str) -> None:
    """Raise ClusterError unless the scheduler and a worker know the functions that they will be asked to run."""
    try:
        executor.submit(num_cores).result()
    except (ImportError, RuntimeError) as error:
        hint = "Install this version of oidata for the scheduler and for all workers."
        raise ClusterError(f"The cluster at {scheduler} does not know oidata.", hint) from error
