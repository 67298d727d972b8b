"""The figures of an evaluation, and its confusion matrix as a heat table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from oidata.core.auditing.findings import Area
from oidata.core.auditing.matching import SIZE_EDGES_PX
from oidata.core.evaluation.failures import Cause
from oidata.core.words import counted, percent
from oidata.report import evaluation_plots as plots
from oidata.report.evaluation_tables import KINDS
from oidata.report.page import Figure, HeatCell, HeatTable
from oidata.report.plots import COLOURS, bars
from oidata.report.summary import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.evaluation.comparison import Comparison
    from oidata.core.evaluation.evaluation import Evaluation
    from oidata.core.evaluation.precision_recall import Curve
    from oidata.core.matcher.coverage import Hole

_AREA_COLOURS = {
    Area.METRIC: plots.NEUTRAL,
    Area.DATA: COLOURS[0],
    Area.ANCHORS: COLOURS[1],
    Area.TRAINING: COLOURS[2],
}
_AREA_NAMES = {Area.ANCHORS: "anchors and input size"}
_REMAINS = "#dfe4ea"
_MOST_CLASSES, _A_FIGURE = 14, 7
"""Of how many classes there are plots, and how many lines a plot has, which is how many colours there are."""
_MOST_POINTS = 300
_SCORE_EDGES = tuple(np.linspace(0, 1, 26).tolist())


def waterfall(found: Evaluation) -> Figure:
    """From the AP of a metric that knows no groups to 1, by cause."""
    lost = found.lost
    totals = {
        Area.METRIC: lost.metric,
        Area.DATA: lost.data,
        Area.ANCHORS: lost.anchors,
        Area.TRAINING: lost.training,
    }
    names = {area: f"{_AREA_NAMES.get(area, area)} {Change(total)}" for area, total in totals.items()}
    rows = [plots.Row("every box taken for one object", 0, lost.plain_ap, f"{lost.plain_ap:.3f}", _REMAINS)]
    steps = [("the rules for group boxes", Area.METRIC, lost.metric)]
    steps += [
        (Cause(each.cause).says, Area(each.area), each.gain)
        for each in found.causes
        if each.num and each.gain is not None
    ]
    for label, area, gain in steps:
        start = rows[-1].end
        rows.append(plots.Row(label, start, start + gain, str(Change(gain)), _AREA_COLOURS[area], names[area]))
    caption = "mAP at an IoU of 0.5 (Open Images V2), each cause mended after those above it."
    return Figure(plots.horizontal(rows, "mAP", (0, 1.06), plots.WIDE), caption, is_wide=True)


def causes(found: Evaluation) -> Iterator[Figure]:
    """How many failures of each kind have which first cause."""
    for kind, words in KINDS.items():
        own = [each for each in found.causes if each.kind == kind and each.num and each.gain is not None]
        rows = [
            plots.Row(Cause(each.cause).says, 0, each.num, f"{each.num:,}", _AREA_COLOURS[Area(each.area)], each.area)
            for each in sorted(own, key=lambda each: -each.num)
        ]
        if rows:
            caption = f"{words} by first cause, coloured by where it is mended."
            yield Figure(plots.horizontal(rows, words.lower()), caption)


def curves(found: Evaluation) -> Iterator[Figure]:
    """Precision over recall of each class that has both."""
    lines = []
    for place in _classes(found):
        one, curve, point = found.v2.classes[place], found.v2.curves[place], found.points[place]
        if curve is not None and len(curve.score):
            at = None if point.precision is None or point.recall is None else (point.recall, point.precision)
            lines.append((f"{one.display_name}: AP {one.average_precision or 0:.3f}", _line(curve, at)))
    text = (
        "By Open Images V2; at each recall the best precision there or beyond, as AP takes it. Dots: operating points."
    )
    for first in range(0, len(lines), _A_FIGURE):
        yield Figure(plots.curves(dict(lines[first : first + _A_FIGURE])), text + _of_all(found))


def _line(curve: Curve, point: tuple[float, float] | None) -> plots.Line:
    """The upper hull of a curve, at so many points as can be told apart, down to 0 at its end."""
    hull = np.maximum.accumulate(curve.precision[::-1])[::-1]
    steps = np.flatnonzero(np.diff(curve.recall, prepend=0))
    if len(steps) > _MOST_POINTS:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, _MOST_POINTS).astype(int))]
    if not len(steps):
        return plots.Line((0, 1), (0, 0), point)
    recall, precision = curve.recall[steps].tolist(), hull[steps].tolist()
    return plots.Line((0, *recall, recall[-1]), (precision[0], *precision, 0), point)


def by_metric(found: Evaluation) -> Figure:
    """Each class by the metrics that differ most."""
    places = _classes(found)
    values = {
        "Open Images V2": [found.v2.classes[place].average_precision for place in places],
        "Challenge": [found.challenge.classes[place].average_precision for place in places],
        "COCO AP50": [found.coco.classes[place].summary.ap50 for place in places],
        "COCO AP": [found.coco.classes[place].summary.ap for place in places],
    }
    names = [found.v2.classes[place].display_name for place in places]
    return Figure(plots.pairs(names, values, "AP"), "AP of each class by each metric." + _of_all(found))


def scores(found: Evaluation) -> Iterator[Figure]:
    """The scores of true and false positives, by class."""
    for place in _classes(found):
        curve, point = found.v2.curves[place], found.points[place]
        if curve is None or not len(curve.score):
            continue
        is_true = np.diff(curve.recall, prepend=0) > 0
        true, false = (np.histogram(curve.score[which], _SCORE_EDGES)[0].tolist() for which in (is_true, ~is_true))
        numbers = f"{counted(sum(true), 'true positive')}, {counted(sum(false), 'false positive')}"
        caption = f"{point.display_name}: {numbers} at any score."
        yield Figure(plots.scores(_SCORE_EDGES, true, false, point.threshold), caption)


def _classes(found: Evaluation) -> list[int]:
    """The places of the classes to plot: those with most boxes, if there are many."""
    by_number = sorted(range(len(found.points)), key=lambda place: -found.v2.classes[place].num_truth)
    return sorted(by_number[:_MOST_CLASSES])


def _of_all(found: Evaluation) -> str:
    number = len(found.points)
    return f" The {_MOST_CLASSES} classes with most boxes, of {number:,}." if number > _MOST_CLASSES else ""


def errors(found: Evaluation) -> tuple[Figure, ...]:
    """What mending an error is worth alone, and after those above it; and how many of them each class has."""
    before = [found.lost.ap, *(each.cumulative_ap for each in found.errors)]
    values: dict[str, list[float | None]] = {
        "mended alone": [each.gain for each in found.errors],
        "mended after those above": [
            each.cumulative_ap - last for each, last in zip(found.errors, before, strict=False)
        ],
    }
    labels = [f"{each.error} ({each.num:,})" for each in found.errors]
    gains = Figure(plots.pairs(labels, values, "gain of mAP"), "Gains of mAP, and how many errors there are.")
    return gains, _errors_by_class(found)


def _errors_by_class(found: Evaluation) -> Figure:
    totals = {one.mid: sum(each.num_per_class[one.mid] for each in found.errors) for one in found.v2.classes}
    most = sorted(totals, key=lambda mid: -totals[mid])[:_A_FIGURE]
    values = {
        one.display_name: [each.num_per_class[one.mid] for each in found.errors]
        for one in found.v2.classes  # in their order, for their colours
        if one.mid in most
    }
    more = f" The {_A_FIGURE} classes with most errors." if len(totals) > _A_FIGURE else ""
    svg = bars([each.error for each in found.errors], values, "error", "number")
    return Figure(svg, f"Errors by class (of the detection, or of the missed box).{more}")


def confusion(found: Evaluation) -> HeatTable:
    """The confusion matrix, coloured by the share of each row."""
    names = tuple(each.display_name for each in found.v2.classes)
    rows = []
    for place, (name, row) in enumerate(zip((*names, "no box"), found.confusion, strict=True)):
        total = max(sum(row), 1)
        cells = [
            HeatCell(f"{number:,}", percent(number / total) if number else "", number / total, place == column)
            for column, number in enumerate(row)
        ]
        if place == len(names):
            cells[-1] = HeatCell("")
        rows.append((name, tuple(cells)))
    return HeatTable(
        "Box by box",
        "Rows: what there is. Columns: what was detected at the operating point. Coloured by the share of the row: "
        "blue is right, orange wrong. The last row has the false positives that no missed box explains.",
        "box of",
        (*(f"as {name}" for name in names), "missed"),
        tuple(rows),
    )


def by_size(found: Evaluation, holes: Sequence[Hole]) -> Iterator[Figure]:
    """The share of the boxes of each size that is found, if the sizes are known."""
    if not any(each.num_truth for each in found.sizes):
        return
    edges = (SIZE_EDGES_PX[0] / 2, *SIZE_EDGES_PX, SIZE_EDGES_PX[-1] * 2)
    spans = [(edges[0] if hole.where == "below" else hole.side_min, hole.side_max) for hole in holes]
    hits, total = [each.num_found for each in found.sizes], [each.num_truth for each in found.sizes]
    caption = "Boxes found by size at the network's input; the first bar has all smaller ones, the last all larger."
    if spans:
        caption += " Shaded: a square of this size mostly has no anchor."
    yield Figure(plots.found_by_size(edges, hits, total, spans), caption)


def by_flag(found: Evaluation) -> Iterator[Figure]:
    """Recall and AP of the boxes of each flag."""
    if not found.flags:
        return
    labels = [f"{each.flag.removeprefix('is_')}: {each.value} ({each.num_truth:,})" for each in found.flags]
    values: dict[str, list[float | None]] = {
        "recall": [each.num_found / each.num_truth for each in found.flags],
        "AP": [each.average_precision for each in found.flags],
    }
    yield Figure(plots.pairs(labels, values, "share"), "Boxes by flag, and how many there are.")


def against(compared: Comparison) -> Iterator[Figure]:
    """AP of both runs by class, and which causes have more failures than there, which fewer."""
    shown = sorted(compared.classes, key=lambda each: -abs((each.ap_after or 0) - (each.ap_before or 0)))
    shown = shown[:_MOST_CLASSES]
    values = {
        f"{compared.against} (then)": [each.ap_before for each in shown],
        "this run (now)": [each.ap_after for each in shown],
    }
    yield Figure(plots.pairs([each.display_name for each in shown], values, "AP (Open Images V2)"), "AP by class.")
    causes = [each for each in compared.causes if Cause(each.name).area != Area.METRIC]
    changes = [(each.name, each.after - each.before) for each in causes]
    rows = [
        plots.Row(
            Cause(name).says,
            0,
            change,
            str(Change(change)),
            plots.TRUE if change < 0 else plots.FALSE,
            "fewer" if change < 0 else "more",
        )
        for name, change in sorted(changes, key=lambda each: each[1])
        if change
    ]
    if rows:
        yield Figure(
            plots.horizontal(rows, "failures"), "Failures by first cause: which are fewer now, and which more."
        )
