"""Numbers in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number and what it counts: `1 photo`, `1,234 photos`; `many` is the plural where that is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
