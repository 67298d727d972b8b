"""What a summary looks like in a terminal."""

import io

import pytest
from rich.console import Console

from oidata.core.auditing.findings import Area, Finding, Severity
from oidata.report.summary import Summary, Table
from oidata.report.terminal import show

SUMMARY = Summary(
    "data: 1,234 of 56,789 boxes stripped (train 1,234, test 0)",
    (
        Table(
            "Boxes (one can have several reasons)",
            ("split", "class", "boxes", "share", "user:[red]"),
            (("train", "Lemon", 56000, 0.25, 7), ("test", "[bold]Cheese[/bold]", 789, 0.5, 0)),
        ),
        Table("Photos", ("split", "photos"), (("train", 40000),)),
    ),
    (
        (
            "Collateral: on 1,234 photos a stripped object stays visible without a box, and a detector learns it as "
            "background."
        ),
        "[link=x]No markup[/link] is taken from what is shown.",
    ),
)
SHOWN = """\
data: 1,234 of 56,789 boxes stripped (train 1,234, test 0)

Boxes (one can have several reasons)
 split   class                  boxes   share   user:[red]
───────────────────────────────────────────────────────────
 train   Lemon                 56,000    0.25            7
 test    [bold]Cheese[/bold]      789     0.5            0

Photos
 split   photos
────────────────
 train   40,000

• Collateral: on 1,234 photos a stripped object stays visible without a box, and a detector learns
  it as background.
• [link=x]No markup[/link] is taken from what is shown.
"""


def shown(summary: Summary, *, is_terminal: bool = True) -> str:
    """The summary as a terminal without colours has it, or a pipe."""
    console = Console(file=io.StringIO(), width=100, color_system=None, force_terminal=is_terminal)
    show(summary, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_summary_looks_like_this() -> None:
    """Headline, tables and notes follow each other; numbers align right with separators, and notes wrap."""
    assert [line.rstrip() for line in shown(SUMMARY).splitlines()] == SHOWN.splitlines()


def test_a_pipe_has_no_spaces_at_line_ends() -> None:
    """In a pipe the same tables stand without trailing spaces, and notes do not wrap."""
    text = shown(SUMMARY, is_terminal=False)
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert text.partition("•")[0] == SHOWN.partition("•")[0]
    assert SUMMARY.notes[0] in text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_title_is_as_wide_as_it_is(*, is_terminal: bool) -> None:
    """A title longer than its table stands on one line, and a table wider than 100 columns wraps its texts."""
    title = "Boxes of a title that is longer than its table"
    text = shown(Summary("data", (Table(title, ("split",), (("train",),)),)), is_terminal=is_terminal)
    assert title in text.splitlines()
    wide = Console(file=io.StringIO(), width=200, color_system=None, force_terminal=is_terminal)
    show(Summary("data", (Table("Boxes", ("why", "boxes"), (("reason=1 " * 30, 5),)),)), wide)
    assert isinstance(wide.file, io.StringIO)
    assert max(map(len, wide.file.getvalue().splitlines())) == 100


def test_the_worst_finding_comes_first_and_paths_stay_whole() -> None:
    """Areas stand in the order of their worst, a field of a config is not broken, and last comes where the page is."""
    path = "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate.total_steps"
    findings = [
        Finding(
            "a", Area.METRIC, Severity.ERROR, "What a.", f"It was read that {path} is 1, not 2.", "", "Mend a.", ""
        ),
        Finding("b", Area.DATA, Severity.WARNING, "What b.", "Evidence.", "", "Mend b.", ""),
        Finding("c", Area.METRIC, Severity.INFO, "What c.", "Evidence.", "", "Mend c.", ""),
    ]
    text = shown(Summary("data", findings=tuple(findings), verdict="Both.\nFirst: Mend a.", page="audit/report.html"))
    assert path in text
    marks = ["Metric", "What a", "What c", "Data", "What b", "Verdict: Both.\nFirst: Mend a.", "audit/report.html"]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_a_headline_alone_is_a_line() -> None:
    """Without tables and notes nothing follows the headline, and what looks like markup stays."""
    assert shown(Summary("data [dim]: 3 photos")) == "data [dim]: 3 photos\n"
