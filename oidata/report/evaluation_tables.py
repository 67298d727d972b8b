"""The tables of an evaluation, for the terminal and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.failures import Cause
from oidata.report.summary import Share, Table

if TYPE_CHECKING:
    from oidata.core.coco_ap import CocoSummary
    from oidata.core.comparison import Comparison
    from oidata.core.evaluation import Evaluation


def metrics(found: Evaluation) -> Table:
    """Each metric, per class and in the mean."""
    rows = [
        (
            one.display_name,
            v2.average_precision,
            challenge.average_precision,
            one.summary.ap50,
            plain.summary.ap50,
            one.summary.ap,
            plain.summary.ap,
        )
        for v2, challenge, one, plain in zip(
            found.v2.classes, found.challenge.classes, found.coco.classes, found.coco_plain.classes, strict=True
        )
    ]
    coco, plain = found.coco.summary, found.coco_plain.summary
    mean = (found.v2.mean_average_precision, found.challenge.mean_average_precision)
    rows.append(("mean", *mean, coco.ap50, plain.ap50, coco.ap, plain.ap))
    columns = ("class", "OI V2", "OI Challenge", "COCO AP50", "AP50 as TFOD", "COCO AP", "AP as TFOD")
    return Table("Average precision by each metric", columns, tuple(rows))


def coco(found: Evaluation) -> Table:
    """COCO's twelve numbers, with groups as crowds and as ordinary boxes."""
    both = (found.coco.summary, found.coco_plain.summary)
    rows = [(words, *(getattr(each, name) for each in both)) for name, words in _COCO.items()]
    return Table("COCO's twelve numbers", ("number", "groups as crowds", "groups as boxes (TFOD)"), tuple(rows))


_COCO: dict[str, str] = {
    "ap": "AP, IoU 0.50:0.95",
    "ap50": "AP, IoU 0.50",
    "ap75": "AP, IoU 0.75",
    "ap_small": "AP, small (below 32² px of the photo)",
    "ap_medium": "AP, medium (to 96² px)",
    "ap_large": "AP, large",
    "ar1": "AR, 1 detection per photo",
    "ar10": "AR, 10",
    "ar100": "AR, 100",
    "ar_small": "AR, small",
    "ar_medium": "AR, medium",
    "ar_large": "AR, large",
}


def points(found: Evaluation) -> Table:
    """Where failures are counted."""
    how = "given" if all(point.is_given for point in found.points) else "the best F1"
    rows = [(each.display_name, each.threshold, each.precision, each.recall, each.f1) for each in found.points]
    return Table(
        f"Operating point ({how}): failures are counted from this score on",
        ("class", "score from", "precision", "recall", "F1"),
        tuple(rows),
    )


def errors(found: Evaluation) -> Table:
    """TIDE's errors."""
    rows = [(each.error, each.num, each.ap_without, each.gain, each.cumulative_ap) for each in found.errors]
    return Table(
        "Errors (TIDE): mAP if one alone were mended, and if all down to it were (single gains do not add up)",
        ("error", "number", "mAP without it", "gain", "mended down to here"),
        tuple(rows),
    )


def causes(found: Evaluation) -> Table:
    """First causes that some failure has."""
    rows = [
        (each.kind.replace("_", " "), Cause(each.cause).says, each.area, each.num, each.num_applies, each.gain)
        for each in found.causes
        if each.num_applies
    ]
    return Table(
        "Causes: the first of each failure, and what mAP gains if they are mended in this order",
        ("what", "cause", "area", "first cause of", "applies to", "gain"),
        tuple(rows),
    )


def lost(found: Evaluation) -> Table:
    """How the lost AP divides."""
    parts = found.lost
    rows = [
        (name, value, Share(value, parts.lost))
        for name, value in (
            ("metric", parts.metric),
            ("data", parts.data),
            ("anchors and input", parts.anchors),
            ("training", parts.training),
            ("lost in all", parts.lost),
        )
    ]
    return Table("Where AP is lost (IoU 0.5)", ("area", "AP", "share"), tuple(rows))


def confusion(found: Evaluation) -> Table:
    """What is taken for what at the operating point."""
    names = [each.display_name for each in found.v2.classes]
    rows = [(name, *row) for name, row in zip((*names, "background"), found.confusion, strict=True)]
    return Table("What each box was taken for", ("box of", *(f"as {name}" for name in names), "missed"), tuple(rows))


def sizes(found: Evaluation) -> Table:
    """How many boxes of each size are found."""
    rows = [(each.size, each.num_truth, each.num_found, Share(each.num_found, each.num_truth)) for each in found.sizes]
    return Table("Found by size at the network's input", ("side, px", "boxes", "found", "recall"), tuple(rows))


def flags(found: Evaluation) -> Table:
    """How many boxes of each flag are found."""
    rows = [
        (
            each.flag.removeprefix("is_"),
            each.value,
            each.num_truth,
            each.num_found,
            Share(each.num_found, each.num_truth),
            each.average_precision,
        )
        for each in found.flags
    ]
    return Table("Found by flag", ("flag", "value", "boxes", "found", "recall", "OI V2 AP"), tuple(rows))


def against(compared: Comparison) -> tuple[Table, ...]:
    """What is better and what worse than another run."""
    classes = [
        (
            each.display_name,
            each.ap_before,
            each.ap_after,
            each.f1_before,
            each.f1_after,
            each.num_now_found,
            each.num_now_missed,
        )
        for each in compared.classes
    ]
    errors = [(each.name, each.before, each.after, each.after - each.before) for each in compared.errors]
    causes = [
        (each.kind.replace("_", " "), Cause(each.name).says, each.before, each.after, each.after - each.before)
        for each in compared.causes
        if each.before or each.after
    ]
    name = compared.against
    return (
        Table(
            f"Against {name}, on {compared.num_photos:,} photos",
            ("class", "AP before", "AP now", "F1 before", "F1 now", "newly found", "newly missed"),
            tuple(classes),
        ),
        Table(f"Errors against {name}", ("error", "before", "now", "change"), tuple(errors)),
        Table(f"First causes against {name}", ("what", "cause", "before", "now", "change"), tuple(causes)),
    )


def why_metrics_differ(found: Evaluation) -> str:
    """One line on why the metrics do not agree on this data."""
    groups = sum(each.num for each in found.causes if each.cause == Cause.GROUP)
    in_groups = sum(each.num for each in found.causes if each.cause == Cause.IN_GROUP)
    dropped = sum(each.num_unverified for each in found.challenge.classes)
    spread: CocoSummary = found.coco.summary
    return (
        f"The metrics differ since {groups:,} group boxes without a detection count as missed for the Challenge and "
        f"TFOD's default, {in_groups:,} detections in groups are excused by Open Images alone, {dropped:,} of classes "
        f"that nobody looked for are dropped by the Challenge, and COCO's AP is a mean over IoUs up to 0.95 "
        f"(at 0.75 it is {'none' if spread.ap75 is None else format(spread.ap75, '.3f')})."
    )
