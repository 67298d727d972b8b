"""Why each box is missed, and why each false positive is there: all causes that apply, and the first of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.evaluation.candidates import NONE, best, best_of_other_classes, iou
from oidata.core.evaluation.error_types import ERRORS, FOREGROUND, NO_ERROR, Boxes
from oidata.core.evaluation.failures import Cause, Error
from oidata.core.evaluation.open_images_ap import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.evaluation.error_types import Errors
    from oidata.core.evaluation.evaluation_set import EvaluationSet
    from oidata.core.evaluation.open_images_ap import Judgement
    from oidata.core.evaluation.truth_facts import TruthFacts

    Applies = dict[Cause, NDArray[np.bool_]]

TINY_PX = 16.0
"""A side at the network's input of less than a cell of the finest feature map of SSD MobileNet V2, whose stride is 16
(TFOD's models/ssd_mobilenet_v2_feature_extractor.py, layer_15/expansion_output)."""


@dataclass(frozen=True, eq=False)
class MissedBoxes:
    """The boxes that are missed, K of them, groups too, with their causes.

    truth      their places in the ground truth: intp (K,)
    applies    by cause, which it applies to: bool (K,)
    detection  the place of the detection that explains the first cause of those that one explains, or NONE: that of
               the neighbour, the one below the threshold, or that of another class; intp (K,)
    """

    truth: NDArray[np.intp]
    applies: Applies
    detection: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class FalsePositives:
    """The detections that are no true positives and count, or are ignored, K of them, with their causes.

    detection  their places among the detections: intp (K,)
    applies    by cause, which it applies to: bool (K,)
    truth      the place of the box that each is due to, or NONE: intp (K,)
    """

    detection: NDArray[np.intp]
    applies: Applies
    truth: NDArray[np.intp]


def first_cause(applies: Applies) -> NDArray[np.intp]:
    """The place in Cause of the first cause that applies to each: intp (K,)."""
    order = list(Cause)
    table = np.array([applies[cause] for cause in order if cause in applies])
    places = np.array([place for place, cause in enumerate(order) if cause in applies])
    return places[table.argmax(axis=0)] if len(places) else np.zeros(0, np.intp)


def missed_causes(scored: EvaluationSet, judgement: Judgement, found: Errors, facts: TruthFacts) -> MissedBoxes:
    """Why boxes are missed. A group is missed where no detection that counts lies in it."""
    in_group = found.is_above & (judgement.outcome == Outcome.IN_GROUP)
    is_group_missed = scored.truth.is_group.copy()
    is_group_missed[judgement.truth[in_group]] = False
    truth = np.flatnonzero(found.is_missed | is_group_missed)
    boxes = Boxes(scored.truth.key[truth], scored.truth.boxes[truth])
    neighbour = best(boxes, scored.truth, found.is_found, iou)
    taker = _taker(scored, found, boxes)
    finder = found.finder[truth]
    is_suppressed = neighbour.where(facts.nms_iou)
    applies: Applies = {
        Cause.GROUP: scored.truth.is_group[truth],
        Cause.STARVED: facts.is_starved[truth],
        Cause.SIZE_HOLE: facts.is_in_hole[truth] & (facts.is_forced_only | facts.is_starved)[truth],
        Cause.FORCED_ONLY: facts.is_forced_only[truth],
        Cause.TRUNCATED: facts.is_truncated[truth],
        Cause.OCCLUDED: facts.is_occluded[truth],
        Cause.DEPICTION: facts.is_depiction[truth],
        Cause.TINY: facts.side_px[truth] < TINY_PX,
        Cause.SUPPRESSED: is_suppressed,
        Cause.BELOW_THRESHOLD: finder != NONE,
        Cause.TAKEN_FOR_OTHER: taker != NONE,
    }
    applies[Cause.IN_SPITE_OF_ANCHORS] = ~np.any(list(applies.values()), axis=0)
    suppressor = found.finder[neighbour.truth]
    detection = np.select([is_suppressed, finder != NONE], [suppressor, finder], taker)
    return MissedBoxes(truth, applies, detection)


def _taker(scored: EvaluationSet, found: Errors, missed: Boxes) -> NDArray[np.intp]:
    """For each missed box the false positive of another class that fits it best, or NONE."""
    false = np.flatnonzero(found.error != NO_ERROR)
    candidates = Boxes(scored.detected.key[false], scored.detected.boxes[false])
    taker = best_of_other_classes(missed, candidates, np.ones(len(false), bool), len(scored.classes.labels))
    fits = taker.where(FOREGROUND)
    result = np.full(len(missed.key), NONE, np.intp)
    result[fits] = false[taker.truth[fits]]
    return result


def false_causes(scored: EvaluationSet, judgement: Judgement, found: Errors) -> FalsePositives:
    """Why detections that count are no true positives."""
    outcome = judgement.outcome
    is_ignored = found.is_above & np.isin(outcome, (Outcome.IN_GROUP, Outcome.ON_IGNORED))
    detection = np.flatnonzero(is_ignored | (found.error != NO_ERROR))
    error, outcome = found.error[detection], outcome[detection]
    key = scored.detected.key[detection]
    is_error = {each: error == ERRORS.index(each) for each in Error}
    is_looked_for = np.isin(key, np.concatenate([scored.verified, scored.truth.key]))
    applies: Applies = {
        Cause.ON_STRIPPED: outcome == Outcome.ON_IGNORED,
        Cause.IN_GROUP: outcome == Outcome.IN_GROUP,
        Cause.DUPLICATE: is_error[Error.DUPLICATE],
        Cause.LOCALISATION: is_error[Error.LOCALISATION],
        Cause.OTHER_CLASS: is_error[Error.CLASSIFICATION] | is_error[Error.BOTH],
        Cause.UNVERIFIED: ~is_looked_for,
        Cause.BACKGROUND: is_error[Error.BACKGROUND] & is_looked_for,
    }
    truth = np.where(error == NO_ERROR, judgement.truth[detection], found.truth[detection])
    return FalsePositives(detection, applies, truth)
