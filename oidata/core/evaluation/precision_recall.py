"""Precision and recall along falling scores, and the area under them, as PASCAL VOC measures it since 2010."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall if the detections down to each score count: float64 of shape (K,), by falling score."""

    score: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @classmethod
    def of(cls, score: NDArray[np.floating], credit: NDArray[np.float64], num_truth: float) -> Curve:
        """The curve of K detections by falling `score`; `num_truth` > 0 is the credit that all of the truth would give.

        `credit` is what a true positive counts, and 0 for a false positive, which counts 1 against precision. As
        TFOD's utils/metrics.py, compute_precision_recall.
        """
        true = np.cumsum(credit)
        return cls(score.astype(np.float64), true / (true + np.cumsum(credit <= 0)), true / num_truth)

    @property
    def average_precision(self) -> float:
        """The area under the curve, with at each recall the best precision at that recall or a higher one.

        All points count, not 11 or 101. As TFOD's utils/metrics.py, compute_average_precision.
        """
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.dot(np.diff(self.recall, prepend=0), envelope))
