"""An evaluation as a page: where AP is lost and why, with the curves, tables and pictures behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.words import counted
from oidata.report import evaluation_figures as figures
from oidata.report import evaluation_tables as tables
from oidata.report.page import Page, Section
from oidata.report.summary import filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.auditing.findings import Verdict
    from oidata.core.evaluation.comparison import Comparison
    from oidata.core.evaluation.evaluation import Evaluation
    from oidata.core.matcher.coverage import Hole


def page(  # noqa: PLR0913, PLR0917 - the parts of a report, and its pictures
    found: Evaluation,
    verdict: Verdict,
    compared: Comparison | None,
    about: str,
    notes: tuple[str, ...],
    holes: Sequence[Hole],
    pictures: Section,
) -> Page:
    """The page of an evaluation; `holes` are sizes of squares, in pixels at the input, that anchors mostly miss."""
    sections = (
        *((Section("What to know", notes=notes),) if notes else ()),
        *((_against(compared),) if compared else ()),
        *_failures(found),
        *_metrics(found),
        _where(found, holes),
        *((pictures,) if pictures.galleries or pictures.notes else ()),
    )
    return Page("Evaluation", about, verdict, (), sections)


def _against(compared: Comparison) -> Section:
    photos = counted(compared.num_photos, "photo")
    return Section(
        f"Against {compared.against}",
        f"Both runs on the {photos} that both looked at, each at its own operating point.",
        figures=tuple(figures.against(compared)),
        tables=filled(*tables.against(compared)),
    )


def _failures(found: Evaluation) -> Iterator[Section]:
    yield Section(
        "Where AP is lost",
        "From the mAP of a metric that knows no groups to 1: what each cause costs if all above it are mended. In "
        "another order the parts would be others; this one mends the data first, then anchors and input size, then "
        "what is left to training.",
        figures=(figures.waterfall(found),),
        tables=(tables.lost(found),),
    )
    yield Section(
        "Causes",
        f"Why boxes are missed, and why detections are false, at the operating point. {tables.ORDER}",
        figures=tuple(figures.causes(found)),
        tables=filled(*tables.causes(found)),
    )


def _metrics(found: Evaluation) -> Iterator[Section]:
    yield Section(
        "Metrics",
        tables.why_metrics_differ(found),
        figures=(*figures.curves(found), figures.by_metric(found)),
        tables=(tables.metrics(found), tables.coco(found)),
    )
    yield Section(
        "Scores",
        "The scores of what counts for or against by Open Images V2, and from which score on failures are counted.",
        figures=tuple(figures.scores(found)),
        tables=(tables.points(found),),
    )
    yield Section(
        "Errors",
        "The types of errors of TIDE (Bolya et al., ECCV 2020) at the operating point. What mending one alone gains "
        "does not add up; mended one after the other in this order, they come to 1.",
        figures=figures.errors(found),
        tables=(tables.errors(found),),
    )
    yield Section("What is taken for what", heats=(figures.confusion(found),))


def _where(found: Evaluation, holes: Sequence[Hole]) -> Section:
    return Section(
        "Size and flags",
        "How many boxes are found at the operating point, and AP where boxes of a flag alone are asked for.",
        figures=(*figures.by_size(found, holes), *figures.by_flag(found)),
        tables=filled(tables.sizes(found), tables.flags(found)),
    )
