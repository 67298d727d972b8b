"""Arithmetic on arrays of boxes, (N, 4) xyxy float32, with TFOD's order of operations and so its rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The area of each of (N, 4) boxes, (N,), in the square of their unit: negative for one that is inverted.

    As TFOD's core/box_list_ops.py, area.
    """
    xmin, ymin, xmax, ymax = boxes.T
    result: NDArray[np.float32] = (ymax - ymin) * (xmax - xmin)
    return result


def intersection(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """The area common to each of (N, 4) boxes `a` and each of (M, 4) boxes `b`, (N, M).

    As TFOD's core/box_list_ops.py, intersection.
    """
    xmin, ymin, xmax, ymax = (column[:, None] for column in a.T)
    height: NDArray[np.float32] = np.maximum(np.minimum(ymax, b[:, 3]) - np.maximum(ymin, b[:, 1]), 0)
    width: NDArray[np.float32] = np.maximum(np.minimum(xmax, b[:, 2]) - np.maximum(xmin, b[:, 0]), 0)
    return height * width


def iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of (N, 4) boxes `a` and (M, 4) boxes `b`, (N, M); 0 where they do not meet.

    As TFOD's core/box_list_ops.py, iou. A box with a NaN meets none.
    """
    common = intersection(a, b)
    union: NDArray[np.float32] = area(a)[:, None] + area(b) - common
    return np.divide(common, union, out=np.zeros_like(common), where=common > 0)


def ioa(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over the area of `b`, for (N, 4) boxes `a` and (M, 4) boxes `b`, (N, M); 0 where they do not meet.

    As TFOD's core/box_list_ops.py, ioa, where a box `b` without area gives NaN.
    """
    common = intersection(a, b)
    return np.divide(common, area(b), out=np.zeros_like(common), where=common > 0)
