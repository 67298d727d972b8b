"""Does what training showed agree with what the product said?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from oidata.core.auditing.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verdict.rows import Statement

MIN_DIFFERENCE: Final = 0.01
"""Shares of equally severe findings say something where they differ by more, as the audit's own suggestions do."""


class Direction(StrEnum):
    """How a variant stands against the base."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no difference"


class Agreement(StrEnum):
    """What becomes of a statement."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    NOT_TOLD_APART = "not told apart"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Range:
    """The mean, the least and the most of some numbers, and how many they are."""

    mean: float
    least: float
    most: float
    num: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self | None:
        """None without any."""
        return cls(sum(values) / len(values), min(values), max(values), len(values)) if values else None


def predicted(base: Sequence[Statement], variant: Sequence[Statement]) -> Direction:
    """What the statements on the two foretell for the variant.

    The side with more errors is the worse one, of as many errors that with more warnings; information accuses nobody.
    Where that leaves them equal, the first number that differs decides: each is a share of what is wrong.
    """
    ours, theirs = _weight(variant), _weight(base)
    if ours != theirs:
        return Direction.WORSE if ours > theirs else Direction.BETTER
    before = {each.name: each for each in base}
    for now in variant:
        if (other := before.get(now.name)) and differs(other, now):
            return Direction.WORSE if (now.number or 0) > (other.number or 0) else Direction.BETTER
    return Direction.SAME


def differs(before: Statement, now: Statement) -> bool:
    """Whether both have a number, and these are further apart than MIN_DIFFERENCE."""
    return before.number is not None and now.number is not None and abs(now.number - before.number) > MIN_DIFFERENCE


def _weight(statements: Sequence[Statement]) -> tuple[int, ...]:
    counts: Mapping[str | None, int] = Counter(each.severity for each in statements)
    return tuple(counts[severity] for severity in (Severity.ERROR, Severity.WARNING))


def observed(base: Range, variant: Range) -> Direction:
    """How the variant came out: better or worse only where the ranges of at least two trainings each lie apart."""
    if min(base.num, variant.num) > 1:
        if variant.least > base.most:
            return Direction.BETTER
        if variant.most < base.least:
            return Direction.WORSE
    return Direction.SAME


def agreement(said: Direction, base: Range | None, variant: Range | None) -> Agreement:
    """Set what was said against what came out. Trainings that cannot be told apart neither confirm nor refute."""
    if base is None or variant is None:
        return Agreement.NOT_RUN
    shown = observed(base, variant)
    if shown == Direction.SAME:
        return Agreement.NOT_TOLD_APART
    return Agreement.AGREES if shown == said else Agreement.DISAGREES
