"""How evenly shards share photos, boxes of each class and bytes, and how evenly hash and index would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.statistics import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from oidata.core.labels import LabelMap


@dataclass(frozen=True)
class Photos:
    """The photos to divide, N of them, and their M boxes, of C classes.

    image_ids    all different, in hex, N of them
    size_bytes   int64 of shape (N,)
    box_photo    for each box its photo's place in image_ids: int64 of shape (M,)
    box_class    for each box its class, from 0: int64 of shape (M,)
    num_classes  C
    """

    image_ids: Sequence[str]
    size_bytes: np.ndarray
    box_photo: np.ndarray
    box_class: np.ndarray
    num_classes: int

    @classmethod
    def of(cls, images: pd.DataFrame, boxes: pd.DataFrame, classes: LabelMap) -> Photos:
        """The photos of IMAGES with those of BOXES that are on them and of `classes`."""
        photo, label = places(boxes["image_id"], images["image_id"]), places(boxes["mid"], classes.mids)
        known = (photo >= 0) & (label >= 0)
        size_bytes = images["size_bytes"].to_numpy(np.int64)
        return cls(images["image_id"].tolist(), size_bytes, photo[known], label[known], len(classes.labels))

    def take(self, order: np.ndarray) -> Photos:
        """The same photos in another order: `order` (N,) has the place of each."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        image_ids = [self.image_ids[each] for each in order]
        return Photos(image_ids, self.size_bytes[order], place[self.box_photo], self.box_class, self.num_classes)

    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Photo, class and number of boxes of each pair of photo and class that has any, sorted: three int64 (K,)."""
        cells, number = np.unique(self.box_photo * self.num_classes + self.box_class, return_counts=True)
        photo, label = np.divmod(cells, max(self.num_classes, 1))
        return photo, label, number


@dataclass(frozen=True)
class Loads:
    """What each of S shards holds: photos (S,), boxes by class (S, C), bytes of photos (S,), all int64."""

    num_photos: np.ndarray
    num_boxes: np.ndarray
    size_bytes: np.ndarray

    @classmethod
    def of(cls, photos: Photos, shards: np.ndarray, num_shards: int) -> Loads:
        """Add up what `shards` (N,), the shard of each of `photos`, makes of them."""
        num_photos = np.bincount(shards, minlength=num_shards)
        cells = shards[photos.box_photo] * photos.num_classes + photos.box_class
        num_boxes = np.bincount(cells, minlength=num_shards * photos.num_classes)
        size_bytes = np.zeros(num_shards, np.int64)
        np.add.at(size_bytes, shards, photos.size_bytes)
        return cls(num_photos, num_boxes.reshape(num_shards, photos.num_classes), size_bytes)

    @property
    def cost(self) -> tuple[int, int, int]:
        """What is made small: in this order the spread of photos, the excess of boxes, the deviation of bytes.

        The last is told as num_shards times as much, so that it is a whole number.
        """
        spread = int(self.num_photos.max() - self.num_photos.min())
        deviation = np.abs(self.size_bytes * len(self.size_bytes) - self.size_bytes.sum())
        return spread, int(_excess(self.num_boxes).max(initial=0)), int(deviation.max())


@dataclass(frozen=True)
class Spread:
    """How evenly a quantity lies over the shards: its mean, its least and its most in one shard.

    deviation  the largest distance of a shard from the mean
    share      deviation / mean; None if the mean is 0
    excess     how far the furthest shard lies beyond the mean's floor or ceiling: 0 is as even as whole numbers can be
    """

    mean: float
    least: int
    most: int
    deviation: float
    share: float | None
    excess: int

    @classmethod
    def of(cls, quantity: np.ndarray) -> Spread:
        """The spread of what each shard has, int64 of shape (S,)."""
        mean, least, most = int(quantity.sum()) / len(quantity), int(quantity.min()), int(quantity.max())
        deviation = max(most - mean, mean - least)
        excess = int(_excess(quantity[:, np.newaxis]).max())
        return cls(mean, least, most, deviation, deviation / mean if mean else None, excess)


@dataclass(frozen=True)
class Evenness:
    """The spread of the photos, of the boxes of each class, and of the photos' bytes."""

    num_photos: Spread
    num_boxes: tuple[Spread, ...]
    size_bytes: Spread

    @classmethod
    def of(cls, loads: Loads) -> Evenness:
        """Measure `loads`."""
        num_boxes = tuple(map(Spread.of, loads.num_boxes.T))
        return cls(Spread.of(loads.num_photos), num_boxes, Spread.of(loads.size_bytes))

    @property
    def box_excess(self) -> int:
        """The largest excess of any class."""
        return max((spread.excess for spread in self.num_boxes), default=0)

    @property
    def box_share(self) -> float:
        """The largest deviation of any class, as a share of its mean."""
        return max((spread.share or 0.0 for spread in self.num_boxes), default=0.0)


@dataclass(frozen=True)
class BalanceFacts:
    """How even the shards are, beside what is usual.

    balanced  these shards
    by_hash   shard = id modulo number, as TFOD's dataset_tools/create_oid_tf_record.py
    by_index  shard = place in the order of the ids modulo number, as its create_coco_tf_record.py
    unavoidable_excess  for each class what no assignment is below: the excess of the photo with most of its boxes, by
              itself; and that of a shard without any, where fewer photos than shards show the class
    """

    balanced: Evenness
    by_hash: Evenness
    by_index: Evenness
    unavoidable_excess: tuple[int, ...]


def balance_facts(photos: Photos, shards: np.ndarray, num_shards: int) -> BalanceFacts:
    """How even `shards` (N,) are, beside what hash and index would have given."""
    usual = (by_hash(photos.image_ids, num_shards), by_index(photos.image_ids, num_shards))
    measured = (Evenness.of(Loads.of(photos, each, num_shards)) for each in (shards, *usual))
    balanced, hashed, indexed = measured
    return BalanceFacts(balanced, hashed, indexed, _unavoidable_excess(photos, num_shards))


def _unavoidable_excess(photos: Photos, num_shards: int) -> tuple[int, ...]:
    _, label, number = photos.cells()
    num_boxes, num_photos = (np.bincount(each, minlength=photos.num_classes) for each in (photos.box_class, label))
    most = np.zeros(photos.num_classes, np.int64)
    np.maximum.at(most, label, number)
    without_any = np.where(num_photos < num_shards, num_boxes // num_shards, 0)
    return tuple(np.maximum(most + -num_boxes // num_shards, without_any).tolist())


def by_hash(image_ids: Sequence[str], num_shards: int) -> np.ndarray:
    """Shard = id modulo number, as TFOD's dataset_tools/create_oid_tf_record.py has it: int64 of shape (N,)."""
    return np.fromiter((int(image_id, 16) % num_shards for image_id in image_ids), np.int64, len(image_ids))


def by_index(image_ids: Sequence[str], num_shards: int) -> np.ndarray:
    """Shard = place in the order of the ids modulo number, as its create_coco_tf_record.py has it: int64, (N,)."""
    shards = np.empty(len(image_ids), np.int64)
    shards[np.argsort(np.asarray(image_ids, dtype=np.str_))] = np.arange(len(image_ids)) % num_shards
    return shards


def _excess(quantity: np.ndarray) -> np.ndarray:
    """How far each of (S, C) lies beyond the floor or ceiling of its column's mean."""
    total = quantity.sum(axis=0)
    floor, ceiling = total // len(quantity), -(-total // len(quantity))
    return np.asarray(np.maximum(np.maximum(floor - quantity, quantity - ceiling), 0))
