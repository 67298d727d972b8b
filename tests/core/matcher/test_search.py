"""Laws of the search for better anchors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.core.matcher import search
from oidata.core.matcher.anchors import AnchorGrid, MultiscaleAnchors, SsdAnchors
from oidata.core.matcher.layers import MAX_AMBIGUITY, layer_ambiguity, placed
from oidata.core.matcher.search import Anchors, GroundTruth, best_anchors
from oidata.core.matcher.targets import Matcher, match

# The two coarsest levels of SSD MobileNet V2 at 300 px, and two of an FPN detector at 320 px: small, so fast.
SSD = SsdAnchors(num_layers=2, aspect_ratios=(1.0, 2.0), reduce_boxes_in_lowest_layer=False)
FPN = MultiscaleAnchors(min_level=5, max_level=6, aspect_ratios=(1.0, 2.0, 0.5))


def grid_of(anchors: Anchors) -> AnchorGrid:
    """The anchors on the feature maps of SSD and FPN above."""
    if isinstance(anchors, SsdAnchors):
        return anchors.grid([(10, 10), (5, 5)], 300, 300)
    return anchors.grid([(10, 10), (5, 5)], 320, 320)


def squares(side: float, num_photos: int = 40, seed: int = 0) -> GroundTruth:
    """Two squares of nearly this side in each photo, one of each class."""
    rng = np.random.default_rng(seed)
    sides = side * rng.uniform(0.9, 1.1, (2 * num_photos, 1))
    corners = rng.random((2 * num_photos, 2)) * (1 - sides)
    boxes = np.concatenate((corners, corners + sides), axis=1).astype(np.float32)
    return GroundTruth(boxes, np.repeat(np.arange(num_photos), 2), np.array(["/m/1", "/m/2"] * num_photos))


def alone(truth: GroundTruth) -> GroundTruth:
    """The first box of each photo."""
    return GroundTruth(truth.boxes[::2], truth.image_index[::2], truth.mids[::2])


def num_matched(truth: GroundTruth, anchors: Anchors) -> np.ndarray:
    """Of each class, the boxes that match without the forced match."""
    targets = match(truth.boxes, truth.image_index, grid_of(anchors), Matcher())
    return np.array([(targets.num_matched_anchors[truth.mids == mid] > 0).sum() for mid in np.unique(truth.mids)])


@pytest.mark.parametrize("anchors", [SSD, replace(SSD, scales=(0.2, 0.95)), FPN], ids=["spread", "listed", "fpn"])
def test_small_boxes_get_smaller_anchors(anchors: Anchors) -> None:
    """Where no anchor is as small as the boxes, smaller ones are found, and as many in each cell."""
    truth = squares(0.12)
    found = best_anchors(anchors, grid_of, Matcher(), truth)
    assert num_matched(truth, found).sum() > num_matched(truth, anchors).sum() + 10
    assert grid_of(found).num_anchors == grid_of(anchors).num_anchors
    assert len(found.aspect_ratios) == len(anchors.aspect_ratios) or isinstance(found, MultiscaleAnchors)
    before, after = (np.concatenate([layer.heights for layer in grid_of(each).layers]) for each in (anchors, found))
    assert after.min() < before.min()


def test_the_search_is_deterministic() -> None:
    """The same boxes give the same anchors."""
    assert best_anchors(SSD, grid_of, Matcher(), squares(0.12)) == best_anchors(SSD, grid_of, Matcher(), squares(0.12))


def test_no_class_is_traded_away() -> None:
    """Two anchors would do more for two sizes of many boxes, but one of them is all that a class of few boxes has."""
    parts = (squares(0.2, 60), squares(0.4, 60, seed=2), alone(squares(0.95, 10, seed=1)))
    truth = GroundTruth(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.image_index + 100 * number for number, part in enumerate(parts)]),
        np.repeat(["/m/many", "/m/few"], [240, 10]),
    )
    anchors = replace(SSD, aspect_ratios=(1.0,), interpolated_scale_aspect_ratio=0.0)
    greedy = replace(anchors, scales=(0.2, 0.4))
    few_now, many_now = num_matched(truth, anchors)
    few_then, many_then = num_matched(truth, best_anchors(anchors, grid_of, Matcher(), truth))
    assert few_now == 10
    assert few_then >= 9
    assert many_now <= many_then < num_matched(truth, greedy)[1]


def test_sizes_do_not_crowd_into_two_layers() -> None:
    """Two layers of one size would match more boxes of that size; it stays clear which layer learns them."""
    truth, anchors = squares(0.21), replace(SSD, scales=(0.2, 0.95), aspect_ratios=(1.0,))
    crowded, found = replace(anchors, scales=(0.2, 0.21)), best_anchors(anchors, grid_of, Matcher(), truth)
    assert num_matched(truth, crowded).sum() > num_matched(truth, anchors).sum()
    boxes = placed(truth.boxes)
    assert layer_ambiguity(grid_of(crowded), Matcher(), boxes) > MAX_AMBIGUITY
    assert layer_ambiguity(grid_of(found), Matcher(), boxes) <= MAX_AMBIGUITY


def test_more_anchors_decide_where_as_many_boxes_match() -> None:
    """Where all boxes match already, those anchors are found that give each of them more."""
    truth, anchors = alone(squares(0.4)), replace(SSD, min_scale=0.4)
    found = best_anchors(anchors, grid_of, Matcher(), truth)
    one, other = (match(truth.boxes, truth.image_index, grid_of(each), Matcher()) for each in (anchors, found))
    assert (one.num_matched_anchors > 0).all()
    assert other.num_matched_anchors.mean() > 1.2 * one.num_matched_anchors.mean()


@pytest.mark.parametrize(
    "anchors, is_sane",
    [
        (SSD, True),
        (replace(SSD, scales=(0.2, 0.2)), True),
        (replace(SSD, scales=(0.3, 0.2)), False),
        (replace(SSD, min_scale=0.5, max_scale=0.4), False),
        (replace(SSD, max_scale=1.1), False),
        (replace(SSD, aspect_ratios=(1.0, 9.0)), False),
        (replace(FPN, anchor_scale=0.9), False),
    ],
)
def test_what_is_sane(anchors: Anchors, is_sane: bool) -> None:  # noqa: FBT001 - a column of the table above
    """Numbers have limits, and the scales of layers rise."""
    assert search._is_sane(anchors) == is_sane


def test_numbers_stay_within_limits_and_in_order() -> None:
    """Boxes of a hundredth of the photo do not drive scales to nothing, and no layer is finer than the one before."""
    found = best_anchors(replace(SSD, scales=(0.2, 0.95)), grid_of, Matcher(), squares(0.01))
    assert isinstance(found, SsdAnchors)
    assert found.scales == tuple(sorted(found.scales))
    assert min(found.scales) >= search._SCALE_LIMITS[0]


def test_no_more_sets_are_tried_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After MAX_TRIALS sets of anchors the search ends with the best of those."""
    monkeypatch.setattr(search, "MAX_TRIALS", 10)
    tried = set()

    def counted(anchors: Anchors) -> AnchorGrid:
        tried.add(anchors)
        return grid_of(anchors)

    assert best_anchors(SSD, counted, Matcher(), squares(0.12)) in tried
    assert len(tried) == 10


def test_an_fpn_may_trade_ratios_for_scales() -> None:
    """Six anchors in a cell are one ratio in six sizes, two in three, three in two (as now), or six in one."""
    assert [(octaves, len(ratios)) for octaves, ratios in search._splits(FPN)] == [(1, 6), (2, 3), (3, 2), (6, 1)]
    assert dict(search._splits(FPN))[2] == FPN.aspect_ratios


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(1, 60), st.integers(0, 99))
def test_a_sample_is_of_whole_photos(counts: list[int], num_boxes: int, seed: int) -> None:
    """A sample has all boxes of its photos in their order, at least as many as asked for, and no photo too many."""
    index = np.repeat(np.arange(len(counts)), counts)
    mids = np.arange(len(index)).astype(str)
    boxes = np.zeros((len(index), 4), np.float32)
    sample = GroundTruth(boxes, index, mids).sample(num_boxes, seed)
    assert (sample.mids == mids[np.isin(index, sample.image_index)]).all()
    assert len(sample.boxes) >= min(num_boxes, len(index))
    assert len(sample.boxes) < num_boxes + max(counts) or len(index) <= num_boxes
