"""Summaries in a terminal: tables that align, notes that wrap."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.markup import escape
from rich.table import Table as RichTable

from oidata.core.auditing.findings import Severity, by_area
from oidata.report.summary import cell

if TYPE_CHECKING:
    from rich.console import Console

    from oidata.core.auditing.findings import Finding
    from oidata.report.demo_report import Step
    from oidata.report.summary import Summary, Table

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_INDENT = " " * 8
_TEXT_WIDTH = 100  # longer lines are hard to read


def show(summary: Summary, console: Console) -> None:
    """Print a summary."""
    console.print(f"[bold]{escape(summary.headline)}[/bold]", highlight=False, soft_wrap=not console.is_terminal)
    for table in summary.tables:
        _show_table(table, console)
    if summary.notes:
        console.print()
    for note in summary.notes:
        text = _wrapped(note, console, "• ", "  ") if console.is_terminal else f"• {note}"
        console.print(escape(text), highlight=False, soft_wrap=True)
    for area, findings in by_area(summary.findings).items():
        console.print(f"\n[italic]{area.title()}[/italic]", highlight=False)
        for finding in findings:
            _show_finding(finding, console)
    if summary.patch:
        console.print(
            f"\n[italic]Suggested[/italic]\n{escape(summary.patch.rstrip())}", highlight=False, soft_wrap=True
        )
    if summary.verdict:
        lines = f"Verdict: {summary.verdict}".splitlines()
        text = "\n".join(_wrapped(line, console, others="  ") for line in lines)
        console.print(f"\n[bold]{escape(text)}[/bold]", highlight=False, soft_wrap=True)
    if summary.page:
        console.print(f"\nPlots and pictures: {escape(summary.page)}", highlight=False, soft_wrap=True)


def show_step(step: Step, console: Console) -> None:
    """Print a step of the demo."""
    console.print(f"[bold]$ {escape(step.command)}[/bold]", highlight=False, soft_wrap=True)
    for text in (step.did, step.found):
        console.print(escape(_wrapped(text, console)), highlight=False, soft_wrap=True)
    console.print()


def _show_table(table: Table, console: Console) -> None:
    """Print the title on a line of its own, as wide as it is, and the table; a pipe gets no spaces at the line ends."""
    console.print(f"\n[italic]{escape(table.title)}[/italic]", highlight=False, soft_wrap=True)
    width = min(console.width, _TEXT_WIDTH)
    if console.is_terminal:
        console.print(_rich(table), width=width)
        return
    with console.capture() as captured:
        console.print(_rich(table), width=width)
    for line in captured.get().splitlines():
        console.out(line.rstrip(), highlight=False)


def _show_finding(finding: Finding, console: Console) -> None:
    style = _STYLES[finding.severity]
    console.print(f"[{style}]{finding.severity:<8}[/{style}][bold]{escape(finding.what)}[/bold]", highlight=False)
    for text, first in ((finding.evidence, ""), (finding.fix, "→ ")):
        lines = _wrapped(text, console, _INDENT + first, _INDENT)
        console.print(escape(lines), highlight=False, soft_wrap=True)


def _wrapped(text: str, console: Console, first: str = "", others: str = "") -> str:
    """The text in lines that begin so; a path or a field of a config stays in one piece."""
    width = min(console.width, _TEXT_WIDTH)
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def _rich(table: Table) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, show_edge=False)
    for index, name in enumerate(table.columns):
        justify: Literal["left", "right"] = "right" if table.is_numeric(index) else "left"
        rich.add_column(escape(name), justify=justify, overflow="fold")
    for row in table.rows:
        rich.add_row(*(escape(cell(value)) for value in row))
    return rich
