"""Photos that show the same thing: equal bytes, equal pixels, or nearly the same look to a person."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from oidata.core.tables import IMAGE_ID, SHA256, SPLITS, Column, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES, PIXELS, NEAR = KINDS = ("bytes", "pixels", "near")

# Measured on 206 real photos of Open Images and 48 views of each (turned, mirrored, cropped). Copies at JPEG quality
# 20, in gray, or at a third of the size lie within 2 bits, 95 % of copies that lost a 2 % margin within 8. Of the 49
# million pairs of views of different photos none lies within 8, 17 at 10, 101 at 12 (alike dishes on alike plates).
MAX_DISTANCE: Final = 8

# In gray levels. Real photos measure 28 and more, a blank one with a sensor's noise at most 0.6. The hash compares
# frequencies, and here these are noise: real photos faded to 1.2 lie up to 14 bits from their own copies at quality
# 60, those faded to 2.8 up to 6.
MIN_CONTRAST: Final = 2.0

FINGERPRINTS = Schema(
    "fingerprints",
    (
        Column("image_id", "str", pattern=IMAGE_ID),
        Column("sha256", "str", nullable=True, pattern=SHA256),
        Column("pixel_hash", "str", nullable=True),
        Column("phash", "UInt64", nullable=True),
        Column("contrast", "float32"),
    ),
    key=("image_id",),
)

DUPLICATES = Schema(
    "duplicates",
    (
        Column("image_id", "str", pattern=IMAGE_ID),
        Column("group_id", "int32"),
        Column("distance", "int8"),
        Column("kind", "str", values=KINDS),
    ),
    key=("image_id",),
)

_NUM_BANDS = 4
_BAND_BITS = 16
_PORTION = 1 << 16  # pairs compared at once: arrays that stay in a core's cache


@dataclass(frozen=True)
class Overlap:
    """Groups with photos in both splits, and how many photos they have in each.

    Where `other` is `split` they are the groups with two photos or more in it, and both numbers are the same.
    """

    split: str
    other: str
    num_groups: int
    num_in_split: int
    num_in_other: int


def find(fingerprints: pd.DataFrame, max_distance: int = MAX_DISTANCE) -> pd.DataFrame:
    """DUPLICATES: the photos of FINGERPRINTS that have a twin, sorted by group and id.

    Twins have equal sha256, equal pixel_hash, or perceptual hashes at most `max_distance` bits apart; a group holds
    twins of twins. Nulls have no twin, and a photo of less than MIN_CONTRAST only such of equal bytes or pixels.
    `kind` is the strongest tie to another member, `distance` that of the nearest one's hash (0 for bytes and pixels).
    Groups are numbered from 0 by their smallest id, so the order of the rows does not matter.
    """
    photos = fingerprints.sort_values("image_id", ignore_index=True)
    same_bytes, same_pixels = (_first_equal(photos[name]) for name in ("sha256", "pixel_hash"))
    looks, distance = _look_alikes(photos, max_distance)
    ties = np.concatenate([_edges(same_bytes), _edges(same_pixels), looks], axis=1)
    group = _components(len(photos), ties)
    kind = np.select([_is_shared(same_bytes), _is_shared(same_pixels)], [BYTES, PIXELS], NEAR)
    found = _is_shared(group)
    table = photos[["image_id"]].assign(group_id=group, distance=np.where(kind == NEAR, distance, 0), kind=kind)[found]
    table["group_id"] = np.unique(group[found], return_inverse=True)[1]
    return DUPLICATES.conform(table.sort_values(["group_id", "image_id"]))


def overlaps(duplicates: pd.DataFrame, images: pd.DataFrame) -> tuple[Overlap, ...]:
    """Leakage between two splits and repetition within one, in the order of SPLITS; pairs without any are left out.

    `images` gives the split of each image_id in DUPLICATES.
    """
    split = duplicates["image_id"].map(images.set_index("image_id")["split"])
    counts = pd.crosstab(duplicates["group_id"], split).reindex(columns=list(SPLITS), fill_value=0)
    pairs = (_overlap(counts, *pair) for pair in combinations_with_replacement(SPLITS, 2))
    return tuple(pair for pair in pairs if pair.num_groups)


def near_pairs(hashes: np.ndarray, max_distance: int) -> np.ndarray:
    """All pairs of `hashes` (N,) uint64 at most `max_distance` bits apart: (3, P) int64 of i < j and distance, sorted.

    Exact, in memory that grows with N and P alone. The bits are divided into four bands. With max_distance = 4 r + a
    near hashes differ by at most r bits in one of the first a + 1 bands, or by at most r - 1 in one of the others: else
    it would be (a + 1)(r + 1) + (3 - a) r bits, one too many. So only those are compared (multi-index hashing: Norouzi,
    Punjani and Fleet, CVPR 2012, section 3).
    """
    radius, num_wide = divmod(max_distance, _NUM_BANDS)
    found = [np.empty((3, 0), np.int64)]
    for band in range(_NUM_BANDS):
        found.extend(_near_in_band(hashes, band, radius if band <= num_wide else radius - 1, max_distance))
    pairs = np.concatenate(found, axis=1)
    return pairs[:, np.unique(pairs[0] * len(hashes) + pairs[1], return_index=True)[1]]


def _near_in_band(hashes: np.ndarray, band: int, radius: int, max_distance: int) -> Iterator[np.ndarray]:
    """The near pairs, as `near_pairs` has them, among those whose 16 bits of `band` differ in at most `radius`."""
    keys = (hashes >> np.uint64(band * _BAND_BITS)).astype(np.uint16)
    order = np.argsort(keys, kind="stable")
    hashes = hashes[order]
    for first, second in _candidates(keys[order].astype(np.int64), radius):
        distance = np.bitwise_count(hashes[first] ^ hashes[second])
        near = np.flatnonzero(distance <= max_distance)
        if near.size:
            pair = order[np.stack([first[near], second[near]])]
            yield np.concatenate([np.sort(pair, axis=0), distance[None, near]]).astype(np.int64)


def _candidates(keys: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of places in the sorted `keys` that differ in at most `radius` bits, each pair once, in portions."""
    ends = np.cumsum(np.bincount(keys, minlength=1 << _BAND_BITS))
    starts = np.concatenate(([0], ends[:-1]))
    for mask in _masks(radius):
        partner = keys ^ mask
        # Two buckets are compared from the lower key's side alone, and within one each member with those behind it.
        begin = starts[partner] if mask else np.arange(1, len(keys) + 1)
        yield from _ranges(begin, np.where(partner >= keys, ends[partner] - begin, 0))


def _masks(radius: int) -> list[int]:
    """All numbers of 16 bits of which at most `radius` are set."""
    sets = (bits for num in range(radius + 1) for bits in combinations(range(_BAND_BITS), num))
    return [sum(1 << bit for bit in bits) for bits in sets]


def _ranges(begin: np.ndarray, length: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each place p beside each of the `length[p]` places from `begin[p]` on, in portions."""
    before = np.concatenate(([0], np.cumsum(length)))
    cuts = np.searchsorted(before, np.arange(0, before[-1], _PORTION))
    for low, high in pairwise((*cuts, len(length))):
        num = length[low:high]
        shift = np.repeat(begin[low:high] - before[low:high], num)
        yield np.repeat(np.arange(low, high), num), np.arange(before[low], before[high]) + shift


def _look_alikes(photos: pd.DataFrame, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges (2, E) between rows that look alike, and for each row how far the nearest is (64 if there is none)."""
    rows = np.flatnonzero(photos["phash"].notna() & (photos["contrast"] >= MIN_CONTRAST))
    hashes, first, inverse, count = np.unique(
        photos["phash"].iloc[rows].to_numpy(np.uint64), return_index=True, return_inverse=True, return_counts=True
    )
    one, other, distance = near_pairs(hashes, max_distance)
    nearest = np.where(count > 1, 0, 64)
    for side in (one, other):
        np.minimum.at(nearest, side, distance)
    edges = np.concatenate([(rows, rows[first[inverse]]), (rows[first[one]], rows[first[other]])], axis=1)
    distances = np.full(len(photos), 64)
    distances[rows] = nearest[inverse]
    return edges, distances


def _first_equal(values: pd.Series) -> np.ndarray:
    """For each row the first one of equal value; a null is equal to itself alone."""
    places = pd.Series(np.arange(len(values)))
    first = places.groupby(values).transform("first").fillna(places)
    return first.to_numpy(np.int64)


def _edges(first: np.ndarray) -> np.ndarray:
    return np.stack([np.arange(len(first)), first])


def _is_shared(labels: np.ndarray) -> np.ndarray:
    """Which rows have a label that another row has too; labels are row numbers."""
    return np.asarray(np.bincount(labels, minlength=1)[labels] > 1)


def _components(num: int, edges: np.ndarray) -> np.ndarray:
    """For each of `num` nodes the smallest one that it is connected to by `edges` (2, E)."""
    label = np.arange(num)
    one, other = edges
    # A label is a smaller node of the same component: to take the label's label shortens the way to the smallest.
    while (label[one] != label[other]).any():
        low = np.minimum(label[one], label[other])
        for end in (one, other):
            np.minimum.at(label, label[end], low)
            np.minimum.at(label, end, low)
        label = label[label]
    return label


def _overlap(counts: pd.DataFrame, split: str, other: str) -> Overlap:
    """`counts` has a row for each group and a column for each split."""
    both = counts[split] > 1 if split == other else (counts[split] > 0) & (counts[other] > 0)
    chosen = counts[both]
    return Overlap(split, other, len(chosen), int(chosen[split].sum()), int(chosen[other].sum()))
