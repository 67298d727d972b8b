"""A seeded simulation of the random crops that training sees: which boxes stay, and how large they become.

A crop zooms in, so boxes grow on their way into the network, and some are cut or lost. A random horizontal flip is not
simulated: where the grid of anchors is its own mirror image a flip changes no match, and only the layers of a
`multiscale_anchor_generator` whose stride does not divide the input's width are not.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.boxes import area
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

# TFOD core/preprocessor.py, _strict_random_crop_image: max_attempts. Then the whole photo is taken.
MAX_ATTEMPTS = 100
_EPSILON = 1e-7


@dataclass(frozen=True)
class CropOperation:
    """One way to crop: the fields of TFOD's SSDRandomCropOperation, and just so those of its RandomCropImage.

    The crop covers at least `min_object_covered` of one box; a box stays where at least `overlap_thresh` of its area
    lies in the crop. The aspect ratio is width over height in the photo's pixels, the area a share of the photo's,
    and `random_coef` the chance that the photo stays whole. The defaults are those of the function ssd_random_crop in
    TFOD's core/preprocessor.py. In the proto, a field that a listed operation leaves out is 0 (clip_boxes is true).
    Raises ConfigError for ranges that TensorFlow's SampleDistortedBoundingBox refuses, on which training would stop.
    """

    min_object_covered: float = 0.0
    min_aspect_ratio: float = 0.5
    max_aspect_ratio: float = 2.0
    min_area: float = 0.1
    max_area: float = 1.0
    overlap_thresh: float = 0.0
    clip_boxes: bool = True
    random_coef: float = 0.15

    def __post_init__(self) -> None:
        faults = {
            "min_object_covered is below 0": not self.min_object_covered >= 0,
            "an aspect ratio is not above 0": not min(self.min_aspect_ratio, self.max_aspect_ratio) > 0,
            "an area is not above 0": not min(self.min_area, self.max_area) > 0,
            "an area is above 1": max(self.min_area, self.max_area) > 1,
        }
        if found := [fault for fault, applies in faults.items() if applies]:
            hint = "A field that an operation leaves out is 0: set all of them, or list no operation at all."
            raise ConfigError(f"A random crop in which {' and '.join(found)} cannot be made.", hint)


_FIELDS = tuple(field.name for field in dataclasses.fields(CropOperation))

# What ssd_random_crop does where the config lists no operation: TFOD core/preprocessor.py, ssd_random_crop.
SSD_RANDOM_CROP = tuple(
    CropOperation(min_object_covered=share, overlap_thresh=share) for share in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
)


@dataclass(frozen=True)
class CroppedBoxes:
    """What is left of the boxes after each photo was cropped `num_rounds` times, each time anew.

    The crops are numbered: `round * num_images + image`, of C = num_rounds * num_images in all.
    boxes: (K, 4) float32 xyxy, normalised to the crop; source: (K,) int, the row of the box it was;
    image_index: (K,) int, the number of its crop, ascending, boxes of one in ground-truth order (as the matcher wants
    its photos); windows: (C, 4) float32 xyxy, each crop in its photo; is_cropped: (C,) bool, false for the whole photo.
    """

    boxes: np.ndarray
    source: np.ndarray
    image_index: np.ndarray
    windows: np.ndarray
    is_cropped: np.ndarray

    @cached_property
    def zoom(self) -> np.ndarray:
        """(C,) float32: how many times longer a side becomes, as the geometric mean of both axes; 1 is no zoom.

        This holds for a `fixed_shape_resizer`, which squashes every crop into the same shape.
        """
        widths = self.windows[:, 2] - self.windows[:, 0]
        heights = self.windows[:, 3] - self.windows[:, 1]
        return np.asarray(1 / np.sqrt(widths * heights))


@dataclass(frozen=True)
class _Crops:
    """The crops to make: their photos, (C, 4) int xyxy in pixels, and each field of the operations drawn, (C,)."""

    photos_px: np.ndarray
    fields: dict[str, np.ndarray]

    def of(self, chosen: np.ndarray) -> _Crops:
        """Those `chosen`, a boolean array or indices."""
        return _Crops(self.photos_px[chosen], {name: values[chosen] for name, values in self.fields.items()})


def ssd_random_crop(  # noqa: PLR0913 - boxes, their photos, the photos' sizes, and what to draw
    boxes: np.ndarray,
    image_index: np.ndarray,
    sizes_px: np.ndarray,
    rng: np.random.Generator,
    *,
    operations: Sequence[CropOperation] = SSD_RANDOM_CROP,
    num_rounds: int = 1,
) -> CroppedBoxes:
    """Crop each photo `num_rounds` times as TFOD's ssd_random_crop does, with the same distribution.

    One of `operations` is drawn for each crop, all with equal chance; with a single one this is random_crop_image.
    boxes: (N, 4) float32 xyxy, normalised and finite; image_index: (N,) int, the photo of each box, ascending;
    sizes_px: (num_images, 2) int, width and height of the photos as the reader yields them, for crops come before the
    resizer.
    A crop may show no box at all: only one that no attempt could find is replaced by the whole photo.
    Sources: TFOD core/preprocessor.py (ssd_random_crop, random_crop_image, _strict_random_crop_image) and TensorFlow's
    kernel sample_distorted_bounding_box_op.cc.
    """
    num_images = len(sizes_px)
    num_crops = num_rounds * num_images
    photos_px = np.zeros((num_crops, 4), np.int64)
    photos_px[:, 2:] = np.tile(sizes_px, (num_rounds, 1))
    drawn = rng.integers(len(operations), size=num_crops)
    fields = {name: np.array([getattr(each, name) for each in operations])[drawn] for name in _FIELDS}
    crops = _Crops(photos_px, fields)
    is_tried = rng.random(num_crops) > fields["random_coef"]
    source = np.tile(np.arange(len(boxes)), num_rounds)
    crop_index = (np.arange(num_rounds)[:, None] * num_images + image_index).reshape(-1)
    windows_px = _draw(crops, _targets(boxes[source], crop_index, photos_px), is_tried, rng)
    windows = windows_px.astype(np.float32) / np.tile(photos_px[:, 2:], 2).astype(np.float32)
    kept, moved = _cut(boxes[source], windows[crop_index], is_tried[crop_index], crops.of(crop_index))
    is_cropped = (windows_px != photos_px).any(axis=1)
    return CroppedBoxes(moved[kept], source[kept], crop_index[kept], windows, is_cropped)


def _targets(boxes: np.ndarray, crop_index: np.ndarray, photos_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes in whole pixels, rounded down as the kernel does, and their crops; for a photo without any, all of it.

    A box of less than a pixel counts for nothing, but its photo is not one without any.
    """
    sizes_px = np.tile(photos_px[crop_index, 2:], 2).astype(np.float32)
    boxes_px = (np.clip(boxes, 0, 1) * sizes_px).astype(np.int64)
    bare = np.setdiff1d(np.arange(len(photos_px)), crop_index)
    boxes_px, crop_index = np.concatenate((boxes_px, photos_px[bare])), np.concatenate((crop_index, bare))
    is_there = area(boxes_px) >= 1
    return boxes_px[is_there], crop_index[is_there]


def _draw(
    crops: _Crops, targets: tuple[np.ndarray, np.ndarray], is_tried: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(C, 4) int xyxy: for each crop the first window that covers enough of one of the `targets`, else the photo."""
    windows_px = crops.photos_px.copy()
    boxes_px, index = targets
    pending, is_pending = np.arange(len(is_tried)), is_tried
    for _ in range(MAX_ATTEMPTS):
        pending, crops = pending[is_pending], crops.of(is_pending)
        is_near = is_pending[index]
        boxes_px, index = boxes_px[is_near], (np.cumsum(is_pending) - 1)[index[is_near]]
        if not pending.size:
            break
        found_px, is_found = _attempt(crops, rng)
        is_found &= _covers(found_px, boxes_px, index, crops.fields["min_object_covered"])
        windows_px[pending[is_found]] = found_px[is_found]
        is_pending = ~is_found
    return windows_px


def _attempt(crops: _Crops, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One window for each crop, (n, 4) int xyxy in pixels, and whether it is one, (n,) bool.

    The aspect ratio is uniform, then the height between what the areas and the photo allow, then the place; a window
    that does not fill its photo never touches the far edge, as in the kernel.
    """
    fields, (_, _, width_px, height_px) = crops.fields, crops.photos_px.T
    low, high = fields["min_aspect_ratio"], fields["max_aspect_ratio"]
    ratio = low + rng.random(len(low)) * (high - low)
    min_area, max_area = (fields[name] * height_px * width_px for name in ("min_area", "max_area"))
    tallest = np.rint(np.sqrt(max_area / ratio))
    too_wide = np.rint(tallest * ratio) > width_px
    tallest = np.where(too_wide, np.floor((width_px + 0.5 - _EPSILON) / ratio), tallest)
    tallest = np.minimum(tallest, height_px)
    lowest = np.minimum(np.rint(np.sqrt(min_area / ratio)), tallest)
    height = lowest + np.floor(rng.random(len(low)) * (tallest - lowest + 1))
    height += height * np.rint(height * ratio) < min_area
    height -= height * np.rint(height * ratio) > max_area
    width = np.rint(height * ratio)
    size = width * height
    is_found = (size >= min_area) & (size <= max_area) & (width <= width_px) & (height <= height_px) & (size > 0)
    x, y = (np.floor(rng.random(len(low)) * np.maximum(room, 0)) for room in (width_px - width, height_px - height))
    return np.stack([x, y, x + width, y + height], axis=1).astype(np.int64), is_found


def _covers(windows: np.ndarray, boxes: np.ndarray, index: np.ndarray, min_share: np.ndarray) -> np.ndarray:
    """(n,) bool: which windows hold at least `min_share` of the area of one of their boxes."""
    share = _intersection(windows[index], boxes) / area(boxes)
    is_covered = np.zeros(len(windows), bool)
    is_covered[index[share.astype(np.float32) >= min_share[index].astype(np.float32)]] = True
    return is_covered


def _cut(boxes: np.ndarray, windows: np.ndarray, is_tried: np.ndarray, crops: _Crops) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes stay, (n,) bool, and all in the coordinates of their windows, (n, 4) float32 xyxy.

    A box without area is lost to any crop, even of the whole photo: its share in it is 0 / 0.
    """
    is_inside = (boxes[:, :2] < windows[:, 2:]).all(axis=1) & (boxes[:, 2:] > windows[:, :2]).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = _intersection(windows, boxes) / area(boxes)
    is_kept = is_inside & (share >= crops.fields["overlap_thresh"].astype(np.float32))
    scales = 1 / (windows[:, 2:] - windows[:, :2])
    moved = (boxes - np.tile(windows[:, :2], 2)) * np.tile(scales, 2)
    is_clipped = crops.fields["clip_boxes"] & is_tried
    return is_kept | ~is_tried, np.where(is_clipped[:, None], np.clip(moved, 0, 1), moved)


def _intersection(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,): the area that each pair of rows shares."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    return np.asarray(np.maximum(sides, 0).prod(axis=1))
