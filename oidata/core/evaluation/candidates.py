"""The ground-truth box that each detection fits best, for all photos and classes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from oidata.core.boxes import area

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Ints: TypeAlias = NDArray[np.intp]
    Overlap: TypeAlias = Callable[[Floats, Floats], Floats]

NONE = -1
PAIRS_AT_ONCE = 1 << 18
_NO_CANDIDATE = -1.0


@dataclass(frozen=True, eq=False)
class Best:
    """For each of N detections the box that it overlaps most, ties to the first, and by how much.

    truth    its place in the ground truth, NONE where there is no box to compare with: intp (N,)
    overlap  float32 (N,), 0 where there is none
    """

    truth: Ints
    overlap: Floats

    def where(self, least: float) -> NDArray[np.bool_]:
        """Which detections overlap a box by `least` or more: bool (N,)."""
        fits: NDArray[np.bool_] = (self.truth != NONE) & (self.overlap >= np.float32(least))
        return fits


class Keyed(Protocol):
    """Boxes (N, 4) float32 xyxy, sorted by their key (N,): photo · number of classes + class, each from 0."""

    @property
    def key(self) -> Ints:
        """The photo and class of each box."""

    @property
    def boxes(self) -> Floats:
        """The boxes."""


def best(detected: Keyed, truth: Keyed, among: NDArray[np.bool_], overlap: Overlap) -> Best:
    """For each detection the box of its photo and class, `among` those of `truth` (M,), that it overlaps most.

    `overlap` takes the boxes of P detections and of P candidates, (P, 4) each, and gives (P,).
    """

    def values(detection: Ints, candidate: Ints) -> Floats:
        return overlap(detected.boxes[detection], truth.boxes[candidate])

    chosen = np.flatnonzero(among)
    return _best(detected.key, chosen, truth.key[chosen], values)


def best_of_other_classes(detected: Keyed, truth: Keyed, among: NDArray[np.bool_], num_classes: int) -> Best:
    """For each detection the box of its photo and another class, `among` those of `truth` (M,), of the highest IoU."""

    def values(detection: Ints, candidate: Ints) -> Floats:
        is_other = detected.key[detection] != truth.key[candidate]
        return np.where(is_other, iou(detected.boxes[detection], truth.boxes[candidate]), np.float32(_NO_CANDIDATE))

    chosen = np.flatnonzero(among)
    return _best(detected.key // num_classes, chosen, truth.key[chosen] // num_classes, values)


def _best(group: Ints, chosen: Ints, chosen_group: Ints, overlap: Callable[[Ints, Ints], Floats]) -> Best:
    """For each of N, of a `group` (N,), that of the `chosen` (C,) of the same group that it overlaps most.

    `overlap` takes the places of P of the N, and as many of the chosen, and gives (P,).
    """
    first, end = (np.searchsorted(chosen_group, group, side) for side in ("left", "right"))
    result = Best(np.full(len(group), NONE, np.intp), np.zeros(len(group), np.float32))
    for some in _blocks(end - first):
        detection, candidate = _pairs(some, first, end)
        values = overlap(detection, chosen[candidate])
        at = _first_highest(values, detection)
        at = at[values[at] != _NO_CANDIDATE]
        result.truth[detection[at]], result.overlap[detection[at]] = chosen[candidate[at]], values[at]
    return result


def _blocks(numbers: Ints) -> Iterator[Ints]:
    """The rows with a number above 0, some at a time, so that their numbers add up to PAIRS_AT_ONCE or little more."""
    rows = np.flatnonzero(numbers)
    total = np.cumsum(numbers[rows])
    cuts = np.searchsorted(total, np.arange(PAIRS_AT_ONCE, numbers.sum(), PAIRS_AT_ONCE))
    yield from (block for block in np.split(rows, cuts) if len(block))


def _pairs(rows: Ints, first: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Each of `rows` with each number from its `first` to before its `end`: two arrays of shape (P,)."""
    number = end[rows] - first[rows]
    start = np.cumsum(number) - number
    return np.repeat(rows, number), np.arange(number.sum()) + np.repeat(first[rows] - start, number)


def _first_highest(values: Floats, group: Ints) -> Ints:
    """Where in each run of equal `group` the highest value stands first."""
    start = np.flatnonzero(np.diff(group, prepend=-1))
    highest = np.maximum.reduceat(values, start)
    at = np.flatnonzero(values == np.repeat(highest, np.diff(start, append=len(group))))
    first: Ints = at[np.flatnonzero(np.diff(group[at], prepend=-1))]
    return first


def iou(detected: Floats, truth: Floats) -> Floats:
    """Intersection over union of (P, 4) boxes with as many others, (P,): boxes.iou, to the bit, pair by pair."""
    common = _common(detected, truth)
    with np.errstate(over="ignore", invalid="ignore"):  # a released box can be anything
        union: Floats = area(detected) + area(truth) - common
    return np.divide(common, union, out=np.zeros_like(common), where=common > 0)


def ioa(detected: Floats, truth: Floats) -> Floats:
    """Intersection over the area of the detection, of (P, 4) boxes with as many others, (P,)."""
    common = _common(detected, truth)
    with np.errstate(over="ignore"):
        own = area(detected)
    return np.divide(common, own, out=np.zeros_like(common), where=common > 0)


def _common(a: Floats, b: Floats) -> Floats:
    width: Floats = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    height: Floats = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    common: Floats = np.maximum(height, 0) * np.maximum(width, 0)
    return common
