"""Progress on stderr: bars on a terminal, a line per finished task elsewhere, or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal, Protocol

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console

Unit = Literal["bytes", "photos"]


class Progress(Protocol):
    """Shows how far a task has come."""

    def task(self, title: str, unit: Unit) -> AbstractContextManager[Callable[[int, int], None]]:
        """Begin a task; what it yields is told what is done and what there is in all."""


class Silence:
    """Shows nothing: for use as a library."""

    @contextmanager
    def task(self, title: str, unit: Unit) -> Iterator[Callable[[int, int], None]]:
        """Show nothing."""
        del title, unit
        yield lambda _done, _total: None


@dataclass(frozen=True)
class Lines:
    """One line for each task that did something, when it ends: for logs."""

    console: Console

    @contextmanager
    def task(self, title: str, unit: Unit) -> Iterator[Callable[[int, int], None]]:
        """Print what was done when the task ends."""
        seen = [0]

        def tell(done: int, _total: int) -> None:
            seen[0] = done

        yield tell
        if seen[0]:
            self.console.print(f"{title}: {_amount(seen[0], unit)}", highlight=False)


@dataclass(frozen=True)
class Bars:
    """A bar with rate and time left: for a terminal."""

    console: Console

    @contextmanager
    def task(self, title: str, unit: Unit) -> Iterator[Callable[[int, int], None]]:
        """Draw a bar until the task ends."""
        bars = RichProgress(*_columns(unit), console=self.console, transient=True)
        bar = bars.add_task(title, total=None)

        def tell(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total)
            bars.start()  # only now: a task that finds nothing to do shows no bar, and none is ever without a total

        try:
            yield tell
        finally:
            bars.stop()


@contextmanager
def photo_by_photo(progress: Progress, title: str, total: int) -> Iterator[Callable[[], None]]:
    """A task of `total` photos, for whatever calls once for each of them."""
    done = count(1)
    with progress.task(title, unit="photos") as tell:
        yield lambda: tell(next(done), total)


def _columns(unit: Unit) -> tuple[ProgressColumn, ...]:
    amounts = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(), _Rate())
    return (TextColumn("{task.description}"), BarColumn(), *amounts, TimeRemainingColumn())


class _Rate(ProgressColumn):
    """Photos per second since the task began: those that come first come all at once."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed:.0f}/s" if task.elapsed else "")


def _amount(done: int, unit: Unit) -> str:
    return decimal(done) if unit == "bytes" else f"{done:,}"
