"""Laws of measuring how evenly shards are filled."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.sharding.evenness import Loads, Photos, Spread, balance_facts, by_hash, by_index
from tests.core.made import CLASSES, boxes, images
from tests.core.photos import photos_of

QUANTITIES = st.lists(st.integers(0, 50), min_size=1, max_size=8)


@given(QUANTITIES)
def test_a_spread_by_its_words(quantity: list[int]) -> None:
    """Deviation is the largest distance from the mean, excess that from the nearer of its floor and ceiling."""
    spread = Spread.of(np.array(quantity))
    mean = sum(quantity) / len(quantity)
    floor, ceiling = sum(quantity) // len(quantity), -(-sum(quantity) // len(quantity))
    assert (spread.least, spread.most) == (min(quantity), max(quantity))
    assert spread.mean == pytest.approx(mean)
    assert spread.deviation == pytest.approx(max(abs(each - mean) for each in quantity))
    assert spread.excess == max(max(floor - each, each - ceiling, 0) for each in quantity)
    assert spread.share == (pytest.approx(spread.deviation / mean) if mean else None)


@given(QUANTITIES)
def test_only_shards_at_floor_or_ceiling_have_no_excess(quantity: list[int]) -> None:
    """No excess is the same as: no two shards differ by more than 1."""
    assert (Spread.of(np.array(quantity)).excess == 0) == (max(quantity) - min(quantity) <= 1)


def test_what_shards_hold() -> None:
    """Photos, boxes of each class and bytes are added up by shard; a shard without a photo holds none."""
    photos = photos_of([[1, 0], [2, 3], [0, 0]], [10, 20, 40])
    loads = Loads.of(photos, np.array([0, 2, 0]), 4)
    assert loads.num_photos.tolist() == [2, 0, 1, 0]
    assert loads.num_boxes.tolist() == [[1, 0], [0, 0], [2, 3], [0, 0]]
    assert loads.size_bytes.tolist() == [50, 0, 20, 0]


def test_photos_go_before_boxes_before_bytes() -> None:
    """One photo too many outweighs any excess of boxes, and one box any bytes."""
    photos = photos_of([[1], [1], [9], [9]], [1, 1, 1, 10**6])
    better, uneven, worse = (
        Loads.of(photos, np.array(each), 2).cost for each in ([0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 1, 1])
    )
    assert better < worse < uneven
    assert better[:2] == (0, 0)


def test_tables_become_photos() -> None:
    """Boxes are counted by photo and class; those of photos or classes that are not asked for are left out."""
    table = images({"size_bytes": 10}, {"size_bytes": 20})
    made = boxes({"photo": 1}, {"photo": 1, "mid": "/m/2"}, {"photo": 1}, {"photo": 5}, {"mid": "/m/3"})
    photos = Photos.of(table, made, CLASSES)
    assert [each.tolist() for each in photos.cells()] == [[1, 1], [0, 1], [2, 1]]
    assert photos.size_bytes.tolist() == [10, 20]
    assert photos.image_ids == table["image_id"].tolist()


def test_what_is_usual_by_example() -> None:
    """By hash the id decides, by index its place among the ids, in whatever order they come."""
    ids = ["000000000000000c", "0000000000000003", "0000000000000007"]
    assert by_hash(ids, 4).tolist() == [0, 3, 3]
    assert by_index(ids, 2).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "num_boxes, unavoidable",
    [([9, 1, 1, 1], 6), ([4, 4, 0, 0], 2), ([3, 3, 3, 3], 0), ([0, 0, 0, 0], 0), ([7, 7, 7, 0], 5)],
)
def test_what_no_assignment_avoids(num_boxes: list[int], unavoidable: int) -> None:
    """A photo with more boxes than a shard should have, and a class on fewer photos than shards, cannot be even."""
    photos = photos_of(np.array(num_boxes)[:, np.newaxis], [1] * 4)
    facts = balance_facts(photos, np.arange(4), 4)
    assert facts.unavoidable_excess == (unavoidable,)
    assert facts.balanced.box_excess >= unavoidable


def test_the_facts_are_plain_values() -> None:
    """Facts turn into dictionaries of Python's own numbers, as a report needs them."""
    facts = balance_facts(photos_of([[1, 0], [2, 0]], [10, 20]), np.array([0, 1]), 2)
    assert asdict(facts)["balanced"]["num_boxes"] == (
        {"mean": 1.5, "least": 1, "most": 2, "deviation": 0.5, "share": pytest.approx(1 / 3), "excess": 0},
        {"mean": 0.0, "least": 0, "most": 0, "deviation": 0.0, "share": None, "excess": 0},
    )
    assert facts.balanced.box_share == pytest.approx(1 / 3)
