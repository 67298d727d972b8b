"""What is in a dataset: photos, boxes, classes, flags, verdicts, and what a strip left behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oidata.core.auditing.twins import TwinFacts, twin_facts, twins
from oidata.core.auditing.verification import PairFacts, Sightings, sightings
from oidata.core.release import defects
from oidata.core.statistics import counts, placed, tallies, truth_of, usable
from oidata.core.tables import FLAG_VALUES, FLAGS, STATUSES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from oidata.core.statistics import Cells

# https://storage.googleapis.com/openimages/web/factsfigures.html: drawn by hand twice, machine-made once.
SOURCES = ("xclick", "freeform", "activemil")


@dataclass(frozen=True)
class SplitFacts:
    """The photos of a split.

    split             the split
    num_photos        photos in the dataset's table
    statuses          how many have each of STATUSES; they add up to num_photos
    num_dropped       photos dropped, whatever their status
    dropped           photos by reason to drop them (a photo can have several); those with none are left out
    num_usable        photos that are ok and not dropped: the numbers below are of these
    num_boxed         photos with a box, stripped or not
    num_with_truth    photos with a ground-truth box
    num_emptied       photos that have boxes, all of them stripped: num_boxed - num_with_truth
    num_collateral    photos on which a stripped object stays to see, and is background to a detector
    num_leftover      those of them that have a ground-truth box: the others are in no shards
    """

    split: str
    num_photos: int
    statuses: dict[str, int]
    num_dropped: int
    dropped: dict[str, int]
    num_usable: int
    num_boxed: int
    num_with_truth: int
    num_emptied: int
    num_collateral: int
    num_leftover: int


@dataclass(frozen=True)
class ClassFacts:
    """A class in a split. Boxes are those of the release, stripped or not, unless called ground truth.

    split, mid, display_name    the split and the class
    num_boxes                   boxes in the release
    num_stripped                boxes stripped, on any photo
    stripped                    boxes by reason (a box can have several): rules first, then the user's; no zeros
    num_on_unusable             boxes not stripped, on a photo that is not ok or is dropped
    num_truth                   ground-truth boxes: num_boxes - num_stripped - num_on_unusable
    num_group_truth             those among them that are groups
    num_photos                  usable photos with a ground-truth box of the class
    sources                     boxes by source: SOURCES, then others by name
    flags                       by flag (is_occluded, …) the boxes that say yes, no and unknown
    num_verified_present        usable photos on which the class is verified present
    num_verified_absent         usable photos on which it is verified absent
    num_present_unboxed         of the verified present those without any box of the class, stripped or not
    num_absent_boxed            of the verified absent those with a ground-truth box of the class
    num_verified_negatives      of the verified absent those without a box of any class, stripped or not
    """

    split: str
    mid: str
    display_name: str
    num_boxes: int
    num_stripped: int
    stripped: dict[str, int]
    num_on_unusable: int
    num_truth: int
    num_group_truth: int
    num_photos: int
    sources: dict[str, int]
    flags: dict[str, dict[str, int]]
    num_verified_present: int
    num_verified_absent: int
    num_present_unboxed: int
    num_absent_boxed: int
    num_verified_negatives: int


@dataclass(frozen=True)
class DatasetFacts:
    """What is in a dataset, as plain values.

    photos      one SplitFacts per split
    classes     one ClassFacts per split and class, the empty ones too
    pairs       PairFacts by split: all ordered pairs of classes, or the PAIRS_MAX of a split with most to verify
    twins       one TwinFacts per split and pair of classes that has boxes in common; the others are left out
    """

    photos: tuple[SplitFacts, ...]
    classes: tuple[ClassFacts, ...]
    pairs: tuple[PairFacts, ...]
    twins: tuple[TwinFacts, ...]


def dataset_facts(images: pd.DataFrame, boxes: pd.DataFrame, labels: pd.DataFrame, cells: Cells) -> DatasetFacts:
    """Count what IMAGES, BOXES and LABELS hold, by split and class; photos and boxes of other splits are left out."""
    boxes = placed(images, boxes)
    boxes = boxes[cells.codes(boxes) >= 0].reset_index(drop=True)
    seen = sightings(images, boxes, labels, cells)
    return DatasetFacts(
        photos=tuple(
            _split_facts(images[images["split"] == split], boxes[boxes["split"] == split], split)
            for split in cells.splits
        ),
        classes=_class_facts(boxes, seen, cells),
        pairs=seen.pairs(),
        twins=twin_facts(twins(truth_of(boxes), cells), cells),
    )


def _split_facts(images: pd.DataFrame, boxes: pd.DataFrame, split: str) -> SplitFacts:
    boxes = boxes[boxes["is_usable"]]
    statuses = images["status"].value_counts()
    dropped = defects.split_reasons(images["dropped"])["reason"].value_counts().sort_index()
    emptied, collateral = defects.emptied(boxes), defects.collateral(boxes)
    num_boxed, num_emptied = boxes["image_id"].nunique(), len(emptied)
    return SplitFacts(
        split=split,
        num_photos=len(images),
        statuses={status: int(statuses.get(status, 0)) for status in STATUSES},
        num_dropped=int(images["dropped"].notna().sum()),
        dropped={str(reason): int(num) for reason, num in dropped.items()},
        num_usable=int(usable(images).sum()),
        num_boxed=num_boxed,
        num_with_truth=num_boxed - num_emptied,
        num_emptied=num_emptied,
        num_collateral=len(collateral),
        num_leftover=len({*collateral} - {*emptied}),
    )


def _class_facts(boxes: pd.DataFrame, seen: Sightings, cells: Cells) -> tuple[ClassFacts, ...]:
    codes, stripped = cells.codes(boxes), boxes["stripped"].notna().to_numpy()
    is_usable = boxes["is_usable"].to_numpy()
    numbers = {
        "num_boxes": _num(codes, cells),
        "num_stripped": _num(codes[stripped], cells),
        "stripped": _by_reason(boxes, codes, cells),
        "num_on_unusable": _num(codes[~stripped & ~is_usable], cells),
        "num_truth": _num(codes[~stripped & is_usable], cells),
        "num_group_truth": _num(codes[~stripped & is_usable & (boxes["is_group_of"] == 1).to_numpy()], cells),
        "num_photos": seen.by_cell(seen.shown),
        "sources": tallies(boxes["source"], codes, _names(boxes["source"], SOURCES), len(cells)),
        "flags": _by_flag(boxes, codes, cells),
        "num_verified_present": seen.by_cell(seen.present),
        "num_verified_absent": seen.by_cell(seen.absent),
        "num_present_unboxed": seen.by_cell(seen.present_unboxed),
        "num_absent_boxed": seen.by_cell(seen.absent_boxed),
        "num_verified_negatives": seen.by_cell(seen.negatives),
    }
    rows = (dict(zip(numbers, row, strict=True)) for row in zip(*numbers.values(), strict=True))
    return tuple(
        ClassFacts(split, label.mid, label.display_name, **row) for (split, label), row in zip(cells, rows, strict=True)
    )


def _num(codes: np.ndarray, cells: Cells) -> list[int]:
    return [int(num) for num in counts(codes, len(cells))]


def _by_reason(boxes: pd.DataFrame, codes: np.ndarray, cells: Cells) -> list[dict[str, int]]:
    marks = defects.split_reasons(boxes["stripped"])["reason"]
    of_mark = codes[boxes.index.get_indexer(marks.index)]
    table = tallies(marks, of_mark, _names(marks, tuple(defects.REASONS)), len(cells))
    return [{reason: num for reason, num in row.items() if num} for row in table]


def _by_flag(boxes: pd.DataFrame, codes: np.ndarray, cells: Cells) -> list[dict[str, dict[str, int]]]:
    of_flag = {}
    for flag in FLAGS:
        num = {name: _num(codes[(boxes[flag] == value).to_numpy()], cells) for name, value in FLAG_VALUES.items()}
        of_flag[flag] = [dict(zip(num, row, strict=True)) for row in zip(*num.values(), strict=True)]
    return [dict(zip(of_flag, row, strict=True)) for row in zip(*of_flag.values(), strict=True)]


def _names(values: pd.Series, first: tuple[str, ...]) -> list[str]:
    """The names in `first`, then the others that are met."""
    return [*first, *sorted(set(values.unique()) - set(first))]
