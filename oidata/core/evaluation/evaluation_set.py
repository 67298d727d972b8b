"""Ground truth and detections side by side, as arrays: what every metric and every cause of a failure starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.evaluation.detections import LeftOut, check_detections, faults
from oidata.core.statistics import photo_class_keys, usable_photos
from oidata.core.tables import COORDINATES, Tables
from oidata.errors import DatasetError, TableError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from oidata.core.labels import LabelMap
    from oidata.core.statistics import Cells


@dataclass(frozen=True, eq=False)
class Truth:
    """The boxes that a detector is to find, M of them, sorted by `key`, and those that are ignored last of each key.

    row         its row in BOXES: intp (M,)
    key         photo · number of classes + class, each from 0: intp (M,)
    boxes       float32 (M, 4), xyxy, normalised
    is_group    a group box, stripped or not: what it counts is the metric's affair; bool (M,)
    is_ignored  a stripped box that is no group: missing it is no miss, finding it no false positive; bool (M,)
    """

    row: NDArray[np.intp]
    key: NDArray[np.intp]
    boxes: NDArray[np.float32]
    is_group: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)

    def ignoring(self, more: NDArray[np.bool_]) -> Truth:
        """The same boxes, of which `more` (M,) that are no groups are ignored."""
        is_ignored = self.is_ignored | (more & ~self.is_group)
        order = np.lexsort((is_ignored, self.key))
        return Truth(self.row[order], self.key[order], self.boxes[order], self.is_group[order], is_ignored[order])


@dataclass(frozen=True, eq=False)
class Detected:
    """The detections that can be scored, N of them, sorted by `key` and in each by falling score.

    row    its row in DETECTIONS: intp (N,). Of equal scores the later row stands first, as in TFOD, which sorts a
           photo's scores upwards and turns them round (utils/np_box_list_ops.py, sort_by_field)
    key    as in Truth: intp (N,)
    boxes  float32 (N, 4), xyxy, normalised, each with an area
    score  float32 (N,), within 0 and 1
    """

    row: NDArray[np.intp]
    key: NDArray[np.intp]
    boxes: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """What is to be scored: usable photos of some splits, their ground truth, and what was detected on them.

    photos    those of IMAGES, numbered from 0; a photo without detections is one on which nothing was found
    classes   those that count
    truth     their ground truth
    detected  their detections
    verified  keys of the photos and classes with a verified label, present or absent, sorted: intp (V,)
    left_out  the detections that are not in `detected`
    """

    photos: pd.DataFrame
    classes: LabelMap
    truth: Truth
    detected: Detected
    verified: NDArray[np.intp]
    left_out: LeftOut

    def label(self, key: NDArray[np.intp]) -> NDArray[np.intp]:
        """The class of each key, from 0."""
        return key % len(self.classes.labels)

    def photo(self, key: NDArray[np.intp]) -> NDArray[np.intp]:
        """The photo of each key, from 0."""
        return key // len(self.classes.labels)


def evaluation_set(
    tables: Tables, detections: pd.DataFrame, cells: Cells, *, count_stripped: bool = False
) -> EvaluationSet:
    """Set `detections`, as DETECTIONS declares them, against the ground truth of the usable photos of `cells`.

    With `count_stripped` a stripped box is ground truth like any other. Raises TableError for detections that cannot
    be scored, or none of which is of these photos and classes; DatasetError where there is no ground truth.
    """
    check_detections(detections)
    images = tables.images
    photos = usable_photos(images, cells)
    truth = _truth(tables.boxes, photo_class_keys(tables.boxes, photos, cells), count_stripped=count_stripped)
    if truth.is_ignored.all():  # or there is none
        raise _no_ground_truth(cells, len(truth))
    fault = faults(detections, images, photos, cells)
    left_out = LeftOut.of(fault)
    if len(detections) and (fault >= 0).all():
        raise _nothing_to_score(left_out)
    verified = photo_class_keys(tables.labels, photos, cells)
    return EvaluationSet(
        photos=photos,
        classes=cells.classes,
        truth=truth,
        detected=_detected(detections, np.where(fault < 0, photo_class_keys(detections, photos, cells), -1)),
        verified=np.unique(verified[verified >= 0]),
        left_out=left_out,
    )


def _truth(boxes: pd.DataFrame, key: NDArray[np.intp], *, count_stripped: bool) -> Truth:
    is_group = boxes["is_group_of"].to_numpy() == 1
    is_ignored = boxes["stripped"].notna().to_numpy() & ~is_group & (not count_stripped)
    # Where a stripped box is the double of another, a detection that fits both must find the one that counts.
    order = np.lexsort((is_ignored, key))
    row = order[key[order] >= 0]
    return Truth(row, key[row], _xyxy(boxes)[row], is_group[row], is_ignored[row])


def _detected(detections: pd.DataFrame, key: NDArray[np.intp]) -> Detected:
    score = detections["score"].to_numpy()
    order = np.lexsort((-np.arange(len(key)), -score, key))
    row = order[key[order] >= 0]
    return Detected(row, key[row], _xyxy(detections)[row], score[row])


def _xyxy(rows: pd.DataFrame) -> NDArray[np.float32]:
    return rows[list(COORDINATES)].to_numpy(np.float32)


def _no_ground_truth(cells: Cells, num_ignored: int) -> DatasetError:
    where = f"of {', '.join(cells.classes.names.values())} on the usable photos of {', '.join(cells.splits)}"
    if num_ignored:
        message = f"Every box {where} is stripped ({num_ignored:,})."
        return DatasetError(message, "Count stripped boxes as ground truth, or choose other splits.")
    return DatasetError(f"There is no ground truth {where}.", "Choose splits whose photos show the classes.")


def _nothing_to_score(left_out: LeftOut) -> TableError:
    message = f"None of the {left_out.total:,} detections can be scored: {', '.join(left_out.reasons())}."
    return TableError(message, "Give the detections of this dataset's photos, by image_id, and of its classes, by MID.")
