"""Laws of progress: what a log says, and what a terminal shows."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress as RichProgress

from oidata.report.progress import Bars, Lines, Unit, _Rate


def log_of(title: str, unit: Unit, *told: tuple[int, int]) -> str:
    """What Lines print of a task that tells `told`."""
    console = Console(file=io.StringIO(), width=100, color_system=None)
    with Lines(console).task(title, unit) as tell:
        for done, total in told:
            tell(done, total)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    "unit, done, amount",
    [
        ("bytes", 1, "1 byte"),
        ("bytes", 999, "999 bytes"),
        ("bytes", 34_100, "34.1 kB"),
        ("bytes", 1_194_033_454, "1.2 GB"),
        ("photos", 1, "1"),
        ("photos", 1234, "1,234"),
    ],
)
def test_a_log_has_a_line_for_each_task(unit: Unit, done: int, amount: str) -> None:
    """When a task ends a line says how much was done, in a unit that shows it."""
    assert log_of("x.csv", unit, (0, 9), (done, done)) == f"x.csv: {amount}\n"


def test_a_task_that_did_nothing_is_not_logged() -> None:
    """Where nothing was told there is no line."""
    assert log_of("x.csv", "bytes") == ""


def drawn(unit: Unit, *told: tuple[int, int]) -> str:
    """All that Bars write to a terminal for a task that tells `told`."""
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=True)
    with Bars(console).task("x.csv", unit) as tell:
        for done, total in told:
            tell(done, total)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("unit", ["bytes", "photos"])
def test_a_bar_is_never_without_its_numbers(unit: Unit) -> None:
    """From its first picture on a bar says what is done and what there is in all."""
    picture = drawn(unit, (3, 7))
    assert "3/7" in picture
    assert "0/7" not in picture
    assert "/?" not in picture


def test_a_task_that_did_nothing_draws_no_bar() -> None:
    """Where nothing was told nothing is drawn."""
    assert "x.csv" not in drawn("photos")


def test_the_rate_of_photos_counts_from_the_start() -> None:
    """Ten photos that all come at once, two seconds after the beginning, came at five a second."""
    now = [100.0]
    bars = RichProgress(get_time=lambda: now[0])
    bar = bars.add_task("photos", total=None)
    assert _Rate().render(bars.tasks[0]).plain == ""
    now[0] += 2
    for done in range(1, 11):
        bars.update(bar, completed=done, total=100)
    assert _Rate().render(bars.tasks[0]).plain == "5/s"
