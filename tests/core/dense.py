"""The matcher once more, as TFOD runs it: one whole matrix of IoU for each photo. The tests and the benchmark compare.

Written from TFOD's box_list_ops.py, argmax_matcher.py and target_assigner.py, without a line of oidata's own.
"""

from itertools import pairwise
from typing import Any

import numpy as np

IGNORED, BACKGROUND = -2, -1

FIELDS = (
    *("best_iou", "best_anchor", "best_layer", "num_positive_anchors", "num_matched_anchors"),
    *("positives_per_layer", "is_forced_only", "is_starved", "num_ignored_anchors"),
)


def similarity(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """The IoU of each box and each anchor, (N, M) float32."""
    xmin1, ymin1, xmax1, ymax1 = np.split(boxes, 4, axis=1)
    xmin2, ymin2, xmax2, ymax2 = anchors.T
    # Boxes need not be finite.
    with np.errstate(all="ignore"):
        heights = np.maximum(np.float32(0), np.minimum(ymax1, ymax2) - np.maximum(ymin1, ymin2))
        widths = np.maximum(np.float32(0), np.minimum(xmax1, xmax2) - np.maximum(xmin1, xmin2))
        intersections = heights * widths
        areas1, areas2 = (ymax1 - ymin1) * (xmax1 - xmin1), (ymax2 - ymin2) * (xmax2 - xmin2)
        unions = areas1 + areas2 - intersections
        return np.where(intersections == 0, np.float32(0), intersections / unions)


def assignment(
    similarities: np.ndarray, best: np.ndarray, valid: np.ndarray, matcher: Any
) -> tuple[np.ndarray, np.ndarray]:
    """For each column the row that it matches, or BACKGROUND or IGNORED: before and after the forced match.

    `best` is the best column of each row; the rows that are not `valid` claim none.
    """
    matches = similarities.argmax(axis=0)
    if not matcher.ignore_thresholds:
        values = similarities[matches, np.arange(similarities.shape[1])]
        below = values < np.float32(matcher.unmatched_threshold)
        between = ~below & (values < np.float32(matcher.matched_threshold))
        lower, middle = BACKGROUND, IGNORED
        if not matcher.negatives_lower_than_unmatched:
            lower, middle = middle, lower
        matches[below] = lower
        matches[between] = middle
    forced = matches.copy()
    if matcher.force_match:
        for row in np.flatnonzero(valid)[::-1]:
            forced[best[row]] = row
    return matches, forced


def match(
    boxes: np.ndarray, image_index: np.ndarray, grid: Any, matcher: Any, weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """All fields of Targets by name: see oidata.core.matcher.targets.match."""
    anchors, layers = np.asfortranarray(grid.boxes()), grid.layer_index()
    num_layers = len(grid.layers)
    valid = np.ones(len(boxes), dtype=bool) if weights is None else weights > 0
    starts = np.flatnonzero(np.diff(image_index, prepend=-1))
    parts = [
        _photo(similarity(boxes[first:last], anchors), layers, num_layers, matcher, valid[first:last])
        for first, last in pairwise([*starts, len(boxes)])
    ]
    return {name: np.concatenate([_none(num_layers)[name], *(part[name] for part in parts)]) for name in FIELDS}


def _photo(
    similarities: np.ndarray, layers: np.ndarray, num_layers: int, matcher: Any, valid: np.ndarray
) -> dict[str, np.ndarray]:
    num_boxes = len(similarities)
    best = similarities.argmax(axis=1)
    matches, forced = assignment(similarities, best, valid, matcher)
    positive, kept = forced >= 0, (forced >= 0) & (forced == matches)
    per_layer = np.bincount(forced[positive] * num_layers + layers[positive], minlength=num_boxes * num_layers)
    per_layer = per_layer.reshape(num_boxes, num_layers).astype(np.int32)
    num_positive = per_layer.sum(axis=1, dtype=np.int32)
    return {
        "best_iou": similarities[np.arange(num_boxes), best],
        "best_anchor": best.astype(np.int32),
        "best_layer": layers[best],
        "num_positive_anchors": num_positive,
        "num_matched_anchors": np.bincount(matches[matches >= 0], minlength=num_boxes).astype(np.int32),
        "positives_per_layer": per_layer,
        "is_forced_only": (num_positive > 0) & (np.bincount(forced[kept], minlength=num_boxes) == 0),
        "is_starved": num_positive == 0,
        "num_ignored_anchors": np.array([np.count_nonzero(forced == IGNORED)], dtype=np.int32),
    }


def _none(num_layers: int) -> dict[str, np.ndarray]:
    """The fields of no boxes in no photos."""
    dtypes = {"best_iou": np.float32, "best_layer": np.int8, "is_forced_only": np.bool_, "is_starved": np.bool_}
    fields: dict[str, np.ndarray] = {name: np.zeros(0, dtype=dtypes.get(name, np.int32)) for name in FIELDS}
    return fields | {"positives_per_layer": np.zeros((0, num_layers), dtype=np.int32)}
