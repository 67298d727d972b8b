"""Numbers, shares and lists in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts: `1 photo`, `1,234 photos`; `many` is the plural where that is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def percent(share: float, digits: int = 0, sign: str = "-") -> str:
    """A share of 1 as a percentage: `48 %`; with the sign + one that has a sign: `+4.8 %`."""
    return f"{100 * share:{sign}.{digits}f} %"


def listed(names: Collection[str], most: int = 5) -> str:
    """The names, or `most` of them and how many more: a release has 600 classes."""
    more = len(names) - most
    return ", ".join(list(names)[:most]) + (f" and {more:,} more" if more > 0 else "")
