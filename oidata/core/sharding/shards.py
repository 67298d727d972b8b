"""Shards as planned: their names, and which rows of a dataset each of them holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from oidata.core.sharding.balance import assign, orders
from oidata.core.sharding.evenness import Photos
from oidata.core.sharding.features import DROP, KEEP, is_written
from oidata.core.statistics import places
from oidata.core.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from oidata.core.labels import LabelMap

PREFIXES: Final = {"train": "train", "validation": "val", "test": "test"}
NAME: Final = re.compile(rf"({'|'.join(PREFIXES.values())})\.record-\d{{5}}-of-\d{{5}}")


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """The shards of a split: how many, the rows that go into them, and the shard of each photo.

    tables: rows of photos that become examples, and of no others; `photos` are the same, with the boxes that train.
    shards: the shard of each photo, from 0, int64 of shape (num_photos,). seed: of the order within a shard.
    """

    split: str
    tables: Tables
    photos: Photos
    shards: np.ndarray
    num_shards: int
    seed: int

    @classmethod
    def of(  # noqa: PLR0913 - all that decides the shards of a split
        cls, split: str, tables: Tables, classes: LabelMap, *, num_shards: int, stripped: str = DROP, seed: int = 0
    ) -> Self:
        """Divide the photos of `split` among `tables.images`, evenly by the boxes that train (`core.balance`)."""
        own = of_split(split, tables)
        photos = photos_of(own, classes, stripped)
        return cls(split, own, photos, assign(photos, num_shards, seed), num_shards, seed)

    @property
    def names(self) -> list[str]:
        """`train.record-00000-of-00010`: as TFOD's tf_record_creation_util.py has them; validation is val."""
        return [f"{self._prefix}{number:05}{self._suffix}" for number in range(self.num_shards)]

    @property
    def pattern(self) -> str:
        """What matches all names, for an input_path: `train.record-?????-of-00010`."""
        return f"{self._prefix}?????{self._suffix}"

    @property
    def size_bytes(self) -> dict[str, int]:
        """By name, the bytes of the photos in each shard: nearly all of its length."""
        sizes = np.zeros(self.num_shards, np.int64)
        np.add.at(sizes, self.shards, self.photos.size_bytes)
        return dict(zip(self.names, sizes.tolist(), strict=True))

    def contents(self) -> Iterator[tuple[str, Tables]]:
        """Each shard's name and rows; its images stand in the order of the examples, which is seeded."""
        images = self.tables.images
        in_order = orders(self.photos.image_ids, self.shards, self.num_shards, self.seed)
        boxes, labels = (self._divided(rows) for rows in (self.tables.boxes, self.tables.labels))
        for name, places_of, *rows in zip(self.names, in_order, boxes, labels, strict=True):
            yield name, Tables(images.iloc[places_of], *rows)

    def _divided(self, rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The rows of each shard's photos, in their order."""
        shard = self.shards[places(rows["image_id"], self.tables.images["image_id"])]
        by_shard = np.argsort(shard, kind="stable")
        ends = np.searchsorted(shard[by_shard], np.arange(self.num_shards + 1))
        return (rows.iloc[by_shard[start:end]] for start, end in pairwise(ends))

    @property
    def _prefix(self) -> str:
        return f"{PREFIXES[self.split]}.record-"

    @property
    def _suffix(self) -> str:
        return f"-of-{self.num_shards:05}"


def of_split(split: str, tables: Tables) -> Tables:
    """The rows of the photos of `split` among `tables.images`, numbered anew, in their order."""
    images = tables.images[tables.images["split"] == split].reset_index(drop=True)
    return Tables(images, *(_rows_of(images, rows) for rows in (tables.boxes, tables.labels)))


def photos_of(tables: Tables, classes: LabelMap, stripped: str = DROP) -> Photos:
    """The photos of `tables`, in their order, with the boxes that train."""
    trains = is_written(tables.boxes, KEEP if stripped == KEEP else DROP)
    return Photos.of(tables.images, tables.boxes[trains], classes)


def without_boxes(plan: SplitPlan, classes: LabelMap) -> list[str]:
    """The display names of the classes without a box that trains."""
    num_boxes = np.bincount(plan.photos.box_class, minlength=len(classes.labels))
    return [label.display_name for label, number in zip(classes.labels, num_boxes, strict=True) if not number]


def _rows_of(images: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    found: pd.DataFrame = rows[places(rows["image_id"], images["image_id"]) >= 0].reset_index(drop=True)
    return found
