"""What one photo brings to training: how many boxes of which classes, and how many negatives are mined beside them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.statistics import counts, places, quantiles, usable_photos

if TYPE_CHECKING:
    from oidata.core.statistics import Cells

MIXES_MAX = 100
"""Sets of classes listed for a split, the most frequent first; few classes have no more."""


@dataclass(frozen=True)
class ClassMix:
    """Photos that show just these classes.

    mids            the classes by id; none for photos without a ground-truth box
    display_names   their names
    num_photos      photos with a ground-truth box of each of them, and of no other
    """

    mids: tuple[str, ...]
    display_names: tuple[str, ...]
    num_photos: int


@dataclass(frozen=True)
class SplitBoxes:
    """The boxes per usable photo of a split; boxes are ground truth.

    split               the split
    num_photos          usable photos
    num_boxes           boxes on them
    num_without_box     photos without a box
    max_boxes           the most boxes on a photo; None without a photo
    boxes               quantiles of boxes per photo, named p0 … p100; None without a photo
    photos_by_boxes     how many photos have 0, 1, 2, … max_boxes boxes
    num_over            photos with more boxes than max_number_of_boxes
    num_cut             boxes that those have too many: TFOD cuts them off (inputs.py)
    mixes               photos by set of classes, the MIXES_MAX most frequent, falling
    num_other_photos    photos of all other sets
    """

    split: str
    num_photos: int
    num_boxes: int
    num_without_box: int
    max_boxes: int | None
    boxes: dict[str, float | None]
    photos_by_boxes: tuple[int, ...]
    num_over: int
    num_cut: int
    mixes: tuple[ClassMix, ...]
    num_other_photos: int


@dataclass(frozen=True)
class PerImageFacts:
    """What photos bring to training.

    max_number_of_boxes     what a training step takes of one photo (train_config.max_number_of_boxes)
    splits                  one SplitBoxes per split
    """

    max_number_of_boxes: int
    splits: tuple[SplitBoxes, ...]


def per_image_facts(images: pd.DataFrame, truth: pd.DataFrame, cells: Cells, max_number_of_boxes: int) -> PerImageFacts:
    """The boxes and classes per photo of IMAGES, given its `ground_truth`; a photo without a box counts as one."""
    truth = truth[cells.codes(truth) >= 0]
    photos = usable_photos(images, cells)
    num_boxes = boxes_per_photo(photos, truth)
    splits = cells.split_codes(photos)
    of_photo = quantiles(num_boxes, splits, len(cells.splits))
    return PerImageFacts(
        max_number_of_boxes,
        tuple(
            _split_boxes(
                _Split(split, num_boxes[splits == code], truth[truth["split"] == split], of_photo[code]),
                cells,
                max_number_of_boxes,
            )
            for code, split in enumerate(cells.splits)
        ),
    )


def boxes_per_photo(photos: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """How many rows of `truth` each of `photos` has: int64, shape (num_photos,)."""
    return counts(places(truth["image_id"], photos["image_id"]), len(photos))


def mined_negatives(
    num_positives: np.ndarray,
    num_negatives: np.ndarray,
    *,
    max_negatives_per_positive: float | None,
    min_negatives_per_image: int = 0,
    num_hard_examples: int | None = None,
) -> np.ndarray:
    """How many negative anchors of each photo reach the loss, by TFOD's core/losses.py HardExampleMiner.

    It takes the `num_hard_examples` anchors of highest loss, then all positives among them and at most
    max(min_negatives_per_image, ⌊max_negatives_per_positive · positives⌋) negatives, in float32. So a photo without
    a positive gives min_negatives_per_image. None is no limit, as is a config's 0 or less for either of the two
    numbers (builders/losses_builder.py); without a ratio the minimum is not looked at.

    `num_positives` and `num_negatives` are a photo's positive and negative anchors, shape (N,); so is the result,
    int64.

    Left out, since it needs a model's losses: the NMS of the decoded boxes that comes first (iou_threshold), which
    takes positives and negatives alike, and what falls to a `num_hard_examples` below the number of anchors, where
    positives are taken to have the highest loss. Ignored anchors, which may ride along, are not counted.
    """
    positives = np.asarray(num_positives, dtype=np.int64)
    negatives = np.asarray(num_negatives, dtype=np.int64)
    if num_hard_examples:
        positives = np.minimum(positives, num_hard_examples)
        negatives = np.minimum(negatives, num_hard_examples - positives)
    if max_negatives_per_positive is None:
        return negatives
    quota = (np.float32(max_negatives_per_positive) * positives.astype(np.float32)).astype(np.int64)
    return np.minimum(negatives, np.maximum(min_negatives_per_image, quota))


@dataclass(frozen=True)
class _Split:
    """A split's photos and boxes: boxes of each photo, shape (num_photos,), their quantiles, and the ground truth."""

    name: str
    num_boxes: np.ndarray
    truth: pd.DataFrame
    quantiles: dict[str, float | None]


def _split_boxes(split: _Split, cells: Cells, max_number_of_boxes: int) -> SplitBoxes:
    num_boxes = split.num_boxes
    mixes = _mixes(split.truth, cells)
    mixes[()] = int((num_boxes == 0).sum())
    most = sorted((item for item in mixes.items() if item[1]), key=lambda item: (-item[1], item[0]))
    listed = tuple(_mix(codes, num, cells) for codes, num in most[:MIXES_MAX])
    return SplitBoxes(
        split=split.name,
        num_photos=len(num_boxes),
        num_boxes=int(num_boxes.sum()),
        num_without_box=mixes[()],
        max_boxes=int(num_boxes.max()) if num_boxes.size else None,
        boxes=split.quantiles,
        photos_by_boxes=tuple(np.bincount(num_boxes).tolist()),
        num_over=int((num_boxes > max_number_of_boxes).sum()),
        num_cut=int(np.maximum(num_boxes - max_number_of_boxes, 0).sum()),
        mixes=listed,
        num_other_photos=len(num_boxes) - sum(mix.num_photos for mix in listed),
    )


def _mixes(truth: pd.DataFrame, cells: Cells) -> Counter[tuple[int, ...]]:
    """By set of class codes, sorted, how many photos show just those."""
    photo, num = pd.factorize(truth["image_id"])[0], len(cells.classes.labels)
    keys = np.sort(pd.unique(photo * num + cells.class_codes(truth)))
    codes = (keys % num).tolist()
    starts = [*np.flatnonzero(np.diff(keys // num, prepend=-1)).tolist(), len(codes)]
    return Counter(tuple(codes[start:end]) for start, end in pairwise(starts))


def _mix(codes: tuple[int, ...], num_photos: int, cells: Cells) -> ClassMix:
    labels = [cells.classes.labels[code] for code in codes]
    return ClassMix(tuple(each.mid for each in labels), tuple(each.display_name for each in labels), num_photos)
