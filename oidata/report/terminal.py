"""Summaries in a terminal: tables that align, notes that wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from oidata.report.summary import cell

if TYPE_CHECKING:
    from rich.console import Console

    from oidata.report.summary import Summary, Table


def show(summary: Summary, console: Console) -> None:
    """Print a summary."""
    console.print(f"[bold]{escape(summary.headline)}[/bold]", highlight=False)
    for table in summary.tables:
        console.print()
        console.print(_rich(table))
    if summary.notes:
        console.print()
    for note in summary.notes:
        console.print(f"• {escape(note)}", highlight=False, soft_wrap=not console.is_terminal)


def _rich(table: Table) -> RichTable:
    rich = RichTable(
        title=escape(table.title), title_justify="left", title_style="italic", box=box.SIMPLE_HEAD, show_edge=False
    )
    for index, name in enumerate(table.columns):
        justify: Literal["left", "right"] = "right" if table.is_numeric(index) else "left"
        rich.add_column(escape(name), justify=justify, overflow="fold")
    for row in table.rows:
        rich.add_row(*(escape(cell(value)) for value in row))
    return rich
