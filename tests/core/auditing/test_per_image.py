"""Laws of what a photo brings to training."""

import json
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oidata.core.auditing.per_image import MIXES_MAX, boxes_per_photo, mined_negatives, per_image_facts
from oidata.core.labels import Label, LabelMap
from oidata.core.statistics import Cells, ground_truth, usable_photos
from tests.core.made import CELLS, DRAWN, PHOTOS, boxes, images

COUNTS = st.lists(st.integers(0, 2000), min_size=1, max_size=8)
RATIOS = st.none() | st.sampled_from([0.0, 0.5, 3.0])
LIMITS = st.none() | st.integers(1, 3000)


@settings(max_examples=40)  # each builds and joins tables
@given(PHOTOS, DRAWN, st.integers(0, 3))
def test_photos_and_boxes_add_up(photos: list[dict[str, object]], drawn: list[dict[str, object]], limit: int) -> None:
    """Of each split every usable photo is counted once, and every box of a known class; all of it is plain JSON."""
    pictures = images(*photos)
    truth = ground_truth(pictures, boxes(*drawn))
    facts = per_image_facts(pictures, truth, CELLS, limit)
    json.dumps(asdict(facts), allow_nan=False)
    assert [row.split for row in facts.splits] == list(CELLS.splits)
    for row in facts.splits:
        own = truth[(truth["split"] == row.split) & truth["mid"].isin(CELLS.classes.mids)]
        per_photo = Counter(own["image_id"])
        assert row.num_photos == sum(row.photos_by_boxes) == sum(mix.num_photos for mix in row.mixes)
        assert row.num_boxes == len(own) == sum(num * photos for num, photos in enumerate(row.photos_by_boxes))
        assert row.num_without_box == row.num_photos - len(per_photo)
        assert row.num_over == sum(num > limit for num in per_photo.values())
        assert row.num_cut == sum(max(num - limit, 0) for num in per_photo.values())
        assert row.num_other_photos == 0
        assert row.boxes["p100"] == row.max_boxes
        assert (row.max_boxes is None) == (row.num_photos == 0)


def test_class_mixes_by_example() -> None:
    """Photos are counted by the set of classes they show, the most frequent first; no class is a set too."""
    pictures = images({}, {}, {}, {"status": "missing"}, {"split": "test"})
    two: dict[str, object] = {"photo": 1, "mid": "/m/2"}
    both = ({"photo": 0}, {"photo": 0, "mid": "/m/2"})
    truth = ground_truth(pictures, boxes(*both, two, two, {"photo": 2, "mid": "/m/2"}, {"photo": 3}))
    train, test = per_image_facts(pictures, truth, CELLS, 100).splits
    assert [(mix.display_names, mix.num_photos) for mix in train.mixes] == [(("Two",), 2), (("One", "Two"), 1)]
    assert [(mix.mids, mix.num_photos) for mix in test.mixes] == [((), 1)]
    assert train.photos_by_boxes == (0, 1, 2)
    assert test.photos_by_boxes == (1,)


def test_the_list_of_mixes_is_bounded() -> None:
    """Of more sets than MIXES_MAX the rest is counted together."""
    num = MIXES_MAX + 5
    cells = Cells(LabelMap(tuple(Label(f"/m/{n}", f"Class {n}") for n in range(num))), ("train",))
    pictures = images(*[{}] * num)
    truth = ground_truth(pictures, boxes(*({"photo": n, "mid": f"/m/{n}"} for n in range(num))))
    row = per_image_facts(pictures, truth, cells, 100).splits[0]
    assert len(row.mixes) == MIXES_MAX
    assert row.num_other_photos == 5


def test_boxes_are_counted_for_each_photo_in_its_place() -> None:
    """The counts stand in the order of the photos, those without a box among them."""
    pictures = images({}, {}, {"dropped": "user:x"}, {})
    truth = ground_truth(pictures, boxes({"photo": 3}, {"photo": 0}, {"photo": 3}, {"photo": 2}))
    photos = usable_photos(pictures, CELLS)
    assert photos["image_id"].tolist() == [f"{n:016x}" for n in (0, 1, 3)]
    assert boxes_per_photo(photos, truth).tolist() == [1, 0, 2]


@pytest.mark.parametrize("ratio, num", [(0.0, 0), (0.5, 1), (1.0, 2), (1.5, 3), (10.0, 4)])
def test_mined_negatives_keep_the_ratio(ratio: float, num: int) -> None:
    """TFOD's core/losses_test.py, testEnforceNegativesPerPositiveRatio: its NMS leaves 2 positives, 4 negatives."""
    assert mined_negatives(np.array([2]), np.array([4]), max_negatives_per_positive=ratio).tolist() == [num]


@pytest.mark.parametrize("minimum", [0, 1, 2, 4, 5, 6])
def test_mined_negatives_of_a_photo_without_a_positive(minimum: int) -> None:
    """TFOD's testEnforceNegativesPerPositiveRatioWithMinNegativesPerImage: its NMS leaves 6 negatives."""
    options = {"max_negatives_per_positive": 3, "min_negatives_per_image": minimum}
    assert mined_negatives(np.array([0]), np.array([6]), **options).tolist() == [minimum]


@given(COUNTS, RATIOS, st.integers(0, 9), LIMITS)
def test_mined_negatives_are_bounded(
    positives: list[int], ratio: float | None, minimum: int, num_hard_examples: int | None
) -> None:
    """Never more than there are, nor than fit beside the positives; with no limit at all, all of them."""
    num_positives = np.array(positives)
    num_negatives = 2000 - num_positives
    mined = mined_negatives(
        num_positives,
        num_negatives,
        max_negatives_per_positive=ratio,
        min_negatives_per_image=minimum,
        num_hard_examples=num_hard_examples,
    )
    assert (mined >= 0).all()
    assert (mined <= num_negatives).all()
    if num_hard_examples is not None:
        assert (mined + np.minimum(num_positives, num_hard_examples) <= num_hard_examples).all()
    if ratio is not None:
        assert (mined <= np.maximum(minimum, ratio * num_positives)).all()
    if ratio is None and num_hard_examples is None:
        assert (mined == num_negatives).all()


def test_the_number_of_hard_examples_comes_before_the_ratio() -> None:
    """Of 64 hard examples 60 are positives, so 4 negatives are left, whatever the ratio allows."""
    options = {"max_negatives_per_positive": 3, "num_hard_examples": 64}
    assert mined_negatives(np.array([60, 70, 10]), np.array([1857, 1847, 1907]), **options).tolist() == [4, 0, 30]
