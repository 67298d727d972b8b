"""What the statistics of a dataset share: the ground truth, the cells they are given for, quantiles and histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oidata.core.labels import Label, LabelMap

PERCENTS = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
"""The quantiles that are given. One is named by its per cent: `p50` is the median."""


@dataclass(frozen=True)
class Cells:
    """What counts are given for: each class of each split, the empty ones too. Others are left out of all counts.

    A cell's code is its place in the iteration: splits in order, in each the classes by id.
    """

    classes: LabelMap
    splits: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[str, Label]]:
        return ((split, label) for split in self.splits for label in self.classes.labels)

    def __len__(self) -> int:
        return len(self.splits) * len(self.classes.labels)

    def codes(self, frame: pd.DataFrame) -> np.ndarray:
        """The cell of each row of a frame with `split` and `mid`: int64 of shape (N,), -1 where it is in none."""
        split, label = self.split_codes(frame), self.class_codes(frame)
        return np.where((split < 0) | (label < 0), -1, split * len(self.classes.labels) + label)

    def split_codes(self, frame: pd.DataFrame) -> np.ndarray:
        """The place of each row's `split` among the splits: int64 of shape (N,), -1 for another."""
        return places(frame["split"], self.splits)

    def class_codes(self, frame: pd.DataFrame) -> np.ndarray:
        """The place of each row's `mid` among the classes, from 0: int64 of shape (N,), -1 for another."""
        return places(frame["mid"], self.classes.mids)


def photo_class_keys(rows: pd.DataFrame, photos: pd.DataFrame, cells: Cells) -> np.ndarray:
    """The key of each row, photo · num_classes + class, from 0; -1 where either is not asked for: int64, shape (N,).

    The photo is the place of the row's `image_id` among `photos`, the class that of its `mid` among the classes.
    """
    photo, label = places(rows["image_id"], photos["image_id"]), cells.class_codes(rows)
    return np.where((photo < 0) | (label < 0), -1, photo * len(cells.classes.labels) + label)


def placed(images: pd.DataFrame, boxes: pd.DataFrame) -> pd.DataFrame:
    """BOXES with what IMAGES says of their photos: split, is_usable, width_px, height_px (null where unknown).

    A photo is usable if it is there, whole (status ok) and not dropped. The rows are numbered anew, in their order;
    a box whose photo is not in `images` is left out.
    """
    place = places(boxes["image_id"], images["image_id"])
    photos = images.assign(is_usable=usable(images)).iloc[place[place >= 0]].reset_index(drop=True)
    facts = photos[["split", "is_usable", "width_px", "height_px"]]
    rows: pd.DataFrame = pd.concat([boxes[place >= 0].reset_index(drop=True), facts], axis=1)
    return rows


def ground_truth(images: pd.DataFrame, boxes: pd.DataFrame) -> pd.DataFrame:
    """The BOXES that train a detector: not stripped, on a photo that is ok and not dropped.

    Columns are those of BOXES, then split, width_px and height_px (of the photo, in its own pixels; null where
    unknown). The rows are numbered anew, in the order of `boxes`.
    """
    return truth_of(placed(images, boxes))


def truth_of(boxes: pd.DataFrame) -> pd.DataFrame:
    """The ground truth among the rows of `placed`."""
    trains = boxes["is_usable"] & boxes["stripped"].isna()
    truth: pd.DataFrame = boxes[trains].drop(columns="is_usable").reset_index(drop=True)
    return truth


def usable(images: pd.DataFrame) -> pd.Series:
    """Which of IMAGES are ok and not dropped."""
    return (images["status"] == "ok") & images["dropped"].isna()


def usable_photos(images: pd.DataFrame, cells: Cells) -> pd.DataFrame:
    """The rows of IMAGES that are ok, not dropped and of the splits, numbered anew."""
    return images[usable(images) & images["split"].isin(cells.splits)].reset_index(drop=True)


def places(values: pd.Series, names: Sequence[str] | pd.Series) -> np.ndarray:
    """The place of each of `values` in `names`, all different: int64 of shape (N,), -1 where it is not there."""
    # Only what differs is looked up: for a million rows of a few thousand strings that is five times as fast.
    codes, different = pd.factorize(values)
    found = pd.Index(pd.Series(names, dtype="str")).get_indexer(pd.Index(different))
    return np.append(found, -1)[codes]


def counts(codes: np.ndarray, num_groups: int) -> np.ndarray:
    """How many rows each group has: int64 of shape (num_groups,). `codes` gives each row's group, -1 for none."""
    return np.bincount(codes[codes >= 0], minlength=num_groups)


def tallies(values: pd.Series, codes: np.ndarray, names: Sequence[str], num_groups: int) -> list[dict[str, int]]:
    """For each group, how many of its rows have each of `names` as value; `values` and `codes` are of the rows."""
    value = places(values, names)
    cell = np.where((codes < 0) | (value < 0), -1, codes * len(names) + value)
    table = counts(cell, num_groups * len(names)).reshape(num_groups, len(names))
    return [dict(zip(names, row, strict=True)) for row in table.tolist()]


def quantiles(values: np.ndarray, codes: np.ndarray, num_groups: int) -> list[dict[str, float | None]]:
    """The PERCENTS of each group's finite values, interpolated linearly; None in a group without any.

    `values` and `codes` have shape (N,); a row of code -1 is in no group.
    """
    names = [f"p{percent}" for percent in PERCENTS]
    return [
        dict(
            zip(
                names, np.percentile(of_group, PERCENTS).tolist() if of_group.size else [None] * len(names), strict=True
            )
        )
        for of_group in _grouped(values, codes, num_groups)
    ]


def histograms(values: np.ndarray, codes: np.ndarray, num_groups: int, edges: Sequence[float]) -> list[tuple[int, ...]]:
    """Counts of each group's finite values between `edges`; those beyond an end are in the bin at that end.

    A bin holds its lower edge, and not its upper one. `values` and `codes` have shape (N,).
    """
    num_bins = len(edges) - 1
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, num_bins - 1)
    cell = np.where((codes < 0) | ~np.isfinite(values), -1, codes * num_bins + bins)
    return [tuple(row) for row in counts(cell, num_groups * num_bins).reshape(num_groups, num_bins).tolist()]


def _grouped(values: np.ndarray, codes: np.ndarray, num_groups: int) -> list[np.ndarray]:
    known = (codes >= 0) & np.isfinite(values)
    values, codes = values[known].astype(np.float64), codes[known]
    ends = np.cumsum(counts(codes, num_groups))
    return np.split(values[np.argsort(codes, kind="stable")], ends[:-1])
