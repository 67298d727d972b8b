"""Which photo goes to which shard: as many photos, boxes of each class and bytes in every shard as can be.

Photos per shard differ by at most 1. Then the largest excess counts, over shards and classes: how far the boxes of a
class in a shard lie beyond the floor or the ceiling of their mean; then how far a shard's bytes lie from their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from oidata.core.release.selection import seeded_order
from oidata.core.sharding.evenness import Loads, by_hash, by_index
from oidata.core.sharding.exchange import BoxCounts, even_out
from oidata.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oidata.core.sharding.evenness import Photos

_CLOSED: Final = 1 << 62  # more than any sum of boxes


def assign(photos: Photos, num_shards: int, seed: int = 0) -> np.ndarray:
    """The shard of each photo, from 0: int64 of shape (N,).

    It depends on the ids, sizes and boxes, on `num_shards` and `seed`, and not on the order of the photos. Never worse
    than by hash or by index. Fewer photos than shards leave shards empty. Raises UsageError for less than one shard.

    Photos with many boxes go first, each to the shard that has least of what it shows; then shards are evened out in
    pairs, by the exchange of two photos that helps most, as long as one does.
    """
    if num_shards < 1:
        raise UsageError(f"{num_shards} shards cannot hold anything.", "Ask for one shard or more.")
    order = _ranked(photos.image_ids, seed)
    ranked = photos.take(order)
    boxes = BoxCounts.of(ranked)
    found = even_out(boxes, ranked.size_bytes, _greedy(boxes, ranked.size_bytes, num_shards), num_shards)
    # A few photos may happen to lie best by what others do.
    candidates = (found, by_index(ranked.image_ids, num_shards), by_hash(ranked.image_ids, num_shards))
    shards = np.empty(len(order), np.int64)
    shards[order] = min(candidates, key=lambda candidate: Loads.of(ranked, candidate, num_shards).cost)
    return shards


def orders(image_ids: Sequence[str], shards: np.ndarray, num_shards: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """The places of each shard's photos in the order in which it holds them: shuffled, so that classes mix."""
    order = _ranked(image_ids, seed)
    by_shard = order[np.argsort(shards[order], kind="stable")]
    return tuple(np.split(by_shard, np.cumsum(np.bincount(shards, minlength=num_shards))[:-1]))


def _ranked(image_ids: Sequence[str], seed: int) -> np.ndarray:
    """The places of `image_ids` in the order that `seed` gives them: int64 of shape (N,)."""
    place = {image_id: number for number, image_id in enumerate(image_ids)}
    return np.fromiter((place[image_id] for image_id in seeded_order(image_ids, seed)), np.int64, len(place))


def _greedy(boxes: BoxCounts, size_bytes: np.ndarray, num_shards: int) -> np.ndarray:
    """Each photo to the shard that has least of what it shows, and of bytes where that is equal; large ones first.

    The longest-processing-time rule (Graham, SIAM J. Appl. Math. 17, 1969) for several quantities: the sum of squares
    of the boxes per shard and class grows least where the load, weighed by the photo's boxes, is least.
    """
    num_photos = len(size_bytes)
    room = _Room(num_photos, num_shards)
    load = np.zeros((boxes.num_classes, num_shards), np.int64)
    size = np.zeros(num_shards, np.int64)
    shards = np.empty(num_photos, np.int64)
    starts, label, number = boxes.starts.tolist(), boxes.label.tolist(), boxes.number.tolist()
    for photo in np.lexsort((-size_bytes, -boxes.square)).tolist():
        shown = range(starts[photo], starts[photo + 1])
        score = room.closed.copy()
        for each in shown:
            score += number[each] * load[label[each]]
        least = np.flatnonzero(score == score.min())
        shard = int(least[size[least].argmin()])
        for each in shown:
            load[label[each], shard] += number[each]
        size[shard] += size_bytes[photo]
        room.take(shard)
        shards[photo] = shard
    return shards


class _Room:
    """How many photos shards may still take, if they are to differ by at most 1 in the end."""

    def __init__(self, num_photos: int, num_shards: int) -> None:
        self.closed = np.zeros(num_shards, np.int64)
        self._count = np.zeros(num_shards, np.int64)
        self._floor, self._num_larger = divmod(num_photos, num_shards)

    def take(self, shard: int) -> None:
        self._count[shard] += 1
        if self._count[shard] > self._floor:
            self._num_larger -= 1
            self.closed[shard] = _CLOSED
        if self._count[shard] >= self._floor and not self._num_larger:
            self._close()

    def _close(self) -> None:
        """Once as many shards as may have one photo more have it, the others take no more than the floor."""
        if not self._num_larger:
            self.closed[self._count >= self._floor] = _CLOSED
