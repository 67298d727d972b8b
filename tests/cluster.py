"""A real Dask cluster on loopback: a scheduler and its workers, each a process of its own that a test may kill."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60

# Two workers that die over a task are one too many, so that tests need no more of them.
ENVIRONMENT = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}


@dataclass(frozen=True)
class Cluster:
    """A scheduler, and its workers of one thread each: no nanny starts one again."""

    address: str
    directory: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    def complete(self, number: int = 2) -> None:
        """Have `number` workers that live, in place of those that were killed."""
        self.workers[:] = [worker for worker in self.workers if worker.poll() is None]
        logs = [self._start() for _ in range(number - len(self.workers))]
        for log in logs:
            told(log, r"Registered to: +(\S+)\n")

    def worker(self, pid: int) -> subprocess.Popen[bytes]:
        """The worker that is this process."""
        return next(worker for worker in self.workers if worker.pid == pid)

    def _start(self) -> Path:
        log = self.directory / f"worker-{len(list(self.directory.glob('worker-*.log')))}.log"
        options = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--death-timeout", str(PATIENCE_S))
        self.workers.append(run("dask_worker", log, self.address, *options, "--local-directory", str(self.directory)))
        return log


@contextmanager
def scheduler(directory: Path, path: Path = ROOT) -> Iterator[Cluster]:
    """A cluster that has no workers yet. All of it ends with the block. The scheduler imports from `path`."""
    log = directory / "scheduler.log"
    workers: list[subprocess.Popen[bytes]] = []
    process = run("dask_scheduler", log, "--port", "0", path=path)
    try:
        yield Cluster(told(log, r"Scheduler at: +(\S+)\n"), directory, process, workers)
    finally:
        end(process, *workers)


def run(program: str, log: Path, *arguments: str, path: Path = ROOT) -> subprocess.Popen[bytes]:
    """Start a program of Dask's."""
    command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
    options = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--no-dashboard")
    environment = ENVIRONMENT | {"PYTHONPATH": str(path)}
    with log.open("wb") as file:
        return subprocess.Popen([*command, *options], env=environment, cwd=log.parent, stderr=file)


def end(*processes: subprocess.Popen[bytes]) -> None:
    """Kill the processes; they have nothing to save."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def told(log: Path, pattern: str) -> str:
    """What the pattern finds in the log of a process, as soon as it is there."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := re.search(pattern, log.read_text())):
        assert time.monotonic() < deadline, f"no {pattern} in {log}: {log.read_text()}"
        time.sleep(0.01)
    return found[1]
