"""The score from which a detection counts when failures are counted: of each class one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.evaluation.open_images_ap import OpenImagesAp
    from oidata.core.evaluation.precision_recall import Curve

DEFAULT_THRESHOLD = 0.5
"""Where no score finds anything, and one is as good as another."""


@dataclass(frozen=True)
class OperatingPoint:
    """The threshold of a class, and what it gives by the rules of Open Images V2.

    mid, display_name  the class
    threshold          the least score that counts
    is_given           whether it was asked for; else it is that of the best F1, the highest of equals
    precision          of what counts, the share that is right; None where nothing counts, or without ground truth
    recall             the share of the boxes that are found; None without ground truth
    f1                 their harmonic mean; None where either is None
    """

    mid: str
    display_name: str
    threshold: float
    is_given: bool
    precision: float | None
    recall: float | None
    f1: float | None


def operating_points(result: OpenImagesAp, given: float | None = None) -> tuple[OperatingPoint, ...]:
    """The operating point of each class, in the order of the label map: at the score `given`, else at the best F1."""
    return tuple(
        _point(each.mid, each.display_name, curve, given)
        for each, curve in zip(result.classes, result.curves, strict=True)
    )


def thresholds(points: tuple[OperatingPoint, ...]) -> NDArray[np.float32]:
    """The threshold of each class: float32 (C,)."""
    return np.array([point.threshold for point in points], np.float32)


def _point(mid: str, display_name: str, curve: Curve | None, given: float | None) -> OperatingPoint:
    if curve is None:
        return OperatingPoint(mid, display_name, _or_default(given), given is not None, None, None, None)
    f1 = _f1(curve.precision, curve.recall)
    # Detections of one score count together or not at all.
    ends = np.flatnonzero(np.diff(curve.score, append=-1.0))
    if given is None:
        best = ends[np.argmax(f1[ends])] if len(ends) and f1[ends].any() else None
        threshold = DEFAULT_THRESHOLD if best is None else float(curve.score[best])
    else:
        threshold = given
    counted = int(np.sum(curve.score.astype(np.float32) >= np.float32(threshold)))
    if not counted:
        return OperatingPoint(mid, display_name, threshold, given is not None, None, 0.0, None)
    last = counted - 1
    values = (float(column[last]) for column in (curve.precision, curve.recall, f1))
    return OperatingPoint(mid, display_name, threshold, given is not None, *values)


def _or_default(given: float | None) -> float:
    return DEFAULT_THRESHOLD if given is None else given


def _f1(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    total = precision + recall
    return np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
