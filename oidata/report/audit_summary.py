"""An audit in a terminal: the tables that a person needs to follow the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.tables import TRAIN
from oidata.report import audit_tables as tables
from oidata.report.summary import Summary, Table, filled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidata.core.auditing.evidence import Evidence
    from oidata.core.auditing.findings import Finding, Verdict


def summary(
    evidence: Evidence, findings: tuple[Finding, ...], verdict: Verdict, about: str, not_done: tuple[str, ...]
) -> Summary:
    """The audit for a person in a hurry; the page has the rest."""
    notes = (*not_done, *_unsuggested(evidence))
    return Summary(about, filled(*_tables(evidence)), notes, findings, evidence.patch, verdict.text)


def _unsuggested(evidence: Evidence) -> Iterator[str]:
    """Why no other anchors are suggested; where some are, a finding says so."""
    outcome = evidence.suggestion
    if outcome and not outcome.suggestion:
        yield f"Better anchors: {outcome.reason}"


def _tables(evidence: Evidence) -> Iterator[Table]:
    yield tables.photos(evidence)
    yield tables.classes(evidence)
    yield tables.flags(evidence)
    yield tables.sizes(evidence)
    yield tables.per_image(evidence)
    anchors = evidence.anchors
    if anchors is not None:
        yield tables.layers(anchors)
        yield tables.matches(
            tuple(facts for facts in anchors.boxes if facts.split == TRAIN), "Train boxes and their anchors"
        )
        cropped = tuple(facts for facts in anchors.after_crop if facts.split == TRAIN and facts.size == "all")
        yield tables.matches(cropped, f"The same after random crops (median zoom {anchors.crop_zoom or 1:.2f} ×)")
        yield tables.holes(evidence)
    if evidence.against is not None:
        yield _whole(tables.against(evidence))
    yield tables.overlaps(evidence)


def _whole(table: Table) -> Table:
    """The rows for all sizes together, without the column that says so."""
    size = table.columns.index("side, px")
    rows = tuple((*row[:size], *row[size + 1 :]) for row in table.rows if row[size] == "all")
    return Table(table.title, (*table.columns[:size], *table.columns[size + 1 :]), rows)
