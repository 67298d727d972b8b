"""Boxes that lie upon each other: pairs of one photo with a high IoU, without looking at all pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.tables import COORDINATES

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOUCHING = 1e-6
_SLACK = 1e-6
"""More than the rounding of a float32 coordinate in [0, 1], so that no pair is passed over."""


def close_pairs(truth: pd.DataFrame, min_iou: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of all pairs of boxes of one photo with IoU ≥ `min_iou` > 0, and their IoU: three arrays (num_pairs,).

    `truth` has image_id and coordinates, finite. Of a pair the box that begins further left comes first. With IoU ≥ t
    neither box is wider than 1/t of the other, and xmin differs by at most (1/t - 1) of a width. So in the order of
    photo and xmin each box need only look on until that distance is passed.
    """
    parts = list(_steps(truth, min_iou))
    one, other = (np.concatenate([part[side] for part in parts] or [np.zeros(0, np.int64)]) for side in (0, 1))
    xyxy = truth[list(COORDINATES)].to_numpy(np.float64)
    iou = _iou(xyxy[one], xyxy[other])
    close = iou >= min_iou
    return one[close], other[close], iou[close]


def num_suppressed(truth: pd.DataFrame, min_iou: float) -> int:
    """How many boxes non-maximum suppression at `min_iou` would take for a neighbour of their class in the photo.

    Boxes that are not finite, which nothing overlaps, are left out.
    """
    truth = truth[np.isfinite(truth[list(COORDINATES)].to_numpy()).all(axis=1)]
    one, other, _ = close_pairs(truth, max(min_iou, _TOUCHING))  # at 0 any overlap is one too many
    mids = truth["mid"].to_numpy()
    alike = mids[one] == mids[other]
    return len(np.unique(np.concatenate((one[alike], other[alike]))))


def _steps(truth: pd.DataFrame, min_iou: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of pairs that may be close: each box with the one next to it, then with the one after that, and so on."""
    xyxy = truth[list(COORDINATES)].to_numpy(np.float64)
    photo = pd.factorize(truth["image_id"])[0]
    order = np.lexsort((xyxy[:, 0], photo))
    reach = xyxy[:, 0] + (1 / min_iou - 1) * np.abs(xyxy[:, 2] - xyxy[:, 0]) + _SLACK
    start = np.arange(len(order))
    for step in range(1, len(order)):
        start = start[start + step < len(order)]
        one, other = order[start], order[start + step]
        near = (photo[one] == photo[other]) & (xyxy[other, 0] <= reach[one])
        start = start[near]
        if not start.size:
            return
        yield one[near], other[near]


def _iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The IoU of boxes in pairs, xyxy of shape (N, 4): float64 of shape (N,), 1 for equal ones, 0 without area."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    intersection = np.maximum(sides, 0).prod(axis=1)
    union = (one[:, 2:] - one[:, :2]).prod(axis=1) + (other[:, 2:] - other[:, :2]).prod(axis=1) - intersection
    iou = np.divide(intersection, union, out=np.zeros(len(one)), where=union > 0)
    return np.where((one == other).all(axis=1), 1.0, iou)
