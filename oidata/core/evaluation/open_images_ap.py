"""Average precision by the rules of Open Images: V2, and the Challenge's.

As TFOD's utils/object_detection_evaluation.py and utils/per_image_evaluation.py, without their limit of 10,000
detections of a class in a photo. A stripped box is what is called difficult there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.evaluation.candidates import NONE, best, ioa, iou
from oidata.core.evaluation.precision_recall import Curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.evaluation.evaluation_set import EvaluationSet


@dataclass(frozen=True)
class Rules:
    """What a metric makes of group boxes and of classes that nobody looked for.

    name           what the metric is called
    group_weight   what a group box counts, found or missed; with 0 it only excuses the detections inside it
    only_verified  drop detections of classes that have neither a verified label nor a box on the photo
    groups_are_boxes  take a group box for the box of one object, whatever it weighs
    threshold      the least IoU with a box, and the least IoA with a group: the share of the detection inside it
    """

    name: str
    group_weight: float
    only_verified: bool
    groups_are_boxes: bool = False
    threshold: float = 0.5


V2 = Rules("Open Images V2", group_weight=0.0, only_verified=False)
CHALLENGE = Rules("Open Images Challenge", group_weight=1.0, only_verified=True)
PLAIN = Rules("every box an object", group_weight=1.0, only_verified=False, groups_are_boxes=True)
"""What a metric that knows no groups makes of the same boxes, as PASCAL VOC's, or COCO's as TFOD calls it."""


class Outcome(IntEnum):
    """What becomes of a detection."""

    FALSE_POSITIVE = 0
    TRUE_POSITIVE = 1
    GROUP_FOUND = 2
    """It counts for a group box, as the best of those inside it."""
    IN_GROUP = 3
    """Ignored: it lies in a group box."""
    ON_IGNORED = 4
    """Ignored: it fits a stripped box."""
    UNVERIFIED = 5
    """Dropped: nobody looked for the class on this photo."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """The Outcome of each detection of an EvaluationSet, int8 (N,), and the box it is due to, intp (N,), or NONE."""

    outcome: NDArray[np.int8]
    truth: NDArray[np.intp]


@dataclass(frozen=True)
class ClassAp:
    """The average precision of a class, and the counts behind it.

    mid                  the class
    display_name         its name
    average_precision    None without ground truth
    num_truth            boxes to be found; a group counts the rules' group_weight
    num_true_positives   boxes that are found
    num_groups_found     groups that are found, where they count
    num_false_positives  detections of nothing, or of what was found already
    num_ignored          detections in groups and on stripped boxes
    num_unverified       detections dropped since nobody looked for the class on their photo
    """

    mid: str
    display_name: str
    average_precision: float | None
    num_truth: float
    num_true_positives: int
    num_groups_found: int
    num_false_positives: int
    num_ignored: int
    num_unverified: int


@dataclass(frozen=True, eq=False)
class OpenImagesAp:
    """The result of a metric: by class, in the order of the label map, with the curves and the judgement behind it."""

    rules: Rules
    classes: tuple[ClassAp, ...]
    curves: tuple[Curve | None, ...]
    judgement: Judgement

    @property
    def mean_average_precision(self) -> float | None:
        """The mean over the classes that have ground truth; None if none has."""
        known = [each.average_precision for each in self.classes if each.average_precision is not None]
        return sum(known) / len(known) if known else None


def open_images_ap(scored: EvaluationSet, rules: Rules) -> OpenImagesAp:
    """Score detections by `rules`."""
    judgement = judge(scored, rules)
    num_truth = _num_truth(scored, rules)
    curves = _curves(scored, judgement, num_truth, rules)
    tally = _tally(scored, judgement)
    classes = (
        _class_ap((label.mid, label.display_name), curve, number, counts)
        for label, curve, number, counts in zip(scored.classes.labels, curves, num_truth, tally, strict=True)
    )
    return OpenImagesAp(rules, tuple(classes), curves, judgement)


def judge(scored: EvaluationSet, rules: Rules) -> Judgement:
    """Decide what each detection is: against single boxes first, then, if it is none of these, against groups.

    A detection is of the box that it fits best, even if that is taken and another is free; of several detections of a
    box the first is the true positive.
    """
    truth, detected = scored.truth, scored.detected
    is_group = truth.is_group & (not rules.groups_are_boxes)
    outcome = np.full(len(detected), Outcome.FALSE_POSITIVE, np.int8)
    single = best(detected, truth, ~is_group, iou)
    fits = single.where(rules.threshold)
    on_ignored = np.zeros_like(fits)
    on_ignored[fits] = truth.is_ignored[single.truth[fits]]
    outcome[on_ignored] = Outcome.ON_IGNORED
    outcome[_first(single.truth, fits & ~on_ignored)] = Outcome.TRUE_POSITIVE

    group = best(detected, truth, is_group, ioa)
    inside = (outcome == Outcome.FALSE_POSITIVE) & group.where(rules.threshold)
    outcome[inside] = Outcome.IN_GROUP
    if rules.group_weight:
        # TFOD takes a group whose best detection has a score of 0 for one that was not found.
        outcome[_first(group.truth, inside & (detected.score > 0))] = Outcome.GROUP_FOUND
    if rules.only_verified:
        outcome[~np.isin(detected.key, np.concatenate([scored.verified, truth.key]))] = Outcome.UNVERIFIED

    is_single = np.isin(outcome, (Outcome.TRUE_POSITIVE, Outcome.ON_IGNORED))
    return Judgement(outcome, np.where(is_single, single.truth, np.where(inside, group.truth, NONE)))


def _first(truth: NDArray[np.intp], some: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The first detection among `some` for each box."""
    places = np.flatnonzero(some)
    return places[np.unique(truth[places], return_index=True)[1]]


def _num_truth(scored: EvaluationSet, rules: Rules) -> list[float]:
    truth = scored.truth
    weight = np.where(truth.is_group, rules.group_weight, np.where(truth.is_ignored, 0.0, 1.0))
    total: list[float] = np.bincount(scored.label(truth.key), weight, len(scored.classes.labels)).tolist()
    return total


def _curves(
    scored: EvaluationSet, judgement: Judgement, num_truth: list[float], rules: Rules
) -> tuple[Curve | None, ...]:
    credit = np.array([0, 1, rules.group_weight])
    order = ranking(scored, judgement)
    label = scored.label(scored.detected.key)
    order = order[np.argsort(label[order], kind="stable")]
    ends = np.searchsorted(label[order], np.arange(1, len(num_truth)))
    return tuple(
        Curve.of(scored.detected.score[rows], credit[judgement.outcome[rows]], number) if number else None
        for rows, number in zip(np.split(order, ends), num_truth, strict=True)
    )


def ranking(scored: EvaluationSet, judgement: Judgement) -> NDArray[np.intp]:
    """The places of the detections that count, of all classes, by falling score.

    TFOD lists photo by photo the detections by falling score and then the groups found, sorts that by rising score,
    and turns it round. So of equal scores those of a later photo stand first, in a photo a group before a box, a later
    group before an earlier one, and an earlier row before a later one. (Its sort is not stable: for a long list that
    order is what a stable one would give.)
    """
    counted = np.flatnonzero(judgement.outcome <= Outcome.GROUP_FOUND)
    key, score = scored.detected.key[counted], scored.detected.score[counted]
    is_group = judgement.outcome[counted] == Outcome.GROUP_FOUND
    place = np.where(is_group, judgement.truth[counted], -scored.detected.row[counted])
    rising = np.lexsort((place, is_group, scored.photo(key), score))
    return counted[rising[::-1]]


def _tally(scored: EvaluationSet, judgement: Judgement) -> list[list[int]]:
    """By class, how many detections have each outcome."""
    cell = scored.label(scored.detected.key) * len(Outcome) + judgement.outcome
    num_classes = len(scored.classes.labels)
    table: list[list[int]] = np.bincount(cell, minlength=num_classes * len(Outcome)).reshape(num_classes, -1).tolist()
    return table


def _class_ap(names: tuple[str, str], curve: Curve | None, num_truth: float, tally: list[int]) -> ClassAp:
    return ClassAp(
        *names,
        average_precision=None if curve is None else curve.average_precision,
        num_truth=num_truth,
        num_true_positives=tally[Outcome.TRUE_POSITIVE],
        num_groups_found=tally[Outcome.GROUP_FOUND],
        num_false_positives=tally[Outcome.FALSE_POSITIVE],
        num_ignored=tally[Outcome.IN_GROUP] + tally[Outcome.ON_IGNORED],
        num_unverified=tally[Outcome.UNVERIFIED],
    )
