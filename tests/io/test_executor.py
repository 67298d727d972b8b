"""Laws of running tasks: in this process, in others, and on a Dask cluster of separate processes on loopback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from oidata.errors import ClusterError, StorageError, UsageError
from oidata.io.executor import workers
from tests.cluster import ROOT, Cluster, scheduler, told
from tests.io.tasks import die, first_fails, only_first_waits, refuse, square, wait_until

SQUARES = {number * number for number in range(20)}

# Says what it came to in one line, and everything else that is printed is too much.
WAITING = """
import sys
from pathlib import Path
from oidata.errors import OidataError
from oidata.io.executor import workers
from tests.io.tasks import announce_and_wait
directory, address = Path(sys.argv[1]), sys.argv[2]
try:
    with workers(address, 2) as found:
        list(found.run(announce_and_wait, [(directory, 0), (directory, 1)]))
except (OidataError, KeyboardInterrupt) as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
UNGUARDED = """
from oidata.io.executor import workers
with workers(num_processes=2) as here:
    print(sorted(here.run(int, range(9))))
"""


def waiting(directory: Path, address: str = "") -> subprocess.Popen[str]:
    """A process whose two jobs have begun and wait."""
    command = [sys.executable, "-c", WAITING, str(directory), address]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(pids(directory)) == 2)
    return process


def pids(directory: Path, number: str = "*") -> set[int]:
    """The processes that announced themselves, for one job or for all."""
    return {int(path.name.partition("-at-")[2]) for path in directory.glob(f"{number}-at-*")}


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("num_processes", [1, 2])
def test_processes_give_all_results(num_processes: int) -> None:
    """All results come, each once, of one process and of two; of no jobs there are none."""
    with workers(num_processes=num_processes) as here:
        assert here.number == num_processes
        assert sorted(here.run(square, range(20))) == sorted(SQUARES)
        assert list(here.run(square, [])) == []


def test_a_cluster_gives_the_same_results(cluster: Cluster) -> None:
    """A Dask cluster gives them too, and runs equal jobs as often as they are there."""
    with workers(cluster.address) as there:
        assert there.number == 2
        assert sorted(there.run(square, range(20))) == sorted(SQUARES)
        assert list(there.run(square, [3] * 9)) == [9] * 9


@pytest.mark.parametrize("num_processes", [1, 2])
def test_jobs_are_taken_as_they_are_needed(num_processes: int) -> None:
    """Of endless jobs no more are taken than two for each process and one for each result."""
    taken = []

    def jobs() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    with workers(num_processes=num_processes) as here:
        for num_results, _ in zip(range(20), here.run(square, jobs()), strict=False):
            assert len(taken) <= 2 * num_processes + 2 * num_processes * num_results


def test_a_result_does_not_wait_for_those_before(tmp_path: Path) -> None:
    """A slow job is overtaken, and the caller's ticks come meanwhile."""
    ticks: list[int] = []
    with workers(num_processes=2) as here:
        results = here.run(only_first_waits, [(tmp_path, number) for number in range(6)], lambda: ticks.append(1))
        assert {next(results) for _ in range(5)} == {1, 4, 9, 16, 25}
        (tmp_path / "go").touch()
        assert list(results) == [0]
    assert ticks


@pytest.mark.parametrize("num_processes", [1, 2])
def test_the_first_error_cancels_the_rest(num_processes: int, tmp_path: Path) -> None:
    """After an error no job begins but those that a process held already."""
    with workers(num_processes=num_processes) as here:
        with pytest.raises(StorageError):
            list(here.run(first_fails, [(tmp_path, number) for number in range(100)]))
        (tmp_path / "go").touch()
    assert len(list(tmp_path.glob("*-at-*"))) < 2 * num_processes


def test_errors_arrive_as_they_were_raised(cluster: Cluster) -> None:
    """An error of ours has its class, message and hint, wherever it was raised."""
    for place in (workers(num_processes=1), workers(num_processes=2), workers(cluster.address)):
        with pytest.raises(StorageError) as raised, place as found:
            list(found.run(refuse, [7, 7]))
        assert (raised.value.message, raised.value.hint) == ("7 is refused.", "Take another.")


def test_a_process_that_ends_is_told() -> None:
    """A process of this machine that is killed ends the run with an error that says how to go on."""
    with pytest.raises(ClusterError, match="ended unexpectedly") as raised, workers(num_processes=2) as here:
        list(here.run(die, range(9)))
    assert "Run the same command again" in raised.value.hint


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    """After Ctrl-C, and after kill -9, the processes end in the middle of what they do, with no word of theirs."""
    parent = waiting(tmp_path)
    parent.send_signal(number)
    _, words = parent.communicate(timeout=20)
    wait_until(lambda: all(map(is_gone, pids(tmp_path))))
    assert parent.returncode != 0
    assert words == "KeyboardInterrupt: \n" if number == signal.SIGINT else "Traceback" not in words


def test_a_script_without_a_guard_is_told(tmp_path: Path) -> None:
    """A script that would be run again by each process ends with one error, and starts no others."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "UsageError: No process can be started: each runs the main script first" in run.stderr
    assert run.stderr.count("bootstrapping phase") == 1


def test_a_worker_is_no_scheduler(cluster: Cluster) -> None:
    """The address of a worker is told apart from that of its scheduler."""
    log = max(cluster.directory.glob("worker-*.log"), key=lambda path: path.stat().st_mtime)
    address = told(log, r"Start worker at: +(\S+)\n")
    with pytest.raises(ClusterError, match=f"At {address} is a Dask worker"), workers(address):
        pass


def test_a_lost_worker_costs_its_tasks_alone(cluster: Cluster, tmp_path: Path) -> None:
    """The very worker that is at a job is killed in the middle of it, and all results come."""
    killed: list[int] = []

    def kill() -> None:
        for pid in () if killed else pids(tmp_path):
            worker = cluster.worker(pid)
            worker.kill()
            killed.append(worker.wait())
            (tmp_path / "go").touch()

    with workers(cluster.address) as there:
        jobs = [(tmp_path, number) for number in range(20)]
        assert sorted(there.run(only_first_waits, jobs, kill)) == sorted(SQUARES)
    assert killed == [-signal.SIGKILL]
    assert len(pids(tmp_path)) == 2  # job 0 ran again, elsewhere


def test_a_task_that_kills_workers_is_told(cluster: Cluster) -> None:
    """A task over which as many workers die as the scheduler allows ends the run, and the error names it."""
    message = "2 workers died over one die, the last at tcp://"
    with pytest.raises(ClusterError, match=message), workers(cluster.address) as there:
        list(there.run(die, [1]))
    assert [worker.wait() for worker in cluster.workers] == [-signal.SIGKILL] * 2


def test_a_lost_scheduler_is_told(tmp_path: Path) -> None:
    """A scheduler that ends in the middle ends the run with one error, and with no word of Dask's."""
    with scheduler(tmp_path) as cluster:
        cluster.complete()
        process = waiting(tmp_path, cluster.address)
        cluster.scheduler.kill()
        _, words = process.communicate(timeout=60)
    again = "Run the same command again: what is finished is kept."
    assert words == f"ClusterError: The scheduler at {cluster.address} is gone. {again}\n"


def test_a_cluster_without_oidata_is_told(tmp_path: Path) -> None:
    """Where oidata is not installed the run ends before it begins, and the error says where to install it."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['oidata'] = None\n")
    with scheduler(tmp_path, tmp_path) as cluster:
        cluster.complete(1)
        with pytest.raises(ClusterError, match="does not know oidata") as raised, workers(cluster.address):
            pass
    assert "for the scheduler and for all workers" in raised.value.hint


def test_a_scheduler_without_workers_is_told(tmp_path: Path) -> None:
    """A cluster without workers ends the run before it begins, with the command that starts one."""
    with scheduler(tmp_path) as cluster:
        with pytest.raises(ClusterError, match="has no workers") as raised, workers(cluster.address, timeout_s=0.5):
            pass
        assert raised.value.hint == f"Start one: dask worker {cluster.address}"


def test_what_does_not_answer_is_no_scheduler() -> None:
    """A port that is closed, and a server that never says a word, end the run within the time given."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (1, silent.getsockname()[1]):
            address = f"tcp://127.0.0.1:{port}"
            with pytest.raises(ClusterError, match=f"scheduler answers at {address}"), workers(address, timeout_s=0.5):
                pass


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\1" + bytes(7) + b"\x08" + bytes(99)])
def test_what_speaks_another_language_is_no_scheduler(words: bytes) -> None:
    """Whatever Dask makes of what a server says, it comes to the same error."""

    def speak(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.sendall(words)
            connection.recv(999)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        thread.submit(speak, server)
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"scheduler answers at {address}"), workers(address, timeout_s=0.5):
            pass


def test_without_dask_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the error names it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match="not installed") as raised, workers("tcp://127.0.0.1:8786"):
        pass
    assert "oidata[dask]" in raised.value.hint


@pytest.mark.parametrize("address", ["host:8786", "tcp://host", "tcp://:8786", "tcp://host:x", "http://host:1", "x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """An address that cannot be meant so is a usage error, before anything is loaded or asked."""
    with pytest.raises(UsageError, match="no address"), workers(address):
        pass
