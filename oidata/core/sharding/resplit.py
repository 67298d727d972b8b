"""Which train photos become validation photos, where classes have none there.

Whole groups of near duplicates go to one side or the other, so that neither side holds a twin of the other's photos.
A group that has twins in validation or test already needs no rule: its train photos stay together, so twins on both
sides of a border can only become fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from oidata.core.release.selection import seeded_order
from oidata.core.statistics import places
from oidata.errors import UsageError

if TYPE_CHECKING:
    from oidata.core.sharding.evenness import Photos

_REACH: Final = 8  # neighbours on either side that a group is exchanged with: by class and size, they are most alike
_MAX_LOOKS: Final = 500_000  # at groups, for what may be exchanged: more helps little where there are as many
_MAX_DENOMINATOR: Final = 1_000_000  # 0.1 is meant as 1/10, which the float is not
_NO_CHANGE: Final = (0.0,) * 5
_FORBIDDEN: Final = (inf,) * 5


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The photos that become validation photos, and the classes that could get none.

    is_held_out  for each photo whether it leaves train: boolean of shape (N,)
    lacking      the needed classes that have no photo among them, from 0, ascending
    """

    is_held_out: np.ndarray
    lacking: tuple[int, ...]


def held_out(photos: Photos, groups: np.ndarray, fraction: float, seed: int = 0, *, needed: np.ndarray) -> HeldOut:
    """Take `fraction` of the photos that show a class of `needed` out of train, the same share of every class.

    photos: those of train, N of them. groups: int64 (N,), one number for all photos of a near-duplicate group, which
    stay together. needed: boolean (C,), the classes without validation photos. The result depends on ids, boxes, groups
    and `seed`, not on the order of the photos. Raises UsageError for a fraction that is not between 0 and 1.

    Only groups that show a needed class are divided; all others stay. No class loses its last train photo: what is not
    learned need not be measured. Beyond that each needed class gets a photo held out; then the photos held out of each
    needed class come near `fraction` of it, then their boxes, and then, of the divided photos, the same for the other
    classes: the sums of squares of what is missing or too much are made small in this order.

    A class that one group alone shows is lacking in the end; so may be one of several, where each of them has the last
    train photos of another class.

    Iterative stratification, rarest class first (Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label
    Data, ECML PKDD 2011, section 3), then exchanges as long as one helps.
    """
    check_fraction(fraction)
    order = places(pd.Series(seeded_order(photos.image_ids, seed), dtype="str"), photos.image_ids)
    ranked, (group, _) = photos.take(order), pd.factorize(groups[order])
    cells = _Cells.of(ranked, group, needed)
    num_photos = np.bincount(ranked.cells()[1], minlength=len(needed))
    division = _Division(cells, num_photos, needed, Fraction(fraction).limit_denominator(_MAX_DENOMINATOR))
    division.divide()
    is_held_out = np.empty(len(order), bool)
    is_held_out[order] = np.isin(group, cells.groups[np.array(division.is_held_out, bool)])
    return HeldOut(is_held_out, tuple(division.lacking()))


def check_fraction(fraction: float) -> None:
    """Raise UsageError for what is no part of the photos."""
    if not 0 < fraction < 1:
        raise UsageError(f"{fraction} of the photos cannot be held out.", "Name a fraction between 0 and 1, as 0.1.")


def groups_of(image_ids: pd.Series, duplicates: pd.DataFrame) -> np.ndarray:
    """The group of each photo, int64 (N,): that of DUPLICATES, and one of its own where it is in none."""
    place = places(image_ids, duplicates["image_id"])
    group, _ = pd.factorize(duplicates["group_id"])
    return np.where(place < 0, len(duplicates) + np.arange(len(image_ids)), np.append(group, -1)[place])


@dataclass(frozen=True, eq=False)
class _Cells:
    """What the groups to divide show: group `groups[g]` has entries starts[g]:starts[g + 1] of the other arrays.

    An entry is a class, the group's photos that show it, and their boxes of it. Groups of the rarest needed class come
    first, within a class the larger ones, and alike ones as they are numbered. All are int64.
    """

    groups: np.ndarray
    starts: np.ndarray
    label: np.ndarray
    num_photos: np.ndarray
    num_boxes: np.ndarray

    @classmethod
    def of(cls, photos: Photos, group: np.ndarray, needed: np.ndarray) -> _Cells:
        """Add up the boxes of `photos` by class and `group` (N,), and keep the groups that show a `needed` class."""
        photo, label, number = photos.cells()
        cells, inverse = np.unique(group[photo] * len(needed) + label, return_inverse=True)
        owner, label = np.divmod(cells, max(len(needed), 1))
        num_boxes = np.zeros(len(cells), np.int64)
        np.add.at(num_boxes, inverse, number)
        groups = _in_order(owner, label, num_boxes, needed)
        place = np.full(len(group), -1)
        place[groups] = np.arange(len(groups))
        place = place[owner]
        entries = np.argsort(place, kind="stable")[np.count_nonzero(place < 0) :]
        starts = np.searchsorted(place[entries], np.arange(len(groups) + 1))
        num_photos = np.bincount(inverse, minlength=len(cells))
        return cls(groups, starts, label[entries], num_photos[entries], num_boxes[entries])


def _in_order(owner: np.ndarray, label: np.ndarray, num_boxes: np.ndarray, needed: np.ndarray) -> np.ndarray:
    """The groups that show a needed class, in the order of _Cells: `owner` (K,) has the group of each cell."""
    num_groups = owner.max(initial=-1) + 1
    rarity = np.argsort(np.argsort(np.bincount(label, minlength=len(needed)), kind="stable"))
    rarest, size = np.full(num_groups, len(needed)), np.zeros(num_groups, np.int64)
    np.minimum.at(rarest, owner[needed[label]], rarity[label[needed[label]]])
    np.add.at(size, owner, num_boxes)
    return np.lexsort((-size, rarest))[: np.count_nonzero(rarest < len(needed))]


class _Division:
    """Groups on their way to one of two sides: held out, or staying in train, where all begin.

    For each class it keeps how far its photos held out, and their boxes, are off the fraction of those that were
    looked at, times the fraction's denominator: all numbers are whole, so that every machine decides alike.
    """

    def __init__(self, cells: _Cells, num_photos: np.ndarray, needed: np.ndarray, fraction: Fraction) -> None:
        entries = list(zip(cells.label.tolist(), cells.num_photos.tolist(), cells.num_boxes.tolist(), strict=True))
        self.is_held_out = [False] * len(cells.groups)
        self._shown = [entries[start:end] for start, end in pairwise(cells.starts.tolist())]
        self._num_photos: list[int] = num_photos.tolist()
        self._needed: list[bool] = needed.tolist()
        self._numerator, self._denominator = fraction.as_integer_ratio()
        self._num_held_out, self._photos_off, self._boxes_off = ([0] * len(needed) for _ in range(3))

    def divide(self) -> None:
        """Hold out each group that brings its classes nearer to the fraction of what came so far; then mend it."""
        for group in range(len(self._shown)):
            self._look_at(group)
            if self._cost(group)[1:] < _NO_CHANGE[1:]:
                self._flip(group)
        self._fill()
        for _ in range(1 + _MAX_LOOKS // (len(self._shown) + 1)):
            if not sum(self._settle(group) for group in range(len(self._shown))):
                return

    def lacking(self) -> list[int]:
        """The needed classes of which no photo is held out."""
        return [label for label, needed in enumerate(self._needed) if needed and not self._num_held_out[label]]

    def _look_at(self, group: int) -> None:
        """Count a group, for now as one that stays."""
        for label, num_photos, num_boxes in self._shown[group]:
            self._photos_off[label] -= self._numerator * num_photos
            self._boxes_off[label] -= self._numerator * num_boxes

    def _fill(self) -> None:
        """Hold out, for each class that lacks photos, the group that does best; rare classes have least choice."""
        lacking = sorted(self.lacking(), key=self._num_photos.__getitem__)
        showing: dict[int, list[int]] = {label: [] for label in lacking}
        for group, shown in enumerate(self._shown):
            for label, _, _ in shown:
                if label in showing:
                    showing[label].append(group)
        for groups in showing.values():
            self._flip_best([(group,) for group in groups])

    def _settle(self, group: int) -> bool:
        """Flip a group, or exchange one that is held out for one that stays, if that helps; say whether it does."""
        flips: list[tuple[int, ...]] = [(group,)]
        if self.is_held_out[group]:
            near = range(max(group - _REACH, 0), min(group + _REACH + 1, len(self._shown)))
            shown = self._shown[group]
            flips += [(group, other) for other in near if not self.is_held_out[other] and self._shown[other] != shown]
        return self._flip_best(flips)

    def _flip_best(self, flips: list[tuple[int, ...]]) -> bool:
        """Make the best of `flips`, the groups that change sides together, if it helps; say whether it does."""
        best = min(flips, key=lambda groups: self._cost(*groups), default=())
        is_better = self._cost(*best) < _NO_CHANGE
        if is_better:
            self._flip(*best)
        return is_better

    def _cost(self, *groups: int) -> tuple[float, ...]:
        """What becomes more if `groups` change sides: classes that lack photos, and the squares of what is off.

        These are of needed classes the photos, and the boxes, then of others; all by the fraction's denominator.
        """
        num_lacking, squares = 0, [0, 0, 0, 0]
        for label, num_photos, num_boxes in self._shift(groups):
            before, needed = self._num_held_out[label], self._needed[label]
            after = before + num_photos
            if after == self._num_photos[label]:
                return _FORBIDDEN
            num_lacking += needed and (not after) - (not before)
            place = 0 if needed else 2
            squares[place] += num_photos * (2 * self._photos_off[label] + self._denominator * num_photos)
            squares[place + 1] += num_boxes * (2 * self._boxes_off[label] + self._denominator * num_boxes)
        return num_lacking, *squares

    def _flip(self, *groups: int) -> None:
        """Let `groups` change sides."""
        for label, num_photos, num_boxes in self._shift(groups):
            self._num_held_out[label] += num_photos
            self._photos_off[label] += self._denominator * num_photos
            self._boxes_off[label] += self._denominator * num_boxes
        for group in groups:
            self.is_held_out[group] = not self.is_held_out[group]

    def _shift(self, groups: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """Class by class how many photos and boxes are held out more if `groups` change sides."""
        if len(groups) == 1 and not self.is_held_out[groups[0]]:
            return self._shown[groups[0]]  # as below, for what is asked most
        shift: dict[int, tuple[int, int, int]] = {}
        for group in groups:
            sign = -1 if self.is_held_out[group] else 1
            for label, num_photos, num_boxes in self._shown[group]:
                _, photos, boxes = shift.get(label, (label, 0, 0))
                shift[label] = label, photos + sign * num_photos, boxes + sign * num_boxes
        return list(shift.values())
