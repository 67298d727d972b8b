"""What the demo has to say: a command and what came of it, verb by verb, and where to look next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A verb at work: the command that does the same, what it did in a line, and what it found in some more.

    is_done: not where there is no database for FiftyOne; then `found` says why.
    """

    command: str
    did: str
    found: str
    is_done: bool = True


@dataclass(frozen=True)
class DemoReport:
    """All steps, and the pages that they wrote."""

    directory: str
    steps: tuple[Step, ...]
    reports: tuple[str, ...]
