"""Average precision once more, photo by photo and detection by detection, by the words of TFOD's code.

Written from TFOD's utils/per_image_evaluation.py, utils/object_detection_evaluation.py and utils/metrics.py, with
stable sorts where its own leave ties open, and without a line of oidata's own. Rows are dictionaries.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Rows: TypeAlias = Sequence[Mapping[str, Any]]


def average_precision(
    truth: Rows, found: Rows, looked_for: Collection[int], rules: Any, *, count_stripped: bool
) -> float | None:
    """The average precision of one class, whose rows and whose photos with a verdict these are; None without truth."""
    listed: list[tuple[float, float]] = []
    num_truth = 0.0
    for photo in sorted({row["photo"] for row in (*truth, *found)}):
        boxes = [row for row in truth if row["photo"] == photo]
        group = [row for row in boxes if row["is_group_of"] == 1]
        difficult = [row for row in boxes if row not in group and row["stripped"] and not count_stripped]
        kept = [row for row in boxes if row not in group and row not in difficult]
        num_truth += len(kept) + rules.group_weight * len(group)
        if rules.only_verified and not boxes and photo not in looked_for:
            continue
        rising = sorted((row for row in found if row["photo"] == photo), key=lambda row: float(row["score"]))
        listed += _of_photo(rising[::-1], [*kept, *difficult], len(kept), group, rules)
    rising_credit = [credit for _, credit in sorted(listed, key=lambda each: each[0])]
    return _area(np.array(rising_credit[::-1]), num_truth) if num_truth else None


def _of_photo(found: Rows, single: Rows, num_kept: int, group: Rows, rules: Any) -> list[tuple[float, float]]:
    """Score and credit of each detection and each group that counts; the first `num_kept` of `single` do."""
    listed: list[tuple[float, float]] = []
    taken: set[int] = set()
    best_of_group = [0.0] * len(group)
    for row in found:
        at = _best([_common(row, other) / _union(row, other) for other in single], rules.threshold)
        if at is not None and at >= num_kept:
            continue
        if at is not None and at not in taken:
            taken.add(at)
            listed.append((row["score"], 1.0))
            continue
        at = _best([_common(row, other) / _size(row) for other in group], rules.threshold)
        if at is not None:
            best_of_group[at] = max(best_of_group[at], row["score"])
        else:
            listed.append((row["score"], 0.0))
    return listed + [(score, rules.group_weight) for score in best_of_group if score > 0 and rules.group_weight > 0]


def _best(overlaps: list[float], threshold: float) -> int | None:
    """Where the highest stands first, if it reaches the threshold."""
    at = int(np.argmax(overlaps)) if overlaps else None
    return at if at is not None and overlaps[at] >= threshold else None


def _area(credit: np.ndarray, num_truth: float) -> float:
    """The area under the curve, step by step from its far end."""
    area, highest = 0.0, 0.0
    for place in range(len(credit) - 1, -1, -1):
        true, false = credit[: place + 1].sum(), (credit[: place + 1] == 0).sum()
        highest = max(highest, true / (true + false))
        area += highest * credit[place] / num_truth
    return area


def _common(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    width = min(a["xmax"], b["xmax"]) - max(a["xmin"], b["xmin"])
    height = min(a["ymax"], b["ymax"]) - max(a["ymin"], b["ymin"])
    return float(max(width, 0) * max(height, 0))


def _size(box: Mapping[str, Any]) -> float:
    return float((box["xmax"] - box["xmin"]) * (box["ymax"] - box["ymin"]))


def _union(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    return _size(a) + _size(b) - _common(a, b)
