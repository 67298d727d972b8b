"""The tables of an evaluation, for the terminal and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidata.core.evaluation.failures import Cause, Kind
from oidata.core.words import counted
from oidata.report.summary import Change, Fixed, Share, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.evaluation.comparison import Comparison, CountChange
    from oidata.core.evaluation.evaluation import Evaluation

KINDS = {Kind.MISSED: "Missed boxes", Kind.FALSE_POSITIVE: "False positives"}
_OF_KIND = {Kind.MISSED: "Missed", Kind.FALSE_POSITIVE: "False positive", Kind.IGNORED: "Ignored"}
_MISSED = "missed "


def named(kind: str, cause: str) -> str:
    """A cause with what it is a cause of."""
    words, says = _OF_KIND[Kind(kind)], Cause(cause).says
    return says.capitalize() if says.startswith(_MISSED) else f"{words}: {says}"


def lost(found: Evaluation) -> Table:
    """How the lost AP divides: each row starts where the one above it ends."""
    parts = found.lost
    steps = {
        "metric: the rules for group boxes": parts.metric,
        "data": parts.data,
        "anchors and input size": parts.anchors,
        "training": parts.training,
    }
    rows: list[tuple[object, ...]] = [("every box taken for one object", None, None, Fixed(parts.plain_ap))]
    now = parts.plain_ap
    for name, value in steps.items():
        now += value
        rows.append((name, change(value), Share(value, parts.lost), Fixed(now)))
    columns = ("mended in this order", "gain", "of what is lost", "mAP then")
    return Table("Where AP is lost (mAP at an IoU of 0.5)", columns, tuple(rows))


def causes(found: Evaluation, *, is_brief: bool = False) -> Iterator[Table]:
    """The causes of each kind of failure, and what counts neither for nor against; in brief without the mAP reached."""
    for kind, words in KINDS.items():
        own = [each for each in found.causes if each.kind == kind and each.num_applies and each.gain is not None]
        columns: tuple[str, ...] = ("cause", "area", "first", "in all", "gain")
        rows: list[tuple[object, ...]] = [
            (Cause(each.cause).says, each.area, each.num, each.num_applies, change(each.gain)) for each in own
        ]
        if not is_brief:
            columns = (*columns, "mAP then")
            rows = [(*row, fixed(each.cumulative_ap)) for row, each in zip(rows, own, strict=True)]
        yield Table(f"{words}: {sum(each.num for each in own):,}, by first cause", columns, tuple(rows))
    excused = [(named(each.kind, each.cause), each.num) for each in found.causes if each.gain is None and each.num]
    yield Table("Neither for nor against, by the rules of Open Images V2", ("what", "number"), tuple(excused))


ORDER = (
    "Causes: of several the first counts; in all is how many boxes or detections each applies to. Gains are of mAP, "
    "one cause mended after the other: data, anchors, training, and of each the missed boxes first."
)


def metrics(found: Evaluation) -> Table:
    """Each metric, per class and in the mean."""
    rows: list[tuple[object, ...]] = [
        (
            one.display_name,
            round(v2.num_truth),
            fixed(v2.average_precision),
            fixed(challenge.average_precision),
            fixed(one.summary.ap50),
            fixed(plain.summary.ap50),
            fixed(one.summary.ap),
            fixed(plain.summary.ap),
        )
        for v2, challenge, one, plain in zip(
            found.v2.classes, found.challenge.classes, found.coco.classes, found.coco_plain.classes, strict=True
        )
    ]
    coco, plain = found.coco.summary, found.coco_plain.summary
    mean = (found.v2.mean_average_precision, found.challenge.mean_average_precision)
    numbers = (*mean, coco.ap50, plain.ap50, coco.ap, plain.ap)
    rows.append(("mean", found.num_truth, *map(fixed, numbers)))
    columns = ("class", "boxes", "OI V2", "OI Challenge", "COCO AP50", "AP50 as TFOD", "COCO AP", "AP as TFOD")
    return Table("Average precision by each metric", columns, tuple(rows))


def coco(found: Evaluation) -> Table:
    """COCO's twelve numbers, with groups as crowds and as ordinary boxes."""
    both = (found.coco.summary, found.coco_plain.summary)
    rows = [(words, *(fixed(getattr(each, name)) for each in both)) for name, words in _COCO.items()]
    return Table("COCO's twelve numbers", ("number", "groups as crowds", "groups as boxes (TFOD)"), tuple(rows))


_COCO: dict[str, str] = {
    "ap": "AP, IoU 0.50:0.95",
    "ap50": "AP, IoU 0.50",
    "ap75": "AP, IoU 0.75",
    "ap_small": "AP, small (below 32² px of the photo)",
    "ap_medium": "AP, medium (to 96² px)",
    "ap_large": "AP, large",
    "ar1": "AR, 1 detection per photo and class",
    "ar10": "AR, 10",
    "ar100": "AR, 100",
    "ar_small": "AR, small",
    "ar_medium": "AR, medium",
    "ar_large": "AR, large",
}


def points(found: Evaluation) -> Table:
    """Where failures are counted."""
    how = "as given" if all(point.is_given for point in found.points) else "the best F1 of each class"
    rows = [
        (each.display_name, *map(fixed, (each.threshold, each.precision, each.recall, each.f1)))
        for each in found.points
    ]
    return Table(
        f"Operating point ({how}): failures are counted from this score on",
        ("class", "score from", "precision", "recall", "F1"),
        tuple(rows),
    )


def errors(found: Evaluation) -> Table:
    """TIDE's errors."""
    rows = [
        (each.error, each.num, change(each.gain), fixed(each.ap_without), fixed(each.cumulative_ap))
        for each in found.errors
    ]
    return Table(
        "Errors after TIDE: what mAP gains if one alone were mended (these gains do not add up)",
        ("error", "number", "gain alone", "mAP without it", "mAP if all down to it were mended"),
        tuple(rows),
    )


def confusion(found: Evaluation) -> Table:
    """What is taken for what at the operating point; of many classes those that are mixed up most often."""
    names = [each.display_name for each in found.v2.classes]
    if len(names) > _MOST_COLUMNS:
        return _mixed_up(found, names)
    rows: list[tuple[object, ...]] = [(name, *row) for name, row in zip(names, found.confusion, strict=False)]
    rows.append(("no box", *found.confusion[-1][:-1], None))
    return Table("What each box was taken for", ("box of", *(f"as {name}" for name in names), "missed"), tuple(rows))


_MOST_COLUMNS = 6  # more classes side by side do not fit 100 columns
_MOST_MIXED = 10


def _mixed_up(found: Evaluation, names: Sequence[str]) -> Table:
    pairs = [
        (name, other, number, Share(number, sum(row)))
        for name, row in zip(names, found.confusion, strict=False)
        for other, number in zip(names, row, strict=False)
        if number and other != name
    ]
    pairs.sort(key=lambda pair: -pair[2])
    return Table("What was taken for what most often", ("box of", "as", "boxes", "of its"), tuple(pairs[:_MOST_MIXED]))


def sizes(found: Evaluation) -> Table:
    """How many boxes of each size that occurs are found."""
    rows = [
        (each.size, each.num_truth, each.num_found, Share(each.num_found, each.num_truth))
        for each in found.sizes
        if each.num_truth
    ]
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
            fixed(each.average_precision),
        )
        for each in found.flags
    ]
    return Table("Found by flag", ("flag", "value", "boxes", "found", "recall", "OI V2 AP"), tuple(rows))


def against(compared: Comparison) -> tuple[Table, ...]:
    """What is better and what worse than another run."""
    classes = [
        (
            each.display_name,
            *map(fixed, (each.ap_before, each.ap_after)),
            *map(fixed, (each.f1_before, each.f1_after)),
            each.num_now_found,
            each.num_now_missed,
        )
        for each in compared.classes
    ]
    name = compared.against
    return (
        Table(
            f"Against {name}, on {counted(compared.num_photos, 'photo')} of both",
            ("class", "AP then", "AP now", "F1 then", "F1 now", "newly found", "newly missed"),
            tuple(classes),
        ),
        _changes(f"Errors against {name}", "error", compared.errors, [each.name for each in compared.errors]),
        _changes(
            f"First causes against {name}",
            "cause",
            compared.causes,
            [named(each.kind, each.name) for each in compared.causes],
        ),
    )


def _changes(title: str, column: str, changes: Sequence[CountChange], names: Sequence[str]) -> Table:
    rows = [
        (name, each.before, each.after, Change(each.after - each.before))
        for name, each in zip(names, changes, strict=True)
        if each.before or each.after
    ]
    return Table(title, (column, "then", "now", "change"), tuple(rows))


def why_metrics_differ(found: Evaluation) -> str:
    """One line on why the metrics do not agree on this data."""
    groups = sum(each.num for each in found.causes if each.cause == Cause.GROUP)
    in_groups = sum(each.num for each in found.causes if each.cause == Cause.IN_GROUP)
    dropped = sum(each.num_unverified for each in found.challenge.classes)
    at_75 = found.coco.summary.ap75
    reasons = [f"COCO's AP is a mean over IoUs up to 0.95 (at 0.75 it is {'none' if at_75 is None else Fixed(at_75)})"]
    if groups:
        number = counted(groups, "group box", "group boxes")
        reasons.append(f"{number} without a detection, missed for the Challenge and TFOD's default alone")
    if in_groups:
        number = counted(in_groups, "detection")
        reasons.append(f"{number} in group boxes, false for TFOD's default unless the group as a whole fits")
    if dropped:
        number = counted(dropped, "detection")
        reasons.append(f"{number} of classes that nobody looked for, which the Challenge drops")
    return f"Why the metrics differ: {'; '.join(reasons)}."


def fixed(value: float | None) -> Fixed | None:
    """A number of three decimals, if there is one."""
    return None if value is None else Fixed(value)


def change(value: float | None) -> Change | None:
    """A change, if there is one."""
    return None if value is None else Change(value)
