"""What a verb has to say to a person, as values: a headline, tables and notes. Rendering is done elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidata.core.words import percent

if TYPE_CHECKING:
    from oidata.core.auditing.findings import Finding


@dataclass(frozen=True)
class Share:
    """A part of a whole, printed as a percentage; without a whole there is none."""

    part: float
    whole: float

    def __str__(self) -> str:
        return percent(self.part / self.whole, 1) if self.whole else "-"


@dataclass(frozen=True)
class Fixed:
    """A number with as many decimals as all of its column, so that it aligns."""

    value: float
    decimals: int = 3

    def __str__(self) -> str:
        return f"{self.value:,.{self.decimals}f}"


@dataclass(frozen=True)
class Change:
    """A difference, printed with its sign: of counts a whole number, else with three decimals."""

    value: float

    def __str__(self) -> str:
        if isinstance(self.value, int):
            return f"{self.value:+,}" if self.value else "0"
        value = round(self.value, 3)
        return f"{value:+.3f}" if value else "0.000"


_NUMBERS = int | float | Share | Fixed | Change


@dataclass(frozen=True)
class Table:
    """A titled table; numbers stay numbers, so that the renderer aligns them. None is shown as a dash."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def is_numeric(self, index: int) -> bool:
        """Whether a column holds numbers and shares alone."""
        return all(row[index] is None or isinstance(row[index], _NUMBERS) for row in self.rows)


@dataclass(frozen=True)
class Summary:
    """A headline, then tables, then notes: each a sentence or two that the reader should not miss.

    Last come findings, the most severe first, a patch to be copied, what it all comes to, and where the page with plots
    and pictures is, if there is one.
    """

    headline: str
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    patch: str = ""
    verdict: str = ""
    page: str = ""


def filled(*tables: Table) -> tuple[Table, ...]:
    """The tables that have rows."""
    return tuple(table for table in tables if table.rows)


def cell(value: object) -> str:
    """A table's value as text: thousands separated, three significant digits of what is no whole number."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"
