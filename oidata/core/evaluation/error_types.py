"""What kind of error each failure is, after TIDE, and the confusion matrix that this comes to.

Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors (ECCV 2020), section 2.2: foreground from
an IoU of 0.5, background up to 0.1. Where several types fit, the order is that of tidecv/quantify.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.evaluation.candidates import NONE, best, best_of_other_classes, iou
from oidata.core.evaluation.failures import Error
from oidata.core.evaluation.open_images_ap import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.evaluation.evaluation_set import EvaluationSet, Truth
    from oidata.core.evaluation.open_images_ap import Judgement

FOREGROUND, BACKGROUND = 0.5, 0.1
NO_ERROR = -1
ERRORS = tuple(Error)
NEAR = (Error.CLASSIFICATION, Error.LOCALISATION)
"""Of the wrong class or place alone: what can be put right."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Some boxes with their keys, as `oidata.core.evaluation.candidates.Keyed` has them."""

    key: NDArray[np.intp]
    boxes: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors among the N detections and M boxes of an EvaluationSet, at an operating point.

    is_above    detections whose score counts: bool (N,)
    error       of each detection that counts and is false, its place in ERRORS, else NO_ERROR: int8 (N,)
    truth       the box that it is due to, or NONE: that which it lies beside, has taken for its own class's, or finds a
                second time; else that which it overlaps most, of whatever class: intp (N,)
    is_asked    boxes that are to be found, neither group nor stripped: bool (M,)
    is_found    of these, those found by a detection that counts: bool (M,)
    is_covered  of these, those not found that a classification or localisation error is due to: no error of their own
    finder      for each box the detection that finds it, whether it counts or not, or NONE: intp (M,)
    """

    is_above: NDArray[np.bool_]
    error: NDArray[np.int8]
    truth: NDArray[np.intp]
    is_asked: NDArray[np.bool_]
    is_found: NDArray[np.bool_]
    is_covered: NDArray[np.bool_]
    finder: NDArray[np.intp]

    @property
    def is_near(self) -> NDArray[np.bool_]:
        """Detections of the wrong class or place alone: bool (N,)."""
        return _is_near(self.error)

    @property
    def is_missed(self) -> NDArray[np.bool_]:
        """Boxes that are asked for and not found: bool (M,)."""
        return self.is_asked & ~self.is_found

    @property
    def is_missed_error(self) -> NDArray[np.bool_]:
        """Those of them that are an error of their own: bool (M,)."""
        return self.is_missed & ~self.is_covered

    def detections(self, error: Error) -> NDArray[np.intp]:
        """The places of the detections that have this error."""
        return np.flatnonzero(self.error == ERRORS.index(error))


def errors(scored: EvaluationSet, judgement: Judgement, thresholds: NDArray[np.float32]) -> Errors:
    """Classify what `judgement`, by the rules of Open Images V2, has as false, and find what is missed.

    `thresholds` (C,) are the least scores that count. With 0 for all, these are TIDE's own errors.
    """
    truth, detected = scored.truth, scored.detected
    is_above = detected.score >= thresholds[scored.label(detected.key)]
    is_asked = ~truth.is_group & ~truth.is_ignored
    finder = np.full(len(truth), NONE, np.intp)
    true = np.flatnonzero(judgement.outcome == Outcome.TRUE_POSITIVE)
    finder[judgement.truth[true]] = true
    is_found = np.append(is_above, False)[finder]  # NONE counts from the end
    false = np.flatnonzero(is_above & (judgement.outcome == Outcome.FALSE_POSITIVE))
    error = np.full(len(detected), NO_ERROR, np.int8)
    due = np.full(len(detected), NONE, np.intp)
    error[false], due[false] = _classified(scored, false, is_asked)
    is_covered = np.zeros(len(truth), bool)
    is_covered[due[_is_near(error)]] = True
    return Errors(is_above, error, due, is_asked, is_found, is_covered & is_asked & ~is_found, finder)


def _is_near(error: NDArray[np.int8]) -> NDArray[np.bool_]:
    return np.isin(error, [ERRORS.index(each) for each in NEAR])


def _classified(
    scored: EvaluationSet, false: NDArray[np.intp], is_asked: NDArray[np.bool_]
) -> tuple[NDArray[np.int8], NDArray[np.intp]]:
    """The error of each of the detections `false`, and the box it is due to."""
    truth: Truth = scored.truth
    boxes = Boxes(scored.detected.key[false], scored.detected.boxes[false])
    own = best(boxes, truth, is_asked, iou)
    other = best_of_other_classes(boxes, truth, is_asked, len(scored.classes.labels))
    conditions = {
        Error.LOCALISATION: (own.overlap >= np.float32(BACKGROUND)) & ~own.where(FOREGROUND),
        Error.CLASSIFICATION: other.where(FOREGROUND),
        Error.DUPLICATE: own.where(FOREGROUND),
        Error.BACKGROUND: np.maximum(own.overlap, other.overlap) <= np.float32(BACKGROUND),
    }
    places = [ERRORS.index(error) for error in conditions]
    kind = np.select(list(conditions.values()), places, ERRORS.index(Error.BOTH)).astype(np.int8)
    of_own = np.isin(kind, [ERRORS.index(Error.LOCALISATION), ERRORS.index(Error.DUPLICATE)])
    of_own |= (kind != ERRORS.index(Error.CLASSIFICATION)) & (own.overlap >= other.overlap)
    overlap = np.where(of_own, own.overlap, other.overlap)
    return kind, np.where(overlap > 0, np.where(of_own, own.truth, other.truth), NONE)


def confusion(scored: EvaluationSet, found: Errors) -> NDArray[np.intp]:
    """What each class is taken for at the operating point: (C + 1, C + 1).

    Rows are the classes of the boxes, columns those of the detections. The last row has the false positives that no box
    of another class explains, the last column the boxes that are missed. A box that is not found is in the column of
    the best detection of another class on it, if there is one; further ones are in the last row.
    """
    num_classes = len(scored.classes.labels)
    of_truth, of_detected = scored.label(scored.truth.key), scored.label(scored.detected.key)
    taken = _best_takers(scored, found)
    is_alone, is_left = found.error != NO_ERROR, found.is_missed.copy()
    is_alone[taken], is_left[found.truth[taken]] = False, False
    hits = of_truth[found.is_found]
    alone, left = of_detected[is_alone], of_truth[is_left]
    rows = np.concatenate([hits, of_truth[found.truth[taken]], np.full_like(alone, num_classes), left])
    columns = np.concatenate([hits, of_detected[taken], alone, np.full_like(left, num_classes)])
    cells = np.bincount(rows * (num_classes + 1) + columns, minlength=(num_classes + 1) ** 2)
    return cells.reshape(num_classes + 1, -1)


def _best_takers(scored: EvaluationSet, found: Errors) -> NDArray[np.intp]:
    """Of the detections of another class on a missed box, the best for each."""
    wrong = found.detections(Error.CLASSIFICATION)
    wrong = wrong[found.is_missed[found.truth[wrong]]]
    by_score = wrong[np.argsort(-scored.detected.score[wrong], kind="stable")]
    return by_score[np.unique(found.truth[by_score], return_index=True)[1]]
