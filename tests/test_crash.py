"""A fetch that is stopped, at whatever moment, loses nothing and leaves nothing half-written."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.mirror import Mirror, serve
from tests.test_fetch import content


def start(mirror: Mirror, directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "oidata", "fetch", "Lemon", "Cheese", "--source", mirror.url, "-d", str(directory)]
    return subprocess.Popen([*command, "--connections", "4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str], at_most_s: float = 60) -> None:
    deadline = time.monotonic() + at_most_s
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def has_answered(mirror: Mirror, number: int) -> bool:
    return len(mirror.requests) >= number


def num_photo_requests(mirror: Mirror) -> int:
    return sum(request.path.endswith(".jpg") for request in mirror.requests)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def assert_final_names_are_whole(directory: Path, root: Path) -> None:
    for photo in directory.glob("images/*/*.jpg"):
        assert photo.read_bytes() == (root / photo.relative_to(directory / "images")).read_bytes()


def test_killed_five_times_and_completed(shared_mirror: Path, tmp_path: Path) -> None:
    """Killed with -9 at five random moments and completed, a dataset is byte for byte an undisturbed one."""
    rng = random.Random(20)
    killed = 0
    with serve(shared_mirror, latency_s=0.02) as mirror:
        while killed < 5:
            process = start(mirror, tmp_path / "d")
            moment = len(mirror.requests) + rng.randint(1, 25)
            wait_until(partial(has_answered, mirror, moment), process)
            process.send_signal(signal.SIGKILL)
            code, _, _ = finish(process)
            killed += code == -signal.SIGKILL
            assert_final_names_are_whole(tmp_path / "d", shared_mirror)
        assert finish(start(mirror, tmp_path / "d"))[0] == 0
        assert finish(start(mirror, tmp_path / "e"))[0] == 0
    assert len(list((tmp_path / "e/images").rglob("*.jpg"))) == 90
    assert content(tmp_path / "d") == content(tmp_path / "e")


def test_interrupt_says_how_to_go_on(shared_mirror: Path, tmp_path: Path) -> None:
    """Ctrl-C ends a fetch with exit code 130 and one line, and the next run completes it."""
    with serve(shared_mirror, latency_s=0.02) as mirror:
        process = start(mirror, tmp_path / "d")
        wait_until(lambda: num_photo_requests(mirror) > 20, process)
        os.kill(process.pid, signal.SIGINT)
        code, _, err = finish(process)
        assert code == 130
        assert "run the same command again" in err
        assert "Traceback" not in err
        assert_final_names_are_whole(tmp_path / "d", shared_mirror)
        before = num_photo_requests(mirror)
        assert finish(start(mirror, tmp_path / "d"))[0] == 0
        after = num_photo_requests(mirror)
        assert after - before < 90 - 10  # what had come was not asked for again


def test_two_at_once_do_not_mix(shared_mirror: Path, tmp_path: Path) -> None:
    """While one fetch downloads photos, another into its directory ends with an error, and the dataset is whole."""
    with serve(shared_mirror, latency_s=0.02) as mirror:
        first = start(mirror, tmp_path / "d")
        wait_until(lambda: num_photo_requests(mirror) > 0, first)
        first.send_signal(signal.SIGSTOP)  # it stays in the middle for as long as the other takes
        try:
            code, _, err = finish(start(mirror, tmp_path / "d"))
        finally:
            first.send_signal(signal.SIGCONT)
        assert finish(first)[0] == 0
        assert code == 1
        assert "Another oidata is at work" in err
        assert finish(start(mirror, tmp_path / "e"))[0] == 0
    assert content(tmp_path / "d") == content(tmp_path / "e")


def test_two_from_the_start_do_not_mix(shared_mirror: Path, tmp_path: Path) -> None:
    """Of two fetches that start together one may find the other at work, or its work done; the dataset is whole."""
    with serve(shared_mirror, latency_s=0.02) as mirror:
        results = [finish(process) for process in [start(mirror, tmp_path / "d") for _ in range(2)]]
        assert min(code for code, _, _ in results) == 0
        assert all(code == 0 or "Another oidata is at work" in err for code, _, err in results)
        assert finish(start(mirror, tmp_path / "e"))[0] == 0
    assert content(tmp_path / "d") == content(tmp_path / "e")
