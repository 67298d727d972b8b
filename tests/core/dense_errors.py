"""TIDE once more, photo by photo and detection by detection, by the words of its own code, without a line of oidata's.

Written from tidecv's quantify.py (_eval_image, fix_errors) and errors/ (BestGTMatch and each error's fix). What finds
what, and the area under the curve, is as in dense_ap, by the rules of Open Images V2. Rows are dictionaries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tests.core.dense_ap import _area, _best, _common, _size, _union

Row: TypeAlias = Mapping[str, Any]
ORDER = ("classification", "localisation", "both", "duplicate", "background", "missed")


@dataclass
class Box:
    """A box that is asked for: by place among the rows, whether it is found, and what would find it."""

    row: int
    mid: str
    sides: Row
    is_found: bool = False
    candidates: list["Detection"] = field(default_factory=list)


@dataclass
class Detection:
    """A detection: whether it is true, false or (None) ignored, its error, and the box that this is due to."""

    row: int
    mid: str
    score: float
    sides: Row
    is_true: bool | None = False
    error: str | None = None
    box: Box | None = None


@dataclass
class Tide:
    """All boxes that are asked for, and all detections by falling score, as TFOD ranks them."""

    boxes: list[Box]
    detections: list[Detection]

    @property
    def missed(self) -> list[Box]:
        """The boxes that are an error of their own."""
        return [box for box in self.boxes if not box.is_found and not box.candidates]

    def mean_average_precision(self, *mended: str) -> float:
        """With some errors mended, the mean over the classes that have a box."""
        gone = [box.row for box in self.missed] if "missed" in mended else []
        listed = [each for detection in self.detections if (each := _mended(detection, mended)) is not None]
        areas = []
        for mid in sorted({box.mid for box in self.boxes}):
            number = sum(1 for box in self.boxes if box.mid == mid and box.row not in gone)
            credit = np.array([float(is_true) for of, is_true in listed if of == mid])
            # tidecv has 0 for a class that nothing is asked of; here nothing is wrong with it if nothing is found.
            areas.append(_area(credit, number) if number else float(not len(credit)))
        return float(np.mean(areas))


def _mended(detection: Detection, mended: Sequence[str]) -> tuple[str, bool] | None:
    """The class of a detection and whether it is true, None where it does not count."""
    if detection.is_true is None:
        return None
    if detection.error not in mended:
        return detection.mid, detection.is_true
    box = detection.box
    if detection.error in {"classification", "localisation"} and box and not box.is_found:
        best = max(box.candidates, key=lambda each: each.score)  # the first of equals
        return (box.mid, True) if best is detection else None
    return None


def tide(truth: Sequence[Row], found: Sequence[Row]) -> Tide:
    """All errors of a scene at a threshold of 0."""
    boxes: list[Box] = []
    rising: list[Detection] = []
    for photo in sorted({row["photo"] for row in (*truth, *found)}):
        rows = [(at, row) for at, row in enumerate(truth) if row["photo"] == photo]
        single = [(at, row) for at, row in rows if row["is_group_of"] != 1]
        asked = [Box(at, row["mid"], row) for at, row in single if not row["stripped"]]
        ignored = [Box(at, row["mid"], row) for at, row in single if row["stripped"]]
        groups = [row for _, row in rows if row["is_group_of"] == 1]
        of_photo = [Detection(at, row["mid"], row["score"], row) for at, row in enumerate(found)]
        of_photo = [each for each in of_photo if each.sides["photo"] == photo]
        falling = sorted(of_photo, key=lambda each: each.score)[::-1]
        for each in falling:
            _match(each, asked, ignored, groups)
        for each in falling:
            if each.is_true is False:
                _classify(each, asked)
        boxes += asked
        rising += falling
    ranked = sorted(rising, key=lambda each: each.score)[::-1]
    for each in ranked:
        if each.box and each.error in {"classification", "localisation"} and not each.box.is_found:
            each.box.candidates.append(each)
    return Tide(boxes, ranked)


def _match(detection: Detection, asked: list[Box], ignored: list[Box], groups: list[Row]) -> None:
    single = [box for box in (*asked, *ignored) if box.mid == detection.mid]
    at = _best([_iou(detection.sides, box.sides) for box in single], 0.5)
    if at is not None and single[at] in ignored:
        detection.is_true = None
    elif at is not None and not single[at].is_found:
        detection.is_true = single[at].is_found = True
        detection.box = single[at]
    else:
        inside = [row for row in groups if row["mid"] == detection.mid]
        if any(_common(detection.sides, row) / _size(detection.sides) >= 0.5 for row in inside):
            detection.is_true = None


def _classify(detection: Detection, asked: list[Box]) -> None:
    own = [(_iou(detection.sides, box.sides), box) for box in asked if box.mid == detection.mid]
    other = [(_iou(detection.sides, box.sides), box) for box in asked if box.mid != detection.mid]
    overlap, box = max(own, key=lambda each: each[0], default=(0.0, None))
    overlap_other, box_other = max(other, key=lambda each: each[0], default=(0.0, None))
    if 0.1 <= overlap < 0.5:
        detection.error, detection.box = "localisation", box
    elif overlap_other >= 0.5:
        detection.error, detection.box = "classification", box_other
    elif overlap >= 0.5:
        detection.error, detection.box = "duplicate", box
    elif max(overlap, overlap_other) <= 0.1:
        detection.error = "background"
    else:
        detection.error = "both"


def _iou(a: Row, b: Row) -> float:
    return _common(a, b) / _union(a, b)
