"""Which photos become examples of which split, and in which of its shards: all that is decided before writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pandas as pd

from oidata.core.release.selection import splits_of
from oidata.core.sharding.admission import REASONS, left_out, leftover
from oidata.core.sharding.features import DROP, check_stripped
from oidata.core.sharding.resplit import check_fraction, groups_of, held_out
from oidata.core.sharding.shards import SplitPlan, of_split, photos_of
from oidata.core.tables import TRAIN, VALIDATION
from oidata.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.core.labels import LabelMap
    from oidata.core.tables import Tables

DEFAULT_NUM_SHARDS: Final = 10

MAX_SHARDS: Final = 99_999  # what five digits hold, as TFOD names shards

FindDuplicates: TypeAlias = Callable[[], pd.DataFrame]
"""Gives DUPLICATES, among the photos of all splits."""


@dataclass(frozen=True)
class Choices:
    """Which shards to make: with the tables, everything that decides their bytes.

    num_shards: of every split, or by split, and then of those alone. stripped: what becomes of stripped boxes, one of
    core.sharding.features.STRIPPED. drop_leftover: leave out photos on which an object stays to see without its box.
    with_negatives: photos verified to lack a class become examples without boxes. val_fraction: of the classes that no
    validation photo shows, which share of the train photos becomes validation (`core.sharding.resplit`).

    Raises UsageError for what cannot be meant.
    """

    num_shards: int | Mapping[str, int] = DEFAULT_NUM_SHARDS
    seed: int = 0
    stripped: str = DROP
    drop_leftover: bool = False
    with_negatives: bool = True
    val_fraction: float | None = None

    def __post_init__(self) -> None:
        """Look at what can be told without a dataset."""
        check_stripped(self.stripped)
        if self.val_fraction is not None:
            check_fraction(self.val_fraction)
        numbers = self.num_shards.values() if isinstance(self.num_shards, Mapping) else [self.num_shards]
        if (fewest := min(numbers, default=1)) < 1:
            raise UsageError(f"{fewest} shards cannot hold anything.", "Ask for one or more.")
        if (most := max(numbers, default=1)) > MAX_SHARDS:
            raise UsageError(f"{most:,} shards have no names of five digits.", f"Ask for {MAX_SHARDS:,} at most.")

    def by_split(self, splits: Sequence[str]) -> dict[str, int]:
        """The number of shards of each split that is to have any, of those of a dataset. Raises UsageError."""
        there = splits if self.val_fraction is None else splits_of([*splits, VALIDATION])
        asked = self.num_shards if isinstance(self.num_shards, Mapping) else dict.fromkeys(there, self.num_shards)
        numbers = {split: number for name, number in asked.items() for split in splits_of([name])}
        if len(numbers) < len(asked):
            raise UsageError("validation and val are one split.", "Give it one number.")
        chosen = splits_of(numbers)
        if absent := [split for split in chosen if split not in there]:
            hint = " Or take validation out of train: --val-fraction 0.1." if VALIDATION in absent else ""
            raise UsageError(f"The dataset has no split {', '.join(absent)}.", f"It has {', '.join(splits)}.{hint}")
        return {split: numbers[split] for split in chosen}


@dataclass(frozen=True, eq=False)
class Plan:
    """All shards that are to be.

    left_out: by split, how many photos are so for which of admission.REASONS. num_leftover: photos in the shards on
    which an object stays to see without its box. num_moved: photos of train that became validation.
    """

    classes: LabelMap
    splits: tuple[SplitPlan, ...]
    left_out: dict[str, dict[str, int]]
    num_leftover: int
    num_moved: int

    @cached_property
    def size_bytes(self) -> dict[str, int]:
        """By name of a shard, the bytes of its photos."""
        return {name: size for split in self.splits for name, size in split.size_bytes.items()}


def plan(
    tables: Tables, classes: LabelMap, num_shards: Mapping[str, int], choices: Choices, duplicates: FindDuplicates
) -> Plan:
    """Decide on `num_shards` by split. `duplicates` is asked only where photos are to be moved from train."""
    reasons = left_out(
        tables,
        stripped=choices.stripped,
        drop_leftover=choices.drop_leftover,
        with_negatives=choices.with_negatives,
    )
    counts = {split: reasons[tables.images["split"] == split].value_counts() for split in num_shards}
    chosen = replace(tables, images=tables.images[reasons.isna()].copy())
    moved = _moved(chosen, classes, choices, duplicates)
    chosen.images.loc[moved, "split"] = VALIDATION
    splits = tuple(
        SplitPlan.of(split, chosen, classes, num_shards=number, stripped=choices.stripped, seed=choices.seed)
        for split, number in num_shards.items()
    )
    return Plan(
        classes=classes,
        splits=splits,
        left_out={split: {reason: int(found.get(reason, 0)) for reason in REASONS} for split, found in counts.items()},
        num_leftover=sum(len(leftover(split.tables.boxes, choices.stripped)) for split in splits),
        num_moved=len(moved),
    )


def _moved(tables: Tables, classes: LabelMap, choices: Choices, duplicates: FindDuplicates) -> pd.Index:
    """The rows of the train images that become validation: of classes that no validation photo shows."""
    if choices.val_fraction is None:
        return tables.images.index[:0]
    validation, train = (photos_of(of_split(split, tables), classes, choices.stripped) for split in (VALIDATION, TRAIN))
    needed = ~np.isin(np.arange(len(classes.labels)), validation.box_class)
    images = tables.images[tables.images["split"] == TRAIN]
    groups = groups_of(images["image_id"], duplicates()) if needed.any() else np.arange(len(images))
    found = held_out(train, groups, choices.val_fraction, choices.seed, needed=needed)
    return images.index[found.is_held_out]
