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


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def has_answered(mirror: Mirror, number: int) -> bool:
    return len(mirror.requests) >= number


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def assert_final_names_are_whole(directory: Path, root: Path) -> None:
    for photo in directory.glob("images/*/*.jpg"):
        assert photo.read_bytes() == (root / photo.relative_to(directory / "images")).read_bytes()


def test_killed_five_times_and_completed(shared_mirror: Path, tmp_path: Path, cache: Path) -> None:
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
    assert cache.is_dir()


def test_interrupt_says_how_to_go_on(shared_mirror: Path, tmp_path: Path) -> None:
    """Ctrl-C ends a fetch with exit code 130 and one line, and the next run completes it."""
    with serve(shared_mirror, latency_s=0.02) as mirror:
        process = start(mirror, tmp_path / "d")
        wait_until(lambda: sum(request.path.endswith(".jpg") for request in mirror.requests) > 20, process)
        os.kill(process.pid, signal.SIGINT)
        code, _, err = finish(process)
        assert code == 130
        assert "run the same command again" in err
        assert "Traceback" not in err
        assert_final_names_are_whole(tmp_path / "d", shared_mirror)
        before = sum(request.path.endswith(".jpg") for request in mirror.requests)
        assert finish(start(mirror, tmp_path / "d"))[0] == 0
        after = sum(request.path.endswith(".jpg") for request in mirror.requests)
        assert after - before < 90 - 10  # what had come was not asked for again


def test_two_at_once_do_not_mix(shared_mirror: Path, tmp_path: Path) -> None:
    """Of two fetches into one directory at the same time, one ends with an error, and the dataset is whole."""
    with serve(shared_mirror, latency_s=0.02) as mirror:
        both = [start(mirror, tmp_path / "d") for _ in range(2)]
        results = [finish(process) for process in both]
        assert sorted(code for code, _, _ in results) == [0, 1]
        assert any("Another oidata is at work" in err for _, _, err in results)
        assert finish(start(mirror, tmp_path / "e"))[0] == 0
    assert content(tmp_path / "d") == content(tmp_path / "e")
