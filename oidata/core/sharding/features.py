"""What an example says of a photo: the features that TensorFlow's detection readers take, from a dataset's tables.

TFOD is the TensorFlow Object Detection API, data_decoders/tf_example_decoder.py; official.vision is the Model Garden's
official/vision/dataloaders/tf_example_decoder.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from oidata.core.release.defects import is_object, is_unboxed
from oidata.core.statistics import counts, places
from oidata.core.tables import COORDINATES
from oidata.errors import TableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from oidata.core.labels import LabelMap
    from oidata.core.sharding.example import Features, Values

DROP, IGNORE, KEEP = STRIPPED = ("drop", "ignore", "keep")

_FLAG_FEATURES: Final = {
    "image/object/group_of": "is_group_of",
    "image/object/truncated": "is_truncated",
    "image/object/occluded": "is_occluded",
    "image/object/depiction": "is_depiction",
}


def photo_features(
    images: pd.DataFrame, boxes: pd.DataFrame, labels: pd.DataFrame, classes: LabelMap, stripped: str = DROP
) -> Iterator[tuple[str, Features]]:
    """What an example says of each of IMAGES, in order, with its image_id: all features but those of its bytes.

    `boxes` and `labels` are rows of BOXES and LABELS; those of other photos are left out. A class is named by its MID,
    which a label map has as name, and by its id. Per box: coordinates normalised, area in px² of the photo as stored
    (as COCO metrics take it, and official.vision computes it); a flag that is unknown (-1) is no. Per photo: all
    classes with a verdict, confidence 1 where present and 0 where absent (what TFOD's Challenge metric evaluates);
    those verified absent as neg_category_ids; those that may be seen without a box as not_exhaustive_category_ids:
    never verified, or with an object whose box is not written. A box is a verdict too, and outweighs "absent".

    `stripped` says what becomes of a stripped box: drop leaves it out; ignore writes it with weight 0, is_crowd 1 and
    difficult 1, behind the others; keep writes it as any other. What is no box (NaN, outside, inverted, no area) and
    what is another's double is never written: TFOD stops at an inverted box, and a double of weight 0 would take its
    twin's anchors. Takes num_photos · num_classes bytes, so ask for a shard at a time.

    Raises UsageError for another `stripped`, TableError for a box whose class is not in `classes`, and for a photo of
    unknown size.
    """
    check_stripped(stripped)
    sizes_px = _sizes_px(images)
    boxes, labels = (_placed(rows, images) for rows in (boxes, labels))
    written = is_written(boxes, stripped)
    unboxed = boxes[is_unboxed(boxes, written)]
    classified = _image_features(_Verdicts.of(len(images), boxes, labels, classes, unboxed), classes)
    is_ignored = boxes["stripped"].notna() & (stripped == IGNORE)
    boxes = _in_order(boxes.assign(is_ignored=is_ignored)[written])
    objects = _object_features(boxes, sizes_px, classes)
    ends = np.cumsum(counts(boxes["photo"].to_numpy(), len(images))).tolist()
    photos = zip(images["image_id"], sizes_px, classified, pairwise((0, *ends)), strict=True)
    for image_id, size_px, of_image, (start, end) in photos:
        of_objects = {name: values[start:end] for name, values in objects.items()}
        yield image_id, {**_file_features(image_id, size_px), **of_image, **of_objects}


def check_stripped(stripped: str) -> None:
    """Raise UsageError for what is none of STRIPPED."""
    if stripped not in STRIPPED:
        raise UsageError(f"{stripped!r} is no way to treat stripped boxes.", f"Choose one of {', '.join(STRIPPED)}.")


def is_written(boxes: pd.DataFrame, stripped: str = DROP) -> np.ndarray:
    """Which of BOXES `photo_features` writes, booleans of shape (N,): with DROP, those that train a detector."""
    return is_object(boxes) & (boxes["stripped"].isna().to_numpy() | (stripped != DROP))


@dataclass(frozen=True)
class _Verdicts:
    """What is known of the classes on the photos: booleans of shape (num_photos, num_classes).

    Each class is present, absent or neither; `partly` are those of which an object may be seen without a box.
    """

    present: np.ndarray
    absent: np.ndarray
    partly: np.ndarray

    @classmethod
    def of(
        cls, num_photos: int, boxes: pd.DataFrame, labels: pd.DataFrame, classes: LabelMap, unboxed: pd.DataFrame
    ) -> _Verdicts:
        """From rows with `photo` and `mid`; `unboxed` are those boxes whose object stays to see without one."""
        shape = num_photos, len(classes.labels)
        is_present = labels["is_present"].to_numpy()
        present = _marked(boxes, classes, shape) | _marked(labels[is_present], classes, shape)
        absent = _marked(labels[~is_present], classes, shape) & ~present
        return cls(present, absent, ~present & ~absent | _marked(unboxed, classes, shape))


def _marked(rows: pd.DataFrame, classes: LabelMap, shape: tuple[int, int]) -> np.ndarray:
    """Booleans of `shape` (num_photos, num_classes): true where there is a row of that photo and class."""
    code = places(rows["mid"], classes.mids)
    marked = np.zeros(shape, dtype=bool)
    marked[rows["photo"].to_numpy()[code >= 0], code[code >= 0]] = True
    return marked


def _placed(rows: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The rows of the photos in `images`, with the `photo`'s place there, numbered anew."""
    placed = rows.assign(photo=places(rows["image_id"], images["image_id"]))
    chosen: pd.DataFrame = placed[placed["photo"] >= 0].reset_index(drop=True)
    return chosen


def _sizes_px(images: pd.DataFrame) -> np.ndarray:
    """Height and width of each photo: int64 of shape (num_photos, 2)."""
    sizes_px = images[["height_px", "width_px"]]
    if (unknown := sizes_px.isna().any(axis=1)).any():
        raise TableError(
            f"The photo {images.loc[unknown, 'image_id'].iloc[0]} has no size in the table 'images'.",
            "Leave out photos that are not ok, or fetch them again.",
        )
    return sizes_px.to_numpy(np.int64)


def _in_order(boxes: pd.DataFrame) -> pd.DataFrame:
    """By photo, each photo's boxes as they come, ignored ones last.

    TFOD gives an anchor that fits two boxes equally to the first, and takes the first max_number_of_boxes of a photo.
    """
    return boxes.sort_values(["photo", "is_ignored"], kind="stable", ignore_index=True)


def _file_features(image_id: str, size_px: np.ndarray) -> Features:
    return {
        "image/filename": (f"{image_id}.jpg".encode(),),
        "image/source_id": (image_id.encode(),),
        "image/height": size_px[:1],
        "image/width": size_px[1:],
    }


def _image_features(verdicts: _Verdicts, classes: LabelMap) -> Iterator[Features]:
    """The features of each photo's classes."""
    mids = [mid.encode() for mid in classes.mids]
    for present, absent, partly in zip(verdicts.present, verdicts.absent, verdicts.partly, strict=True):
        known = np.flatnonzero(present | absent)
        yield {
            "image/class/text": [mids[code] for code in known],
            "image/class/label": known + 1,
            "image/class/confidence": present[known].astype(np.float32),
            "image/neg_category_ids": np.flatnonzero(absent) + 1,
            "image/not_exhaustive_category_ids": np.flatnonzero(partly) + 1,
        }


def _object_features(boxes: pd.DataFrame, sizes_px: np.ndarray, classes: LabelMap) -> dict[str, Values]:
    """The features of all boxes, one value for each."""
    class_ids = places(boxes["mid"], classes.mids) + 1
    if (unknown := class_ids == 0).any():
        box = boxes[unknown].iloc[0]
        raise TableError(
            f"The box {box['box_id']} is of class {box['mid']}, which the dataset does not have.",
            "Correct its class, or fetch a dataset with that class.",
        )
    xmin, ymin, xmax, ymax = boxes[list(COORDINATES)].to_numpy(np.float32).T
    height_px, width_px = sizes_px[boxes["photo"]].astype(np.float32).T
    is_ignored = boxes["is_ignored"].to_numpy()
    flags = {name: (boxes[flag] == 1).to_numpy() for name, flag in _FLAG_FEATURES.items()}
    return {
        **{f"image/object/bbox/{name}": boxes[name].to_numpy() for name in COORDINATES},
        "image/object/class/text": [mid.encode() for mid in boxes["mid"]],
        "image/object/class/label": class_ids,
        "image/object/area": (xmax - xmin) * (ymax - ymin) * height_px * width_px,
        **flags,
        "image/object/is_crowd": flags["image/object/group_of"] | is_ignored,
        "image/object/difficult": is_ignored,
        "image/object/weight": (~is_ignored).astype(np.float32),
    }
