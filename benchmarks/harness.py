"""Measure commands against each other: each run in a fresh process, in turn, and told in ratios.

Import nothing heavy here. Linux counts the memory of the process that forks into the peak of the child, so
the peaks are right only while this process stays small.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
ROOT = HERE.parent
DEFAULT_WORK = Path(tempfile.gettempdir()) / "oidata-benchmarks"


@dataclass(frozen=True)
class Command:
    """A named command line; the last line that it prints is its result."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What one fresh process took."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str


@dataclass(frozen=True)
class Row:
    """A command's medians; `ratio` is the median over the rounds of its value by the reference's."""

    name: str
    value: float
    cpu_s: float
    peak_mb: float
    ratio: float
    ratio_min: float
    ratio_max: float
    output: str


@dataclass(frozen=True)
class Quantity:
    """A column of the table: what is taken of each run, and how it is written."""

    title: str
    of: Callable[[Run], float]
    form: str


WALL = Quantity("wall s", lambda run: run.wall_s, ".2f")


@dataclass(frozen=True)
class Measured:
    """Rounds of runs, one of each command in each round; the first command is the reference.

    Ratios are taken within a round, so that what slows the machine down for a while slows both sides down.
    """

    commands: tuple[Command, ...]
    rounds: tuple[tuple[Run, ...], ...]

    def rows(self, quantity: Quantity) -> list[Row]:
        """Return the medians of each command."""
        return [self._row(at, quantity) for at in range(len(self.commands))]

    def _row(self, at: int, quantity: Quantity) -> Row:
        runs = [turn[at] for turn in self.rounds]
        ratios = [quantity.of(turn[at]) / quantity.of(turn[0]) for turn in self.rounds]
        return Row(
            name=self.commands[at].name,
            value=median(map(quantity.of, runs)),
            cpu_s=median(run.cpu_s for run in runs),
            peak_mb=max(run.peak_mb for run in runs),
            ratio=median(ratios),
            ratio_min=min(ratios),
            ratio_max=max(ratios),
            output=runs[-1].output,
        )


class CommandFailedError(Exception):
    """A measured command did not do its job."""


def script(name: str, *arguments: object) -> tuple[str, ...]:
    """Return the command line of a script beside this one."""
    return (sys.executable, str(HERE / name), *map(str, arguments))


def job(name: str, *arguments: object) -> Command:
    """Return a command that runs one of the jobs of adapters.py."""
    return Command(name, script("adapters.py", *arguments))


def execute(command: Command) -> Run:
    """Run a command in a fresh process and return what it took."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start_s = time.perf_counter()
    with subprocess.Popen(command.argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start_s
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"{command.name} ended with {process.returncode}: {' '.join(command.argv)}"
        raise CommandFailedError(message)
    last = (output.strip().splitlines() or [""])[-1]
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, last)


def measure(commands: Sequence[Command], runs: int) -> Measured:
    """Run the commands in turn, A B A B, after one round that only warms the caches up."""
    rounds = [_round(commands, number) for number in range(runs + 1)]
    return Measured(tuple(commands), tuple(rounds[1:]))


def _round(commands: Sequence[Command], number: int) -> tuple[Run, ...]:
    print(f"round {number}" if number else "warm-up", file=sys.stderr, flush=True)
    return tuple(map(execute, commands))


def table(title: str, measured: Measured, quantity: Quantity = WALL, result: str | None = "result") -> str:
    """Render a measurement as a Markdown table, with or without a column for what the commands printed."""
    head = ["", quantity.title, f"to {measured.commands[0].name}", "min-max", "CPU s", "peak MB"]
    lines = [
        f"### {title}",
        "",
        _line([*head, result]),
        _line(["---", *["---:"] * (len(head) - 1), result and "---:"]),
    ]
    for row in measured.rows(quantity):
        ratios = [f"{row.ratio:.2f}", f"{row.ratio_min:.2f}-{row.ratio_max:.2f}"]
        cells = [
            row.name,
            format(row.value, quantity.form),
            *ratios,
            f"{row.cpu_s:.2f}",
            f"{row.peak_mb:.0f}",
        ]
        lines.append(_line([*cells, result and row.output]))
    return "\n".join([*lines, ""])


def _line(cells: Sequence[str | None]) -> str:
    return f"| {' | '.join(cell for cell in cells if cell is not None)} |"


def options(description: str | None, *, runs: int) -> argparse.ArgumentParser:
    """Return the options that every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=runs, help="rounds to take the median of (%(default)s)")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="where inputs are kept (%(default)s)")
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options that were given; the directory for inputs is there."""
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    return asked


@contextmanager
def background(argv: Sequence[str]) -> Iterator[str]:
    """Keep a server process while the body runs, and yield the first line that it prints."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()
