"""Even out an assignment of photos to shards by exchanging photos, two shards at a time.

All numbers that decide are whole, and exact in the floats that hold them, so that every machine decides alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oidata.core.sharding.evenness import Photos

_WINDOW: Final = 256  # photos of a shard that are compared with as many of another: 65,536 exchanges at once
_STEPS_MIN: Final = 500
_STEPS_PER_SHARD: Final = 4  # more leave the boxes as they are, and bring the bytes from 0.1 % nearer to 0
_EXACT: Final = 1 << 24  # up to here float32 holds every whole number
_ONE_THREAD: Final = 1 << 18  # multiplications that OpenBLAS does not divide (interface/gemm.c)


def even_out(boxes: BoxCounts, size_bytes: np.ndarray, shards: np.ndarray, num_shards: int) -> np.ndarray:
    """The assignment that `shards` (N,) leads to by exchanges that make it more even: int64 of shape (N,).

    An exchange is taken if it lowers the sum of squares of the boxes by shard and class, or leaves that as it is and
    lowers that of the bytes; so until there is none, or enough has been tried. A photo may change for the empty place
    of a shard that has one less: photos per shard, if they differed by at most 1, still do. `size_bytes` is (N,).
    """
    if not len(shards):
        return shards
    state = _Shards(boxes, size_bytes, shards, num_shards)
    state.even_out()
    return state.shards()


@dataclass(frozen=True)
class BoxCounts:
    """How many boxes of which class each photo has: photo p has `number` of `label` in starts[p]:starts[p + 1].

    starts has shape (N + 2,): behind the photos stands one without boxes, the empty place of a shard. `square` (N,) is
    the sum of the squares of a photo's numbers.
    """

    starts: np.ndarray
    label: np.ndarray
    number: np.ndarray
    square: np.ndarray
    num_classes: int

    @classmethod
    def of(cls, photos: Photos) -> BoxCounts:
        """Count the boxes of `photos`."""
        photo, label, number = photos.cells()
        num_photos = len(photos.image_ids)
        square = np.bincount(photo, number**2, minlength=num_photos)
        return cls(np.searchsorted(photo, np.arange(num_photos + 2)), label, number, square, photos.num_classes)

    def loads(self, shards: np.ndarray, num_shards: int) -> np.ndarray:
        """The boxes of each shard by class: int64 of shape (S, C)."""
        photo = np.repeat(np.arange(len(shards)), np.diff(self.starts[:-1]))
        loads = np.zeros((num_shards, self.num_classes), np.int64)
        np.add.at(loads, (shards[photo], self.label), self.number)
        return loads

    def dense(self, photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The classes that some photos show, (K,), and the photos' boxes of each, (num_photos, K).

        As float64, in which whole numbers are exact and products fast.
        """
        first, num = self.starts[photos], self.starts[photos + 1] - self.starts[photos]
        place = np.arange(num.sum()) + np.repeat(first - (np.cumsum(num) - num), num)
        classes, column = np.unique(self.label[place], return_inverse=True)
        table = np.zeros((len(photos), len(classes)))
        table[np.repeat(np.arange(len(photos)), num), column] = self.number[place]
        return classes, table


class _Shards:
    """An assignment on its way to a better one.

    Each shard has ceil(N / S) places: `place` (S, num_places) holds photos, and one is empty, N, where a shard has one
    photo less than others. An exchange of an empty place moves a photo; a shard never gets a second empty one.
    """

    def __init__(self, boxes: BoxCounts, size_bytes: np.ndarray, shards: np.ndarray, num_shards: int) -> None:
        num_photos = len(size_bytes)
        self._boxes = boxes
        self._size = np.append(size_bytes, 0)
        self._place = np.full((num_shards, -(-num_photos // num_shards)), num_photos)
        order = np.argsort(shards, kind="stable")
        num = np.bincount(shards, minlength=num_shards)
        self._place[shards[order], np.arange(num_photos) - np.repeat(np.cumsum(num) - num, num)] = order
        self._boxes_of = boxes.loads(shards, num_shards).astype(np.float64)
        self._bytes_of = self._size[self._place].sum(axis=1)

    def shards(self) -> np.ndarray:
        """The shard of each photo: int64 of shape (N,)."""
        shards = np.empty(len(self._size), np.int64)
        shards[self._place] = np.arange(len(self._place))[:, np.newaxis]
        return shards[:-1]

    def even_out(self) -> None:
        """Even out pairs of shards until none changes, or enough has been tried."""
        num_shards, num_places = self._place.shape
        num_windows = -(-num_places // _WINDOW)
        quiet, steps = 0, max(_STEPS_MIN, _STEPS_PER_SHARD * num_shards)
        for turn in range(-(-2 * steps // num_shards)):
            pairs = _ring(num_shards, turn // 2) if turn % 2 else self._extremes()
            changed = [self._even_out_pair(one, other, turn) for one, other in pairs]
            quiet = 0 if any(changed) else quiet + 1
            if quiet > 2 * num_shards * num_windows:
                return

    def _extremes(self) -> Iterator[tuple[int, int]]:
        """The shard with the least bytes and that with the most, and so on inward."""
        order = self._bytes_of.argsort(kind="stable").tolist()
        return zip(order[: len(order) // 2], order[::-1], strict=False)

    def _even_out_pair(self, one: int, other: int, turn: int) -> bool:
        """Exchange photos of two shards as long as that helps; say whether any did."""
        here, there = self._columns(one, other, turn)
        photos = np.concatenate((self._place[one, here], self._place[other, there]))
        classes, boxes = self._boxes.dense(photos)
        cut = len(here)
        pair = _Pair(
            _Side(boxes[:cut], self._size[photos[:cut]]),
            _Side(boxes[cut:], self._size[photos[cut:]]),
            (self._boxes_of[one] - self._boxes_of[other])[classes],
            int(self._bytes_of[one] - self._bytes_of[other]),
        )
        exchanges = list(pair.exchanges())
        for at, to in exchanges:
            photo, another = self._place[one, here[at]], self._place[other, there[to]]
            self._place[one, here[at]], self._place[other, there[to]] = another, photo
        self._divide(one, other, classes, pair)
        return bool(exchanges)

    def _divide(self, one: int, other: int, classes: np.ndarray, pair: _Pair) -> None:
        """Note what two shards hold, from what they hold together and how it differs."""
        boxes = self._boxes_of[one, classes] + self._boxes_of[other, classes]
        size_bytes = self._bytes_of[one] + self._bytes_of[other]
        self._boxes_of[one, classes] = (boxes + pair.boxes_apart) / 2
        self._boxes_of[other, classes] = (boxes - pair.boxes_apart) / 2
        self._bytes_of[one] = (size_bytes + pair.bytes_apart) // 2
        self._bytes_of[other] = (size_bytes - pair.bytes_apart) // 2

    def _columns(self, one: int, other: int, turn: int) -> tuple[np.ndarray, np.ndarray]:
        """The places of two shards that are looked at this turn; no empty ones if both have one."""
        num_places = self._place.shape[1]
        window = (np.arange(min(_WINDOW, num_places)) + turn // 2 * _WINDOW) % num_places
        is_empty = self._place[[one, other]] == len(self._size) - 1
        if not is_empty.any(axis=1).all():
            return window, window
        return window[~is_empty[0, window]], window[~is_empty[1, window]]


class _Side:
    """Photos of one shard of a pair: their boxes by class (n, C) and bytes (n,), and the square of the boxes (n,)."""

    def __init__(self, boxes: np.ndarray, size_bytes: np.ndarray) -> None:
        self.boxes, self.size_bytes = boxes, size_bytes
        self.square = (boxes**2).sum(axis=1)


class _Pair:
    """Two shards, and how the first differs from the other in boxes by class (C,) and in bytes."""

    def __init__(self, one: _Side, other: _Side, boxes_apart: np.ndarray, bytes_apart: int) -> None:
        self._one, self._other = one, other
        self.boxes_apart, self.bytes_apart = boxes_apart, bytes_apart
        self._product = _product(one.boxes, other.boxes)

    def exchanges(self) -> Iterator[tuple[int, int]]:
        """Carry out one exchange after the other, and tell which photo of the first went for which of the other."""
        while best := self._best():
            self._exchange(*best)
            yield best

    def _best(self) -> tuple[int, int] | None:
        """The exchange that lowers the sum of squares of the boxes most, and of the bytes where several do.

        With D the difference of the shards and d that of the photos, the squares change by 2 D·d + 2 d·d; half of that
        is added up here from its parts. The sum is least where all classes are at floor or ceiling, as excess is.
        """
        one, other = self._one, self._other
        to_one, to_other = other.square + other.boxes @ self.boxes_apart, one.square - one.boxes @ self.boxes_apart
        change = to_other[:, np.newaxis] + to_one - 2 * self._product
        least = change.min(initial=1)
        if least > 0:
            return None
        at, to = np.nonzero(change == least)
        moved = other.size_bytes[to] - one.size_bytes[at]
        change_of_bytes = moved * (self.bytes_apart + moved)
        best = int(change_of_bytes.argmin())
        return (int(at[best]), int(to[best])) if least < 0 or change_of_bytes[best] < 0 else None

    def _exchange(self, at: int, to: int) -> None:
        one, other = self._one, self._other
        self.boxes_apart = self.boxes_apart + 2 * (other.boxes[to] - one.boxes[at])
        self.bytes_apart += 2 * int(other.size_bytes[to] - one.size_bytes[at])
        for mine, theirs in ((one.boxes, other.boxes), (one.size_bytes, other.size_bytes), (one.square, other.square)):
            mine[at], theirs[to] = theirs[to].copy(), mine[at].copy()
        self._product[at] = other.boxes @ one.boxes[at]
        self._product[:, to] = one.boxes @ other.boxes[to]


def _product(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The products of all rows of (n, K) with all of (m, K), exact: float64 of shape (n, m).

    In float32 where no sum can be larger than it holds, and a few rows at a time, which BLAS does in one thread: on a
    busy machine of two cores its threads, waiting for each other, took up to 60 times as long.
    """
    largest = max((side**2).sum(axis=1).max(initial=0) for side in (one, other))
    kind = np.float32 if largest < _EXACT else np.float64
    rows, columns = one.astype(kind), other.T.astype(kind)
    num_rows = max(1, _ONE_THREAD // max(1, columns.size))
    product = np.empty((len(rows), columns.shape[1]))
    for start in range(0, len(rows), num_rows):
        product[start : start + num_rows] = np.matmul(rows[start : start + num_rows], columns)
    return product


def _ring(num_shards: int, turn: int) -> Iterator[tuple[int, int]]:
    """Disjoint pairs of shards; in num_shards turns each meets each other (the circle method of a tournament)."""
    seats = num_shards + num_shards % 2
    ring = [seats - 1, *((place + turn) % (seats - 1) for place in range(seats - 1))]
    pairs = zip(ring[: seats // 2], ring[::-1], strict=False)
    return (pair for pair in pairs if max(pair) < num_shards)
