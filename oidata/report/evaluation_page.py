"""An evaluation as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.report import evaluation_tables as tables
from oidata.report.page import Page, Section

if TYPE_CHECKING:
    from oidata.core.comparison import Comparison
    from oidata.core.evaluation import Evaluation
    from oidata.core.findings import Verdict


def page(
    about: str,
    found: Evaluation,
    verdict: Verdict,
    compared: Comparison | None,
    notes: tuple[str, ...],
) -> Page:
    """The page of an evaluation."""
    sections = (
        *((Section("What to know", notes=notes),) if notes else ()),
        Section("Metrics", tables.why_metrics_differ(found), tables=(tables.metrics(found), tables.coco(found))),
        Section(
            "Failures", tables=(tables.points(found), tables.errors(found), tables.causes(found), tables.lost(found))
        ),
        Section("Where", tables=(tables.confusion(found), tables.sizes(found), tables.flags(found))),
        *((Section("Against another run", tables=tables.against(compared)),) if compared else ()),
    )
    return Page("Evaluation", about, verdict, (), sections)
