"""What the tests of the executor run in other processes; light to import."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

from oidata.errors import StorageError

PATIENCE_S = 60
Place: TypeAlias = tuple[Path, int]
"""A directory through which a task and its test talk, and the number of the job."""


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> NoReturn:
    raise StorageError(f"{number} is refused.", "Take another.")


def die(number: int) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(number)


def announce_and_wait(place: Place) -> int:
    """Say which process is at which job, and go on when the test says so."""
    directory, number = place
    (directory / f"{number}-at-{os.getpid()}").touch()
    wait_until((directory / "go").exists)
    return number * number


def only_first_waits(place: Place) -> int:
    """As above for job 0; the others are done at once."""
    return announce_and_wait(place) if place[1] == 0 else square(place[1])


def first_fails(place: Place) -> int:
    """As above for all jobs but 0, which fails."""
    return announce_and_wait(place) if place[1] else refuse(0)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
