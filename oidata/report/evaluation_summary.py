"""An evaluation in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.report import evaluation_tables as tables
from oidata.report.summary import Summary, filled

if TYPE_CHECKING:
    from oidata.core.auditing.findings import Verdict
    from oidata.core.evaluation.comparison import Comparison
    from oidata.core.evaluation.evaluation import Evaluation


def summary(
    about: str, found: Evaluation, verdict: Verdict, compared: Comparison | None, notes: tuple[str, ...]
) -> Summary:
    """The evaluation for a person in a hurry; the page has the rest."""
    shown = filled(
        *(tables.against(compared) if compared else ()),
        tables.lost(found),
        *tables.causes(found, is_brief=True),
        tables.metrics(found),
        tables.points(found),
        tables.errors(found),
        tables.confusion(found),
        tables.sizes(found),
    )
    return Summary(about, shown, (tables.ORDER, tables.why_metrics_differ(found), *notes), verdict=verdict.text)
