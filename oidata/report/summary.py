"""What a verb has to say to a person, as values: a headline, tables and notes. Rendering is done elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """A titled table; numbers stay numbers, so that the renderer aligns them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Summary:
    """A headline, then tables, then notes: each a sentence or two that the reader should not miss."""

    headline: str
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = field(default=())
