"""Laws of grouping photos that show the same; comparing every pair is the oracle."""

from collections.abc import Mapping
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.auditing.duplicates import (
    BYTES,
    DUPLICATES,
    FINGERPRINTS,
    MAX_DISTANCE,
    MIN_CONTRAST,
    NEAR,
    PIXELS,
    Overlap,
    find,
    near_pairs,
    overlaps,
)
from oidata.core.tables import check

LOOK = 0x0123456789ABCDEF
GOOD: dict[str, object] = {"sha256": None, "pixel_hash": None, "phash": None, "contrast": 50.0}


def name(number: int) -> str:
    """An image id."""
    return f"{number:016x}"


def fingerprints(*photos: Mapping[str, object]) -> pd.DataFrame:
    """FINGERPRINTS of photos that have in common with no other what is not given; ids count from 0."""
    rows = [{"image_id": name(number), **GOOD, **photo} for number, photo in enumerate(photos)]
    columns = [column.name for column in FINGERPRINTS.columns]
    return FINGERPRINTS.conform(pd.DataFrame(rows, columns=columns, dtype=object))


def groups(duplicates: pd.DataFrame) -> list[list[int]]:
    """The numbers of the photos of each group, in the order of group_id."""
    numbers = duplicates["image_id"].map(lambda image_id: int(image_id, 16))
    return [list(members) for _, members in numbers.groupby(duplicates["group_id"])]


def brute_force(hashes: np.ndarray, max_distance: int) -> list[tuple[int, int, int]]:
    """The near pairs, by comparing each with each."""
    values = [int(value) for value in hashes]
    pairs = ((i, j, (values[i] ^ values[j]).bit_count()) for i, j in combinations(range(len(values)), 2))
    return [pair for pair in pairs if pair[2] <= max_distance]


BITS = st.sets(st.integers(0, 63), max_size=14).map(lambda bits: sum(1 << bit for bit in bits))
CENTRES = st.sampled_from([0, LOOK, (1 << 64) - 1])
HASHES = st.lists(st.builds(int.__xor__, CENTRES, BITS), max_size=30)
PHOTOS = st.lists(
    st.fixed_dictionaries(
        {
            "sha256": st.none() | st.sampled_from([digit * 64 for digit in "0123"]),
            "pixel_hash": st.none() | st.sampled_from(["one", "two", "three"]),
            "phash": st.none() | st.builds(int.__xor__, st.just(LOOK), BITS),
            "contrast": st.sampled_from([0.0, MIN_CONTRAST, 50.0]),
        }
    ),
    max_size=14,
)


@given(HASHES, st.integers(0, 11))
def test_all_near_pairs_are_found_and_no_other(values: list[int], max_distance: int) -> None:
    """At every threshold the search finds exactly the pairs that comparing each with each finds, each once."""
    hashes = np.array(values, np.uint64)
    assert list(map(tuple, near_pairs(hashes, max_distance).T.tolist())) == brute_force(hashes, max_distance)


@pytest.mark.parametrize("max_distance", [*range(13)])
def test_no_spread_of_the_bits_hides_a_pair(max_distance: int) -> None:
    """Pairs that differ by exactly the threshold are found however the bits are spread over the four bands."""
    rng = np.random.default_rng(max_distance)
    centres = rng.integers(0, 1 << 64, 300, dtype=np.uint64)
    bits = np.argsort(rng.random((300, 64)), axis=1)[:, :max_distance].astype(np.uint64)
    hashes = np.concatenate([centres, centres ^ np.bitwise_or.reduce(np.uint64(1) << bits, axis=1)])
    found = near_pairs(hashes, max_distance).T.tolist()
    assert [pair for pair in found if pair[1] == pair[0] + 300] == [[i, i + 300, max_distance] for i in range(300)]


def test_many_hashes_are_compared_in_portions() -> None:
    """With more candidates than one portion holds, in few buckets and in many, all pairs are found."""
    rng = np.random.default_rng(0)
    crowded = rng.integers(0, 1 << 12, 1_500, dtype=np.uint64) << np.uint64(26)
    scattered = rng.integers(0, 1 << 64, 500, dtype=np.uint64)
    hashes = np.concatenate([crowded, scattered])
    distance = np.bitwise_count(hashes[:, None] ^ hashes[None])
    first, second = np.nonzero(np.triu(distance <= 3, 1))
    assert len(first) > 1 << 16
    assert near_pairs(hashes, 3).tolist() == [first.tolist(), second.tolist(), distance[first, second].tolist()]


def expected(photos: pd.DataFrame, max_distance: int) -> list[list[int]]:
    """The groups, by joining every two twins in turn."""
    rows = photos.astype(object).where(photos.notna(), None).to_dict("records")
    group = list(range(len(rows)))
    for i, j in combinations(range(len(rows)), 2):
        if are_twins(rows[i], rows[j], max_distance):
            group = [group[i] if each == group[j] else each for each in group]
    members = [[i for i, each in enumerate(group) if each == label] for label in dict.fromkeys(group)]
    return sorted(each for each in members if len(each) > 1)


def are_twins(one: Mapping[Any, object], other: Mapping[Any, object], max_distance: int) -> bool:
    """Whether two photos are twins, in plain words."""
    if any(one[key] is not None and one[key] == other[key] for key in ("sha256", "pixel_hash")):
        return True
    hashes = (one["phash"], other["phash"])
    if None in hashes or float(str(one["contrast"])) < MIN_CONTRAST or float(str(other["contrast"])) < MIN_CONTRAST:
        return False
    return (int(str(hashes[0])) ^ int(str(hashes[1]))).bit_count() <= max_distance


@given(PHOTOS, st.integers(0, 12))
def test_a_group_holds_twins_of_twins(photos: list[dict[str, object]], max_distance: int) -> None:
    """Groups are those that joining every two twins gives, numbered by their smallest id, as the schema declares."""
    frame = fingerprints(*photos)
    found = check(find(frame, max_distance), DUPLICATES)
    assert groups(found) == expected(frame, max_distance)
    assert found["group_id"].drop_duplicates().tolist() == list(range(found["group_id"].nunique()))


@given(PHOTOS)
def test_kind_and_distance_are_those_of_the_closest_tie(photos: list[dict[str, object]]) -> None:
    """Equal bytes come before equal pixels, these before a near look; the distance is the smallest in the group."""
    frame = fingerprints(*photos)
    found = find(frame).merge(frame, on="image_id")
    for row in found.itertuples():
        others = found[(found["group_id"] == row.group_id) & (found["image_id"] != row.image_id)]
        if row.kind == BYTES:
            assert (others["sha256"] == row.sha256).any()
        elif row.kind == PIXELS:
            assert (others["pixel_hash"] == row.pixel_hash).any()
        else:
            seen = others.loc[others["phash"].notna() & (others["contrast"] >= MIN_CONTRAST), "phash"]
            assert row.distance == min((int(phash) ^ int(str(row.phash))).bit_count() for phash in seen)
            continue
        assert row.distance == 0


@given(PHOTOS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(photos: list[dict[str, object]], random: object) -> None:
    """The same table comes of the same photos in any order and with any index."""
    frame = fingerprints(*photos)
    order = list(range(len(frame)))
    random.shuffle(order)  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(find(frame.iloc[order]), find(frame))


@pytest.mark.parametrize(
    "one, other, kind, distance",
    [
        ({"sha256": "a" * 64, "phash": LOOK}, {"sha256": "a" * 64, "phash": LOOK}, BYTES, 0),
        ({"pixel_hash": "p", "phash": LOOK}, {"pixel_hash": "p", "phash": LOOK ^ 0xFFFF}, PIXELS, 0),
        ({"phash": LOOK}, {"phash": LOOK}, NEAR, 0),
        ({"phash": LOOK}, {"phash": LOOK ^ 0b11}, NEAR, 2),
        ({"phash": LOOK}, {"phash": LOOK ^ 0xFF << 56}, NEAR, MAX_DISTANCE),
    ],
)
def test_each_kind_of_twin(one: dict[str, object], other: dict[str, object], kind: str, distance: int) -> None:
    """Twins by bytes and by pixels are 0 apart whatever their hashes; near ones by as many bits as these differ."""
    found = find(fingerprints(one, other))
    assert found["kind"].tolist() == [kind, kind]
    assert found["distance"].tolist() == [distance, distance]


def test_one_bit_more_than_the_threshold_is_no_twin() -> None:
    """Hashes that differ by more than MAX_DISTANCE bits make no group."""
    assert find(fingerprints({"phash": LOOK}, {"phash": LOOK ^ 0x1FF})).empty


def test_blank_photos_are_not_all_alike() -> None:
    """Without contrast an equal perceptual hash means nothing; equal bytes still do."""
    flat = {"phash": 1 << 63, "contrast": MIN_CONTRAST - 0.01}
    same = {**flat, "sha256": "b" * 64}
    assert groups(find(fingerprints(flat, same, flat, same, flat))) == [[1, 3]]


def test_a_long_chain_is_one_group() -> None:
    """A thousand photos each near the next alone are one group, in whatever order their ids stand."""
    order = np.random.default_rng(0).permutation(1_000)
    hashes = np.cumsum(np.r_[0, [1 << int(bit) for bit in np.random.default_rng(1).integers(0, 54, 999)]])
    looks = [{"phash": int(hashes[place])} for place in order]
    frame = fingerprints(*looks)
    steps = [int(one) ^ int(other) for one, other in pairwise(hashes)]
    assert groups(find(frame, max(step.bit_count() for step in steps))) == [list(range(1_000))]


def test_no_photos_have_no_duplicates() -> None:
    """An empty table gives an empty one, as declared."""
    assert check(find(FINGERPRINTS.empty()), DUPLICATES).empty


def test_overlaps_are_counted_by_pair_of_splits() -> None:
    """A group counts for each pair of splits that it reaches, and within a split that holds two of it."""
    splits = ["train", "train", "validation", "train", "test", "test", "test"]
    group_ids = [0, 0, 0, 1, 1, 2, 2]
    ids = [name(number) for number in range(len(splits))]
    duplicates = pd.DataFrame({"image_id": ids, "group_id": group_ids})
    images = pd.DataFrame({"image_id": [*ids, name(99)], "split": [*splits, "train"]}).sample(frac=1, random_state=0)
    assert overlaps(duplicates, images) == (
        Overlap("train", "train", num_groups=1, num_in_split=2, num_in_other=2),
        Overlap("train", "validation", num_groups=1, num_in_split=2, num_in_other=1),
        Overlap("train", "test", num_groups=1, num_in_split=1, num_in_other=1),
        Overlap("test", "test", num_groups=1, num_in_split=2, num_in_other=2),
    )


def test_without_duplicates_no_split_overlaps() -> None:
    """No group, no overlap."""
    images = pd.DataFrame({"image_id": [name(0)], "split": ["train"]})
    assert overlaps(DUPLICATES.empty(), images) == ()
