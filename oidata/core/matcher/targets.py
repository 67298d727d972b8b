"""Which anchors learn which box: TFOD's argmax matcher with the forced match, exact to the last bit of float32."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from oidata.core.matcher.overlaps import Overlaps, Pairs
from oidata.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oidata.core.matcher.anchors import AnchorGrid

# Of so many photos the anchors are resolved at a time that they are no more than this: 4 bytes for each.
TABLE_SIZE = 1 << 23

# A batch of photos with more pairs to look at than this is halved.
MAX_CELLS = 1 << 24

NOBODY = -1


@dataclass(frozen=True)
class Matcher:
    """How anchors are matched: the fields of TFOD's proto ArgMaxMatcher.

    An anchor belongs to the box of its highest IoU where that is at least `matched_threshold`; below
    `unmatched_threshold` it is background; between the two it is ignored (the other way round without
    `negatives_lower_than_unmatched`). With `force_match`, the proto's force_match_for_each_row, every box then takes
    its best anchor. With `ignore_thresholds` every anchor belongs to a box. `force_match` is true by default as in
    every SSD config of TFOD, though false in the proto. Raises ConfigError for thresholds that cannot be.
    """

    matched_threshold: float = 0.5
    unmatched_threshold: float = 0.5
    force_match: bool = True
    ignore_thresholds: bool = False
    negatives_lower_than_unmatched: bool = True

    def __post_init__(self) -> None:
        low, high = self.unmatched_threshold, self.matched_threshold
        if self.ignore_thresholds:
            return
        if not 0 <= low <= high <= 1:
            message = f"argmax_matcher has matched_threshold {high:g} and unmatched_threshold {low:g}."
            raise ConfigError(message, "Set them so that 0 ≤ unmatched_threshold ≤ matched_threshold ≤ 1.")
        if low == high and not self.negatives_lower_than_unmatched:
            message = f"argmax_matcher takes negatives from between two thresholds that are both {low:g}."
            raise ConfigError(message, "Set unmatched_threshold below matched_threshold.")

    @property
    def positive_from(self) -> float:
        """The least IoU with which an anchor is positive."""
        return 0.0 if self.ignore_thresholds else self.matched_threshold

    @property
    def between_from(self) -> float:
        """The least IoU with which an anchor is not below both thresholds."""
        return 0.0 if self.ignore_thresholds else self.unmatched_threshold


@dataclass(frozen=True, eq=False)
class Targets:
    """What the matcher makes of each ground-truth box, (N,) each, and of each photo with a box, (P,).

    - `best_iou` float32 and `best_anchor` int32: the anchor of highest IoU, ties to the lowest; `best_layer` int8.
    - `num_matched_anchors` int32: anchors that are the box's at the threshold, before the forced match.
    - `num_positive_anchors` int32: anchors that are the box's in the end; `positives_per_layer` the same, (N, L).
    - `is_forced_only`: there are positives, and not one would be the box's without the forced match.
    - `is_starved`: there are none.
    - `num_ignored_anchors` (P,) int32: the photo's anchors that are neither positive nor background, photos in the
      order of the boxes.

    A box of weight 0 claims no anchor by force, and keeps those that it matches: they are counted as its positives,
    though they weigh nothing in the loss.
    """

    best_iou: NDArray[np.float32]
    best_anchor: NDArray[np.int32]
    best_layer: NDArray[np.int8]
    num_matched_anchors: NDArray[np.int32]
    num_positive_anchors: NDArray[np.int32]
    positives_per_layer: NDArray[np.int32]
    is_forced_only: NDArray[np.bool_]
    is_starved: NDArray[np.bool_]
    num_ignored_anchors: NDArray[np.int32]


def match(
    boxes: NDArray[np.float32],
    image_index: NDArray[np.integer],
    grid: AnchorGrid,
    matcher: Matcher,
    weights: NDArray[np.float32] | None = None,
) -> Targets:
    """Match the anchors of `grid` to ground-truth boxes, photo by photo, as training does.

    `boxes` are (N, 4) xyxy float32 in the frame of the anchors; `image_index` (N,) is the same number for all boxes
    of a photo, which stand together in ground-truth order; `weights` (N,) is image/object/weight, 1 if None.
    As TFOD's matchers/argmax_matcher.py and core/target_assigner.py. A box that is none (no area, inverted, NaN)
    has IoU 0 with every anchor; where all are 0, the best is the first.
    """
    photo = np.cumsum(np.diff(image_index, prepend=image_index[:1]) != 0)
    num_photos = int(photo[-1]) + 1 if len(photo) else 0
    edges = np.searchsorted(photo, np.arange(num_photos + 1))
    claims = np.full(len(boxes), fill_value=True) if weights is None else weights > 0
    # From a threshold of 0 on, all anchors are between: that needs no search.
    overlaps = Overlaps(grid, matcher.between_from or matcher.positive_from)
    at_once = max(1, TABLE_SIZE // grid.num_anchors)
    resolver = _Resolver(grid, matcher, np.empty(min(at_once, num_photos) * grid.num_anchors, dtype=np.int32))
    todo = [(first, min(first + at_once, num_photos)) for first in range(0, num_photos, at_once)][::-1]
    parts = [resolver.nothing()]
    while todo:
        first, last = todo.pop()
        rows = slice(edges[first], edges[last])
        windows = overlaps.windows(boxes[rows])
        if windows.num_cells > MAX_CELLS and last - first > 1:
            middle = (first + last) // 2
            todo += [(middle, last), (first, middle)]
        else:
            parts.append(resolver.targets(overlaps.pairs(windows), windows.least, photo[rows] - first, claims[rows]))
    return Targets(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Targets)))


@dataclass(frozen=True, eq=False)
class _Owned:
    """Anchors, by key and by index, and the box that owns or claims each, (K,) each."""

    key: NDArray[np.intp]
    anchor: NDArray[np.intp]
    box: NDArray[np.intp]


class _Resolver:
    """Gives each anchor of some photos to one box, or to none.

    An anchor of a photo has a key: photo · num_anchors + anchor. `table` has an entry for each key; it is never
    cleared, and of it only what has just been written is read.
    """

    def __init__(self, grid: AnchorGrid, matcher: Matcher, table: NDArray[np.int32]) -> None:
        self._num_anchors, self._num_layers = grid.num_anchors, len(grid.layers)
        self._layer = grid.layer_index()
        self._matcher = matcher
        self._table = table

    def nothing(self) -> Targets:
        """The targets of no boxes."""
        none = np.zeros(0, dtype=np.intp)
        pairs = Pairs(none, none, np.zeros(0, dtype=np.float32))
        return self.targets(pairs, pairs.iou, none, none.astype(bool))

    def targets(
        self, pairs: Pairs, least: NDArray[np.float32], photo: NDArray[np.intp], claims: NDArray[np.bool_]
    ) -> Targets:
        """The targets of the boxes (N,) that `photo` and `claims` are of; the best pair of each has IoU ≥ `least`."""
        best_iou, best_anchor = _best(pairs, least)
        key = photo[pairs.box] * self._num_anchors + pairs.anchor
        before = self._at_the_threshold(pairs, key)
        claimant = np.flatnonzero(claims & self._matcher.force_match)
        claimed = photo[claimant] * self._num_anchors + best_anchor[claimant]
        after, is_kept = self._by_force(before, _Owned(claimed, best_anchor[claimant], claimant))
        num_boxes = len(photo)
        cell = after.box * self._num_layers + self._layer[after.anchor]
        per_layer = np.bincount(cell, minlength=num_boxes * self._num_layers).reshape(num_boxes, self._num_layers)
        num_positive, num_kept = per_layer.sum(axis=1), np.bincount(before.box[is_kept], minlength=num_boxes)
        return Targets(
            best_iou=best_iou,
            best_anchor=best_anchor.astype(np.int32),
            best_layer=self._layer[best_anchor],
            num_matched_anchors=np.bincount(before.box, minlength=num_boxes).astype(np.int32),
            num_positive_anchors=num_positive.astype(np.int32),
            positives_per_layer=per_layer.astype(np.int32),
            is_forced_only=(num_positive > 0) & (num_kept == 0),
            is_starved=num_positive == 0,
            num_ignored_anchors=self._num_ignored(key, pairs.iou, after.key, int(photo[-1]) + 1 if num_boxes else 0),
        )

    def _at_the_threshold(self, pairs: Pairs, key: NDArray[np.intp]) -> _Owned:
        some = np.flatnonzero(pairs.iou >= np.float32(self._matcher.positive_from))
        some = some[self._highest(key[some], pairs.box[some], pairs.iou[some])]
        return _Owned(key[some], pairs.anchor[some], pairs.box[some])

    def _by_force(self, before: _Owned, claims: _Owned) -> tuple[_Owned, NDArray[np.bool_]]:
        """Who owns what after the claims, and of what was owned before, what its box keeps."""
        self._table[before.key] = NOBODY
        # Of several claimants the lowest is to stand there, so it is written last.
        self._table[claims.key[::-1]] = claims.box[::-1]
        taker = self._table[before.key]
        is_free, gets = taker == NOBODY, self._table[claims.key] == claims.box
        after = _Owned(
            np.concatenate([before.key[is_free], claims.key[gets]]),
            np.concatenate([before.anchor[is_free], claims.anchor[gets]]),
            np.concatenate([before.box[is_free], claims.box[gets]]),
        )
        return after, is_free | (taker == before.box)

    def _highest(self, key: NDArray[np.intp], box: NDArray[np.intp], iou: NDArray[np.float32]) -> NDArray[np.bool_]:
        """For each pair whether no other of its key has a higher IoU, or the same with a lower box."""
        at = np.arange(len(key), dtype=np.int32)
        self._table[key] = at
        last = self._table[key]
        contested = last != at
        contested[last[contested]] = True
        some = np.flatnonzero(contested)
        some = some[np.lexsort((box[some], -iou[some], key[some]))]
        result: NDArray[np.bool_] = ~contested
        result[some] = np.diff(key[some], prepend=-1) != 0
        return result

    def _num_ignored(
        self, key: NDArray[np.intp], iou: NDArray[np.float32], positive: NDArray[np.intp], num_photos: int
    ) -> NDArray[np.int32]:
        """For each photo how many anchors are neither `positive` (keys) nor background."""
        low, high = self._matcher.between_from, self._matcher.positive_from
        rest = self._num_anchors - np.bincount(positive // self._num_anchors, minlength=num_photos)
        if low == high:
            between = np.zeros_like(rest)
        elif low:
            some = key[iou >= np.float32(low)]
            at = np.arange(len(some), dtype=np.int32)
            self._table[some] = at
            self._table[positive] = NOBODY
            once = some[self._table[some] == at]
            between = np.bincount(once // self._num_anchors, minlength=num_photos)
        else:
            between = rest
        return (between if self._matcher.negatives_lower_than_unmatched else rest - between).astype(np.int32)


def _best(pairs: Pairs, least: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """The highest IoU of each box, and the lowest anchor that has it; 0 and the first for a box without pairs."""
    among = pairs.iou >= least[pairs.box]
    box, anchor, iou = pairs.box[among], pairs.anchor[among], pairs.iou[among]
    best = np.zeros_like(least)
    np.maximum.at(best, box, iou)
    ties = iou == best[box]
    lowest = np.full(len(least), np.iinfo(np.intp).max)
    np.minimum.at(lowest, box[ties], anchor[ties])
    return best, np.where(lowest == np.iinfo(np.intp).max, 0, lowest)
