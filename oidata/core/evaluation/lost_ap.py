"""What AP there would be without some failures: each kind of error mended alone, or one cause after the other.

A failure is mended as TIDE mends it (Bolya et al., ECCV 2020, section 2.2): a false positive is taken out, one of the
wrong class or place is put right, or taken out where its box is found already, and a missed box is no longer asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.evaluation.candidates import NONE
from oidata.core.evaluation.error_types import NEAR
from oidata.core.evaluation.failures import Error
from oidata.core.evaluation.open_images_ap import Outcome, ranking
from oidata.core.evaluation.precision_recall import Curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.evaluation.error_types import Errors
    from oidata.core.evaluation.evaluation_set import EvaluationSet
    from oidata.core.evaluation.open_images_ap import Judgement


@dataclass(frozen=True, eq=False)
class Standing:
    """The detections of an EvaluationSet as they stand after some failures were mended.

    found       the errors at the operating point, and `floor` (C,) its thresholds
    rank        places of the detections that count at first, of all classes, by falling score: intp (K,)
    label       the class of each of N detections, score their scores: intp and float32 (N,)
    is_counted, is_true  those that count, and those of them that are true positives: bool (N,)
    is_asked, is_found   boxes that are to be found, and those found at the operating point: bool (M,)
    truth_label  the class of each box, and num_asked how many of each were to be found at first: intp (M,), (C,)
    """

    found: Errors
    floor: NDArray[np.float32]
    rank: NDArray[np.intp]
    label: NDArray[np.intp]
    score: NDArray[np.float32]
    is_counted: NDArray[np.bool_]
    is_true: NDArray[np.bool_]
    is_asked: NDArray[np.bool_]
    is_found: NDArray[np.bool_]
    truth_label: NDArray[np.intp]
    num_asked: NDArray[np.intp]

    @classmethod
    def at_first(
        cls, scored: EvaluationSet, judgement: Judgement, found: Errors, thresholds: NDArray[np.float32]
    ) -> Standing:
        """Before anything is mended: what the rules of Open Images V2 make of the detections."""
        outcome = judgement.outcome
        truth_label = scored.label(scored.truth.key)
        return cls(
            found=found,
            floor=thresholds,
            rank=ranking(scored, judgement),
            label=scored.label(scored.detected.key),
            score=scored.detected.score,
            is_counted=outcome <= Outcome.GROUP_FOUND,
            is_true=outcome == Outcome.TRUE_POSITIVE,
            is_asked=found.is_asked,
            is_found=found.is_found,
            truth_label=truth_label,
            num_asked=np.bincount(truth_label[found.is_asked], minlength=len(thresholds)),
        )

    @property
    def mean_average_precision(self) -> float:
        """The mean over the classes that had ground truth at first.

        Of a class whose boxes are no longer asked for, all of them, AP is 1 if nothing that counts is false, else 0.
        """
        rows = self.rank[self.is_counted[self.rank]]
        # A detection that is put right, of a class with another threshold, comes to stand above that.
        score = np.where(self.is_true, np.maximum(self.score, self._raised()), self.score)
        rows = rows[np.argsort(-score[rows], kind="stable")]
        rows = rows[np.argsort(self.label[rows], kind="stable")]
        number = np.bincount(self.truth_label[self.is_asked], minlength=len(self.num_asked))
        parts = np.split(rows, np.searchsorted(self.label[rows], np.arange(1, len(number))))
        classes = [
            self._average_precision(score, part, number[at]) for at, part in enumerate(parts) if self.num_asked[at]
        ]
        return float(np.mean(classes))

    def _raised(self) -> NDArray[np.float32]:
        """The threshold of each detection that is put right, 0 for the others."""
        return np.where(self.found.is_above, self.floor[self.label], np.float32(0))

    def _average_precision(self, score: NDArray[np.float32], rows: NDArray[np.intp], num_asked: int) -> float:
        if not num_asked:
            return float(not (~self.is_true[rows] & self.found.is_above[rows]).any())
        return Curve.of(score[rows], self.is_true[rows].astype(np.float64), float(num_asked)).average_precision

    def without_error(self, error: Error) -> Standing:
        """Mended in one of TIDE's errors."""
        if error == Error.MISSED:
            missed = self.found.is_missed_error & ~self.is_found
            return self.without(missed, np.zeros(len(self.label), bool))
        rows = self.found.detections(error)
        if error in NEAR:
            return self._put_right(rows)
        is_false = np.zeros(len(self.label), bool)
        is_false[rows] = True
        return self.without(np.zeros(len(self.is_asked), bool), is_false)

    def without(self, missed: NDArray[np.bool_], false: NDArray[np.bool_]) -> Standing:
        """Without asking for the boxes `missed` (M,), and without the detections `false` (N,)."""
        return replace(
            self,
            is_asked=self.is_asked & ~missed,
            is_counted=self.is_counted & ~false & ~self._finders(np.flatnonzero(missed)),
        )

    def _put_right(self, rows: NDArray[np.intp]) -> Standing:
        """Each detection in `rows` finds its box, if that is not found and it is the best to be put right; others go.

        The best of those of either error, so that none finds a box that is the other error's to mend.
        """
        is_row = np.zeros(len(self.label), bool)
        is_row[rows] = True
        by_rank = self.rank[self.found.is_near[self.rank]]
        best = by_rank[np.unique(self.found.truth[by_rank], return_index=True)[1]]
        first = best[is_row[best] & ~self.found.is_found[self.found.truth[best]]]
        truth = self.found.truth[first]
        label, is_true, is_found = self.label.copy(), self.is_true.copy(), self.is_found.copy()
        label[first], is_true[first], is_found[truth] = self.truth_label[truth], True, True
        is_counted = self.is_counted & ~is_row & ~self._finders(truth)
        is_counted[first] = True
        return replace(self, label=label, is_true=is_true, is_found=is_found, is_counted=is_counted)

    def _finders(self, truth: NDArray[np.intp]) -> NDArray[np.bool_]:
        """The detections that find these boxes below the threshold: of no more use to them."""
        finder = self.found.finder[truth]
        is_finder = np.zeros(len(self.label), bool)
        is_finder[finder[finder != NONE]] = True
        return is_finder & ~self.found.is_above
