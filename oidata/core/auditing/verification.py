"""Which classes are seen, boxed and verified on which photos, and where an unboxed object may train as background.

Open Images boxes are exhaustive only for the classes verified present in a photo
(https://storage.googleapis.com/openimages/web/factsfigures.html): a class without a verdict may be there unboxed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from oidata.core.statistics import counts, photo_class_keys, usable_photos

if TYPE_CHECKING:
    from oidata.core.statistics import Cells

PAIRS_MAX = 1000
"""Pairs of classes listed for a split: those of 601 classes would be 360,600, which nobody reads."""


@dataclass(frozen=True)
class PairFacts:
    """Photos of a split that show one class, and whether the other was ever looked for on them.

    split           the split
    mid             the class shown: it has a ground-truth box
    display_name    its name
    other_mid       the other class
    other_display_name  its name
    num_photos      photos that show `mid`
    num_unverified  those among them on which the other class has neither a verdict nor any box
    share           num_unverified / num_photos; None without a photo
    """

    split: str
    mid: str
    display_name: str
    other_mid: str
    other_display_name: str
    num_photos: int
    num_unverified: int
    share: float | None


@dataclass(frozen=True)
class Sightings:
    """The usable photos of the splits, and what is known of each class on each, as sorted keys.

    A key is photo · num_classes + class, from 0. shown: has a ground-truth box; boxed: has a box, stripped or not;
    present, absent: verified so. All are int64 of shape (num_keys,).
    """

    cells: Cells
    photos: pd.DataFrame
    shown: np.ndarray
    boxed: np.ndarray
    present: np.ndarray
    absent: np.ndarray

    @property
    def present_unboxed(self) -> np.ndarray:
        """Keys verified present that have no box at all, stripped or not."""
        return np.setdiff1d(self.present, self.boxed, assume_unique=True)

    @property
    def absent_boxed(self) -> np.ndarray:
        """Keys verified absent that have a ground-truth box: one of the two is wrong."""
        return np.intersect1d(self.absent, self.shown, assume_unique=True)

    @property
    def negatives(self) -> np.ndarray:
        """Keys verified absent on photos without a box of any class, stripped or not."""
        return self.absent[~np.isin(self.absent // self._num_classes, self.boxed // self._num_classes)]

    def by_cell(self, keys: np.ndarray) -> list[int]:
        """How many of `keys` each cell has."""
        codes = self._split_of(keys) * self._num_classes + keys % self._num_classes
        return [int(num) for num in counts(codes, len(self.cells))]

    def pairs(self) -> tuple[PairFacts, ...]:
        """Every ordered pair of classes of each split; of more than PAIRS_MAX those with most unverified photos."""
        shown = np.array(self.by_cell(self.shown)).reshape(len(self.cells.splits), self._num_classes)
        unverified = shown[:, :, np.newaxis] - self._both
        return tuple(pair for split in range(len(shown)) for pair in self._of_split(split, shown, unverified))

    def unverified(self, mid: str, other_mid: str) -> list[str]:
        """The photos that show `mid` and on which `other_mid` has neither a verdict nor any box, by image_id."""
        one, other = (self.cells.classes.mids.index(name) for name in (mid, other_mid))
        photos = self._photos_of(self.shown, one)
        return self.photos["image_id"].iloc[np.setdiff1d(photos, self._photos_of(self._known, other))].tolist()

    @property
    def _num_classes(self) -> int:
        return len(self.cells.classes.labels)

    @cached_property
    def _splits(self) -> np.ndarray:
        return self.cells.split_codes(self.photos)

    def _split_of(self, keys: np.ndarray) -> np.ndarray:
        return np.asarray(self._splits[keys // self._num_classes])

    def _photos_of(self, keys: np.ndarray, class_code: int) -> np.ndarray:
        return np.asarray(keys[keys % self._num_classes == class_code] // self._num_classes)

    @cached_property
    def _known(self) -> np.ndarray:
        return _sorted(np.concatenate((self.present, self.absent, self.boxed)))

    @property
    def _both(self) -> np.ndarray:
        """Photos by split, class shown and class known: int64 of shape (num_splits, num_classes, num_classes)."""
        num, shown, known = self._num_classes, self.shown, self._known
        first, end = (np.searchsorted(known // num, shown // num, side=side) for side in ("left", "right"))
        left = np.repeat(np.arange(len(shown)), end - first)
        right = np.arange(len(left)) + np.repeat(first - np.cumsum(end - first) + (end - first), end - first)
        cell = (self._split_of(shown)[left] * num + shown[left] % num) * num + known[right] % num
        return counts(cell, len(self.cells) * num).reshape(len(self.cells.splits), num, num)

    def _of_split(self, split: int, shown: np.ndarray, unverified: np.ndarray) -> list[PairFacts]:
        one, other = np.nonzero(~np.eye(self._num_classes, dtype=bool))
        order = np.argsort(-unverified[split, one, other], kind="stable")[:PAIRS_MAX]
        return [
            self._pair(split, a, b, int(shown[split, a]), int(unverified[split, a, b]))
            for a, b in sorted(zip(one[order].tolist(), other[order].tolist(), strict=True))
        ]

    def _pair(self, split: int, one: int, other: int, num_photos: int, num_unverified: int) -> PairFacts:
        shown, second = self.cells.classes.labels[one], self.cells.classes.labels[other]
        share = num_unverified / num_photos if num_photos else None
        names = (shown.mid, shown.display_name, second.mid, second.display_name)
        return PairFacts(self.cells.splits[split], *names, num_photos, num_unverified, share)


def sightings(images: pd.DataFrame, boxes: pd.DataFrame, labels: pd.DataFrame, cells: Cells) -> Sightings:
    """Gather what IMAGES, BOXES and LABELS say about the classes on the usable photos of the splits."""
    photos = usable_photos(images, cells)[["image_id", "split"]]
    boxed, verified = (photo_class_keys(rows, photos, cells) for rows in (boxes, labels))
    is_kept, is_present = boxes["stripped"].isna().to_numpy(), labels["is_present"].to_numpy()
    shown, present, absent = boxed[is_kept], verified[is_present], verified[~is_present]
    return Sightings(cells, photos, *(_sorted(keys) for keys in (shown, boxed, present, absent)))


def _sorted(keys: np.ndarray) -> np.ndarray:
    """The different keys. pandas finds them by a hash, so that only those need sorting."""
    return np.sort(pd.unique(keys[keys >= 0]))
